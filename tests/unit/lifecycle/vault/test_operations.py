"""Create, read, update, delete and look up, against a server of each revision: what is asked, and what is left."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Commit, Effect, Fault
from pulumi_qoder_vault.lifecycle.model import (
    PartialState,
    Place,
    RecordedVault,
    Revision,
)
from pulumi_qoder_vault.lifecycle.vault import operations
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL
from unit.lifecycle.records import desired_vault, with_protocol
from unit.lifecycle.world import (
    JSON,
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

# Create


def test_on_2026_05_a_create_is_one_request(founding: World) -> None:
    """The vault comes with its credentials, in the form of the founding page."""
    founding.create(desired_vault(ONE, TWO))

    assert ["POST /vaults 201"] == founding.asked
    assert tokens_of(ONE, TWO) == founding.active


def test_on_2026_07_a_create_is_the_vault_and_each_credential(current: World) -> None:
    """The vault first, without credentials, then each."""
    current.create(desired_vault(ONE, TWO))

    assert ["POST /vaults 200", *["POST /vaults/V/credentials 200"] * 2] == current.asked
    assert tokens_of(ONE, TWO) == current.active


def test_what_is_recorded(world: World) -> None:
    """The record holds what was asked for, the ids, where it was made, and the revision that answered."""
    wanted = desired_vault(ONE, with_protocol(TWO, "sse"), on_delete="archive", rotations={URL: 0, OTHER_URL: 3})

    recorded = world.create(wanted)

    (vault,) = world.qoder.vaults
    assert recorded == RecordedVault(
        vault_id=vault.id,
        display_name="my-mcp-vault",
        metadata={},
        on_delete="archive",
        place=Place(world.qoder.base_url, None),
        status="active",
        credentials=wanted.credentials,
        credential_ids={str(item.mcp_server_url): item.id for item in vault.credentials},
        rotations={URL: 0, OTHER_URL: 3},
        created_at=recorded.created_at,
        updated_at=recorded.updated_at,
        api_revision=Revision(world.qoder.revision),
        seen_with=world.api.account,
        rotated_at=recorded.rotated_at,
    )
    assert {*recorded.credential_ids} == {*(recorded.rotated_at or {})}
    assert recorded.created_at.startswith("20")


@pytest.mark.parametrize("status", [200, 201])
def test_a_credential_may_be_made_with_200_or_201(world_of: Callable[..., World], status: int) -> None:
    """Any 2xx is a success."""
    world = world_of("2026-07", "2026-07", credential_create_status=status)

    assert URL in world.create(desired_vault(ONE)).credential_ids


def test_an_empty_vault(current: World) -> None:
    """On 2026-07 a vault may be empty."""
    recorded = current.create(desired_vault())

    assert (["POST /vaults 200"], {}) == (current.asked, recorded.credential_ids)


# A create that is taken back


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.CONFLICT, Fault.HTML_404], ids=repr)
def test_a_refused_credential_takes_the_vault_back(current: World, fault: Fault) -> None:
    """Where one credential is not taken the vault is deleted again, and nothing is left."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", fault, skip=1)

    failure = failure_of(current.create, desired_vault(ONE, TWO, THREE))

    assert isinstance(failure, errors.RolledBack)
    assert [] == current.qoder.vaults
    assert re.search(r"; vault vault_[0-9a-f]{32} was deleted again, nothing is left$", str(failure))
    assert [
        "POST /vaults",
        "POST /vaults/V/credentials",
        "POST /vaults/V/credentials",
        "DELETE /vaults/V",
        "GET /vaults/V",
    ] == [line.rpartition(" ")[0] for line in current.asked]


def test_the_whole_line_of_a_create_taken_back(current: World) -> None:
    """What failed, why, and what is left, by id."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CONFLICT)

    assert (
        "POST /vaults/vault_1/credentials: The request conflicts with the current state of the resource (409 "
        f"conflict_error, request_id req_1, host {host_of(current.qoder)}); vault vault_1 was deleted "
        "again, nothing is left"
    ) == line_of(current.create, desired_vault(ONE))


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT], ids=repr)
def test_a_rollback_whose_answer_is_lost_is_done(current: World, fault: Fault) -> None:
    """The second DELETE finds nothing, which is what was wanted."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)
    current.qoder.fail_next("DELETE", "/vaults/*", fault)

    assert isinstance(failure_of(current.create, desired_vault(ONE)), errors.RolledBack)
    assert [] == current.qoder.vaults


@pytest.fixture(params=[Fault.FORBIDDEN, Fault.ERROR_BEFORE_COMMIT], ids=repr)
def stuck(request: pytest.FixtureRequest, current: World) -> tuple[World, Any]:
    """A vault with one of two credentials, which could not be deleted again; and the failure."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    current.qoder.fail_next("DELETE", "/vaults/*", request.param, times=None)
    failure = failure_of(current.create, desired_vault(ONE, TWO))
    current.qoder.clear_faults()
    current.qoder.clear_requests()
    return current, failure


def test_a_rollback_that_fails_is_recorded(stuck: tuple[World, Any]) -> None:
    """The record holds what exists and nothing else; the error names the vault and says what happens next."""
    world, failure = stuck

    (vault,) = world.qoder.vaults
    assert isinstance(failure, PartialState)
    assert (vault.id, (ONE,), {URL: vault.credentials[0].id}, {URL: 0}, ()) == (
        failure.recorded.vault_id,
        failure.recorded.credentials,
        failure.recorded.credential_ids,
        failure.recorded.rotations,
        failure.recorded.unfinished,
    )
    assert f"; vault {vault.id} could not be deleted again (DELETE /vaults/{vault.id}: " in str(failure)
    assert str(failure).endswith(
        "), so it is recorded as partially created: the next pulumi up finishes it, pulumi destroy removes it"
    )


def test_the_next_up_finishes_a_partial_create(stuck: tuple[World, Any]) -> None:
    """Update adds what is missing, and the record is whole."""
    world, failure = stuck

    recorded = world.update(failure.recorded, desired_vault(ONE, TWO))

    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials 200"] == world.asked
    assert tokens_of(ONE, TWO) == world.active
    assert ((ONE, TWO), {URL: 0, OTHER_URL: 0}, None) == (
        recorded.credentials,
        recorded.rotations,
        recorded.unfinished,
    )
    assert {URL, OTHER_URL} == recorded.credential_ids.keys()


def test_destroy_removes_a_partial_create(stuck: tuple[World, Any]) -> None:
    """It is a vault like any other."""
    world, failure = stuck

    world.delete(failure.recorded)

    assert [] == world.qoder.vaults


def test_metadata_that_is_not_stored_is_refused(founding: World) -> None:
    """Nothing is dropped silently: the vault is taken back, and the line says which revision stores metadata."""
    assert (
        "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder of API "
        "revision 2026-07; vault vault_1 was deleted again, nothing is left"
    ) == line_of(founding.create, desired_vault(ONE, metadata={"team": "tools"}))
    assert [] == founding.qoder.vaults


def test_metadata_that_is_not_stored_is_not_recorded(founding: World) -> None:
    """A vault that could not be deleted again is recorded with what it has: the next diff shows the difference."""
    founding.qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)

    assert {} == failure_of(founding.create, desired_vault(ONE, metadata={"team": "tools"})).recorded.metadata


@pytest.mark.parametrize("metadata", [{"team": "tools"}, {}, None])
def test_metadata_that_is_stored(world_of: Callable[..., World], metadata: dict[str, str] | None) -> None:
    """Where the response carries what was asked for, the create is done, on any revision."""
    for world in (world_of("2026-05", store_metadata=True), world_of("2026-07")):
        recorded = world.create(desired_vault(ONE, metadata=metadata))

        stored = dict(world.qoder.vaults[0].metadata)
        assert (world.qoder.revision == "2026-07") is (stored.pop("pulumi_create_id", None) is not None)
        assert (metadata or {}) == recorded.metadata == stored


def flat_body(world: World, **changes: Any) -> Callable[[], bytes]:
    """The response to a create on 2026-05, with some fields of its credential changed; None takes one away."""

    def body() -> bytes:
        (vault,) = world.qoder.vaults
        (made,) = vault.credentials
        shown = {"id": made.id, "type": "static_bearer", "status": "active", "mcp_server_url": made.mcp_server_url}
        credential = {key: value for key, value in {**shown, **changes}.items() if value is not None}
        times = {"created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        given = {"id": vault.id, "type": "vault", "status": "active", "display_name": vault.display_name}
        return json.dumps({**given, **times, "credentials": [credential]}).encode()

    return body


def test_a_credential_that_is_not_stored_as_asked_takes_the_vault_back(founding: World) -> None:
    """The response lacks its protocol: nothing is dropped silently."""
    effect = Effect("a field is dropped", Commit.FIRST, status=201, headers=JSON, body=flat_body(founding))
    founding.qoder.fail_next("POST", "/vaults", effect)

    assert str(failure_of(founding.create, desired_vault(ONE))).startswith("protocol: Qoder accepted the credential")
    assert [] == founding.qoder.vaults


def test_a_name_that_is_stored_otherwise_takes_the_vault_back(world_of: Callable[..., World]) -> None:
    """It carries our mark, so it is ours; its name is not what was asked for."""
    world = world_of("2026-07", "2026-07", vault_echo="display_name")

    line = str(failure_of(world.create, desired_vault(ONE)))

    assert line.startswith("display_name: Qoder stored another name than was asked for; vault ")
    assert [] == world.qoder.vaults


def test_a_vault_that_holds_other_credentials_is_not_ours(world_of: Callable[..., World]) -> None:
    """A response that shows none, and a list that shows another URL: neither recorded nor deleted."""
    world = world_of("2026-05", create_credentials="absent")
    shown = {"id": "vcred_1", "type": "static_bearer", "status": "active", "mcp_server_url": THIRD_URL}
    listed = Effect("others", status=200, headers=JSON, body={"data": [shown], "has_more": False})
    world.qoder.fail_next("GET", "/vaults/*/credentials", listed)

    failure = failure_of(world.create, desired_vault(ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "which holds other credentials than were asked for" in str(failure)
    assert 1 == len(world.qoder.vaults)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_credentials_that_nobody_shows_are_waited_for(
    world_of: Callable[..., World], fake_time: Any, is_cancelled: bool
) -> None:
    """A new vault's list may lag. One that stays empty lacks them; one that nobody had time to ask says nothing."""
    world = world_of("2026-05", create_credentials="absent", unique_url=False)
    empty = Effect("an empty list", status=200, headers=JSON, body={"data": [], "has_more": False})
    world.qoder.fail_next("GET", "/vaults/*/credentials", empty, times=None)
    if is_cancelled:
        fake_time.end_in(0.5)
        failure = failure_of(world.create, desired_vault(ONE))
        assert "none are shown, and no time was left to ask again; the outcome is unknown: vault " in str(failure)
        assert 1 == len(world.qoder.writes)
        return

    recorded = world.create(desired_vault(ONE))

    assert 7.0 == fake_time.passed_s
    assert {URL} == recorded.credential_ids.keys()


def test_a_vault_taken_back_that_may_be_left_is_not_said_to_be_gone(current: World) -> None:
    """It was deleted; whether it is still there nobody says."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)
    current.qoder.fail_next("GET", "/vaults/*", Fault.FORBIDDEN)

    assert str(failure_of(current.create, desired_vault(ONE))).endswith(" was deleted again")


# Read


def test_a_vault_that_vanishes_while_it_is_read_is_gone(world: World) -> None:
    """It was shown, and its list says that there is none: the vault itself is asked again."""
    recorded = world.create(desired_vault(ONE))
    shown = {"id": recorded.vault_id, "display_name": "my-mcp-vault", "status": "active", "archived_at": None}
    world.qoder.fail_next("GET", "/vaults/*", Effect("a moment ago", status=200, headers=JSON, body=shown))
    world.qoder.delete_vault(recorded.vault_id)

    assert (None, True) == world.read(recorded)


def test_nothing_new_is_no_drift(world: World) -> None:
    """A vault as it was recorded, and nobody else's credential in it; two reads."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    assert (replace(recorded, other_credentials={}), False) == world.read(recorded)
    assert 2 == len(world.asked)


def test_an_archived_vault_is_drift(world: World) -> None:
    """The status shows it, on both revisions."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    found, is_drift = world.read(recorded)

    assert found is not None
    assert ("archived", True) == (found.status, is_drift)
    assert world.read(found) == (found, True)


def test_a_vault_that_is_gone(world: World) -> None:
    """Qoder's own word, where it was made: it is gone."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)

    assert (None, True) == world.read(recorded)


@pytest.mark.parametrize("fault", [Fault.HTML_404, Fault.FOREIGN_404], ids=repr)
def test_a_404_of_a_proxy_is_no_proof(world: World, fault: Fault) -> None:
    """A 404 that is not Qoder's own proves nothing, even if the vault is gone: nothing is dropped."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("*", "/vaults/*", fault, times=None)
    base_url = world.qoder.base_url

    for act in (world.read, world.delete):
        assert (
            f"GET /vaults/vault_1: the response is not from the Qoder API (404, host {host_of(world.qoder)}): "
            f"check the proxy and qoder:baseUrl, which is {base_url}; the API's is like {DEFAULT_BASE_URL}; "
            "this does not prove that vault vault_1 is gone"
        ) == line_of(act, recorded)
    assert 1 == len(world.qoder.vaults)


@pytest.mark.parametrize(
    "place",
    [Place("https://api.qoder.com/api/v1/cloud", None), Place("", None), "workspace"],
    ids=["another base URL", "none recorded", "another workspace"],
)
@pytest.mark.parametrize("act", ["read", "delete", "archive"])
def test_a_404_elsewhere_is_no_proof(world: World, place: Any, act: str) -> None:
    """A vault made at one place is not gone because another place does not know it; the error names both."""
    made_at = Place(world.qoder.base_url, "ws_1") if place == "workspace" else place
    recorded = replace(
        world.create(desired_vault(ONE)), place=made_at, on_delete="archive" if act == "archive" else "delete"
    )
    world.qoder.delete_vault(recorded.vault_id)

    failure = failure_of(world.read if act == "read" else world.delete, recorded)

    assert isinstance(failure, errors.VaultNotFound)
    assert f"it was created at {made_at}, but this run asked {world.qoder.base_url}" in str(failure)


def test_a_success_elsewhere_updates_the_record(world: World) -> None:
    """The same vault found at another base URL: from now on that is where it is."""
    recorded = world.create(desired_vault(ONE))

    found, is_drift = world.read(replace(recorded, place=Place("https://old.example/api", None)))

    assert (replace(recorded, other_credentials={}), False) == (found, is_drift)


def test_another_revision_and_other_times_are_no_drift(world: World) -> None:
    """The service changes in place: the record follows, silently."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07" if world.qoder.revision == "2026-05" else "2026-05"

    found, is_drift = world.read(replace(recorded, created_at="", updated_at=""))

    assert found is not None
    assert (False, world.qoder.revision, recorded.created_at) == (is_drift, found.api_revision.value, found.created_at)


def test_unfinished_work_is_drift(world: World) -> None:
    """A refresh erases that work stopped in the middle, so it shows what exists, and the next `up` goes on."""
    recorded = replace(world.create(desired_vault(ONE)), unfinished=())

    found, is_drift = world.read(recorded)

    assert is_drift
    assert found is not None
    assert found.unfinished is None


def test_leftovers_survive_a_refresh(world: World) -> None:
    """Ids that are still to be deleted are kept."""
    recorded = replace(world.create(desired_vault(ONE)), unfinished=("vcred_1",))

    found, _ = world.read(recorded)

    assert found is not None
    assert ("vcred_1",) == found.unfinished


@pytest.mark.parametrize("how", ["delete_credential", "archive_credential"])
def test_a_declared_credential_that_is_gone_is_drift(world: World, how: str) -> None:
    """The record is without it, so that the next `up` makes it again."""
    recorded = world.create(desired_vault(ONE, TWO))
    getattr(world.qoder, how)(recorded.vault_id, recorded.credential_ids[URL])

    found, is_drift = world.read(recorded)

    assert is_drift
    assert found is not None
    assert ({OTHER_URL}, (TWO,)) == (set(found.credential_ids), found.credentials)


def test_another_protocol_is_drift(founding: World) -> None:
    """Somebody replaced nothing but the protocol, or the record is wrong: what Qoder shows counts."""
    recorded = founding.create(desired_vault(with_protocol(ONE, "sse")))
    wrong = replace(recorded, credentials=(ONE,))

    found, is_drift = founding.read(wrong)

    assert found is not None
    assert (["sse"], True) == ([item.properties["protocol"] for item in found.credentials], is_drift)


def test_a_foreign_credential_is_no_drift(world: World) -> None:
    """What the program did not declare is not its business."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.add_credential(recorded.vault_id, THIRD_URL, "foreign")

    found, is_drift = world.read(recorded)

    assert found is not None
    assert (False, recorded.credential_ids) == (is_drift, found.credential_ids)


def test_what_somebody_changed_is_said_without_a_value(current: World) -> None:
    """A value of metadata may be a secret of the program, or of whoever changed it: only its key is in the line."""
    recorded = current.create(desired_vault(ONE, metadata={"team": "value-canary-was", "same": "value-canary-same"}))
    shown = {
        "id": recorded.vault_id,
        "display_name": "renamed",
        "archived_at": None,
        "metadata": {"team": "value-canary-now", "same": "value-canary-same", "more": "value-canary-more"},
    }
    current.qoder.fail_next("GET", "/vaults/*", Effect("changed", status=200, headers=JSON, body=shown))

    _, is_drift = current.read(recorded)

    stays = "somebody changed it; it stays, since only another vault could mend it"
    assert not is_drift
    assert [
        f"display_name: Qoder shows 'renamed' for vault {recorded.vault_id}, and the state 'my-mcp-vault': {stays}",
        f"metadata[team]: Qoder shows another value for vault {recorded.vault_id} than the state: {stays}",
    ] == current.warnings


# Delete


def test_delete(world: World) -> None:
    """One read, one write, and the vault is gone; a second time is success, once it is proven: it is young."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    world.delete(recorded)
    world.delete(recorded)

    assert [] == world.qoder.vaults
    listed, deleted, *absent = world.asked
    assert "GET /vaults/V/credentials 200" == listed
    assert ["GET /vaults/V/credentials 404"] * 4 + ["GET /vaults/V 404"] * 4 == [it for it in absent if "/V" in it]
    assert deleted.startswith("DELETE /vaults/V 20")


@pytest.mark.parametrize("archive_again", [200, 409])
def test_archive(world_of: Callable[..., World], archive_again: int) -> None:
    """With `on_delete="archive"` the vault stays, archived; a second time is success, whatever the response."""
    for revision in ("2026-05", "2026-07"):
        world = world_of(revision, archive_again=archive_again)
        recorded = world.create(desired_vault(ONE, on_delete="archive"))

        world.delete(recorded)
        world.delete(recorded)

        assert ["archived"] == [vault.status for vault in world.qoder.vaults]


def test_an_archived_vault_can_be_deleted(world: World) -> None:
    """What somebody archived is deleted where `on_delete` says so."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    world.delete(recorded)

    assert [] == world.qoder.vaults


def test_an_archived_vault_needs_no_list(world: World) -> None:
    """Somebody archived it since, and it has no list any more: it serves nobody, and is deleted."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.HTML_404, times=None)

    world.delete(recorded)

    assert [] == world.qoder.vaults


def test_archiving_what_is_gone_is_success(world: World) -> None:
    """Nothing is left to archive."""
    recorded = world.create(desired_vault(ONE, on_delete="archive"))
    world.qoder.delete_vault(recorded.vault_id)

    world.delete(recorded)


@pytest.mark.parametrize("on_delete", ["delete", "archive"])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.RATE_LIMITED], ids=repr)
def test_a_lost_answer_to_a_delete_is_asked_again(world: World, on_delete: str, fault: Fault) -> None:
    """The second request finds it done: 404 or 409 after a retry is success."""
    recorded = world.create(desired_vault(ONE, on_delete=on_delete))
    world.qoder.fail_next("*", "/vaults/**", fault)

    world.delete(recorded)

    assert ["archived"] * (on_delete == "archive") == [vault.status for vault in world.qoder.vaults]


def test_a_vault_whose_deletion_conflicts_is_archived_with_a_warning(world: World) -> None:
    """Old sessions may refer to it: a replaced vault must not make every later `up` fail."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("DELETE", "/vaults/*", Fault.CONFLICT, times=None)

    world.delete(recorded)

    assert ["archived"] == [vault.status for vault in world.qoder.vaults]
    (line,) = world.warnings
    assert line.startswith(f"vault {recorded.vault_id} was archived instead, since Qoder refuses to delete it (DELETE ")


def test_one_409_archives_nothing(world: World) -> None:
    """Something else was changing the vault: it is deleted a moment later."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("DELETE", "/vaults/*", Fault.CONFLICT)

    world.delete(recorded)

    assert ([], []) == (world.qoder.vaults, world.warnings)


def test_every_vault_that_is_archived_instead_is_said(world: World) -> None:
    """Also those after the first, for which nobody tries to delete any more."""
    made = [world.create(desired_vault(ONE)) for _ in range(3)]
    world.qoder.fail_next("DELETE", "/vaults/*", Effect("no route", status=405), times=None)
    world.qoder.clear_requests()

    for recorded in made:
        world.delete(recorded)

    assert [recorded.vault_id for recorded in made] == [line.split()[1] for line in world.warnings]
    assert 1 == sum(request.method == "DELETE" for request in world.qoder.requests)


def test_an_archive_that_conflicts_for_another_reason_is_an_error(world: World) -> None:
    """Only what is archived counts as archived: a 409 for anything else must not lose the vault."""
    recorded = world.create(desired_vault(ONE, on_delete="archive"))
    world.qoder.fail_next("POST", "/vaults/*/archive", Fault.CONFLICT)

    assert isinstance(failure_of(world.delete, recorded), errors.Conflict)


# Look up


def test_look_up(world: World) -> None:
    """A vault that this stack does not own: its active credentials, without access tokens."""
    vault = world.qoder.add_vault("theirs")
    made = [world.qoder.add_credential(vault.id, url, "their-token") for url in (URL, OTHER_URL, THIRD_URL)]
    world.qoder.archive_credential(vault.id, made[2].id)

    found = world.look_up(vault.id)

    assert (vault.id, "theirs", {}, "active", {URL: made[0].id, OTHER_URL: made[1].id}) == (
        found.vault_id,
        found.display_name,
        found.metadata,
        found.status,
        found.credential_ids,
    )
    assert [None, None] == [item.secret for item in found.credentials]


def test_look_up_of_an_archived_vault(world: World) -> None:
    """It stays readable, and says what it is."""
    vault = world.qoder.add_vault("theirs")
    world.qoder.archive_vault(vault.id)

    assert "archived" == world.look_up(vault.id).status


def test_look_up_of_none(world: World) -> None:
    """A blank id does not raise in Pulumi, so this must."""
    unknown = "vault_" + "0" * 32

    assert (
        "GET /vaults/vault_1: Vault 'vault_1' was not found (404 not_found_error, request_id req_1, host "
        f"{host_of(world.qoder)}): there is no vault "
        f"vault_1 at {world.qoder.base_url}"
    ) == line_of(operations.look_up, world.api, unknown)


def test_look_up_through_a_proxy_proves_nothing(world: World) -> None:
    """A 404 that is not Qoder's own is no word about the vault."""
    vault = world.qoder.add_vault("theirs")
    world.qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)

    assert "this does not prove that there is no vault vault_1 at" in line_of(operations.look_up, world.api, vault.id)


def test_a_refresh_of_a_vault_of_another_stack(world: World) -> None:
    """It is read anew, and dropped only where Qoder itself says that it is gone."""
    vault = world.qoder.add_vault("theirs")
    found = world.look_up(vault.id)
    made = world.qoder.add_credential(vault.id, URL, "their-token")

    again = operations.look_up(world.api, vault.id, found)
    assert again is not None
    assert {URL: made.id} == again.credential_ids

    world.qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)
    assert "this does not prove that vault vault_1 is gone" in line_of(operations.look_up, world.api, vault.id, found)
    world.qoder.delete_vault(vault.id)
    assert operations.look_up(world.api, vault.id, found) is None


@pytest.mark.parametrize("vault_id", ["", "vault_1\nx", "../agents", "vault_1/credentials", "a?b=c", "a#b", "a b", "é"])
def test_look_up_of_what_is_no_id(founding: World, vault_id: str) -> None:
    """What cannot be an id is said to be none, in one line; no other endpoint is asked for it."""
    line = line_of(operations.look_up, founding.api, vault_id)

    assert "qoder:baseUrl" not in line, "it is not to blame"
    assert all(re.fullmatch(r"/vaults/[\w%-]+", item.path) and not item.query for item in founding.qoder.requests)


TIMES = ("2026-08-01T10:00:16Z", "2026-08-01T10:00:16.1Z", "2026-08-01T10:00:16.12Z", "2026-08-01T10:00:16.5Z")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("pair", list(itertools.pairwise(TIMES)))
def test_of_two_with_one_url_the_newest(founding: World, pair: tuple[str, str], order: int) -> None:
    """Times have as many digits as they need: a shorter one is not the later one; the list's order says nothing."""
    vault = founding.qoder.add_vault("theirs")
    data = [
        {"id": f"vcred_{number}", "mcp_server_url": URL, "type": "static_bearer", "status": "active", "created_at": at}
        for number, at in enumerate(pair)
    ]
    page = Effect("two of one URL", status=200, body={"data": data[::order], "has_more": False})
    founding.qoder.fail_next("GET", "/vaults/*/credentials", page)

    assert {URL: "vcred_1"} == founding.look_up(vault.id).credential_ids
