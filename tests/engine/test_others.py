"""Other people's credentials in a vault: no command takes them along unasked, and each way out works as written."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.stacks import Stack, credential, problem_of, vault
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator, Fault

THEIRS = "https://theirs.example/mcp"
FORCE: dict[str, Any] = {"QODER_FORCE_DESTROY": "true"}
SPELLED = {
    "dynamic": ("force_destroy=True", "retain_on_delete=True"),
    "plugin": ("forceDestroy: true", "retainOnDelete: true"),
}
BOTH = pytest.mark.parametrize("on_delete", ["delete", "archive"])


@pytest.fixture
def theirs(stack: Stack, qoder: Emulator, on_delete: str) -> tuple[str, str]:
    """A vault of this stack, and a credential that somebody else put into it: their ids."""
    stack.write(v=vault(credential(), on_delete=on_delete))
    stack.up()
    (made,) = qoder.vaults
    return made.id, qoder.add_credential(made.id, THEIRS, "their-token").id


def is_alive(qoder: Emulator, vault_id: str, credential_id: str) -> bool:
    active = [item for item in qoder.vaults if item.id == vault_id and item.status == "active"]
    return credential_id in [item.id for each in active for item in each.credentials if item.status == "active"]


def urn(stack: Stack) -> str:
    return f"urn:pulumi:dev::engine-tests::{FRONTS[stack.front]}::v"


def refused(stack: Stack, vault_id: str, credential_id: str, on_delete: str) -> str:
    """The line for a vault that is not known to be the old one of a replacement."""
    force_destroy, retain_on_delete = SPELLED[stack.front]
    return (
        f"vault {vault_id} is not {on_delete}d: it holds 1 credential that is not in the state of this resource: "
        f"{credential_id} ({THEIRS}); delete it, or set QODER_FORCE_DESTROY=true for this run, which deletes it too; "
        f"or, if the vault is not pending deletion after a replacement, set {force_destroy} in the program and run "
        f"pulumi up first, with no other change, or keep the vault: set {retain_on_delete} in the program and run "
        f"pulumi up first, or run pulumi state delete {urn(stack)}"
    )


@BOTH
def test_a_vault_is_not_destroyed_with_credentials_of_others(
    stack: Stack, qoder: Emulator, on_delete: str, theirs: tuple[str, str]
) -> None:
    """Neither by `destroy` nor where the program has it no more; every way out of the line does what it says."""
    vault_id, credential_id = theirs
    line = refused(stack, vault_id, credential_id, on_delete)
    program: dict[str, Any] = vault(credential(), on_delete=on_delete)

    assert line == problem_of(stack.destroy(fails=True))
    stack.write()
    assert line == problem_of(stack.up(fails=True))
    assert is_alive(qoder, *theirs)

    saved = stack.run("stack", "export").stdout
    keeps = {
        "retained": {**program, "opts": {"retain_on_delete": True}},
        "forgotten": None,
    }
    for way, kept in keeps.items():
        if kept is None:
            stack.run("state", "delete", urn(stack), "--yes")
        else:
            stack.write(v=kept)
            stack.up()
        stack.destroy()
        assert [] == stack.resources(), way
        assert is_alive(qoder, *theirs), way
        (stack.folder / "state.json").write_text(saved)
        stack.run("stack", "import", "--file", "state.json")

    stack.write(v={**program, "force_destroy": True})
    qoder.clear_requests()
    stack.up()
    assert [] == qoder.requests, "it is recorded, and nothing is asked"
    stack.up("--expect-no-changes")
    stack.write(v=program)
    stack.up()
    assert line == problem_of(stack.destroy(fails=True)), "taken back"
    stack.write(v={**program, "force_destroy": True})
    stack.up()
    stack.destroy()
    assert not is_alive(qoder, *theirs)
    assert [] == stack.resources()


@pytest.mark.parametrize(("on_delete", "way"), [("archive", "delete it"), ("delete", "QODER_FORCE_DESTROY=true")])
def test_a_replacement_keeps_the_old_vault_for_others(
    stack: Stack, qoder: Emulator, on_delete: str, theirs: tuple[str, str], way: str
) -> None:
    """The preview warns; the old vault stays until its credential is gone, or the run says that it may go."""
    vault_id, credential_id = theirs
    stack.refresh("--expect-no-changes")
    assert {credential_id: THEIRS} == stack.resources()[0]["outputs"]["other_credentials"], "in plain"
    stack.refresh("--expect-no-changes")
    stack.preview("--expect-no-changes")

    stack.write(v=vault(credential(), on_delete=on_delete, display_name="renamed"))
    preview = stack.preview()
    holds = f"it holds 1 credential that is not in the state of this resource: {credential_id} ({THEIRS})"
    assert f"warning: vault {vault_id} is to be replaced, and {holds}" in preview.text
    line = (
        f"vault {vault_id} is not {on_delete}d: {holds}; it is the old vault of a replacement: delete it and run "
        "pulumi up again, or run QODER_FORCE_DESTROY=true pulumi up, which deletes it too"
    )
    for _ in ("the replacement", "the next `up`, another process"):
        assert line == problem_of(stack.up(fails=True))
        assert is_alive(qoder, *theirs)
    new = next(item["id"] for item in stack.resources() if not item.get("delete"))
    assert {vault_id, new} == {item["id"] for item in stack.resources()}

    if way == "delete it":
        qoder.delete_credential(*theirs)
        stack.up()
    else:
        stack.up(**FORCE)

    assert [new] == [item.id for item in qoder.vaults if item.status == "active"]
    assert [new] == [item["id"] for item in stack.resources()]
    stack.up("--expect-no-changes")


@BOTH
def test_a_vault_that_is_pending_deletion_is_destroyed_as_the_line_says(
    stack: Stack, qoder: Emulator, on_delete: str, theirs: tuple[str, str]
) -> None:
    """A `destroy` cannot know which half it is: its line is true of both."""
    stack.write(v=vault(credential(), on_delete=on_delete, display_name="renamed"))
    stack.up(fails=True)

    assert refused(stack, *theirs, on_delete) == problem_of(stack.destroy(fails=True))
    assert is_alive(qoder, *theirs)
    stack.destroy(**FORCE)

    assert [] == [item for item in qoder.vaults if item.status == "active"]
    assert [] == stack.resources()


def test_a_vault_and_its_credential_resource_in_one_stack_need_no_force(stack: Stack, qoder: Emulator) -> None:
    """Replaced: new vault, new credential, old credential, old vault. Destroyed likewise. A refresh is no drift."""
    own = {"in_vault": "v", **credential(THEIRS)}
    stack.write(v=vault(credential(), exports=["other_credentials"]), c=own)
    stack.up()
    stack.refresh("--expect-no-changes")
    stack.up()
    (old,) = qoder.vaults
    assert {stack.outputs()["c.credential_id"]: THEIRS} == stack.outputs()["v.other_credentials"]

    stack.write(v=vault(credential(), display_name="renamed"), c=own)
    assert f"vault {old.id} is to be replaced" in stack.preview().text
    stack.up()

    (new,) = qoder.vaults
    assert old.id != new.id
    assert 2 == len(new.credentials)
    stack.up("--expect-no-changes")
    stack.destroy()
    assert [] == qoder.vaults


def test_what_counts_at_a_deletion_does_not_change_with_a_replacement(stack: Stack, qoder: Emulator) -> None:
    """Preview and up are refused, and nothing is sent; alone first, as the line says, it works. A refresh goes on."""
    stack.write(v=vault(credential()))
    stack.up()
    (old,) = qoder.vaults
    for change, names in (
        ({"on_delete": "archive"}, "on_delete"),
        ({"force_destroy": True}, "force_destroy"),
        ({"on_delete": "archive", "force_destroy": True}, "on_delete and force_destroy"),
    ):
        it = "them" if " and " in names else "it"
        line = stack.named(
            f"{names}: must not change together with display_name, which replaces the vault: the old one is deleted by "
            f"what the state holds of {it}; run pulumi up with the change of {names} alone first"
        )
        stack.write(v=vault(credential(), display_name="renamed", **change))
        qoder.clear_requests()
        assert line == problem_of(stack.preview(fails=True))
        assert line == problem_of(stack.up(fails=True))
        assert [] == qoder.requests
        stack.refresh("--expect-no-changes")

    stack.write(v=vault(credential(), on_delete="archive"))
    stack.up()
    stack.write(v=vault(credential(), on_delete="archive", display_name="renamed"))
    stack.up()

    assert {old.id: "archived"}.items() <= {item.id: item.status for item in qoder.vaults}.items()
    stack.up("--expect-no-changes")


def test_neither_does_it_with_one_that_replace_on_changes_forces(stack: Stack, qoder: Emulator) -> None:
    """The diff says `update` then, and Pulumi replaces all the same: the same line, at preview and up."""
    opts = {"replace_on_changes": ["credentials"]}
    stack.write(v=vault(credential(), opts=opts))
    stack.up()
    (old,) = qoder.vaults
    wanted = vault(credential(token="second-access-token"), opts=opts, on_delete="archive")
    stack.write(v=wanted)
    qoder.clear_requests()

    for command in (stack.preview, stack.up):
        assert stack.named(
            "on_delete: must not change in an up that replaces the vault: the old one is deleted by what the state "
            "holds of it; run pulumi up with the change of on_delete alone first"
        ) in problem_of(command(fails=True))
    assert [] == qoder.requests
    stack.refresh("--expect-no-changes")

    stack.write(v=vault(credential(), opts=opts, on_delete="archive"))
    stack.up()
    assert [old.id] == [item.id for item in qoder.vaults]
    stack.write(v=wanted)
    stack.up()
    assert {old.id: "archived"}.items() <= {item.id: item.status for item in qoder.vaults}.items()


def test_an_archived_vault_takes_a_change_of_on_delete_and_says_what_becomes_of_it(
    stack: Stack, qoder: Emulator
) -> None:
    """Every `up` replaces it, so that none could bring the change alone: it is a warning there."""
    stack.write(v=vault(credential()))
    stack.up()
    (old,) = qoder.vaults
    qoder.archive_vault(old.id)
    stack.refresh()
    stack.write(v=vault(credential(), on_delete="archive"))

    line = stack.named(
        f"warning: on_delete: is for the new vault; the archived one, {old.id}, is deleted, as the state says"
    )
    assert line in stack.preview().text
    stack.up()

    assert old.id not in [item.id for item in qoder.vaults]


@pytest.mark.parametrize("on_delete", ["delete"])
def test_what_cannot_be_read_or_listed_deletes_nothing(
    stack: Stack, qoder: Emulator, on_delete: str, theirs: tuple[str, str]
) -> None:
    """A variable that is neither true nor false, and a list that fails, end the deletion; what is false is unset."""
    line = "QODER_FORCE_DESTROY: must be true or false (1, yes, on; 0, no, off)"
    assert line == problem_of(stack.destroy(fails=True, QODER_FORCE_DESTROY="please"))
    assert refused(stack, *theirs, on_delete) == problem_of(stack.destroy(fails=True, QODER_FORCE_DESTROY="0"))
    qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN)
    assert re.search("403 permission_error", problem_of(stack.destroy(fails=True)))

    assert is_alive(qoder, *theirs)
    assert [] == [request for request in qoder.writes if request.method == "DELETE"]
