"""From a call to a reply: who asks, how often, with which key; what goes wrong; what is written down.

Knows the order of these checks and nothing of sockets or of the endpoints' rules.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from .echo import hostile_text
from .faults import Commit, Effect, Ending, FaultPlan, PlannedFault
from .journal import HIDDEN, Journal, Request, hidden, hidden_headers, secrets_in
from .messages import Answer, Call, Reply
from .refusals import Refusal, invalid
from .replays import Replays
from .revisions import REVISIONS
from .routes import answer_call
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from .switches import Switches

__all__ = ["Service"]


@dataclass
class _Work:
    """A call that was let in, or refused at the door (`answer`)."""

    call: Call
    answer: Answer | None = None
    key: str | None = None


class Service:
    """The service without its socket.

    Attributes:
        api_token: the token that is let in; may be set to another.
        revision: a key of REVISIONS; may be set to another while it runs.
        stopping: set when waits are to end.
    """

    def __init__(self, revision: str, api_token: str, switches: Switches) -> None:
        self.api_token = api_token
        self.revision = revision
        self.switches = switches
        self.store = Store(switches)
        self.journal = Journal()
        self.faults = FaultPlan()
        self.stopping = threading.Event()
        self._replays: Replays[Answer] = Replays()
        self._rates = {True: _Rate(switches.writes_per_second), False: _Rate(switches.reads_per_second)}

    def exchange(self, call: Call) -> tuple[Reply, str | None, Callable[[], None] | None]:
        """Return the reply, the name of the fault in it, and what is still to do after the reply."""
        fault = self.faults.take(call.method, call.path)
        if fault is None or fault.effect.commit is Commit.FIRST:
            work = self._let_in(call)
            with self.store.lock:
                answer = self._carry_out(work)
                return self._reply(call, answer, fault), None if fault is None else fault.name, None
        later = self._let_in(call) if fault.effect.commit is Commit.LATER else None
        with self.store.lock:
            reply = self._reply(call, Answer(200), fault)
        if later is None:
            return reply, fault.name, None
        return replace(reply, delay_s=0.0), fault.name, lambda: self._commit_later(later, reply.delay_s)

    def wait(self, seconds: float) -> bool:
        """Wait, for ever too; True: the emulator stops, and the wait ended early."""
        return self.stopping.wait(min(seconds, threading.TIMEOUT_MAX))

    def _let_in(self, call: Call) -> _Work:
        """Check what is checked before an endpoint is asked, claim the key, and be in work for the latency."""
        work = _Work(call)
        try:
            self._check_door(call)
            key = self._key(call)
            if key is not None:
                work.answer = self._replays.claim(key, (call.method, call.path, call.json()))
                work.key = key if work.answer is None else None
        except Refusal as refusal:
            work.answer = self._refused(call, refusal)
        self.wait(self.switches.latency_s)
        return work

    def _key(self, call: Call) -> str | None:
        takes_key = self.switches.idempotency and call.method in ("POST", "DELETE") and call.segments is not None
        return call.headers.get("idempotency-key") or None if takes_key else None

    def _check_door(self, call: Call) -> None:
        if call.segments is None:
            return
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self.api_token.encode()):
            raise Refusal(
                401, REVISIONS[self.revision].token_refused, "The authentication token is missing or invalid."
            )
        is_write = call.method not in ("GET", "HEAD")
        if not self._rates[is_write].admits():
            raise Refusal(429, "rate_limit_error", "Too many requests.", headers=(("Retry-After", "1"),))
        if call.body:
            media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise invalid("Content-Type must be application/json.")
            try:
                call.json()
            except ValueError:
                raise invalid("The request body is not valid JSON.") from None

    def _carry_out(self, work: _Work) -> Answer:
        if work.answer is not None:
            return work.answer
        if work.call.segments is None:
            return Answer(404, {"status": 404, "error": "Not Found"})
        try:
            answer = answer_call(self.store, REVISIONS[self.revision], self.switches, work.call)
        except Refusal as refusal:
            answer = self._refused(work.call, refusal)
        except BaseException:
            if work.key is not None:
                self._replays.release(work.key)
            raise
        if work.key is not None:
            self._replays.keep(work.key, answer)
        return answer

    def _commit_later(self, work: _Work, delay_s: float) -> None:
        if self.wait(delay_s):
            return
        with self.store.lock:
            self._carry_out(work)

    def _refused(self, call: Call, refusal: Refusal) -> Answer:
        return Answer(refusal.status, refusal.envelope(_request_id(call)), refusal.headers)

    def _reply(self, call: Call, answer: Answer, fault: PlannedFault | None) -> Reply:
        """Build the reply and write the request down, under the store's lock: it shows what is true then."""
        body, headers = answer.encoded()
        reply = Reply(answer.status, headers, body)
        if fault is not None:
            reply = self._faulty(call, reply, fault.effect)
        has_status = reply.ending in (Ending.ANSWER, Ending.SHORT)
        self.journal.add(
            Request(
                method=call.method,
                path=self.hide(call.path),
                query={key: self.hide(value) for key, value in call.query.items()},
                headers={key: self.hide(value) for key, value in hidden_headers(call.headers).items()},
                body=self._recorded_body(call),
                status=reply.status if has_status else None,
                fault=None if fault is None else fault.name,
                active_urls=self.store.active_urls(),
            )
        )
        return reply

    def _faulty(self, call: Call, reply: Reply, effect: Effect) -> Reply:
        if effect.echo is not None:
            text = hostile_text(self._secrets_of(call))
            envelope = {"type": "error", "request_id": text, "error": {"type": text, "message": text, "param": text}}
            is_json = effect.echo == "application/json"
            reply = Reply(*_triple(effect, Answer(effect.status or 400, envelope if is_json else text.encode())))
        elif effect.status is not None:
            content: Any = effect.body
            if isinstance(content, dict) and content.get("type") == "error":
                content = {**content, "request_id": _request_id(call)}
            reply = Reply(*_triple(effect, Answer(effect.status, content)))
        headers = reply.headers
        if effect.retry_after is not None:
            headers = (*headers, ("Retry-After", _retry_after(effect)))
        reply = replace(reply, headers=headers, ending=effect.ending, is_cut=effect.is_cut)
        if effect.is_outage:
            return replace(reply, outage_s=effect.delay_s)
        return replace(reply, delay_s=effect.delay_s)

    def _secrets_of(self, call: Call) -> list[str]:
        try:
            sent = list(secrets_in(call.json()))
        except ValueError:
            sent = []
        token = call.headers.get("authorization", "").partition(" ")[2]
        return [secret for secret in (token, *sent) if secret]

    def _recorded_body(self, call: Call) -> Any:
        try:
            return hidden(call.json())
        except ValueError:
            return HIDDEN

    def hide(self, text: str) -> str:
        """Return a text without the API token."""
        return text.replace(self.api_token, HIDDEN)


class _Rate:
    """At most so many in any second."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def admits(self) -> bool:
        """Count one more, if there is room."""
        if self._per_second is None:
            return True
        with self._lock:
            now = time.monotonic()
            while self._times and now - self._times[0] >= 1.0:
                self._times.popleft()
            if len(self._times) >= self._per_second:
                return False
            self._times.append(now)
            return True


def _request_id(call: Call) -> str:
    given = call.headers.get("x-request-id", "")
    return given if re.fullmatch(r"[!-~]{1,128}", given) else f"req_{token_hex(12)}"


def _triple(effect: Effect, answer: Answer) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    body, headers = answer.encoded()
    if effect.echo is not None and effect.echo != "application/json":
        headers = (("Content-Type", effect.echo),)
    given = {name for name, _ in effect.headers}
    return answer.status, (*effect.headers, *(pair for pair in headers if pair[0] not in given)), body


def _retry_after(effect: Effect) -> str:
    if not effect.is_retry_after_date:
        return str(effect.retry_after)
    # a date has whole seconds: rounded up, so that waiting for it waits no shorter than was asked
    moment = datetime.now(timezone.utc) + timedelta(seconds=float(effect.retry_after or 0) + 0.999999)
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
