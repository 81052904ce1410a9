"""Who asks Qoder: an API token, or a service account -> the bearer of each request.

Owns when a token of a service account is renewed, shared, forgotten, and what a failed exchange leads to. Knows no
HTTP: an exchange is handed in, and time is that of its clock. How a token is had over HTTP is `api.exchange`'s subject.

Source: qca-sdk 0.11.0, `qca/common/service_account.py`, whose rules these are, but for `forget`: that client lets a 401
stand. There a program names the region of its key; here the base URL does, so that the two cannot differ.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from .secret import Secret
from .settings import Settings

EXCHANGE_PATH: Final = "/api/v1/serviceToken/exchange"
GLOBAL: Final = "https://openapi.qoder.sh"
CHINA: Final = "https://openapi.qoder.com.cn"
CHINA_HOST: Final = "qoder.com.cn"
TTL_S: Final = 3600
LONGEST_S: Final = 43200
REQUEST: Final = {
    "grant_type": "client_credentials",
    "audience": "qoder",
    "scope": "qca.access",
    "ttl_seconds": TTL_S,
}

PAUSE_S = 5.0  # after a failed exchange
LOOKS_EVERY_S = 0.2  # at its own time, while another request exchanges
MOST_CHARACTERS = 16 * 1024  # of a token; servers take no longer header

_BEARER = re.compile(r"[!-~]+")  # visible ASCII: RFC 9110, 5.5, without blanks
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Token:
    """What a key was exchanged for.

    Attributes:
        renew_s: from when on another one is fetched, by the monotonic clock.
        until_s: until when it is used where that fails.
    """

    secret: Secret
    renew_s: float
    until_s: float


class NotAToken(Exception):
    """A response to an exchange holds no token that can be used. Its text shows nothing of the response."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The request that needs a token.

    Attributes:
        left_s: how much of its time is left.
        is_recovery: True if it goes on though the run is over.
    """

    left_s: Callable[[], float]
    is_recovery: bool = False


@dataclass(eq=False)
class NoToken(Exception):
    """An exchange failed, or its failure is still too young for another one.

    Attributes:
        line: what failed, without a secret.
        is_transient: True if it may succeed later; meanwhile the old token serves.
        is_hopeless: True if, without an old token, it is of no use to wait.
        is_nobody: True if there is no such host, or nothing listens on this machine.
        is_ours: True if the caller's time ended it: it says nothing of the service.
        pause_s: how long to wait before another one.
        is_asked: True if the service asks for that pause.
    """

    line: str
    is_transient: bool = False
    is_hopeless: bool = False
    is_nobody: bool = False
    is_ours: bool = False
    pause_s: float = 0.0
    is_asked: bool = False


class Authentication(Protocol):
    """What a connection needs to know of who asks. Thread-safe."""

    def bearer(self, caller: Caller) -> Secret:
        """Return what the next request is sent with; that may take a request of its own.

        Raises:
            NoToken: there is none.
        """

    def forget(self, bearer: Secret) -> bool:
        """Take into account that Qoder refused a bearer. Return True if another one can be had."""

    def close(self) -> None:
        """Close what belongs to it."""


class ApiToken:
    """An API token: it is what it is."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def bearer(self, caller: Caller) -> Secret:  # noqa: ARG002 no request of its own
        """Return the API token."""
        return self._secret

    def forget(self, bearer: Secret) -> bool:  # noqa: ARG002
        """Return False: there is no other one."""
        return False

    def close(self) -> None:
        """Close nothing."""


class Exchange(Protocol):
    """One exchange of a key for a token."""

    def __call__(self, caller: Caller) -> Token:
        """Exchange the key.

        Raises:
            NoToken: it failed.
        """

    def close(self) -> None:
        """Close its connections."""


class ServiceAccount:
    """The tokens of one service account. Whoever needs one while another request exchanges waits for that.

    Args:
        exchange: fetches a token.
        monotonic_s: the clock that tokens expire by.
    """

    def __init__(self, exchange: Exchange, monotonic_s: Callable[[], float]) -> None:
        self._exchange = exchange
        self._now_s = monotonic_s
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: NoToken | None = None
        self._retry_s = 0.0

    def bearer(self, caller: Caller) -> Secret:
        """Return a token that has not expired. One exchange, where there is none, or it is time for another one.

        Raises:
            NoToken: there is none, and the exchange failed.
        """
        while not self._lock.acquire(timeout=LOOKS_EVERY_S):
            if caller.left_s() <= 0:
                raise NoToken("another request still exchanges the service-account key", is_ours=True)
        try:
            return self._current() or self._exchanged(caller)
        finally:
            self._lock.release()

    def forget(self, bearer: Secret) -> bool:
        """Forget a token that Qoder refused, unless another one has taken its place; return True."""
        refused = self._token  # without the lock: an exchange may have it for long
        if refused is not None and refused.secret == bearer and self._token is refused:
            self._token = None
        return True

    def close(self) -> None:
        """Close the connections of the exchange."""
        self._exchange.close()

    def _current(self) -> Secret | None:
        """Return what serves without an exchange, if anything does.

        Raises:
            NoToken: nothing does, and it is too early for another exchange.
        """
        now_s = self._now_s()
        if self._failure is not None and now_s < self._retry_s:
            return self._in_place_of(self._failure, now_s)
        return self._token.secret if self._token is not None and now_s < self._token.renew_s else None

    def _exchanged(self, caller: Caller) -> Secret:
        try:
            self._token, self._failure = self._exchange(caller), None
            return self._token.secret
        except NoToken as failed:
            failure = failed
        if failure.is_ours:
            raise failure
        now_s = self._now_s()
        self._failure, self._retry_s = failure, now_s + max(PAUSE_S, failure.pause_s)
        return self._in_place_of(failure, now_s)

    def _in_place_of(self, failure: NoToken, now_s: float) -> Secret:
        """Return the old token, where it still is one and the failure is transient."""
        if failure.is_transient and self._token is not None and now_s < self._token.until_s:
            return self._token.secret
        raise NoToken(  # each caller has one of its own
            failure.line,
            is_transient=failure.is_transient,
            is_hopeless=failure.is_hopeless,
            is_nobody=failure.is_nobody,
            pause_s=self._retry_s - now_s,
            is_asked=failure.is_asked and failure.pause_s > PAUSE_S,
        )


def exchange_origin(settings: Settings) -> str:
    """Return where the key of these settings is exchanged: the region is that of the base URL.

    Where the API is on this machine, as the emulator is, the exchange is beside it.
    """
    url = urlsplit(settings.base_url)
    if settings.is_loopback:
        return f"{url.scheme}://{url.netloc}"
    host = (url.hostname or "").removesuffix(".")
    return CHINA if host == CHINA_HOST or host.endswith(f".{CHINA_HOST}") else GLOBAL


def read_token(body: object, began_s: float, now_s: float) -> Token:
    """Read the response to an exchange.

    Its time counts from the moment at which the request began, by this machine's clock: ``expires_at`` is of another
    one, and only has to be a time.

    Raises:
        NotAToken: it holds no token that can be used.
    """
    if not isinstance(body, dict):
        raise NotAToken("it is not a JSON object")
    token, type_, ttl_s = body.get("access_token"), body.get("token_type"), _seconds(body.get("expires_in"))
    if not isinstance(token, str) or not token.strip():
        raise NotAToken("access_token is missing")
    if len(token) > MOST_CHARACTERS or not _BEARER.fullmatch(token):
        raise NotAToken("access_token cannot stand in an Authorization header")
    if not isinstance(type_, str) or type_.lower() != "bearer":
        raise NotAToken("token_type is not Bearer")
    if ttl_s is None:
        raise NotAToken(f"expires_in is not a number from 1 to {LONGEST_S}")
    if "expires_at" in body and not _is_time(body["expires_at"]):
        raise NotAToken("expires_at is not an RFC 3339 time")
    read = Token(Secret(token), began_s + ttl_s - min(60.0, ttl_s * 0.1), began_s + ttl_s - min(5.0, ttl_s * 0.05))
    if now_s >= read.until_s:
        raise NotAToken("the token expired before the response arrived")
    return read


def _seconds(value: object) -> int | None:
    """Read ``expires_in``: a whole number, or digits."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 1 <= value <= LONGEST_S else None


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
