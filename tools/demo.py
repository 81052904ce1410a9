"""Run the main job for a person to watch: the examples, with the real Pulumi CLI, against the emulator.

Everything happens in a temporary directory: projects, state, the CLI's own home. It is removed at the end, whatever
the end is. `make demo` runs this with a `pulumi` on PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pulumi_qoder_vault.emulator import Emulator

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PROJECTS = ("quickstart", "consumer")
URL = "https://example.com/mcp"
FIRST, SECOND = "first-access-token-of-the-demo", "second-access-token-of-the-demo"
STOPS_WITHIN_S = 10


class Unexpected(Exception):
    """The demo did not go as it must; the message says what should be so."""


@dataclass
class Demo:
    """One run: a folder with the projects and their state, and the Qoder that they talk to."""

    folder: Path
    qoder: Emulator
    steps: int = 0
    shown: int = 0

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir()
        for project in PROJECTS:
            of_the_user = shutil.ignore_patterns("venv", "__pycache__", "Pulumi.*.yaml")
            shutil.copytree(EXAMPLES / project, self.folder / project, ignore=of_the_user)
            (self.folder / project / "venv").symlink_to(sys.prefix)  # instead of `pulumi install`

    def step(self, title: str) -> None:
        """Print a heading."""
        self.steps += 1
        print(f"\n== {self.steps}. {title}", flush=True)

    def run(self, command: str, *, project: str = "quickstart", given: str = "", with_api_token: bool = True) -> str:
        """Run a command as a person would type it. Print, and give back, what it prints; print what Qoder saw."""
        print(f"\n{project}$ {command}", flush=True)
        printed = []
        with subprocess.Popen(
            command.split(),
            cwd=self.folder / project,
            env=self.environment(with_api_token=with_api_token),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the command
        ) as process:
            try:
                for line in lines_of(process, given):
                    printed.append(line)
                    if line.strip() and not line.startswith("@ "):  # the dots of a progress display
                        print(f"    {line.rstrip()}", flush=True)
            except BaseException:
                stop(process)
                raise
        requests = self.qoder.requests
        for request in requests[self.shown :]:
            print(f"  Qoder saw: {request.method} {request.path} -> {request.status}")
        if len(requests) == self.shown:
            print("  Qoder saw: nothing")
        self.shown = len(requests)
        must(process.returncode == 0, f"`{command}` succeeds (it ended with {process.returncode})")
        return "".join(printed)

    def environment(self, *, with_api_token: bool) -> dict[str, str]:
        """Return the environment of a command: this folder, this emulator, nothing of the user's Pulumi or Qoder."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "QODER_"))}
        own |= {
            "PATH": os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]]),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of the demo",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "QODER_BASE_URL": self.qoder.base_url,
        }
        return own | ({"QODER_PAT": self.qoder.api_token} if with_api_token else {})


def lines_of(process: subprocess.Popen[bytes], given: str) -> Iterator[str]:
    """Hand a command its standard input; yield the lines that it prints."""
    if process.stdin and process.stdout:
        process.stdin.write(given.encode())
        process.stdin.close()
        for line in process.stdout:
            yield line.decode()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a command, so that it stops its own plugins; kill it if it does not listen."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def must(holds: object, what: str) -> None:
    """Stop the demo if something is not as it must be."""
    if not holds:
        raise Unexpected(what)


def main_job(demo: Demo) -> None:
    """Run every step, and hold each one to what it must do."""
    qoder, run, step = demo.qoder, demo.run, demo.step
    step("Preview: Qoder is not asked, and no API token is set")
    run("pulumi stack init dev")
    run("pulumi config set --secret githubToken", given=FIRST)
    run("pulumi preview --diff", with_api_token=False)
    must(not qoder.requests, "a preview sends no request")

    step("Deploy, and read the outputs")
    run("pulumi up --yes --skip-preview")
    (vault,) = qoder.vaults
    must(vault.id in run("pulumi stack output"), "the outputs name the vault")

    step("Another stack reads the ids, as a session or a deployment takes them")
    run("pulumi stack init dev", project="consumer")
    run("pulumi config set quickstart-stack organization/qoder-quickstart/dev", project="consumer")
    must(vault.id in run("pulumi up --yes --skip-preview", project="consumer"), "the consumer reads the vault's id")

    step("Nothing changed: the next preview is empty")
    run("pulumi preview --expect-no-changes")

    step("Another access token: the preview names its URL, and the vault keeps its id")
    run("pulumi config set --secret githubToken", given=SECOND)
    preview = run("pulumi preview --diff")
    must(f"~ {URL}: 0 => 1" in preview, "the preview names the URL")
    must(FIRST not in preview and SECOND not in preview, "the preview shows no access token")
    run("pulumi up --yes --skip-preview")
    must([vault.id] == [item.id for item in qoder.vaults], "the vault is the same")
    must(qoder.vaults[0].credentials[0].access_token == SECOND, "Qoder holds the new access token")
    print(f"\n  It is still {vault.id}, and it holds the new access token. The new credential came before the")
    print("  old one went: the URL was never without one.")

    step("Refresh: nobody else has touched the vault")
    run("pulumi refresh --yes --skip-preview --expect-no-changes")

    step("Destroy: nobody else has a credential in the vault, so that nothing is left")
    run("pulumi destroy --yes --skip-preview", project="consumer")
    run("pulumi destroy --yes --skip-preview")
    must(not qoder.vaults, "no vault is left at Qoder")


def main() -> int:
    """Run the demo; 1 if it does not go as it must."""
    if shutil.which("pulumi") is None:
        print("There is no pulumi on PATH; `make demo` finds or makes one.", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="qoder-vault-demo-") as folder, Emulator() as qoder:
            demo = Demo(Path(folder), qoder)
            main_job(demo)
    except Unexpected as difference:
        print(f"\nThe demo failed, since this is not so: {difference}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left.", file=sys.stderr)
        return 128 + signal.SIGINT
    took_s = time.monotonic() - started
    print(f"\nDone in {took_s:.0f} s: {demo.steps} steps, {demo.shown} requests, one vault from first to last.")
    print("Nothing is left behind.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
