"""A state that a newer version wrote: one line that says so, and nothing is sent, least of all a deletion."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_qoder_vault.errors import MovedBack, NewerState
from pulumi_qoder_vault.plugin import names
from pulumi_qoder_vault.pulumi_values import PulumiProperties
from pulumi_qoder_vault.resources import credential, vault
from pulumi_qoder_vault.resources.states import recorded_inputs

SAID = "it was written by a newer pulumi-qoder-vault; upgrade. Nothing was sent"
VAULT = {
    "display_name": "v",
    "credentials": [{"mcp_server_url": "https://a.example/mcp", "access_token": "t", "type": "static_bearer"}],
    "credential_ids": {"https://a.example/mcp": "vcred_1"},
    "base_url": "https://qoder.example/api",
    "on_delete": "delete",
    "status": "active",
    "api_revision": "2026-07",
}
CREDENTIAL = {
    "vault_id": "vault_1",
    "credential_id": "vcred_1",
    "mcp_server_url": "https://a.example/mcp",
    "access_token": "t",
    "type": "static_bearer",
    "protocol": "sse",
    "status": "active",
    "base_url": "https://qoder.example/api",
    "api_revision": "2026-07",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_delete", "retain"),
        ("on_delete", "DELETE"),
        ("on_delete", True),
        ("on_delete", ["delete"]),
        ("api_revision", "2027-01"),
        ("api_revision", 2027.0),
        ("status", "suspended"),
        ("status", {"is": "active"}),
        ("credentials", [{"mcp_server_url": "https://a.example/mcp", "type": "mutual_tls"}]),
        ("credentials", [{"mcp_server_url": "https://a.example/mcp", "protocol": "websocket"}]),
        ("credentials", [{"mcp_server_url": "https://a.example/mcp", "access_token_from": {"vault": "x"}}]),
        ("credentials", [{"mcp_server_url": "https://a.example/mcp", "access_token_from": {"env": 7}}]),
    ],
)
def test_a_vault_with_an_unknown_word(name: str, value: Any) -> None:
    """The name of the property, never its value: it may be anything."""
    with pytest.raises(NewerState, match=SAID) as refused:
        vault.to_recorded("vault_1", {**VAULT, name: value})
    assert str(value) not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_revision", "2027-01"),
        ("status", "suspended"),
        ("type", "mutual_tls"),
        ("protocol", "websocket"),
        ("access_token_from", {"vault": "x"}),
    ],
)
def test_a_credential_with_an_unknown_word(name: str, value: Any) -> None:
    """Likewise."""
    with pytest.raises(NewerState, match=SAID):
        credential.to_recorded({**CREDENTIAL, name: value})


@pytest.mark.parametrize("path", ["refresh.refresh_token_from", "refresh.token_endpoint_auth.client_secret_from"])
def test_a_nested_reference_of_an_unknown_way(path: str) -> None:
    """At any depth, and by its path."""
    given: dict[str, Any] = {"vault": "x"}
    for name in reversed(path.split(".")):
        given = {name: given}

    with pytest.raises(NewerState, match=SAID) as refused:
        credential.to_recorded({**CREDENTIAL, "type": "mcp_oauth", "protocol": None, **given})
    assert path in str(refused.value)


@pytest.mark.parametrize("name", ["on_delete", "api_revision", "status", "rotations", "credential_ids", "metadata"])
def test_a_state_that_lacks_a_key_has_its_default(name: str) -> None:
    """An older version did not write it."""
    recorded = vault.to_recorded("vault_1", {key: value for key, value in VAULT.items() if key != name})
    whole = vault.to_recorded("vault_1", VAULT)
    assert {"on_delete": None, "api_revision": "2026-05", "status": "active"}.get(name, {}) == (
        getattr(recorded, name) if name != "credential_ids" else recorded.credential_ids
    )
    assert whole.credentials == recorded.credentials


@pytest.mark.parametrize(
    "odd",
    [
        {"rotations": "many"},
        {"rotations": {"https://a.example/mcp": "many"}},
        {"credentials": "many"},
        {"credentials": [{"type": "static_bearer"}]},
        {"unfinished": 5},
    ],
    ids=str,
)
def test_a_vault_of_another_shape(odd: dict[str, Any]) -> None:
    """One line, in every call that reads it, and no internal error."""
    with pytest.raises(NewerState, match=SAID):
        vault.to_recorded("vault_1", {**VAULT, **odd})
    if "unfinished" not in odd:
        with pytest.raises(NewerState, match=SAID):
            recorded_inputs({**VAULT, **odd})


@pytest.mark.parametrize("inputs", [VAULT, CREDENTIAL], ids=["vault", "credential"])
def test_a_state_of_the_plugin_under_a_python_resource(inputs: dict[str, Any]) -> None:
    """There is no way back: the line says so, and not that a newer version wrote it."""
    with pytest.raises(MovedBack, match="is recorded as one of the plugin"):
        recorded_inputs(names.to_schema(PulumiProperties(inputs)))


@pytest.mark.parametrize("name", ["vault_id", "credential_id"])
def test_a_credential_that_lacks_its_ids(name: str) -> None:
    """Likewise."""
    with pytest.raises(NewerState, match=SAID):
        credential.to_recorded({key: value for key, value in CREDENTIAL.items() if key != name})
