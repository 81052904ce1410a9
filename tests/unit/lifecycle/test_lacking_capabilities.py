"""What is done where this Qoder lacks a capability that both revisions are taken to have: the table alone decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.errors import QoderError
from pulumi_qoder_vault.lifecycle import capabilities
from pulumi_qoder_vault.lifecycle.capabilities import BY_REVISION, QoderInUse
from pulumi_qoder_vault.lifecycle.credential import operations as of_credentials
from pulumi_qoder_vault.lifecycle.model import Revision
from pulumi_qoder_vault.lifecycle.vault import operations
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import bearer, desired_vault

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
ONE, NEW_ONE = bearer(URL, Secret("mcp-canary-one-1111")), bearer(URL, Secret("mcp-canary-next-22"))
both = pytest.mark.parametrize("revision", list(Revision))
Lack = Callable[..., None]


@pytest.fixture
def lack(monkeypatch: pytest.MonkeyPatch) -> Lack:
    """Take a capability away from every revision."""

    def take_away(name: str) -> None:
        for revision, can in BY_REVISION.items():
            monkeypatch.setitem(capabilities.BY_REVISION, revision, replace(can, **{name: False}))  # type: ignore[arg-type]

    return take_away


@pytest.fixture
def qoder(start: Callable[..., Emulator], revision: Revision) -> Emulator:
    return start(revision.value)


@pytest.fixture
def api(client_of: Callable[..., Client], qoder: Emulator) -> Client:
    return client_of(qoder)


def asked(qoder: Emulator) -> list[str]:
    """Return the writes, without ids."""
    return [
        f"{item.method} {'/'.join(part for part in item.path.split('/') if '_' not in part)}" for item in qoder.writes
    ]


@both
def test_a_vault_that_cannot_be_deleted_is_archived(qoder: Emulator, api: Client, lack: Lack) -> None:
    """Also where the program asks for a deletion; a second time is success."""
    made = operations.create(api, desired_vault(ONE), QoderInUse("auto"))
    lack("vault_deletion")

    operations.delete(api, made, QoderInUse("auto"))
    operations.delete(api, replace(made, force_destroy=True), QoderInUse("auto"))

    assert ["archived"] == [vault.status for vault in qoder.vaults]


@pytest.mark.parametrize("revision", [Revision.R2026_07])
def test_a_create_that_cannot_be_deleted_again_is_archived(qoder: Emulator, api: Client, lack: Lack) -> None:
    """Whatever the program says of deletions."""
    lack("vault_deletion")
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)

    with pytest.raises(QoderError):
        operations.create(api, desired_vault(ONE), QoderInUse("auto"))

    assert ["archived"] == [vault.status for vault in qoder.vaults]


@both
def test_a_credential_that_cannot_be_deleted_is_archived(qoder: Emulator, api: Client, lack: Lack) -> None:
    """One that leaves a vault, and a standalone one."""
    vault_id = qoder.add_vault("shared").id
    in_use = QoderInUse("auto")
    alone = of_credentials.create(api, vault_id, bearer(OTHER_URL, Secret("mcp-canary-two-333")), in_use)
    made = operations.create(api, desired_vault(ONE, bearer(OTHER_URL, Secret("mcp-canary-two-333"))), in_use)
    lack("credential_deletion")
    qoder.clear_requests()

    of_credentials.delete(api, alone, in_use)
    operations.update(api, made, desired_vault(ONE), in_use)

    assert ["POST /vaults/credentials/archive"] * 2 == asked(qoder)
    assert [["archived"], ["active", "archived"]] == [[it.status for it in vault.credentials] for vault in qoder.vaults]


@pytest.mark.parametrize("revision", [Revision.R2026_05])
def test_without_room_for_a_second_one_the_old_one_goes_first(qoder: Emulator, api: Client, lack: Lack) -> None:
    """The new one is not tried beside it; if it is refused, the former access token is put back."""
    made = operations.create(api, desired_vault(ONE), QoderInUse("auto"))
    lack("second_credential_per_url")
    qoder.clear_requests()
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)

    with pytest.raises(QoderError, match="put the former access token"):
        operations.update(api, made, desired_vault(NEW_ONE, rotations={URL: 1}), QoderInUse("auto"))
    back = qoder.vaults[0].credentials[0].access_token
    (recorded,) = qoder.vaults
    again = replace(made, credential_ids={URL: recorded.credentials[0].id})
    operations.update(api, again, desired_vault(NEW_ONE, rotations={URL: 1}), QoderInUse("auto"))

    delete, create = "DELETE /vaults/credentials", "POST /vaults/credentials"
    assert [delete, create, create, delete, create] == asked(qoder)
    assert ("mcp-canary-one-1111", "mcp-canary-next-22") == (back, qoder.vaults[0].credentials[0].access_token)
