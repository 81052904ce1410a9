"""Services that do not behave as a documented one does: what is lost, doubled, deleted or said in each case.

Each case is one point in which a service may differ; the lives over drawn services are in `test_services`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from faults.table import URLS, program
from in_process.engine import Engine, MovableTime
from in_process.provider import FRONTS
from in_process.wire import Props
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault

JSON = (("Content-Type", "application/json"),)


class World:
    """A service, a stack, and the time that both go by."""

    def __init__(self, qoder: Emulator, moved: MovableTime, front: str, settings: dict[str, str]) -> None:
        self.qoder = qoder
        self.time = moved
        self.front = front
        self.settings = settings
        self.engine = self.stack()

    def stack(self, **settings: str) -> Engine:
        """Return another stack, or the same one with other settings."""
        return Engine(self.qoder, self.time, self.front, **{**self.settings, **settings})

    def as_another(self, api_token: str) -> Engine:
        """Return the same stack, run with another API token."""
        other = self.stack(apiToken=api_token)
        other.state, other.doomed = self.engine.state, self.engine.doomed
        return other

    def up(self, *tokens: str) -> list[str]:
        return self.engine.up(program(*tokens))

    def asked(self) -> list[str]:
        """Return the methods and the last fixed part of each path that was asked for since the last time."""
        lines = [f"{item.method} {item.path}" for item in self.qoder.requests]
        self.qoder.clear_requests()
        return lines

    def active(self) -> dict[str, list[str | None]]:
        """Return the access tokens of all active credentials in active vaults, by URL."""
        found: dict[str, list[str | None]] = {}
        for vault in self.qoder.vaults:
            for item in vault.credentials if vault.status == "active" else ():
                if item.status == "active":
                    found.setdefault(str(item.mcp_server_url), []).append(item.access_token)
        return found


def declared(*tokens: str) -> dict[str, list[str | None]]:
    return {URLS[token[0]]: [f"canary-{token}-51c0"] for token in tokens}


@pytest.fixture(params=FRONTS)
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """Return a service with these options; the revision is found out unless ``apiRevision`` says it."""
    with ExitStack() as stack:

        def start(revision: Any = "2026-05", setting: str = "", **options: Any) -> World:
            moved = MovableTime()
            now_s = moved.clock.now_s
            qoder = Emulator(revision, clock=lambda: datetime.fromtimestamp(now_s(), UTC), **options)
            settings = {"apiRevision": setting} if setting else {}
            return World(stack.enter_context(qoder), moved, request.param, settings)

        yield start


def many(count: int) -> dict[str, Props]:
    """Return a program with many vaults, of one credential each."""
    return {
        f"v{number}": {
            "display_name": f"vault {number}",
            "credentials": [{"mcp_server_url": URLS["a"], "access_token": f"canary-a{number}-51c0"}],
            "on_delete": "delete",
        }
        for number in range(count)
    }


# A create whose response is lost


@pytest.mark.parametrize("setting", ["", "2026-07"])
def test_a_list_that_refuses_the_filter_is_asked_without_it(serve: Callable[..., World], setting: str) -> None:
    """The 400 of a list says nothing of the create."""
    world = serve("2026-07", setting, name_key="refuse", idempotency=False)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT, skip=0 if setting else 1)

    assert [] == world.up("a1")

    assert declared("a1") == world.active()
    assert 1 == len(world.qoder.vaults)


def test_where_nobody_can_look_the_error_says_that_a_vault_may_exist(serve: Callable[..., World]) -> None:
    """Under `auto` too: the host and the name are in the line, and nothing is sent again."""
    world = serve("2026-07")
    refused = Effect(
        "lists are refused",
        status=400,
        headers=JSON,
        body={"type": "error", "error": {"type": "invalid_request_error", "message": "No lists today."}},
    )
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT, skip=1)
    world.qoder.fail_next("GET", "/vaults", refused, times=None)

    (line,) = world.up("a1")

    assert f"a vault named 'my-mcp-vault' may exist at {world.qoder.base_url}" in line
    assert 1 == len(world.qoder.vaults)
    assert 2 == len(world.qoder.writes)


def test_our_mark_on_the_first_page_is_proof_though_the_list_breaks_off(serve: Callable[..., World]) -> None:
    """More vaults than a page holds, opaque cursors, and a second page that fails: what was seen counts."""
    world = serve("2026-07", "2026-07", idempotency=False, next_page="opaque", list_position=False, page_size_cap=10)
    for number in range(15):
        world.qoder.add_vault(f"my-mcp-vault {number}")
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("GET", "/vaults", Fault.FORBIDDEN, skip=1, times=None)

    assert [] == world.up("a1")

    assert declared("a1") == world.active()
    assert 16 == len(world.qoder.vaults)


def test_what_is_sent_once_more_has_a_mark_where_there_is_room(serve: Callable[..., World]) -> None:
    """The founding form was lost at a Qoder of the current form: another sending of it could not be told apart."""
    world = serve("2026-07", credentials_key="ignore", idempotency=False)
    world.qoder.add_vault("another")
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

    lines = world.up("a1")

    ours = [vault.id for vault in world.qoder.vaults if vault.display_name == "my-mcp-vault"]
    marked = [vault.id for vault in world.qoder.vaults if vault.metadata.get("pulumi_create_id")]
    assert len(marked) == 1
    assert all(id_ in marked or any(id_ in line for line in lines) for id_ in ours), lines
    assert declared("a1") == {url: tokens[:1] for url, tokens in world.active().items()}


def test_an_old_credential_explains_a_409_after_a_lost_response(serve: Callable[..., World]) -> None:
    """A second credential is refused in words that name nothing, after the first sending was dropped."""
    world = serve("2026-05", unique_url=True, conflict_param=False, conflict_message="该保险库中已存在有效凭证。")
    assert [] == world.up("a1")
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)

    assert [] == world.up("a2")

    assert declared("a2") == world.active()


def test_a_name_and_clocks_in_other_forms_hide_no_candidate(serve: Callable[..., World]) -> None:
    """Names are trimmed and composed, times have an offset, and `Date` is an hour ahead: the other vault is named."""
    world = serve(
        "2026-05",
        idempotency=False,
        trims_display_name=True,
        nfc_display_name=True,
        utc_offset_minutes=480,
        date_ahead_s=3600.0,
    )
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

    (line,) = world.engine.up(program("a1", name="cafe\u0301"))

    recorded = world.engine.state["v"].id
    (other,) = [vault.id for vault in world.qoder.vaults if vault.id != recorded]
    assert other in line
    assert [] == world.engine.up(program("a1", name="cafe\u0301"))


# Rotations


def test_what_one_rotation_has_proven_the_others_use(serve: Callable[..., World]) -> None:
    """A two-step rotation of many vaults where a second credential is refused: 3 requests for each after the first."""
    world = serve("2026-05", unique_url=True)
    assert [] == world.engine.up(many(5))
    world.asked()
    rotated = {
        name: {**props, "credentials": [{**props["credentials"][0], "access_token": f"canary-{name}-next"}]}
        for name, props in many(5).items()
    }

    assert [] == world.engine.up(rotated)

    asked = world.asked()
    assert 4 + 4 * 3 == len(asked), asked


def test_a_deletion_that_may_be_done_is_looked_at_by_the_next_up(serve: Callable[..., World]) -> None:
    """The DELETE is done and unanswered, and the same credential is declared again: it is made again."""
    world = serve("2026-07", "2026-07")
    assert [] == world.up("a1", "b1")
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.ERROR_BEFORE_COMMIT, times=None)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.ERROR_BEFORE_COMMIT, skip=1, times=None)
    assert world.up("a1")
    world.qoder.clear_faults()

    assert [] == world.up("a1", "b1")

    assert declared("a1", "b1") == world.active()


@pytest.mark.parametrize("refusal", [404, 405, 501])
def test_without_an_update_in_place_another_credential_takes_the_place(
    serve: Callable[..., World], refusal: Any
) -> None:
    """The first rotation finds it out, by asking twice, and a later one of the same run does not ask again."""
    world = serve("2026-07", "2026-07", credential_update_refusal=refusal, unique_url=False)
    assert [] == world.up("a1", "b1")
    world.asked()

    assert [] == world.up("a2", "b2")

    assert declared("a2", "b2") == world.active()
    updates = [line for line in world.asked() if line.startswith("POST ") and "/credentials/" in line]
    assert 2 == len(updates)


# What is gone, and what is not


def test_a_vault_that_vanished_costs_a_second_look(serve: Callable[..., World]) -> None:
    """An old one: GET, a pause, GET, and the list of vaults, which shows that this place shows any."""
    world = serve("2026-05")
    assert [] == world.up("a1")
    world.time.clock.sleep(120.0)
    world.qoder.delete_vault(world.engine.state["v"].id)
    world.asked()

    assert [] == world.engine.refresh()

    assert {} == world.engine.state
    assert ["GET /vaults/V", "GET /vaults/V", "GET /vaults"] == [
        "GET /vaults/V" if "_" in line else line for line in world.asked()
    ]


def test_another_accounts_api_token_proves_nothing(serve: Callable[..., World]) -> None:
    """Every GET is a genuine 404 to it: nothing is dropped, nothing is said to be deleted, and both causes are said."""
    world = serve("2026-07")
    theirs = world.qoder.add_account()
    assert [] == world.engine.up(many(3))
    stranger = world.as_another(theirs.api_token)

    for command in (stranger.refresh, stranger.destroy):
        lines = command()
        assert 3 == len(lines)
        for line in lines:
            assert "it is gone, or this API token is another account's" in line
            assert "pulumi state delete urn:pulumi:" in line
        assert 3 == len(world.engine.state)
    assert 3 == len(world.qoder.vaults)


def test_a_rotated_api_token_is_not_in_the_way(serve: Callable[..., World]) -> None:
    """Of the same account: it sees another vault of the state, so that what is absent is gone."""
    world = serve("2026-07")
    assert [] == world.engine.up(many(3))
    world.qoder.delete_vault(world.engine.state["v2"].id)
    rotated = world.as_another(world.qoder.add_api_token())

    assert [] == rotated.refresh()

    assert {"v0", "v1"} == set(world.engine.state)
    assert [] == rotated.destroy()
    assert [] == world.qoder.vaults


def test_a_refresh_of_many_reads_the_list_of_vaults(serve: Callable[..., World]) -> None:
    """N vaults: N lists of credentials, the pages of the account, and three GETs."""
    world = serve("2026-07", "2026-07")
    assert [] == world.engine.up(many(20))
    world.asked()

    assert [] == world.engine.refresh()

    assert 20 + 1 + 3 == len(world.asked())


def test_vaults_of_others_do_not_make_a_refresh_dear(serve: Callable[..., World]) -> None:
    """However many there are on the first pages: never more than 2N + 3 reads."""
    world = serve("2026-07", "2026-07", page_size_cap=10)
    assert [] == world.engine.up(many(6))
    for number in range(80):
        world.qoder.add_vault(f"theirs {number}")
    world.asked()

    assert [] == world.engine.refresh()

    assert len(world.asked()) <= 2 * 6 + 3
    assert 6 == len(world.engine.state)


def test_what_somebody_renamed_is_said_and_is_no_drift(serve: Callable[..., World]) -> None:
    """Only another vault could mend it, and that would change the id."""
    world = serve("2026-07")
    assert [] == world.up("a1")
    before = dict(world.engine.state["v"].inputs)
    shown: Props = {"id": world.engine.state["v"].id, "display_name": "renamed", "archived_at": None, "metadata": {}}
    world.qoder.fail_next("GET", "/vaults/*", Effect("renamed", status=200, headers=JSON, body=shown))

    assert [] == world.engine.refresh()

    assert before == world.engine.state["v"].inputs
    assert {} == world.engine.preview(program("a1"))


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
@pytest.mark.parametrize("status", [400, 409])
def test_a_change_in_an_archived_vault_says_the_way_out(
    serve: Callable[..., World], revision: str, status: Any
) -> None:
    """Somebody archived it since the last refresh."""
    world = serve(revision, archived_write_status=status, archives_credentials=False)
    assert [] == world.up("a1")
    world.qoder.archive_vault(world.engine.state["v"].id)

    (line,) = world.up("a2")

    assert "is archived: run pulumi refresh, then pulumi up, which replaces it" in line
    assert [] == world.engine.refresh()
    assert [] == world.up("a2")
    assert declared("a2") == world.active()


# What a response or a list does not show


@pytest.mark.parametrize("refusal", [None, 405], ids=["a GET says so", "there is no GET"])
def test_what_a_list_still_shows_keeps_no_vault(serve: Callable[..., World], refusal: Any) -> None:
    """A rotation by another process deleted it: the list says so, too, a few seconds later."""
    world = serve("2026-05", list_lag_s=5.0, credential_get_refusal=refusal)
    assert [] == world.up("a1")
    world.time.clock.sleep(60.0)
    assert [] == world.up("a2")
    again = world.stack()
    again.state = world.engine.state

    assert [] == again.destroy()
    assert [] == world.qoder.vaults


def test_what_a_get_does_not_show_yet_keeps_the_vault(serve: Callable[..., World]) -> None:
    """Somebody else made it a moment ago: only the list shows it, until a GET does."""
    world = serve("2026-07", get_lag_s=5.0)
    assert [] == world.up("a1")
    (vault,) = world.qoder.vaults
    world.time.clock.sleep(60.0)
    theirs = world.qoder.add_credential(vault.id, URLS["c"], "canary-theirs-51c0")

    (error,) = world.engine.destroy()

    assert f"it holds 1 credential that is not in the state of this resource: {theirs.id}" in error
    assert [vault.id] == [left.id for left in world.qoder.vaults]


def test_an_archive_that_says_nothing_is_looked_at_until_it_is_shown(serve: Callable[..., World]) -> None:
    """This Qoder deletes no credential, responds to its archive without a body, and shows it seconds later."""
    world = serve("2026-05", credential_delete_refusal=405, archive_response="empty", list_lag_s=3.0, get_lag_s=3.0)
    assert [] == world.up("a1", "b1")
    world.time.clock.sleep(60.0)

    assert [] == world.up("a1")

    assert declared("a1") == world.active()


@pytest.mark.parametrize("setting", ["", "2026-07"])
def test_a_current_vault_is_known_without_archived_at(serve: Callable[..., World], setting: str) -> None:
    """A server may leave out what is null; what it takes does not change with that."""
    world = serve("2026-07", setting, not_archived="absent")

    assert [] == world.up("a1")
    assert [] == world.up("a2", "b1")

    assert declared("a2", "b1") == world.active()


def test_a_vault_whose_credentials_nobody_shows_is_named(serve: Callable[..., World]) -> None:
    """It was made, and is in no state: the line has its id."""
    world = serve("2026-05", create_credentials="absent")
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN, times=9)

    (error,) = world.up("a1")

    (vault,) = world.qoder.vaults
    assert f"vault {vault.id} at " in error
    assert "look for it, and delete it" in error


@pytest.mark.parametrize("refusal", [None, 405, 501])
def test_a_credential_of_others_is_named_though_no_get_shows_it(serve: Callable[..., World], refusal: Any) -> None:
    """Without that route the list counts."""
    world = serve("2026-07", credential_get_refusal=refusal)
    assert [] == world.up("a1")
    (vault,) = world.qoder.vaults
    theirs = world.qoder.add_credential(vault.id, URLS["c"], "canary-theirs-51c0")

    (error,) = world.up("a1", "c1")

    assert f"credential {theirs.id} for {URLS['c']} is in the vault, and this resource did not make it" in error
