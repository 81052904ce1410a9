"""How many requests each command takes: as few as the API allows, and none where nothing changed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.table import program
from in_process.engine import Engine, MovableTime
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator, RevisionName

SWITCHES: dict[str, dict[str, Any]] = {
    "2026-05": {"unique_url": True},
    "2026-05, two per URL": {"unique_url": False},
    "2026-07": {},
}


@pytest.fixture(params=itertools.product(SWITCHES, FRONTS), ids=" ".join)
def world(request: pytest.FixtureRequest) -> Iterator[tuple[str, Emulator, Engine]]:
    name, front = request.param
    revision = name.partition(",")[0]
    with Emulator(revision, **SWITCHES[name]) as qoder:
        yield name, qoder, Engine(qoder, MovableTime(), front, apiRevision=revision)


def asked(qoder: Emulator) -> tuple[int, int]:
    """Reads and writes since the last time."""
    writes = len(qoder.writes)
    reads = len(qoder.requests) - writes
    qoder.clear_requests()
    return reads, writes


def test_every_command_takes_the_fewest_requests(world: tuple[str, Emulator, Engine]) -> None:
    """Reads and writes of preview, up, an empty up, refresh, each change, and destroy."""
    name, qoder, engine = world
    is_07 = name == "2026-07"

    assert {"v": "create"} == engine.preview(program("a1", "b1"))
    assert (0, 0) == asked(qoder)
    assert [] == engine.up(program("a1", "b1"))
    assert (0, 3 if is_07 else 1) == asked(qoder)
    assert [] == engine.up(program("a1", "b1"))
    assert (0, 0) == asked(qoder)
    assert [] == engine.up(program("b1", "a1"))
    assert (0, 0) == asked(qoder), "another order is no change"
    assert [] == engine.refresh()
    assert (2, 0) == asked(qoder)
    assert [] == engine.up(program("a2", "b1"))
    assert (1, {"2026-05": 3, "2026-05, two per URL": 2, "2026-07": 1}[name]) == asked(qoder), "rotate"
    assert [] == engine.up(program("a2", "b1", "c1"))
    assert (1, 1) == asked(qoder), "add"
    assert [] == engine.up(program("a2", "b1"))
    assert (1, 1) == asked(qoder), "remove"
    assert [] == engine.destroy()
    assert (1, 1) == asked(qoder), "destroy: nobody else's credential is in it"


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(("column", "revision"), [(0, "2026-05"), (1, "2026-07")])
def test_the_requests_of_thirty_vaults_are_those_of_the_manual(column: int, revision: RevisionName, front: str) -> None:
    """The table of docs/operations.md, from its first row to its last."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`pulumi .*?) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)

    def vaults(*tokens: str) -> dict[str, Any]:
        return {f"v{number}": program(*tokens)["v"] for number in range(30)}

    with Emulator(revision, unique_url=True) as qoder:
        engine = Engine(qoder, MovableTime(), front)
        commands = {
            "`pulumi preview`, or `pulumi up` that changes nothing": lambda: engine.preview(vaults("a1")) and [],
            "`pulumi up`, the first": lambda: engine.up(vaults("a1")),
            "`pulumi refresh`": engine.refresh,
            "`pulumi up`, rotates every access token": lambda: engine.up(vaults("a2")),
            "`pulumi up`, adds a credential to each": lambda: engine.up(vaults("a2", "b1")),
            "`pulumi destroy`": engine.destroy,
        }
        assert list(commands) == [name for name, *_ in rows]
        for name, *counts in rows:
            assert [] == commands[name]()
            assert (name, int(counts[column])) == (name, sum(asked(qoder)))
