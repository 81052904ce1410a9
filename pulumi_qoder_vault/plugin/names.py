"""The names of properties: `display_name` in Python and in the core, `displayName` in the schema of the plugin.

Only our own names change; keys that the user chose (of metadata, and URLs) are data. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..properties import DATA

NAMES = (
    "access_token",
    "allowed_hosts",
    "api_revision",
    "base_url",
    "client_id",
    "client_secret",
    "created_at",
    "credential_id",
    "credential_ids",
    "display_name",
    "expires_at",
    "force_destroy",
    "include_archived",
    "injection_location",
    "mcp_server_url",
    "on_delete",
    "other_credentials",
    "refresh_token",
    "secret_name",
    "secret_value",
    "token_endpoint",
    "token_endpoint_auth",
    "updated_at",
    "vault_id",
    "workspace_id",
)
_CAMEL = {name: re.sub("_(.)", lambda match: match[1].upper(), name) for name in NAMES}
_SNAKE = {camel: name for name, camel in _CAMEL.items()}
# A name within quotation marks belongs to the API's own sentences, one within a URL or a key to the user.
_WORD = re.compile(
    rf"""\w+://\S+|\["[^"]*"\]|(?<!['"\w/])(?:{"|".join(sorted(NAMES, key=len, reverse=True))})(?!['"\w/])"""
)


def to_schema(value: Any) -> Any:
    """Give our names as the schema has them, at any depth."""
    return _renamed(value, _CAMEL)


def from_schema(value: Any) -> Any:
    """Give the schema's names as the core has them, at any depth.

    What is in snake case already, as in the state of a stack that was made with the dynamic provider, stays.
    """
    return _renamed(value, _SNAKE)


def snake(name: str) -> str:
    """Give the core's name of one property."""
    return _SNAKE.get(name, name)


def path(parts: Sequence[str | int]) -> str:
    """Write a path as Pulumi reads it: `credentials[0].accessToken`, `rotations["https://a.example/mcp"]`."""
    written = ""
    for index, part in enumerate(parts):
        if isinstance(part, int):
            written += f"[{part}]"
        elif index and parts[index - 1] in DATA:
            written += f"[{json.dumps(part, ensure_ascii=False)}]"
        else:
            written += f".{_CAMEL.get(part, part)}" if written else _CAMEL.get(part, part)
    return written


def in_text(text: str) -> str:
    """Name properties in one of our sentences as the schema does."""
    return _WORD.sub(lambda match: _CAMEL.get(match[0], match[0]), text)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        renamed = {key: (names.get(key, key), item) for key, item in value.items()}
        return {
            name: item if key in DATA or name in DATA else _renamed(item, names)
            for key, (name, item) in renamed.items()
        }
    if isinstance(value, list | tuple):
        return [_renamed(item, names) for item in value]
    return value
