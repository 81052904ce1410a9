"""The service: authentication, Content-Type, rate limits, latency, request ids, idempotency keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import ApiError, Emulator, Fault, RevisionName
from pulumi_qoder_vault.emulator.http_messages import Response
from pulumi_qoder_vault.emulator.idempotency import IdempotencyKeys

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
REFUSED = (400, "invalid_request_error", None)
KEY = {"Idempotency-Key": "key-1"}


@pytest.mark.parametrize(("revision", "type_"), [("2026-05", "TOKEN_INVALID"), ("2026-07", "authentication_error")])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}, {"x-api-key": "pt-good"}]
)
def test_only_the_bearer_token_opens(
    serve: Serve, error_of: ErrorOf, revision: RevisionName, type_: Any, headers: dict[str, str]
) -> None:
    """Without the right bearer token, and with `x-api-key`, a request gets a 401 of the revision's type."""
    qoder = serve(revision, api_token="pt-good")

    assert (401, type_, None) == error_of(httpx.get(f"{qoder.base_url}/vaults", headers=headers))


@pytest.mark.parametrize("type_", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_the_content_type_of_a_body_must_be_json(serve: Serve, connect: Connect, error_of: ErrorOf, type_: Any) -> None:
    """A body of another Content-Type is a 400."""
    headers = {} if type_ is None else {"Content-Type": type_}

    assert REFUSED == error_of(connect(serve()).post("/vaults", content=b"{}", headers=headers))


@pytest.mark.parametrize(
    "content", [b"{", b'{"display_name": NaN}', b"\xff", b'"\\ud800"', b"[" * 100_000, b"[]", b"null", b'"text"', b""]
)
def test_a_body_must_be_a_json_object(serve: Serve, connect: Connect, error_of: ErrorOf, content: bytes) -> None:
    """Anything but a JSON object in UTF-8 is a 400, never a 500."""
    headers = {"Content-Type": "application/json; charset=utf-8"}

    assert REFUSED == error_of(connect(serve("2026-07")).post("/vaults", content=content, headers=headers))


def test_request_ids(serve: Serve, connect: Connect) -> None:
    """An error repeats `x-request-id`; without one it has an id of its own."""
    http = connect(serve())

    assert "mine-1" == http.get("/vaults/v", headers={"x-request-id": "mine-1"}).json()["request_id"]
    made = {http.get("/vaults/v").json()["request_id"] for _ in range(2)}
    assert 2 == len({id_ for id_ in made if id_.startswith("req_")})


def test_a_wrong_base_url_is_not_the_api(serve: Serve) -> None:
    """Outside the base path there is a 404 without the API's envelope, whoever asks."""
    qoder = serve()
    response = httpx.get(qoder.base_url.replace("/api/v1/cloud", "/v1") + "/vaults")

    assert (404, None) == (response.status_code, response.json().get("type"))


@pytest.mark.parametrize("kind", ["writes", "reads"])
def test_rate_limits(serve: Serve, connect: Connect, error_of: ErrorOf, kind: str) -> None:
    """More requests than the limit in one second get a 429 with Retry-After; the other kind does not."""
    qoder = serve(**{f"{kind}_per_second": 3})
    http = connect(qoder)

    def ask(is_write: bool) -> httpx.Response:
        return http.delete("/vaults/v") if is_write else http.get("/vaults/v")

    responses = [ask(kind == "writes") for _ in range(4)]
    assert [404, 404, 404, 429] == [response.status_code for response in responses]
    assert (429, "rate_limit_error", None) == error_of(responses[3])
    assert "1" == responses[3].headers["retry-after"]
    assert 404 == ask(kind != "writes").status_code
    time.sleep(1.0)
    assert 404 == ask(kind == "writes").status_code


def test_latency(serve: Serve, connect: Connect) -> None:
    """`latency_s` passes before a response."""
    http = connect(serve(latency_s=0.15))
    began_s = time.monotonic()
    http.get("/vaults")

    assert time.monotonic() - began_s >= 0.15


def test_same_key_and_body_replay(serve: Serve, connect: Connect, founding: Body) -> None:
    """A retried create gets the first response and creates nothing."""
    qoder = serve()
    http = connect(qoder)
    first, second = (http.post("/vaults", json=founding, headers=KEY) for _ in range(2))

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert 1 == len(qoder.vaults)


def test_the_order_of_keys_is_no_other_body(serve: Serve, connect: Connect, founding: Body) -> None:
    """The same JSON written in another order is the same body."""
    qoder = serve()
    http = connect(qoder)
    for body in (founding, dict(reversed(founding.items()))):
        assert 201 == http.post("/vaults", json=body, headers=KEY).status_code

    assert 1 == len(qoder.vaults)


def test_same_key_with_another_body_is_a_conflict(
    serve: Serve, connect: Connect, founding: Body, error_of: ErrorOf
) -> None:
    """A key stands for one body."""
    qoder = serve()
    http = connect(qoder)
    http.post("/vaults", json=founding, headers=KEY)
    other = http.post("/vaults", json={**founding, "display_name": "other"}, headers=KEY)

    assert (409, "conflict_error", None) == error_of(other)
    assert 1 == len(qoder.vaults)


def test_delete_is_replayed(serve: Serve, connect: Connect) -> None:
    """A retried delete with its key succeeds; without a key it is a 404."""
    qoder = serve("2026-07")
    path = f"/vaults/{qoder.add_vault('v').id}"
    http = connect(qoder)

    assert [200, 200, 404] == [http.delete(path, headers=headers).status_code for headers in (KEY, KEY, {})]


def test_a_lost_response_is_replayed(serve: Serve, connect: Connect, founding: Body) -> None:
    """After an error that follows the commit, the same key gets the vault that exists."""
    qoder = serve()
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", Fault.ERROR_AFTER_COMMIT)
    http.post("/vaults", json=founding, headers=KEY)
    again = http.post("/vaults", json=founding, headers=KEY)

    assert (201, [again.json()["id"]]) == (again.status_code, [vault.id for vault in qoder.vaults])


def test_a_request_that_was_not_handled_leaves_no_key(serve: Serve, connect: Connect, founding: Body) -> None:
    """Faults before the commit and requests that a check rejected do not use up a key."""
    qoder = serve()
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", Fault.ERROR_BEFORE_COMMIT)
    other = {**founding, "display_name": "other"}

    assert 500 == http.post("/vaults", json=other, headers=KEY).status_code
    assert 401 == http.post("/vaults", json=other, headers={**KEY, "Authorization": "Bearer no"}).status_code
    assert 201 == http.post("/vaults", json=founding, headers=KEY).status_code


def test_a_retry_during_the_first_request_is_a_conflict(serve: Serve, connect: Connect, founding: Body) -> None:
    """While the first request is being handled, its retry is a conflict."""
    qoder = serve(latency_s=0.6)
    clients = connect(qoder), connect(qoder)
    with ThreadPoolExecutor() as pool:
        responses = pool.map(lambda http: http.post("/vaults", json=founding, headers=KEY), clients)
        statuses = [response.status_code for response in responses]

    assert [201, 409] == sorted(statuses)
    assert 1 == len(qoder.vaults)


def test_keys_can_be_ignored(serve: Serve, connect: Connect, founding: Body) -> None:
    """`idempotency=False`: later pages do not mention keys."""
    qoder = serve(idempotency=False)
    http = connect(qoder)
    for _ in range(2):
        http.post("/vaults", json=founding, headers=KEY)

    assert 2 == len(qoder.vaults)


def test_a_key_lives_for_a_day() -> None:
    """After 24 h a key is new."""
    now = [0.0]
    keys = IdempotencyKeys(clock=lambda: now[0])
    response = Response(201)
    assert keys.claim("k", "request") is None
    with pytest.raises(ApiError, match="in work"):
        keys.claim("k", "request")
    keys.keep("k", response)
    now[0] = 24 * 3600 - 1

    assert response is keys.claim("k", "request")
    with pytest.raises(ApiError, match=r"^Idempotency key reused with a different request body\.$"):
        keys.claim("k", "other")
    now[0] = 24 * 3600
    assert keys.claim("k", "other") is None


@pytest.mark.parametrize("type_", ["TOKEN_INVALID", "authentication_error"])
@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_the_type_of_a_401_is_an_option(serve: Serve, error_of: ErrorOf, revision: RevisionName, type_: str) -> None:
    """The type of a 401 goes by the language of a page, not by revision; its message is the documented one."""
    response = httpx.get(f"{serve(revision, unauthorized_type=type_).base_url}/vaults")

    assert (401, type_, None) == error_of(response)
    assert "Invalid API key or token." == response.json()["error"]["message"]


def test_the_documented_words(serve: Serve, connect: Connect, founding: Body) -> None:
    """Invalid JSON, a reused key and a vault that is not there have the words of the pages."""
    http = connect(serve())
    headers = {"Content-Type": "application/json"}
    http.post("/vaults", json=founding, headers=KEY)
    responses = [
        http.post("/vaults", content=b"{", headers=headers),
        http.post("/vaults", json={**founding, "display_name": "other"}, headers=KEY),
        http.get("/vaults/vault_none"),
    ]

    assert [
        (400, "Request body must be valid JSON."),
        (409, "Idempotency key reused with a different request body."),
        (404, "Vault 'vault_none' was not found."),
    ] == [(response.status_code, response.json()["error"]["message"]) for response in responses]


def test_overload(serve: Serve, connect: Connect) -> None:
    """More requests in one second, reads and writes together, get a gateway's HTML and are not handled."""
    qoder = serve("2026-07", overload_per_second=3)
    http = connect(qoder)
    responses = [http.post("/vaults", json={"display_name": "v"}) for _ in range(2)]
    responses += [http.get("/vaults"), http.post("/vaults", json={"display_name": "v"}), http.get("/vaults")]

    assert [200, 200, 200, 503, 503] == [response.status_code for response in responses]
    assert ("text/html; charset=utf-8", 2) == (responses[3].headers["content-type"], len(qoder.vaults))
    assert "retry-after" not in responses[3].headers
    time.sleep(1.0)
    assert 200 == http.get("/vaults").status_code


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0, -90.0])
def test_date_goes_by_the_clock(serve: Serve, connect: Connect, ahead_s: float) -> None:
    """The header `Date` is the emulator's time, and `date_ahead_s` more."""
    moment = datetime(2026, 8, 1, 12, tzinfo=UTC)
    response = connect(serve(clock=lambda: moment, date_ahead_s=ahead_s)).get("/vaults")

    assert moment + timedelta(seconds=ahead_s) == parsedate_to_datetime(response.headers["date"])


def test_a_gateway_comes_before_every_fault(serve: Serve, connect: Connect) -> None:
    """A request that the gateway refuses meets no fault of the service."""
    qoder = serve(overload_per_second=1)
    qoder.fail_next("GET", "/vaults", Fault.FORBIDDEN, skip=1)
    http = connect(qoder)

    assert [200, 503] == [http.get("/vaults").status_code for _ in range(2)]
    assert 1 == len(qoder.pending_faults)
    time.sleep(1.0)
    assert 403 == http.get("/vaults").status_code
