"""Vaults and credentials: as asked for (desired), as Qoder shows them (observed), as the state holds them (recorded).

Data only. A mapping of *inputs* is what a front hands to `check`: plain values, with every access token a `Secret` and
everything that a preview does not know yet `UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final

from ..secret import Secret


class Unknown(Enum):
    """The type of ``UNKNOWN``: a value that a preview cannot know. It is not a missing value."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that no input takes: an object, an asset. What it holds is not kept, since it may be a secret.

    Attributes:
        kind: what it is, such as ``a dataclass``; fit to be shown.
    """

    kind: str


class SecretUrl(str):
    """A URL that the program marked as a secret."""

    __slots__ = ()


class Revision(StrEnum):
    """The two shapes in which the API speaks; the service changed from one to the other in place."""

    R2026_05 = "2026-05"
    R2026_07 = "2026-07"


STATIC_BEARER: Final = "static_bearer"
MCP_OAUTH: Final = "mcp_oauth"
ENVIRONMENT_VARIABLE: Final = "environment_variable"
CREDENTIAL_TYPES: Final = (STATIC_BEARER, MCP_OAUTH, ENVIRONMENT_VARIABLE)
PROTOCOLS: Final = ("sse", "streamable_http")
DEFAULT_PROTOCOL: Final = "streamable_http"
MARK_KEY: Final = "pulumi_create_id"  # our mark in a vault's metadata; hidden from programs and outputs
ACTIVE: Final = "active"
ARCHIVED: Final = "archived"


@dataclass(frozen=True, slots=True)
class Credential:
    """One declared credential.

    Attributes:
        mcp_server_url: what an agent's server is matched by, byte for byte; empty for an ``environment_variable``.
        access_token: what the MCP server takes, or the value of an ``environment_variable``; None where it is not known
            (a vault of another stack, an import, a rotation whose response was lost) or is to stay as it is.
        protocol: ``sse`` or ``streamable_http``; None where the API did not say.
        type: ``static_bearer``, ``mcp_oauth`` or ``environment_variable``.
        fields: what else the API calls ``auth``, for the last two types; secrets in it are `Secret`.
        metadata: None where nothing is asked for.
    """

    mcp_server_url: str
    access_token: Secret | None
    protocol: str | None = DEFAULT_PROTOCOL
    type: str = STATIC_BEARER
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    metadata: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def key(self) -> str:
        """What it is told apart by in its vault: the URL, or the name of an environment variable."""
        return self.mcp_server_url or str(self.fields.get("secret_name", ""))


@dataclass(frozen=True, slots=True)
class DesiredVault:
    """What the program asks for, checked and complete.

    Attributes:
        metadata: None when the program gives none; nothing is sent then.
        rotations: by URL, how often its access token has changed in this vault.
        on_delete: ``delete`` or ``archive``.
        force_destroy: True if credentials of others may go with the vault.
    """

    display_name: str
    credentials: tuple[Credential, ...]
    metadata: Mapping[str, str] | None = None
    rotations: Mapping[str, int] = field(default_factory=dict)
    on_delete: str = "delete"
    force_destroy: bool = False


@dataclass(frozen=True, slots=True)
class ObservedCredential:
    """One credential as Qoder shows it; its secrets are never shown.

    Attributes:
        mcp_server_url: None for a type that has none.
        protocol: None on ``2026-07``, and for a word that nobody knows.
        type: likewise empty.
        created_at: RFC 3339, UTC.
        fields: the rest of ``auth``, without secrets.
        metadata: empty on ``2026-05``.
    """

    id: str
    mcp_server_url: str | None
    protocol: str | None
    type: str
    is_active: bool
    created_at: str
    revision: Revision
    fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What it is told apart by in its vault: the URL, or the name of an environment variable."""
        return self.mcp_server_url or str(self.fields.get("secret_name", ""))


@dataclass(frozen=True, slots=True)
class ObservedVault:
    """One vault as Qoder shows it.

    Attributes:
        status: ``active`` or ``archived``, whatever the revision calls it.
        metadata: without our mark.
        mark: our mark: the key of the create that made it; None where there is none.
        credentials: those that came in the same response; empty on ``2026-07``.
        created_at: RFC 3339, UTC; so is updated_at.
        revision: the revision whose shape the response has.
    """

    id: str
    display_name: str
    metadata: Mapping[str, str]
    status: str
    credentials: tuple[ObservedCredential, ...]
    created_at: str
    updated_at: str
    revision: Revision
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vault was made, or where this run asks: a 404 proves something only if the two are the same."""

    base_url: str
    workspace_id: str | None

    def __str__(self) -> str:
        return f"{self.base_url} (workspace {self.workspace_id})" if self.workspace_id else self.base_url


@dataclass(frozen=True, slots=True)
class RecordedVault:
    """What the state holds of a vault: its outputs.

    Attributes:
        credentials: those that exist, each with the access token that Qoder has of it; None where that is not known.
        credential_ids: by URL.
        on_delete: ``delete`` or ``archive``; None for a vault that this stack does not own.
        unfinished: None, but after work that stopped in the middle: then the ids of credentials of ours that are still
            to be deleted, mostly none. A refresh makes the inputs say what exists, so that the next ``up`` goes on.
        force_destroy: True if credentials of others may go with the vault.
        other_credentials: by id, the URL or the name of each active credential that this resource did not make, as of
            the last time it looked; None before. Fit to be shown.
    """

    id: str
    display_name: str
    metadata: Mapping[str, str]
    on_delete: str | None
    place: Place
    status: str
    credentials: tuple[Credential, ...]
    credential_ids: Mapping[str, str]
    rotations: Mapping[str, int]
    created_at: str
    updated_at: str
    api_revision: Revision
    unfinished: tuple[str, ...] | None = None
    force_destroy: bool = False
    other_credentials: Mapping[str, str] | None = None


Inputs = Mapping[str, Any]
