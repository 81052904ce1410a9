"""The Python `Credential`: its frozen names, and what its constructor and check refuse. Its life: `tests/engine`."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dill
import pulumi
import pytest
from pulumi.dynamic import ConfigureRequest
from pulumi.runtime import mocks as pulumi_mocks

from pulumi_qoder_vault import Credential
from pulumi_qoder_vault.dynamic_credential import CREDENTIAL_TYPE, PICKLED_PROVIDER, CredentialProvider

URL, TOKEN = "https://example.com/mcp", "mcp-canary-one-1111"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
SECRET = "4dabf18193072939515e22adb298388d"


class Mocks(pulumi_mocks.Mocks):
    def __init__(self) -> None:
        self.registered: list[Any] = []

    def new_resource(self, args: Any) -> tuple[str, dict[str, Any]]:
        self.registered.append(args)
        return "vault_1/vcred_1", dict(args.inputs)

    def call(self, args: Any) -> dict[str, Any]:
        return {}


def run(program: Callable[[], Any]) -> list[Any]:
    mocks = Mocks()
    pulumi.runtime.set_mocks(mocks, preview=False)
    pulumi.runtime.test(program)()
    return mocks.registered


def given(**fields: Any) -> dict[str, Any]:
    return {"vault_id": VAULT_ID, "mcp_server_url": URL, "access_token": TOKEN, **fields}


def problems(**fields: Any) -> list[str]:
    return [failure.reason for failure in CredentialProvider().check({}, given(**fields)).failures]


def test_the_recorded_string_is_the_provider() -> None:
    """Every user's state holds this string: it loads to the class by its frozen name, and holds nothing else."""
    data = base64.b64decode(PICKLED_PROVIDER)
    used = CredentialProvider()
    used.configure(ConfigureRequest(SimpleNamespace(get=lambda _: "pt-canary-0123456789")))

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
    assert SECRET in registered.inputs["access_token"]


@pytest.mark.parametrize("options", [{"import_": "vault_1/vcred_1"}, {"id": "vault_1/vcred_1"}])
def test_an_import_is_refused_in_the_constructor(options: dict[str, str]) -> None:
    """With one line that names what can."""
    with pytest.raises(pulumi.RunError, match="use qoder:index:Credential of the plugin"):
        Credential("docs", pulumi.ResourceOptions(**options), vault_id=VAULT_ID)


@pytest.mark.parametrize("type_", ["mcp_oauth", "environment_variable"])
def test_the_types_of_the_plugin_are_refused_by_name(type_: str) -> None:
    """Before anything is sent."""
    assert [f"type: must be 'static_bearer'; {type_} is a type of the plugin's qoder:index:Credential"] == problems(
        type=type_
    )


def test_check_says_what_is_wrong_and_marks_the_token() -> None:
    """As for every resource; a program without a problem is filled in."""
    assert [] == problems()
    assert ["access_token: Field 'access_token' is required for static_bearer type."] == problems(access_token=None)
    inputs = CredentialProvider().check({}, given()).inputs
    assert {SECRET: "1b47061264138c4ac30d75fd1eb44270", "value": TOKEN} == inputs["access_token"]
    assert (0, "streamable_http", "active") == (inputs["rotations"], inputs["protocol"], inputs["status"])
