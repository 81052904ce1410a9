"""The exchange of service-account keys: what it takes, what it gives, and how long a token is accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, Fault

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
PATH = "/api/v1/serviceToken/exchange"
KEY = "sa-canary-1"
BODY = {"grant_type": "client_credentials", "audience": "qoder", "scope": "qca.access", "ttl_seconds": 3600}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 10, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def exchange(http: httpx.Client, key: str = KEY, method: str = "POST", **changes: Any) -> httpx.Response:
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
    url = http.base_url.copy_with(path=PATH)
    return http.request(method, url, headers={"Authorization": f"Bearer {key}"}, json=body)


def status(http: httpx.Client, token: str) -> int:
    return http.get("/vaults", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_is_exchanged_for_a_token_that_is_accepted_until_it_expires(
    serve: Serve, connect: Connect, clock: Clock
) -> None:
    """The form is that of the official client; the key itself is no API token."""
    qoder = serve("2026-07", clock=clock, service_account_keys=[KEY])
    vault_id = qoder.add_vault("v").id
    http = connect(qoder)
    answer = exchange(http, ttl_seconds=60)
    body = answer.json()
    token = body.pop("access_token")

    assert (200, {"token_type": "Bearer", "expires_in": 60, "expires_at": "2026-10-01T12:01:00Z"}) == (
        answer.status_code,
        body,
    )
    listed = http.get("/vaults", headers={"Authorization": f"Bearer {token}"}).json()
    assert [vault_id] == [vault["id"] for vault in listed["data"]]
    clock.now += timedelta(seconds=59.9)
    assert (200, 401) == (status(http, token), status(http, KEY))
    clock.now += timedelta(seconds=0.1)
    assert 401 == status(http, token)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"service_token_ttl_s": 2.0}, {"expires_in": 2, "expires_at": "2026-10-01T12:00:02Z"}),
        ({"expires_in_form": "digits", "shows_expires_at": False}, {"expires_in": "3600"}),
    ],
)
def test_the_life_of_a_token_and_its_form_are_options(
    serve: Serve, connect: Connect, clock: Clock, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A service may grant another time than was asked for, and write it in two forms."""
    body = exchange(connect(serve(clock=clock, service_account_keys=[KEY], **options))).json()

    assert expected == {key: value for key, value in body.items() if key.startswith("expires")}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"grant_type": "password"}, "grant_type"),
        ({"audience": ...}, "audience"),
        ({"scope": "qca.read"}, "scope"),
        ({"scope": ["qca.access"]}, "scope"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 43201}, "ttl_seconds"),
        ({"ttl_seconds": True}, "ttl_seconds"),
        ({"ttl_seconds": "3600"}, "ttl_seconds"),
    ],
)
def test_another_request_is_refused(
    serve: Serve, connect: Connect, error_of: ErrorOf, changes: dict[str, Any], param: str
) -> None:
    """A client that sends anything but what the official one sends is told."""
    http = connect(serve(service_account_keys=[KEY]))

    assert (400, "invalid_request_error", param) == error_of(exchange(http, **changes))


def test_what_is_no_request_for_a_token(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """Another key, another method, another type, and a body that is not JSON."""
    http = connect(serve("2026-07", service_account_keys=[KEY]))
    url, headers = http.base_url.copy_with(path=PATH), {"Authorization": f"Bearer {KEY}"}

    assert (401, "authentication_error", None) == error_of(exchange(http, "sa-other"))
    assert (405, "invalid_request_error", None) == error_of(exchange(http, method="PUT"))
    for content, type_ in ((b"{}", "text/plain"), (b"{", "application/json"), (b"[]", "application/json")):
        answer = http.post(url, content=content, headers={**headers, "Content-Type": type_})
        assert (400, "invalid_request_error", None) == error_of(answer)


def test_revocation(serve: Serve, connect: Connect) -> None:
    """Tokens may end before their time, alone or with their key."""
    qoder = serve(service_account_keys=[KEY])
    other = qoder.add_service_account_key()
    http = connect(qoder)
    tokens = [exchange(http, key).json()["access_token"] for key in (KEY, other)]

    qoder.revoke_service_account_key(KEY)
    assert ([401, 200], 401) == ([status(http, token) for token in tokens], exchange(http).status_code)
    qoder.revoke_service_tokens()
    assert (401, 200) == (status(http, tokens[1]), exchange(http, other).status_code)
    with pytest.raises(ValueError, match=r"^there is no such service-account key$"):
        qoder.revoke_service_account_key(KEY)


def test_a_key_is_an_account_s_own(serve: Serve, connect: Connect) -> None:
    """Its tokens see that account's vaults."""
    qoder = serve("2026-07", service_account_keys=[KEY])
    other = qoder.add_account()
    theirs = other.add_vault("theirs")
    http = connect(qoder)
    token = exchange(http, other.add_service_account_key("sa-other")).json()["access_token"]

    assert [theirs.id] == [
        vault["id"] for vault in http.get("/vaults", headers={"Authorization": f"Bearer {token}"}).json()["data"]
    ]


def test_an_exchange_meets_faults_and_is_recorded_without_secrets(serve: Serve, connect: Connect) -> None:
    """By its whole path, since it is outside of the API; neither key nor token is in a record."""
    qoder = serve(service_account_keys=[KEY])
    http = connect(qoder)
    qoder.fail_next("POST", PATH, Fault.RATE_LIMITED)
    statuses = [exchange(http).status_code for _ in range(2)]
    token = exchange(http).json()["access_token"]
    http.get(f"/vaults/{token}", params={"name": KEY})

    assert [429, 200] == statuses == [request.status for request in qoder.requests[:2]]
    assert (PATH, BODY) == (qoder.requests[1].path, qoder.requests[1].body)
    assert "***" == qoder.requests[1].headers["authorization"]
    assert KEY not in repr(qoder.requests)
    assert token not in repr(qoder.requests)


def test_a_key_must_fit_into_a_header(serve: Serve) -> None:
    """One that no client could send is an error at once."""
    with pytest.raises(ValueError, match=r"^service_account_key must"):
        serve(service_account_keys=["two words"])
