"""The fault table of docs/evidence/faults.md: what it says is what happens."""

from __future__ import annotations

import os
import random

import pytest

from faults import document, table
from faults.table import AT_WORK, DOCUMENT, TOO_LATE, Row
from in_process.provider import FRONTS

# Another sample each day in CI; the seed is in the test's name, and QODER_SEED repeats it.
SEED = int(os.environ.get("QODER_SEED", "1"))
SAMPLE = 120


def sample() -> list[Row]:
    """Rows of every operation, world and fault; few of those that take a second each."""
    everything = list(table.rows())
    chooser = random.Random(SEED)
    chooser.shuffle(everything)
    slow = [row for row in everything if row.fault in (*AT_WORK, TOO_LATE)]
    quick = [row for row in everything if row.fault not in (*AT_WORK, TOO_LATE)]
    return [*quick[:SAMPLE], *slow[:8]]


@pytest.fixture(scope="module")
def lines_of_the_document() -> dict[tuple[str, str], set[str]]:
    """The lines below each heading, by operation and world."""
    found: dict[tuple[str, str], set[str]] = {}
    for part in DOCUMENT.read_text().split("\n## ")[1:]:
        title, *lines = part.splitlines()
        operation, _, world = title.partition(", ")
        found[operation.lower(), world] = set(lines)
    return found


@pytest.mark.parametrize("number", range(8))
def test_a_row_of_the_table_is_what_happens(
    number: int, lines_of_the_document: dict[tuple[str, str], set[str]]
) -> None:
    """A sample, run anew on one front or the other: no flaw but the marked ones, each cell as the document has it."""
    front = list(FRONTS)[number % 2]
    for row in sample()[number::8]:
        outcome = table.run(row, front)

        assert [] == [flaw for flaw in outcome.flaws if not table.is_allowed(row, flaw)], (front, row)
        (line,) = document.lines([(row, outcome)])
        cells = line.strip().split(" | ")
        written = [
            other for other in lines_of_the_document[row.operation, row.world] if _says(other.split(" | "), cells, row)
        ]
        assert 1 == len(written), f"{row}: docs/evidence/faults.md does not say {line}: run make faults"


def _says(line: list[str], cells: list[str], row: Row) -> bool:
    """Whether a line of the document, which may stand for several rows, says what was seen."""
    if len(line) != len(cells):
        return False
    fault, positions, key, *rest = line
    is_meant = fault == cells[0] and str(row.position) in positions.split(", ") and key in ("either", row.keys)
    return is_meant and rest == cells[3:]


def test_the_document_has_every_row() -> None:
    """As many lines of each fault as there are positions and keys: a row that was added is missing until it was run."""
    covered = set()
    for part in DOCUMENT.read_text().split("\n## ")[1:]:
        title, *lines = part.splitlines()
        operation, _, world = title.partition(", ")
        for line in lines:
            if line.startswith("| ") and not line.startswith("| fault"):
                fault, positions, key, *_ = line.removeprefix("| ").split(" | ")
                for keys in table.KEYS if key == "either" else [key]:
                    covered |= {(operation.lower(), world, fault, int(at), keys) for at in positions.split(", ")}
    assert {(row.operation, row.world, row.fault, row.position, row.keys) for row in table.rows()} == covered


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("fault", ["dropped after the commit", "409"])
def test_the_table_sees_what_must_not_be(fault: str, front: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that does not look after a lost response, or that rolls nothing back, leaves a flaw."""
    from pulumi_qoder_vault.lifecycle.recovery import VaultCreation
    from pulumi_qoder_vault.lifecycle.vault import operations

    if fault == "409":
        monkeypatch.setattr(operations, "roll_back", lambda api, recorded, failure, candidates, in_use: failure)
        row = Row("create", "2026-07", fault, 3, "POST /vaults/V/credentials", "honoured")
    else:
        give_up = lambda self, api, lost: (_ for _ in ()).throw(lost)  # noqa: E731
        monkeypatch.setattr(VaultCreation, "recover", give_up)
        row = Row("create", "2026-05", fault, 0, "POST /vaults", "honoured")

    flaws = table.run(row, front).flaws
    assert flaws
    assert [] == [flaw for flaw in flaws if not flaw.startswith("orphan") or table.is_allowed(row, flaw)]
