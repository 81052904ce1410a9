"""The port: what the lifecycle needs of the Vaults API. `api.client.Client` provides it; a test may bring its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from .model import Credential, DesiredVault, ObservedCredential, ObservedVault, Place, Revision


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

    def fit_to_show(self, texts: Sequence[str], limit: int) -> list[str]:
        """Return texts of Qoder's on one line each, cut to so many characters, without a secret of this process."""

    def recovering(self) -> VaultsApi:
        """Return the same API with a time budget of 30 s for recovery, however much was used up before."""

    def now_s(self) -> float:
        """Return the time, in seconds since the epoch, by this machine's clock."""

    def wait(self, wait_s: float) -> None:
        """Let time pass before a look for what a lost response did. It is told if it is long."""

    def create_vault(self, desired: DesiredVault, *, sending: Revision, key: str) -> ObservedVault:
        """Create a vault, on ``2026-05`` with its credentials. One write."""

    def get_vault(self, vault_id: str) -> ObservedVault:
        """Read one vault, archived or not. One read."""

    def find_vaults(
        self, display_name: str, *, key: str, since_s: float, sending: Revision
    ) -> tuple[ObservedVault, ...]:
        """List the active vaults that a create's key marks, and those of its name made since a time of ``now_s``."""

    def archive_vault(self, vault_id: str) -> None:
        """Archive a vault, for good. One write."""

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

    def archive_credential(self, vault_id: str, credential_id: str) -> None:
        """Archive a credential, for good: its secrets are gone. One write."""

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, for good. One write."""
