"""What a fault does, as data: when the request is handled, and what the client receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import Literal

__all__ = ["Commit", "Effect", "Ending", "ListChange"]

ListChange = Literal["empty", "ends_early"]


class Commit(Enum):
    """When the service handles the request."""

    NEVER = "never"
    FIRST = "before the fault"
    LATER = "after the fault"


class Ending(Enum):
    """What the client receives."""

    RESPONSE = "a complete response"
    CLOSED = "a closed connection"
    RESET = "a reset connection"
    SHORT = "half of the announced bytes, then a closed connection"
    DRIP_STATUS_LINE = "a status line that never ends, byte by byte"
    DRIP_HEADERS = "headers that never end, byte by byte"
    DRIP_INTERIM = "one 103 after the other, for ever"
    DRIP_BODY = "a body that never ends, byte by byte"

    @property
    def is_drip(self) -> bool:
        """True if what the client receives never ends."""
        return self.name.startswith("DRIP_")


@dataclass(frozen=True)
class Effect:
    """What a fault does.

    Attributes:
        imitates: one sentence.
        commit: when the request is handled; LATER: `delay_s` after the client received the ending.
        ending: what the client receives.
        status: of the response; None: the service's own response.
        headers: of the response.
        body: of the response; a mapping is sent as JSON; a function makes it when it is needed.
        retry_after: value of the header; None: no such header.
        is_retry_after_date: the header is an HTTP date, `retry_after` seconds from now.
        delay_s: seconds before the ending. For Commit.LATER: seconds before the request is handled. For an outage: its
            length, starting just before the response. Of a drip: seconds between two pieces. Infinite: until the
            emulator stops; `Emulator.start()` ends an outage, too.
        is_cut: the body ends in the middle, and Content-Length is that of the half.
        echo: content type of a response that repeats the secrets of the request; None: no such response.
        is_outage: starting with this response, new connections are refused and all others are cut.
        is_about_another: the response to a create describes the oldest vault or credential there is.
        list_change: what a page of a list is turned into.
    """

    imitates: str
    commit: Commit = Commit.NEVER
    ending: Ending = Ending.RESPONSE
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Mapping[str, object] | Callable[[], bytes] = b""
    retry_after: str | None = None
    is_retry_after_date: bool = False
    delay_s: float = 0.0
    is_cut: bool = False
    echo: str | None = None
    is_outage: bool = False
    is_about_another: bool = False
    list_change: ListChange | None = None

    def retry_after_header(self) -> tuple[tuple[str, str], ...]:
        """Return the header Retry-After, or nothing."""
        if self.retry_after is None:
            return ()
        if not self.is_retry_after_date:
            return (("Retry-After", self.retry_after),)
        # A date has whole seconds. It is rounded up, so that a client that waits for it never waits too short.
        moment = datetime.now(UTC) + timedelta(seconds=float(self.retry_after or 0) + 0.999999)
        return (("Retry-After", format_datetime(moment.replace(microsecond=0), usegmt=True)),)
