"""Accounts: each has its own vaults, and may have several API tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
URL = "https://example.com/mcp"


def test_an_account_sees_its_own_vaults(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """A vault of another account is a genuine 404 and in no list; `qoder.vaults` are the first account's."""
    qoder = serve("2026-07")
    other = qoder.add_account()
    mine, theirs = qoder.add_vault("mine"), other.add_vault("theirs")
    http = connect(qoder)
    as_other = {"Authorization": f"Bearer {other.api_token}"}

    assert (404, "not_found_error", None) == error_of(http.get(f"/vaults/{theirs.id}"))
    assert 200 == http.get(f"/vaults/{theirs.id}", headers=as_other).status_code
    assert [mine.id] == [vault["id"] for vault in http.get("/vaults").json()["data"]]
    assert [theirs.id] == [vault["id"] for vault in http.get("/vaults", headers=as_other).json()["data"]]
    assert ([mine.id], [theirs.id]) == ([item.id for item in qoder.vaults], [item.id for item in other.vaults])
    assert 200 == http.delete(f"/vaults/{theirs.id}", headers=as_other).status_code
    assert ([mine.id], []) == ([item.id for item in qoder.vaults], other.vaults)


def test_an_account_may_have_several_api_tokens(serve: Serve, connect: Connect) -> None:
    """A rotated API token is the same account's; setting `api_token` ends all others."""
    qoder = serve("2026-07", api_token="pt-old")
    vault = qoder.add_vault("v")
    http = connect(qoder)
    rotated = qoder.add_api_token()
    tokens = ("pt-old", rotated, qoder.add_api_token("pt-third"))

    def statuses() -> list[int]:
        return [
            http.get(f"/vaults/{vault.id}", headers={"Authorization": f"Bearer {token}"}).status_code
            for token in tokens
        ]

    assert ([200, 200, 200], "pt-old") == (statuses(), qoder.api_token)
    qoder.api_token = rotated
    assert [401, 200, 401] == statuses()


def test_keys_are_an_account_s_own(serve: Serve, connect: Connect) -> None:
    """The same idempotency key of two accounts makes two vaults."""
    qoder = serve("2026-07")
    other = qoder.add_account("pt-other")
    http = connect(qoder)
    for token in (qoder.api_token, "pt-other"):
        headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {token}"}
        assert 200 == http.post("/vaults", json={"display_name": "v"}, headers=headers).status_code

    assert (1, 1) == (len(qoder.vaults), len(other.vaults))


def test_no_api_token_is_recorded(serve: Serve, connect: Connect) -> None:
    """The record of requests holds no account's API token."""
    qoder = serve("2026-07")
    other = qoder.add_account("pt-canary-other")
    second = qoder.add_api_token("pt-canary-second")
    connect(qoder).get(f"/vaults/{other.api_token}", params={"name": second})

    assert "canary" not in repr(qoder.requests)


@pytest.mark.parametrize("add", ["add_account", "add_api_token"])
def test_an_api_token_must_fit_into_a_header(serve: Serve, add: str) -> None:
    """An API token that no client could send is an error at once."""
    with pytest.raises(ValueError, match=r"^api_token must"):
        getattr(serve(), add)("two words")
