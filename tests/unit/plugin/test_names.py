"""The names of properties in the schema and in the core, in values, paths and sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.plugin import names

DATA = ("credentialIds", "otherCredentials", "rotatedAt")
OURS = st.sampled_from(names.NAMES)
TREES = st.recursive(
    st.none() | st.booleans() | st.text() | OURS,
    lambda inner: st.lists(inner) | st.dictionaries(OURS | st.sampled_from(["credentials", "refresh", "type"]), inner),
    max_leaves=20,
)


def to_schema(tree: Any) -> Any:
    return names.to_schema(tree)


def from_schema(tree: Any) -> Any:
    return names.from_schema(tree)


@given(TREES)
def test_names_come_back(tree: Any) -> None:
    """What goes to the engine and comes back is the same; there, none of our names is in snake case."""
    there = to_schema(tree)

    assert tree == from_schema(there)
    assert tree == from_schema(tree)
    assert [] == [key for key in keys(there) if "_" in key]


def keys(value: Any) -> list[str]:
    """All of ours: those of ids are the user's."""
    if isinstance(value, dict):
        return [*value, *(key for name, item in value.items() if name not in DATA for key in keys(item))]
    return [key for item in value for key in keys(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", ["metadata", "rotations", "rotated_at", "credential_ids", "other_credentials"])
def test_keys_of_the_user_stay(name: str) -> None:
    """They are data, also where they are called like a property, at any depth."""
    theirs: Any = {"display_name": "a", "vaultId": "b", "https://example.com/access_token": {"client_id": 1}}
    camel = dict(zip(("credential_ids", "other_credentials", "rotated_at"), DATA, strict=True)).get(name, name)

    assert {camel: theirs} == to_schema({name: theirs})
    assert {name: theirs} == from_schema({camel: theirs})
    assert {"credentials": [{camel: theirs}]} == to_schema({"credentials": [{name: theirs}]})


def test_values_stay() -> None:
    """Only keys are names."""
    assert {"displayName": "access_token"} == to_schema({"display_name": "access_token"})
    assert {"display_name": "accessToken"} == from_schema({"displayName": "accessToken"})


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("display_name",), "displayName"),
        (("credentials", 0), "credentials[0]"),
        (("credentials", 12, "access_token"), "credentials[12].accessToken"),
        (("refresh", "token_endpoint_auth", "client_secret"), "refresh.tokenEndpointAuth.clientSecret"),
        (("rotations", "https://a.example/mcp"), 'rotations["https://a.example/mcp"]'),
        (("metadata", 'with "quotes" and \\'), 'metadata["with \\"quotes\\" and \\\\"]'),
        (("metadata", "display_name"), 'metadata["display_name"]'),
        (("metadata", "schlüssel"), 'metadata["schlüssel"]'),
        (("credential_ids", "display_name"), 'credentialIds["display_name"]'),
        (("__provider",), "__provider"),
        ((), ""),
    ],
)
def test_a_path_is_written_as_pulumi_reads_it(path: tuple[str | int, ...], written: str) -> None:
    """Names of ours in the schema's spelling, keys of the user as they are."""
    assert written == names.path(path)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("credentials[0].access_token: is required", "credentials[0].accessToken: is required"),
        ("did you mean mcp_server_url?", "did you mean mcpServerUrl?"),
        ("known keys are display_name, on_delete", "known keys are displayName, onDelete"),
        ("Field 'access_token' is required", "Field 'access_token' is required"),
        ("fill in access_token", "fill in accessToken"),
        ('metadata["display_name"]: must', 'metadata["display_name"]: must'),
        ('metadata["my.vault_id"]: must', 'metadata["my.vault_id"]: must'),
        ("https://a.example/?client_id=access_token is used", "https://a.example/?client_id=access_token is used"),
        ("my_display_name and display_names", "my_display_name and display_names"),
        ("POST /vaults/vault_id/credentials", "POST /vaults/vault_id/credentials"),
        ("token_endpoint_auth, token_endpoint", "tokenEndpointAuth, tokenEndpoint"),
    ],
)
def test_sentences_have_the_names_of_the_schema(said: str, shown: str) -> None:
    """The API's own words, URLs and keys of the user stay what they are."""
    assert shown == names.in_text(said)
