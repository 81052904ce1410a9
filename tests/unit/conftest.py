"""What the unit tests share: a clock that moves only when somebody sleeps, servers, and connections that are closed."""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings

# Examples are a matter of seconds here; the two cores of a CI machine are no reason for a failure.
settings.register_profile("unit", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@dataclass
class FakeTime:
    """Time that passes only in sleep.

    Attributes:
        slept_s: every wait that was asked for, in order.
        really_s: what each wait takes in truth, for a server that is still at work.
        ends_s: the moment at which the run is over; a wait ends early then.
    """

    moment_s: float = 1000.0
    slept_s: list[float] = field(default_factory=list)
    really_s: float = 0.0
    ends_s: float = math.inf

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._began_s = self.moment_s
        self._epoch_s = time.time()
        self.clock = Clock(
            monotonic_s=lambda: self.moment_s,
            now_s=lambda: self._epoch_s + self.passed_s,
            sleep=self.sleep,
            is_over=lambda: self.moment_s >= self.ends_s,
        )

    def sleep(self, wait_s: float) -> None:
        with self._lock:
            self.slept_s.append(wait_s)
            self.moment_s += max(0.0, min(wait_s, self.ends_s - self.moment_s))
        time.sleep(self.really_s)

    def end_in(self, wait_s: float) -> None:
        """Cancel the run after so many seconds."""
        self.ends_s = self.moment_s + wait_s

    @property
    def passed_s(self) -> float:
        return self.moment_s - self._began_s


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start(closing: ExitStack) -> Callable[..., Emulator]:
    """Start a server."""
    return lambda revision="2026-05", **switches: closing.enter_context(Emulator(revision, **switches))


@pytest.fixture
def connect_to(closing: ExitStack, fake_time: FakeTime) -> Callable[..., Transport]:
    """Connect to a server, without limits of rate unless they are asked for; all waits go by the fake time."""

    def connect(qoder: Emulator, **settings: Any) -> Transport:
        chosen: dict[str, Any] = {
            "api_token": Secret(qoder.api_token),
            "base_url": qoder.base_url,
            "max_writes_per_second": 0.0,
            "max_reads_per_second": 0.0,
            **settings,
        }
        transport = Transport(Settings(**chosen), "unit-tests/1", fake_time.clock)
        closing.callback(transport.close)
        return transport

    return connect


@pytest.fixture
def client_of(connect_to: Callable[..., Transport]) -> Callable[..., Client]:
    """Return the API of a server, which knows the secrets of the tests' own credentials."""
    return lambda qoder, *secrets, warn=None, **settings: Client(connect_to(qoder, **settings), secrets, warn=warn)


class RawServer:
    """A socket that says what a test tells it to, and keeps what it was sent. One connection at a time.

    Args:
        respond: is given the connection and the request; closes nothing.
    """

    def __init__(self, respond: Callable[[socket.socket, bytes], None]) -> None:
        self.requests: list[bytes] = []
        self.is_over = threading.Event()
        self._respond = respond
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def stop(self) -> None:
        self.is_over.set()
        # A connection of our own wakes the accept, whatever the platform does with a closed listener.
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self.is_over.is_set():
                    return
                request = _read_request(connection)
                self.requests.append(request)
                with suppress(OSError):
                    self._respond(connection, request)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]) and (part := connection.recv(65536)):
        body += part
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve_raw(closing: ExitStack) -> Callable[..., RawServer]:
    """Start a raw server that responds with these bytes, or as a function says."""

    def serve(response: bytes | Callable[[socket.socket, bytes], None]) -> RawServer:
        server = RawServer(
            (lambda connection, _: connection.sendall(response)) if isinstance(response, bytes) else response
        )
        closing.callback(server.stop)
        return server

    return serve
