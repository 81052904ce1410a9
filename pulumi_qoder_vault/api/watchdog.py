"""End attempts whose time is over, whatever a server drips: shut down the sockets that carry them.

A timeout of a socket begins anew with each byte; this holds for a whole attempt, by the clock on the wall. Knows
neither HTTP nor what is sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

LOOKS_EVERY_S = 0.2
GRACE_S = 5.0  # what an attempt that is under way has when the run is over

End = Literal["expired", "cancelled"]


class Attempt:
    """One attempt, which ends when its time does. Thread-safe.

    Args:
        left_s: the time that it has, from now on.
        is_cancelled: True once nobody waits for it any more; then it has `GRACE_S`.

    Attributes:
        end: why it was ended; None where it was not.
        is_sent: True once a connection carries the request.
    """

    def __init__(self, left_s: float, is_cancelled: Callable[[], bool]) -> None:
        self.end: End | None = None
        self.is_sent = False
        self._expires_s = time.monotonic() + left_s
        self._is_cancelled = is_cancelled
        self._cancelled_s: float | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def carried_by(self, carrier: socket.socket | None) -> None:
        """Say what carries it now: a connection, then the same one within TLS."""
        with self._lock:
            self._socket = carrier
            if self.end:
                self._shut_down()

    def look(self) -> None:
        """End it if its time is over."""
        now_s = time.monotonic()
        if self._cancelled_s is None and self._is_cancelled():
            self._cancelled_s = now_s
        with self._lock:
            if self.end is None and now_s >= self._expires_s:
                self.end = "expired"
            elif self.end is None and self._cancelled_s is not None and now_s >= self._cancelled_s + GRACE_S:
                self.end = "cancelled"
            if self.end:
                self._shut_down()

    def _shut_down(self) -> None:
        """Wake whoever reads from the socket, or writes to it."""
        if self._socket is not None:
            # Not its own method: one of TLS would forget its session, which another thread uses.
            with suppress(OSError):  # it is closed
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Watchdog:
    """Look at all attempts that are under way. Thread-safe; one thread, while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: set[Attempt] = set()
        self._is_running = False

    @contextmanager
    def watching(self, attempt: Attempt) -> Iterator[None]:
        """End this attempt when its time is over."""
        with self._lock:
            self._attempts.add(attempt)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._watch, name="qoder-watchdog", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._attempts.discard(attempt)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOKS_EVERY_S)
            with self._lock:
                attempts = list(self._attempts)
                if not attempts:
                    self._is_running = False
                    return
            for attempt in attempts:
                attempt.look()
