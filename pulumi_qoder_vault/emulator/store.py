"""The vaults and credentials of one account, and the changes that the service allows.

Knows neither HTTP nor the shapes of requests and responses.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .errors import ApiError, conflict, not_found, refused
from .history import History
from .ids import Clock, Ids, utc_now
from .records import Credential, JsonObject, NewCredential, NewVault, Vault, without_secrets

if TYPE_CHECKING:
    from .options import ServiceOptions

__all__ = ["Store"]


class Store:
    """Everything that exists in one account. Each method is atomic; `lock` makes several of them one.

    A read with a `lag_s` sees the past.
    """

    def __init__(self, options: ServiceOptions, has_unique_urls: Callable[[], bool], clock: Clock = utc_now) -> None:
        self.lock = threading.RLock()
        self.now = clock
        self._options = options
        self._has_unique_urls = has_unique_urls
        self._ids = Ids(clock, options.id_form)
        self._vaults: dict[str, Vault] = {}
        self._history = History(is_kept=options.lags)

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
        """Create a vault with all its credentials, or nothing."""
        with self.lock:
            now = self.now()
            vault = Vault(self._ids.new(self._options.vault_id_prefix), new.display_name, dict(new.metadata), now, now)
            for credential in new.credentials:
                self._add(vault, credential)
            self._vaults[vault.id] = vault
            self._changed(vault.id)
            return vault

    def vaults(self, *, lag_s: float = 0.0) -> list[Vault]:
        """Return all vaults, archived ones included, oldest first."""
        with self.lock:
            return list(self._seen(lag_s).values())

    def vault(self, vault_id: str, *, lag_s: float = 0.0) -> Vault:
        """Return one vault.

        Raises:
            ApiError: 404.
        """
        with self.lock:
            vault = self._seen(lag_s).get(vault_id)
            if vault is None:
                raise not_found("Vault", vault_id)
            return vault

    def archive_vault(self, vault_id: str) -> Vault:
        """Archive a vault for good.

        Raises:
            ApiError: 404; 409 if it is archived already and the option `archive_again` is 409.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is None:
                if self._options.archives_credentials:  # UNVERIFIED: by default they keep their own status
                    for credential in vault.credentials:
                        self._archive(credential)
                vault.archived_at = vault.updated_at = self.now()
                self._changed(vault_id)
            elif self._options.archive_again == 409:
                raise conflict(f"Vault '{vault_id}' is already archived.")
            return vault

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault and its credentials.

        Raises:
            ApiError: 404.
        """
        with self.lock:
            self.vault(vault_id)
            del self._vaults[vault_id]
            self._changed(vault_id)

    def create_credential(self, vault_id: str, new: NewCredential) -> Credential:
        """Create a credential in a vault.

        Raises:
            ApiError: 404; 409 or 400 if the vault is archived or full, or has an active credential for the URL.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is not None:
                raise self._archived("Vault", vault_id)
            credential = self._add(vault, new)
            self._changed(vault_id)
            return credential

    def credential(self, vault_id: str, credential_id: str, *, lag_s: float = 0.0) -> Credential:
        """Return one credential.

        Raises:
            ApiError: 404, for the vault or the credential.
        """
        with self.lock:
            for credential in self.vault(vault_id, lag_s=lag_s).credentials:
                if credential.id == credential_id:
                    return credential
            raise not_found("Credential", credential_id)

    def changeable_credential(self, vault_id: str, credential_id: str) -> Credential:
        """Return a credential that may be updated.

        Raises:
            ApiError: 404; 409 or 400 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            if credential.archived_at is not None:
                raise self._archived("Credential", credential_id)
            if self.vault(vault_id).archived_at is not None:
                raise self._archived("Vault", vault_id)
            return credential

    def update_credential(
        self, vault_id: str, credential_id: str, auth: JsonObject, metadata: dict[str, str]
    ) -> Credential:
        """Replace the whole `auth` and `metadata` of a credential.

        Raises:
            ApiError: 404; 409 or 400 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.changeable_credential(vault_id, credential_id)
            credential.auth, credential.metadata = auth, metadata
            credential.updated_at = self.now()
            self._changed(vault_id)
            return credential

    def archive_credential(self, vault_id: str, credential_id: str) -> Credential:
        """Archive a credential for good and delete its secrets.

        Raises:
            ApiError: 404; 409 if it is archived already.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            if credential.archived_at is not None:
                raise conflict(f"Credential '{credential_id}' is already archived.")
            self._archive(credential)
            self._changed(vault_id)
            return credential

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, archived or not.

        Raises:
            ApiError: 404.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            self.vault(vault_id).credentials.remove(credential)
            self._changed(vault_id)

    def _archive(self, credential: Credential) -> None:
        if credential.archived_at is None:
            credential.archived_at = credential.updated_at = self.now()
            credential.auth = without_secrets(credential.auth)

    def _seen(self, lag_s: float) -> Mapping[str, Vault]:
        return self._history.at(self.now(), lag_s) if lag_s else self._vaults

    def _changed(self, vault_id: str) -> None:
        self._history.keep(self.now(), vault_id, self._vaults.get(vault_id))

    def _archived(self, kind: str, id_: str) -> ApiError:
        return refused(self._options.archived_write_status, f"{kind} '{id_}' is archived.")

    def _add(self, vault: Vault, new: NewCredential) -> Credential:
        self._admit([item for item in vault.credentials if item.archived_at is None], new.auth)
        now = self.now()
        credential = Credential(
            self._ids.new(self._options.credential_id_prefix),
            vault.id,
            dict(new.auth),
            new.protocol,
            dict(new.metadata),
            now,
            now,
        )
        vault.credentials.append(credential)
        return credential

    def _admit(self, active: list[Credential], auth: JsonObject) -> None:
        """Refuse one credential too many, and a second one for the same thing.

        UNVERIFIED: these rules are those of sister APIs; hence the options.
        """
        options = self._options
        if len(active) >= options.max_credentials:
            message = f"A vault holds at most {options.max_credentials} active credentials."
            raise refused(options.max_credentials_status, message)
        for key, is_unique in (
            ("mcp_server_url", self._has_unique_urls()),
            ("secret_name", options.unique_secret_name),
        ):
            if is_unique and key in auth and any(auth[key] == other.auth.get(key) for other in active):
                raise conflict(options.conflict_message, key if options.conflict_param else None)
