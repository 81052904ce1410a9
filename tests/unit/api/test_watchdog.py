"""An attempt ends when its time does, by the clock on the wall, whatever a server drips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings
from unit.api.sending import API_TOKEN, CREATE, GET, failure_of, response

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def forever(part: bytes) -> Iterator[bytes]:
    while True:
        yield part


# What comes before a drip, and what drips.
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"HTTP/1.1 200 ", b"x"),
    "headers": (OK + b"X-Slow: ", b"x"),
    "empty headers": (OK, b"a: b\r\n"),
    "1xx": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunk extensions": (CHUNKED + b"5;", b"x"),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n"),
    "body": (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "body without a length": (OK + b"\r\n{}", b" "),
    "an error": (b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n", b" "),
}


def drip(server: Any, connection: socket.socket, first: bytes, parts: Iterable[bytes]) -> None:
    connection.sendall(first)
    for part in parts:
        if server.is_over.wait(0.03):
            return
        connection.sendall(part)


@pytest.fixture
def dripping(serve_raw: Callable[..., Any]) -> Callable[..., Any]:
    """Start a server that drips, for ever."""

    def serve(kind: str) -> Any:
        first, part = DRIPS[kind]
        server: Any = serve_raw(lambda connection, _: drip(server, connection, first, forever(part)))
        return server

    return serve


@pytest.fixture
def connect_by(closing: ExitStack) -> Callable[..., Transport]:
    """Connect by the true time."""

    def connect(server: Any, clock: Clock | None = None, **settings: Any) -> Transport:
        made = Transport(Settings(Secret(API_TOKEN), server.base_url, **settings), "unit-tests/1", clock)
        closing.callback(made.close)
        return made

    return connect


@pytest.mark.parametrize("kind", DRIPS)
@pytest.mark.parametrize("request_", [GET, CREATE], ids=str)
def test_no_drip_stretches_the_budget(
    dripping: Callable[..., Any], connect_by: Callable[..., Transport], kind: str, request_: Request
) -> None:
    """Whatever a response is made of: then its outcome is unknown, and the line names the budget."""
    transport = connect_by(dripping(kind), timeout_s=0.5)
    began_s = time.monotonic()

    failure = failure_of(transport, request_)

    assert time.monotonic() - began_s < 2
    assert (errors.OutcomeUnknown, True) == (type(failure), failure.may_be_done)
    assert f"{request_}: the response was not complete when qoder:timeout (0.5s) expired" == str(failure)


def test_a_connection_that_was_kept_is_ended_too(
    serve_raw: Callable[..., Any], connect_by: Callable[..., Transport]
) -> None:
    """The second request goes over the connection of the first one."""

    def respond(connection: socket.socket, _: bytes) -> None:
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")
        assert connection.recv(65536)
        first, part = DRIPS["headers"]
        drip(server, connection, first, forever(part))

    server = serve_raw(respond)
    transport = connect_by(server, timeout_s=0.5)
    assert {} == transport.send(GET)
    began_s = time.monotonic()

    assert "expired" in str(failure_of(transport, GET))

    assert time.monotonic() - began_s < 2
    assert 1 == len(server.requests), "it was one connection"


def test_a_server_that_does_not_read_cannot_stretch_the_budget(
    closing: ExitStack, connect_by: Callable[..., Transport]
) -> None:
    """It takes a few bytes at a time of a large request."""
    over = threading.Event()
    listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))

    def sip() -> None:
        with listener.accept()[0] as connection:
            while not over.wait(0.02):
                connection.recv(4096)

    server = threading.Thread(target=sip)
    server.start()
    closing.callback(server.join)
    closing.callback(over.set)
    settings = Settings(Secret(API_TOKEN), f"http://127.0.0.1:{listener.getsockname()[1]}/api", timeout_s=0.5)
    transport = Transport(settings, "unit-tests/1")
    closing.callback(transport.close)
    began_s = time.monotonic()

    failure = failure_of(transport, replace(CREATE, body={"access_token": "x" * 30_000_000}))

    assert "expired" in str(failure), str(failure)
    assert time.monotonic() - began_s < 3


def test_a_proxy_that_drips_cannot_stretch_the_budget(
    dripping: Callable[..., Any], closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent to Qoder yet."""
    proxy = dripping("headers")
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    settings = Settings(Secret(API_TOKEN), "https://qoder.invalid/api", timeout_s=0.5)
    transport = Transport(settings, "unit-tests/1")
    closing.callback(transport.close)
    began_s = time.monotonic()

    failure_of(transport, CREATE)

    assert time.monotonic() - began_s < 2


# The end of the run


@pytest.mark.parametrize("kind", ["headers", "1xx", "body"])
def test_cancel_ends_what_drips_within_seconds(
    dripping: Callable[..., Any], connect_by: Callable[..., Transport], kind: str
) -> None:
    """What is under way has some seconds more; then its outcome is unknown."""
    over = threading.Event()
    transport = connect_by(dripping(kind), Clock(sleep=over.wait, is_over=over.is_set))
    threading.Timer(0.5, over.set).start()
    began_s = time.monotonic()

    failure = failure_of(transport, CREATE)

    assert 4 < time.monotonic() - began_s < 8
    assert isinstance(failure, errors.OutcomeUnknown)
    assert "POST /vaults: the response was not complete when this run was cancelled" == str(failure)


def test_a_slow_response_is_waited_for_after_cancel(
    serve_raw: Callable[..., Any], connect_by: Callable[..., Transport]
) -> None:
    """What runs is finished."""
    over = threading.Event()

    def slowly(connection: socket.socket, _: bytes) -> None:
        over.set()
        time.sleep(2)
        connection.sendall(response("200 OK", b"{}"))

    transport = connect_by(serve_raw(slowly), Clock(sleep=over.wait, is_over=over.is_set))

    assert {} == transport.send(CREATE)


def test_a_recovery_has_its_own_time(serve_raw: Callable[..., Any], connect_by: Callable[..., Transport]) -> None:
    """The end of the run does not end it."""

    def slowly(connection: socket.socket, _: bytes) -> None:
        drip(server, connection, OK + b"Connection: close\r\nX-Slow: ", [b"x"] * 200)
        connection.sendall(b"\r\nContent-Length: 2\r\n\r\n{}")

    server = serve_raw(slowly)
    transport = connect_by(server, Clock(sleep=lambda _: None, is_over=lambda: True))

    deadline_s = time.monotonic() + 30
    assert {} == transport.send(replace(GET, is_recovery=True, deadline_s=deadline_s))
