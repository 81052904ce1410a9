"""The archive that `make plugin-archive` builds, on a machine with Pulumi and without Python.

With QODER_PLUGIN_ARCHIVE the other tests here run its plugin, too: `make test-archive`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.archive import NO_ARCHIVE, PREFIX, Downloads, archive, plugin_folder, serve
from engine.sdks import (
    EXAMPLES,
    TOKEN,
    build_go,
    compile_typescript,
    example,
    needs_go,
    needs_node,
    run,
    slow_when_new,
    the_main_job,
)
from engine.stacks import Stack
from pulumi_qoder_vault.emulator import Emulator

ARCHIVE = archive() or Path()
VERSION = ARCHIVE.name.removeprefix(PREFIX).partition("-")[0]
# That of a repository which pyproject.toml could name; here a server of this machine plays it.
RELEASES = "github://api.github.com/acme/pulumi-qoder-vault"

pytestmark = pytest.mark.skipif(archive() is None, reason=NO_ARCHIVE)


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    with Emulator("2026-05", unique_url=True) as emulator:
        yield emulator


@pytest.fixture
def downloads() -> Iterator[Downloads]:
    with serve(ARCHIVE.parent) as serving:
        yield serving


def without_python(stack: Stack, *tools: str) -> Stack:
    """Leave the stack of this machine Pulumi and these tools alone, and no variable but Pulumi's and Qoder's."""
    path = stack.folder.parent / "path"
    path.mkdir()
    for name in ("pulumi", *tools):
        (path / name).symlink_to(str(shutil.which(name)))
    assert [None] * 3 == [shutil.which(name, path=str(path)) for name in ("python", "python3", "pulumi-resource-qoder")]
    (stack.folder / "venv").unlink()
    kept = {name: value for name, value in stack.env.items() if name.startswith(("PULUMI_", "QODER_"))}
    stack.env = kept | {"PATH": str(path), "HOME": str(stack.folder.parent)}
    return stack


def from_a_file(stack: Stack, downloads: Downloads) -> None:
    stack.run("plugin", "install", "resource", "qoder", VERSION, "--file", str(ARCHIVE))


def from_a_server(stack: Stack, downloads: Downloads) -> None:
    checksum = hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()
    stack.run("plugin", "install", "resource", "qoder", VERSION, "--server", downloads.url, "--checksum", checksum)


def as_a_package(stack: Stack, downloads: Downloads) -> None:
    """The project then names the server, and on the next machine Pulumi fetches the plugin by itself."""
    stack.run("package", "add", f"qoder@{VERSION}", "--server", downloads.url)
    stack.run("plugin", "rm", "--all", "--yes")
    downloads.asked.clear()


def by_the_program(stack: Stack, downloads: Downloads) -> None:
    project = stack.folder / "Pulumi.yaml"
    options = f"    options:\n      version: {VERSION}\n      pluginDownloadURL: {downloads.url}\noutputs:\n"
    project.write_text(project.read_text().replace("outputs:\n", options))


@pytest.mark.parametrize("install", [from_a_file, from_a_server, as_a_package, by_the_program])
def test_yaml_needs_no_python(
    tmp_path: Path, qoder: Emulator, downloads: Downloads, install: Callable[[Stack, Downloads], None]
) -> None:
    """The quick start, from nothing to nothing. A rotation keeps the id. Nothing but the archive is asked for."""
    stack = without_python(Stack(tmp_path, qoder, project=EXAMPLES / "quickstart-yaml"), "pulumi-language-yaml")
    stack.run("config", "set", "--secret", "githubToken", "first-access-token")
    absent = stack.preview(fails=True, PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="true")
    assert "qoder" in absent.text

    install(stack, downloads)
    stack.up()
    assert ([] if install is from_a_file else [f"/{ARCHIVE.name}"]) == downloads.asked
    (made,) = qoder.vaults
    assert {"vault_id": made.id, "credential_ids": made_ids(qoder)} == stack.outputs()
    stack.run("config", "set", "--secret", "githubToken", "second-access-token")
    assert "~ accessToken" in stack.preview().text
    stack.up()
    (rotated,) = qoder.vaults
    assert (made.id, ["second-access-token"]) == (rotated.id, [item.access_token for item in rotated.credentials])
    stack.refresh("--expect-no-changes")
    stack.preview("--expect-no-changes")
    stack.destroy()
    assert [] == qoder.vaults


def made_ids(qoder: Emulator) -> dict[str | None, str]:
    (vault,) = qoder.vaults
    return {item.mcp_server_url: item.id for item in vault.credentials}


def test_the_other_tests_run_this_plugin(tmp_path: Path, qoder: Emulator) -> None:
    """Not that of the environment, which is on PATH, too: the engine names the one that it starts."""
    stack = Stack(tmp_path, qoder, project=EXAMPLES / "quickstart-yaml")
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    assert f"using pulumi-resource-qoder from $PATH at {plugin_folder()}" in stack.preview().text


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """The schema of the archive's plugin, as that of a release which names its repository."""
    asked = run("pulumi", "package", "get-schema", plugin_folder() / "pulumi-resource-qoder")
    said: dict[str, Any] = json.loads(asked.stdout)
    assert VERSION == said["version"]
    file = tmp_path / "qoder.json"
    file.write_text(json.dumps(said | {"pluginDownloadURL": RELEASES}))
    return file


def the_main_job_without_python(stack: Stack, qoder: Emulator, downloads: Downloads) -> None:
    """Nothing is installed by hand: the SDK names the repository, and Pulumi asks it for the plugin, once."""
    stack.env["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] = f"^{RELEASES}$={downloads.url}"
    the_main_job(stack, qoder)
    assert [f"/{ARCHIVE.name}"] == downloads.asked


@needs_go
@needs_node
@slow_when_new
def test_typescript_needs_no_python(tmp_path: Path, qoder: Emulator, downloads: Downloads, released: Path) -> None:
    """Node.js alone runs the example, with an SDK that is made of the archive's schema."""
    stack, sdk = example("quickstart-typescript", "nodejs", tmp_path, qoder, released)
    compile_typescript(stack, sdk)
    without_python(stack, "pulumi-language-nodejs", "node")
    the_main_job_without_python(stack, qoder, downloads)


@needs_go
@slow_when_new
def test_go_needs_no_python(tmp_path: Path, qoder: Emulator, downloads: Downloads, released: Path) -> None:
    """Go alone runs the example, with an SDK that is made of the archive's schema."""
    stack, _ = example("quickstart-go", "go", tmp_path, qoder, released)
    build_go(stack)
    without_python(stack, "pulumi-language-go", "go")
    stack.env |= json.loads(run("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY").stdout)
    the_main_job_without_python(stack, qoder, downloads)
