"""The Python `Credential`: its frozen names, and what its constructor and check refuse. Its life: `tests/engine`."""

from __future__ import annotations

import base64
import inspect
import pickle
from typing import Any

import dill
import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest

from in_process.program import run
from in_process.wire import is_secret, plain, secret
from pulumi_qoder_vault import (
    Credential,
    InjectionLocationArgs,
    NetworkingArgs,
    OAuthRefreshArgs,
    TokenEndpointAuthArgs,
)
from pulumi_qoder_vault.dynamic_credential import CREDENTIAL_TYPE, PICKLED_PROVIDER, CredentialProvider
from pulumi_qoder_vault.dynamic_provider import SecretReferenceArgs
from pulumi_qoder_vault.lifecycle.credential import check
from pulumi_qoder_vault.lifecycle.credential_types import ALL_FIELDS
from pulumi_qoder_vault.lifecycle.references import is_verifier

URL, TOKEN = "https://example.com/mcp", "mcp-canary-one-1111"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
COMPUTED = ("credential_id", "rotations", "rotated_at", "status", "base_url", "workspace_id", "api_revision")


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items() if not is_secret(item)}
    return value


def given(**fields: Any) -> dict[str, Any]:
    return {"vault_id": VAULT_ID, "mcp_server_url": URL, "access_token": TOKEN, **fields}


def problems(**fields: Any) -> list[str]:
    return [failure.reason for failure in CredentialProvider().check({}, given(**fields)).failures]


def test_the_recorded_string_is_the_provider() -> None:
    """Every user's state holds this string: it loads to the class by its frozen name, and holds nothing else."""
    data = base64.b64decode(PICKLED_PROVIDER)
    used = CredentialProvider()
    used.configure(ConfigureRequest(Config({"qoder:apiToken": "pt-canary-0123456789"}, "project")))

    assert CredentialProvider is type(pickle.loads(data)) is type(dill.loads(data))
    named = (CredentialProvider.__module__, CredentialProvider.__qualname__)
    assert ("pulumi_qoder_vault.dynamic_credential", "CredentialProvider") == named
    assert "pulumi-python:dynamic/qoder:Credential" == CREDENTIAL_TYPE
    assert PICKLED_PROVIDER == base64.b64encode(pickle.dumps(used, protocol=4)).decode()
    assert CredentialProvider.serialize_as_secret_always is False


def test_what_was_declared_is_registered_with_a_secret_token() -> None:
    """Under the frozen type, with the frozen string, and secret whatever the program forgot."""
    marks: list[Any] = []

    def program() -> Any:
        made = Credential("docs", vault_id=VAULT_ID, mcp_server_url=URL, access_token=TOKEN)
        marks.append(made.access_token)
        return made.urn

    (registered,) = run(program)
    assert (CREDENTIAL_TYPE, "docs") == (registered.typ, registered.name)
    assert PICKLED_PROVIDER == registered.inputs["__provider"]
    assert is_secret(registered.inputs["access_token"])


@pytest.mark.parametrize("options", [{"import_": "vault_1/vcred_1"}, {"id": "vault_1/vcred_1"}])
def test_an_import_is_refused_in_the_constructor(options: dict[str, Any]) -> None:
    """With one line that names what can."""
    with pytest.raises(pulumi.RunError, match="use qoder:index:Credential of the plugin"):
        Credential("docs", pulumi.ResourceOptions(**options), vault_id=VAULT_ID)


OAUTH: dict[str, Any] = {
    "type": "mcp_oauth",
    "mcp_server_url": URL,
    "access_token": TOKEN,
    "expires_at": "2099-12-31T23:59:59Z",
    "refresh": OAuthRefreshArgs(
        client_id="client",
        refresh_token="refresh-canary",
        token_endpoint="https://auth.example/token",
        token_endpoint_auth=TokenEndpointAuthArgs(type="client_secret_post", client_secret="client-canary"),
        scope="read",
    ),
    "metadata": {"team": "tools"},
}
VARIABLE: dict[str, Any] = {
    "type": "environment_variable",
    "secret_name": "API_KEY",
    "secret_value": "value-canary",
    "networking": NetworkingArgs(type="limited", allowed_hosts=["api.example"]),
    "injection_location": InjectionLocationArgs(header=True),
}


@pytest.mark.parametrize("inputs", [OAUTH, VARIABLE], ids=["mcp_oauth", "environment_variable"])
def test_every_type_is_declared_with_its_secrets_marked(inputs: dict[str, Any]) -> None:
    """At any depth; and what is registered is what the program gave."""

    def program() -> Any:
        return Credential("docs", vault_id=VAULT_ID, **inputs).urn

    (registered,) = run(program)

    shown = {name: value for name, value in registered.inputs.items() if name != "__provider" and value is not None}
    assert "canary" not in str(without_secrets(shown))
    assert {"vault_id": VAULT_ID, **inputs} == plain(shown)


def test_the_constructor_takes_what_the_tables_have() -> None:
    """Neither more nor less, as arguments, outputs and keys of nested maps."""
    arguments = set(inspect.signature(Credential.__init__).parameters) - {"self", "resource_name", "opts"}
    fields = {**check.ARGUMENTS, **ALL_FIELDS}

    assert {name for name in fields if not is_verifier(name)} == arguments
    assert {*arguments, *COMPUTED} == set(Credential.__annotations__)
    for args, nested in (
        (OAuthRefreshArgs, fields["refresh"]),
        (TokenEndpointAuthArgs, fields["refresh"].fields["token_endpoint_auth"]),
        (NetworkingArgs, fields["networking"]),
        (InjectionLocationArgs, fields["injection_location"]),
        (SecretReferenceArgs, fields["access_token_from"]),
    ):
        assert {name for name in nested.fields if not is_verifier(name)} == set(args.__annotations__)
        required = {name for name, row in nested.fields.items() if row.is_required and not row.is_secret}
        assert required == {name for name, kind in args.__annotations__.items() if "Required[" in str(kind)}


@pytest.mark.parametrize("inputs", [OAUTH, VARIABLE], ids=["mcp_oauth", "environment_variable"])
def test_check_takes_every_type(inputs: dict[str, Any]) -> None:
    """As the plugin's does: without a problem, and each of its mistakes with its path."""
    provider = CredentialProvider()
    name = "refresh_token" if "refresh" in inputs else "secret_value"
    broken = {**inputs, "refresh": {**inputs["refresh"], name: None}} if "refresh" in inputs else {**inputs, name: 7}

    assert [] == provider.check({}, {"vault_id": VAULT_ID, **inputs}).failures
    (failure,) = provider.check({}, {"vault_id": VAULT_ID, **broken}).failures
    assert failure.reason.startswith(f"refresh.{name}: is required" if "refresh" in inputs else f"{name}: must be a")


def test_check_says_what_is_wrong_and_marks_the_token() -> None:
    """As for every resource; a program without a problem is filled in."""
    assert [] == problems()
    assert ["access_token: Field 'access_token' is required for static_bearer type."] == problems(access_token=None)
    inputs = CredentialProvider().check({}, given()).inputs
    assert secret(TOKEN) == inputs["access_token"]
    assert (0, "streamable_http", "active") == (inputs["rotations"], inputs["protocol"], inputs["status"])
