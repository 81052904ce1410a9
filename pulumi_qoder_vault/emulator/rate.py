"""Limits of requests in any second."""

from __future__ import annotations

import threading
import time
from collections import deque

__all__ = ["Rate"]


class Rate:
    """A limit of requests in any second."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def admits(self) -> bool:
        """Count one more request if the limit allows it; return True if it does."""
        if self._per_second is None:
            return True
        with self._lock:
            now_s = time.monotonic()
            while self._times and now_s - self._times[0] >= 1.0:
                self._times.popleft()
            if len(self._times) >= self._per_second:
                return False
            self._times.append(now_s)
            return True
