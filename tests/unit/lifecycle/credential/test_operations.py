"""A standalone credential against a server of each revision: what is made, found, said, and left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Effect, Fault
from pulumi_qoder_vault.lifecycle.credential import operations
from pulumi_qoder_vault.lifecycle.model import Credential, CredentialSet, DesiredSet, PartialState
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import R05, R07
from unit.lifecycle.world import JSON, NEW_ONE, ONE, OTHER_URL, URL, World, failure_of, tokens_of

CREDENTIALS, CREDENTIAL = "/vaults/*/credentials", "/vaults/*/credentials/*"
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "It was not found."}}
ABSENT = Effect("a 404 of the API itself", status=404, headers=JSON, body=NOT_FOUND)
VARIABLE = Credential("environment_variable", {"secret_name": "API_KEY", "secret_value": Secret("value-canary-6666")})


@pytest.fixture
def shared(world: World) -> tuple[World, str]:
    """A vault that somebody else made."""
    return world, world.qoder.add_vault("shared").id


def create(world: World, vault_id: str, credential: Credential = ONE) -> CredentialSet:
    return operations.create(world.api, vault_id, credential, world.in_use)


def read(world: World, recorded: CredentialSet) -> tuple[CredentialSet | None, bool]:
    return operations.read(world.api, recorded, world.in_use)


def update(world: World, recorded: CredentialSet, credential: Credential, rotations: int = 1) -> CredentialSet:
    desired = DesiredSet(credentials=(credential,), rotations={credential.key: rotations})
    return operations.update(world.api, recorded, desired, world.in_use)


def delete(world: World, recorded: CredentialSet) -> None:
    operations.delete(world.api, recorded, world.in_use)


# Create


def test_a_vault_that_does_not_exist_is_said(shared: tuple[World, str]) -> None:
    """It is in no state of ours, so nothing is said of creating it again; a proxy's word is none."""
    world, vault_id = shared
    world.qoder.delete_vault(vault_id)

    failure = failure_of(create, world, vault_id)

    assert f"there is no vault {vault_id} at {world.qoder.base_url}" == str(failure)
    assert failure.is_absent
    world.qoder.fail_next("GET", "/vaults/**", Fault.HTML_404, times=None)
    assert not failure_of(create, world, vault_id).is_absent


def test_what_a_revision_lacks_is_said_before_a_write(world_of: Callable[..., World]) -> None:
    """A type, and metadata, that this Qoder does not have."""
    world = world_of("2026-05")
    vault_id = world.qoder.add_vault("shared").id
    world.qoder.add_credential(vault_id, OTHER_URL, "their-token")

    assert "type: environment_variable needs a Qoder of API revision 2026-07" == str(
        failure_of(create, world, vault_id, VARIABLE)
    )
    with_metadata = replace(ONE, metadata={"team": "tools"})
    assert str(failure_of(create, world, vault_id, with_metadata)).startswith("metadata: this Qoder does not store")
    assert [] == world.qoder.writes


@pytest.mark.parametrize("is_deleted", [True, False])
def test_what_is_not_stored_is_taken_back_or_recorded(world_of: Callable[..., World], is_deleted: bool) -> None:
    """Nothing is left, or what is left is in the state."""
    world = world_of("2026-07", store_metadata=False)
    vault_id = world.qoder.add_vault("shared").id
    if not is_deleted:
        world.qoder.fail_next("DELETE", CREDENTIAL, Fault.FORBIDDEN)

    failure = failure_of(create, world, vault_id, replace(ONE, metadata={"team": "tools"}))

    assert str(failure).startswith("metadata: this Qoder does not store metadata with a credential")
    left = {item.mcp_server_url: item.id for item in world.qoder.vaults[0].credentials}
    if is_deleted:
        assert isinstance(failure, errors.RolledBack)
        assert {} == left
    else:
        assert isinstance(failure, PartialState)
        assert (left, ()) == (failure.recorded.credential_ids, failure.recorded.unfinished)
        assert f"credential {left[URL]} could not be deleted again (DELETE " in str(failure)


# Find


def test_what_an_import_finds(shared: tuple[World, str]) -> None:
    """Its fields, without a secret."""
    world, vault_id = shared
    theirs = world.qoder.add_credential(vault_id, URL, "their-token")

    found = operations.find(world.api, vault_id, theirs.id)

    assert ({URL: theirs.id}, "active") == (found.credential_ids, found.status)
    assert [None] == [item.secret for item in found.credentials]


@pytest.mark.parametrize(("fault", "is_absent"), [(ABSENT, True), (Fault.HTML_404, False)], ids=["Qoder", "a proxy"])
def test_an_import_of_none(shared: tuple[World, str], fault: Fault | Effect, is_absent: bool) -> None:
    """Only Qoder's own word says that there is none."""
    world, vault_id = shared
    world.qoder.fail_next("GET", CREDENTIAL, fault)

    failure = failure_of(operations.find, world.api, vault_id, "vcred_1")

    assert str(failure).endswith(f": there is no credential vcred_1 in vault {vault_id} at {world.qoder.base_url}")
    assert is_absent is failure.is_absent


# Read


def test_nothing_new_is_no_drift(shared: tuple[World, str]) -> None:
    """One read."""
    world, vault_id = shared
    made = create(world, vault_id)
    world.qoder.clear_requests()

    found, is_drift = read(world, made)

    assert (made.credential_ids, False) == (found.credential_ids if found else None, is_drift)
    assert 1 == len(world.asked)


def test_what_is_gone(shared: tuple[World, str]) -> None:
    """The credential, or the whole vault."""
    world, vault_id = shared
    made = create(world, vault_id)

    world.qoder.delete_credential(vault_id, made.credential_ids[URL])
    assert (None, True) == read(world, made)
    world.qoder.delete_vault(vault_id)
    assert (None, True) == read(world, made)


def test_an_archived_one_is_drift(shared: tuple[World, str]) -> None:
    """A GET shows it as archived."""
    world, vault_id = shared
    made = create(world, vault_id)
    world.qoder.archive_credential(vault_id, made.credential_ids[URL])

    found, is_drift = read(world, made)

    assert found is not None
    assert ("archived", True) == (found.status, is_drift)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_without_a_route_for_one_the_list_is_asked(world_of: Callable[..., World], status: Any) -> None:
    """It is listed; once that is known, nobody asks for it by itself any more."""
    world = world_of("2026-05", credential_get_refusal=status)
    vault_id = world.qoder.add_vault("shared").id
    made = create(world, vault_id)

    assert made.credential_ids == (read(world, made)[0] or made).credential_ids
    world.in_use.learn("credential_get", is_there=False)
    world.qoder.clear_requests()
    found, is_drift = read(world, made)

    assert ["GET /vaults/V/credentials 200"] == world.asked
    assert (made.credential_ids, False) == (found.credential_ids if found else None, is_drift)
    world.qoder.delete_credential(vault_id, made.credential_ids[URL])
    assert (None, True) == read(world, made)


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.HTML_404], ids=repr)
def test_a_read_that_says_nothing_is_an_error(shared: tuple[World, str], fault: Fault) -> None:
    """Neither a 403 nor a proxy's 404 proves an absence."""
    world, vault_id = shared
    made = create(world, vault_id)
    world.qoder.fail_next("GET", CREDENTIAL, fault)

    failure_of(read, world, made)

    assert made.credential_ids == (read(world, made)[0] or made).credential_ids


# Update


def test_a_rotation(shared: tuple[World, str]) -> None:
    """It is counted, and others stay."""
    world, vault_id = shared
    theirs = world.qoder.add_credential(vault_id, OTHER_URL, "their-token")
    made = create(world, vault_id)

    updated = update(world, made, NEW_ONE)

    assert {URL: 1} == updated.rotations
    assert {**tokens_of(NEW_ONE), OTHER_URL: "their-token"} == world.active
    assert theirs.id in [item.id for item in world.qoder.vaults[0].credentials]


def test_what_a_service_can_take_by_now_is_taken(world_of: Callable[..., World]) -> None:
    """The state says 2026-05, and Qoder has moved on: metadata is added."""
    world = world_of("2026-05")
    vault_id = world.qoder.add_vault("shared").id
    made = create(world, vault_id)
    with_metadata = replace(ONE, metadata={"team": "tools"})

    assert str(failure_of(update, world, made, with_metadata)).startswith("metadata: this Qoder does not store")
    world.qoder.revision = "2026-07"
    updated = update(world, made, with_metadata)

    assert (R05, R07) == (made.api_revision, updated.api_revision)
    assert {"team": "tools"} == dict(world.qoder.vaults[0].credentials[0].metadata)


def test_a_rotation_whose_credential_is_gone_for_good_keeps_the_record(founding: World) -> None:
    """The old one went first, and neither is taken: the record names the old one, so that the next read finds none."""
    vault_id = founding.qoder.add_vault("shared").id
    made = create(founding, vault_id)
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1, times=None)

    failure = failure_of(update, founding, made, NEW_ONE)

    assert isinstance(failure, PartialState)
    assert made.credential_ids == failure.recorded.credential_ids
    founding.qoder.clear_faults()
    assert (None, True) == read(founding, failure.recorded)


def test_a_rotation_that_is_put_back_keeps_what_was_put_back(founding: World) -> None:
    """The record has its new id."""
    vault_id = founding.qoder.add_vault("shared").id
    made = create(founding, vault_id)
    founding.qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1)

    failure = failure_of(update, founding, made, NEW_ONE)

    (credential,) = founding.qoder.vaults[0].credentials
    assert ({URL: credential.id}, tokens_of(ONE)) == (failure.recorded.credential_ids, founding.active)


# Delete


def test_delete_takes_what_an_update_left(shared: tuple[World, str]) -> None:
    """What is recorded, and what is unfinished; what is gone, or has another URL by now, keeps nothing."""
    world, vault_id = shared
    made = create(world, vault_id)
    left = world.qoder.add_credential(vault_id, OTHER_URL, "left-over")
    gone = world.qoder.add_credential(vault_id, "https://example.com/gone", "gone")
    world.qoder.delete_credential(vault_id, gone.id)

    delete(world, replace(made, unfinished=(gone.id, left.id)))

    assert [] == world.qoder.vaults[0].credentials


def test_what_is_not_ours_any_more_is_left_alone(shared: tuple[World, str]) -> None:
    """The id shows another URL by now: it is gone for a read, and no deletion of ours."""
    world, vault_id = shared
    theirs = world.qoder.add_credential(vault_id, OTHER_URL, "their-token")
    recorded = replace(create(world, vault_id), credential_ids={URL: theirs.id})

    assert (None, True) == read(world, recorded)
    delete(world, recorded)

    assert theirs.id in [item.id for item in world.qoder.vaults[0].credentials]


# What an update does not store


def oauth(token: str, scope: str) -> Credential:
    refresh = {
        "client_id": "client-1",
        "refresh_token": Secret("refresh-canary-4444"),
        "token_endpoint": "https://example.com/token",
        "token_endpoint_auth": {"type": "none"},
        "scope": scope,
    }
    return Credential("mcp_oauth", {"mcp_server_url": URL, "access_token": Secret(token), "refresh": refresh})


def test_a_field_that_an_update_leaves_as_it_was_is_said(current: World) -> None:
    """A 2xx that shows the former value, deep in a block: the record has what Qoder has, so that the next `up` sees."""
    vault_id = current.qoder.add_vault("shared").id
    made = create(current, vault_id, oauth("mcp-canary-one-1111", "read"))
    shown = {
        "id": made.credential_ids[URL],
        "vault_id": vault_id,
        "archived_at": None,
        "metadata": {},
        "auth": {
            "type": "mcp_oauth",
            "mcp_server_url": URL,
            "refresh": {
                "client_id": "client-1",
                "token_endpoint": "https://example.com/token",
                "token_endpoint_auth": {"type": "none"},
                "scope": "read",
            },
        },
    }
    current.qoder.fail_next("POST", CREDENTIAL, Effect("kept", status=200, headers=JSON, body=shown))

    failure = failure_of(update, current, made, oauth("mcp-canary-one-next", "write"))

    assert str(failure).startswith(f"refresh.scope: Qoder accepted the credential for {URL}, and does not show this")
    assert isinstance(failure, PartialState)
    (recorded,) = failure.recorded.credentials
    assert "read" == recorded.properties["refresh"]["scope"]
