"""What a refresh sees, and what it must not conclude."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.stacks import URL, Stack, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator, Fault


def test_a_vault_that_is_gone_is_made_anew(stack: Stack, qoder: Emulator) -> None:
    """Gone is Qoder's own 404 where the vault was made; no other 404 drops anything, nor does another server."""
    stack.write(v=vault(credential()))
    stack.up()
    first = stack.outputs()["v.id"]

    for fault in (Fault.HTML_404, Fault.FOREIGN_404):
        qoder.fail_next("GET", "/vaults/*", fault, times=1)
        error = problem_of(stack.refresh(fails=True))
        assert f"this does not prove that vault {first} is gone" in error
        qoder.fail_next("*", "/vaults/*", fault, times=None)
        assert "this does not prove that" in problem_of(stack.destroy(fails=True))
        qoder.clear_faults()
    with Emulator(revision=qoder.revision) as elsewhere:
        for error in (
            problem_of(stack.refresh(fails=True, QODER_BASE_URL=elsewhere.base_url)),
            problem_of(stack.destroy(fails=True, QODER_BASE_URL=elsewhere.base_url)),
            problem_of(stack.refresh(fails=True, QODER_WORKSPACE_ID="ws_other", QODER_BASE_URL=elsewhere.base_url)),
        ):
            assert f"it was created at {qoder.base_url}, but this run asked {elsewhere.base_url}" in error
    assert [first] == [item["id"] for item in stack.resources()]

    qoder.delete_vault(first)
    stack.refresh()
    assert [] == stack.resources()
    stack.up()
    assert first != stack.outputs()["v.id"]
    assert [stack.outputs()["v.id"]] == [item.id for item in qoder.vaults]


@pytest.mark.parametrize("on_delete", ["delete", "archive"])
def test_an_archived_vault_is_replaced(stack: Stack, qoder: Emulator, on_delete: str) -> None:
    """There is no way back from an archive: the preview after a refresh says `replace` and why."""
    stack.write(v=vault(credential(), on_delete=on_delete))
    stack.up()
    first = stack.outputs()["v.id"]
    qoder.archive_vault(first)

    stack.refresh()
    stack.refresh("--expect-no-changes")
    preview = stack.preview()

    assert '~ status: "archived" => "active"' in preview.text
    assert "replace" in preview.text
    stack.up()
    second = stack.outputs()["v.id"]
    assert first != second
    assert ([second] if on_delete == "delete" else [first, second]) == sorted(item.id for item in qoder.vaults)
    stack.up("--expect-no-changes")


@pytest.mark.parametrize("how", ["delete_credential", "archive_credential"])
def test_a_declared_credential_that_is_gone_is_made_again(stack: Stack, qoder: Emulator, how: str) -> None:
    """Refresh, `preview --refresh` and the next preview show it, and nothing else; foreign ones are no drift."""
    other = "https://other.example/mcp"
    stack.write(v=vault(credential(), credential(other)))
    stack.up()
    (made,) = qoder.vaults
    before = stack.outputs()["v.credential_ids"]
    foreign = qoder.add_credential(made.id, "https://foreign.example/mcp", "their-token")
    stack.refresh("--expect-no-changes")
    getattr(qoder, how)(made.id, before[URL])

    for shown in (stack.preview("--refresh"), stack.refresh("--diff")):
        changed = [line.strip() for line in shown.text.splitlines() if re.match(r"\s*[-+~] +https://", line)]
        assert changed, shown.text
        assert {URL} == {line.split()[1].removesuffix(":") for line in changed}, shown.text
    assert {other: before[other]} == stack.resources()[0]["outputs"]["credential_ids"]
    stack.refresh("--expect-no-changes")
    assert f"+ {URL}: 0" in stack.preview().text
    qoder.clear_requests()
    stack.up()

    assert ["GET", "POST"] == [request.method for request in qoder.requests]
    after = stack.outputs()["v.credential_ids"]
    assert (made.id, before[other], {URL, other}) == (stack.outputs()["v.id"], after[other], set(after))
    assert foreign.id in [item.id for item in qoder.vaults[0].credentials if item.status == "active"]
    stack.up("--expect-no-changes")
    stack.refresh("--expect-no-changes")


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[tuple[Stack, Emulator]]:
    with Emulator(revision="2026-05") as qoder:
        yield Stack(tmp_path, qoder), qoder


def test_a_vault_found_at_another_base_url_updates_the_record(moved: tuple[Stack, Emulator]) -> None:
    """The same Qoder under another name: `base_url` follows, and the next plan is empty."""
    stack, qoder = moved
    stack.write(v=vault(credential()))
    stack.up()
    other_name = qoder.base_url.replace("127.0.0.1", "localhost")

    stack.refresh(QODER_BASE_URL=other_name)

    assert other_name == stack.resources()[0]["outputs"]["base_url"]
    stack.up("--expect-no-changes", QODER_BASE_URL=other_name)


def test_the_revision_may_change_under_a_stack(moved: tuple[Stack, Emulator]) -> None:
    """A service that moves to `2026-07` in place shows no change; the next rotation is written for it."""
    stack, qoder = moved
    stack.write(v=vault(credential()))
    stack.up()
    first = stack.outputs()["v.credential_ids"]
    qoder.revision = "2026-07"

    stack.refresh("--expect-no-changes")
    stack.up("--expect-no-changes")
    stack.write(v=vault(credential(token="second-access-token")))
    stack.up()

    assert first == stack.outputs()["v.credential_ids"]
    assert "2026-07" == stack.outputs()["v.api_revision"]
    assert ["second-access-token"] == [item.access_token for item in qoder.vaults[0].credentials]


def test_a_vault_of_another_stack_is_read(stack: Stack, qoder: Emulator) -> None:
    """`Vault.get` reads in a preview too, has all active credentials but no access token, and never deletes."""
    foreign = qoder.add_vault("theirs")
    made = qoder.add_credential(foreign.id, URL, "first-access-token")
    stack.write(v={"get": foreign.id})

    stack.preview()
    stack.up()

    outputs = stack.outputs()
    assert {URL: made.id} == outputs["v.credential_ids"]
    known = {"mcp_server_url", "protocol", "type"}
    if (qoder.revision, stack.front) == ("2026-07", "dynamic"):
        known -= {"protocol"}  # the plugin, which imports as well, gives what a program would mean
    assert [known] == [set(item) for item in outputs["v.credentials"]]
    stack.up("--expect-no-changes")
    stack.destroy()
    assert [foreign.id] == [item.id for item in qoder.vaults]

    stack.write(v={"get": "vault_00000000000000000000000000000000"})
    absent = "there is no vault vault_0000" if stack.front == "dynamic" else "resource 'vault_0000"
    assert absent in problem_of(stack.preview(fails=True))
