"""Send a request to Qoder: retries, Retry-After, rate limit, time budget, and errors without secrets.

Knows HTTP and how the API words its errors; knows neither paths nor what a vault is.
"""

import email.utils
import json
import math
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import tenacity

from .. import errors
from ..secret import Secret, one_line
from ..settings import DEFAULT_BASE_URL, Settings
from .rate import Clock, Limiter

MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
CONNECT_S = 10.0
MOST_AHEAD_S = 24 * 3600.0  # no machine's clock is further off; such a ``Date`` is a proxy's, or nonsense
LEAST_S = 5.0  # what a wait leaves for a request that must not be sent twice, or a tenth of its time if that is less
LONG_WAIT_S = 2.0  # a longer one is told
SAID_AFTER_S = 3.0  # so long a wait for a connection is told
ENOUGH = 4  # attempts to reach a host that does not exist, or a server of this machine that does not run

NO_CONTENT: Final = object()  # what a 204 gives

Tell = Callable[[str], None]

_ERRORS: Mapping[int, type[errors.ApiError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    408: errors.ServerError,
    409: errors.Conflict,
    429: errors.RateLimited,
}

# httpx raises these before a request is on its way. Any other transport error leaves open whether it was handled.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    Attributes:
        path: below the base URL, with a leading slash.
        secrets: every access token that the response could echo.
        is_repeatable: True if sending it twice does what sending it once does.
        deadline_s: when its time is over, by the clock's ``monotonic_s``; None gives it the time in ``qoder:timeout``.
        is_recovery: True if it looks for, or takes back, what an earlier one did: it is sent though all is over.
        tell: is told of every long wait, in one line.
        begins: True if nothing was done before it: once all is over, it is not sent any more.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    secrets: tuple[Secret, ...] = ()
    is_repeatable: bool = False
    deadline_s: float | None = None
    is_recovery: bool = False
    tell: Tell | None = None
    begins: bool = False
    idempotency_key: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def whose_time(self) -> str:
        """What an error calls the time that it has."""
        if self.deadline_s is None:
            return "qoder:timeout"
        return "its own" if self.is_recovery else "customTimeouts"


class _Failed(Exception):
    """One attempt failed; tells whether another one may follow, and when."""

    def __init__(self, error: errors.QoderError, *, may_repeat: bool, retry_after_s: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.may_repeat = may_repeat
        self.retry_after_s = retry_after_s


class _Connecting:
    """The wait of one request for a connection, over all its attempts.

    It is told while it lasts: an attempt may hang in the resolver, or in a network that swallows everything.

    Args:
        clock: what all waits go by.
        tell: is told, once it has taken ``SAID_AFTER_S``; is given what the last attempt met. None if nobody listens.

    Attributes:
        met_nobody: how many attempts in a row met no such host, or nothing that listens on this machine.
    """

    def __init__(self, clock: Clock, tell: Tell | None) -> None:
        self._clock = clock
        self._tell = tell
        self._met = ""
        self._since_s: float | None = None
        self._timer: threading.Timer | None = None
        self.met_nobody = 0

    def begin(self) -> None:
        """Begin an attempt; the wait goes on where the last one made no connection."""
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        if self._timer is None and self._tell is not None:
            self._timer = threading.Timer(SAID_AFTER_S, self._say)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """There is a connection, or nobody waits any more."""
        self._since_s, self._met, self.met_nobody = None, "", 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def missed(self, met: str, *, nobody: bool) -> None:
        """An attempt made no connection."""
        self._met = met
        self.met_nobody = self.met_nobody + 1 if nobody else 0
        if self._since_s is not None and self._clock.monotonic_s() - self._since_s >= SAID_AFTER_S:
            self._say()

    @property
    def is_waiting(self) -> bool:
        """True from the beginning of an attempt until there is a connection."""
        return self._since_s is not None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn from httpcore that a connection carries the request; to a proxy, it first carries a ``CONNECT``."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.end()

    def _say(self) -> None:
        if self._tell is not None and self._since_s is not None and not self.met_nobody:
            self._tell(self._met)


class Transport:
    """A connection to one Qoder. Thread-safe; one for each process.

    Args:
        settings: where, with which API token, and how fast.
        user_agent: who asks.
        clock: where time comes from.

    Attributes:
        deleted_ids: the credentials that this process deleted.
        known_secrets: every secret that an operation of this process was handed.
    """

    def __init__(self, settings: Settings, user_agent: str, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._ahead_s = 0.0
        self.deleted_ids: set[str] = set()
        self.known_secrets: set[Secret] = {settings.api_token} if settings.api_token else set()
        self._reads = Limiter(settings.max_reads_per_second, self._clock)
        self._writes = Limiter(settings.max_writes_per_second, self._clock)
        self._http = _http_client(settings, user_agent)
        self._saying = threading.Lock()
        self._has_said = False
        self._backoff = tenacity.wait_exponential(multiplier=1, max=30) + tenacity.wait_random(0, 0.5)

    @property
    def settings(self) -> Settings:
        """How this Qoder is reached."""
        return self._settings

    @property
    def clock(self) -> Clock:
        """What all waits go by."""
        return self._clock

    @property
    def ahead_s(self) -> float:
        """How far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much."""
        return self._ahead_s

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def wait(self, wait_s: float, why: str, tell: Tell | None) -> None:
        """Let time pass, and say so if it is long. Returns at once where all is over."""
        if wait_s > LONG_WAIT_S and tell is not None and not self._clock.is_over():
            tell(f"{why}: waiting {_seconds(wait_s)}")
        self._clock.sleep(wait_s)

    def send(self, request: Request) -> Any:
        """Send a request, and again where that cannot do it twice. Give the JSON of the response.

        NO_CONTENT is given for a 204, None for any other empty response, which may be a proxy's.

        Raises:
            NotSent: no API token, no connection, or no time before it was sent.
            OutcomeUnknown: it may have been handled.
            ApiError: Qoder refused it.
        """
        began_s = self._clock.monotonic_s()
        deadline_s = began_s + self._settings.timeout_s if request.deadline_s is None else request.deadline_s
        least_s = 0.0 if request.is_repeatable else max(min(LEAST_S, (deadline_s - began_s) / 10), 0.0)
        may_be_done = False
        why = ""

        def left_s() -> float:
            return deadline_s - self._clock.monotonic_s()

        def wait_s(state: tenacity.RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            asked_s = failure.retry_after_s if isinstance(failure, _Failed) else None
            return asked_s if asked_s is not None else self._backoff(state)

        def before_sleep(state: tenacity.RetryCallState) -> None:
            nonlocal why
            failure = state.outcome.exception() if state.outcome else None
            is_limited = isinstance(failure, _Failed) and isinstance(failure.error, errors.RateLimited)
            why = "Qoder limits the rate" if is_limited else f"{request} failed and is tried again"

        def attempt() -> Any:
            nonlocal may_be_done
            try:
                return self._attempt(request, connecting, left_s, least_s)
            except _Failed as failed:
                may_be_done |= failed.error.may_be_done
                raise

        def is_enough() -> bool:
            # What is to be looked for, or taken back, was sent to somebody who was there a moment ago.
            return connecting.met_nobody >= ENOUGH and not request.is_recovery

        budget = f"the {_seconds(deadline_s - began_s)} of {request.whose_time}"
        is_told = request.tell is None or self._has_said
        connecting = _Connecting(
            self._clock, None if is_told else lambda met: self._say_unreachable(request, met, budget)
        )
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda failure: isinstance(failure, _Failed) and failure.may_repeat),
            wait=wait_s,
            stop=lambda state: is_enough() or state.upcoming_sleep >= left_s() - least_s or self._clock.is_over(),
            before_sleep=before_sleep,
            # The wait for a connection is told once, and not for each attempt.
            sleep=lambda wait_s: self.wait(wait_s, why, None if connecting.is_waiting else request.tell),
            reraise=True,
        )
        try:
            return attempts(attempt)
        except _Failed as failed:
            # Only the error itself goes out: the failed attempt, its request and its body stay behind.
            error = failed.error
            error.may_be_done = may_be_done
            passed_s = self._clock.monotonic_s() - began_s
            tried = attempts.statistics["attempt_number"]
            if is_enough():
                error.args = (f"{error}; gave up after {_tries(passed_s, tried)}",)
            elif failed.may_repeat:
                _add_waiting(
                    error,
                    failed.retry_after_s,
                    passed_s,
                    tried,
                    "the end of this run" if self._clock.is_over() else budget,
                    is_tight=not self._clock.is_over() and (failed.retry_after_s or 0.0) < left_s(),
                )
        finally:
            connecting.end()
        raise error

    def _attempt(self, request: Request, connecting: _Connecting, left_s: Any, least_s: float) -> Any:
        headers = self._headers(request)
        limiter = self._reads if request.method == "GET" else self._writes
        # Where all is over nobody waits, so that no place is too late for what is to be taken back.
        is_last = self._clock.is_over() and request.is_recovery
        while True:
            pause_s = limiter.wait_s(
                math.inf if is_last else max(left_s() - least_s, 0.0), goes_first=request.is_recovery
            )
            if pause_s is None:
                raise _Failed(
                    errors.NotSent(
                        f"{request}: not sent, since the rate limit leaves no place within the time of "
                        f"{request.whose_time}"
                    ),
                    may_repeat=False,
                )
            if not pause_s:
                break
            self.wait(pause_s, "keeping to the rate limit", request.tell)
            if self._clock.is_over() and not request.is_recovery:
                raise _Failed(errors.NotSent(f"{request}: not sent, since this run was cancelled"), may_repeat=False)
            if self._clock.is_over() or not limiter.is_paused():
                break
        if request.begins and self._clock.is_over() and not request.is_recovery:
            raise _Failed(errors.NotSent(f"{request}: not sent, since this run was cancelled"), may_repeat=False)
        if left_s() <= 0 and not request.is_recovery:
            line = f"{request}: not sent, since no time is left of {request.whose_time}"
            raise _Failed(errors.NotSent(line), may_repeat=False)
        timeout = httpx.Timeout(max(left_s(), 0.1), connect=max(min(left_s(), CONNECT_S), 0.1))
        connecting.begin()
        try:
            with self._http.stream(
                request.method,
                self._settings.base_url + request.path,
                params=request.query,
                content=json.dumps(request.body, ensure_ascii=False).encode() if request.body is not None else None,
                headers=headers,
                timeout=timeout,
                extensions={"trace": connecting.trace},
            ) as response:
                self._learn_time(response.headers.get("Date"))
                return self._read(request, response, _read_body(request, response, left_s))
        except _Failed as failed:
            if isinstance(failed.error, errors.RateLimited):
                limiter.slow_down(failed.retry_after_s or 0.0)
            raise
        except httpx.HTTPError as failure:
            raise self._transport_failure(request, connecting, failure) from None
        except (httpx.InvalidURL, UnicodeError):
            # UnicodeError: a host name that is none. httpx reads that of a redirect too, which is refused like any.
            error_ = errors.Unreachable(f"{request}: qoder:baseUrl, the proxy or a redirect names a URL that is none")
            raise _Failed(error_, may_repeat=False) from None
        except _TooMuch as failure:
            error = errors.OutcomeUnknown(f"{request}: {failure}")
            raise _Failed(error, may_repeat=False) from None
        except Exception as failure:  # noqa: BLE001 whatever breaks here, the request may have been handled
            error = errors.OutcomeUnknown(f"{request}: the response could not be read ({type(failure).__name__})")
            raise _Failed(error, may_repeat=False) from None

    def _learn_time(self, date: str | None) -> None:
        with suppress(TypeError, ValueError, OverflowError):
            # A date has whole seconds, and was written before it arrived: Qoder's clock shows this, or more.
            ahead_s = _epoch_s(date or "") - self._clock.now_s()
            if abs(ahead_s) <= MOST_AHEAD_S:
                self._ahead_s = ahead_s

    def _headers(self, request: Request) -> dict[str, str]:
        token = self._settings.api_token
        if token is None:
            raise _Failed(
                errors.NotSent(f"{request}: not sent, since no API token is set; {self._settings.if_missing}"),
                may_repeat=False,
            )
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
        if self._settings.workspace_id:
            headers["qoder-workspace-id"] = self._settings.workspace_id
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        return headers

    def _secrets(self, request: Request) -> tuple[Secret, ...]:
        token = self._settings.api_token
        return (*request.secrets, token) if token else request.secrets

    def _transport_failure(self, request: Request, connecting: _Connecting, failure: httpx.HTTPError) -> _Failed:
        text = one_line(str(failure), self._secrets(request), limit=160) or type(failure).__name__
        host = self._settings.host
        if not isinstance(failure, _NOT_SENT):
            return _Failed(
                errors.OutcomeUnknown(
                    f"{request}: the connection to {host} broke before the whole response was here ({text})"
                ),
                may_repeat=request.is_repeatable,
            )
        is_untrusted = "CERTIFICATE_VERIFY_FAILED" in text
        is_alone = self._settings.is_loopback and _is_caused_by(failure, ConnectionRefusedError)
        is_unknown = _is_unknown_host(failure)
        if is_untrusted:
            hint = "set SSL_CERT_FILE to your own CA"
        elif is_alone:
            hint = "nothing listens there: start the emulator, or check qoder:baseUrl"
        elif is_unknown:
            hint = "there is no such host: check qoder:baseUrl and the proxy"
        else:
            hint = "check qoder:baseUrl, the network and the proxy"
        connecting.missed(text, nobody=is_alone or is_unknown)
        return _Failed(
            errors.Unreachable(f"{request}: no connection to {host} ({text}); {hint}"),
            may_repeat=not is_untrusted,
        )

    def _say_unreachable(self, request: Request, met: str, budget: str) -> None:
        """Tell of a wait for a connection that goes on: once, whatever waits beside it."""
        with self._saying:
            is_first, self._has_said = not self._has_said, True
        if is_first and request.tell is not None and not self._clock.is_over():
            why = f" ({met})" if met else ""
            request.tell(
                f"no connection to {self._settings.host} for {_seconds(SAID_AFTER_S)}{why}: still trying, for "
                f"{budget}; check qoder:baseUrl, the network and the proxy"
            )

    def _read(self, request: Request, response: httpx.Response, body: bytes) -> Any:
        if response.is_success:
            if response.status_code == 204:
                return NO_CONTENT
            if not body:
                return None
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                error = errors.OutcomeUnknown(
                    f"{request}: the response ({response.status_code}, host {self._settings.host}) is not JSON; check "
                    "qoder:baseUrl and the proxy"
                )
                raise _Failed(error, may_repeat=False) from None
        if response.is_redirect:
            error_: errors.QoderError = errors.Unreachable(
                f"{request}: redirected ({response.status_code}), which is refused: the API token goes to "
                f"{self._settings.host} only; set qoder:baseUrl to the API itself"
            )
            raise _Failed(error_, may_repeat=False)
        answer = replace(_answer(response.status_code, body, self._secrets(request)), host=self._settings.host)
        kind = errors.ServerError if response.status_code >= 500 else _ERRORS.get(response.status_code, errors.ApiError)
        raise _Failed(
            kind(str(request), answer, self._advice(request, answer)),
            # A 429 was refused before it was handled; after a 408 or 5xx only what is the same twice goes again.
            may_repeat=kind is errors.RateLimited or (kind is errors.ServerError and request.is_repeatable),
            retry_after_s=_retry_after_s(response.headers.get("Retry-After"), self._clock.now_s() + self._ahead_s),
        )

    def _advice(self, request: Request, answer: errors.ErrorResponse) -> str:
        """Return what to do where the settings say it, or are in doubt; nothing to leave it to the error."""
        if answer.status == 401:
            return self._settings.if_refused
        # Every Qoder has the list of vaults. One who does not know it, or is not the API, was asked by mistake.
        lacks_vaults = answer.status == 404 and request.path == "/vaults"
        is_elsewhere = answer.status < 500 and answer.status not in (408, 429) and not answer.error_type
        if lacks_vaults or is_elsewhere or answer.status == 405:
            return (
                f"check the proxy and qoder:baseUrl, which is {self._settings.base_url}; the API's is like "
                f"{DEFAULT_BASE_URL}"
            )
        return ""


class _TooMuch(Exception):
    """A response that is too large, or comes too slowly."""


def _http_client(settings: Settings, user_agent: str) -> httpx.Client:
    headers = {"User-Agent": user_agent, "Accept": "application/json"}
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    try:
        if settings.is_loopback:
            # A transport of its own keeps httpx from looking for a proxy.
            direct = httpx.HTTPTransport(limits=limits)
            return httpx.Client(transport=direct, headers=headers, follow_redirects=False)
        return httpx.Client(headers=headers, follow_redirects=False, limits=limits)
    except (ImportError, ValueError, httpx.InvalidURL):
        raise errors.NotSent(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: must be an http or https URL (socks needs httpx[socks])"
        ) from None
    except (OSError, ssl.SSLError):
        raise errors.NotSent("SSL_CERT_FILE or SSL_CERT_DIR: the certificates in it cannot be read") from None


def _read_body(request: Request, response: httpx.Response, left_s: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_ERROR_BYTES and not response.is_success:
            return b""  # No envelope is so large, and to search it for secrets takes long.
        if size > MAX_ANSWER_BYTES:
            raise _TooMuch(f"the response is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MiB")
        if left_s() <= 0:
            raise _TooMuch(f"the response was not whole when the time of {request.whose_time} was over")
    return b"".join(parts)


def _answer(status: int, body: bytes, secrets: tuple[Secret, ...]) -> errors.ErrorResponse:
    """Read an error envelope. Of anything else only the status is used: nobody knows what a proxy's page holds."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return errors.ErrorResponse(status)
    error = envelope.get("error") if isinstance(envelope, dict) else None
    if not isinstance(error, dict) or envelope.get("type") != "error":
        return errors.ErrorResponse(status)

    def field(value: Any, limit: int) -> str:
        return one_line(value, secrets, limit=limit) if isinstance(value, str) else ""

    return errors.ErrorResponse(
        status,
        error_type=field(error.get("type"), 60),
        message=field(error.get("message"), 300),
        param=field(error.get("param"), 100),
        request_id=field(envelope.get("request_id"), 100),
    )


def rfc3339(epoch_s: float) -> str:
    """Write a time as Qoder does."""
    return datetime.fromtimestamp(epoch_s, UTC).replace(tzinfo=None).isoformat() + "Z"


def _retry_after_s(header: str | None, now_s: float) -> float | None:
    """Read ``Retry-After``: seconds or a date. None for none, for one that is past, and for what is neither."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:12])
    else:
        try:
            wait_s = _epoch_s(text) - now_s
        except (ValueError, TypeError, OverflowError):
            return None
    return wait_s if wait_s > 0 else None


def _epoch_s(date: str) -> float:
    """Read a date of HTTP; it is UTC where it does not say so.

    Raises:
        TypeError, ValueError, OverflowError: it is none.
    """
    moment = email.utils.parsedate_to_datetime(date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _seconds(duration_s: float) -> str:
    return f"{max(duration_s, 0.0):.{0 if duration_s >= 10 else 1}f}".removesuffix(".0") + " s"


def _tries(passed_s: float, attempts: int) -> str:
    return f"{_seconds(passed_s)} and {attempts} attempt{'s' if attempts > 1 else ''}"


def _is_unknown_host(failure: BaseException) -> bool:
    """True if the resolver says that there is no such host; one that is out of order says something else."""
    none = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    return _is_caused_by(failure, socket.gaierror, none)


def _is_caused_by(failure: BaseException | None, kind: type[OSError], codes: Collection[int] = ()) -> bool:
    """True if an error of the operating system is what a transport error began with."""
    while failure is not None:
        if isinstance(failure, kind) and (not codes or failure.errno in codes):
            return True
        failure = failure.__cause__ or failure.__context__
    return False


def _add_waiting(
    error: errors.QoderError,
    retry_after_s: float | None,
    passed_s: float,
    attempts: int,
    budget: str,
    *,
    is_tight: bool,
) -> None:
    """Say in an error why it was not tried again."""
    if retry_after_s is not None:
        much = "which leaves too little" if is_tight else "more than is left"
        error.args = (f"{error}; Qoder asks to wait {_seconds(retry_after_s)}, {much} of {budget}",)
        return
    error.args = (f"{error}; gave up after {_tries(passed_s, attempts)}, since the next wait would pass {budget}",)
