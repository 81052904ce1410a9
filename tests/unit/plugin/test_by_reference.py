"""Secrets by reference over the protocol: names of the schema, previews, imports, logs, and one read for a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from in_process.provider import CREDENTIAL, NONE, SOME, Failed, Provider, Resource, serve
from in_process.wire import UNKNOWN, received, secret
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin import names
from pulumi_qoder_vault.pulumi_values import PulumiProperties
from pulumi_qoder_vault.secret_reader import READER
from unit.lifecycle.drawn_references import OTHERS, Program, by_reference, changes, put
from unit.plugin.engine_side import LoggingEngine

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
ONE, TWO, NEXT = "mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-next-3333"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
REVISIONS = ("2026-05", "2026-07")

Given = dict[str, Any]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONE_TOKEN", ONE)
    monkeypatch.setenv("TWO_TOKEN", TWO)
    monkeypatch.delenv("NO_TOKEN", raising=False)
    READER.forget()


def bearer(url: str = URL, name: str = "ONE_TOKEN", **fields: Any) -> Given:
    return {"mcpServerUrl": url, "accessTokenFrom": {"env": name}, **fields}


def vault(*credentials: Given, **fields: Any) -> Given:
    return {"displayName": "my-mcp-vault", "credentials": list(credentials), **fields}


# Check


def test_a_check_says_where_it_is_and_no_more(plugin: Provider, qoder: Emulator) -> None:
    """The reference is plain, its verifier is a secret, and what was read is in neither."""
    (checked,) = plugin.checked(vault(bearer()))["credentials"]

    verifier = checked.pop("__access_token_verifier")
    assert bearer() | {"protocol": "streamable_http", "type": "static_bearer"} == checked
    assert verifier == secret(verifier["value"])
    assert verifier["value"].startswith("hmac-sha256-1:")
    assert [] == qoder.requests


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        (bearer(name="NO_TOKEN"), "credentials[0].accessTokenFrom: environment variable 'NO_TOKEN' is not set where"),
        (
            {**bearer(), "accessToken": TWO},
            "credentials[0].accessToken: is there twice, by value and by accessTokenFrom",
        ),
        ({**bearer(), "accessTokenFrom": {}}, "credentials[0].accessTokenFrom: must have exactly one of env, file"),
        ({**bearer(), "rotationTrigger": 7}, "credentials[0].rotationTrigger: must be a string"),
        ({**bearer(), "accesTokenFrom": {}}, "credentials[0].accesTokenFrom: is not a known key; did you mean access"),
    ],
)
def test_a_problem_has_the_names_of_the_schema(plugin: Provider, given_: Given, line: str) -> None:
    """As everywhere in the plugin."""
    assert [line] == [problem[: len(line)] for problem in plugin.problems(vault(given_))]


def test_a_reference_that_is_ignored_with_its_verifier_is_left_alone(
    vault_plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the manual says for a credential: nothing is read, and there is no change; without the verifier it is read."""
    qoder, plugin = vault_plugin("2026-07", CREDENTIAL)
    given_ = {"vaultId": qoder.add_vault("shared").id, **bearer()}
    made = plugin.create(given_)
    monkeypatch.delenv("ONE_TOKEN")
    READER.forget()

    ignored = {**given_, "__access_token_verifier": made.inputs["__access_token_verifier"]}

    assert {} == plugin.diff(made, plugin.checked(ignored, made.inputs)).kinds
    assert 1 == len(plugin.problems(given_, made.inputs))


def test_a_nested_reference_is_named_by_its_path(credentials: Provider) -> None:
    """In the names of the schema, at any depth."""
    program = _oauth(VAULT_ID, "NO_TOKEN", "NO_TOKEN", "NO_TOKEN")

    said = "environment variable 'NO_TOKEN' is not set where pulumi runs"
    paths = ("accessTokenFrom", "refresh.refreshTokenFrom", "refresh.tokenEndpointAuth.clientSecretFrom")
    assert {f"{path}: {said}" for path in paths} == set(credentials.problems(program))


def _oauth(vault_id: str, token: str, refresh: str, client: str) -> Given:
    return {
        "vaultId": vault_id,
        "type": "mcp_oauth",
        "mcpServerUrl": URL,
        "accessTokenFrom": {"env": token},
        "refresh": {
            "clientId": "client-1",
            "refreshTokenFrom": {"env": refresh},
            "tokenEndpoint": "https://example.com/token",
            "tokenEndpointAuth": {"type": "client_secret_basic", "clientSecretFrom": {"env": client}},
        },
    }


def test_what_is_missing_when_it_is_sent_has_the_names_of_the_schema(vault_plugin: Callable[..., Any]) -> None:
    """In the error of a create, where no check has read."""
    qoder, plugin = vault_plugin("2026-07", CREDENTIAL, settings={"readReferences": "when-sent"})
    vault_id = qoder.add_vault("shared").id

    with pytest.raises(Failed) as caught:
        plugin.create(_oauth(vault_id, "ONE_TOKEN", "TWO_TOKEN", "NO_TOKEN"))

    said = "environment variable 'NO_TOKEN' is not set where pulumi runs"
    assert f"refresh.tokenEndpointAuth.clientSecretFrom: {said}" == caught.value.line
    assert [] == qoder.requests


@pytest.mark.parametrize(
    "reference", [UNKNOWN, {"env": UNKNOWN}, {"command": ["op", UNKNOWN]}, secret({"env": "ONE_TOKEN"})]
)
def test_what_is_not_known_yet_is_no_problem(plugin: Provider, qoder: Emulator, reference: Any) -> None:
    """It is read once it is known; a mark of a secret that the program set stays."""
    news = vault({"mcpServerUrl": URL, "accessTokenFrom": reference})

    _, outputs = plugin.preview_create(news)
    made = plugin.create(vault(bearer()))
    foreseen = plugin.preview_update(made, news)

    assert [] == plugin.problems(news)
    assert ONE not in json.dumps([outputs, foreseen])


# Previews


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_diff_names_the_url_that_rotates(
    vault_plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    """As a count that goes up, in a vault of two; and a preview knows that its time will be another."""
    _, plugin = vault_plugin(revision)
    made = plugin.create(vault(bearer(), bearer(OTHER_URL, "TWO_TOKEN")))
    monkeypatch.setenv("TWO_TOKEN", NEXT)
    READER.forget()
    news = vault(bearer(), bearer(OTHER_URL, "TWO_TOKEN"))

    change = plugin.diff(made, plugin.checked(news, made.inputs))
    foreseen = plugin.preview_update(made, news)
    after = plugin.update(made, news)

    assert (SOME, []) == (change.changes, change.replaces)
    verifier = "credentials[1].__access_token_verifier"
    assert {verifier: "UPDATE", f'rotations["{OTHER_URL}"]': "UPDATE"} == change.kinds
    assert {URL: 0, OTHER_URL: 1} == foreseen["rotations"] == after.outputs["rotations"]
    assert {URL: made.outputs["rotatedAt"][URL], OTHER_URL: UNKNOWN} == foreseen["rotatedAt"]
    assert NONE == plugin.diff(after, plugin.checked(news, after.inputs)).changes


def test_a_diff_counts_what_no_check_could_see(
    vault_plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made when no check read, and read by now: the preview of a vault, and of a credential, count it."""
    qoder, plugin = vault_plugin("2026-07", settings={"readReferences": "when-sent"})
    alone = plugin.of(CREDENTIAL)
    mine = {"vaultId": qoder.add_vault("shared").id, **bearer()}
    made, one = plugin.create(vault(bearer())), alone.create(mine)
    plugin.configure(qoder)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    READER.forget()

    assert "UPDATE" == plugin.diff(made, plugin.checked(vault(bearer()), made.inputs)).kinds[f'rotations["{URL}"]']
    assert "UPDATE" == alone.diff(one, alone.checked(mine, one.inputs)).kinds["rotations"]
    assert {URL: 1} == plugin.preview_update(made, vault(bearer()))["rotations"]
    assert {URL: 1} == plugin.update(made, vault(bearer())).outputs["rotations"]
    assert 1 == alone.preview_update(one, mine)["rotations"] == alone.update(one, mine).outputs["rotations"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_change_of_form_is_an_update_of_the_state(vault_plugin: Callable[..., Any], revision: str) -> None:
    """Either way, with the same value: no request, no count, and the time stays."""
    qoder, plugin = vault_plugin(revision)
    by_value = {"mcpServerUrl": URL, "accessToken": secret(ONE)}
    made = plugin.create(vault(by_value))
    qoder.clear_requests()

    referred = plugin.update(made, vault(bearer()))
    back = plugin.update(referred, vault(by_value))

    assert {"ADD"} == {kind for path, kind in plugin.diff(made, referred.inputs).kinds.items() if "From" in path}
    assert [] == qoder.requests
    assert [made.outputs["rotatedAt"]] * 2 == [referred.outputs["rotatedAt"], back.outputs["rotatedAt"]]
    assert [{URL: 0}] * 2 == [referred.outputs["rotations"], back.outputs["rotations"]]
    assert ONE not in json.dumps([referred.inputs, referred.outputs])
    assert made.outputs == back.outputs


# Nothing of it is in Pulumi


class Listener(Provider):
    """A provider, and all that it responds."""

    def __init__(self, provider: Provider, type_: str) -> None:
        super().__init__(provider.stub, type_)
        self.heard: list[str] = []

    def call(self, method: str, **fields: Any) -> Any:
        try:
            response = super().call(method, **fields)
        except Failed as failure:
            self.heard.append(f"{failure.line} {failure.details} {failure.status} {failure.partial}")
            raise
        self.heard.append(str(response))
        return response


@pytest.fixture(scope="module")
def current() -> Iterator[tuple[Emulator, Provider]]:
    """A service, and one plugin for it, for all examples."""
    with Emulator("2026-07") as qoder, ExitStack() as closing:
        yield qoder, serve(closing)


def _program(drawn: Program, vault_id: str, environment: pytest.MonkeyPatch) -> Given:
    """A drawn credential as a program writes it, with what it refers to in the environment."""
    inputs = {**json.loads(json.dumps(OTHERS[drawn.type])), "vault_id": vault_id, "type": drawn.type}
    if drawn.trigger:
        inputs["rotation_trigger"] = drawn.trigger
    for number, (path, asked) in enumerate(drawn.secrets.items()):
        environment.setenv(f"DRAWN_TOKEN_{number}", asked.word)
        if asked.reference is None:
            put(inputs, path, secret(asked.word))
        else:
            put(inputs, by_reference(path), {"env": f"DRAWN_TOKEN_{number}"})
    return dict(names.to_schema(PulumiProperties(inputs)))


@settings(max_examples=40)
@given(changes)
def test_no_response_holds_what_is_by_reference(
    current: tuple[Emulator, Provider], change: tuple[Program, Program]
) -> None:
    """Of a check, a diff, a preview, a create, an update, a read, an import and a deletion, of every type."""
    qoder, provider = current
    listener = Listener(provider, CREDENTIAL).configure(qoder)
    assert isinstance(listener, Listener)
    vault_id = qoder.add_vault("shared").id
    made: Resource | None = None
    for drawn in change:
        READER.forget()
        with pytest.MonkeyPatch.context() as environment:
            news = _program(drawn, vault_id, environment)
            if made is None:
                listener.preview_create(news)
                made = listener.create(news)
            else:
                listener.diff(made, listener.checked(news, made.inputs))
                listener.preview_update(made, news)
                made = listener.update(made, news)
        listener.refresh(made)
        listener.find(made.id)
    assert made is not None
    listener.delete(made)

    by_value = {asked.word for drawn in change for asked in drawn.secrets.values() if asked.reference is None}
    hidden = {asked.word for drawn in change for asked in drawn.secrets.values()} - by_value
    assert [] == [word for word in hidden if word in "\n".join(listener.heard)]


def test_a_check_that_fails_shows_nothing(plugin: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in its reasons nor in the inputs that it hands back."""
    monkeypatch.setenv("NO_TOKEN", "two canaries\nof a token")
    listener = Listener(plugin, plugin.type)

    (line,) = listener.problems(vault(bearer(name="NO_TOKEN")))

    assert line.startswith("credentials[0].accessTokenFrom: environment variable 'NO_TOKEN': its value ")
    assert "canar" not in "\n".join(listener.heard)


@pytest.mark.parametrize("reads", ["always", "when-sent"])
def test_no_log_holds_what_was_read(
    serve: Callable[..., Provider],
    qoder: Emulator,
    engine: tuple[str, LoggingEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    reads: str,
) -> None:
    """Neither that of requests, nor the engine's, nor what the process writes."""
    address, log = engine
    monkeypatch.setenv("QODER_LOG", str(tmp_path / "requests.log"))
    plugin = serve(address).configure(qoder, readReferences=reads)

    made = plugin.create(vault(bearer(rotationTrigger="1"), bearer(OTHER_URL, "TWO_TOKEN", rotationTrigger="1")))
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    READER.forget()
    plugin.update(made, vault(bearer(rotationTrigger="2"), bearer(OTHER_URL, "TWO_TOKEN", rotationTrigger="2")))

    logged = (tmp_path / "requests.log").read_text(encoding="utf-8")
    assert "POST" in logged, "or nothing would be proven"
    said = f"{logged} {log.logged} {capfd.readouterr()}"
    assert [] == [token for token in (ONE, TWO, NEXT) if token in said]


# Imports


@pytest.mark.parametrize("reads", ["always", "when-sent"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_filling_in_a_reference_is_one_rotation(vault_plugin: Callable[..., Any], revision: str, reads: str) -> None:
    """After an import nobody knows what Qoder has: it is sent once, and then there is nothing left to do."""
    qoder, plugin = vault_plugin(revision, CREDENTIAL, settings={"readReferences": reads})
    vault_id = qoder.add_vault("shared").id
    theirs = qoder.add_credential(vault_id, URL, "their-token")
    found = plugin.find(f"{vault_id}/{theirs.id}")
    assert found is not None
    qoder.clear_requests()
    news = {"vaultId": vault_id, **bearer()}

    assert SOME == plugin.diff(found, plugin.checked(news, found.inputs)).changes
    after = plugin.update(found, news)

    (there,) = qoder.vaults
    assert [ONE] == [item.access_token for item in there.credentials if item.status == "active"]
    assert 1 == after.outputs["rotations"]
    qoder.clear_requests()
    assert NONE == plugin.diff(after, plugin.checked(news, after.inputs)).changes
    assert after.outputs == plugin.update(after, news).outputs
    assert [] == qoder.writes


def test_a_reference_of_a_vault_that_was_imported(vault_plugin: Callable[..., Any]) -> None:
    """Each credential that a program fills in is sent; the others are left alone."""
    qoder, plugin = vault_plugin("2026-07")
    vault_id = qoder.add_vault("my-mcp-vault").id
    for url in (URL, OTHER_URL):
        qoder.add_credential(vault_id, url, "their-token")
    found = plugin.find(vault_id)
    assert found is not None
    qoder.clear_requests()

    after = plugin.update(found, vault(bearer(), {"mcpServerUrl": OTHER_URL}))

    assert {URL: ONE, OTHER_URL: "their-token"} == {
        item.mcp_server_url: item.access_token for there in qoder.vaults for item in there.credentials
    }
    assert ({URL: 1, OTHER_URL: 0}, {URL}) == (after.outputs["rotations"], {*after.outputs["rotatedAt"]})


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_trigger_cannot_send_what_nobody_knows(vault_plugin: Callable[..., Any], revision: str) -> None:
    """After an import: the line says what to fill in, and nothing is sent."""
    qoder, plugin = vault_plugin(revision, CREDENTIAL)
    vault_id = qoder.add_vault("shared").id
    found = plugin.find(f"{vault_id}/{qoder.add_credential(vault_id, URL, 'their-token').id}")
    assert found is not None
    news = {"vaultId": vault_id, "mcpServerUrl": URL}
    added = plugin.update(found, {**news, "rotationTrigger": "1"})
    qoder.clear_requests()

    with pytest.raises(Failed) as caught:
        plugin.update(added, {**news, "rotationTrigger": "2"})

    assert "its access token is not known: add it to the program" in caught.value.line
    assert [] == qoder.writes


def test_a_value_that_is_not_known_yet_is_a_change(plugin: Provider) -> None:
    """It takes the place of a reference, and may be another one."""
    made = plugin.create(vault(bearer()))
    news = vault({"mcpServerUrl": URL, "accessToken": secret(UNKNOWN)})

    change = plugin.diff(made, plugin.checked(news, made.inputs))

    assert {"credentials[0].accessToken": "UPDATE", "credentials[0].accessTokenFrom": "DELETE"} == change.kinds


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_preview_of_what_will_be_read_and_sent(vault_plugin: Callable[..., Any], revision: str) -> None:
    """After an import, where no check reads: on 2026-05 another credential takes its place, whose id nobody knows."""
    qoder, plugin = vault_plugin(revision, settings={"readReferences": "when-sent"})
    vault_id = qoder.add_vault("my-mcp-vault").id
    theirs = qoder.add_credential(vault_id, URL, "their-token").id
    found = plugin.find(vault_id)
    assert found is not None

    foreseen = plugin.preview_update(found, vault(bearer()))
    after = plugin.update(found, vault(bearer())).outputs

    assert {URL: UNKNOWN if revision == "2026-05" else theirs} == foreseen["credentialIds"]
    assert ({URL: UNKNOWN}, {URL}) == (foreseen["rotatedAt"], {*after["rotatedAt"]})
    assert (revision == "2026-07") is ({URL: theirs} == after["credentialIds"])
    assert {URL: 1} == after["rotations"]


def test_a_trigger_that_is_not_known_yet_counts_nothing(plugin: Provider) -> None:
    """It may be the one that is there."""
    made = plugin.create(vault(bearer(rotationTrigger="1")))
    news = vault(bearer(rotationTrigger=UNKNOWN))

    assert {URL: 0} == plugin.checked(news, made.inputs)["rotations"]
    assert {URL: 0} == plugin.preview_update(made, news)["rotations"]
    assert {URL: 0} == plugin.update(made, vault(bearer(rotationTrigger="1"))).outputs["rotations"]


# One read for a run


def _counted(name: str) -> Given:
    program = "import os, sys; open(sys.argv[1], 'a').write('x'); print(os.environ['ONE_TOKEN'])"
    return {"command": [sys.executable, "-I", "-S", "-c", program, name]}


def test_a_run_reads_each_once(plugin: Provider, qoder: Emulator, tmp_path: Path) -> None:
    """However many resources and calls; the next run, or the next command of one engine, reads anew."""
    news = vault({"mcpServerUrl": URL, "accessTokenFrom": _counted("runs")})
    made = plugin.create(news)
    plugin.preview_create(news)
    plugin.update(made, news)
    assert "x" == (tmp_path / "runs").read_text()

    begins: tuple[Callable[[], Any], ...] = (
        lambda: plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest()),
        lambda: plugin.stub.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1")),
    )
    for count, begin in enumerate(begins, start=2):
        begin()
        plugin.checked(news, made.inputs)
        plugin.checked(news, made.inputs)
        assert "x" * count == (tmp_path / "runs").read_text()


def test_what_was_checked_is_what_is_sent_and_recorded(plugin: Provider, qoder: Emulator, tmp_path: Path) -> None:
    """A file that changes between the check and the create, or the update: the next run sees a rotation."""
    token = tmp_path / "token"
    news = vault({"mcpServerUrl": URL, "accessTokenFrom": {"file": "token"}})
    token.write_text(ONE)
    inputs = plugin.checked(news)
    token.write_text(TWO)
    created = plugin.call("Create", urn=plugin.urn, properties=inputs)
    made = Resource(created.id, inputs, received(created.properties))
    assert [ONE] == [item.access_token for there in qoder.vaults for item in there.credentials]
    assert NONE == plugin.diff(made, plugin.checked(news, made.inputs)).changes

    READER.forget()
    inputs = plugin.checked(news, made.inputs)
    token.write_text(NEXT)
    plugin.call("Update", urn=plugin.urn, id=made.id, olds=made.outputs, news=inputs)
    active = [item for there in qoder.vaults for item in there.credentials if item.status == "active"]
    assert [TWO] == [item.access_token for item in active]


def test_a_process_that_has_forgotten_reads_again(
    plugin: Provider, qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the check found to be another value is sent; and what was sent is what the state says."""
    made = plugin.create(vault(bearer()))
    monkeypatch.setenv("ONE_TOKEN", TWO)
    READER.forget()
    inputs = plugin.checked(vault(bearer()), made.inputs)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    READER.forget()

    updated = plugin.call("Update", urn=plugin.urn, id=made.id, olds=made.outputs, news=inputs)

    outputs = received(updated.properties)
    (there,) = qoder.vaults
    assert [NEXT] == [item.access_token for item in there.credentials if item.status == "active"]
    assert {URL: 1} == outputs["rotations"]
    verifier = plugin.checked(vault(bearer()))["credentials"][0]["__access_token_verifier"]
    assert verifier == outputs["credentials"][0]["__access_token_verifier"]
    assert verifier != inputs["credentials"][0]["__access_token_verifier"]


# A state of a newer version


@pytest.mark.parametrize("verifier", ["hmac-sha256-2:00", "argon2-1:00"])
def test_a_verifier_of_a_newer_version_sends_nothing(plugin: Provider, qoder: Emulator, verifier: str) -> None:
    """Nobody knows what it says: one line, which names the property."""
    made = plugin.create(vault(bearer()))
    (item,) = made.outputs["credentials"]
    newer = Resource(
        made.id, made.inputs, {**made.outputs, "credentials": [{**item, "__access_token_verifier": secret(verifier)}]}
    )
    qoder.clear_requests()

    for act in (plugin.refresh, plugin.delete):
        with pytest.raises(Failed) as caught:
            act(newer)
        assert "credentials[0].__access_token_verifier" in caught.value.line
        assert "upgrade" in caught.value.line
    assert [] == qoder.requests


def test_a_reference_of_a_newer_version_sends_nothing(plugin: Provider, qoder: Emulator) -> None:
    """Nobody knows where it is read: likewise."""
    made = plugin.create(vault(bearer()))
    (item,) = made.outputs["credentials"]
    newer = Resource(
        made.id, made.inputs, {**made.outputs, "credentials": [{**item, "accessTokenFrom": {"vault": "canary"}}]}
    )
    qoder.clear_requests()

    acts: tuple[Callable[[], Any], ...] = (
        lambda: plugin.update(newer, vault(bearer())),
        lambda: plugin.refresh(newer),
        lambda: plugin.delete(newer),
    )
    for act in acts:
        with pytest.raises(Failed) as caught:
            act()
        assert "credentials[0].accessTokenFrom" in caught.value.line
        assert "upgrade" in caught.value.line
        assert "canary" not in caught.value.line
    assert [] == qoder.requests
