"""Steps on credentials: which requests they take, and what is recorded where one of them fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Effect, Fault
from pulumi_qoder_vault.lifecycle import apply
from pulumi_qoder_vault.lifecycle.model import Credential, CredentialSet, DesiredSet, PartialState
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import R07, bearer, desired_vault, with_protocol
from unit.lifecycle.world import (
    JSON,
    NEW_ONE,
    NEW_TWO,
    ONE,
    OTHER_URL,
    THIRD_URL,
    THREE,
    TWO,
    URL,
    World,
    failure_of,
    host_of,
    line_of,
    tokens_of,
)


def test_nothing_to_do_asks_nothing(world: World) -> None:
    """The same again, in another order, with another `on_delete`: no request."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(TWO, ONE, on_delete="archive"))

    assert [] == world.asked
    assert ((TWO, ONE), "archive", recorded.credential_ids) == (
        updated.credentials,
        updated.on_delete,
        updated.credential_ids,
    )


ROTATIONS = {
    "2026-07: in place": ("2026-07", {}, ["POST /vaults/V/credentials/C 200"]),
    "2026-05: new first": (
        "2026-05",
        {"unique_url": False},
        ["POST /vaults/V/credentials 201", "DELETE /vaults/V/credentials/C 204"],
    ),
    "2026-05: old first after 409": (
        "2026-05",
        {},
        ["POST /vaults/V/credentials 409", "DELETE /vaults/V/credentials/C 204", "POST /vaults/V/credentials 201"],
    ),
}


@pytest.mark.parametrize("case", ROTATIONS)
def test_a_rotation(world_of: Callable[..., World], case: str) -> None:
    """One read, and the fewest writes that the revision allows. The vault's id stays, and so do the others."""
    revision, switches, writes = ROTATIONS[case]
    world = world_of(revision, **switches)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(NEW_ONE, TWO, rotations={URL: 1, OTHER_URL: 0}))

    assert ["GET /vaults/V/credentials 200", *writes] == world.asked
    assert tokens_of(NEW_ONE, TWO) == world.active
    assert (recorded.vault_id, (NEW_ONE, TWO), {URL: 1, OTHER_URL: 0}, None) == (
        updated.vault_id,
        updated.credentials,
        updated.rotations,
        updated.unfinished,
    )
    (vault,) = world.qoder.vaults
    assert {item.mcp_server_url: item.id for item in vault.credentials} == updated.credential_ids
    assert recorded.credential_ids[OTHER_URL] == updated.credential_ids[OTHER_URL]
    assert (revision == "2026-07") is (recorded.credential_ids[URL] == updated.credential_ids[URL])


@pytest.mark.parametrize("case", ["2026-07: in place", "2026-05: new first"])
def test_a_rotation_leaves_no_gap(world_of: Callable[..., World], case: str) -> None:
    """Between any two requests every declared URL has an active credential, where the API can do that."""
    revision, switches, _ = ROTATIONS[case]
    world = world_of(revision, **switches)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    world.update(recorded, desired_vault(NEW_ONE, NEW_TWO))

    assert [] == [
        (request.method, url)
        for request in world.qoder.requests
        for url in (URL, OTHER_URL)
        if not world.qoder.had_active(url, after=request)
    ]


def test_a_full_vault_can_be_rotated(world_of: Callable[..., World]) -> None:
    """Where there is no room for a second one, the old one goes first."""
    world = world_of("2026-05", max_credentials=2, unique_url=False)
    recorded = world.create(desired_vault(ONE, TWO))

    world.update(recorded, desired_vault(NEW_ONE, NEW_TWO))

    assert tokens_of(NEW_ONE, NEW_TWO) == world.active


def test_a_full_vault_can_change_its_urls(world: World) -> None:
    """What is removed goes first where what is added has no room."""
    recorded = world.create(desired_vault(*[bearer(f"https://example.com/{n}", Secret("t")) for n in range(20)]))
    wanted = desired_vault(*[bearer(f"https://example.com/{n}", Secret("t")) for n in range(5, 25)])

    world.update(recorded, wanted)

    assert {item.key for item in wanted.credentials} == world.active.keys()


def test_added_and_removed(world: World) -> None:
    """The vault's id stays, and the credential that stays is not touched."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(TWO, THREE))

    assert (3, tokens_of(TWO, THREE)) == (len(world.asked), world.active)
    assert recorded.vault_id == updated.vault_id
    assert recorded.credential_ids[OTHER_URL] == updated.credential_ids[OTHER_URL]
    assert {OTHER_URL, THIRD_URL} == updated.credential_ids.keys()


def test_a_protocol_changes_where_there_is_one(world_of: Callable[..., World]) -> None:
    """On 2026-05 another credential takes its place."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    world.update(recorded, desired_vault(with_protocol(ONE, "sse")))

    assert 3 == len(world.asked)
    assert ["sse"] == [item.protocol for item in world.qoder.vaults[0].credentials]


def test_a_protocol_is_only_recorded_where_there_is_none(current: World) -> None:
    """On 2026-07 a change of it is no request."""
    recorded = current.create(desired_vault(ONE))
    current.qoder.clear_requests()

    updated = current.update(recorded, desired_vault(with_protocol(ONE, "sse")))

    assert ([], "sse") == (current.asked, updated.credentials[0].properties["protocol"])


def test_an_imported_credential_whose_protocol_changes(founding: World) -> None:
    """On 2026-05 another one must take its place, and its access token is not known: the line does not say "gone"."""
    recorded = founding.create(desired_vault(ONE))
    imported = replace(recorded, credentials=(ONE.with_secret(None),))

    assert (
        f"another credential for {URL} must take the place of vcred_1 to change it, and its access token is not known: "
        "add it to the program"
    ) == line_of(founding.update, imported, desired_vault(with_protocol(ONE.with_secret(None), "sse")))
    assert tokens_of(ONE) == founding.active


def test_an_imported_credential_that_is_gone(founding: World) -> None:
    """It cannot be made again without its access token."""
    recorded = founding.create(desired_vault(ONE))
    imported = replace(recorded, credentials=(ONE.with_secret(None),))
    founding.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    assert (f"the credential for {URL} is gone, and its access token is not known: add it to the program") == line_of(
        founding.update, imported, desired_vault(with_protocol(ONE.with_secret(None), "sse"))
    )


@pytest.mark.parametrize("how", ["delete_credential", "archive_credential"])
def test_a_credential_that_somebody_removed_is_made_again(world: World, how: str) -> None:
    """Rotating what is no longer there makes it anew."""
    recorded = world.create(desired_vault(ONE, TWO))
    getattr(world.qoder, how)(recorded.vault_id, recorded.credential_ids[URL])

    updated = world.update(recorded, desired_vault(NEW_ONE, TWO))

    assert tokens_of(NEW_ONE, TWO) == world.active
    assert recorded.credential_ids[URL] != updated.credential_ids[URL]


def test_removing_what_is_gone_is_no_failure(world: World) -> None:
    """Somebody else has removed it already."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    assert {OTHER_URL} == world.update(recorded, desired_vault(TWO)).credential_ids.keys()


def test_the_service_moved_on(world_of: Callable[..., World]) -> None:
    """A vault made on 2026-05 is rotated in place once the service has become 2026-07: the response's shape counts."""
    world = world_of("2026-05")
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07"
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(NEW_ONE))

    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials/C 200"] == world.asked
    assert R07 is updated.api_revision


def test_the_service_moved_on_and_the_vault_is_empty(world_of: Callable[..., World]) -> None:
    """Also where no credential is left whose shape could tell."""
    world = world_of("2026-05")
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07"
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    world.update(recorded, desired_vault(NEW_ONE))

    assert tokens_of(NEW_ONE) == world.active


# Foreign credentials


def test_a_foreign_credential_with_the_url_is_named_and_not_touched(world: World) -> None:
    """409 on adding: only what we recorded is ever deleted; the error names the other, and says what to do."""
    recorded = world.create(desired_vault(ONE))
    foreign = world.qoder.add_credential(recorded.vault_id, OTHER_URL, "foreign-token")
    before = world.qoder.vaults

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert before == world.qoder.vaults
    assert not isinstance(failure, PartialState)
    assert (
        f": credential {foreign.id} for {OTHER_URL} is in the vault, and this resource did not make it. If it is of "
        "another stack or person, take it out of this program; if a run"
    ) in str(failure)


def test_a_foreign_credential_is_not_removed_to_make_room(world: World) -> None:
    """Ours was replaced by somebody's: rotating it does not delete theirs."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
    foreign = world.qoder.add_credential(recorded.vault_id, URL, "foreign-token")

    assert foreign.id in str(failure_of(world.update, recorded, desired_vault(NEW_ONE)))
    assert {URL: "foreign-token"} == world.active


def test_foreign_credentials_stay_beside_ours(world: World) -> None:
    """Adding, rotating and removing leave what the program did not declare."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.add_credential(recorded.vault_id, "https://example.com/foreign", "foreign-token")

    world.update(recorded, desired_vault(NEW_ONE, THREE))

    assert {**tokens_of(NEW_ONE, THREE), "https://example.com/foreign": "foreign-token"} == world.active


def test_where_two_are_allowed_a_foreign_one_stays(world_of: Callable[..., World]) -> None:
    """A foreign credential with our URL, where the API allows two, stays beside ours through a rotation."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    foreign = world.qoder.add_credential(recorded.vault_id, URL, "foreign-token")

    updated = world.update(recorded, desired_vault(NEW_ONE))

    (vault,) = world.qoder.vaults
    assert {foreign.id: "foreign-token", updated.credential_ids[URL]: "mcp-canary-one-next"} == {
        item.id: item.access_token for item in vault.credentials
    }


@pytest.mark.parametrize("unique_url", [True, False])
def test_an_archived_vault_keeps_its_credentials(world_of: Callable[..., World], unique_url: bool) -> None:
    """A 409 because the vault is archived is no want of room: nothing is deleted for it."""
    world = world_of("2026-05", unique_url=unique_url)
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert tokens_of(ONE) == world.active


# An update that fails


def test_a_first_step_that_fails_changes_nothing(world: World) -> None:
    """Nothing was done, so the record stays as it is, and the error is the API's."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.fail_next("POST", "/vaults/*/**", Fault.FORBIDDEN)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, errors.Forbidden)
    assert tokens_of(ONE, TWO) == world.active


def test_a_later_step_that_fails_says_what_was_done(current: World) -> None:
    """The record holds the new access token of what was rotated and the old one of what was not."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))

    assert isinstance(failure, PartialState)
    assert ((NEW_ONE, TWO), recorded.credential_ids, ()) == (
        failure.recorded.credentials,
        failure.recorded.credential_ids,
        failure.recorded.unfinished,
    )
    assert str(failure).endswith(
        f"; done before: rotated {recorded.credential_ids[URL]} for {URL}; vault {recorded.vault_id} stays, and the "
        "next pulumi up goes on from there"
    )

    current.qoder.clear_requests()
    finished = current.update(failure.recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))
    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials/C 200"] == current.asked
    assert tokens_of(NEW_ONE, NEW_TWO) == current.active
    assert ((NEW_ONE, NEW_TWO), {URL: 1, OTHER_URL: 1}, None) == (
        finished.credentials,
        finished.rotations,
        finished.unfinished,
    )


def test_an_old_credential_that_stays_is_remembered(world_of: Callable[..., World]) -> None:
    """On 2026-05 the new one is there and the old one could not be deleted: the next `up` deletes it, and only it."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.FORBIDDEN)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    old_id = recorded.credential_ids[URL]
    assert (old_id,) == failure.recorded.unfinished
    assert (NEW_ONE,) == failure.recorded.credentials
    assert old_id != failure.recorded.credential_ids[URL]

    world.qoder.clear_requests()
    finished = world.update(failure.recorded, desired_vault(NEW_ONE))
    assert ["GET /vaults/V/credentials 200", "DELETE /vaults/V/credentials/C 204"] == world.asked
    assert (None, failure.recorded.credential_ids) == (finished.unfinished, finished.credential_ids)
    assert [finished.credential_ids[URL]] == [item.id for item in world.qoder.vaults[0].credentials]


def test_a_former_access_token_is_put_back(founding: World) -> None:
    """On 2026-05 the old one had to go first, and the new one was not taken: agents keep what they had."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert tokens_of(ONE, TWO) == founding.active
    assert (ONE, TWO) == failure.recorded.credentials
    assert f"put the former access token for {URL} back, as {failure.recorded.credential_ids[URL]}" in str(failure)

    founding.update(failure.recorded, desired_vault(NEW_ONE, TWO))
    assert tokens_of(NEW_ONE, TWO) == founding.active


@pytest.mark.parametrize("idempotency", [True, False])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.DROP_BEFORE_COMMIT], ids=repr)
def test_a_former_access_token_is_put_back_though_that_answer_is_lost(
    world_of: Callable[..., World], fault: Fault, idempotency: bool
) -> None:
    """What was put back is recorded, so that the next `up` rotates it."""
    world = world_of("2026-05", idempotency=idempotency)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    world.qoder.fail_next("POST", "/vaults/*/credentials", fault, skip=2)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    (credential,) = world.qoder.vaults[0].credentials
    assert ({URL: credential.id}, (ONE,)) == (failure.recorded.credential_ids, failure.recorded.credentials)
    world.update(failure.recorded, desired_vault(NEW_ONE))
    assert tokens_of(NEW_ONE) == world.active


def test_a_credential_of_another_type_takes_its_place(current: World) -> None:
    """Neither tells the other anything of its secrets: what was sent in one field is not sent in another one's."""
    recorded = current.create(desired_vault(ONE))
    former = Credential("mcp_oauth", {"mcp_server_url": URL, "access_token": ONE.secret})
    referred = Credential("static_bearer", {"mcp_server_url": URL, "access_token_from": {"env": "ONE_TOKEN"}})
    recorded = replace(recorded, credentials=(former,))

    assert "its access token is not known" in str(failure_of(current.update, recorded, desired_vault(referred)))
    read = replace(desired_vault(referred), read=lambda credential: credential.with_secret(NEW_ONE.secret))
    updated = current.update(recorded, read)

    assert tokens_of(NEW_ONE) == current.active
    assert ("static_bearer", {URL: 0}) == (updated.credentials[0].type, updated.rotations)


def test_what_is_found_may_be_the_successor(founding: World) -> None:
    """Both answers were lost: which of the two access tokens Qoder has is not known, and the next `up` sends it."""
    recorded = founding.create(desired_vault(ONE))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT, skip=1)
    founding.qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT, skip=2)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE))

    assert (ONE.with_secret(None),) == failure.recorded.credentials
    founding.update(failure.recorded, desired_vault(NEW_ONE))
    assert tokens_of(NEW_ONE) == founding.active


def test_a_url_that_lost_its_credential_is_said_to_have_none(founding: World) -> None:
    """The old one had to go first, and neither the new one nor the old one was taken: the record is without it."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1, times=14)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert ((TWO,), {OTHER_URL}) == (failure.recorded.credentials, set(failure.recorded.credential_ids))
    assert (
        f"; done before: deleted {recorded.credential_ids[URL]}; the former access token for {URL} could not be put "
        f"back (POST /vaults/{recorded.vault_id}/credentials: The API token has no permission for this operation (403 "
    ) in str(failure)
    assert f"); vault {recorded.vault_id} stays, and the next pulumi up goes on from there" in str(failure)

    founding.update(failure.recorded, desired_vault(NEW_ONE, TWO))
    assert tokens_of(NEW_ONE, TWO) == founding.active


def test_a_rotation_that_nobody_answered_is_sent_again(current: World) -> None:
    """Which access token Qoder has is not known, so the record has none: any program's is different, and is sent."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.DROP_AFTER_COMMIT)
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.RATE_LIMITED_ABSURD, times=2)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert (ONE.with_secret(None), TWO) == failure.recorded.credentials
    current.update(failure.recorded, desired_vault(ONE, TWO))  # the program went back
    assert tokens_of(ONE, TWO) == current.active


def test_what_was_rotated_is_counted_where_a_later_step_fails(current: World) -> None:
    """The count of a rotated access token goes up with it, so that a refresh in between does not lose one."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))

    assert {URL: 1, OTHER_URL: 0} == failure.recorded.rotations


def test_the_record_is_the_truth_wherever_it_stops(world_of: Callable[..., World]) -> None:
    """Whichever request fails, the record holds exactly what exists, and the next `up` finishes."""
    for revision, switches, request in [
        (revision, switches, request)
        for revision, switches in (("2026-07", {}), ("2026-05", {}), ("2026-05", {"unique_url": False}))
        for request in range(8)
    ]:
        world = world_of(revision, **switches)
        recorded = world.create(desired_vault(ONE, TWO))
        wanted = desired_vault(NEW_ONE, THREE)
        world.qoder.fail_next("*", "/vaults/*/**", Fault.FORBIDDEN, skip=request)
        try:
            world.update(recorded, wanted)
            continue
        except PartialState as failure:
            left = failure.recorded
        except errors.Forbidden:
            left = recorded
        (vault,) = world.qoder.vaults
        held = {item.id: item.access_token for item in vault.credentials}
        known = {left.credential_ids[item.key]: item.secret.reveal() for item in left.credentials if item.secret}
        assert known == {id_: token for id_, token in held.items() if id_ not in (left.unfinished or ())}, revision

        world.update(left, wanted)
        assert tokens_of(*wanted.credentials) == world.active
        assert 2 == len(world.qoder.vaults[0].credentials)


def test_a_vault_that_is_gone_is_said_to_be(world: World) -> None:
    """An update of a vault that somebody deleted: the line says what to run."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)

    assert (
        "GET /vaults/vault_1/credentials: Vault 'vault_1' was not found (404 not_found_error, request_id req_1, "
        f"host {host_of(world.qoder)}): vault vault_1 is gone: run pulumi refresh, then pulumi up, which creates it "
        "again"
    ) == line_of(world.update, recorded, desired_vault(NEW_ONE))


def test_a_404_of_a_proxy_does_not_prove_that_a_credential_is_gone(world: World) -> None:
    """It is listed, so it is deleted after all; where the proxy stands in the way for good, it is archived."""
    recorded = world.create(desired_vault(ONE, TWO, THREE))
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.HTML_404)

    recorded = world.update(recorded, desired_vault(ONE, TWO))

    assert tokens_of(ONE, TWO) == world.active
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.HTML_404, times=None)
    world.update(recorded, desired_vault(ONE))
    assert tokens_of(ONE) == world.active
    (vault,) = world.qoder.vaults
    assert ["active", "archived"] == [item.status for item in vault.credentials]


def test_an_empty_list_of_a_vault_that_is_gone_is_no_vault(world: World) -> None:
    """Some servers respond so: the line says what is to be done, and nothing is sent into it."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)
    empty = Effect("an empty list", status=200, headers=JSON, body={"data": [], "has_more": False})
    world.qoder.fail_next("GET", "/vaults/*/credentials", empty, times=None)
    world.qoder.clear_requests()

    line = line_of(world.update, recorded, desired_vault(NEW_ONE))

    assert "vault vault_1 is gone: run pulumi refresh, then pulumi up, which creates it again" == line
    assert [] == world.qoder.writes


def test_a_404_of_a_proxy_to_all_ends_an_update(world: World) -> None:
    """What was to be deleted stays recorded, so that the next `up` deletes it."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.fail_next("*", "/vaults/*/credentials/**", Fault.HTML_404, times=None)

    failure = failure_of(world.update, recorded, desired_vault(ONE))

    assert "the response is not from the Qoder API (404" in str(failure)
    assert tokens_of(ONE, TWO) == world.active
    world.qoder.clear_faults()
    world.update(recorded, desired_vault(ONE))
    assert tokens_of(ONE) == world.active


def test_what_went_to_make_room_for_another_url_is_not_put_back(world_of: Callable[..., World]) -> None:
    """It was to go anyway: nothing but the removal is left of an addition that then fails."""
    world = world_of("2026-05", max_credentials=1)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    failure = failure_of(world.update, recorded, desired_vault(TWO))

    assert {} == world.active
    assert ((), {}) == (failure.recorded.credentials, failure.recorded.credential_ids)
    assert "back" not in str(failure)


def test_a_former_access_token_that_is_not_known_cannot_be_put_back(founding: World) -> None:
    """Of an imported credential nobody knows it: the line says so, and the state says that there is none."""
    recorded = founding.create(desired_vault(ONE, TWO))
    imported = replace(recorded, credentials=(ONE.with_secret(None), TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1, times=None)

    failure = failure_of(founding.update, imported, desired_vault(NEW_ONE, TWO))

    assert f"the former access token for {URL} could not be put back (it is not known)" in str(failure)
    assert tokens_of(TWO) == founding.active
    assert {OTHER_URL} == set(failure.recorded.credential_ids)


def test_a_refusal_stays_what_it_is_where_nobody_says_why(world: World) -> None:
    """The vault may be archived; a 403 to that question adds nothing."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CONFLICT, times=None)
    world.qoder.fail_next("GET", "/vaults/*", Fault.FORBIDDEN, times=None)

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert isinstance(failure, errors.Conflict)
    assert "archived" not in str(failure)


# What is known of secrets


def test_what_another_type_had_is_not_sent(current: World) -> None:
    """Nothing is known of a secret by reference that nobody has read, though one of that name was there by value."""
    vault_id = current.qoder.add_vault("shared").id
    there = current.qoder.add_credential(vault_id, URL, "their-token").id
    recorded = CredentialSet(
        vault_id=vault_id,
        credentials=(ONE,),
        credential_ids={URL: there},
        rotations={URL: 0},
        place=current.api.place,
        status="active",
        api_revision=R07,
    )
    asked = Credential("mcp_oauth", {"mcp_server_url": URL, "access_token_from": {"env": "ONE_TOKEN"}})
    current.qoder.clear_requests()

    desired = DesiredSet(credentials=(asked,), rotations={URL: 0})
    line = line_of(apply.update, current.api, recorded, desired, current.in_use)

    assert line.endswith("its access token is not known: add it to the program")
    assert ([], {URL: "their-token"}) == (current.qoder.writes, current.active)


def triggered(credential: Credential, trigger: str) -> Credential:
    return replace(credential, properties={**credential.properties, "rotation_trigger": trigger})


def test_a_trigger_needs_a_secret(current: World) -> None:
    """After an import nobody knows one: the line says what is to be added, and nothing is sent."""
    made = current.create(desired_vault(ONE))
    unknown = triggered(ONE.with_secret(None), "1")
    current.qoder.clear_requests()

    line = line_of(current.update, replace(made, credentials=(unknown,)), desired_vault(triggered(unknown, "2")))

    assert line.endswith("its access token is not known: add it to the program")
    assert ([], tokens_of(ONE)) == (current.qoder.writes, current.active)
