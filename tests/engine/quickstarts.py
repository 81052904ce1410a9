"""Follow the quick starts as a stranger does, and print how many commands and seconds each takes; `make quickstarts`.

Each is typed word for word, as README and the examples show it, into one shell, in an empty folder beside a fresh
clone. The home directory is new: nothing is cached, neither packages nor builds. `pulumi` is the one on PATH; it keeps
its state in a folder. To `pulumi up` the `--yes` is given that a person answers, and an access token is typed when it
is asked for. Everything happens in a temporary directory.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from documents import REPOSITORY, commands
from engine.stacks import OF_THIS_PROCESS

PAGE = REPOSITORY / "docs" / "evidence" / "quickstarts.md"
PORT = 8787
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
ADD = "pulumi package add ./qoder.json"
# Where it is followed, and what the generator of the clone calls the language; that replaces ADD with a built CLI.
QUICKSTARTS = {
    "Python": ("README.md", ""),
    "YAML": ("examples/quickstart-yaml/README.md", ""),
    "TypeScript": ("examples/quickstart-typescript/README.md", "nodejs"),
    "Go": ("examples/quickstart-go/README.md", "go"),
}
TEXT = """\
# Quick starts

How many commands and seconds lie between an empty folder and a deployed vault on the emulator. `make quickstarts`
writes this page: it types the commands of the documents, and `--yes` and an access token where a person is asked. The
home directory is empty: nothing is cached, and the seconds include all downloads. Before the first command there are a
clone of the repository and a Pulumi CLI that is logged in.

| language | document | commands | seconds | of these, the slowest command |
|---|---|---|---|---|
{rows}

{measured}{substitute}
"""
SUBSTITUTE = f"""

The CLI was one that `make demo` builds. It cannot generate an SDK: in place of `{ADD}` stood
[the generator of the clone](../troubleshooting.md#unknown-method-generatepackage), built beforehand, as the CLI was."""


@dataclass(frozen=True)
class Typed:
    """A command that was typed, and how long it took."""

    command: str
    seconds: float


def shown(document: Path) -> list[str]:
    """The commands from the empty folder to the deployed vault."""
    lines = commands(document)
    first = next(number for number, line in enumerate(lines) if line.startswith("cp -R ../pulumi-qoder-vault/"))
    last = next(number for number, line in enumerate(lines) if number > first and line.endswith("pulumi up"))
    return lines[first : last + 1]


def typed(command: str, language: str) -> str:
    """The line for the shell: with what a person answers."""
    if command.startswith("pulumi config set --secret"):
        command += " <<< an-access-token-of-a-stranger"
    if command == ADD:
        generate = f"python ../pulumi-qoder-vault/tools/generate_sdk.py {language} sdks/qoder"
        cached = f"XDG_CACHE_HOME={shlex.quote(str(CACHE))} {generate}"
        command += f" || {{ echo substitute >&3; begin=$EPOCHREALTIME; {cached}; }}"
    return re.sub(r"pulumi up$", "pulumi up --yes", command)


def script(lines: list[str], language: str) -> str:
    """Each line, and when it began and ended on descriptor 3; the first that fails ends the shell."""
    parts = [f"begin=$EPOCHREALTIME\n{typed(line, language)}\n" for line in lines]
    ended = 'status=$?; echo "$status $begin $EPOCHREALTIME" >&3; [ $status = 0 ] || exit $status\n'
    return ended.join([*parts, "pulumi stack output vault_id >&3\n"])


@contextlib.contextmanager
def shell(text: str, folder: Path, times: Path, log: Path, env: dict[str, str]) -> Iterator[int]:
    """Run it in a bash of its own; at the end the emulator that it started is stopped."""
    with times.open("w") as third, log.open("w") as out:
        command = ["bash", "-c", f"exec 3>&{third.fileno()}\n{text}"]
        bash = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[third.fileno()],
            start_new_session=True,
        )
        try:
            yield bash.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGTERM)
            bash.wait()


def follow(name: str, base: Path) -> tuple[list[Typed], bool]:
    """Give what was typed, and whether the generator of the clone was needed; leave where a command fails."""
    document, language = QUICKSTARTS[name]
    for part in ("home", "mine"):
        (base / part).mkdir(parents=True)
    if language:  # the generator is built, and stays where the CLI does, before the clock starts
        generate = [sys.executable, str(REPOSITORY / "tools" / "generate_sdk.py"), language, str(base / "unused")]
        subprocess.run(generate, check=False)
    clone = base / "pulumi-qoder-vault"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    lines = shown(clone / document)
    env = {key: value for key, value in os.environ.items() if not key.startswith((*OF_THIS_PROCESS, "XDG_"))}
    env |= {
        "HOME": str(base / "home"),
        "PATH": os.pathsep.join(part for part in os.get_exec_path() if Path(part) != Path(sys.prefix, "bin")),
        "PULUMI_BACKEND_URL": base.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "a stranger's",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "NO_COLOR": "1",
    }
    with shell(script(lines, language), base / "mine", base / "times", base / "log", env) as status:
        times = (base / "times").read_text().splitlines()
    if status:
        raise SystemExit(f"{(base / 'log').read_text()}\n{name}: a command failed: {lines[len(times) - 1]}")
    assert times[-1].startswith("vault_")
    seconds = [float(line.split()[2]) - float(line.split()[1]) for line in times[:-1] if line != "substitute"]
    return [Typed(*pair) for pair in zip(lines, seconds, strict=True)], "substitute" in times


def row(name: str, done: list[Typed]) -> str:
    document = QUICKSTARTS[name][0]
    slowest = max(done, key=lambda one: one.seconds)
    total = sum(one.seconds for one in done)
    link = f"[{document}]({os.path.relpath(REPOSITORY / document, PAGE.parent)})"
    return f"| {name} | {link} | {len(done)} | {total:.0f} | `{slowest.command}`: {slowest.seconds:.0f} |"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the shell and the emulator end with it
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            print(f"Something listens on port {PORT}, which the quick starts give to the emulator.", file=sys.stderr)
            return 1
    rows, substituted, load_before = [], False, os.getloadavg()[1]
    for name in sys.argv[1:] or QUICKSTARTS:
        with tempfile.TemporaryDirectory(prefix="qoder-vault-quickstart-", ignore_cleanup_errors=True) as folder:
            done, without_add = follow(name, Path(folder))
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)  # Go's modules are read-only
        substituted |= without_add
        rows.append(row(name, done))
        print(f"{name}: {len(done)} commands, {sum(one.seconds for one in done):.0f} s", flush=True)
        for one in done:
            print(f"  {one.seconds:6.1f} s  {one.command}", flush=True)
    if not sys.argv[1:]:
        version = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout.strip()
        measured = (
            f"Measured on {time.strftime('%Y-%m-%d')}, on {platform.system()} with {os.cpu_count()} cores, Python "
            f"{platform.python_version()} and Pulumi {version}.\nThe load average was {load_before:.0f} at the start, "
            f"and {os.getloadavg()[1]:.0f} at the end."
        )
        text = TEXT.format(rows="\n".join(rows), measured=measured, substitute=SUBSTITUTE if substituted else "")
        PAGE.write_text(text)
        print(f"Written: {shlex.quote(str(PAGE))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
