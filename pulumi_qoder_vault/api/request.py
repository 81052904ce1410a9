"""One call to the API as data, and how one attempt at it fails.

Knows neither how a request is sent nor what a vault is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ..errors import QoderError
from ..secret import Secret

JsonValue: TypeAlias = object  # whatever JSON can hold; to be narrowed where it is read

Tell: TypeAlias = Callable[[str], None]

CANCELLED = "this run was cancelled"


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    Attributes:
        path: below the base URL, with a leading slash.
        secrets: every access token that the response could echo.
        is_repeatable: True if sending it twice does what sending it once does.
        deadline_s: when its time budget expires, by the clock's ``monotonic_s``; None gives it ``qoder:timeout``.
        is_recovery: True if it looks for, or takes back, what an earlier one did: it is sent though the run is over.
        tell: is told of every long wait, in one line.
        begins: True if nothing was done before it: it is not sent once the run is over.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None
    secrets: tuple[Secret, ...] = ()
    is_repeatable: bool = False
    deadline_s: float | None = None
    is_recovery: bool = False
    tell: Tell | None = None
    begins: bool = False
    idempotency_key: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Outcome(Enum):
    """What a failed attempt proves."""

    NOT_HANDLED = "Qoder did not handle the request"
    UNKNOWN = "Qoder may have handled the request"
    FINAL = "another attempt would fail in the same way"


@dataclass(eq=False)
class Failure(Exception):
    """One attempt failed.

    Attributes:
        error: what the caller gets if no other attempt follows.
        outcome: what the failure proves.
        retry_after_s: how long Qoder asks to wait; None where it does not.
    """

    error: QoderError
    outcome: Outcome = Outcome.FINAL
    retry_after_s: float | None = None


class Incomplete(Failure):
    """One attempt was ended before its response was complete: its time was over, or that of the run."""


@dataclass(eq=False)
class NoBearer(Failure):
    """One attempt was not made, for want of a token of the service account.

    Attributes:
        wait_s: how long to wait before another one, whoever says so.
    """

    wait_s: float = 0.0


@dataclass(eq=False)
class NoConnection(Failure):
    """One attempt made no connection.

    Attributes:
        reason: what the network said.
        is_nobody: True if there is no such host, or nothing listens on this machine.
    """

    reason: str = ""
    is_nobody: bool = False
