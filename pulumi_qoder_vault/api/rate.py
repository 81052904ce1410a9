"""A smooth rate limit for a whole process, and the clock that all waits go by."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; a test brings its own.

    Attributes:
        monotonic_s: seconds that never go back.
        now_s: seconds since the epoch, for dates in headers.
        sleep: waits for so many seconds.
    """

    monotonic_s: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class Limiter:
    """Hands out moments at which a request may start, evenly spaced. Thread-safe.

    Requests do not arrive exactly as they start, so the spacing is 5 % wider than the rate asks for: a server that
    counts them in any one second then does not see more than the rate.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1.05 / per_second if per_second else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = 0.0

    def wait_s(self, at_most_s: float) -> float | None:
        """Take the next moment, and tell how long to wait for it; take none and give None if that is too long."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            moment_s = max(now_s, self._next_s)
            if moment_s - now_s > at_most_s:
                return None
            self._next_s = moment_s + self._interval_s
            return moment_s - now_s
