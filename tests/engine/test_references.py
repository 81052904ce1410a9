"""Secrets by reference: Pulumi never has them, and a rotation, or none, is seen all the same."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from engine.stacks import URL, Run, Stack, vault
from engine.test_main_job import asked
from engine.test_secrets import API_TOKEN, EXCHANGE, SERVICE_ACCOUNT_KEY, SERVICE_TOKEN, leaks
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName

BY_FILE, BY_VARIABLE, BY_COMMAND = (f"https://{way}.example/mcp" for way in ("file", "variable", "command"))
VARIABLE = "DOCS_ACCESS_TOKEN"


@pytest.fixture
def qoder(revision: RevisionName) -> Iterator[Emulator]:
    """One with room for two credentials of one URL: a rotation on 2026-05 is two requests."""
    with Emulator(revision, api_token=API_TOKEN) as emulator:
        yield emulator


def by(url: str = URL, **reference: Any) -> dict[str, Any]:
    """A credential with its access token by reference."""
    trigger = {"rotation_trigger": reference.pop("trigger")} if "trigger" in reference else {}
    return {"mcp_server_url": url, "access_token_from": reference, **trigger}


class Processes:
    """The arguments of every process that runs on this machine meanwhile."""

    def __init__(self) -> None:
        self.arguments: set[bytes] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._is_over.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.arguments.add(file.read_bytes())
                except OSError:
                    continue  # it has ended

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()


class Canaries:
    """Access tokens in a variable, in files and behind a command; everything that Pulumi writes meanwhile."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.values: list[str] = []
        self.runs: list[Run] = []
        self._folder = folder / "tokens"
        self._folder.mkdir()
        self._records = folder / "records"
        self._records.mkdir()
        self.file, self._behind = self._folder / "file", self._folder / "command"
        self.command = ["sh", "-c", f"echo ran >> {self._folder}/ran; cat {self._behind}"]

    @property
    def all(self) -> list[str]:
        """With the key of the service account that asks, and how what it is exchanged for begins."""
        return [*self.values, SERVICE_ACCOUNT_KEY, SERVICE_TOKEN]

    def _new(self) -> str:
        self.values.append(f'canary/of+a-reference="{len(self.values)}-7f3a"&<>\\')
        return self.values[-1]

    def set_file(self) -> None:
        self.file.write_text(self._new() + "\n")

    def set_variable(self) -> None:
        self.stack.env[VARIABLE] = self._new()

    def set_command(self) -> None:
        self._behind.write_text(self._new() + "\n")

    def ran(self) -> int:
        """How often the command has run since the last time."""
        record = self._folder / "ran"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return len(lines)

    def run(self, *arguments: str, fails: bool = False, **env: str) -> Run:
        """Run a command that writes down all that it can: the whole log, each gRPC call, and the trace."""
        record = self._records / str(len(self.runs))
        written = ("-v=9", "--logtostderr", "--logflow", f"--tracing=file:{record}.trace")
        done = self.stack.run(*arguments, *written, fails=None, PULUMI_DEBUG_GRPC=f"{record}.grpc", **env)
        self.runs.append(done)
        said = [line for line in done.text.splitlines() if '"level":' not in line and "log.go" not in line]
        assert fails == bool(done.code), f"{arguments}: exit {done.code}\n" + "\n".join(said)
        return done

    def up(self, *arguments: str, fails: bool = False, **env: str) -> Run:
        return self.run("up", "--yes", "--skip-preview", *arguments, fails=fails, **env)

    def found(self, *folders: Path) -> list[str]:
        """Where a canary stands: in what was printed, or in a file of these folders, the records too."""
        printed = [found for run in self.runs for found in leaks(run.text.encode(), self.all)]
        files = [
            path
            for folder in (*folders, self._records)
            for path in folder.rglob("*")
            if path.is_file() and "venv" not in path.relative_to(folder).parts
        ]
        assert {".grpc", ".trace", ".json"} <= {path.suffix for path in files}
        assert any(path.suffix == ".grpc" and VARIABLE.encode() in path.read_bytes() for path in files)
        return printed + [f"{path}: {found}" for path in files for found in leaks(path.read_bytes(), self.all)]


def rotated(text: str) -> list[str]:
    """The URLs that a preview shows under `rotations`, with both counts."""
    found = re.findall(r"^    .*~ (https://\S+) *: (\d+ => \d+)", text.partition("--outputs:--")[0], re.MULTILINE)
    return [": ".join(parts) for parts in found]


def held(qoder: Emulator, name: str) -> dict[str, str]:
    """The access tokens that a vault holds, by URL."""
    (vault,) = [vault for vault in qoder.vaults if vault.display_name == name]
    return {str(item.mcp_server_url): str(item.access_token) for item in vault.credentials}


def rotations(revision: RevisionName, count: int) -> list[str]:
    """What an update of one vault sends for so many rotations."""
    at = "/vaults/{id}/credentials"
    each = (f"POST {at}", f"DELETE {at}/{{cid}}") if revision == "2026-05" else (f"POST {at}/{{cid}}",)
    return sorted([f"GET {at}", *each * count])


def test_pulumi_never_has_a_secret_by_reference(stack: Stack, qoder: Emulator, tmp_path: Path) -> None:
    """Not even where Pulumi writes down all that it has. Each is read once for a command, and each rotation is seen.

    A file, a variable and a trigger that change are one rotation each, which the preview names, and nothing else. The
    service account that asks leaves nothing either.
    """
    canaries, plan = Canaries(stack, tmp_path), tmp_path / "records" / "plan.json"
    del stack.env["QODER_PAT"]
    stack.env["QODER_SA_KEY"] = qoder.add_service_account_key(SERVICE_ACCOUNT_KEY)
    canaries.set_file()
    canaries.set_variable()
    canaries.set_command()

    def write(*, trigger: str = "1", name: str = "tools") -> None:
        credentials = [
            by(BY_FILE, file=str(canaries.file)),
            by(BY_VARIABLE, env=VARIABLE),
            by(BY_COMMAND, command=canaries.command, trigger=trigger),
        ]
        more = {"in_vault": "v", "mcp_server_url": URL, "access_token_from": {"command": canaries.command}}
        stack.write(
            v=vault(*credentials, display_name=name), w=vault(by(command=canaries.command), display_name="w"), c=more
        )

    with Processes() as processes:
        write()
        canaries.run("preview", "--diff")
        assert ([], 1) == (qoder.requests, canaries.ran()), "three resources name the command"
        qoder.fail_next("POST", "/vaults", Fault.ECHO)
        canaries.up(fails=True)
        canaries.up()
        values = dict(zip((BY_FILE, BY_VARIABLE, BY_COMMAND), canaries.values, strict=True))
        assert values | {URL: values[BY_COMMAND]} == held(qoder, "tools")
        canaries.ran()
        qoder.clear_requests()

        canaries.up("--expect-no-changes")
        assert ([], 1) == (qoder.requests, canaries.ran())

        canaries.set_file()
        canaries.set_variable()
        write(trigger="2")
        preview = canaries.run("preview", "--diff", f"--save-plan={plan}")
        assert [f"{url}: 0 => 1" for url in sorted(values)] == sorted(rotated(preview.stdout))
        assert "~ 1 to update" in preview.stdout
        qoder.fail_next("POST", "/vaults/*/credentials**", Fault.ECHO)
        canaries.up(fails=True)
        qoder.clear_requests()
        canaries.up(f"--plan={plan}", PULUMI_EXPERIMENTAL="true")
        assert rotations(qoder.revision, 3) == sorted(line for line in asked(qoder) if EXCHANGE not in line)
        now = {BY_FILE: canaries.values[3], BY_VARIABLE: canaries.values[4], BY_COMMAND: canaries.values[2]}
        assert now | {URL: values[BY_COMMAND]} == held(qoder, "tools")

        canaries.set_file()
        write(trigger="2", name="others")
        canaries.up()
        canaries.ran()
        canaries.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        if stack.front == "plugin":
            theirs = qoder.add_vault("theirs")
            qoder.add_credential(theirs.id, URL, canaries.values[0])
            unattended = ("--yes", "--generate-code=false", "--protect=false")
            canaries.run("import", "qoder:index:Vault", "theirs", theirs.id, *unattended)
        canaries.run("stack", "history", "--show-secrets", "--full-dates")
        canaries.run("stack", "output", "--json", "--show-secrets")
        (tmp_path / "records" / "export.json").write_text(canaries.run("stack", "export", "--show-secrets").stdout)
        qoder.fail_next("DELETE", "/vaults/*", Fault.ECHO)
        canaries.run("destroy", "--yes", "--skip-preview", fails=True)
        canaries.run("destroy", "--yes", "--skip-preview")
        assert 0 == canaries.ran(), "only a program has its secrets read"

    assert ([], []) == (qoder.vaults, qoder.pending_faults)
    assert [] == canaries.found(stack.backend, stack.folder, tmp_path / "home")
    assert [] == [found for line in processes.arguments for found in leaks(line, canaries.all)]
    assert any(b"--tracing=file:" in line for line in processes.arguments), "what ran was seen"


@pytest.mark.parametrize("world", ["2026-05 dynamic", "2026-05 plugin"])
def test_what_was_checked_is_what_is_sent_and_recorded(stack: Stack, qoder: Emulator) -> None:
    """A file that changes after its check is a rotation of the next run. Paths are relative to the folder of `main`."""
    main = stack.folder / "infra"
    main.mkdir()
    for name in ("__main__.py", "plugin_front.py"):
        (stack.folder / name).rename(main / name)
    (main / "venv").symlink_to(stack.folder / "venv")  # older hosts look for it here
    with (stack.folder / "Pulumi.yaml").open("a") as project:
        project.write("main: infra\n")
    (stack.folder / "token").write_text("the-wrong-folder")
    for name, token in {"token": "first-access-token", "next": "second-access-token", "other": "access-token"}.items():
        (main / name).write_text(f"{token}\n")

    both = [by(file="token"), by(BY_COMMAND, command=["sh", "-c", "cp next token; cat other"])]
    stack.write(v=vault(*both, display_name="v"), w=vault(by(file="token"), display_name="w"))
    (stack.folder / "vaults.json").rename(main / "vaults.json")
    stack.up()
    assert "second-access-token\n" == (main / "token").read_text()
    assert ["first-access-token"] * 2 == [held(qoder, name)[URL] for name in "vw"]

    assert [f"{URL}: 0 => 1"] * 2 == rotated(stack.preview().stdout)
    for name in ("token", "next"):
        (main / name).write_text("first-access-token\n")
    stack.up("--expect-no-changes")


@pytest.mark.parametrize("world", ["2026-07 dynamic", "2026-07 plugin"])
def test_a_job_without_the_secrets_previews_what_it_cannot_send(stack: Stack, qoder: Emulator, tmp_path: Path) -> None:
    """With `when-sent` a preview reads nothing and shows no change. An `up` without one sends nothing of its vault."""
    canaries = Canaries(stack, tmp_path)
    canaries.set_file()
    canaries.set_variable()
    canaries.set_command()
    others = by(BY_FILE, file=str(canaries.file))

    def write(trigger: str, **vaults: Any) -> None:
        more = {"trigger": trigger}
        credentials = [by(BY_VARIABLE, env=VARIABLE, **more), by(BY_COMMAND, command=canaries.command, **more), others]
        stack.write(v=vault(*credentials), **vaults)

    write("1")
    stack.up()
    before = held(qoder, "my-mcp-vault")
    variable = stack.env.pop(VARIABLE)
    canaries.file.unlink()
    canaries.ran()
    qoder.clear_requests()
    stack.env["QODER_READ_REFERENCES"] = "when-sent"
    stack.preview("--expect-no-changes")
    assert ([], 0) == (qoder.requests, canaries.ran())

    write("2", w=vault(by(env=VARIABLE), display_name="w"))
    stack.preview()
    assert 0 == canaries.ran()
    refused = stack.up("--continue-on-error", fails=True)
    line = f"credentials[0].access_token_from: environment variable '{VARIABLE}' is not set where pulumi runs"
    assert [stack.named(line)] * 2 == refused.problems
    assert ([], before) == (qoder.writes, held(qoder, "my-mcp-vault"))

    stack.env[VARIABLE] = variable
    canaries.ran()
    canaries.set_command()
    qoder.clear_requests()
    stack.up("--target=**v")
    assert (2, 1) == (len(qoder.writes), canaries.ran())
    assert before | {BY_COMMAND: canaries.values[-1]} == held(qoder, "my-mcp-vault")
    assert {BY_VARIABLE: 1, BY_COMMAND: 1, BY_FILE: 0} == stack.outputs()["v.rotations"]


SAID = "canary-of-a-command"
FILES = {"empty": "\n", "large": "x" * 10_000_000, "said": SAID, "two": f"{SAID}\n{SAID}"}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no variable": ({"env": "NOT_SET"}, "environment variable 'NOT_SET' is not set where pulumi runs"),
    "empty variable": ({"env": "EMPTY"}, "environment variable 'EMPTY' is empty"),
    "no file": ({"file": "absent"}, "file 'absent' does not exist"),
    "folder": ({"file": "venv"}, "file 'venv' is not a regular file"),
    "empty file": ({"file": "empty"}, "file 'empty' is empty"),
    "binary": ({"file": "binary"}, "file 'binary' holds what is not UTF-8 text"),
    "10 MB": ({"file": "large"}, "file 'large' holds more than 64 KiB"),
    "no command": ({"command": ["not-there"]}, "command 'not-there' was not found"),
    "failing": ({"command": ["sh", "-c", "cat said >&2; exit 3"]}, "command 'sh' ended with exit status 3"),
    "silent": ({"command": ["true"]}, "command 'true' printed nothing"),
    "two lines": (
        {"command": ["cat", "two"]},
        "command 'cat': its value contains a control character, such as a line break; remove it",
    ),
    "two ways": ({"env": "A", "file": "b"}, "must have exactly one of env, file, command; it has 2"),
}


@pytest.mark.parametrize("world", ["2026-07 dynamic", "2026-07 plugin"])
def test_a_bad_reference_is_one_line_at_the_preview(stack: Stack, qoder: Emulator) -> None:
    """It names the reference, and shows nothing of what was read or said there."""
    for name, text in FILES.items():
        (stack.folder / name).write_text(text)
    (stack.folder / "binary").write_bytes(b"\xff\xfe\x00")
    stack.write(v=vault(*(by(f"{URL}/{index}", **bad) for index, (bad, _) in enumerate(BAD.values()))))

    preview = stack.preview(fails=True, EMPTY="")

    expected = [f"credentials[{index}].access_token_from: {line}" for index, (_, line) in enumerate(BAD.values())]
    shown = [line.partition("resource 'v' has a problem: ")[2] for line in preview.problems]
    assert [stack.named(line) for line in expected] == shown
    assert [] == leaks(preview.text.encode(), [SAID])
    assert [] == qoder.requests
