"""One method per endpoint: a call in, an answer out. Authentication, faults and sockets are others' subjects.

The table `ROUTES` is the API. Sources: Qoder, Create Vault (read 2026-05); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .bodies import read_credential, read_credential_update, read_vault
from .messages import Answer, Call
from .pages import read_listing
from .refusals import Refusal, invalid
from .revisions import with_credentials
from .stamps import rfc3339

if TYPE_CHECKING:
    from .revisions import Revision
    from .store import Store, Vault
    from .switches import Switches

__all__ = ["answer_call"]


@dataclass(frozen=True)
class Context:
    """What an endpoint works with; `ids` are the path's: of the vault, then of the credential."""

    store: Store
    revision: Revision
    switches: Switches
    call: Call
    ids: tuple[str, ...]

    def vault(self, vault: Vault) -> dict[str, Any]:
        """Return a vault as get, list and archive answer it."""
        answer = self.revision.vault(vault)
        if self.revision.is_flat and self.switches.vault_get_credentials:
            return with_credentials(answer, self.revision.made(vault.credentials))
        return answer


def answer_call(store: Store, revision: Revision, switches: Switches, call: Call) -> Answer:
    """Return the answer of the endpoint that a call names.

    Raises:
        Refusal: the documented ones; 404 for a path and 405 for a method that the API does not have.
    """
    segments = call.segments or ()
    methods: dict[str, Endpoint] = {}
    ids: tuple[str, ...] = ()
    for (method, pattern), endpoint in ROUTES.items():
        found = _match(pattern, segments)
        if found is not None and (revision.has_update or endpoint not in UPDATE_ONLY):
            methods[method], ids = endpoint, found
    if not methods:
        raise Refusal(404, "not_found_error", "There is no such endpoint.")
    if call.method not in methods:
        allowed = ", ".join(sorted(methods))
        raise Refusal(405, "invalid_request_error", "Method not allowed.", headers=(("Allow", allowed),))
    return methods[call.method](Context(store, revision, switches, call, ids))


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(pattern) != len(segments):
        return None
    pairs = list(zip(pattern, segments, strict=True))
    if any(not segment or part not in ("{id}", segment) for part, segment in pairs):
        return None
    return tuple(segment for part, segment in pairs if part == "{id}")


def create_vault(at: Context) -> Answer:
    """`POST /vaults`."""
    vault = at.store.create_vault(read_vault(at.call.json(), at.revision, at.switches))
    answer = with_credentials(at.revision.vault(vault), at.revision.made(vault.credentials))
    return Answer(at.revision.create_status, answer)


def get_vault(at: Context) -> Answer:
    """`GET /vaults/{id}`."""
    return Answer(200, at.vault(at.store.vault(*at.ids)))


def list_vaults(at: Context) -> Answer:
    """`GET /vaults`."""
    listing = read_listing(at.call.query, at.revision, at.switches)
    vaults = [vault for vault in at.store.vaults() if listing.name in vault.display_name.lower()]
    return Answer(200, listing.page(vaults, at.vault))


def archive_vault(at: Context) -> Answer:
    """`POST /vaults/{id}/archive`."""
    return Answer(200, at.vault(at.store.archive_vault(*at.ids)))


def delete_vault(at: Context) -> Answer:
    """`DELETE /vaults/{id}`."""
    at.store.delete_vault(*at.ids)
    return _deleted(at, "vault_deleted")


def create_credential(at: Context) -> Answer:
    """`POST /vaults/{id}/credentials`."""
    vault_id = at.store.vault(*at.ids).id
    credential = at.store.create_credential(vault_id, read_credential(at.call.json(), at.revision))
    status = at.revision.create_status if at.revision.is_flat else at.switches.credential_create_status
    return Answer(status, at.revision.credential(credential))


def list_credentials(at: Context) -> Answer:
    """`GET /vaults/{id}/credentials`. UNVERIFIED: what `name` means here; it is ignored."""
    listing = read_listing(at.call.query, at.revision, at.switches)
    return Answer(200, listing.page(at.store.vault(*at.ids).credentials, at.revision.credential))


def get_credential(at: Context) -> Answer:
    """`GET /vaults/{id}/credentials/{id}`."""
    return Answer(200, at.revision.credential(at.store.credential(*at.ids)))


def update_credential(at: Context) -> Answer:
    """`POST /vaults/{id}/credentials/{id}`."""
    current = at.store.changeable_credential(*at.ids)
    auth, metadata = read_credential_update(at.call.json(), current)
    updated = at.store.update_credential(current.vault_id, current.id, auth, metadata)
    return Answer(200, at.revision.credential(updated))


def archive_credential(at: Context) -> Answer:
    """`POST /vaults/{id}/credentials/{id}/archive`."""
    return Answer(200, at.revision.credential(at.store.archive_credential(*at.ids)))


def delete_credential(at: Context) -> Answer:
    """`DELETE /vaults/{id}/credentials/{id}`."""
    at.store.delete_credential(*at.ids)
    return _deleted(at, "vault_credential_deleted")


def validate_credential(at: Context) -> Answer:
    """`POST /vaults/{id}/credentials/{id}/mcp_oauth_validate`: nothing is asked of the MCP server, it is valid."""
    credential = at.store.changeable_credential(*at.ids)
    if credential.type != "mcp_oauth":
        raise invalid("Only mcp_oauth credentials can be validated.")
    body = {
        "type": "vault_credential_validation",  # UNVERIFIED: the name; the key is in the official client
        "credential_id": credential.id,
        "vault_id": credential.vault_id,
        "status": "valid",
        "has_refresh_token": "refresh" in credential.auth,
        "mcp_probe": None,
        "refresh": None,
        "validated_at": rfc3339(at.store.now()),
    }
    return Answer(200, body)


def _deleted(at: Context, type_: str) -> Answer:
    return Answer(200, {"id": at.ids[-1], "type": type_}) if at.revision.has_delete_body else Answer(204)


Endpoint = Callable[[Context], Answer]
_VAULT = ("vaults", "{id}")
_CREDENTIAL = (*_VAULT, "credentials", "{id}")

ROUTES: Mapping[tuple[str, tuple[str, ...]], Endpoint] = {
    ("POST", ("vaults",)): create_vault,
    ("GET", ("vaults",)): list_vaults,
    ("GET", _VAULT): get_vault,
    ("POST", (*_VAULT, "archive")): archive_vault,
    ("DELETE", _VAULT): delete_vault,
    ("POST", (*_VAULT, "credentials")): create_credential,
    ("GET", (*_VAULT, "credentials")): list_credentials,
    ("GET", _CREDENTIAL): get_credential,
    ("POST", _CREDENTIAL): update_credential,
    ("POST", (*_CREDENTIAL, "archive")): archive_credential,
    ("DELETE", _CREDENTIAL): delete_credential,
    ("POST", (*_CREDENTIAL, "mcp_oauth_validate")): validate_credential,
}
# Endpoints that only revisions with an update in place have.
UPDATE_ONLY: frozenset[Endpoint] = frozenset({update_credential, validate_credential})
