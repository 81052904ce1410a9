"""Inputs: the property map that a front hands to `check`, in the names of the core.

Plain values, lists and maps; every secret in it is a `Secret`, and what a preview cannot know yet is `UNKNOWN`. Knows
neither which properties there are nor what they may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from ..secret import Secret

Inputs = Mapping[str, Any]
Path = tuple[str, ...]

_EMPTY_SECRET = Secret("")


class Unknown(Enum):
    """The type of ``UNKNOWN``: a value that a preview cannot know. It is not a missing value."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that no input takes: an object, an asset. What it holds is not kept, since it may be a secret.

    Attributes:
        kind: what it is, such as ``a dataclass``; fit to be shown.
    """

    kind: str


class SecretUrl(str):
    """A URL that the program marked as a secret."""

    __slots__ = ()


def is_given(value: object) -> bool:
    """Return True unless the value is missing, or an empty text."""
    return value is not None and value != "" and value != _EMPTY_SECRET


def is_empty_secret(value: object) -> bool:
    """Return True for a secret that is there, and empty."""
    return bool(value == _EMPTY_SECRET)


def only_given(value: Any) -> Any:
    """Return a map without what is not given, at any depth: to Qoder a null is a value, and an empty text is none."""
    if isinstance(value, Mapping):
        return {name: only_given(item) for name, item in value.items() if is_given(item)}
    return value


def without_none(given: Inputs) -> dict[str, Any]:
    """Return a map without what is None: a null is a value to the engine."""
    return {name: value for name, value in given.items() if value is not None}


def as_map(value: object) -> Inputs:
    """Return a map as it is, and anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}


def maps_in(value: object) -> list[Inputs]:
    """Return the maps in a list, and nothing for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def holds_unknown(value: object) -> bool:
    """Return True if anything in the value, at any depth, is unknown."""
    if isinstance(value, Mapping):
        return any(map(holds_unknown, value.values()))
    return any(map(holds_unknown, value)) if isinstance(value, list | tuple) else isinstance(value, Unknown)


def secrets_by_path(inputs: Inputs, path: Path = ()) -> Iterator[tuple[Path, Secret]]:
    """Yield every secret in nested maps, with the names that lead to it."""
    for name, value in inputs.items():
        if isinstance(value, Secret):
            yield (*path, name), value
        elif isinstance(value, Mapping):
            yield from secrets_by_path(value, (*path, name))


def texts_by_path(inputs: Inputs, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every plain text in nested maps, and every key of ``metadata``, with the names that lead to it."""
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            yield from texts_by_path(value, (*path, name))
            yield from (((*path, name), key) for key in value if name == "metadata")
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, str):
                yield (*path, name), item
