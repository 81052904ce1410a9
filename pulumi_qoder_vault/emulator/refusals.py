"""How the service says no: status, `error.type`, message, param.

Knows neither HTTP nor the store. The envelope is Qoder's, Errors (read 2026-08).
"""

from __future__ import annotations

__all__ = ["Refusal", "conflict", "invalid", "not_found"]


class Refusal(Exception):
    """A request that the service answers with an error.

    Attributes:
        status: the HTTP status.
        type: `error.type`.
        message: one sentence, without secrets.
        param: the field at fault, such as `credentials[0].protocol`; None: the answer has no `param`.
        headers: further headers of the answer.
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
        """Return the JSON body of the answer."""
        error: dict[str, object] = {"type": self.type, "message": self.message}
        if self.param is not None:
            error["param"] = self.param
        return {"type": "error", "request_id": request_id, "error": error}


def invalid(message: str, param: str | None = None) -> Refusal:
    """Return a 400."""
    return Refusal(400, "invalid_request_error", message, param)


def not_found(kind: str, id_: str) -> Refusal:
    """Return a 404 in the words that Qoder documents for a vault."""
    return Refusal(404, "not_found_error", f"{kind} '{id_}' was not found.")


def conflict(message: str, param: str | None = None) -> Refusal:
    """Return a 409."""
    return Refusal(409, "conflict_error", message, param)
