"""A server, its API, and what the tests of the lifecycle ask of both."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Effect, Emulator
from pulumi_qoder_vault.lifecycle.capabilities import QoderInUse
from pulumi_qoder_vault.lifecycle.model import (
    Credential,
    CredentialSet,
    DesiredVault,
    RecordedVault,
)
from pulumi_qoder_vault.lifecycle.vault import operations
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import bearer

URL, OTHER_URL, THIRD_URL = (f"https://example.com/{name}" for name in ("mcp", "other", "third"))
TOKENS = ("mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-three-3333")
ONE, TWO, THREE = (bearer(url, Secret(token)) for url, token in zip((URL, OTHER_URL, THIRD_URL), TOKENS, strict=True))
NEW_ONE = ONE.with_secret(Secret("mcp-canary-one-next"))
NEW_TWO = TWO.with_secret(Secret("mcp-canary-two-next"))
EVERY_TOKEN = [item.secret for item in (ONE, TWO, THREE, NEW_ONE, NEW_TWO)]
JSON = (("Content-Type", "application/json"),)
REFUSES_KEY = Effect(
    "2026-07, which refuses the key",
    status=400,
    headers=JSON,
    body={
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "Unknown field.", "param": "credentials"},
    },
)


def host_of(qoder: Emulator) -> str:
    return qoder.base_url.split("/")[2]


class World:
    """A server, its API, what is known of it, and the warnings that were shown."""

    def __init__(self, qoder: Emulator, api: Client, setting: str, warnings: list[str]) -> None:
        self.qoder = qoder
        self.api = api
        self.warnings = warnings
        self.in_use = QoderInUse(setting)

    def create(self, wanted: DesiredVault) -> RecordedVault:
        return operations.create(self.api, wanted, self.in_use)

    def update(self, recorded: CredentialSet, wanted: DesiredVault) -> RecordedVault:
        """Update what a state or a partial state holds."""
        assert isinstance(recorded, RecordedVault)
        return operations.update(self.api, recorded, wanted, self.in_use)

    def look_up(self, vault_id: str) -> RecordedVault:
        found = operations.look_up(self.api, vault_id)
        assert found is not None
        return found

    def read(self, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
        return operations.read(self.api, recorded, self.in_use)

    def delete(self, recorded: RecordedVault) -> None:
        operations.delete(self.api, recorded, self.in_use)

    @property
    def asked(self) -> list[str]:
        """Method, path and status of what was asked since the last time; ids are left out."""
        lines = [f"{item.method} {item.path} {item.status}" for item in self.qoder.requests]
        self.qoder.clear_requests()
        return [re.sub(r"vcred_\w+", "C", re.sub(r"vault_\w+", "V", line)) for line in lines]

    @property
    def active(self) -> dict[str, str | None]:
        """Access tokens of the active credentials of the only vault, by URL."""
        (vault,) = self.qoder.vaults
        return {item.mcp_server_url or "": item.access_token for item in vault.credentials if item.status == "active"}


def tokens_of(*credentials: Credential) -> dict[str, str]:
    return {item.key: item.secret.reveal() for item in credentials if item.secret}


def failure_of(act: Callable[..., Any], *arguments: Any) -> Any:
    """What an act fails with: always one printable line without a secret, and no cause behind it."""
    with pytest.raises(errors.QoderError) as caught:
        act(*arguments)
    failure = caught.value
    assert str(failure).isprintable(), str(failure)
    assert not [token for token in EVERY_TOKEN if token and token.reveal() in f"{failure} {failure!r}"]
    assert failure.__cause__ is None
    assert failure.__context__ is None or failure.__suppress_context__
    return failure


def line_of(act: Callable[..., Any], *arguments: Any) -> str:
    line = re.sub(r"req_[0-9a-f]{24}", "req_1", str(failure_of(act, *arguments)))
    return re.sub(r"vcred_[0-9a-f]{32}", "vcred_1", re.sub(r"vault_[0-9a-f]{32}", "vault_1", line))
