"""Whose API token a run has, what it logs, and what it warns of: what the real CLI shows and keeps."""

from __future__ import annotations

import json

from engine.stacks import Stack, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator, Fault

TOKEN = "mcp-canary-one-1111"


def test_another_accounts_api_token_drops_and_deletes_nothing(stack: Stack, qoder: Emulator) -> None:
    """Both causes stand in the line, with their ways out; a rotated API token of the same account is not in the way."""
    theirs = qoder.add_account().api_tokens[0]
    stack.write(v=vault(credential()))
    stack.up()
    before = [(item["urn"], item["id"]) for item in stack.resources()]

    for run in (stack.refresh(fails=True, QODER_PAT=theirs), stack.destroy(fails=True, QODER_PAT=theirs)):
        line = problem_of(run)
        assert "it is gone, or this API token is another account's" in line
        assert "run pulumi state delete urn:pulumi:dev::" in line
        assert theirs not in run.text
    assert before == [(item["urn"], item["id"]) for item in stack.resources()]
    assert 1 == len(qoder.vaults)

    stack.destroy(QODER_PAT=qoder.add_api_token())
    assert ([], []) == (stack.resources(), qoder.vaults)


def test_the_log_of_requests_holds_each_attempt_and_no_secret(stack: Stack, qoder: Emulator) -> None:
    """A lost response too: what is sent again says why. The file is for its owner alone."""
    log = stack.folder.parent / "qoder.log"
    stack.write(v=vault(credential(token=TOKEN)))
    qoder.fail_next("POST", "/vaults", Fault.ERROR_AFTER_COMMIT)
    stack.up(QODER_LOG=str(log))
    qoder.fail_next("DELETE", "/vaults/*", Fault.ECHO_HTML)
    stack.destroy(QODER_LOG=str(log))

    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [f"{item.method} {item.path}" for item in qoder.requests] == [f"{it['method']} {it['path']}" for it in lines]
    assert "502" in [line["sent_again_after"] for line in lines if line["method"] == "DELETE"]
    assert 0o600 == log.stat().st_mode & 0o777
    assert [] == [secret for secret in (TOKEN, qoder.api_token) if secret in text]


def test_what_was_archived_instead_is_said_under_its_resource(stack: Stack, qoder: Emulator) -> None:
    """A warning, and not a failure: nothing is to be done in the program."""
    stack.write(v=vault(credential()))
    stack.up()
    (made,) = qoder.vaults

    qoder.fail_next("DELETE", "/vaults/*", Fault.CONFLICT, times=None)
    said = stack.destroy().text

    assert f"vault {made.id} was archived instead, since Qoder refuses to delete it" in said
    assert ([], ["archived"]) == (stack.resources(), [item.status for item in qoder.vaults])
