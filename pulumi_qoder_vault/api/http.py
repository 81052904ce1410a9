"""Send one request once over HTTP, and read its response to the end; say what a failure on the way means.

Knows neither retries nor the rate limit, nor what a vault is.
"""

import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import httpx

from .. import errors
from ..secret import Secret
from ..settings import Settings
from .budget import Budget
from .gate import Gate
from .rate import Clock
from .request import CANCELLED, Failure, Incomplete, JsonValue, NoConnection, Outcome, Request
from .request_log import Seen
from .responses import Show, read_ahead_s, read_retry_after_s, read_success, refusal
from .watchdog import Attempt, Watchdog

MAX_RESPONSE_BYTES = 16 * 1024 * 1024  # once it is inflated
MAX_ERROR_BYTES = 64 * 1024
INFLATED_AT_ONCE = 64 * 1024
CONNECT_S = 10.0
LEAST_TIMEOUT_S = 0.1

# httpx raises these before a request is on its way. Any other transport error leaves open whether it was handled.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_UNKNOWN_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Refuse(Protocol):
    """Return what a response that is no 2xx means."""

    def __call__(
        self,
        request: Request,
        status: int,
        body: bytes,
        settings: Settings,
        show: Show,
        retry_after_s: float | None = None,
    ) -> Failure:
        """Return it, with what the response shows."""


class _Lane:
    """A client with one connection at a time, so that it is known which socket carries an attempt."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.socket: socket.socket | None = None


class Http:
    """The connections to one Qoder. Thread-safe.

    Args:
        settings: where, and what host an error names.
        user_agent: who asks.
        clock: where time comes from.
        gate: what all text of the server goes through.
        accept_encoding: what the server is told. Nothing is compressed, so that no response grows while it is read.
        refuse: reads a response that is no 2xx.

    Attributes:
        ahead_s: how far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much.
    """

    def __init__(
        self,
        settings: Settings,
        user_agent: str,
        clock: Clock,
        gate: Gate,
        *,
        accept_encoding: str = "identity",
        refuse: Refuse = refusal,
    ) -> None:
        self.ahead_s = 0.0
        self._accept_encoding = accept_encoding
        self._refuse = refuse
        self._gate = gate
        self._settings = settings
        self._user_agent = user_agent
        self._clock = clock
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._certificates = _certificates()
        self._lanes = [self._new_lane()]
        self._idle = list(self._lanes)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for lane in self._lanes:
                lane.client.close()

    def send(
        self, request: Request, token: Secret, budget: Budget, on_connected: Callable[[], None], seen: Seen
    ) -> JsonValue:
        """Send a request once, with this API token. Return the JSON of the response; see `read_success`.

        ``on_connected`` is called when a connection to Qoder carries the request, and ``seen`` is told of the response.
        The attempt ends with the budget, and soon after the run, unless it is a recovery.

        Raises:
            Failure: there is no such response.
        """
        left_s = max(budget.left_s(), LEAST_TIMEOUT_S)
        attempt = Attempt(left_s, lambda: not request.is_recovery and self._clock.is_over())
        try:
            response = self._exchange(request, token, budget, attempt, on_connected, left_s, seen)
        except Failure as failure:
            if attempt.end and isinstance(failure.error, errors.OutcomeUnknown):
                raise _incomplete(request, budget, attempt) from None
            raise
        if attempt.end:  # the end of the connection was ours
            raise _incomplete(request, budget, attempt)
        return response

    def _exchange(
        self,
        request: Request,
        token: Secret,
        budget: Budget,
        attempt: Attempt,
        on_connected: Callable[[], None],
        left_s: float,
        seen: Seen,
    ) -> JsonValue:
        def show(text: str, limit: int) -> str:
            return self._gate.one_line(text, (*request.secrets, token), limit=limit)

        content = None if request.body is None else _written(request.body)

        try:
            with self._lane() as lane, self._watchdog.watching(attempt):
                attempt.carried_by(lane.socket)

                def trace(event: str, info: Mapping[str, Any]) -> None:
                    if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                        lane.socket = info["return_value"].get_extra_info("socket")
                        attempt.carried_by(lane.socket)
                    # To a proxy, a connection first carries a CONNECT.
                    elif event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
                        attempt.is_sent = True
                        on_connected()

                with lane.client.stream(
                    request.method,
                    self._settings.base_url + request.path,
                    params=request.query,
                    content=content,
                    headers=self._headers(request, token, content)
                    | ({"x-request-id": seen.our_id} if seen.our_id else {}),
                    timeout=httpx.Timeout(left_s, connect=min(left_s, CONNECT_S)),
                    extensions={"trace": trace},
                ) as response:
                    seen.status = response.status_code
                    seen.server_id = response.headers.get("x-request-id", "")
                    return self._read(request, response, show)
        except Failure:
            raise
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise _incomplete(request, budget, attempt) from None
        except httpx.HTTPError as error:
            raise transport_failure(request, error, self._settings, show) from None
        except (httpx.InvalidURL, UnicodeError):
            # UnicodeError: not a valid host name. httpx parses the URL of a redirect, too, though it is refused.
            line = f"{request}: qoder:baseUrl, the proxy or a redirect is not a valid URL"
            is_lost = attempt.is_sent and request.method != "GET"
            raise Failure(errors.OutcomeUnknown(line) if is_lost else errors.Unreachable(line)) from None
        except Exception as error:  # noqa: BLE001 whatever breaks here, the request may have been handled
            line = f"{request}: the response could not be read ({type(error).__name__})"
            raise Failure(errors.OutcomeUnknown(line)) from None

    @contextmanager
    def _lane(self) -> Iterator[_Lane]:
        """Take a lane: the one that was used last, whose connection is most likely open still, or a new one."""
        with self._lock:
            lane = self._idle.pop() if self._idle else None
        if lane is None:
            lane = self._new_lane()
            with self._lock:
                self._lanes.append(lane)
        try:
            yield lane
        finally:
            with self._lock:
                self._idle.append(lane)

    def _new_lane(self) -> _Lane:
        # Their order is that of the official client, qca-sdk 0.11.0.
        headers = {
            "Accept-Encoding": self._accept_encoding,
            "Connection": "keep-alive",
            "User-Agent": self._user_agent,
        }
        return _Lane(_client(self._settings, headers, self._certificates))

    def _headers(self, request: Request, token: Secret, content: bytes | None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token.reveal()}", "Accept": "application/json"}
        if content is not None:
            headers["Content-Length"] = str(len(content))
        headers["Content-Type"] = "application/json"
        if self._settings.workspace_id:
            headers["qoder-workspace-id"] = self._settings.workspace_id
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        return headers

    def _read(self, request: Request, response: httpx.Response, show: Show) -> JsonValue:
        ahead_s = read_ahead_s(response.headers.get("Date"), self._clock.now_s())
        if ahead_s is not None:
            self.ahead_s = ahead_s
        body = _read_body(request, response)
        if response.is_success:
            return read_success(request, response.status_code, body, self._settings.host)
        retry_after_s = read_retry_after_s(response.headers.get("Retry-After"), self._clock.now_s() + self.ahead_s)
        raise self._refuse(request, response.status_code, body, self._settings, show, retry_after_s)


def _certificates() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise errors.NotSent("SSL_CERT_FILE or SSL_CERT_DIR: the certificates in it cannot be read") from None


def _client(settings: Settings, headers: Mapping[str, str], certificates: ssl.SSLContext) -> httpx.Client:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    try:
        # A transport of its own keeps httpx from looking for a proxy.
        direct = httpx.HTTPTransport(verify=certificates, limits=limits) if settings.is_loopback else None
        return httpx.Client(
            transport=direct, verify=certificates, headers=headers, follow_redirects=False, limits=limits
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        raise errors.NotSent(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: must be an http or https URL (socks needs httpx[socks])"
        ) from None


def _written(body: Mapping[str, object]) -> bytes:
    """Write JSON as the official client does."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _incomplete(request: Request, budget: Budget, attempt: Attempt) -> Failure:
    """Return what it means that the time was over before the response was complete."""
    when = CANCELLED if attempt.end == "cancelled" else f"{budget} expired"
    return Incomplete(errors.OutcomeUnknown(f"{request}: the response was not complete when {when}"))


def _read_body(request: Request, response: httpx.Response) -> bytes:
    body = bytearray()
    try:
        for part in _inflated(response):
            body += part
            if len(body) > MAX_ERROR_BYTES and not response.is_success:
                return b""  # no envelope is so large
            if len(body) > MAX_RESPONSE_BYTES:
                line = f"{request}: the response is larger than {MAX_RESPONSE_BYTES // 1024 // 1024} MiB"
                raise Failure(errors.OutcomeUnknown(line))
    except zlib.error:
        if not response.is_success:
            return b""
        line = (
            f"{request}: the response is compressed, though that was not asked for; check qoder:baseUrl and the proxy"
        )
        raise Failure(errors.OutcomeUnknown(line)) from None
    return bytes(body)


def _inflated(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body in small parts, also where a proxy has compressed it: no part may outgrow the memory.

    Raises:
        zlib.error: it is compressed in another way, or several times, or cut short.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        yield from response.iter_raw()
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise zlib.error(encoding)
    inflating = zlib.decompressobj(zlib.MAX_WBITS | 32)  # whichever of the two it is
    for part in response.iter_raw():
        rest = part
        while rest:
            yield inflating.decompress(rest, INFLATED_AT_ONCE)
            rest = inflating.unconsumed_tail or inflating.unused_data
            if inflating.eof and rest:
                raise zlib.error("something follows its end")
    yield inflating.flush()
    if not inflating.eof:
        raise zlib.error("incomplete")


def transport_failure(request: Request, error: httpx.HTTPError, settings: Settings, show: Show) -> Failure:
    """Return what a transport error means."""
    reason = show(str(error), 160) or type(error).__name__
    if not isinstance(error, _NOT_SENT):
        line = f"{request}: the connection to {settings.host} closed before the complete response arrived ({reason})"
        return Failure(errors.OutcomeUnknown(line), Outcome.UNKNOWN)
    is_untrusted = "CERTIFICATE_VERIFY_FAILED" in reason
    is_alone = settings.is_loopback and _is_caused_by(error, ConnectionRefusedError)
    # A resolver that is out of order says something else.
    is_unknown = _is_caused_by(error, socket.gaierror, _UNKNOWN_HOST)
    if is_untrusted:
        advice = "set SSL_CERT_FILE to your own CA"
    elif is_alone:
        advice = "nothing listens there: start the emulator, or check qoder:baseUrl"
    elif is_unknown:
        advice = "there is no such host: check qoder:baseUrl and the proxy"
    else:
        advice = "check qoder:baseUrl, the network and the proxy"
    return NoConnection(
        errors.Unreachable(f"{request}: no connection to {settings.host} ({reason}); {advice}"),
        Outcome.FINAL if is_untrusted else Outcome.NOT_HANDLED,
        reason=reason,
        is_nobody=is_alone or is_unknown,
    )


def _is_caused_by(error: BaseException | None, kind: type[OSError], codes: Collection[int] = ()) -> bool:
    """Return True if an error of the operating system is what a transport error began with."""
    while error is not None:
        if isinstance(error, kind) and (not codes or error.errno in codes):
            return True
        error = error.__cause__ or error.__context__
    return False
