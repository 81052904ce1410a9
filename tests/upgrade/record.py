"""Record the state that a release writes, for the tests of every later one.

    PATH="$PWD/.venv/bin:$(.venv/bin/python tools/pulumi_cli.py):$PATH" PYTHONPATH=tests python -m upgrade.record 0.1.0

The release must be the one that is installed, so check out its tag and run `make test` first. Writes
`<release>-<revision>.json` beside this file, once: what a release wrote never changes. A record is

* `release`, `revision`, and with what it was made (`pulumi`, `sdk`, `python`);
* `vaults`: the program, as tests/engine/program takes it;
* `passphrase`: of the test, for the secrets in the state; its salt stands in the state itself;
* `state`: what `pulumi stack export` gave, without the places of source files on this machine, and with `{base_url}`
  where the emulator was.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.stacks import Stack, credential, vault
from pulumi_qoder_vault.emulator import Emulator, RevisionName

HERE = Path(__file__).resolve().parent
REVISIONS: tuple[RevisionName, ...] = ("2026-05", "2026-07")
ROTATED = "https://rotated.example/mcp"
THIRD = "https://third.example/mcp"
PLACES = ("sourcePosition", "stackTrace")


def record(release: str, revision: RevisionName) -> dict[str, Any]:
    """Make a vault of three credentials, rotate one of them, and give what there is then."""
    extra = {"metadata": {"team": "platform"}} if revision == "2026-07" else {}

    def program(token: str) -> dict[str, Any]:
        changed = credential(ROTATED, token=token, protocol="sse")
        return vault(credential(), changed, credential(THIRD, token="third-access-token"), **extra)

    with tempfile.TemporaryDirectory() as folder, Emulator(revision=revision, unique_url=True) as qoder:
        stack = Stack(Path(folder), qoder)
        stack.write(v=program("first-access-token"))
        stack.up()
        stack.write(v=program("second-access-token"))
        stack.up()
        state = json.loads(stack.run("stack", "export").stdout.replace(qoder.base_url, "{base_url}"))
        for resource in state["deployment"]["resources"]:
            for key in PLACES:
                resource.pop(key, None)
        return {
            "release": release,
            "revision": revision,
            "pulumi": stack.run("version").stdout.strip(),
            "sdk": version("pulumi"),
            "python": platform.python_version(),
            "vaults": {"v": program("second-access-token")},
            "passphrase": stack.env["PULUMI_CONFIG_PASSPHRASE"],
            "state": state,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", help="such as 0.1.0; must be the one that is installed")
    release = parser.parse_args().release
    installed = version("pulumi-qoder-vault")
    if release != installed:
        parser.error(f"what is installed is {installed}, and not {release}")
    for revision in REVISIONS:
        path = HERE / f"{release}-{revision}.json"
        if path.exists():
            parser.error(f"{path} is there already; delete it if that release never went out")
        path.write_text(json.dumps(record(release, revision), indent=2) + "\n")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
