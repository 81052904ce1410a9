"""Rows of the fault table on the real CLI: one request of a command goes wrong, and the next command makes all right.

A stack lives through several rows: its vault is created, then changed, read or destroyed, each time under a fault.
`make test` runs one life on each revision, six rows; QODER_ALL_ROWS=1 runs all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from engine.stacks import Run, Stack, assert_no_traceback, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName

A, B, C = (f"https://{letter}.example/mcp" for letter in "abc")
FIRST = {A: "canary-a1-51c0", B: "canary-b1-51c0"}
Tokens = Mapping[str, str]  # access tokens by URL
PROGRAMS: dict[str, Callable[[Tokens], Tokens]] = {  # what each operation makes of the one before it
    "create": lambda _: FIRST,
    "rotate": lambda tokens: {**tokens, A: "canary-a2-51c0"},
    "add": lambda tokens: {**tokens, C: "canary-c1-51c0"},
    "remove": lambda tokens: {A: tokens[A]},
    "refresh": lambda tokens: tokens,
    "destroy": lambda _: {},
}


@dataclass(frozen=True)
class Row:
    """One command under a fault.

    Attributes:
        position: the request that meets the fault, from 0.
        fails: what the command says; empty where it succeeds in spite of the fault.
    """

    operation: str
    fault: Fault
    position: int
    fails: str = ""


LIVES = {
    "2026-05, dropped": (
        Row("create", Fault.DROP_AFTER_COMMIT, 0),
        Row("rotate", Fault.DROP_AFTER_COMMIT, 3),
        Row("destroy", Fault.DROP_AFTER_COMMIT, 1),
    ),
    "2026-07, dropped": (
        Row("create", Fault.DROP_AFTER_COMMIT, 1),
        Row("add", Fault.RESET_AFTER_COMMIT, 1),
        Row("refresh", Fault.TRUNCATED_AFTER_COMMIT, 1),
    ),
    "2026-05, unreadable": (
        Row("create", Fault.CUT_JSON_AFTER_COMMIT, 0),
        Row("rotate", Fault.FORBIDDEN, 3, "403 permission_error"),
        Row("refresh", Fault.BAD_GATEWAY_BEFORE_COMMIT, 1),
    ),
    "2026-05, refused": (
        Row("create", Fault.RATE_LIMITED, 0),
        Row("add", Fault.ERROR_AFTER_COMMIT, 1),
        Row("remove", Fault.TRUNCATED_AFTER_COMMIT, 1),
    ),
    "2026-05, late": (
        Row("create", Fault.DROP_COMMIT_LATER, 0),
        Row("add", Fault.CONFLICT, 1, "409"),
        Row("destroy", Fault.HTML_404, 0, "this does not prove that"),
    ),
    "2026-05, a page of a proxy": (
        Row("create", Fault.HTML_200_AFTER_COMMIT, 0),
        Row("remove", Fault.FORBIDDEN, 1, "403 permission_error"),
        Row("refresh", Fault.HTML_404, 0, "this does not prove that"),
    ),
    "2026-07, after the commit": (
        Row("create", Fault.ERROR_AFTER_COMMIT, 3),
        Row("rotate", Fault.GATEWAY_TIMEOUT_COMMIT_LATER, 1),
        Row("destroy", Fault.ERROR_AFTER_COMMIT, 1),
    ),
    "2026-07, forbidden": (
        Row("create", Fault.FORBIDDEN, 3, "was deleted again, nothing is left"),
        Row("rotate", Fault.FORBIDDEN, 1, "403 permission_error"),
        Row("destroy", Fault.FORBIDDEN, 1, "403 permission_error"),
    ),
    "2026-07, outage": (
        Row("create", Fault.OUTAGE, 1),
        Row("rotate", Fault.DROP_AFTER_COMMIT, 1),
        Row("remove", Fault.BAD_GATEWAY_AFTER_COMMIT, 1),
    ),
    "2026-07, the founding form": (
        Row("create", Fault.DROP_AFTER_COMMIT, 0),
        Row("add", Fault.HTML_404, 1, "the response is not from the Qoder API (404"),
        Row("remove", Fault.CONFLICT, 1, "409"),
    ),
}
CHOSEN = LIVES if os.environ.get("QODER_ALL_ROWS") else list(LIVES)[:2]


def program(stack: Stack, tokens: Tokens) -> None:
    stack.write(v=vault(*(credential(url, token=token) for url, token in tokens.items())))


def assert_is_clean(run: Run) -> None:
    """No traceback, and no token."""
    assert_no_traceback(run.text)
    assert [] == [word for word in ("canary", "pt-emulator") if word in run.text]


def assert_is_there(stack: Stack, qoder: Emulator, tokens: Tokens) -> None:
    """Qoder has exactly these URLs with these access tokens, and the state knows their ids."""
    (recorded,) = stack.resources()
    there = {each.id: each for each in qoder.vaults}[recorded["id"]]
    assert sorted(tokens.items()) == sorted((item.mcp_server_url, item.access_token) for item in there.credentials)
    assert {item.mcp_server_url: item.id for item in there.credentials} == recorded["outputs"]["credential_ids"]
    for run in (stack.up("--expect-no-changes"), stack.refresh("--expect-no-changes")):
        assert_is_clean(run)


@pytest.mark.parametrize("life", CHOSEN)
def test_the_next_command_makes_right_what_a_fault_left(tmp_path: Path, life: str) -> None:
    """At Qoder there is what is declared, the state knows it, no command sees a change, and each error is one line."""
    revision = cast("RevisionName", life.split(",")[0])
    with Emulator(revision=revision, unique_url=True) as qoder:
        stack = Stack(tmp_path, qoder, front="dynamic" if revision == "2026-05" else "plugin")
        tokens: Tokens = {}
        for row in LIVES[life]:
            tokens = PROGRAMS[row.operation](tokens)
            command = {"refresh": stack.refresh, "destroy": stack.destroy}.get(row.operation, stack.up)
            if tokens:
                program(stack, tokens)
            qoder.fail_next("*", "/**", row.fault, skip=row.position)

            faulty = command(fails=bool(row.fails))

            assert [] == qoder.pending_faults, f"{row}: there was no such request"
            assert_is_clean(faulty)
            if row.fails:
                assert row.fails in problem_of(faulty)
                assert_is_clean(stack.destroy() if row.operation == "destroy" else stack.up())
            if row.operation == "destroy":
                assert [] == qoder.vaults
                assert [] == stack.resources()
            else:
                assert 1 == len(qoder.vaults)
                assert_is_there(stack, qoder, tokens)


def test_where_the_key_is_ignored_a_second_vault_is_named(tmp_path: Path) -> None:
    """A create with a lost response then makes two: one is recorded, and the up fails once, naming the other one."""
    with Emulator(revision="2026-05", idempotency=False, unique_url=True) as qoder:
        stack = Stack(tmp_path, qoder)
        program(stack, FIRST)
        qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

        up = stack.up(fails=True)

        orphan, ours = (each.id for each in qoder.vaults)
        assert ours == stack.resources()[0]["id"]
        assert (
            f"POST /vaults: its first response was lost; it was sent once more and made vault {ours}, which is "
            f"recorded and complete; {orphan}, of the same name and time, is left alone: delete it if nobody else "
            "created it; the next pulumi up continues"
        ) == problem_of(up)
        assert_is_clean(up)
        assert_is_clean(stack.up())
        assert_is_there(stack, qoder, FIRST)
        assert [orphan, ours] == [each.id for each in qoder.vaults]
