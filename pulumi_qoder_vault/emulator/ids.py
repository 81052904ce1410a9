"""Times, and the ids that the service assigns."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from uuid import UUID

__all__ = ["Clock", "Ids", "rfc3339", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime, utc_offset_minutes: int | None = None) -> str:
    """Return a time as Qoder writes it: UTC with `Z`, at most six fractional digits, no trailing zeros.

    With an offset it is written in that offset. Source: Qoder, Create Vault (read 2026-05).
    """
    zone = UTC if utc_offset_minutes is None else timezone(timedelta(minutes=utc_offset_minutes))
    local = moment.astimezone(zone)
    text = local.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").removesuffix(".")
    return f"{text}Z" if utc_offset_minutes is None else f"{text}{local.isoformat()[-6:]}"


class Ids:
    """The ids that the service assigns.

    They sort by creation, so that a page cursor stays valid when the object that it names is deleted.
    Source: Qoder, Create Vault (read 2026-05): `vault_` or `vcred_` and the 32 hex digits of a UUIDv7.
    """

    def __init__(self, clock: Clock = utc_now, form: Literal["hex", "dashes"] = "hex") -> None:
        self._clock = clock
        self._form = form
        self._last = 0

    def new(self, prefix: str) -> str:
        """Return the prefix and a UUIDv7 that is greater than all before."""
        # 48 bits of milliseconds and the 12 bits of rand_a as a counter (RFC 9562, 6.2, method 1)
        self._last = max(self._last + 1, int(self._clock().timestamp() * 1000) << 12)
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        number = UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62))
        return f"{prefix}{number if self._form == 'dashes' else number.hex}"
