"""What the emulator may do either way, because no page of Qoder's says which way the service does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Switches"]


@dataclass(frozen=True)
class Switches:
    """One field for each thing that is not known of the service. Defaults are the stricter or the likelier way.

    Attributes:
        latency_s: seconds that a request is in work before it is committed.
        fault_delay_s: seconds for every fault that waits and was planned without a delay; None: the fault's own.
        credentials_key: 2026-07, a `credentials` key in a vault create: "refuse" (400) or "ignore".
        idempotency: `Idempotency-Key` is honoured. Later pages of the vaults no longer mention it.
        unique_url: one active credential per `mcp_server_url` in a vault, else 409.
        max_credentials: active credentials in one vault, else 409.
        writes_per_second: more in any second are answered 429; None: no limit.
        reads_per_second: the same for GET.
        store_metadata: 2026-05, `metadata` in a vault create is stored; False: accepted and dropped.
        vault_get_credentials: 2026-05, vaults in get, list and archive carry `credentials`.
        archive_again: status of the second archive of a vault.
        credential_create_status: 2026-07, status of a credential create: 200 or 201.
        newest_first: order of lists.
        next_page: 2026-07, lists carry `next_page`; False: the key is missing, and `after_id` has to serve.
    """

    latency_s: float = 0.0
    fault_delay_s: float | None = None
    credentials_key: Literal["refuse", "ignore"] = "refuse"
    idempotency: bool = True
    unique_url: bool = True
    max_credentials: int = 20
    writes_per_second: float | None = None
    reads_per_second: float | None = None
    store_metadata: bool = False
    vault_get_credentials: bool = False
    archive_again: Literal[200, 409] = 409
    credential_create_status: Literal[200, 201] = 200
    newest_first: bool = False
    next_page: bool = True

    def __post_init__(self) -> None:
        """Refuse a value that no request could be answered by."""
        if self.credentials_key not in ("refuse", "ignore"):
            raise ValueError('credentials_key: "refuse" or "ignore"')
        if self.archive_again not in (200, 409):
            raise ValueError("archive_again: 200 or 409")
        if self.credential_create_status not in (200, 201):
            raise ValueError("credential_create_status: 200 or 201")
        for name in ("writes_per_second", "reads_per_second"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: at least 1, or None for no limit")
        for name in ("latency_s", "fault_delay_s", "max_credentials"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name}: not below 0")
