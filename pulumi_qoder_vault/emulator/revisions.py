"""The three revisions of the service as data: statuses, query keys, credential types, shapes of vaults and credentials.

Knows neither HTTP nor the rules of the store. Sources: Qoder, Create Vault (read 2026-05) for `2026-05`; Vaults API
(read 2026-08) for `2026-07`. `between` is what regions showed while one became the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .store import Credential, Vault, rfc3339, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["REVISIONS", "Revision", "RevisionName", "with_credentials"]

RevisionName = Literal["2026-05", "between", "2026-07"]
Shape = dict[str, object]


def with_credentials(vault: Shape, credentials: list[Shape]) -> Shape:
    """Return the shape of a vault with `credentials` where the page has them: before the times."""
    times = {key: vault[key] for key in ("created_at", "updated_at")}
    return {**{key: value for key, value in vault.items() if key not in times}, "credentials": credentials, **times}


@dataclass(frozen=True)
class Revision:
    """What one revision accepts and returns.

    Attributes:
        create_status: status of a vault or credential create.
        has_delete_body: a delete returns 200 and the id of what was deleted; else 204, empty.
        credentials_in_create: of a vault: "required", "optional", or "unknown" as a key.
        is_flat: credentials are sent and returned flat, without `auth`.
        protocols: values of `protocol`; empty: not a field.
        types: the credential types.
        has_update: a credential can be updated in place.
        stores_metadata: what is sent as metadata is stored; else accepted and dropped.
        after_keys: query keys that mean "after this id".
        is_status_filtered: lists are filtered by `status`; else by `include_archived` and `name`, and paged by `page`.
        unauthorized_type: `error.type` of a 401.
        vault: shape of a vault.
        created_credentials: shape of `credentials` in the response to a vault create.
        credential: shape of a credential.
    """

    create_status: int
    has_delete_body: bool
    credentials_in_create: Literal["required", "optional", "unknown"]
    is_flat: bool
    protocols: tuple[str, ...]
    types: tuple[str, ...]
    has_update: bool
    stores_metadata: bool
    after_keys: tuple[str, ...]
    is_status_filtered: bool
    unauthorized_type: str
    vault: Callable[[Vault], Shape]
    created_credentials: Callable[[Iterable[Credential]], list[Shape]]
    credential: Callable[[Credential], Shape]


def _flat_vault(vault: Vault) -> Shape:
    shape: Shape = {
        "id": vault.id,
        "type": "vault",
        "display_name": vault.display_name,
        "status": vault.status,
        "metadata": dict(vault.metadata),
        "created_at": rfc3339(vault.created_at),
        "updated_at": rfc3339(vault.updated_at),
    }
    if vault.archived_at is not None:
        shape["archived_at"] = rfc3339(vault.archived_at)
    return shape


def _flat_credential(credential: Credential) -> Shape:
    return {
        "id": credential.id,
        "vault_id": credential.vault_id,
        "mcp_server_url": credential.mcp_server_url,
        "protocol": credential.protocol or "streamable_http",
        "type": credential.type,
        "status": credential.status,
        "created_at": rfc3339(credential.created_at),
        "updated_at": rfc3339(credential.updated_at),
    }


def _nested_vault(vault: Vault) -> Shape:
    return {
        "id": vault.id,
        "type": "vault",
        "display_name": vault.display_name,
        "metadata": dict(vault.metadata),
        "archived_at": None if vault.archived_at is None else rfc3339(vault.archived_at),
        "created_at": rfc3339(vault.created_at),
        "updated_at": rfc3339(vault.updated_at),
    }


def _nested_credential(credential: Credential) -> Shape:
    return {
        "id": credential.id,
        "type": "vault_credential",
        "vault_id": credential.vault_id,
        "auth": without_secrets(credential.auth),
        "display_name": None,
        "metadata": dict(credential.metadata),
        "archived_at": None if credential.archived_at is None else rfc3339(credential.archived_at),
        "created_at": rfc3339(credential.created_at),
        "updated_at": rfc3339(credential.updated_at),
    }


_2026_05 = Revision(
    create_status=201,
    has_delete_body=False,
    credentials_in_create="required",
    is_flat=True,
    protocols=("sse", "streamable_http"),
    types=("static_bearer",),
    has_update=False,
    stores_metadata=False,
    after_keys=("after", "after_id"),
    is_status_filtered=True,
    unauthorized_type="TOKEN_INVALID",
    vault=_flat_vault,
    created_credentials=lambda credentials: [_flat_credential(credential) for credential in credentials],
    credential=_flat_credential,
)

_2026_07 = Revision(
    create_status=200,
    has_delete_body=True,
    credentials_in_create="unknown",
    is_flat=False,
    protocols=(),
    types=("static_bearer", "mcp_oauth", "environment_variable"),
    has_update=True,
    stores_metadata=True,
    after_keys=("after_id",),
    is_status_filtered=False,
    unauthorized_type="authentication_error",
    vault=_nested_vault,
    created_credentials=lambda _: [],
    credential=_nested_credential,
)

REVISIONS: Mapping[RevisionName, Revision] = {
    "2026-05": _2026_05,
    "between": replace(_2026_05, credentials_in_create="optional", protocols=("streamable_http",)),
    "2026-07": _2026_07,
}
