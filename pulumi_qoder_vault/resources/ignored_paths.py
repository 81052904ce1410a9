"""Pulumi's option ``ignoreChanges``: which of its paths would hand one server's access token to another. Pure."""

from __future__ import annotations

import re

POSITION_IGNORED = (
    "ignore_changes: a position in credentials would give one server's access token to another as soon as the list "
    'changes; ignore "credentials" as a whole, or declare that credential as a Credential resource'
)

_PATH = re.compile(r'(?:\["(?P<quoted>[^"]*)"\]|\[?(?P<plain>[^.\[\]]+)\]?)(?P<rest>.*)', re.DOTALL)


def is_position(path: object, name: str) -> bool:
    """Return True if a path leads to a position within a list: `credentials[0]`, `["credentials"][*].x`.

    Pulumi copies such a value by its position before a provider sees anything.
    """
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    root = next((part for part in match.group("quoted", "plain") if part is not None), "") if match else ""
    return match is not None and root in (name, "*") and match["rest"] != ""
