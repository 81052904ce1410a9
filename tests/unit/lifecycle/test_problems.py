"""The rules that every property of a kind has in common, in tables of both resources."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_qoder_vault.lifecycle.credential import check as credential
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN, Inputs, SecretUrl
from pulumi_qoder_vault.lifecycle.problems import ApiToken
from pulumi_qoder_vault.lifecycle.vault import check as vault
from pulumi_qoder_vault.secret import Secret

TOKEN = ApiToken(Secret("pt-canary-0123456789"), "qoder.example")


@pytest.mark.parametrize(
    ("is_misused", "token", "url"),
    [
        (True, "pt-canary-0123456789", "https://mcp.example/mcp"),
        (True, "pt-canary-0123456789", "https://[mcp.example/mcp"),  # no host can be read in it
        (False, "pt-canary-0123456789", "https://qoder.example/mcp"),
        (False, "pt-canary-0123456789", None),
        (False, "another", "https://mcp.example/mcp"),
    ],
)
def test_the_api_token_is_sent_to_its_own_host_only(is_misused: bool, token: str, url: str | None) -> None:
    """As the access token of another server it would be given away; a URL that is not known yet is judged later."""
    assert is_misused is TOKEN.is_misused(Secret(token), url)
    assert False is ApiToken().is_misused(Secret(token), url)


NAME = "https://a.example/mcp"
GOOD = {"display_name": "v", "credentials": [{"mcp_server_url": NAME, "access_token": Secret("mcp-canary-1")}]}
VARIABLE = {
    "vault_id": "vault_1",
    "type": "environment_variable",
    "secret_name": "KEY",
    "secret_value": Secret("value-canary"),
}


def of_a_vault(recorded: Inputs | None = None, **fields: Any) -> list[tuple[str, bool]]:
    """The paths that a vault has a problem at, and whether it is a warning."""
    problems = vault.check({**GOOD, **fields}, allows_empty=False, recorded=recorded or {})
    return [(problem.path, problem.is_warning) for problem in problems]


def of_a_credential(recorded: Inputs | None = None, **fields: Any) -> list[tuple[str, bool]]:
    """Likewise for a standalone credential."""
    problems = credential.check({**VARIABLE, **fields}, recorded or {})
    return [(problem.path, problem.is_warning) for problem in problems]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"metadata": ""}, "metadata"),
        ({"force_destroy": ""}, "force_destroy"),
        ({"on_delete": ""}, "on_delete"),
        ({"credentials": ""}, "credentials"),
    ],
)
def test_a_blank_is_missing_only_where_a_text_is_due(fields: dict[str, Any], path: str) -> None:
    """Anywhere else it is a value of the wrong kind: a map that is blank must not look like one that is gone."""
    assert [(path, False)] == of_a_vault({}, **fields)


def test_blank_metadata_of_a_credential_is_refused() -> None:
    """As that of a vault; any other blank is as good as none there."""
    assert [("metadata", False)] == of_a_credential(metadata="")
    assert [] == of_a_credential(networking="", injection_location="")


@pytest.mark.parametrize(
    ("networking", "path"),
    [
        ({"type": "unrestricted", "allowed_hosts": UNKNOWN}, "networking.allowed_hosts"),
        ({"type": "limited"}, "networking.allowed_hosts"),
    ],
)
def test_a_field_is_judged_beside_its_sibling_at_preview(networking: dict[str, Any], path: str) -> None:
    """One that must not be there is too much, whatever it will be."""
    assert [(path, False)] == of_a_credential(networking=networking)
    assert [] == of_a_credential(networking={"type": UNKNOWN, "allowed_hosts": ["a.example"]})


def test_what_a_state_holds_is_a_warning_also_where_it_is_empty() -> None:
    """A vault that was imported without a name goes on."""
    assert [("display_name", True)] == of_a_vault({"display_name": ""}, display_name="")
    assert [("display_name", False)] == of_a_vault({"display_name": "v"}, display_name="")


def test_a_word_that_is_not_known_is_never_let_pass() -> None:
    """Also if the state holds it: a newer version wrote it, and nobody knows here what it asks for."""
    assert [("on_delete", False)] == of_a_vault({"on_delete": "retain"}, on_delete="retain")
    assert [("force_destroy", False)] == of_a_vault({"force_destroy": "yes"}, force_destroy="yes")
    assert [("type", False)] == of_a_credential({"type": ["odd"]}, type=["odd"])


def test_a_url_that_is_marked_as_a_secret_is_refused_and_not_shown() -> None:
    """It would stand in plain outputs; unmarked, the same URL is fine."""
    fine = {"vault_id": "vault_1", "mcp_server_url": NAME, "access_token": Secret("mcp-canary-1")}

    (found,) = credential.check({**fine, "mcp_server_url": SecretUrl(NAME)}, {})

    assert ("mcp_server_url", True) == (found.path, found.reason.startswith("is marked as a secret, but a URL is"))
    assert "a.example" not in found.reason
    assert [] == credential.check(fine, {})
