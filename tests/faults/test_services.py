"""Any life at any service, in one process; the rules are in `services`."""

from __future__ import annotations

import pytest

from faults.services import live_some

SHARDS = 10
LIVES = 300


@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_proves_what_holds_at_any_service(shard: int) -> None:
    """Whatever a service is and whatever happens, all is there as the program, the state and the lines say."""
    live_some(shard, LIVES // SHARDS)
