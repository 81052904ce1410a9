"""Write rows and outcomes down as docs/evidence/faults.md. Rows that ended alike share a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.table import Outcome, Row

HEAD = """\
# What happens under faults

Every operation of a vault, under every fault that the emulator plays, at every request of it: {rows} runs. `make
faults` runs them all and writes this page; `make test` runs a sample, and compares it with what stands here. No cell is
written by hand. A run drives the provider over gRPC as Pulumi's engine does, against the emulator over HTTP: first the
dynamic provider, then the plugin, which leave the same behind in every row.

`a1 b1` is a vault with two credentials: `a` has its first access token, `b` too; `a2` is `a` rotated, `a?` is not
known, `-` is nothing, `A + B` are two vaults. *create* makes `a1 b1`, *rotate* makes `a2 b1` of it, *add* `a1 b1 c1`,
*remove* `a1`; *read* is a refresh; *replace* gives the vault another name, which makes a new one and deletes the old
one. *at* is the request that meets the fault, counted from 0 in the order of an operation without one. *before* and
*after* say whether Qoder handled the request. *key* says whether Qoder honours `Idempotency-Key`: no current page of
the vaults says that it does. "2026-05, two per URL" is a Qoder that allows a second credential for one URL.

*then up* and *refresh, then up* say whether the next `pulumi up` makes everything right, and with how many requests. In
no row is there, in the end, a vault at Qoder that is in no state (an orphan), a URL with two credentials or without
one, an access token that is not the program's, a leaked token, or an error of more than one line, but in the marked
rows:

{marks}
"""

SIGNS = {"orphan, named in the error": "(1)", "orphan": "(2)", "refused until it is deleted": "(3)", "duplicate": "(4)"}


def render(found: Sequence[tuple[Row, Outcome]]) -> str:
    """Give the whole document."""
    from faults.table import MARKS

    marks = "\n".join(f"* {SIGNS[flaw]} {flaw}: {reason}." for flaw, reason in MARKS.items())
    parts = [HEAD.format(rows=f"{len(found):,}", marks=marks)]
    for operation, world in dict.fromkeys((row.operation, row.world) for row, _ in found):
        chosen = [(row, outcome) for row, outcome in found if (row.operation, row.world) == (operation, world)]
        requests = dict.fromkeys((row.position, row.request) for row, _ in chosen)
        parts.append(f"\n## {operation.capitalize()}, {world}\n")
        parts.append("".join(f"{position}. `{request}`\n" for position, request in requests))
        parts.append("\n| fault | at | key | ends | requests | at Qoder | state | then up | refresh, then up |\n")
        parts.append("|---|---|---|---|---|---|---|---|---|\n")
        parts += lines(chosen)
    return "".join(parts)


def lines(found: Iterable[tuple[Row, Outcome]]) -> Iterator[str]:
    """Give the lines of a table, one for all rows of a fault that ended alike."""
    together: dict[tuple[str, Outcome], list[Row]] = {}
    for row, outcome in found:
        together.setdefault((row.fault, outcome), []).append(row)
    for (fault, outcome), alike in together.items():
        positions = ", ".join(str(position) for position in dict.fromkeys(row.position for row in alike))
        whole = {(row.position, row.keys) for row in alike}
        keys = dict.fromkeys(row.keys for row in alike)
        if len(whole) == len(keys) * len({row.position for row in alike}):
            at = [(positions, "either" if len(keys) > 1 else next(iter(keys)))]
        else:
            at = [(", ".join(str(row.position) for row in alike if row.keys == key), key) for key in keys]
        for position, key in at:
            cells = [
                fault,
                position,
                key,
                outcome.ended,
                "" if outcome.requests is None else str(outcome.requests),
                outcome.at_qoder,
                outcome.state,
                " ".join([outcome.next_up, *(SIGNS.get(flaw, flaw) for flaw in outcome.flaws)]),
                outcome.after_refresh,
            ]
            yield f"| {' | '.join(cells)} |\n"
