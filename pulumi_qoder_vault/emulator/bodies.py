"""Read request bodies: parsed JSON in, what was asked for out, or a 400.

Pure; knows neither HTTP nor the store's state. Keys that are not known are ignored. UNVERIFIED: every message except
the founding page's two, and every `param`. Sources: Qoder, Create Vault (read 2026-05) and Vault Credentials (read
2026-08).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fields import AUTH, read_fields, required_text, update_fields, url
from .refusals import invalid
from .store import Credential, NewCredential, NewVault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .revisions import Revision
    from .switches import Switches

__all__ = ["read_credential", "read_credential_update", "read_vault"]

NAME_LIMIT = 255
METADATA_LIMITS = {"pairs": 16, "key": 64, "value": 512}


def read_vault(body: Any, revision: Revision, switches: Switches) -> NewVault:
    """Read the body of a vault create.

    Raises:
        Refusal: 400.
    """
    body = _object(body)
    name = body.get("display_name")
    if name is None:
        raise invalid("Field 'display_name' is required.", "display_name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LIMIT:
        raise invalid(f"Field 'display_name' must be a string of 1 to {NAME_LIMIT} characters.", "display_name")
    if revision.credentials_in_create == "unknown":
        if "credentials" in body and switches.credentials_key == "refuse":
            raise invalid("Unknown field 'credentials'.", "credentials")
        return NewVault(name, _metadata(body.get("metadata")))
    sent = body.get("credentials")
    if not sent and revision.credentials_in_create == "required":
        raise invalid("At least one credential is required when creating a vault.")
    if sent is not None and not isinstance(sent, list):
        raise invalid("Field 'credentials' must be an array.", "credentials")
    credentials = [_flat_credential(item, revision, f"credentials[{index}].") for index, item in enumerate(sent or [])]
    metadata = _metadata(body.get("metadata")) if switches.store_metadata else {}
    return NewVault(name, metadata, tuple(credentials))


def read_credential(body: Any, revision: Revision) -> NewCredential:
    """Read the body of a credential create.

    Raises:
        Refusal: 400.
    """
    if revision.is_flat:
        return _flat_credential(body, revision, "")
    body = _object(body)
    auth = body.get("auth")
    if not isinstance(auth, dict):
        raise invalid("Field 'auth' is required and must be an object.", "auth")
    kind = _type(auth, revision, "auth.")
    read = read_fields(AUTH[kind], auth, "auth", wanted_by=kind)
    return NewCredential({"type": kind, **read}, metadata=_metadata(body.get("metadata")))


def read_credential_update(body: Any, current: Credential) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the whole `auth` and `metadata` that a merge patch leaves.

    Raises:
        Refusal: 400.
    """
    body = _object(body)
    auth, metadata = current.auth, current.metadata
    if "auth" in body:
        sent = body["auth"]
        if not isinstance(sent, dict) or sent.get("type") is None:
            raise invalid("Field 'auth.type' is required.", "auth.type")
        if sent["type"] != current.type:
            raise invalid("Field 'auth.type' cannot be changed.", "auth.type")
        auth = update_fields(AUTH[current.type], current.auth, sent, "auth")
    if "metadata" in body:
        metadata = _updated_metadata(metadata, body["metadata"])
    return auth, metadata


def _flat_credential(body: Any, revision: Revision, prefix: str) -> NewCredential:
    body = _object(body, prefix.rstrip("."))
    server_url = url(required_text(body, "mcp_server_url", f"{prefix}mcp_server_url"), f"{prefix}mcp_server_url")
    protocol = required_text(body, "protocol", f"{prefix}protocol")
    if protocol not in revision.protocols:
        raise invalid(f"Field 'protocol' must be one of: {', '.join(revision.protocols)}.", f"{prefix}protocol")
    kind = _type(body, revision, prefix)
    if body.get("access_token") in (None, ""):
        raise invalid("Field 'access_token' is required for static_bearer type.")
    token = required_text(body, "access_token", f"{prefix}access_token")
    return NewCredential({"type": kind, "mcp_server_url": server_url, "token": token}, protocol)


def _type(holder: Mapping[str, Any], revision: Revision, prefix: str) -> str:
    kind = required_text(holder, "type", f"{prefix}type")
    if kind not in revision.types:
        raise invalid(f"Field 'type' must be one of: {', '.join(revision.types)}.", f"{prefix}type")
    return kind


def _object(body: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(body, dict):
        what = f"Field '{path}'" if path else "The request body"
        raise invalid(f"{what} must be a JSON object.", path or None)
    return body


def _metadata(sent: Any) -> dict[str, str]:
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise invalid("Field 'metadata' must be an object.", "metadata")
    if len(sent) > METADATA_LIMITS["pairs"]:
        raise invalid(f"Field 'metadata' must have at most {METADATA_LIMITS['pairs']} pairs.", "metadata")
    for key, value in sent.items():
        if not 1 <= len(key) <= METADATA_LIMITS["key"]:
            raise invalid(f"A key of 'metadata' must have 1 to {METADATA_LIMITS['key']} characters.", "metadata")
        if not isinstance(value, str) or len(value) > METADATA_LIMITS["value"]:
            raise invalid(
                f"A value of 'metadata' must be a string of at most {METADATA_LIMITS['value']} characters.", "metadata"
            )
    return dict(sent)


def _updated_metadata(stored: Mapping[str, str], sent: Any) -> dict[str, str]:
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise invalid("Field 'metadata' must be an object.", "metadata")
    return _metadata({key: value for key, value in {**stored, **sent}.items() if value is not None})
