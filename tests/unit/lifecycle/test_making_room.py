"""A rotation where another credential takes the place of the old one: what goes first, when, and what is put back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Commit, Effect, Fault
from pulumi_qoder_vault.lifecycle.model import PartialState
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings
from unit.lifecycle.records import R05, R07, bearer, desired_vault
from unit.lifecycle.world import JSON, NEW_ONE, NEW_TWO, ONE, OTHER_URL, TWO, URL, World, failure_of, tokens_of

CREDENTIALS = "/vaults/*/credentials"
FULL = [bearer(f"https://example.com/{number}", Secret(f"mcp-canary-full-{number}")) for number in range(19)]


def methods(world: World) -> list[str]:
    return [item.method for item in world.qoder.writes]


def allows_two(world: World) -> bool:
    """Whether a second credential for one URL counts as possible for all that follow."""
    return world.in_use.can(R05).second_credential_per_url


# One 409 says little


@pytest.mark.parametrize("after_s", [0.5, 2.0, 5.0])
def test_a_run_that_is_over_removes_nothing(world_of: Callable[..., World], fake_time: Any, after_s: float) -> None:
    """Cancelled in any of the waits after a 409 that names nothing: the old one stays, and nothing is learned."""
    world = world_of("2026-05", conflict_param=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()
    fake_time.end_in(after_s)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.Conflict)
    assert {"POST"} == set(methods(world))
    assert tokens_of(ONE) == world.active
    assert allows_two(world)


def test_a_409_that_passes_removes_nothing_first(world_of: Callable[..., World]) -> None:
    """Something else was changing the vault: the new one is made beside the old one after all."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()
    world.qoder.fail_next("POST", CREDENTIALS, Fault.CONFLICT_BUSY, times=2)

    world.update(recorded, desired_vault(NEW_ONE))

    assert ["POST", "POST", "POST", "DELETE"] == methods(world)
    assert tokens_of(NEW_ONE) == world.active
    assert allows_two(world)


def test_a_409_that_nothing_explains_removes_nothing(world_of: Callable[..., World]) -> None:
    """The old one is not even there any more when it persists: the refusal is what is said."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE, TWO))
    two = next(item for item in world.qoder.vaults[0].credentials if item.mcp_server_url == OTHER_URL)
    shown = {
        "id": two.id,
        "type": "static_bearer",
        "status": "active",
        "mcp_server_url": OTHER_URL,
        "protocol": "streamable_http",
    }
    listed = Effect("the other one only", status=200, headers=JSON, body={"data": [shown], "has_more": False})
    world.qoder.fail_next("POST", CREDENTIALS, Fault.CONFLICT, times=None)
    world.qoder.fail_next("GET", CREDENTIALS, listed, skip=1, times=None)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, errors.Conflict)
    assert tokens_of(ONE, TWO) == world.active
    assert allows_two(world)


@pytest.mark.parametrize("conflict_param", [True, False])
def test_what_persists_is_learned(world_of: Callable[..., World], conflict_param: bool) -> None:
    """A vault with room that refuses a second one for our URL: the old one goes first, from now on at once."""
    world = world_of("2026-05", conflict_param=conflict_param)
    first, second = (world.create(desired_vault(ONE, display_name=name)) for name in ("first", "second"))
    world.update(first, desired_vault(NEW_ONE, display_name="first"))
    world.qoder.clear_requests()

    world.update(second, desired_vault(NEW_ONE, display_name="second"))

    assert not allows_two(world)
    assert ["DELETE", "POST"] == methods(world)


# A full vault


def full(world: World) -> Any:
    return world.create(desired_vault(ONE, *FULL, display_name="full"))


def test_a_full_vault_says_nothing_of_others(world_of: Callable[..., World]) -> None:
    """A 409 that names nothing, in a vault of 20, comes of that: the next vault rotates without a gap."""
    world = world_of("2026-05", max_credentials=20, conflict_param=False, unique_url=False)
    crowded, roomy = full(world), world.create(desired_vault(ONE, display_name="roomy"))
    world.update(crowded, desired_vault(NEW_ONE, *FULL, display_name="full"))
    world.qoder.clear_requests()

    world.update(roomy, desired_vault(NEW_ONE, display_name="roomy"))

    assert allows_two(world)
    assert ["POST", "DELETE"] == methods(world)
    assert all(world.qoder.had_active(URL, after=item, vault_id=roomy.vault_id) for item in world.qoder.requests)
    held = {vault.id: {item.access_token for item in vault.credentials} for vault in world.qoder.vaults}
    assert {"mcp-canary-one-next"} == held[roomy.vault_id]
    assert {"mcp-canary-one-next", *(item.secret.reveal() for item in FULL if item.secret)} == held[crowded.vault_id]


@pytest.fixture
def refusing(world_of: Callable[..., World]) -> World:
    """A service that refuses a credential too many with 400."""
    return world_of("2026-05", max_credentials_status=400, unique_url=False)


def test_a_full_vault_that_says_so_with_400_can_be_rotated(refusing: World) -> None:
    """The old one goes first, since it can be put back."""
    recorded = full(refusing)
    refusing.qoder.clear_requests()

    refusing.update(recorded, desired_vault(NEW_ONE, *FULL, display_name="full"))

    assert ["POST", "DELETE", "POST"] == methods(refusing)
    assert tokens_of(NEW_ONE, *FULL) == refusing.active
    assert allows_two(refusing)


def test_what_a_full_vault_refuses_after_all_is_put_back(refusing: World) -> None:
    """The 400 was not about room: agents keep what they had."""
    recorded = full(refusing)
    refusing.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1)

    failure = failure_of(refusing.update, recorded, desired_vault(NEW_ONE, *FULL, display_name="full"))

    assert tokens_of(ONE, *FULL) == refusing.active
    assert f"put the former access token for {URL} back, as {failure.recorded.credential_ids[URL]}" in str(failure)


def test_what_cannot_be_put_back_does_not_go_for_a_400(refusing: World) -> None:
    """Its access token is not known, and a 400 may be about anything."""
    recorded = full(refusing)
    imported = replace(recorded, credentials=(ONE.with_secret(None), *FULL))
    refusing.qoder.clear_requests()

    failure = failure_of(refusing.update, imported, desired_vault(NEW_ONE, *FULL, display_name="full"))

    assert isinstance(failure, errors.BadRequest)
    assert ["POST"] == methods(refusing)
    assert tokens_of(ONE, *FULL) == refusing.active


def test_a_400_in_a_vault_with_room_removes_nothing(founding: World) -> None:
    """It is about the credential itself."""
    recorded = founding.create(desired_vault(ONE))
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}
    founding.qoder.fail_next("POST", CREDENTIALS, Effect("a 400", status=400, headers=JSON, body=body))

    assert isinstance(failure_of(founding.update, recorded, desired_vault(NEW_ONE)), errors.BadRequest)
    assert tokens_of(ONE) == founding.active


def test_an_addition_to_a_full_vault_is_refused(refusing: World) -> None:
    """Nothing was to go, so nothing makes room."""
    recorded = full(refusing)

    failure = failure_of(refusing.update, recorded, desired_vault(ONE, *FULL, TWO, display_name="full"))

    assert isinstance(failure, errors.BadRequest)
    assert tokens_of(ONE, *FULL) == refusing.active


def test_what_is_removed_makes_room_for_a_rotation(world_of: Callable[..., World]) -> None:
    """It was to go anyway; the one that is rotated has no gap."""
    world = world_of("2026-05", max_credentials=2, unique_url=False)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    world.update(recorded, desired_vault(NEW_ONE))

    assert tokens_of(NEW_ONE) == world.active
    assert all(world.qoder.had_active(URL, after=item) for item in world.qoder.requests)


def test_a_removal_that_makes_no_room_leaves_the_refusal(world_of: Callable[..., World]) -> None:
    """Nobody's place is left to be taken: the second refusal is what is said, and what is gone was to go."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.fail_next("POST", CREDENTIALS, Fault.CONFLICT, times=None)
    three = bearer("https://example.com/third", Secret("mcp-canary-three-3333"))

    failure = failure_of(world.update, recorded, desired_vault(ONE, three))

    assert isinstance(failure, PartialState)
    assert "(409 conflict_error" in str(failure)
    assert tokens_of(ONE) == world.active


# An update in place


MISSING: dict[str, Fault | Effect] = {
    "404 of a proxy": Fault.HTML_404,
    "405 of a gateway": Effect("no such method", status=405, body=b"<html>"),
    "501": Fault.FEATURE_NOT_AVAILABLE,
}


@pytest.mark.parametrize("what", MISSING)
def test_one_refusal_does_not_prove_that_there_is_no_update(current: World, what: str) -> None:
    """It is sent again, and goes through in place: the id stays, and nothing is learned."""
    recorded = current.create(desired_vault(ONE))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", MISSING[what])
    current.qoder.clear_requests()

    updated = current.update(recorded, desired_vault(NEW_ONE))

    assert ["POST", "POST"] == methods(current)
    assert tokens_of(NEW_ONE) == current.active
    assert recorded.credential_ids == updated.credential_ids
    assert current.in_use.can(R07).in_place_update


def test_two_refusals_of_what_is_listed_prove_it(current: World) -> None:
    """Another one takes its place, also of what is rotated later."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FEATURE_NOT_AVAILABLE, times=None)
    current.qoder.clear_requests()

    current.update(recorded, desired_vault(NEW_ONE, NEW_TWO))

    assert tokens_of(NEW_ONE, NEW_TWO) == current.active
    assert 2 == sum(item.status == 501 for item in current.qoder.requests)
    assert not current.in_use.can(R07).in_place_update


def test_an_update_of_what_is_gone_by_now_is_refused(current: World) -> None:
    """Somebody deletes it before the second refusal: no capability is lacking, and no other one is made."""
    recorded = current.create(desired_vault(ONE))

    def delete_it() -> bytes:
        current.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
        return b"<html>"

    update = "/vaults/*/credentials/*"
    current.qoder.fail_next("POST", update, Effect("no such method", status=405, body=b"<html>"))
    current.qoder.fail_next("POST", update, Effect("no such method", status=405, body=delete_it))

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.ApiError)
    assert 405 == failure.response.status
    assert current.in_use.can(R07).in_place_update
    assert {} == current.active


def test_a_run_that_is_over_proves_nothing_of_updates(current: World, fake_time: Any) -> None:
    """Cancelled between the two refusals."""
    recorded = current.create(desired_vault(ONE))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.HTML_404, times=None)
    fake_time.end_in(0.5)

    failure_of(current.update, recorded, desired_vault(NEW_ONE))

    assert current.in_use.can(R07).in_place_update
    assert tokens_of(ONE) == current.active


def test_an_update_is_sent_again_while_something_else_changes_the_vault(current: World) -> None:
    """A 409 passes; one that stays is an error, and nothing is learned of it."""
    recorded = current.create(desired_vault(ONE))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.CONFLICT_BUSY, times=3)
    recorded = current.update(recorded, desired_vault(NEW_ONE))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.CONFLICT_BUSY, times=None)

    failure = failure_of(current.update, recorded, desired_vault(ONE))

    assert isinstance(failure, errors.Conflict)
    assert tokens_of(NEW_ONE) == current.active
    assert current.in_use.can(R07).in_place_update


# What is put back


def test_putting_back_ends(founding: World, fake_time: Any) -> None:
    """Every create after the old one went is a 429: the failed create has its budget, and all that follows 30 s."""
    recorded = founding.create(desired_vault(ONE))
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.RATE_LIMITED, skip=1, times=None)
    founding.qoder.clear_requests()
    began_s = fake_time.passed_s

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE))

    assert fake_time.passed_s - began_s <= Settings(None).timeout_s + 30.0
    assert len(founding.qoder.writes) < Settings(None).timeout_s + 60
    assert isinstance(failure, PartialState)
    assert f"the former access token for {URL} could not be put back (POST " in str(failure)
    assert {} == failure.recorded.credential_ids


def test_the_new_one_is_tried_again_before_the_url_stays_empty(founding: World) -> None:
    """Both were refused for a moment: the next sending of the new one is taken."""
    recorded = founding.create(desired_vault(ONE))
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1, times=2)

    founding.update(recorded, desired_vault(NEW_ONE))

    assert tokens_of(NEW_ONE) == founding.active


def test_a_run_that_is_over_puts_the_old_one_back(founding: World, fake_time: Any) -> None:
    """Cancelled while both are refused: one more attempt of each, and no endless ones."""
    recorded = founding.create(desired_vault(ONE))
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1, times=3)
    founding.qoder.clear_requests()
    fake_time.end_in(0.5)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE))

    assert tokens_of(ONE) == founding.active
    assert (ONE,) == failure.recorded.credentials
    assert 5 == sum(item.method == "POST" for item in founding.qoder.requests)


def drops_protocol(world: World) -> Effect:
    """The next create is handled, and its response lacks the protocol that was asked for."""

    def body() -> bytes:
        (vault,) = world.qoder.vaults
        made = vault.credentials[-1]
        shown = {
            "id": made.id,
            "vault_id": vault.id,
            "mcp_server_url": made.mcp_server_url,
            "type": "static_bearer",
            "status": "active",
        }
        return json.dumps(shown).encode()

    return Effect("a field is dropped", Commit.FIRST, status=201, headers=JSON, body=body)


NOT_STORED = f"protocol: Qoder accepted the credential for {URL}, and does not show this field as it was asked for"


def test_what_is_not_stored_as_asked_is_taken_back_and_the_old_one_put_back(founding: World) -> None:
    """The old one had to go first: a rotation that loses a field costs nobody the access token."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", CREDENTIALS, drops_protocol(founding), skip=1)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert str(failure).startswith(NOT_STORED)
    assert "was deleted again" in str(failure)
    assert tokens_of(ONE, TWO) == founding.active
    assert ((ONE, TWO), ()) == (failure.recorded.credentials, failure.recorded.unfinished)
    assert {item.mcp_server_url: item.id for item in founding.qoder.vaults[0].credentials} == (
        failure.recorded.credential_ids
    )


def test_what_is_not_stored_and_cannot_be_put_back_is_said(founding: World) -> None:
    """Neither is there then: the line has both, and the record is without a credential for the URL."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", CREDENTIALS, drops_protocol(founding), skip=1)
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=2, times=None)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert str(failure).startswith(NOT_STORED)
    assert f"the former access token for {URL} could not be put back (POST " in str(failure)
    assert tokens_of(TWO) == founding.active
    assert {OTHER_URL} == failure.recorded.credential_ids.keys()


def test_what_is_not_stored_beside_the_old_one_leaves_the_old_one(world_of: Callable[..., World]) -> None:
    """Nothing went first, so nothing is put back."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", CREDENTIALS, drops_protocol(world))
    world.qoder.clear_requests()

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.RolledBack)
    assert ["POST", "DELETE"] == methods(world)
    assert tokens_of(ONE) == world.active


def test_what_cannot_be_taken_back_is_a_leftover(world_of: Callable[..., World]) -> None:
    """It is named, and the next `up` deletes it."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", CREDENTIALS, drops_protocol(world))
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.FORBIDDEN)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    (made,) = [item.id for item in world.qoder.vaults[0].credentials if item.id != recorded.credential_ids[URL]]
    assert f"credential {made} could not be deleted again (DELETE " in str(failure)
    assert ((made,), recorded.credential_ids) == (failure.recorded.unfinished, failure.recorded.credential_ids)
    world.update(failure.recorded, desired_vault(ONE))
    assert tokens_of(ONE) == world.active
