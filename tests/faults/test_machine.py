"""Any life of a few vaults, in one process; the rules are in `lives`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.lives import Lives
from in_process.provider import FRONTS

CASES = {
    "2026-05": ("2026-05", {"unique_url": True}),
    "2026-05, keys ignored": ("2026-05", {"idempotency": False, "unique_url": True}),
    "2026-05, two per URL": ("2026-05", {"unique_url": False}),
    "2026-07": ("2026-07", {}),
    "2026-07, keys ignored": ("2026-07", {"idempotency": False}),
}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("case", CASES)
def test_any_life_ends_as_the_program_says(case: str, front: str) -> None:
    """Whatever happened, the next `up` that succeeds leaves what the program says, and nothing that nobody knows of."""
    revision, switches = CASES[case]
    machine = type("Lives", (Lives,), {"front": front, "revision": revision, "switches": switches})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
