"""The record of requests: what it shows, and that it holds no secret."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, Fault

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
URL = "https://example.com/mcp"


def test_requests_show_what_was_asked(serve: Serve, connect: Connect, founding: Body) -> None:
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


@pytest.mark.parametrize("fault", [None, Fault.ECHO, Fault.DROP_AFTER_COMMIT], ids=str)
def test_no_secret_is_recorded(serve: Serve, connect: Connect, oauth: Body, flat: MakeBody, fault: Any) -> None:
    """Neither records nor log lines hold an API token or a secret of a body, known, misspelt, or not JSON."""
    lines: list[str] = []
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


def test_what_is_no_secret_stays_readable(serve: Serve, connect: Connect, oauth: Body) -> None:
    """Names and endpoints around secrets are recorded, and so is a null in a secret's place."""
    qoder = serve("2026-07")
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    connect(qoder).post(path, json={**oauth, "x": {"type": "x", "secret_name": "KEY", "secret_value": None}})
    body = qoder.requests[0].body

    assert "https://example.com/token" == body["auth"]["refresh"]["token_endpoint"]
    assert {"type": "client_secret_basic", "client_secret": "***"} == body["auth"]["refresh"]["token_endpoint_auth"]
    assert {"type": "x", "secret_name": "KEY", "secret_value": None} == body["x"]


def test_a_dropped_request_has_no_status(serve: Serve, connect: Connect, founding: Body) -> None:
    """A request without a response is recorded with its fault, and without a status."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    with pytest.raises(httpx.RemoteProtocolError):
        connect(qoder).post("/vaults", json=founding)

    assert [(None, "DROP_AFTER_COMMIT")] == [(request.status, request.fault) for request in qoder.requests]


def test_log_lines(serve: Serve, connect: Connect) -> None:
    """A log line has time, method, path, status, duration, and the fault; control characters are gone."""
    lines: list[str] = []
    qoder = serve(log=lines.append)
    qoder.fail_next("GET", "/vaults", Fault.HTML_404)
    http = connect(qoder)
    http.get("/vaults")
    http.get("/vaults/%1b")
    with socket.create_connection((qoder.host, qoder.port), 5) as connection:
        connection.sendall(b"GET /\x1b[31m HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")
        while connection.recv(4096):
            pass

    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /vaults 404 \d+ ms \[html-404\]", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /vaults/%1b 404 \d+ ms", lines[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET    /\?\[31m 404 \d+ ms", lines[2])
