"""Read request bodies: parsed JSON -> what to create or update, or a 400.

Pure; knows neither HTTP nor what exists. UNVERIFIED: every `param`, and every message except the two on the
page Create Vault. Sources: Qoder, Create Vault (read 2026-05) and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .auth_fields import AUTH_FIELDS, Reader, required_text, server_url
from .errors import bad_request
from .records import Credential, JsonObject, NewCredential, NewVault

if TYPE_CHECKING:
    from .options import ServiceOptions
    from .revisions import Revision

__all__ = ["read_credential", "read_credential_update", "read_vault"]

NAME_LIMIT = 255
METADATA_PAIRS_LIMIT, METADATA_KEY_LIMIT, METADATA_VALUE_LIMIT = 16, 64, 512


def read_vault(body: object, revision: Revision, options: ServiceOptions) -> NewVault:
    """Read the body of a vault create.

    Raises:
        ApiError: 400.
    """
    body = _json_object(body)
    name = _display_name(body.get("display_name"), options)
    _reader(options).reject_unknown(body, ("display_name", "metadata", "credentials"), "")
    if revision.credentials_in_create == "unknown":
        if "credentials" in body and options.credentials_key == "refuse":
            raise bad_request("Unknown field 'credentials'.", "credentials")
        return NewVault(name, _metadata(body.get("metadata"), revision, options))
    sent = body.get("credentials")
    if not sent and revision.credentials_in_create == "required":
        raise bad_request("At least one credential is required when creating a vault.")
    if sent is not None and not isinstance(sent, list):
        raise bad_request("Field 'credentials' must be an array.", "credentials")
    credentials = [
        _flat_credential(item, revision, options, f"credentials[{index}].") for index, item in enumerate(sent or [])
    ]
    return NewVault(name, _metadata(body.get("metadata"), revision, options), tuple(credentials))


def read_credential(body: object, revision: Revision, options: ServiceOptions) -> NewCredential:
    """Read the body of a credential create.

    Raises:
        ApiError: 400.
    """
    if revision.is_flat:
        return _flat_credential(body, revision, options, "")
    body = _json_object(body)
    reader = _reader(options)
    reader.reject_unknown(body, ("auth", "metadata"), "")
    auth = body.get("auth")
    if not isinstance(auth, dict):
        raise bad_request("Field 'auth' is required and must be an object.", "auth")
    type_ = _type(auth, revision, "auth.")
    fields = reader.create(AUTH_FIELDS[type_], auth, "auth", required_for=type_)
    return NewCredential({"type": type_, **fields}, metadata=_metadata(body.get("metadata"), revision, options))


def read_credential_update(
    body: object, current: Credential, revision: Revision, options: ServiceOptions
) -> tuple[JsonObject, dict[str, str]]:
    """Return the whole `auth` and `metadata` of a credential after a merge patch.

    Raises:
        ApiError: 400.
    """
    body = _json_object(body)
    reader = _reader(options)
    reader.reject_unknown(body, ("auth", "metadata"), "")
    auth, metadata = current.auth, current.metadata
    if "auth" in body:
        patch = body["auth"]
        if not isinstance(patch, dict) or patch.get("type") is None:
            raise bad_request("Field 'auth.type' is required.", "auth.type")
        if patch["type"] != current.type:
            raise bad_request("Field 'auth.type' cannot be changed.", "auth.type")
        auth = reader.update(AUTH_FIELDS[current.type], current.auth, patch, "auth")
    if "metadata" in body:
        patch = body["metadata"]
        if isinstance(patch, dict):
            patch = {key: value for key, value in {**metadata, **patch}.items() if value is not None}
        metadata = _metadata(patch, revision, options)
    return auth, metadata


def _display_name(name: object, options: ServiceOptions) -> str:
    """Return the display name to store."""
    if name is None:
        raise bad_request("Field 'display_name' is required.", "display_name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LIMIT:
        raise bad_request(f"Field 'display_name' must be a string of 1 to {NAME_LIMIT} characters.", "display_name")
    name = name.strip() if options.trims_display_name else name
    return unicodedata.normalize("NFC", name) if options.nfc_display_name else name


def _reader(options: ServiceOptions) -> Reader:
    return Reader(
        ignored=frozenset(options.ignored_auth_fields),
        mutable=frozenset(options.mutable_auth_fields),
        ignores_null=options.ignores_null,
        refuses_unknown=options.unknown_keys == "refuse",
    )


def _flat_credential(body: object, revision: Revision, options: ServiceOptions, prefix: str) -> NewCredential:
    """Read a credential of 2026-05, which has no `auth` object."""
    body = _json_object(body, prefix.rstrip("."))
    known = ("mcp_server_url", "protocol", "type", "access_token")
    _reader(options).reject_unknown(body, known, prefix.rstrip("."))
    url = server_url(required_text(body, "mcp_server_url", f"{prefix}mcp_server_url"), f"{prefix}mcp_server_url")
    protocol = required_text(body, "protocol", f"{prefix}protocol")
    if protocol not in revision.protocols:
        raise bad_request(f"Field 'protocol' must be one of: {', '.join(revision.protocols)}.", f"{prefix}protocol")
    type_ = _type(body, revision, prefix)
    if body.get("access_token") in (None, ""):
        raise bad_request("Field 'access_token' is required for static_bearer type.")
    token = required_text(body, "access_token", f"{prefix}access_token")
    return NewCredential({"type": type_, "mcp_server_url": url, "token": token}, protocol)


def _type(holder: Mapping[str, object], revision: Revision, prefix: str) -> str:
    type_ = required_text(holder, "type", f"{prefix}type")
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
    return {key: value.strip() if options.trims_metadata else value for key, value in sent.items()}
