"""What a comparison of a state with a program finds, field by field. Knows no resource.

Pure. Inputs may hold `UNKNOWN` in a preview; what is unknown counts as changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .fields import Field, Fields
from .inputs import Inputs, Unknown
from .references import from_name, verifier_name

# Where a change stands: names of properties, keys of maps, and indices of lists.
ChangePath = tuple[str | int, ...]


class Change(Enum):
    """What happens to one property."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"

    @classmethod
    def between(cls, before: object, after: object) -> Change:
        """Return what turns one value into another; None is a missing one."""
        return cls.ADD if before is None else cls.DELETE if after is None else cls.UPDATE


@dataclass(frozen=True, slots=True)
class Difference:
    """What an ``up`` has to do.

    Attributes:
        is_change: False if there is nothing to do.
        replaces: the properties that force another object; empty for an update in place.
        is_hidden: True if the inputs of the last deployment need not show the change.
        deletes_first: True if there is no room for a new object beside the old one, should there be one.
        details: every change by its path. An index is one of the new list, for a removal one of the old list.
        warnings: what a person should know before this is carried out, each in one line without a secret.
        refusal: why it must not be carried out; empty where it may.
    """

    is_change: bool
    replaces: tuple[str, ...] = ()
    is_hidden: bool = False
    deletes_first: bool = False
    details: Mapping[ChangePath, Change] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refusal: str = ""


def compare_fields(
    path: ChangePath, fields: Fields, before: Inputs, after: Inputs, *, is_whole: bool = False
) -> Iterator[tuple[ChangePath, Change, bool]]:
    """Yield each field that differs: its path, what happens to it, and whether that can be done in place.

    What is in an object that is mutable itself changes with the whole object (``is_whole``); any other one is changed
    field by field. What is taken away changes in place only if it is clearable.
    """
    for name, row in fields.items():
        at, old, new = (*path, _shown_as(name, row, after)), before.get(name), after.get(name)
        is_left_alone = new is None and row.is_secret  # one that is not given
        if is_left_alone or is_same_value(old, new, is_ordered=row.kind == "arguments"):
            continue
        is_mutable = is_whole or row.is_mutable
        if row.kind == "map":
            yield from ((*found, is_mutable) for found in compare_maps(at, old or {}, new or {}))
        elif row.fields and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from compare_fields(at, row.fields, old, new, is_whole=is_mutable)
        elif row.fields and old is not None and isinstance(new, Unknown):
            # It need not be what cannot change; a preview that says `replace` would frighten for nothing.
            yield at, Change.UPDATE, row.has_mutable_part
        else:
            yield at, Change.between(old, new), is_whole or (is_mutable and (new is not None or row.is_clearable))


def _shown_as(name: str, row: Field, after: Inputs) -> str:
    """Return the property in which a change shows: of a secret by reference, that is its verifier."""
    return verifier_name(name) if row.is_secret and from_name(name) in after else name


def compare_maps(path: ChangePath, before: Inputs, after: Inputs | Unknown) -> Iterator[tuple[ChangePath, Change]]:
    """Yield each key of two maps that differs, and what happens to it; of a map that is unknown, its own path."""
    if isinstance(after, Unknown):
        yield path, Change.UPDATE
        return
    for key, value in after.items():
        if value != before.get(key):
            yield (*path, key), Change.between(before.get(key), value)
    for key in before:
        if key not in after:
            yield (*path, key), Change.DELETE


def is_same_value(one: object, other: object, *, is_ordered: bool = False) -> bool:
    """Return True for equal values; hosts in another order are the same hosts."""
    if is_ordered:
        return one == other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(item in other for item in one)
    return one == other
