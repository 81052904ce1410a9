"""The vaults and credentials that exist, as data.

Knows neither HTTP nor the rules of the store. A credential is kept in the 2026-07 form, whichever revision created it:
the revision can change while the emulator runs, as it did for Qoder's users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Credential", "JsonObject", "NewCredential", "NewVault", "Vault", "without_secrets"]

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
