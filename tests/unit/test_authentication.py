"""The tokens of a service account: when one is fetched, shared, renewed and forgotten. Time is the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pulumi_qoder_vault.authentication import (
    ApiToken,
    Caller,
    NotAToken,
    NoToken,
    ServiceAccount,
    Token,
    exchange_origin,
    read_token,
)
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import load

HOUR_S = 3600.0
CALLER = Caller(lambda: 60.0)
GOOD = {"access_token": "sat-canary-1", "token_type": "Bearer", "expires_in": 3600}


class Exchange:
    """Hands out tokens of a time to live, or fails as it is told to.

    Attributes:
        failures: what the next exchanges fail with; None for one that does not.
        count: of exchanges.
    """

    def __init__(self, now_s: Callable[[], float], ttl_s: float = HOUR_S) -> None:
        self.ttl_s = ttl_s
        self.failures: list[NoToken | None] = []
        self.count = 0
        self.is_closed = False
        self.may_end = threading.Event()
        self.may_end.set()
        self.has_begun = threading.Event()
        self._now_s = now_s

    def __call__(self, caller: Caller) -> Token:
        self.count += 1
        self.has_begun.set()
        assert self.may_end.wait(10)
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        body = {**GOOD, "access_token": f"sat-canary-{self.count}", "expires_in": int(self.ttl_s)}
        return read_token(body, self._now_s(), self._now_s())

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def exchange(fake_time: Any) -> Exchange:
    return Exchange(fake_time.clock.monotonic_s)


@pytest.fixture
def account(exchange: Exchange, fake_time: Any) -> ServiceAccount:
    return ServiceAccount(exchange, fake_time.clock.monotonic_s)


def bearer_of(account: ServiceAccount) -> str:
    return account.bearer(CALLER).reveal()


def failure_of(account: ServiceAccount) -> NoToken:
    with pytest.raises(NoToken) as caught:
        account.bearer(CALLER)
    assert caught.value.__cause__ is None
    return caught.value


# When


@pytest.mark.parametrize(
    ("ttl_s", "renew_s", "until_s"), [(3600, 3540, 3595), (600, 540, 595), (100, 90, 95), (2, 1.8, 1.9), (1, 0.9, 0.95)]
)
def test_a_token_is_renewed_before_it_expires(ttl_s: int, renew_s: float, until_s: float) -> None:
    """At ttl less 60 s or a tenth, and used until ttl less 5 s or a twentieth, whichever is less."""
    token = read_token({**GOOD, "expires_in": ttl_s}, 1000.0, 1000.2)

    assert (Secret("sat-canary-1"), 1000 + renew_s, 1000 + until_s) == (token.secret, token.renew_s, token.until_s)


def test_one_token_serves_until_it_is_renewed(account: ServiceAccount, exchange: Exchange, fake_time: Any) -> None:
    """One exchange for each period, and none before the first request."""
    assert 0 == exchange.count
    seen = []
    for _ in range(8):
        seen.append(bearer_of(account))
        fake_time.sleep(HOUR_S / 4)

    assert (["sat-canary-1"] * 4 + ["sat-canary-2"] * 4, 2) == (seen, exchange.count)


def test_many_requests_at_once_cause_one_exchange(account: ServiceAccount, exchange: Exchange) -> None:
    """Whoever comes while one exchanges waits for its token."""
    exchange.may_end.clear()
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(account.bearer, CALLER) for _ in range(16)]
        assert exchange.has_begun.wait(10)
        exchange.may_end.set()
        found = {each.result(10).reveal() for each in asked}

    assert ({"sat-canary-1"}, 1) == (found, exchange.count)


def test_nobody_waits_longer_than_its_own_time(account: ServiceAccount, exchange: Exchange) -> None:
    """A request whose time is over ends while another one still exchanges; that says nothing of the service."""
    exchange.may_end.clear()
    left_s = [0.0, 0.2]
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(account.bearer, CALLER)
        assert exchange.has_begun.wait(10)
        with pytest.raises(NoToken) as caught:
            account.bearer(Caller(lambda: left_s.pop()))
        exchange.may_end.set()

        assert ("another request still exchanges the service-account key", True) == (
            caught.value.line,
            caught.value.is_ours,
        )
        assert "sat-canary-1" == other.result(10).reveal()


# Failures


def test_after_a_failure_comes_a_pause(account: ServiceAccount, exchange: Exchange, fake_time: Any) -> None:
    """Of 5 s, in which every request fails in the same way, without an exchange."""
    exchange.failures = [NoToken("down", is_transient=True)]
    first = failure_of(account)
    fake_time.sleep(2.0)
    second = failure_of(account)

    assert [("down", True, 5.0), ("down", True, 3.0)] == [
        (each.line, each.is_transient, each.pause_s) for each in (first, second)
    ]
    assert first is not second, "whoever is told adds to it"
    fake_time.sleep(2.9)
    failure_of(account)
    assert 1 == exchange.count
    fake_time.sleep(0.2)
    assert ("sat-canary-2", 2) == (bearer_of(account), exchange.count)


@pytest.mark.parametrize(("asked_s", "pause_s", "is_asked"), [(1.0, 5.0, False), (7.0, 7.0, True), (600, 600, True)])
def test_a_longer_pause_that_the_service_asks_for_counts(
    account: ServiceAccount, exchange: Exchange, asked_s: float, pause_s: float, is_asked: bool
) -> None:
    """``Retry-After`` of a 429, if it is longer than ours."""
    exchange.failures = [NoToken("slow down", is_transient=True, pause_s=asked_s, is_asked=True)]
    failure = failure_of(account)

    assert (pause_s, is_asked) == (failure.pause_s, failure.is_asked)


def test_the_old_token_serves_while_the_exchange_is_down(
    account: ServiceAccount, exchange: Exchange, fake_time: Any
) -> None:
    """From its renewal until it is no longer safe; then requests fail; and it is asked for again all the time."""
    bearer_of(account)
    fake_time.sleep(3541)
    exchange.failures = [NoToken("down", is_transient=True)] * 20
    for _ in range(9):  # until 3586
        assert "sat-canary-1" == bearer_of(account)
        fake_time.sleep(5.0)
    assert 10 == exchange.count
    fake_time.sleep(9.5)  # 3595.5
    assert "down" == failure_of(account).line
    assert 11 == exchange.count


def test_the_old_token_does_not_outlive_its_time_in_a_pause(
    account: ServiceAccount, exchange: Exchange, fake_time: Any
) -> None:
    """The pause after a failure does not make a token safe."""
    bearer_of(account)
    fake_time.sleep(3593)
    exchange.failures = [NoToken("down", is_transient=True)]
    assert "sat-canary-1" == bearer_of(account)
    fake_time.sleep(2.5)

    assert "down" == failure_of(account).line
    assert 2 == exchange.count


def test_a_refused_key_ends_the_old_token(account: ServiceAccount, exchange: Exchange, fake_time: Any) -> None:
    """A failure that is not transient: the key was revoked."""
    bearer_of(account)
    fake_time.sleep(3541)
    exchange.failures = [NoToken("refused")]

    assert ("refused", False) == ((failure := failure_of(account)).line, failure.is_transient)
    fake_time.sleep(1.0)
    assert "refused" == failure_of(account).line


def test_an_exchange_that_the_caller_ended_is_no_failure_of_the_service(
    account: ServiceAccount, exchange: Exchange
) -> None:
    """The next request exchanges at once."""
    exchange.failures = [NoToken("out of time", is_transient=True, is_ours=True)]

    assert failure_of(account).is_ours
    assert "sat-canary-2" == bearer_of(account)


# A 401


def test_a_refused_token_is_forgotten_once(account: ServiceAccount, exchange: Exchange) -> None:
    """Many requests may be refused with one token: the first one fetches another, and that one stays."""
    refused = account.bearer(CALLER)

    assert account.forget(refused)
    assert "sat-canary-2" == bearer_of(account)
    assert account.forget(refused)
    assert ("sat-canary-2", 2) == (bearer_of(account), exchange.count)


def test_to_forget_waits_for_no_exchange(account: ServiceAccount, exchange: Exchange, fake_time: Any) -> None:
    """It may take long, and whoever was refused has a time of its own; what the exchange brings stays."""
    refused = account.bearer(CALLER)
    fake_time.sleep(HOUR_S)
    exchange.has_begun.clear()
    exchange.may_end.clear()
    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(account.bearer, CALLER)
        assert exchange.has_begun.wait(10)

        assert threads.submit(account.forget, refused).result(5)

        assert not other.done()
        exchange.may_end.set()
        assert "sat-canary-2" == other.result(10).reveal()
    assert ("sat-canary-2", 2) == (bearer_of(account), exchange.count)


def test_an_api_token_has_no_other_one() -> None:
    """A 401 to it is final."""
    fixed = ApiToken(Secret("pt-canary"))

    assert (Secret("pt-canary"), False) == (fixed.bearer(CALLER), fixed.forget(Secret("pt-canary")))
    fixed.close()


def test_it_closes_its_connections(account: ServiceAccount, exchange: Exchange) -> None:
    """Those of the exchange."""
    account.close()

    assert exchange.is_closed


def test_nothing_prints_a_secret(account: ServiceAccount) -> None:
    """Neither a token nor who holds one."""
    token = read_token(GOOD, 0.0, 0.0)
    bearer_of(account)

    assert "canary" not in f"{token!r} {account!r} {vars(account)!r} {NoToken('x')!r}"


# What a token is


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"access_token": ...}, "access_token is missing"),
        ({"access_token": None}, "access_token is missing"),
        ({"access_token": 7}, "access_token is missing"),
        ({"access_token": "  "}, "access_token is missing"),
        ({"access_token": "sat-canary\r\nX-Evil: 1"}, "access_token cannot stand in an Authorization header"),
        ({"access_token": "sat-canary\n"}, "access_token cannot stand in an Authorization header"),
        ({"access_token": "sat canary"}, "access_token cannot stand in an Authorization header"),
        ({"access_token": "sat-canary-\u00e9"}, "access_token cannot stand in an Authorization header"),
        ({"access_token": "x" * 20_000}, "access_token cannot stand in an Authorization header"),
        ({"token_type": ...}, "token_type is not Bearer"),
        ({"token_type": "mac"}, "token_type is not Bearer"),
        ({"token_type": ["Bearer"]}, "token_type is not Bearer"),
        *(
            ({"expires_in": value}, "expires_in is not a number from 1 to 43200")
            for value in (..., None, True, 0, -1, 43201, 1.5, 3600.0, "", "-1", "1.5", "1e3", "\u0663", "9" * 5000, [1])
        ),
        *(
            ({"expires_at": value}, "expires_at is not an RFC 3339 time")
            for value in (None, 0, "soon", "2026-10-01", "2026-10-01T00:00:00", "2026-13-01T00:00:00Z", ["x"])
        ),
    ],
)
def test_what_is_no_token(changes: dict[str, Any], reason: str) -> None:
    """Each is refused in words that show nothing of the response."""
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    with pytest.raises(NotAToken) as caught:
        read_token(body, 0.0, 0.0)

    assert reason == str(caught.value)


@pytest.mark.parametrize("body", [None, [], "text", 7, object()])
def test_a_response_must_be_an_object(body: object) -> None:
    """An empty body, a list, a text."""
    with pytest.raises(NotAToken, match=r"^it is not a JSON object$"):
        read_token(body, 0.0, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_in": "60"},
        {"expires_in": 60, "token_type": "bearer"},
        {"expires_in": 60, "expires_at": "2001-01-01T00:00:00Z"},
        {"expires_in": 60, "expires_at": "2999-01-01T00:00:00.123456+08:00"},
        {"expires_in": 60, "scope": "qca.access", "more": None},
    ],
)
def test_what_is_a_token(changes: dict[str, Any]) -> None:
    """Digits, any case, unknown keys; the other clock's time does not count."""
    assert 57.0 == read_token({**GOOD, **changes}, 0.0, 56.9).until_s


def test_a_token_that_arrives_too_late_is_none() -> None:
    """Its time counts from the moment at which it was asked for."""
    with pytest.raises(NotAToken, match=r"^the token expired before the response arrived$"):
        read_token({**GOOD, "expires_in": 60}, 0.0, 57.0)


# Where


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://openapi.qoder.sh/api/v1/cloud", "https://openapi.qoder.sh"),
        ("https://api.qoder.com/api/v1/cloud", "https://openapi.qoder.sh"),
        ("https://proxy.example/qoder", "https://openapi.qoder.sh"),
        ("https://qoder.com.cn.example/api", "https://openapi.qoder.sh"),
        ("https://notqoder.com.cn/api", "https://openapi.qoder.sh"),
        ("https://qoder.com.cn/api", "https://openapi.qoder.com.cn"),
        ("https://api.qoder.com.cn/api/v1/cloud", "https://openapi.qoder.com.cn"),
        ("https://API.Qoder.COM.cn.:443/api", "https://openapi.qoder.com.cn"),
        ("http://127.0.0.1:8787/api/v1/cloud", "http://127.0.0.1:8787"),
        ("https://localhost/api", "https://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_base_url_chooses_the_region(base_url: str, origin: str) -> None:
    """The key goes to Qoder's own exchange, whatever host the API is reached by, or to this machine."""
    assert origin == exchange_origin(load({"qoder:baseUrl": base_url}, {}))
