"""Send a request to Qoder, and again where that cannot do anything twice: what may go again, when, and until when.

Decides by what a failed attempt proves. Knows neither paths nor what a vault is.
"""

import math
import threading
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import tenacity

from .. import errors
from ..authentication import Authentication, Caller, NoToken
from ..secret import Secret
from ..settings import Settings
from .budget import Budget, seconds
from .exchange import authentication_of
from .gate import Gate
from .http import Http
from .listing import Listing
from .memory import Memory
from .rate import Clock, Limiter
from .request import CANCELLED, Failure, JsonValue, NoBearer, NoConnection, Outcome, Request, Tell
from .request_log import RequestLog, Seen

LONG_WAIT_S = 2.0  # a longer one is told
TOLD_AFTER_S = 3.0  # a wait for a connection is told once it has taken so long
ENOUGH = 4  # attempts to reach a host that does not exist, or a server of this machine that does not run

# What a failed attempt proves -> the requests that go again, by `Request.is_repeatable`.
_GO_AGAIN: Mapping[Outcome, Collection[bool]] = {
    Outcome.NOT_HANDLED: (True, False),
    Outcome.UNKNOWN: (True,),
    Outcome.FINAL: (),
}


def may_repeat(request: Request, failure: Failure) -> bool:
    """Return True if another attempt may succeed, and cannot do twice what is asked for once."""
    return request.is_repeatable in _GO_AGAIN[failure.outcome]


def is_overload(failure: Failure) -> bool:
    """Return True if a failure says that all who use this Qoder are too fast together.

    A gateway says so with a 502 or 503 of its own; one in the API's envelope is about this request.
    """
    error = failure.error
    if isinstance(error, errors.ServerError):
        return error.response.status in (502, 503) and not error.genuine
    return isinstance(error, errors.RateLimited)


class ConnectionWait:
    """The wait of one call for a connection, over all its attempts.

    It is told while it lasts: an attempt may hang in the resolver, or in a network that swallows everything.

    Args:
        clock: what all waits go by.
        tell: is told what the last attempt met, once the wait has taken ``told_after_s``. None if nobody listens.
        told_after_s: for an attempt that hangs, by the true time.

    Attributes:
        met_nobody: how many attempts in a row met no such host, or nothing that listens on this machine.
    """

    def __init__(self, clock: Clock, tell: Tell | None, told_after_s: float = TOLD_AFTER_S) -> None:
        self._clock = clock
        self._tell = tell
        self._told_after_s = told_after_s
        self._reason = ""
        self._since_s: float | None = None
        self._timer: threading.Timer | None = None
        self.met_nobody = 0

    @property
    def is_waiting(self) -> bool:
        """True from the beginning of an attempt until there is a connection."""
        return self._since_s is not None

    def begin(self) -> None:
        """Begin an attempt; the wait goes on where the last one made no connection."""
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        if self._timer is None and self._tell is not None:
            self._timer = threading.Timer(self._told_after_s, self._say)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """End the wait: there is a connection, or nobody waits any more."""
        self._since_s, self._reason, self.met_nobody = None, "", 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def missed(self, failure: NoConnection) -> None:
        """Take into account that an attempt made no connection."""
        self._reason = failure.reason
        self.met_nobody = self.met_nobody + 1 if failure.is_nobody else 0
        if self._since_s is not None and self._clock.monotonic_s() - self._since_s >= self._told_after_s:
            self._say()

    def _say(self) -> None:
        if self._tell is not None and self._since_s is not None and not self.met_nobody:
            self._tell(self._reason)


@dataclass(frozen=True, slots=True)
class Call:
    """What all attempts of one call share, and what they prove together."""

    request: Request
    budget: Budget
    connecting: ConnectionWait
    failures: list[Failure] = field(default_factory=list)

    def is_hopeless(self) -> bool:
        """Return True if nobody is there. The server that a recovery asks was there before, and may come back."""
        return self.connecting.met_nobody >= ENOUGH and not self.request.is_recovery

    def may_be_done(self) -> bool:
        """Return True if any attempt may have done what is asked for."""
        return any(failure.error.may_be_done for failure in self.failures)

    def why_again(self) -> str:
        """Return why the request goes again after a wait."""
        if isinstance(self.failures[-1], NoBearer):
            return "the exchange of the service-account key failed; retrying"
        is_limited = isinstance(self.failures[-1].error, errors.RateLimited)
        return "Qoder limits the rate" if is_limited else f"{self.request} failed; retrying"

    def is_refused_once(self, failure: Failure) -> bool:
        """Return True if this failure is the first 401 of the call."""
        refused = [each for each in self.failures if isinstance(each.error, errors.Unauthorized)]
        return refused == [failure]

    def asked_wait_s(self) -> float:
        """Return how long somebody asks to wait before the next attempt; 0 where nobody does."""
        failure = self.failures[-1]
        return failure.retry_after_s or (failure.wait_s if isinstance(failure, NoBearer) else 0.0)

    def why_given_up(self, *, is_cancelled: bool) -> str:
        """Return why the request does not go again, although it may."""
        count, asked_s = len(self.failures), self.failures[-1].retry_after_s
        gave_up = f"gave up after {seconds(self.budget.spent_s())} and {count} attempt{'s' if count > 1 else ''}"
        if self.is_hopeless():
            return gave_up
        if asked_s is None:
            why = CANCELLED if is_cancelled else f"no time for another attempt before {self.budget} expires"
            return f"{gave_up}: {why}"
        if is_cancelled:
            why = f"but {CANCELLED}"
        elif asked_s < self.budget.left_s():
            why = f"which leaves too little of {self.budget} for another attempt"
        else:
            why = f"more than is left of {self.budget}"
        return f"Qoder asks to wait {seconds(asked_s)}, {why}"


class Transport:
    """A connection to one Qoder. Thread-safe; one for each process.

    Args:
        settings: where, with which API token, and how fast.
        user_agent: who asks.
        clock: where time comes from.
        told_after_s: how long a wait for a connection may take before it is told.
        log: where each attempt is logged; None for nowhere.
        authentication: who asks; by the settings where it is None.

    Attributes:
        settings: how this Qoder is reached.
        clock: what all waits go by.
        memory: what Qoder has shown this process.
        listing: the vaults, as a listing of this run shows them.
        gate: what all text of Qoder's goes through.
    """

    def __init__(
        self,
        settings: Settings,
        user_agent: str,
        clock: Clock | None = None,
        *,
        told_after_s: float = TOLD_AFTER_S,
        log: RequestLog | None = None,
        authentication: Authentication | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        if authentication is None and settings.credential is not None:
            authentication = authentication_of(settings, user_agent, self.clock, log)
        self._authentication = authentication
        self.memory = Memory()
        self.listing = Listing()
        self.gate = Gate(settings.credential)
        self._log = log
        self._reads = Limiter(settings.max_reads_per_second, self.clock)
        self._writes = Limiter(settings.max_writes_per_second, self.clock)
        self._http = Http(settings, user_agent, self.clock, self.gate)
        self._told_after_s = told_after_s
        self._telling = threading.Lock()
        self._has_told = False
        self._backoff = tenacity.wait_exponential(multiplier=1, max=30) + tenacity.wait_random(0, 0.5)

    @property
    def ahead_s(self) -> float:
        """How far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much."""
        return self._http.ahead_s

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        if self._authentication:
            self._authentication.close()
        if self._log:
            self._log.close()

    def hold_back(self, secrets: Collection[Secret], plain: Collection[str]) -> None:
        """Let no secret of an operation pass the gate; what its program has in plain text passes."""
        self.gate.hold_back(secrets)
        self.gate.let_pass(plain)

    def wait(self, wait_s: float, why: str, tell: Tell | None) -> None:
        """Let time pass, and tell of it if it is long. Return at once where the run is over."""
        if wait_s > LONG_WAIT_S and tell is not None and not self.clock.is_over():
            tell(f"{why}: waiting {seconds(wait_s)}")
        self.clock.sleep(wait_s)

    def send(self, request: Request) -> JsonValue:
        """Send a request, and again where that cannot do anything twice. Return the JSON of the response.

        NO_CONTENT stands for a 204, None for any other empty response, which may be a proxy's.

        Raises:
            NotSent: no API token, no connection, or no time before it was sent.
            OutcomeUnknown: it may have been handled.
            ApiError: Qoder refused it.
        """
        self.gate.hold_back(request.secrets)
        if self._authentication is None:
            raise _not_sent(request, f"no API token is set; {self.settings.api_token_source.if_missing}").error
        budget = Budget.of(request, self.settings.timeout_s, self.clock)
        is_told = request.tell is None or self._has_told
        tell = None if is_told else partial(self._tell_unreachable, request, budget)
        call = Call(request, budget, ConnectionWait(self.clock, tell, self._told_after_s))
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Failure) and may_repeat(request, error)),
            wait=lambda state: call.asked_wait_s() or self._backoff(state),
            stop=lambda state: call.is_hopeless() or state.upcoming_sleep >= budget.spare_s() or self.clock.is_over(),
            # The wait for a connection is told once, and not for each attempt.
            sleep=lambda wait_s: self.wait(
                wait_s, call.why_again(), None if call.connecting.is_waiting else request.tell
            ),
            reraise=True,
        )
        try:
            return retrying(self._attempt, call, self._authentication)
        except Failure as failure:
            # Only the error itself goes out: the failed attempt, its request and its body stay behind.
            error = failure.error
            error.may_be_done = call.may_be_done()
            if may_repeat(request, failure):
                error.args = (f"{error}; {call.why_given_up(is_cancelled=self.clock.is_over())}",)
        finally:
            call.connecting.end()
            call.failures.clear()
        raise error

    def _attempt(self, call: Call, authentication: Authentication) -> JsonValue:
        """Send a request once, or twice where Qoder refused a token that another one can take the place of.

        The second 401 is final. The official client lets the first one be: a token that was revoked, or whose clock
        went wrong, would fail every request until it expires.
        """
        bearer = self._ready(call, authentication)
        try:
            return self._send_once(call, bearer)
        except Failure as failure:
            if not call.is_refused_once(failure) or not authentication.forget(bearer):
                raise
        return self._send_once(call, self._ready(call, authentication))

    def _ready(self, call: Call, authentication: Authentication) -> Secret:
        """Wait until a request may be sent, and return what it is sent with."""
        request, budget = call.request, call.budget
        self._bearer(call, authentication)  # an exchange takes time, which belongs to no slot
        self._wait_for_slot(request, self._reads if request.method == "GET" else self._writes, budget)
        if request.begins and self._is_cancelled(request):
            raise _not_sent(request, CANCELLED)
        if budget.left_s() <= 0 and not request.is_recovery:
            raise _not_sent(request, f"{budget} has expired")
        return self._bearer(call, authentication)

    def _bearer(self, call: Call, authentication: Authentication) -> Secret:
        request = call.request
        try:
            bearer = authentication.bearer(Caller(call.budget.left_s, request.is_recovery))
        except NoToken as reason:
            is_final = reason.is_hopeless or reason.is_ours or not reason.is_transient
            failure = NoBearer(
                errors.ExchangeFailed(f"{request}: not sent: {reason.line}"),
                Outcome.FINAL if is_final else Outcome.NOT_HANDLED,
                retry_after_s=reason.pause_s if reason.is_asked else None,
                wait_s=reason.pause_s,
            )
            call.failures.append(failure)
            if reason.is_nobody:
                call.connecting.met_nobody += 1
            raise failure from None
        self.gate.hold_back_always(bearer)
        return bearer

    def _send_once(self, call: Call, bearer: Secret) -> JsonValue:
        call.connecting.begin()
        seen = Seen(our_id=str(uuid.uuid4()) if self._log else "")
        began_s = self.clock.monotonic_s()
        try:
            response = self._http.send(call.request, bearer, call.budget, call.connecting.end, seen)
            self._note(call, seen, began_s, None)
            return response
        except Failure as failure:
            self._note(call, seen, began_s, failure)
            call.failures.append(failure)
            if isinstance(failure, NoConnection):
                call.connecting.missed(failure)
            if is_overload(failure):
                for each in (self._reads, self._writes):
                    each.slow_down(failure.retry_after_s or 0.0)
            raise

    def _note(self, call: Call, seen: Seen, began_s: float, failure: Failure | None) -> None:
        """Log an attempt."""
        if self._log:
            self._log.write(
                call.request,
                seen,
                self.gate,
                now_s=self.clock.now_s(),
                took_s=self.clock.monotonic_s() - began_s,
                failure=failure,
            )

    def _wait_for_slot(self, request: Request, limiter: Limiter, budget: Budget) -> None:
        # Once the run is over nobody waits, so no slot is too late for what is taken back.
        is_last = self.clock.is_over() and request.is_recovery
        while True:
            pause_s = limiter.wait_s(math.inf if is_last else budget.spare_s(), goes_first=request.is_recovery)
            if pause_s is None:
                raise _not_sent(request, f"no free slot under the rate limit before {budget} expires")
            if not pause_s:
                return
            self.wait(pause_s, "keeping to the rate limit", request.tell)
            if self._is_cancelled(request):
                raise _not_sent(request, CANCELLED)
            if self.clock.is_over() or not limiter.is_paused():
                return

    def _is_cancelled(self, request: Request) -> bool:
        return self.clock.is_over() and not request.is_recovery

    def _tell_unreachable(self, request: Request, budget: Budget, reason: str) -> None:
        """Tell of a wait for a connection: once, whatever else waits."""
        with self._telling:
            is_first, self._has_told = not self._has_told, True
        if is_first and request.tell is not None and not self.clock.is_over():
            why = f" ({reason})" if reason else ""
            request.tell(
                f"no connection to {self.settings.host} after {seconds(self._told_after_s)}{why}: retrying until "
                f"{budget} expires; check qoder:baseUrl, the network and the proxy"
            )


def _not_sent(request: Request, why: str) -> Failure:
    return Failure(errors.NotSent(f"{request}: not sent: {why}"))
