"""What the engine tests are made of: a project in its own folder, run by the real Pulumi CLI against the emulator."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from one_process import FRONTS

from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin import names

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
URL = "https://example.com/mcp"


@dataclass(frozen=True)
class Run:
    """One run of the CLI: its exit code, and everything that it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


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
            name: value for name, value in os.environ.items() if not name.startswith(("QODER_", "PULUMI_", "PYTEST_"))
        } | {
            "PATH": os.pathsep.join([f"{sys.prefix}/bin", os.environ["PATH"]]),
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
        done = subprocess.run(
            command, cwd=self.folder, env=self.env | env, capture_output=True, text=True, check=False, timeout=180
        )
        result = Run(done.returncode, done.stdout, done.stderr)
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
        return [names.from_schema(item) for item in resources if item["type"] in FRONTS.values()]


def hidden(value: str) -> dict[str, str]:
    return {"base64": base64.b64encode(value.encode()).decode()}


def credential(url: str = URL, token: str = "first-access-token", **fields: Any) -> dict[str, Any]:
    return {"mcp_server_url": url, "access_token": hidden(token), **fields}


def vault(*credentials: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"display_name": "my-mcp-vault", "credentials": list(credentials), **fields}
