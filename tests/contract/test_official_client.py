"""Qoder's own client, `qca-sdk`, drives the emulator on 2026-07: what it calls and parses, the emulator answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import qca as client_errors
from qca.managed import Managed
from qca.managed.types.credential import Credential
from qca.managed.types.credential_validation import CredentialValidation
from qca.managed.types.deleted_credential import DeletedCredential
from qca.managed.types.deleted_vault import DeletedVault
from qca.managed.types.vault import Vault

from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://example.com/mcp"
BEARER = {"type": "static_bearer", "mcp_server_url": URL, "token": "mcp-canary-1"}
OAUTH = {
    "type": "mcp_oauth",
    "mcp_server_url": f"{URL}/oauth",
    "access_token": "oauth-canary-1",
    "expires_at": datetime(2026, 12, 1, 8, tzinfo=UTC),
    "refresh": {
        "client_id": "client-1",
        "refresh_token": "refresh-canary-1",
        "token_endpoint": "https://example.com/token",
        "token_endpoint_auth": {"type": "client_secret_post", "client_secret": "client-canary-1"},
        "scope": "read",
    },
}
VARIABLE = {
    "type": "environment_variable",
    "secret_name": "API_KEY",
    "secret_value": "env-canary-1",
    "networking": {"type": "limited", "allowed_hosts": ["example.com"]},
    "injection_location": {"header": True, "body": False},
}


@pytest.fixture
def qoder(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator("2026-07", **getattr(request, "param", {})) as emulator:
        yield emulator


# The client's models have no field that may not be None: the tests take them as Any, and fail where one is.
@pytest.fixture
def client(qoder: Emulator) -> Iterator[Managed]:
    # strict: a response that the client's models do not take is an error, not a guess
    with (
        httpx.Client(trust_env=False) as http,
        Managed(
            pat=qoder.api_token,
            base_url=qoder.base_url,
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        ) as managed,
    ):
        yield managed


def undocumented(model: Any) -> set[str]:
    """Return keys of a response that the client's model does not have."""
    return set(model.model_extra or {})


def test_vaults(client: Any) -> None:
    """A vault is made, read, archived and deleted through the client's typed models."""
    made = client.vaults.create(display_name="my-mcp-vault", metadata={"team": "tools"})

    assert (Vault, "vault", "my-mcp-vault", {"team": "tools"}, None) == (
        type(made),
        made.type,
        made.display_name,
        made.metadata,
        made.archived_at,
    )
    # the create answer's `credentials: []` is in Qoder's pages and not in the client's model
    assert {"credentials"} == undocumented(made)
    read = client.vaults.retrieve(made.id)
    assert (made.id, made.created_at, set()) == (read.id, read.created_at, undocumented(read))
    archived = client.vaults.archive(made.id)
    assert isinstance(archived.archived_at, datetime)
    deleted = client.vaults.delete(made.id)
    assert (DeletedVault, made.id, "vault_deleted") == (type(deleted), deleted.id, deleted.type)


def test_lists(qoder: Emulator, client: Any) -> None:
    """The client's own pagination goes through every page, with its filters, newest first."""
    ids = [qoder.add_vault(f"Vault {number}").id for number in range(7)][::-1]
    qoder.archive_vault(ids[3])

    assert [id_ for id_ in ids if id_ != ids[3]] == [vault.id for vault in client.vaults.list(limit=2)]
    assert ids == [vault.id for vault in client.vaults.list(limit=3, include_archived=True)]
    assert [ids[5]] == [vault.id for vault in client.vaults.list(name="vault 1")]
    assert ids[5:] == [vault.id for vault in client.vaults.list(after_id=ids[4], limit=1)]
    # the client goes on by `next_page`, and a plain id says nothing of the way back
    assert [ids[1]] == [vault.id for vault in client.vaults.list(before_id=ids[2], limit=1)]


@pytest.mark.parametrize("qoder", [{"next_page": "opaque"}], indirect=True)
def test_lists_with_an_opaque_cursor(qoder: Emulator, client: Any) -> None:
    """The client takes any cursor for what it is: forwards and on the way back."""
    ids = [qoder.add_vault(f"Vault {number}").id for number in range(5)][::-1]

    assert ids == [vault.id for vault in client.vaults.list(limit=2)]
    page = client.vaults.list(before_id=ids[2], limit=1)
    assert ([ids[1]], True) == ([vault.id for vault in page.data], page.has_next_page())
    assert [ids[1], ids[0]] == [vault.id for vault in page]


@pytest.mark.parametrize("auth", [BEARER, OAUTH, VARIABLE], ids=lambda auth: auth["type"])
def test_credentials(qoder: Emulator, client: Any, auth: Any) -> None:
    """A credential of each type is made, read, listed, archived and deleted, and shows no secret."""
    vault_id = qoder.add_vault("v").id
    credentials = client.vaults.credentials
    made = credentials.create(vault_id, auth=auth, metadata={"team": "tools"})

    assert (Credential, "vault_credential", vault_id, auth["type"], {"team": "tools"}, None) == (
        type(made),
        made.type,
        made.vault_id,
        made.auth.type,
        made.metadata,
        made.display_name,
    )
    assert (set(), set()) == (undocumented(made), undocumented(made.auth))
    assert "canary" not in made.to_json()
    assert made == credentials.retrieve(made.id, vault_id=vault_id)
    assert [made] == list(credentials.list(vault_id))
    assert isinstance(credentials.archive(made.id, vault_id=vault_id).archived_at, datetime)
    assert [] == list(credentials.list(vault_id))
    assert [made.id] == [item.id for item in credentials.list(vault_id, include_archived=True)]
    deleted = credentials.delete(made.id, vault_id=vault_id)
    assert (DeletedCredential, made.id, "vault_credential_deleted") == (type(deleted), deleted.id, deleted.type)


@pytest.mark.parametrize(
    ("auth", "change", "token"),
    [
        (BEARER, {"token": "new"}, "new"),
        (OAUTH, {"access_token": "new", "expires_at": None, "refresh": {"scope": None}}, "new"),
        (VARIABLE, {"secret_value": "new"}, "new"),
    ],
    ids=["static_bearer", "mcp_oauth", "environment_variable"],
)
def test_update(qoder: Emulator, client: Any, auth: Any, change: dict[str, Any], token: str) -> None:
    """A secret is replaced in place: the credential keeps its id and everything else."""
    vault_id = qoder.add_vault("v").id
    made = client.vaults.credentials.create(vault_id, auth=auth)
    patch = {"type": auth["type"], **change}
    updated = client.vaults.credentials.update(made.id, vault_id=vault_id, auth=patch, metadata={"k": "v"})

    assert (made.id, made.created_at, {"k": "v"}) == (updated.id, updated.created_at, updated.metadata)
    assert made.auth.mcp_server_url == updated.auth.mcp_server_url
    assert token == qoder.vaults[0].credentials[0].access_token
    if auth is OAUTH:
        assert (None, None, "client-1") == (
            updated.auth.expires_at,
            updated.auth.refresh.scope,
            updated.auth.refresh.client_id,
        )


def test_validate(qoder: Emulator, client: Any) -> None:
    """Validation is for OAuth credentials; its response fits the client's model, and our request is the client's."""
    vault_id = qoder.add_vault("v").id
    made = client.vaults.credentials.create(vault_id, auth=OAUTH)
    validation = client.vaults.credentials.mcp_oauth_validate(made.id, vault_id=vault_id)

    assert (CredentialValidation, "valid", True, made.id, vault_id, set()) == (
        type(validation),
        validation.status,
        validation.has_refresh_token,
        validation.credential_id,
        validation.vault_id,
        undocumented(validation),
    )
    settings = Settings(Secret(qoder.api_token), qoder.base_url)
    transport = Transport(settings, "contract-tests/1")
    assert ("valid", "succeeded", None) == Client(transport).validate_credential(vault_id, made.id)
    transport.close()
    theirs, mine = [(it.method, it.path, it.body) for it in qoder.requests if it.path.endswith("mcp_oauth_validate")]
    assert theirs == mine
    other = client.vaults.credentials.create(vault_id, auth=BEARER)
    with pytest.raises(client_errors.BadRequestError):
        client.vaults.credentials.mcp_oauth_validate(other.id, vault_id=vault_id)


def test_errors(qoder: Emulator, client: Any) -> None:
    """The client maps each refusal to its own exception, with Qoder's `error.type` and the request id."""
    vault_id = qoder.add_vault("v").id
    client.vaults.credentials.create(vault_id, auth=BEARER)
    with pytest.raises(client_errors.NotFoundError, match=r"Vault 'vault_none' was not found\.") as missing:
        client.vaults.retrieve("vault_none", extra_headers={"x-request-id": "mine"})
    with pytest.raises(client_errors.ConflictError) as taken:
        client.vaults.credentials.create(vault_id, auth=BEARER)
    with pytest.raises(client_errors.BadRequestError) as invalid:
        client.vaults.create(display_name="")
    with pytest.raises(client_errors.AuthenticationError) as refused:
        client.with_options(pat="pt-wrong").vaults.retrieve(vault_id)
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED)
    with pytest.raises(client_errors.RateLimitError) as limited:
        client.vaults.list()
    qoder.fail_next("GET", "/vaults", Fault.BAD_GATEWAY_BEFORE_COMMIT)
    with pytest.raises(client_errors.InternalServerError):
        client.vaults.list()

    assert [
        "not_found_error",
        "conflict_error",
        "invalid_request_error",
        "authentication_error",
        "rate_limit_error",
    ] == [caught.value.type for caught in (missing, taken, invalid, refused, limited)]
    assert "mine" == missing.value.request_id


def test_a_keyed_create_survives_a_lost_answer(qoder: Emulator, client: Any) -> None:
    """The client repeats a create that has an idempotency key; the emulator replays it."""
    qoder.fail_next("POST", "/vaults", Fault.ERROR_AFTER_COMMIT)
    made = client.with_options(max_retries=1).vaults.create(
        display_name="v", extra_headers={"Idempotency-Key": "key-1"}
    )

    assert [made.id] == [vault.id for vault in qoder.vaults]
    assert [500, 200] == [request.status for request in qoder.requests]
