"""The port: what the lifecycle needs of the Vaults API. `api.client.Client` provides it; a test may bring its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ..errors import QoderError
from ..secret import Secret
from .model import Credential, CredentialSet, DesiredVault, ObservedCredential, ObservedVault, Place, Revision


class VaultsApi(Protocol):
    """What the lifecycle needs of the Vaults API. Every method that asks Qoder raises `errors.QoderError`.

    ``sending`` is the revision that a request is written for. ``key`` is a UUIDv4 for each create: its
    ``Idempotency-Key``, and the mark of the vault where the revision has room for one.
    """

    @property
    def place(self) -> Place:
        """Where this run asks."""

    @property
    def has_seen(self) -> bool:
        """True once Qoder has shown something that was asked for: what is looked for is at this place."""

    @property
    def deleted_ids(self) -> Collection[str]:
        """The credentials that this process deleted: a list may show them for some seconds more."""

    @property
    def account(self) -> Secret:
        """Which account asks, as a state records it: 16 hex digits that its API token gives. Nobody can ask Qoder."""

    @property
    def ahead_s(self) -> float:
        """How far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much."""

    def note_seen(self, recorded: CredentialSet) -> None:
        """Keep that this run was shown a vault of a state."""

    def has_shown(self, vault_id: str) -> bool:
        """Return True if this run was shown a vault of a state, or its credentials."""

    def sees_account_of(self, recorded: CredentialSet) -> bool:
        """Return True if this run was shown another vault that the same account saw last."""

    def claim(self, vault_id: str) -> bool:
        """Return True if nothing in this process has met a vault of this id before; from now on something has."""

    def lists_vaults(self) -> bool:
        """Return True if this place shows this run its vaults. One read, unless it has shown one already."""

    def fit_to_show(self, texts: Sequence[str], limit: int) -> list[str]:
        """Return texts of Qoder's on one line each, cut to so many characters, without a secret of this process."""

    def warn(self, line: str) -> None:
        """Show a warning under the resource that this is about."""

    def recovering(self) -> VaultsApi:
        """Return the same API with a time budget of 30 s for recovery, however much was used up before."""

    def now_s(self) -> float:
        """Return the time, in seconds since the epoch, by this machine's clock."""

    def server_now_s(self) -> float:
        """Return the time, in seconds since the epoch, by Qoder's clock."""

    def wait(self, wait_s: float, why: str) -> bool:
        """Let time pass, and tell why if it is long. Return False if the run ended before it had passed."""

    def create_vault(self, desired: DesiredVault, *, sending: Revision, key: str) -> ObservedVault:
        """Create a vault, on ``2026-05`` with its credentials. One write."""

    def get_vault(self, vault_id: str) -> ObservedVault:
        """Read one vault, archived or not. One read."""

    def find_listed(self, vault_id: str) -> ObservedVault | None:
        """Return an active vault from the listing of this run; None for one that is to be asked for by itself."""

    def look_for_vaults(self, display_name: str) -> tuple[tuple[ObservedVault, ...], QoderError | None]:
        """List the active vaults, those with such a name if Qoder can; and what broke the list off, if anything did."""

    def archive_vault(self, vault_id: str) -> bool:
        """Archive a vault, for good. One write. Return False if the response does not show that it is archived."""

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault and its credentials, for good. One write."""

    def create_credential(
        self, vault_id: str, credential: Credential, *, sending: Revision, key: str
    ) -> ObservedCredential:
        """Add a credential to a vault. One write."""

    def list_credentials(self, vault_id: str) -> tuple[ObservedCredential, ...]:
        """List the active credentials of a vault. One read for each hundred."""

    def get_credential(self, vault_id: str, credential_id: str) -> ObservedCredential:
        """Read one credential, archived or not. One read."""

    def update_credential(
        self, vault_id: str, credential_id: str, before: Credential, after: Credential, *, is_sure: bool = True
    ) -> ObservedCredential:
        """Change the access token, and what else may change, in place (``2026-07``). One write.

        ``is_sure`` is False where nobody knows if Qoder has what is recorded.
        """

    def archive_credential(self, vault_id: str, credential_id: str) -> bool:
        """Archive a credential, for good: its secrets are gone. One write. Return False if that is not shown."""

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, for good. One write."""
