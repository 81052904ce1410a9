"""The emulator answers the founding page's example as the page does (Qoder, Create Vault, read 2026-05)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator

BODY = """{
"display_name": "my-mcp-vault",
"credentials": [
{
"mcp_server_url": "https://example.com/mcp",
"protocol": "sse",
"type": "static_bearer",
"access_token": "your-access-token"
}
]
}"""
# The page's answer, word for word.
DOCUMENTED = json.loads("""{
"id": "vault_019e3bb940277f0db05ab74291acf6ef",
"type": "vault",
"display_name": "my-mcp-vault",
"status": "active",
"metadata": {},
"credentials": [
{
"id": "vcred_019e3bb940297658a632dbf920057eff",
"vault_id": "vault_019e3bb940277f0db05ab74291acf6ef",
"mcp_server_url": "https://example.com/mcp",
"protocol": "sse",
"type": "static_bearer",
"status": "active",
"created_at": "2026-05-18T15:34:16.876188Z",
"updated_at": "2026-05-18T15:34:16.876188Z"
}
],
"created_at": "2026-05-18T15:34:16.874877Z",
"updated_at": "2026-05-18T15:34:16.874877Z"
}""")


def generic(value: Any) -> Any:
    """Return a response with digits of ids and times replaced: what is left must be equal."""
    if isinstance(value, dict):
        return {key: generic(item) for key, item in value.items()}
    if isinstance(value, list):
        return [generic(item) for item in value]
    if re.fullmatch(r"(vault|vcred)_[0-9a-f]{32}", value):
        return value[:6]
    return "time" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", value) else value


def test_the_example_is_answered_as_documented() -> None:
    """The page's body gets 201 and exactly the page's keys and values, in the page's order, ids and times aside."""
    headers = {"Authorization": "Bearer pt-1", "Content-Type": "application/json"}
    with Emulator("2026-05", api_token="pt-1") as qoder:
        answer = httpx.post(f"{qoder.base_url}/vaults", content=BODY, headers=headers)

    assert 201 == answer.status_code
    assert generic(DOCUMENTED) == generic(answer.json())
    assert list(DOCUMENTED) == list(answer.json())
    assert answer.json()["id"] == answer.json()["credentials"][0]["vault_id"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_curl_command_of_the_page_works() -> None:
    """The page's own command line, with the base URL and the token of the emulator."""
    with Emulator("2026-05") as qoder:
        headers = (f"Authorization: Bearer {qoder.api_token}", "Content-Type: application/json")
        command = ["curl", "-sS", "--noproxy", "*", "-X", "POST", f"{qoder.base_url}/vaults", "-d", BODY]
        command += [argument for header in headers for argument in ("-H", header)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)

    assert generic(DOCUMENTED) == generic(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"credentials": None}, "At least one credential is required when creating a vault."),
        ({"access_token": None}, "Field 'access_token' is required for static_bearer type."),
    ],
)
def test_the_errors_of_the_page(change: dict[str, None], message: str) -> None:
    """The two documented 400s have the page's words."""
    body = json.loads(BODY)
    holder = body if "credentials" in change else body["credentials"][0]
    for key in change:
        del holder[key]
    with Emulator("2026-05") as qoder:
        headers = {"Authorization": f"Bearer {qoder.api_token}"}
        answer = httpx.post(f"{qoder.base_url}/vaults", json=body, headers=headers)

    assert (400, {"type": "invalid_request_error", "message": message}) == (answer.status_code, answer.json()["error"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_the_401_of_the_page(headers: dict[str, str]) -> None:
    """A missing or invalid token is `TOKEN_INVALID`."""
    with Emulator("2026-05") as qoder:
        answer = httpx.post(f"{qoder.base_url}/vaults", json=json.loads(BODY), headers=headers)

    assert (401, "TOKEN_INVALID") == (answer.status_code, answer.json()["error"]["type"])
