"""The API: one function per endpoint, request in, response out.

Knows nothing of authentication, faults and sockets. The table `ENDPOINTS` is the API. Sources: Qoder, Create Vault
(read 2026-05); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import ApiError, bad_request
from .lists import read_list_query
from .request_bodies import read_credential, read_credential_update, read_vault
from .revisions import with_credentials
from .store import rfc3339

if TYPE_CHECKING:
    from .options import ServiceOptions
    from .revisions import Revision
    from .store import Store, Vault

__all__ = ["IncomingRequest", "Response", "call_endpoint"]


@dataclass(frozen=True)
class IncomingRequest:
    """A request as it was read from the socket, secrets included.

    Attributes:
        method: upper case.
        path: relative to the base URL, still percent-encoded; the whole path if it is outside.
        segments: of the path below the base URL, decoded; None: the path is outside.
        query: the last value of each key.
        headers: by lower-case name.
        body: the bytes.
    """

    method: str
    path: str
    segments: tuple[str, ...] | None
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> object:
        """Return the parsed body; None if it is empty.

        Raises:
            ValueError: the body is not JSON in UTF-8.
        """
        if not self.body:
            return None
        try:
            value: object = json.loads(self.body.decode(), parse_constant=_reject_constant)
            json.dumps(value, ensure_ascii=False).encode()  # fails for a lone surrogate, which has no UTF-8
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return value


def _reject_constant(name: str) -> object:
    raise ValueError(name)  # NaN and Infinity are not JSON


@dataclass(frozen=True)
class Response:
    """A response of the service; a mapping as its body is sent as JSON, None is an empty body."""

    status: int
    body: Mapping[str, object] | bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        """Return the bytes of the body, and the headers with its Content-Type."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b"", self.headers
        return json.dumps(self.body, ensure_ascii=False).encode(), (("Content-Type", "application/json"), *self.headers)


@dataclass(frozen=True)
class Context:
    """The input of an endpoint; `ids` are those of the path: of the vault, then of the credential."""

    store: Store
    revision: Revision
    options: ServiceOptions
    request: IncomingRequest
    ids: tuple[str, ...]

    def vault(self, vault: Vault) -> dict[str, object]:
        """Return the shape of a vault in get, list and archive."""
        shape = self.revision.vault(vault)
        if self.revision.is_flat and self.options.vault_get_credentials:
            return with_credentials(shape, self.revision.created_credentials(vault.credentials))
        return shape


def call_endpoint(store: Store, revision: Revision, options: ServiceOptions, request: IncomingRequest) -> Response:
    """Return the response of the endpoint that a request names.

    Raises:
        ApiError: the documented errors; 404 for a path and 405 for a method that the API does not have.
    """
    segments = request.segments or ()
    methods: dict[str, Endpoint] = {}
    ids: tuple[str, ...] = ()
    for (method, pattern), endpoint in ENDPOINTS.items():
        found = _match(pattern, segments)
        if found is not None and (revision.has_update or endpoint not in UPDATE_ONLY):
            methods[method], ids = endpoint, found
    if not methods:
        raise ApiError(404, "not_found_error", "There is no such endpoint.")
    if request.method not in methods:
        allowed = ", ".join(sorted(methods))
        raise ApiError(405, "invalid_request_error", "Method not allowed.", headers=(("Allow", allowed),))
    return methods[request.method](Context(store, revision, options, request, ids))


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(pattern) != len(segments):
        return None
    pairs = list(zip(pattern, segments, strict=True))
    if any(not segment or part not in ("{id}", segment) for part, segment in pairs):
        return None
    return tuple(segment for part, segment in pairs if part == "{id}")


def create_vault(context: Context) -> Response:
    """Create a vault: `POST /vaults`."""
    vault = context.store.create_vault(read_vault(context.request.json(), context.revision, context.options))
    credentials = context.revision.created_credentials(vault.credentials)
    return Response(context.revision.create_status, with_credentials(context.revision.vault(vault), credentials))


def get_vault(context: Context) -> Response:
    """Return a vault: `GET /vaults/{id}`."""
    return Response(200, context.vault(context.store.vault(*context.ids)))


def list_vaults(context: Context) -> Response:
    """Return a page of vaults: `GET /vaults`."""
    query = read_list_query(context.request.query, context.revision, context.options)
    vaults = [vault for vault in context.store.vaults() if query.name in vault.display_name.lower()]
    return Response(200, query.page(vaults, context.vault))


def archive_vault(context: Context) -> Response:
    """Archive a vault: `POST /vaults/{id}/archive`."""
    return Response(200, context.vault(context.store.archive_vault(*context.ids)))


def delete_vault(context: Context) -> Response:
    """Delete a vault: `DELETE /vaults/{id}`."""
    context.store.delete_vault(*context.ids)
    return _deleted(context, "vault_deleted")


def create_credential(context: Context) -> Response:
    """Create a credential: `POST /vaults/{id}/credentials`."""
    vault_id = context.store.vault(*context.ids).id
    credential = context.store.create_credential(
        vault_id, read_credential(context.request.json(), context.revision, context.options)
    )
    status = context.revision.create_status if context.revision.is_flat else context.options.credential_create_status
    return Response(status, context.revision.credential(credential))


def list_credentials(context: Context) -> Response:
    """Return a page of credentials: `GET /vaults/{id}/credentials`. UNVERIFIED: `name` is ignored here."""
    query = read_list_query(context.request.query, context.revision, context.options)
    return Response(200, query.page(context.store.vault(*context.ids).credentials, context.revision.credential))


def get_credential(context: Context) -> Response:
    """Return a credential: `GET /vaults/{id}/credentials/{id}`."""
    return Response(200, context.revision.credential(context.store.credential(*context.ids)))


def update_credential(context: Context) -> Response:
    """Update a credential: `POST /vaults/{id}/credentials/{id}`."""
    current = context.store.changeable_credential(*context.ids)
    auth, metadata = read_credential_update(context.request.json(), current, context.revision, context.options)
    updated = context.store.update_credential(current.vault_id, current.id, auth, metadata)
    return Response(200, context.revision.credential(updated))


def archive_credential(context: Context) -> Response:
    """Archive a credential: `POST /vaults/{id}/credentials/{id}/archive`."""
    return Response(200, context.revision.credential(context.store.archive_credential(*context.ids)))


def delete_credential(context: Context) -> Response:
    """Delete a credential: `DELETE /vaults/{id}/credentials/{id}`."""
    context.store.delete_credential(*context.ids)
    return _deleted(context, "vault_credential_deleted")


def validate_credential(context: Context) -> Response:
    """Report an OAuth credential as valid: `POST /vaults/{id}/credentials/{id}/mcp_oauth_validate`.

    No request is sent to the MCP server.
    """
    credential = context.store.changeable_credential(*context.ids)
    if credential.type != "mcp_oauth":
        raise bad_request("Only mcp_oauth credentials can be validated.")
    body = {
        "type": "vault_credential_validation",  # UNVERIFIED: the name; the key is in the official client
        "credential_id": credential.id,
        "vault_id": credential.vault_id,
        "status": "valid",
        "has_refresh_token": "refresh" in credential.auth,
        "mcp_probe": None,
        "refresh": None,
        "validated_at": rfc3339(context.store.now()),
    }
    return Response(200, body)


def _deleted(context: Context, type_: str) -> Response:
    return Response(200, {"id": context.ids[-1], "type": type_}) if context.revision.has_delete_body else Response(204)


Endpoint = Callable[[Context], Response]
_VAULT = ("vaults", "{id}")
_CREDENTIAL = (*_VAULT, "credentials", "{id}")

ENDPOINTS: Mapping[tuple[str, tuple[str, ...]], Endpoint] = {
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
