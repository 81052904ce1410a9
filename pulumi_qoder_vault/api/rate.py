"""A smooth rate limit for the reads, or the writes, that a process sends to one Qoder; and the clock of all waits."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SLOWEST = 16.0  # so many times slower than configured, at most
RECOVERS_S = 30.0  # after the last 429 the configured rate is back
LONGEST_PAUSE_S = 10.0  # one absurd Retry-After must not stop everybody


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; a test brings its own.

    Attributes:
        monotonic_s: seconds that never go back.
        now_s: seconds since the epoch, for dates in headers.
        sleep: wait for so many seconds; return early once ``is_over``.
        is_over: True once the run is over: nobody waits any more.
    """

    monotonic_s: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
    is_over: Callable[[], bool] = lambda: False


class Limiter:
    """Hand out slots: moments at which a request may start, evenly spaced. Thread-safe.

    Requests do not arrive exactly as they start, so the spacing is 5 % wider than the rate asks for: a server that
    counts them in any one second then does not see more than the rate.

    An account's rate is shared with machines that this process does not know. A 429 says that together they were too
    fast: the spacing is then doubled, and goes back evenly to what is configured.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1.05 / per_second if per_second else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = 0.0
        self._next_first_s = 0.0
        self._not_before_s = 0.0
        self._factor = 1.0
        self._slowed_s = -RECOVERS_S

    def wait_s(self, at_most_s: float, *, goes_first: bool = False) -> float | None:
        """Take the next slot, and return how long to wait for it. Take none and return None if that is too long.

        What goes first, to take something back while there is time, waits only for a pause and for others like it; the
        rest of the queue moves on by one slot.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            moment_s = max(now_s, *((self._next_first_s, self._not_before_s) if goes_first else (self._next_s,)))
            if moment_s - now_s > at_most_s:
                return None
            if goes_first:
                self._next_first_s = moment_s + self._interval_s
            self._next_s = max(moment_s, self._next_s) + self._interval_s * self._slower_by(now_s)
            return moment_s - now_s

    def is_paused(self) -> bool:
        """Return True if a 429 stops everything, also a request that has a slot already: it must take another one."""
        with self._lock:
            return self._clock.monotonic_s() < self._not_before_s

    def slow_down(self, pause_s: float) -> None:
        """Take a 429 into account: nothing starts for ``pause_s``, and then less often.

        The requests that were under way together are refused together: within a second that counts once.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._not_before_s = max(self._not_before_s, now_s + min(pause_s, LONGEST_PAUSE_S))
            self._next_s = max(self._next_s, self._not_before_s)
            if now_s - self._slowed_s >= 1.0:
                self._factor = min(2 * self._slower_by(now_s), SLOWEST)
                self._slowed_s = now_s

    def _slower_by(self, now_s: float) -> float:
        left = max(0.0, 1.0 - (now_s - self._slowed_s) / RECOVERS_S)
        return 1.0 + (self._factor - 1.0) * left
