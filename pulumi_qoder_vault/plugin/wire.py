"""Properties on the wire <-> the core's: names, secrets, unknown values, and the marks that a program set.

Knows the form in which the engine writes properties; knows neither the protocol's calls nor what a resource is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from .. import properties
from ..lifecycle.model import Inputs
from . import names

STAYS_PLAIN = frozenset({"credentials", "rotations", "status"})  # whatever the program says


def read(message: struct_pb2.Struct) -> dict[str, Any]:
    """Read properties as they are. JSON, which protobuf reads them as, has no word for a number that is none."""
    return {key: _read_value(value) for key, value in message.fields.items()}


def read_inputs(message: struct_pb2.Struct) -> Inputs:
    """Read properties as the core has them."""
    return properties.to_inputs(names.from_schema(read(message)))


def read_recorded(message: struct_pb2.Struct) -> Inputs:
    """Read the inputs of the last deployment.

    Raises:
        NewerState: a newer version wrote them.
    """
    return properties.to_recorded_inputs(names.from_schema(read(message)))


def write(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Write what is named, and marked, as the engine has it."""
    message = struct_pb2.Struct()
    message.update(dict(values))
    return message


def to_wire(values: Mapping[str, Any]) -> dict[str, Any]:
    """Name and mark the core's properties as the engine has them."""
    return dict(names.to_schema(properties.to_wire(properties.without_none(values))))


def with_marks(values: Mapping[str, Any], given: struct_pb2.Struct) -> dict[str, Any]:
    """Mark what the program gave as a secret, be it only a name.

    An access token is marked already, and its siblings are plain: they are keys of outputs that others read.
    """
    marks = names.to_schema(names.from_schema(read(given)))
    return {
        name: value if name in STAYS_PLAIN else _marked_like(value, marks.get(name)) for name, value in values.items()
    }


def secret(value: Any) -> dict[str, Any]:
    """Mark a value as a secret."""
    return {**properties.SECRET_SIGNATURE, "value": value}


def _read_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return read(value.struct_value)
    if kind == "list_value":
        return [_read_value(item) for item in value.list_value.values]
    return getattr(value, kind) if kind in ("string_value", "number_value", "bool_value") else None


def _marked_like(value: Any, given: Any) -> Any:
    if _is_marked(value) or not _holds_mark(given):
        return value
    if isinstance(value, Mapping) and (_holds_mark(value) or not _is_marked(given)):
        # Leaf by leaf: the engine takes no secret within a secret.
        parts = given if isinstance(given, Mapping) and not _is_marked(given) else dict.fromkeys(value, given)
        return {key: _marked_like(item, parts.get(key)) for key, item in value.items()}
    return secret(value)


def _is_marked(value: Any) -> bool:
    return isinstance(value, Mapping) and properties.SECRET_SIGNATURE.items() <= value.items()


def _holds_mark(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _is_marked(value) or any(map(_holds_mark, value.values()))
    return isinstance(value, list) and any(map(_holds_mark, value))
