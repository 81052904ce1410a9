"""`getVault`, `listVaults`, `getCredentials`, `validateCredential`: what they take and read.

Their outputs are in `schema`.

No secret is ever shown. Knows nothing of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..connection import Qoder
from ..errors import NotFound, VaultNotFound
from ..lifecycle.absence import no_vault
from ..lifecycle.fields import Field, Fields
from ..lifecycle.inputs import Inputs, Unknown, without_none
from ..lifecycle.model import ObservedCredential, ObservedVault, active_by_age, newest_by_url
from ..lifecycle.problems import Known, Problem, check_fields

GET_VAULT = "qoder:index:getVault"
LIST_VAULTS = "qoder:index:listVaults"
GET_CREDENTIALS = "qoder:index:getCredentials"
VALIDATE_CREDENTIAL = "qoder:index:validateCredential"

Outputs = dict[str, Any]


def _get_vault(qoder: Qoder, arguments: Inputs) -> Outputs:
    api, vault_id = qoder.api(), arguments["id"]
    try:
        vault, credentials = api.get_vault(vault_id), api.list_credentials(vault_id)
    except NotFound as failure:
        raise no_vault(qoder.api(), vault_id, failure) from None
    return _vault(vault) | {
        "credentials": [_credential(item) for item in active_by_age(credentials)],
        "credential_ids": {url: item.id for url, item in newest_by_url(credentials).items()},
        "api_revision": vault.revision.value,
    }


def _list_vaults(qoder: Qoder, arguments: Inputs) -> Outputs:
    name = str(arguments.get("name") or "").casefold()
    vaults = qoder.api().list_vaults(includes_archived=bool(arguments.get("include_archived")))
    # Qoder's own filter is known to one revision only.
    return {"vaults": [_vault(vault) for vault in vaults if name in vault.display_name.casefold()]}


def _get_credentials(qoder: Qoder, arguments: Inputs) -> Outputs:
    vault_id = arguments["vault_id"]
    try:
        credentials = qoder.api().list_credentials(vault_id)
    except NotFound as failure:
        raise no_vault(qoder.api(), vault_id, failure) from None
    return {"credentials": [_credential(item) for item in active_by_age(credentials)]}


def _validate_credential(qoder: Qoder, arguments: Inputs) -> Outputs:
    api, vault_id, credential_id = qoder.api(), arguments["vault_id"], arguments["credential_id"]
    try:
        seen = api.validate_credential(vault_id, credential_id)
    except NotFound as failure:
        # The revisions without validation have no such route, and say so in the words of a genuine 404.
        raise VaultNotFound(
            f"{failure}: there is no credential {credential_id} in vault {vault_id} at {api.place}, or Qoder validates "
            "none there, as on API revision 2026-05"
        ) from None
    return {"status": seen.status, "refresh_status": seen.refresh_status, "http_status": seen.http_status}


FUNCTIONS: Mapping[str, Callable[[Qoder, Inputs], Outputs]] = {
    GET_VAULT: _get_vault,
    LIST_VAULTS: _list_vaults,
    GET_CREDENTIALS: _get_credentials,
    VALIDATE_CREDENTIAL: _validate_credential,
}

_ID = Field(description="`vault_…`.", is_required=True)
ARGUMENTS: Mapping[str, Fields] = {
    GET_VAULT: {"id": _ID},
    LIST_VAULTS: {
        "name": Field(description="Only vaults whose `displayName` contains this, in upper or lower case."),
        "include_archived": Field(kind="boolean", description="Archived vaults, too.", default=False),
    },
    GET_CREDENTIALS: {"vault_id": _ID},
    VALIDATE_CREDENTIAL: {"vault_id": _ID, "credential_id": Field(description="`vcred_…`.", is_required=True)},
}


def check(token: str, arguments: Inputs) -> list[Problem]:
    """Find what is wrong with the arguments of a function."""
    unknown = [name for name in ARGUMENTS[token] if isinstance(arguments.get(name), Unknown)]
    if unknown:
        return [Problem(name, "is not known yet") for name in unknown]
    return list(check_fields("", arguments, ARGUMENTS[token], recorded={}, held={}, known=Known()))


def _vault(vault: ObservedVault) -> Outputs:
    return {
        "id": vault.id,
        "display_name": vault.display_name,
        "metadata": dict(vault.metadata),
        "status": vault.status,
        "created_at": vault.created_at,
        "updated_at": vault.updated_at,
    }


def _credential(credential: ObservedCredential) -> Outputs:
    return without_none(
        {
            "id": credential.id,
            "type": credential.type,
            "mcp_server_url": credential.mcp_server_url,
            "protocol": credential.protocol,
            "secret_name": credential.properties.get("secret_name"),
            "created_at": credential.created_at,
        }
    )
