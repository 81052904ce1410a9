"""Build a release, and find what is wrong with one. `make release-check` runs all that needs no network.

    release.py check [--tag v0.1.0]    all checks; each problem is a line, and with any the exit status is 1
    release.py build FOLDER            the sdist, and the wheel that is built from the sdist
    release.py sbom FILE WHEEL         CycloneDX: the wheel with what an installation brings along
    release.py notes                   the newest section of CHANGELOG.md

A build takes the files that git tracks, as they are in this folder, and the time of the last commit: nothing else of
a machine gets into it. The tools are those of the group `release` in pyproject.toml. Knows nothing of the provider.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
NAME = "pulumi_qoder_vault"
HEADING = re.compile(r"^## (?P<version>\S+) \((?P<date>[^)]*)\)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
OF_THE_BUILD = {"PKG-INFO", ".gitignore"}  # hatchling adds them to an sdist


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("--tag", help="what is to be released, such as v0.1.0")
    commands.add_parser("build").add_argument("folder", type=Path)
    sbom_parser = commands.add_parser("sbom")
    sbom_parser.add_argument("file", type=Path)
    sbom_parser.add_argument("wheel", type=Path)
    commands.add_parser("notes")
    given = parser.parse_args(arguments)
    if given.command == "build":
        for built in build(ROOT, given.folder.resolve()):
            print(built)
    elif given.command == "sbom":
        write_sbom(given.file.resolve(), given.wheel.resolve())
    elif given.command == "notes":
        print(notes(ROOT))
    else:
        problems = list(check(ROOT, given.tag))
        print(*problems or ["release: nothing is wrong"], sep="\n")
        return int(bool(problems))
    return 0


def check(root: Path, tag: str | None = None) -> Iterator[str]:
    """Yield what is wrong with a release of this folder."""
    yield from versions(root)
    yield from changelog(root, tag)
    yield from floors(root)
    with tempfile.TemporaryDirectory() as scratch:
        first = build(root, Path(scratch, "first"))
        yield from differences(first, build(root, Path(scratch, "second-folder")))
        sdist, wheel = first
        yield from sdist_contents(sdist, tracked(root))
        yield from wheel_contents(wheel, root / NAME)
        yield from metadata(first)
        yield from version_of_the_wheel(wheel, project(root)["version"])


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel, into `folder`; return both."""
    with tempfile.TemporaryDirectory(prefix=folder.name) as scratch:
        source = Path(scratch, folder.name)
        for name in tracked(root):
            if (root / name).is_file():  # not one that is removed, and not yet committed
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, source / name)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
        epoch = os.environ.get("SOURCE_DATE_EPOCH") or git(root, "log", "-1", "--format=%ct")
        run(command, environment={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def tracked(root: Path) -> list[str]:
    """Return the paths that git tracks, with `/`."""
    return git(root, "ls-files", "-z").rstrip("\0").split("\0")


def versions(root: Path) -> Iterator[str]:
    """Yield where a text or an example names a version of this package, or of the plugin, that it is not."""
    version = project(root)["version"]
    files = [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "examples").rglob("*"))]
    for file in files:
        if not file.is_file() or file.suffix not in {".md", ".txt", ".yaml", ".yml", ".json"}:
            continue
        text = file.read_text(encoding="utf-8")
        where = file.relative_to(root).as_posix()
        for found in re.findall(r"pulumi-qoder-vault(?:\[\w+\])?([<>=!~][<>=!~\d., ]*)", text):
            if version not in SpecifierSet(found.strip(" ,.")):
                yield f"{where}: pulumi-qoder-vault{found} does not admit {version}"
        for found in re.findall(r"(?:resource qoder |pulumi-resource-qoder-|qoder@)v?(\d+\.\d+\.\d+)", text):
            if found != version:
                yield f"{where}: the plugin is {found} there, and {version} in pyproject.toml"


def changelog(root: Path, tag: str | None = None) -> Iterator[str]:
    """Yield how CHANGELOG.md, pyproject.toml, a tag and the records of states disagree."""
    version = project(root)["version"]
    sections = [(match["version"], match["date"]) for match in HEADING.finditer(read(root, "CHANGELOG.md"))]
    newest, date = sections[0] if sections else ("", "")
    if newest != version:
        yield f"CHANGELOG.md: its newest section is {newest or 'missing'}, and pyproject.toml says {version}"
    if tag is not None and tag != f"v{version}":
        yield f"the tag is {tag}, and pyproject.toml says {version}"
    if tag is not None and not DATE.fullmatch(date):
        yield f"CHANGELOG.md: {newest} has no date, but ({date})"
    if not notes(root):
        yield f"CHANGELOG.md: the section of {newest or version} is empty"
    records = {path.name.partition("-")[0] for path in (root / "tests" / "upgrade").glob("*.json")}
    for released, date in sections:
        if DATE.fullmatch(date) and released not in records:
            yield f"tests/upgrade: no state of {released} is recorded; see record.py there"


def floors(root: Path) -> Iterator[str]:
    """Yield where the oldest Python, SDK or CLI differs from what is tested and declared."""
    declared = project(root)
    tools = tomllib.loads(read(root, "pyproject.toml"))["tool"]
    workflow = read(root, ".github/workflows/ci.yml")
    pythons = sorted(set(re.findall(r'python: "([\d.]+)"', workflow)), key=as_numbers)
    classified = [text.rpartition(" ")[2] for text in declared["classifiers"] if re.search(r":: 3\.\d+$", text)]
    if pythons != classified:
        yield f"ci.yml tests Python {', '.join(pythons)}, and the classifiers are {', '.join(classified)}"
    oldest = classified[0]
    for where, value in (
        ("requires-python", declared["requires-python"].removeprefix(">=")),
        ("tool.mypy", tools["mypy"]["python_version"]),
        ("tool.ruff", tools["ruff"]["target-version"].replace("py3", "3.")),
    ):
        if value != oldest:
            yield f"pyproject.toml: {where} says Python {value}, and the oldest classifier {oldest}"
    (sdk,) = (item.specifier for item in map(Requirement, declared["dependencies"]) if item.name == "pulumi")
    (floor,) = (item.version for item in sdk if item.operator == ">=")
    if f'sdk: "=={floor}.0"' not in workflow:
        yield f"ci.yml does not test pulumi {floor}.0, the floor of pyproject.toml"
    cli = ".".join(map(str, assigned(root / "tools" / "pulumi_cli.py", "OLDEST")))
    if f'cli: "{cli}"' not in workflow:
        yield f"ci.yml does not test the CLI {cli}, the oldest that tools/pulumi_cli.py takes"


def differences(first: Iterable[Path], second: Iterable[Path]) -> Iterator[str]:
    """Yield which files of two builds are not the same, byte for byte."""
    for one, other in zip(first, second, strict=True):
        if (one.name, digest(one)) != (other.name, digest(other)):
            yield f"{one.name}: two builds from two folders differ ({digest(one)[:12]}, {digest(other)[:12]})"


def sdist_contents(sdist: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield what an sdist holds that git does not track, or lacks of the package."""
    with tarfile.open(sdist) as archive:
        found = {item.name.partition("/")[2] for item in archive.getmembers() if item.isfile()}
    expected = set(names)
    yield from (
        f"{sdist.name}: holds {name}, which git does not track" for name in sorted(found - expected - OF_THE_BUILD)
    )
    needed = {name for name in expected if name.startswith(f"{NAME}/") or name in ("LICENSE", "pyproject.toml")}
    yield from (f"{sdist.name}: lacks {name}" for name in sorted(needed - found))


def wheel_contents(wheel: Path, package: Path) -> Iterator[str]:
    """Yield what a wheel holds beside the package, or lacks of it."""
    command = [sys.executable, "-m", "check_wheel_contents", "--no-config", "--package", str(package), str(wheel)]
    yield from complaints(command, wheel)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        yield f"{wheel.name}: lacks the licence"


def metadata(files: Iterable[Path]) -> Iterator[str]:
    """Yield what an index would refuse, or not render."""
    for file in files:
        yield from complaints([sys.executable, "-m", "twine", "check", "--strict", str(file)], file)


def version_of_the_wheel(wheel: Path, version: str) -> Iterator[str]:
    """Yield where the wheel, the schema or the plugin itself says another version."""
    with zipfile.ZipFile(wheel) as archive:
        (info,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = {"METADATA": str(BytesParser().parsebytes(archive.read(info))["Version"])}
    ask = f"from {NAME}.plugin.schema import schema; print(schema()['version'])"
    # Python imports from a wheel as it is. -P: not from the current folder.
    said["the plugin's schema"] = run(
        [sys.executable, "-P", "-c", ask], environment={**os.environ, "PYTHONPATH": str(wheel)}
    )
    for where, found in said.items():
        if found != version:
            yield f"{wheel.name}: {where} says {found}, and pyproject.toml {version}"


def notes(root: Path) -> str:
    """Return the newest section of CHANGELOG.md, without its heading."""
    parts = HEADING.split(read(root, "CHANGELOG.md"))
    return parts[3].strip() if len(parts) > 1 else ""


def write_sbom(file: Path, wheel: Path) -> None:
    """Install the wheel into an environment of its own, and write down what is in it."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=False)
        python = Path(scratch, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
        run([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", str(wheel)])
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--mc-type", "library"]
        pyproject = ["--pyproject", str(ROOT / "pyproject.toml")]
        run([*command, *pyproject, "--gather-license-texts", "--output-file", str(file), str(python)])


def complaints(command: list[str], file: Path) -> Iterator[str]:
    """Yield the lines of a tool that refuses a file."""
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        yield f"{file.name}: {command[2]}: {' '.join(lines) or 'failed'}"


def run(command: list[str], *, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout; exit with all that it said if it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def git(root: Path, *arguments: str) -> str:
    """Return what git says of the folder."""
    return run(["git", "-C", str(root), *arguments])


def project(root: Path) -> dict[str, Any]:
    """Return `[project]`."""
    return dict(tomllib.loads(read(root, "pyproject.toml"))["project"])


def read(root: Path, name: str) -> str:
    """Return the text of a file."""
    return (root / name).read_text(encoding="utf-8")


def assigned(file: Path, name: str) -> Any:
    """Return the literal that a module assigns to a name, without running it."""
    (value,) = (
        node.value
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


def as_numbers(version: str) -> list[int]:
    """Return the parts of a version, to sort by."""
    return [int(part) for part in version.split(".")]


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
