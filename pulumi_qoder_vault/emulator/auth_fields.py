"""The fields of a 2026-07 `auth` object, and how they are read: JSON -> what to store, or a 400.

Pure; knows neither HTTP nor what exists nor the options. Each check takes a value and its path, and returns the value
to store. UNVERIFIED: every `param`, and every message but the documented one. Source: Qoder, Vault Credentials
(read 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .errors import ApiError, bad_request
from .ids import rfc3339
from .records import JsonObject

__all__ = ["AUTH_FIELDS", "Field", "Reader", "json_map", "required_text", "server_url"]

URL_LIMIT = 2048


@dataclass(frozen=True)
class Field:
    """One field of an object.

    Attributes:
        check: (value, path) -> the value to store; raises ApiError.
        is_required: a create must have it.
        is_mutable: an update may have it.
        is_clearable: null in an update clears it.
        fields: the fields of a nested object, which are checked, and changed by an update, one by one.
    """

    check: Callable[[object, str], object]
    is_required: bool = False
    is_mutable: bool = False
    is_clearable: bool = False
    fields: Mapping[str, Field] | None = None


def text(value: object, path: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise bad_request(f"Field '{path}' must be a non-empty string.", path)
    return value


def required_text(holder: Mapping[str, object], key: str, path: str, *, required_for: str = "") -> str:
    """Return a text that must be there."""
    if holder.get(key) in (None, ""):
        raise _missing(key, path, required_for)
    return text(holder[key], path)


def _missing(key: str, path: str, required_for: str) -> ApiError:
    """Return the 400 for a missing field of a credential type, if one is given.

    The documented sentence is "Field 'access_token' is required for static_bearer type."
    """
    return bad_request(f"Field '{key}' is required{f' for {required_for} type' if required_for else ''}.", path)


def server_url(value: object, path: str) -> str:
    """Return an MCP server URL, byte for byte."""
    url = text(value, path)
    if len(url) > URL_LIMIT:
        raise bad_request(f"Field '{path}' must be at most {URL_LIMIT} characters.", path)
    return url


def json_map(value: object, path: str) -> JsonObject:
    """Return an object."""
    if not isinstance(value, dict):
        raise bad_request(f"Field '{path}' must be an object.", path)
    return value


def _variable_name(value: object, path: str) -> str:
    name = text(value, path)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise bad_request(f"Field '{path}' must match [A-Za-z_][A-Za-z0-9_]*.", path)
    return name


def _time(value: object, path: str) -> str:
    form = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    found = re.fullmatch(form, text(value, path), re.ASCII)
    error = bad_request(f"Field '{path}' must be an RFC 3339 time.", path)
    if found is None:
        raise error
    try:
        return rfc3339(datetime.fromisoformat(found[0].upper()))
    except (ValueError, OverflowError):
        raise error from None


def _endpoint_auth(value: object, path: str) -> dict[str, str]:
    sent = json_map(value, path)
    type_ = sent.get("type")
    if type_ == "none":
        return {"type": type_}
    if type_ not in ("client_secret_basic", "client_secret_post"):
        raise bad_request(
            f"Field '{path}.type' must be one of: none, client_secret_basic, client_secret_post.", f"{path}.type"
        )
    secret = required_text(sent, "client_secret", f"{path}.client_secret", required_for=type_)
    return {"type": type_, "client_secret": secret}


def _networking(value: object, path: str) -> dict[str, object]:
    sent = json_map(value, path)
    type_ = sent.get("type")
    if type_ == "unrestricted":
        return {"type": type_}
    if type_ != "limited":
        raise bad_request(f"Field '{path}.type' must be one of: unrestricted, limited.", f"{path}.type")
    hosts = sent.get("allowed_hosts")
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host for host in hosts):
        raise bad_request(f"Field '{path}.allowed_hosts' must be a list of strings.", f"{path}.allowed_hosts")
    return {"type": type_, "allowed_hosts": list(hosts)}


def _injection_location(value: object, path: str) -> dict[str, object]:
    locations = {key: item for key, item in json_map(value, path).items() if key in ("header", "body")}
    for key, item in locations.items():
        if item is not None and not isinstance(item, bool):
            raise bad_request(f"Field '{path}.{key}' must be true or false.", f"{path}.{key}")
    return locations


REFRESH_FIELDS: Mapping[str, Field] = {
    "client_id": Field(text, is_required=True),
    "refresh_token": Field(text, is_required=True, is_mutable=True),
    "token_endpoint": Field(text, is_required=True),
    "token_endpoint_auth": Field(_endpoint_auth, is_required=True, is_mutable=True),
    "resource": Field(text),
    "scope": Field(text, is_mutable=True, is_clearable=True),
}


AUTH_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "static_bearer": {
        "mcp_server_url": Field(server_url, is_required=True),
        "token": Field(text, is_required=True, is_mutable=True),
    },
    "mcp_oauth": {
        "mcp_server_url": Field(server_url, is_required=True),
        "access_token": Field(text, is_required=True, is_mutable=True),
        "expires_at": Field(_time, is_mutable=True, is_clearable=True),
        "refresh": Field(json_map, is_mutable=True, fields=REFRESH_FIELDS),
    },
    "environment_variable": {
        "secret_name": Field(_variable_name, is_required=True),
        "secret_value": Field(text, is_required=True, is_mutable=True),
        # UNVERIFIED: the official client has both in its update type. Rejected until a page says that they can change.
        "networking": Field(_networking),
        "injection_location": Field(_injection_location),
    },
}


@dataclass(frozen=True)
class Reader:
    """How a service reads objects of fields.

    Attributes:
        ignored: keys that a create drops and an update leaves as they were.
        mutable: keys that an update changes, beside those that are mutable by their field.
        ignores_null: null in an update leaves a field as it was.
        refuses_unknown: an unknown key is a 400.
    """

    ignored: frozenset[str] = frozenset()
    mutable: frozenset[str] = frozenset()
    ignores_null: bool = False
    refuses_unknown: bool = False

    def reject_unknown(self, sent: Iterable[str], known: Iterable[str], path: str) -> None:
        """Reject a key that the API does not have, if the service does.

        Raises:
            ApiError: 400.
        """
        unknown = [key for key in sent if key not in known]
        if unknown and self.refuses_unknown:
            at = f"{path}.{unknown[0]}" if path else unknown[0]
            raise bad_request(f"Unknown field '{at}'.", at)

    def create(
        self, fields: Mapping[str, Field], sent: Mapping[str, object], path: str, *, required_for: str = ""
    ) -> dict[str, object]:
        """Return the known fields of an object to create; null is the same as missing.

        Raises:
            ApiError: 400.
        """
        self.reject_unknown(sent, {*fields, "type"}, path)
        result: dict[str, object] = {}
        for key, field in fields.items():
            if sent.get(key) is None or (field.is_required and sent[key] == ""):
                if field.is_required:
                    raise _missing(key, f"{path}.{key}", required_for)
            elif key not in self.ignored:
                result[key] = self._checked(field, sent[key], f"{path}.{key}")
        return result

    def update(
        self, fields: Mapping[str, Field], stored: Mapping[str, object], patch: Mapping[str, object], path: str
    ) -> dict[str, object]:
        """Return a stored object after a merge patch: what the patch does not name stays.

        Raises:
            ApiError: 400.
        """
        self.reject_unknown(patch, {*fields, "type"}, path)
        result = dict(stored)
        for key, value in patch.items():
            field, at = fields.get(key), f"{path}.{key}"
            if field is None or key in self.ignored or (value is None and self.ignores_null):
                continue
            if not field.is_mutable and key not in self.mutable:
                raise bad_request(f"Field '{at}' cannot be changed.", at)
            if value is None:
                if not field.is_clearable:
                    raise bad_request(f"Field '{at}' cannot be null.", at)
                result[key] = None
            elif field.fields is not None:
                if key not in stored:
                    raise bad_request(f"Field '{at}' cannot be added to an existing credential.", at)
                result[key] = self.update(field.fields, json_map(stored[key], at), json_map(value, at), at)
            else:
                result[key] = self._checked(field, _completed(value, stored.get(key)), at)
        return result

    def _checked(self, field: Field, value: object, path: str) -> object:
        if field.fields is None:
            return field.check(value, path)
        return self.create(field.fields, json_map(value, path), path)


def _completed(sent: object, stored: object) -> object:
    """Return a sent object of the same type as the stored one with the stored keys added, such as `client_secret`."""
    if isinstance(stored, dict) and isinstance(sent, dict) and stored.get("type") == sent.get("type"):
        return {**stored, **sent}
    return sent
