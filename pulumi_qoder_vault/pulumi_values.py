"""Values of Pulumi <-> values of the core: secrets, what is unknown, and what no input takes.

In the core an access token is a `Secret`, and what a preview does not know is `UNKNOWN`. In Pulumi's property maps both
are marks. A front converts a property map once on its way in, and once on its way out. Knows no field but the secrets.

Before that, in the program, nothing but plain values reaches Pulumi's SDK: it puts the `repr` of whatever it cannot
send into its error, and with it the access token that an object or a dict view holds. What no input takes is replaced
by a mark that says what kind it was; the provider's check finds the mark, and refuses it with a path.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NewType

import pulumi

from .lifecycle.credential_types import SECRET_NAMES
from .lifecycle.inputs import UNKNOWN, Inputs, SecretUrl, Unfit
from .secret import Secret

PulumiProperties = NewType("PulumiProperties", Mapping[str, Any])
"""A property map as Pulumi has it, in the names of the core: with its marks of secrets, and of what is unknown."""

PROVIDER_KEY = "__provider"
MAPS_OF_DATA = frozenset(
    {"metadata", "rotations", "rotated_at", "credential_ids", "other_credentials"}
)  # their keys are data

# Pulumi's own marks: pulumi/sdk, go/common/resource/plugin (signatures); the values are in every state.
_SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_MARK = {_SIGNATURE_KEY: "1b47061264138c4ac30d75fd1eb44270"}
_A_RESOURCE = "a resource (take an output of it, such as its id)"
_KINDS = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
    "5cf8f73096256a8f31e491e813e4eb8e": _A_RESOURCE,
}

DEEPEST = 16
MOST_ITEMS = 10_000

_UNFIT = "qoder:unfit"
_SECRET_URL = "qoder:secret-url"  # noqa: S105 a key
_MARKS = frozenset({_UNFIT, _SECRET_URL, _SIGNATURE_KEY})
_TYPE_NAME = re.compile(r"[A-Za-z_][A-Za-z_]{0,39}", re.ASCII)


def to_plain(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value that Pulumi's SDK can send, with each secret in it marked as one.

    An exception that a value raises when it is looked at ends here.

    Args:
        value: whatever a program gave: plain values, maps, iterables, an Output or an awaitable of one, at any depth.
        name: of the property that it is the value of.
        depth: how deep it lies.
    """
    try:
        plain = _plain(value, name, depth)
    except Exception:  # noqa: BLE001 an object may fail in any way when it is looked at, and say anything
        return _unfit("an object that cannot be read")
    return plain if plain is None or name not in SECRET_NAMES else pulumi.Output.secret(plain)


def from_program(props: PulumiProperties) -> Inputs:
    """Return what a constructor handed over, with `Unfit` and `SecretUrl` where `to_plain` left a mark."""
    return from_pulumi(PulumiProperties({key: _unmarked(value) for key, value in props.items()}))


def _unmarked(value: Any) -> Any:
    if isinstance(value, Mapping):
        if _UNFIT in value:
            return Unfit(str(value[_UNFIT]))
        if _SECRET_URL in value:
            return SecretUrl(value[_SECRET_URL])
        return {key: _unmarked(item) for key, item in value.items()}
    return [_unmarked(item) for item in value] if isinstance(value, list | tuple) else value


def from_pulumi(props: PulumiProperties) -> Inputs:
    """Return a property map as the core has it."""
    return {key: _from_pulumi(value, key) for key, value in props.items() if key != PROVIDER_KEY}


def _from_pulumi(value: Any, name: str) -> Any:
    if isinstance(value, pulumi.output.Unknown) or value == pulumi.runtime.rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, Mapping):
        return _from_map(value, name)
    if isinstance(value, list | tuple):
        return [_from_pulumi(item, name) for item in value]
    return Secret(value) if name in SECRET_NAMES and isinstance(value, str) else value


def _from_map(value: Mapping[str, Any], name: str) -> Any:
    """Read a map, or the mark that it is."""
    if is_marked_secret(value):
        inner = _from_pulumi(value.get("value"), name)
        return SecretUrl(inner) if name == "mcp_server_url" and isinstance(inner, str) else inner
    if _SIGNATURE_KEY in value:
        return Unfit(_KINDS.get(str(value[_SIGNATURE_KEY]), "an object of Pulumi's"))
    return {key: _from_pulumi(item, name if name in MAPS_OF_DATA else key) for key, item in value.items()}


def to_pulumi(values: Inputs) -> PulumiProperties:
    """Return the core's properties as Pulumi has them: secrets marked, so that the engine encrypts them."""
    return PulumiProperties({key: _to_pulumi(value) for key, value in values.items()})


def _to_pulumi(value: Any) -> Any:
    if isinstance(value, Secret):
        return marked_secret(value.reveal())
    if value is UNKNOWN:
        return pulumi.runtime.rpc.UNKNOWN
    if isinstance(value, Unfit):
        return None  # it comes from a check that failed
    if isinstance(value, Mapping):
        return {key: _to_pulumi(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_pulumi(item) for item in value]
    return value


def marked_secret(value: Any) -> dict[str, Any]:
    """Return a value with Pulumi's mark of a secret."""
    return {**SECRET_MARK, "value": value}


def is_marked_secret(value: object) -> bool:
    """Return True if a value has Pulumi's mark of a secret."""
    return isinstance(value, Mapping) and SECRET_MARK.items() <= value.items()


def _plain(value: Any, name: str, depth: int) -> Any:
    if value is None or isinstance(value, bool | pulumi.output.Unknown):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value))  # a subclass may say anything else of itself
    if isinstance(value, Enum):
        return to_plain(value.value, name, depth + 1)
    if isinstance(value, int | float):
        return float(value) if -1e300 < value < 1e300 else _unfit("a number")
    return _plain_object(value, name, depth)


def _plain_object(value: Any, name: str, depth: int) -> Any:
    if isinstance(value, pulumi.Output):
        return _resolved(value, name, depth)
    if depth > DEEPEST:
        return _unfit("a value that is nested too deeply")
    if isinstance(value, pulumi.Resource):
        return _unfit(_A_RESOURCE)
    if inspect.isawaitable(value):
        # `apply` awaits what is returned, and, unlike `from_input`, looks at nothing within it.
        return _resolved(pulumi.Output.from_input(None).apply(lambda _: value), name, depth)
    if isinstance(value, Mapping):
        return _map(value, name, depth)
    if isinstance(value, bytes | bytearray | memoryview):
        return _unfit("bytes (decode them)")
    if isinstance(value, Iterable) and not isinstance(value, type):
        items = list(itertools.islice(value, MOST_ITEMS + 1))
        if len(items) > MOST_ITEMS:
            return _unfit(f"more than {MOST_ITEMS} items")
        return [to_plain(item, name, depth + 1) for item in items]
    return _unfit(_kind(value))


def _resolved(output: pulumi.Output[Any], name: str, depth: int) -> pulumi.Output[Any]:
    """Return an Output of the plain value. A URL whose own Output is marked as a secret gets a mark of ours, too."""
    if name != "mcp_server_url":
        return output.apply(lambda value: to_plain(value, name, depth + 1))

    def url(pair: list[Any]) -> Any:
        plain = to_plain(pair[0], "", depth + 1)
        return {_SECRET_URL: plain} if pair[1] and isinstance(plain, str) else plain

    return pulumi.Output.all(output, output.is_secret()).apply(url)


def _map(value: Mapping[Any, Any], name: str, depth: int) -> Any:
    plain = {}
    for number, (key, item) in enumerate(value.items()):
        if number >= MOST_ITEMS:
            return _unfit(f"more than {MOST_ITEMS} items")
        text = str.__str__(key) if isinstance(key, str) else None
        if text is None or text in _MARKS or not isinstance(_text(text), str):
            return _unfit("a map with a key that is no name")
        plain[text] = to_plain(item, name if name in MAPS_OF_DATA else text, depth + 1)
    return plain


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return _unfit("text that is not Unicode")
    return _unfit("a value that stands for one not known yet") if value == pulumi.runtime.rpc.UNKNOWN else value


def _kind(value: object) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "a dataclass"
    name = type(value).__name__
    if callable(value):
        return "a function or class"
    return f"an object of type {name}" if _TYPE_NAME.fullmatch(name) else "an object"


def _unfit(kind: str) -> dict[str, str]:
    return {_UNFIT: kind}
