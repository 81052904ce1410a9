"""What earlier releases wrote into a state goes on: no change, no request, and every operation as before.

The records beside this file are made by `record.py`, one for each release and revision, and never change.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.stacks import URL, Stack, assert_no_traceback, hidden
from pulumi_qoder_vault.dynamic import VaultProvider
from pulumi_qoder_vault.emulator import Emulator, RevisionName
from pulumi_qoder_vault.plugin import names
from upgrade.record import RELEASE, REVISIONS, ROTATED
from upgrade.record import record as recorded_now

HERE = Path(__file__).parent
RECORDS = sorted(HERE.glob("*.json"))
DYNAMIC_VAULT = "pulumi-python:dynamic/qoder:Vault"
FROZEN = {DYNAMIC_VAULT, "pulumi-python:dynamic/qoder:Credential", "qoder:index:Vault", "qoder:index:Credential"}

Record = dict[str, Any]

# One state with one vault, for what is the same whatever a state holds.
with_one_vault = pytest.mark.parametrize(
    "record", [HERE / "0.1.0-early-2026-05.json"], indirect=True, ids=lambda path: path.stem
)


@pytest.fixture(params=RECORDS, ids=lambda path: path.stem)
def record(request: pytest.FixtureRequest) -> Record:
    return dict(json.loads(request.param.read_text()))


@pytest.fixture
def qoder(record: Record) -> Iterator[Emulator]:
    with Emulator(revision=record["revision"], unique_url=True) as emulator:
        yield emulator


@pytest.fixture
def stack(tmp_path: Path, qoder: Emulator, record: Record) -> Stack:
    return Stack(tmp_path, qoder)


def resources(record: Record) -> dict[str, dict[str, Any]]:
    """What a record holds of each resource of ours, by name, as it stands there."""
    every = record["state"]["deployment"]["resources"]
    return {item["urn"].rpartition("::")[2]: item for item in every if item["type"] in FROZEN}


def bring(stack: Stack, qoder: Emulator, record: Record, pickled: str | None = None) -> list[str]:
    """Make the recorded vaults anew at Qoder, and give the stack the recorded state of them. Their ids are given."""
    text = json.dumps(record["state"]).replace("{base_url}", qoder.base_url)
    made: dict[str, str] = {}

    def add(vault_id: str, item: dict[str, Any], was: str) -> None:
        nonlocal text
        token = base64.b64decode(item["access_token"]["base64"]).decode()
        protocol = item.get("protocol", "streamable_http")
        text = text.replace(was, qoder.add_credential(vault_id, item["mcp_server_url"], token, protocol=protocol).id)

    for name, arguments in record["vaults"].items():
        was = names.from_schema(names.SchemaProperties(resources(record)[name]["outputs"]))
        if "in_vault" in arguments:
            add(made[arguments["in_vault"]], arguments, was["credential_id"])
            continue
        made[name] = qoder.add_vault(arguments["display_name"], metadata=arguments.get("metadata")).id
        text = text.replace(resources(record)[name]["id"], made[name])
        for item in arguments["credentials"]:
            add(made[name], item, was["credential_ids"][item["mcp_server_url"]])
    if pickled is not None:
        recorded = resources(record)["v"]["inputs"]["__provider"]
        assert 2 == text.count(json.dumps(recorded))
        text = text.replace(recorded, pickled)
    # The passphrase alone would do: the import encrypts anew, with the salt of the stack. A person keeps both.
    stack.env["PULUMI_CONFIG_PASSPHRASE"] = record["passphrase"]
    salt = record["state"]["deployment"]["secrets_providers"]["state"]["salt"]
    (stack.folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {salt}\n")
    (stack.folder / "state.json").write_text(text)
    stack.run("stack", "import", "--file", "state.json")
    stack.write(**record["vaults"])
    return list(made.values())


def rotated(record: Record) -> dict[str, Any]:
    """The recorded program with new access tokens for two URLs of each vault, and for each standalone credential."""
    vaults: dict[str, Any] = json.loads(json.dumps(record["vaults"]))
    for arguments in vaults.values():
        for item in arguments.get("credentials", [arguments]):
            if item["mcp_server_url"] in (URL, ROTATED) or item is arguments:
                item["access_token"] = hidden("newest-access-token")
    return vaults


def test_there_is_a_record_of_every_revision_and_of_every_frozen_type() -> None:
    """A glob that finds nothing would test nothing."""
    assert {"0.1.0-2026-05", "0.1.0-2026-07"} <= {path.stem for path in RECORDS}
    held = {path.stem: resources(json.loads(path.read_text())).values() for path in RECORDS}
    for name, found in held.items():
        assert ({DYNAMIC_VAULT} if "early" in name else FROZEN) == {item["type"] for item in found}


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_record_of_this_version_is_what_it_writes(revision: RevisionName) -> None:
    """An input or an output that came after the record would reach no later test."""
    path = HERE / f"{RELEASE}-{revision}.json"
    if not path.exists():
        pytest.skip(f"{RELEASE} is recorded before its tag: make record")

    def keys(record: Record) -> dict[str, list[list[str]]]:
        return {name: [sorted(item["inputs"]), sorted(item["outputs"])] for name, item in resources(record).items()}

    assert keys(recorded_now(revision)) == keys(json.loads(path.read_text())), "make record"


def test_a_record_holds_no_access_token_and_no_place_of_a_machine(record: Record) -> None:
    """Records are public: tokens in them are encrypted, and the provider is a plain string of two names."""
    state = json.dumps(record["state"])

    found = [word for word in ("access-token", "pt-emulator", "127.0.0.1", ".py#", "/root", "/home") if word in state]

    assert [] == found
    for item in resources(record).values():
        assert "{base_url}" == names.from_schema(item["outputs"])["base_url"]
        assert isinstance(item["inputs"].get("__provider", ""), str)


def test_a_recorded_state_lives_on(stack: Stack, qoder: Emulator, record: Record) -> None:
    """Preview and refresh see no change, a rotation is counted on from the recorded count, destroy leaves nothing."""
    ids = bring(stack, qoder, record)

    stack.preview("--expect-no-changes")
    assert [] == qoder.requests
    stack.refresh("--expect-no-changes")
    assert {"GET"} == {request.method for request in qoder.requests}

    stack.write(**rotated(record))
    qoder.clear_requests()
    preview = stack.preview()
    assert [] == qoder.requests
    shown = re.sub(" +:", ":", preview.text)  # the CLI writes keys in a column
    twice = 2 * len(ids)  # at the resource, and at the output of the stack
    assert twice == shown.count(f"~ {URL}: 0 => 1") == shown.count(f"~ {ROTATED}: 1 => 2")
    assert len(record["vaults"]) - len(ids) == shown.count("~ rotations: 1 => 2")
    assert "__provider" not in preview.text
    assert "replace" not in preview.text
    stack.up()
    outputs = stack.outputs()
    assert ids == [vault.id for vault in qoder.vaults]
    for name, arguments in record["vaults"].items():
        (there,) = (vault for vault in qoder.vaults if vault.id == outputs[f"{arguments.get('in_vault', name)}.id"])
        made = {item.mcp_server_url: item for item in there.credentials}
        if "in_vault" in arguments:
            single = made[arguments["mcp_server_url"]]
            assert ("newest-access-token", single.id) == (single.access_token, outputs[f"{name}.credential_id"])
            continue
        own = {item["mcp_server_url"]: made[item["mcp_server_url"]] for item in arguments["credentials"]}
        assert {URL, ROTATED} == {url for url, item in own.items() if item.access_token == "newest-access-token"}
        assert {url: item.id for url, item in own.items()} == outputs[f"{name}.credential_ids"]

    stack.destroy()
    assert [] == qoder.vaults
    assert [] == stack.resources()


@with_one_vault
def test_a_preview_that_is_not_empty_is_found(stack: Stack, qoder: Emulator, record: Record) -> None:
    """What the test above asks can fail: a copy of the record whose state has another name."""
    copy = json.loads(json.dumps(record))
    for kind in ("inputs", "outputs"):
        resources(copy)["v"][kind]["display_name"] = "another-vault"
    bring(stack, qoder, copy)

    assert "expected" in stack.preview("--expect-no-changes", fails=True).text


@with_one_vault
def test_a_provider_pickled_by_any_python_is_no_change(stack: Stack, qoder: Emulator, record: Record) -> None:
    """Python 3.13 pickles with protocol 4, and 3.14 with 5: a state of either shows nothing, and works."""
    for protocol in (4, 5):
        pickled = base64.b64encode(pickle.dumps(VaultProvider(), protocol=protocol)).decode()
        bring(stack, qoder, record, pickled)
        assert pickled == stack.resources()[0]["inputs"]["__provider"]
        preview = stack.preview("--expect-no-changes")
        assert "__provider" not in preview.text
        assert [] == qoder.requests
    stack.destroy()

    assert ["GET", "DELETE"] == [request.method for request in qoder.requests]
    assert 1 == len(qoder.vaults)  # that of protocol 4


def test_another_python_or_sdk_sees_no_change(stack: Stack, qoder: Emulator, record: Record) -> None:
    """A stack that is run by two environments in turn never shows a change.

    `QODER_OTHER_VENV=<folder>` names an environment of another interpreter, or another SDK, with this package in it.
    """
    other = os.environ.get("QODER_OTHER_VENV")
    if not other:
        pytest.skip("QODER_OTHER_VENV names no environment of another Python or Pulumi SDK")
    bring(stack, qoder, record)
    stack.write(**rotated(record))
    stack.up()
    own = stack.env["PATH"], (stack.folder / "venv").readlink()
    for path, venv in ((f"{other}/bin:{own[0]}", Path(other)), own):
        stack.env["PATH"] = path
        (stack.folder / "venv").unlink()
        (stack.folder / "venv").symlink_to(venv)
        qoder.clear_requests()
        assert "__provider" not in stack.preview("--expect-no-changes").text
        assert [] == qoder.requests
        stack.refresh("--expect-no-changes")
        stack.up("--expect-no-changes")
    stack.destroy()
    assert [] == qoder.vaults


@with_one_vault
@pytest.mark.parametrize(
    ("name", "known", "unknown"), [("on_delete", "delete", "retain"), ("api_revision", "", "2027-01")]
)
def test_a_state_of_a_newer_release_is_left_alone(
    stack: Stack, qoder: Emulator, record: Record, name: str, known: str, unknown: str
) -> None:
    """Every command ends in one line that says so: nothing is deleted, dropped or sent."""
    bring(stack, qoder, record)
    state = stack.folder / "state.json"
    before = f'"{name}": "{known or record["revision"]}"'
    assert before in state.read_text()
    state.write_text(state.read_text().replace(before, f'"{name}": "{unknown}"'))
    stack.run("stack", "import", "--file", "state.json")

    for run in (stack.preview, stack.up, stack.refresh, stack.destroy):
        said = run(fails=True).text
        assert f"{name}: the state holds a value that this version does not know" in said
        assert "written by a newer pulumi-qoder-vault; upgrade" in said
        assert_no_traceback(said)
    assert [] == qoder.requests
    assert 1 == len(qoder.vaults)
    assert 1 == len(stack.resources())
