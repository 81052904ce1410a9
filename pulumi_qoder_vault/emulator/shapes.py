"""Shapes of vaults and credentials in responses, and the forms of the values in them.

Pure; knows no revision. Sources: Qoder, Create Vault (read 2026-05); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from .ids import rfc3339
from .records import Credential, Vault, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import ServiceOptions
    from .options.forms import NotArchived

__all__ = [
    "Shape",
    "Writer",
    "between_credential",
    "flat_credential",
    "flat_vault",
    "nested_credential",
    "nested_vault",
    "with_credentials",
]

Shape = dict[str, object]
ADDED_METADATA = {"qoder.region": "global"}
ZERO_TIME = "0001-01-01T00:00:00Z"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Writer:
    """How values are written in the response to one request.

    Attributes:
        api_token: of the request.
    """

    options: ServiceOptions
    api_token: str = ""

    def times(self, item: Vault | Credential) -> Shape:
        """Return when something was created and changed."""
        return {"created_at": self.time(item.created_at), "updated_at": self.time(item.updated_at)}

    def time(self, moment: datetime) -> str:
        """Return a time."""
        return rfc3339(moment, self.options.utc_offset_minutes)

    def archived_at(self, moment: datetime | None, otherwise: NotArchived) -> Shape:
        """Return the key `archived_at`, if there is to be one."""
        if moment is not None:
            return {"archived_at": self.time(moment)}
        form = self.options.not_archived or otherwise
        return {} if form == "absent" else {"archived_at": ZERO_TIME if form == "zero_time" else None}

    def display_name(self, name: str) -> str:
        """Return the display name of a vault."""
        return f"{name} {self.api_token}" if self.options.vault_echo == "display_name" else name

    def vault_metadata(self, stored: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata of a vault."""
        echoed = {"authorization": self.api_token} if self.options.vault_echo == "metadata" else {}
        return {**self.metadata(stored), **echoed}

    def metadata(self, stored: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata of a credential."""
        return {**stored, **(ADDED_METADATA if self.options.adds_metadata else {})}

    def url(self, url: str) -> str:
        """Return a URL."""
        return _normalized(url) if self.options.normalizes_urls else url

    def auth(self, stored: Mapping[str, object]) -> Shape:
        """Return `auth` without secrets."""
        shape = without_secrets(stored)
        url, expires_at = shape.get("mcp_server_url"), shape.get("expires_at")
        if isinstance(url, str):
            shape["mcp_server_url"] = self.url(url)
        if isinstance(expires_at, str):
            shape["expires_at"] = self.time(datetime.fromisoformat(expires_at))
        return shape


def with_credentials(vault: Shape, credentials: list[Shape] | None) -> Shape:
    """Return the shape of a vault with `credentials` where the page has them: before the times."""
    times = {key: vault[key] for key in ("created_at", "updated_at")}
    return {**{key: value for key, value in vault.items() if key not in times}, "credentials": credentials, **times}


def flat_vault(vault: Vault, writer: Writer) -> Shape:
    """Return a vault of 2026-05."""
    return {
        "id": vault.id,
        "type": "vault",
        "display_name": writer.display_name(vault.display_name),
        "status": vault.status,
        "metadata": writer.vault_metadata(vault.metadata),
        **writer.times(vault),
        **writer.archived_at(vault.archived_at, "absent"),
    }


def flat_credential(credential: Credential, writer: Writer) -> Shape:
    """Return a credential of 2026-05."""
    url = credential.mcp_server_url
    return {
        "id": credential.id,
        "vault_id": credential.vault_id,
        "mcp_server_url": None if url is None else writer.url(url),
        "protocol": credential.protocol or "streamable_http",
        "type": credential.type,
        "status": credential.status,
        **writer.times(credential),
    }


def between_credential(credential: Credential, writer: Writer) -> Shape:
    """Return a flat credential with the time at which it was archived."""
    return {**flat_credential(credential, writer), **writer.archived_at(credential.archived_at, "absent")}


def nested_vault(vault: Vault, writer: Writer) -> Shape:
    """Return a vault of 2026-07."""
    return {
        "id": vault.id,
        "type": "vault",
        "display_name": writer.display_name(vault.display_name),
        "metadata": writer.vault_metadata(vault.metadata),
        **writer.archived_at(vault.archived_at, "null"),
        **writer.times(vault),
    }


def nested_credential(credential: Credential, writer: Writer) -> Shape:
    """Return a credential of 2026-07."""
    return {
        "id": credential.id,
        "type": "vault_credential",
        "vault_id": credential.vault_id,
        "auth": writer.auth(credential.auth),
        "display_name": None,
        "metadata": writer.metadata(credential.metadata),
        **writer.archived_at(credential.archived_at, "null"),
        **writer.times(credential),
    }


def _normalized(url: str) -> str:
    """Return a URL with a host in lower case, without default port and trailing slash; what is no URL as it is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    if not host:
        return url
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{shown}:{port}"
    user, at, _ = parts.netloc.rpartition("@")
    return SplitResult(
        parts.scheme, f"{user}{at}{netloc}", parts.path.removesuffix("/"), parts.query, parts.fragment
    ).geturl()
