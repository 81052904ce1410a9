"""The history of the store: routes that see the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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

LAG_S = 5.0


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 8, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Time:
    return Time()


def test_get_lags(serve: Serve, connect: Connect, clock: Time, error_of: ErrorOf) -> None:
    """GET of an object is a genuine 404 after its create and shows it after its deletion, for so long; lists do not."""
    qoder = serve("2026-07", clock=clock, get_lag_s=LAG_S)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    vault = f"/vaults/{made.vault_id}"
    credential = f"{vault}/credentials/{made.id}"
    http = connect(qoder)

    clock.passes(LAG_S - 0.1)
    for path in (vault, credential):
        assert (404, "not_found_error", None) == error_of(http.get(path))
    assert [1, 1] == [len(http.get(path).json()["data"]) for path in ("/vaults", f"{vault}/credentials")]
    clock.passes(0.1)
    assert [200, 200] == [http.get(path).status_code for path in (vault, credential)]
    assert 200 == http.delete(credential).status_code
    assert 200 == http.get(credential).status_code
    clock.passes(LAG_S)
    assert 404 == http.get(credential).status_code
    assert 200 == http.delete(vault).status_code
    assert 200 == http.get(vault).status_code
    clock.passes(LAG_S)
    assert 404 == http.get(vault).status_code


def test_a_change_lags(serve: Serve, connect: Connect, clock: Time) -> None:
    """What was changed is shown as before, for so long."""
    qoder = serve("2026-07", clock=clock, get_lag_s=LAG_S)
    path = f"/vaults/{qoder.add_vault('v').id}"
    http = connect(qoder)
    clock.passes(LAG_S)

    assert http.post(f"{path}/archive").json()["archived_at"] is not None
    assert http.get(path).json()["archived_at"] is None
    clock.passes(LAG_S)
    assert http.get(path).json()["archived_at"] is not None


def test_lists_lag(serve: Serve, connect: Connect, clock: Time) -> None:
    """Lists lack what was created and show what was deleted, for so long; GET of it does not."""
    qoder = serve("2026-07", clock=clock, list_lag_s=LAG_S)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    vault = f"/vaults/{made.vault_id}"
    http = connect(qoder)

    def counts() -> list[int]:
        return [len(http.get(path).json()["data"]) for path in ("/vaults", f"{vault}/credentials")]

    assert ([0, 0], 200) == (counts(), http.get(vault).status_code)
    clock.passes(LAG_S)
    assert [1, 1] == counts()
    http.delete(f"{vault}/credentials/{made.id}")
    assert [1, 1] == counts()
    clock.passes(LAG_S)
    assert [1, 0] == counts()


def test_routes_under_a_vault_lag(
    serve: Serve, connect: Connect, clock: Time, bearer: MakeBody, error_of: ErrorOf
) -> None:
    """A new vault takes no credential for so long, and shows none; the vault itself is there."""
    qoder = serve("2026-07", clock=clock, vault_route_lag_s=LAG_S)
    http = connect(qoder)
    vault_id = http.post("/vaults", json={"display_name": "v"}).json()["id"]
    path = f"/vaults/{vault_id}/credentials"

    assert (404, "not_found_error", None) == error_of(http.get(path))
    refused = http.post(path, json=bearer())
    assert (404, f"Vault '{vault_id}' was not found.") == (refused.status_code, refused.json()["error"]["message"])
    assert ([], 200) == (qoder.vaults[0].credentials, http.get(f"/vaults/{vault_id}").status_code)
    clock.passes(LAG_S)
    assert 200 == http.post(path, json=bearer()).status_code
    qoder.delete_vault(vault_id)
    assert (200, []) == ((seen := http.get(path)).status_code, seen.json()["data"])
    clock.passes(LAG_S)
    assert 404 == http.get(path).status_code


def test_delete_of_what_is_young_is_a_404(serve: Serve, connect: Connect, clock: Time, error_of: ErrorOf) -> None:
    """DELETE of what was created a moment ago is a 404, and it stays; later it is deleted."""
    qoder = serve("2026-07", clock=clock, delete_lag_s=LAG_S)
    vault_id = qoder.add_vault("v").id
    http = connect(qoder)
    clock.passes(LAG_S)
    credential = f"/vaults/{vault_id}/credentials/{qoder.add_credential(vault_id, URL, 't').id}"
    young = f"/vaults/{qoder.add_vault('young').id}"

    for path in (credential, young):
        assert (404, "not_found_error", None) == error_of(http.delete(path))
        assert 200 == http.get(path).status_code
    clock.passes(LAG_S)
    assert [200, 200] == [http.delete(path).status_code for path in (credential, young)]
    assert [[]] == [vault.credentials for vault in qoder.vaults]


def test_a_service_that_does_not_lag_has_no_history(serve: Serve, connect: Connect) -> None:
    """By default every route sees what is true."""
    qoder = serve("2026-07")
    http = connect(qoder)
    path = f"/vaults/{http.post('/vaults', json={'display_name': 'v'}).json()['id']}"

    assert [200, 200, 200, 404] == [
        http.request(method, at).status_code
        for method, at in [("GET", path), ("GET", f"{path}/credentials"), ("DELETE", path), ("GET", path)]
    ]
