"""Lives of a vault, and of a credential of each type, whose secrets are by value and by reference, on both fronts.

What each `up` sends, counts and records is foretold by a model that knows neither verifiers nor states: the values
that Qoder has, and the triggers. Nothing that Pulumi is told holds a secret that no program ever gave by value.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in_process.engine import Engine, MovableTime
from pulumi_qoder_vault.emulator import Emulator, RevisionName
from pulumi_qoder_vault.lifecycle.inputs import Path
from unit.lifecycle.drawn_references import OTHERS, PATHS, at, by_reference, put

URLS = {letter: f"https://{letter}.example/mcp" for letter in "ab"}
LONG_AGO = "2020-01-01T00:00:00Z"
WORDS = [f"life-canary-{name}-0123456789" for name in ("one", "two", "three")]


@dataclass(frozen=True)
class Asked:
    """One secret as a program asks for it: `value`, `env` or `file`, and what is there by then."""

    form: str
    word: str


@dataclass(frozen=True)
class Step:
    """One `up`: the secrets, and the trigger of what they belong to; whether a check reads."""

    secrets: Mapping[Any, Asked]
    triggers: Mapping[Any, str | None]
    reads: bool

    @contextmanager
    def surroundings(self) -> Iterator[dict[Any, Any]]:
        """Put each secret where its reference says, and return what the program gives."""
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            given_: dict[Any, Any] = {}
            for number, (place, asked) in enumerate(sorted(self.secrets.items(), key=repr)):
                name = f"LIFE_TOKEN_{number}"
                if asked.form == "env":
                    patch.setenv(name, asked.word)
                elif asked.form == "file":
                    FilePath(name).write_text(f"{asked.word}\n")
                given_[place] = asked.word if asked.form == "value" else {asked.form: name}
            yield given_
            patch.chdir(os.sep)  # Windows deletes no folder that somebody is in

    def sends(self, place: Any, before: str | None, *, is_triggered: bool) -> bool:
        """Return True if a secret is to be sent: Qoder has another one, as far as that is looked at, or none."""
        asked = self.secrets[place]
        is_known = self.reads or asked.form == "value"
        return before is None or is_triggered or (is_known and asked.word != before)


def is_triggered(before: str | None, after: str | None) -> bool:
    return before is not None and after is not None and before != after


secrets = st.builds(Asked, st.sampled_from(["value", "env", "file"]), st.sampled_from(WORDS))
triggers = st.sampled_from([None, None, "1", "2"])


def steps_of(places: list[Any], owners: list[Any], optional: list[Any]) -> st.SearchStrategy[list[Step]]:
    one = st.builds(
        Step,
        st.fixed_dictionaries(
            {place: secrets for place in places if place not in optional},
            optional=dict.fromkeys(optional, secrets),
        ),
        st.fixed_dictionaries(dict.fromkeys(owners, triggers)),
        st.booleans(),
    )
    return st.lists(one, min_size=2, max_size=5)


class Told:
    """What Pulumi is told in a life, and which words a program gave by value."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.by_value: set[str] = set()

    def holds_back(self, step: Step) -> None:
        """Nothing that was said, ever, holds what no program gave; the state, what this one does not give."""
        given_ = {asked.word for asked in step.secrets.values() if asked.form == "value"}
        self.by_value |= given_
        (resource,) = self.engine.state.values()
        state = json.dumps([resource.inputs, resource.outputs])

        assert [] == [word for word in WORDS if word not in self.by_value if is_in("\n".join(self.engine.heard), word)]
        assert [] == [word for word in WORDS if word not in given_ and is_in(state, word)]
        self.engine.heard.clear()


def is_in(text: str, word: str) -> bool:
    """Return True if a text holds a secret in any usual spelling."""
    encoded = word.encode()
    return any(form in text for form in (word, encoded.hex(), base64.b64encode(encoded).decode()[:-4]))


def written(qoder: Emulator) -> list[str]:
    """Methods of the requests that change something; none holds what is the provider's own."""
    assert [] == [key for request in qoder.writes for key in local_keys(request.body)]
    methods = [request.method for request in qoder.writes]
    qoder.clear_requests()
    return methods


def local_keys(body: Any) -> list[str]:
    if isinstance(body, list):
        return [key for item in body for key in local_keys(item)]
    if not isinstance(body, dict):
        return []
    own = [key for key in body if key.endswith("_from") or key.startswith("__") or "trigger" in key]
    return own + [key for item in body.values() for key in local_keys(item)]


# A vault


@dataclass
class Vault:
    """What Qoder has of a vault, and how often each secret was sent anew."""

    words: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    triggers: dict[str, str | None] = field(default_factory=dict)

    def foretell(self, step: Step) -> tuple[set[str], set[str], set[str]]:
        """Return what is made, what is rotated and what is deleted by a step; and count it."""
        wanted = {letter for letter in URLS if letter in step.secrets}
        made, gone = wanted - self.words.keys(), self.words.keys() - wanted
        rotated = {
            letter
            for letter in wanted - made
            if step.sends(
                letter,
                self.words[letter],
                is_triggered=is_triggered(self.triggers[letter], step.triggers[letter]),
            )
        }
        for letter in made | rotated:
            self.words[letter] = step.secrets[letter].word
        self.counts = {it: self.counts.get(it, 0) + (it in rotated) if it not in made else 0 for it in wanted}
        self.words = {letter: word for letter, word in self.words.items() if letter in wanted}
        self.triggers = {letter: step.triggers[letter] for letter in wanted}
        return made, rotated, gone


def vault(step: Step, given_: Mapping[str, Any]) -> dict[str, Any]:
    credentials = []
    for letter in sorted(given_):
        name = "access_token" if step.secrets[letter].form == "value" else "access_token_from"
        trigger = {"rotation_trigger": step.triggers[letter]} if step.triggers[letter] else {}
        credentials.append({"mcp_server_url": URLS[letter], name: given_[letter], **trigger})
    return {"v": {"display_name": "my-mcp-vault", "credentials": credentials, "on_delete": "delete"}}


def tokens(qoder: Emulator) -> dict[str, str | None]:
    (there,) = qoder.vaults
    active = [item for item in there.credentials if item.status == "active"]
    assert len(active) == len({item.mcp_server_url for item in active})
    return {letter: item.access_token for letter, url in URLS.items() for item in active if item.mcp_server_url == url}


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
@pytest.mark.parametrize("front", ["dynamic", "plugin"])
@settings(max_examples=25)
@given(st.data())
def test_a_vault_lives(front: str, revision: RevisionName, data: st.DataObject) -> None:
    """One request for one rotation, whatever the form; none for another form, and none for what was not read."""
    with Emulator(revision) as qoder:
        engine, model = Engine(qoder, MovableTime(), front, apiRevision=revision), Vault()
        told = Told(engine)
        for step in data.draw(steps_of(list(URLS), list(URLS), optional=["b"])):
            is_new = not engine.state
            forget_times(engine)
            engine.settings["readReferences"] = "always" if step.reads else "when-sent"
            made, rotated, gone = model.foretell(step)
            with step.surroundings() as given_:
                program = vault(step, given_)
                planned = engine.preview(program)
                if made | rotated | gone:
                    assert {"v": "create" if is_new else "update"} == planned
                assert [] == qoder.requests
                assert [] == engine.up(program)
                assert {} == engine.preview(program)

            assert model.words == tokens(qoder)
            each = 1 if revision == "2026-07" else 2
            if not is_new:
                assert len(made) + each * len(rotated) + len(gone) == len(written(qoder))
            written(qoder)
            outputs = engine.state["v"].outputs
            assert {URLS[letter]: count for letter, count in model.counts.items()} == outputs["rotations"]
            assert {URLS[letter] for letter in model.words} == outputs["rotated_at"].keys()
            stays = {letter for letter in model.words if outputs["rotated_at"][URLS[letter]] == LONG_AGO}
            assert model.words.keys() - made - rotated == stays
            told.holds_back(step)
            assert [] == engine.refresh()
            assert outputs | {"other_credentials": {}} == engine.state["v"].outputs
            qoder.clear_requests()
        assert [] == engine.destroy()
        assert [] == qoder.vaults


def forget_times(engine: Engine) -> None:
    """Let every time that is recorded be long ago."""
    for resource in engine.state.values():
        times = resource.outputs["rotated_at"]
        resource.outputs["rotated_at"] = LONG_AGO if isinstance(times, str) else dict.fromkeys(times, LONG_AGO)


# A credential of each type


@dataclass
class OneCredential:
    """What Qoder has of a credential, and how often any of its secrets was sent anew."""

    words: dict[Path, str] = field(default_factory=dict)
    count: int = 0
    trigger: str | None = None

    def foretell(self, step: Step) -> bool:
        """Return True if a step sends anything; and count it."""
        triggered = is_triggered(self.trigger, step.triggers[None])
        sent = {path for path in step.secrets if step.sends(path, self.words.get(path), is_triggered=triggered)}
        self.count += bool(sent and self.words)
        self.words |= {path: step.secrets[path].word for path in sent}
        self.trigger = step.triggers[None]
        return bool(sent)


def credential(type_: str, step: Step, given_: Mapping[Path, Any], vault_id: str) -> dict[str, Any]:
    trigger = {"rotation_trigger": step.triggers[None]} if step.triggers[None] else {}
    program = {"vault_id": vault_id, "type": type_, **copy.deepcopy(OTHERS[type_]), **trigger}
    for path, value in given_.items():
        put(program, path if step.secrets[path].form == "value" else by_reference(path), value)
    return {"c": program}


@pytest.mark.parametrize("type_", PATHS)
@pytest.mark.parametrize("front", ["dynamic credential", "credential"])
@settings(max_examples=20)
@given(st.data())
def test_a_credential_lives(front: str, type_: str, data: st.DataObject) -> None:
    """One request for one rotation of any of its secrets, at any depth, with all of them that have changed."""
    with Emulator("2026-07") as qoder:
        engine, model = Engine(qoder, MovableTime(), front, apiRevision="2026-07"), OneCredential()
        told, vault_id = Told(engine), qoder.add_vault("shared").id
        for step in data.draw(steps_of(list(PATHS[type_]), [None], optional=[])):
            is_new = not engine.state
            forget_times(engine)
            engine.settings["readReferences"] = "always" if step.reads else "when-sent"
            is_sent = model.foretell(step)
            with step.surroundings() as given_:
                program = credential(type_, step, given_, vault_id)
                planned = engine.preview(program)
                if is_sent:
                    assert {"c": "create" if is_new else "update"} == planned
                assert [] == qoder.requests
                assert [] == engine.up(program)
                assert {} == engine.preview(program)

            assert ["POST"] * is_sent == written(qoder)
            assert model.words == {path: at(auth_of(qoder), sent_as(type_, path)) for path in PATHS[type_]}
            outputs = engine.state["c"].outputs
            assert (model.count, is_sent) == (outputs["rotations"], outputs["rotated_at"] != LONG_AGO)
            told.holds_back(step)
            assert [] == engine.refresh()
            assert outputs == engine.state["c"].outputs
            qoder.clear_requests()
        assert [] == engine.destroy()
        assert [[]] == [there.credentials for there in qoder.vaults]


def auth_of(qoder: Emulator) -> Mapping[str, Any]:
    ((one,),) = ([item for item in there.credentials if item.status == "active"] for there in qoder.vaults)
    return cast("Mapping[str, Any]", one.auth)


def sent_as(type_: str, path: Path) -> Path:
    return ("token",) if (type_, path) == ("static_bearer", ("access_token",)) else path
