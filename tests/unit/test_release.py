"""tools/release.py: each check finds what it is for, in a copy of this repository that is wrong in one thing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="not a clone: a release is made of the files that git tracks"
)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t.example", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the files as they are here, before the day of the release."""
    folder = tmp_path_factory.mktemp("clean")
    for name in git(REPOSITORY, "ls-files", "-z").rstrip("\0").split("\0"):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    text = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(re.sub(r"(?m)^## (\S+) \(.*\)$", r"## \1 (unreleased)", text, count=1))
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


@pytest.fixture
def copy(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "copy"))


@pytest.fixture(scope="module")
def built(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel of the clone."""
    folder = tmp_path_factory.mktemp("built")
    sdist, wheel = run(clean, "build", str(folder)).stdout.split()
    return Path(sdist), Path(wheel)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool as a module, for the checks of one file."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    import release

    return release


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/release.py", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, file
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_nothing_is_wrong_here(clean: Path) -> None:
    """What the other tests break is whole before."""
    done = run(clean, "check")
    assert (0, "release: nothing is wrong\n", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        (
            "pyproject.toml",
            f'version = "{VERSION}"',
            'version = "99.0.0"',
            f"CHANGELOG.md: its newest section is {VERSION}, and pyproject.toml says 99.0.0",
        ),
        (
            "examples/quickstart/requirements.txt",
            "pulumi-qoder-vault>=0.1",
            "pulumi-qoder-vault>=98",
            f"examples/quickstart/requirements.txt: pulumi-qoder-vault>=98,<1 does not admit {VERSION}",
        ),
        (
            "examples/quickstart-yaml/README.md",
            "\n",
            "\npulumi plugin install resource qoder 0.0.9\n",
            f"examples/quickstart-yaml/README.md: the plugin is 0.0.9 there, and {VERSION} in pyproject.toml",
        ),
        (
            "docs/plugin.md",
            "\npulumi package add qoder@0.1.0 --server",
            "\npulumi package add qoder@0.0.9 --server",
            f"docs/plugin.md: the plugin is 0.0.9 there, and {VERSION} in pyproject.toml",
        ),
        (
            "CHANGELOG.md",
            f"## {VERSION} (unreleased)",
            f"## {VERSION} (unreleased)\n\n## 0.0.1 (2026-01-01)\n\n* First.",
            "tests/upgrade: no state of 0.0.1 is recorded; see record.py there",
        ),
        (
            ".github/workflows/ci.yml",
            'python: "3.12"',
            'python: "3.13"',
            "ci.yml tests Python 3.11, 3.13, 3.14, and the classifiers are 3.11, 3.12, 3.13, 3.14",
        ),
        (
            "pyproject.toml",
            'requires-python = ">=3.11"',
            'requires-python = ">=3.12"',
            "pyproject.toml: requires-python says Python 3.12, and the oldest classifier 3.11",
        ),
        (
            "pyproject.toml",
            "pulumi>=3.260,<4",
            "pulumi>=3.261,<4",
            "ci.yml does not test pulumi 3.261.0, the floor of pyproject.toml",
        ),
        (
            "tools/pulumi_cli.py",
            "OLDEST = (3, 259, 0)",
            "OLDEST = (3, 258, 0)",
            "ci.yml does not test the CLI 3.258.0, the oldest that tools/pulumi_cli.py takes",
        ),
    ],
    ids=lambda value: value if value.startswith(("pulumi", "requires", "OLDEST")) else None,
)
def test_versions_that_disagree_are_found(
    release: Any, copy: Path, name: str, old: str, new: str, problem: str
) -> None:
    """The package, the changelog, the examples, the workflow and the records of states speak of one release."""
    change(copy / name, old, new)
    assert problem in [*release.versions(copy), *release.changelog(copy), *release.floors(copy)]


def test_a_tag_is_held_against_the_release(release: Any, copy: Path) -> None:
    """A tag needs the version, and a section with a date."""
    done = run(copy, "check", "--tag", "v99.0.0")
    assert 1 == done.returncode
    assert [
        f"the tag is v99.0.0, and pyproject.toml says {VERSION}",
        f"CHANGELOG.md: {VERSION} has no date, but (unreleased)",
    ] == done.stdout.splitlines()

    change(copy / "CHANGELOG.md", "(unreleased)", "(2026-12-01)")
    assert [] == list(release.changelog(copy, f"v{VERSION}"))


def test_the_notes_are_the_newest_section(release: Any, copy: Path) -> None:
    """Without its heading, and without what is older; an empty one is a problem."""
    change(
        copy / "CHANGELOG.md",
        f"## {VERSION} (unreleased)",
        f"## 99.0.0 (unreleased)\n\n* New.\n\n## {VERSION} (2026-01-01)",
    )
    assert "* New.\n" == run(copy, "notes").stdout
    change(copy / "CHANGELOG.md", "* New.", "")
    assert "CHANGELOG.md: the section of 99.0.0 is empty" in list(release.changelog(copy))


def test_a_build_that_depends_on_its_folder_is_found(copy: Path) -> None:
    """The two builds stand in folders of different names."""
    hook = "from hatchling.metadata.plugin.interface import MetadataHookInterface\nfrom pathlib import Path\n\n\n"
    hook += "class Here(MetadataHookInterface):\n"
    hook += "    def update(self, metadata):\n        metadata['keywords'] = [Path(self.root).name]\n"
    (copy / "hatch_build.py").write_text(hook)
    change(copy / "pyproject.toml", 'keywords = ["pulumi", "qoder", "mcp", "vault", "credentials", ', "unused = [")
    change(copy / "pyproject.toml", "unused = [", 'dynamic = ["keywords"]\n# [')
    change(
        copy / "pyproject.toml",
        "[tool.hatch.build.targets.wheel]",
        "[tool.hatch.metadata.hooks.custom]\n\n[tool.hatch.build.targets.wheel]",
    )
    change(
        copy / "pyproject.toml",
        'include = ["/pulumi_qoder_vault"',
        'include = ["/hatch_build.py", "/pulumi_qoder_vault"',
    )
    git(copy, "add", "hatch_build.py")

    said = run(copy, "check")

    assert 1 == said.returncode
    assert f"pulumi_qoder_vault-{VERSION}.tar.gz: two builds from two folders differ" in said.stdout, said
    assert f"pulumi_qoder_vault-{VERSION}-py3-none-any.whl: two builds from two folders differ" in said.stdout


def test_metadata_that_no_index_renders_is_found(copy: Path) -> None:
    """An sdist and a wheel without a description are refused."""
    change(copy / "pyproject.toml", 'readme = "README.md"\n', "")
    said = run(copy, "check")
    assert 1 == said.returncode
    assert 2 == said.stdout.count("`long_description` missing")


def test_what_git_does_not_track_is_in_no_build(copy: Path) -> None:
    """A file that lies about in the package gets into neither."""
    (copy / "pulumi_qoder_vault" / "notes.py").write_text("TOKEN = 'pt-1'\n")
    sdist, wheel = run(copy, "build", str(copy / "dist")).stdout.split()
    with tarfile.open(sdist) as archive:
        assert [] == [name for name in archive.getnames() if name.endswith("notes.py")]
    with zipfile.ZipFile(wheel) as opened:
        assert [] == [name for name in opened.namelist() if name.endswith("notes.py")]


def rewritten(wheel: Path, folder: Path, edit: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy of a wheel whose files were edited."""
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    edit(content)
    copied = folder / wheel.name
    with zipfile.ZipFile(copied, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return copied


INFO = f"pulumi_qoder_vault-{VERSION}.dist-info"


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda files: files.update({"tests/test_a.py": b"\n"}), "tests/test_a.py"),
        (lambda files: files.update({"pulumi_qoder_vault/notes.py": b"\n"}), "pulumi_qoder_vault/notes.py"),
        (lambda files: files.pop("pulumi_qoder_vault/py.typed"), "pulumi_qoder_vault/py.typed"),
        (lambda files: files.pop(f"{INFO}/licenses/LICENSE"), "lacks the licence"),
    ],
    ids=["tests", "another file", "a lost file", "no licence"],
)
def test_a_wheel_that_is_not_the_package_is_found(
    release: Any, built: tuple[Path, Path], tmp_path: Path, edit: Callable[[dict[str, bytes]], None], problem: str
) -> None:
    """It holds the package, whole, and nothing beside it."""

    def recorded(files: dict[str, bytes]) -> None:
        edit(files)
        files[f"{INFO}/RECORD"] = "".join(f"{name},,\n" for name in files).encode()

    package = REPOSITORY / "pulumi_qoder_vault"
    assert [] == list(release.wheel_contents(built[1], package))
    said = list(release.wheel_contents(rewritten(built[1], tmp_path, recorded), package))
    assert problem in " ".join(said)


def test_a_wheel_of_another_version_is_found(release: Any, built: tuple[Path, Path], tmp_path: Path) -> None:
    """Its metadata, and what the plugin says of itself."""

    def older(files: dict[str, bytes]) -> None:
        files[f"{INFO}/METADATA"] = files[f"{INFO}/METADATA"].replace(f"Version: {VERSION}".encode(), b"Version: 0.0.9")

    assert [] == list(release.version_of_the_wheel(built[1], VERSION))
    said = list(release.version_of_the_wheel(rewritten(built[1], tmp_path, older), VERSION))
    assert ["METADATA says 0.0.9", "schema says 0.0.9"] == [" ".join(line.split(",")[0].split()[-3:]) for line in said]


def test_an_sdist_that_is_not_the_repository_is_found(
    release: Any, clean: Path, built: tuple[Path, Path], tmp_path: Path
) -> None:
    """It holds only what git tracks, and all of the package."""
    names = release.tracked(clean)
    assert [] == list(release.sdist_contents(built[0], names))
    changed = tmp_path / built[0].name
    with tarfile.open(built[0]) as archive, tarfile.open(changed, "w:gz") as other:
        for item in archive.getmembers():
            if not item.name.endswith("/py.typed"):
                other.addfile(item, archive.extractfile(item))
        added = tarfile.TarInfo(f"pulumi_qoder_vault-{VERSION}/.env")
        added.size = 1
        other.addfile(added, BytesIO(b"x"))
    assert [
        f"{changed.name}: holds .env, which git does not track",
        f"{changed.name}: lacks pulumi_qoder_vault/py.typed",
    ] == list(release.sdist_contents(changed, names))
