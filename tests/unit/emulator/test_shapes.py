"""Shapes: the forms in which values are returned."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, RevisionName

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
URL = "https://example.com/mcp"

ZERO = "0001-01-01T00:00:00Z"


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_urls_may_be_returned_normalized(serve: Serve, connect: Connect, revision: RevisionName) -> None:
    """The host in lower case, no default port, no trailing slash; what was sent is stored."""
    qoder = serve(revision, normalizes_urls=True)
    vault_id = qoder.add_vault("v").id
    expected = {
        "https://EXAMPLE.com:443/MCP/": "https://example.com/MCP",
        "http://Example.com:80": "http://example.com",
        "https://example.com:8443/a?B=c/": "https://example.com:8443/a?B=c/",
        "https://[::1]:443/mcp": "https://[::1]/mcp",
        "https://Me@Example.com/": "https://Me@example.com",
        "no URL": "no URL",
        "https://[bad/": "https://[bad/",
    }
    for url in expected:
        qoder.add_credential(vault_id, url, "t")
    data = connect(qoder).get(f"/vaults/{vault_id}/credentials").json()["data"]

    assert list(expected.values()) == [item.get("auth", item)["mcp_server_url"] for item in data][::-1]
    assert list(expected) == [item.mcp_server_url for item in qoder.vaults[0].credentials]


def test_times_may_have_an_offset(serve: Serve, connect: Connect, oauth: Body) -> None:
    """Every time has the offset instead of Z, and is the same instant."""
    moment = datetime(2026, 8, 1, 20, 30, 0, 250_000, tzinfo=UTC)
    qoder = serve("2026-07", utc_offset_minutes=480, clock=lambda: moment)
    vault_id = qoder.add_vault("v").id
    http = connect(qoder)
    made = http.post(f"/vaults/{vault_id}/credentials", json=oauth).json()

    written = "2026-08-02T04:30:00.25+08:00"
    assert [written] * 4 == [
        item[key] for item in (http.get(f"/vaults/{vault_id}").json(), made) for key in ("created_at", "updated_at")
    ]
    assert "2026-12-01T16:00:00.25+08:00" == made["auth"]["expires_at"]
    assert written == http.post(f"/vaults/{vault_id}/archive").json()["archived_at"]


@pytest.mark.parametrize(("form", "shown"), [("null", None), ("zero_time", ZERO), ("absent", ...)])
@pytest.mark.parametrize("revision", ["between", "2026-07"])
def test_not_archived_has_several_forms(
    serve: Serve, connect: Connect, revision: RevisionName, form: str, shown: Any
) -> None:
    """`archived_at` of what is not archived may be null, the zero time, or absent; then it is the time."""
    qoder = serve(revision, not_archived=form)
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    http = connect(qoder)
    vault = f"/vaults/{made.vault_id}"
    credential = f"{vault}/credentials/{made.id}"

    assert [shown, shown] == [http.get(path).json().get("archived_at", ...) for path in (vault, credential)]
    for path in (credential, vault):
        assert http.post(f"{path}/archive").json()["archived_at"].startswith("20")


def test_the_service_may_add_metadata(serve: Serve, connect: Connect, bearer: MakeBody) -> None:
    """A pair that nobody sent is in every vault and credential, beside those that were sent."""
    qoder = serve("2026-07", adds_metadata=True)
    http = connect(qoder)
    made = http.post("/vaults", json={"display_name": "v", "metadata": {"team": "tools"}}).json()
    credential = http.post(f"/vaults/{made['id']}/credentials", json=bearer(metadata={"team": "tools"})).json()

    for item in (made, http.get(f"/vaults/{made['id']}").json(), credential):
        assert (2, "tools") == (len(item["metadata"]), item["metadata"]["team"])
    assert {"team": "tools"} == qoder.vaults[0].metadata


@pytest.mark.parametrize("where", ["metadata", "display_name"])
@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_vaults_may_echo_the_api_token(
    serve: Serve, connect: Connect, founding: Body, revision: RevisionName, where: str
) -> None:
    """The API token of the request is in create, get, list and archive of a vault, where the option says."""
    qoder = serve(revision, vault_echo=where, credentials_key="ignore", api_token="pt-canary-1")
    http = connect(qoder)
    made = http.post("/vaults", json=founding).json()
    path = f"/vaults/{made['id']}"
    shown = [made, http.get(path).json(), http.get("/vaults").json()["data"][0], http.post(f"{path}/archive").json()]

    assert [True] * 4 == ["pt-canary-1" in str(vault[where]) for vault in shown]
    assert "canary" not in repr(qoder.vaults[0])


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_ids_may_have_another_form(
    serve: Serve, connect: Connect, revision: RevisionName, bearer: MakeBody, flat: MakeBody
) -> None:
    """Ids may have other prefixes and dashes; they still sort by creation, and lead to the object."""
    qoder = serve(revision, id_form="dashes", vault_id_prefix="vlt-", credential_id_prefix="")
    ids = [qoder.add_vault("v").id for _ in range(3)]
    http = connect(qoder)
    uuid7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

    assert (sorted(ids), []) == (ids, [id_ for id_ in ids if not re.fullmatch(f"vlt-{uuid7}", id_)])
    body = bearer() if revision == "2026-07" else flat()
    made = http.post(f"/vaults/{ids[0]}/credentials", json=body).json()
    assert re.fullmatch(uuid7, made["id"])
    assert 200 == http.get(f"/vaults/{ids[0]}/credentials/{made['id']}").status_code


def test_archived_at_is_shown_between_the_revisions(serve: Serve, connect: Connect) -> None:
    """An archived credential has `archived_at` on `between`, and not on 2026-05."""
    qoder = serve("between")
    made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
    path = f"/vaults/{made.vault_id}/credentials/{made.id}"
    http = connect(qoder)

    assert "archived_at" not in http.get(path).json()
    qoder.archive_credential(made.vault_id, made.id)
    archived = http.get(path).json()
    assert ("archived", archived["updated_at"]) == (archived["status"], archived["archived_at"])
    qoder.revision = "2026-05"
    assert "archived_at" not in http.get(path).json()
