"""The time budget of one call: how much is left, what must stay in reserve, and what errors call it."""

from __future__ import annotations

from dataclasses import dataclass

from .rate import Clock
from .request import Request

RESERVE_S = 5.0  # a tenth of the budget if that is less


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that all attempts and waits of one call share.

    Attributes:
        name: what errors call it.
        began_s: when the call began, by the clock's ``monotonic_s``.
        deadline_s: when it expires.
        reserve_s: what no wait may use: a request that must not be sent twice needs time for its response.
    """

    name: str
    began_s: float
    deadline_s: float
    reserve_s: float
    clock: Clock

    @classmethod
    def of(cls, request: Request, timeout_s: float, clock: Clock) -> Budget:
        """Return the time budget of a call that begins now."""
        began_s = clock.monotonic_s()
        deadline_s = began_s + timeout_s if request.deadline_s is None else request.deadline_s
        own_name = "the recovery time" if request.is_recovery else "customTimeouts"
        return cls(
            "qoder:timeout" if request.deadline_s is None else own_name,
            began_s,
            deadline_s,
            0.0 if request.is_repeatable else max(min(RESERVE_S, (deadline_s - began_s) / 10), 0.0),
            clock,
        )

    def __str__(self) -> str:
        budget_s = self.deadline_s - self.began_s
        return f"{self.name} ({_as_setting(budget_s)})" if budget_s > 0 else self.name

    def spent_s(self) -> float:
        """Return how long the call has taken."""
        return self.clock.monotonic_s() - self.began_s

    def left_s(self) -> float:
        """Return the time until it expires; negative after that."""
        return self.deadline_s - self.clock.monotonic_s()

    def spare_s(self) -> float:
        """Return how long the call may wait before its next attempt."""
        return max(self.left_s() - self.reserve_s, 0.0)


def seconds(duration_s: float) -> str:
    """Write a duration as text shows it: ``1.5 s``, ``60 s``."""
    return f"{_rounded(duration_s)} s"


def _as_setting(duration_s: float) -> str:
    """Write a duration as a setting takes it: ``4.3s``, ``1m30s``, ``2m``."""
    minutes, rest_s = divmod(float(_rounded(duration_s)), 60)
    return (f"{minutes:.0f}m" if minutes else "") + (f"{rest_s:g}s" if rest_s or not minutes else "")


def _rounded(duration_s: float) -> str:
    return f"{max(duration_s, 0.0):.{0 if duration_s >= 10 else 1}f}".removesuffix(".0")
