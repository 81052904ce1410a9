"""What can go wrong between a client and the service, as data.

Knows neither the server nor the rules of vaults. `Fault` is the table; each row says what it imitates. `FaultPlan` says
which request gets one.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from enum import Enum

from .refusals import Refusal

__all__ = ["Commit", "Effect", "Ending", "Fault", "FaultPlan", "PlannedFault"]


class Commit(Enum):
    """When the service handles the request."""

    NEVER = "never"
    FIRST = "before the fault"
    LATER = "after the fault"


class Ending(Enum):
    """What the client gets."""

    ANSWER = "a whole answer"
    CLOSED = "a closed connection"
    RESET = "a reset connection"
    SHORT = "half of the announced bytes, then a closed connection"


@dataclass(frozen=True)
class Effect:
    """What a fault does.

    Attributes:
        imitates: one sentence.
        commit: when the request is handled; LATER: `delay_s` after the client got its ending.
        ending: what the client gets.
        status: of the answer; None: the service's own answer.
        headers: of the answer.
        body: of the answer.
        retry_after: value of the header; None: no such header.
        is_retry_after_date: `retry_after` seconds from now are sent as an HTTP date.
        delay_s: seconds before the ending; for Commit.LATER before the request is handled; for an outage its length,
            from just before the reply. Infinite: until the emulator stops; an outage also ends by `Emulator.start()`.
        is_cut: the body ends in the middle, under a true Content-Length.
        echo: content type of an answer that repeats the request's secrets; None: none.
        is_outage: from the reply on connections are refused, and all others are cut.
    """

    imitates: str
    commit: Commit = Commit.NEVER
    ending: Ending = Ending.ANSWER
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | dict[str, object] = b""
    retry_after: str | None = None
    is_retry_after_date: bool = False
    delay_s: float = 0.0
    is_cut: bool = False
    echo: str | None = None
    is_outage: bool = False


HTML = (("Content-Type", "text/html; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)


def _page(title: str) -> bytes:
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()


def _error(status: int, type_: str, message: str) -> dict[str, object]:
    return Refusal(status, type_, message).envelope("")  # the server fills in the request id


_LIMITED = _error(429, "rate_limit_error", "Too many requests.")
_INTERNAL = _error(500, "api_error", "Internal server error.")
_UNAVAILABLE = _error(503, "api_error", "The service is temporarily unavailable.")


class Fault(Enum):
    """Every fault of the emulator; `fault.value` is its `Effect`, `fault.value.imitates` what it stands for."""

    DROP_BEFORE_COMMIT = Effect("The connection closes before the service saw the request.", ending=Ending.CLOSED)
    DROP_AFTER_COMMIT = Effect(
        "The request is handled, and the connection closes before the answer: a create that nobody heard of.",
        Commit.FIRST,
        Ending.CLOSED,
    )
    RESET_BEFORE_COMMIT = Effect("A gateway resets the connection before the request.", ending=Ending.RESET)
    RESET_AFTER_COMMIT = Effect(
        "The request is handled, and a gateway resets the connection.", Commit.FIRST, Ending.RESET
    )
    DROP_COMMIT_LATER = Effect(
        "The connection closes while the service is still at work: what was asked for appears after the client looked.",
        Commit.LATER,
        Ending.CLOSED,
        delay_s=1.0,
    )
    GATEWAY_TIMEOUT_COMMIT_LATER = Effect(
        "A gateway gives up with 504 and HTML while the service is still at work.",
        Commit.LATER,
        status=504,
        headers=HTML,
        body=_page("504 Gateway Time-out"),
        delay_s=1.0,
    )
    TRUNCATED_AFTER_COMMIT = Effect(
        "The request is handled, and the connection breaks in the middle of the answer.", Commit.FIRST, Ending.SHORT
    )
    CUT_JSON_AFTER_COMMIT = Effect(
        "The request is handled, and a proxy passes on half of the answer as if it were all.",
        Commit.FIRST,
        is_cut=True,
    )
    SLOW = Effect("The request is handled, and the answer is late.", Commit.FIRST, delay_s=1.0)
    OUTAGE = Effect(
        "The request is handled and answered; then the service is down: connections are refused until it is back.",
        Commit.FIRST,
        delay_s=1.0,
        is_outage=True,
    )

    REQUEST_TIMEOUT = Effect("408: the service did not get the whole request in time.", status=408, headers=HTML)
    REQUEST_TIMEOUT_AFTER_COMMIT = Effect(
        "408 from a gateway, though the request was handled.", Commit.FIRST, status=408, headers=HTML
    )
    RATE_LIMITED = Effect("429 with seconds to wait.", status=429, headers=JSON, body=_LIMITED, retry_after="1")
    RATE_LIMITED_DATE = Effect(
        "429 with the time to wait for as an HTTP date.",
        status=429,
        headers=JSON,
        body=_LIMITED,
        retry_after="1",
        is_retry_after_date=True,
    )
    RATE_LIMITED_ABSURD = Effect(
        "429 that asks to wait for a day.", status=429, headers=JSON, body=_LIMITED, retry_after="86400"
    )
    RATE_LIMITED_GARBAGE = Effect(
        "429 whose Retry-After means nothing.", status=429, headers=JSON, body=_LIMITED, retry_after="soon"
    )
    RATE_LIMITED_SILENT = Effect("429 without Retry-After.", status=429, headers=JSON, body=_LIMITED)
    RATE_LIMITED_HTML = Effect(
        "429 from a gateway: HTML, with seconds to wait.",
        status=429,
        headers=HTML,
        body=_page("429 Too Many Requests"),
        retry_after="1",
    )
    ERROR_BEFORE_COMMIT = Effect("500 of the service, nothing handled.", status=500, headers=JSON, body=_INTERNAL)
    ERROR_AFTER_COMMIT = Effect(
        "500 of the service, though the request was handled.", Commit.FIRST, status=500, headers=JSON, body=_INTERNAL
    )
    BAD_GATEWAY_BEFORE_COMMIT = Effect(
        "502 of a gateway, HTML, nothing handled.", status=502, headers=HTML, body=_page("502 Bad Gateway")
    )
    BAD_GATEWAY_AFTER_COMMIT = Effect(
        "502 of a gateway, HTML, though the request was handled.",
        Commit.FIRST,
        status=502,
        headers=HTML,
        body=_page("502 Bad Gateway"),
    )
    UNAVAILABLE_BEFORE_COMMIT = Effect("503 without a body, nothing handled.", status=503)
    UNAVAILABLE_AFTER_COMMIT = Effect("503 without a body, though the request was handled.", Commit.FIRST, status=503)
    UNAVAILABLE_RETRY_AFTER = Effect(
        "503 of the service with seconds to wait, nothing handled.",
        status=503,
        headers=JSON,
        body=_UNAVAILABLE,
        retry_after="1",
    )
    FORBIDDEN = Effect(
        "403: the API token may not do this.",
        status=403,
        headers=JSON,
        body=_error(403, "permission_error", "The API token has no permission for this operation."),
    )
    CONFLICT = Effect(
        "409 for a reason that the client does not know.",
        status=409,
        headers=JSON,
        body=_error(409, "conflict_error", "The request conflicts with the current state of the resource."),
    )
    HTML_200 = Effect(
        "The login page of a network in between, with 200.",
        status=200,
        headers=HTML,
        body=_page("Sign in to the network"),
    )
    HTML_200_AFTER_COMMIT = Effect(
        "A proxy answers 200 with a page of its own, though the request was handled.",
        Commit.FIRST,
        status=200,
        headers=HTML,
        body=_page("One moment"),
    )
    HTML_404 = Effect("404 of a proxy, HTML: not the service.", status=404, headers=HTML, body=_page("404 Not Found"))
    FOREIGN_404 = Effect(
        "404 of another service: JSON, but not Qoder's envelope.",
        status=404,
        headers=JSON,
        body={"statusCode": 404, "message": "Resource not found"},
    )
    REDIRECT = Effect(
        "302 to another origin, which must not get the API token.",
        status=302,
        headers=(("Location", "http://127.0.0.1:9/elsewhere"),),
    )
    ECHO = Effect(
        "A hostile 400: message, type, param and request id repeat every secret of the request, plain, split by "
        "control characters, and encoded.",
        status=400,
        echo="application/json",
    )
    ECHO_HTML = Effect(
        "A debugging gateway's 502: an HTML page that repeats every secret of the request.",
        status=502,
        echo="text/html; charset=utf-8",
    )

    @property
    def spelling(self) -> str:
        """The name on the command line."""
        return self.name.lower().replace("_", "-")

    def __repr__(self) -> str:
        return f"Fault.{self.name}"


@dataclass
class PlannedFault:
    """A fault that waits for its request.

    Attributes:
        method: of the requests it is for; `*`: any.
        path: pattern, relative to the base URL; `*` is one segment or a part of one, `**` any number.
        name: the fault's name; `custom` for an `Effect` of one's own.
        effect: what it does.
        times: requests still to get it; None: all that come.
        skip: matching requests to pass before.
    """

    method: str
    path: str
    name: str
    effect: Effect = field(repr=False)
    times: int | None = 1
    skip: int = 0

    def __post_init__(self) -> None:
        parts = ("[^/]*" if part == "*" else ".*" if part == "**" else re.escape(part) for part in self._parts())
        self._pattern = re.compile("".join(parts), re.DOTALL)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one of those it is for."""
        return self.method in ("*", method) and self._pattern.fullmatch(path) is not None

    def _parts(self) -> list[str]:
        return re.split(r"(\*\*|\*)", self.path)


class FaultPlan:
    """The faults that wait. For one request the earliest planned one counts; each sees every request for its `skip`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []

    def add(self, fault: PlannedFault) -> None:
        """Plan a fault.

        Raises:
            ValueError: it could never come up.
        """
        if not fault.path.startswith(("/", "*")):
            raise ValueError(f"path: {fault.path!r} must start with / and be relative to the base URL")
        if fault.skip < 0 or (fault.times is not None and fault.times < 1):
            raise ValueError("times must be at least 1 (or None for always), skip at least 0")
        with self._lock:
            self._planned.append(fault)

    def take(self, method: str, path: str) -> PlannedFault | None:
        """Return the fault of a request, if any, and count it."""
        taken = None
        with self._lock:
            for fault in [fault for fault in self._planned if fault.matches(method, path)]:
                if fault.skip:
                    fault.skip -= 1
                elif taken is None:
                    taken = replace(fault)
                    if fault.times is not None:
                        fault.times -= 1
            self._planned = [fault for fault in self._planned if fault.times != 0]
        return taken

    def pending(self) -> list[PlannedFault]:
        """Return copies of what has not come up in full."""
        with self._lock:
            return [replace(fault) for fault in self._planned]

    def clear(self) -> None:
        """Forget what is planned."""
        with self._lock:
            self._planned.clear()
