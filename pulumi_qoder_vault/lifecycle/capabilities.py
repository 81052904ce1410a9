"""What this Qoder can do: what is known of its revision, corrected by what its responses show.

The API changed in place, in stages, and regions lag: so the lifecycle asks for a capability, never for a revision.
Beside `api.revisions`, which reads and writes the wire, no module compares revisions. Sends nothing itself.

Sources: Qoder, Create Vault (read 2026-05-18); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ..errors import ErrorResponse
from .credential_types import DEFAULT_TYPE, TYPES
from .model import Credential, ObservedVault, Revision

# The API's own sentence: Qoder, Create Vault, error responses (read 2026-05-18).
NO_CREDENTIAL = "At least one credential is required when creating a vault."

_CREDENTIALS_KEY = re.compile(r"(?<![\w.\[])credentials(?![\w.\[])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one revision can do.

    Attributes:
        inline_credentials: the create of a vault takes its credentials, and needs one. What the first create of a
            process meets corrects it, by the revision in use.
        in_place_update: a credential can be changed; else another one takes its place. A 404, 405 or 501 to an update
            of a credential that is listed corrects it.
        metadata: it is stored with a vault and with a credential. Each response to a create is asked again.
        types: the credential types.
        second_credential_per_url: a vault may hold two for one URL while one takes the place of the other; else the
            old one goes first. UNVERIFIED on both revisions: a 409 about the URL, or one that persists, corrects it.
        vault_deletion: a vault can be deleted; else it is archived. A 404 or 405 while it is there corrects it.
        credential_deletion: likewise. UNVERIFIED on ``2026-05``: no flat page has the route, only that of archiving.
        credential_get: a 404 to a credential says that it is gone. None until one that is listed was asked for: then
            two lists that lack it say so.
    """

    inline_credentials: bool
    in_place_update: bool
    metadata: bool
    types: frozenset[str]
    second_credential_per_url: bool = True
    vault_deletion: bool = True
    credential_deletion: bool = True
    credential_get: bool | None = None


Learnable = Literal[
    "in_place_update", "second_credential_per_url", "vault_deletion", "credential_deletion", "credential_get"
]

BY_REVISION: Mapping[Revision, Capabilities] = {
    Revision.R2026_05: Capabilities(
        inline_credentials=True, in_place_update=False, metadata=False, types=frozenset({DEFAULT_TYPE})
    ),
    Revision.R2026_07: Capabilities(
        inline_credentials=False, in_place_update=True, metadata=True, types=frozenset(TYPES)
    ),
}

# The setting `auto` tries them in this order: the second form where the first one's key is refused.
FIRST_TRIED: Final = Revision.R2026_05
THEN_TRIED: Final = Revision.R2026_07
# A state of a version that did not record it was made on this one.
UNRECORDED: Final = Revision.R2026_05
NEWEST: Final = Revision.R2026_07


def makes_empty_vaults(setting: str) -> bool:
    """Return True if a vault without credentials is legal with this value of ``qoder:apiRevision``."""
    return setting != "auto" and not BY_REVISION[Revision(setting)].inline_credentials


def writing_for(setting: str, recorded: Revision) -> Revision:
    """Return the revision that changes of an existing vault are written for: the setting, else the recorded one."""
    return recorded if setting == "auto" else Revision(setting)


def shown_by(vault: ObservedVault) -> Revision:
    """Return the revision that the response to a create shows; one that took the credentials takes them again."""
    return FIRST_TRIED if vault.credentials else vault.revision


def lacking(credential: Credential, revision: Revision) -> str:
    """Return what a revision lacks to hold a credential; an empty text if it lacks nothing."""
    can = BY_REVISION[revision]
    if credential.type not in can.types:
        return f"type: {credential.type} needs a Qoder of API revision {NEWEST.value}"
    if credential.metadata and not can.metadata:
        return (
            "metadata: this Qoder does not store metadata with a credential; remove it from the program, or use a "
            f"Qoder of API revision {NEWEST.value}"
        )
    return ""


def refuses_credentials_key(response: ErrorResponse) -> bool:
    """Return True if a 400 is about the key ``credentials`` itself, as a ``2026-07`` server may refuse the older form.

    The older API's own sentence, that a vault needs a credential, is not; nor is a fault of one credential.
    """
    if response.status != 400 or NO_CREDENTIAL in response.message:
        return False
    return response.param == "credentials" or bool(_CREDENTIALS_KEY.search(response.message))


def asks_for_credentials(response: ErrorResponse) -> bool:
    """Return True if a 400 may come of a vault without credentials, as a ``2026-05`` server refuses the newer form."""
    return response.status == 400 and (response.param == "credentials" or "credential" in response.message)


class QoderInUse:
    """What this process knows of one Qoder: the revision that creates are written for, and what was seen of it.

    What one operation learns, all others use. Thread-safe.
    """

    def __init__(self, setting: str) -> None:
        self._known = None if setting == "auto" else Revision(setting)
        self._is_explicit = setting != "auto"
        self._first_create = threading.Lock()
        self._taught_nothing = False
        self._learned: dict[Learnable, bool] = {}

    @contextmanager
    def known(self) -> Iterator[Revision | None]:
        """Yield the revision; None to the first caller, who has to find out, while all others wait for its response.

        If that taught nothing, each of them finds out by itself: one that fails slowly must not make them queue.
        """
        if self._known is None and not self._taught_nothing:
            with self._first_create:
                if self._known is None and not self._taught_nothing:
                    try:
                        yield None
                    finally:
                        self._taught_nothing = self._known is None
                    return
        yield self._known

    def remember(self, revision: Revision) -> None:
        """Keep what a response showed, for all later creates; a setting stands."""
        if not self._is_explicit:
            self._known = revision

    def forgets(self, response: ErrorResponse) -> bool:
        """Return True if a refused create shows that Qoder is on another revision by now: then this one is forgotten.

        The service changes in place, also in the middle of a run.
        """
        known = self._known
        if self._is_explicit or known is None:
            return False
        refuses = refuses_credentials_key if BY_REVISION[known].inline_credentials else asks_for_credentials
        if refuses(response):
            self._known, self._taught_nothing = None, False
            return True
        return False

    def for_vault(self, recorded: Revision) -> Revision:
        """Return the revision to write for in a vault that exists: the setting, else the one of its last response."""
        return self._known if self._is_explicit and self._known is not None else recorded

    def learn(self, name: Learnable, *, is_there: bool) -> None:
        """Keep what a response proved of a capability, for all that follows."""
        self._learned[name] = is_there

    def can(self, revision: Revision) -> Capabilities:
        """Return what a revision can do, corrected by what was seen."""
        learned: dict[str, Any] = {str(name): is_there for name, is_there in self._learned.items()}
        return replace(BY_REVISION[revision], **learned)
