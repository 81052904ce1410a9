"""What can go wrong between a client and the service: the table. Each row names what it imitates."""

from __future__ import annotations

from enum import Enum

from .effects import Commit, Effect, Ending
from .errors import ApiError, feature_not_available
from .gateway import HTML, HTML_TYPE, html_page
from .hostile import gzip_bomb, gzip_bomb_twice
from .http_messages import JSON_TYPE

__all__ = ["Fault"]


def _error(status: int, type_: str, message: str) -> dict[str, object]:
    return ApiError(status, type_, message).envelope("")  # the service fills in the request id


_LIMITED = _error(429, "rate_limit_error", "Too many requests.")
_INTERNAL = _error(500, "api_error", "Internal server error.")
_UNAVAILABLE = _error(503, "api_error", "The service is temporarily unavailable.")
_FORBIDDEN = _error(403, "permission_error", "The API token has no permission for this operation.")
_CONFLICT = _error(409, "conflict_error", "The request conflicts with the current state of the resource.")


class Fault(Enum):
    """The faults of the emulator; `fault.value` is the `Effect`, `fault.value.imitates` the sentence about it."""

    DROP_BEFORE_COMMIT = Effect("The connection closes before the service saw the request.", ending=Ending.CLOSED)
    DROP_AFTER_COMMIT = Effect(
        "The request is handled, and the connection closes before the response: a create that the client missed.",
        Commit.FIRST,
        Ending.CLOSED,
    )
    RESET_BEFORE_COMMIT = Effect("A gateway resets the connection before the request.", ending=Ending.RESET)
    RESET_AFTER_COMMIT = Effect(
        "The request is handled, and a gateway resets the connection.", Commit.FIRST, Ending.RESET
    )
    DROP_COMMIT_LATER = Effect(
        "The connection closes while the service still handles the request: the result appears after the client looked "
        "for it.",
        Commit.LATER,
        Ending.CLOSED,
        delay_s=1.0,
    )
    GATEWAY_TIMEOUT_COMMIT_LATER = Effect(
        "A gateway gives up with 504 and HTML while the service still handles the request.",
        Commit.LATER,
        status=504,
        headers=HTML,
        body=html_page("504 Gateway Time-out"),
        delay_s=1.0,
    )
    TRUNCATED_AFTER_COMMIT = Effect(
        "The request is handled, and the connection breaks in the middle of the response.", Commit.FIRST, Ending.SHORT
    )
    CUT_JSON_AFTER_COMMIT = Effect(
        "The request is handled, and a proxy forwards half of the response as if it were complete.",
        Commit.FIRST,
        is_cut=True,
    )
    SLOW = Effect("The request is handled, and the response is late.", Commit.FIRST, delay_s=1.0)
    OUTAGE = Effect(
        "The request is handled and gets its response; then the service is down and refuses connections for a while.",
        Commit.FIRST,
        delay_s=1.0,
        is_outage=True,
    )

    REQUEST_TIMEOUT = Effect("408: the service did not receive the whole request in time.", status=408, headers=HTML)
    REQUEST_TIMEOUT_AFTER_COMMIT = Effect(
        "408 from a gateway, though the request was handled.", Commit.FIRST, status=408, headers=HTML
    )
    RATE_LIMITED = Effect("429 with Retry-After in seconds.", status=429, body=_LIMITED, retry_after="1")
    RATE_LIMITED_DATE = Effect(
        "429 with Retry-After as an HTTP date.", status=429, body=_LIMITED, retry_after="1", is_retry_after_date=True
    )
    RATE_LIMITED_ABSURD = Effect("429 that asks to wait for a day.", status=429, body=_LIMITED, retry_after="86400")
    RATE_LIMITED_GARBAGE = Effect("429 whose Retry-After is not valid.", status=429, body=_LIMITED, retry_after="soon")
    RATE_LIMITED_SILENT = Effect("429 without Retry-After.", status=429, body=_LIMITED)
    RATE_LIMITED_HTML = Effect(
        "429 from a gateway: HTML, with Retry-After in seconds.",
        status=429,
        headers=HTML,
        body=html_page("429 Too Many Requests"),
        retry_after="1",
    )
    ERROR_BEFORE_COMMIT = Effect("500 of the service, nothing handled.", status=500, body=_INTERNAL)
    ERROR_AFTER_COMMIT = Effect(
        "500 of the service, though the request was handled.", Commit.FIRST, status=500, body=_INTERNAL
    )
    BAD_GATEWAY_BEFORE_COMMIT = Effect(
        "502 of a gateway, HTML, nothing handled.", status=502, headers=HTML, body=html_page("502 Bad Gateway")
    )
    BAD_GATEWAY_AFTER_COMMIT = Effect(
        "502 of a gateway, HTML, though the request was handled.",
        Commit.FIRST,
        status=502,
        headers=HTML,
        body=html_page("502 Bad Gateway"),
    )
    UNAVAILABLE_BEFORE_COMMIT = Effect("503 without a body, nothing handled.", status=503)
    UNAVAILABLE_AFTER_COMMIT = Effect("503 without a body, though the request was handled.", Commit.FIRST, status=503)
    UNAVAILABLE_RETRY_AFTER = Effect(
        "503 of the service with Retry-After in seconds, nothing handled.",
        status=503,
        body=_UNAVAILABLE,
        retry_after="1",
    )
    FORBIDDEN = Effect("403: the API token has no permission for the operation.", status=403, body=_FORBIDDEN)
    CONFLICT = Effect("409 for a reason that the client cannot know.", status=409, body=_CONFLICT)
    CONFLICT_BUSY = Effect(
        "409: another request is changing the vault, which no client sees.",
        status=409,
        body=_error(409, "conflict_error", "The vault is being changed by another request."),
    )
    CONFLICT_MODIFIED = Effect(
        "409: the object changed since the service read it.",
        status=409,
        body=_error(409, "conflict_error", "The resource was modified concurrently. Try again."),
    )
    FEATURE_NOT_AVAILABLE = Effect(
        "501: the service does not have this, and did nothing.",
        status=501,
        body=feature_not_available(501).envelope(""),
    )
    FEATURE_NOT_AVAILABLE_503 = Effect(
        "503: the service does not have this at present, and did nothing.",
        status=503,
        body=feature_not_available(503).envelope(""),
    )
    HTML_200 = Effect(
        "200 with the login page of a network in between.",
        status=200,
        headers=HTML,
        body=html_page("Sign in to the network"),
    )
    HTML_200_AFTER_COMMIT = Effect(
        "200 with a page of a proxy, though the request was handled.",
        Commit.FIRST,
        status=200,
        headers=HTML,
        body=html_page("One moment"),
    )
    HTML_404 = Effect(
        "404 of a proxy, HTML: not the service.", status=404, headers=HTML, body=html_page("404 Not Found")
    )
    FOREIGN_404 = Effect(
        "404 of another service: JSON, but not Qoder's envelope.",
        status=404,
        body={"statusCode": 404, "message": "Resource not found"},
    )
    REDIRECT = Effect(
        "302 to another origin, which must not receive the API token.",
        status=302,
        headers=(("Location", "http://127.0.0.1:9/elsewhere"),),
    )
    SEE_OTHER_AFTER_COMMIT = Effect(
        "The request is handled, and a 303 shows to a list.",
        Commit.FIRST,
        status=303,
        headers=(("Location", "/api/v1/cloud/vaults"),),
    )
    CREATED_ANOTHER = Effect(
        "The response to a create is about the oldest object there is, and nothing was created.", is_about_another=True
    )
    CREATED_ANOTHER_AFTER_COMMIT = Effect(
        "The response to a create is about the oldest object there is, though one was created.",
        Commit.FIRST,
        is_about_another=True,
    )
    LIST_EMPTY = Effect(
        "A page of a list is empty, and says that it is the last one.", Commit.FIRST, list_change="empty"
    )
    LIST_ENDS_EARLY = Effect(
        "A page of a list says that it is the last one, and it is not.", Commit.FIRST, list_change="ends_early"
    )
    DRIP_STATUS_LINE = Effect(
        "The request is handled, and its status line arrives byte by byte, for ever.",
        Commit.FIRST,
        Ending.DRIP_STATUS_LINE,
        delay_s=0.1,
    )
    DRIP_HEADERS = Effect(
        "The request is handled, and headers arrive byte by byte, for ever.",
        Commit.FIRST,
        Ending.DRIP_HEADERS,
        delay_s=0.1,
    )
    DRIP_INTERIM = Effect(
        "The request is handled, and one 103 arrives after the other, for ever.",
        Commit.FIRST,
        Ending.DRIP_INTERIM,
        delay_s=0.1,
    )
    DRIP_BODY = Effect(
        "The request is handled, and the body of its response arrives byte by byte, for ever.",
        Commit.FIRST,
        Ending.DRIP_BODY,
        delay_s=0.1,
    )
    GZIP_BOMB = Effect(
        "200 with a small body that inflates to 256 MiB.",
        status=200,
        headers=(("Content-Type", JSON_TYPE), ("Content-Encoding", "gzip")),
        body=gzip_bomb,
    )
    GZIP_BOMB_TWICE = Effect(
        "200 with a tiny body that inflates twice, to 256 MiB.",
        status=200,
        headers=(("Content-Type", JSON_TYPE), ("Content-Encoding", "gzip, gzip")),
        body=gzip_bomb_twice,
    )
    ECHO = Effect(
        "A hostile 400: message, type, param and request id repeat every secret of the request, plain, split by "
        "control characters, and encoded.",
        status=400,
        echo=JSON_TYPE,
    )
    ECHO_HTML = Effect(
        "A debugging gateway's 502: an HTML page that repeats every secret of the request.", status=502, echo=HTML_TYPE
    )

    @property
    def command_line_name(self) -> str:
        """The name on the command line and in log lines."""
        return self.name.lower().replace("_", "-")

    def __repr__(self) -> str:
        return f"Fault.{self.name}"
