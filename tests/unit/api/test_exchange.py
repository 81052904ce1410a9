"""A service account on the wire: exchanges beside requests, and services that break every assumption about one."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api import watchdog
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.request_log import RequestLog
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.authentication import EXCHANGE_PATH
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.setting_sources import Source
from pulumi_qoder_vault.settings import Settings
from unit.api.sending import CREATE, GET, fail_to_connect, failure_of, host_of, response

KEY = "sa-canary-0123456789"
TOKEN = "sat-canary-0123456789"
SOURCE = Source("qoder:serviceAccountKey", "QODER_SA_KEY")
ACCOUNT: dict[str, Any] = {
    "api_token": None,
    "service_account_key": Secret(KEY),
    "service_account_key_source": SOURCE,
}
ADVICE = "the service-account key is from QODER_SA_KEY; set QODER_SA_KEY to a valid one"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
VAULTS = response("200 OK", b'{"data": [], "has_more": false}')
Connect = Callable[..., Transport]


def granted(**changes: Any) -> bytes:
    """The response to an exchange."""
    body = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, **changes}
    return response("200 OK", json.dumps({key: value for key, value in body.items() if value is not ...}).encode())


class Service:
    """An exchange, and an API beside it: each answers as a test tells it to."""

    def __init__(self, serve_raw: Callable[..., Any], exchange: Any, api: Any = VAULTS) -> None:
        self._answers = {True: exchange, False: api}
        self.server = serve_raw(self._respond)
        self.base_url: str = self.server.base_url
        self.api_token = ""

    def _respond(self, connection: socket.socket, request: bytes) -> None:
        answer = self._answers[f"POST {EXCHANGE_PATH} ".encode() in request]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)

    @property
    def asked(self) -> list[str]:
        """What was asked, in order."""
        lines = [request.partition(b" HTTP")[0].decode().partition("?")[0] for request in self.server.requests]
        return ["exchange" if EXCHANGE_PATH in line else line.replace("/api/", "/") for line in lines]

    @property
    def bearers(self) -> list[str]:
        return [
            line.partition(": Bearer ")[2]
            for request in self.server.requests
            for line in request.decode().splitlines()
            if line.lower().startswith("authorization")
        ]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"


@pytest.fixture
def service(serve_raw: Callable[..., Any]) -> Callable[..., Service]:
    return lambda exchange, api=VAULTS: Service(serve_raw, exchange, api)


@pytest.fixture
def account_at(connect_to: Connect) -> Connect:
    """Connect with a service-account key."""
    return lambda qoder, **settings: connect_to(qoder, **{**ACCOUNT, **settings})


@pytest.fixture
def emulated(start: Callable[..., Emulator], fake_time: Any) -> Callable[..., Emulator]:
    """Start an emulator that knows the key, and whose tokens expire by the fake time."""

    def clock() -> datetime:
        return datetime.fromtimestamp(fake_time.clock.now_s(), UTC)

    return lambda revision="2026-07", **options: start(revision, clock=clock, service_account_keys=[KEY], **options)


def asked(qoder: Emulator) -> list[tuple[str, int | None]]:
    return [("exchange" if it.path == EXCHANGE_PATH else it.method, it.status) for it in qoder.requests]


# As it should be


def test_the_first_request_exchanges_the_key(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """Not the connection, and no later request; the API never sees the key."""
    qoder = emulated()
    transport = account_at(qoder, workspace_id="ws_1")
    assert [] == qoder.requests
    for request in (GET, CREATE, GET):
        transport.send(request if request is GET else Request("POST", "/vaults", body={"display_name": "v"}))

    assert [("exchange", 200), ("GET", 200), ("POST", 200), ("GET", 200)] == asked(qoder)
    assert [None, "ws_1"] == [it.headers.get("qoder-workspace-id") for it in qoder.requests[:2]]


def test_one_exchange_for_each_period(account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any) -> None:
    """Of tokens that live 2 s, in the middle of a run: none is refused, and none is fetched too early."""
    qoder = emulated(service_token_ttl_s=2.0)
    transport = account_at(qoder)
    for _ in range(40):
        transport.send(GET)
        fake_time.sleep(0.2)

    # Fetched again at 1.8 s, the moment of every ninth request.
    assert {("GET", 200): 40, ("exchange", 200): 5} == Counter(asked(qoder))


def test_a_rate_limit_does_not_make_a_token_old(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any
) -> None:
    """A request may wait for its slot longer than a token lives: it is sent with one that is good then."""
    qoder = emulated(service_token_ttl_s=2.0)
    transport = account_at(qoder, max_reads_per_second=0.25)
    for _ in range(4):
        transport.send(GET)

    assert fake_time.passed_s > 8.0
    assert {200} == {status for _, status in asked(qoder)}


def test_a_revoked_token_costs_one_exchange(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """The request is refused, the key is exchanged, and the request goes again: a create makes one vault."""
    qoder = emulated()
    transport = account_at(qoder)
    transport.send(GET)
    qoder.revoke_service_tokens()
    qoder.clear_requests()
    transport.send(Request("POST", "/vaults", body={"display_name": "v"}, idempotency_key="key", begins=True))

    assert [("POST", 401), ("exchange", 200), ("POST", 200)] == asked(qoder)
    assert ["v"] == [vault.display_name for vault in qoder.vaults]


def test_many_refused_requests_share_one_exchange(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """Whoever was refused with the old token uses the one that the first of them fetched."""
    qoder = emulated(latency_s=0.05)
    transport = account_at(qoder)
    transport.send(GET)
    qoder.revoke_service_tokens()
    qoder.clear_requests()
    with ThreadPoolExecutor(12) as threads:
        for done in [threads.submit(transport.send, GET) for _ in range(12)]:
            done.result(30)

    count = Counter(asked(qoder))
    assert (1, 12) == (count["exchange", 200], count["GET", 200])
    assert count["GET", 401] >= 1


def test_a_revoked_key_is_said_with_its_source(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """The token is refused, and so is the key: the line names the exchange's host, and is not repeated."""
    qoder = emulated()
    transport = account_at(qoder)
    transport.send(GET)
    qoder.revoke_service_account_key(KEY)
    failure = failure_of(transport, GET)

    assert isinstance(failure, errors.ExchangeFailed)
    assert (
        f"GET /vaults: not sent: POST {EXCHANGE_PATH}: the exchange refused the service-account key: Invalid service "
        "account key (401 authentication_error, request_id req_"
    ) in str(failure)
    assert str(failure).endswith(f", host {host_of(qoder)}): {ADVICE}")
    assert [("exchange", 200), ("GET", 200), ("GET", 401), ("exchange", 401)] == asked(qoder)


def test_a_second_401_is_final(account_at: Connect, service: Callable[..., Service]) -> None:
    """The API refuses every token: exchanged once more, repeated once, and the line names the API's host."""
    grants = [granted(access_token=f"{TOKEN}-{number}") for number in range(3)]
    qoder = service(grants, response("401 Unauthorized"))
    failure = failure_of(account_at(qoder), GET)

    assert isinstance(failure, errors.Unauthorized)
    assert ["exchange", "GET /vaults", "exchange", "GET /vaults"] == qoder.asked
    assert [KEY, f"{TOKEN}-0", KEY, f"{TOKEN}-1"] == qoder.bearers
    assert f"(401, host {qoder.host}): {ADVICE}" in str(failure)


def test_a_401_is_renewed_once_in_a_call(account_at: Connect, service: Callable[..., Service]) -> None:
    """Also where another failure comes between two of them."""
    api = [response("401 Unauthorized"), response("503 Service Unavailable"), response("401 Unauthorized")]
    qoder = service(granted(), api)
    failure_of(account_at(qoder), GET)

    assert ["exchange", "GET /vaults", "exchange", "GET /vaults", "GET /vaults"] == qoder.asked


def test_an_api_token_is_not_exchanged(connect_to: Connect, emulated: Callable[..., Emulator]) -> None:
    """And its 401 is final at once."""
    qoder = emulated()
    connect_to(qoder).send(GET)
    failure_of(connect_to(qoder, api_token=Secret("pt-wrong")), GET)

    assert [("GET", 200), ("GET", 401)] == asked(qoder)


# Failures that pass


@pytest.mark.parametrize(
    ("fault", "waits_s"),
    [
        (Fault.RATE_LIMITED_SILENT, 5.0),
        (Fault.RATE_LIMITED, 5.0),
        (Fault.ERROR_BEFORE_COMMIT, 5.0),
        (Fault.BAD_GATEWAY_BEFORE_COMMIT, 5.0),
        (Fault.UNAVAILABLE_RETRY_AFTER, 5.0),
        (Fault.FEATURE_NOT_AVAILABLE, 5.0),
        (Fault.DROP_BEFORE_COMMIT, 5.0),
        (Fault.DROP_AFTER_COMMIT, 5.0),
        (Fault.RESET_BEFORE_COMMIT, 5.0),
        (Fault.TRUNCATED_AFTER_COMMIT, 5.0),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_failure_that_may_pass_is_tried_again(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any, fault: Fault, waits_s: float
) -> None:
    """After five seconds, within the time of the request, whatever that is: nothing was sent to the API."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, fault)
    account_at(qoder).send(Request("POST", "/vaults", body={"display_name": "v"}, begins=True))

    assert [waits_s] == fake_time.slept_s
    assert ["exchange", "exchange", "POST"] == [name for name, _ in asked(qoder)]


@pytest.mark.parametrize(
    ("retry_after", "waits_s"), [("2", 5.0), ("9", 9.0), ("soon", 5.0), ("-3", 5.0), ("1e99", 5.0), ("9.5", 5.0)]
)
def test_a_429_may_ask_for_a_longer_pause(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any, retry_after: str, waits_s: float
) -> None:
    """Than five seconds; whatever is no number of seconds is as if it were not there."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.RATE_LIMITED, retry_after=retry_after)
    account_at(qoder).send(GET)

    assert [pytest.approx(waits_s)] == fake_time.slept_s


def test_only_a_429_may_ask_for_a_pause(account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any) -> None:
    """As the official client has it."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.UNAVAILABLE_RETRY_AFTER, retry_after=9)
    account_at(qoder).send(GET)

    assert [5.0] == fake_time.slept_s


def test_an_exchange_takes_no_slot(account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any) -> None:
    """Under the rate limit: a request that waits for a token does not keep others waiting."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.ERROR_BEFORE_COMMIT)
    account_at(qoder, max_reads_per_second=0.2).send(GET)

    assert [5.0] == fake_time.slept_s, "for the exchange, and not for a slot"


def test_a_pause_longer_than_the_time_that_is_left(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any
) -> None:
    """It is said, and not waited for."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.RATE_LIMITED_ABSURD)
    line = str(failure_of(account_at(qoder), GET))

    assert [] == fake_time.slept_s
    assert "429 rate_limit_error, request_id req_" in line
    assert line.endswith("; Qoder asks to wait 86400 s, more than is left of qoder:timeout (2m)")


def test_an_exchange_that_stays_down_ends_with_the_request(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any
) -> None:
    """Within qoder:timeout; the line says how often, and that it was the exchange."""
    qoder = emulated()
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.ERROR_BEFORE_COMMIT, times=None)
    line = str(failure_of(account_at(qoder, timeout_s=17.0), GET))

    assert [5.0, 5.0, 5.0] == fake_time.slept_s
    assert "the exchange of the service-account key failed: Internal server error (500 api_error" in line
    assert "gave up after 15 s and 4 attempts: no time for another attempt before qoder:timeout (17s) expires" in line


def test_a_renewal_that_fails_is_not_seen(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any
) -> None:
    """The old token serves for its last minute, and each five seconds the exchange is tried again."""
    qoder = emulated()
    transport = account_at(qoder)
    transport.send(GET)
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.ERROR_BEFORE_COMMIT, times=3)
    fake_time.sleep(3541.0)
    for _ in range(20):
        transport.send(GET)
        fake_time.sleep(1.0)

    assert {("GET", 200): 21, ("exchange", 500): 3, ("exchange", 200): 2} == Counter(asked(qoder))
    assert [3541.0, *[1.0] * 20] == fake_time.slept_s


def test_a_host_that_is_not_there_is_given_up(
    account_at: Connect, emulated: Callable[..., Emulator], monkeypatch: pytest.MonkeyPatch, fake_time: Any
) -> None:
    """After four attempts, as for every request."""
    qoder = emulated()
    transport = account_at(qoder)
    fail_to_connect(monkeypatch, ConnectionRefusedError(111, "Connection refused"))
    line = str(failure_of(transport, GET))

    assert [5.0] * 3 == fake_time.slept_s
    assert f"POST {EXCHANGE_PATH}: no connection to {host_of(qoder)} (" in line
    assert line.endswith("; gave up after 15 s and 4 attempts")


# Services that break an assumption


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


HUGE = b'{"access_token": "' + b"x" * (17 * 1024 * 1024) + b'"}'
HTML = b"<html>sat-canary</html>"
REFUSED = "the exchange refused the service-account key"
FAILED = "the exchange of the service-account key failed"
PROXY = ": check the proxy, and qoder:baseUrl, whose host chooses that of the exchange"
NOT_JSON = "the response (200, host HOST) is not JSON; check qoder:baseUrl and the proxy"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "HTML": (response("200 OK", HTML), NOT_JSON),
    "HTML 404": (response("404 Not Found", HTML), f"{FAILED} (404, host HOST){PROXY}"),
    "empty": (response("200 OK"), "the response (host HOST) is not a token: it is not a JSON object"),
    "204": (response("204 No Content"), "the response (host HOST) is not a token: it is not a JSON object"),
    "a list": (response("200 OK", b"[1]"), "the response (host HOST) is not a token: it is not a JSON object"),
    "deep": (response("200 OK", b"[" * 100_000), NOT_JSON),
    "no UTF-8": (response("200 OK", b'{"access_token": "\xff\xfe"}'), NOT_JSON),
    "huge": (response("200 OK", HUGE), "the response is larger than 16 MiB (host HOST)"),
    "huge when inflated": (
        response("200 OK", gzip.compress(HUGE), "Content-Encoding: gzip"),
        "the response is larger than 16 MiB (host HOST)",
    ),
    "huge error": (response("500 Internal Server Error", HUGE), f"{FAILED} (500, host HOST){PROXY}"),
    "unasked encoding": (
        response("200 OK", b"x", "Content-Encoding: br"),
        "the response is compressed, though that was not asked for; check qoder:baseUrl and the proxy (host HOST)",
    ),
    "no token": (granted(access_token=...), "the response (host HOST) is not a token: access_token is missing"),
    "a token with a line break": (
        granted(access_token=f"{TOKEN}\r\nX-Evil: 1"),
        "the response (host HOST) is not a token: access_token cannot stand in an Authorization header",
    ),
    "another type": (granted(token_type="mac"), "the response (host HOST) is not a token: token_type is not Bearer"),
    "expires_in true": (
        granted(expires_in=True),
        "the response (host HOST) is not a token: expires_in is not a number from 1 to 43200",
    ),
    "400": (
        response("400 Bad Request", b'{"code": "bad_scope", "message": "sat-canary", "request_id": "r-1"}'),
        f"{REFUSED} (400 bad_scope, request_id r-1, host HOST): {ADVICE}",
    ),
    "403": (response("403 Forbidden", b'{"error": {"code": 7}}'), f"{REFUSED} (403, host HOST): {ADVICE}"),
    "a list as error": (response("400 Bad Request", b"[1]"), f"{REFUSED} (400, host HOST): {ADVICE}"),
    "an error that is a list": (response("403 Forbidden", b'{"error": []}'), f"{REFUSED} (403, host HOST): {ADVICE}"),
    "an echo": (
        response("401 Unauthorized", json.dumps({"error": {"code": KEY}, "request_id": f"Bearer {KEY}"}).encode()),
        f"{REFUSED} (401 ***, request_id Bearer ***, host HOST): {ADVICE}",
    ),
    "an echo in the envelope": (
        response(
            "401 Unauthorized",
            json.dumps({"type": "error", "error": {"type": "no", "message": f"Key {KEY} is bad."}}).encode(),
        ),
        f"{REFUSED}: Key *** is bad (401 no, host HOST): {ADVICE}",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_exchange_is_one_line(
    account_at: Connect, service: Callable[..., Service], name: str, fake_time: Any
) -> None:
    """Which names the host of the exchange and no secret; nothing is sent to the API."""
    answer, expected = HOSTILE[name]
    qoder = service(answer)
    failure = failure_of(account_at(qoder, timeout_s=3.0), CREATE)
    line = str(failure)

    assert line.startswith(f"POST /vaults: not sent: POST {EXCHANGE_PATH}: {expected.replace('HOST', qoder.host)}")
    assert {"exchange"} == set(qoder.asked)
    assert "canary" not in line
    assert "\n" not in line
    assert not failure.may_be_done
    assert [] == fake_time.slept_s


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_no_redirect_is_followed(account_at: Connect, service: Callable[..., Service], status: str) -> None:
    """The key goes to the host of the exchange only."""
    elsewhere = service(granted())
    qoder = service(response(status, b"", f"Location: http://{elsewhere.host}{EXCHANGE_PATH}"))
    line = str(failure_of(account_at(qoder), GET))

    assert "redirected, which is refused: the service-account key goes to this host only" in line
    assert f"({status[:3]}, host {qoder.host})" in line
    assert ([], ["exchange"]) == (elsewhere.asked, qoder.asked)


@pytest.mark.parametrize("how", ["drip", "silence"])
def test_an_exchange_ends_with_the_time_of_the_request(
    account_at: Connect, service: Callable[..., Service], how: str
) -> None:
    """Whatever drips, by the clock on the wall; and that is no failure of the service, so that no pause follows."""
    is_over = threading.Event()
    qoder = service([drip if how == "drip" else lambda _: is_over.wait(5), granted()])
    transport = account_at(qoder, timeout_s=0.4)
    began_s = time.monotonic()
    line = str(failure_of(transport, GET))
    took_s = time.monotonic() - began_s
    is_over.set()

    expected = "the response was not complete when the time of an exchange (0.4s) expired"
    assert f"POST {EXCHANGE_PATH}: {expected} (host {qoder.host})" in line
    assert took_s < 3.0
    transport.send(GET)
    assert ["exchange", "exchange", "GET /vaults"] == qoder.asked


def test_what_is_taken_back_after_a_run_still_gets_a_token(
    account_at: Connect, service: Callable[..., Service], fake_time: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange ends soon after the run that waits for it; a recovery then makes one of its own, without a pause."""
    monkeypatch.setattr(watchdog, "GRACE_S", 0.1)
    is_over = threading.Event()

    def cancelled(_: socket.socket) -> None:
        fake_time.end_in(0.0)
        is_over.wait(5)

    def slow(connection: socket.socket) -> None:
        time.sleep(0.6)  # longer than an attempt has that no recovery waits for
        connection.sendall(granted())

    qoder = service([cancelled, slow])
    transport = account_at(qoder)
    line = str(failure_of(transport, GET))
    is_over.set()
    assert f"POST {EXCHANGE_PATH}: the response was not complete when this run was cancelled" in line

    transport.send(replace(GET, is_recovery=True, deadline_s=fake_time.moment_s + 30.0))
    assert ["exchange", "exchange", "GET /vaults"] == qoder.asked


def test_a_clock_that_is_off_changes_nothing(account_at: Connect, service: Callable[..., Service]) -> None:
    """Neither a ``Date`` nor ``expires_at`` of another time."""
    head = granted(expires_at="1999-01-01T00:00:00Z", expires_in="3600")
    qoder = service(head.replace(b"\r\n\r\n", b"\r\nDate: Fri, 01 Jan 1999 00:00:00 GMT\r\n\r\n", 1))
    transport = account_at(qoder)
    transport.send(GET)
    transport.send(GET)

    assert ["exchange", "GET /vaults", "GET /vaults"] == qoder.asked


# Secrets


def test_an_exchanged_token_never_passes_the_gate(account_at: Connect, service: Callable[..., Service]) -> None:
    """Neither does the key, whatever a program has in plain text; an old token is known still."""
    grants = [granted(access_token=TOKEN, expires_in=1), granted(access_token=f"{TOKEN}-next")]
    transport = account_at(service(grants, [VAULTS, response("401 Unauthorized"), VAULTS]))
    transport.send(GET)
    transport.send(GET)
    text = f"{KEY} {TOKEN} {TOKEN}-next"
    transport.hold_back([], [text])

    assert "*** *** ***" == transport.gate.one_line(text, limit=400)


def test_an_exchange_that_echoes_an_earlier_token_does_not_show_it(
    account_at: Connect, service: Callable[..., Service]
) -> None:
    """It refuses the key, and says which token it has handed out."""
    error = {"type": "permission_error", "message": f"no more after {TOKEN}"}
    refusal = response("403 Forbidden", json.dumps({"type": "error", "error": error}).encode())
    transport = account_at(service([granted(), refusal], [VAULTS, response("401 Unauthorized")]))
    transport.send(GET)

    line = str(failure_of(transport, GET))

    assert "no more after ***" in line
    assert "canary" not in line


def test_a_state_never_holds_a_token(account_at: Connect, service: Callable[..., Service]) -> None:
    """Also where a program has the same text in plain: what a vault shows is stored."""
    vault = {"id": VAULT_ID, "type": "vault", "display_name": TOKEN, "metadata": {"key": KEY}, "archived_at": None}
    times = {"created_at": "2026-10-01T00:00:00Z", "updated_at": "2026-10-01T00:00:00Z"}
    transport = account_at(service(granted(), response("200 OK", json.dumps(vault | times).encode())))
    transport.hold_back([], [TOKEN, KEY])
    shown = Client(transport).get_vault(VAULT_ID)

    assert ("***", {"key": "***"}) == (shown.display_name, shown.metadata)


def test_what_the_api_echoes_is_hidden(account_at: Connect, service: Callable[..., Service]) -> None:
    """Message, type, parameter and request id, in any spelling."""
    echo = {"type": f"t {TOKEN}", "message": f"Bearer {TOKEN.upper()} and {KEY}", "param": TOKEN.encode().hex()}
    body = json.dumps({"type": "error", "request_id": f"{KEY}", "error": echo}).encode()
    line = str(failure_of(account_at(service(granted(), response("400 Bad Request", body))), GET))

    assert "Bearer *** and ***" in line
    assert "canary" not in line.lower()
    assert TOKEN.encode().hex() not in line


def test_the_log_has_exchanges_and_no_secret(
    account_at: Connect, emulated: Callable[..., Emulator], fake_time: Any, tmp_path: Path
) -> None:
    """One line for each attempt, as for every request: failed ones, and what was sent again."""
    qoder = emulated()
    path = tmp_path / "log"
    settings = Settings(None, qoder.base_url, max_reads_per_second=0.0, service_account_key=Secret(KEY))
    transport = Transport(settings, "unit-tests/1", fake_time.clock, log=RequestLog(str(path)))
    qoder.fail_next("POST", EXCHANGE_PATH, Fault.ECHO)
    failure_of(transport, GET)
    fake_time.sleep(5.0)
    transport.send(GET)
    transport.close()

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    seen = [(line["method"], line["path"], line["status"], line["attempt"]) for line in lines]
    exchange = ("POST", EXCHANGE_PATH)
    assert [(*exchange, 400, 1), (*exchange, 200, 2), ("GET", "/vaults", 200, 1)] == seen
    assert "canary" not in path.read_text()
    assert "sat-emulator" not in path.read_text()
    assert (path.stat().st_mode & 0o777) == 0o600


def test_the_account_is_that_of_the_key(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """A state is marked by the key, since its tokens change: the same in each run, and another one's differs."""
    qoder = emulated(service_token_ttl_s=1.0)
    transport = account_at(qoder)
    before = Client(transport).account
    transport.send(GET)

    assert before == Client(transport).account == Client(account_at(qoder)).account
    assert before != Client(account_at(qoder, service_account_key=Secret("sa-other"))).account
    assert before != Client(account_at(qoder, service_account_key=None)).account
    assert 16 == len(before.reveal())


def test_an_id_does_not_hold_the_key(account_at: Connect, emulated: Callable[..., Emulator]) -> None:
    """A program that put it there sends it to nobody."""
    qoder = emulated()
    with pytest.raises(errors.NotSent, match=r"^the id holds a secret, and was not sent"):
        Client(account_at(qoder)).get_vault(f"vault_{KEY}")

    assert [] == qoder.requests
