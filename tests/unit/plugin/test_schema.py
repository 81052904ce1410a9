"""The schema against what check knows, what a create gives, and what functions answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from in_process.provider import CREDENTIAL, VAULT, Provider
from pulumi_qoder_vault.lifecycle.credential import check as credential
from pulumi_qoder_vault.lifecycle.credential_types import SECRET_NAMES
from pulumi_qoder_vault.lifecycle.credential_types import TYPES as CREDENTIAL_TYPES
from pulumi_qoder_vault.lifecycle.fields import Fields
from pulumi_qoder_vault.lifecycle.references import is_verifier
from pulumi_qoder_vault.lifecycle.vault import check as vault
from pulumi_qoder_vault.plugin import functions, names
from pulumi_qoder_vault.plugin.schema import schema
from pulumi_qoder_vault.settings import SETTINGS

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN = "mcp-canary-one-1111"
SCHEMA = schema()
RESOURCES, TYPES, FUNCTIONS = SCHEMA["resources"], SCHEMA["types"], SCHEMA["functions"]


def camel(keys: Any) -> set[str]:
    """Return the schema's names; it has none for what is internal."""
    return {names.camel(key) for key in keys if not is_verifier(key)}


def every_property(value: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property at any depth, with where it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("properties", "inputProperties", "variables") and isinstance(item, Mapping):
                yield from ((f"{path}.{name}", described) for name, described in item.items())
            yield from every_property(item, f"{path}.{key}")


def test_the_engine_gets_the_schema_as_json(serve: Callable[..., Provider]) -> None:
    """The same one, whole."""
    assert SCHEMA == json.loads(serve().stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)


@pytest.mark.parametrize(
    ("archives", "entries"),
    [
        (
            "github://api.github.com/acme/vault",
            ["Changes, https://c.example", "Repository, https://github.com/acme/vault"],
        ),
        ("github://api.github.com/acme/vault", ["Repository, https://github.com/acme/vault.git"]),
        ("github://api.github.com/acme/v.1", ["Repository, https://github.com/acme/v.1/"]),
        (None, []),
        (None, ["Repository, https://gitlab.com/acme/vault"]),
        (None, ["Repository, https://github.com/acme"]),
        (None, ["Repository, https://github.com/acme/vault/issues"]),
        (None, ["Funding, https://github.com/sponsors/acme"]),
    ],
)
def test_a_release_is_fetched_from_the_repository_that_the_package_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archives: str | None, entries: list[str]
) -> None:
    """From no other address of `[project.urls]`; if it names none, the schema says nothing of it."""
    about = ["Metadata-Version: 2.4", "Name: pulumi-qoder-vault", "Version: 7.8.9"]
    installed = tmp_path / "pulumi_qoder_vault-7.8.9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("\n".join([*about, *(f"Project-URL: {entry}" for entry in entries), ""]))
    monkeypatch.syspath_prepend(str(tmp_path))

    said = {"version": "7.8.9"} | ({"pluginDownloadURL": archives} if archives else {})
    assert said == {key: value for key, value in schema().items() if key in ("version", "pluginDownloadURL")}


def test_a_vault_takes_what_check_knows() -> None:
    """And check knows what the schema has, in a vault and in its credentials."""
    assert camel(vault.ARGUMENTS) == RESOURCES[VAULT]["inputProperties"].keys()
    assert camel([*vault.CREDENTIAL_FIELDS, "type"]) == TYPES["qoder:index:VaultCredential"]["properties"].keys()


def test_a_credential_takes_what_check_knows() -> None:
    """The fields of all types together."""
    known = {*credential.ARGUMENTS, *(name for type_ in CREDENTIAL_TYPES.values() for name in type_.fields)}

    assert camel(known) == RESOURCES[CREDENTIAL]["inputProperties"].keys()


@pytest.mark.parametrize(
    ("type_", "path", "name"),
    [
        ("mcp_oauth", ("refresh",), "OAuthRefresh"),
        ("mcp_oauth", ("refresh", "token_endpoint_auth"), "TokenEndpointAuth"),
        ("environment_variable", ("networking",), "Networking"),
        ("environment_variable", ("injection_location",), "InjectionLocation"),
    ],
)
def test_a_nested_object_takes_what_check_knows(type_: str, path: tuple[str, ...], name: str) -> None:
    """It requires what check requires, but for secrets: after an import there are none."""
    fields: Fields = CREDENTIAL_TYPES[type_].fields
    for part in path:
        fields = fields[part].fields

    shape = TYPES[f"qoder:index:{name}"]
    assert camel(fields) == shape["properties"].keys()
    required = {key for key, field in fields.items() if field.is_required and not field.is_secret}
    assert camel(required) == set(shape.get("required", ()))
    assert camel(key for key, field in fields.items() if field.is_secret) == {
        key for key, item in shape["properties"].items() if item.get("secret")
    }


def test_what_may_not_change_says_so() -> None:
    """Whoever reads a property's description learns that a change of it makes another credential."""
    for fields, shown in (
        *((type_.fields, RESOURCES[CREDENTIAL]["inputProperties"]) for type_ in CREDENTIAL_TYPES.values()),
        (CREDENTIAL_TYPES["mcp_oauth"].fields["refresh"].fields, TYPES["qoder:index:OAuthRefresh"]["properties"]),
    ):
        rows = {name: field for name, field in fields.items() if field.kind != "verifier"}
        assert {name: not field.is_mutable for name, field in rows.items()} == {
            name: "replaces the credential" in shown[camel([name]).pop()]["description"] for name in rows
        }


def test_what_is_required_is_so_for_check(plugin: Provider) -> None:
    """A program that gives no more than the schema requires is told of no missing key of another kind."""
    assert ["displayName"] == RESOURCES[VAULT]["requiredInputs"]
    assert ["vaultId"] == RESOURCES[CREDENTIAL]["requiredInputs"]
    assert any(line.startswith("displayName: is required") for line in plugin.problems({}))
    assert any(line.startswith("vaultId: is required") for line in plugin.of(CREDENTIAL).problems({}))


def shown(outputs: Mapping[str, Any]) -> set[str]:
    """Return the names of what Pulumi shows: a name that begins with two underscores is internal to it."""
    return {name for name in outputs if not name.startswith("__")}


def test_every_output_of_a_vault_comes(plugin: Provider) -> None:
    """And none that is not in the schema; what is required always comes."""
    news = {"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN}]}

    outputs = plugin.create(news).outputs

    assert {*RESOURCES[VAULT]["required"], "rotatedAt"} == shown(outputs)
    optional = {"forceDestroy", "otherCredentials", "workspaceId"}
    assert optional == RESOURCES[VAULT]["properties"].keys() - outputs.keys()


def test_what_may_be_missing_comes_where_it_is_known(serve: Callable[..., Provider], qoder: Any) -> None:
    """A workspace that is configured, a `forceDestroy` that is true, and what a read saw of others."""
    plugin = serve().configure(qoder, workspaceId="ws_1")
    news = {
        "displayName": "v",
        "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN}],
        "forceDestroy": True,
    }

    made = plugin.create(news)
    seen = plugin.refresh(made)

    assert seen is not None
    assert RESOURCES[VAULT]["properties"].keys() - {"otherCredentials"} == shown(made.outputs)
    assert RESOURCES[VAULT]["properties"].keys() == shown(seen.outputs)


def test_every_output_of_a_credential_comes(vault_plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the three types together, by value and by reference, each one that the schema has; what is required always."""
    monkeypatch.setenv("A_SECRET", TOKEN)
    qoder, plugin = vault_plugin("2026-07", CREDENTIAL, settings={"workspaceId": "ws_1"})
    vault_id = qoder.add_vault("shared").id
    seen: set[str] = set()
    for given in (
        {"mcpServerUrl": URL, "accessToken": TOKEN, "rotationTrigger": "1"},
        {"mcpServerUrl": f"{URL}/2", "accessTokenFrom": {"env": "A_SECRET"}},
        {"type": "environment_variable", "secretName": "OTHER", "secretValueFrom": {"env": "A_SECRET"}},
        {
            "type": "mcp_oauth",
            "mcpServerUrl": OTHER_URL,
            "accessToken": TOKEN,
            "expiresAt": "2026-12-31T23:59:59Z",
            "refresh": {
                "clientId": "c",
                "refreshToken": TOKEN,
                "tokenEndpoint": URL,
                "tokenEndpointAuth": {"type": "client_secret_post", "clientSecret": TOKEN},
                "resource": "r",
                "scope": "s",
            },
            "metadata": {"team": "tools"},
        },
        {
            "type": "environment_variable",
            "secretName": "KEY",
            "secretValue": TOKEN,
            "networking": {"type": "limited", "allowedHosts": ["a.example"]},
            "injectionLocation": {"header": True, "body": True},
        },
    ):
        outputs = plugin.create({"vaultId": vault_id, **given}).outputs
        assert set(RESOURCES[CREDENTIAL]["required"]) <= outputs.keys()
        seen |= shown(outputs)
        for name, shape in (
            ("refresh", "OAuthRefresh"),
            ("networking", "Networking"),
            ("injectionLocation", "InjectionLocation"),
        ):
            properties = {name for name in TYPES[f"qoder:index:{shape}"]["properties"] if not name.endswith("From")}
            assert not outputs.get(name) or properties == outputs[name].keys()

    assert RESOURCES[CREDENTIAL]["properties"].keys() == seen


def test_functions_answer_what_the_schema_says(plugin: Provider, qoder: Any) -> None:
    """Every output, and none more; every required one of a summary."""
    made = qoder.add_vault("theirs")
    qoder.add_credential(made.id, URL, TOKEN)
    arguments = {"getVault": {"id": made.id}, "listVaults": {}, "getCredentials": {"vaultId": made.id}}

    for name, given in arguments.items():
        shape = FUNCTIONS[f"qoder:index:{name}"]
        result = plugin.invoke(name, **given)
        assert shape["outputs"]["properties"].keys() == result.keys()
        assert set(shape["outputs"]["required"]) == result.keys()
        for key, type_ in (("vaults", "VaultSummary"), ("credentials", "CredentialSummary")):
            summary = TYPES[f"qoder:index:{type_}"]
            for item in result.get(key, ()):
                assert set(summary["required"]) <= item.keys() <= summary["properties"].keys()


def test_functions_take_what_the_schema_says() -> None:
    """Each function has a row of arguments; an argument has a kind."""
    assert FUNCTIONS.keys() == functions.ARGUMENTS.keys() == functions.FUNCTIONS.keys()
    for token, arguments in functions.ARGUMENTS.items():
        assert camel(arguments) == FUNCTIONS[token]["inputs"]["properties"].keys()
    assert "boolean" == FUNCTIONS["qoder:index:listVaults"]["inputs"]["properties"]["includeArchived"]["type"]


def test_configuration_is_what_settings_read() -> None:
    """Each key, with the environment variables that the core takes, but none of them for an explicit provider.

    An SDK would write its environment, with the API token in it, into the state.
    """
    environment = {
        name: [*item.get("defaultInfo", {}).get("environment", ())]
        for name, item in SCHEMA["config"]["variables"].items()
    }

    assert {setting.key: [*setting.environment] for setting in SETTINGS} == environment
    arguments = SCHEMA["provider"]["inputProperties"]
    assert set(environment) == set(arguments)
    assert [] == [name for name, item in arguments.items() if "defaultInfo" in item]
    assert SCHEMA["config"]["variables"]["apiToken"]["secret"]


def test_every_property_is_described() -> None:
    """In a sentence, for whoever sees it in an editor; and every type, resource and function."""
    found = dict(every_property(SCHEMA))

    assert 80 < len(found)
    assert [] == [path for path, item in found.items() if not item["description"].endswith((".", "`"))]
    things = [*RESOURCES.values(), *TYPES.values(), *FUNCTIONS.values(), SCHEMA["provider"]]
    assert [] == [thing for thing in things if not thing["description"]]


def test_every_secret_is_marked() -> None:
    """Wherever it stands; and nothing else is."""
    secret = camel(SECRET_NAMES) | {"apiToken", "serviceAccountKey"}

    for path, item in every_property(SCHEMA):
        assert (path.rpartition(".")[2] in secret) == bool(item.get("secret")), path


def test_every_reference_leads_to_a_type() -> None:
    """And every type is used."""
    text = json.dumps(SCHEMA)
    used = {part.partition('"')[0] for part in text.split('"#/types/')[1:]}

    assert TYPES.keys() == used


def test_defaults_are_those_of_check(plugin: Provider) -> None:
    """What an SDK fills in is what check would."""
    news = {"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN}]}
    checked = plugin.checked(news)
    alone = plugin.of(CREDENTIAL).checked(
        {"vaultId": "vault_019e3bb940277f0db05ab74291acf6ef", "mcpServerUrl": URL, "accessToken": TOKEN}
    )

    for shown, given in (
        (RESOURCES[VAULT]["inputProperties"], checked),
        (TYPES["qoder:index:VaultCredential"]["properties"], checked["credentials"][0]),
    ):
        defaults = {name: item["default"] for name, item in shown.items() if "default" in item}
        assert defaults == {name: given[name] for name in defaults}
    shown = RESOURCES[CREDENTIAL]["inputProperties"]
    assert (shown["type"]["default"], "streamable_http") == (alone["type"], alone["protocol"])


def test_a_default_fits_every_type_of_credential(plugin: Provider) -> None:
    """An SDK sends it with each: one that is for a single type would make the others impossible."""
    defaults = {
        name: item["default"] for name, item in RESOURCES[CREDENTIAL]["inputProperties"].items() if "default" in item
    }
    variable = {"type": "environment_variable", "secretName": "KEY", "secretValue": TOKEN}
    oauth = {"type": "mcp_oauth", "mcpServerUrl": URL, "accessToken": TOKEN}

    for given in (variable, oauth):
        news = {"vaultId": "vault_019e3bb940277f0db05ab74291acf6ef", **defaults, **given}
        assert [] == plugin.of(CREDENTIAL).problems(news)


def test_the_types_of_the_dynamic_provider_are_aliases() -> None:
    """A stack moves from one to the other without replacing anything."""
    assert [{"type": "pulumi-python:dynamic/qoder:Vault"}] == RESOURCES[VAULT]["aliases"]
    assert [{"type": "pulumi-python:dynamic/qoder:Credential"}] == RESOURCES[CREDENTIAL]["aliases"]
