"""What a fault makes of a response. Knows nothing of when a request meets one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .effects import Effect, ListChange
from .hostile import hostile_text
from .http_messages import JSON_TYPE, IncomingRequest, Response
from .request_log import secrets_in

__all__ = ["changed_list", "replacing_response"]


def changed_list(response: Response, change: ListChange) -> Response:
    """Return a list that does not show all there is."""
    if not isinstance(response.body, Mapping) or "data" not in response.body:
        return response
    changes: dict[str, object] = {"has_more": False, "next_page": None}
    if change == "empty":
        changes |= {"data": [], "first_id": None, "last_id": None}
    body = {key: changes.get(key, value) for key, value in response.body.items()}
    return replace(response, body=body)


def replacing_response(request: IncomingRequest, effect: Effect) -> Response | None:
    """Return the response that a fault sends instead of the service's own."""
    if effect.echo is not None:
        text = hostile_text(_secrets_of(request))
        if effect.echo != JSON_TYPE:
            return Response(effect.status or 400, text.encode(), (("Content-Type", effect.echo),))
        error = {"type": text, "message": text, "param": text}
        return Response(effect.status or 400, {"type": "error", "request_id": text, "error": error})
    if effect.status is None:
        return None
    body = effect.body() if callable(effect.body) else effect.body
    if isinstance(body, dict) and body.get("type") == "error":
        body = {**body, "request_id": request.request_id}
    return Response(effect.status, body)


def _secrets_of(request: IncomingRequest) -> list[str]:
    token = request.headers.get("authorization", "").partition(" ")[2]  # whatever the scheme
    try:
        return [secret for secret in (token, *secrets_in(request.json())) if secret]
    except ValueError:
        return [token] if token else []
