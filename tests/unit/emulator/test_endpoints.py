"""Endpoints: what each one does on each revision."""

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
Opened = tuple[Emulator, httpx.Client, str]
URL = "https://example.com/mcp"
REFUSED = (400, "invalid_request_error")
CONFLICT = (409, "conflict_error")


@pytest.mark.parametrize("path", ["/agents", "/vaults/", "/vaults/v/credentials/c/other", "/vaults//archive"])
def test_other_paths_are_not_found(serve: Serve, connect: Connect, error_of: ErrorOf, path: str) -> None:
    """A path that the API does not have is a 404 of the API."""
    assert (404, "not_found_error", None) == error_of(connect(serve()).get(path))


def test_other_methods_are_not_allowed(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """A method that a path does not have is a 405 with Allow."""
    response = connect(serve()).put("/vaults", json={})

    assert (405, "invalid_request_error", None) == error_of(response)
    assert "GET, POST" == response.headers["allow"]


def test_2026_05_archive_and_delete(serve: Serve, connect: Connect, founding: Body, error_of: ErrorOf) -> None:
    """2026-05: archive shows in `status`; an archived vault is readable and can be deleted, with 204, once."""
    http = connect(serve("2026-05"))
    path = f"/vaults/{http.post('/vaults', json=founding).json()['id']}"
    archived = http.post(f"{path}/archive", json={})

    assert (200, "archived") == (archived.status_code, archived.json()["status"])
    assert archived.json()["archived_at"] == archived.json()["updated_at"]
    assert "archived" == http.get(path).json()["status"]
    gone = http.delete(path)
    assert (204, b"") == (gone.status_code, gone.content)
    assert (404, "not_found_error", None) == error_of(http.delete(path))


def test_2026_07_archive_and_delete(serve: Serve, connect: Connect) -> None:
    """2026-07: archive sets `archived_at`; delete returns the id."""
    http = connect(serve("2026-07"))
    id_ = http.post("/vaults", json={"display_name": "v"}).json()["id"]

    assert http.post(f"/vaults/{id_}/archive").json()["archived_at"] is not None
    assert {"id": id_, "type": "vault_deleted"} == http.delete(f"/vaults/{id_}").json()
    response = http.get(f"/vaults/{id_}")
    assert (404, f"Vault '{id_}' was not found.") == (response.status_code, response.json()["error"]["message"])


@pytest.mark.parametrize("shows", [True, False])
def test_credentials_in_a_2026_05_get_are_an_option(
    serve: Serve, connect: Connect, founding: Body, shows: bool
) -> None:
    """No page says whether a 2026-05 vault has its credentials outside the create response."""
    http = connect(serve("2026-05", vault_get_credentials=shows))
    made = http.post("/vaults", json=founding).json()
    read = http.get(f"/vaults/{made['id']}").json()

    assert (made["credentials"] if shows else None) == read.get("credentials")


def test_2026_05_life_of_a_credential(old: Opened, flat: MakeBody, error_of: ErrorOf) -> None:
    """2026-05: 201 and the flat shape, no secret; archive once; delete 204, once."""
    qoder, http, path = old
    made = http.post(path, json=flat())

    keys = {"id", "vault_id", "mcp_server_url", "protocol", "type", "status", "created_at", "updated_at"}
    assert (201, keys) == (made.status_code, made.json().keys())
    assert ("mcp-canary-1", "sse") == (qoder.vaults[0].credentials[0].access_token, made.json()["protocol"])
    one = f"{path}/{made.json()['id']}"
    assert made.json() == http.get(one).json()
    assert [made.json()] == http.get(path).json()["data"]
    assert "archived" == http.post(f"{one}/archive", json={}).json()["status"]
    assert (*CONFLICT, None) == error_of(http.post(f"{one}/archive", json={}))
    assert (204, b"") == ((gone := http.delete(one)).status_code, gone.content)
    assert (404, "not_found_error", None) == error_of(http.delete(one))


@pytest.mark.parametrize("revision", ["2026-05", "between"])
def test_no_update_before_2026_07(serve: Serve, connect: Connect, revision: RevisionName) -> None:
    """Only 2026-07 has an update: before it, the method is not allowed and the secret stays."""
    qoder = serve(revision)
    vault = qoder.add_vault("v")
    made = qoder.add_credential(vault.id, URL, "old")
    response = connect(qoder).post(
        f"/vaults/{vault.id}/credentials/{made.id}", json={"auth": {"type": "static_bearer", "token": "new"}}
    )

    assert (405, "old") == (response.status_code, qoder.vaults[0].credentials[0].access_token)


@pytest.mark.parametrize("status", [200, 201])
def test_2026_07_create_status_is_an_option(serve: Serve, connect: Connect, bearer: MakeBody, status: int) -> None:
    """Qoder's pages give both 200 and 201 for a credential create."""
    qoder = serve("2026-07", credential_create_status=status)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"

    assert status == connect(qoder).post(path, json=bearer()).status_code


def test_validate_is_for_oauth(new: Opened, bearer: MakeBody, oauth: Body, error_of: ErrorOf) -> None:
    """`mcp_oauth_validate` returns `valid` and `refresh` for OAuth, 400 for other types, 409 if it is archived."""
    qoder, http, path = new
    one = http.post(path, json=oauth).json()["id"]
    other = http.post(path, json=bearer(f"{URL}/2")).json()["id"]

    response = http.post(f"{path}/{one}/mcp_oauth_validate").json()
    assert ("valid", True, one) == (response["status"], response["has_refresh_token"], response["credential_id"])
    assert {"status", "http_response"} == response["refresh"].keys()
    del oauth["auth"]["refresh"]
    plain = http.post(path, json={"auth": {**oauth["auth"], "mcp_server_url": f"{URL}/3"}}).json()["id"]
    validated = http.post(f"{path}/{plain}/mcp_oauth_validate").json()
    assert ({"status": "no_refresh_token", "http_response": None}, False) == (
        validated["refresh"],
        validated["has_refresh_token"],
    )
    assert REFUSED == error_of(http.post(f"{path}/{other}/mcp_oauth_validate"))[:2]
    qoder.archive_credential(qoder.vaults[0].id, one)
    assert CONFLICT == error_of(http.post(f"{path}/{one}/mcp_oauth_validate"))[:2]
