"""How a request is sent: again where that is safe, and waited for as long as it may take."""

from __future__ import annotations

import email.utils
import queue
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent import futures
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.request import Failure, Outcome, Request
from pulumi_qoder_vault.api.retry import Transport, may_repeat
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings
from unit.api.sending import (
    API_TOKEN,
    CREATE,
    DELETE,
    GET,
    JSON,
    envelope,
    fail_to_connect,
    failure_of,
    items_of,
    line_of,
    response,
)

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


# Once more?


@pytest.mark.parametrize("fault", [*TRANSPORT_ERRORS, *RATE_LIMITED, *SERVER_ERRORS], ids=repr)
def test_what_is_the_same_twice_is_sent_again(qoder: Emulator, transport: Transport, fault: Fault) -> None:
    """A repeatable request goes again after a transport error, 408, 429 and 5xx."""
    qoder.fail_next("GET", "/vaults", fault, times=2)

    assert [] == items_of(transport)
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

    def respond(self, data: bytes) -> None:
        for client in self._queued:
            client.close()
        self._listener.settimeout(20)
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if connection.recv(65536):
                    connection.sendall(data)
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
        server.respond(response("200 OK", b"{}"))
        assert {} == sending.result(30)

    assert 3 <= after_s < 5
    assert line.startswith(f"no connection to 127.0.0.1:{server.port} after 3 s: retrying until qoder:timeout (2m) ")
    assert told.empty()


def test_a_slow_response_is_no_wait_for_a_connection(serve_raw: Callable[..., Any], closing: ExitStack) -> None:
    """Where there is a connection, the network is not at fault."""

    def slowly(connection: socket.socket, _: bytes) -> None:
        time.sleep(1.2)
        connection.sendall(response("200 OK", b"{}"))

    told: list[str] = []
    transport = Transport(Settings(Secret(API_TOKEN), serve_raw(slowly).base_url), "unit-tests/1", told_after_s=0.6)
    closing.callback(transport.close)

    assert {} == transport.send(replace(GET, tell=told.append))
    assert [] == told


@pytest.mark.parametrize("maybe_done", [Fault.ERROR_BEFORE_COMMIT, Fault.DROP_AFTER_COMMIT], ids=repr)
def test_an_earlier_attempt_may_have_done_it(qoder: Emulator, transport: Transport, maybe_done: Fault) -> None:
    """What one attempt leaves open, a later 429 does not settle."""
    qoder.fail_next("DELETE", "/vaults/*", maybe_done)
    qoder.fail_next("DELETE", "/vaults/*", Fault.RATE_LIMITED_SILENT, times=None)

    failure = failure_of(transport, DELETE)

    assert (True, errors.RateLimited) == (failure.may_be_done, type(failure))


def test_a_refused_connection_does_not_settle_it_either(
    qoder: Emulator, connect_with: Callable[..., Transport], fake_time: Any
) -> None:
    """A server that took the request and then went away may have done it, though the last attempt was not sent."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.DROP_AFTER_COMMIT)

    def sleep(wait_s: float) -> None:
        qoder.stop()
        fake_time.sleep(wait_s)

    failure = failure_of(connect_with(replace(fake_time.clock, sleep=sleep), qoder), DELETE)

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


@pytest.mark.parametrize(
    ("outcome", "repeatable", "other"),
    [(Outcome.NOT_HANDLED, True, True), (Outcome.UNKNOWN, True, False), (Outcome.FINAL, False, False)],
)
def test_what_goes_again_is_decided_by_what_a_failure_proves(outcome: Outcome, repeatable: bool, other: bool) -> None:
    """What was not handled always goes again, what may have been handled only where that does nothing twice."""
    failure = Failure(errors.OutcomeUnknown("lost"), outcome)

    assert (repeatable, other) == (may_repeat(GET, failure), may_repeat(CREATE, failure))


# Once the run is over


@pytest.fixture
def over() -> threading.Event:
    """Set once this run is cancelled."""
    return threading.Event()


@pytest.fixture
def connect_cancelled(
    connect_with: Callable[..., Transport], qoder: Emulator, fake_time: Any, over: threading.Event
) -> Callable[..., Transport]:
    """Connect by a clock that cancels the run in the first wait."""

    def sleep(wait_s: float) -> None:
        if not over.is_set():
            fake_time.sleep(wait_s)
        over.set()

    clock = replace(fake_time.clock, sleep=sleep, is_over=over.is_set)
    return lambda **settings: connect_with(clock, qoder, **settings)


def test_nothing_begins_once_the_run_is_over(
    connect_cancelled: Callable[..., Transport], qoder: Emulator, over: threading.Event
) -> None:
    """A request that begins something is not sent; one that goes on with something is."""
    over.set()

    line = line_of(connect_cancelled(), replace(CREATE, begins=True))
    assert "POST /vaults: not sent: this run was cancelled" == line
    assert isinstance(failure_of(connect_cancelled(), CREATE), errors.BadRequest)
    assert 1 == len(qoder.requests)


@pytest.mark.parametrize("is_recovery", [False, True])
def test_a_slot_after_the_end_of_the_run_is_for_recovery_only(
    connect_cancelled: Callable[..., Transport], qoder: Emulator, is_recovery: bool
) -> None:
    """What waits for its slot when the run is cancelled is not sent, unless it looks for what was done."""
    transport = connect_cancelled(max_reads_per_second=1.0)
    request = replace(GET, is_recovery=is_recovery)
    transport.send(request)

    if is_recovery:
        assert [] == items_of(transport, request)
    else:
        assert "GET /vaults: not sent: this run was cancelled" == line_of(transport, request)
    assert (2 if is_recovery else 1) == len(qoder.requests)


def test_no_slot_is_too_late_for_recovery_once_the_run_is_over(
    connect_cancelled: Callable[..., Transport], over: threading.Event
) -> None:
    """Nobody waits any more: what is to be taken back is sent, whatever time is left."""
    transport = connect_cancelled(max_reads_per_second=0.001)
    request = replace(GET, is_recovery=True, deadline_s=1030.0)
    over.set()

    assert [[], [], []] == [items_of(transport, request) for _ in range(3)]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.ERROR_BEFORE_COMMIT, r"gave up after 1(\.\d)? s and 2 attempts: this run was cancelled"),
        (Fault.RATE_LIMITED, "Qoder asks to wait 1 s, but this run was cancelled"),
    ],
    ids=["500", "429"],
)
def test_nothing_goes_again_once_the_run_is_over(
    connect_cancelled: Callable[..., Transport], qoder: Emulator, fault: Fault, why: str
) -> None:
    """The attempt that follows the wait is the last one, and its error says why."""
    qoder.fail_next("GET", "/vaults", fault, times=None)

    line = line_of(connect_cancelled(), GET)

    assert re.search(f"; {why}$", line), line
    assert 2 == len(qoder.requests)


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
        connection.sendall(response(status, b"{}", f"Date: {now}", *([f"Retry-After: {later}"] if is_first else [])))

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


def test_no_api_token_is_said_before_anything_is_sent(qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """The first call to the API is the one that needs an API token."""
    assert (
        "GET /vaults: not sent: no API token is set; set qoder:apiToken (pulumi config set --secret "
        "qoder:apiToken) or QODER_PAT"
    ) == line_of(connect_to(qoder, api_token=None), GET)
    assert [] == qoder.requests


KEEPING = "keeping to the rate limit: waiting"


def test_a_long_wait_is_told(connect_to: Callable[..., Transport], qoder: Emulator) -> None:
    """With its reason, and how long it is; one of up to two seconds is not worth a line."""
    told: list[str] = []
    qoder.fail_next("GET", "/vaults", Fault.ERROR_BEFORE_COMMIT, times=2)
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=7)

    connect_to(qoder, max_reads_per_second=0.2).send(replace(GET, tell=told.append))

    lines = [re.sub(r"waiting [2-4](\.\d)? s$", "waiting", line) for line in told]
    assert {"GET /vaults failed; retrying: waiting", "Qoder limits the rate: waiting 7 s", KEEPING} == set(lines)
    assert 1 == lines.count("GET /vaults failed; retrying: waiting"), "the first wait is a short one"


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


@pytest.mark.parametrize("is_recovery", [False, True])
def test_a_request_of_a_recovery_is_known_by_it(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any, is_recovery: bool
) -> None:
    """Only what looks for, or takes back, what was done goes first."""
    transport = connect_to(qoder, max_reads_per_second=0.1)
    transport.send(GET)

    transport.send(replace(GET, is_recovery=is_recovery))

    assert ([] if is_recovery else [pytest.approx(10.5)]) == fake_time.slept_s


def test_a_request_that_has_a_slot_waits_for_a_pause_too(
    qoder: Emulator, connect_with: Callable[..., Transport], fake_time: Any
) -> None:
    """A 429 that comes while a request waits for its slot stops it: it takes another one, after the pause."""

    def sleep(wait_s: float) -> None:
        fake_time.sleep(wait_s)
        if len(fake_time.slept_s) == 1:
            qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=5)
            first = replace(GET, is_recovery=True, deadline_s=fake_time.clock.monotonic_s() + 1)
            assert isinstance(failure_of(transport, first), errors.RateLimited)

    transport = connect_with(replace(fake_time.clock, sleep=sleep), qoder, max_reads_per_second=1.0)

    for _ in range(2):
        transport.send(GET)

    assert [pytest.approx(1.05), pytest.approx(5.0)] == fake_time.slept_s


GATEWAY_PAGE = b"<html><body>503 Service Temporarily Unavailable</body></html>"


@pytest.mark.parametrize(
    "effect",
    [
        Effect("429", status=429),
        Effect("a gateway's 502", status=502, body=GATEWAY_PAGE),
        Effect("a gateway's 503", status=503, body=GATEWAY_PAGE),
        Effect("a gateway's 503 in JSON", status=503, body=b'{"message": "Service Unavailable"}'),
    ],
    ids=repr,
)
@pytest.mark.parametrize(("refused", "other"), [(CREATE, GET), (GET, CREATE)], ids=["a write", "a read"])
def test_overload_slows_the_whole_process_down(
    qoder: Emulator,
    connect_to: Callable[..., Transport],
    fake_time: Any,
    effect: Effect,
    refused: Request,
    other: Request,
) -> None:
    """Reads and writes alike wait as long as one was told to, and then come at half the rate."""
    transport = connect_to(qoder, max_writes_per_second=10.0, max_reads_per_second=10.0)
    qoder.fail_next(refused.method, "/vaults", replace(effect, headers=(("Retry-After", "7"),)))
    failure_of(transport, replace(refused, deadline_s=fake_time.clock.monotonic_s() + 1))

    for request in (other, other, refused):
        send_whatever(transport, request)

    assert [7.0, pytest.approx(0.21), pytest.approx(0.0)] == [*fake_time.slept_s, 0.0]


def send_whatever(transport: Transport, request: Request) -> None:
    with suppress(errors.QoderError):
        transport.send(request)


@pytest.mark.parametrize(
    "effect",
    [
        Effect("the API's own 503", status=503, headers=JSON, body=envelope("api_error", "no")),
        Effect("500", status=500),
        Effect("504", status=504, body=GATEWAY_PAGE),
        Effect("408", status=408),
        Effect("501", status=501),
        Effect("409", status=409),
    ],
    ids=repr,
)
def test_what_is_about_one_request_slows_nobody_down(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any, effect: Effect
) -> None:
    """A server error in the API's envelope is no sign of load; nor is one that says nothing of it."""
    transport = connect_to(qoder, max_writes_per_second=10.0)
    qoder.fail_next("POST", "/vaults", effect)

    for _ in range(2):
        failure_of(transport, CREATE)

    assert [pytest.approx(0.105)] == fake_time.slept_s


# Definite refusals, and lost responses


NOT_AVAILABLE = [
    Effect("501", status=501),
    Effect("501 of a gateway", status=501, body=b"<html>Not Implemented</html>"),
    Effect("501 in the envelope", status=501, headers=JSON, body=envelope("feature_not_available", "No.")),
    Effect("501 of another type", status=501, headers=JSON, body=envelope("api_error", "No.")),
    Effect("503", status=503, headers=JSON, body=envelope("feature_not_available", "No.")),
]


@pytest.mark.parametrize("effect", NOT_AVAILABLE, ids=repr)
@pytest.mark.parametrize("request_", [GET, DELETE, CREATE], ids=str)
def test_what_qoder_does_not_offer_is_refused_once(
    qoder: Emulator, transport: Transport, fake_time: Any, effect: Effect, request_: Request
) -> None:
    """Nothing was done, and nothing is asked again."""
    qoder.fail_next("*", "/**", effect, times=None)

    failure = failure_of(transport, request_)

    assert (errors.NotAvailable, False) == (type(failure), failure.may_be_done)
    assert (1, []) == (len(qoder.requests), fake_time.slept_s)


def test_a_refusal_does_not_settle_what_an_earlier_attempt_left_open(qoder: Emulator, transport: Transport) -> None:
    """The first attempt may have done it."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.DROP_AFTER_COMMIT)
    qoder.fail_next("DELETE", "/vaults/*", Effect("501", status=501), times=None)

    failure = failure_of(transport, DELETE)

    assert (errors.NotAvailable, True) == (type(failure), failure.may_be_done)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("location", ["", "/vaults/vault_1", "https://elsewhere.example/", "http://xn--/", "https://["])
@pytest.mark.parametrize("request_", [GET, DELETE, CREATE], ids=str)
def test_a_redirect_of_a_write_is_a_lost_response(
    qoder: Emulator, transport: Transport, fake_time: Any, status: int, location: str, request_: Request
) -> None:
    """A 303 may lead to what a create has made. No redirect is followed, and none is asked for again."""
    headers = (("Location", location),) if location else ()
    qoder.fail_next("*", "/**", Effect("moved", status=status, headers=headers), times=None)

    failure = failure_of(transport, request_)

    is_read = request_ is GET
    assert (errors.Unreachable if is_read else errors.OutcomeUnknown, not is_read) == (
        type(failure),
        failure.may_be_done,
    )
    assert (1, []) == (len(qoder.requests), fake_time.slept_s)
