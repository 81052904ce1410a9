"""Credentials of every type, with each secret by value or by reference, as Hypothesis draws them.

The secrets come from the table of types: a new one is drawn, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from pulumi_qoder_vault.lifecycle.credential_types import TYPES
from pulumi_qoder_vault.lifecycle.fields import Fields
from pulumi_qoder_vault.lifecycle.inputs import Path
from pulumi_qoder_vault.lifecycle.references import Reference, Referenced, completed
from pulumi_qoder_vault.secret import Secret

URL = "https://example.com/mcp"
KEYS = {"static_bearer": URL, "mcp_oauth": URL, "environment_variable": "API_KEY"}
OTHERS: Mapping[str, dict[str, Any]] = {
    "static_bearer": {"mcp_server_url": URL, "protocol": "sse"},
    "mcp_oauth": {
        "mcp_server_url": URL,
        "refresh": {
            "client_id": "client-1",
            "token_endpoint": "https://example.com/token",
            "token_endpoint_auth": {"type": "client_secret_post"},
        },
    },
    "environment_variable": {"secret_name": "API_KEY"},
}
# Few, since each one of a short secret takes a while.
WORDS = ("canary-one-1111", "canary-two-2222", "canary-three-3333")
REFERENCES = (
    Reference("env", "ONE_TOKEN"),
    Reference("env", "OTHER_TOKEN"),
    Reference("file", "./secrets/token"),
    Reference("command", ("op", "read", "op://vault/item")),
)


def secret_paths(fields: Fields, path: Path = ()) -> Iterator[Path]:
    """Yield where the secrets of a type stand."""
    for name, row in fields.items():
        yield from secret_paths(row.fields, (*path, name)) if row.kind == "object" else ()
        if row.is_secret and row.kind != "verifier":
            yield (*path, name)


PATHS = {name: tuple(secret_paths(type_.fields)) for name, type_ in TYPES.items()}


@dataclass(frozen=True)
class Asked:
    """One secret as a program asks for it.

    Attributes:
        word: what it is, or what is there by now.
        reference: where it is read; None by value.
    """

    word: str
    reference: Reference | None = None


@dataclass(frozen=True)
class Program:
    """A credential as a program asks for it: its secrets by path, and the trigger."""

    type: str
    secrets: Mapping[Path, Asked]
    trigger: str | None = None

    @property
    def key(self) -> str:
        return KEYS[self.type]

    @property
    def fields(self) -> Fields:
        return TYPES[self.type].fields

    def inputs(self, *, is_read: bool = True) -> dict[str, Any]:
        """What a check has; nothing was read if settings say so."""
        given = copy.deepcopy(OTHERS[self.type]) | ({"rotation_trigger": self.trigger} if self.trigger else {})
        for path, asked in self.secrets.items():
            secret = Secret(asked.word)
            if asked.reference is None:
                put(given, path, secret)
            else:
                put(given, by_reference(path), Referenced(asked.reference, secret if is_read else None))
        return given

    def completed(self, *, is_read: bool = True) -> dict[str, Any]:
        """What the check makes of it."""
        return completed(self.fields, self.key, self.inputs(is_read=is_read))

    def revealed(self) -> dict[str, Any]:
        """The same, with every secret that was read in its place."""
        found = self.completed()
        for path, asked in self.secrets.items():
            put(found, path, Secret(asked.word))
        return found

    def rotated(self, after: Program) -> set[Path]:
        """Secrets with another value after."""
        return {path for path, asked in after.secrets.items() if asked.word != self.secrets[path].word}

    def asks_anew(self, after: Program) -> bool:
        """Return True if the trigger changes."""
        return None not in (self.trigger, after.trigger) and self.trigger != after.trigger


def by_reference(path: Path) -> Path:
    return (*path[:-1], f"{path[-1]}_from")


def verified(path: Path) -> Path:
    return (*path[:-1], f"__{path[-1]}_verifier")


def put(into: dict[str, Any], path: Path, value: object) -> None:
    for name in path[:-1]:
        into = into[name]
    into[path[-1]] = value


def at(given: Any, path: Path) -> Any:
    """What stands there; None for nothing."""
    for name in path:
        given = given.get(name) if given is not None else None
    return given


def asked(words: st.SearchStrategy[str]) -> st.SearchStrategy[Asked]:
    return st.builds(Asked, words, st.none() | st.sampled_from(REFERENCES))


def programs_of(type_: str) -> st.SearchStrategy[Program]:
    secrets = st.fixed_dictionaries({path: asked(st.sampled_from(WORDS)) for path in PATHS[type_]})
    return st.builds(Program, st.just(type_), secrets, st.sampled_from([None, "1", "2"]))


programs = st.sampled_from(list(TYPES)).flatmap(programs_of)
changes = st.sampled_from(list(TYPES)).flatmap(lambda type_: st.tuples(programs_of(type_), programs_of(type_)))
