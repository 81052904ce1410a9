"""Idempotency keys: which answer a repeated request is given.

Knows answers only as opaque values. Source: Qoder, API conventions (read 2026-05 to 2026-07): on POST and DELETE, the
same key and body within 24 h replay the first answer; the same key and another body are a 409.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from .refusals import conflict

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Replays"]

KEPT_S = 24 * 60 * 60.0
T = TypeVar("T")


class Replays(Generic[T]):
    """Answers by idempotency key.

    Attributes:
        clock: seconds from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, object, T | None]] = {}

    def claim(self, key: str, request: object) -> T | None:
        """Return the answer to replay, or None: the key is now this request's, until `keep` or `release`.

        Raises:
            Refusal: 409, the key was used for another request, or its first request is still in work.
        """
        with self._lock:
            now = self.clock()
            began_s, first, answer = self._kept.get(key, (now, request, None))
            if key not in self._kept or now - began_s >= KEPT_S:
                self._kept[key] = (now, request, None)
                return None
            if first != request:
                raise conflict("This Idempotency-Key was used with another request.")
            if answer is None:
                raise conflict("The first request with this Idempotency-Key is still in work.")
            return answer

    def keep(self, key: str, answer: T) -> None:
        """Record the first answer."""
        with self._lock:
            began_s, request, _ = self._kept[key]
            self._kept[key] = (began_s, request, answer)

    def release(self, key: str) -> None:
        """Forget the key: its request was not handled."""
        with self._lock:
            self._kept.pop(key, None)
