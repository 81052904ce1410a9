"""What was asked, with every secret removed before it is kept.

Knows nothing of vaults but which keys of a body hold secrets.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Journal", "Request", "hidden", "secrets_in"]

HIDDEN = "***"
# Names that hold a secret in any body, misspelt ones too; these few hold none.
SECRET_WORDS = ("token", "secret", "password", "apikey", "api_key")
PLAIN_KEYS = frozenset({"token_endpoint", "token_endpoint_auth", "secret_name"})
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})


@dataclass(frozen=True)
class Request:
    """A request as it came in, without secrets.

    Attributes:
        method: upper case.
        path: relative to the base URL, such as `/vaults`; the whole path if it lies outside.
        query: the last value of each key.
        headers: by lower-case name; `***` in place of credentials.
        body: parsed JSON with `***` for every secret; None: there was none; `***`: it was not JSON.
        status: what was answered; None: the connection ended without an answer.
        fault: the name of the fault it met, or None.
        active_urls: (vault id, URL) of every credential that was active right after it.
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
        """Whether it may have changed something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")


class Journal:
    """Requests in the order in which they were handled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Keep a request."""
        with self._lock:
            self._requests.append(request)

    def requests(self) -> list[Request]:
        """Return all, oldest first."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._requests.clear()


def is_secret_key(key: str) -> bool:
    """Whether a body's key names a secret."""
    return key not in PLAIN_KEYS and any(word in key.lower() for word in SECRET_WORDS)


def hidden(value: Any) -> Any:
    """Return parsed JSON with `***` for every secret; a null stays."""
    if isinstance(value, dict):
        return {key: HIDDEN if is_secret_key(key) and item is not None else hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item) for item in value]
    return value


def hidden_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case name with `***` for credentials."""
    return {name.lower(): HIDDEN if name.lower() in SECRET_HEADERS else value for name, value in headers.items()}


def secrets_in(value: Any, *, is_secret: bool = False) -> Iterator[str]:
    """Yield every secret string of parsed JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from secrets_in(item, is_secret=is_secret or is_secret_key(key))
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item, is_secret=is_secret)
    elif isinstance(value, str) and value and is_secret:
        yield value
