"""Decide what changed between the recorded and the desired vault, property by property.

Pure: no HTTP, no Pulumi objects. Inputs may hold `UNKNOWN` in a preview; what is unknown counts as changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .check import changed_for_deletion, must_come_first
from .model import ACTIVE, DEFAULT_PROTOCOL, STATIC_BEARER, Inputs, RecordedVault, Unknown
from .others import replacement_warning

# Where a change stands: names of properties, keys of maps, and indices of lists.
Path = tuple[str | int, ...]


class Kind(Enum):
    """What happens to one property."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Difference:
    """What an ``up`` has to do.

    Attributes:
        is_change: False if there is nothing to do.
        replaces: the properties that force another object; empty for an update in place.
        is_hidden: True if the inputs of the last deployment need not show the change.
        deletes_first: True if there is no room for a new object beside the old one, should there be one.
        details: every change by its path. An index is one of the new list, for a removal one of the old list.
        warnings: what a person should know before this is carried out, each in one line without a secret.
        refusal: why it must not be carried out; empty where it may.
    """

    is_change: bool
    replaces: tuple[str, ...] = ()
    is_hidden: bool = False
    deletes_first: bool = False
    details: Mapping[Path, Kind] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refusal: str = ""


def diff(recorded: RecordedVault, desired: Inputs) -> Difference:
    """Compare what the state holds with complete inputs (see `check.complete`).

    Times, the API revision and where the vault was made are no difference; neither is the order of credentials. A
    rotation is shown, and is no difference by itself.
    """
    replaces = []
    details: dict[Path, Kind] = {}
    if desired.get("display_name") != recorded.display_name:
        replaces.append("display_name")
        details["display_name",] = Kind.UPDATE
    metadata = dict(_compared(("metadata",), recorded.metadata, desired.get("metadata") or {}))
    if metadata:
        replaces.append("metadata")  # the API has no vault update (Qoder, Vaults, read 2026-08)
        details |= metadata
    if recorded.status != (desired.get("status") or ACTIVE):
        replaces.append("status")  # there is no way back from an archive
        details["status",] = Kind.UPDATE
    if (desired.get("on_delete") or "delete") != recorded.on_delete:
        details["on_delete",] = Kind.UPDATE if recorded.on_delete else Kind.ADD
    if (desired.get("force_destroy") or False) != recorded.force_destroy:
        details["force_destroy",] = Kind.DELETE if recorded.force_destroy else Kind.ADD
    for path, kind in _credentials(recorded, desired.get("credentials")):
        details[path] = Kind.UPDATE if path in details else kind  # one goes and another one takes its place

    is_change = bool(details) or recorded.unfinished is not None
    is_hidden = not replaces and recorded.unfinished is not None
    if is_change and desired.get("rotations") is not None:
        details |= _compared(("rotations",), recorded.rotations, desired["rotations"])
    return Difference(
        is_change,
        tuple(replaces),
        is_hidden,
        details=details,
        warnings=tuple(_warnings(recorded, desired, replaces)),
        refusal=_refusal(recorded, desired, replaces, details),
    )


def touches_credentials(recorded: RecordedVault, desired: Inputs) -> bool:
    """Tell if an update may have to look at the credentials of the vault; what is unknown counts as changed."""
    return recorded.unfinished is not None or any(_credentials(recorded, desired.get("credentials")))


def _refusal(recorded: RecordedVault, desired: Inputs, replaces: Collection[str], details: Mapping[Path, Kind]) -> str:
    """Word why a replacement must wait: the old vault is deleted as the state says, and not as the program does.

    An archived vault is replaced by every `up`, so that no change can come before it: there it is a warning.
    """
    changed = changed_for_deletion({"on_delete": recorded.on_delete, "force_destroy": recorded.force_destroy}, desired)
    reasons = [name for name in ("display_name", "metadata") if name in replaces and _is_known(name, desired, details)]
    if not changed or not reasons or "status" in replaces:
        return ""
    return (
        f"{' and '.join(changed)}: must not change together with {' and '.join(reasons)}, which replaces the vault: "
        f"{must_come_first(changed)}"
    )


def _warnings(recorded: RecordedVault, desired: Inputs, replaces: Collection[str]) -> Iterator[str]:
    changed = changed_for_deletion({"on_delete": recorded.on_delete, "force_destroy": recorded.force_destroy}, desired)
    if "status" in replaces and "on_delete" in changed:
        done = "left archived" if recorded.on_delete == "archive" else "deleted"
        yield f"on_delete: is for the new vault; the archived one, {recorded.id}, is {done}, as the state says"
    if replaces and recorded.status == ACTIVE and recorded.other_credentials and not recorded.force_destroy:
        yield replacement_warning(recorded)


def _is_known(name: str, desired: Inputs, details: Mapping[Path, Kind]) -> bool:
    """Tell if a property differs whatever is still unknown."""
    value = desired.get(name)
    if not isinstance(value, Mapping):
        return not isinstance(value, Unknown)
    keys = [str(path[1]) for path in details if path[0] == name]
    return any(not isinstance(value.get(key), Unknown) for key in keys)


def _compared(path: Path, before: Mapping[str, Any], after: Any) -> Iterator[tuple[Path, Kind]]:
    """Compare two maps, key by key."""
    if isinstance(after, Unknown):
        yield path, Kind.UPDATE
        return
    for key, value in after.items():
        if key not in before:
            yield (*path, key), Kind.ADD
        elif value != before[key]:
            yield (*path, key), Kind.UPDATE
    for key in before:
        if key not in after:
            yield (*path, key), Kind.DELETE


def _credentials(recorded: RecordedVault, credentials: Any) -> Iterator[tuple[Path, Kind]]:
    """Compare credentials by their URL; a list, an element or a URL that is unknown equals nothing."""
    if isinstance(credentials, Unknown):
        yield ("credentials",), Kind.UPDATE
        return
    before = {item.mcp_server_url: item for item in recorded.credentials}
    wanted: set[str] = set()
    has_unknown = False
    for index, credential in enumerate(credentials or ()):
        at: Path = ("credentials", index)
        url = credential if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if isinstance(url, Unknown):
            has_unknown = True
            yield at, Kind.UPDATE if index < len(recorded.credentials) else Kind.ADD
            continue
        wanted.add(url)
        if url not in before:
            yield at, Kind.ADD
            continue
        token = credential.get("access_token")
        if token is not None and token != before[url].access_token:  # one that is not given is left alone
            yield (*at, "access_token"), Kind.ADD if before[url].access_token is None else Kind.UPDATE
        if (credential.get("protocol") or DEFAULT_PROTOCOL) != before[url].protocol:
            yield (*at, "protocol"), Kind.UPDATE
        if (credential.get("type") or STATIC_BEARER) != before[url].type:
            yield (*at, "type"), Kind.UPDATE
    for index, url in enumerate(before):
        # Any of these could be the one whose URL is not known yet.
        if url not in wanted and not (has_unknown and index < len(credentials)):
            yield ("credentials", index), Kind.DELETE
