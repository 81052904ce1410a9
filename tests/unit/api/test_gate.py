"""What a server says of a vault reaches nobody with a secret of the process in it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import quote

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Effect, Emulator
from pulumi_qoder_vault.secret import Secret, texts_in
from unit.api.sending import ACCESS_TOKEN, GET, JSON, failure_of, response

VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
CREDENTIAL_ID = "vcred_019e3bb940277f0db05ab74291acf6ef"
OF_ANOTHER = "mcp-canary-of-another-resource"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "within a text": lambda value: f"Bearer {value}!",
    "upper case": str.upper,
    "base64": lambda value: base64.b64encode(f"x{value}".encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "URL": lambda value: f"https://example.com/{quote(value, safe='')}",
    "cut": lambda value: value[:12] + "...",
}


def vault(text: str) -> dict[str, Any]:
    """A vault with this text wherever Qoder's own may be anything."""
    flat = {
        "id": CREDENTIAL_ID,
        "type": "static_bearer",
        "mcp_server_url": text,
        "protocol": "sse",
        "created_at": text,
        "metadata": {"key": text, text: "value"},
    }
    auth = {"type": "environment_variable", "secret_name": text, "networking": {"allowed_hosts": [text, "a.example"]}}
    return {
        "id": VAULT_ID,
        "type": "vault",
        "status": "active",
        "display_name": text,
        "metadata": {"key": text, text: "value", "pulumi_create_id": text},
        "credentials": [flat, {**flat, "auth": auth}],
        "created_at": text,
        "updated_at": text,
    }


@pytest.fixture
def client_at(serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator) -> Any:
    """A client of a server that shows this, in a process that knows another resource's access token."""

    def connect(shows: Any, *secrets: Secret, plain: Collection[str] = ()) -> Client:
        body = response("200 OK", json.dumps(shows).encode())
        transport = connect_to(qoder, base_url=serve_raw(body).base_url)
        transport.hold_back([Secret(OF_ANOTHER), *secrets], plain)
        return Client(transport, (Secret(ACCESS_TOKEN),))

    return connect


def texts(seen: Any) -> list[str]:
    credentials = [[item.properties, item.metadata, item.created_at] for item in seen.credentials]
    return sorted(texts_in([seen.display_name, seen.metadata, seen.created_at, seen.updated_at, *credentials]))


@pytest.mark.parametrize("spelled", SPELLINGS)
@pytest.mark.parametrize("whose", ["API token", "this resource's", "another resource's"])
def test_no_secret_of_the_process_passes(client_at: Any, qoder: Emulator, spelled: str, whose: str) -> None:
    """Not in a name, in metadata or its keys, in a field of a credential or in a list; and the rest is as it was."""
    secrets = {"API token": qoder.api_token, "this resource's": ACCESS_TOKEN, "another resource's": OF_ANOTHER}
    text = SPELLINGS[spelled](secrets[whose])

    seen = client_at(vault(text)).get_vault(VAULT_ID)

    assert text not in "\n".join(texts(seen))
    assert "***" in seen.display_name
    assert {seen.display_name: "value", "key": seen.display_name} == seen.metadata
    assert {"a.example", "key", "value", "sse"} <= set(texts(seen))


@pytest.mark.parametrize(
    "text",
    [
        "  two  blanks\tand\u200b a line\r\n",
        "***",
        "%41%42&amp;\\u0041",
        "",
        "pt-canar",
        "e\u0301\U0001f511",
        "a" * 65536,
    ],
)
def test_what_holds_no_secret_stays_byte_for_byte(client_at: Any, text: str) -> None:
    """The lifecycle compares what it asked for with what is shown."""
    seen = client_at(vault(text)).get_vault(VAULT_ID)

    assert (text, text) == (seen.display_name, seen.credentials[0].mcp_server_url)
    assert {"key": text, text: "value"} == seen.metadata


def test_what_the_program_has_in_plain_text_passes(client_at: Any, qoder: Emulator) -> None:
    """A name may be the beginning of somebody's access token. The API token is held back all the same."""
    named = f"{ACCESS_TOKEN[:12]}"
    for text, passes in ((named, True), (ACCESS_TOKEN, True), (qoder.api_token, False)):
        assert text != client_at(vault(text), plain=()).get_vault(VAULT_ID).display_name
        assert (text == client_at(vault(text), plain=[text]).get_vault(VAULT_ID).display_name) is passes


def test_a_short_secret_may_stand_in_any_text(client_at: Any) -> None:
    """The value of an environment variable may be `true`."""
    client = client_at(vault("true story"), Secret("true"), Secret("story"), Secret("e sto"))

    assert "true story" == client.get_vault(VAULT_ID).display_name


def test_a_text_that_is_longer_than_any_of_qoders_is_unreadable(client_at: Any) -> None:
    """To search it would take long, and a state would keep it."""
    with pytest.raises(errors.OutcomeUnknown, match="a text in it is longer than 64 KiB"):
        client_at(vault("a" * 65537)).get_vault(VAULT_ID)


def test_lists_go_through_the_gate_too(client_at: Any, qoder: Emulator) -> None:
    """Each item of them."""
    client = client_at({"data": [vault(qoder.api_token)], "has_more": False})

    assert ["***"] == [item.display_name for item in client.list_vaults(includes_archived=False)]


def test_many_long_secrets_cost_next_to_no_time(client_at: Any) -> None:
    """A page of 500 credentials, in a process that holds 500 access tokens of 16 KiB: less than a second of CPU."""
    secrets = [Secret(hashlib.sha512(f"{number}".encode()).hexdigest() * 128) for number in range(500)]
    shown = vault("tools")["credentials"][0]
    urls = [f"https://example.com/{number}/mcp" for number in range(500)]
    data = [{**shown, "id": f"vcred_{number}", "mcp_server_url": url} for number, url in enumerate(urls)]
    client = client_at({"data": data, "has_more": False}, *secrets)
    began_s = time.process_time()

    assert urls == [item.mcp_server_url for item in client.list_credentials(VAULT_ID)]

    assert time.process_time() - began_s < 1


def test_an_error_shows_no_secret_of_another_operation(qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """What one operation was handed, another's error may repeat."""
    transport = connect_to(qoder)
    transport.hold_back([Secret(OF_ANOTHER)], [])
    body = json.dumps({"type": "error", "error": {"type": "no", "message": f"Bad: {OF_ANOTHER}"}}).encode()
    qoder.fail_next("GET", "/vaults", Effect("echo", status=400, headers=JSON, body=body))

    assert str(failure_of(transport, GET)).startswith("GET /vaults: Bad: *** (400 no")
