"""Records that the tests of the lifecycle share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pulumi_qoder_vault.lifecycle.model import (
    Credential,
    DesiredVault,
    ObservedCredential,
    Place,
    RecordedVault,
    Revision,
)
from pulumi_qoder_vault.secret import Secret

R05, R07 = Revision.R2026_05, Revision.R2026_07


def bearer(url: str, secret: Secret | None = None, protocol: str = "streamable_http") -> Credential:
    """A credential of type `static_bearer`; without a secret, one that is not known."""
    return Credential("static_bearer", {"mcp_server_url": url, "protocol": protocol}).with_secret(secret)


def with_protocol(credential: Credential, protocol: str) -> Credential:
    """The same credential with another protocol."""
    return replace(credential, properties={**credential.properties, "protocol": protocol})


def desired_vault(*credentials: Credential, **fields: Any) -> DesiredVault:
    """A vault as a program asks for it; nothing has been rotated."""
    given = {"display_name": "my-mcp-vault", "rotations": {item.key: 0 for item in credentials}, **fields}
    return DesiredVault(credentials=credentials, **given)


def recorded_vault(*credentials: Credential, **fields: Any) -> RecordedVault:
    """A vault as a state holds it, made at no server; `vcred_a` is the id for `https://a.example/mcp`."""
    given = {
        "vault_id": "vault_1",
        "display_name": "v",
        "metadata": {},
        "on_delete": "delete",
        "place": Place("https://qoder.example", None),
        "status": "active",
        "credentials": credentials,
        "credential_ids": {item.key: f"vcred_{item.key[8]}" for item in credentials},
        "rotations": {item.key: 0 for item in credentials},
        "created_at": "",
        "updated_at": "",
        "api_revision": R05,
        **fields,
    }
    return RecordedVault(**given)


def observed(id_: str, url: str, revision: Revision = R05, *, is_active: bool = True) -> ObservedCredential:
    """A credential as Qoder shows it."""
    return ObservedCredential(id_, "static_bearer", {"mcp_server_url": url}, is_active, "", revision)
