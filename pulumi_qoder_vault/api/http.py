"""Send one request once over HTTP, and read its response to the end; say what a failure on the way means.

Knows neither retries nor the rate limit, nor what a vault is.
"""

import json
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from typing import Any

import httpx

from .. import errors
from ..secret import Secret, one_line
from ..settings import Settings
from .budget import Budget
from .rate import Clock
from .request import Failure, JsonValue, NoConnection, Outcome, Request
from .responses import read_ahead_s, read_retry_after_s, read_success, refusal

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
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


class Http:
    """The connections to one Qoder. Thread-safe.

    Attributes:
        ahead_s: how far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much.
    """

    def __init__(self, settings: Settings, user_agent: str, clock: Clock) -> None:
        self.ahead_s = 0.0
        self._settings = settings
        self._clock = clock
        self._client = _client(settings, user_agent)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, request: Request, token: Secret, budget: Budget, on_connected: Callable[[], None]) -> JsonValue:
        """Send a request once, with this API token. Return the JSON of the response; see `read_success`.

        ``on_connected`` is called when a connection to Qoder carries the request.

        Raises:
            Failure: there is no such response.
        """

        def trace(event: str, info: Mapping[str, Any]) -> None:
            # To a proxy, a connection first carries a CONNECT.
            if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
                on_connected()

        left_s, secrets = max(budget.left_s(), LEAST_TIMEOUT_S), (*request.secrets, token)
        try:
            with self._client.stream(
                request.method,
                self._settings.base_url + request.path,
                params=request.query,
                content=json.dumps(request.body, ensure_ascii=False).encode() if request.body is not None else None,
                headers=self._headers(request, token),
                timeout=httpx.Timeout(left_s, connect=min(left_s, CONNECT_S)),
                extensions={"trace": trace},
            ) as response:
                return self._read(request, response, budget, secrets)
        except Failure:
            raise
        except httpx.HTTPError as error:
            raise transport_failure(request, error, self._settings, secrets) from None
        except (httpx.InvalidURL, UnicodeError):
            # UnicodeError: not a valid host name. httpx parses the URL of a redirect, too, though it is refused.
            line = f"{request}: qoder:baseUrl, the proxy or a redirect is not a valid URL"
            raise Failure(errors.Unreachable(line)) from None
        except Exception as error:  # noqa: BLE001 whatever breaks here, the request may have been handled
            line = f"{request}: the response could not be read ({type(error).__name__})"
            raise Failure(errors.OutcomeUnknown(line)) from None

    def _headers(self, request: Request, token: Secret) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
        if self._settings.workspace_id:
            headers["qoder-workspace-id"] = self._settings.workspace_id
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        return headers

    def _read(
        self, request: Request, response: httpx.Response, budget: Budget, secrets: Collection[Secret]
    ) -> JsonValue:
        ahead_s = read_ahead_s(response.headers.get("Date"), self._clock.now_s())
        if ahead_s is not None:
            self.ahead_s = ahead_s
        body = _read_body(request, response, budget)
        if response.is_success:
            return read_success(request, response.status_code, body, self._settings.host)
        retry_after_s = read_retry_after_s(response.headers.get("Retry-After"), self._clock.now_s() + self.ahead_s)
        raise refusal(request, response.status_code, body, self._settings, secrets, retry_after_s)


def _client(settings: Settings, user_agent: str) -> httpx.Client:
    headers = {"User-Agent": user_agent, "Accept": "application/json"}
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    try:
        # A transport of its own keeps httpx from looking for a proxy.
        direct = httpx.HTTPTransport(limits=limits) if settings.is_loopback else None
        return httpx.Client(transport=direct, headers=headers, follow_redirects=False, limits=limits)
    except (ImportError, ValueError, httpx.InvalidURL):
        raise errors.NotSent(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: must be an http or https URL (socks needs httpx[socks])"
        ) from None
    except (OSError, ssl.SSLError):
        raise errors.NotSent("SSL_CERT_FILE or SSL_CERT_DIR: the certificates in it cannot be read") from None


def _read_body(request: Request, response: httpx.Response, budget: Budget) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_ERROR_BYTES and not response.is_success:
            return b""  # No envelope is so large, and to search it for secrets takes long.
        if len(body) > MAX_RESPONSE_BYTES:
            line = f"{request}: the response is larger than {MAX_RESPONSE_BYTES // 1024 // 1024} MiB"
            raise Failure(errors.OutcomeUnknown(line))
        if budget.left_s() <= 0:
            raise Failure(errors.OutcomeUnknown(f"{request}: the response was not complete when {budget} expired"))
    return bytes(body)


def transport_failure(
    request: Request, error: httpx.HTTPError, settings: Settings, secrets: Collection[Secret]
) -> Failure:
    """Return what a transport error means."""
    reason = one_line(str(error), secrets, limit=160) or type(error).__name__
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
