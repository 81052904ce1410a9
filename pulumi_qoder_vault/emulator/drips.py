"""Responses that never end, piece by piece. Knows neither sockets nor the service."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .effects import Ending

__all__ = ["pieces"]

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
ENDLESS = 1 << 40


def pieces(ending: Ending, status: int) -> Iterator[bytes]:
    """Yield what is sent, each piece after a pause; for ever."""
    start = f"HTTP/1.1 {status} ".encode()
    if ending is Ending.DRIP_INTERIM:
        return itertools.repeat(INTERIM)
    if ending is Ending.DRIP_STATUS_LINE:
        return _bytes(start, b"x")
    if ending is Ending.DRIP_HEADERS:
        return _bytes(start + b"OK\r\n", b"X-Drip: drip\r\n")
    head = start + f"OK\r\nContent-Type: application/json\r\nContent-Length: {ENDLESS}\r\n\r\n".encode()
    # Blanks may stand before JSON: a reader cannot tell that nothing will follow.
    return itertools.chain([head], itertools.repeat(b" "))


def _bytes(once: bytes, again: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in itertools.chain(once, itertools.cycle(again)))
