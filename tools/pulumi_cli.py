"""Have a Pulumi CLI, and print on stdout the directory that has to stand on PATH for it.

In this order: the `pulumi` on PATH; the one cached by an earlier run; Pulumi's own installer, through the SDK, which
needs get.pulumi.com; a build from the Go modules pinned beside this file. What is installed or built stays in
`$XDG_CACHE_HOME/pulumi-qoder-vault/pulumi` (`~/.cache` without it). All that a person reads goes to stderr.

Knows nothing of the provider. Standard library only; the SDK is used if the interpreter has it. For POSIX systems.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
CLI_MODULE = HERE / "pulumi-cli"
HOSTS_MODULE = HERE / "language-hosts"
INSTALL_PAGE = "https://www.pulumi.com/docs/install/"

# The oldest CLI that is taken from PATH: the one that the tests have run with, and that is built below.
OLDEST = (3, 259, 0)

# What the language hosts start, relative to the module directory of the SDK that belongs to the CLI.
SCRIPTS = (
    "python/cmd/pulumi-language-python-exec",
    "python/dist/pulumi-resource-pulumi-python",
    "nodejs/dist/pulumi-resource-pulumi-nodejs",
)

ALIVE_EVERY_S = 15
ANSWER_WITHIN_S = 30
CONNECT_WITHIN_S = 10
INSTALL_WITHIN_S = 300

# Runs in a process of its own: it starts a downloaded script, writes to stdout and knows no time limit.
INSTALLER = f"""
import socket, sys
socket.setdefaulttimeout({CONNECT_WITHIN_S})
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


class Unavailable(Exception):
    """One way to a CLI is closed; the message says why, in one line."""


@dataclass(frozen=True)
class Pins:
    """What the committed Go modules fix.

    Attributes:
        cli: version of the CLI, without `v`; the installer is asked for the same one.
        hosts: version of the language hosts, without `v`.
        go: oldest Go that can build both.
        key: name of the cache entry; it differs when anything in go.mod or go.sum does.
    """

    cli: str
    hosts: str
    go: str
    key: str


def main() -> int:
    """Print the directory of a CLI; 1 where none can be had."""
    # A terminated run cleans up and stops its `go`, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        print(on_path() or cached_or_made(read_pins(), cache_directory()))
    except Unavailable as reason:
        say(str(reason))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def on_path() -> Path | None:
    """Directory of the `pulumi` on PATH, if there is one that works and is not too old."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    try:
        version = version_of(Path(found))
    except Unavailable as reason:
        say(f"the one on PATH is passed over: {reason}")
        return None
    say(f"{version} on PATH, {found}")
    return Path(found).absolute().parent


def cached_or_made(pins: Pins, cache: Path) -> Path:
    """Directory of the cached CLI; installs or builds it first if there is none. Writes to the cache only."""
    entry = cache / pins.key
    if not is_whole(entry):
        cache.mkdir(parents=True, exist_ok=True)
        with only_one(cache / "lock"):
            if not is_whole(entry):
                make(pins, entry)
    say(f"{pins.cli} cached, {entry / 'bin'}")
    return entry / "bin"


def make(pins: Pins, entry: Path) -> None:
    """Install or build into a directory beside `entry`, which gets its name when it is whole. Call under the lock."""
    for abandoned in entry.parent.glob(".making-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=entry.parent, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch, "entry")
        try:
            install(pins, made)
        except Unavailable as closed:
            shutil.rmtree(made, ignore_errors=True)
            build(pins, made, Path(scratch, "log"), because=str(closed))
        version_of(made / "bin" / "pulumi")
        shutil.rmtree(entry, ignore_errors=True)
        made.rename(entry)


def install(pins: Pins, made: Path) -> None:
    """Let Pulumi's own installer fill `made`."""
    if importlib.util.find_spec("pulumi") is None:
        raise Unavailable("this Python has no Pulumi SDK, which brings the installer")
    log = made.with_name("installer.log")
    command = [sys.executable, "-c", INSTALLER, str(made), pins.cli]
    status = run(command, log, doing=f"installing Pulumi {pins.cli}", within_s=INSTALL_WITHIN_S)
    if status != 0:
        raise Unavailable(f"Pulumi's installer fails here ({last_line(log.read_bytes())})")


def build(pins: Pins, made: Path, log: Path, *, because: str) -> None:
    """Build the CLI and the language hosts into `made`. Minutes when Go's cache is cold."""
    if shutil.which("go") is None:
        raise Unavailable(f"none to be had: {because}, and there is no Go. Install Pulumi: {INSTALL_PAGE}")
    say(f"{because}; building {pins.cli} with Go instead, some minutes the first time")
    destination = made / "bin"
    destination.mkdir(parents=True)
    for module, version in ((HOSTS_MODULE, pins.hosts), (CLI_MODULE, pins.cli)):
        flags = f"-w -s -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}"
        command = ["go", "install", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", flags, "tool"]
        environment = {"GOBIN": str(destination), "GOWORK": "off"}
        status = run(command, log, doing=f"building {module.name} {version}", directory=module, more=environment)
        if status != 0:
            raise Unavailable(
                f"go cannot build {module.name}: {last_line(log.read_bytes())}. Go {pins.go} or newer and its module "
                f"proxy are needed, or install Pulumi: {INSTALL_PAGE}"
            )
    sdk = sdk_directory()
    for script in SCRIPTS:
        copied = destination / Path(script).name
        shutil.copyfile(sdk / script, copied)
        copied.chmod(0o755)


def sdk_directory() -> Path:
    """Where Go keeps the SDK module that belongs to the CLI; raises where Go does not say."""
    command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"]
    environment = {**os.environ, "GOWORK": "off"}
    listed = subprocess.run(command, cwd=CLI_MODULE, env=environment, capture_output=True, check=False)
    directory = os.fsdecode(listed.stdout.strip())
    if listed.returncode != 0 or not directory:  # of a module that it has not downloaded, Go names no directory
        raise Unavailable(f"go does not find the SDK of the CLI: {last_line(listed.stderr)}")
    return Path(directory)


def version_of(pulumi: Path) -> str:
    """Version that a `pulumi` reports of itself; raises where it does not answer or is older than OLDEST."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [str(pulumi), "version"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        raise Unavailable(f"`{pulumi} version` fails") from None
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    if match is None or tuple(map(int, match.groups())) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise Unavailable(f"{pulumi} says {answer!r}, and {needed} or newer is needed")
    return answer.removeprefix("v")


def read_pins() -> Pins:
    """Read the versions that the committed Go modules fix."""
    digest = hashlib.sha256()
    for module in (CLI_MODULE, HOSTS_MODULE):
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    cli = pinned(CLI_MODULE, r"github\.com/pulumi/pulumi/pkg/v3 v")
    return Pins(
        cli=cli,
        hosts=pinned(HOSTS_MODULE, r"github\.com/pulumi/pulumi/sdk/v3 v"),
        go=pinned(CLI_MODULE, r"^go "),
        key=f"{cli}-{digest.hexdigest()[:12]}",
    )


def pinned(module: Path, before: str) -> str:
    """Return the version that follows `before` in a go.mod."""
    match = re.search(before + r"([\d.]+)", (module / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise Unavailable(f"{module.name}/go.mod pins no version after {before!r}")
    return match[1]


def cache_directory() -> Path:
    """Where CLIs are kept, outside the checkout."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "pulumi-qoder-vault", "pulumi")


def is_whole(entry: Path) -> bool:
    """Tell whether the entry holds a CLI; it got its name only after it was whole."""
    return os.access(entry / "bin" / "pulumi", os.X_OK)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold the lock; wait while another run holds it. The system releases it when a run dies."""
    with lock.open("w") as file:
        started = said = time.monotonic()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                said = say_alive("waiting for another run that makes a CLI", started, said)
                time.sleep(0.2)
        yield


def run(
    command: Sequence[str],
    log: Path,
    *,
    doing: str,
    directory: Path | None = None,
    more: Mapping[str, str] | None = None,
    within_s: float = float("inf"),
) -> int:
    """Run a command with its output in `log`, saying every now and then that it lives; return its exit status.

    It and all that it started are stopped when `within_s` has passed or this run ends early.
    """
    environment = {**os.environ, **(more or {})}
    started = said = time.monotonic()
    # A signal between the start of the process and the `try` would leave it running.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                while (status := process.poll()) is None:
                    if time.monotonic() - started > within_s:
                        output.write(f"\nnot done after {within_s:.0f} s\n".encode())
                        return 1
                    said = say_alive(doing, started, said)
                    time.sleep(0.2)
                return status
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def say_alive(doing: str, started: float, said: float) -> float:
    """Say what is going on if nothing was said for a while; return when something was said last."""
    now = time.monotonic()
    if now - said < ALIVE_EVERY_S:
        return said
    say(f"{doing}, {now - started:.0f} s")
    return now


def say(line: str) -> None:
    """Write one line for a person."""
    print(f"Pulumi CLI: {line}", file=sys.stderr, flush=True)


def last_line(written: bytes) -> str:
    """Return the last line that says anything: the reason, in what Go and Python write."""
    lines = [line.strip() for line in written.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


if __name__ == "__main__":
    sys.exit(main())
