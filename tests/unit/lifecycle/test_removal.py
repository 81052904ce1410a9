"""Deleting and archiving: what counts as done, and what is learned of a service that refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Commit, Effect, Fault
from pulumi_qoder_vault.lifecycle import absence, removal
from pulumi_qoder_vault.lifecycle.model import RecordedVault
from unit.lifecycle.records import R05, desired_vault
from unit.lifecycle.world import JSON, ONE, OTHER_URL, TWO, URL, World, failure_of, tokens_of

CREDENTIAL, ARCHIVE = "/vaults/*/credentials/*", "/vaults/*/credentials/*/archive"
VAULT, VAULT_ARCHIVE = "/vaults/*", "/vaults/*/archive"
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "It was not found."}}
ABSENT = Effect("a 404 of the API itself", status=404, headers=JSON, body=NOT_FOUND)
HOLLOW = Effect("accepted, and not done", status=200, headers=JSON, body=b"")


@pytest.fixture
def two(world: World) -> tuple[World, RecordedVault]:
    """A vault with two credentials; the second one is to be removed."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()
    return world, recorded


def remove(world: World, recorded: RecordedVault) -> None:
    removal.remove_credential(world.api, recorded, recorded.credential_ids[OTHER_URL], world.in_use)


def writes(world: World) -> list[str]:
    return [f"{item.method} {item.path.rpartition('/')[2][:7]}" for item in world.qoder.writes]


def can_delete(world: World) -> bool:
    return world.in_use.can(R05).credential_deletion


# A credential


def test_a_credential_is_deleted_with_one_write(two: tuple[World, RecordedVault]) -> None:
    """Nothing is asked before or after it."""
    world, recorded = two

    remove(world, recorded)

    assert 1 == len(world.asked)
    assert tokens_of(ONE) == world.active


def test_a_credential_that_is_gone_is_success(two: tuple[World, RecordedVault]) -> None:
    """A 404 says so with the list and a GET; no capability is lacking."""
    world, recorded = two
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[OTHER_URL])

    remove(world, recorded)

    assert can_delete(world)
    assert tokens_of(ONE) == world.active


@pytest.mark.parametrize("status", [404, 405, 501])
def test_without_deletion_a_credential_is_archived(world_of: Callable[..., World], status: Any) -> None:
    """It is listed, so that the refusal is the route's: the next one is archived at once."""
    world = world_of("2026-05", credential_delete_refusal=status)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    remove(world, recorded)
    removal.remove_credential(world.api, recorded, recorded.credential_ids[URL], world.in_use)

    assert not can_delete(world)
    assert {} == world.active
    assert "DELETE" not in [line.split()[0] for line in writes(world)[-1:]]


def test_a_refused_deletion_is_an_error(two: tuple[World, RecordedVault]) -> None:
    """A 403 is about the API token: nothing is archived instead, and nobody looks."""
    world, recorded = two
    world.qoder.fail_next("DELETE", CREDENTIAL, Fault.FORBIDDEN)

    assert isinstance(failure_of(remove, world, recorded), errors.Forbidden)
    assert 1 == len(world.asked)
    assert tokens_of(ONE, TWO) == world.active


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT], ids=repr)
def test_a_deletion_that_nobody_answers_is_looked_at(two: tuple[World, RecordedVault], fault: Fault) -> None:
    """It was done, and every further sending fails: a look says that it is gone."""
    world, recorded = two
    world.qoder.fail_next("DELETE", CREDENTIAL, fault)
    world.qoder.fail_next("DELETE", CREDENTIAL, Fault.ERROR_BEFORE_COMMIT, times=None)

    remove(world, recorded)

    assert tokens_of(ONE) == world.active


def test_a_deletion_that_nobody_handles_is_an_error(two: tuple[World, RecordedVault]) -> None:
    """It is still there, and may go a moment later: nothing is archived, and the outcome is unknown."""
    world, recorded = two
    world.qoder.fail_next("DELETE", CREDENTIAL, Fault.ERROR_BEFORE_COMMIT, times=None)

    assert failure_of(remove, world, recorded).may_be_done
    assert "POST archive" not in writes(world)
    assert can_delete(world)


def test_what_is_too_young_to_be_deleted_is_deleted_a_moment_later(two: tuple[World, RecordedVault]) -> None:
    """A proxy's 404, while it is listed, says nothing of the route."""
    world, recorded = two
    world.qoder.fail_next("DELETE", CREDENTIAL, Fault.HTML_404)

    remove(world, recorded)

    assert can_delete(world)
    assert tokens_of(ONE) == world.active
    (vault,) = world.qoder.vaults
    assert [URL] == [item.mcp_server_url for item in vault.credentials], "nothing is archived"


def test_a_run_that_is_over_learns_nothing_of_deletions(two: tuple[World, RecordedVault], fake_time: Any) -> None:
    """Cancelled before the second attempt: the credential stays, and is not archived."""
    world, recorded = two
    world.qoder.fail_next("DELETE", CREDENTIAL, Fault.HTML_404, times=None)
    fake_time.end_in(0.5)

    assert isinstance(failure_of(remove, world, recorded), errors.NotFound)
    assert can_delete(world)
    assert tokens_of(ONE, TWO) == world.active


@pytest.fixture
def archiving(world_of: Callable[..., World]) -> tuple[World, RecordedVault]:
    """The same, on a service that deletes no credential."""
    world = world_of("2026-05", credential_delete_refusal=405)
    recorded = world.create(desired_vault(ONE, TWO))
    world.in_use.learn("credential_deletion", is_there=False)
    world.qoder.clear_requests()
    return world, recorded


def test_an_archive_is_one_write(archiving: tuple[World, RecordedVault]) -> None:
    """Its response shows it."""
    world, recorded = archiving

    remove(world, recorded)

    assert 1 == len(world.asked)
    assert tokens_of(ONE) == world.active


@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROP_AFTER_COMMIT,
        Effect("a 409, and it is done", Commit.FIRST, status=409, headers=JSON, body=b"{}"),
        Effect("a 404, and it is done", Commit.FIRST, status=404, headers=JSON, body=NOT_FOUND),
        Effect("no body, and it is done", Commit.FIRST, status=200),
    ],
    ids=str,
)
def test_an_archive_is_looked_at(archiving: tuple[World, RecordedVault], fault: Fault | Effect) -> None:
    """Whatever the response says: what is shown as archived is done with."""
    world, recorded = archiving
    world.qoder.fail_next("POST", ARCHIVE, fault)

    remove(world, recorded)

    assert tokens_of(ONE) == world.active


def test_an_archive_that_is_not_shown_is_an_error(archiving: tuple[World, RecordedVault], fake_time: Any) -> None:
    """It is asked for again over some seconds, and never taken for done."""
    world, recorded = archiving
    world.qoder.fail_next("POST", ARCHIVE, HOLLOW, times=None)
    began_s = fake_time.passed_s

    failure = failure_of(remove, world, recorded)

    assert str(failure).endswith("/archive: accepted, but Qoder still shows the credential as active")
    assert sum(absence.PAUSES_OF_YOUNG_S) == fake_time.passed_s - began_s


def test_a_run_that_is_over_does_not_wait_for_an_archive(
    archiving: tuple[World, RecordedVault], fake_time: Any
) -> None:
    """One look, and what is known is said."""
    world, recorded = archiving
    world.qoder.fail_next("POST", ARCHIVE, HOLLOW, times=None)
    fake_time.end_in(0.5)

    assert "still shows the credential as active" in str(failure_of(remove, world, recorded))
    assert 1 == sum(item.path.endswith("/credentials") for item in world.qoder.requests)


def test_a_refused_archive_is_an_error(archiving: tuple[World, RecordedVault]) -> None:
    """It is in the record still."""
    world, recorded = archiving
    world.qoder.fail_next("POST", ARCHIVE, Fault.FORBIDDEN)

    assert isinstance(failure_of(remove, world, recorded), errors.Forbidden)
    assert tokens_of(ONE, TWO) == world.active


# A vault


def test_a_deletion_of_a_vault_that_nobody_handles_is_an_error(two: tuple[World, RecordedVault]) -> None:
    """It is still there, and nobody knows if the deletion is still in work."""
    for fault in (Fault.ERROR_BEFORE_COMMIT, Fault.DROP_BEFORE_COMMIT):
        world, recorded = two
        world.qoder.clear_faults()
        world.qoder.fail_next("DELETE", VAULT, fault, times=None)

        assert failure_of(world.delete, recorded).may_be_done
        assert ["active"] == [vault.status for vault in world.qoder.vaults]


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE_COMMIT, Fault.DROP_BEFORE_COMMIT], ids=repr)
def test_a_deletion_of_a_vault_that_is_done_is_success(two: tuple[World, RecordedVault], fault: Fault) -> None:
    """No response ever says so, and the vault itself does."""
    world, recorded = two
    world.qoder.fail_next("DELETE", VAULT, Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("DELETE", VAULT, fault, times=None)

    world.delete(recorded)

    assert [] == world.qoder.vaults


def test_a_deletion_that_is_refused_for_good_is_an_error(two: tuple[World, RecordedVault]) -> None:
    """A 403 archives nothing."""
    world, recorded = two
    world.qoder.fail_next("DELETE", VAULT, Fault.FORBIDDEN)

    assert isinstance(failure_of(world.delete, recorded), errors.Forbidden)
    assert ["active"] == [vault.status for vault in world.qoder.vaults]


def test_a_run_that_is_over_archives_no_vault(two: tuple[World, RecordedVault], fake_time: Any) -> None:
    """A 409 is asked about again; without the time for it the refusal is what is said."""
    world, recorded = two
    world.qoder.fail_next("DELETE", VAULT, Fault.CONFLICT, times=None)
    fake_time.end_in(0.5)

    assert isinstance(failure_of(world.delete, recorded), errors.Conflict)
    assert ["active"] == [vault.status for vault in world.qoder.vaults]


def test_an_archive_of_a_vault_that_is_not_shown_is_an_error(two: tuple[World, RecordedVault], fake_time: Any) -> None:
    """Accepted, and looked for until the time is over, or the run is."""
    world, recorded = two
    world.qoder.fail_next("POST", VAULT_ARCHIVE, HOLLOW, times=None)
    for end_s, passed_s in ((1000.0, sum(absence.PAUSES_OF_YOUNG_S)), (0.5, 0.5)):
        began_s = fake_time.passed_s
        fake_time.end_in(end_s)
        failure = failure_of(lambda: removal.remove_vault(world.api, recorded, world.in_use, archives=True))
        assert str(failure).endswith("/archive: accepted, but Qoder still shows the vault as active")
        assert passed_s == fake_time.passed_s - began_s


def test_an_archived_vault_may_be_hidden(world_of: Callable[..., World]) -> None:
    """Archived without a body, and a GET of it is a 404: it is gone for everybody."""
    world = world_of("2026-05", hides_archived_vaults=True, archive_response="empty", vault_delete_refusal=405)
    recorded = world.create(desired_vault(ONE))

    world.delete(recorded)

    assert ["archived"] == [vault.status for vault in world.qoder.vaults]
    assert [] == world.warnings


LEFT: dict[str, tuple[list[Fault | Effect], bool]] = {
    "gone": ([ABSENT], False),
    "shown for a while": ([], True),
    "a proxy's 404": ([Fault.HTML_404], True),
    "nobody can say": ([Fault.FORBIDDEN], True),
}


@pytest.mark.parametrize("what", LEFT)
def test_only_a_genuine_404_says_that_nothing_is_left(two: tuple[World, RecordedVault], what: str) -> None:
    """Of a vault that was just deleted."""
    world, recorded = two
    faults, expected = LEFT[what]
    for fault in faults:
        world.qoder.fail_next("GET", VAULT, fault)

    assert expected is removal.is_left(world.api, recorded.vault_id)
