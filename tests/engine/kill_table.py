"""Write docs/evidence/kills.md from what the tests of `test_kills.py` print. `make kills` pipes it in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "evidence" / "kills.md"
RUNS = 20  # of each signal
HEAD = """\
# What a kill leaves behind

`pulumi up` of ten vaults with two credentials each, on both revisions and both fronts, stopped at a moment that a seed
chooses: twenty times by SIGINT, twenty by SIGKILL. `make kills` runs them and writes this page; `make test` runs some.
After each run one more `pulumi up` made everything that the program declares, and nothing was left but what had been in
flight.

A SIGINT (one Ctrl-C) loses nothing: every vault that was made is recorded. A SIGKILL leaves at most one orphan for each
create in flight, of which these runs had up to four.

| seed | revision | front | signal | what was seen |
|---|---|---|---|---|
"""


def main() -> int:
    """Read the output of pytest, pass it on, and write the document if all runs are in it."""
    text = "".join(_passed_on())
    found = sorted(
        (signal.split(" ")[0], int(seed), revision, front, signal, seen)
        for signal, seed, revision, front, seen in re.findall(
            r"^(SIG[^\n]*), seed (\d+), (\d{4}-\d\d), (\w+): ([^\n]*)$", text, re.MULTILINE
        )
    )
    if len(found) != 2 * RUNS:
        print(f"{len(found)} of {2 * RUNS} runs passed; docs/evidence/kills.md stays as it is", file=sys.stderr)
        return 1
    rows = [(seed, revision, front, signal, seen) for _, seed, revision, front, signal, seen in found]
    lines = [f"| {' | '.join(map(str, row))} |\n" for row in rows]
    DOCUMENT.write_text(HEAD + "".join(lines))
    return 0


def _passed_on() -> Iterator[str]:
    for line in sys.stdin:
        sys.stdout.write(line)
        yield line


if __name__ == "__main__":
    sys.exit(main())
