"""Routes: which ones a service does not serve, and responses that hold no object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, RevisionName

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
URL = "https://example.com/mcp"

REVISIONS = ("2026-05", "between", "2026-07")
TYPES = {404: "not_found_error", 405: "invalid_request_error", 409: "conflict_error", 501: "feature_not_available"}


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("revision", REVISIONS)
def test_delete_of_a_credential_may_not_be_served(
    serve: Serve, connect: Connect, error_of: ErrorOf, revision: RevisionName, status: int
) -> None:
    """DELETE of a credential is refused in the envelope, a 404 in the words of a genuine one, and it is still there."""
    qoder = serve(revision, credential_delete_refusal=status)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    path = f"/vaults/{made.vault_id}/credentials/{made.id}"
    http = connect(qoder)
    response = http.delete(path)

    assert (status, TYPES[status], None) == error_of(response)
    if status == 404:
        assert f"Credential '{made.id}' was not found." == response.json()["error"]["message"]
    if status == 405:
        assert "DELETE" not in response.headers["allow"]
    assert (200, [made.id]) == (http.get(path).status_code, [item.id for item in qoder.vaults[0].credentials])


@pytest.mark.parametrize("status", [404, 405, 409, 501])
@pytest.mark.parametrize("revision", REVISIONS)
def test_delete_of_a_vault_may_not_be_served(
    serve: Serve, connect: Connect, error_of: ErrorOf, revision: RevisionName, status: int
) -> None:
    """DELETE of a vault is refused in the envelope, and it is still there; what never was is a 404 all the same."""
    qoder = serve(revision, vault_delete_refusal=status)
    path = f"/vaults/{qoder.add_vault('v').id}"
    http = connect(qoder)

    assert (status, TYPES[status], None) == error_of(http.delete(path))
    assert 200 == http.get(path).status_code
    assert (404 if status == 409 else status) == http.delete("/vaults/vault_none").status_code


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("revision", REVISIONS)
def test_an_update_may_not_be_served(
    serve: Serve, connect: Connect, error_of: ErrorOf, revision: RevisionName, status: int
) -> None:
    """POST to a credential is refused, on the flat revisions too, with the status of the option; nothing changes."""
    qoder = serve(revision, credential_update_refusal=status)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "old")
    patch = {"auth": {"type": "static_bearer", "token": "new"}}

    assert (status, TYPES[status], None) == error_of(
        connect(qoder).post(f"/vaults/{made.vault_id}/credentials/{made.id}", json=patch)
    )
    assert "old" == qoder.vaults[0].credentials[0].access_token


@pytest.mark.parametrize("status", [404, 405, 501])
def test_get_of_a_credential_may_not_be_served(serve: Serve, connect: Connect, error_of: ErrorOf, status: int) -> None:
    """GET of one credential is refused, though it is listed."""
    qoder = serve(credential_get_refusal=status)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    path = f"/vaults/{made.vault_id}/credentials"
    http = connect(qoder)

    assert (status, TYPES[status], None) == error_of(http.get(f"{path}/{made.id}"))
    assert [made.id] == [item["id"] for item in http.get(path).json()["data"]]


@pytest.mark.parametrize(("form", "content"), [("empty", b""), ("null", b"null")])
@pytest.mark.parametrize("revision", REVISIONS)
def test_responses_may_hold_no_object(
    serve: Serve, connect: Connect, revision: RevisionName, form: str, content: bytes
) -> None:
    """DELETE and archive may be answered with 200 and an empty body or null, and are done all the same."""
    qoder = serve(revision, delete_response=form, archive_response=form)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    vault = f"/vaults/{made.vault_id}"
    credential = f"{vault}/credentials/{made.id}"
    http = connect(qoder)

    for method, path in [("POST", f"{credential}/archive"), ("DELETE", credential), ("POST", f"{vault}/archive")]:
        response = http.request(method, path)
        assert (200, content) == (response.status_code, response.content)
    assert ("archived", []) == (qoder.vaults[0].status, qoder.vaults[0].credentials)
    assert (200, content, []) == ((gone := http.delete(vault)).status_code, gone.content, qoder.vaults)


def test_archived_vaults_may_be_hidden(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """GET, DELETE and archive of an archived vault are 404, and it is still there."""
    qoder = serve("2026-07", hides_archived_vaults=True)
    path = f"/vaults/{qoder.add_vault('v').id}"
    http = connect(qoder)

    assert 200 == http.post(f"{path}/archive").status_code
    for method, at in [("GET", path), ("DELETE", path), ("POST", f"{path}/archive")]:
        assert (404, "not_found_error", None) == error_of(http.request(method, at))
    assert ["archived"] == [vault.status for vault in qoder.vaults]


@pytest.mark.parametrize(("form", "shown"), [("null", None), ("empty", []), ("absent", ...)])
@pytest.mark.parametrize("revision", ["2026-05", "between"])
def test_a_create_may_not_show_its_credentials(
    serve: Serve, connect: Connect, flat: MakeBody, revision: RevisionName, form: str, shown: Any
) -> None:
    """`credentials` of a create response may be null, empty or absent, though they are stored."""
    qoder = serve(revision, create_credentials=form)
    body = {"display_name": "v", "credentials": [flat(protocol="streamable_http")]}
    made = connect(qoder).post("/vaults", json=body)

    assert (201, shown) == (made.status_code, made.json().get("credentials", ...))
    assert [URL] == [item.mcp_server_url for item in qoder.vaults[0].credentials]


def test_writes_to_what_is_archived_may_be_a_400(
    serve: Serve, connect: Connect, bearer: MakeBody, error_of: ErrorOf
) -> None:
    """A create in an archived vault, and an update of an archived credential, may be a 400."""
    qoder = serve("2026-07", archived_write_status=400)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    path = f"/vaults/{made.vault_id}/credentials"
    http = connect(qoder)
    qoder.archive_credential(made.vault_id, made.id)
    update = http.post(f"{path}/{made.id}", json={"auth": {"type": "static_bearer", "token": "new"}})
    qoder.archive_vault(made.vault_id)

    refused = (400, "invalid_request_error", None)
    assert [refused, refused] == [error_of(update), error_of(http.post(path, json=bearer()))]
