"""Property maps on the wire between Pulumi's engine and a provider: secrets, unknown values, plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

Props = dict[str, Any]
SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # Pulumi's own word for it


def struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def received(message: struct_pb2.Struct) -> Props:
    return dict(json_format.MessageToDict(message))


def secret(value: Any) -> Props:
    return {**SIGNATURE, "value": value}


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and SIGNATURE.items() <= value.items()


def plain(value: Any) -> Any:
    """Return what the engine makes of a wire value: secrets unpacked, None dropped, numbers as floats."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def in_plain(value: Any) -> list[str]:
    """Return the canaries that the engine would not encrypt."""
    if is_secret(value):
        return []
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in in_plain(key) + in_plain(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in in_plain(item)]
    return [value] if isinstance(value, str) and "canary" in value else []
