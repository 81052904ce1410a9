"""The vaults and credentials that exist, their ids and times, and the changes that the service allows.

Knows neither HTTP nor the shapes of requests and responses. Credentials are stored in the 2026-07 form, whichever
revision created them: the revision can change while the emulator runs, as it did for Qoder's users.
"""

from __future__ import annotations

import copy
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .errors import conflict, not_found

if TYPE_CHECKING:
    from .options import ServiceOptions

__all__ = [
    "Clock",
    "Credential",
    "Ids",
    "JsonObject",
    "NewCredential",
    "NewVault",
    "Store",
    "Vault",
    "rfc3339",
    "utc_now",
    "without_secrets",
]

Clock = Callable[[], datetime]
JsonObject = dict[str, Any]

# Source: Qoder, Vaults API (read 2026-08): these are accepted and never returned.
SECRET_KEYS = frozenset({"access_token", "token", "refresh_token", "client_secret", "secret_value"})


@dataclass(frozen=True)
class NewCredential:
    """A credential to create; `auth` in the 2026-07 form, secrets included."""

    auth: JsonObject = field(repr=False)
    protocol: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewVault:
    """A vault to create."""

    display_name: str
    metadata: dict[str, str] = field(default_factory=dict)
    credentials: tuple[NewCredential, ...] = ()


@dataclass
class Credential:
    """A credential that exists.

    Attributes:
        auth: the 2026-07 `auth` object, secrets included; without secrets once the credential is archived.
        protocol: of a credential that 2026-05 created, else None.
    """

    id: str
    vault_id: str
    auth: JsonObject = field(repr=False)
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
        """The access token, or the value of the environment variable; None once the credential is archived."""
        for key in ("token", "access_token", "secret_value"):
            if key in self.auth:
                return str(self.auth[key])
        return None


@dataclass
class Vault:
    """A vault that exists, with its credentials in the order in which they were created."""

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


def without_secrets(auth: Mapping[str, object]) -> dict[str, object]:
    """Return `auth` without any secret, at any depth."""
    return {
        key: without_secrets(value) if isinstance(value, Mapping) else value
        for key, value in auth.items()
        if key not in SECRET_KEYS
    }


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Return a time as Qoder writes it: UTC with `Z`, at most six fractional digits, no trailing zeros.

    Source: Qoder, Create Vault (read 2026-05).
    """
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{text.rstrip('0').removesuffix('.')}Z"


class Ids:
    """The ids that the service assigns.

    They sort by creation, so that a page cursor stays valid when the object that it names is deleted.
    Source: Qoder, Create Vault (read 2026-05): `vault_` or `vcred_` and the 32 hex digits of a UUIDv7.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._last = 0

    def new(self, prefix: str) -> str:
        """Return `<prefix>_` and a UUIDv7 that is greater than all before."""
        # 48 bits of milliseconds and the 12 bits of rand_a as a counter (RFC 9562, 6.2, method 1)
        self._last = max(self._last + 1, int(self._clock().timestamp() * 1000) << 12)
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        number = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62)
        return f"{prefix}_{number:032x}"


class Store:
    """Everything that exists at the service. Each method is atomic; `lock` makes several of them one."""

    def __init__(self, options: ServiceOptions, clock: Clock = utc_now) -> None:
        self.lock = threading.RLock()
        self.now = clock
        self._options = options
        self._ids = Ids(clock)
        self._vaults: dict[str, Vault] = {}

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
            vault = Vault(self._ids.new("vault"), new.display_name, dict(new.metadata), now, now)
            for credential in new.credentials:
                self._add(vault, credential)
            self._vaults[vault.id] = vault
            return vault

    def vaults(self) -> list[Vault]:
        """Return all vaults, archived ones included, oldest first."""
        with self.lock:
            return list(self._vaults.values())

    def vault(self, vault_id: str) -> Vault:
        """Return one vault.

        Raises:
            ApiError: 404.
        """
        with self.lock:
            if vault_id not in self._vaults:
                raise not_found("Vault", vault_id)
            return self._vaults[vault_id]

    def archive_vault(self, vault_id: str) -> Vault:
        """Archive a vault for good.

        Raises:
            ApiError: 404; 409 if it is archived already and the option `archive_again` is 409.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is None:
                # UNVERIFIED: the credentials of an archived vault keep their own status.
                vault.archived_at = vault.updated_at = self.now()
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

    def create_credential(self, vault_id: str, new: NewCredential) -> Credential:
        """Create a credential in a vault.

        Raises:
            ApiError: 404; 409 if the vault is archived or full, or has an active credential for the URL.
        """
        with self.lock:
            vault = self.vault(vault_id)
            if vault.archived_at is not None:
                raise conflict(f"Vault '{vault_id}' is archived.")
            return self._add(vault, new)

    def credential(self, vault_id: str, credential_id: str) -> Credential:
        """Return one credential.

        Raises:
            ApiError: 404, for the vault or the credential.
        """
        with self.lock:
            for credential in self.vault(vault_id).credentials:
                if credential.id == credential_id:
                    return credential
            raise not_found("Credential", credential_id)

    def changeable_credential(self, vault_id: str, credential_id: str) -> Credential:
        """Return a credential that may be updated.

        Raises:
            ApiError: 404; 409 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            if credential.archived_at is not None:
                raise conflict(f"Credential '{credential_id}' is archived.")
            if self.vault(vault_id).archived_at is not None:
                raise conflict(f"Vault '{vault_id}' is archived.")
            return credential

    def update_credential(
        self, vault_id: str, credential_id: str, auth: JsonObject, metadata: dict[str, str]
    ) -> Credential:
        """Replace the whole `auth` and `metadata` of a credential.

        Raises:
            ApiError: 404; 409 if the credential or its vault is archived.
        """
        with self.lock:
            credential = self.changeable_credential(vault_id, credential_id)
            credential.auth, credential.metadata = auth, metadata
            credential.updated_at = self.now()
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
            credential.archived_at = credential.updated_at = self.now()
            credential.auth = without_secrets(credential.auth)
            return credential

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, archived or not.

        Raises:
            ApiError: 404.
        """
        with self.lock:
            credential = self.credential(vault_id, credential_id)
            self.vault(vault_id).credentials.remove(credential)

    def _add(self, vault: Vault, new: NewCredential) -> Credential:
        # UNVERIFIED: both rules are those of sister APIs; hence the options.
        active = [credential for credential in vault.credentials if credential.archived_at is None]
        if len(active) >= self._options.max_credentials:
            raise conflict(f"A vault holds at most {self._options.max_credentials} active credentials.")
        url = new.auth.get("mcp_server_url")
        if self._options.unique_url and url is not None and any(url == other.mcp_server_url for other in active):
            raise conflict(
                "An active credential for this mcp_server_url already exists in the vault.", "mcp_server_url"
            )
        now = self.now()
        credential = Credential(
            self._ids.new("vcred"), vault.id, dict(new.auth), new.protocol, dict(new.metadata), now, now
        )
        vault.credentials.append(credential)
        return credential
