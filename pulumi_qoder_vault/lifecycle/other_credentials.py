"""Other people's credentials in a vault: which they are, and what is said before a deletion would take them along.

Pure: no HTTP, no Pulumi objects. A vault is deleted with every credential in it, and Qoder shows nobody's name on one:
what this resource did not record is somebody else's, be it a person, another stack, or a `Credential` resource.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..secret import one_line
from .allowed_values import MAX_URL
from .model import CredentialSet, ObservedCredential, RecordedVault
from .plan import still_ours

NAMED = 20  # in one line; no vault of the sister API holds more
LONGEST_NAME = 100  # in a line, in characters
FORCE = "QODER_FORCE_DESTROY=true"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a front knows of a deletion, and how its programs spell the ways out.

    Attributes:
        urn: the resource's URN; empty where it is not known.
        is_replaced: True if another vault has taken the place of this one, so that Pulumi gives it no new inputs and
            finds its URN ambiguous; None where that is not known.
        force_destroy: the argument that lets others' credentials go with the vault.
        retain_on_delete: Pulumi's option that keeps the vault.
    """

    urn: str = ""
    is_replaced: bool | None = None
    force_destroy: str = "force_destroy=True"
    retain_on_delete: str = "retain_on_delete=True"


NOTHING_KNOWN = Deletion()


def others(
    recorded: CredentialSet, observed: Collection[ObservedCredential], deleted: Collection[str] = ()
) -> tuple[ObservedCredential, ...]:
    """Return the active credentials that are not ours: this resource did not make them, or their URL is another by now.

    Args:
        recorded: what the state holds: the credentials that are ours, and ours that are still to be deleted.
        observed: what Qoder lists.
        deleted: the ids of what this process deleted: a list may show them for some seconds more.
    """
    ours = {*still_ours(recorded, observed).values(), *(recorded.unfinished or ()), *deleted}
    return tuple(item for item in observed if item.is_active and item.id not in ours)


def named(
    credentials: Sequence[ObservedCredential], fit_to_show: Callable[[Sequence[str], int], Sequence[str]]
) -> dict[str, str]:
    """Return the URL, or the name of the variable, of each credential by its id, fit for the state and for a line."""
    shown = fit_to_show([item.key or item.type or "of an unknown type" for item in credentials], MAX_URL)
    return {item.id: name for item, name in zip(credentials, shown, strict=True)}


def refusal(recorded: RecordedVault, credentials: Mapping[str, str], deletion: Deletion) -> str:
    """Return why a vault is kept: whom it would hurt, and every way out that is open to it."""
    done = "archived" if recorded.on_delete == "archive" else "deleted"
    line, them = f"vault {recorded.vault_id} is not {done}: it holds {_listed(credentials)}", _them(credentials)
    if deletion.is_replaced:
        return (
            f"{line}; it is the old vault of a replacement: delete {them} and run pulumi up again, or run {FORCE} "
            f"pulumi up, which deletes {them} too"
        )
    urn = shlex.quote(one_line(deletion.urn, limit=1000)) if deletion.urn else "<urn>"
    condition = "" if deletion.is_replaced is False else ", if the vault is not pending deletion after a replacement,"
    return (
        f"{line}; delete {them}, or set {FORCE} for this run, which deletes {them} too; or{condition} set "
        f"{deletion.force_destroy} in the program and run pulumi up first, with no other change, or keep the vault: "
        f"set {deletion.retain_on_delete} in the program and run pulumi up first, or run pulumi state delete {urn}"
    )


def unlisted(recorded: RecordedVault, why: str) -> str:
    """Return why a vault is kept of which nobody knows what is in it."""
    return (
        f"{why}; vault {recorded.vault_id} is kept, since credentials of others may be in it: {FORCE} for this run "
        "deletes it without this check"
    )


def replacement_warning(recorded: RecordedVault) -> str:
    """Return what a replacement does to the credentials of others that the state knows of."""
    credentials = recorded.other_credentials or {}
    them = _them(credentials)
    return (
        f"vault {recorded.vault_id} is to be replaced, and it holds {_listed(credentials)}; the new vault will lack "
        f"{them}, and the old vault stays until they are deleted, or {FORCE} is set (a Credential resource of this "
        "program does not count: it is created again in the new vault)"
    )


def _listed(credentials: Mapping[str, str]) -> str:
    """Name credentials, not more than fit into a line, and say how many there are."""
    count = len(credentials)
    shown = [f"{id_} ({_cut(name, LONGEST_NAME)})" for id_, name in list(credentials.items())[:NAMED]]
    more = f" and {count - NAMED} more" if count > NAMED else ""
    what = "1 credential that is" if count == 1 else f"{count} credentials that are"
    return f"{what} not in the state of this resource: {', '.join(shown)}{more}"


def _them(credentials: Mapping[str, str]) -> str:
    return "it" if len(credentials) == 1 else "them"


def _cut(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
