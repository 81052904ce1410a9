"""What can go wrong between a client and the service, as data.

Knows neither the server nor the rules of vaults. `Fault` is the table: each row names what it imitates. `FaultPlan`
decides which request meets one. `hostile_text` is what a server would send to make a client print a secret.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from urllib.parse import quote

from .errors import ApiError

__all__ = ["JSON_TYPE", "Commit", "Effect", "Ending", "Fault", "FaultPlan", "PlannedFault", "hostile_text"]

JSON_TYPE, HTML_TYPE = "application/json", "text/html; charset=utf-8"


class Commit(Enum):
    """When the service handles the request."""

    NEVER = "never"
    FIRST = "before the fault"
    LATER = "after the fault"


class Ending(Enum):
    """What the client receives."""

    RESPONSE = "a complete response"
    CLOSED = "a closed connection"
    RESET = "a reset connection"
    SHORT = "half of the announced bytes, then a closed connection"


@dataclass(frozen=True)
class Effect:
    """What a fault does.

    Attributes:
        imitates: one sentence.
        commit: when the request is handled; LATER: `delay_s` after the client received the ending.
        ending: what the client receives.
        status: of the response; None: the service's own response.
        headers: of the response.
        body: of the response; a mapping is sent as JSON.
        retry_after: value of the header; None: no such header.
        is_retry_after_date: the header is an HTTP date, `retry_after` seconds from now.
        delay_s: seconds before the ending. For Commit.LATER: seconds before the request is handled. For an outage: its
            length, starting just before the response. Infinite: until the emulator stops; `Emulator.start()` ends an
            outage, too.
        is_cut: the body ends in the middle, and Content-Length is that of the half.
        echo: content type of a response that repeats the secrets of the request; None: no such response.
        is_outage: starting with this response, new connections are refused and all others are cut.
    """

    imitates: str
    commit: Commit = Commit.NEVER
    ending: Ending = Ending.RESPONSE
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Mapping[str, object] = b""
    retry_after: str | None = None
    is_retry_after_date: bool = False
    delay_s: float = 0.0
    is_cut: bool = False
    echo: str | None = None
    is_outage: bool = False

    def retry_after_header(self) -> tuple[tuple[str, str], ...]:
        """Return the header Retry-After, or nothing."""
        if self.retry_after is None:
            return ()
        if not self.is_retry_after_date:
            return (("Retry-After", self.retry_after),)
        # A date has whole seconds. It is rounded up, so that a client that waits for it never waits too short.
        moment = datetime.now(UTC) + timedelta(seconds=float(self.retry_after or 0) + 0.999999)
        return (("Retry-After", format_datetime(moment.replace(microsecond=0), usegmt=True)),)


HTML = (("Content-Type", HTML_TYPE),)


def _page(title: str) -> bytes:
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()


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
        body=_page("504 Gateway Time-out"),
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
        body=_page("429 Too Many Requests"),
        retry_after="1",
    )
    ERROR_BEFORE_COMMIT = Effect("500 of the service, nothing handled.", status=500, body=_INTERNAL)
    ERROR_AFTER_COMMIT = Effect(
        "500 of the service, though the request was handled.", Commit.FIRST, status=500, body=_INTERNAL
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
        "503 of the service with Retry-After in seconds, nothing handled.",
        status=503,
        body=_UNAVAILABLE,
        retry_after="1",
    )
    FORBIDDEN = Effect("403: the API token has no permission for the operation.", status=403, body=_FORBIDDEN)
    CONFLICT = Effect("409 for a reason that the client cannot know.", status=409, body=_CONFLICT)
    HTML_200 = Effect(
        "200 with the login page of a network in between.",
        status=200,
        headers=HTML,
        body=_page("Sign in to the network"),
    )
    HTML_200_AFTER_COMMIT = Effect(
        "200 with a page of a proxy, though the request was handled.",
        Commit.FIRST,
        status=200,
        headers=HTML,
        body=_page("One moment"),
    )
    HTML_404 = Effect("404 of a proxy, HTML: not the service.", status=404, headers=HTML, body=_page("404 Not Found"))
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


@dataclass
class PlannedFault:
    """A fault that waits for its request.

    Attributes:
        method: of the requests that can meet it; `*`: any.
        path: pattern, relative to the base URL; `*` is one segment or a part of one, `**` any number.
        name: the name of the fault; `CUSTOM` for an `Effect` that is not in the table.
        effect: what it does.
        times: requests that still meet it; None: all.
        skip: matching requests that pass before.
    """

    method: str
    path: str
    name: str
    effect: Effect = field(repr=False)
    times: int | None = 1
    skip: int = 0

    def __post_init__(self) -> None:
        wildcards = {"*": "[^/]*", "**": ".*"}
        parts = (wildcards.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", self.path))
        self._pattern = re.compile("".join(parts), re.DOTALL)

    def matches(self, method: str, path: str) -> bool:
        """Return True if a request can meet the fault."""
        return self.method in ("*", method) and self._pattern.fullmatch(path) is not None


class FaultPlan:
    """The planned faults. A request meets the one that was planned first; each counts every request for its `skip`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []

    def add(self, fault: PlannedFault) -> None:
        """Plan a fault.

        Raises:
            ValueError: no request could meet it.
        """
        if not fault.path.startswith(("/", "*")):
            raise ValueError(f"path: {fault.path!r} must start with / and be relative to the base URL")
        if fault.skip < 0 or (fault.times is not None and fault.times < 1):
            raise ValueError("times must be at least 1 (or None for always), skip at least 0")
        with self._lock:
            self._planned.append(fault)

    def take(self, method: str, path: str) -> PlannedFault | None:
        """Return the fault that a request meets, if any, and count it."""
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
        """Return copies of the faults that still wait for requests."""
        with self._lock:
            return [replace(fault) for fault in self._planned]

    def clear(self) -> None:
        """Delete all planned faults."""
        with self._lock:
            self._planned.clear()


HOSTILE_LENGTH = 12_000  # long, but short enough for clients to read it as an error


def hostile_text(secrets: Iterable[str]) -> str:
    """Return a long text with every secret: plain, split by control characters, and encoded."""
    lines = ["\x1b[2J\x1b[31mREFUSED\x1b[0m\r\nerror: forged line\u202e\u2028"]
    for secret in secrets:
        raw, middle = secret.encode(), len(secret) // 2
        lines += [
            f"plain {secret}",
            "split by NUL " + "\0".join(secret),
            f"split by newline {secret[:middle]}\n{secret[middle:]}",
            f"split by ANSI escape {secret[:middle]}\x1b[1m{secret[middle:]}",
            f"split by zero width {secret[:middle]}\u200b{secret[middle:]}",
            "base64 " + base64.b64encode(raw).decode(),
            "base64url " + base64.urlsafe_b64encode(raw).decode().rstrip("="),
            "hex " + raw.hex(),
            "url " + quote(secret, safe=""),
            "every byte url " + "".join(f"%{byte:02X}" for byte in raw),
        ]
    text = "\n".join(lines)
    return text + "x" * max(0, HOSTILE_LENGTH - len(text))
