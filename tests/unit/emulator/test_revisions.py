"""Revisions: statuses and shapes, and no secret in any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, RevisionName

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
Opened = tuple[Emulator, httpx.Client, str]
URL = "https://example.com/mcp"


@pytest.mark.parametrize(("revision", "status"), [("2026-05", 201), ("between", 201), ("2026-07", 200)])
def test_create_status(serve: Serve, connect: Connect, revision: RevisionName, status: int) -> None:
    """A create returns 201, and 200 on 2026-07."""
    qoder = serve(revision)
    credentials = [{"mcp_server_url": URL, "protocol": "streamable_http", "type": "static_bearer", "access_token": "t"}]
    body = {"display_name": "v"} if revision == "2026-07" else {"display_name": "v", "credentials": credentials}

    assert status == connect(qoder).post("/vaults", json=body).status_code


def test_2026_07_vault_has_the_keys_of_the_page(serve: Serve, connect: Connect) -> None:
    """A 2026-07 vault has `archived_at` and no `status`; `credentials` is only in the create response, and empty."""
    http = connect(serve("2026-07"))
    keys = {"id", "type", "display_name", "metadata", "archived_at", "created_at", "updated_at"}
    made = http.post("/vaults", json={"display_name": "v", "metadata": {"team": "tools"}}).json()

    assert keys | {"credentials"} == made.keys()
    assert ([], None, {"team": "tools"}) == (made["credentials"], made["archived_at"], made["metadata"])
    assert keys == http.get(f"/vaults/{made['id']}").json().keys()


def test_2026_07_shape(new: Opened, bearer: MakeBody) -> None:
    """2026-07: nested `auth` without secrets, and the keys of the page."""
    _, http, path = new
    made = http.post(path, json=bearer(metadata={"team": "tools"})).json()

    assert {
        *("id", "type", "vault_id", "auth", "display_name", "metadata", "archived_at", "created_at", "updated_at")
    } == made.keys()
    assert {"type": "static_bearer", "mcp_server_url": URL} == made["auth"]
    assert ("vault_credential", None, None, {"team": "tools"}) == (
        made["type"],
        made["display_name"],
        made["archived_at"],
        made["metadata"],
    )


@pytest.mark.parametrize("kind", ["static_bearer", "mcp_oauth", "environment_variable"])
def test_no_secret_is_ever_returned(new: Opened, bearer: MakeBody, oauth: Body, kind: str) -> None:
    """No response of create, get, list, update or archive holds a secret."""
    qoder, http, path = new
    secret = {"type": "environment_variable", "secret_name": "KEY", "secret_value": "env-canary-1"}
    body = {"static_bearer": bearer(), "mcp_oauth": oauth, "environment_variable": {"auth": secret}}[kind]
    responses = [http.post(path, json=body)]
    one = f"{path}/{responses[0].json()['id']}"
    responses += [http.get(one), http.get(path), http.post(one, json={"auth": body["auth"] | {"type": kind}})]
    responses += [http.post(one, json={"metadata": {"k": "v"}}), http.post(f"{one}/archive")]

    assert "canary" in json.dumps(body)
    assert [] == [response.text for response in responses if "canary" in response.text]
    assert qoder.vaults[0].credentials[0].access_token is None
