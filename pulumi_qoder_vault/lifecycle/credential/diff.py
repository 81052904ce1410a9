"""Decide what changed between the recorded and the desired credential, field by field.

Pure: no HTTP, no Pulumi objects. Inputs may hold `UNKNOWN` in a preview; what is unknown counts as changed.
"""

from __future__ import annotations

from ..credential_types import TYPES, fields_of
from ..differences import Change, ChangePath, Difference, compare_fields
from ..inputs import Inputs
from ..model import ACTIVE, CredentialSet
from ..references import comparable, counted
from .check import ARGUMENTS

_KEYS = tuple(dict.fromkeys(item.key_field for item in TYPES.values()))
_PLACE = {name: row for name, row in ARGUMENTS.items() if not row.is_mutable}  # its vault, and its type
_REST = {name: row for name, row in ARGUMENTS.items() if row.is_mutable}


def rotations(recorded: CredentialSet, outputs: Inputs, desired: Inputs) -> int:
    """Return how often any of its secrets will have changed."""
    (credential,) = recorded.credentials
    counts = {"recorded": int(outputs.get("rotations") or 0), "checked": int(desired.get("rotations") or 0)}
    return counted(fields_of(credential.type), credential.key, outputs, desired, **counts)


def diff(recorded: CredentialSet, outputs: Inputs, desired: Inputs) -> Difference:
    """Compare what the state holds with complete inputs (see `check.complete`), field by field.

    Args:
        recorded: the credential; says if there is work that stopped in the middle.
        outputs: the same, as the state has it.
        desired: what the program asks for; may hold `UNKNOWN`.
    """
    (credential,) = recorded.credentials
    found = list(compare_fields((), _PLACE, outputs, desired))
    # Another vault or type makes another credential: then it does not matter what else differs, but for metadata.
    fields = fields_of(credential.type)
    sides = comparable(fields, credential.key, outputs, desired)
    found += compare_fields((), _REST if found else {**_REST, **fields}, *sides)
    details: dict[ChangePath, Change] = {path: change for path, change, _ in found}
    replaces = dict.fromkeys(str(path[0]) for path, _, is_mutable in found if not is_mutable)
    if recorded.status != (desired.get("status") or ACTIVE):
        details["status",] = Change.UPDATE
        replaces["status"] = None
    is_change = bool(details) or recorded.unfinished is not None
    if is_change and rotations(recorded, outputs, desired) != int(outputs.get("rotations") or 0):
        details["rotations",] = Change.UPDATE
    # Where it keeps its URL, or name, the vault has no room for both.
    keeps_key = all(outputs.get(name) == desired.get(name) for name in ("vault_id", *_KEYS))
    return Difference(
        is_change,
        tuple(replaces),
        is_hidden=not replaces and recorded.unfinished is not None,
        # Also where the change itself replaces nothing: `replaceOnChanges` may turn it into a replacement.
        deletes_first=is_change and keeps_key and recorded.status == ACTIVE,
        details=details,
    )
