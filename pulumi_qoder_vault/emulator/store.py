"""Vaults and credentials: what exists and which changes the service allows.

Knows neither HTTP nor the shapes of requests and answers: credentials are kept in the 2026-07 form whichever revision
made them, so that the revision can change under a running emulator, as it did under Qoder's users.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .refusals import conflict, not_found
from .stamps import Stamps

if TYPE_CHECKING:
    from datetime import datetime

    from .switches import Switches

__all__ = ["SECRET_KEYS", "Credential", "NewCredential", "NewVault", "Store", "Vault"]

# Source: Qoder, Vaults API (read 2026-08): these are taken and never returned.
SECRET_KEYS = frozenset({"access_token", "token", "refresh_token", "client_secret", "secret_value"})


@dataclass(frozen=True)
class NewCredential:
    """A credential as it was asked for; `auth` in the 2026-07 form, secrets included."""

    auth: dict[str, Any] = field(repr=False)
    protocol: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewVault:
    """A vault as it was asked for."""

    display_name: str
    metadata: dict[str, str] = field(default_factory=dict)
    credentials: tuple[NewCredential, ...] = ()


@dataclass
class Credential:
    """A credential that exists.

    Attributes:
        auth: the 2026-07 `auth` object, secrets included; without them once it is archived.
        protocol: as 2026-05 recorded it; None if 2026-07 made it.
    """

    id: str
    vault_id: str
    auth: dict[str, Any] = field(repr=False)
    protocol: str | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None

    @property
    def status(self) -> str:
        """`active` or `archived`."""
        return "active" if self.archived_at is None else "archived"

    @property
    def type(self) -> str:
        """`static_bearer`, `mcp_oauth` or `environment_variable`."""
        return str(self.auth["type"])

    @property
    def mcp_server_url(self) -> str | None:
        """The URL, byte for byte; None for an environment variable."""
        url = self.auth.get("mcp_server_url")
        return None if url is None else str(url)

    @property
    def access_token(self) -> str | None:
        """What an MCP server would be shown (or the environment variable's value); None once it is archived."""
        for key in ("token", "access_token", "secret_value"):
            if key in self.auth:
                return str(self.auth[key])
        return None


@dataclass
class Vault:
    """A vault that exists, with its credentials in the order of their making."""

    id: str
    display_name: str
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    credentials: list[Credential] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`active` or `archived`."""
        return "active" if self.archived_at is None else "archived"


def without_secrets(auth: Mapping[str, Any]) -> dict[str, Any]:
    """Return `auth` with every secret left out, at any depth."""
    return {
        key: without_secrets(value) if isinstance(value, Mapping) else value
        for key, value in auth.items()
        if key not in SECRET_KEYS
    }


class Store:
    """Everything the service holds. Each method is atomic; `lock` makes several of them one."""

    def __init__(self, switches: Switches) -> None:
        self.lock = threading.RLock()
        self._switches = switches
        self._stamps = Stamps()
        self._vaults: dict[str, Vault] = {}

    def now(self) -> datetime:
        """Return the service's time."""
        return self._stamps.now()

    def copies(self) -> list[Vault]:
        """Return copies of all vaults, oldest first."""
        with self.lock:
            return copy.deepcopy(list(self._vaults.values()))

    def active_urls(self) -> frozenset[tuple[str, str]]:
        """Return (vault id, URL) of every active credential in an active vault."""
        with self.lock:
            return frozenset(
                (vault.id, credential.mcp_server_url)
                for vault in self._vaults.values()
                for credential in vault.credentials
                if vault.archived_at is None and credential.archived_at is None and credential.mcp_server_url
            )

    def create_vault(self, new: NewVault) -> Vault:
        """Create a vault with its credentials: all of it or nothing."""
        with self.lock:
            now = self._stamps.now()
            vault = Vault(self._stamps.id("vault"), new.display_name, dict(new.metadata), now, now)
            for credential in new.credentials:
                self._add(vault, credential)
            self._vaults[vault.id] = vault
            return vault

    def vaults(self) -> list[Vault]:
        """Return all vaults, archived ones too, oldest first."""
        with self.lock:
            return list(self._vaults.values())

    def vault(self, vault_id: str) -> Vault:
        """Return one vault.

        Raises:
            Refusal: 404, there is none.
        """
        with self.lock:
            if vault_id not in self._vaults:
                raise not_found("Vault", vault_id)
            return self._vaults[vault_id]

    def archive_vault(self, vault_id: str) -> Vault:
        """Archive a vault; there is no way back.

        Raises:
            Refusal: 404; 409 if it is archived already and `archive_again` says so.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is None:
                # UNVERIFIED: the credentials of an archived vault keep their own status.
                vault.archived_at = vault.updated_at = self._stamps.now()
            elif self._switches.archive_again == 409:
                raise conflict(f"Vault '{vault_id}' is already archived.")
            return vault

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault and its credentials.

        Raises:
            Refusal: 404.
        """
        with self.lock:
            self.vault(vault_id)
            del self._vaults[vault_id]

    def create_credential(self, vault_id: str, new: NewCredential) -> Credential:
        """Add a credential to a vault.

        Raises:
            Refusal: 404; 409 if the vault is archived or full, or the URL is taken.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is not None:
                raise conflict(f"Vault '{vault_id}' is archived.")
            return self._add(vault, new)

    def credential(self, vault_id: str, credential_id: str) -> Credential:
        """Return one credential.

        Raises:
            Refusal: 404, there is no such vault, or none such in it.
        """
        with self.lock:
            for credential in self.vault(vault_id).credentials:
                if credential.id == credential_id:
                    return credential
            raise not_found("Credential", credential_id)

    def update_credential(
        self, vault_id: str, credential_id: str, auth: dict[str, Any], metadata: dict[str, str]
    ) -> Credential:
        """Put a whole new `auth` and `metadata` in place of the old.

        Raises:
            Refusal: 404; 409 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.changeable_credential(vault_id, credential_id)
            credential.auth, credential.metadata = auth, metadata
            credential.updated_at = self._stamps.now()
            return credential

    def changeable_credential(self, vault_id: str, credential_id: str) -> Credential:
        """Return a credential that may be updated.

        Raises:
            Refusal: 404; 409 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            if credential.archived_at is not None:
                raise conflict(f"Credential '{credential_id}' is archived.")
            if self.vault(vault_id).archived_at is not None:
                raise conflict(f"Vault '{vault_id}' is archived.")
            return credential

    def archive_credential(self, vault_id: str, credential_id: str) -> Credential:
        """Archive a credential; its secrets are gone for good.

        Raises:
            Refusal: 404; 409 if it is archived already.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            if credential.archived_at is not None:
                raise conflict(f"Credential '{credential_id}' is already archived.")
            credential.archived_at = credential.updated_at = self._stamps.now()
            credential.auth = without_secrets(credential.auth)
            return credential

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, archived or not.

        Raises:
            Refusal: 404.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            self.vault(vault_id).credentials.remove(credential)

    def _add(self, vault: Vault, new: NewCredential) -> Credential:
        # UNVERIFIED: both rules come from sister APIs, hence the switches.
        self._refuse_full(vault.credentials)
        self._refuse_taken(vault.credentials, new.auth.get("mcp_server_url"))
        now = self._stamps.now()
        credential = Credential(
            self._stamps.id("vcred"), vault.id, dict(new.auth), new.protocol, dict(new.metadata), now, now
        )
        vault.credentials.append(credential)
        return credential

    def _refuse_full(self, credentials: Iterable[Credential]) -> None:
        if sum(credential.archived_at is None for credential in credentials) >= self._switches.max_credentials:
            raise conflict(f"A vault holds at most {self._switches.max_credentials} active credentials.")

    def _refuse_taken(self, credentials: Iterable[Credential], url: str | None) -> None:
        if url is None or not self._switches.unique_url:
            return
        if any(other.archived_at is None and other.mcp_server_url == url for other in credentials):
            raise conflict(
                "An active credential for this mcp_server_url already exists in the vault.", "mcp_server_url"
            )
