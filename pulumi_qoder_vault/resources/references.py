"""Secrets by reference: read for a check, and put in their places for what is sent.

A check reads them, to see a rotation, and what it read is what is sent. Where settings say so it reads none: each is
then read when it is to be sent, before anything of its resource is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import NotRead
from ..lifecycle.credential_types import SECRET_NAMES, fields_of
from ..lifecycle.exposure import check_exposure, exposed
from ..lifecycle.fields import Fields
from ..lifecycle.inputs import Inputs, as_map, maps_in, secrets_by_path, texts_by_path
from ..lifecycle.model import Credential
from ..lifecycle.problems import NO_API_TOKEN, check_reference
from ..lifecycle.references import Reference, Referenced, from_name, is_triggered, verifier_name, verifier_of
from ..secret_reader import READER
from ..settings import Settings

_SECRETS = {from_name(name): name for name in SECRET_NAMES}


def as_read(inputs: Inputs, settings: Settings) -> Inputs:
    """Return inputs in which each reference is a `Referenced`: read, unless settings have it read when it is sent.

    A credential that the engine took from the state (``ignoreChanges``) has its verifiers, and is left as it is.
    """
    return {name: _as_read(name, value, inputs, settings) for name, value in inputs.items()}


def _as_read(name: str, value: Any, siblings: Inputs, settings: Settings) -> Any:
    if isinstance(value, list | tuple):
        return [_as_read("", item, {}, settings) for item in value]
    if not isinstance(value, Mapping) or name == "metadata":
        return value
    reference = Reference.of(value) if name in _SECRETS else None
    if reference is None:
        return as_read(value, settings)
    if siblings.get(verifier_name(_SECRETS[name])) is not None:
        return value
    return READER.read(reference) if settings.read_references == "always" else Referenced(reference)


def revealed(desired: Credential, before: Credential | None, path: str, *, is_needed: bool = False) -> Credential:
    """Return a credential with its secrets that are by reference: all that are to be sent, and what a check has read.

    Args:
        desired: as the program asks for it.
        before: as the state holds it; None for a new one.
        path: where it stands in the inputs; empty, or with a point at its end.
        is_needed: True if it is to be sent in any case.

    Raises:
        NotRead: one is to be sent and cannot be read, or is not fit to be sent; nothing of it is shown.
    """
    had = before.properties if before is not None else {}
    needs = is_needed or before is None or is_triggered(had, desired.properties)
    fields = fields_of(desired.type)
    return replace(desired, properties=_revealed(fields, desired.key, desired.properties, had, path, is_needed=needs))


def _revealed(fields: Fields, key: str, given: Inputs, before: Inputs, path: str, *, is_needed: bool) -> dict[str, Any]:
    found = dict(given)
    for name, row in fields.items():
        value = given.get(name)
        if row.kind == "object" and isinstance(value, Mapping):
            had = as_map(before.get(name))
            found[name] = _revealed(row.fields, key, value, had, f"{path}{name}.", is_needed=is_needed)
        reference = Reference.of(value) if row.kind == "reference" else None
        if reference is None:
            continue
        secret, secret_row = _SECRETS[name], fields[_SECRETS[name]]
        must = is_needed or verifier_of(secret, secret_row, key, before) is None
        there = READER.read(reference) if must else READER.known(reference)
        for problem in check_reference(f"{path}{name}", there, secret_row, given) if must else ():
            raise NotRead(str(problem))
        if there.secret is None:
            continue
        verifier = verifier_of(secret, secret_row, key, {secret: there.secret})
        if must or given.get(verifier_name(secret)) == verifier:
            found |= {secret: there.secret, verifier_name(secret): verifier}
    return found


def refuse_exposed(inputs: Inputs, credentials: Iterable[Credential], settings: Settings) -> None:
    """Let no secret that no check has read stand in plain text beside it.

    Raises:
        NotRead: one does; the line names the place.
    """
    if settings.read_references == "always":
        return
    maps = [("", inputs), *((f"credentials[{n}].", item) for n, item in enumerate(maps_in(inputs.get("credentials"))))]
    texts = [(f"{at}{path[0]}", text) for at, item in maps for path, text in texts_by_path(item)]
    secrets = [pair for item in credentials for pair in secrets_by_path(item.properties)]
    for problem in check_exposure(exposed(texts, secrets, NO_API_TOKEN), (), NO_API_TOKEN):
        raise NotRead(str(problem))
