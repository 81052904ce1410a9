"""What proves that a vault or a credential is gone, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.lifecycle import absence
from pulumi_qoder_vault.lifecycle.credential import operations
from pulumi_qoder_vault.lifecycle.model import CredentialSet, ObservedCredential, Place, RecordedVault
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import R05, R07, desired_vault
from unit.lifecycle.world import EVERY_TOKEN, JSON, NEW_ONE, ONE, OTHER_URL, TWO, URL, World, failure_of, tokens_of

ELSEWHERE = Place("https://old.example/api/v1/cloud", None)
EMPTY_LIST = Effect("an empty list", status=200, headers=JSON, body={"data": [], "has_more": False})
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "It was not found."}}
ABSENT = Effect("a 404 of the API itself", status=404, headers=JSON, body=NOT_FOUND)
CREDENTIALS, CREDENTIAL = "/vaults/*/credentials", "/vaults/*/credentials/*"

MOVES: dict[str, Callable[[RecordedVault], RecordedVault]] = {
    "another base URL": lambda recorded: replace(recorded, place=ELSEWHERE),
    "a rotated API token": lambda recorded: replace(recorded, seen_with=Secret("0123456789abcdef")),
}


def standalone(world: World, vault_id: str) -> CredentialSet:
    return operations.create(world.api, vault_id, TWO, world.in_use)


def another_run(world: World, client_of: Callable[..., Client], **settings: Any) -> World:
    """The same service, asked by a process to which nothing was shown."""
    api = client_of(world.qoder, *EVERY_TOKEN, warn=world.warnings.append, **settings)
    return World(world.qoder, api, "auto", world.warnings)


# Once the vault was shown


@pytest.mark.parametrize("move", MOVES)
def test_a_credential_of_a_vault_that_is_shown_is_gone(
    world: World, client_of: Callable[..., Client], move: str
) -> None:
    """A list that shows something is the vault: what it and a GET lack is drift for a refresh."""
    recorded = MOVES[move](world.create(desired_vault(ONE, TWO)))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
    later = another_run(world, client_of)

    found, is_drift = later.read(recorded)

    assert is_drift
    assert found is not None
    assert {OTHER_URL} == found.credential_ids.keys()
    assert (world.api.place, world.api.account) == (found.place, found.seen_with)


@pytest.mark.parametrize("move", MOVES)
def test_an_update_makes_it_again(world: World, client_of: Callable[..., Client], move: str) -> None:
    """Likewise, and the vault need not be asked for; the others stay as they are."""
    recorded = MOVES[move](world.create(desired_vault(ONE, TWO)))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
    later = another_run(world, client_of)
    world.qoder.clear_requests()

    updated = later.update(recorded, desired_vault(NEW_ONE, TWO))

    assert "GET /vaults/V 200" not in world.asked
    assert tokens_of(NEW_ONE, TWO) == world.active
    assert recorded.credential_ids[OTHER_URL] == updated.credential_ids[OTHER_URL]


@pytest.mark.parametrize("move", MOVES)
def test_an_empty_list_is_no_vault(world: World, client_of: Callable[..., Client], move: str) -> None:
    """The vault itself is asked for; it is there, so that its credential is gone."""
    recorded = MOVES[move](world.create(desired_vault(ONE)))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
    later = another_run(world, client_of)
    world.qoder.clear_requests()

    updated = later.update(recorded, desired_vault(NEW_ONE))

    assert ["GET /vaults/V/credentials 200", "GET /vaults/V 200"] == world.asked[:2]
    assert tokens_of(NEW_ONE) == world.active
    assert world.api.place == updated.place


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("has_others", [True, False])
def test_a_standalone_credential_of_a_vault_that_is_shown_is_gone(
    world: World, client_of: Callable[..., Client], move: str, has_others: bool
) -> None:
    """By the list, where there are others in the vault, and else by the vault itself."""
    vault_id = world.qoder.add_vault("shared").id
    if has_others:
        world.qoder.add_credential(vault_id, URL, "their-token")
    made = standalone(world, vault_id)
    recorded: Any = MOVES[move](made)  # type: ignore[arg-type]
    world.qoder.delete_credential(vault_id, made.credential_ids[OTHER_URL])
    later = another_run(world, client_of)

    assert (None, True) == operations.read(later.api, recorded, later.in_use)


@pytest.mark.parametrize("shows_list", [True, False])
def test_to_another_account_nothing_is_gone(world: World, client_of: Callable[..., Client], shows_list: bool) -> None:
    """Every GET is a genuine 404 to it; a list that is empty for what does not exist changes nothing."""
    recorded = world.create(desired_vault(ONE))
    stranger = another_run(world, client_of, api_token=Secret(world.qoder.add_account().api_token))
    if shows_list:
        world.qoder.fail_next("GET", CREDENTIALS, EMPTY_LIST, times=None)

    for act in (lambda: stranger.update(recorded, desired_vault(NEW_ONE)), lambda: stranger.read(recorded)):
        assert isinstance(failure_of(act), errors.AnotherAccount)
    assert tokens_of(ONE) == world.active


@pytest.mark.parametrize("shows_list", [True, False])
def test_to_another_account_no_standalone_credential_is_gone(
    world: World, client_of: Callable[..., Client], shows_list: bool
) -> None:
    """Likewise."""
    vault_id = world.qoder.add_vault("shared").id
    recorded = standalone(world, vault_id)
    stranger = another_run(world, client_of, api_token=Secret(world.qoder.add_account().api_token))
    if shows_list:
        world.qoder.fail_next("GET", CREDENTIALS, EMPTY_LIST, times=None)

    assert isinstance(failure_of(operations.read, stranger.api, recorded, stranger.in_use), errors.AnotherAccount)


def test_elsewhere_a_404_and_a_proxy_are_said_with_both_places(world: World, client_of: Callable[..., Client]) -> None:
    """Whoever answers there: the line names where the vault was made, and where this run asked."""
    recorded = replace(world.create(desired_vault(ONE)), place=ELSEWHERE)
    for fault in (ABSENT, Fault.HTML_404):
        world.qoder.fail_next("GET", "/vaults/*", fault)
        line = str(failure_of(another_run(world, client_of).read, recorded))
        assert line.endswith(
            f"; this does not prove that vault {recorded.vault_id} is gone: it was created at {ELSEWHERE}, but this "
            f"run asked {world.qoder.base_url}"
        )


# Lists


def test_a_list_that_was_not_found_is_asked_for_again(world: World) -> None:
    """The vault is there, and the second list counts."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("GET", CREDENTIALS, Fault.HTML_404)

    assert [URL] == [item.key for item in absence.list_credentials(world.api, recorded)]


def test_a_list_that_stays_away_proves_nothing(world: World) -> None:
    """The vault is there, and its list is not."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("GET", CREDENTIALS, Fault.HTML_404, times=None)

    for act in (absence.list_credentials, absence.list_if_there):
        assert isinstance(failure_of(act, world.api, recorded), errors.NotFound)


def test_the_list_of_a_vault_that_is_gone(world: World) -> None:
    """It is said to be gone, or None where that is asked; a proxy's word is neither."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("GET", "/vaults/**", Fault.HTML_404, times=None)
    for act in (absence.list_credentials, absence.list_if_there):
        failure = failure_of(act, world.api, recorded)
        assert (errors.VaultNotFound, False) == (type(failure), failure.is_absent)

    world.qoder.clear_faults()
    world.qoder.delete_vault(recorded.vault_id)

    assert failure_of(absence.list_credentials, world.api, recorded).is_absent
    assert absence.list_if_there(world.api, recorded) is None


def settled_ids(world: World, recorded: RecordedVault) -> list[str]:
    """List what counts as there, where everything that is not ours is in question."""

    def in_question(listed: Any) -> list[ObservedCredential]:
        return [item for item in listed if item.id not in recorded.credential_ids.values()]

    listed = absence.list_settled(world.api, recorded, in_question)
    assert listed is not None
    return [item.id for item in listed]


def test_what_only_a_list_shows_is_waited_for(world: World, fake_time: Any) -> None:
    """A GET knows nothing of it: it counts as there once all the pauses are over, and not before."""
    recorded = world.create(desired_vault(ONE))
    theirs = world.qoder.add_credential(recorded.vault_id, OTHER_URL, "their-token")
    began_s = fake_time.passed_s

    assert theirs.id in settled_ids(world, recorded)
    assert began_s == fake_time.passed_s

    world.qoder.fail_next("GET", f"/vaults/*/credentials/{theirs.id}", ABSENT, times=None)
    assert theirs.id in settled_ids(world, recorded)
    assert sum(absence.PAUSES_OF_YOUNG_S) == fake_time.passed_s - began_s


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.HTML_404], ids=repr)
def test_what_a_get_says_nothing_of_counts_as_there(world: World, fake_time: Any, fault: Fault) -> None:
    """Nothing says that it is gone, so nobody waits for that."""
    recorded = world.create(desired_vault(ONE))
    theirs = world.qoder.add_credential(recorded.vault_id, OTHER_URL, "their-token")
    world.qoder.fail_next("GET", CREDENTIAL, fault, times=None)
    began_s = fake_time.passed_s

    assert theirs.id in settled_ids(world, recorded)
    assert began_s == fake_time.passed_s


def test_of_a_vault_that_is_gone_nothing_is_settled(world: World) -> None:
    """It holds nobody's credentials."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)

    assert absence.list_settled(world.api, recorded, lambda listed: listed) is None


# Credentials that a list lacks


def find(world: World, recorded: RecordedVault, *listed: ObservedCredential) -> set[str]:
    missing = set(recorded.credential_ids.values()) - {item.id for item in listed}
    return {*absence.find_credentials(world.api, recorded, missing, listed, world.in_use)}


def test_what_a_get_shows_is_there(world: World, fake_time: Any) -> None:
    """One list that lacks it proves nothing, and nobody waits."""
    recorded = world.create(desired_vault(ONE))
    began_s = fake_time.passed_s

    assert {*recorded.credential_ids.values()} == find(world, recorded)
    assert began_s == fake_time.passed_s


@pytest.mark.parametrize("status", [404, 405, 501])
def test_where_no_get_shows_credentials_lists_do(world_of: Callable[..., World], status: Any) -> None:
    """A GET that does not show what is listed proves nothing; a second list does."""
    world = world_of("2026-05", credential_get_refusal=status)
    recorded = world.create(desired_vault(ONE, TWO))
    one, two = recorded.credential_ids[URL], recorded.credential_ids[OTHER_URL]
    shown = next(item for item in world.api.list_credentials(recorded.vault_id) if item.id == two)

    assert {one} == find(world, recorded, shown)
    assert world.in_use.can(R05).credential_get is False
    world.qoder.delete_credential(recorded.vault_id, one)
    assert set() == find(world, recorded, shown)


def test_a_get_that_fails_otherwise_is_an_error(world: World) -> None:
    """It says neither that the credential is there, nor that it is gone."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("GET", CREDENTIAL, Fault.FORBIDDEN)

    assert isinstance(failure_of(find, world, recorded), errors.Forbidden)


def test_a_proxys_404_does_not_count_for_a_credential(world: World) -> None:
    """Also where the list lacks it."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("GET", CREDENTIAL, Fault.HTML_404)

    assert f"; this does not prove that a credential in vault {recorded.vault_id} is gone" in str(
        failure_of(find, world, recorded)
    )


@pytest.mark.parametrize("after_s", [0.5, 2.0, 5.0])
def test_a_run_that_is_over_proves_no_absence(world: World, fake_time: Any, after_s: float) -> None:
    """A pause that did not pass is no proof, of a credential as of a vault."""
    recorded = world.create(desired_vault(ONE, TWO))
    (one, two) = recorded.credential_ids.values()
    shown = next(item for item in world.api.list_credentials(recorded.vault_id) if item.id == two)
    world.qoder.fail_next("GET", f"/vaults/*/credentials/{one}", ABSENT, times=None)
    fake_time.end_in(after_s)
    assert f"a credential in vault {recorded.vault_id}: not found, and no time was left" in str(
        failure_of(find, world, recorded, shown)
    )

    world.qoder.delete_vault(recorded.vault_id)
    fake_time.end_in(after_s)
    assert f"vault {recorded.vault_id}: not found, and no time was left to find out if it is gone" == str(
        failure_of(absence.find_vault, world.api, recorded)
    )


def test_what_appears_late_is_there(world: World) -> None:
    """A GET shows it after the first pause."""
    recorded = world.create(desired_vault(ONE, TWO))
    (one, two) = recorded.credential_ids.values()
    shown = next(item for item in world.api.list_credentials(recorded.vault_id) if item.id == two)
    world.qoder.fail_next("GET", f"/vaults/*/credentials/{one}", ABSENT)

    assert {one} == find(world, recorded, shown)
    assert world.in_use.can(R07).credential_get is True


def test_where_no_vaults_are_listed_nothing_is_gone(start: Callable[..., Emulator], client_of: Any) -> None:
    """What is refused as a whole is another workspace: a genuine 404 is no proof there."""
    qoder = start("2026-07")
    warnings: list[str] = []
    world = World(qoder, client_of(qoder, *EVERY_TOKEN), "2026-07", warnings)
    recorded = world.create(desired_vault(ONE))
    qoder.delete_vault(recorded.vault_id)
    qoder.fail_next("GET", "/vaults", Fault.FORBIDDEN, times=None)
    later = another_run(world, client_of)

    assert "shows this run no list of vaults; check the API token and qoder:workspaceId" in str(
        failure_of(later.read, recorded)
    )
