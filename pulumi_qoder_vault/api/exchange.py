"""Exchange a service-account key for a token over HTTP: one attempt, and what its failure means.

Knows neither when one is due, which is `authentication`'s subject, nor what the token is for. The key goes to the host
of the exchange only, and nothing that this host says is shown but its error's code and request id, and the message of
an error in the API's own envelope.

Source: qca-sdk 0.11.0, `qca/common/service_account.py`: path, body, headers, what is transient, what an error holds.
"""

from __future__ import annotations

import json
from dataclasses import replace

from .. import errors
from ..authentication import (
    EXCHANGE_PATH,
    REQUEST,
    ApiToken,
    Authentication,
    Caller,
    NotAToken,
    NoToken,
    ServiceAccount,
    Token,
    exchange_origin,
    read_token,
)
from ..settings import Settings
from .budget import Budget
from .gate import Gate
from .http import LEAST_TIMEOUT_S, Http
from .rate import Clock
from .request import Failure, Incomplete, NoConnection, Outcome, Request
from .request_log import RequestLog, Seen
from .responses import Show, read_error

EXCHANGE_S = 30.0  # what one exchange has, as the official client gives it
ENCODINGS = "gzip, deflate"  # as the official client says; a body is bounded while it is inflated


def authentication_of(settings: Settings, user_agent: str, clock: Clock, log: RequestLog | None) -> Authentication:
    """Return who asks with these settings; there is an API token, or a service-account key."""
    if settings.service_account_key is not None:
        return ServiceAccount(KeyExchange(settings, user_agent, clock, log), clock.monotonic_s)
    assert settings.api_token is not None  # noqa: S101 whoever asks has looked
    return ApiToken(settings.api_token)


class KeyExchange:
    """The exchange of one key at one host. Fulfils `authentication.Exchange`."""

    def __init__(self, settings: Settings, user_agent: str, clock: Clock, log: RequestLog | None) -> None:
        assert settings.service_account_key is not None  # noqa: S101
        self._key = settings.service_account_key
        self._settings = replace(settings, base_url=exchange_origin(settings), workspace_id=None)
        self._clock = clock
        self._log = log
        self._gate = Gate(self._key)
        self._http = Http(self._settings, user_agent, clock, self._gate, accept_encoding=ENCODINGS, refuse=refusal)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __call__(self, caller: Caller) -> Token:
        """Exchange the key, once.

        Raises:
            NoToken: it failed.
        """
        request = Request("POST", EXCHANGE_PATH, body=REQUEST, is_repeatable=True, is_recovery=caller.is_recovery)
        began_s, left_s = self._clock.monotonic_s(), caller.left_s()
        own_s = max(min(left_s, EXCHANGE_S), LEAST_TIMEOUT_S)
        budget = Budget("the time of an exchange", began_s, began_s + own_s, 0.0, self._clock)
        seen = Seen()
        try:
            body = self._http.send(request, self._key, budget, _ignore, seen)
            self._note(request, seen, began_s, None)
            token = read_token(body, began_s, self._clock.monotonic_s())
            self._gate.hold_back_always(token.secret)
            return token
        except NotAToken as reason:
            line = f"{request}: the response (host {self._settings.host}) is not a token: {reason}"
            raise NoToken(line) from None
        except Failure as failure:
            self._note(request, seen, began_s, failure)
            is_ours = isinstance(failure, Incomplete) and (left_s < EXCHANGE_S or self._clock.is_over())
            raise self._no_token(failure, is_ours=is_ours) from None

    def _no_token(self, failure: Failure, *, is_ours: bool) -> NoToken:
        line, host = str(failure.error), self._settings.host
        is_unmade = isinstance(failure, NoConnection)
        return NoToken(
            line if host in line else f"{line} (host {host})",
            is_transient=is_unmade or isinstance(failure, Incomplete) or failure.outcome is not Outcome.FINAL,
            is_hopeless=is_unmade and failure.outcome is Outcome.FINAL,
            is_nobody=isinstance(failure, NoConnection) and failure.is_nobody,
            is_ours=is_ours,
            pause_s=failure.retry_after_s or 0.0,
            is_asked=failure.retry_after_s is not None,
        )

    def _note(self, request: Request, seen: Seen, began_s: float, failure: Failure | None) -> None:
        if self._log:
            took_s = self._clock.monotonic_s() - began_s
            self._log.write(request, seen, self._gate, now_s=self._clock.now_s(), took_s=took_s, failure=failure)


def refusal(
    request: Request,
    status: int,
    body: bytes,
    settings: Settings,
    show: Show,
    retry_after_s: float | None = None,
) -> Failure:
    """Return what a response that is no 2xx means. ``Retry-After`` counts with a 429 only."""
    response = read_error(status, body, settings.host, show)
    if not response.error_type:
        code, request_id = _code_and_id(body, show)
        response = replace(response, error_type=code, request_id=request_id)
    advice = "check the proxy, and qoder:baseUrl, whose host chooses that of the exchange"
    if 300 <= status < 400:
        what = "redirected, which is refused: the service-account key goes to this host only"
    elif status in (400, 401, 403):
        what = "the exchange refused the service-account key"
        advice = settings.credential_source.if_refused("", settings.credential_name)
    else:
        what = "the exchange of the service-account key failed"
    if response.message:
        what = f"{what}: {response.message}"
    is_transient = status == 429 or status >= 500
    return Failure(
        errors.ApiError(str(request), replace(response, message=what), advice),
        Outcome.NOT_HANDLED if is_transient else Outcome.FINAL,
        retry_after_s if status == 429 else None,
    )


def _code_and_id(body: bytes, show: Show) -> tuple[str, str]:
    """Return the code and the request id of an error that is not in the API's envelope."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(envelope, dict):
        return "", ""
    detail = envelope.get("error", envelope)
    code, id_ = detail.get("code") if isinstance(detail, dict) else None, envelope.get("request_id")
    return show(code, 60) if isinstance(code, str) else "", show(id_, 100) if isinstance(id_, str) else ""


def _ignore() -> None:
    """Take no note of a connection."""
