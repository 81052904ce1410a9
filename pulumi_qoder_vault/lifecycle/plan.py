"""Observed, recorded, desired -> ordered steps. Pure, and the one place that knows what a revision can do.

A credential that the program did not declare is foreign: no step touches it. A credential that has not changed has no
step. What makes stands before what deletes, so that no URL is without an active credential while it changes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .model import (
    DEFAULT_PROTOCOL,
    ENVIRONMENT_VARIABLE,
    MCP_OAUTH,
    STATIC_BEARER,
    UNKNOWN,
    Credential,
    DesiredVault,
    ObservedCredential,
    RecordedVault,
    Revision,
    Unknown,
)


class Op(Enum):
    """One request to a credential."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


ROTATE: Mapping[Revision, tuple[Op, ...]] = {
    Revision.R2026_07: (Op.UPDATE,),
    # 2026-05 has no update call: the new credential exists before the old one goes.
    Revision.R2026_05: (Op.CREATE, Op.DELETE),
}

CHANGE_PROTOCOL: Mapping[Revision, tuple[Op, ...]] = {
    Revision.R2026_07: (),  # there is no such field: it is recorded, not sent
    Revision.R2026_05: (Op.CREATE, Op.DELETE),
}

CREATES_WITH_VAULT: Mapping[Revision, bool] = {Revision.R2026_05: True, Revision.R2026_07: False}


TYPES: Mapping[Revision, frozenset[str]] = {
    Revision.R2026_05: frozenset({STATIC_BEARER}),
    Revision.R2026_07: frozenset({STATIC_BEARER, MCP_OAUTH, ENVIRONMENT_VARIABLE}),
}

STORES_CREDENTIAL_METADATA: Mapping[Revision, bool] = {Revision.R2026_05: False, Revision.R2026_07: True}


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
    recorded: RecordedVault,
    desired: DesiredVault,
    observed: Collection[ObservedCredential],
    revision: Revision,
) -> tuple[Step, ...]:
    """Order the fewest requests that turn what is observed into what is desired.

    Args:
        recorded: says which of the observed credentials are ours, and which access token each has.
        desired: what the program asks for.
        observed: the active credentials of the vault.
        revision: the revision that the requests are written for.
    """
    active = {item.id for item in observed if item.is_active}
    before = {item.key: item for item in recorded.credentials}
    wanted = {item.key for item in desired.credentials}
    ours = {url: id_ for url, id_ in recorded.credential_ids.items() if id_ in active}

    steps: list[Step] = []
    for credential in desired.credentials:
        url = credential.key
        if url not in ours or url not in before:
            steps.append(Step(Op.CREATE, credential))
        else:
            ops = _ops(before[url], credential, revision)
            steps += [Step(op, credential, ours[url]) for op in ops if op is not Op.DELETE]
            steps += [Step(op, before[url], ours[url]) for op in ops if op is Op.DELETE]
    removed = [
        Step(Op.DELETE, item, ours[url], is_removal=True)
        for url, item in before.items()
        if url in ours and url not in wanted
    ]
    leftovers = [Step(Op.DELETE, None, id_, is_removal=True) for id_ in recorded.unfinished or () if id_ in active]
    return (*steps, *removed, *leftovers)


def _ops(before: Credential, after: Credential, revision: Revision) -> tuple[Op, ...]:
    # One that is not given, as after an import, stays what it is.
    if after.access_token is not None and after.access_token != before.access_token:
        return ROTATE[revision]
    if (after.fields, after.metadata or {}) != (before.fields, before.metadata or {}):
        return (Op.UPDATE,)  # where there are such fields, there is such a call
    if after.protocol != before.protocol:
        return CHANGE_PROTOCOL[revision]
    return ()


def credential_ids(recorded: RecordedVault, credentials: Any, revision: Revision) -> Mapping[str, Any] | Unknown:
    """Foresee the ids of the credentials, by URL: what is not made anew keeps its id. For a preview.

    Args:
        recorded: what the state holds.
        credentials: the desired ones, as complete inputs; what is unknown counts as changed.
        revision: the revision that the requests would be written for.
    """
    if isinstance(credentials, Unknown):
        return UNKNOWN
    if any(isinstance(item, Unknown) or isinstance(item["mcp_server_url"], Unknown) for item in credentials or ()):
        return UNKNOWN
    before = {item.key: item for item in recorded.credentials if item.key in recorded.credential_ids}
    ids: dict[str, Any] = {}
    for item in credentials or ():
        url, token = item["mcp_server_url"], item.get("access_token")
        after = Credential(url, token, item.get("protocol") or DEFAULT_PROTOCOL)
        keeps = url in before and keeps_id(before[url], after, revision)
        ids[url] = recorded.credential_ids[url] if keeps else UNKNOWN
    return ids


def keeps_id(before: Credential, after: Credential, revision: Revision) -> bool:
    """Foresee if a credential keeps its id when it changes; what is unknown counts as changed."""
    return Op.CREATE not in _ops(before, after, revision)
