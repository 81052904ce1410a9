"""The requests that the service received, recorded without secrets.

Knows which keys and headers hold secrets, and nothing else of vaults.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["REDACTED", "Request", "RequestLog", "redact", "redact_headers", "secrets_in"]

REDACTED = "***"
# Part of the name of every key with a secret, misspelt names included; the plain keys are the exceptions.
SECRET_WORDS = ("token", "secret", "password", "apikey", "api_key")
PLAIN_KEYS = frozenset({"token_endpoint", "token_endpoint_auth", "secret_name"})
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})


@dataclass(frozen=True)
class Request:
    """A request as it was received, without secrets.

    Attributes:
        method: upper case.
        path: relative to the base URL, such as `/vaults`; the whole path if it is outside.
        query: the last value of each key.
        headers: by lower-case name; `***` in place of credentials.
        body: parsed JSON with `***` for every secret; None: no body; `***`: not JSON.
        status: status of the response; None: the connection ended without a response.
        fault: name of the fault that the request met, or None.
        active_urls: (vault id, URL) of every credential that was active right after the request.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int | None
    fault: str | None = None
    active_urls: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False, compare=False)

    @property
    def is_write(self) -> bool:
        """True if the request may have changed something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    def log_line(self, duration_s: float) -> str:
        """Return the line for a terminal."""
        path = "".join(char if char.isprintable() else "?" for char in self.path)
        status = "---" if self.status is None else self.status
        line = f"{time.strftime('%H:%M:%S')} {self.method:<6} {path} {status} {duration_s * 1000:.0f} ms"
        return line if self.fault is None else f"{line} [{self.fault.lower().replace('_', '-')}]"


class RequestLog:
    """The requests in the order in which they were handled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Record a request."""
        with self._lock:
            self._requests.append(request)

    def requests(self) -> list[Request]:
        """Return all requests, oldest first."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Delete all records."""
        with self._lock:
            self._requests.clear()


def is_secret_key(key: str) -> bool:
    """Return True if a key of a body holds a secret."""
    return key not in PLAIN_KEYS and any(word in key.lower() for word in SECRET_WORDS)


def redact(value: object) -> object:
    """Return parsed JSON with `***` for every secret; null stays null."""
    if isinstance(value, dict):
        return {
            key: REDACTED if is_secret_key(key) and item is not None else redact(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case name with `***` for credentials."""
    return {name.lower(): REDACTED if name.lower() in SECRET_HEADERS else value for name, value in headers.items()}


def secrets_in(value: object, *, is_secret: bool = False) -> Iterator[str]:
    """Yield every secret string of parsed JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from secrets_in(item, is_secret=is_secret or is_secret_key(key))
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item, is_secret=is_secret)
    elif isinstance(value, str) and value and is_secret:
        yield value
