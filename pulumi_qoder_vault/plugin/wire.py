"""Properties on the wire <-> the core's: names, secrets, unknown values, and the marks that a program set.

Knows the form in which the engine writes properties; knows neither the protocol's calls nor what a resource is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from ..lifecycle.inputs import Inputs, without_none
from ..pulumi_values import PulumiProperties, from_pulumi, is_marked_secret, marked_secret, to_pulumi
from . import names
from .names import SchemaProperties

STAYS_PLAIN = frozenset({"credentials", "rotations", "status"})  # whatever the program says


def read(message: struct_pb2.Struct) -> SchemaProperties:
    """Read properties as they are. JSON, which protobuf reads them as, has no word for a number that is none."""
    return SchemaProperties({key: _read_value(value) for key, value in message.fields.items()})


def read_inputs(message: struct_pb2.Struct) -> Inputs:
    """Read properties as the core has them."""
    return from_pulumi(names.from_schema(read(message)))


def read_configuration(message: struct_pb2.Struct) -> Inputs:
    """Read configuration, whose names are the schema's everywhere: secrets unpacked, what is unknown as `UNKNOWN`."""
    return from_pulumi(PulumiProperties(read(message)))


def write(values: Inputs, given: struct_pb2.Struct | None = None) -> struct_pb2.Struct:
    """Write the core's properties as the engine has them.

    Args:
        values: in the core's names.
        given: what the program gave, where its own marks of secrets are to be kept.
    """
    named = names.to_schema(to_pulumi(without_none(values)))
    message = struct_pb2.Struct()
    message.update(dict(named if given is None else _with_marks(named, given)))
    return message


def write_configuration(values: Inputs, secrets: frozenset[str], given: struct_pb2.Struct) -> struct_pb2.Struct:
    """Write configuration, with these keys marked as secrets, and those that the program marked."""
    plain = to_pulumi(values)
    marked = {key: marked_secret(value) if key in secrets else value for key, value in plain.items()}
    message = struct_pb2.Struct()
    message.update(dict(_with_marks(SchemaProperties(marked), given)))
    return message


def _with_marks(values: SchemaProperties, given: struct_pb2.Struct) -> SchemaProperties:
    """Mark what the program gave as a secret, be it only a name.

    An access token is marked already, and its siblings are plain: they are keys of outputs that others read.
    """
    marks = names.to_schema(names.from_schema(read(given)))
    return SchemaProperties(
        {name: value if name in STAYS_PLAIN else _marked_like(value, marks.get(name)) for name, value in values.items()}
    )


def _read_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return read(value.struct_value)
    if kind == "list_value":
        return [_read_value(item) for item in value.list_value.values]
    return getattr(value, kind) if kind in ("string_value", "number_value", "bool_value") else None


def _marked_like(value: Any, given: Any) -> Any:
    if is_marked_secret(value) or not _holds_mark(given):
        return value
    if isinstance(value, Mapping) and (_holds_mark(value) or not is_marked_secret(given)):
        # Leaf by leaf: the engine takes no secret within a secret.
        parts = given if isinstance(given, Mapping) and not is_marked_secret(given) else dict.fromkeys(value, given)
        return {key: _marked_like(item, parts.get(key)) for key, item in value.items()}
    return marked_secret(value)


def _holds_mark(value: object) -> bool:
    if isinstance(value, Mapping):
        return is_marked_secret(value) or any(map(_holds_mark, value.values()))
    return isinstance(value, list) and any(map(_holds_mark, value))
