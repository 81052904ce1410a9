"""Ids and times in the service's forms; knows nothing of what carries them.

Source: Qoder, Create Vault (read 2026-05): `vault_` or `vcred_` and the 32 hex digits of a UUIDv7; times in UTC
RFC 3339 with `Z` and up to 6 fractional digits.
"""

from __future__ import annotations

import secrets
import threading
import time
from datetime import datetime, timezone

__all__ = ["Stamps", "rfc3339"]


def rfc3339(moment: datetime) -> str:
    """Return a UTC time as Qoder writes it: trailing zeros of the fraction dropped."""
    moment = moment.astimezone(timezone.utc)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


class Stamps:
    """Issues ids that sort by the order of their making, so that a page cursor outlives the object it names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def id(self, prefix: str) -> str:
        """Return `<prefix>_` and the hex digits of a UUIDv7 greater than every one before."""
        with self._lock:
            # 48 bits of milliseconds and 12 bits of rand_a used as a counter (RFC 9562, 6.2, method 1)
            self._last = max(self._last + 1, (time.time_ns() // 1_000_000) << 12)
            milliseconds, counter = self._last >> 12, self._last & 0xFFF
        number = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62)
        return f"{prefix}_{number:032x}"

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(timezone.utc)
