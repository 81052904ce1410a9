"""What each call sends, byte for byte where the founding page says so, and which call goes again."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.lifecycle.model import Place, Revision
from pulumi_qoder_vault.secret import Secret
from unit.api.sending import KEY, R05, R07, REVISIONS, SSE, URL, Connect, filled, make
from unit.lifecycle.records import bearer, desired_vault

OTHER_TOKEN = bearer(URL, Secret("former-access-token"), "sse")
OTHER = bearer("https://example.com/other", Secret("mcp-canary-2"))
# The request body of the founding page (Qoder, Create Vault, read 2026-05-18).
FOUNDING_BODY = {
    "display_name": "my-mcp-vault",
    "credentials": [
        {
            "mcp_server_url": "https://example.com/mcp",
            "protocol": "sse",
            "type": "static_bearer",
            "access_token": "your-access-token",
        }
    ],
}
CREATED = {
    "id": "vault_019e3bb940277f0db05ab74291acf6ef",
    "type": "vault",
    "display_name": "my-mcp-vault",
    "status": "active",
    "metadata": {},
    "credentials": [],
    "created_at": "2026-05-18T15:34:16.874877Z",
    "updated_at": "2026-05-18T15:34:16.874877Z",
}


# Bodies


def sent_by(serve_raw: Callable[..., Any], client_of: Connect, start: Callable[..., Emulator]) -> Any:
    body = json.dumps(CREATED).encode()
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    server = serve_raw(head + body)
    return server, client_of(start(), base_url=server.base_url)


def test_a_create_on_2026_05_is_the_founding_pages(
    serve_raw: Callable[..., Any], client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """Request line and body are those of the page's example, in its order, and nothing else is in them."""
    server, client = sent_by(serve_raw, client_of, start)

    make(client, SSE)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"POST /api/vaults HTTP/1.1" == head.splitlines()[0]
    assert json.dumps(FOUNDING_BODY, separators=(",", ":")).encode() == body


def test_headers_of_a_create(serve_raw: Callable[..., Any], client_of: Connect, start: Callable[..., Emulator]) -> None:
    """On the wire: a bearer API token, JSON both ways, an idempotency key, who asks, and no workspace."""
    server, client = sent_by(serve_raw, client_of, start)

    make(client, SSE)

    head = server.requests[0].partition(b"\r\n\r\n")[0].decode()
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    assert {
        "accept": "application/json",
        "accept-encoding": headers["accept-encoding"],
        "authorization": "bearer pt-emulator-0000000000",
        "connection": "keep-alive",
        "content-length": str(len(json.dumps(FOUNDING_BODY, separators=(",", ":")))),
        "content-type": "application/json",
        "host": f"127.0.0.1:{server.port}",
        "idempotency-key": headers["idempotency-key"],
        "user-agent": "unit-tests/1",
    } == headers
    assert 4 == uuid.UUID(headers["idempotency-key"]).version


def test_a_name_of_any_script_goes_as_it_is(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """Display names, metadata and access tokens arrive as they were given."""
    qoder = start(store_metadata=True)
    credential = bearer(URL, Secret('p"ss\\wörd 🔑'))

    client_of(qoder).create_vault(
        desired_vault(credential, display_name="保管庫 🔐", metadata={"チーム": "é"}), sending=R05, key=KEY
    )

    (vault,) = qoder.vaults
    assert ("保管庫 🔐", {"チーム": "é"}) == (vault.display_name, vault.metadata)
    assert 'p"ss\\wörd 🔑' == vault.credentials[0].access_token


HIDDEN_FLAT = {"mcp_server_url": URL, "protocol": "sse", "type": "static_bearer", "access_token": "***"}
HIDDEN_NESTED = {"auth": {"type": "static_bearer", "mcp_server_url": URL, "token": "***"}}


def calls_of(client: Client, revision: Revision) -> None:
    """Every call once."""
    vault_id, credential_id = filled(client, revision)
    client.get_vault(vault_id)
    client.list_credentials(vault_id)
    if revision is R07:
        client.update_credential(vault_id, credential_id, OTHER_TOKEN, SSE)
    client.delete_credential(vault_id, credential_id)
    client.create_credential(vault_id, SSE, sending=revision, key=str(uuid.uuid4()))
    client.archive_vault(vault_id)
    client.delete_vault(vault_id)


@REVISIONS
def test_what_each_call_sends(revision: Revision, client_of: Connect, start: Callable[..., Emulator]) -> None:
    """Method, path, query and body of every endpoint, and that the service takes them."""
    qoder = start(revision.value)
    client = client_of(qoder)

    calls_of(client, revision)

    flat = revision is R05
    page = {"limit": "100"}
    patch = {"auth": {"type": "static_bearer", "token": "***"}}
    mark = {"pulumi_create_id": qoder.requests[0].headers["idempotency-key"]}
    more = {"credentials": [HIDDEN_FLAT]} if flat else {"metadata": mark}
    expected = [
        ("POST", "/vaults", {}, {"display_name": "my-mcp-vault", **more}),
        *([] if flat else [("POST", "/vaults/V/credentials", {}, HIDDEN_NESTED)]),
        ("GET", "/vaults/V", {}, None),
        ("GET", "/vaults/V/credentials", page, None),
        *([] if flat else [("POST", "/vaults/V/credentials/C", {}, patch)]),
        ("DELETE", "/vaults/V/credentials/C", {}, {}),
        ("POST", "/vaults/V/credentials", {}, HIDDEN_FLAT if flat else HIDDEN_NESTED),
        ("POST", "/vaults/V/archive", {}, {}),
        ("DELETE", "/vaults/V", {}, {}),
    ]
    assert expected == [
        (
            request.method,
            re.sub(r"vcred_\w+", "C", re.sub(r"vault_\w+", "V", request.path)),
            dict(request.query),
            request.body,
        )
        for request in qoder.requests
    ]
    assert all(200 <= (request.status or 0) < 300 for request in qoder.requests)


@REVISIONS
def test_only_creates_have_an_idempotency_key(
    revision: Revision, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A new UUIDv4 for each create, none for anything else."""
    qoder = start(revision.value)

    calls_of(client_of(qoder), revision)

    keyed = {request.path: request for request in qoder.requests if "idempotency-key" in request.headers}
    assert all(
        request.method == "POST" and re.search(r"/(vaults|credentials)$", path) for path, request in keyed.items()
    )
    keys = [request.headers["idempotency-key"] for request in qoder.requests if "idempotency-key" in request.headers]
    assert (2 if revision is R05 else 3) == len(keys) == len(set(keys))
    assert {4} == {uuid.UUID(key).version for key in keys}


def test_a_repeated_create_keeps_its_key_and_body(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """After a 429 the same request goes again: the server could replay its response."""
    qoder = start()
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, times=2)
    client = client_of(qoder)

    make(client, SSE)
    make(client, SSE)

    keys = [request.headers["idempotency-key"] for request in qoder.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert [qoder.requests[0].body] * 4 == [request.body for request in qoder.requests]
    assert 2 == len(qoder.vaults)


@pytest.mark.parametrize("workspace_id", [None, "ws_1"])
def test_the_workspace_is_named_only_if_configured(
    workspace_id: str | None, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """`qoder-workspace-id` is in every request, or in none."""
    qoder = start("2026-07")

    calls_of(client_of(qoder, workspace_id=workspace_id), R07)

    assert {workspace_id} == {request.headers.get("qoder-workspace-id") for request in qoder.requests}


@REVISIONS
def test_every_request_says_who_asks_and_what_it_speaks(
    revision: Revision, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """User-Agent and JSON content type stand in every request, as the official client has it."""
    qoder = start(revision.value)

    calls_of(client_of(qoder), revision)

    assert {("unit-tests/1", "application/json")} == {
        (request.headers["user-agent"], request.headers["content-type"]) for request in qoder.requests
    }


# Which call goes again


FAULTS = {
    "transport error": (Fault.DROP_BEFORE_COMMIT, errors.OutcomeUnknown),
    "408": (Fault.REQUEST_TIMEOUT, errors.ServerError),
    "500": (Fault.ERROR_BEFORE_COMMIT, errors.ServerError),
    "502": (Fault.BAD_GATEWAY_BEFORE_COMMIT, errors.ServerError),
}
REPEATABLE: dict[str, Callable[[Client, str, str], Any]] = {
    "get": lambda client, vault_id, _: client.get_vault(vault_id),
    "list": lambda client, vault_id, _: client.list_credentials(vault_id),
    "rotate": lambda client, vault_id, id_: client.update_credential(vault_id, id_, OTHER_TOKEN, SSE),
    "archive": lambda client, vault_id, _: client.archive_vault(vault_id),
    "delete": lambda client, vault_id, _: client.delete_vault(vault_id),
    "roll back": lambda client, vault_id, _: client.recovering().delete_vault(vault_id),
    "delete a credential": lambda client, vault_id, id_: client.delete_credential(vault_id, id_),
}
CREATES: dict[str, Callable[[Client, str], Any]] = {
    "create": lambda client, _: make(client, OTHER, sending=R07),
    "create a credential": lambda client, vault_id: client.create_credential(vault_id, OTHER, sending=R07, key=KEY),
}


@pytest.mark.parametrize("call", REPEATABLE)
@pytest.mark.parametrize("fault", [*FAULTS, "429"])
def test_these_calls_go_again(call: str, fault: str, client_of: Connect, start: Callable[..., Emulator]) -> None:
    """GET, DELETE, update and archive are sent again on transport errors, 408, 429 and 5xx."""
    qoder = start("2026-07")
    client = client_of(qoder)
    ids = filled(client, R07)
    qoder.clear_requests()
    qoder.fail_next("*", "/vaults/**", Fault.RATE_LIMITED if fault == "429" else FAULTS[fault][0], times=2)

    REPEATABLE[call](client, *ids)

    assert 3 == len(qoder.requests)


@pytest.mark.parametrize("call", CREATES)
@pytest.mark.parametrize("fault", FAULTS)
def test_creates_do_not(call: str, fault: str, client_of: Connect, start: Callable[..., Emulator]) -> None:
    """A create whose response is lost, or that met 408 or 5xx, may have been handled: it is sent once."""
    qoder = start("2026-07")
    client = client_of(qoder)
    vault_id = make(client, sending=R07).id
    qoder.clear_requests()
    qoder.fail_next("POST", "/**", FAULTS[fault][0])

    with pytest.raises(FAULTS[fault][1]):
        CREATES[call](client, vault_id)

    assert 1 == len(qoder.requests)


@pytest.mark.parametrize("call", CREATES)
def test_creates_go_again_after_429(call: str, client_of: Connect, start: Callable[..., Emulator]) -> None:
    """A 429 was refused before it was handled."""
    qoder = start("2026-07")
    client = client_of(qoder)
    vault_id = make(client, sending=R07).id
    qoder.clear_requests()
    qoder.fail_next("POST", "/**", Fault.RATE_LIMITED, times=2)

    CREATES[call](client, vault_id)

    assert 3 == len(qoder.requests)


@REVISIONS
def test_a_long_list_is_read_to_its_end(revision: Revision, client_of: Connect, start: Callable[..., Emulator]) -> None:
    """More credentials than a page holds are all read, each once."""
    qoder = start(revision.value, max_credentials=250)
    vault = qoder.add_vault("large")
    made = [qoder.add_credential(vault.id, f"https://example.com/{number}", "t").id for number in range(201)]

    found = client_of(qoder).list_credentials(vault.id)

    assert made[::-1] == [credential.id for credential in found]
    assert 3 == len(qoder.requests)


@REVISIONS
def test_archived_credentials_are_not_listed(
    revision: Revision, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """Only active ones count."""
    qoder = start(revision.value)
    client = client_of(qoder)
    vault_id, credential_id = filled(client, revision)
    qoder.archive_credential(vault_id, credential_id)

    assert () == client.list_credentials(vault_id)


ENVELOPE = {"type": "error", "request_id": "req_1", "error": {"type": "api_error", "message": "x"}}
OTHER_VAULT = {"id": "vault_1", "type": "vault", "status": "archived"}


@pytest.mark.parametrize("body", [b"[]", b"<html></html>", ENVELOPE, OTHER_VAULT], ids=str)
@pytest.mark.parametrize("call", ["delete", "archive", "delete a credential"])
@REVISIONS
def test_a_success_that_does_not_say_what_was_done_is_a_lost_response(
    revision: Revision, call: str, body: Any, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A 200 of a proxy, or about something else, does not prove that anything is gone, or archived."""
    qoder = start(revision.value)
    client = client_of(qoder)
    ids = filled(client, revision)
    qoder.fail_next("*", "/vaults/**", Effect("odd", status=200, body=body))

    with pytest.raises(errors.OutcomeUnknown):
        REPEATABLE[call](client, *ids)

    REPEATABLE[call](client, *ids)


def test_an_active_vault_is_not_archived(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """A response to an archiving without an archived vault does not show that it was done: who asks looks."""
    qoder = start()
    vault_id, _ = filled(client_of(qoder), R05)
    qoder.fail_next("POST", "/**", Effect("odd", status=200, body={"id": vault_id, "status": "active"}))
    qoder.fail_next("POST", "/**", Effect("odd", status=200, body=b"null"))

    assert [False, False, True] == [client_of(qoder).archive_vault(vault_id) for _ in range(3)]


ECHO = bearer(URL, Secret("canary0123456789"))
ID_WITH_SECRET = "vault_canary0123456789"


@pytest.mark.parametrize(
    "body",
    [
        {**CREATED, "id": ID_WITH_SECRET},
        {**CREATED, "id": ID_WITH_SECRET.replace("canary", "CANARY")},
        {**CREATED, "id": "vault_" + b"canary0123456789".hex()},
        {**CREATED, "id": "vault_ptemulator0000000000"},
        {**CREATED, "credentials": [{"id": "vcred_canary0123456789x"}]},
    ],
    ids=str,
)
def test_an_id_that_holds_a_secret_is_refused(
    body: dict[str, Any], client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """An id goes to plain outputs: a response whose ids repeat a secret of the call is not Qoder's."""
    qoder = start(api_token="ptemulator0000000000")
    qoder.fail_next("POST", "/vaults", Effect("echo", status=201, body=body))

    with pytest.raises(errors.OutcomeUnknown, match=r"not in the Qoder API's format: an id holds a secret$"):
        make(client_of(qoder, ECHO.secret), ECHO)


def test_a_short_secret_is_no_reason_to_refuse_an_id(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """A few letters stand in many an id by chance."""
    client = client_of(start(), Secret("0"), Secret("vault"))

    assert "my-mcp-vault" == make(client, SSE).display_name


def test_a_list_without_end_is_an_error(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """A server whose list never ends cannot keep the provider for ever: its cursor repeats, or is always a new one."""
    qoder = start()
    endless = {"data": [{"id": "vcred_1"}], "has_more": True, "last_id": "vcred_1"}
    qoder.fail_next("GET", "/**", Effect("endless", status=200, body=endless), times=2)
    for number in range(100):
        page = {"data": [{"id": "vcred_1"}], "next_page": f"cursor {number}"}
        qoder.fail_next("GET", "/**", Effect("endless", status=200, body=page))

    with pytest.raises(errors.OutcomeUnknown, match=r"^GET /vaults/vault_1/credentials: the list does not come to an"):
        client_of(qoder).list_credentials("vault_1")
    with pytest.raises(errors.OutcomeUnknown, match=r"^GET /vaults/vault_1/credentials: the list has more than 100"):
        client_of(qoder).list_credentials("vault_1")
    assert 102 == len(qoder.requests)


@pytest.mark.parametrize("what", ["vault", "credential"])
def test_a_read_of_something_else_is_a_lost_response(
    what: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A cache on the way may mix up its pages: another object says nothing about the one that was asked for."""
    qoder = start()
    another: dict[str, object] = {"id": "vault_2" if what == "vault" else "vcred_2"}
    qoder.fail_next("GET", "/**", Effect("another", status=200, body=another))
    client = client_of(qoder)

    with pytest.raises(errors.OutcomeUnknown, match=f"the response is about another {what}; check the proxy$"):
        _ = client.get_vault("vault_1") if what == "vault" else client.get_credential("vault_1", "vcred_1")


@pytest.mark.parametrize("id_", ["", ".", "vault_1/..", "vault_1?x=y", "vault_1\n", "v\u00e4ult"])
def test_an_id_that_would_leave_its_place_is_not_sent(
    id_: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """An id comes from a program, and is part of a path."""
    qoder = start()
    client = client_of(qoder)

    with pytest.raises(errors.NotSent, match="must be like vault_"):
        client.get_vault(id_)
    with pytest.raises(errors.NotSent, match="must be like vcred_"):
        client.get_credential("vault_1", id_)
    assert [] == qoder.requests


@pytest.mark.parametrize(
    ("name", "stored"), [(" my  vault ", "My Vault"), ("保管庫\u3000vault", "保管庫 vault"), ("é", "e\u0301")]
)
def test_our_mark_is_found_under_a_name_in_another_form(
    name: str, stored: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A server may write spaces and accents of a name in another form: our mark counts, and no other vault's."""
    qoder = start("2026-07")
    ours = qoder.add_vault(stored, metadata={"pulumi_create_id": KEY})
    qoder.add_vault(stored, metadata={"pulumi_create_id": "theirs"})

    found, failure = client_of(qoder).look_for_vaults(name)

    assert failure is None
    assert [ours.id] == [vault.id for vault in found if vault.mark == KEY]


def test_a_pause_leaves_time_to_look(client_of: Connect, start: Callable[..., Emulator], fake_time: Any) -> None:
    """Of the 30 s of a recovery three are left for what is asked after the last pause."""
    client = client_of(start()).recovering()

    for pause_s in (20.0, 12.0, 12.0):
        client.wait(pause_s, "a reason")

    assert [20.0, 7.0, 0.0] == fake_time.slept_s


def test_a_pause_outside_of_a_recovery_is_as_long_as_asked(
    client_of: Connect, start: Callable[..., Emulator], fake_time: Any
) -> None:
    """Each call has a time budget of its own there."""
    client_of(start()).wait(200.0, "a reason")

    assert [200.0] == fake_time.slept_s


def test_a_recovery_of_a_recovery_has_no_more_time(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """What is looked for while something is taken back belongs to the same 30 s."""
    client = client_of(start()).recovering()

    assert client is client.recovering()


def test_where_this_run_asks(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """The place is the base URL and the workspace of the settings."""
    qoder = start()

    assert Place(qoder.base_url, "ws_1") == client_of(qoder, workspace_id="ws_1").place


@pytest.mark.parametrize("secret", ["api token", "access token"])
def test_a_secret_in_the_place_of_an_id_is_not_sent(
    secret: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A program may give the wrong value: it is neither shown nor a path that Qoder would write down."""
    qoder = start("2026-07")
    client = client_of(qoder, Secret("canary-access-token"))
    wrong = qoder.api_token if secret == "api token" else "canary-access-token"
    for ask in (
        lambda: client.get_vault(wrong),
        lambda: client.list_credentials(wrong),
        lambda: client.get_credential("vault_1", wrong),
        lambda: client.delete_vault(wrong),
    ):
        with pytest.raises(errors.NotSent, match="the id holds a secret, and was not sent") as refused:
            ask()
        assert wrong not in str(refused.value)
    assert [] == qoder.requests
