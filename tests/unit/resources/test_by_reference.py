"""Secrets by reference on both fronts: when each is read, what is sent then, and what is said where one is missing."""

from __future__ import annotations

import base64
import copy
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from in_process.engine import Engine, MovableTime
from in_process.provider import Resource
from in_process.wire import plain
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.plugin import names

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
ONE, TWO, NEXT = "mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-next-3333"
CREDENTIALS = "/vaults/*/credentials"
RECORDS = sorted((Path(__file__).parent.parent.parent / "upgrade").glob("0.1.0-early-*.json"))
VAULT_TYPE = "pulumi-python:dynamic/qoder:Vault"

Props = dict[str, Any]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two access tokens in the environment, and a folder for files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONE_TOKEN", ONE)
    monkeypatch.setenv("TWO_TOKEN", TWO)
    monkeypatch.delenv("NO_TOKEN", raising=False)


@pytest.fixture(params=["2026-05", "2026-07"])
def qoder(request: pytest.FixtureRequest, start: Callable[..., Emulator]) -> Emulator:
    return start(request.param)


@pytest.fixture
def current(start: Callable[..., Emulator]) -> Emulator:
    return start("2026-07")


@pytest.fixture(params=["dynamic", "plugin"])
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["dynamic credential", "credential"])
def credential_front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(qoder: Emulator, front: str) -> Engine:
    return Engine(qoder, MovableTime(), front)


def when_sent(engine: Engine) -> None:
    engine.settings["readReferences"] = "when-sent"


def always(engine: Engine) -> None:
    engine.settings["readReferences"] = "always"


def in_python(text: str) -> str:
    """A sentence of either front, in the names of Python."""
    return text.replace("accessTokenFrom", "access_token_from").replace("secretValueFrom", "secret_value_from")


def said(errors: list[str]) -> str:
    """The only error, which is one line without a secret."""
    (line,) = errors
    assert line.isprintable()
    assert "canary" not in line
    return in_python(line)


def by_reference(url: str = URL, name: str = "ONE_TOKEN", **fields: Any) -> Props:
    return {"mcp_server_url": url, "access_token_from": {"env": name}, **fields}


def by_value(url: str, token: str, **fields: Any) -> Props:
    return {"mcp_server_url": url, "access_token": token, **fields}


def vault(*credentials: Props, **fields: Any) -> dict[str, Props]:
    return {"v": {"display_name": "my-mcp-vault", "on_delete": "delete", "credentials": list(credentials), **fields}}


def tokens(qoder: Emulator) -> dict[str | None, str | None]:
    (there,) = qoder.vaults
    return {item.mcp_server_url: item.access_token for item in there.credentials if item.status == "active"}


def made(engine: Engine, qoder: Emulator, program: dict[str, Props]) -> dict[str, Props]:
    assert [] == engine.up(program)
    qoder.clear_requests()
    return program


def outputs(engine: Engine, name: str = "v") -> Props:
    return engine.state[name].outputs


def counts(engine: Engine) -> dict[str, float]:
    return dict(outputs(engine)["rotations"])


def verifiers(engine: Engine) -> list[str | None]:
    return [item.get("__access_token_verifier") for item in outputs(engine)["credentials"]]


# When it is read: always, in a check


def running() -> Props:
    """A command that counts how often it ran, and prints the access token of the environment."""
    program = "import os; open('runs', 'a').write('x'); print(os.environ['ONE_TOKEN'])"
    return {"command": [sys.executable, "-I", "-S", "-c", program]}


def runs() -> int:
    return len(Path("runs").read_text()) if Path("runs").exists() else 0


def test_a_command_runs_once_for_a_run(engine: Engine, qoder: Emulator) -> None:
    """However many resources name it, in a preview and in an `up`; refresh and destroy run none."""
    shared = [{"mcp_server_url": url, "access_token_from": running()} for url in (URL, OTHER_URL)]
    program = {f"v{number}": vault(*shared)["v"] for number in range(3)}

    engine.preview(program)
    assert 1 == runs()
    assert [] == engine.up(program)
    assert 2 == runs()
    assert [{URL: ONE, OTHER_URL: ONE}] * 3 == [
        {item.mcp_server_url: item.access_token for item in there.credentials} for there in qoder.vaults
    ]
    assert [] == engine.refresh() + engine.destroy()
    assert 2 == runs()


BAD: dict[str, tuple[Props, str]] = {
    "no variable": ({"env": "NO_TOKEN"}, "environment variable 'NO_TOKEN' is not set where pulumi runs"),
    "an empty variable": ({"env": "EMPTY_TOKEN"}, "environment variable 'EMPTY_TOKEN' is empty"),
    "a blank": ({"env": "BLANK_TOKEN"}, "environment variable 'BLANK_TOKEN': its value begins or ends with a blank"),
    "two lines": ({"file": "two-lines"}, "file 'two-lines': its value contains a control character, such as a line"),
    "no file": ({"file": "none"}, "file 'none' does not exist"),
    "a folder": ({"file": "."}, "file '.' is not a regular file"),
    "no command": ({"command": ["no-such-command", "x"]}, "command 'no-such-command' was not found"),
    "the API token": ({"env": "API_TOKEN"}, "environment variable 'API_TOKEN': its value is the API token, which only"),
    "a mask": ({"env": "MASKED_TOKEN"}, "environment variable 'MASKED_TOKEN': its value "),
}


@pytest.fixture
def bad_places(monkeypatch: pytest.MonkeyPatch, qoder: Emulator) -> None:
    monkeypatch.setenv("EMPTY_TOKEN", "")
    monkeypatch.setenv("BLANK_TOKEN", "canary ")
    monkeypatch.setenv("MASKED_TOKEN", "***")
    monkeypatch.setenv("API_TOKEN", qoder.api_token)
    Path("two-lines").write_text("one-canary\ntwo-canary\n")


@pytest.mark.usefixtures("bad_places")
@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_cannot_be_read_is_named(engine: Engine, qoder: Emulator, what: str, reads: str) -> None:
    """In one line with its path, before anything is sent: in a check, or, if none reads, in the create."""
    reference, reason = BAD[what]
    engine.settings["readReferences"] = reads
    program = vault(by_reference(), {"mcp_server_url": OTHER_URL, "access_token_from": reference})

    line = said(engine.up(program))

    assert line.startswith(f"credentials[1].access_token_from: {reason}")
    assert [] == qoder.requests
    assert {} == engine.state
    assert "canary" not in "\n".join(engine.heard)


FORMS: dict[str, tuple[Props, str]] = {
    "two ways": (
        {"access_token_from": {"env": "ONE_TOKEN", "file": "token"}},
        "credentials[0].access_token_from: must have exactly one of env, file, command; it has 2",
    ),
    "no way": (
        {"access_token_from": {}},
        "credentials[0].access_token_from: must have exactly one of env, file, command; it has none",
    ),
    "a text": (
        {"access_token_from": "ONE_TOKEN"},
        "credentials[0].access_token_from: must be a map with one of env, file, command, not a string",
    ),
    "another key": (
        {"access_token_from": {"vault": "x"}},
        "credentials[0].access_token_from.vault: is not a known key; known keys are env, file, command",
    ),
    "a shell": (
        {"access_token_from": {"command": "op read x"}},
        "credentials[0].access_token_from.command: must be a list of strings: the program, then its arguments",
    ),
    "no name": (
        {"access_token_from": {"env": ""}},
        "credentials[0].access_token_from.env: is empty: was the variable set?",
    ),
    "twice": (
        {"access_token_from": {"env": "ONE_TOKEN"}, "access_token": TWO},
        "credentials[0].access_token: is there twice, by value and by access_token_from: remove one of the two",
    ),
    "none": ({}, "credentials[0].access_token: Field 'access_token' is required for static_bearer type."),
    "a verifier": (
        {"access_token_from": {"env": "ONE_TOKEN"}, "__access_token_verifier": "hmac-sha256-1:00"},
        "credentials[0].__access_token_verifier: is not a known key; did you mean access_token_from?",
    ),
    "a verifier that says unread": (
        {"access_token_from": {"env": "ONE_TOKEN"}, "__access_token_verifier": "unread"},
        "credentials[0].__access_token_verifier: is not a known key; did you mean access_token_from?",
    ),
}


@pytest.mark.parametrize("what", FORMS)
@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_is_no_reference_is_refused(engine: Engine, qoder: Emulator, what: str, reads: str) -> None:
    """In the check of both fronts, whether it reads or not, and with the same line."""
    given, line = FORMS[what]
    engine.settings["readReferences"] = reads

    assert line == _snake(said(engine.up(vault({"mcp_server_url": URL, **given}))))
    assert [] == qoder.requests


def _snake(line: str) -> str:
    """The same sentence of the other front."""
    for name in sorted(names.NAMES, key=len, reverse=True):
        line = line.replace(names.camel(name), name)
    return line


# When it is read: when it is sent


def test_a_check_that_reads_nothing_needs_nothing(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview with nothing there shows what is to be made, or no change at all, and no problem."""
    when_sent(engine)
    program = vault(by_reference(), {"mcp_server_url": OTHER_URL, "access_token_from": running()})
    with monkeypatch.context() as elsewhere:
        elsewhere.delenv("ONE_TOKEN")
        assert {"v": "create"} == engine.preview(program)
    assert 0 == runs()
    made(engine, qoder, program)
    assert 1 == runs()

    monkeypatch.delenv("ONE_TOKEN")
    for reads in (when_sent, always):
        reads(engine)
        if reads is always:
            assert "ONE_TOKEN" in said(engine.up(vault(by_reference())))
            continue
        assert {} == engine.preview(program)
        assert ([], []) == (engine.up(program), qoder.requests)
    assert 1 == runs()


def test_another_reference_that_is_not_read_sends_nothing(engine: Engine, qoder: Emulator) -> None:
    """It is recorded; whether another value is there is seen once it is read."""
    program = made(engine, qoder, vault(by_reference()))
    when_sent(engine)
    other = vault(by_reference(name="TWO_TOKEN"))

    assert ({"v": "update"}, [], []) == (engine.preview(other), engine.up(other), qoder.requests)
    assert ({}, {URL: 0}, {URL: ONE}) == (engine.preview(other), counts(engine), tokens(qoder))
    always(engine)
    assert [] == engine.up(other)
    assert ({URL: 1}, {URL: TWO}) == (counts(engine), tokens(qoder))
    assert [] == engine.up(program)
    assert ({URL: 2}, {URL: ONE}) == (counts(engine), tokens(qoder))


def test_what_was_made_without_a_check_that_read_has_its_verifier(engine: Engine, qoder: Emulator) -> None:
    """The state says what Qoder has: a later check that reads sees no change, and another value as one rotation."""
    when_sent(engine)
    program = made(engine, qoder, vault(by_reference()))

    always(engine)

    assert [True] == [str(it).startswith("hmac-sha256-1:") for it in verifiers(engine)]
    assert {} == engine.preview(program)
    assert ([], {URL: 0}) == (engine.up(program), counts(engine))
    assert [] == qoder.requests


def test_a_value_that_no_check_saw_change_is_named_and_counted(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made when nothing was read, and read by now: the diff names the URL, and the count goes up once."""
    when_sent(engine)
    program = made(engine, qoder, vault(by_reference()))
    always(engine)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    engine.heard.clear()

    assert {"v": "update"} == engine.preview(program)
    assert "rotations" in "\n".join(engine.heard)
    assert [] == engine.up(program)
    assert ({URL: NEXT}, {URL: 1}) == (tokens(qoder), counts(engine))
    assert {} == engine.preview(program)


def test_an_update_that_lacks_one_sends_nothing(engine: Engine, qoder: Emulator) -> None:
    """Of that vault, whatever else is to be sent; the state stays as it is."""
    when_sent(engine)
    made(engine, qoder, vault(by_reference(rotation_trigger="1"), by_value(OTHER_URL, TWO)))
    before = copy.deepcopy(outputs(engine))

    asked = vault(by_value(OTHER_URL, NEXT), by_reference(name="NO_TOKEN", rotation_trigger="2"))
    line = said(engine.up(asked))

    assert "credentials[1].access_token_from: environment variable 'NO_TOKEN' is not set where pulumi runs" == line
    assert [] == qoder.requests
    assert before == outputs(engine)


def test_a_new_credential_that_lacks_one_sends_nothing(engine: Engine, qoder: Emulator) -> None:
    """Also where it is added to a vault that is there, and where it takes the place of one by value."""
    when_sent(engine)
    made(engine, qoder, vault(by_value(URL, ONE)))

    line = said(engine.up(vault(by_value(URL, NEXT), by_reference(OTHER_URL, "NO_TOKEN"))))

    assert "credentials[1].access_token_from: environment variable 'NO_TOKEN' is not set where pulumi runs" == line
    assert [] == qoder.requests


def test_the_trigger_is_what_rotates(engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With checks that read nothing: what is there by then is sent once; to add or to remove it sends nothing."""
    when_sent(engine)
    made(engine, qoder, vault(by_reference()))
    monkeypatch.setenv("ONE_TOKEN", NEXT)

    for trigger, has, count in ((None, ONE, 0), ("1", ONE, 0), ("2", NEXT, 1), ("2", NEXT, 1), (None, NEXT, 1)):
        program = vault(by_reference(**({"rotation_trigger": trigger} if trigger else {})))
        assert [] == engine.up(program)
        assert ({URL: has}, {URL: count}) == (tokens(qoder), counts(engine)), trigger
        assert {} == engine.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_trigger_sends_the_same_value_again(engine: Engine, qoder: Emulator, reads: str) -> None:
    """By value, and by reference: a rotation is asked for, and one is carried out and counted."""
    engine.settings["readReferences"] = reads
    made(engine, qoder, vault(by_reference(rotation_trigger="1"), by_value(OTHER_URL, TWO, rotation_trigger="1")))

    after = vault(by_reference(rotation_trigger="2"), by_value(OTHER_URL, TWO, rotation_trigger="2"))
    assert [] == engine.up(after)

    each = ["POST"] if qoder.revision == "2026-07" else ["POST", "DELETE"]
    assert each * 2 == [request.method for request in qoder.writes]
    sent = [
        request.body["auth" if "auth" in request.body else "access_token"] for request in qoder.writes if request.body
    ]
    assert [{"type": "static_bearer", "token": "***"} if qoder.revision == "2026-07" else "***"] * 2 == sent
    assert ({URL: ONE, OTHER_URL: TWO}, {URL: 1, OTHER_URL: 1}) == (tokens(qoder), counts(engine))
    assert {} == engine.preview(after)


def test_an_empty_trigger_is_none(engine: Engine, qoder: Emulator) -> None:
    """A program that has none may hand over an empty text: nothing is left to do, and to empty it asks for nothing."""
    empty = made(engine, qoder, vault(by_reference(rotation_trigger="")))
    assert {} == engine.preview(empty)
    assert [] == engine.up(vault(by_reference(rotation_trigger="1")))

    assert [] == engine.up(empty)

    assert ({URL: 0}, []) == (counts(engine), qoder.requests)
    assert {} == engine.preview(empty)


# What vanished


def vanish(qoder: Emulator, url: str = URL) -> None:
    (there,) = qoder.vaults
    (gone,) = [item.id for item in there.credentials if item.mcp_server_url == url]
    qoder.delete_credential(there.id, gone)


@pytest.mark.parametrize("is_refreshed", [True, False])
@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_vanished_is_read_and_made_again(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str, is_refreshed: bool
) -> None:
    """With what is there by then, be it after a refresh or found on the way; and then there is nothing left to do."""
    made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, TWO)))
    engine.settings["readReferences"] = reads
    vanish(qoder)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    assert [] == (engine.refresh() if is_refreshed else [])

    after = vault(by_reference(), by_value(OTHER_URL, NEXT))
    assert [] == engine.up(after)

    assert {URL: NEXT, OTHER_URL: NEXT} == tokens(qoder)
    assert {} == engine.preview(after)
    assert [] == engine.up(after)
    always(engine)
    assert {} == engine.preview(after)


def test_what_vanished_and_cannot_be_read_sends_nothing(engine: Engine, qoder: Emulator) -> None:
    """Of that vault: what is found missing at Qoder is read before the first request that changes anything."""
    when_sent(engine)
    made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, TWO)))
    vanish(qoder)

    line = said(engine.up(vault(by_reference(name="NO_TOKEN"), by_value(OTHER_URL, NEXT))))

    assert "credentials[0].access_token_from: environment variable 'NO_TOKEN' is not set where pulumi runs" in line
    assert [] == qoder.writes
    assert {OTHER_URL: TWO} == tokens(qoder)


def test_what_is_read_late_stands_in_plain_text_nowhere(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No check could have said it: what vanished at Qoder is read in the middle of an update."""
    when_sent(engine)
    made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, TWO)))
    vanish(qoder)
    monkeypatch.setenv("ONE_TOKEN", "my-mcp-vault")

    line = said(engine.up(vault(by_reference(), by_value(OTHER_URL, NEXT))))

    assert line.startswith(("display_name: ", "displayName: "))
    assert ([], {OTHER_URL: TWO}) == (qoder.writes, tokens(qoder))


# ignore_changes


def as_recorded(engine: Engine, program: dict[str, Props]) -> dict[str, Props]:
    """What the engine hands to a check with `ignore_changes=["credentials"]`: the recorded inputs."""
    return {"v": {**program["v"], "credentials": copy.deepcopy(engine.state["v"].inputs["credentials"])}}


@pytest.mark.parametrize("first", ["always", "when-sent"])
@pytest.mark.parametrize("then", ["always", "when-sent"])
def test_what_is_ignored_is_left_as_recorded(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch, first: str, then: str
) -> None:
    """Nothing is read, and nothing changes, however it was made; another change of the vault leaves it alone, too."""
    engine.settings["readReferences"] = first
    program = made(engine, qoder, vault(by_reference(), {"mcp_server_url": OTHER_URL, "access_token_from": running()}))
    before, ran = copy.deepcopy(outputs(engine)), runs()
    engine.settings["readReferences"] = then
    monkeypatch.delenv("ONE_TOKEN")

    assert {} == engine.preview(as_recorded(engine, program))
    assert [] == engine.up(as_recorded(engine, program))
    assert before == outputs(engine)
    changed = {"v": {**as_recorded(engine, program)["v"], "on_delete": "archive"}}
    assert ({"v": "update"}, []) == (engine.preview(changed), engine.up(changed))
    assert before | {"on_delete": "archive"} == outputs(engine)
    assert ([], ran) == (qoder.requests, runs())


def test_what_is_ignored_stays_so_though_qoder_has_another_one(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no check has read is known to the state, and not to the inputs: that is no change."""
    when_sent(engine)
    made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, TWO)))
    always(engine)
    program = made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, ONE)))
    vanish(qoder)
    when_sent(engine)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    made(engine, qoder, vault(by_reference(), by_value(OTHER_URL, TWO)))
    assert {URL: NEXT, OTHER_URL: TWO} == tokens(qoder)

    assert {} == engine.preview(as_recorded(engine, program))
    assert ([], []) == (engine.up(as_recorded(engine, program)), qoder.requests)


# Lost updates, and what cannot be put back


def test_a_rotation_that_nobody_knows_of_is_made_again(
    current: Emulator, front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither verifier is kept, so that the next `up` rotates, also back to the value of before."""
    engine = Engine(current, MovableTime(), front)
    program = made(engine, current, vault(by_reference()))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    current.fail_next("POST", f"{CREDENTIALS}/*", Fault.BAD_GATEWAY_AFTER_COMMIT, times=None)

    assert "canary" not in said(engine.up(program))
    assert [None] == verifiers(engine)
    current.clear_faults()
    monkeypatch.setenv("ONE_TOKEN", ONE)
    assert {"v": "update"} == engine.preview(program)
    assert [] == engine.up(program)

    assert {URL: ONE} == tokens(current)
    assert {} == engine.preview(program)


def test_a_trigger_that_nobody_knows_of_is_made_again(current: Emulator, front: str) -> None:
    """With checks that read nothing: the next `up` reads and sends it, and if it is missing sends nothing."""
    engine = Engine(current, MovableTime(), front)
    when_sent(engine)
    made(engine, current, vault(by_reference(rotation_trigger="1")))
    current.fail_next("POST", f"{CREDENTIALS}/*", Fault.BAD_GATEWAY_AFTER_COMMIT, times=None)
    program = vault(by_reference(rotation_trigger="2"))
    said(engine.up(program))
    current.clear_faults()
    current.clear_requests()

    line = said(engine.up(vault(by_reference(name="NO_TOKEN", rotation_trigger="1"))))
    assert "credentials[0].access_token_from: environment variable 'NO_TOKEN' is not set where pulumi runs" in line
    assert [] == current.writes
    assert [] == engine.up(program)
    assert ["POST"] == [request.method for request in current.writes]
    assert {URL: 1} == counts(engine)
    assert {} == engine.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_went_first_and_is_by_reference_cannot_be_put_back(
    start: Callable[..., Emulator], front: str, reads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says that Pulumi never has it, and which URL has no credential; the next `up` makes it."""
    qoder = start("2026-05", unique_url=True)
    engine = Engine(qoder, MovableTime(), front)
    engine.settings["readReferences"] = reads
    made(engine, qoder, vault(by_reference(rotation_trigger="1")))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    qoder.fail_next("POST", CREDENTIALS, Fault.FORBIDDEN, skip=1, times=14)
    program = vault(by_reference(rotation_trigger="2"))

    line = said(engine.up(program))

    assert f"the former access token for {URL} could not be put back (it was by reference, so nobody has it)" in line
    assert {} == tokens(qoder)
    qoder.clear_faults()
    assert [] == engine.up(program)
    assert {URL: NEXT} == tokens(qoder)
    assert {} == engine.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_rotation_that_must_go_first_goes(
    start: Callable[..., Emulator], front: str, reads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a second credential for one URL is refused: then the old one goes, and it is read before that."""
    qoder = start("2026-05", unique_url=True)
    engine = Engine(qoder, MovableTime(), front)
    engine.settings["readReferences"] = reads
    made(engine, qoder, vault(by_reference(rotation_trigger="1")))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    program = vault(by_reference(rotation_trigger="2"))

    assert [] == engine.up(program)

    assert ["POST", "DELETE", "POST"] == [request.method for request in qoder.writes]
    assert ({URL: NEXT}, {URL: 1}) == (tokens(qoder), counts(engine))
    assert {} == engine.preview(program)


def test_what_is_refused_once_after_the_old_one_went_is_tried_again(
    start: Callable[..., Emulator], front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can put the old one back, so the new one is sent until it is there: the URL does not stay empty."""
    qoder = start("2026-05", unique_url=True)
    engine = Engine(qoder, MovableTime(), front)
    program = made(engine, qoder, vault(by_reference()))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    qoder.fail_next("POST", CREDENTIALS, Fault.CONFLICT, skip=1)

    assert [] == engine.up(program)

    assert [("POST", 409), ("DELETE", 204), ("POST", 409), ("POST", 201)] == [
        (request.method, request.status) for request in qoder.writes
    ]
    assert ({URL: NEXT}, {URL: 1}) == (tokens(qoder), counts(engine))
    assert {} == engine.preview(program)


def test_what_is_refused_once_by_value_has_an_active_credential_too(start: Callable[..., Emulator], front: str) -> None:
    """The old one, which is put back; the next `up` rotates it."""
    qoder = start("2026-05", unique_url=True)
    engine = Engine(qoder, MovableTime(), front)
    made(engine, qoder, vault(by_value(URL, ONE)))
    qoder.fail_next("POST", CREDENTIALS, Fault.CONFLICT, skip=1)

    assert f"put the former access token for {URL} back" in said(engine.up(vault(by_value(URL, NEXT))))

    assert {URL: ONE} == tokens(qoder)
    assert [] == engine.up(vault(by_value(URL, NEXT)))
    assert ({URL: NEXT}, {URL: 1}) == (tokens(qoder), counts(engine))


def test_what_is_proven_is_not_waited_for_again(
    start: Callable[..., Emulator], front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second credential for one URL was refused for good: no other rotation of that process waits for one."""
    qoder = start("2026-05", unique_url=True, conflict_param=False)
    time = MovableTime()
    engine = Engine(qoder, time, front)
    program = made(engine, qoder, {f"v{number}": vault(by_reference())["v"] for number in range(3)})
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    began_s = time.clock.monotonic_s()

    assert [] == engine.up(program)

    assert 7.0 == time.clock.monotonic_s() - began_s, "1, 2 and 4 s, for the first of them"
    assert [NEXT] * 3 == [item.access_token for there in qoder.vaults for item in there.credentials]


# Replacement


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_replacement_has_what_is_there_by_then(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    """Another name makes another vault; all of it is sent, counts begin anew, and one that is missing makes none."""
    engine.settings["readReferences"] = reads
    made(engine, qoder, vault(by_reference(rotation_trigger="1"), by_value(OTHER_URL, TWO)))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    (former,) = qoder.vaults
    missing = vault(by_reference(name="NO_TOKEN"), by_value(OTHER_URL, TWO), display_name="another")
    after = vault(by_reference(rotation_trigger="2"), by_value(OTHER_URL, TWO), display_name="another")

    assert "credentials[0].access_token_from: environment variable 'NO_TOKEN'" in said(engine.up(missing))
    assert [former.id] == [there.id for there in qoder.vaults]
    assert {"v": "replace"} == engine.preview(after)
    assert [] == engine.up(after)

    assert {URL: NEXT, OTHER_URL: TWO} == tokens(qoder)
    assert {URL: 0, OTHER_URL: 0} == counts(engine)
    assert {} == engine.preview(after)


# Everything that is said


@pytest.mark.parametrize("fault", [Fault.ECHO, Fault.ECHO_HTML])
@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_an_echo_of_what_was_read_is_not_shown(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch, fault: Fault, reads: str
) -> None:
    """Whenever it was read: in a create, in a rotation, and where it is made again in the middle of an update."""
    engine.settings["readReferences"] = reads
    qoder.fail_next("POST", "/vaults", fault, times=None)
    qoder.fail_next("POST", CREDENTIALS, fault, times=None)
    assert engine.up(vault(by_reference()))
    qoder.clear_faults()

    made(engine, qoder, vault(by_reference(rotation_trigger="1"), by_reference(OTHER_URL, "TWO_TOKEN")))
    vanish(qoder, OTHER_URL)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    qoder.fail_next("POST", CREDENTIALS, fault, times=None)
    qoder.fail_next("POST", f"{CREDENTIALS}/*", fault, times=None)
    for after in (
        vault(by_reference(OTHER_URL, "TWO_TOKEN"), by_reference(rotation_trigger="2")),
        vault(by_reference(rotation_trigger="2"), by_reference(OTHER_URL, "TWO_TOKEN")),
    ):
        assert engine.up(after)

    assert [] == [token for token in (ONE, TWO, NEXT) for text in engine.heard if token in text]


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_is_read_stands_in_plain_text_nowhere(
    engine: Engine, qoder: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    """In another field it would be shown to everybody: refused before anything is sent, and nothing of it is said."""
    engine.settings["readReferences"] = reads
    monkeypatch.setenv("ONE_TOKEN", "a-name-that-is-a-token-0123456789")

    line = said(engine.up(vault(by_reference(), display_name="vault a-name-that-is-a-token-0123456789")))

    assert "display_name: " in _snake(line)
    assert "a-name-that-is-a-token" not in line
    assert [] == qoder.requests


# When it was sent


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_time_is_that_of_a_secret_that_was_sent(
    one: Engine, current: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    """Of a create and of a rotation: another change of the credential is a request, and leaves time and count."""
    one.settings["readReferences"] = reads
    made(one, current, oauth(current, rotation_trigger="1"))
    assert is_now(outputs(one, "c")["rotated_at"])
    long_ago = "2020-01-01T00:00:00Z"
    outputs(one, "c")["rotated_at"] = long_ago

    for fields in ({"expires_at": "2099-01-01T00:00:00Z"}, {"metadata": {"team": "tools"}}):
        current.clear_requests()
        assert [] == one.up(oauth(current, rotation_trigger="1", **fields))
        assert ["POST"] == [request.method for request in current.writes]
        assert (long_ago, 0) == (outputs(one, "c")["rotated_at"], outputs(one, "c")["rotations"])
    monkeypatch.setenv("TWO_TOKEN", NEXT)
    assert [] == one.up(oauth(current, rotation_trigger="2"))
    assert is_now(outputs(one, "c")["rotated_at"])
    assert 1 == outputs(one, "c")["rotations"]


def is_now(time: str) -> bool:
    """Whether an RFC 3339 time in UTC is of the last minutes."""
    return abs((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()) < 300


# A state of an older version


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_state_of_a_release_shows_no_change(start: Callable[..., Emulator], path: Path) -> None:
    """For lack of `rotated_at` and of verifiers: no request; then only what is rotated has a time."""
    record = json.loads(path.read_text(encoding="utf-8"))
    qoder = start(record["revision"])
    engine, program = Engine(qoder, MovableTime(), "dynamic"), _program_of(record)
    _bring(engine, qoder, record, program)
    urls = [item["mcp_server_url"] for item in program["v"]["credentials"]]

    assert "rotated_at" not in outputs(engine)
    assert {} == engine.preview(program)
    assert ([], []) == (engine.up(program), qoder.requests)
    assert [] == engine.refresh()
    assert "rotated_at" not in outputs(engine)

    former = counts(engine)
    program["v"]["credentials"][0] = by_reference(urls[0])
    assert [] == engine.up(program)
    assert ({urls[0]}, former | {urls[0]: former[urls[0]] + 1}) == ({*outputs(engine)["rotated_at"]}, counts(engine))
    assert {} == engine.preview(program)


def _program_of(record: Props) -> dict[str, Props]:
    program = copy.deepcopy(record["vaults"])
    for item in program["v"]["credentials"]:
        item["access_token"] = base64.b64decode(item["access_token"]["base64"]).decode()
    return dict(program)


def _bring(engine: Engine, qoder: Emulator, record: Props, program: dict[str, Props]) -> None:
    """Make the recorded vault anew at Qoder, and give the engine the recorded state of it, without encryption."""
    (kept,) = (item for item in record["state"]["deployment"]["resources"] if item["type"] == VAULT_TYPE)
    arguments = program["v"]
    there = qoder.add_vault(arguments["display_name"], metadata=arguments.get("metadata"))
    defaults = {"type": "static_bearer", "protocol": "streamable_http"}
    credentials = [{**defaults, **item} for item in arguments["credentials"]]
    ids = {}
    for item in credentials:
        url, token = item["mcp_server_url"], item["access_token"]
        ids[url] = qoder.add_credential(there.id, url, token, protocol=item["protocol"]).id
    shown = {key: value for key, value in kept["outputs"].items() if not key.startswith("__seen")}
    at = {"base_url": qoder.base_url, "credentials": credentials, "credential_ids": ids}
    engine.state["v"] = Resource(
        there.id, plain({**kept["inputs"], "credentials": credentials}), plain({**shown, **at})
    )


# A credential


OAUTH: Props = {
    "type": "mcp_oauth",
    "mcp_server_url": URL,
    "access_token_from": {"env": "ONE_TOKEN"},
    "refresh": {
        "client_id": "client-1",
        "refresh_token_from": {"file": "refresh"},
        "token_endpoint": "https://example.com/token",
        "token_endpoint_auth": {"type": "client_secret_basic", "client_secret_from": {"env": "TWO_TOKEN"}},
    },
}


@pytest.fixture
def one(current: Emulator, credential_front: str) -> Engine:
    Path("refresh").write_text("refresh-canary-4444\n")
    return Engine(current, MovableTime(), credential_front, apiRevision="2026-07")


def oauth(qoder: Emulator, **fields: Any) -> dict[str, Props]:
    (there,) = qoder.vaults or [qoder.add_vault("shared")]
    return {"c": {"vault_id": there.id, **copy.deepcopy(OAUTH), **fields}}


def auth(qoder: Emulator) -> Props:
    return dict(qoder.vaults[0].credentials[0].auth)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_another_way_to_prove_itself_sends_its_secret(one: Engine, current: Emulator, reads: str) -> None:
    """It is sent as a whole: so it is read, and none of the others is sent."""
    one.settings["readReferences"] = reads
    program = made(one, current, oauth(current))
    program["c"]["refresh"]["token_endpoint_auth"]["type"] = "client_secret_post"

    assert [] == one.up(program)

    (request,) = current.writes
    whole = {"type": "client_secret_post", "client_secret": "***"}
    assert {"type": "mcp_oauth", "refresh": {"token_endpoint_auth": whole}} == request.body["auth"]
    assert TWO == auth(current)["refresh"]["token_endpoint_auth"]["client_secret"]
    assert {} == one.preview(program)


def test_another_way_to_prove_itself_needs_no_other_secret(
    one: Engine, current: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not to be sent is not read: it need not be there."""
    when_sent(one)
    program = made(one, current, oauth(current))
    program["c"]["refresh"]["token_endpoint_auth"]["type"] = "client_secret_post"
    monkeypatch.delenv("ONE_TOKEN")
    Path("refresh").unlink()

    assert [] == one.up(program)

    (request,) = current.writes
    whole = {"type": "client_secret_post", "client_secret": "***"}
    assert {"type": "mcp_oauth", "refresh": {"token_endpoint_auth": whole}} == request.body["auth"]
    there = auth(current)
    assert (ONE, "refresh-canary-4444") == (there["access_token"], there["refresh"]["refresh_token"])
    assert {} == one.preview(program)


METHOD_NOT_ALLOWED = Effect("405 of a gateway", status=405, body=b"<html>")
BESIDE: dict[str, tuple[Props, Props]] = {
    "metadata": ({"access_token_from": {"env": "ONE_TOKEN"}, "mcp_server_url": URL}, {"metadata": {"team": "tools"}}),
    "metadata of a variable": (
        {"type": "environment_variable", "secret_name": "ANSWER", "secret_value_from": {"env": "ONE_TOKEN"}},
        {"metadata": {"team": "tools"}},
    ),
    "a time": (
        {"type": "mcp_oauth", "access_token_from": {"env": "ONE_TOKEN"}, "mcp_server_url": URL},
        {"expires_at": "2099-01-01T00:00:00Z"},
    ),
}


@pytest.mark.parametrize("what", BESIDE)
@pytest.mark.parametrize(
    "fault", [Fault.HTML_404, METHOD_NOT_ALLOWED, Fault.FEATURE_NOT_AVAILABLE], ids=[404, 405, 501]
)
def test_what_is_made_for_want_of_an_update_is_recorded_as_it_was_sent(
    one: Engine, current: Emulator, monkeypatch: pytest.MonkeyPatch, what: str, fault: Fault | Effect
) -> None:
    """Another change needs another credential here, and so the secret that is there by now: the state says which."""
    given, change = BESIDE[what]
    mine = {"vault_id": current.add_vault("shared").id, **given}
    made(one, current, {"c": mine})
    when_sent(one)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    current.fail_next("POST", f"{CREDENTIALS}/*", fault, times=2)
    program = {"c": {**mine, **change}}

    assert [] == one.up(program)

    assert {"POST", "DELETE"} == {request.method for request in current.writes}
    assert NEXT in auth(current).values()
    assert ({}, 1) == (one.preview(program), outputs(one, "c")["rotations"])
    always(one)
    assert {} == one.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_what_is_sent_as_a_whole_and_has_changed_is_a_rotation(
    one: Engine, current: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    """Whenever it is read; and then there is nothing left to do, whether checks read or not."""
    program = made(one, current, oauth(current))
    one.settings["readReferences"] = reads
    monkeypatch.setenv("TWO_TOKEN", NEXT)
    program["c"]["refresh"]["token_endpoint_auth"]["type"] = "client_secret_post"

    assert [] == one.up(program)

    assert NEXT == auth(current)["refresh"]["token_endpoint_auth"]["client_secret"]
    assert 1 == outputs(one, "c")["rotations"]
    assert {} == one.preview(program)
    always(one)
    assert {} == one.preview(program)
    when_sent(one)
    assert {} == one.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_change_that_nobody_knows_of_loses_no_secret(one: Engine, current: Emulator, reads: str) -> None:
    """All that may change is sent then: each secret that is by reference, too, and no object without its own."""
    one.settings["readReferences"] = reads
    by_value_ = {"access_token_from": None, "access_token": ONE}
    made(one, current, oauth(current, **by_value_))
    current.fail_next("POST", f"{CREDENTIALS}/*", Fault.BAD_GATEWAY_AFTER_COMMIT, times=None)
    program = oauth(current, **{**by_value_, "access_token": NEXT})
    assert one.up(program)
    current.clear_faults()

    current.clear_requests()
    assert [] == one.up(program)

    (request,) = current.writes
    whole = {"type": "client_secret_basic", "client_secret": "***"}
    assert {"refresh_token": "***", "token_endpoint_auth": whole, "scope": None} == request.body["auth"]["refresh"]
    there = auth(current)
    assert (NEXT, "refresh-canary-4444") == (there["access_token"], there["refresh"]["refresh_token"])
    assert {"type": "client_secret_basic", "client_secret": TWO} == there["refresh"]["token_endpoint_auth"]
    assert {} == one.preview(program)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_a_short_value_by_reference(
    one: Engine, current: Emulator, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    """Any text, of more than one line; its verifier is the slow one, and a rotation shows in the count."""
    one.settings["readReferences"] = reads
    monkeypatch.setenv("WORD", "yes-canary\nno-canary")
    (there,) = [current.add_vault("shared")]
    variable = {"type": "environment_variable", "secret_name": "ANSWER", "secret_value_from": {"env": "WORD"}}
    program = made(one, current, {"c": {"vault_id": there.id, "rotation_trigger": "1", **variable}})
    assert "yes-canary\nno-canary" == auth(current)["secret_value"]
    assert outputs(one, "c")["__secret_value_verifier"].startswith("scrypt-1:")
    assert {} == one.preview(program)

    monkeypatch.setenv("WORD", "no-canary")
    program["c"]["rotation_trigger"] = "2"
    assert [] == one.up(program)

    assert ("no-canary", 1) == (auth(current)["secret_value"], outputs(one, "c")["rotations"])
    assert "canary" not in "\n".join(one.heard)


def test_a_verifier_that_a_program_gives_is_refused(one: Engine, current: Emulator) -> None:
    """At any depth."""
    program = oauth(current)
    program["c"]["refresh"]["__refresh_token_verifier"] = "hmac-sha256-1:00"
    program["c"]["refresh"]["token_endpoint_auth"]["__client_secret_verifier"] = "unread"

    (line,) = one.up(program)

    found = [part.partition(":")[0] for part in _snake(line).split("; ") if "is not a known key" in part]
    assert ["refresh.__refresh_token_verifier", "refresh.token_endpoint_auth.__client_secret_verifier"] == found
