"""What the engine tests are made of: a project in its own folder, run by the real Pulumi CLI against the emulator."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.archive import plugin_folder
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin import names

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
URL = "https://example.com/mcp"
TOKENS = ("first-access-token", "second-access-token", "pt-emulator")
INTERRUPTED = re.compile(
    r"Traceback \(most recent call last\):.*?pulumi-language-python-exec.*?KeyboardInterrupt\s*$",
    re.DOTALL | re.MULTILINE,
)
OF_THIS_PROCESS = ("QODER_", "PULUMI_", "PYTEST_", "COVERAGE_")
WITH_EVENTS = {"preview", "up", "refresh", "destroy", "import"}


@dataclass(frozen=True)
class Run:
    """One run of the CLI.

    Attributes:
        stdout: everything that it printed there.
        stderr: likewise.
        errors: the type in the URN of each error, and its text, from the engine's events; the type is empty where the
            engine speaks of no resource.
    """

    code: int
    stdout: str
    stderr: str
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    @property
    def problems(self) -> list[str]:
        """Each line that one of our resources, or our provider, fails with.

        What an engine says of the whole run, under the stack or no resource, differs from version to version.
        """
        ours = [(type_, text) for type_, text in self.errors if "qoder" in type_]
        elsewhere = [text for item, text in self.errors if (item, text) not in ours]
        assert [] == [text for text in elsewhere if "Qoder" in text or "/vaults" in text], "said at another resource"
        # The engine's own line stands above the reasons of a partial create or update.
        return [line.removeprefix("* ") for _, text in ours for line in lines_of(text) if line != "1 error occurred:"]


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def assert_no_traceback(printed: str) -> None:
    """In all that was printed there is none, but for that of a program which the engine interrupted (CLI 3.274.1).

    The engine does so when a resource has failed. A traceback in which the provider occurs is never taken for that.
    """
    for found in INTERRUPTED.findall(printed):
        if not re.search(r"pulumi_qoder_vault|pulumi[/\\]dynamic", found):
            printed = printed.replace(found, "")
    assert [] == [word for word in ("Traceback", 'File "', "grpc") if word in printed], printed


def problem_of(run: Run) -> str:
    """The one line that the CLI prints for a failure in the provider; in all that it prints, no traceback or token."""
    assert_no_traceback(run.text)
    assert [] == [token for token in TOKENS if token in run.text]
    (problem,) = set(run.problems)
    assert problem in run.text
    return problem


def errors_in(events: Path) -> tuple[tuple[str, str], ...]:
    """Read the errors in a log of the engine's events; it has one for each line."""
    found = []
    for line in events.read_text().splitlines() if events.exists() else ():
        event = json.loads(line).get("diagnosticEvent", {})
        if event.get("severity") == "error":
            *_, types, _ = ["", "", *str(event.get("urn", "")).split("::")]
            found.append((types.rpartition("$")[2], event["message"].removeprefix("error: ")))
    return tuple(found)


class Stack:
    """A Pulumi project in a folder of its own, with a backend of its own."""

    def __init__(
        self, folder: Path, qoder: Emulator | None, project: Path = HERE / "program", front: str = "dynamic"
    ) -> None:
        self.folder = folder / "project"
        self.backend = folder / "backend"
        self.backend.mkdir(parents=True, exist_ok=True)
        shutil.copytree(project, self.folder)
        shutil.copy(HERE / "plugin_front.py", self.folder)
        self.front = front
        (self.folder / "venv").symlink_to(sys.prefix)
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QODER_", "PULUMI_", "PYTEST_", "COVERAGE_"))
        } | {
            "PATH": os.pathsep.join([str(plugin_folder()), f"{sys.prefix}/bin", os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": self.backend.as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "engine tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
            "FRONT": front,
        }
        if qoder is not None:
            self.point_at(qoder)
        self.run("stack", "init", "dev")

    def point_at(self, qoder: Emulator) -> None:
        self.env |= {"QODER_BASE_URL": qoder.base_url, "QODER_PAT": qoder.api_token}

    def write(self, **vaults: dict[str, Any]) -> None:
        """Make the program one of these vaults; see ``vault`` and ``credential``."""
        (self.folder / "vaults.json").write_text(json.dumps(vaults))

    def run(self, *arguments: str, fails: bool | None = False, **env: str) -> Run:
        """Run the CLI; ``fails`` is what must be, None for either."""
        command = ["pulumi", *arguments, "--non-interactive"]
        with tempfile.TemporaryDirectory() as folder:
            events = Path(folder, "events.json")
            if arguments[0] in WITH_EVENTS:
                command.append(f"--event-log={events}")
                env |= {
                    "PULUMI_DEBUG_COMMANDS": "true"
                }  # as Pulumi's Automation API does: without it there is no such flag
            done = subprocess.run(
                command, cwd=self.folder, env=self.env | env, capture_output=True, text=True, check=False, timeout=180
            )
            result = Run(done.returncode, done.stdout, done.stderr, errors_in(events))
        assert fails in (None, bool(result.code)), f"{' '.join(command)}: exit {result.code}\n{result.text}"
        return result

    def preview(self, *arguments: str, fails: bool | None = False, **env: str) -> Run:
        return self.run("preview", "--diff", *arguments, fails=fails, **env)

    def up(self, *arguments: str, fails: bool | None = False, **env: str) -> Run:
        return self.run("up", "--yes", "--skip-preview", *arguments, fails=fails, **env)

    def refresh(self, *arguments: str, fails: bool | None = False, **env: str) -> Run:
        return self.run("refresh", "--yes", "--skip-preview", *arguments, fails=fails, **env)

    def destroy(self, *arguments: str, fails: bool | None = False, **env: str) -> Run:
        return self.run("destroy", "--yes", "--skip-preview", *arguments, fails=fails, **env)

    def named(self, text: str) -> str:
        """Our own words with the names that this front shows."""
        return names.in_text(text) if self.front == "plugin" else text

    def outputs(self) -> Any:
        return json.loads(self.run("stack", "output", "--json").stdout)

    def resources(self) -> list[dict[str, Any]]:
        """The vaults in the state, secrets encrypted, with the names of the Python resource."""
        state = json.loads(self.run("stack", "export").stdout)
        resources = state["deployment"].get("resources") or []
        return [dict(names.from_schema(item)) for item in resources if item["type"] in FRONTS.values()]


def hidden(value: str) -> dict[str, str]:
    return {"base64": base64.b64encode(value.encode()).decode()}


def credential(url: str = URL, token: str = "first-access-token", **fields: Any) -> dict[str, Any]:
    return {"mcp_server_url": url, "access_token": hidden(token), **fields}


def vault(*credentials: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"display_name": "my-mcp-vault", "credentials": list(credentials), **fields}
