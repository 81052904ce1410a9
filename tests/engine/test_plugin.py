"""What only the plugin can do: imports, stacks that come from the dynamic provider, present settings, long waits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.stacks import HERE, URL, Stack, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName

OTHER, THIRD = "https://other.example/mcp", "https://third.example/mcp"


both_revisions = pytest.mark.parametrize("revision", ["2026-05", "2026-07"])


@pytest.fixture
def revision() -> RevisionName:
    return "2026-07"


@pytest.fixture
def qoder(revision: RevisionName) -> Iterator[Emulator]:
    with Emulator(revision=revision, unique_url=True) as emulator:
        yield emulator


@pytest.fixture
def front() -> str:
    return "plugin"


class Yaml(Stack):
    """A stack whose program is YAML."""

    def __init__(self, folder: Path, qoder: Emulator) -> None:
        super().__init__(folder, qoder, project=HERE / "program_yaml", front="plugin")

    def declare(self, text: str) -> None:
        (self.folder / "Pulumi.yaml").write_text(f"name: engine-tests\nruntime: yaml\n{text}")


def printed_program(text: str) -> str:
    """The program that `pulumi import` prints."""
    return text[text.index("resources:") :]


@both_revisions
def test_a_vault_is_imported_without_a_write_and_filled_in_later(tmp_path: Path, qoder: Emulator) -> None:
    """No write, no rotation; the printed program previews empty; each filled-in access token is one rotation."""
    theirs = qoder.add_vault("theirs")
    ids = {url: qoder.add_credential(theirs.id, url, f"of-{url[8:13]}").id for url in (URL, OTHER, THIRD)}
    qoder.clear_requests()
    stack = Yaml(tmp_path, qoder)

    imported = stack.run("import", "qoder:index:Vault", "v", theirs.id, "--yes", "--protect=false")
    assert "failed to validate" not in imported.text
    stack.declare(printed_program(imported.stdout))
    stack.preview("--expect-no-changes")
    stack.up("--expect-no-changes")
    stack.refresh("--expect-no-changes")
    assert [] == qoder.writes
    (recorded,) = stack.resources()
    assert (theirs.id, ids) == (recorded["id"], recorded["outputs"]["credential_ids"])

    program = (stack.folder / "Pulumi.yaml").read_text()
    indent = re.search(rf"\n( *)(- )?mcpServerUrl: {OTHER}", program)
    assert indent, program
    filled = f"mcpServerUrl: {OTHER}\n{indent[1]}{'  ' if indent[2] else ''}accessToken: second-access-token"
    (stack.folder / "Pulumi.yaml").write_text(program.replace(f"mcpServerUrl: {OTHER}", filled))
    preview = stack.preview()
    assert re.search(r"\+ accessToken *: \[secret\]", preview.text), preview.text
    assert f"~ {OTHER}: 0 => 1" in preview.text
    stack.up()

    tokens = {item.mcp_server_url: item.access_token for item in qoder.vaults[0].credentials}
    assert {URL: "of-examp", THIRD: "of-third"} == {url: str(tokens[url])[:8] for url in (URL, THIRD)}
    assert "second-access-token" == tokens[OTHER]
    now = {item.mcp_server_url: item.id for item in qoder.vaults[0].credentials}
    assert {URL: ids[URL], THIRD: ids[THIRD]} == {url: now[url] for url in (URL, THIRD)}
    stack.up("--expect-no-changes")

    absent = problem_of(stack.run("import", "qoder:index:Vault", "w", "vault_0", "--yes", fails=True))
    assert "vault_0' does not exist" in absent


def test_a_credential_is_imported_by_the_ids_of_its_vault_and_itself(tmp_path: Path, qoder: Emulator) -> None:
    """`vault_…/vcred_…`; anything else is one line that says so."""
    theirs = qoder.add_vault("theirs")
    made = qoder.add_credential(theirs.id, URL, "first-access-token")
    stack = Yaml(tmp_path, qoder)

    imported = stack.run("import", "qoder:index:Credential", "c", f"{theirs.id}/{made.id}", "--yes", "--protect=false")
    stack.declare(printed_program(imported.stdout))
    stack.up("--expect-no-changes")
    stack.refresh("--expect-no-changes")
    assert [] == qoder.writes

    wrong = problem_of(stack.run("import", "qoder:index:Credential", "d", made.id, "--yes", fails=True))
    assert "the id is not a credential id: it must be like vault_" in wrong
    stack.destroy()
    assert [] == qoder.vaults[0].credentials


@both_revisions
def test_a_stack_of_the_dynamic_provider_moves_to_the_plugin(tmp_path: Path, qoder: Emulator) -> None:
    """By an alias: no replacement, no request that changes anything, and the next preview is empty."""
    stack = Stack(tmp_path, qoder, front="dynamic")
    stack.write(v=vault(credential(), credential(OTHER)))
    stack.up()
    before = stack.outputs()
    qoder.clear_requests()

    stack.env["FRONT"] = stack.front = "plugin"
    stack.write(v=vault(credential(), credential(OTHER), opts={"aliases": ["dynamic"]}))
    preview = stack.preview()
    assert "~ 1 to update" in preview.text
    assert "replace" not in preview.text
    stack.up()
    assert [] == qoder.requests
    (moved,) = stack.resources()
    assert "qoder:index:Vault" == moved["type"]
    assert "__provider" not in {**moved["inputs"], **moved["outputs"]}
    exported = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    assert "displayName" in exported[-1]["outputs"]
    assert "display_name" not in exported[-1]["outputs"]
    after = stack.outputs()
    assert {name: value for name, value in before.items() if name != "v.credentials"} == {
        name: value for name, value in after.items() if name != "v.credentials"
    }

    stack.up("--expect-no-changes")
    stack.refresh("--expect-no-changes")
    stack.write(v=vault(credential(token="second-access-token"), credential(OTHER)))
    assert f"~ {URL}: 0 => 1" in stack.preview().text
    stack.destroy()
    assert [] == qoder.vaults


def test_a_revoked_api_token_does_not_brick_a_destroy(stack: Stack, qoder: Emulator) -> None:
    """The present configuration counts, not that of the last `up`.

    What is recorded comes before the environment, which may belong to another account: its 404 would prove nothing.
    """
    stack.write(v=vault(credential()), w=vault(credential()))
    stack.run("config", "set", "--secret", "qoder:apiToken", qoder.api_token)
    del stack.env["QODER_PAT"]
    stack.up()
    qoder.api_token = "pt-the-new-one"

    assert "(401" in stack.refresh(fails=True).text
    stack.run("config", "set", "--secret", "qoder:apiToken", "pt-the-new-one")
    stack.refresh("--expect-no-changes")
    with Emulator(revision=qoder.revision, api_token="pt-of-another-account") as elsewhere:
        stack.run("config", "rm", "qoder:apiToken")
        assert "(401" in stack.destroy(fails=True, QODER_PAT=elsewhere.api_token).text
        assert 2 == len(stack.resources())
    stack.run("config", "set", "--secret", "qoder:apiToken", "pt-the-new-one")
    stack.destroy()
    assert [] == qoder.vaults


def test_an_explicit_provider_has_its_own_settings(tmp_path: Path, qoder: Emulator) -> None:
    """Two accounts in one program: the configuration of the stack is not that of an explicit provider."""
    stack = Yaml(tmp_path, qoder)
    del stack.env["QODER_PAT"]
    stack.run("config", "set", "--secret", "qoder:apiToken", "pt-of-another-account")
    stack.declare(
        "resources:\n"
        "  account:\n    type: pulumi:providers:qoder\n"
        f"    properties: {{apiToken: {qoder.api_token}, maxWritesPerSecond: 7}}\n"
        "  v:\n    type: qoder:index:Vault\n"
        "    properties:\n      displayName: v\n"
        f"      credentials: [{{mcpServerUrl: '{URL}', accessToken: first-access-token}}]\n"
        "    options:\n      provider: ${account}\n"
    )
    stack.up()
    assert 1 == len(qoder.vaults)
    assert qoder.api_token not in stack.run("stack", "export").stdout
    stack.up("--expect-no-changes")
    stack.refresh("--expect-no-changes")
    stack.destroy()
    assert [] == qoder.vaults


@pytest.mark.parametrize(("revision", "front"), [("2026-07", "dynamic"), ("2026-05", "plugin")])
def test_one_credential_in_the_vault_of_another_stack(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """Made, rotated, drifted and deleted, while the vault resource leaves it alone, and it the vault."""
    owner = Stack(tmp_path / "owner", qoder)
    owner.write(v=vault(credential()))
    owner.up()
    (made,) = qoder.vaults
    team = Stack(tmp_path / front, qoder, front=front)
    own: dict[str, Any] = {"vault_id": made.id, "mcp_server_url": OTHER}
    team.write(c=own | {"access_token": {"base64": "Zmlyc3QtYWNjZXNzLXRva2Vu"}})
    team.up()
    team.up("--expect-no-changes")
    team.refresh("--expect-no-changes")
    owner.refresh("--expect-no-changes")
    assert f"{made.id}/{team.outputs()['c.credential_id']}" == team.outputs()["c.id"]
    exported = team.run("stack", "export").stdout
    assert "first-access-token" not in exported

    team.write(c=own | {"access_token": {"base64": "c2Vjb25kLWFjY2Vzcy10b2tlbg=="}})
    preview = team.preview()
    assert re.search("~ rotations *: 0 => 1", preview.text), preview.text
    assert "replace" not in preview.text
    team.up()
    tokens = {item.mcp_server_url: item.access_token for item in qoder.vaults[0].credentials}
    assert {URL: "first-access-token", OTHER: "second-access-token"} == tokens
    team.refresh()
    team.up("--expect-no-changes")

    qoder.delete_credential(made.id, team.outputs()["c.credential_id"])
    team.refresh()
    team.up()
    assert {URL, OTHER} == {item.mcp_server_url for item in qoder.vaults[0].credentials}
    owner.up("--expect-no-changes")
    team.destroy()
    assert [URL] == [item.mcp_server_url for item in qoder.vaults[0].credentials]


def test_a_long_wait_is_a_line_at_the_resource(stack: Stack, qoder: Emulator) -> None:
    """Somebody who watches sees why nothing happens."""
    stack.write(v=vault(credential()))
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=3)

    up = stack.up()

    assert "Qoder limits the rate: waiting 3 s" in up.text
    assert 1 == len(qoder.vaults)


def test_custom_timeouts_are_obeyed(stack: Stack, qoder: Emulator) -> None:
    """A create that may take two seconds does not wait for two minutes."""
    stack.write(v=vault(credential(), opts={"custom_timeouts": {"create": "2s"}}))
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=60)

    began_s = time.monotonic()
    error = problem_of(stack.up(fails=True))

    assert "Qoder asks to wait 60 s, more than is left of customTimeouts (2s)" in error
    assert time.monotonic() - began_s < 50


def test_an_interrupt_ends_the_waits_and_loses_nothing(stack: Stack, qoder: Emulator) -> None:
    """What is waiting gives up at once; what was made is recorded; the next `up` does the rest."""
    stack.write(**{name: vault(credential()) for name in "abc"})
    stack.env["QODER_API_REVISION"] = qoder.revision
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=100, skip=1, times=None)
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"]
    with subprocess.Popen(
        command,
        cwd=stack.folder,
        env=stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as up:
        until_s = time.monotonic() + 60
        while len([request for request in qoder.requests if request.status == 429]) < 2:
            assert time.monotonic() < until_s
            time.sleep(0.1)
        time.sleep(0.5)
        os.killpg(up.pid, signal.SIGINT)
        began_s = time.monotonic()
        up.communicate(timeout=90)
    assert time.monotonic() - began_s < 60
    qoder.clear_faults()

    stack.up(fails=None)
    stack.up()
    stack.up("--expect-no-changes")
    assert {item["id"] for item in stack.resources()} == {item.id for item in qoder.vaults}
    assert 3 == len(qoder.vaults)


@pytest.mark.parametrize("flag", ["--tracing=file:{}", "--otel-traces=file://{}"])
def test_it_starts_and_ends_under_tracing(stack: Stack, qoder: Emulator, tmp_path: Path, flag: str) -> None:
    """The engine then starts it with the address of a receiver of traces, before its own."""
    if flag.partition("=")[0] not in stack.run("up", "--help").stdout:
        pytest.skip("this CLI does not have the flag")
    trace = tmp_path / "trace"
    stack.write(v=vault(credential()))

    for command in (stack.preview, stack.up, stack.refresh, stack.destroy):
        command(flag.format(trace))
        assert trace.exists()
        if command == stack.up:
            assert 1 == len(qoder.vaults)

    assert [] == qoder.vaults


def test_it_ends_without_a_word_in_the_log(stack: Stack, qoder: Emulator) -> None:
    """From `-v=3` on the CLI shows what a plugin writes to stderr when the engine ends it."""
    stack.write(v=vault(credential()))
    verbose = ("-v=3", "--logtostderr")
    for run in (stack.preview(*verbose), stack.up(*verbose), stack.refresh(*verbose), stack.destroy(*verbose)):
        assert [] == [word for word in ("Traceback", "KeyboardInterrupt") if word in run.text]
