"""The API: one function per endpoint, request in, response out.

Knows nothing of authentication, faults and sockets, nor which route leads here. Sources: Qoder, Create Vault
(read 2026-05); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import bad_request, not_found
from .http_messages import JSON_TYPE, IncomingRequest, Response
from .lists import read_list_query
from .request_bodies import read_credential, read_credential_update, read_vault
from .shapes import Writer, with_credentials

if TYPE_CHECKING:
    from .options import ServiceOptions
    from .options.routes import Hollow
    from .records import Credential, Vault
    from .revisions import Revision
    from .shapes import Shape
    from .store import Store

__all__ = [
    "Context",
    "archive_credential",
    "archive_vault",
    "create_credential",
    "create_vault",
    "delete_credential",
    "delete_vault",
    "describe_another",
    "get_credential",
    "get_vault",
    "list_credentials",
    "list_vaults",
    "update_credential",
    "validate_credential",
]


@dataclass(frozen=True)
class Context:
    """The input of an endpoint; `ids` are those of the path: of the vault, then of the credential."""

    store: Store
    revision: Revision
    options: ServiceOptions
    request: IncomingRequest
    ids: tuple[str, ...] = ()

    @property
    def writer(self) -> Writer:
        """How values are written in the response."""
        return Writer(self.options, self.request.bearer_token)

    def vault(self, vault: Vault) -> Shape:
        """Return the shape of a vault in get, list and archive."""
        shape = self.revision.vault(vault, self.writer)
        if self.revision.is_flat and self.options.vault_get_credentials:
            return with_credentials(shape, [self.credential(credential) for credential in vault.credentials])
        return shape

    def created_vault(self, vault: Vault) -> Shape:
        """Return the shape of a vault in the response to its create."""
        shape = self.revision.vault(vault, self.writer)
        form = self.options.create_credentials if self.revision.is_flat else "empty"
        if form == "absent":
            return shape
        created = [self.credential(credential) for credential in vault.credentials] if form == "created" else []
        return with_credentials(shape, None if form == "null" else created)

    def credential(self, credential: Credential) -> Shape:
        """Return the shape of a credential."""
        return self.revision.credential(credential, self.writer)

    def reject_hidden_vault(self) -> None:
        """Reject a request for an archived vault, if the service hides it.

        Raises:
            ApiError: 404.
        """
        if self.options.hides_archived_vaults and self.store.vault(*self.ids).archived_at is not None:
            raise not_found("Vault", *self.ids)

    def find_vault(self) -> None:
        """Find the vault of a route below it, as that route sees it.

        Raises:
            ApiError: 404.
        """
        self.store.vault(self.ids[0], lag_s=self.options.vault_route_lag_s)


def create_vault(context: Context) -> Response:
    """Create a vault: `POST /vaults`."""
    vault = context.store.create_vault(read_vault(context.request.json(), context.revision, context.options))
    return Response(context.revision.create_status, context.created_vault(vault))


def get_vault(context: Context) -> Response:
    """Return a vault: `GET /vaults/{id}`."""
    vault = context.store.vault(*context.ids, lag_s=context.options.get_lag_s)
    if context.options.hides_archived_vaults and vault.archived_at is not None:
        raise not_found("Vault", vault.id)
    return Response(200, context.vault(vault))


def list_vaults(context: Context) -> Response:
    """Return a page of vaults: `GET /vaults`."""
    query = read_list_query(context.request.query, context.revision, context.options)
    vaults = context.store.vaults(lag_s=context.options.list_lag_s)
    return Response(200, query.page(vaults, context.vault, lambda vault: vault.display_name))


def archive_vault(context: Context) -> Response:
    """Archive a vault: `POST /vaults/{id}/archive`."""
    context.reject_hidden_vault()
    return _archived(context, context.vault(context.store.archive_vault(*context.ids)))


def delete_vault(context: Context) -> Response:
    """Delete a vault: `DELETE /vaults/{id}`."""
    context.store.vault(*context.ids, lag_s=context.options.delete_lag_s)
    context.reject_hidden_vault()
    context.store.delete_vault(*context.ids)
    return _deleted(context, "vault_deleted")


def create_credential(context: Context) -> Response:
    """Create a credential: `POST /vaults/{id}/credentials`."""
    vault_id = context.store.vault(*context.ids).id
    credential = context.store.create_credential(
        vault_id, read_credential(context.request.json(), context.revision, context.options)
    )
    status = context.revision.create_status if context.revision.is_flat else context.options.credential_create_status
    return Response(status, context.credential(credential))


def list_credentials(context: Context) -> Response:
    """Return a page of credentials: `GET /vaults/{id}/credentials`."""
    query = read_list_query(context.request.query, context.revision, context.options)
    vaults = {vault.id: vault for vault in context.store.vaults(lag_s=context.options.list_lag_s)}
    credentials = vaults[context.ids[0]].credentials if context.ids[0] in vaults else []
    return Response(200, query.page(credentials, context.credential, lambda item: item.mcp_server_url))


def get_credential(context: Context) -> Response:
    """Return a credential: `GET /vaults/{id}/credentials/{id}`."""
    return Response(200, context.credential(context.store.credential(*context.ids, lag_s=context.options.get_lag_s)))


def update_credential(context: Context) -> Response:
    """Update a credential: `POST /vaults/{id}/credentials/{id}`."""
    current = context.store.changeable_credential(*context.ids)
    auth, metadata = read_credential_update(context.request.json(), current, context.revision, context.options)
    updated = context.store.update_credential(current.vault_id, current.id, auth, metadata)
    return Response(200, context.credential(updated))


def archive_credential(context: Context) -> Response:
    """Archive a credential: `POST /vaults/{id}/credentials/{id}/archive`."""
    return _archived(context, context.credential(context.store.archive_credential(*context.ids)))


def delete_credential(context: Context) -> Response:
    """Delete a credential: `DELETE /vaults/{id}/credentials/{id}`."""
    context.store.credential(*context.ids, lag_s=context.options.delete_lag_s)
    context.store.delete_credential(*context.ids)
    return _deleted(context, "vault_credential_deleted")


def validate_credential(context: Context) -> Response:
    """Report an OAuth credential as valid: `POST /vaults/{id}/credentials/{id}/mcp_oauth_validate`.

    No request is sent to the MCP server, nor to its token endpoint.
    """
    credential = context.store.changeable_credential(*context.ids)
    if credential.type != "mcp_oauth":
        raise bad_request("Only mcp_oauth credentials can be validated.")
    has_refresh_token = "refresh" in credential.auth
    body = {
        "type": "vault_credential_validation",  # UNVERIFIED: the name; the key is in the official client
        "credential_id": credential.id,
        "vault_id": credential.vault_id,
        "status": "valid",
        "has_refresh_token": has_refresh_token,
        "mcp_probe": None,
        # UNVERIFIED: "succeeded"; the other status is in the samples that Qoder's Go SDK keeps (read 2026-10).
        "refresh": {"status": "succeeded" if has_refresh_token else "no_refresh_token", "http_response": None},
        "validated_at": context.writer.time(context.store.now()),
    }
    return Response(200, body)


def describe_another(context: Context) -> Response | None:
    """Return the response to a create as if it had made the oldest vault or credential; None: there is none."""
    segments, vaults = context.request.segments or (), context.store.vaults()
    if segments == ("vaults",) and vaults:
        return Response(context.revision.create_status, context.created_vault(vaults[0]))
    credentials = [credential for vault in vaults for credential in vault.credentials]
    if segments[2:] == ("credentials",) and credentials:
        return Response(context.revision.create_status, context.credential(credentials[0]))
    return None


def _archived(context: Context, shape: Shape) -> Response:
    return (
        Response(200, shape) if context.options.archive_response is None else _hollow(context.options.archive_response)
    )


def _deleted(context: Context, type_: str) -> Response:
    if context.options.delete_response is not None:
        return _hollow(context.options.delete_response)
    return Response(200, {"id": context.ids[-1], "type": type_}) if context.revision.has_delete_body else Response(204)


def _hollow(form: Hollow) -> Response:
    """Return a 200 that says nothing."""
    return Response(200, b"null" if form == "null" else None, (("Content-Type", JSON_TYPE),))
