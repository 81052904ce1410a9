"""Idempotency keys: which request a key stands for, and its first response.

Source: Qoder, API conventions (read 2026-05 to 2026-07). On POST and DELETE, the same key and body within 24 h get the
first response again; the same key and another body are a 409.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .errors import conflict
from .http_messages import Response

__all__ = ["IdempotencyKeys"]

KEY_LIFETIME_S = 24 * 60 * 60.0


class IdempotencyKeys:
    """The idempotency keys of the last day and their responses.

    Attributes:
        clock: returns seconds from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._claims: dict[str, tuple[float, object, Response | None]] = {}

    def claim(self, key: str, request: object) -> Response | None:
        """Return the response to send again; or None, and the key belongs to this request until `keep` or `release`.

        Raises:
            ApiError: 409, the key was used for another request, or its first request is still being handled.
        """
        with self._lock:
            now_s = self.clock()
            claimed_s, first, response = self._claims.get(key, (now_s, request, None))
            if key not in self._claims or now_s - claimed_s >= KEY_LIFETIME_S:
                self._claims[key] = (now_s, request, None)
                return None
            if first != request:
                raise conflict("Idempotency key reused with a different request body.")
            if response is None:
                raise conflict("The first request with this Idempotency-Key is still in work.")
            return response

    def keep(self, key: str, response: Response) -> None:
        """Store the first response."""
        with self._lock:
            claimed_s, request, _ = self._claims[key]
            self._claims[key] = (claimed_s, request, response)

    def release(self, key: str) -> None:
        """Forget the key: its request was not handled."""
        with self._lock:
            self._claims.pop(key, None)
