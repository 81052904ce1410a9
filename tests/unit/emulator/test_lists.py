"""Lists: pages, filters and what excludes what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_qoder_vault.emulator import Emulator, RevisionName, ServiceOptions, Vault
from pulumi_qoder_vault.emulator.ids import Ids, utc_now
from pulumi_qoder_vault.emulator.lists import read_list_query
from pulumi_qoder_vault.emulator.revisions import REVISIONS

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
Five = tuple[httpx.Client, list[str]]
REFUSED = (400, "invalid_request_error")


def listed(http: httpx.Client, **query: str | int) -> list[str]:
    return [vault["id"] for vault in http.get("/vaults", params=query).json()["data"]]


@pytest.fixture
def five(serve: Serve, connect: Connect) -> Five:
    """(client, ids of five vaults, newest first) on 2026-07, the third one archived."""
    qoder = serve("2026-07")
    ids = [qoder.add_vault(f"Vault {number}").id for number in range(5)]
    qoder.archive_vault(ids[2])
    return connect(qoder), ids[::-1]


def test_envelope(five: Five) -> None:
    """A page has its first and last id, `has_more`, and a cursor, which is its last id."""
    http, ids = five
    page = http.get("/vaults", params={"limit": 2}).json()

    assert {"data", "first_id", "last_id", "has_more", "next_page"} == page.keys()
    assert (ids[0], ids[1], True, ids[1]) == tuple(
        page[key] for key in ("first_id", "last_id", "has_more", "next_page")
    )
    last = http.get("/vaults", params={"limit": 2, "page": page["next_page"]}).json()
    assert ([ids[3], ids[4]], False, None) == (
        [vault["id"] for vault in last["data"]],
        last["has_more"],
        last["next_page"],
    )


def test_an_empty_list(serve: Serve, connect: Connect) -> None:
    """An empty list has no ids."""
    assert {"data": [], "first_id": None, "last_id": None, "has_more": False, "next_page": None} == connect(
        serve("2026-07")
    ).get("/vaults").json()


def test_default_limit_is_20(serve: Serve, connect: Connect) -> None:
    """Without `limit` a page has 20 objects."""
    qoder = serve("2026-07")
    for number in range(21):
        qoder.add_vault(str(number))
    page = connect(qoder).get("/vaults").json()

    assert (20, True) == (len(page["data"]), page["has_more"])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1e1"])
@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_limit_is_from_1_to_100(
    serve: Serve, connect: Connect, error_of: ErrorOf, revision: RevisionName, limit: str
) -> None:
    """Any other limit is a 400."""
    assert (*REFUSED, "limit") == error_of(connect(serve(revision)).get("/vaults", params={"limit": limit}))


def test_cursors_exclude_each_other(five: Five, error_of: ErrorOf) -> None:
    """`page`, `after_id` and `before_id` cannot be combined."""
    http, ids = five

    for other in ("before_id", "page"):
        assert REFUSED == error_of(http.get("/vaults", params={"after_id": ids[0], other: ids[4]}))[:2]


def test_after_and_before(five: Five) -> None:
    """`after_id` and `before_id` return the neighbours of an id, in the order of the list."""
    http, ids = five

    assert [ids[1], ids[3]] == listed(http, after_id=ids[0], limit=2)
    assert [ids[1], ids[3]] == listed(http, page=ids[0], limit=2)
    assert [ids[1], ids[3]] == listed(http, before_id=ids[4], limit=2)


def test_archived_vaults_are_hidden_by_default(five: Five, error_of: ErrorOf) -> None:
    """2026-07 hides archived vaults unless `include_archived=true`."""
    http, ids = five

    assert [ids[0], ids[1], ids[3], ids[4]] == listed(http)
    assert ids == listed(http, include_archived="true")
    assert (*REFUSED, "include_archived") == error_of(http.get("/vaults", params={"include_archived": "yes"}))


def test_2026_05_filters_by_status(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """2026-05 lists active vaults, or with `status=archived` archived ones; `after` is `after_id`; no `next_page`."""
    qoder = serve("2026-05")
    ids = [qoder.add_vault("v").id for _ in range(4)][::-1]
    qoder.archive_vault(ids[1])
    http = connect(qoder)

    def listed_and_checked(**query: str) -> list[str]:
        page = http.get("/vaults", params=query).json()
        assert {"data", "first_id", "last_id", "has_more"} == page.keys()
        return [vault["id"] for vault in page["data"]]

    assert [ids[0], ids[2], ids[3]] == listed_and_checked()
    assert [ids[1]] == listed_and_checked(status="archived")
    assert [ids[2], ids[3]] == listed_and_checked(after=ids[0]) == listed_and_checked(after_id=ids[0])
    assert (*REFUSED, "status") == error_of(http.get("/vaults", params={"status": "gone"}))


def test_name_is_a_substring(five: Five) -> None:
    """`name` finds a case-insensitive part of the display name."""
    http, ids = five

    assert [ids[1]] == listed(http, name="vAULT 3")


def test_order_and_next_page_are_options(serve: Serve, connect: Connect) -> None:
    """No page fixes the order, and `next_page` may be missing."""
    qoder = serve("2026-07", newest_first=False, next_page="absent")
    ids = [qoder.add_vault("v").id for _ in range(3)][::-1]
    http = connect(qoder)
    page = http.get("/vaults", params={"limit": 2}).json()

    assert [ids[2], ids[1]] == [vault["id"] for vault in page["data"]]
    assert "next_page" not in page
    rest = http.get("/vaults", params={"after_id": page["last_id"]}).json()["data"]
    assert [ids[0]] == [vault["id"] for vault in rest]


def test_pages_are_followed_by_the_last_id(serve: Serve, connect: Connect) -> None:
    """`next_page` is the last id of the page, in `page` or in `after_id`; there is none on the way back."""
    qoder = serve("2026-07")
    ids = [qoder.add_vault("v").id for _ in range(5)][::-1]
    http = connect(qoder)
    for key in ("page", "after_id"):
        page = http.get("/vaults", params={"limit": 2}).json()
        seen = [vault["id"] for vault in page["data"]]
        while page["next_page"]:
            assert page["last_id"] == page["next_page"]
            page = http.get("/vaults", params={"limit": 2, key: page["next_page"]}).json()
            seen += [vault["id"] for vault in page["data"]]
        assert ids == seen

    back = http.get("/vaults", params={"limit": 2, "before_id": ids[4]}).json()
    assert (ids[2:4], True, None) == ([vault["id"] for vault in back["data"]], back["has_more"], back["next_page"])


def test_next_page_may_be_opaque(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """A cursor may be for `page` alone, and all there is: no `first_id`, `last_id`, `has_more`."""
    qoder = serve("2026-07", next_page="opaque", list_position=False)
    ids = [qoder.add_vault("v").id for _ in range(3)][::-1]
    http = connect(qoder)
    page = http.get("/vaults", params={"limit": 2}).json()

    assert {"data", "next_page"} == page.keys()
    assert page["next_page"] not in ids
    rest = http.get("/vaults", params={"page": page["next_page"]}).json()
    assert ([ids[2]], None) == ([vault["id"] for vault in rest["data"]], rest["next_page"])
    assert (*REFUSED, "page") == error_of(http.get("/vaults", params={"page": ids[0]}))


def test_pages_may_be_shorter_than_asked(serve: Serve, connect: Connect) -> None:
    """`page_size_cap` objects are on a page, whatever the limit; the list goes on."""
    qoder = serve("2026-07", page_size_cap=2)
    ids = [qoder.add_vault("v").id for _ in range(3)][::-1]
    http = connect(qoder)
    page = http.get("/vaults", params={"limit": 100}).json()

    assert (ids[:2], True) == ([vault["id"] for vault in page["data"]], page["has_more"])
    assert ids[2:] == listed(http, page=page["next_page"], limit=100)
    assert ids[:1] == listed(http, limit=1)


@pytest.mark.parametrize(
    ("option", "key"), [("after_id_key", "after_id"), ("after_id_key", "after"), ("name_key", "name")]
)
def test_keys_may_be_ignored_or_refused(
    serve: Serve, connect: Connect, error_of: ErrorOf, option: str, key: str
) -> None:
    """A service may not know `after_id` or `name`: it lists everything, or refuses them by name."""
    revision = "2026-05" if key == "after" else "2026-07"
    for mode in ("ignore", "refuse"):
        qoder = serve(revision, **{option: mode})
        ids = [qoder.add_vault(name).id for name in ("one", "two")][::-1]
        http = connect(qoder)
        response = http.get("/vaults", params={key: "one" if key == "name" else ids[0]})
        if mode == "ignore":
            assert ids == [vault["id"] for vault in response.json()["data"]]
        else:
            assert (*REFUSED, key) == error_of(response)
            assert f"Unknown query parameter '{key}'." == response.json()["error"]["message"]


@pytest.mark.parametrize(("status", "type_"), [(400, "invalid_request_error"), (404, "not_found_error")])
@pytest.mark.parametrize("key", ["after_id", "before_id", "page"])
def test_a_lost_cursor_may_be_refused(
    serve: Serve, connect: Connect, error_of: ErrorOf, key: str, status: int, type_: str
) -> None:
    """A cursor whose object is gone may be a 400 or a 404; one whose object is there is none."""
    qoder = serve("2026-07", lost_cursor_status=status)
    ids = [qoder.add_vault("v").id for _ in range(2)]
    http = connect(qoder)

    assert 200 == http.get("/vaults", params={key: ids[0]}).status_code
    qoder.delete_vault(ids[0])
    assert (status, type_, None) == error_of(http.get("/vaults", params={key: ids[0]}))


def test_the_order_may_change_between_pages(serve: Serve, connect: Connect) -> None:
    """With the other order after the first page, following the pages shows one twice and others never."""
    qoder = serve("2026-07", later_pages_reversed=True)
    ids = [qoder.add_vault("v").id for _ in range(5)][::-1]
    http = connect(qoder)
    first = listed(http, limit=2)

    assert ids[:2] == first
    assert ids[:1] == listed(http, limit=2, page=first[-1])


def test_between_filters_by_time(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """`between` has its own keys: `created_at[gte]`, `created_at[lte]`, `include_archived`, `before_id`, `name`."""
    today = datetime(2026, 6, 1, tzinfo=UTC)
    qoder = serve("between", clock=lambda: today)
    ids = []
    for number in (1, 2, 3):
        ids += [qoder.add_vault(f"Vault {number}").id]
        today += timedelta(days=1)
    http = connect(qoder)
    qoder.archive_vault(ids[0])
    since, until = {"created_at[gte]": "2026-06-02T08:00:00+08:00"}, {"created_at[lte]": "2026-06-02T00:00:00Z"}

    assert ids[2:0:-1] == listed(http, **since)
    assert ids[1::-1] == listed(http, **until, include_archived="true")
    assert ids[1:2] == listed(http, **since, **until)
    assert ids[1:2] == listed(http, name="vault 2")
    assert ids[2:] == listed(http, before_id=ids[1])
    assert ids[2:0:-1] == listed(http, status="archived"), "not a key of this revision"
    page = http.get("/vaults", params={"page": ids[2], "limit": 1}).json()
    assert ({"data", "first_id", "last_id", "has_more"}, ids[2]) == (page.keys(), page["first_id"])
    for value in ("yesterday", "2026-06-02T00:00:00"):
        assert (*REFUSED, "created_at[gte]") == error_of(http.get("/vaults", params={"created_at[gte]": value}))


def test_name_searches_the_urls_of_credentials(serve: Serve, connect: Connect) -> None:
    """Of credentials, `name` finds a case-insensitive part of the MCP server URL; a variable has none."""
    qoder = serve("2026-07")
    vault_id = qoder.add_vault("v").id
    ids = [qoder.add_credential(vault_id, f"https://{host}.example/mcp", "t").id for host in ("one", "two")]
    http = connect(qoder)
    path = f"/vaults/{vault_id}/credentials"
    variable = {"type": "environment_variable", "secret_name": "KEY", "secret_value": "s"}
    assert 200 == http.post(path, json={"auth": variable}).status_code

    assert [ids[1]] == [item["id"] for item in http.get(path, params={"name": "TWO.Example"}).json()["data"]]


def test_a_cursor_outlives_its_object(serve: Serve, connect: Connect) -> None:
    """The next page follows the cursor, though the object at the cursor was deleted."""
    qoder = serve("2026-07")
    ids = [qoder.add_vault("v").id for _ in range(3)][::-1]
    http = connect(qoder)
    page = http.get("/vaults", params={"limit": 2}).json()
    qoder.delete_vault(ids[1])

    rest = http.get("/vaults", params={"page": page["next_page"]}).json()["data"]
    assert [ids[2]] == [vault["id"] for vault in rest]


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 12), limit=st.integers(1, 5), newest_first=st.booleans(), backwards=st.booleans())
def test_pages_are_whole(count: int, limit: int, newest_first: bool, backwards: bool) -> None:
    """Following `next_page` returns every object once, from either end and in either order."""
    new_ids, options = Ids(), ServiceOptions(newest_first=newest_first, next_page="opaque")
    vaults = [Vault(new_ids.new("vault_"), "v", {}, utc_now(), utc_now()) for _ in range(count)]
    ids = [vault.id for vault in vaults]
    start = {"before_id": "vault_~" if not newest_first else "vault_!"} if backwards else {}
    query, seen = {"limit": str(limit), **start}, list[str]()
    while True:
        page: Any = read_list_query(query, REVISIONS["2026-07"], options).page(
            vaults, lambda vault: {"id": vault.id}, lambda vault: vault.display_name
        )
        found = [item["id"] for item in page["data"]]
        seen = found + seen if backwards else seen + found
        if page["next_page"] is None:
            break
        query = {"limit": str(limit), "page": page["next_page"]}

    assert (ids[::-1] if newest_first else ids) == seen
