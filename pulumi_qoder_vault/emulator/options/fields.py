"""How an option is declared, described and validated; knows no option.

The type of an option says which values it takes. Its description is its line in the `Attributes:` of its class.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

__all__ = ["Option", "at_least", "options_of", "reject_invalid"]


@dataclass(frozen=True)
class Option:
    """What is known of an option.

    Attributes:
        type: `bool`, `int`, `float` or `str`; of the values, if there are several.
        choices: the values that it takes; empty: any of its type.
        is_list: it takes several values, as a tuple.
        may_be_none: it may be None.
        least: the least number.
        description: one sentence or two.
    """

    name: str
    type: type
    choices: tuple[Any, ...]
    is_list: bool
    may_be_none: bool
    least: float | None
    default: Any
    description: str


def at_least(least: float, default: Any) -> Any:
    """Declare an option that is a number."""
    return dataclasses.field(default=default, metadata={"least": least})


@cache
def options_of(holder: type[Any]) -> tuple[Option, ...]:
    """Return the options of a data class, those of its base classes first."""
    hints, described = get_type_hints(holder), _descriptions(holder)
    return tuple(
        _option(field, hints[field.name], described.get(field.name, "")) for field in dataclasses.fields(holder)
    )


def reject_invalid(options: Any) -> None:
    """Reject values with which the service could not respond.

    Raises:
        ValueError: an option has an invalid value.
    """
    for option in options_of(options.__class__):
        value = getattr(options, option.name)
        if value is None and option.may_be_none:
            continue
        for item in value if option.is_list else (value,):
            if option.choices and item not in option.choices:
                raise ValueError(f"{option.name} must be {' or '.join(map(repr, option.choices))}")
            if option.least is not None and item < option.least:
                raise ValueError(f"{option.name} must be at least {option.least:g}")


def _option(field: dataclasses.Field[Any], hint: Any, description: str) -> Option:
    may_be_none = get_origin(hint) is UnionType or NoneType in get_args(hint)
    if may_be_none:
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    is_list = get_origin(hint) is tuple
    if is_list:
        hint = get_args(hint)[0]
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return Option(
        name=field.name,
        type=type(choices[0]) if choices else hint,
        choices=choices,
        is_list=is_list,
        may_be_none=may_be_none,
        least=field.metadata.get("least"),
        default=field.default,
        description=description,
    )


def _descriptions(holder: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for owner in holder.__mro__:
        attributes = (inspect.cleandoc(owner.__doc__ or "")).partition("Attributes:\n")[2]
        for name, text in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", attributes, re.MULTILINE):
            found.setdefault(name, " ".join(text.split()))
    return found
