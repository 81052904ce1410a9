"""What a hostile server sends: texts that make a client print a secret, and bodies that fill its memory."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

__all__ = ["BOMB_SIZE", "gzip_bomb", "gzip_bomb_twice", "hostile_text"]

BOMB_SIZE = 1 << 28


@cache
def gzip_bomb() -> bytes:
    """Return some 250 KiB that inflate to `BOMB_SIZE` blanks."""
    block = b" " * (1 << 20)
    # A gzip stream may have several members, which inflate to one body.
    return gzip.compress(block, mtime=0) * (BOMB_SIZE // len(block))


@cache
def gzip_bomb_twice() -> bytes:
    """Return a bomb that was compressed once more, to a few hundred bytes."""
    return gzip.compress(gzip_bomb(), mtime=0)


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
