"""The fields of a 2026-07 `auth` object as tables: what each must be, and whether an update may change it.

Pure; knows nothing of vaults or HTTP. Source: Qoder, Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .refusals import invalid
from .stamps import rfc3339

__all__ = ["AUTH", "Field", "read_fields", "required_text", "text", "update_fields", "url"]

URL_LIMIT = 2048
Check = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Field:
    """One field of an object.

    Attributes:
        check: (value, its path) -> the value to store; raises Refusal.
        is_required: a create must have it.
        is_mutable: an update may have it.
        is_clearable: null in an update empties it.
        fields: the fields of a nested object that an update changes one by one.
    """

    check: Check
    is_required: bool = False
    is_mutable: bool = False
    is_clearable: bool = False
    fields: Mapping[str, Field] | None = None


def text(value: Any, path: str) -> str:
    """Return a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise invalid(f"Field '{path}' must be a non-empty string.", path)
    return value


def required_text(holder: Mapping[str, Any], key: str, path: str, *, wanted_by: str = "") -> str:
    """Return a required string of an object; `wanted_by` is the type that the message names."""
    if holder.get(key) in (None, ""):
        raise _missing(key, path, wanted_by)
    return text(holder[key], path)


def url(value: Any, path: str) -> str:
    """Return an MCP server URL, byte for byte."""
    if len(text(value, path)) > URL_LIMIT:
        raise invalid(f"Field '{path}' must be at most {URL_LIMIT} characters.", path)
    return str(value)


def _missing(key: str, path: str, wanted_by: str) -> Exception:
    # The documented sentence: "Field 'access_token' is required for static_bearer type."
    return invalid(f"Field '{key}' is required{f' for {wanted_by} type' if wanted_by else ''}.", path)


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"Field '{path}' must be an object.", path)
    return value


def _name(value: Any, path: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text(value, path)):
        raise invalid(f"Field '{path}' must match [A-Za-z_][A-Za-z0-9_]*.", path)
    return str(value)


def _time(value: Any, path: str) -> str:
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", text(value, path), re.ASCII
    )
    refusal = invalid(f"Field '{path}' must be an RFC 3339 time.", path)
    if found is None:
        raise refusal
    date, clock, fraction, offset = found.groups()
    # datetime of Python 3.10 takes neither Z nor any number of fractional digits
    plain = f"{date}T{clock}.{(fraction or '')[:6]:0<6}{'+00:00' if offset in 'Zz' else offset}"
    try:
        return rfc3339(datetime.fromisoformat(plain))
    except (ValueError, OverflowError):
        raise refusal from None


def _endpoint_auth(value: Any, path: str) -> dict[str, Any]:
    kind = _object(value, path).get("type")
    if kind == "none":
        return {"type": kind}
    if kind not in ("client_secret_basic", "client_secret_post"):
        raise invalid(
            f"Field '{path}.type' must be one of: none, client_secret_basic, client_secret_post.", f"{path}.type"
        )
    secret = required_text(value, "client_secret", f"{path}.client_secret", wanted_by=kind)
    return {"type": kind, "client_secret": secret}


def _networking(value: Any, path: str) -> dict[str, Any]:
    kind = _object(value, path).get("type")
    if kind == "unrestricted":
        return {"type": kind}
    if kind != "limited":
        raise invalid(f"Field '{path}.type' must be one of: unrestricted, limited.", f"{path}.type")
    hosts = value.get("allowed_hosts")
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host for host in hosts):
        raise invalid(f"Field '{path}.allowed_hosts' must be a list of strings.", f"{path}.allowed_hosts")
    return {"type": kind, "allowed_hosts": list(hosts)}


def _injection_location(value: Any, path: str) -> dict[str, Any]:
    places = {key: place for key, place in _object(value, path).items() if key in ("header", "body")}
    for key, place in places.items():
        if place is not None and not isinstance(place, bool):
            raise invalid(f"Field '{path}.{key}' must be true or false.", f"{path}.{key}")
    return places


_REFRESH: Mapping[str, Field] = {
    "client_id": Field(text, is_required=True),
    "refresh_token": Field(text, is_required=True, is_mutable=True),
    "token_endpoint": Field(text, is_required=True),
    "token_endpoint_auth": Field(_endpoint_auth, is_required=True, is_mutable=True),
    "resource": Field(text),
    "scope": Field(text, is_mutable=True, is_clearable=True),
}


def _refresh(value: Any, path: str) -> dict[str, Any]:
    return read_fields(_REFRESH, _object(value, path), path)


AUTH: Mapping[str, Mapping[str, Field]] = {
    "static_bearer": {
        "mcp_server_url": Field(url, is_required=True),
        "token": Field(text, is_required=True, is_mutable=True),
    },
    "mcp_oauth": {
        "mcp_server_url": Field(url, is_required=True),
        "access_token": Field(text, is_required=True, is_mutable=True),
        "expires_at": Field(_time, is_mutable=True, is_clearable=True),
        "refresh": Field(_refresh, is_mutable=True, fields=_REFRESH),
    },
    "environment_variable": {
        "secret_name": Field(_name, is_required=True),
        "secret_value": Field(text, is_required=True, is_mutable=True),
        # UNVERIFIED: the official client has both in its update type; refused until a page says that they change.
        "networking": Field(_networking),
        "injection_location": Field(_injection_location),
    },
}


def read_fields(
    fields: Mapping[str, Field], sent: Mapping[str, Any], path: str, *, wanted_by: str = ""
) -> dict[str, Any]:
    """Return the known fields of a created object; null is absent.

    Raises:
        Refusal: 400, a required one is missing or one has a wrong value.
    """
    read = {}
    for key, field in fields.items():
        if sent.get(key) is not None and not (field.is_required and sent[key] == ""):
            read[key] = field.check(sent[key], f"{path}.{key}")
        elif field.is_required:
            raise _missing(key, f"{path}.{key}", wanted_by)
    return read


def update_fields(
    fields: Mapping[str, Field], stored: Mapping[str, Any], sent: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """Return a stored object with a merge patch carried out: what is absent stays.

    Raises:
        Refusal: 400, one cannot be changed, cleared, or added later, or has a wrong value.
    """
    result = dict(stored)
    for key, value in sent.items():
        field, at = fields.get(key), f"{path}.{key}"
        if field is None:
            continue
        if not field.is_mutable:
            raise invalid(f"Field '{at}' cannot be changed.", at)
        if value is None:
            if not field.is_clearable:
                raise invalid(f"Field '{at}' cannot be null.", at)
            result[key] = None
        elif field.fields is not None:
            if key not in stored:
                raise invalid(f"Field '{at}' cannot be added to an existing credential.", at)
            result[key] = update_fields(field.fields, stored[key], _object(value, at), at)
        else:
            result[key] = field.check(_kept(stored.get(key), value), at)
    return result


def _kept(stored: Any, sent: Any) -> Any:
    """Return a sent object of the stored one's type completed from it (a `client_secret` that was not sent stays)."""
    if isinstance(stored, dict) and isinstance(sent, dict) and stored.get("type") == sent.get("type"):
        return {**stored, **sent}
    return sent
