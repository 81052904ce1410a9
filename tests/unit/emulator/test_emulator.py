"""`Emulator`: the object that tests use, what it shows, and what it changes without a request."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault import emulator
from pulumi_qoder_vault.emulator import ApiError, Emulator

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
URL = "https://example.com/mcp"


def test_there_is_no_base_url_before_the_first_start() -> None:
    """Before a start there is no port."""
    with pytest.raises(RuntimeError, match="start"):
        _ = Emulator().base_url


def test_is_up_before_and_after() -> None:
    """It is up from a start to a stop."""
    qoder = Emulator()
    seen = [qoder.is_up]
    with qoder:
        seen.append(qoder.is_up)

    assert [False, True, False] == [*seen, qoder.is_up]


def test_an_outage_is_a_stop_and_a_start(serve: Serve, connect: Connect, founding: Body) -> None:
    """A stopped emulator refuses connections; started again it has its port and its vaults."""
    qoder = serve()
    http = connect(qoder)
    id_ = http.post("/vaults", json=founding).json()["id"]
    qoder.stop()
    with pytest.raises(httpx.TransportError):
        http.get("/vaults")
    qoder.start()

    assert 200 == http.get(f"/vaults/{id_}").status_code


def test_the_api_token_can_change(serve: Serve, connect: Connect) -> None:
    """An accepted token can be withdrawn while the service runs."""
    qoder = serve()
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    qoder.api_token = "pt-other"

    assert 401 == http.get("/vaults").status_code


@pytest.mark.parametrize("token", ["", "has space", "new\nline", "ключ"])
def test_an_api_token_that_no_header_can_carry_is_invalid(token: str) -> None:
    """The error does not repeat the token."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Emulator(api_token=token)

    assert not token or token not in str(caught.value)


def test_revision_can_change_under_a_running_service(serve: Serve, connect: Connect, founding: Body) -> None:
    """The service changed in place: what 2026-05 created is returned in the shape of 2026-07."""
    qoder = serve("2026-05")
    http = connect(qoder)
    made = http.post("/vaults", json=founding).json()
    qoder.revision = "2026-07"
    credential = http.get(f"/vaults/{made['id']}/credentials").json()["data"][0]

    assert {"type": "static_bearer", "mcp_server_url": URL} == credential["auth"]
    assert made["credentials"][0]["id"] == credential["id"]


def test_vaults_show_what_exists(serve: Serve, connect: Connect, founding: Body) -> None:
    """`vaults` has everything with access tokens; archived ones stay, deleted ones go."""
    qoder = serve()
    made = connect(qoder).post("/vaults", json=founding).json()
    vault, credential = qoder.vaults[0], qoder.vaults[0].credentials[0]

    assert (made["id"], "my-mcp-vault", {}, "active") == (
        vault.id,
        vault.display_name,
        vault.metadata,
        vault.status,
    )
    assert (made["credentials"][0]["id"], URL, "sse", "static_bearer", "mcp-canary-1", "active") == (
        credential.id,
        credential.mcp_server_url,
        credential.protocol,
        credential.type,
        credential.access_token,
        credential.status,
    )
    qoder.archive_credential(vault.id, credential.id)
    qoder.archive_vault(vault.id)
    assert ("archived", "archived") == (qoder.vaults[0].status, qoder.vaults[0].credentials[0].status)
    qoder.delete_credential(vault.id, credential.id)
    assert [] == qoder.vaults[0].credentials
    qoder.delete_vault(vault.id)
    assert [] == qoder.vaults


def test_vaults_are_copies(serve: Serve) -> None:
    """Changing what `vaults` returned changes nothing at the service."""
    qoder = serve()
    qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    qoder.vaults[0].credentials.clear()

    assert 1 == len(qoder.vaults[0].credentials)


def test_changes_without_a_request_are_not_recorded(serve: Serve) -> None:
    """What a test changes directly is not in the record of requests."""
    qoder = serve()
    credential = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    qoder.delete_credential(credential.vault_id, credential.id)

    assert [] == qoder.requests


def test_changes_without_a_request_keep_the_rules(serve: Serve) -> None:
    """What a test changes directly obeys the same rules."""
    qoder = serve()
    with pytest.raises(ApiError, match="was not found"):
        qoder.delete_vault("vault_0")


def test_had_active_tells_gaps(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """`had_active` is true for each request right after which a URL had an active credential."""
    qoder = serve(unique_url=False)
    http = connect(qoder)
    vault = http.post("/vaults", json={"display_name": "v", "credentials": [flat(token="old")]}).json()
    path, old = f"/vaults/{vault['id']}/credentials", vault["credentials"][0]["id"]
    http.delete(f"{path}/{old}")
    new = http.post(path, json=flat(token="new")).json()
    http.post(f"{path}/{new['id']}/archive")

    assert [True, False, True, False] == [qoder.had_active(URL, after=request) for request in qoder.requests]
    assert not any(qoder.had_active("https://other.example", after=request) for request in qoder.requests)
    assert qoder.had_active(URL, after=qoder.requests[0], vault_id=vault["id"])
    assert not qoder.had_active(URL, after=qoder.requests[0], vault_id="vault_other")


@pytest.mark.parametrize("end", ["archive_vault", "delete_vault"])
def test_a_vault_that_ended_has_no_active_credential(serve: Serve, connect: Connect, end: str) -> None:
    """Credentials of an archived or deleted vault serve nobody."""
    qoder = serve()
    vault = qoder.add_vault("v")
    qoder.add_credential(vault.id, URL, "t")
    http = connect(qoder)
    http.get("/vaults")
    getattr(qoder, end)(vault.id)
    http.get("/vaults")

    assert [True, False] == [qoder.had_active(URL, after=request) for request in qoder.requests]


def test_public_names() -> None:
    """What the package exports is listed and there."""
    assert set(emulator.__all__) == {name for name in emulator.__all__ if hasattr(emulator, name)}
    assert {"Emulator", "Fault", "Effect", "Request"} <= set(emulator.__all__)


def test_the_emulator_imports_only_itself_and_the_standard_library() -> None:
    """No code is shared with the provider, so that one misunderstanding cannot pass in both."""
    foreign = []
    for file in Path(emulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                foreign.append((file.name, (node.module or "").partition(".")[0]))
            elif isinstance(node, ast.Import):
                foreign += [(file.name, alias.name.partition(".")[0]) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level > 1:
                foreign.append((file.name, ".."))

    assert [] == [pair for pair in foreign if pair[1] not in sys.stdlib_module_names]
