"""How a request is sent: again where that is safe, never too fast or too long, only to the configured origin."""

from __future__ import annotations

import base64
import email.utils
import itertools
import json
import queue
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent import futures
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.http import MAX_ERROR_BYTES
from pulumi_qoder_vault.api.rate import Limiter
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.responses import NO_CONTENT
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL, Settings

JSON = (("Content-Type", "application/json"),)
API_TOKEN = "pt-canary-0123456789"
ACCESS_TOKEN = "mcp-canary/0123+456789"
GET = Request("GET", "/vaults", is_repeatable=True)
CREATE = Request("POST", "/vaults", body={}, idempotency_key="key")

TRANSPORT_ERRORS = [Fault.DROP_BEFORE_COMMIT, Fault.RESET_BEFORE_COMMIT, Fault.TRUNCATED_AFTER_COMMIT]
RATE_LIMITED = [
    Fault.RATE_LIMITED,
    Fault.RATE_LIMITED_DATE,
    Fault.RATE_LIMITED_GARBAGE,
    Fault.RATE_LIMITED_SILENT,
    Fault.RATE_LIMITED_HTML,
]
SERVER_ERRORS = [
    Fault.REQUEST_TIMEOUT,
    Fault.ERROR_BEFORE_COMMIT,
    Fault.BAD_GATEWAY_BEFORE_COMMIT,
    Fault.UNAVAILABLE_BEFORE_COMMIT,
    Fault.UNAVAILABLE_RETRY_AFTER,
]
REFUSALS = [Fault.FORBIDDEN, Fault.CONFLICT, Fault.HTML_404, Fault.FOREIGN_404, Fault.ECHO, Fault.REDIRECT]


def failure_of(transport: Transport, request: Request) -> errors.QoderError:
    with pytest.raises(errors.QoderError) as caught:
        transport.send(request)
    assert caught.value.__cause__ is None, "a cause is printed in a traceback, and may hold a secret"
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def line_of(transport: Transport, request: Request) -> str:
    return re.sub(r"req_[0-9a-f]{24}", "req_01", str(failure_of(transport, request)))


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"])
    return head.encode() + b"\r\n\r\n" + body


@pytest.fixture
def qoder(start: Callable[..., Emulator]) -> Emulator:
    return start()


@pytest.fixture
def transport(connect_to: Callable[..., Transport], qoder: Emulator) -> Transport:
    return connect_to(qoder)


# Once more?


@pytest.mark.parametrize("fault", [*TRANSPORT_ERRORS, *RATE_LIMITED, *SERVER_ERRORS], ids=repr)
def test_what_is_the_same_twice_is_sent_again(qoder: Emulator, transport: Transport, fault: Fault) -> None:
    """A repeatable request goes again after a transport error, 408, 429 and 5xx."""
    qoder.fail_next("GET", "/vaults", fault, times=2)

    assert [] == transport.send(GET)["data"]
    assert 3 == len(qoder.requests)


@pytest.mark.parametrize("fault", RATE_LIMITED, ids=repr)
def test_a_create_goes_again_after_429(qoder: Emulator, transport: Transport, fault: Fault) -> None:
    """429 says that a create was not handled."""
    qoder.fail_next("POST", "/vaults", fault, times=2)

    with pytest.raises(errors.BadRequest):  # the body is empty: it has got to the endpoint
        transport.send(CREATE)
    assert [429, 429, 400] == [request.status for request in qoder.requests]


@pytest.mark.parametrize("fault", [*TRANSPORT_ERRORS, *SERVER_ERRORS, Fault.HTML_200, *REFUSALS], ids=repr)
def test_a_create_never_goes_again_otherwise(qoder: Emulator, transport: Transport, fault: Fault) -> None:
    """Whatever else comes back from a create, it may have been handled, or would be refused again."""
    qoder.fail_next("POST", "/vaults", fault)

    failure_of(transport, CREATE)

    assert 1 == len(qoder.requests)


@pytest.mark.parametrize("fault", REFUSALS, ids=repr)
def test_a_refusal_is_never_asked_again(qoder: Emulator, transport: Transport, fault: Fault, fake_time: Any) -> None:
    """Other 4xx, and redirects, are final for every request; nothing is waited for."""
    qoder.fail_next("GET", "/vaults", fault)

    failure_of(transport, GET)

    assert (1, []) == (len(qoder.requests), fake_time.slept_s)


def host_of(qoder: Emulator) -> str:
    return qoder.base_url.split("/")[2]


def elsewhere(qoder: Emulator) -> str:
    """What is said where a response is not the API's own."""
    return f": check the proxy and qoder:baseUrl, which is {qoder.base_url}; the API's is like {DEFAULT_BASE_URL}"


def fail_to_connect(monkeypatch: pytest.MonkeyPatch, why: OSError) -> None:
    """Let every connection fail as a machine without a network lets it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise why

    monkeypatch.setattr(socket, "create_connection", fail)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("request_", [GET, CREATE], ids=str)
@pytest.mark.parametrize(
    "why",
    [socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), OSError(113, "No route to host")],
    ids=["resolver", "route"],
)
def test_a_connection_is_waited_for_until_the_end(
    connect_to: Callable[..., Transport],
    qoder: Emulator,
    fake_time: Any,
    request_: Request,
    why: OSError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is no connection nothing was handled, so a create goes again, too; and it says so at the end."""
    transport = connect_to(qoder, base_url="https://qoder.invalid/api")
    fail_to_connect(monkeypatch, why)

    line = line_of(transport, request_)

    said = re.fullmatch(
        rf"{request_}: no connection to qoder\.invalid \({re.escape(str(why))}\); check qoder:baseUrl, the network and "
        r"the proxy; gave up after (\d+) s and ([5-9]) attempts: no time for another attempt before qoder:timeout "
        r"\(2m\) expires",
        line,
    )
    assert said, line
    assert (f"{fake_time.passed_s:.0f}", str(len(fake_time.slept_s) + 1)) == said.groups()
    assert 60 < fake_time.passed_s < 120


def passed(fake_time: Any) -> str:
    return f"{fake_time.passed_s:.1f}".removesuffix(".0")


NO_SUCH_HOST = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NO_DATA = socket.gaierror(getattr(socket, "EAI_NODATA", socket.EAI_NONAME), "No address associated with hostname")


@pytest.mark.parametrize("why", [NO_SUCH_HOST, NO_DATA], ids=["name", "data"])
@pytest.mark.parametrize("request_", [GET, CREATE], ids=str)
def test_four_attempts_are_enough_for_a_host_that_does_not_exist(
    connect_to: Callable[..., Transport],
    qoder: Emulator,
    fake_time: Any,
    request_: Request,
    why: OSError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The resolver works, and says so: a mistake in the base URL. Nobody need be told before the error comes."""
    told: list[str] = []
    fail_to_connect(monkeypatch, why)

    line = line_of(connect_to(qoder, base_url="https://qoder.invalid/api"), replace(request_, tell=told.append))

    assert (
        f"{request_}: no connection to qoder.invalid ({why}); there is no such host: check qoder:baseUrl and the "
        f"proxy; gave up after {passed(fake_time)} s and 4 attempts"
    ) == line
    assert (3, []) == (len(fake_time.slept_s), told)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_four_attempts_are_enough_where_no_emulator_runs(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, host: str
) -> None:
    """On this machine a refusal says that nothing listens, by real connections."""
    told: list[str] = []
    address = f"{host}:{free_port()}"

    line = line_of(connect_to(qoder, base_url=f"http://{address}/api"), replace(GET, tell=told.append))

    assert line.startswith(f"GET /vaults: no connection to {address} ("), line
    assert line.endswith(
        "); nothing listens there: start the emulator, or check qoder:baseUrl; gave up after "
        f"{passed(fake_time)} s and 4 attempts"
    ), line
    assert [] == told


def test_what_is_to_be_taken_back_is_not_given_up_so_soon(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """Somebody was there a moment ago, and may come back; the time of recovering bounds it."""
    transport = connect_to(qoder, base_url=f"http://127.0.0.1:{free_port()}/api")
    request = replace(GET, deadline_s=fake_time.clock.monotonic_s() + 30, is_recovery=True)

    assert line_of(transport, request).endswith("no time for another attempt before the recovery time (30s) expires")


def test_only_attempts_in_a_row_count(
    connect_to: Callable[..., Transport], qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that is out of order in between knows as little as before; and no other host is surrendered."""
    again = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    fails = iter([NO_SUCH_HOST, NO_SUCH_HOST, NO_SUCH_HOST, again, *[NO_SUCH_HOST] * 9])
    tried = []

    def fail(*_: Any, **__: Any) -> Any:
        tried.append(why := next(fails))
        raise why

    monkeypatch.setattr(socket, "create_connection", fail)
    line_of(connect_to(qoder, base_url="https://qoder.invalid/api"), GET)

    assert 8 == len(tried)


def test_a_refusal_of_another_machine_is_waited_out(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is started anew refuses connections for a while."""
    fail_to_connect(monkeypatch, ConnectionRefusedError(111, "Connection refused"))

    line = line_of(connect_to(qoder, base_url="https://qoder.example/api"), GET)

    assert "check qoder:baseUrl, the network and the proxy; gave up after" in line
    assert 60 < fake_time.passed_s < 120


def test_a_wait_for_a_connection_is_told_once(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three seconds, by the first request of the process that waits so long; no attempt has a line of its own."""
    told: list[tuple[float, str]] = []
    why = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    fail_to_connect(monkeypatch, why)
    transport = connect_to(qoder, base_url="https://qoder.invalid/api")

    for _ in range(2):
        line_of(transport, replace(GET, tell=lambda line: told.append((fake_time.passed_s, line))))

    assert [
        f"no connection to qoder.invalid after 3 s ({why}): retrying until qoder:timeout (2m) expires; check "
        "qoder:baseUrl, the network and the proxy"
    ] == [line for _, line in told]
    assert 3 <= told[0][0] < 8


class FullServer:
    """A listener whose queue is full: a connection to it neither comes nor is refused, until there is room."""

    def __init__(self, closing: ExitStack) -> None:
        self._listener = closing.enter_context(socket.socket())
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._closing = closing
        self.port = self._listener.getsockname()[1]
        self._queued = [closing.enter_context(socket.socket()) for _ in range(4)]
        for client in self._queued:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))

    def answer(self, response: bytes) -> None:
        for client in self._queued:
            client.close()
        self._listener.settimeout(20)
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if connection.recv(65536):
                    connection.sendall(response)
                    return


def test_a_connection_that_hangs_is_told_while_it_hangs(closing: ExitStack) -> None:
    """A network that swallows everything lets one attempt take ten seconds; when it is back, the request is done."""
    server = FullServer(closing)
    told: queue.Queue[tuple[float, str]] = queue.Queue()
    transport = Transport(Settings(Secret(API_TOKEN), f"http://127.0.0.1:{server.port}/api"), "unit-tests/1")
    closing.callback(transport.close)
    began_s = time.monotonic()
    request = replace(GET, tell=lambda line: told.put((time.monotonic() - began_s, line)))

    with futures.ThreadPoolExecutor(1) as pool:
        sending = pool.submit(transport.send, request)
        after_s, line = told.get(timeout=9)
        server.answer(answer("200 OK", b"{}"))
        assert {} == sending.result(30)

    assert 3 <= after_s < 5
    assert line.startswith(f"no connection to 127.0.0.1:{server.port} after 3 s: retrying until qoder:timeout (2m) ")
    assert told.empty()


def test_a_slow_answer_is_no_wait_for_a_connection(
    serve_raw: Callable[..., Any], closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a connection, the network is not at fault."""

    def slowly(connection: socket.socket, _: bytes) -> None:
        time.sleep(0.8)
        connection.sendall(answer("200 OK", b"{}"))

    told: list[str] = []
    transport = Transport(Settings(Secret(API_TOKEN), serve_raw(slowly).base_url), "unit-tests/1", told_after_s=0.2)
    closing.callback(transport.close)

    assert {} == transport.send(replace(GET, tell=told.append))
    assert [] == told


# May it be done?


DELETE = Request("DELETE", "/vaults/vault_1", is_repeatable=True)


@pytest.mark.parametrize("maybe_done", [Fault.ERROR_BEFORE_COMMIT, Fault.DROP_AFTER_COMMIT], ids=repr)
def test_an_earlier_attempt_may_have_done_it(qoder: Emulator, transport: Transport, maybe_done: Fault) -> None:
    """What one attempt leaves open, a later 429 does not settle."""
    qoder.fail_next("DELETE", "/vaults/*", maybe_done)
    qoder.fail_next("DELETE", "/vaults/*", Fault.RATE_LIMITED_SILENT, times=None)

    failure = failure_of(transport, DELETE)

    assert (True, errors.RateLimited) == (failure.may_be_done, type(failure))


def test_a_refused_connection_does_not_settle_it_either(start: Callable[..., Emulator], fake_time: Any) -> None:
    """A server that took the request and then went away may have done it, though the last attempt was not sent."""
    qoder = start()
    qoder.fail_next("DELETE", "/vaults/*", Fault.DROP_AFTER_COMMIT)

    def sleep(wait_s: float) -> None:
        qoder.stop()
        fake_time.sleep(wait_s)

    clock = replace(fake_time.clock, sleep=sleep)
    transport = Transport(Settings(Secret(API_TOKEN), qoder.base_url), "unit-tests/1", clock)
    try:
        failure = failure_of(transport, DELETE)
    finally:
        transport.close()

    assert (True, errors.Unreachable) == (failure.may_be_done, type(failure))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429])
def test_a_refusal_says_that_it_is_not_done(qoder: Emulator, transport: Transport, status: int) -> None:
    """A 4xx settles it, where every attempt got one."""
    qoder.fail_next("DELETE", "/vaults/*", Effect("refused", status=status), times=None)

    assert not failure_of(transport, DELETE).may_be_done


def test_what_was_never_sent_is_not_done(connect_to: Callable[..., Transport], qoder: Emulator) -> None:
    """Without a connection nothing can have been handled."""
    transport = connect_to(qoder, base_url=f"http://127.0.0.1:{free_port()}/api")

    assert not failure_of(transport, DELETE).may_be_done


# How long


@pytest.mark.parametrize(
    "fault", [Fault.RATE_LIMITED_SILENT, Fault.RATE_LIMITED_GARBAGE, Fault.ERROR_BEFORE_COMMIT], ids=repr
)
def test_waits_double_with_jitter(qoder: Emulator, transport: Transport, fault: Fault, fake_time: Any) -> None:
    """1, 2, 4 s, each up to half a second longer, so that many do not come back together."""
    qoder.fail_next("GET", "/vaults", fault, times=4)

    transport.send(GET)

    assert [1, 2, 4, 8] == [int(wait_s) for wait_s in fake_time.slept_s]
    assert all(wait_s - int(wait_s) <= 0.5 for wait_s in fake_time.slept_s)
    assert 1 < len({wait_s - int(wait_s) for wait_s in fake_time.slept_s})


@pytest.mark.parametrize("retry_after", ["7", " 7 ", "007"])
def test_retry_after_is_obeyed(qoder: Emulator, transport: Transport, retry_after: str, fake_time: Any) -> None:
    """`Retry-After` in seconds is waited for, not more and not less."""
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=retry_after)

    transport.send(GET)

    assert [7.0] == fake_time.slept_s


def test_retry_after_may_be_a_date(qoder: Emulator, transport: Transport, fake_time: Any) -> None:
    """`Retry-After` as a date is waited for."""
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED_DATE, retry_after=30)

    transport.send(GET)

    assert [pytest.approx(30, abs=5)] == fake_time.slept_s


@pytest.mark.parametrize("ahead_s", [-3600.0, -40.0, 0.0, 40.0, 3600.0])
def test_a_retry_after_date_is_qoders_own(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, ahead_s: float
) -> None:
    """A date goes by the clock of whoever wrote it, not by this machine's."""

    def respond(connection: socket.socket, _: bytes) -> None:
        now, later = (
            email.utils.formatdate(fake_time.clock.now_s() + ahead_s + wait_s, usegmt=True) for wait_s in (0, 30)
        )
        is_first = not fake_time.slept_s
        status = "429 Too Many Requests" if is_first else "200 OK"
        connection.sendall(answer(status, b"{}", f"Date: {now}", *([f"Retry-After: {later}"] if is_first else [])))

    connect_to(qoder, base_url=serve_raw(respond).base_url).send(GET)

    assert [pytest.approx(30, abs=0.01)] == fake_time.slept_s


@pytest.mark.parametrize("retry_after", ["soon", "-5", "0", "1e3", "Thu, 01 Jan 1970 00:00:00 GMT", "٣", "nan", "inf"])
def test_a_retry_after_that_says_nothing_is_none(
    qoder: Emulator, transport: Transport, retry_after: str, fake_time: Any
) -> None:
    """A `Retry-After` that is no time to wait leaves the usual wait."""
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=quote(retry_after, safe=" ,:-+"))

    transport.send(GET)

    assert [1] == [int(wait_s) for wait_s in fake_time.slept_s]


@pytest.mark.parametrize("retry_after", ["120", "86400", "9" * 40, "Fri, 31 Dec 2999 23:59:59 GMT"])
@pytest.mark.parametrize("request_", [GET, CREATE], ids=str)
def test_a_wait_past_the_budget_fails_at_once(
    qoder: Emulator, transport: Transport, fake_time: Any, retry_after: str, request_: Request
) -> None:
    """A wait that would pass the time budget is not begun, and the error says how long it would have been."""
    qoder.fail_next("*", "/vaults", Fault.RATE_LIMITED_ABSURD, retry_after=retry_after, times=None)

    line = line_of(transport, request_)

    assert [] == fake_time.slept_s
    assert 1 == len(qoder.requests)
    refused = f"{request_}: Too many requests (429 rate_limit_error, request_id req_01, host {host_of(qoder)})"
    assert line.startswith(refused), line
    assert re.search(r"; Qoder asks to wait \d+ s, more than is left of qoder:timeout \(2m\)$", line), line


@pytest.mark.parametrize(
    ("timeout_s", "budget", "longest_s"), [(120.0, "2m", 114), (30.0, "30s", 26), (4.3, "4.3s", 3)]
)
def test_a_wait_leaves_time_for_what_must_not_be_sent_twice(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, timeout_s: float, budget: str, longest_s: int
) -> None:
    """A create is not sent in the last 5 s, or the last tenth: its response could be lost, where a 429 is harmless."""
    transport = connect_to(qoder, timeout_s=timeout_s)
    for wait_s in (longest_s, longest_s + 1):
        qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=wait_s)
        failure = failure_of(transport, CREATE)
        assert isinstance(failure, errors.BadRequest if wait_s == longest_s else errors.RateLimited)

    assert str(failure).endswith(
        f"; Qoder asks to wait {longest_s + 1} s, which leaves too little of qoder:timeout ({budget}) for "
        "another attempt"
    )
    assert [longest_s] == fake_time.slept_s


def test_what_is_repeatable_may_be_sent_in_the_last_moment(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """If its response is lost it is sent again."""
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=119)

    connect_to(qoder, timeout_s=120.0).send(GET)

    assert [119.0] == fake_time.slept_s


def test_a_place_in_the_last_moment_is_none_for_a_create(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """The rate limit leaves as much time."""
    transport = connect_to(qoder, timeout_s=11.0, max_writes_per_second=0.1)  # a place each 10.5 s
    failure_of(transport, CREATE)

    assert isinstance(failure_of(transport, CREATE), errors.NotSent)
    assert [] == fake_time.slept_s


@pytest.mark.parametrize(("timeout_s", "budget"), [(0.5, "0.5s"), (1.2, "1.2s"), (10.0, "10s"), (120.0, "2m")])
@pytest.mark.parametrize(
    "fault", [Fault.DROP_BEFORE_COMMIT, Fault.RATE_LIMITED_SILENT, Fault.RATE_LIMITED, Fault.UNAVAILABLE_BEFORE_COMMIT]
)
def test_the_budget_is_never_passed(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, timeout_s: float, budget: str, fault: Fault
) -> None:
    """All attempts of one call and its waits fit into `qoder:timeout`; the error counts them."""
    qoder.fail_next("GET", "/vaults", fault, times=None)

    line = line_of(connect_to(qoder, timeout_s=timeout_s), GET)

    assert fake_time.passed_s < timeout_s
    said = re.search(
        r"; (?:gave up after ([\d.]+) s and (\d+) attempts?: no time for another attempt before qoder:timeout \((.*)\) "
        r"expires|Qoder asks to wait 1 s, more than is left of qoder:timeout \((.*)\))$",
        line,
    )
    assert said, line
    assert budget == (said[3] or said[4])
    assert said[1] is None or pytest.approx(fake_time.passed_s, abs=0.5) == float(said[1])
    assert said[2] in (None, str(len(qoder.requests)))


def test_a_request_may_have_a_time_of_its_own(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """A deadline of its own holds, also where `qoder:timeout` leaves less; and the error names the right one."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.ERROR_BEFORE_COMMIT, times=None)
    transport = connect_to(qoder, timeout_s=0.1)
    deadline_s = fake_time.clock.monotonic_s() + 30

    line = line_of(transport, replace(DELETE, deadline_s=deadline_s, is_recovery=True))

    assert 10 < fake_time.passed_s < 30
    assert line.endswith(
        f"; gave up after {fake_time.passed_s:.0f} s and {len(qoder.requests)} attempts: no time for another "
        "attempt before the recovery time (30s) expires"
    ), line


def test_a_deadline_may_come_before_the_timeout(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """Of 30 s for several requests, the last one has what the others left."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.ERROR_BEFORE_COMMIT, times=None)
    deadline_s = fake_time.clock.monotonic_s() + 30
    fake_time.sleep(25)

    line = line_of(connect_to(qoder), replace(DELETE, deadline_s=deadline_s, is_recovery=True))

    assert 25 < fake_time.passed_s < 30
    assert line.endswith("no time for another attempt before the recovery time (5s) expires"), line


def test_a_body_that_drips_cannot_stretch_the_budget(serve_raw: Callable[..., Any]) -> None:
    """The budget holds for a response that comes in small pieces, as it does for one that does not come."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        end = time.monotonic() + 3
        while time.monotonic() < end and not server.is_over.wait(0.05):
            connection.sendall(b"x")

    server = serve_raw(drip)
    transport = Transport(Settings(Secret(API_TOKEN), server.base_url, timeout_s=0.4), "unit-tests/1")
    began_s = time.monotonic()
    try:
        failure = failure_of(transport, GET)
    finally:
        transport.close()

    assert isinstance(failure, errors.OutcomeUnknown)
    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "302 Found"])
def test_a_refusal_without_end_is_not_read_to_its_end(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, status: str
) -> None:
    """A refusal is one, however much comes after its status."""

    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 100000000\r\n\r\n".encode())
        for _ in range(100):
            connection.sendall(b"x" * 1_000_000)
        pytest.fail("the whole body was read")

    failure = failure_of(connect_to(qoder, base_url=serve_raw(flood).base_url), GET)

    assert status[:3] in str(failure)
    assert not failure.may_be_done


@pytest.mark.parametrize(("size", "is_read"), [(MAX_ERROR_BYTES, True), (MAX_ERROR_BYTES + 1, False)])
def test_an_error_of_more_than_64_kib_is_no_envelope(
    qoder: Emulator, transport: Transport, size: int, is_read: bool
) -> None:
    """What is larger is not searched for secrets, which would take long, and not repeated."""
    body = envelope("invalid_request_error", "no").ljust(size)
    qoder.fail_next("GET", "/vaults", Effect("large", status=400, headers=JSON, body=body))

    assert (
        f"GET /vaults: no (400 invalid_request_error, request_id req_7, host {host_of(qoder)})"
        if is_read
        else f"GET /vaults: the response is not from the Qoder API (400, host {host_of(qoder)}){elsewhere(qoder)}"
    ) == str(failure_of(transport, GET))


def test_an_answer_without_end_is_not_read_to_its_end(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator
) -> None:
    """A response of more than 16 MiB is given up."""

    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x" * 1_000_000)

    transport = connect_to(qoder, base_url=serve_raw(flood).base_url)

    assert "GET /vaults: the response is larger than 16 MiB" == line_of(transport, GET)


# Where to


def test_a_redirect_is_refused(start: Callable[..., Emulator], qoder: Emulator, transport: Transport) -> None:
    """The API token goes to the configured origin only: another one is not asked at all."""
    elsewhere = start()
    qoder.fail_next("GET", "/vaults", Fault.REDIRECT, location=f"{elsewhere.base_url}/vaults")

    assert (
        f"GET /vaults: redirected (302), which is refused: the API token goes to {host_of(qoder)} only; set "
        "qoder:baseUrl to the API itself"
    ) == line_of(transport, GET)
    assert [] == elsewhere.requests


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_is_refused(qoder: Emulator, transport: Transport, status: int) -> None:
    """Also one that keeps the method, and one to the same origin."""
    effect = Effect("moved", status=status, headers=(("Location", f"{qoder.base_url}/vaults/elsewhere"),))
    qoder.fail_next("POST", "/vaults", effect)

    assert f"redirected ({status})" in line_of(transport, CREATE)
    assert 1 == len(qoder.requests)


@pytest.fixture
def proxy(serve_raw: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A proxy that refuses, in every variable that names one."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = serve_raw(answer("403 Forbidden", b"no"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    return server


def test_loopback_never_goes_through_a_proxy(proxy: Any, qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """An emulator is reached directly, whatever HTTP_PROXY says: the proxy would see the API token."""
    assert [] == connect_to(qoder).send(GET)["data"]
    assert [] == proxy.requests


def test_other_hosts_go_through_the_proxy(
    proxy: Any, qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """HTTPS_PROXY is used, for a tunnel: it never sees a header of the request."""
    transport = connect_to(qoder, base_url="https://qoder.invalid/api", timeout_s=3.0)

    failure = failure_of(transport, CREATE)

    assert isinstance(failure, errors.NotSent)
    assert str(failure).startswith("POST /vaults: no connection to qoder.invalid (403 Forbidden); check qoder:baseUrl")
    assert {b"CONNECT qoder.invalid:443 HTTP/1.1"} == {request.splitlines()[0] for request in proxy.requests}
    assert not any(qoder.api_token.encode() in request for request in proxy.requests)


def test_a_proxy_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, qoder: Emulator, connect_to: Callable[..., Transport]
) -> None:
    """A proxy variable that cannot be read is named, and its value, which may hold a password, is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:canary-password@proxy.example")
    with pytest.raises(errors.NotSent) as caught:
        connect_to(qoder, base_url="https://qoder.invalid/api")

    assert "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: must be an http or https URL (socks needs httpx[socks])" == str(
        caught.value
    )


@pytest.mark.parametrize("host", ["a..b", "xn--", "xn--a", ".", "a" * 64, "1.2.3.400"])
def test_a_host_that_is_none_is_never_sent_to(connect_to: Callable[..., Transport], qoder: Emulator, host: str) -> None:
    """Where no connection can be asked for, nothing was sent, and there is nothing to try again or to look up."""
    failure = failure_of(connect_to(qoder, base_url=f"https://{host}/api"), CREATE)

    assert (errors.Unreachable, False) == (type(failure), failure.may_be_done)
    assert "POST /vaults: qoder:baseUrl, the proxy or a redirect is not a valid URL" == str(failure)


def test_certificates_are_verified(serve_raw: Callable[..., Any], connect_to: Callable[..., Transport]) -> None:
    """What does not speak TLS, or not with a trusted certificate, never gets a request."""
    server = serve_raw(answer("200 OK", b"{}"))
    transport = Transport(
        Settings(Secret(API_TOKEN), f"https://127.0.0.1:{server.port}", timeout_s=0.5), "unit-tests/1"
    )
    try:
        failure = failure_of(transport, GET)
    finally:
        transport.close()

    assert isinstance(failure, errors.NotSent)
    assert not any(API_TOKEN.encode() in request for request in server.requests)


# What it says


def test_no_api_token_is_said_before_anything_is_sent(qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """The first call to the API is the one that needs an API token."""
    assert (
        "GET /vaults: not sent: no API token is set; set qoder:apiToken (pulumi config set --secret "
        "qoder:apiToken) or QODER_PAT"
    ) == line_of(connect_to(qoder, api_token=None), GET)
    assert [] == qoder.requests


def envelope(type_: Any, message: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"type": "error", "request_id": "req_7", "error": {"type": type_, "message": message, **fields}}
    ).encode()


PAGE = b"<!DOCTYPE html><html><body>\n<h1>503 <b>Service Unavailable</b></h1></body></html>"
ADVICE_401 = "it refused the API token in qoder:apiToken; set a valid one: pulumi config set --secret qoder:apiToken"
ANSWERS = {
    400: (
        envelope("invalid_request_error", "Field 'display_name' is required.", param="display_name"),
        "GET /vaults: Field 'display_name' is required (400 invalid_request_error, request_id req_7, host {host})",
        errors.BadRequest,
    ),
    401: (
        envelope("TOKEN_INVALID", "The authentication token is missing or invalid."),
        "GET /vaults: The authentication token is missing or invalid (401 TOKEN_INVALID, request_id req_7, host "
        "{host}): " + ADVICE_401,
        errors.Unauthorized,
    ),
    403: (
        envelope("permission_error", "No permission"),
        "GET /vaults: No permission (403 permission_error, request_id req_7, host {host}): give the API token "
        "access to vaults, or set qoder:workspaceId to a workspace that it may use",
        errors.Forbidden,
    ),
    404: (
        envelope("not_found_error", "Vault 'vault_1' was not found."),
        "GET /vaults: Vault 'vault_1' was not found (404 not_found_error, request_id req_7, host {host}){elsewhere}",
        errors.NotFound,
    ),
    409: (
        envelope("conflict_error", "Vault 'vault_1' is already archived."),
        "GET /vaults: Vault 'vault_1' is already archived (409 conflict_error, request_id req_7, host {host})",
        errors.Conflict,
    ),
    418: (
        envelope("teapot_error", ""),
        "GET /vaults: Qoder refused the request (418 teapot_error, request_id req_7, host {host})",
        errors.ApiError,
    ),
    422: (PAGE, "GET /vaults: the response is not from the Qoder API (422, host {host}){elsewhere}", errors.ApiError),
    429: (
        envelope("rate_limit_error", "Slow down"),
        "GET /vaults: Slow down (429 rate_limit_error, request_id req_7, host {host}): try again later, or lower "
        "qoder:maxWritesPerSecond and qoder:maxReadsPerSecond; gave up after 0 s and 1 attempt: no time for "
        "another attempt before qoder:timeout (1s) expires",
        errors.RateLimited,
    ),
    503: (
        PAGE,
        "GET /vaults: the response is not from the Qoder API (503, host {host}); gave up after 0 s and 1 attempt: no "
        "time for another attempt before qoder:timeout (1s) expires",
        errors.ServerError,
    ),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_each_refusal_is_one_exact_line(qoder: Emulator, connect_to: Callable[..., Transport], status: int) -> None:
    """What, where, HTTP status, `error.type`, `request_id`, and what to do, in one line."""
    body, line, kind = ANSWERS[status]
    qoder.fail_next("GET", "/vaults", Effect("a response", status=status, headers=JSON, body=body), times=None)

    failure = failure_of(connect_to(qoder, timeout_s=1.0), GET)

    assert (line.format(host=host_of(qoder), elsewhere=elsewhere(qoder)), kind) == (str(failure), type(failure))


@pytest.mark.parametrize("path", ["", "/vaults"])
@pytest.mark.parametrize("request_", [GET, CREATE, Request("GET", "/vaults/vault_1", is_repeatable=True)], ids=str)
def test_a_base_url_that_is_not_the_api_is_named(
    qoder: Emulator, connect_to: Callable[..., Transport], path: str, request_: Request
) -> None:
    """Whatever is there answers 404 or 405, with its own page or in the API's form: the line says who was asked."""
    base_url = qoder.base_url.replace("/api/v1/cloud", path)

    line = line_of(connect_to(qoder, base_url=base_url), request_)

    assert f"host {host_of(qoder)}): check the proxy and qoder:baseUrl, which is {base_url}; the API's is like " in line


@pytest.mark.parametrize(("status", "type_"), [(404, "not_found_error"), (405, "invalid_request_error"), (405, "")])
def test_a_service_without_the_list_of_vaults_was_asked_by_mistake(
    qoder: Emulator, transport: Transport, status: int, type_: str
) -> None:
    """Other services of the same form have the same envelope. A vault that is not there is no such mistake."""
    body = envelope(type_, "Method not allowed.")
    qoder.fail_next("*", "/**", Effect("elsewhere", status=status, headers=JSON, body=body), times=2)

    assert line_of(transport, CREATE).endswith(elsewhere(qoder))
    is_about_a_vault = line_of(transport, Request("GET", "/vaults/vault_1")).endswith(elsewhere(qoder))
    assert (status == 405) is is_about_a_vault


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"error"',
        b"{}",
        b'{"type": "error"}',
        b'{"type": "error", "error": "no"}',
        b'{"type": "other", "error": {"type": "not_found_error", "message": "no"}}',
        b'{"statusCode": 404, "message": "no"}',
        b'{"type": "error", "error": {"type": 7, "message": ["no"]}}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
    ids=range(12),
)
def test_a_404_of_somebody_else_is_not_genuine(qoder: Emulator, transport: Transport, body: bytes) -> None:
    """Only the API's own envelope with `not_found_error` says that an object does not exist."""
    qoder.fail_next("GET", "/vaults", Effect("not ours", status=404, headers=JSON, body=body))

    failure = failure_of(transport, GET)

    assert isinstance(failure, errors.NotFound)
    assert not failure.genuine
    line = f"GET /vaults: the response is not from the Qoder API (404, host {host_of(qoder)}){elsewhere(qoder)}"
    assert line == str(failure)


@pytest.mark.parametrize("fault", [Fault.HTML_200, Fault.CUT_JSON_AFTER_COMMIT], ids=repr)
def test_an_unreadable_success_is_a_lost_answer(qoder: Emulator, transport: Transport, fault: Fault) -> None:
    """A 200 that is no JSON came from something on the way; whether Qoder handled the request is not known."""
    qoder.fail_next("GET", "/vaults", fault)

    failure = failure_of(transport, GET)

    assert isinstance(failure, errors.OutcomeUnknown)
    line = f"GET /vaults: the response (200, host {host_of(qoder)}) is not JSON; check qoder:baseUrl and the proxy"
    assert line == str(failure)


@pytest.mark.parametrize(("status", "expected"), [(200, None), (202, None), (204, NO_CONTENT)])
def test_an_empty_success_is_told_from_a_204(
    qoder: Emulator, transport: Transport, status: int, expected: object
) -> None:
    """A 204 means to be empty; any other empty response may be a proxy's."""
    qoder.fail_next("GET", "/vaults", Effect("empty", status=status))

    assert expected is transport.send(GET)


# Secrets


def spellings(secret: str) -> set[str]:
    """Every form of a secret that a hostile server sends; of base64 those characters that are the secret's own."""
    raw = secret.encode()
    encoded = set()
    for offset, drop in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        encoded |= {text[drop:-1], text[drop:-1].replace("+", "-").replace("/", "_")}
    every_byte = "".join(f"%{byte:02X}" for byte in raw)
    return {secret, *encoded, raw.hex(), quote(secret, safe=""), every_byte, json.dumps(secret)[1:-1]}


@pytest.mark.parametrize("fault", [Fault.ECHO, Fault.ECHO_HTML], ids=repr)
def test_a_server_that_repeats_secrets_is_not_quoted(
    qoder: Emulator, connect_to: Callable[..., Transport], fault: Fault
) -> None:
    """No secret of the call is in the line, in no form; it stays one printable line."""
    qoder.fail_next("POST", "/vaults", fault)
    body = {"credentials": [{"access_token": ACCESS_TOKEN}]}
    request = Request("POST", "/vaults", body=body, secrets=(Secret(ACCESS_TOKEN),), idempotency_key="key")

    failure = failure_of(connect_to(qoder), request)

    shown = f"{failure} {failure!r}"
    leaked = [form for form in spellings(ACCESS_TOKEN) | spellings(qoder.api_token) if form.lower() in shown.lower()]
    assert [] == leaked
    assert str(failure).isprintable()
    assert len(str(failure)) < 1000


def test_a_message_that_no_terminal_can_show_is_made_fit(qoder: Emulator, transport: Transport) -> None:
    """What is no text (a lone surrogate) goes out of the line: Pulumi's protocol could not carry it."""
    body = rb'{"type": "error", "error": {"type": "invalid_request_error", "message": "bad \ud800 name\u0007"}}'
    qoder.fail_next("GET", "/vaults", Effect("surrogate", status=400, headers=JSON, body=body))

    line = line_of(transport, GET)

    assert line.isprintable(), repr(line)
    assert line.encode()


def test_no_exception_of_a_failed_request_holds_a_secret(qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """Neither the error nor anything chained to it shows the API token or the body that was sent."""
    qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    request = Request("POST", "/vaults", body={"access_token": ACCESS_TOKEN}, secrets=(Secret(ACCESS_TOKEN),))

    text = "".join(traceback.format_exception(failure_of(connect_to(qoder), request)))

    assert ACCESS_TOKEN not in text
    assert qoder.api_token not in text
    assert "httpx" not in text


# How fast


def moments_of(limiter: Limiter, count: int, fake_time: Any) -> list[float]:
    return [fake_time.moment_s + (limiter.wait_s(1e9) or 0.0) for _ in range(count)]


@pytest.mark.parametrize("rate", [1, 20, 50, 0.5, 3.3])
def test_requests_are_evenly_spaced(rate: float, fake_time: Any) -> None:
    """No burst: neighbours are as far apart as the rate asks for, the first ones too, and never much further."""
    moments = moments_of(Limiter(rate, fake_time.clock), 50, fake_time)

    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert min(gaps) >= 1 / rate
    assert max(gaps) <= 1.1 / rate


@pytest.mark.parametrize("rate", [1, 20, 50])
def test_at_most_the_rate_in_any_second(rate: int, fake_time: Any) -> None:
    """Whichever second one looks at, there are no more than the rate."""
    moments = moments_of(Limiter(rate, fake_time.clock), 200, fake_time)

    assert max(sum(start <= moment < start + 1 for moment in moments) for start in moments) <= rate


def test_an_idle_time_is_not_saved_up(fake_time: Any) -> None:
    """After a pause there is no burst either."""
    limiter = Limiter(10, fake_time.clock)
    limiter.wait_s(1)
    fake_time.sleep(60)

    assert [0.0, pytest.approx(0.105), pytest.approx(0.21)] == [limiter.wait_s(1) for _ in range(3)]


def test_zero_lifts_the_limit(fake_time: Any) -> None:
    """0 is no limit."""
    limiter = Limiter(0, fake_time.clock)

    assert {0.0} == {limiter.wait_s(0) for _ in range(100)}


def test_a_place_too_far_away_is_not_taken(fake_time: Any) -> None:
    """Who cannot wait takes no place from those who can."""
    limiter = Limiter(1, fake_time.clock)

    assert [0.0, None, None, pytest.approx(1.05)] == [
        limiter.wait_s(1),
        limiter.wait_s(1),
        limiter.wait_s(0),
        limiter.wait_s(2),
    ]


def test_threads_share_one_limit(fake_time: Any) -> None:
    """Eight threads get places as one would: none twice."""
    limiter = Limiter(20, fake_time.clock)
    waits: list[float] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        for _ in range(25):
            waits.append(limiter.wait_s(1e9) or 0.0)  # noqa: PERF401 a list's append is atomic

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [pytest.approx(number * 1.05 / 20) for number in range(200)] == sorted(waits)


def test_reads_and_writes_have_limits_of_their_own(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """A GET waits for reads only, everything else for writes."""
    transport = connect_to(qoder, max_reads_per_second=10.0, max_writes_per_second=2.0)

    for _ in range(3):
        transport.send(GET)
    assert pytest.approx(0.21) == fake_time.passed_s

    for _ in range(3):
        with pytest.raises(errors.NotFound):
            transport.send(Request("DELETE", "/vaults/vault_1"))
    assert pytest.approx(0.21 + 1.05) == fake_time.passed_s


def test_a_wait_for_the_limit_past_the_budget_fails_at_once(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """Where the rate leaves no place in the time, nothing is sent, and the error says so."""
    transport = connect_to(qoder, max_writes_per_second=0.1, timeout_s=5.0)
    failure_of(transport, CREATE)

    assert "POST /vaults: not sent: no free slot under the rate limit before qoder:timeout (5s) expires" == line_of(
        transport, CREATE
    )
    own = replace(CREATE, deadline_s=fake_time.clock.monotonic_s() + 5, is_recovery=True)
    failure_of(transport, own)  # it goes before the queue, but not before the likes of it
    assert "POST /vaults: not sent: no free slot under the rate limit before the recovery time (5s) expires" == line_of(
        transport, own
    )
    assert (2, 0.0) == (len(qoder.requests), fake_time.passed_s)


def test_a_recovery_goes_before_the_queue(fake_time: Any) -> None:
    """What is taken back does not wait behind what is still to be made; that moves on by one place."""
    limiter = Limiter(10, fake_time.clock)
    for _ in range(100):
        limiter.wait_s(60)

    assert [0.0, pytest.approx(0.105), pytest.approx(0.21)] == [limiter.wait_s(30, goes_first=True) for _ in range(3)]
    assert pytest.approx(103 * 0.105) == limiter.wait_s(60)


def test_a_recovery_waits_for_a_pause(fake_time: Any) -> None:
    """A 429 stops it, too, but does not make it slower."""
    limiter = Limiter(10, fake_time.clock)
    for _ in range(100):
        limiter.wait_s(60)
    limiter.slow_down(3.0)

    assert [3.0, pytest.approx(3.105)] == [limiter.wait_s(30, goes_first=True) for _ in range(2)]


@pytest.mark.parametrize("is_recovery", [False, True])
def test_a_request_of_a_recovery_is_known_by_it(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any, is_recovery: bool
) -> None:
    """Only what looks for, or takes back, what was done goes first."""
    transport = connect_to(qoder, max_reads_per_second=0.1)
    transport.send(GET)

    transport.send(replace(GET, is_recovery=is_recovery))

    assert ([] if is_recovery else [pytest.approx(10.5)]) == fake_time.slept_s


def test_who_has_a_place_waits_for_a_pause_too(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 429 that comes while a request waits for its place stops it: it takes another one, after the pause."""
    paused: list[float] = []

    def refused_meanwhile(limiter: Limiter) -> bool:
        if not paused:
            paused.append(5.0)
            limiter.slow_down(5.0)
        return is_paused(limiter)

    is_paused = Limiter.is_paused
    monkeypatch.setattr(Limiter, "is_paused", refused_meanwhile)
    transport = connect_to(qoder, max_reads_per_second=1.0)

    for _ in range(2):
        transport.send(GET)

    assert [pytest.approx(1.05), pytest.approx(5.0)] == fake_time.slept_s


# Slower after a 429


def gap_s(limiter: Limiter, fake_time: Any) -> float:
    """The spacing at this moment: how long the second of two requests has to wait."""
    fake_time.sleep(limiter.wait_s(1e9) or 0.0)
    wait_s = limiter.wait_s(1e9) or 0.0
    fake_time.sleep(wait_s)
    return wait_s


def test_a_429_doubles_the_spacing(fake_time: Any) -> None:
    """Others use the same account: both of us together were too fast."""
    limiter = Limiter(10, fake_time.clock)
    limiter.slow_down(0)

    assert pytest.approx(0.21) == gap_s(limiter, fake_time)


def test_429s_within_a_second_count_once(fake_time: Any) -> None:
    """Requests that were under way together are refused together; one that is refused later says: slower still."""
    limiter = Limiter(1000, fake_time.clock)
    for _ in range(10):
        limiter.slow_down(0)
        fake_time.sleep(0.09)
    assert pytest.approx(0.00105 * (1 + 29.1 / 30)) == gap_s(limiter, fake_time)

    fake_time.sleep(0.1)
    limiter.slow_down(0)
    assert pytest.approx(2 * 0.00105 * (1 + 29 / 30), rel=1e-3) == gap_s(limiter, fake_time)


def test_it_is_never_more_than_16_times_slower(fake_time: Any) -> None:
    """A server that refuses everything does not stop the work for good."""
    limiter = Limiter(1000, fake_time.clock)
    for _ in range(20):
        fake_time.sleep(1)
        limiter.slow_down(0)

    assert pytest.approx(16 * 0.00105) == gap_s(limiter, fake_time)


@pytest.mark.parametrize(("after_s", "factor"), [(0, 2.0), (7.5, 1.75), (15, 1.5), (22.5, 1.25), (30, 1.0), (300, 1.0)])
def test_the_rate_comes_back_evenly_in_30_s(fake_time: Any, after_s: float, factor: float) -> None:
    """The configured rate is there again 30 s after the last 429, and never more than it."""
    limiter = Limiter(1000, fake_time.clock)
    limiter.slow_down(0)
    fake_time.sleep(after_s)

    assert pytest.approx(factor * 0.00105, rel=1e-3) == gap_s(limiter, fake_time)


@pytest.mark.parametrize(("asked_s", "pause_s"), [(0, 0), (3, 3), (10, 10), (11, 10), (86400, 10)])
@pytest.mark.parametrize("rate", [20, 0])
def test_a_429_stops_everybody_for_a_while(fake_time: Any, rate: int, asked_s: float, pause_s: float) -> None:
    """All requests wait as long as one was told to, and at most 10 s; also where the limit is lifted."""
    limiter = Limiter(rate, fake_time.clock)
    limiter.slow_down(asked_s)

    assert pytest.approx(pause_s) == limiter.wait_s(1e9)


def test_a_lifted_limit_only_pauses(fake_time: Any) -> None:
    """Where there is no spacing there is none to double."""
    limiter = Limiter(0, fake_time.clock)
    limiter.slow_down(3)

    assert [3.0] * 5 == [limiter.wait_s(1e9) for _ in range(5)]
    fake_time.sleep(3)
    assert [0.0] * 5 == [limiter.wait_s(0) for _ in range(5)]


def test_a_429_slows_its_own_kind_only(qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any) -> None:
    """After a refused write the next writes wait, and come at half the rate; reads do not."""
    transport = connect_to(qoder, max_writes_per_second=10.0)
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after="7")
    failure_of(transport, replace(CREATE, deadline_s=fake_time.clock.monotonic_s() + 1))

    transport.send(GET)
    assert [] == fake_time.slept_s

    for _ in range(2):
        failure_of(transport, CREATE)
    assert [7.0, pytest.approx(0.21)] == fake_time.slept_s


# Whose clock


def dated(serve_raw: Callable[..., Any], date: Callable[[], str]) -> str:
    """The base URL of a server that says what time it is."""
    return serve_raw(lambda connection, _: connection.sendall(answer("200 OK", b"{}", f"Date: {date()}"))).base_url


@pytest.mark.parametrize("ahead_s", [-3600.25, -0.5, 0.0, 0.999, 100.9, 3600.0])
def test_the_servers_clock_is_learnt(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, ahead_s: float
) -> None:
    """`Date` tells how far it is ahead, to a second, and never says more than is true."""
    now_s = fake_time.clock.now_s
    base_url = dated(serve_raw, lambda: email.utils.formatdate(now_s() + ahead_s, usegmt=True))
    transport = connect_to(qoder, base_url=base_url)
    assert 0.0 == transport.ahead_s

    transport.send(GET)

    assert ahead_s - 1 < transport.ahead_s <= ahead_s


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S -0000", "%a %b %d %H:%M:%S %Y"])
def test_a_date_without_a_zone_is_utc(
    serve_raw: Callable[..., Any],
    connect_to: Callable[..., Transport],
    qoder: Emulator,
    fake_time: Any,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    """Where this machine is says nothing about a date from elsewhere."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    date = time.strftime(form, time.gmtime(fake_time.clock.now_s()))
    transport = connect_to(qoder, base_url=dated(serve_raw, lambda: date))
    try:
        transport.send(GET)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert -1 < transport.ahead_s <= 0


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "Thu, 99 Jan 2026 00:00:00 GMT",
        "Fri, 31 Dec 9999999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_a_date_that_is_none_or_absurd_teaches_nothing(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, date: str
) -> None:
    """What was learnt before stays; no clock is more than a day off."""
    dates = iter([email.utils.formatdate(fake_time.clock.now_s() + 100, usegmt=True), date])
    transport = connect_to(qoder, base_url=dated(serve_raw, lambda: next(dates)))
    transport.send(GET)
    learnt_s = transport.ahead_s

    transport.send(GET)

    assert learnt_s == transport.ahead_s
    assert 99 < learnt_s <= 100
