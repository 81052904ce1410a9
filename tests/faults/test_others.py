"""Other people's credentials under faults: whatever happens to the list, no vault goes with them in it."""

from __future__ import annotations

import itertools

import pytest

from faults.lives import FOREIGN, QUICK
from faults.table import FAULTS, program
from in_process.engine import Engine, MovableTime
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator, RevisionName

RENAMED = program("a1", name="renamed")


@pytest.mark.parametrize(
    ("revision", "front", "command"), list(itertools.product(["2026-05", "2026-07"], FRONTS, ["destroy", "replace"]))
)
def test_no_fault_takes_credentials_of_others_along(revision: RevisionName, front: str, command: str) -> None:
    """At each request of a deletion, each fault: it fails, theirs lives; and it goes on once they have deleted it."""
    for fault, position in itertools.product(QUICK, range(2)):
        with Emulator(revision, unique_url=True) as qoder:
            engine = Engine(qoder, MovableTime(), front, apiRevision=revision)
            assert [] == engine.up(program("a1"))
            (vault,) = qoder.vaults
            theirs = qoder.add_credential(vault.id, FOREIGN, "their-token")
            path = ("/vaults/*/credentials", "/vaults/*")[position]
            qoder.fail_next("GET", path, FAULTS[fault])
            act = engine.destroy if command == "destroy" else lambda engine=engine: engine.up(RENAMED)

            assert act(), f"{fault} at {path}"
            qoder.clear_faults()
            (refusal,) = act()

            assert f"vault {vault.id} is not deleted: it holds 1 credential" in refusal
            assert f"{theirs.id} ({FOREIGN})" in refusal
            (kept,) = (item for item in qoder.vaults if item.id == vault.id)
            assert theirs.id in [item.id for item in kept.credentials if item.status == "active"]
            qoder.delete_credential(vault.id, theirs.id)
            assert [] == act()
            assert vault.id not in [item.id for item in qoder.vaults]
