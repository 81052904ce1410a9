"""The three revisions of the service as data: statuses, query keys, credential types, and which shapes they have.

Knows neither HTTP nor the rules of the store nor the options. Sources: Qoder, Create Vault (read 2026-05) for
`2026-05`; Vaults API (read 2026-08) for `2026-07`. `between` is what regions showed while one became the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .shapes import Shape, Writer, between_credential, flat_credential, flat_vault, nested_credential, nested_vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .options.rules import UnauthorizedType
    from .records import Credential, Vault

__all__ = ["REVISIONS", "Revision", "RevisionName"]

RevisionName = Literal["2026-05", "between", "2026-07"]


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
        has_unique_urls: a second active credential for a URL is refused. No page says so.
        list_keys: keys of the query of a list.
        unauthorized_type: `error.type` of a 401.
        vault: shape of a vault.
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
    has_unique_urls: bool
    list_keys: frozenset[str]
    unauthorized_type: UnauthorizedType
    vault: Callable[[Vault, Writer], Shape]
    credential: Callable[[Credential, Writer], Shape]


_2026_05 = Revision(
    create_status=201,
    has_delete_body=False,
    credentials_in_create="required",
    is_flat=True,
    protocols=("sse", "streamable_http"),
    types=("static_bearer",),
    has_update=False,
    stores_metadata=False,
    has_unique_urls=False,
    list_keys=frozenset({"limit", "after", "after_id", "status"}),
    unauthorized_type="TOKEN_INVALID",
    vault=flat_vault,
    credential=flat_credential,
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
    has_unique_urls=True,
    list_keys=frozenset({"limit", "page", "after_id", "before_id", "include_archived", "name"}),
    unauthorized_type="authentication_error",
    vault=nested_vault,
    credential=nested_credential,
)

REVISIONS: Mapping[RevisionName, Revision] = {
    "2026-05": _2026_05,
    "between": replace(
        _2026_05,
        credentials_in_create="optional",
        protocols=("streamable_http",),
        list_keys=frozenset(
            {"limit", "after_id", "before_id", "include_archived", "name", "created_at[gte]", "created_at[lte]"}
        ),
        credential=between_credential,
    ),
    "2026-07": _2026_07,
}
