"""A secret by reference: the program says where it is, the provider reads it there, and Pulumi never has it.

In a state, and in complete inputs, two keys stand in the place of a secret ``X``: ``X_from``, where it is read, and
``__X_verifier``, which is secret too. A verifier tells whether a value is the one that Qoder has, and gives the value
only to a guess. That of a value never changes: its version stands before it, and a state may be compared by any later
version of this package. For one operation, ``X`` itself stands beside them, once it was read.

Pure: `secret_reader` reads. Knows neither which fields there are nor what they may hold.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ..secret import Secret, one_line
from . import allowed_values
from .fields import Field, Fields, Judge, sent_part
from .inputs import UNKNOWN, Inputs, Unknown, as_map, holds_unknown, is_given, secrets_by_path

Way = Literal["env", "file", "command"]

# What the target of each may be.
JUDGES: Mapping[Way, Judge] = {
    "env": allowed_values.variable_name,
    "file": allowed_values.one_line_text,
    "command": allowed_values.text,
}
TRIGGER: Final = "rotation_trigger"
# The verifier of a secret that no check has read: it is read when it is sent.
UNREAD: Final = Secret("unread-1:")

_NOUNS: Mapping[Way, str] = {"env": "environment variable", "file": "file", "command": "command"}
_HMAC, _SCRYPT = "hmac-sha256-1:", "scrypt-1:"
VERSIONS = (_HMAC, _SCRYPT, UNREAD.reveal())

_WAYS: Fields = {
    "env": Field(description="The name of an environment variable of `pulumi`.", is_mutable=True, is_clearable=True),
    "file": Field(
        description="A path, relative to the project's folder (that of `main`, if it is set). Read whole; one line "
        "break at its end is removed.",
        is_mutable=True,
        is_clearable=True,
    ),
    "command": Field(
        kind="arguments",
        description="A program and its arguments, run there without a shell, for at most 30 s. Its standard output is "
        "read; one line break at its end is removed.",
        is_mutable=True,
        is_clearable=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is read."""

    way: Way
    target: str | tuple[str, ...]

    @classmethod
    def of(cls, given: object) -> Reference | None:
        """Read what a program gave, or a state holds. None for what is no reference, or is not known yet."""
        found = {name: value for name, value in as_map(given).items() if value is not None}
        way = next((way for way in JUDGES if way in found), None)
        if way is None or len(found) != 1:
            return None
        target = found[way]
        items = target if isinstance(target, list | tuple) and way == "command" else [target]
        is_right = all(isinstance(item, str) and JUDGES[way](item) is None for item in items)
        if not is_right or not items or not items[0] or (way == "command") is isinstance(target, str):
            return None
        return cls(way, target if isinstance(target, str) else tuple(target))

    def __str__(self) -> str:
        """Name it in a sentence; what may be an access token in the place of a name is not shown."""
        named = self.target if isinstance(self.target, str) else self.target[0]
        is_path = self.way != "env" and not {"/", "\\"}.isdisjoint(named)
        is_variable = self.way == "env" and named.isupper() and "_" in named
        if not (is_path or is_variable) and allowed_values.looks_like_a_token(named):
            return f"the {_NOUNS[self.way]} that it names"
        return f"{_NOUNS[self.way]} '{one_line(named, limit=200)}'"

    @property
    def as_input(self) -> dict[str, Any]:
        """What a program gives."""
        return {self.way: list(self.target) if isinstance(self.target, tuple) else self.target}


@dataclass(frozen=True, slots=True)
class Referenced:
    """A reference in inputs, with what was read there.

    Attributes:
        secret: None where nothing was read.
        fault: why it could not be read, in words that follow its name and may be shown; empty where it could, or need
            not.
    """

    reference: Reference
    secret: Secret | None = None
    fault: str = ""


def from_name(name: str) -> str:
    """Return the name of the reference to a secret."""
    return f"{name}_from"


def secret_name(name: str) -> str:
    """Return the name of the secret that a reference of this name is to."""
    return name.removesuffix("_from")


def verifier_name(name: str) -> str:
    """Return the name of the verifier of a secret. Within a list Pulumi shows it, as `[secret]`."""
    return f"__{name}_verifier"


def is_verifier(name: str) -> bool:
    """Return True for the name of a verifier."""
    return name.startswith("__") and name.endswith("_verifier")


def with_references(fields: Fields) -> Fields:
    """Return a table in which each secret, at any depth, has its reference and its verifier beside it."""
    rows: dict[str, Field] = {}
    for name, row in fields.items():
        rows[name] = replace(row, fields=with_references(row.fields)) if row.fields else row
        if row.is_secret:
            local = Field(description="", only_with=row.only_with, is_mutable=True, is_clearable=True, is_local=True)
            rows[from_name(name)] = replace(
                local,
                kind="reference",
                description="Where the provider reads it, in place of the value: Pulumi then has this reference only.",
                object_name="SecretReference",
                fields=_WAYS,
            )
            rows[verifier_name(name)] = replace(local, kind="verifier", is_secret=True)
    return rows


@functools.lru_cache(maxsize=4096)
def verifier(name: str, key: str, secret: Secret, *, is_short: bool = False) -> Secret:
    """Return what tells whether a value is the one that was sent.

    Args:
        name: of the field.
        key: of the credential: the same value of two credentials has two verifiers.
        secret: the value.
        is_short: True if it may be a short word: then each guess takes a while.
    """
    value, salt = secret.reveal().encode(errors="surrogatepass"), f"pulumi-qoder-vault\0{name}\0{key}".encode()
    if is_short:
        return Secret(_SCRYPT + hashlib.scrypt(value, salt=salt, n=2**14, r=8, p=1, dklen=32).hex())
    return Secret(_HMAC + hmac.digest(salt, value, "sha256").hex())


def is_triggered(before: Inputs, after: Inputs) -> bool:
    """Return True if the program asks for a rotation. To add the trigger, or to remove it, does not."""
    old, new = before.get(TRIGGER), after.get(TRIGGER)
    return is_given(old) and is_given(new) and old != new


def read_part(given: Inputs) -> dict[str, Any]:
    """Return inputs with each secret that was read in the place where it would stand by value, at any depth."""
    part: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Referenced):
            part[name] = value.reference.as_input
            if value.secret is not None:
                part[secret_name(name)] = value.secret
        else:
            part[name] = read_part(value) if isinstance(value, Mapping) else value
    return part


def completed(fields: Fields, key: str | Unknown, given: Inputs) -> dict[str, Any]:
    """Return inputs with a verifier for each reference: of what was read.

    What was not read says so, and no more: inputs may lag behind what Qoder has, which the state knows.
    """
    result: dict[str, Any] = {}
    for name, value in given.items():
        row = fields.get(name)
        if row is not None and row.kind == "object" and isinstance(value, Mapping):
            result[name] = completed(row.fields, key, value)
            continue
        result[name] = value.reference.as_input if isinstance(value, Referenced) else value
        if row is None or row.kind != "reference":
            continue
        secret = secret_name(name)
        if holds_unknown(value):
            result[verifier_name(secret)] = UNKNOWN
        elif isinstance(value, Referenced):
            has = {secret: value.secret} if value.secret is not None else {}
            result[verifier_name(secret)] = verifier_of(secret, fields[secret], key, has) or UNREAD
    return result


def verifier_of(name: str, row: Field, key: str | Unknown, given: Inputs) -> Secret | Unknown | None:
    """Return the verifier of a secret, however it is given; None where nobody knows the value."""
    value = given.get(name)
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Secret):
        return UNKNOWN if isinstance(key, Unknown) else verifier(name, key, value, is_short=row.may_be_a_word)
    found: Secret | Unknown | None = given.get(verifier_name(name))
    return None if found == UNREAD else found


def comparable(
    fields: Fields, key: str | Unknown, before: Inputs, after: Inputs
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two maps in which a secret that either one has by reference is its verifier, at any depth.

    So they differ in it where its value differs, whatever the form. One that no check has read is as one that is not
    given after, and as the same one before.
    """
    old, new = ({name: value for name, value in side.items() if not is_verifier(name)} for side in (before, after))
    for name, row in fields.items():
        if row.kind == "object" and isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping):
            old[name], new[name] = comparable(row.fields, key, old[name], new[name])
        elif row.is_secret and (from_name(name) in old or from_name(name) in new):
            was, is_ = verifier_of(name, row, key, before), verifier_of(name, row, key, after)
            if before.get(verifier_name(name)) == UNREAD:
                was = is_
            elif was is None and after.get(verifier_name(name)) == UNREAD:
                is_ = UNKNOWN  # it will be read, and sent
            for side, value in ((old, was), (new, is_)):
                side.pop(name, None)
                if value is not None:
                    side[name] = value
    return old, new


def is_rotation(fields: Fields, key: str | Unknown, before: Inputs, after: Inputs) -> bool:
    """Return True if a secret has another value than before, as far as that is known, or is to be sent again."""
    old, new = comparable(fields, key, before, after)
    had = dict(secrets_by_path(old))
    is_asked_for = is_triggered(before, after) and not isinstance(after.get(TRIGGER), Unknown)
    return is_asked_for or any(had.get(path) != secret for path, secret in secrets_by_path(new))


def counted(fields: Fields, key: str, before: Inputs, after: Inputs, *, recorded: int, checked: int) -> int:
    """Return how often the secrets of a credential will have changed.

    A check compares with the inputs of the last deployment. What was read after that, when it was sent, is known to the
    state alone: its count may be ahead, and what changes from there no check has seen.

    Args:
        fields: the table.
        key: of the credential.
        before: what the state holds.
        after: what it is to become.
        recorded: the count in the state.
        checked: the count of the check.
    """
    return max(checked, recorded + is_rotation(fields, key, before, after))


def recognised(fields: Fields, key: str, before: Inputs, after: Inputs) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is recorded, and what is desired, of one credential, with all that each tells of the other.

    What was read and is what Qoder has, by its verifier, is known of the recorded one, too. What was not read has the
    verifier of what Qoder has.
    """
    old, new = dict(before), dict(after)
    for name, row in fields.items():
        named, reference = verifier_name(name), from_name(name)
        if row.kind == "object" and isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping):
            old[name], new[name] = recognised(row.fields, key, old[name], new[name])
        elif row.is_secret and (reference in old or reference in new):
            has, known = new.get(name), verifier_of(name, row, key, before)
            if has is None and reference in new:
                # None where nobody knows what Qoder has. The value that the state has is known, and stays.
                told = {named: known, name: old.get(name)}
                new = {key_: value for key_, value in {**new, **told}.items() if value is not None}
            elif known is not None and known == verifier_of(name, row, key, after):
                old[name] = has
    return old, new


def stored_part(fields: Fields, given: Inputs) -> dict[str, Any]:
    """Return what a state holds of a credential: of a secret by reference, not the secret."""
    return {
        name: stored_part(fields[name].fields, value) if isinstance(value, Mapping) and name in fields else value
        for name, value in given.items()
        if from_name(name) not in given
    }


def sends_whole(fields: Fields, key: str | Unknown, before: Inputs, after: Inputs) -> bool:
    """Return True if an object that is sent as a whole differs, as far as that is known: its secrets go with it."""
    old, new = comparable(fields, key, before, after)
    left_alone = {name for name, row in fields.items() if row.is_secret and name not in new}
    old = {name: value for name, value in old.items() if name not in left_alone}
    return sent_part(old, fields) != sent_part(new, fields)


def without_secrets(fields: Fields, given: Inputs) -> dict[str, Any]:
    """Return a map without its secrets, at any depth: what is sent beside it sends all of them."""
    return {
        name: without_secrets(fields[name].fields, value) if isinstance(value, Mapping) and name in fields else value
        for name, value in given.items()
        if name not in fields or not fields[name].is_secret
    }
