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
from pulumi_qoder_vault.emulator import Emulator

RECORDS = sorted(Path(__file__).parent.glob("*.json"))
ROTATED = "https://rotated.example/mcp"
VAULT = "pulumi-python:dynamic/qoder:Vault"

Record = dict[str, Any]


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


def recorded_vault(record: Record) -> dict[str, Any]:
    (found,) = (dict(item) for item in record["state"]["deployment"]["resources"] if item["type"] == VAULT)
    return found


def bring(stack: Stack, qoder: Emulator, record: Record, pickled: str | None = None) -> str:
    """Make the recorded vault anew at Qoder, and give the stack the recorded state of it. Its id is given."""
    recorded = recorded_vault(record)
    (arguments,) = record["vaults"].values()
    vault = qoder.add_vault(arguments["display_name"], metadata=arguments.get("metadata"))
    text = json.dumps(record["state"]).replace("{base_url}", qoder.base_url).replace(recorded["id"], vault.id)
    for item in arguments["credentials"]:
        url = item["mcp_server_url"]
        token = base64.b64decode(item["access_token"]["base64"]).decode()
        made = qoder.add_credential(vault.id, url, token, protocol=item.get("protocol", "streamable_http"))
        text = text.replace(recorded["outputs"]["credential_ids"][url], made.id)
    if pickled is not None:
        assert 2 == text.count(json.dumps(recorded["inputs"]["__provider"]))
        text = text.replace(recorded["inputs"]["__provider"], pickled)
    # The passphrase alone would do: the import encrypts anew, with the salt of the stack. A person keeps both.
    stack.env["PULUMI_CONFIG_PASSPHRASE"] = record["passphrase"]
    salt = record["state"]["deployment"]["secrets_providers"]["state"]["salt"]
    (stack.folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {salt}\n")
    (stack.folder / "state.json").write_text(text)
    stack.run("stack", "import", "--file", "state.json")
    stack.write(**record["vaults"])
    return vault.id


def rotated(record: Record, *urls: str) -> dict[str, Any]:
    """The recorded program with new access tokens for some URLs."""
    vaults: dict[str, Any] = json.loads(json.dumps(record["vaults"]))
    for item in vaults["v"]["credentials"]:
        if item["mcp_server_url"] in urls:
            item["access_token"] = hidden("newest-access-token")
    return vaults


def test_there_is_a_record_of_every_revision() -> None:
    """A glob that finds nothing would test nothing."""
    assert {"0.1.0-2026-05", "0.1.0-2026-07"} <= {path.stem for path in RECORDS}


def test_a_record_holds_no_access_token_and_no_place_of_a_machine(record: Record) -> None:
    """Records are public: tokens in them are encrypted, and the provider is a plain string of two names."""
    state = json.dumps(record["state"])

    found = [word for word in ("access-token", "pt-emulator", "127.0.0.1", ".py#", "/root", "/home") if word in state]

    assert [] == found
    assert "{base_url}" == recorded_vault(record)["outputs"]["base_url"]
    assert isinstance(recorded_vault(record)["inputs"]["__provider"], str)


def test_a_recorded_state_lives_on(stack: Stack, qoder: Emulator, record: Record) -> None:
    """Preview and refresh see no change, a rotation is counted on from the recorded count, destroy leaves nothing."""
    vault_id = bring(stack, qoder, record)

    stack.preview("--expect-no-changes")
    assert [] == qoder.requests
    stack.refresh("--expect-no-changes")
    assert {"GET"} == {request.method for request in qoder.requests}

    stack.write(**rotated(record, URL, ROTATED))
    qoder.clear_requests()
    preview = stack.preview()
    assert [] == qoder.requests
    shown = re.sub(" +:", ":", preview.text)  # the CLI writes keys in a column
    assert f"~ {URL}: 0 => 1" in shown
    assert f"~ {ROTATED}: 1 => 2" in shown
    assert "__provider" not in preview.text
    assert "replace" not in preview.text
    stack.up()
    (there,) = qoder.vaults
    assert vault_id == there.id
    newest = {item.mcp_server_url for item in there.credentials if item.access_token == "newest-access-token"}
    assert {URL, ROTATED} == newest
    assert {item.mcp_server_url: item.id for item in there.credentials} == stack.outputs()["v.credential_ids"]

    stack.destroy()
    assert [] == qoder.vaults
    assert [] == stack.resources()


def test_a_preview_that_is_not_empty_is_found(stack: Stack, qoder: Emulator, record: Record) -> None:
    """What the test above asks can fail: a copy of the record whose state has another name."""
    copy = json.loads(json.dumps(record))
    for kind in ("inputs", "outputs"):
        recorded_vault(copy)[kind]["display_name"] = "another-vault"
    bring(stack, qoder, copy)

    assert "expected" in stack.preview("--expect-no-changes", fails=True).text


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
    stack.write(**rotated(record, URL))
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
