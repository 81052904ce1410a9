"""The exchange of a service-account key for a short-lived token: request in, response out.

It stands beside the API, at a path of its own. Source: qca-sdk 0.11.0, `qca/common/service_account.py`. UNVERIFIED: its
errors, which that client only takes apart; here they have the envelope of the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .errors import ApiError, bad_request
from .http_messages import JSON_TYPE, Response
from .ids import rfc3339

if TYPE_CHECKING:
    from .accounts import Accounts
    from .http_messages import IncomingRequest
    from .options import ServiceOptions

__all__ = ["EXCHANGE_PATH", "exchange"]

EXCHANGE_PATH: Final = "/api/v1/serviceToken/exchange"
LONGEST_S: Final = 43200


def exchange(request: IncomingRequest, accounts: Accounts, options: ServiceOptions, unauthorized_type: str) -> Response:
    """Return a token for the key in `Authorization`.

    Raises:
        ApiError: 401 for a key that does not exist, 400 for anything else that is wrong, 405 for another method.
    """
    if request.method != "POST":
        raise ApiError(405, "invalid_request_error", "Method not allowed.", headers=(("Allow", "POST"),))
    account = accounts.of_key(request.bearer_token)
    if account is None:
        raise ApiError(401, unauthorized_type, "Invalid service account key.")
    asked_s = _read_ttl(request)
    lives_s = asked_s if options.service_token_ttl_s is None else options.service_token_ttl_s
    token, expires_at = account.service_accounts.issue(request.bearer_token, lives_s)
    expires_in = max(1, int(lives_s))
    body: dict[str, object] = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": str(expires_in) if options.expires_in_form == "digits" else expires_in,
    }
    return Response(200, body | ({"expires_at": rfc3339(expires_at)} if options.shows_expires_at else {}))


def _read_ttl(request: IncomingRequest) -> int:
    """Return for how long a token is asked for, in seconds.

    Raises:
        ApiError: the request is not one for a token.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise bad_request("Content-Type must be application/json.")
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_request("Request body must be valid JSON.")
    for key, expected in (("grant_type", "client_credentials"), ("audience", "qoder")):
        if body.get(key) != expected:
            raise bad_request(f"{key} must be {expected}.", key)
    scope, ttl_s = body.get("scope"), body.get("ttl_seconds")
    if not isinstance(scope, str) or "qca.access" not in scope.split(" "):
        raise bad_request("scope must hold qca.access.", "scope")
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, int) or not 1 <= ttl_s <= LONGEST_S:
        raise bad_request(f"ttl_seconds must be a number from 1 to {LONGEST_S}.", "ttl_seconds")
    return ttl_s
