"""Problems with inputs, and the rules that every property of a kind has in common.

Which properties there are stands in tables of `fields`. Pure. What is `UNKNOWN` passes, and is judged when it is known.
A problem never shows a value, but for a URL that has been found fit to be shown: an access token may have been put into
the wrong field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ..secret import Secret
from . import allowed_values
from .fields import Field, Fields, Judge
from .inputs import Inputs, SecretUrl, Unfit, Unknown, as_map, is_empty_secret, is_given
from .model import MARK_KEY
from .references import JUDGES, Referenced, from_name, secret_name

_SHORT_NAMES = {"token": "access_token", "url": "mcp_server_url", "name": "display_name"}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to be mended.

    Attributes:
        path: such as ``credentials[0].protocol``.
        reason: what is wrong, and what to do; one line.
        is_warning: True if the program may go on with it.
    """

    path: str
    reason: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """The API token of this run, or its service-account key: no access token of an MCP server, but of Qoder itself.

    Attributes:
        value: None where none is set; a preview needs none.
        host: of the API that it is sent to.
        name: what a problem calls it.
        home: the setting that it belongs into.
    """

    value: Secret | None = None
    host: str = ""
    name: str = "API token"
    home: str = "qoder:apiToken"

    @property
    def known(self) -> set[Secret]:
        """The token itself, where it is known."""
        return set() if self.value is None else {self.value}

    def is_misused(self, token: Secret, url: object) -> bool:
        """Return True if the API token stands in the place of the access token for a URL that is known."""
        return self.value is not None and token == self.value and isinstance(url, str) and host_of(url) != self.host


NO_API_TOKEN = ApiToken()


@dataclass(frozen=True, slots=True)
class Known:
    """What a check knows beside the inputs.

    Attributes:
        api_token: of this run.
        secrets: of the inputs and of this run; no key of a map that holds one is shown.
    """

    api_token: ApiToken = NO_API_TOKEN
    secrets: Collection[Secret] = field(default=())


def softened(problems: Iterable[Problem], value: object, recorded: object) -> Iterator[Problem]:
    """Make warnings of problems with a value that the state holds already: a new rule must not brick a stack.

    A warning about such a value is not repeated.
    """
    if value is None or value != recorded:
        return iter(problems)
    return (replace(problem, is_warning=True) for problem in problems if not problem.is_warning)


def check_fields(
    path: str,
    given: Inputs,
    fields: Fields,
    *,
    recorded: Inputs,
    held: Inputs,
    known: Known,
    further: Collection[str] = (),
    blank_is_missing: bool = False,
) -> Iterator[Problem]:
    """Judge every field of a table, and find keys that are in none.

    Args:
        path: of the map; empty for the resource itself.
        given: what the program gave.
        fields: the table.
        recorded: the inputs of the last deployment of the same object; empty if it is another one. A secret that they
            lack may be missing, since Qoder never returns one.
        held: the inputs of the last deployment, even of another object. A problem with a value in them is a warning.
        known: see `Known`.
        further: keys that are known, and judged elsewhere.
        blank_is_missing: True if an empty text is as good as none, also where there are choices.
    """
    rows = {name: row for name, row in fields.items() if row.kind != "verifier"}
    # A verifier is no program's. With `ignoreChanges` the engine hands the recorded one back.
    plain = {
        name: value for name, value in given.items() if name not in fields or name in rows or value != held.get(name)
    }
    meant, problems = check_keys(path, plain, (*rows, *further), known.secrets)
    yield from problems
    for name, row in rows.items():
        at, value = f"{path}.{name}" if path else name, given.get(name)
        if row.is_secret and is_given(given.get(from_name(name))):
            if value is not None:
                yield Problem(at, f"is there twice, by value and by {from_name(name)}: remove one of the two")
        elif _is_missing(value, row, blank_is_missing=blank_is_missing):
            if name not in meant:
                yield from softened(_check_missing(at, name, row, given, recorded), value, held.get(name))
        elif (reason := _excluded(row, given)) is not None:
            yield Problem(at, reason)
        elif isinstance(value, Unknown):
            continue
        elif row.kind == "reference":
            yield from check_reference(at, value, rows[secret_name(name)], given, known)
        elif row.kind == "object":
            yield from _check_object(at, value, row, as_map(recorded.get(name)), as_map(held.get(name)), known)
        elif row.kind == "map":
            yield from check_map(at, value, held.get(name), most=row.most, secrets=known.secrets)
        else:
            # A word or a truth value that this version does not know is never let pass.
            kept = None if row.choices or row.kind == "boolean" else held.get(name)
            yield from softened(_check_value(at, value, row, given, known), value, kept)


def _is_missing(value: object, row: Field, *, blank_is_missing: bool) -> bool:
    """Return True for a value that is not there. A blank is one only where a text is due."""
    if value is None or is_given(value) or row.kind == "map":
        return value is None
    return blank_is_missing or (row.kind in ("string", "url") and not row.choices)


def _excluded(row: Field, given: Inputs) -> str | None:
    """Return why a field must not be given beside its sibling."""
    sibling, values = row.only_with or ("", ())
    other = given.get(sibling)
    if not values or not isinstance(other, str) or not is_given(other) or other in values:
        return None
    return f"is for {' or '.join(values)} only"


def _check_missing(path: str, name: str, row: Field, given: Inputs, recorded: Inputs) -> Iterator[Problem]:
    needed_for = ""
    if row.is_local:
        return
    if row.only_with is not None:
        sibling, values = row.only_with
        needed_for = given[sibling] if given.get(sibling) in values else ""
        if recorded.get(sibling) != given.get(sibling):
            recorded = {}
    may_lack = row.is_secret and recorded != {} and recorded.get(name) is None
    if not (row.is_required or needed_for):
        return
    if is_empty_secret(given.get(name)):
        yield Problem(path, allowed_values.EMPTY)
    elif not may_lack:
        yield Problem(path, f"is required for {needed_for}" if needed_for else row.if_missing)


def _check_object(
    path: str, value: object, row: Field, recorded: Inputs, held: Inputs, known: Known
) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        yield from check_fields(
            path, value, row.fields, recorded=recorded, held=held, known=known, blank_is_missing=True
        )
    else:
        names = [name for name, part in row.fields.items() if part.kind != "verifier"]
        yield Problem(path, f"must be a map with {', '.join(names)}, not {kind_of(value)}")


def check_reference(
    path: str, value: object, secret: Field, given: Inputs, known: Known | None = None
) -> Iterator[Problem]:
    """Find what is wrong with a reference, or with what was read there; none of that is shown."""
    known = known or Known()
    if not isinstance(value, Referenced):
        yield from _check_form(path, value, known)
    elif value.fault:
        yield Problem(path, f"{value.reference} {value.fault}")
    elif value.secret is not None:
        for problem in _check_value(path, value.secret, secret, given, known):
            yield Problem(path, f"{value.reference}: its value {problem.reason}")


def _check_form(path: str, value: object, known: Known) -> Iterator[Problem]:
    """Find why a value is no reference; what is unknown passes."""
    ways = ", ".join(JUDGES)
    if not isinstance(value, Mapping):
        yield Problem(path, f"must be a map with one of {ways}, not {kind_of(value)}")
        return
    _, problems = check_keys(path, value, JUDGES, known.secrets)
    yield from problems
    given = [way for way in JUDGES if value.get(way) is not None]
    if len(given) != 1 and not problems:
        yield Problem(path, f"must have exactly one of {ways}; it has {len(given) or 'none'}")
    for way in given:
        at, target, judge = f"{path}.{way}", value[way], JUDGES[way]
        if way != "command":
            yield from [Problem(at, allowed_values.EMPTY)] if target == "" else check_text(at, target, judge)
        elif not isinstance(target, list | tuple) or not target or target[0] == "":
            yield Problem(at, "must be a list of strings: the program, then its arguments")
        else:
            yield from (problem for item in target for problem in check_text(at, item, judge))


def _check_value(path: str, value: object, row: Field, given: Inputs, known: Known) -> Iterator[Problem]:
    yield from _check_kind(path, value, row)
    yield from _check_bearer(path, value, row, given, known)


def _check_bearer(path: str, value: object, row: Field, given: Inputs, known: Known) -> Iterator[Problem]:
    if row.is_bearer and isinstance(value, Secret) and known.api_token.is_misused(value, given.get("mcp_server_url")):
        yield Problem(
            path,
            f"is the {known.api_token.name}, which only Qoder may receive: use the access token of this MCP server",
        )


def _check_kind(path: str, value: object, row: Field) -> Iterator[Problem]:
    match row.kind:
        case "boolean":
            yield from check_boolean(path, value)
        case "credentials":
            return  # a list of maps, each with rules of its own
        case "hosts":
            yield from _check_hosts(path, value)
        case "url":
            yield from check_url(path, value, row.judge)
        case _ if row.choices:
            yield from check_choice(path, value, row.choices)
        case _:
            yield from check_text(path, value, row.judge)
            if row.caution is not None and isinstance(value, str) and (reason := row.caution(value)) is not None:
                yield Problem(path, reason, is_warning=True)


def check_text(path: str, value: object, judge: Judge) -> Iterator[Problem]:
    """Find a value that is no text, or that a rule of `allowed_values` refuses. A secret is not shown."""
    if isinstance(value, Unknown):
        return
    text = value.reveal() if isinstance(value, Secret) else value
    reason = judge(text) if isinstance(text, str) else not_a_string(value)
    if reason is not None:
        yield Problem(path, reason)


def check_url(path: str, url: object, judge: Judge) -> Iterator[Problem]:
    """Find what is wrong with a URL that is stored, and shown, in plain text."""
    if isinstance(url, SecretUrl):
        yield Problem(
            path,
            "is marked as a secret, but a URL is shown in plain outputs and errors: remove the mark (unsecret), or "
            "use a URL without a secret",
        )
    yield from check_text(path, url, judge)


def check_choice(path: str, value: object, choices: Collection[str]) -> Iterator[Problem]:
    """Find a value that is none of the choices; a missing value is checked elsewhere."""
    # The value itself is not shown: it may be an access token in the wrong place.
    if value is None or isinstance(value, Unknown) or value in choices:
        return
    if isinstance(value, str) and allowed_values.is_output_in_text(value):
        yield from check_text(path, value, allowed_values.text)
    else:
        yield Problem(path, f"must be {' or '.join(repr(choice) for choice in choices)}")


def check_boolean(path: str, value: object) -> Iterator[Problem]:
    """Find a value that is neither True nor False."""
    if not isinstance(value, bool | Unknown):
        yield Problem(path, f"must be a boolean, true or false, not {kind_of(value)}")


def _check_hosts(path: str, value: object) -> Iterator[Problem]:
    items = value if isinstance(value, list | tuple) else [value]
    wrong = (
        problem for item in items if isinstance(item, str) for problem in check_text(path, item, allowed_values.text)
    )
    if (problem := next(wrong, None)) is not None:
        yield problem
    elif not isinstance(value, list | tuple) or not all(isinstance(item, str | Unknown) and item for item in value):
        yield Problem(path, "must be a list of host names")


def check_map(
    path: str, given: object, recorded: object, *, most: int, secrets: Collection[Secret]
) -> Iterator[Problem]:
    """Find what is wrong with metadata; what is recorded already, pair by pair, is no more than a warning."""
    if not isinstance(given, Mapping):
        yield Problem(path, f"must be a map of strings, not {kind_of(given)}")
        return
    before = as_map(recorded)
    if len(given) > max(most, len(before)):  # an import may bring a pair more
        yield Problem(path, f"has {len(given)} pairs; at most {most} are allowed")
    for key, value in given.items():
        yield from softened(_check_pair(path, key, value, secrets), value, before.get(key))


def _check_pair(path: str, key: str, value: object, secrets: Collection[Secret]) -> Iterator[Problem]:
    shown = f'{path}["{key}"]' if _may_be_shown(key, secrets) else ""
    if (reason := allowed_values.metadata_key(key)) is not None:
        yield Problem(path, f"a key {reason}")
    if key == MARK_KEY:
        yield Problem(shown, "is reserved for the provider; choose another key")
    for problem in check_text(shown, value, allowed_values.metadata_value):
        yield problem if shown else Problem(path, f"a value {problem.reason}")


def check_keys(
    path: str, given: Inputs, known: Collection[str], secrets: Collection[Secret]
) -> tuple[set[str], list[Problem]]:
    """Find keys that nothing reads, with the nearest one that is read.

    Returns:
        The known keys that were meant: nothing else need be said of them. And a problem for each unknown one.
    """
    meant = {key: key for key in known}
    meant |= {short: key for short, key in _SHORT_NAMES.items() if key in known}
    found: set[str] = set()
    problems = []
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key[:80].lower().replace("-", "_"), meant, n=1, cutoff=0.5)
        found |= {meant[name] for name in near}
        hint = f"did you mean {meant[near[0]]}?" if near else f"known keys are {', '.join(known)}"
        if _may_be_shown(key, secrets):
            problems.append(Problem(f"{path}.{key}" if path else key, f"is not a known key; {hint}"))
        else:
            problems.append(Problem(path or "an argument", f"has an unknown key; {hint}"))
    return found, problems


def _may_be_shown(key: str, secrets: Collection[Secret]) -> bool:
    """Return True if a key looks like a name, and neither is nor looks like an access token in the place of one."""
    looks_like_a_name = _PLAIN_KEY.fullmatch(key) is not None and not allowed_values.looks_like_a_token(key)
    return looks_like_a_name and not any(secret.reveal() in key for secret in secrets)


def host_of(url: str) -> str | None:
    """Return the host of a URL; None where it has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def not_a_string(value: object) -> str:
    """Return the reason for a value that is no string, and how digits stay one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    hint = "; put it in quotation marks, or, where YAML drops them, in fn::toJSON" if is_number else ""
    return f"must be a string, not {kind_of(value)}{hint}"


def kind_of(value: Any) -> str:
    """Name the kind of a value, without showing it."""
    if value is None:
        return "None"
    if isinstance(value, Unfit):
        return value.kind
    if isinstance(value, Secret):
        return "a string"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", tuple: "a list"}
    return kinds.get(type(value), "a map" if isinstance(value, Mapping) else f"a {type(value).__name__}")
