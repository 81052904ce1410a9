"""What Qoder shows of a credential, where that differs from what is recorded, or from what was just sent. Pure.

Of what is recorded it is drift, which the next ``up`` mends; of what was sent it is a field that was dropped or kept: a
restriction must not be lost silently. What nobody asked for is neither, nor is what Qoder hides, or changes by itself,
nor another form of the same value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .capabilities import BY_REVISION
from .credential_types import TYPES, fields_of
from .equivalence import holds, is_same_form
from .exposure import exposures
from .fields import Fields
from .inputs import Inputs
from .model import Credential, ObservedCredential


def as_seen(recorded: Credential, seen: ObservedCredential) -> Credential:
    """Return a recorded credential with the values that Qoder shows; what tells it apart stays."""
    fields = {name: row for name, row in fields_of(recorded.type).items() if name != TYPES[recorded.type].key_field}
    metadata = recorded.metadata
    if metadata is not None and BY_REVISION[seen.revision].metadata:
        metadata = {key: seen.metadata[key] for key in metadata if key in seen.metadata}
    now = replace(recorded, properties=_as_seen(fields, recorded.properties, seen.properties), metadata=metadata)
    if exposures(now) - exposures(recorded):  # an echo must not get into the state
        words = {name: row for name, row in fields.items() if row.choices}
        return replace(recorded, properties=_as_seen(words, recorded.properties, seen.properties))
    return now


def _as_seen(fields: Fields, recorded: Inputs, seen: Inputs) -> dict[str, Any]:
    shown = dict(recorded)
    for name, row in fields.items():
        before, after = recorded.get(name), seen.get(name)
        if before is None or after is None or row.is_secret or row.is_renewed:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            shown[name] = _as_seen(row.fields, before, after)
        elif not is_same_form(before, after):
            shown[name] = after
    return shown


def not_shown(sent: Credential, seen: ObservedCredential, before: Credential | None = None) -> str:
    """Return what a response does not show of what was sent: the path of a field; an empty text if it shows all.

    Args:
        sent: what was asked for.
        seen: the response.
        before: what was there before an update, which sends what differs from it.
    """
    if seen.type != sent.type:
        return "type"
    is_flat = not BY_REVISION[seen.revision].metadata
    fields = {name: row for name, row in fields_of(sent.type).items() if is_flat or row.is_in_auth}
    had = before.properties if before else {}
    for path in _not_shown(fields, had, sent.properties, seen.properties):
        return path
    wanted, kept = sent.metadata or {}, before.metadata or {} if before else {}
    removed = [key for key in kept if key not in wanted]
    is_stored = holds(seen.metadata, wanted) and not any(key in seen.metadata for key in removed)
    return "" if wanted == kept or is_stored else "metadata"


def _not_shown(fields: Fields, before: Inputs, sent: Inputs, seen: Inputs) -> Iterator[str]:
    for name, row in fields.items():
        had, wanted, shown = before.get(name), sent.get(name), seen.get(name)
        if row.is_secret or row.is_local or wanted == had:
            continue
        if wanted is None:
            if shown is not None and row.is_clearable:
                yield name
        elif isinstance(wanted, Mapping) and isinstance(shown, Mapping):
            yield from (f"{name}.{path}" for path in _not_shown(row.fields, had or {}, wanted, shown))
        elif shown is None or not (is_same_form(wanted, shown) or (row.is_renewed and sent.get("refresh"))):
            yield name
