"""Read a response: its JSON, or the error that it means; ``Retry-After`` and ``Date``.

Pure. Knows how the API words its errors; knows neither connections nor what a vault is.
"""

import email.utils
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeAlias

from .. import errors
from ..settings import DEFAULT_BASE_URL, Settings
from .request import Failure, JsonValue, Outcome, Request

MOST_AHEAD_S = 24 * 3600.0  # no machine's clock is further off; such a ``Date`` is a proxy's, or nonsense

NOT_AVAILABLE: Final = "feature_not_available"  # a definite refusal, with 501 or 503 (Qoder, Errors, read 2026-08)

Show: TypeAlias = Callable[[str, int], str]  # makes a text fit to be shown, and so short

NO_CONTENT: Final = object()  # what a 204 is read as

_ERRORS: Mapping[int, type[errors.ApiError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    408: errors.ServerError,
    409: errors.Conflict,
    429: errors.RateLimited,
}
_OUTCOMES: Mapping[type[errors.ApiError], Outcome] = {
    errors.RateLimited: Outcome.NOT_HANDLED,
    errors.ServerError: Outcome.UNKNOWN,
}


def read_success(request: Request, status: int, body: bytes, host: str) -> JsonValue:
    """Return the JSON of a 2xx: NO_CONTENT for a 204, None for any other empty body, which may be a proxy's.

    Raises:
        Failure: it is not JSON.
    """
    if status == 204:
        return NO_CONTENT
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        line = f"{request}: the response ({status}, host {host}) is not JSON; check qoder:baseUrl and the proxy"
        raise Failure(errors.OutcomeUnknown(line)) from None


def refusal(
    request: Request,
    status: int,
    body: bytes,
    settings: Settings,
    show: Show,
    retry_after_s: float | None = None,
) -> Failure:
    """Return what a response that is no 2xx means."""
    if 300 <= status < 400:
        line = (
            f"{request}: redirected ({status}), which is refused: the API token goes to {settings.host} only; set "
            "qoder:baseUrl to the API itself"
        )
        # A POST may be answered with a redirect to what it made.
        return Failure(errors.Unreachable(line) if request.method == "GET" else errors.OutcomeUnknown(line))
    response = read_error(status, body, settings.host, show)
    kind = _kind(response)
    error = kind(str(request), response, _advice(request, response, settings))
    return Failure(error, _OUTCOMES.get(kind, Outcome.FINAL), retry_after_s)


def _kind(response: errors.ErrorResponse) -> type[errors.ApiError]:
    if response.status == 501 or (response.status >= 500 and response.error_type == NOT_AVAILABLE):
        return errors.NotAvailable
    return errors.ServerError if response.status >= 500 else _ERRORS.get(response.status, errors.ApiError)


def read_error(status: int, body: bytes, host: str, show: Show) -> errors.ErrorResponse:
    """Read the API's error envelope. Of anything else use only the status: it may be a proxy's page."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        envelope = None
    error = envelope.get("error") if isinstance(envelope, dict) and envelope.get("type") == "error" else None
    if not isinstance(error, dict):
        return errors.ErrorResponse(status, host=host)

    def field(value: JsonValue, limit: int) -> str:
        return show(value, limit) if isinstance(value, str) else ""

    return errors.ErrorResponse(
        status,
        error_type=field(error.get("type"), 60),
        message=field(error.get("message"), 300),
        param=field(error.get("param"), 100),
        request_id=field(envelope.get("request_id"), 100),
        host=host,
    )


def _advice(request: Request, response: errors.ErrorResponse, settings: Settings) -> str:
    """Return advice that depends on the settings; nothing where the error's own advice serves."""
    if response.status == 401:
        return settings.credential_source.if_refused(settings.next_api_token, settings.credential_name)
    # Every Qoder lists vaults. A server that does not, or that is not the API, was asked by mistake.
    lacks_vaults = response.status == 404 and request.path == "/vaults"
    is_elsewhere = response.status < 500 and response.status not in (408, 429) and not response.error_type
    if lacks_vaults or is_elsewhere or response.status == 405:
        return f"check the proxy and qoder:baseUrl, which is {settings.base_url}; the API's is like {DEFAULT_BASE_URL}"
    return ""


def read_retry_after_s(header: str | None, now_s: float) -> float | None:
    """Read ``Retry-After``: seconds, or a date by the writer's own clock. None where it is absent, past or neither."""
    text = (header or "").strip()
    wait_s = float(text[:12]) if text.isascii() and text.isdigit() else _seconds_ahead(text, now_s)
    return wait_s if wait_s and wait_s > 0 else None


def read_ahead_s(date: str | None, now_s: float) -> float | None:
    """Return how far the clock that wrote a ``Date`` is ahead, at least. None where it says nothing.

    A date has whole seconds, and was written before it arrived: that clock shows this, or more.
    """
    ahead_s = _seconds_ahead(date or "", now_s)
    return ahead_s if ahead_s is not None and abs(ahead_s) <= MOST_AHEAD_S else None


def rfc3339(epoch_s: float) -> str:
    """Write a time as Qoder does."""
    return datetime.fromtimestamp(epoch_s, UTC).replace(tzinfo=None).isoformat() + "Z"


def _seconds_ahead(date: str, now_s: float) -> float | None:
    """Return how long after now a date of HTTP is, read as UTC where it has no zone. None where it is no date."""
    with suppress(TypeError, ValueError, OverflowError):
        moment = email.utils.parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_s
    return None
