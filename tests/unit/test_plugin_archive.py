"""tools/plugin_archive.py: what it refuses, and what gets into an archive. Building a whole one takes a minute."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    import plugin_archive

    return plugin_archive


def frozen(folder: Path, script: str) -> Path:
    """A folder as PyInstaller leaves it, with an executable that does this."""
    (folder / "_internal").mkdir(parents=True)
    executable = folder / "pulumi-resource-qoder"
    executable.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    executable.chmod(0o755)
    return folder


@pytest.mark.skipif(os.name == "nt", reason="Windows runs no script as an executable")
@pytest.mark.parametrize("script", ["print('Traceback')", "raise SystemExit(1)", "import time; time.sleep(100)"])
def test_an_executable_that_does_not_serve_is_refused(
    tool: Any, tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No archive is made of one that prints no port, or is silent for too long."""
    monkeypatch.setattr(tool, "STARTS_WITHIN_S", 2)
    with pytest.raises(SystemExit, match="and no port"):
        tool.said_version(Path(sys.executable), frozen(tmp_path / "frozen", script))


@pytest.mark.skipif(os.name == "nt", reason="Windows runs no script as an executable")
def test_an_executable_says_its_version(tool: Any, tmp_path: Path) -> None:
    """Asked over the plugin's protocol."""
    script = "from pulumi_qoder_vault.plugin.process import main\nmain()"
    said = tool.said_version(Path(sys.executable), frozen(tmp_path / "frozen", script))
    assert (
        tool.run(Path(sys.executable), "-c", "import importlib.metadata as m; print(m.version('pulumi-qoder-vault'))")
        == said
    )


def test_two_archives_of_the_same_files_are_the_same(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither times nor owners of this machine are in them; another file makes another archive."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    folder = frozen(tmp_path / "frozen", "pass")
    tool.pack(folder, tmp_path / "one.tar.gz")
    os.utime(folder / "pulumi-resource-qoder", (1, 1))
    tool.pack(folder, tmp_path / "two.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        assert {"pulumi-resource-qoder", "_internal"} == set(archive.getnames())
        assert {(1700000000, 0, 0, "", "")} == {(i.mtime, i.uid, i.gid, i.uname, i.gname) for i in archive.getmembers()}

    (folder / "more").touch()
    tool.pack(folder, tmp_path / "three.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() != (tmp_path / "three.tar.gz").read_bytes()


def test_all_that_is_inside_has_its_licence(tool: Any, tmp_path: Path) -> None:
    """Of the packages of this environment, of the package itself, and of Python."""
    folder = frozen(tmp_path / "frozen", "pass")
    assert set() == {"httpx", "grpcio", "pulumi"} & set(tool.add_licences(folder, Path(sys.executable)))
    listed = (folder / "licences" / "README.txt").read_text(encoding="utf-8")
    assert "\nhttpx " in listed
    assert "\npulumi-qoder-vault " in listed
    assert {"httpx", "grpcio", "pulumi", "Python"} <= {path.name for path in (folder / "licences").iterdir()}


@pytest.mark.skipif(
    platform.system() == "Linux" and shutil.which("dpkg") is None, reason="nothing here knows whose a library is"
)
def test_a_library_without_a_licence_is_found(tool: Any, tmp_path: Path) -> None:
    """Python's own and OpenSSL have theirs; one that nobody knows stops the archive, and so does a wheel without."""
    folder = frozen(tmp_path / "frozen", "pass")
    for name in ("libpython3.14.so.1.0", "libssl.so.3", "python314.dll", "data.zip"):
        (folder / "_internal" / name).touch()
    assert [] == tool.licences_of_libraries(folder)[1]

    for name in ("libof-nobody.so.1.2", "of-nobody.dll", "libof-nobody.dylib"):
        (folder / "_internal" / name).touch()
    assert ["libof-nobody.dylib", "libof-nobody.so.1.2", "of-nobody.dll"] == tool.add_licences(
        folder, Path(sys.executable)
    )[-3:]
