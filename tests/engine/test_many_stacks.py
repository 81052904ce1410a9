"""Pipelines that share one account: none of them knows of the others, and Qoder's rate limit holds for all together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.stacks import Stack, credential, vault
from pulumi_qoder_vault.emulator import Emulator, RevisionName

STACKS = 3
VAULTS = 8
WRITES_PER_SECOND, READS_PER_SECOND = 20, 50  # what Qoder recommends not to pass; each process keeps to it alone


@pytest.mark.parametrize("revision", ["2026-07"])  # the one with more requests: a vault, and then each credential
def test_many_stacks_at_once_succeed_within_the_rate_of_one_account(
    tmp_path: Path, revision: RevisionName, record_property: Callable[[str, object], None]
) -> None:
    """Every up and every destroy succeeds although together they are too fast, and nothing is left."""
    with (
        Emulator(
            revision=revision, unique_url=True, writes_per_second=WRITES_PER_SECOND, reads_per_second=READS_PER_SECOND
        ) as qoder,
        ThreadPoolExecutor(STACKS) as pool,
    ):
        stacks = [Stack(tmp_path / str(number), qoder) for number in range(STACKS)]
        for number, stack in enumerate(stacks):
            names = [f"v{number}-{each}" for each in range(VAULTS)]
            stack.write(**{name: vault(credential(), display_name=name) for name in names})

        def together(command: Callable[[Stack], object]) -> int:
            """Run a command in all stacks at once; give how many requests were refused for the rate."""
            qoder.clear_requests()
            list(pool.map(command, stacks))
            return sum(request.status == 429 for request in qoder.requests)

        refused = {"up": together(Stack.up)}
        made = [resource["id"] for stack in stacks for resource in stack.resources()]
        assert STACKS * VAULTS == len(made) == len(set(made))
        assert set(made) == {each.id for each in qoder.vaults}
        assert {1} == {len(each.credentials) for each in qoder.vaults}

        refused["destroy"] = together(Stack.destroy)

        assert [] == qoder.vaults
        assert [] == [resource for stack in stacks for resource in stack.resources()]
        print(f"refused for the rate: {refused}")
        record_property("refused", refused)
