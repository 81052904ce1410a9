"""Decide which requests turn the observed credentials of a vault into the desired ones, and in which order. Pure.

A credential that the program did not declare is somebody else's: no step touches it. A credential that has not changed
has no step. Creations come before deletions, so that a URL always has an active credential.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .capabilities import Capabilities
from .credential_types import DEFAULT_TYPE, TYPES, fields_of
from .equivalence import is_same_url
from .fields import sent_part
from .inputs import UNKNOWN, Inputs, Unknown
from .model import Credential, CredentialSet, DesiredSet, ObservedCredential
from .references import comparable, is_triggered


class Op(Enum):
    """One request to a credential."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One request to be carried out.

    Attributes:
        credential: what is to be there afterwards; for a deletion what was there, None for a leftover.
        credential_id: what is updated or deleted; for a creation the one that it replaces, if any.
        is_removal: True if it deletes what the program does not declare: it may go first where room is needed.
    """

    op: Op
    credential: Credential | None
    credential_id: str | None = None
    is_removal: bool = False


def plan(
    recorded: CredentialSet,
    desired: DesiredSet,
    observed: Collection[ObservedCredential],
    can: Capabilities,
) -> tuple[Step, ...]:
    """Return the fewest requests that turn what is observed into what is desired, in order.

    Args:
        recorded: says which of the observed credentials are ours, and which secrets each has.
        desired: what the program asks for.
        observed: the active credentials of the vault.
        can: what this Qoder can do.
    """
    active = {item.id for item in observed if item.is_active}
    ours = still_ours(recorded, observed)
    there = {item.key: item for item in recorded.credentials if item.key in ours}
    wanted = {item.key for item in desired.credentials}
    changes = [step for item in desired.credentials for step in _steps(there.get(item.key), item, ours, can)]
    removed = [Step(Op.DELETE, item, ours[key], is_removal=True) for key, item in there.items() if key not in wanted]
    leftovers = [Step(Op.DELETE, None, id_, is_removal=True) for id_ in recorded.unfinished or () if id_ in active]
    return (*changes, *removed, *leftovers)


def still_ours(recorded: CredentialSet, observed: Collection[ObservedCredential]) -> dict[str, str]:
    """Return the ids of the recorded credentials that are there, by key.

    One whose URL is another by now is not ours any more: what is sent to it would reach another server.
    """
    active = {item.id: item for item in observed if item.is_active}
    return {
        key: id_ for key, id_ in recorded.credential_ids.items() if id_ in active and is_same_url(active[id_].key, key)
    }


def _steps(before: Credential | None, after: Credential, ids: Mapping[str, str], can: Capabilities) -> list[Step]:
    if before is None:
        return [Step(Op.CREATE, after)]
    ops = _ops(before, after, can)
    return [Step(op, before if op is Op.DELETE else after, ids[after.key]) for op in ops]


def _ops(before: Credential, after: Credential, can: Capabilities) -> tuple[Op, ...]:
    """Return what changes a credential; nothing where what has changed is not sent.

    Without an update in place the new credential exists before the old one goes.
    """
    changed = _changed(before, after)
    if not changed:
        return ()
    # Where metadata of an older form is to be changed, Qoder has moved on, and has the call that changes it.
    has_call = can.in_place_update or (changed == {"metadata"} and not can.metadata)
    if not has_call or "type" in changed:
        return (Op.CREATE, Op.DELETE)
    fields = fields_of(after.type)
    return (Op.UPDATE,) if any(name == "metadata" or fields[name].is_in_auth for name in changed) else ()


def _changed(before: Credential, after: Credential) -> set[str]:
    """Return what differs. A secret that is not given, as after an import, stays what it is."""
    if before.type != after.type:
        return {"type"}
    fields = fields_of(after.type)
    sides = comparable(fields, after.key, before.properties, after.properties)
    old, new = (sent_part(side, fields) for side in sides)
    names = {*old, *new}
    left_alone = {name for name in names if fields[name].is_secret and name not in new}
    changed = {name for name in names - left_alone if old.get(name) != new.get(name)}
    if is_triggered(before.properties, after.properties):
        changed.add(TYPES[after.type].secret_field)
    return changed | ({"metadata"} if (before.metadata or {}) != (after.metadata or {}) else set())


def preview_ids(recorded: CredentialSet, desired: Sequence[Inputs | Unknown], can: Capabilities) -> Inputs | Unknown:
    """Return the ids of the credentials by key, as a preview knows them: what is not made anew keeps its id.

    Args:
        recorded: what the state holds.
        desired: complete inputs; what is unknown counts as changed.
        can: what this Qoder can do, as far as a preview knows it.
    """
    before = {item.key: item for item in recorded.credentials if item.key in recorded.credential_ids}
    ids: dict[str, str | Unknown] = {}
    for item in desired:
        if isinstance(item, Unknown) or isinstance(item["mcp_server_url"], Unknown):
            return UNKNOWN
        after = Credential.of({**item, "type": DEFAULT_TYPE})  # the only one that a vault declares; it may be unknown
        keeps = after.key in before and keeps_id(before[after.key], after, can)
        ids[after.key] = recorded.credential_ids[after.key] if keeps else UNKNOWN
    return ids


def preview_times(
    recorded: CredentialSet, desired: Sequence[Inputs | Unknown], can: Capabilities
) -> Inputs | Unknown | None:
    """Return when Qoder last took the secrets of each credential, as a preview knows it: what is sent has another time.

    None where no time is known, and none will be.
    """
    before = {item.key: item for item in recorded.credentials if item.key in recorded.credential_ids}
    known = recorded.rotated_at or {}
    times: dict[str, str | Unknown] = {}
    for item in desired:
        if isinstance(item, Unknown) or isinstance(item["mcp_server_url"], Unknown):
            return UNKNOWN
        after = Credential.of({**item, "type": DEFAULT_TYPE})
        if after.key not in before or sends(before[after.key], after, can):
            times[after.key] = UNKNOWN
        elif after.key in known:
            times[after.key] = known[after.key]
    return times if times or recorded.rotated_at is not None else None


def sends(before: Credential, after: Credential, can: Capabilities) -> bool:
    """Return True if a change of a credential is a request; what is unknown counts as changed."""
    return bool(_ops(before, after, can))


def keeps_id(before: Credential, after: Credential, can: Capabilities) -> bool:
    """Return True if a credential keeps its id when it changes; what is unknown counts as changed."""
    return Op.CREATE not in _ops(before, after, can)
