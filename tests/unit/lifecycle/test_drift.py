"""What Qoder shows of a recorded credential: drift, but for what it hides, renews, or echoes."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_qoder_vault.lifecycle.drift import as_seen, not_shown
from pulumi_qoder_vault.lifecycle.model import Credential, ObservedCredential, Revision
from pulumi_qoder_vault.secret import Secret

URL = "https://a.example/mcp"


def recorded(url: str = URL, **fields: Any) -> Credential:
    given = {"mcp_server_url": url, "access_token": Secret("mcp-canary-1"), "expires_at": "2099-01-01T00:00:00Z"}
    refresh = {"client_id": "c", "refresh_token": Secret("refresh-canary"), "scope": "read"}
    return Credential("mcp_oauth", {**given, "refresh": refresh, **fields}, {"team": "tools"})


def seen(url: str = URL, metadata: dict[str, str] | None = None, **fields: Any) -> ObservedCredential:
    shown = {"mcp_server_url": url, "refresh": {"client_id": "c", "scope": "read"}, **fields}
    given = {"team": "tools"} if metadata is None else metadata
    return ObservedCredential("vcred_1", "mcp_oauth", shown, True, "", Revision.R2026_07, given)


def test_what_is_as_it_was_is_no_drift() -> None:
    """Nor is what nobody asked for, or a time that Qoder renews."""
    shown = seen(expires_at="2100-01-01T00:00:00Z", metadata={"team": "tools", "by": "others"})
    assert recorded() == as_seen(recorded(), shown)


def test_what_differs_is_as_it_is_seen() -> None:
    """At any depth; secrets stay what they are."""
    now = as_seen(recorded(), seen(refresh={"client_id": "c", "scope": "write"}, metadata={}))
    refresh = {"client_id": "c", "refresh_token": Secret("refresh-canary"), "scope": "write"}
    assert recorded(refresh=refresh).properties == now.properties
    assert {} == now.metadata


@pytest.mark.parametrize("url", [URL, "https://a.example/mcp?key=mcp-canary-1"])
def test_an_echo_is_not_recorded_and_an_old_one_hides_nothing(url: str) -> None:
    """A secret that stood in the recorded URL before is no echo: drift is seen all the same."""
    echo = as_seen(recorded(url), seen(url, refresh={"client_id": "c", "scope": "mcp-canary-1"}))
    drift = as_seen(recorded(url), seen(url, refresh={"client_id": "c", "scope": "write"}))
    assert "read" == echo.properties["refresh"]["scope"]
    assert "write" == drift.properties["refresh"]["scope"]


def test_another_type_is_not_what_was_sent() -> None:
    """A service that makes another kind of credential has not stored this one."""
    assert "type" == not_shown(Credential("static_bearer", {"mcp_server_url": URL}), seen())
    assert "" == not_shown(recorded(), seen(expires_at="2099-01-01T00:00:00Z"))


def test_what_should_be_cleared_and_is_shown_still_was_not_stored() -> None:
    """A service that ignores null keeps a time, or a scope deep in a block."""
    shown = seen(expires_at="2099-01-01T00:00:00Z")
    without = Credential("mcp_oauth", {key: v for key, v in recorded().properties.items() if key != "expires_at"})

    assert "expires_at" == not_shown(without, shown, recorded())
    refresh = {key: v for key, v in recorded().properties["refresh"].items() if key != "scope"}
    assert "refresh.scope" == not_shown(recorded(refresh=refresh), shown, recorded())
