"""Read request bodies: parsed JSON -> what to create or update, or a 400.

Pure; knows neither HTTP nor what exists. Unknown keys are ignored. UNVERIFIED: every `param`, and every message except
the two on the page Create Vault. Sources: Qoder, Create Vault (read 2026-05) and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .errors import ApiError, bad_request
from .store import Credential, JsonObject, NewCredential, NewVault, rfc3339

if TYPE_CHECKING:
    from .options import ServiceOptions
    from .revisions import Revision

__all__ = ["read_credential", "read_credential_update", "read_vault"]

NAME_LIMIT = 255
URL_LIMIT = 2048
METADATA_PAIRS_LIMIT, METADATA_KEY_LIMIT, METADATA_VALUE_LIMIT = 16, 64, 512


def read_vault(body: object, revision: Revision, options: ServiceOptions) -> NewVault:
    """Read the body of a vault create.

    Raises:
        ApiError: 400.
    """
    body = _json_object(body)
    name = body.get("display_name")
    if name is None:
        raise bad_request("Field 'display_name' is required.", "display_name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LIMIT:
        raise bad_request(f"Field 'display_name' must be a string of 1 to {NAME_LIMIT} characters.", "display_name")
    if revision.credentials_in_create == "unknown":
        if "credentials" in body and options.credentials_key == "refuse":
            raise bad_request("Unknown field 'credentials'.", "credentials")
        return NewVault(name, _metadata(body.get("metadata"), revision, options))
    sent = body.get("credentials")
    if not sent and revision.credentials_in_create == "required":
        raise bad_request("At least one credential is required when creating a vault.")
    if sent is not None and not isinstance(sent, list):
        raise bad_request("Field 'credentials' must be an array.", "credentials")
    credentials = [_flat_credential(item, revision, f"credentials[{index}].") for index, item in enumerate(sent or [])]
    return NewVault(name, _metadata(body.get("metadata"), revision, options), tuple(credentials))


def read_credential(body: object, revision: Revision, options: ServiceOptions) -> NewCredential:
    """Read the body of a credential create.

    Raises:
        ApiError: 400.
    """
    if revision.is_flat:
        return _flat_credential(body, revision, "")
    body = _json_object(body)
    auth = body.get("auth")
    if not isinstance(auth, dict):
        raise bad_request("Field 'auth' is required and must be an object.", "auth")
    type_ = _type(auth, revision, "auth.")
    fields = _read_fields(AUTH_FIELDS[type_], auth, "auth", required_for=type_)
    return NewCredential({"type": type_, **fields}, metadata=_metadata(body.get("metadata"), revision, options))


def read_credential_update(
    body: object, current: Credential, revision: Revision, options: ServiceOptions
) -> tuple[JsonObject, dict[str, str]]:
    """Return the whole `auth` and `metadata` of a credential after a merge patch.

    Raises:
        ApiError: 400.
    """
    body = _json_object(body)
    auth, metadata = current.auth, current.metadata
    if "auth" in body:
        patch = body["auth"]
        if not isinstance(patch, dict) or patch.get("type") is None:
            raise bad_request("Field 'auth.type' is required.", "auth.type")
        if patch["type"] != current.type:
            raise bad_request("Field 'auth.type' cannot be changed.", "auth.type")
        auth = _update_fields(AUTH_FIELDS[current.type], current.auth, patch, "auth")
    if "metadata" in body:
        patch = body["metadata"]
        if isinstance(patch, dict):
            patch = {key: value for key, value in {**metadata, **patch}.items() if value is not None}
        metadata = _metadata(patch, revision, options)
    return auth, metadata


def _flat_credential(body: object, revision: Revision, prefix: str) -> NewCredential:
    """Read a credential of 2026-05, which has no `auth` object."""
    body = _json_object(body, prefix.rstrip("."))
    server_url = _url(_required_text(body, "mcp_server_url", f"{prefix}mcp_server_url"), f"{prefix}mcp_server_url")
    protocol = _required_text(body, "protocol", f"{prefix}protocol")
    if protocol not in revision.protocols:
        raise bad_request(f"Field 'protocol' must be one of: {', '.join(revision.protocols)}.", f"{prefix}protocol")
    type_ = _type(body, revision, prefix)
    if body.get("access_token") in (None, ""):
        raise bad_request("Field 'access_token' is required for static_bearer type.")
    token = _required_text(body, "access_token", f"{prefix}access_token")
    return NewCredential({"type": type_, "mcp_server_url": server_url, "token": token}, protocol)


def _type(holder: Mapping[str, object], revision: Revision, prefix: str) -> str:
    type_ = _required_text(holder, "type", f"{prefix}type")
    if type_ not in revision.types:
        raise bad_request(f"Field 'type' must be one of: {', '.join(revision.types)}.", f"{prefix}type")
    return type_


def _json_object(body: object, path: str = "") -> JsonObject:
    if not isinstance(body, dict):
        what = f"Field '{path}'" if path else "The request body"
        raise bad_request(f"{what} must be a JSON object.", path or None)
    return body


def _metadata(sent: object, revision: Revision, options: ServiceOptions) -> dict[str, str]:
    """Return the metadata to store: none where the service drops it."""
    stores = revision.stores_metadata if options.store_metadata is None else options.store_metadata
    if sent is None or not stores:
        return {}
    if not isinstance(sent, dict):
        raise bad_request("Field 'metadata' must be an object.", "metadata")
    if len(sent) > METADATA_PAIRS_LIMIT:
        raise bad_request(f"Field 'metadata' must have at most {METADATA_PAIRS_LIMIT} pairs.", "metadata")
    for key, value in sent.items():
        if not 1 <= len(key) <= METADATA_KEY_LIMIT:
            raise bad_request(f"A key of 'metadata' must have 1 to {METADATA_KEY_LIMIT} characters.", "metadata")
        if not isinstance(value, str) or len(value) > METADATA_VALUE_LIMIT:
            raise bad_request(
                f"A value of 'metadata' must be a string of at most {METADATA_VALUE_LIMIT} characters.", "metadata"
            )
    return dict(sent)


# The fields of a 2026-07 `auth` object. Each check takes a value and its path, and returns the value to store.


@dataclass(frozen=True)
class Field:
    """One field of an object.

    Attributes:
        check: (value, path) -> the value to store; raises ApiError.
        is_required: a create must have it.
        is_mutable: an update may have it.
        is_clearable: null in an update clears it.
        fields: the fields of a nested object that an update changes one by one.
    """

    check: Callable[[object, str], object]
    is_required: bool = False
    is_mutable: bool = False
    is_clearable: bool = False
    fields: Mapping[str, Field] | None = None


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise bad_request(f"Field '{path}' must be a non-empty string.", path)
    return value


def _required_text(holder: Mapping[str, object], key: str, path: str, *, required_for: str = "") -> str:
    if holder.get(key) in (None, ""):
        raise _missing(key, path, required_for)
    return _text(holder[key], path)


def _missing(key: str, path: str, required_for: str) -> ApiError:
    """Return the 400 for a missing field of a credential type, if one is given.

    The documented sentence is "Field 'access_token' is required for static_bearer type."
    """
    return bad_request(f"Field '{key}' is required{f' for {required_for} type' if required_for else ''}.", path)


def _url(value: object, path: str) -> str:
    """Return an MCP server URL, byte for byte."""
    url = _text(value, path)
    if len(url) > URL_LIMIT:
        raise bad_request(f"Field '{path}' must be at most {URL_LIMIT} characters.", path)
    return url


def _object(value: object, path: str) -> JsonObject:
    if not isinstance(value, dict):
        raise bad_request(f"Field '{path}' must be an object.", path)
    return value


def _variable_name(value: object, path: str) -> str:
    name = _text(value, path)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise bad_request(f"Field '{path}' must match [A-Za-z_][A-Za-z0-9_]*.", path)
    return name


def _time(value: object, path: str) -> str:
    form = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    found = re.fullmatch(form, _text(value, path), re.ASCII)
    error = bad_request(f"Field '{path}' must be an RFC 3339 time.", path)
    if found is None:
        raise error
    try:
        return rfc3339(datetime.fromisoformat(found[0].upper()))
    except (ValueError, OverflowError):
        raise error from None


def _endpoint_auth(value: object, path: str) -> dict[str, str]:
    sent = _object(value, path)
    type_ = sent.get("type")
    if type_ == "none":
        return {"type": type_}
    if type_ not in ("client_secret_basic", "client_secret_post"):
        raise bad_request(
            f"Field '{path}.type' must be one of: none, client_secret_basic, client_secret_post.", f"{path}.type"
        )
    secret = _required_text(sent, "client_secret", f"{path}.client_secret", required_for=type_)
    return {"type": type_, "client_secret": secret}


def _networking(value: object, path: str) -> dict[str, object]:
    sent = _object(value, path)
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
    locations = {key: item for key, item in _object(value, path).items() if key in ("header", "body")}
    for key, item in locations.items():
        if item is not None and not isinstance(item, bool):
            raise bad_request(f"Field '{path}.{key}' must be true or false.", f"{path}.{key}")
    return locations


REFRESH_FIELDS: Mapping[str, Field] = {
    "client_id": Field(_text, is_required=True),
    "refresh_token": Field(_text, is_required=True, is_mutable=True),
    "token_endpoint": Field(_text, is_required=True),
    "token_endpoint_auth": Field(_endpoint_auth, is_required=True, is_mutable=True),
    "resource": Field(_text),
    "scope": Field(_text, is_mutable=True, is_clearable=True),
}


def _refresh(value: object, path: str) -> dict[str, object]:
    return _read_fields(REFRESH_FIELDS, _object(value, path), path)


AUTH_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "static_bearer": {
        "mcp_server_url": Field(_url, is_required=True),
        "token": Field(_text, is_required=True, is_mutable=True),
    },
    "mcp_oauth": {
        "mcp_server_url": Field(_url, is_required=True),
        "access_token": Field(_text, is_required=True, is_mutable=True),
        "expires_at": Field(_time, is_mutable=True, is_clearable=True),
        "refresh": Field(_refresh, is_mutable=True, fields=REFRESH_FIELDS),
    },
    "environment_variable": {
        "secret_name": Field(_variable_name, is_required=True),
        "secret_value": Field(_text, is_required=True, is_mutable=True),
        # UNVERIFIED: the official client has both in its update type. Rejected until a page says that they can change.
        "networking": Field(_networking),
        "injection_location": Field(_injection_location),
    },
}


def _read_fields(
    fields: Mapping[str, Field], sent: Mapping[str, object], path: str, *, required_for: str = ""
) -> dict[str, object]:
    """Return the known fields of an object to create; null is the same as missing."""
    result = {}
    for key, field in fields.items():
        if sent.get(key) is not None and not (field.is_required and sent[key] == ""):
            result[key] = field.check(sent[key], f"{path}.{key}")
        elif field.is_required:
            raise _missing(key, f"{path}.{key}", required_for)
    return result


def _update_fields(
    fields: Mapping[str, Field], stored: Mapping[str, object], patch: Mapping[str, object], path: str
) -> dict[str, object]:
    """Return a stored object after a merge patch: what the patch does not name stays."""
    result = dict(stored)
    for key, value in patch.items():
        field, at = fields.get(key), f"{path}.{key}"
        if field is None:
            continue
        if not field.is_mutable:
            raise bad_request(f"Field '{at}' cannot be changed.", at)
        if value is None:
            if not field.is_clearable:
                raise bad_request(f"Field '{at}' cannot be null.", at)
            result[key] = None
        elif field.fields is not None:
            if key not in stored:
                raise bad_request(f"Field '{at}' cannot be added to an existing credential.", at)
            result[key] = _update_fields(field.fields, _object(stored[key], at), _object(value, at), at)
        else:
            result[key] = field.check(_completed(value, stored.get(key)), at)
    return result


def _completed(sent: object, stored: object) -> object:
    """Return a sent object of the same type as the stored one with the stored keys added, such as `client_secret`."""
    if isinstance(stored, dict) and isinstance(sent, dict) and stored.get("type") == sent.get("type"):
        return {**stored, **sent}
    return sent
