"""How responses of either revision are read: by their shape, and never more than is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.revisions import CREDENTIAL_BODY, read_credential
from pulumi_qoder_vault.emulator import Effect, Emulator
from pulumi_qoder_vault.lifecycle.model import Credential, Revision
from pulumi_qoder_vault.secret import Secret
from unit.api.sending import R05, REVISIONS, SSE, URL, Connect, filled, make


@REVISIONS
def test_a_vault_is_read_the_same_from_either_revision(
    revision: Revision, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """Status is `active` or `archived` whatever the revision calls it, and the revision is told by the shape."""
    qoder = start(revision.value)
    client = client_of(qoder)
    vault_id, _ = filled(client, revision)

    vault = client.get_vault(vault_id)
    client.archive_vault(vault_id)

    assert (vault_id, "my-mcp-vault", {}, "active", revision) == (
        vault.id,
        vault.display_name,
        vault.metadata,
        vault.status,
        vault.revision,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", vault.created_at)
    assert "archived" == client.get_vault(vault_id).status


@REVISIONS
def test_a_credential_is_read_from_either_revision(
    revision: Revision, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """URL, type, activity and revision are read; a protocol where there is one."""
    qoder = start(revision.value)
    client = client_of(qoder)
    vault_id, credential_id = filled(client, revision)

    (credential,) = client.list_credentials(vault_id)

    assert (credential_id, URL, "static_bearer", True, revision) == (
        credential.id,
        credential.mcp_server_url,
        credential.type,
        credential.is_active,
        credential.revision,
    )
    assert ("sse" if revision is R05 else None) == credential.protocol


def test_credentials_of_other_types_are_read(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """An environment variable has no URL; it does not hinder the reading of the rest."""
    qoder = start("2026-07")
    vault = qoder.add_vault("mixed")
    page = {
        "data": [
            {
                "id": "vcred_1",
                "type": "vault_credential",
                "vault_id": vault.id,
                "auth": {"type": "environment_variable", "secret_name": "KEY", "networking": {"type": "unrestricted"}},
                "archived_at": None,
            }
        ],
        "has_more": False,
    }
    qoder.fail_next("GET", "/vaults/*/credentials", Effect("a page", status=200, body=page))

    (credential,) = client_of(qoder).list_credentials(vault.id)

    assert (None, "environment_variable", True) == (credential.mcp_server_url, credential.type, credential.is_active)


UNREADABLE = {
    "an empty response": (b"", "the vault is not an object"),
    "null": (b"null", "the vault is not an object"),
    "a list": (b"[]", "the vault is not an object"),
    "no id": (b"{}", "it has no id"),
    "a number as id": (b'{"id": 7}', "it has no id"),
    "an id that leaves its place": (b'{"id": "vault_1/../vault_2"}', "it has no id"),
    "an id with a line break": (b'{"id": "vault_1\\n"}', "it has no id"),
    "credentials that are no list": (
        b'{"id": "vault_1", "credentials": {"a": 1}}',
        "the vault's credentials are not a list",
    ),
    "a credential that is none": (b'{"id": "vault_1", "credentials": [7]}', "the credential is not an object"),
    "a credential without id": (b'{"id": "vault_1", "credentials": [{}]}', "it has no id"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_success_of_another_shape_is_a_lost_response(
    case: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A response that is not the API's proves nothing; the error tells what is missing, not what is there."""
    body, reason = UNREADABLE[case]
    qoder = start()
    qoder.fail_next("*", "/**", Effect("odd", status=200, body=body))

    with pytest.raises(errors.OutcomeUnknown) as caught:
        make(client_of(qoder), SSE)

    host = qoder.base_url.split("/")[2]
    assert f"POST /vaults: the response (host {host}) is not in the Qoder API's format: {reason}" == str(caught.value)


ECHOED = {"id": "vcred_x", "mcp_server_url": URL, "protocol": "sse", "type": "static_bearer"}


@pytest.mark.parametrize(
    ("shown", "protocol", "type_"),
    [
        ({"protocol": "streamable_http", "type": "mcp_oauth"}, "streamable_http", "mcp_oauth"),
        ({"protocol": "canary0123456789", "type": "canary0123456789"}, None, ""),
        ({"protocol": 7, "type": ["sse"]}, None, ""),
    ],
)
def test_only_known_words_are_read(
    shown: dict[str, Any], protocol: str | None, type_: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A protocol or a type goes to plain outputs: any other word is as if it were not there."""
    qoder = start()
    qoder.fail_next("GET", "/**", Effect("echo", status=200, body={"data": [{**ECHOED, **shown}]}))

    (credential,) = client_of(qoder).list_credentials("vault_1")

    assert (protocol, type_) == (credential.protocol, credential.type)


NO_NEXT = "the list has another page, and does not say where"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ({}, "the list has no data"),
        ({"data": {}}, "the list has no data"),
        ({"data": [7]}, "the credential is not an object"),
        ({"data": [{"id": "vcred_1"}], "has_more": True}, NO_NEXT),
        (
            {"data": [{"id": "vcred_1"}], "has_more": True, "last_id": "&x"},
            NO_NEXT,
        ),
        ({"data": [], "has_more": True}, NO_NEXT),
        ({"data": [], "last_id": None, "next_page": 7}, NO_NEXT),
    ],
)
def test_a_list_that_is_none(
    page: dict[str, Any], reason: str, client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """A page that cannot be read, or cannot be gone on from, is an error: a part is never taken for the whole."""
    qoder = start()
    qoder.fail_next("GET", "/**", Effect("odd", status=200, body=page))

    with pytest.raises(errors.OutcomeUnknown, match=re.escape(reason)):
        client_of(qoder).list_credentials("vault_1")


@pytest.mark.parametrize(
    ("more", "cursor"),
    [
        ({"has_more": True}, {"after_id": "vcred_1"}),
        ({"has_more": True, "next_page": None}, {"after_id": "vcred_1"}),
        ({"next_page": "x"}, {"page": "x"}),
        ({"has_more": False, "next_page": "x"}, {"page": "x"}),
    ],
    ids=str,
)
def test_an_empty_page_does_not_end_a_list(
    more: dict[str, Any], cursor: dict[str, str], client_of: Connect, start: Callable[..., Emulator]
) -> None:
    """What was on it may have been filtered out: the list goes on until nothing says that there is more."""
    qoder = start()
    qoder.fail_next("GET", "/**", Effect("empty", status=200, body={"data": [], "last_id": "vcred_1", **more}))
    qoder.fail_next("GET", "/**", Effect("the last one", status=200, body={"data": [{"id": "vcred_2"}]}))

    assert ["vcred_2"] == [item.id for item in client_of(qoder).list_credentials("vault_1")]
    assert [{"limit": "100"}, {"limit": "100", **cursor}] == [request.query for request in qoder.requests]


def test_a_list_ends_where_qoder_says_so(client_of: Connect, start: Callable[..., Emulator]) -> None:
    """`has_more` counts where `next_page` is no more than the last id, which may be there on the last page, too."""
    qoder = start()
    last = {"data": [{"id": "vcred_1"}], "has_more": False, "last_id": "vcred_1", "next_page": "vcred_1"}
    qoder.fail_next("GET", "/**", Effect("the last one", status=200, body=last))

    assert ["vcred_1"] == [item.id for item in client_of(qoder).list_credentials("vault_1")]


def test_a_body_has_the_order_of_the_table() -> None:
    """However the properties came: the founding page's bytes on 2026-05; the secret before the rest on 2026-07."""
    mixed = Credential(
        "static_bearer",
        {"access_token": Secret("t-1"), "protocol": "sse", "mcp_server_url": "https://a.example/mcp"},
    )
    flat, nested = (CREDENTIAL_BODY[revision](mixed) for revision in Revision)
    assert ["mcp_server_url", "protocol", "type", "access_token"] == list(flat)
    assert ["type", "token", "mcp_server_url"] == list(nested["auth"])


def test_a_flat_credential_has_no_fields_of_auth() -> None:
    """What the current form says of other types is not read where it does not belong."""
    shown = {"mcp_server_url": "https://a.example/mcp", "protocol": "sse", "expires_at": "2099-01-01T00:00:00Z"}
    read = read_credential({"id": "vcred_1", "type": "static_bearer", **shown, "networking": {"type": "limited"}})
    assert {"mcp_server_url": "https://a.example/mcp", "protocol": "sse"} == read.properties
