"""The names of properties: `display_name` in Python and in the core, `displayName` in the schema of the plugin.

The names are those of the schema. Only they change; keys that the user chose (of metadata, and URLs) are data. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NewType

from ..pulumi_values import MAPS_OF_DATA, PulumiProperties
from .schema import FUNCTIONS, RESOURCES, TYPES

SchemaProperties = NewType("SchemaProperties", Mapping[str, Any])
"""A property map as the engine has it for the plugin: in the names of the schema, with Pulumi's marks."""


def _names_in(value: object) -> Iterator[str]:
    """Yield the names of all properties in a part of the schema, at any depth."""
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key in ("properties", "inputProperties"):
            yield from item
        yield from _names_in(item)


_SNAKE = {
    name: re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    for name in _names_in({"types": TYPES, "resources": RESOURCES, "functions": FUNCTIONS})
    if not name.islower()
}
_CAMEL = {snake: camel for camel, snake in _SNAKE.items()}
NAMES = tuple(sorted(_CAMEL))
# A name within quotation marks belongs to the API's own sentences, one within a URL or a key to the user.
_WORD = re.compile(
    rf"""\w+://\S+|\["[^"]*"\]|(?<!['"\w/])(?:{"|".join(sorted(NAMES, key=len, reverse=True))})(?!['"\w/])"""
)


def to_schema(props: PulumiProperties) -> SchemaProperties:
    """Return a property map in the names of the schema, at any depth."""
    return SchemaProperties(_renamed(props, _CAMEL))


def from_schema(props: SchemaProperties) -> PulumiProperties:
    """Return a property map in the names of the core, at any depth.

    What is in snake case already, as in the state of a stack that was made with the dynamic provider, stays.
    """
    return PulumiProperties(_renamed(props, _SNAKE))


def snake(name: str) -> str:
    """Return the core's name of one property."""
    return _SNAKE.get(name, name)


def camel(name: str) -> str:
    """Return the schema's name of one property."""
    return _CAMEL.get(name, name)


def path(parts: Sequence[str | int]) -> str:
    """Write a path as Pulumi reads it: `credentials[0].accessToken`, `rotations["https://a.example/mcp"]`."""
    written = ""
    for index, part in enumerate(parts):
        if isinstance(part, int):
            written += f"[{part}]"
        elif index and parts[index - 1] in MAPS_OF_DATA:
            written += f"[{json.dumps(part, ensure_ascii=False)}]"
        else:
            written += f".{camel(part)}" if written else camel(part)
    return written


def in_text(text: str) -> str:
    """Return one of our sentences with its properties named as in the schema."""
    return _WORD.sub(lambda match: camel(match[0]), text)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        renamed = {key: (names.get(key, key), item) for key, item in value.items()}
        return {
            name: item if key in MAPS_OF_DATA or name in MAPS_OF_DATA else _renamed(item, names)
            for key, (name, item) in renamed.items()
        }
    if isinstance(value, list | tuple):
        return [_renamed(item, names) for item in value]
    return value
