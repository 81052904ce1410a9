"""Secrets by reference: read for a check, and put in their places for what is sent.

A check reads them, to see a rotation, and what it read is what is sent. Where settings say so it reads none: each is
then read when it is to be sent, before anything of its resource is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..connection import Qoder
from ..errors import NotRead
from ..lifecycle.credential_types import DEFAULT_TYPE, TYPES, CredentialType, fields_of
from ..lifecycle.exposure import check_exposure, exposed
from ..lifecycle.fields import Field, Fields
from ..lifecycle.inputs import Inputs, as_map, maps_in, secrets_by_path, texts_by_path
from ..lifecycle.model import Credential
from ..lifecycle.problems import NO_API_TOKEN, Known, check_reference, host_of
from ..lifecycle.references import (
    UNREAD,
    Reference,
    Referenced,
    is_triggered,
    secret_name,
    sends_whole,
    verifier_name,
    verifier_of,
)
from ..secret_reader import READER
from ..settings import SETTINGS, Settings
from .resource import api_token_of

# What a run has for Qoder, and for nobody else.
_FOR_QODER = frozenset(name for setting in SETTINGS if setting.is_secret for name in setting.environment)


def as_read(inputs: Inputs, settings: Settings) -> Inputs:
    """Return inputs in which each reference is a `Referenced`: read, unless settings have it read when it is sent.

    A credential that the engine took from the state (``ignoreChanges``) has its verifiers, and is left as it is. So is
    what is in no table: a check refuses it.
    """
    credentials = inputs.get("credentials")
    if not isinstance(credentials, list | tuple):
        return as_map(_credential_as_read(inputs, TYPES, settings))
    declared = {DEFAULT_TYPE: TYPES[DEFAULT_TYPE]}  # the only one that a vault takes
    return {**inputs, "credentials": [_credential_as_read(item, declared, settings) for item in credentials]}


def _credential_as_read(credential: Any, types: Mapping[str, CredentialType], settings: Settings) -> Any:
    if not isinstance(credential, Mapping):
        return credential
    type_ = credential.get("type") or DEFAULT_TYPE
    fields = types[type_].fields if isinstance(type_, str) and type_ in types else {}
    return _as_read(fields, credential, credential.get("mcp_server_url"), settings)


def _as_read(fields: Fields, given: Inputs, url: object, settings: Settings) -> Inputs:
    found = dict(given)
    for name in fields.keys() & given.keys():
        row, value = fields[name], given[name]
        reference = Reference.of(value) if row.kind == "reference" else None
        if row.kind == "object" and isinstance(value, Mapping):
            found[name] = _as_read(row.fields, value, url, settings)
        elif reference is not None and given.get(verifier_name(secret_name(name))) is None:
            found[name] = _read(reference, fields[secret_name(name)], url, settings)
    return found


def _read(reference: Reference, secret: Field, url: object, settings: Settings) -> Referenced:
    is_ours = isinstance(url, str) and host_of(url) == api_token_of(settings).host
    if secret.is_bearer and not is_ours and reference.way == "env" and reference.target in _FOR_QODER:
        return Referenced(reference, fault="is for Qoder, and no MCP server may receive it: name another one")
    return READER.read(reference) if settings.read_references == "always" else Referenced(reference)


def revealed(
    desired: Credential, before: Credential | None, path: str, settings: Settings, *, is_needed: bool = False
) -> Credential:
    """Return a credential with its secrets that are by reference: all that are to be sent, and what a check has read.

    Args:
        desired: as the program asks for it.
        before: as the state holds it; None for a new one.
        path: where it stands in the inputs; empty, or with a point at its end.
        settings: of this run, whose API token is no access token.
        is_needed: True if it is to be sent in any case.

    Raises:
        NotRead: one is to be sent and cannot be read, or is not fit to be sent; nothing of it is shown.
    """
    had = before.properties if before is not None else {}
    needs = is_needed or before is None or is_triggered(had, desired.properties)
    fields = fields_of(desired.type)
    known = Known(api_token_of(settings))
    asked = desired.properties
    return replace(desired, properties=_revealed(fields, desired.key, asked, had, path, known, is_needed=needs))


def _revealed(
    fields: Fields, key: str, given: Inputs, before: Inputs, path: str, known: Known, *, is_needed: bool
) -> dict[str, Any]:
    found = dict(given)
    for name, row in fields.items():
        value = given.get(name)
        if row.kind == "object" and isinstance(value, Mapping):
            had = as_map(before.get(name))
            needs = is_needed or (row.is_mutable and sends_whole(row.fields, key, had, value))
            found[name] = _revealed(row.fields, key, value, had, f"{path}{name}.", known, is_needed=needs)
        reference = Reference.of(value) if row.kind == "reference" else None
        if reference is None:
            continue
        secret, secret_row = secret_name(name), fields[secret_name(name)]
        had_verifier = verifier_of(secret, secret_row, key, before)
        # What a check found to be another value is sent, even where the process has forgotten what it read.
        must = is_needed or had_verifier is None or given.get(verifier_name(secret)) not in (None, UNREAD, had_verifier)
        there = READER.read(reference) if must else READER.known(reference)
        for problem in check_reference(f"{path}{name}", there, secret_row, given, known) if must else ():
            raise NotRead(str(problem))
        if there.secret is None:
            continue
        verifier = verifier_of(secret, secret_row, key, {secret: there.secret})
        if must or given.get(verifier_name(secret)) == verifier:
            found |= {secret: there.secret, verifier_name(secret): verifier}
    return found


def reads_later(inputs: Inputs, paths: Mapping[str, str], qoder: Qoder) -> Callable[[Credential], Credential]:
    """Return what reads the secrets of a credential that must be made, as nobody could know before.

    Args:
        inputs: of the resource.
        paths: of its credentials in them, by key.
        qoder: shows none of them from then on.
    """

    def read(credential: Credential) -> Credential:
        found = revealed(credential, None, paths[credential.key], qoder.settings)
        refuse_exposed(inputs, [found], qoder.settings)
        qoder.hold_back(found.properties)
        return found

    return read


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
