"""What a response means: each refusal is one exact line, and nothing that a server echoes is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.responses import NO_CONTENT
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from unit.api.sending import ACCESS_TOKEN, CREATE, GET, JSON, elsewhere, envelope, failure_of, host_of, line_of

PAGE = b"<!DOCTYPE html><html><body>\n<h1>503 <b>Service Unavailable</b></h1></body></html>"
ADVICE_401 = "the API token is from qoder:apiToken; set a valid one: pulumi config set --secret qoder:apiToken"
RESPONSES = {
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


@pytest.mark.parametrize("status", RESPONSES)
def test_each_refusal_is_one_exact_line(qoder: Emulator, connect_to: Callable[..., Transport], status: int) -> None:
    """What, where, HTTP status, `error.type`, `request_id`, and what to do, in one line."""
    body, line, kind = RESPONSES[status]
    qoder.fail_next("GET", "/vaults", Effect("a response", status=status, headers=JSON, body=body), times=None)

    failure = failure_of(connect_to(qoder, timeout_s=1.0), GET)

    assert (line.format(host=host_of(qoder), elsewhere=elsewhere(qoder)), kind) == (str(failure), type(failure))


@pytest.mark.parametrize("path", ["", "/vaults"])
@pytest.mark.parametrize("request_", [GET, CREATE, Request("GET", "/vaults/vault_1", is_repeatable=True)], ids=str)
def test_a_base_url_that_is_not_the_api_is_named(
    qoder: Emulator, connect_to: Callable[..., Transport], path: str, request_: Request
) -> None:
    """A 404 or 405, on a page of its own or in the API's form, is no API's word: the line says who was asked."""
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
def test_an_unreadable_success_is_a_lost_response(qoder: Emulator, transport: Transport, fault: Fault) -> None:
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
