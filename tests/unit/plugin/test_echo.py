"""A service that shows the API token in what is not secret: it gets into no state, and into no result of a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from in_process.provider import Provider
from in_process.wire import secret

API_TOKEN = "pt-canary-0123456789"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
CREDENTIAL = {
    "id": "vcred_019e3bb940277f0db05ab74291acf6ef",
    "type": "static_bearer",
    "mcp_server_url": f"https://example.com/{API_TOKEN}",
    "protocol": "sse",
    "status": "active",
}
VAULT = {
    "id": VAULT_ID,
    "type": "vault",
    "status": "active",
    "display_name": f"v {API_TOKEN}",
    "metadata": {"echo": API_TOKEN, API_TOKEN: "key"},
    "credentials": [CREDENTIAL],
}


@pytest.fixture
def echoed(serve_raw: Callable[..., Any], serve: Callable[..., Provider]) -> Provider:
    """A plugin whose Qoder shows the API token, in a vault and in a list."""

    def respond(connection: Any, request: bytes) -> None:
        shown = {"data": [CREDENTIAL]} if b"/credentials" in request else VAULT
        body = json.dumps({"data": [VAULT]} if b"GET /api/vaults?" in request else shown).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    plugin = serve()
    plugin.call("Configure", args={"baseUrl": serve_raw(respond).base_url, "apiToken": secret(API_TOKEN)})
    return plugin


def test_a_state_never_holds_the_api_token(echoed: Provider) -> None:
    """Of an import, and of the refresh after it."""
    found = echoed.find(VAULT_ID)

    assert found is not None
    refreshed = echoed.refresh(found)
    assert API_TOKEN not in repr((vars(found), vars(refreshed) if refreshed else None))
    assert "***" in repr(vars(found))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("getVault", {"id": VAULT_ID}), ("listVaults", {}), ("getCredentials", {"vaultId": VAULT_ID})],
)
def test_a_function_never_returns_the_api_token(echoed: Provider, function: str, arguments: dict[str, str]) -> None:
    """What it returns is shown in plain text."""
    result = repr(echoed.invoke(function, **arguments))

    assert API_TOKEN not in result
    assert "***" in result
