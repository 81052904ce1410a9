"""What the tests of the API share: requests, responses byte by byte, and the lines of failures."""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.lifecycle.model import Credential, Revision
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL
from unit.lifecycle.records import bearer, desired_vault

JSON = (("Content-Type", "application/json"),)
API_TOKEN = "pt-canary-0123456789"
ACCESS_TOKEN = "mcp-canary/0123+456789"
GET = Request("GET", "/vaults", is_repeatable=True)
CREATE = Request("POST", "/vaults", body={}, idempotency_key="key")


def fail_to_connect(monkeypatch: pytest.MonkeyPatch, why: Exception) -> None:
    """Let every connection fail as a machine without a network lets it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise why

    monkeypatch.setattr(socket, "create_connection", fail)


def failure_of(transport: Transport, request: Request) -> errors.QoderError:
    with pytest.raises(errors.QoderError) as caught:
        transport.send(request)
    assert caught.value.__cause__ is None, "a cause is printed in a traceback, and may hold a secret"
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def items_of(transport: Transport, request: Request = GET) -> object:
    """What a list shows."""
    page = transport.send(request)
    assert isinstance(page, dict)
    return page["data"]


def line_of(transport: Transport, request: Request) -> str:
    return re.sub(r"req_[0-9a-f]{24}", "req_01", str(failure_of(transport, request)))


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"])
    return head.encode() + b"\r\n\r\n" + body


def host_of(qoder: Emulator) -> str:
    return qoder.base_url.split("/")[2]


def elsewhere(qoder: Emulator) -> str:
    """What is said where a response is not the API's own."""
    return f": check the proxy and qoder:baseUrl, which is {qoder.base_url}; the API's is like {DEFAULT_BASE_URL}"


DELETE = Request("DELETE", "/vaults/vault_1", is_repeatable=True)


def envelope(type_: Any, message: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"type": "error", "request_id": "req_7", "error": {"type": type_, "message": message, **fields}}
    ).encode()


URL = "https://example.com/mcp"
SSE = bearer(URL, Secret("your-access-token"), "sse")
R05, R07 = Revision.R2026_05, Revision.R2026_07
REVISIONS = pytest.mark.parametrize("revision", [R05, R07], ids=["2026-05", "2026-07"])
Connect = Callable[..., Client]
KEY = "7d1c7a3e-3f4e-4b8e-9d61-3a8d5f0c2b11"


def make(client: Client, *credentials: Credential, sending: Revision = R05, **metadata: str) -> Any:
    return client.create_vault(
        desired_vault(*credentials, metadata=metadata or None), sending=sending, key=str(uuid.uuid4())
    )


def filled(client: Client, revision: Revision) -> tuple[str, str]:
    """A vault with one credential: their ids."""
    vault = make(client, SSE, sending=revision)
    if revision is R07:
        return vault.id, client.create_credential(vault.id, SSE, sending=R07, key=KEY).id
    return vault.id, vault.credentials[0].id
