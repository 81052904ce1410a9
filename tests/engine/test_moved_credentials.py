"""A `Credential` that is replaced by force, renamed or moved: where one URL has room for one, no way ends in a wall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.stacks import Stack, credential, vault
from pulumi_qoder_vault.emulator import Emulator, RevisionName

URL = "https://shared.example/mcp"
TOKEN = "access-token-of-the-team"


@pytest.fixture
def qoder(revision: RevisionName) -> Iterator[Emulator]:
    """A server that refuses a second credential for one URL."""
    with Emulator(revision, unique_url=True) as emulator:
        yield emulator


def single(vault_id: str, token: str = TOKEN, **fields: Any) -> dict[str, Any]:
    return {"vault_id": vault_id, **credential(URL, token=token, **fields)}


def tokens(qoder: Emulator) -> list[str | None]:
    (there,) = qoder.vaults
    return [item.access_token for item in there.credentials if item.status == "active"]


@pytest.fixture
def vault_id(stack: Stack, qoder: Emulator) -> str:
    """A vault of somebody else, in which the stack has one credential."""
    made = qoder.add_vault("shared")
    stack.write(docs=single(made.id))
    stack.up()
    return made.id


def urn(stack: Stack, name: str = "docs") -> str:
    state = json.loads(stack.run("stack", "export").stdout)
    return next(str(item["urn"]) for item in state["deployment"]["resources"] if item["urn"].endswith(f"::{name}"))


def test_replace_on_changes_deletes_first(stack: Stack, qoder: Emulator, vault_id: str) -> None:
    """A rotation that the program turns into a replacement: Diff is asked, and says that there is no room for both."""
    forced = {"opts": {"replace_on_changes": [stack.named("access_token")]}}
    stack.write(docs=single(vault_id, token="next-access-token", **forced))
    assert "replace" in stack.preview().text
    stack.up()
    assert ["next-access-token"] == tokens(qoder)
    stack.preview("--expect-no-changes")


def test_a_tainted_credential_is_replaced_as_the_line_says(stack: Stack, qoder: Emulator, vault_id: str) -> None:
    """The engine asks no Diff then. The line names what helps: `deleteBeforeReplace`."""
    stack.run("state", "taint", urn(stack), "--yes")
    said = stack.up(fails=True).text
    assert "this resource did not make it" in said
    assert "if it is being replaced, set deleteBeforeReplace: true" in said
    assert [TOKEN] == tokens(qoder)

    stack.write(docs=single(vault_id, opts={"delete_before_replace": True}))
    stack.up()
    assert [TOKEN] == tokens(qoder)
    stack.preview("--expect-no-changes")


def test_a_renamed_credential_goes_on_as_the_line_says(stack: Stack, qoder: Emulator, vault_id: str) -> None:
    """An alias, or an up of its own without it. Nothing is deleted before one of them is chosen."""
    stack.write(papers=single(vault_id))
    said = stack.up(fails=True).text
    assert "of this stack under another resource name, add an alias" in said
    assert [TOKEN] == tokens(qoder)

    stack.write(papers=single(vault_id, opts={"alias_name": "docs"}))
    stack.up()
    assert [TOKEN] == tokens(qoder)

    stack.write(books=single(vault_id))
    stack.up(fails=True)
    stack.write()
    stack.up()
    assert [] == tokens(qoder)
    stack.write(books=single(vault_id))
    stack.up()
    assert [TOKEN] == tokens(qoder)


def test_a_credential_that_moves_into_the_list_of_its_vault(stack: Stack, qoder: Emulator) -> None:
    """It is this stack's own: without it first, and then in the list."""
    stack.write(tools=vault(credential()))
    stack.up()
    vault_id = qoder.vaults[0].id
    stack.write(tools=vault(credential()), docs=single(vault_id))
    stack.up()

    moved = vault(credential(), credential(URL, token=TOKEN))
    stack.write(tools=moved)
    said = stack.up(fails=True).text
    assert "remove the other resource in an up of its own" in said
    assert 2 == len(tokens(qoder))

    stack.write(tools=vault(credential()))
    stack.up()
    stack.write(tools=moved)
    stack.up()
    assert ["first-access-token", TOKEN] == tokens(qoder)
    assert [vault_id] == [there.id for there in qoder.vaults]


def test_the_credential_of_another_stack_stays(stack: Stack, qoder: Emulator) -> None:
    """The first advice is never to delete it: it may be another stack's."""
    made = qoder.add_vault("shared")
    theirs = qoder.add_credential(made.id, URL, "their-access-token")
    stack.write(docs=single(made.id))
    said = stack.up(fails=True).text
    assert f"credential {theirs.id} for {URL} is in the vault" in said
    assert said.index("of another stack or person, take it out of this program") < said.index("delete it at Qoder")
    stack.write()
    stack.up()
    stack.destroy()
    assert ["their-access-token"] == tokens(qoder)
