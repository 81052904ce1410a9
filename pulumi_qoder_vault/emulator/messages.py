"""What goes in and out of the service, between the socket and the rules. Data only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .faults import Ending

__all__ = ["Answer", "Call", "Reply"]


@dataclass(frozen=True)
class Call:
    """A request that was read whole.

    Attributes:
        method: upper case.
        path: relative to the base URL, percent-encoding undone in `segments` only; whole if it lies outside.
        segments: of the path below the base URL; None: it lies outside.
        query: the last value of each key.
        headers: by lower-case name.
        body: the bytes.
    """

    method: str
    path: str
    segments: tuple[str, ...] | None
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the parsed body; None if there is none.

        Raises:
            ValueError: it is not JSON in UTF-8.
        """
        if not self.body:
            return None
        try:
            value = json.loads(self.body.decode(), parse_constant=_refuse_constant)
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no UTF-8
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return value


@dataclass(frozen=True)
class Answer:
    """An answer of the service; `body` None: empty."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        """Return the bytes of the body, and the headers with its type."""
        if self.body is None:
            return b"", self.headers
        if isinstance(self.body, bytes):
            return self.body, self.headers
        return json.dumps(self.body, ensure_ascii=False).encode(), (("Content-Type", "application/json"), *self.headers)


@dataclass(frozen=True)
class Reply:
    """What the socket does for a request.

    Attributes:
        delay_s: seconds to wait first.
        is_cut: half of the body is sent, under the Content-Length of that half.
        outage_s: seconds to be down, from just before the reply; None: it stays up.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    ending: Ending = Ending.ANSWER
    delay_s: float = 0.0
    is_cut: bool = False
    outage_s: float | None = None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
