"""The archive that `make plugin-archive` builds, on a machine with Pulumi and without Python."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.stacks import REPOSITORY, Stack
from pulumi_qoder_vault.emulator import Emulator

ARCHIVE = os.environ.get("QODER_PLUGIN_ARCHIVE")
TOOLS = ("pulumi", "pulumi-language-yaml")


@pytest.mark.skipif(
    not ARCHIVE, reason="QODER_PLUGIN_ARCHIVE names no archive, nor its folder; `make plugin-archive` builds one"
)
def test_programs_run_without_python(tmp_path: Path) -> None:
    """Installed with `pulumi plugin install --file`: a vault is made, previews empty, and goes."""
    archive = Path(str(ARCHIVE)).resolve()
    if archive.is_dir():
        (archive,) = archive.glob("pulumi-resource-qoder-v*.tar.gz")
    version = archive.name.removeprefix("pulumi-resource-qoder-v").partition("-")[0]
    path = tmp_path / "path"
    path.mkdir()
    for name in TOOLS:
        (path / name).symlink_to(str(shutil.which(name)))
    with Emulator("2026-07") as qoder:
        stack = Stack(tmp_path, qoder, project=REPOSITORY / "examples" / "quickstart-yaml")
        (stack.folder / "venv").unlink()
        stack.env["PATH"] = str(path)
        assert [None, None] == [shutil.which(name, path=str(path)) for name in ("python", "python3")]
        stack.run("config", "set", "--secret", "githubToken", "first-access-token")

        without = stack.preview(fails=True)
        assert "qoder" in without.text
        stack.run("plugin", "install", "resource", "qoder", version, "--file", str(archive))
        stack.up()
        (made,) = qoder.vaults
        assert made.id == stack.outputs()["vault_id"]
        stack.preview("--expect-no-changes")
        stack.refresh("--expect-no-changes")
        stack.destroy()
        assert [] == qoder.vaults
