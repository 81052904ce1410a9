"""What a replica of the store shows: every vault as it was some seconds ago.

Knows nothing of the rules of the store.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import Vault

__all__ = ["History"]


class History:
    """The states of each vault, oldest first. Nothing is kept unless a route sees the past."""

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._states: dict[str, list[tuple[datetime, Vault | None]]] = {}

    def keep(self, moment: datetime, vault_id: str, vault: Vault | None) -> None:
        """Keep the state of a vault from this moment on; None: it does not exist."""
        if self._is_kept:
            self._states.setdefault(vault_id, []).append((moment, copy.deepcopy(vault)))

    def at(self, now: datetime, lag_s: float) -> Mapping[str, Vault]:
        """Return copies of the vaults that existed `lag_s` before now, oldest first."""
        seen = now - timedelta(seconds=lag_s)
        found = {}
        for vault_id, states in self._states.items():
            index = bisect_right(states, seen, key=lambda state: state[0])
            vault = states[index - 1][1] if index else None
            if vault is not None:
                found[vault_id] = copy.deepcopy(vault)
        return found
