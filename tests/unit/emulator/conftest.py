from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
Opened = tuple[Emulator, httpx.Client, str]
URL = "https://example.com/mcp"


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(cleanup: ExitStack) -> Serve:
    return lambda *revision, **options: cleanup.enter_context(Emulator(*revision, **options))


@pytest.fixture
def connect(cleanup: ExitStack) -> Connect:
    def open_client(qoder: Emulator) -> httpx.Client:
        headers = {"Authorization": f"Bearer {qoder.api_token}"}
        return cleanup.enter_context(
            httpx.Client(base_url=qoder.base_url, headers=headers, timeout=10, trust_env=False, verify=False)
        )

    return open_client


@pytest.fixture
def old(serve: Serve, connect: Connect) -> Opened:
    """(emulator, client, path of an empty vault's credentials) on 2026-05."""
    qoder = serve("2026-05")
    return qoder, connect(qoder), f"/vaults/{qoder.add_vault('v').id}/credentials"


@pytest.fixture
def new(serve: Serve, connect: Connect) -> Opened:
    """The same on 2026-07."""
    qoder = serve("2026-07")
    return qoder, connect(qoder), f"/vaults/{qoder.add_vault('v').id}/credentials"


@pytest.fixture
def flat() -> Callable[..., dict[str, Any]]:
    """A credential of 2026-05."""

    def make(url: str = URL, token: str = "mcp-canary-1", **fields: Any) -> dict[str, Any]:
        made = {"mcp_server_url": url, "protocol": "sse", "type": "static_bearer", "access_token": token, **fields}
        return {key: value for key, value in made.items() if value is not ...}

    return make


@pytest.fixture
def founding(flat: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A vault create of 2026-05."""
    return {"display_name": "my-mcp-vault", "credentials": [flat()]}


@pytest.fixture
def bearer() -> Callable[..., dict[str, Any]]:
    """A static bearer credential of 2026-07."""

    def make(url: str = URL, token: str = "mcp-canary-1", **fields: Any) -> dict[str, Any]:
        return {"auth": {"type": "static_bearer", "mcp_server_url": url, "token": token}, **fields}

    return make


@pytest.fixture
def oauth() -> dict[str, Any]:
    """An OAuth credential of 2026-07 with everything that it can have."""
    return {
        "auth": {
            "type": "mcp_oauth",
            "mcp_server_url": URL,
            "access_token": "oauth-canary-1",
            "expires_at": "2026-12-01T08:00:00.250Z",
            "refresh": {
                "client_id": "client-1",
                "refresh_token": "refresh-canary-1",
                "token_endpoint": "https://example.com/token",
                "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "client-canary-1"},
                "resource": "https://example.com",
                "scope": "read",
            },
        },
        "metadata": {"team": "tools"},
    }


@pytest.fixture
def error_of() -> Callable[[httpx.Response], tuple[int, str, str | None]]:
    """(status, error.type, error.param) of an error; the envelope is checked."""

    def read(response: httpx.Response) -> tuple[int, str, str | None]:
        body = response.json()
        assert {"type", "request_id", "error"} == body.keys()
        assert "error" == body["type"]
        assert body["error"].keys() <= {"type", "message", "param"}
        return response.status_code, body["error"]["type"], body["error"].get("param")

    return read
