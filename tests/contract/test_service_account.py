"""Qoder's own client and ours exchange a service-account key side by side: the same bytes, the same decisions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import qca as client_errors
from qca.common import service_account
from qca.common.service_account import ServiceAccountCredential

from pulumi_qoder_vault.api.exchange import authentication_of
from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.authentication import Caller, NoToken, exchange_origin
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings, load
from unit.conftest import RawServer

KEY = "sa-canary-0123456789"
PATH = "/api/v1/serviceToken/exchange"
CALLER = Caller(lambda: 60.0)


class Rerouted(httpx.HTTPTransport):
    """What is meant for Qoder goes to a server of this machine."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._there = httpx.URL(base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        request.url = request.url.copy_with(scheme="http", host=self._there.host, port=self._there.port)
        request.headers["Host"] = request.url.netloc.decode()
        return super().handle_request(request)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def official(closing: ExitStack, base_url: str, _time: object = None) -> Callable[[], str]:
    """What hands out the tokens of Qoder's client."""
    http = closing.enter_context(httpx.Client(transport=Rerouted(base_url)))
    return closing.enter_context(
        ServiceAccountCredential(sa_key=KEY, region="global", scopes=["qca.access"], http_client=http)
    ).get_token


def ours(closing: ExitStack, base_url: str, time: Time | None = None) -> Callable[[], str]:
    """What hands out ours."""
    settings = Settings(None, base_url, service_account_key=Secret(KEY))
    clock = Clock(time.monotonic, time.time) if time else Clock()
    made = authentication_of(settings, "pulumi-qoder-vault/0", clock, None)
    closing.callback(made.close)
    return lambda: made.bearer(CALLER).reveal()


def test_the_requests_are_the_same_byte_for_byte(closing: ExitStack) -> None:
    """But for who asks: request line, headers in their order, and body."""
    body = json.dumps({"access_token": "sat-1", "token_type": "Bearer", "expires_in": 3600}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    server = RawServer(lambda connection, _: connection.sendall(head + body))
    closing.callback(server.stop)
    base_url = server.base_url

    assert "sat-1" == official(closing, base_url)()
    assert "sat-1" == ours(closing, base_url)()
    theirs, mine = (re.sub(rb"(?m)^User-Agent: .*\r\n", b"", request) for request in server.requests)
    assert theirs == mine
    assert f"Authorization: Bearer {KEY}\r\n".encode() in mine


@pytest.mark.parametrize("options", [{}, {"expires_in_form": "digits", "shows_expires_at": False}])
def test_both_take_what_the_emulator_grants(closing: ExitStack, options: dict[str, Any]) -> None:
    """One exchange each, whose token the API takes."""
    qoder = closing.enter_context(Emulator("2026-07", service_account_keys=[KEY], **options))
    client, account = official(closing, qoder.base_url), ours(closing, qoder.base_url)
    for _ in range(2):
        for token in (client(), account()):
            answer = httpx.get(f"{qoder.base_url}/vaults", headers={"Authorization": f"Bearer {token}"})
            assert 200 == answer.status_code

    exchanges = [request for request in qoder.requests if request.path == PATH]
    assert (2, 1) == (len(exchanges), len({json.dumps(request.body) for request in exchanges}))


def test_both_refuse_a_revoked_key(closing: ExitStack) -> None:
    """The client names the status; ours too, and where it was asked."""
    qoder = closing.enter_context(Emulator("2026-07"))
    with pytest.raises(client_errors.AuthenticationError):
        official(closing, qoder.base_url)()
    with pytest.raises(NoToken) as caught:
        ours(closing, qoder.base_url)()

    assert not caught.value.is_transient
    assert "(401 authentication_error, " in caught.value.line


class Time:
    """Time that a test moves: the official client's module `time`, and our clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROP_BEFORE_COMMIT,
        Fault.TRUNCATED_AFTER_COMMIT,
        Fault.CUT_JSON_AFTER_COMMIT,
        Fault.REQUEST_TIMEOUT,
        Fault.RATE_LIMITED_SILENT,
        Fault.ERROR_BEFORE_COMMIT,
        Fault.UNAVAILABLE_BEFORE_COMMIT,
        Fault.FEATURE_NOT_AVAILABLE,
        Fault.FORBIDDEN,
        Fault.CONFLICT,
        Fault.HTML_200,
        Fault.HTML_404,
        Fault.REDIRECT,
    ],
    ids=lambda fault: fault.name,
)
def test_both_keep_or_give_up_the_old_token(closing: ExitStack, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """At the same moments: when it is renewed, which failures it outlives, for how long, and when it is asked again."""
    time = Time()
    monkeypatch.setattr(service_account, "time", time)
    lives: list[list[str]] = []
    for connect in (official, ours):
        time.now_s = 1000.0
        qoder = closing.enter_context(Emulator("2026-07", service_account_keys=[KEY]))
        account = connect(closing, qoder.base_url, time)
        first = account()
        life = []
        for passed_s in (3539.9, 3540.1, 3545.0, 3545.2, 3593.0, 3594.9, 3595.1, 3598.1, 3600.3):
            time.now_s = 1000.0 + passed_s
            if passed_s > 3540:
                qoder.fail_next("POST", PATH, fault, times=None)
            try:
                life.append("old" if account() == first else "new")
            except (client_errors.APIError, NoToken):
                life.append("none")
            life[-1] += f" {len(qoder.requests)}"
        lives.append(life)

    theirs, mine = lives
    assert theirs == mine
    assert ("old 1", "none") == (mine[0], mine[-1].split()[0])


@pytest.mark.parametrize(
    ("region", "base_url"),
    [("global", "https://api.qoder.com/api/v1/cloud"), ("cn", "https://api.qoder.com.cn/api/v1/cloud")],
)
def test_both_take_a_region_s_key_to_the_same_host(closing: ExitStack, region: Any, base_url: str) -> None:
    """A program of the client says the region beside the base URL; here it is that of the base URL."""
    qoder = closing.enter_context(Emulator("2026-07", service_account_keys=[KEY]))
    there = Rerouted(qoder.base_url)
    http = closing.enter_context(httpx.Client(transport=there))
    client = ServiceAccountCredential(sa_key=KEY, region=region, scopes=["qca.access"], http_client=http)
    client.validate_region(str(httpx.URL(base_url).host))
    client.get_token()

    assert [f"{exchange_origin(load({'qoder:baseUrl': base_url}, {}))}{PATH}"] == there.asked
