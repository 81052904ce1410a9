"""Behaviours of the service that no page documents. Each one is an option, so that clients can be tested with all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

__all__ = ["ArchiveAgain", "CredentialCreateStatus", "CredentialsKey", "OptionArguments", "ServiceOptions"]

CredentialsKey = Literal["refuse", "ignore"]
ArchiveAgain = Literal[200, 409]
CredentialCreateStatus = Literal[200, 201]


@dataclass(frozen=True)
class ServiceOptions:
    """The undocumented behaviours. Each default is the stricter or the more likely one.

    Attributes:
        latency_s: seconds between the arrival of a request and its commit.
        fault_delay_s: seconds for every fault that waits and was planned without a delay; None: the fault's default.
        credentials_key: 2026-07, a `credentials` key in a vault create: "refuse" (400) or "ignore".
        idempotency: `Idempotency-Key` is honoured. Later pages about vaults do not mention it.
        unique_url: a vault holds one active credential per `mcp_server_url`; a second one is a 409.
        max_credentials: active credentials in one vault; one more is a 409.
        writes_per_second: more writes in any second get a 429; None: no limit.
        reads_per_second: the same for GET.
        store_metadata: metadata of vaults and credentials is stored; False: accepted and dropped. None: what the
            revision does: 2026-05 drops it, which no page says.
        vault_get_credentials: 2026-05, vaults in get, list and archive have `credentials`.
        archive_again: status when an archived vault is archived again.
        credential_create_status: 2026-07, status of a credential create.
        newest_first: order of lists.
        next_page: 2026-07, lists have `next_page`; False: the key is missing, and clients need `after_id`.
    """

    latency_s: float = 0.0
    fault_delay_s: float | None = None
    credentials_key: CredentialsKey = "refuse"
    idempotency: bool = True
    unique_url: bool = True
    max_credentials: int = 20
    writes_per_second: float | None = None
    reads_per_second: float | None = None
    store_metadata: bool | None = None
    vault_get_credentials: bool = False
    archive_again: ArchiveAgain = 409
    credential_create_status: CredentialCreateStatus = 200
    newest_first: bool = False
    next_page: bool = True

    def __post_init__(self) -> None:
        """Reject values with which the service could not respond."""
        for name, choices in (
            ("credentials_key", CredentialsKey),
            ("archive_again", ArchiveAgain),
            ("credential_create_status", CredentialCreateStatus),
        ):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} must be {' or '.join(map(repr, get_args(choices)))}")
        for name, least in (
            ("writes_per_second", 1),
            ("reads_per_second", 1),
            ("latency_s", 0),
            ("fault_delay_s", 0),
            ("max_credentials", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}")


class OptionArguments(TypedDict, total=False):
    """The fields of `ServiceOptions` as keyword arguments; a test keeps the names and types equal."""

    latency_s: float
    fault_delay_s: float | None
    credentials_key: CredentialsKey
    idempotency: bool
    unique_url: bool
    max_credentials: int
    writes_per_second: float | None
    reads_per_second: float | None
    store_metadata: bool | None
    vault_get_credentials: bool
    archive_again: ArchiveAgain
    credential_create_status: CredentialCreateStatus
    newest_first: bool
    next_page: bool
