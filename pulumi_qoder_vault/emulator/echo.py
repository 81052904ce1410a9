"""Hostile text: what a server would send to get a client to print a secret. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["hostile_text"]

LENGTH = 12_000  # long, and still what a client reads as an error


def hostile_text(secrets: Iterable[str]) -> str:
    """Return a long text that holds every secret plain, split by control characters, and encoded."""
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
    return text + "x" * max(0, LENGTH - len(text))
