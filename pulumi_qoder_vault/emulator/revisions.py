"""The service's three silent revisions as data: statuses, query keys, accepted types, and the shapes of answers.

Knows neither HTTP nor the rules of the store. Sources: Qoder, Create Vault (read 2026-05) for `2026-05`; Vaults API
(read 2026-08) for `2026-07`. `between` is what regions showed while the one became the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .stamps import rfc3339
from .store import Credential, Vault, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["REVISIONS", "Revision", "with_credentials"]

Answer = dict[str, Any]


def with_credentials(vault: Answer, credentials: list[Answer]) -> Answer:
    """Return a vault's answer with `credentials` where the page has them: before the times."""
    times = {key: vault[key] for key in ("created_at", "updated_at")}
    return {**{key: value for key, value in vault.items() if key not in times}, "credentials": credentials, **times}


@dataclass(frozen=True)
class Revision:
    """What one revision accepts and answers.

    Attributes:
        create_status: of a vault or credential create.
        has_delete_body: a delete is answered 200 with what was deleted; else 204, empty.
        credentials_in_create: of a vault: "required", "optional", or "unknown" as a key.
        is_flat: credentials are asked for and answered flat, without `auth`.
        protocols: values of `protocol`; empty: not a field.
        types: the credential types.
        has_update: a credential can be updated in place.
        after_keys: query keys that mean "after this id".
        is_status_filtered: lists are filtered by `status`; else by `include_archived`, `name`, and paged by `page`.
        token_refused: `error.type` of a 401.
        vault: a vault's answer.
        made: the credentials in the answer to a vault create.
        credential: a credential's answer.
    """

    create_status: int
    has_delete_body: bool
    credentials_in_create: Literal["required", "optional", "unknown"]
    is_flat: bool
    protocols: tuple[str, ...]
    types: tuple[str, ...]
    has_update: bool
    after_keys: tuple[str, ...]
    is_status_filtered: bool
    token_refused: str
    vault: Callable[[Vault], Answer]
    made: Callable[[Iterable[Credential]], list[Answer]]
    credential: Callable[[Credential], Answer]


def _flat_vault(vault: Vault) -> Answer:
    answer: Answer = {
        "id": vault.id,
        "type": "vault",
        "display_name": vault.display_name,
        "status": vault.status,
        "metadata": dict(vault.metadata),
        "created_at": rfc3339(vault.created_at),
        "updated_at": rfc3339(vault.updated_at),
    }
    if vault.archived_at is not None:
        answer["archived_at"] = rfc3339(vault.archived_at)
    return answer


def _flat_credential(credential: Credential) -> Answer:
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


def _nested_vault(vault: Vault) -> Answer:
    return {
        "id": vault.id,
        "type": "vault",
        "display_name": vault.display_name,
        "metadata": dict(vault.metadata),
        "archived_at": None if vault.archived_at is None else rfc3339(vault.archived_at),
        "created_at": rfc3339(vault.created_at),
        "updated_at": rfc3339(vault.updated_at),
    }


def _nested_credential(credential: Credential) -> Answer:
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
    after_keys=("after", "after_id"),
    is_status_filtered=True,
    token_refused="TOKEN_INVALID",  # noqa: S106 - an error's name
    vault=_flat_vault,
    made=lambda credentials: [_flat_credential(credential) for credential in credentials],
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
    after_keys=("after_id",),
    is_status_filtered=False,
    token_refused="authentication_error",  # noqa: S106 - an error's name
    vault=_nested_vault,
    made=lambda _: [],
    credential=_nested_credential,
)

REVISIONS: Mapping[str, Revision] = {
    "2026-05": _2026_05,
    "between": replace(_2026_05, credentials_in_create="optional", protocols=("streamable_http",)),
    "2026-07": _2026_07,
}
