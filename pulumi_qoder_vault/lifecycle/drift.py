"""What Qoder shows of a recorded credential, where that differs: drift, which the next ``up`` mends. Pure.

What nobody asked for is no drift, nor is what Qoder hides, or changes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .capabilities import BY_REVISION
from .credential_types import TYPES, fields_of
from .differences import is_same_value
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
        elif not is_same_value(before, after):
            shown[name] = after
    return shown
