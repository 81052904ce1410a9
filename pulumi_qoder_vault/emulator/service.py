"""The service without its socket: authentication, rate limit, idempotency keys, faults, and the record of requests.

Knows the order of these steps, and nothing of sockets or of what the endpoints do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from .accounts import Account, Accounts
from .effects import Commit, Effect, Ending
from .endpoints import Context, describe_another
from .errors import ApiError, bad_request
from .fault_plan import FaultPlan, PlannedFault
from .fault_responses import changed_list, replacing_response
from .gateway import HTML, html_page
from .http_messages import JSON_TYPE, IncomingRequest, Response
from .ids import Clock, utc_now
from .rate import Rate
from .request_log import REDACTED, Request, RequestLog, redact, redact_headers
from .revisions import REVISIONS, Revision, RevisionName
from .routes import call_endpoint
from .store import Store
from .token_exchange import EXCHANGE_PATH, exchange

if TYPE_CHECKING:
    from .options import ServiceOptions

__all__ = ["Service", "WireResponse"]

OVERLOADED = Response(503, html_page("503 Service Temporarily Unavailable"), HTML)


@dataclass(frozen=True)
class WireResponse:
    """What the socket does for one request.

    Attributes:
        record: the request as it was recorded.
        delay_s: seconds to wait first.
        is_cut: half of the body is sent, and Content-Length is that of the half.
        interval_s: seconds between two pieces of a drip.
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
    interval_s: float = 0.0
    outage_s: float | None = None
    afterwards: Callable[[], None] | None = None


@dataclass
class _Admission:
    """A request after the checks that come before its endpoint; with a response if one of them gave it.

    Attributes:
        account: of its API token; the first one if it has none, and then there is a response.
        key: its idempotency key.
    """

    request: IncomingRequest
    account: Account
    response: Response | None = None
    key: str | None = None


class Service:
    """The service.

    Attributes:
        revision: the revision that is served; may be changed at any time.
        accounts: who may call it.
        stopping: ends all waits when it is set.
    """

    def __init__(self, revision: RevisionName, api_token: str, options: ServiceOptions, clock: Clock = utc_now) -> None:
        self.revision = revision
        self.options = options
        self.clock = clock
        self.accounts = Accounts(Account(self._new_store(), api_token, clock))
        self.request_log = RequestLog()
        self.faults = FaultPlan()
        self.stopping = threading.Event()
        self._write_rate = Rate(options.writes_per_second)
        self._read_rate = Rate(options.reads_per_second)
        self._gateway_rate = Rate(options.overload_per_second)

    def add_account(self, api_token: str | None) -> Account:
        """Add an account without vaults."""
        return self.accounts.add(self._new_store(), api_token, self.clock)

    def _new_store(self) -> Store:
        return Store(self.options, self._has_unique_urls, self.clock)

    def _has_unique_urls(self) -> bool:
        option = self.options.unique_url
        return self._revision.has_unique_urls if option is None else option

    @property
    def _revision(self) -> Revision:
        return REVISIONS[self.revision]

    def handle(self, request: IncomingRequest) -> WireResponse:
        """Handle a request, or not, as its fault says; record it; return what the socket does."""
        account = self.accounts.of(request.bearer_token) or self.accounts.first
        if not self._gateway_rate.admits():
            return self._respond(request, account, OVERLOADED, None)
        fault = self.faults.take(request.method, request.path)
        commit = Commit.FIRST if fault is None else fault.effect.commit
        if commit is Commit.NEVER:
            return self._respond(request, account, Response(200), fault)
        admission = self._admit(request, account)
        if commit is Commit.LATER:
            wire = self._respond(request, account, Response(200), fault)
            return replace(wire, delay_s=0.0, afterwards=partial(self._commit_later, admission, wire.delay_s))
        with account.store.lock:
            return self._respond(request, account, self._commit(admission), fault)

    def date(self) -> datetime:
        """Return the time in the header `Date`."""
        return self.clock() + timedelta(seconds=self.options.date_ahead_s)

    def wait(self, duration_s: float) -> bool:
        """Wait, possibly for ever; return True if the wait ended early because the emulator stops."""
        return self.stopping.wait(min(duration_s, threading.TIMEOUT_MAX))

    def _admit(self, request: IncomingRequest, account: Account) -> _Admission:
        """Check a request, claim its idempotency key, and wait for the latency."""
        admission = _Admission(request, account)
        try:
            self._check(request)
            key = self._key(request)
            if key is not None:
                admission.response = account.keys.claim(key, (request.method, request.path, request.json()))
                admission.key = key if admission.response is None else None
        except ApiError as error:
            admission.response = _error_response(request, error)
        self.wait(self.options.latency_s)
        return admission

    def _check(self, request: IncomingRequest) -> None:
        if request.segments is None:
            return
        if self.accounts.of(request.bearer_token) is None:
            raise ApiError(401, self._unauthorized_type, "Invalid API key or token.")
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
                raise bad_request("Request body must be valid JSON.") from None

    @property
    def _unauthorized_type(self) -> str:
        return self.options.unauthorized_type or self._revision.unauthorized_type

    def _key(self, request: IncomingRequest) -> str | None:
        if self.options.idempotency and request.method in ("POST", "DELETE") and request.segments is not None:
            return request.headers.get("idempotency-key") or None
        return None

    def _commit(self, admission: _Admission) -> Response:
        """Return the response of the endpoint, or the one that a check gave."""
        if admission.response is not None:
            return admission.response
        is_exchange = admission.request.path == EXCHANGE_PATH
        if admission.request.segments is None and not is_exchange:
            return Response(404, {"status": 404, "error": "Not Found"})
        try:
            response = (
                exchange(admission.request, self.accounts, self.options, self._unauthorized_type)
                if is_exchange
                else call_endpoint(self._context(admission.request, admission.account))
            )
        except ApiError as error:
            response = _error_response(admission.request, error)
        except BaseException:
            if admission.key is not None:
                admission.account.keys.release(admission.key)
            raise
        if admission.key is not None:
            admission.account.keys.keep(admission.key, response)
        return response

    def _commit_later(self, admission: _Admission, delay_s: float) -> None:
        if not self.wait(delay_s):
            with admission.account.store.lock:
                self._commit(admission)

    def _context(self, request: IncomingRequest, account: Account) -> Context:
        return Context(account.store, self._revision, self.options, request)

    def _respond(
        self, request: IncomingRequest, account: Account, response: Response, fault: PlannedFault | None
    ) -> WireResponse:
        """Apply the fault and record the request, with what is true at this moment."""
        effect = Effect("") if fault is None else fault.effect
        if effect.is_about_another:
            response = describe_another(self._context(request, account)) or response
        if effect.list_change is not None:
            response = changed_list(response, effect.list_change)
        replacement = replacing_response(request, effect)
        body, headers = (replacement or response).encoded()
        if replacement is not None:
            given = {name for name, _ in effect.headers}
            headers = (*effect.headers, *(header for header in headers if header[0] not in given))
        status = (replacement or response).status
        has_status = effect.ending in (Ending.RESPONSE, Ending.SHORT, Ending.DRIP_HEADERS, Ending.DRIP_BODY)
        with account.store.lock:
            record = self._record(request, account, status if has_status else None, fault)
        return WireResponse(
            status=status,
            headers=(*headers, *effect.retry_after_header()),
            body=body,
            record=record,
            ending=effect.ending,
            delay_s=0.0 if effect.is_outage or effect.ending.is_drip else effect.delay_s,
            is_cut=effect.is_cut,
            interval_s=effect.delay_s,
            outage_s=effect.delay_s if effect.is_outage else None,
        )

    def _record(
        self, request: IncomingRequest, account: Account, status: int | None, fault: PlannedFault | None
    ) -> Request:
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
            active_urls=account.store.active_urls(),
        )
        self.request_log.add(record)
        return record

    def _redact(self, text: str) -> str:
        for secret in self.accounts.secrets():
            text = text.replace(secret, REDACTED)
        return text


def _error_response(request: IncomingRequest, error: ApiError) -> Response:
    return Response(error.status, error.envelope(request.request_id), error.headers)
