"""Decide what changed between the recorded and the desired vault, property by property.

Pure: no HTTP, no Pulumi objects. Inputs may hold `UNKNOWN` in a preview; what is unknown counts as changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..credential_types import DEFAULT_TYPE
from ..differences import Change, ChangePath, Difference, compare_fields, compare_maps
from ..fields import Fields, with_defaults
from ..inputs import Inputs, Unknown
from ..model import ACTIVE, ARCHIVED, RecordedVault
from ..other_credentials import replacement_warning
from ..references import comparable, counted
from .check import ARGUMENTS, CREDENTIAL_FIELDS, changed_for_deletion, must_come_first

# The credentials are compared one by one, below.
_COMPARED: Fields = {name: row for name, row in ARGUMENTS.items() if row.kind != "credentials"}


def diff(recorded: RecordedVault, desired: Inputs) -> Difference:
    """Compare what the state holds with complete inputs (see `check.complete`).

    Times, the API revision and where the vault was made are no difference; neither is the order of credentials. A
    rotation is shown, and is no difference by itself.
    """
    before = {name: getattr(recorded, name) or None for name in _COMPARED}
    after = {name: value or None for name, value in with_defaults(desired, _COMPARED).items()}
    details: dict[ChangePath, Change] = {}
    replaces: dict[str, None] = {}
    for path, change, is_mutable in compare_fields((), _COMPARED, before, after):
        details[path] = change
        if not is_mutable:
            replaces[str(path[0])] = None  # the API has no vault update (Qoder, Vaults, read 2026-08)
    if recorded.status != (desired.get("status") or ACTIVE):
        replaces["status"] = None  # there is no way back from an archive
        details["status",] = Change.UPDATE
    for path, change in _credentials(recorded, desired.get("credentials")):
        details[path] = Change.UPDATE if path in details else change  # one goes and another one takes its place

    is_change = bool(details) or recorded.unfinished is not None
    if is_change and desired.get("rotations") is not None:
        details |= compare_maps(("rotations",), recorded.rotations, rotations(recorded, desired))
    changed = changed_for_deletion(before, desired)
    return Difference(
        is_change,
        tuple(replaces),
        is_hidden=not replaces and recorded.unfinished is not None,
        details=details,
        warnings=tuple(_warnings(recorded, changed, replaces)),
        refusal=_refusal(desired, changed, replaces, details),
    )


def rotations(recorded: RecordedVault, desired: Inputs) -> Inputs | Unknown:
    """Return how often each access token will have changed, by URL."""
    counts: Inputs | Unknown = desired["rotations"]
    if isinstance(counts, Unknown):
        return counts
    before = {item.key: item.properties for item in recorded.credentials}
    given = {item["mcp_server_url"]: item for item in desired.get("credentials") or ()}  # all of them are known
    return {
        url: counted(
            CREDENTIAL_FIELDS, url, before[url], given[url], recorded=recorded.rotations.get(url, 0), checked=count
        )
        if url in before and url in given
        else count
        for url, count in counts.items()
    }


def touches_credentials(recorded: RecordedVault, desired: Inputs) -> bool:
    """Return True if an update may have to look at the credentials of the vault; what is unknown counts as changed."""
    return recorded.unfinished is not None or any(_credentials(recorded, desired.get("credentials")))


def _refusal(
    desired: Inputs, changed: Collection[str], replaces: Collection[str], details: Mapping[ChangePath, Change]
) -> str:
    """Return why a replacement must wait: the old vault is deleted as the state says, and not as the program does.

    An archived vault is replaced by every `up`, so that no change can come before it: there it is a warning.
    """
    reasons = [name for name in replaces if name != "status" and _is_known(name, desired, details)]
    if not changed or not reasons or "status" in replaces:
        return ""
    replacement = f"together with {' and '.join(reasons)}, which replaces the vault"
    return f"{' and '.join(changed)}: {must_come_first(changed, replacement)}"


def _warnings(recorded: RecordedVault, changed: Collection[str], replaces: Collection[str]) -> Iterator[str]:
    if "status" in replaces and "on_delete" in changed:
        done = "left archived" if recorded.on_delete == "archive" else "deleted"
        yield f"on_delete: is for the new vault; the archived one, {recorded.vault_id}, is {done}, as the state says"
    if replaces and recorded.status != ARCHIVED and recorded.other_credentials and not recorded.force_destroy:
        yield replacement_warning(recorded)


def _is_known(name: str, desired: Inputs, details: Mapping[ChangePath, Change]) -> bool:
    """Return True if a property differs whatever is still unknown."""
    value = desired.get(name)
    if not isinstance(value, Mapping):
        return not isinstance(value, Unknown)
    keys = [str(path[1]) for path in details if path[0] == name]
    return any(not isinstance(value.get(key), Unknown) for key in keys)


def _credentials(recorded: RecordedVault, credentials: Any) -> Iterator[tuple[ChangePath, Change]]:
    """Compare credentials by their URL; a list, an element or a URL that is unknown equals nothing."""
    if isinstance(credentials, Unknown):
        yield ("credentials",), Change.UPDATE
        return
    before = {item.key: item for item in recorded.credentials}
    wanted: set[str] = set()
    has_unknown = False
    for index, credential in enumerate(credentials or ()):
        at: ChangePath = ("credentials", index)
        url = credential if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if isinstance(url, Unknown):
            has_unknown = True
            yield at, Change.UPDATE if index < len(recorded.credentials) else Change.ADD
            continue
        wanted.add(url)
        if url not in before:
            yield at, Change.ADD
            continue
        after = with_defaults(credential, CREDENTIAL_FIELDS)
        sides = comparable(CREDENTIAL_FIELDS, url, before[url].properties, after)
        found = compare_fields(at, CREDENTIAL_FIELDS, *sides)
        yield from ((path, change) for path, change, _ in found)
        if (credential.get("type") or DEFAULT_TYPE) != before[url].type:
            yield (*at, "type"), Change.UPDATE
    for index, url in enumerate(before):
        # Any of these could be the one whose URL is not known yet.
        if url not in wanted and not (has_unknown and index < len(credentials)):
            yield ("credentials", index), Change.DELETE
