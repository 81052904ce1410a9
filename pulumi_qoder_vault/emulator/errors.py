"""The errors that the service returns: status, `error.type`, message, param.

Knows neither HTTP nor the store. Source of the envelope: Qoder, Errors (read 2026-08).
"""

from __future__ import annotations

from typing import Literal

__all__ = ["ApiError", "bad_request", "conflict", "feature_not_available", "not_found", "refused"]


class ApiError(Exception):
    """A request that the service rejects.

    Attributes:
        status: the HTTP status.
        type: `error.type`.
        message: one sentence without secrets.
        param: the invalid field, such as `credentials[0].protocol`; None: the error has no `param`.
        headers: additional headers of the response.
    """

    def __init__(
        self, status: int, type_: str, message: str, param: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.message = message
        self.param = param
        self.headers = headers

    def envelope(self, request_id: str) -> dict[str, object]:
        """Return the JSON body of the response."""
        error: dict[str, object] = {"type": self.type, "message": self.message}
        if self.param is not None:
            error["param"] = self.param
        return {"type": "error", "request_id": request_id, "error": error}


def bad_request(message: str, param: str | None = None) -> ApiError:
    """Return a 400."""
    return ApiError(400, "invalid_request_error", message, param)


def not_found(kind: str, id_: str) -> ApiError:
    """Return a 404 with the message that Qoder documents for a vault."""
    return ApiError(404, "not_found_error", f"{kind} '{id_}' was not found.")


def conflict(message: str, param: str | None = None) -> ApiError:
    """Return a 409."""
    return ApiError(409, "conflict_error", message, param)


def refused(status: Literal[400, 409], message: str, param: str | None = None) -> ApiError:
    """Return a 400 or a 409, for what services refuse with either."""
    return bad_request(message, param) if status == 400 else conflict(message, param)


def feature_not_available(status: Literal[501, 503] = 501) -> ApiError:
    """Return the definite refusal of what a service does not have: nothing was done.

    Source: Qoder, Errors (read 2026-08).
    """
    return ApiError(status, "feature_not_available", "This feature is not available.")
