"""Vaults and credentials: as asked for (desired), as Qoder shows them (observed), as the state holds them (recorded).

Data only. What a vault and a `Credential` resource share is a `CredentialSet`: the credentials of ours in one vault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Literal

from ..errors import QoderError
from ..secret import Secret
from .credential_types import DEFAULT_TYPE, TYPES
from .equivalence import instant_s
from .fields import with_defaults
from .inputs import only_given
from .references import from_name, verifier_name

OnDelete = Literal["delete", "archive"]
Status = Literal["active", "archived"]

ACTIVE: Final = "active"
ARCHIVED: Final = "archived"
MARK_KEY: Final = "pulumi_create_id"  # the key of our ownership mark in a vault's metadata; programs do not see it


class Revision(StrEnum):
    """The two forms of the API; the service changed from one to the other in place. See `capabilities`."""

    R2026_05 = "2026-05"
    R2026_07 = "2026-07"


def key_of(type_: str, properties: Mapping[str, Any]) -> str:
    """Return what tells a credential apart in its vault: the URL, or the name of an environment variable."""
    names = [TYPES[type_].key_field] if type_ in TYPES else [item.key_field for item in TYPES.values()]
    return next((str(properties[name]) for name in names if properties.get(name)), "")


@dataclass(frozen=True, slots=True)
class Credential:
    """One declared or recorded credential.

    Attributes:
        type: one of `credential_types.TYPES`; empty for one of others that nobody knows.
        properties: by the names of its table; secrets are `Secret`, and what is not given is absent. A secret is absent
            too where it is not known (a vault of another stack, an import, a rotation whose outcome is unknown).
        metadata: None where nothing is asked for.
    """

    type: str
    properties: Mapping[str, Any] = field(hash=False)
    metadata: Mapping[str, str] | None = field(default=None, hash=False)

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Credential:
        """Read complete inputs, or outputs of a state; what is not in the table of the type is left out."""
        type_ = inputs.get("type") or DEFAULT_TYPE
        given = only_given({name: inputs.get(name) for name in TYPES[type_].fields})
        return cls(type_, with_defaults(given, TYPES[type_].fields), inputs.get("metadata"))

    @property
    def key(self) -> str:
        """What it is told apart by in its vault: the URL, or the name of an environment variable."""
        return key_of(self.type, self.properties)

    @property
    def secret(self) -> Secret | None:
        """What a rotation renews; None where it is not known."""
        return self.properties.get(TYPES[self.type].secret_field)

    def with_secret(self, secret: Secret | None) -> Credential:
        """Return the same credential with another secret; None for one that is not known."""
        name = TYPES[self.type].secret_field
        if secret is not None:
            return replace(self, properties={**self.properties, name: secret})
        left = {key: value for key, value in self.properties.items() if key not in (name, verifier_name(name))}
        return replace(self, properties=left)

    @property
    def is_by_reference(self) -> bool:
        """True if Pulumi does not hold its secret."""
        return from_name(TYPES[self.type].secret_field) in self.properties


@dataclass(frozen=True, slots=True)
class ObservedCredential:
    """One credential as Qoder shows it; its secrets are never shown.

    Attributes:
        type: empty for a word that nobody knows.
        properties: by the names of `credential_types`.
        created_at: RFC 3339, UTC.
        revision: the revision whose form the response has.
        metadata: empty on ``2026-05``.
        vault_id: of its vault; empty where the API does not say.
    """

    id: str
    type: str
    properties: Mapping[str, Any]
    is_active: bool
    created_at: str
    revision: Revision
    metadata: Mapping[str, str] = field(default_factory=dict)
    vault_id: str = ""

    @property
    def mcp_server_url(self) -> str | None:
        """The URL; None for a type that has none."""
        return self.properties.get("mcp_server_url")

    @property
    def protocol(self) -> str | None:
        """``sse`` or ``streamable_http``; None where the API does not say."""
        return self.properties.get("protocol")

    @property
    def key(self) -> str:
        """What it is told apart by in its vault: the URL, or the name of an environment variable."""
        return key_of(self.type, self.properties)


@dataclass(frozen=True, slots=True)
class ObservedVault:
    """One vault as Qoder shows it.

    Attributes:
        metadata: without our ownership mark.
        credentials: those that came in the same response; empty on ``2026-07``.
        created_at: RFC 3339, UTC; so is updated_at.
        revision: the revision whose form the response has.
        mark: our ownership mark: the key of the create that made it; None where there is none.
    """

    id: str
    display_name: str
    metadata: Mapping[str, str]
    status: Status
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredSet:
    """The credentials that a program asks for in one vault, checked and complete.

    Attributes:
        rotations: by key, how often its secrets have changed in this vault.
        read: returns a credential with those of its secrets that are by reference.
    """

    credentials: tuple[Credential, ...]
    rotations: Mapping[str, int] = field(default_factory=dict)
    read: Callable[[Credential], Credential] = field(default=lambda credential: credential, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredVault(DesiredSet):
    """The vault that a program asks for, checked and complete.

    Attributes:
        metadata: None when the program gives none; nothing is sent then.
        force_destroy: True if credentials of others may go with the vault.
    """

    display_name: str
    metadata: Mapping[str, str] | None = None
    on_delete: OnDelete = "delete"
    force_destroy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSet:
    """The credentials of ours in one vault, as the state holds them.

    Attributes:
        vault_id: of the vault, which may be another stack's.
        place: where the vault is.
        status: of the resource.
        credentials: those that exist, each with the secrets that Qoder has of it, where they are known.
        credential_ids: by key; so are rotations.
        rotated_at: by key, when Qoder last took its secrets: RFC 3339, UTC; None in an older state.
        api_revision: of the last response.
        unfinished: None, but after work that stopped in the middle: then the ids of credentials of ours that are still
            to be deleted, mostly none. A refresh makes the inputs say what exists, so that the next ``up`` goes on.
        seen_with: the account that last saw it, as `vaults_api.VaultsApi.account` says; None in an older state.
    """

    vault_id: str
    place: Place
    status: Status
    credentials: tuple[Credential, ...]
    credential_ids: Mapping[str, str]
    rotations: Mapping[str, int]
    api_revision: Revision
    unfinished: tuple[str, ...] | None = None
    seen_with: Secret | None = None
    rotated_at: Mapping[str, str] | None = None

    @property
    def our_ids(self) -> frozenset[str]:
        """The ids of all credentials of ours, those too that are still to be deleted."""
        return frozenset({*self.credential_ids.values(), *(self.unfinished or ())})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVault(CredentialSet):
    """What the state holds of a vault: its outputs.

    Attributes:
        on_delete: None for a vault that this stack does not own.
        force_destroy: True if credentials of others may go with the vault.
        other_credentials: by id, the key of each active credential that this resource did not make, as of the last time
            it looked; None before. Fit to be shown.
    """

    display_name: str
    metadata: Mapping[str, str]
    on_delete: OnDelete | None
    created_at: str
    updated_at: str
    force_destroy: bool = False
    other_credentials: Mapping[str, str] | None = None


class PartialState(QoderError):
    """Part of the work was done and the rest was not.

    Attributes:
        recorded: what exists now; to be kept in the state, so that the next ``up`` finishes it.
    """

    def __init__(self, message: str, recorded: CredentialSet) -> None:
        super().__init__(message)
        self.recorded = recorded


def newest_by_url(credentials: Iterable[ObservedCredential]) -> dict[str, ObservedCredential]:
    """Return the active credentials that have a URL, by it, the oldest first; of two with one URL, the newest."""
    return {item.mcp_server_url: item for item in active_by_age(credentials) if item.mcp_server_url}


def active_by_age(credentials: Iterable[ObservedCredential]) -> list[ObservedCredential]:
    """Return the active credentials, the oldest first."""
    active = (item for item in credentials if item.is_active)
    return sorted(active, key=lambda item: instant_s(item.created_at) or 0.0)
