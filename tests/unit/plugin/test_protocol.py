"""The protocol itself: greetings, configuration, cancellation, codes, lines, partial state, long waits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2

from in_process.provider import NONE, SOME, VAULT, Failed, Provider, Resource
from in_process.wire import UNKNOWN, in_plain, plain, received, secret
from pulumi_qoder_vault import errors
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.lifecycle.model import PartialState
from pulumi_qoder_vault.plugin import servicer
from unit.plugin.engine_side import LoggingEngine, in_time

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN, OTHER_TOKEN, NEW_TOKEN = "mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-next-3333"
API_TOKEN = "pt-canary-0123456789"
NO_MINUTE = "qoder:timeout: must be a time such as 90, 90s or 1m30s, at most 24h"
Code = grpc.StatusCode


def vault(*credentials: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"displayName": "my-mcp-vault", "credentials": list(credentials or (credential(),)), **fields}


def credential(url: str = URL, token: Any = TOKEN) -> dict[str, Any]:
    return {"mcpServerUrl": url, "accessToken": token}


class Later:
    """A call that goes on while the test does."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.result: Any = None
        self._act = act
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._act()
        except Failed as failure:
            self.result = failure

    def wait(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive(), "it goes on"
        return self.result


# Greetings


def test_the_handshake_promises_secrets_and_nothing_more(serve: Callable[..., Provider]) -> None:
    """Secrets come and go marked; resources and outputs as values would not be understood."""
    answer = serve().stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))

    assert (True, False, False) == (answer.accept_secrets, answer.accept_resources, answer.accept_outputs)
    assert not answer.supports_autonaming_configuration


def test_configure_promises_secrets_and_previews(serve: Callable[..., Provider]) -> None:
    """Without the preview flag the engine would show no outputs in a preview."""
    answer = serve().call("Configure", args={})

    assert (True, True, False, False) == (
        answer.acceptSecrets,
        answer.supportsPreview,
        answer.acceptResources,
        answer.acceptOutputs,
    )


def test_the_plugin_has_the_version_of_the_package(serve: Callable[..., Provider]) -> None:
    """A stack records it, and the schema has the same."""
    plugin = serve()

    assert version("pulumi-qoder-vault") == plugin.stub.GetPluginInfo(empty_pb2.Empty()).version
    schema = json.loads(plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert ("qoder", version("pulumi-qoder-vault")) == (schema["name"], schema["version"])


# Configuration


def test_check_config_gives_the_api_token_back_as_a_secret(serve: Callable[..., Provider]) -> None:
    """Also where the program forgot to mark it: an explicit provider's arguments stand in the state."""
    answer = serve().call("CheckConfig", news={"apiToken": API_TOKEN, "workspaceId": "ws_1", "version": "0.1.0"})

    assert [] == list(answer.failures)
    assert {"apiToken": secret(API_TOKEN), "workspaceId": "ws_1", "version": "0.1.0"} == received(answer.inputs)


def test_check_config_keeps_secret_what_was_given_as_one(serve: Callable[..., Provider]) -> None:
    """Any setting may be one, and the API token is not wrapped twice."""
    given = {"apiToken": secret(API_TOKEN), "workspaceId": secret("ws-canary")}

    assert given == received(serve().call("CheckConfig", news=given).inputs)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"timeout": "soon"}, NO_MINUTE),
        ({"apiRevision": "2027"}, "qoder:apiRevision: must be one of auto, 2026-05, 2026-07"),
        (
            {"apiToken": f"{API_TOKEN}\nx"},
            "qoder:apiToken: the API token contains a control character, such as a line break; remove it",
        ),
        (
            {"maxWritesPerSecond": -1},
            "qoder:maxWritesPerSecond: must be a number of requests per second, such as 20; 0 lifts the limit",
        ),
    ],
)
def test_a_bad_setting_is_one_line_that_names_its_key(
    serve: Callable[..., Provider], settings: dict[str, Any], line: str
) -> None:
    """And shows no API token; the property stays empty, since the engine would print its value."""
    answer = serve().call("CheckConfig", news={"apiToken": API_TOKEN, **settings})

    assert [("", line)] == [(failure.property, failure.reason) for failure in answer.failures]
    assert [] == in_plain(received(answer.inputs))


def test_check_config_passes_what_is_not_known_yet(serve: Callable[..., Provider]) -> None:
    """A provider's arguments may be outputs of resources that do not exist yet."""
    answer = serve().call("CheckConfig", news={"apiToken": UNKNOWN, "timeout": UNKNOWN})

    assert [] == list(answer.failures)
    assert {"apiToken": UNKNOWN, "timeout": UNKNOWN} == plain(received(answer.inputs))


def test_diff_config_shows_what_changed_and_never_replaces(serve: Callable[..., Provider]) -> None:
    """Another API token or timeout must not make other vaults; nothing changed is no difference."""
    plugin = serve()
    old = {"apiToken": secret(API_TOKEN), "timeout": "1m"}

    same = plugin.call("DiffConfig", old_inputs=old, news={"apiToken": API_TOKEN, "timeout": "1m"})
    other = plugin.call(
        "DiffConfig", old_inputs=old, news={"apiToken": secret("pt-other"), "baseUrl": "https://q.example"}
    )

    assert (NONE, [], []) == (same.changes, list(same.diffs), list(same.replaces))
    assert (SOME, ["apiToken", "baseUrl", "timeout"], []) == (other.changes, list(other.diffs), list(other.replaces))


@pytest.mark.parametrize("name", ["default", "default_0_1_0", "default_1_2_3_alpha_1", "default_https_//a.example"])
def test_the_default_provider_uses_the_live_configuration(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A destroy brings the configuration of the last `up`: a revoked API token in it must not brick the stack."""
    live = {"qoder:apiToken": qoder.api_token, "qoder:baseUrl": qoder.base_url}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(live))
    plugin = serve().configure(qoder, name=name, apiToken="pt-revoked", baseUrl="https://old.example")

    plugin.create(vault())

    assert 1 == len(qoder.vaults)


def test_the_urn_tells_the_default_provider_too(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine may send the URN alone."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"apiToken": qoder.api_token, "baseUrl": qoder.base_url}))
    plugin = serve()
    plugin.call("Configure", urn="urn:pulumi:dev::project::pulumi:providers:qoder::default_0_1_0", args={})

    plugin.create(vault())

    assert 1 == len(qoder.vaults)


@pytest.mark.parametrize("name", ["mine", "", "defaulted", "default-account", "default_eu", "default_2"])
def test_an_explicit_provider_uses_its_own_arguments(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The stack's configuration may be about another account: a vault would be made, or looked for, in the wrong one.

    Pulumi calls its own `default`, or `default_` and a version.
    """
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"qoder:baseUrl": "https://other.example"}))
    plugin = serve().configure(qoder, name=name)

    plugin.create(vault())

    assert 1 == len(qoder.vaults)


@pytest.mark.parametrize("garbage", ['{"qoder:apiToken": "pt-canary', '["pt-canary"]', '"pt-canary"'])
def test_garbage_in_the_live_configuration_is_not_shown(
    serve: Callable[..., Provider], monkeypatch: pytest.MonkeyPatch, garbage: str
) -> None:
    """It may hold the API token."""
    monkeypatch.setenv("PULUMI_CONFIG", garbage)

    with pytest.raises(Failed) as caught:
        serve().call("Configure", name="default", args={})

    assert "PULUMI_CONFIG: must be a JSON object, as Pulumi writes it" == caught.value.line
    assert Code.INVALID_ARGUMENT == caught.value.code


def test_a_bad_setting_fails_the_call_that_needs_it(serve: Callable[..., Provider]) -> None:
    """Configure passes, so that a destroy can say what is wrong; a check says it at preview."""
    plugin = serve()
    plugin.call("Configure", args={"timeout": "soon"})

    assert [NO_MINUTE] == plugin.problems(vault())
    with pytest.raises(Failed) as caught:
        plugin.call("Delete", urn=plugin.urn, id="vault_1", properties={})
    assert (Code.INVALID_ARGUMENT, NO_MINUTE) == (caught.value.code, caught.value.line)


def test_the_environment_of_the_moment_serves_too(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no API token stands in any state."""
    monkeypatch.setenv("QODER_PAT", qoder.api_token)
    monkeypatch.setenv("QODER_BASE_URL", qoder.base_url)

    serve().create(vault())

    assert 1 == len(qoder.vaults)


# Misspelt settings, and one base URL for each engine


@pytest.mark.parametrize("key", ["baseURL", "base_url", "apiTokens", "time-out", "workspace"])
def test_a_misspelt_setting_is_refused_and_nothing_is_sent(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """At the preview, and by what a destroy and a function ask, whose configuration no preview has checked."""
    asked = serve().call("CheckConfig", news={"apiToken": API_TOKEN, key: API_TOKEN})
    (failure,) = asked.failures
    assert failure.reason.startswith(f"qoder:{key}: did you mean qoder:")
    assert "canary" not in failure.reason

    resource = serve().configure(qoder).create(vault())
    qoder.clear_requests()
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"qoder:{key}": API_TOKEN}))
    for plugin in (serve().configure(qoder), serve().configure(qoder, name="mine", **{key: API_TOKEN})):
        assert [failure.reason] == plugin.problems(vault())
        calls: list[Callable[[Provider], Any]] = [
            lambda plugin: plugin.delete(resource),
            lambda plugin: plugin.refresh(resource),
            lambda plugin: plugin.find(resource.id),
            lambda plugin: plugin.invoke("listVaults"),
        ]
        for call in calls:
            with pytest.raises(Failed) as caught:
                call(plugin)
            assert (failure.reason, Code.INVALID_ARGUMENT) == (caught.value.line, caught.value.code)
        assert NONE == plugin.diff(resource, resource.inputs).changes, "a Diff needs no settings"
    assert [] == qoder.requests


def test_a_misspelt_setting_of_the_last_up_bricks_nothing(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed since: a destroy brings the recorded configuration, and this run has its own."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"qoder:timeout": "1m"}))
    plugin = serve().configure(qoder, baseURL="https://old.example")

    plugin.delete(plugin.create(vault()))

    assert [] == qoder.vaults


@pytest.mark.parametrize("blank", ["", None])
def test_the_other_kind_of_credential_of_the_last_up_bricks_nothing(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch, blank: str | None
) -> None:
    """A stack that changed from a service-account key to an API token: a destroy brings the recorded key, too."""
    live = {"qoder:apiToken": qoder.api_token, "qoder:serviceAccountKey": blank}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(live))
    plugin = serve().configure(qoder, apiToken="", serviceAccountKey=secret("sa-canary-revoked"))

    plugin.delete(plugin.create(vault()))

    assert [] == qoder.vaults


def test_what_a_project_and_the_engine_have_of_their_own_is_left_alone(
    serve: Callable[..., Provider], qoder: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a project that is called `qoder`, its keys have our namespace; explicit providers are handed a version."""
    own = {"githubToken": API_TOKEN, "version": "0.1.0", "pluginDownloadURL": "https://a.example", "url": "x"}
    assert [] == list(serve().call("CheckConfig", news=own).failures)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"qoder:{key}": value for key, value in own.items()}))

    serve().configure(qoder, **own).create(vault())
    serve().configure(qoder, name="mine", **own).create(vault())

    assert 2 == len(qoder.vaults)


@pytest.mark.parametrize(
    ("name", "live", "source"),
    [
        ("default", {"qoder:apiToken": API_TOKEN}, "qoder:apiToken; set a valid one: pulumi config set"),
        ("default", {"qoder:timeout": "1m"}, "qoder:apiToken as recorded at the last pulumi up; set a valid one: "),
        ("default", None, "qoder:apiToken; set a valid one: pulumi config set"),
        ("team-a", {"qoder:apiToken": "x"}, "apiToken of the provider 'team-a'; set a valid one there, then pulumi up"),
    ],
)
def test_a_refused_api_token_is_named_by_where_it_came_from(
    serve: Callable[..., Provider],
    qoder: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    live: dict[str, str] | None,
    source: str,
) -> None:
    """The recorded configuration, that of this run, and that of an explicit provider are changed in other ways."""
    if live is not None:
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(live))
    plugin = serve().configure(qoder, name=name, apiToken=API_TOKEN)

    with pytest.raises(Failed) as caught:
        plugin.find("vault_1")

    assert f"): the API token is from {source}" in caught.value.line
    assert f"host {qoder.base_url.split('/')[2]}" in caught.value.line
    assert "canary" not in caught.value.line


def test_one_engine_gives_one_base_url(serve: Callable[..., Provider], qoder: Emulator, start: Any) -> None:
    """Any process of this machine can call the port of a plugin: nobody may send the API token elsewhere."""
    elsewhere = start()
    plugin = serve("127.0.0.1:1").configure(qoder)
    for again in (qoder.base_url, f"{qoder.base_url}/"):
        plugin.configure(qoder, baseUrl=again)

    for name in ("default", "mine"):
        for base_url in (elsewhere.base_url, "", "nonsense"):
            with pytest.raises(Failed) as caught:
                plugin.configure(qoder, name=name, baseUrl=base_url)
            assert Code.INVALID_ARGUMENT == caught.value.code
            assert caught.value.line.startswith(
                "qoder:baseUrl: this plugin process was configured with another base URL"
            )

    plugin.create(vault())
    assert (1, []) == (len(qoder.vaults), elsewhere.requests)


def test_a_process_that_is_run_by_hand_serves_one_configuration_after_another(
    serve: Callable[..., Provider], qoder: Emulator, start: Any
) -> None:
    """Engines attach to it, each with its own."""
    elsewhere = start()
    plugin = serve()
    for there in (qoder, elsewhere, qoder):
        plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
        plugin.configure(there).create(vault())

    assert (2, 1) == (len(qoder.vaults), len(elsewhere.vaults))


# What there is not


def test_an_unknown_resource_is_refused_by_name(plugin: Provider) -> None:
    """The line says which there are. A component's type in the URN is none of ours."""
    with pytest.raises(Failed) as caught:
        plugin.of("qoder:index:Agent").checked({})

    assert (
        Code.INVALID_ARGUMENT,
        "qoder:index:Agent: there is no such resource; there are qoder:index:Vault, qoder:index:Credential",
    ) == (caught.value.code, caught.value.line)


def test_an_unknown_function_is_refused_by_name(plugin: Provider) -> None:
    """The line says which there are."""
    with pytest.raises(Failed) as caught:
        plugin.invoke("getAgent")

    assert (
        Code.INVALID_ARGUMENT,
        "qoder:index:getAgent: there is no such function; there are qoder:index:getVault, qoder:index:listVaults, "
        "qoder:index:getCredentials, qoder:index:validateCredential",
    ) == (caught.value.code, caught.value.line)


# Codes and lines


def every_kind(error: type[errors.QoderError]) -> Iterator[type[errors.QoderError]]:
    """Yield an error of the package and all that derive from it, wherever they are defined."""
    yield from [error] if error.__module__.startswith("pulumi_qoder_vault.") else []
    for kind in error.__subclasses__():
        yield from every_kind(kind)


def test_every_error_of_ours_has_a_code() -> None:
    """The engine keeps an operation as pending for UNKNOWN: only for a response that nobody knows."""
    kinds = set(every_kind(errors.QoderError))
    assert PartialState in kinds
    found = {kind: next(servicer.CODES[base] for base in kind.__mro__ if base in servicer.CODES) for kind in kinds}

    assert {errors.OutcomeUnknown, PartialState} == {kind for kind, code in found.items() if code is Code.UNKNOWN}
    assert not {Code.INTERNAL, Code.DATA_LOSS, Code.OK} & set(found.values())


ANSWERS = {
    400: ("invalid_request_error", Code.INVALID_ARGUMENT),
    403: ("permission_error", Code.PERMISSION_DENIED),
    404: ("not_found_error", Code.NOT_FOUND),
    409: ("conflict_error", Code.ALREADY_EXISTS),
    418: ("teapot_error", Code.FAILED_PRECONDITION),
    429: ("rate_limit_error", Code.RESOURCE_EXHAUSTED),
    500: ("api_error", Code.UNAVAILABLE),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_each_answer_has_its_code_and_one_line(plugin: Provider, qoder: Emulator, status: int) -> None:
    """What Qoder refuses is said in one line: the call, its words, status, type and request id."""
    type_, code = ANSWERS[status]
    resource = plugin.create(vault())
    error = {"type": type_, "message": "No,\r\nnot\x1b[31m today."}
    body = {"type": "error", "error": error}
    answer = Effect("A refusal.", status=status, headers=(("Content-Type", "application/json"),), body=body)
    qoder.fail_next("GET", "/vaults/**", answer, times=None)

    with pytest.raises(Failed) as caught:
        plugin.invoke("getVault", id=resource.id)

    assert code == caught.value.code
    assert caught.value.line.startswith(f"GET /vaults/{resource.id}: No, not today ({status} {type_}, request_id req_")
    assert caught.value.line.isprintable()


def test_a_wrong_api_token_is_unauthenticated(serve: Callable[..., Provider], qoder: Emulator) -> None:
    """The line says where to set it, and not what it is."""
    plugin = serve().configure(qoder, apiToken=API_TOKEN)

    with pytest.raises(Failed) as caught:
        plugin.create(vault())

    assert Code.UNAUTHENTICATED == caught.value.code
    host = qoder.base_url.split("/")[2]
    refused = "the API token is from qoder:apiToken; set a valid one: pulumi config set --secret qoder:apiToken"
    assert caught.value.line.endswith(f", host {host}): {refused}")
    assert "canary" not in caught.value.line


def test_no_api_token_at_all_is_said(serve: Callable[..., Provider], qoder: Emulator) -> None:
    """Only by what asks Qoder: check, diff and a preview work without one."""
    plugin = serve().configure(qoder, apiToken="")
    plugin.preview_create(vault())

    with pytest.raises(Failed) as caught:
        plugin.create(vault())

    assert Code.UNAVAILABLE == caught.value.code
    assert "not sent: no API token is set" in caught.value.line
    assert [] == qoder.requests


def test_a_lost_answer_is_unknown(plugin: Provider, qoder: Emulator) -> None:
    """Nobody knows if a vault was made: the engine shall keep the operation as pending."""
    qoder.fail_next("*", "/**", Fault.RESET_BEFORE_COMMIT, times=None)

    with pytest.raises(Failed) as caught:
        plugin.create(vault())

    assert Code.UNKNOWN == caught.value.code
    assert caught.value.partial is None


def test_an_unforeseen_error_is_one_line_without_its_text(plugin: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text may hold a secret, and so may those that it came from."""

    def break_down(*_: Any) -> Any:
        try:
            raise KeyError(TOKEN)
        except KeyError as cause:
            raise RuntimeError(f"first line {TOKEN}\nsecond line") from cause

    monkeypatch.setattr(type(servicer.RESOURCES[VAULT]), "create", break_down)

    with pytest.raises(Failed) as caught:
        plugin.create(vault())

    assert Code.INTERNAL == caught.value.code
    assert caught.value.line.startswith("internal error in pulumi-qoder-vault (RuntimeError at test_")
    assert caught.value.line.isprintable()
    assert "canary" not in caught.value.line + str(caught.value.status)


def test_lines_have_the_names_of_the_schema(plugin: Provider, qoder: Emulator) -> None:
    """The core speaks of `access_token`, a program in TypeScript of `accessToken`; the API's own sentence stays."""
    assert [
        "credentials[0].accessToken: Field 'access_token' is required for static_bearer type.",
        "onDelete: must be 'delete' or 'archive'",
    ] == sorted(plugin.problems({"displayName": "v", "credentials": [{"mcpServerUrl": URL}], "onDelete": "keep"}))


# Partial state


def begun(plugin: Provider, qoder: Emulator, news: dict[str, Any]) -> Failed:
    """A create whose second credential is refused, and that cannot be taken back."""
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN, times=None)
    with pytest.raises(Failed) as caught:
        plugin.create(news)
    qoder.clear_faults()
    return caught.value


def test_a_vault_that_was_made_in_part_is_recorded(vault_plugin: Callable[..., Any]) -> None:
    """Its id, what exists of it, and the whole line: the next `up` goes on from there, and loses nothing."""
    qoder, plugin = vault_plugin("2026-07")

    failure = begun(plugin, qoder, vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))

    (made,) = qoder.vaults
    outputs = received(failure.partial.properties)
    assert Code.UNKNOWN == failure.code
    assert made.id == failure.partial.id
    assert [failure.status.message] == list(failure.partial.reasons)
    assert made.id in failure.status.message
    assert failure.status.message.isprintable()
    first = {"mcpServerUrl": URL, "accessToken": secret(TOKEN)}
    assert [first | {"protocol": "streamable_http", "type": "static_bearer"}] == outputs["credentials"]
    assert {URL: made.credentials[0].id} == outputs["credentialIds"]
    assert [] == outputs["unfinished"]


def test_the_next_up_finishes_a_vault_that_was_made_in_part(vault_plugin: Callable[..., Any]) -> None:
    """An update adds what is missing, and nothing of the trouble remains in the state."""
    qoder, plugin = vault_plugin("2026-07")
    news = vault(credential(), credential(OTHER_URL, OTHER_TOKEN))
    failure = begun(plugin, qoder, news)
    begun_one = Resource(failure.partial.id, plugin.checked(news), received(failure.partial.properties))

    assert SOME == plugin.diff(begun_one, begun_one.inputs).changes
    whole = plugin.update(begun_one, news)

    assert [TOKEN, OTHER_TOKEN] == [item.access_token for item in qoder.vaults[0].credentials]
    assert "unfinished" not in whole.outputs
    assert NONE == plugin.diff(whole, whole.inputs).changes


def test_partial_state_keeps_secret_what_the_program_gave_as_one(vault_plugin: Callable[..., Any]) -> None:
    """A name that is a secret stays one in the outputs of a vault that was made in part, too."""
    qoder, plugin = vault_plugin("2026-07")

    failure = begun(
        plugin, qoder, vault(credential(), credential(OTHER_URL, OTHER_TOKEN), displayName=secret("name-canary"))
    )

    assert [] == in_plain(received(failure.partial.properties))
    assert "name-canary" == plain(received(failure.partial.properties))["displayName"]


def test_a_rotation_that_stopped_in_the_middle_is_recorded(vault_plugin: Callable[..., Any]) -> None:
    """What was done is in the outputs; the access token of the credential that was not reached is the old one."""
    qoder, plugin = vault_plugin("2026-07")
    resource = plugin.create(vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))
    qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)

    with pytest.raises(Failed) as caught:
        plugin.update(resource, vault(credential(token=NEW_TOKEN), credential(OTHER_URL, NEW_TOKEN)))

    outputs = received(caught.value.partial.properties)
    assert resource.id == caught.value.partial.id
    assert [] == in_plain(outputs)
    assert [NEW_TOKEN, OTHER_TOKEN] == [item["accessToken"]["value"] for item in outputs["credentials"]]


# Long waits, and whose time they take


def test_a_long_wait_is_a_line_at_the_resource(
    serve: Callable[..., Provider], qoder: Emulator, engine: tuple[str, LoggingEngine]
) -> None:
    """Otherwise it looks as if nothing happened; a line of severity *error* would fail the resource."""
    address, log = engine
    plugin = serve().configure(qoder)
    plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=address))
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=7)

    plugin.create(vault())

    (line,) = log.wait_for(1)
    assert (engine_pb2.INFO, plugin.urn, "Qoder limits the rate: waiting 7 s") == (
        line.severity,
        line.urn,
        line.message,
    )


def test_a_short_wait_is_no_line(
    serve: Callable[..., Provider], qoder: Emulator, engine: tuple[str, LoggingEngine]
) -> None:
    """One second is what any request may take."""
    address, log = engine
    plugin = serve(address).configure(qoder)
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=1)
    qoder.fail_next("DELETE", "/vaults/*", Fault.RATE_LIMITED, retry_after=7)

    plugin.delete(plugin.create(vault()))

    assert ["Qoder limits the rate: waiting 7 s"] == [line.message for line in log.wait_for(1)]


def test_lines_go_to_the_engine_that_attached_last(
    serve: Callable[..., Provider], qoder: Emulator, engine: tuple[str, LoggingEngine]
) -> None:
    """A plugin that is debugged outlives the engine that it began with."""
    address, log = engine
    plugin = serve("127.0.0.1:1").configure(qoder)
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=7, times=2)
    plugin.create(vault())
    plugin.stub.Attach(plugin_pb2.PluginAttach(address=address))

    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=8)
    plugin.create(vault())

    assert "Qoder limits the rate: waiting 8 s" == log.wait_for(1)[-1].message


def test_custom_timeouts_bound_an_operation(plugin: Provider, qoder: Emulator, fake_time: Any) -> None:
    """All its requests and waits together; the line says whose time is over."""
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=20, times=None)

    with pytest.raises(Failed) as caught:
        plugin.create(vault(), timeout=45.0)

    assert 40 == fake_time.passed_s
    assert Code.RESOURCE_EXHAUSTED == caught.value.code
    assert "more than is left of customTimeouts (45s)" in caught.value.line


def test_custom_timeouts_may_be_longer_than_the_setting(plugin: Provider, qoder: Emulator, fake_time: Any) -> None:
    """Who asks for ten minutes gets them."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.RATE_LIMITED, retry_after=100, times=4)

    plugin.delete(plugin.create(vault()), timeout=600.0)

    assert [] == qoder.vaults
    assert 400 == fake_time.passed_s


def test_without_custom_timeouts_each_call_has_the_time_of_the_setting(
    plugin: Provider, qoder: Emulator, fake_time: Any
) -> None:
    """Zero on the wire means that none is set."""
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=50, times=None)

    with pytest.raises(Failed) as caught:
        plugin.create(vault(), timeout=0.0)

    assert 100 == fake_time.passed_s
    assert "more than is left of qoder:timeout (2m)" in caught.value.line


# Cancel


def test_cancel_may_come_at_any_time_and_twice(serve: Callable[..., Provider]) -> None:
    """It comes at the end of every command, also to a plugin that was never configured."""
    plugin = serve()

    for _ in range(3):
        assert empty_pb2.Empty() == plugin.stub.Cancel(empty_pb2.Empty())


def test_cancel_ends_a_wait_at_once(plugin: Provider, qoder: Emulator, true_waits: None) -> None:
    """Who pressed Ctrl-C does not sit through the minutes that Qoder asked for."""
    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=60, times=None)
    creating = Later(lambda: plugin.create(vault()))
    assert in_time(lambda: qoder.writes)
    began_s = time.monotonic()

    time.sleep(0.05)
    plugin.stub.Cancel(empty_pb2.Empty())

    failure = creating.wait()
    assert 5 > time.monotonic() - began_s
    assert isinstance(failure, Failed)
    assert "POST /vaults: not sent: this run was cancelled" == failure.line
    assert [] == qoder.vaults


def test_after_cancel_a_recovery_still_finds_what_was_made(
    plugin: Provider, qoder: Emulator, connections: Connections
) -> None:
    """A response that is lost while a run ends: the vault is looked for once, and recorded, or named if unmarked."""
    plugin.configure(qoder, apiRevision=qoder.revision)
    qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT, delay_s=0.4)
    creating = Later(lambda: plugin.create(vault()))
    assert in_time(lambda: qoder.vaults, 30)

    plugin.stub.Cancel(empty_pb2.Empty())

    assert connections.is_over
    made = creating.wait()
    (vault_id,) = [item.id for item in qoder.vaults]
    if qoder.revision == "2026-07":
        assert vault_id == made.id
    else:
        assert "; the outcome is unknown: " in made.line
        assert f", such as {vault_id}, may exist at " in made.line


def test_after_cancel_nothing_begins(plugin: Provider, qoder: Emulator) -> None:
    """What queued for a thread, or for the response to the first create, makes nothing."""
    made = plugin.create(vault())
    plugin.stub.Cancel(empty_pb2.Empty())
    qoder.clear_requests()

    for begin in (
        lambda: plugin.create(vault(displayName="second")),
        lambda: plugin.update(made, vault(credential(token=NEW_TOKEN))),
        lambda: plugin.delete(made),
    ):
        with pytest.raises(Failed, match="not begun: this run was cancelled"):
            begin()
    assert [] == qoder.requests


def test_after_cancel_what_waits_for_the_rate_limit_is_not_sent(
    vault_plugin: Callable[..., Any], true_waits: None
) -> None:
    """A vault that nobody wants any more must not be made."""
    qoder, plugin = vault_plugin("2026-05", settings={"maxWritesPerSecond": "0.02"})
    plugin.create(vault(displayName="first"))
    creating = Later(lambda: plugin.create(vault(displayName="second")))

    time.sleep(0.3)
    plugin.stub.Cancel(empty_pb2.Empty())

    failure = creating.wait()
    assert (Code.UNAVAILABLE, "POST /vaults: not sent: this run was cancelled") == (failure.code, failure.line)
    assert ["first"] == [item.display_name for item in qoder.vaults]
    assert 1 == len(qoder.writes)


def test_after_cancel_what_was_begun_is_taken_back(vault_plugin: Callable[..., Any], true_waits: None) -> None:
    """The vault was made, its credential waits for the rate limit: to delete it again is not to be waited for."""
    qoder, plugin = vault_plugin("2026-07", settings={"maxWritesPerSecond": "0.02", "apiRevision": "2026-07"})
    creating = Later(lambda: plugin.create(vault()))
    assert in_time(lambda: qoder.vaults)

    time.sleep(0.1)
    plugin.stub.Cancel(empty_pb2.Empty())

    failure = creating.wait()
    assert "was deleted again, nothing is left" in failure.line
    assert [] == qoder.vaults
    assert ["POST", "DELETE"] == [request.method for request in qoder.writes]


def test_an_engine_that_attaches_after_a_cancel_is_served(
    serve: Callable[..., Provider], start: Callable[..., Emulator], true_waits: None
) -> None:
    """A process that somebody runs by hand serves one command after another: what one ended, the next begins anew."""
    qoder = start("2026-05")
    plugin = serve()
    beginnings = (
        lambda: plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"), timeout=5),
        lambda: plugin.stub.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"), timeout=5),
    )
    for begin in beginnings:
        begin()
        plugin.configure(qoder, maxWritesPerSecond="50")
        for _ in range(3):
            plugin.create({"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN}]})
        plugin.stub.Cancel(empty_pb2.Empty(), timeout=5)
    assert 6 == len(qoder.vaults)
