"""How late the service is, how late what it shows is, and how many requests it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from .fields import at_least

__all__ = ["TimingArguments", "TimingOptions"]


@dataclass(frozen=True)
class TimingOptions:
    """Waits, lags and rates.

    A lag is how old the state is that a route sees: what was created is not there yet, what was deleted still is, and
    what was changed is as before. Lags go by the clock of the emulator; waits and rates by real time.

    Attributes:
        latency_s: seconds between the arrival of a request and its commit.
        fault_delay_s: seconds for every fault that waits and was planned without a delay; None: the fault's default.
        get_lag_s: seconds by which GET of a vault or of a credential lags.
        list_lag_s: seconds by which lists lag, of vaults and of credentials.
        vault_route_lag_s: seconds by which the routes under a vault see that it exists, or still see it.
        delete_lag_s: seconds after a create in which DELETE is a 404, and the object stays.
        writes_per_second: more writes in any second get a 429; None: no limit.
        reads_per_second: the same for GET.
        overload_per_second: more requests of any kind in any second get a gateway's 503 with HTML; None: no limit.
        date_ahead_s: seconds by which the header `Date` is ahead of the emulator's clock; below 0: behind.
    """

    latency_s: float = at_least(0, 0.0)
    fault_delay_s: float | None = at_least(0, None)
    get_lag_s: float = at_least(0, 0.0)
    list_lag_s: float = at_least(0, 0.0)
    vault_route_lag_s: float = at_least(0, 0.0)
    delete_lag_s: float = at_least(0, 0.0)
    writes_per_second: float | None = at_least(1, None)
    reads_per_second: float | None = at_least(1, None)
    overload_per_second: float | None = at_least(1, None)
    date_ahead_s: float = 0.0

    @property
    def lags(self) -> bool:
        """True if any route sees the past."""
        return bool(self.get_lag_s or self.list_lag_s or self.vault_route_lag_s or self.delete_lag_s)


class TimingArguments(TypedDict, total=False):
    """The fields of `TimingOptions` as keyword arguments."""

    latency_s: float
    fault_delay_s: float | None
    get_lag_s: float
    list_lag_s: float
    vault_route_lag_s: float
    delete_lag_s: float
    writes_per_second: float | None
    reads_per_second: float | None
    overload_per_second: float | None
    date_ahead_s: float
