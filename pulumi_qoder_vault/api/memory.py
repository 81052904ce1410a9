"""What one Qoder has shown this process: vaults, by whom they were seen before, and when. Thread-safe; asks nothing."""

from __future__ import annotations

import threading

from ..secret import Secret

FRESH_S = 60.0  # what was shown so lately may not be found everywhere yet


class Memory:
    """What this process was shown.

    Attributes:
        deleted_ids: the credentials that this process deleted.
        has_shown_vaults: True once Qoder has shown a vault, or a list of them.
    """

    def __init__(self) -> None:
        self.deleted_ids: set[str] = set()
        self.has_shown_vaults = False
        self._lock = threading.Lock()
        self._vault_ids: set[str] = set()
        self._recorded_ids: set[str] = set()
        self._accounts: set[Secret | None] = set()
        self._shown_s: dict[str, float] = {}

    def note_shown(self, id_: str, now_s: float) -> None:
        """Keep that an object was shown, or made, at a time of the monotonic clock."""
        with self._lock:
            self._shown_s[id_] = now_s

    def is_fresh(self, id_: str, now_s: float) -> bool:
        """Return True if an object was shown a moment ago."""
        with self._lock:
            return now_s - self._shown_s.get(id_, now_s - FRESH_S) < FRESH_S

    def note_recorded(self, vault_id: str, seen_with: Secret | None) -> None:
        """Keep that a vault of a state was shown, and which account saw it last before."""
        with self._lock:
            self._vault_ids.add(vault_id)
            self._recorded_ids.add(vault_id)
            self._accounts.add(seen_with)

    def has_shown(self, vault_id: str) -> bool:
        """Return True if a vault of a state was shown."""
        with self._lock:
            return vault_id in self._recorded_ids

    def sees_account_of(self, seen_with: Secret | None) -> bool:
        """Return True if a vault that the same account saw last was shown."""
        with self._lock:
            return seen_with in self._accounts

    def claim(self, vault_id: str) -> bool:
        """Return True to the first one who asks about an id that no state was known to hold."""
        with self._lock:
            is_new = vault_id not in self._vault_ids
            self._vault_ids.add(vault_id)
            return is_new
