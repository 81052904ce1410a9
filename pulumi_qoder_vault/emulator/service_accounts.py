"""The service accounts of one account: their keys, and the tokens that these were exchanged for.

Knows neither HTTP nor what an exchange looks like.
"""

from __future__ import annotations

import hmac
import threading
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .ids import Clock

__all__ = ["ServiceAccounts"]


class ServiceAccounts:
    """The keys that exist, and the tokens that are accepted until they expire. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, bool] = {}  # False: revoked
        self._tokens: dict[str, tuple[str, datetime]] = {}  # with the key, and the end of its life

    def add(self, key: str) -> None:
        """Let this key exist."""
        with self._lock:
            self._keys[key] = True

    def revoke(self, key: str) -> None:
        """Let this key exist no more, and end its tokens.

        Raises:
            ValueError: there is no such key.
        """
        with self._lock:
            if not self._keys.get(key):
                raise ValueError("there is no such service-account key")
            self._keys[key] = False
            self._end(token for token, (of, _) in self._tokens.items() if of == key)

    def revoke_tokens(self) -> None:
        """End every token; the keys stay."""
        with self._lock:
            self._end(self._tokens)

    def has(self, key: str) -> bool:
        """Return True if a key exists."""
        with self._lock:
            return any(is_there and _is_equal(key, known) for known, is_there in self._keys.items())

    def issue(self, key: str, lives_s: float) -> tuple[str, datetime]:
        """Return a new token, and when it expires."""
        token, expires_at = f"sat-emulator-{token_hex(16)}", self._clock() + timedelta(seconds=lives_s)
        with self._lock:
            self._tokens[token] = key, expires_at
        return token, expires_at

    def accepts(self, token: str) -> bool:
        """Return True if a token was issued, is not revoked, and has not expired."""
        now = self._clock()
        with self._lock:
            return any(now < expires_at and _is_equal(token, known) for known, (_, expires_at) in self._tokens.items())

    def secrets(self) -> list[str]:
        """Return every key and token that ever was."""
        with self._lock:
            return [*self._keys, *self._tokens]

    def _end(self, tokens: Iterable[str]) -> None:
        for token in list(tokens):
            self._tokens[token] = self._tokens[token][0], self._clock()


def _is_equal(sent: str, known: str) -> bool:
    return hmac.compare_digest(sent.encode(), known.encode())
