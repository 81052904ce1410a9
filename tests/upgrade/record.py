"""Record the states that this version writes, for the tests of every later one: `make record`.

On the commit that will be tagged; the tests hold a record against what the same commit writes. Writes
`<release>-<revision>.json` beside this file, over one that was recorded before; what a tagged release wrote never
changes. A record is

* `release`, `revision`, and with what it was made (`pulumi`, `sdk`, `python`);
* `vaults`: the program, as tests/engine/program takes it: a vault and a standalone credential of each front;
* `passphrase`: of the test, for the secrets in the state; its salt stands in the state itself;
* `state`: what `pulumi stack export` gave, without the places of source files on this machine, and with `{base_url}`
  where the emulator was.

The records `0.1.0-early-…` are older than 0.1.0: their states lack the outputs and the resources that came later.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.stacks import Stack, credential, vault
from pulumi_qoder_vault.emulator import Emulator, RevisionName

HERE = Path(__file__).resolve().parent
RELEASE = version("pulumi-qoder-vault")
REVISIONS: tuple[RevisionName, ...] = ("2026-05", "2026-07")
FRONTS = ("dynamic", "plugin")
ROTATED = "https://rotated.example/mcp"
THIRD = "https://third.example/mcp"
FOURTH = "https://fourth.example/mcp"
PLACES = ("sourcePosition", "stackTrace")


def program(revision: RevisionName, token: str) -> dict[str, Any]:
    """Return a vault of three credentials, one of them with this access token, and a standalone one, of each front."""
    extra = {"metadata": {"team": "platform"}} if revision == "2026-07" else {}
    made: dict[str, Any] = {}
    for front in FRONTS:
        changed = credential(ROTATED, token=token, protocol="sse")
        credentials = (credential(), changed, credential(THIRD, token="third-access-token"))
        made[front] = vault(*credentials, front=front, **extra)
        made[f"{front}-credential"] = credential(FOURTH, token=token, front=front, in_vault=front)
    return made


def record(revision: RevisionName) -> dict[str, Any]:
    """Create what the program has, rotate what it rotates, and return what there is then."""
    with tempfile.TemporaryDirectory() as folder, Emulator(revision=revision, unique_url=True) as qoder:
        stack = Stack(Path(folder), qoder)
        for token in ("first-access-token", "second-access-token"):
            stack.write(**program(revision, token))
            stack.up()
        state = json.loads(stack.run("stack", "export").stdout.replace(qoder.base_url, "{base_url}"))
        for resource in state["deployment"]["resources"]:
            for key in PLACES:
                resource.pop(key, None)
        return {
            "release": RELEASE,
            "revision": revision,
            "pulumi": stack.run("version").stdout.strip(),
            "sdk": version("pulumi"),
            "python": platform.python_version(),
            "vaults": program(revision, "second-access-token"),
            "passphrase": stack.env["PULUMI_CONFIG_PASSPHRASE"],
            "state": state,
        }


def main() -> int:
    """Write a record of each revision; return 1 if this version is released."""
    if subprocess.run(["git", "tag", "--list", f"v{RELEASE}"], cwd=HERE, capture_output=True, check=True).stdout:
        print(f"v{RELEASE} is tagged: what it wrote does not change", file=sys.stderr)
        return 1
    for revision in REVISIONS:
        path = HERE / f"{RELEASE}-{revision}.json"
        path.write_text(json.dumps(record(revision), indent=2) + "\n")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
