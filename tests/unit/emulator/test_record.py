"""What the emulator shows: what exists, what was asked, and no secret in what was asked."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest

from pulumi_qoder_vault import emulator
from pulumi_qoder_vault.emulator import Fault

URL = "https://example.com/mcp"


def test_vaults_show_what_exists(serve, connect, founding):
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


def test_vaults_are_copies(serve):
    """Changing what `vaults` returned changes nothing at the service."""
    qoder = serve()
    qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    qoder.vaults[0].credentials.clear()

    assert 1 == len(qoder.vaults[0].credentials)


def test_requests_show_what_was_asked(serve, connect, founding):
    """A record has method, path, query, headers, body and status, in order."""
    qoder = serve()
    http = connect(qoder)
    http.post("/vaults", json=founding, headers={"Idempotency-Key": "key-1"})
    http.get("/vaults", params={"limit": 5})
    http.get("/vaults/none")
    create, listing, missing = qoder.requests

    assert ("POST", "/vaults", 201, "key-1") == (
        create.method,
        create.path,
        create.status,
        create.headers["idempotency-key"],
    )
    assert ("my-mcp-vault", URL, "***") == (
        create.body["display_name"],
        create.body["credentials"][0]["mcp_server_url"],
        create.body["credentials"][0]["access_token"],
    )
    assert ({"limit": "5"}, None, 200) == (listing.query, listing.body, listing.status)
    assert ("/vaults/none", 404) == (missing.path, missing.status)
    assert [create] == qoder.writes
    qoder.clear_requests()
    assert [] == qoder.requests


def test_changes_behind_the_clients_back_are_no_requests(serve):
    """Out-of-band changes are not recorded."""
    qoder = serve()
    credential = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    qoder.delete_credential(credential.vault_id, credential.id)

    assert [] == qoder.requests


@pytest.mark.parametrize("fault", [None, Fault.ECHO, Fault.DROP_AFTER_COMMIT], ids=str)
def test_no_secret_is_recorded(serve, connect, oauth, flat, fault):
    """Neither records nor log lines hold an API token or a secret of a body, known, misspelt, or not JSON."""
    lines = []
    qoder = serve("2026-07", log=lines.append, api_token="pt-canary-0")
    http = connect(qoder)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    if fault is not None:
        qoder.fail_next("POST", "**", fault, times=None)
    bodies = [oauth, flat(), {"acess_token": "canary-2"}, {"auth": [{"client_secret": ["canary-3"]}]}, "canary-4"]
    for body in bodies:
        content = b"{canary-5" if isinstance(body, str) else json.dumps(body)
        with contextlib.suppress(httpx.RemoteProtocolError):
            http.post(
                path, content=content, headers={"Content-Type": "application/json", "x-request-id": "pt-canary-0"}
            )
    with contextlib.suppress(httpx.RemoteProtocolError):
        http.post("/vaults/pt-canary-0", params={"q": "pt-canary-0"}, headers={"x-api-key": "canary-6"})

    assert (6, 6) == (len(qoder.requests), len(lines))
    assert [] == [request for request in qoder.requests if "canary" in repr(request)]
    assert [] == [line for line in lines if "canary" in line]
    assert {"***"} == {request.headers["authorization"] for request in qoder.requests}


def test_what_is_no_secret_stays_readable(serve, connect, oauth):
    """Names and endpoints around secrets are recorded, and so is a null in a secret's place."""
    qoder = serve("2026-07")
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    connect(qoder).post(path, json={**oauth, "x": {"type": "x", "secret_name": "KEY", "secret_value": None}})
    body = qoder.requests[0].body

    assert "https://example.com/token" == body["auth"]["refresh"]["token_endpoint"]
    assert {"type": "client_secret_basic", "client_secret": "***"} == body["auth"]["refresh"]["token_endpoint_auth"]
    assert {"type": "x", "secret_name": "KEY", "secret_value": None} == body["x"]


def test_repr_of_what_exists_holds_no_secret(serve):
    """A failing assertion that prints `vaults` prints no access token."""
    qoder = serve()
    qoder.add_credential(qoder.add_vault("v").id, URL, "mcp-canary-1")

    assert "canary" not in repr(qoder.vaults)


def test_a_dropped_request_has_no_status(serve, connect, founding):
    """A request without an answer is recorded with its fault, and without a status."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    with pytest.raises(httpx.RemoteProtocolError):
        connect(qoder).post("/vaults", json=founding)

    assert [(None, "DROP_AFTER_COMMIT")] == [(request.status, request.fault) for request in qoder.requests]


def test_had_active_tells_gaps(serve, connect, flat):
    """`had_active` says of each request whether a URL had an active credential right after it."""
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
def test_a_vault_that_ended_has_no_active_credential(serve, connect, end):
    """Credentials of an archived or deleted vault serve nobody."""
    qoder = serve()
    vault = qoder.add_vault("v")
    qoder.add_credential(vault.id, URL, "t")
    http = connect(qoder)
    http.get("/vaults")
    getattr(qoder, end)(vault.id)
    http.get("/vaults")

    assert [True, False] == [qoder.had_active(URL, after=request) for request in qoder.requests]


def test_log_lines(serve, connect):
    """A log line has time, method, path, status, duration, and the fault; control characters are gone."""
    lines = []
    qoder = serve(log=lines.append)
    qoder.fail_next("GET", "/vaults", Fault.HTML_404)
    http = connect(qoder)
    http.get("/vaults")
    http.get("/vaults/%1b")
    host, port = qoder.base_url.removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(b"GET /\x1b[31m HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")
        while connection.recv(4096):
            pass

    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /vaults 404 \d+ ms \[html-404\]", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /vaults/%1b 404 \d+ ms", lines[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /\?\[31m 404 \d+ ms", lines[2])


def test_public_names():
    """What the package exports is listed and there."""
    assert set(emulator.__all__) == {name for name in emulator.__all__ if hasattr(emulator, name)}
    assert {"Emulator", "Fault", "Effect", "Request"} <= set(emulator.__all__)


def test_the_emulator_imports_only_itself_and_the_standard_library():
    """No code is shared with the provider, so that one wrong idea cannot pass in both."""
    foreign = []
    for file in Path(emulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                foreign.append((file.name, node.module.partition(".")[0]))
            elif isinstance(node, ast.Import):
                foreign += [(file.name, alias.name.partition(".")[0]) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level > 1:
                foreign.append((file.name, ".."))

    assert [] == [pair for pair in foreign if pair[1] not in sys.stdlib_module_names]
