"""What a program hands to a resource -> plain values, before Pulumi's SDK sees them.

The SDK puts the `repr` of whatever it cannot send into its error: of an object that holds an access token, or of a dict
view, the access token with it. So nothing but plain values gets there. What no input takes is replaced by a mark that
says what kind it was; the provider's check finds the mark, and refuses it with a path. Knows no field but the secrets.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import pulumi

from .lifecycle.model import SecretUrl, Unfit
from .properties import A_RESOURCE, DATA, SECRETS, SIGNATURE_KEY

DEEPEST = 16
MOST_ITEMS = 10_000

_UNFIT = "qoder:unfit"
_SECRET_URL = "qoder:secret-url"  # noqa: S105 a key
_MARKS = frozenset({_UNFIT, _SECRET_URL, SIGNATURE_KEY})
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
    return plain if plain is None or name not in SECRETS else pulumi.Output.secret(plain)


def from_plain(value: Any) -> Any:
    """Return what arrived in the provider, with `Unfit` and `SecretUrl` where `to_plain` left a mark."""
    if isinstance(value, Mapping):
        if _UNFIT in value:
            return Unfit(str(value[_UNFIT]))
        if _SECRET_URL in value:
            return SecretUrl(value[_SECRET_URL])
        return {key: from_plain(item) for key, item in value.items()}
    return [from_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(value: Any, name: str, depth: int) -> Any:
    if value is None or isinstance(value, bool | pulumi.output.Unknown):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value))  # a subclass may say anything else of itself
    if isinstance(value, Enum):
        return to_plain(value.value, name, depth + 1)
    if isinstance(value, int | float):
        return float(value) if -1e300 < value < 1e300 else _unfit("a number")
    if isinstance(value, pulumi.Output):
        return _resolved(value, name, depth)
    if depth > DEEPEST:
        return _unfit("a value that is nested too deeply")
    if isinstance(value, pulumi.Resource):
        return _unfit(A_RESOURCE)
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
        plain[text] = to_plain(item, name if name in DATA else text, depth + 1)
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
