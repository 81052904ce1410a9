"""`getVault`, `listVaults`, `getCredentials`, `validateCredential` over the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from in_process.provider import Failed, Provider
from in_process.wire import UNKNOWN, in_plain, secret
from pulumi_qoder_vault.emulator import Emulator, Fault

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN = "mcp-canary-one-1111"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
CREDENTIAL_ID = "vcred_019e3bb940277f0db05ab74291acf6ef"


def test_get_vault_reads_all_of_a_vault(plugin: Provider, qoder: Emulator) -> None:
    """Its active credentials among it, the oldest first; no secret, and no null."""
    made = qoder.add_vault("theirs", metadata={"team": "tools"})
    first = qoder.add_credential(made.id, OTHER_URL, TOKEN)
    second = qoder.add_credential(made.id, URL, TOKEN)
    third = qoder.add_credential(made.id, "https://example.com/archived", TOKEN)
    qoder.archive_credential(made.id, third.id)

    result = plugin.invoke("getVault", id=made.id)

    times = {name: result.pop(name) for name in ("createdAt", "updatedAt")}
    assert all(time.endswith("Z") for time in times.values())
    protocol = {"protocol": "streamable_http"} if qoder.revision == "2026-05" else {}
    shown = [{key: value for key, value in item.items() if key != "createdAt"} for item in result.pop("credentials")]
    assert [
        {"id": first.id, "type": "static_bearer", "mcpServerUrl": OTHER_URL, **protocol},
        {"id": second.id, "type": "static_bearer", "mcpServerUrl": URL, **protocol},
    ] == shown
    assert {
        "id": made.id,
        "displayName": "theirs",
        "metadata": {"team": "tools"},
        "status": "active",
        "credentialIds": {OTHER_URL: first.id, URL: second.id},
        "apiRevision": qoder.revision,
    } == result
    assert [] == in_plain(result)


def test_of_two_with_one_url_the_newest_counts(vault_plugin: Callable[..., Any]) -> None:
    """As for an agent: the last one that was made."""
    qoder, plugin = vault_plugin("2026-05", unique_url=False)
    made = qoder.add_vault("theirs")
    qoder.add_credential(made.id, URL, TOKEN)
    newest = qoder.add_credential(made.id, URL, TOKEN)

    assert {URL: newest.id} == plugin.invoke("getVault", id=made.id)["credentialIds"]


def test_the_mark_of_a_create_is_not_shown(vault_plugin: Callable[..., Any]) -> None:
    """It is the provider's own; programs would see another value for each vault."""
    _, plugin = vault_plugin("2026-07")
    made = plugin.create(
        {
            "displayName": "v",
            "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN}],
            "metadata": {"team": "tools"},
        }
    )

    assert {"team": "tools"} == plugin.invoke("getVault", id=made.id)["metadata"]
    assert [{"team": "tools"}] == [item["metadata"] for item in plugin.invoke("listVaults")["vaults"]]


def test_an_archived_vault_can_be_read(plugin: Provider, qoder: Emulator) -> None:
    """Its status says so."""
    made = qoder.add_vault("old")
    qoder.archive_vault(made.id)

    assert "archived" == plugin.invoke("getVault", id=made.id)["status"]


def test_get_credentials_lists_all_types(vault_plugin: Callable[..., Any], somebody: Any) -> None:
    """A variable has a name in place of a URL. No secret, and no null."""
    qoder, plugin = vault_plugin("2026-07")
    made = qoder.add_vault("theirs")
    client = somebody(qoder)
    for auth in (
        {"type": "mcp_oauth", "mcp_server_url": URL, "access_token": TOKEN},
        {"type": "environment_variable", "secret_name": "API_KEY", "secret_value": TOKEN},
    ):
        client.post(f"/vaults/{made.id}/credentials", json={"auth": auth}).raise_for_status()

    (oauth, variable) = plugin.invoke("getCredentials", vaultId=made.id)["credentials"]

    assert {"id", "type", "mcpServerUrl", "createdAt"} == oauth.keys()
    assert {"id", "type", "secretName", "createdAt"} == variable.keys()
    assert ("mcp_oauth", URL, "environment_variable", "API_KEY") == (
        oauth["type"],
        oauth["mcpServerUrl"],
        variable["type"],
        variable["secretName"],
    )
    assert {URL: oauth["id"]} == plugin.invoke("getVault", id=made.id)["credentialIds"]


@pytest.fixture
def five(qoder: Emulator) -> list[str]:
    """Five vaults, of which two are archived."""
    made = [qoder.add_vault(name).id for name in ("Alpha tools", "beta", "ALPHA old", "straße", "gamma old")]
    qoder.archive_vault(made[2])
    qoder.archive_vault(made[4])
    return made


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, ["Alpha tools", "beta", "straße"]),
        ({"includeArchived": False}, ["Alpha tools", "beta", "straße"]),
        ({"includeArchived": True}, ["Alpha tools", "beta", "ALPHA old", "straße", "gamma old"]),
        ({"name": "alpha"}, ["Alpha tools"]),
        ({"name": "OLD", "includeArchived": True}, ["ALPHA old", "gamma old"]),
        ({"name": "STRASSE"}, ["straße"]),
        ({"name": ""}, ["Alpha tools", "beta", "straße"]),
        ({"name": "nothing"}, []),
        ({"name": secret("beta")}, ["beta"]),
    ],
)
def test_list_vaults(plugin: Provider, five: list[str], arguments: dict[str, Any], names: list[str]) -> None:
    """By a part of the name, in any case; archived ones only where they are asked for; the oldest first."""
    found = plugin.invoke("listVaults", **arguments)["vaults"]

    assert names == [item["displayName"] for item in found]
    assert {"archived"} >= {item["status"] for item in found if "old" in item["displayName"]}


def test_list_vaults_of_more_than_one_page(plugin: Provider, qoder: Emulator) -> None:
    """Each one once, archived ones too."""
    made = [qoder.add_vault(f"v{number}").id for number in range(230)]
    for vault_id in made[::2]:
        qoder.archive_vault(vault_id)

    found = [item["id"] for item in plugin.invoke("listVaults", includeArchived=True)["vaults"]]

    assert made == found
    assert made[1::2] == [item["id"] for item in plugin.invoke("listVaults")["vaults"]]


def test_list_vaults_in_any_order_of_qoder(vault_plugin: Callable[..., Any]) -> None:
    """Its order is not documented."""
    qoder, plugin = vault_plugin("2026-07", newest_first=True)
    made = [qoder.add_vault(f"v{number}").id for number in range(120)]

    assert made == [item["id"] for item in plugin.invoke("listVaults")["vaults"]]


@pytest.mark.parametrize(
    ("function", "arguments", "failures"),
    [
        ("getVault", {}, [("id", "is required")]),
        ("getVault", {"id": ["x"]}, [("id", "must be a string, not a list")]),
        ("getVault", {"id": UNKNOWN}, [("id", "is not known yet")]),
        ("getVault", {"id": VAULT_ID, "vaultId": "x"}, [("vaultId", "is not a known key; known keys are id")]),
        ("getCredentials", {"vaultId": None}, [("vaultId", "is required")]),
        ("getCredentials", {"vaultId": ["x"]}, [("vaultId", "must be a string, not a list")]),
        (
            "getCredentials",
            {"id": "x"},
            [("id", "is not a known key; known keys are vaultId"), ("vaultId", "is required")],
        ),
        (
            "listVaults",
            {"includeArchived": "yes"},
            [("includeArchived", "must be a boolean, true or false, not a string")],
        ),
        ("listVaults", {"name": False}, [("name", "must be a string, not a boolean")]),
        (
            "listVaults",
            {"includeArchived": ""},
            [("includeArchived", "must be a boolean, true or false, not a string")],
        ),
        (
            "listVaults",
            {"ghp_16C7e42F292c6912E7710c838347Ae178B4a": UNKNOWN},
            [("an argument", "has an unknown key; known keys are name, includeArchived")],
        ),
        ("listVaults", {"nam": "x"}, [("nam", "is not a known key; did you mean name?")]),
        ("validateCredential", {}, [("vaultId", "is required"), ("credentialId", "is required")]),
        ("validateCredential", {"vaultId": VAULT_ID, "credentialId": UNKNOWN}, [("credentialId", "is not known yet")]),
    ],
)
def test_a_wrong_argument_is_named(
    plugin: Provider, qoder: Emulator, function: str, arguments: dict[str, Any], failures: list[tuple[str, str]]
) -> None:
    """In the schema's spelling, before anything is asked."""
    answer = plugin.call("Invoke", tok=f"qoder:index:{function}", args=arguments)

    assert failures == [(failure.property, failure.reason) for failure in answer.failures]
    assert [] == qoder.requests


@pytest.mark.parametrize(("function", "name"), [("getVault", "id"), ("getCredentials", "vaultId")])
def test_a_vault_that_does_not_exist_is_an_error(plugin: Provider, qoder: Emulator, function: str, name: str) -> None:
    """One line with id and place; a proxy's 404 proves nothing."""
    with pytest.raises(Failed) as caught:
        plugin.invoke(function, **{name: VAULT_ID})
    assert grpc.StatusCode.NOT_FOUND == caught.value.code
    assert caught.value.line.endswith(f": there is no vault {VAULT_ID} at {qoder.base_url}")

    qoder.fail_next("GET", "/vaults/**", Fault.HTML_404)
    with pytest.raises(Failed) as caught:
        plugin.invoke(function, **{name: VAULT_ID})
    assert f"this does not prove that there is no vault {VAULT_ID}" in caught.value.line


@pytest.mark.parametrize(("function", "name"), [("getVault", "id"), ("getCredentials", "vaultId")])
def test_what_is_no_id_leads_to_no_other_path(plugin: Provider, qoder: Emulator, function: str, name: str) -> None:
    """It comes from a program."""
    with pytest.raises(Failed) as caught:
        plugin.invoke(function, **{name: "../vaults?x=1"})

    assert caught.value.line.startswith("the id is not a vault id")
    assert [] == qoder.requests


# validateCredential


@pytest.fixture
def oauth(vault_plugin: Callable[..., Any], somebody: Any) -> Callable[..., Any]:
    """An emulator, a plugin, and a credential of this type in a vault of somebody else: its arguments."""

    def begin(auth: dict[str, Any]) -> Any:
        qoder, plugin = vault_plugin("2026-07")
        made = qoder.add_vault("theirs")
        answer = somebody(qoder).post(f"/vaults/{made.id}/credentials", json={"auth": auth})
        qoder.clear_requests()
        return qoder, plugin, {"vaultId": made.id, "credentialId": answer.raise_for_status().json()["id"]}

    return begin


OAUTH = {"type": "mcp_oauth", "mcp_server_url": URL, "access_token": TOKEN}
REFRESH = {
    "client_id": "c",
    "refresh_token": "refresh-canary-1",
    "token_endpoint": URL,
    "token_endpoint_auth": {"type": "none"},
}


@pytest.mark.parametrize(
    ("auth", "refresh_status"), [(OAUTH, "no_refresh_token"), ({**OAUTH, "refresh": REFRESH}, "succeeded")]
)
def test_a_credential_is_validated(oauth: Callable[..., Any], auth: dict[str, Any], refresh_status: str) -> None:
    """By one request; what is not said is absent."""
    qoder, plugin, arguments = oauth(auth)

    assert {"status": "valid", "refreshStatus": refresh_status} == plugin.invoke("validateCredential", **arguments)
    ids = (arguments["vaultId"], arguments["credentialId"])
    assert [("POST", "/vaults/{}/credentials/{}/mcp_oauth_validate".format(*ids), {})] == [
        (request.method, request.path, request.body) for request in qoder.requests
    ]


VALIDATION = {"credential_id": CREDENTIAL_ID, "vault_id": VAULT_ID, "status": "invalid"}
BODY = {"body": "their body: mcp-canary", "content_type": "text/html", "body_truncated": False}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({}, {"status": "invalid"}),
        (
            {
                "refresh": {"status": "failed", "http_response": {**BODY, "status_code": 400}},
                "mcp_probe": {"http_response": {**BODY, "status_code": 401}},
            },
            {"status": "invalid", "refreshStatus": "failed", "httpStatus": 400},
        ),
        (
            {
                "refresh": {"status": "no_refresh_token", "http_response": None},
                "mcp_probe": {"method": "initialize", "http_response": {**BODY, "status_code": 403}},
            },
            {"status": "invalid", "refreshStatus": "no_refresh_token", "httpStatus": 403},
        ),
        ({"status": "maybe", "refresh": [], "mcp_probe": "mcp-canary"}, {"status": "unknown"}),
        (
            {"refresh": {"status": "Failed: mcp-canary", "http_response": {"status_code": "400"}}},
            {"status": "invalid"},
        ),
        ({"refresh": {"status": ["x"], "http_response": {"status_code": True}}}, {"status": "invalid"}),
        ({"mcp_probe": {"http_response": {"status_code": 1_000_000}}}, {"status": "invalid"}),
        ({"refresh": {"status": "tokencanary"}}, {"status": "invalid", "refreshStatus": "***"}),
        ({"credential_id": None}, {"status": "invalid"}),
    ],
)
def test_no_body_of_another_server_is_shown(
    serve_raw: Callable[..., Any], serve: Callable[..., Provider], shown: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Of what Qoder tells, status and HTTP status come through, and a word; never text of the MCP server."""
    body = json.dumps({**VALIDATION, **shown}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    plugin = serve()
    plugin.call("Configure", args={"baseUrl": serve_raw(head + body).base_url, "apiToken": secret("tokencanary")})

    result = plugin.invoke("validateCredential", vaultId=VAULT_ID, credentialId=CREDENTIAL_ID)
    assert expected == result
    assert "canary" not in repr(result)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"[]", "the validation is not an object"),
        (b'{"status": null}', "the validation has no status"),
        (b'{"status": "valid", "credential_id": "vcred_other"}', "it is about another credential"),
    ],
)
def test_a_validation_that_says_nothing_is_an_error(
    serve_raw: Callable[..., Any], serve: Callable[..., Provider], answer: bytes, reason: str
) -> None:
    """As for every response that is not in the API's form."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode()
    plugin = serve()
    plugin.call("Configure", args={"baseUrl": serve_raw(head + answer).base_url, "apiToken": secret("pt-1")})

    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", vaultId=VAULT_ID, credentialId=CREDENTIAL_ID)
    assert caught.value.line.endswith(f") is not in the Qoder API's format: {reason}")


def test_only_oauth_credentials_are_validated(oauth: Callable[..., Any]) -> None:
    """Qoder's own sentence; an archived one is refused as well."""
    _, plugin, arguments = oauth({"type": "static_bearer", "mcp_server_url": URL, "token": TOKEN})
    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", **arguments)
    assert grpc.StatusCode.INVALID_ARGUMENT == caught.value.code
    assert "Only mcp_oauth credentials can be validated" in caught.value.line

    qoder, plugin, arguments = oauth(OAUTH)
    qoder.archive_credential(arguments["vaultId"], arguments["credentialId"])
    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", **arguments)
    assert grpc.StatusCode.ALREADY_EXISTS == caught.value.code


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_a_credential_that_cannot_be_validated(vault_plugin: Callable[..., Any], revision: str) -> None:
    """There is none, or the revision has no such route: the 404 does not tell, and the line says both."""
    qoder, plugin = vault_plugin(revision)
    made = qoder.add_vault("theirs")
    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", vaultId=made.id, credentialId=CREDENTIAL_ID)

    expected = (
        f": there is no credential {CREDENTIAL_ID} in vault {made.id} at {qoder.base_url}, or Qoder validates none "
        "there, as on API revision 2026-05"
    )
    assert (grpc.StatusCode.NOT_FOUND, True) == (caught.value.code, caught.value.line.endswith(expected))


@pytest.mark.parametrize(("name", "what"), [("vaultId", "a vault id"), ("credentialId", "a credential id")])
def test_no_argument_leads_to_another_path(plugin: Provider, qoder: Emulator, name: str, what: str) -> None:
    """They come from a program."""
    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", **{"vaultId": VAULT_ID, "credentialId": CREDENTIAL_ID, name: "../x"})

    assert caught.value.line.startswith(f"the id is not {what}")
    assert [] == qoder.requests


def test_a_validation_may_be_lost_and_is_not_sent_again(oauth: Callable[..., Any]) -> None:
    """It may have used a refresh token up."""
    qoder, plugin, arguments = oauth(OAUTH)
    qoder.fail_next("POST", "/vaults/**", Fault.DROP_AFTER_COMMIT)
    with pytest.raises(Failed) as caught:
        plugin.invoke("validateCredential", **arguments)

    assert (grpc.StatusCode.UNKNOWN, 1) == (caught.value.code, len(qoder.requests))
