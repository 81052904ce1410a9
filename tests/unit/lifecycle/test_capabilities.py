"""Which revision a create is written for: what is set, what answers show, and what a refusal proves."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Effect, Fault, RevisionName
from pulumi_qoder_vault.errors import ErrorResponse
from pulumi_qoder_vault.lifecycle.capabilities import refuses_credentials_key
from unit.lifecycle.records import R05, desired_vault
from unit.lifecycle.world import (
    JSON,
    ONE,
    REFUSES_KEY,
    TWO,
    URL,
    World,
    failure_of,
    host_of,
    line_of,
    tokens_of,
)


def test_auto_starts_with_the_founding_form(founding: World) -> None:
    """A 2026-05 server never sees anything else."""
    founding.create(desired_vault(ONE))
    founding.create(desired_vault(ONE))

    assert ["POST /vaults 201"] * 2 == founding.asked


@pytest.mark.parametrize(
    ("credentials_key", "first"),
    [("refuse", ["POST /vaults 400", "POST /vaults 200"]), ("ignore", ["POST /vaults 200"])],
)
def test_auto_finds_2026_07_out_once(world_of: Callable[..., World], credentials_key: str, first: list[str]) -> None:
    """A server that refuses the key, or stores none of them, is 2026-07; that is found out by the first create only."""
    world = world_of("2026-07", credentials_key=credentials_key)
    add = ["POST /vaults/V/credentials 200"]

    world.create(desired_vault(ONE, TWO))
    assert [*first, *add * 2] == world.asked
    assert tokens_of(ONE, TWO) == world.active

    world.create(desired_vault(ONE))
    assert "credentials" not in world.qoder.requests[0].body
    assert ["POST /vaults 200", *add] == world.asked


def test_between_counts_as_2026_05(world_of: Callable[..., World]) -> None:
    """A server of the time between takes the founding form."""
    world = world_of("between")

    recorded = world.create(desired_vault(ONE))

    assert (["POST /vaults 201"], R05) == (world.asked, recorded.api_revision)


def test_the_others_wait_for_the_first(world_of: Callable[..., World]) -> None:
    """Of many creates at once one tries the founding form; nobody else repeats it."""
    world = world_of("2026-07", latency_s=0.05)
    threads = [threading.Thread(target=world.create, args=(desired_vault(ONE),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    tried = [item for item in world.qoder.requests if item.path == "/vaults" and "credentials" in item.body]
    assert (1, 6) == (len(tried), len(world.qoder.vaults))


def test_a_first_create_that_fails_teaches_nothing(founding: World) -> None:
    """After an error the next create of the process finds out by itself."""
    founding.qoder.fail_next("POST", "/vaults", Fault.FORBIDDEN)
    failure_of(founding.create, desired_vault(ONE))

    founding.create(desired_vault(ONE))

    assert ["POST /vaults 403", "POST /vaults 201"] == founding.asked


@pytest.mark.parametrize("second", [Fault.FORBIDDEN, Fault.CONFLICT, Fault.RATE_LIMITED_ABSURD], ids=repr)
def test_if_both_forms_are_refused_the_first_error_counts(founding: World, second: Fault) -> None:
    """The first error is the one that says what is wrong with the program; nothing is remembered."""
    founding.qoder.fail_next("POST", "/vaults", REFUSES_KEY)
    founding.qoder.fail_next("POST", "/vaults", second)

    host = host_of(founding.qoder)
    assert f"POST /vaults: Unknown field (400 invalid_request_error, request_id req_1, host {host})" == line_of(
        founding.create, desired_vault(ONE)
    )
    assert 2 == len(founding.asked)

    founding.create(desired_vault(ONE))
    assert ["POST /vaults 201"] == founding.asked


def test_a_first_create_that_is_refused_for_another_reason_is_not_sent_in_the_other_form(founding: World) -> None:
    """The 400 is not about the key `credentials`: it is what is said, and the next create begins anew."""
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "No.", "param": "display_name"}}
    founding.qoder.fail_next("POST", "/vaults", Effect("a 400", status=400, headers=JSON, body=body))

    failure = failure_of(founding.create, desired_vault(ONE))

    assert isinstance(failure, errors.BadRequest)
    assert ["POST /vaults 400"] == founding.asked


def test_if_the_second_forms_answer_is_lost_that_counts(founding: World) -> None:
    """A vault that may exist is worth more than the first refusal."""
    founding.qoder.fail_next("POST", "/vaults", REFUSES_KEY)
    founding.qoder.fail_next("*", "/**", Fault.DROP_AFTER_COMMIT, times=None)

    assert "a vault named 'my-mcp-vault' may exist" in line_of(founding.create, desired_vault(ONE))


def test_an_answer_corrects_what_a_refusal_seemed_to_say(world_of: Callable[..., World]) -> None:
    """A server of the time between refuses one list of credentials: it is not taken for 2026-07 from then on."""
    world = world_of("between")
    world.qoder.fail_next("POST", "/vaults", REFUSES_KEY)

    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()
    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()


@pytest.mark.parametrize(
    ("expected", "response"),
    [
        (True, ErrorResponse(400, param="credentials")),
        (True, ErrorResponse(400, message="Unknown field 'credentials'.")),
        (True, ErrorResponse(400, message="credentials: Extra inputs are not permitted")),
        (True, ErrorResponse(400, message='json: unknown field "credentials"')),
        (False, ErrorResponse(400, message="At least one credential is required when creating a vault.")),
        (
            False,
            ErrorResponse(
                400, message="At least one credential is required when creating a vault.", param="credentials"
            ),
        ),
        (False, ErrorResponse(400, message="Field 'access_token' is required for static_bearer type.")),
        (False, ErrorResponse(400, message="credentials[0].protocol must be sse", param="credentials[0].protocol")),
        (False, ErrorResponse(400, message="credentials.0.protocol must be sse", param="credentials.0.protocol")),
        (False, ErrorResponse(400, message="my_credentials are wrong")),
        (False, ErrorResponse(400, message="Field 'display_name' is required.", param="display_name")),
        (False, ErrorResponse(401, message="invalid credentials")),
        (False, ErrorResponse(403, param="credentials")),
        (False, ErrorResponse(400)),
    ],
)
def test_what_shows_that_a_server_is_2026_07(expected: bool, response: ErrorResponse) -> None:
    """A 400 about the key `credentials` itself; not one about what is in it, and not the founding page's sentence."""
    assert expected is refuses_credentials_key(response)


@pytest.mark.parametrize(("setting", "has_key"), [("2026-05", True), ("2026-07", False)])
def test_an_explicit_revision_is_what_is_sent(world_of: Callable[..., World], setting: str, has_key: bool) -> None:
    """Nothing is tried out: the setting fixes the form; the response is read as what it is."""
    world = world_of("2026-07", setting, credentials_key="ignore")
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)

    failure_of(world.create, desired_vault(ONE))

    assert has_key is ("credentials" in world.qoder.requests[0].body)
    assert 1 == sum(item.path == "/vaults" for item in world.qoder.requests)


def test_a_refusal_for_another_reason_forgets_no_revision(founding: World) -> None:
    """Once it is known: the refusal is about this vault, and is sent in no other form."""
    founding.create(desired_vault(ONE))
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "No such name."}}
    founding.qoder.fail_next("POST", "/vaults", Effect("a 400", status=400, headers=JSON, body=body))
    founding.qoder.clear_requests()

    assert isinstance(failure_of(founding.create, desired_vault(ONE)), errors.BadRequest)
    assert 1 == len(founding.qoder.requests)


@pytest.mark.parametrize(("before", "after"), [("2026-05", "2026-07"), ("2026-07", "2026-05")])
def test_a_service_that_changes_between_two_creates_is_found_out_again(
    world_of: Callable[..., World], before: RevisionName, after: RevisionName
) -> None:
    """The form that it took is refused by now: the create starts over, and makes one vault."""
    world = world_of(before)
    world.create(desired_vault(ONE))
    world.qoder.revision = after

    recorded = world.create(desired_vault(TWO))

    assert after == recorded.api_revision.value
    assert 2 == len(world.qoder.vaults)
