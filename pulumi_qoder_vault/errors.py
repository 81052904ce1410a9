"""One tree of exceptions. Each is one line that says what failed, where, what to do, and the request id.

A message is made of our own words and of text that has been redacted: no exception holds a secret.

    QoderError
    ├── SettingsError       a setting cannot be read; names the key and the forms it takes
    ├── NewerState          a state holds a value that this version does not know
    ├── MovedBack           a state is one of the plugin, and a Python resource is to take its place
    ├── NotRead             a secret by reference could not be read; nothing of its resource was sent
    ├── NotSent             the request never reached Qoder, or never was sent: nothing happened there
    │   ├── ExchangeFailed  no token was to be had for the service-account key
    │   └── Unreachable     nothing at the base URL could be asked: no connection, or a redirect of a read
    ├── OutcomeUnknown      the request may have been handled; its response is not known, or redirects a write
    ├── ApiError            Qoder refused the request
    │   ├── BadRequest      400
    │   ├── Unauthorized    401
    │   ├── Forbidden       403
    │   ├── NotFound        404; `genuine` when it is the API's own word
    │   ├── Conflict        409
    │   ├── RateLimited     429
    │   ├── NotAvailable    501, or 503 with `feature_not_available`: nothing was done
    │   └── ServerError     any other 5xx, and 408
    ├── VaultNotFound       a vault is not to be found, and that does not prove that it is gone
    │   └── AnotherAccount  nor does it where the API token may be another account's
    ├── RolledBack          what Qoder made is not what was asked, and was rolled back
    └── PartialState        part of the work was done (in `lifecycle.model`, since it holds what exists now)
"""

from __future__ import annotations

from dataclasses import dataclass


class QoderError(Exception):
    """Anything that this package raises on purpose; ``str()`` of it is one line without a secret.

    Attributes:
        may_be_done: True if what was asked for may have been done all the same, by this attempt or an earlier one.
    """

    may_be_done = False


class SettingsError(QoderError):
    """A setting cannot be read. Names its key and the forms it takes, never a secret value.

    Attributes:
        is_configured: True if the stack's configuration is at fault, False for the environment.
    """

    def __init__(self, message: str, *, is_configured: bool = False) -> None:
        super().__init__(message)
        self.is_configured = is_configured


class NewerState(QoderError):
    """A state holds a value that this version does not know: nothing is sent, since nobody knows what it asks for."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the state holds a value that this version does not know: it was written by a newer "
            "pulumi-qoder-vault; upgrade. Nothing was sent"
        )


class MovedBack(QoderError):
    """A state is one of the plugin, and a Python resource is to take its place: it has other names."""

    def __init__(self) -> None:
        super().__init__(
            "this resource is recorded as one of the plugin, and cannot become one of pulumi_qoder_vault: keep the "
            "plugin, or remove the alias: then another one is created, and this one is deleted. Nothing was sent"
        )


class NotRead(QoderError):
    """A secret that is to be sent could not be read where its reference says; nothing of its resource was sent."""


class NotSent(QoderError):
    """The request was not handled: no connection, no API token, or no time left before it was sent."""


class ExchangeFailed(NotSent):
    """No token was to be had for the service-account key: Qoder's API was not asked."""


class Unreachable(NotSent):
    """What is at the base URL could not be asked: no connection, or it is not the API itself."""


class OutcomeUnknown(QoderError):
    """The request may have been handled, but no response that says so arrived."""

    may_be_done = True


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """What an API error said of itself, redacted and on one line each.

    Attributes:
        status: HTTP status.
        error_type: ``error.type`` of the API's envelope; empty when the response was not one.
        message: ``error.message``; empty likewise.
        param: ``error.param``; empty when absent.
        request_id: ``request_id``; empty when absent.
        host: who was asked; empty where nobody is to be named.
    """

    status: int
    error_type: str = ""
    message: str = ""
    param: str = ""
    request_id: str = ""
    host: str = ""


class ApiError(QoderError):
    """Qoder refused the request.

    Attributes:
        advice: what to do, unless the one who raises it knows better.
    """

    advice = ""

    def __init__(self, call: str, response: ErrorResponse, advice: str = "") -> None:
        self.response = response
        what = response.message or (
            "Qoder refused the request" if response.error_type else "the response is not from the Qoder API"
        )
        facts = [" ".join(filter(None, (str(response.status), response.error_type)))]
        if response.request_id:
            facts.append(f"request_id {response.request_id}")
        if response.host:
            facts.append(f"host {response.host}")
        advice = advice or self.advice
        super().__init__(f"{call}: {what.rstrip('.:')} ({', '.join(facts)}){f': {advice}' if advice else ''}")

    @property
    def genuine(self) -> bool:
        """True if the response came from the API itself, not from a proxy or gateway on the way."""
        return self.response.error_type != ""


class BadRequest(ApiError):
    """400: the request is not what this API takes."""


class Unauthorized(ApiError):
    """401: the API token is missing, wrong or revoked."""


class Forbidden(ApiError):
    """403: the API token may not do this."""

    advice = "give the API token access to vaults, or set qoder:workspaceId to a workspace that it may use"


class NotFound(ApiError):
    """404: see ``genuine`` before anything is concluded from it."""

    @property
    def genuine(self) -> bool:
        """True if the API itself says that the object does not exist."""
        return self.response.error_type == "not_found_error"


class Conflict(ApiError):
    """409: archived already, a duplicate, or an idempotency key used for something else."""


class RateLimited(ApiError):
    """429, and no time left to wait: it was not handled."""

    advice = "try again later, or lower qoder:maxWritesPerSecond and qoder:maxReadsPerSecond"


class NotAvailable(ApiError):
    """501, or a 503 that says `feature_not_available`: this Qoder does not do it, and did not do it."""

    advice = "this Qoder does not offer it: check qoder:baseUrl, or ask who runs it"


class ServerError(ApiError):
    """408 or 5xx: whether the request was handled is not known."""

    may_be_done = True


class VaultNotFound(QoderError):
    """A vault or credential is not to be found where this run asked, and nothing proves that a recorded one is gone.

    Attributes:
        is_absent: True if the API itself says that there is none here.
    """

    def __init__(self, message: str, *, is_absent: bool = False) -> None:
        super().__init__(message)
        self.is_absent = is_absent


class AnotherAccount(VaultNotFound):
    """A recorded object is not to be found by this API token, which may be another account's."""


class RolledBack(QoderError):
    """What Qoder made is not what was asked for; it was taken back, and nothing is left."""
