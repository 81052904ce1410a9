"""The service without its socket: authentication, rate limit, idempotency keys, faults, and the record of requests.

Knows the order of these steps, and nothing of sockets or of what the endpoints do.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

from .endpoints import IncomingRequest, Response, call_endpoint
from .errors import ApiError, bad_request, conflict
from .faults import JSON_TYPE, Commit, Effect, Ending, FaultPlan, PlannedFault, hostile_text
from .request_log import REDACTED, Request, RequestLog, redact, redact_headers, secrets_in
from .revisions import REVISIONS, RevisionName
from .store import Clock, Store, utc_now

if TYPE_CHECKING:
    from .options import ServiceOptions

__all__ = ["IdempotencyKeys", "Service", "WireResponse"]

KEY_LIFETIME_S = 24 * 60 * 60.0


@dataclass(frozen=True)
class WireResponse:
    """What the socket does for one request.

    Attributes:
        record: the request as it was recorded.
        delay_s: seconds to wait first.
        is_cut: half of the body is sent, and Content-Length is that of the half.
        outage_s: length of the outage that starts just before the response; None: no outage.
        afterwards: what the service does after the response.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    record: Request
    ending: Ending = Ending.RESPONSE
    delay_s: float = 0.0
    is_cut: bool = False
    outage_s: float | None = None
    afterwards: Callable[[], None] | None = None


@dataclass
class _Admission:
    """A request after the checks that come before its endpoint; with a response if one of them gave it."""

    request: IncomingRequest
    response: Response | None = None
    key: str | None = None


class Service:
    """The service.

    Attributes:
        api_token: the token that is accepted; may be changed at any time.
        revision: the revision that is served; may be changed at any time.
        stopping: ends all waits when it is set.
    """

    def __init__(self, revision: RevisionName, api_token: str, options: ServiceOptions, clock: Clock = utc_now) -> None:
        self.api_token = api_token
        self.revision = revision
        self.options = options
        self.store = Store(options, clock)
        self.request_log = RequestLog()
        self.faults = FaultPlan()
        self.stopping = threading.Event()
        self._keys = IdempotencyKeys()
        self._write_rate = _Rate(options.writes_per_second)
        self._read_rate = _Rate(options.reads_per_second)

    def handle(self, request: IncomingRequest) -> WireResponse:
        """Handle a request, or not, as its fault says; record it; return what the socket does."""
        fault = self.faults.take(request.method, request.path)
        commit = Commit.FIRST if fault is None else fault.effect.commit
        if commit is Commit.NEVER:
            return self._respond(request, Response(200), fault)
        admission = self._admit(request)
        if commit is Commit.LATER:
            wire = self._respond(request, Response(200), fault)
            return replace(wire, delay_s=0.0, afterwards=partial(self._commit_later, admission, wire.delay_s))
        with self.store.lock:
            return self._respond(request, self._commit(admission), fault)

    def wait(self, duration_s: float) -> bool:
        """Wait, possibly for ever; return True if the wait ended early because the emulator stops."""
        return self.stopping.wait(min(duration_s, threading.TIMEOUT_MAX))

    def _admit(self, request: IncomingRequest) -> _Admission:
        """Check a request, claim its idempotency key, and wait for the latency."""
        admission = _Admission(request)
        try:
            self._check(request)
            key = self._key(request)
            if key is not None:
                admission.response = self._keys.claim(key, (request.method, request.path, request.json()))
                admission.key = key if admission.response is None else None
        except ApiError as error:
            admission.response = _error_response(request, error)
        self.wait(self.options.latency_s)
        return admission

    def _check(self, request: IncomingRequest) -> None:
        if request.segments is None:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self.api_token.encode()):
            type_ = REVISIONS[self.revision].unauthorized_type
            raise ApiError(401, type_, "The authentication token is missing or invalid.")
        rate = self._read_rate if request.method in ("GET", "HEAD") else self._write_rate
        if not rate.admits():
            raise ApiError(429, "rate_limit_error", "Too many requests.", headers=(("Retry-After", "1"),))
        if request.body:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != JSON_TYPE:
                raise bad_request("Content-Type must be application/json.")
            try:
                request.json()
            except ValueError:
                raise bad_request("The request body is not valid JSON.") from None

    def _key(self, request: IncomingRequest) -> str | None:
        if self.options.idempotency and request.method in ("POST", "DELETE") and request.segments is not None:
            return request.headers.get("idempotency-key") or None
        return None

    def _commit(self, admission: _Admission) -> Response:
        """Return the response of the endpoint, or the one that a check gave."""
        if admission.response is not None:
            return admission.response
        if admission.request.segments is None:
            return Response(404, {"status": 404, "error": "Not Found"})
        try:
            response = call_endpoint(self.store, REVISIONS[self.revision], self.options, admission.request)
        except ApiError as error:
            response = _error_response(admission.request, error)
        except BaseException:
            if admission.key is not None:
                self._keys.release(admission.key)
            raise
        if admission.key is not None:
            self._keys.keep(admission.key, response)
        return response

    def _commit_later(self, admission: _Admission, delay_s: float) -> None:
        if not self.wait(delay_s):
            with self.store.lock:
                self._commit(admission)

    def _respond(self, request: IncomingRequest, response: Response, fault: PlannedFault | None) -> WireResponse:
        """Apply the fault and record the request, with what is true at this moment."""
        effect = Effect("") if fault is None else fault.effect
        replacement = _replacement(request, effect)
        body, headers = (replacement or response).encoded()
        if replacement is not None:
            given = {name for name, _ in effect.headers}
            headers = (*effect.headers, *(header for header in headers if header[0] not in given))
        status = (replacement or response).status
        has_status = effect.ending in (Ending.RESPONSE, Ending.SHORT)
        with self.store.lock:
            record = self._record(request, status if has_status else None, fault)
        return WireResponse(
            status=status,
            headers=(*headers, *effect.retry_after_header()),
            body=body,
            record=record,
            ending=effect.ending,
            delay_s=0.0 if effect.is_outage else effect.delay_s,
            is_cut=effect.is_cut,
            outage_s=effect.delay_s if effect.is_outage else None,
        )

    def _record(self, request: IncomingRequest, status: int | None, fault: PlannedFault | None) -> Request:
        try:
            body = redact(request.json())
        except ValueError:
            body = REDACTED
        record = Request(
            method=request.method,
            path=self._redact(request.path),
            query={key: self._redact(value) for key, value in request.query.items()},
            headers={key: self._redact(value) for key, value in redact_headers(request.headers).items()},
            body=body,
            status=status,
            fault=None if fault is None else fault.name,
            active_urls=self.store.active_urls(),
        )
        self.request_log.add(record)
        return record

    def _redact(self, text: str) -> str:
        return text.replace(self.api_token, REDACTED)


class IdempotencyKeys:
    """The idempotency keys of the last day and their responses.

    Source: Qoder, API conventions (read 2026-05 to 2026-07). On POST and DELETE, the same key and body within 24 h get
    the first response again; the same key and another body are a 409.

    Attributes:
        clock: returns seconds from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._claims: dict[str, tuple[float, object, Response | None]] = {}

    def claim(self, key: str, request: object) -> Response | None:
        """Return the response to send again; or None, and the key belongs to this request until `keep` or `release`.

        Raises:
            ApiError: 409, the key was used for another request, or its first request is still being handled.
        """
        with self._lock:
            now_s = self.clock()
            claimed_s, first, response = self._claims.get(key, (now_s, request, None))
            if key not in self._claims or now_s - claimed_s >= KEY_LIFETIME_S:
                self._claims[key] = (now_s, request, None)
                return None
            if first != request:
                raise conflict("This Idempotency-Key was used with another request.")
            if response is None:
                raise conflict("The first request with this Idempotency-Key is still in work.")
            return response

    def keep(self, key: str, response: Response) -> None:
        """Store the first response."""
        with self._lock:
            claimed_s, request, _ = self._claims[key]
            self._claims[key] = (claimed_s, request, response)

    def release(self, key: str) -> None:
        """Forget the key: its request was not handled."""
        with self._lock:
            self._claims.pop(key, None)


class _Rate:
    """A limit of requests in any second."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def admits(self) -> bool:
        """Count one more request if the limit allows it; return True if it does."""
        if self._per_second is None:
            return True
        with self._lock:
            now_s = time.monotonic()
            while self._times and now_s - self._times[0] >= 1.0:
                self._times.popleft()
            if len(self._times) >= self._per_second:
                return False
            self._times.append(now_s)
            return True


def _replacement(request: IncomingRequest, effect: Effect) -> Response | None:
    """Return the response that a fault sends instead of the service's own."""
    if effect.echo is not None:
        text = hostile_text(_secrets_of(request))
        if effect.echo != JSON_TYPE:
            return Response(effect.status or 400, text.encode(), (("Content-Type", effect.echo),))
        error = {"type": text, "message": text, "param": text}
        return Response(effect.status or 400, {"type": "error", "request_id": text, "error": error})
    if effect.status is None:
        return None
    body = effect.body
    if isinstance(body, dict) and body.get("type") == "error":
        body = {**body, "request_id": _request_id(request)}
    return Response(effect.status, body)


def _secrets_of(request: IncomingRequest) -> list[str]:
    token = request.headers.get("authorization", "").partition(" ")[2]
    try:
        return [secret for secret in (token, *secrets_in(request.json())) if secret]
    except ValueError:
        return [token] if token else []


def _error_response(request: IncomingRequest, error: ApiError) -> Response:
    return Response(error.status, error.envelope(_request_id(request)), error.headers)


def _request_id(request: IncomingRequest) -> str:
    sent = request.headers.get("x-request-id", "")
    return sent if re.fullmatch(r"[!-~]{1,128}", sent) else f"req_{token_hex(12)}"
