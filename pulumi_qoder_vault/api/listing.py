"""The vaults of an account, as one listing of a run shows them: for a refresh of many, which needs no read for each.

What is listed is there, and active; what is not listed may be there all the same, and is asked for by itself. So that a
listing never costs more than it saves, a page is read only while pages are at most `AHEAD` more than what they saved.
Knows no HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from ..lifecycle.model import ObservedVault

FEW = 3  # so many vaults are asked for one by one before the rest is listed
AHEAD = 3

Cursor = Mapping[str, str]
Page = tuple[Iterable[ObservedVault], Cursor | None]


class Listing:
    """One listing of a run. Thread-safe: one reads a page, and the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew: another run asks."""
        self._asked = self._saved = self._pages = 0
        self._shown: dict[str, ObservedVault] = {}
        self._next: Cursor | None = {}

    def find(self, vault_id: str, read_page: Callable[[Cursor], Page]) -> ObservedVault | None:
        """Return a vault that is listed; None for one that is to be asked for by itself.

        Args:
            vault_id: of the vault.
            read_page: returns the vaults of a page, and the query of the next one, None after the last. It may raise:
                then the listing has ended.
        """
        with self._lock:
            self._asked += 1
            if self._asked <= FEW:
                return None
            while vault_id not in self._shown and self._next is not None and self._pages < self._saved + AHEAD:
                cursor, self._next = self._next, None
                self._pages += 1
                vaults, self._next = read_page(cursor)
                self._shown.update((vault.id, vault) for vault in vaults)
            found = self._shown.pop(vault_id, None)
            self._saved += found is not None
            return found
