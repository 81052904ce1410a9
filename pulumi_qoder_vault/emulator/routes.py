"""The routes of the API: which endpoint a request names, and whether the service serves it.

Knows nothing of what the endpoints do. The table `ENDPOINTS` is the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .endpoints import (
    Context,
    archive_credential,
    archive_vault,
    create_credential,
    create_vault,
    delete_credential,
    delete_vault,
    get_credential,
    get_vault,
    list_credentials,
    list_vaults,
    update_credential,
    validate_credential,
)
from .errors import ApiError, conflict, feature_not_available, not_found
from .http_messages import Response

if TYPE_CHECKING:
    from .options import ServiceOptions

__all__ = ["call_endpoint"]


def call_endpoint(context: Context) -> Response:
    """Return the response of the endpoint that a request names; `ids` of the context are not known yet.

    Raises:
        ApiError: the documented errors; 404 for a path and 405 for a method that the API does not have; what a service
            says that does not serve a route.
    """
    request, routes = context.request, dict[str, Endpoint]()
    ids: tuple[str, ...] = ()
    for (method, pattern), endpoint in ENDPOINTS.items():
        found = _match(pattern, request.segments or ())
        if found is not None:
            routes[method], ids = endpoint, found
    context = replace(context, ids=ids)
    if request.method in routes:
        _reject_unserved(context, routes)
    if not context.revision.has_update:
        routes = {method: endpoint for method, endpoint in routes.items() if endpoint not in UPDATE_ONLY}
    if not routes:
        raise ApiError(404, "not_found_error", "There is no such endpoint.")
    if request.method not in routes:
        raise _method_not_allowed(routes)
    if (request.segments or ())[2:3] == ("credentials",):
        context.find_vault()
    return routes[request.method](context)


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(pattern) != len(segments):
        return None
    pairs = list(zip(pattern, segments, strict=True))
    if any(not segment or part not in ("{id}", segment) for part, segment in pairs):
        return None
    return tuple(segment for part, segment in pairs if part == "{id}")


def _method_not_allowed(methods: Iterable[str]) -> ApiError:
    headers = (("Allow", ", ".join(sorted(methods))),)
    return ApiError(405, "invalid_request_error", "Method not allowed.", headers=headers)


def _reject_unserved(context: Context, routes: Mapping[str, Endpoint]) -> None:
    """Reject a request for a route that the service does not serve. Its 404 has the words of a genuine one.

    Raises:
        ApiError: of the status that the option says.
    """
    method, ids = context.request.method, context.ids
    refusal = REFUSALS.get(routes[method])
    status = None if refusal is None else refusal(context.options)
    if status == 404:
        raise not_found("Credential" if len(ids) > 1 else "Vault", ids[-1])
    if status == 405:
        raise _method_not_allowed(routes.keys() - {method})
    if status == 409:
        context.store.vault(*ids)
        raise conflict(f"Vault '{ids[-1]}' is referenced by sessions. Archive it instead.")
    if status == 501:
        raise feature_not_available()


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
# The status of an endpoint that a service does not serve, by its option.
REFUSALS: Mapping[Endpoint, Callable[[ServiceOptions], int | None]] = {
    delete_credential: lambda options: options.credential_delete_refusal,
    delete_vault: lambda options: options.vault_delete_refusal,
    update_credential: lambda options: options.credential_update_refusal,
    get_credential: lambda options: options.credential_get_refusal,
}
