"""A request as it was read, and a response as it is to be sent. Knows nothing of vaults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from secrets import token_hex

__all__ = ["JSON_TYPE", "IncomingRequest", "Response"]

JSON_TYPE = "application/json"


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

    @property
    def bearer_token(self) -> str:
        """The API token that was sent; empty: there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @cached_property
    def request_id(self) -> str:
        """The id that errors name: the one that was sent, if it is fit to be sent back."""
        sent = self.headers.get("x-request-id", "")
        return sent if re.fullmatch(r"[!-~]{1,128}", sent) else f"req_{token_hex(12)}"

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
        return json.dumps(self.body, ensure_ascii=False).encode(), (("Content-Type", JSON_TYPE), *self.headers)
