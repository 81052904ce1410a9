"""Decide what changed between the recorded and the desired vault.

Pure: no HTTP, no Pulumi objects. Inputs may hold `UNKNOWN` in a preview; what is unknown counts as changed.
"""

from dataclasses import dataclass
from typing import Any

from .model import ACTIVE, DEFAULT_PROTOCOL, STATIC_BEARER, Inputs, RecordedVault, Unknown


@dataclass(frozen=True, slots=True)
class Difference:
    """What an ``up`` has to do.

    Attributes:
        is_change: False if there is nothing to do.
        replaces: the properties that force another vault; empty for an update in place.
        is_hidden: True if the inputs of the last deployment need not show the change.
    """

    is_change: bool
    replaces: tuple[str, ...] = ()
    is_hidden: bool = False


def diff(recorded: RecordedVault, desired: Inputs) -> Difference:
    """Compare what the state holds with complete inputs (see `check.complete`).

    Times, the API revision and where the vault was made are no difference.
    """
    replaces = []
    if desired.get("display_name") != recorded.display_name:
        replaces.append("display_name")
    if (desired.get("metadata") or {}) != recorded.metadata:
        replaces.append("metadata")  # the API has no vault update (Qoder, Vaults, read 2026-08)
    if recorded.status != ACTIVE:
        replaces.append("status")  # there is no way back from an archive

    is_update = (
        recorded.unfinished is not None
        or (desired.get("on_delete") or "delete") != recorded.on_delete
        or _by_url(desired.get("credentials")) != _recorded_by_url(recorded)
    )
    is_hidden = not replaces and recorded.unfinished is not None
    return Difference(bool(replaces) or is_update, tuple(replaces), is_hidden)


def _by_url(credentials: Any) -> Any:
    """Order does not count; a list, an element or a URL that is unknown equals nothing."""
    if isinstance(credentials, Unknown):
        return credentials
    by_url: dict[str, Any] = {}
    for credential in credentials or ():
        url = None if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if not isinstance(url, str):
            return Unknown.UNKNOWN
        protocol = credential.get("protocol") or DEFAULT_PROTOCOL
        by_url[url] = (credential.get("access_token"), protocol, credential.get("type") or STATIC_BEARER)
    return by_url


def _recorded_by_url(recorded: RecordedVault) -> dict[str, Any]:
    return {item.mcp_server_url: (item.access_token, item.protocol, item.type) for item in recorded.credentials}
