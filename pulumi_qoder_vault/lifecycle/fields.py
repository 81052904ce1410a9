"""A field: one row of a table of properties. What check, diff, the bodies and the schema know of it stands there.

The tables are `credential_types.TYPES`, and ``ARGUMENTS`` of each resource. Pure data; knows no Pulumi and no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import allowed_values

Kind = Literal[
    "string", "url", "boolean", "hosts", "object", "map", "credentials", "reference", "arguments", "verifier"
]
Judge = Callable[[str], str | None]
Fields = Mapping[str, "Field"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input property.

    Attributes:
        description: one or more sentences for the schema: what it is, whatever the resource.
        kind: of value. ``url`` is a string, ``hosts`` a list of host names, ``map`` a map of strings, ``credentials``
            a list of maps; ``reference``, ``arguments`` and ``verifier`` are those of `references`.
        judge: says what is wrong with a text, or returns None; see `allowed_values`.
        caution: says what is dubious about a text that is allowed.
        choices: the only values, if there are any.
        default: what a missing value stands for.
        most: pairs in a ``map``.
        is_required: True if it must be given.
        if_missing: what is said then.
        only_with: names a sibling, and its values beside which this field is required; beside others it is refused.
        is_secret: True if Qoder never returns it: after an import it may be missing.
        may_be_a_word: True for a secret that may be an ordinary word, and a part of others.
        is_bearer: True if the MCP server takes it as a bearer token.
        is_mutable: True if it changes in place; a change of any other one makes another object.
        is_clearable: True if an update can take it away in place.
        is_renewed: True if Qoder changes it by itself: a refresh leaves the recorded value.
        auth_name: what the object ``auth`` of `2026-07` calls it; empty for its own name.
        is_in_auth: False if that object has no such field: it is recorded, and a change of it is no request.
        is_local: True if Qoder never sees it, on any revision.
        object_name: the schema's name of an ``object``.
        fields: those of an ``object``. One that is not mutable itself is updated field by field.
    """

    description: str
    kind: Kind = "string"
    judge: Judge = allowed_values.one_line_text
    caution: Judge | None = None
    choices: tuple[str, ...] = ()
    default: str | bool | None = None
    most: int = 0
    is_required: bool = False
    if_missing: str = "is required"
    only_with: tuple[str, tuple[str, ...]] | None = None
    is_secret: bool = False
    may_be_a_word: bool = False
    is_bearer: bool = False
    is_mutable: bool = False
    is_clearable: bool = False
    is_renewed: bool = False
    auth_name: str = ""
    is_in_auth: bool = True
    is_local: bool = False
    object_name: str = ""
    fields: Fields = field(default_factory=dict)

    @property
    def has_mutable_part(self) -> bool:
        """True if it, or a part of it, changes in place."""
        return self.is_mutable or any(part.has_mutable_part for part in self.fields.values())


def secret_names(fields: Fields) -> Iterator[str]:
    """Yield the names of all secrets, at any depth."""
    for name, row in fields.items():
        if row.is_secret:
            yield name
        yield from secret_names(row.fields)


def with_defaults(given: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return a map with the default of each field that is missing and has one."""
    defaults = {name: row.default for name, row in fields.items() if row.default is not None}
    return defaults | {name: value for name, value in given.items() if value is not None}


def sent_part(given: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return a map without what Qoder never sees, at any depth."""
    return {
        name: sent_part(value, fields[name].fields) if isinstance(value, Mapping) and name in fields else value
        for name, value in given.items()
        if name not in fields or not fields[name].is_local
    }
