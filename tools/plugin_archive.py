"""Build the plugin for people without Python: `pulumi-resource-qoder-v<version>-<os>-<arch>.tar.gz`.

    plugin_archive.py FOLDER [--os linux|darwin|windows] [--arch amd64|arm64]

`pulumi plugin install resource qoder <version> --file <archive>` takes it. It runs where it was built, or on something
newer: PyInstaller freezes this Python with the package and what it needs, all of it in an environment of its own. The
executable is started before it is packed, with nothing on PATH, and must say its version. In `licences/` stand the
licences of all that is inside. Standard library only; pip needs an index.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "pulumi-resource-qoder"
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
IS_WINDOWS = os.name == "nt"
ENTRY = "from pulumi_qoder_vault.plugin.process import main\n\nmain()\n"
METADATA = ("pulumi-qoder-vault", "pulumi")  # the plugin says their versions
# The debugger that Pulumi's SDK requires, and what speaks to a terminal or a window: readline is under the GPL.
EXCLUDED = ("debugpy", "tkinter", "readline", "curses", "sqlite3", "setuptools", "pkg_resources")
OF_THE_BUILD = {"altgraph", "pip", "pyinstaller-hooks-contrib", "pefile", "pywin32-ctypes", "macholib", *EXCLUDED}
LICENCE = re.compile(r"(^|/)(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)
LIBRARY = re.compile(r"\.(so|dylib|dll)(\.[\d.]+)?$", re.IGNORECASE)
# What the licences of Python and of OpenSSL are for; that of Python for Windows names Microsoft's libraries, too.
OF_PYTHON = re.compile(r"(lib)?python|lib(ssl|crypto)|vcruntime|msvcp|ucrtbase|api-ms-win-", re.IGNORECASE)
STARTS_WITHIN_S = 60
# Run by the environment of the build: asks the plugin at a port for its version.
ASK = """
import sys, grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc
with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    print(provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=30).version)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the archive and print its path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--os", default=platform.system().lower(), choices=("linux", "darwin", "windows"))
    parser.add_argument("--arch", default=ARCHITECTURES.get(platform.machine().lower()), choices=("amd64", "arm64"))
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        python = environment(Path(scratch, "venv"))
        frozen = freeze(python, Path(scratch))
        version = said_version(python, frozen)
        if without := add_licences(frozen, python):
            sys.exit(f"no text of a licence was found for {', '.join(without)}")
        archive = given.folder / f"{PROGRAM}-v{version}-{given.os}-{given.arch}.tar.gz"
        pack(frozen, archive)
    print(archive)
    return 0


def environment(folder: Path) -> Path:
    """Make an environment with the package and PyInstaller; return its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder.joinpath(*(("Scripts", "python.exe") if IS_WINDOWS else ("bin", "python")))
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1")
    run(python, "-m", "pip", "install", "--quiet", str(ROOT), "--group", f"{ROOT / 'pyproject.toml'}:plugin")
    return python


def freeze(python: Path, scratch: Path) -> Path:
    """Return the folder with the executable and all that it needs."""
    script = scratch / "plugin.py"
    script.write_text(ENTRY, encoding="utf-8")
    folders = [f"--{kind}path={scratch / kind}" for kind in ("dist", "work", "spec")]
    copied = [f"--copy-metadata={name}" for name in METADATA]
    excluded = [f"--exclude-module={name}" for name in EXCLUDED]
    options = ["--onedir", "--noconfirm", "--log-level=WARN", f"--name={PROGRAM}"]
    run(python, "-m", "PyInstaller", *options, *folders, *copied, *excluded, str(script))
    return scratch / "dist" / PROGRAM


def said_version(python: Path, frozen: Path) -> str:
    """Start the executable with nothing on PATH, and return the version that it says; exit if it does not."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    executable = frozen / (f"{PROGRAM}.exe" if IS_WINDOWS else PROGRAM)
    began = time.monotonic()
    with subprocess.Popen([executable], env={**kept, "PATH": ""}, stdout=subprocess.PIPE, text=True) as plugin:
        in_time = threading.Timer(STARTS_WITHIN_S, plugin.kill)
        in_time.start()
        try:
            port = (plugin.stdout.readline() if plugin.stdout else "").strip()
            took_s = time.monotonic() - began
            if not port.isdecimal():
                sys.exit(f"the executable printed {port!r} after {took_s:.1f} s, and no port")
            version = run(python, "-c", ASK, port)
        finally:
            in_time.cancel()
            plugin.terminate()
    print(f"plugin_archive: {version}, started in {took_s:.2f} s", file=sys.stderr)
    return version


def add_licences(frozen: Path, python: Path) -> list[str]:
    """Put the licences of the packages, of Python, and of the system's libraries beside the executable.

    What has no text is returned. On a Linux without dpkg the libraries are only named: nothing says whose they are.
    """
    folder = frozen / "licences"
    lines = [
        "What this archive contains, with the licence that each part declares. The texts stand in this folder.",
        "",
    ]
    without = []
    found = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    for part in sorted(distributions(path=[found]), key=lambda part: part.name.lower()):
        if part.name.lower() in OF_THE_BUILD:
            continue
        texts = list(texts_of(part))
        if not texts:
            without.append(part.name)
            continue
        lines.append(f"{part.name} {part.version}: {declared(part)}")
        for number, text in enumerate(texts):
            copy(text, folder / part.name / f"{number or ''}{text.name}")
    copy(licence_of_python(), folder / "Python" / "LICENSE.txt")
    lines.append(f"Python {platform.python_version()}: PSF-2.0, with the software that it incorporates")
    if any(re.match(r"lib(ssl|crypto)", file.name) for file in (frozen / "_internal").iterdir()):
        lines.append("OpenSSL: Apache-2.0; the text is that of pulumi-qoder-vault")
    known, unknown = licences_of_libraries(frozen)
    for package, text in sorted(known.items()):
        copy(text, folder / "system" / f"{package}.txt")
        lines.append(f"{package}, a library of the system it was built on: see system/{package}.txt")
    if platform.system() == "Linux" and shutil.which("dpkg") is None:
        lines += [
            f"{library}, a library of the system it was built on, with a licence of its own" for library in unknown
        ]
    else:
        without += unknown
    (folder / "README.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return without


def texts_of(part: Distribution) -> Iterator[Path]:
    """Yield the files with a licence of a package."""
    for file in part.files or ():
        if ".dist-info/" in file.as_posix() and LICENCE.search(file.as_posix()):
            yield Path(str(part.locate_file(file)))


def declared(part: Distribution) -> str:
    """Return what a package says of its licence."""
    classified = [text.rpartition(":: ")[2] for text in part.metadata.get_all("Classifier", []) if "License" in text]
    given = [(part.metadata.get_all(key) or [""])[0].strip() for key in ("License-Expression", "License")]
    own = [text for text in given if text and "\n" not in text]  # some put the whole text there
    return (own or [", ".join(classified)])[0] or "see its text"


def licence_of_python() -> Path:
    """Return the licence that came with this Python; exit if there is none."""
    for folder in (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)):
        if (folder / "LICENSE.txt").is_file():
            return folder / "LICENSE.txt"
    sys.exit("this Python has no LICENSE.txt: build with one that has it, such as that of python.org or setup-python")


def licences_of_libraries(frozen: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the licences of the libraries that were copied, by package of Debian or Ubuntu, and libraries without."""
    known: dict[str, Path] = {}
    unknown = []
    # Elsewhere than on Linux, Python brings what it needs, and its licence speaks of it.
    brought = set() if platform.system() == "Linux" else {file.name for file in Path(sys.base_prefix).rglob("*")}
    for library in sorted(file.name for file in (frozen / "_internal").iterdir() if LIBRARY.search(file.name)):
        found = [Path("/usr/share/doc", package, "copyright") for package in packages_with(library)]
        known |= {text.parent.name: text for text in found if text.is_file()}
        if not any(text.is_file() for text in found) and not OF_PYTHON.match(library) and library not in brought:
            unknown.append(library)
    return known, unknown


def packages_with(library: str) -> list[str]:
    """Return the packages of Debian or Ubuntu that have a library; none elsewhere."""
    if shutil.which("dpkg") is None:
        return []
    done = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=False)
    return sorted({line.partition(":")[0] for line in done.stdout.splitlines()})


def pack(frozen: Path, archive: Path) -> None:
    """Write the archive: names in order, and nothing of this machine in it."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or run(Path("git"), "-C", str(ROOT), "log", "-1", "--format=%ct"))

    def plain(item: tarfile.TarInfo) -> tarfile.TarInfo:
        item.uid = item.gid = 0
        item.uname = item.gname = ""
        item.mtime = epoch
        return item

    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for file in sorted(frozen.rglob("*")):
            tar.add(file, file.relative_to(frozen).as_posix(), recursive=False, filter=plain)


def copy(source: Path, target: Path) -> None:
    """Copy a file, and make its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def run(program: Path, *arguments: str) -> str:
    """Run a command and return its stdout; exit with all that it said if it fails."""
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program.name} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
