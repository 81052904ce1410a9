"""The Pulumi front: what Pulumi hands over and gets back, alone, in Pulumi's own servicer, and in a mocked program."""

from __future__ import annotations

import base64
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack
from typing import Any

import dill
import pulumi
import pytest
from google.protobuf import json_format
from pulumi.dynamic import Config, ConfigureRequest

from in_process.program import run
from in_process.provider import NONE, NOT_SAID, Failed, Provider, Resource, serve
from in_process.wire import SIGNATURE, UNKNOWN, Props, in_plain, plain, received
from pulumi_qoder_vault import CredentialArgs, Vault, connection, dynamic_provider
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.dynamic import PICKLED_PROVIDER, VAULT_TYPE, VaultProvider
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.errors import QoderError
from pulumi_qoder_vault.lifecycle.model import PartialState
from pulumi_qoder_vault.lifecycle.vault import operations
from pulumi_qoder_vault.pulumi_values import to_plain

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN, OTHER_TOKEN, NEW_TOKEN = "mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-next-3333"
NO_CREDENTIAL = (
    "credentials: At least one credential is required when creating a vault. "
    "(if your Qoder makes empty vaults, set qoder:apiRevision to 2026-07)"
)
INPUT_NAMES = {"display_name", "on_delete", "credentials", "rotations", "status"}
OUTPUT_NAMES = {
    *INPUT_NAMES,
    "metadata",
    "credential_ids",
    "rotated_at",
    "base_url",
    "workspace_id",
    "created_at",
    "updated_at",
    "api_revision",
    "__seen_with",
}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    """The connections of each test; none is left from, or for, another test."""
    made = Connections()
    monkeypatch.setattr(connection, "CONNECTIONS", made)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "QODER_ACCESS_TOKEN",
        "QODER_PAT",
        "QODER_MANAGED_BASE_URL",
        "QODER_BASE_URL",
        "QODER_API_REVISION",
        "QODER_WORKSPACE_ID",
        "QODER_MAX_WRITES_PER_SECOND",
        "QODER_MAX_READS_PER_SECOND",
        "QODER_TIMEOUT",
    ):
        monkeypatch.delenv(name, raising=False)


def configuration_of(qoder: Emulator, **settings: Any) -> dict[str, Any]:
    return {
        "qoder:apiToken": qoder.api_token,
        "qoder:baseUrl": qoder.base_url,
        "qoder:maxWritesPerSecond": "0",
        "qoder:maxReadsPerSecond": "0",
        **{f"qoder:{key}": value for key, value in settings.items()},
    }


def configured(configuration: dict[str, Any]) -> VaultProvider:
    provider = VaultProvider()
    provider.configure(ConfigureRequest(Config(configuration, "project")))
    return provider


@pytest.fixture(params=["2026-05", "2026-07"])
def qoder(request: pytest.FixtureRequest, start: Callable[..., Emulator]) -> Emulator:
    return start(request.param)


@pytest.fixture
def provider(qoder: Emulator) -> VaultProvider:
    return configured(configuration_of(qoder))


def credential(url: str = URL, token: Any = TOKEN, **fields: Any) -> dict[str, Any]:
    return {"mcp_server_url": url, "access_token": token, **fields}


def vault(*credentials: Any, **fields: Any) -> dict[str, Any]:
    return {
        "display_name": "my-mcp-vault",
        "credentials": list(credentials or (credential(),)),
        "on_delete": "delete",
        "__provider": PICKLED_PROVIDER,
        **fields,
    }


def checked(provider: VaultProvider, news: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, Any]:
    result = provider.check(olds or {}, news)
    assert [] == [failure.reason for failure in result.failures]
    return {**plain(result.inputs), "__provider": PICKLED_PROVIDER}


def problems(provider: VaultProvider, news: dict[str, Any]) -> list[tuple[str, str]]:
    return [(failure.property, failure.reason) for failure in provider.check({}, news).failures]


def created(provider: VaultProvider, *credentials: Any, **fields: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Id, inputs and outputs of a new vault, as the engine keeps them."""
    inputs = checked(provider, vault(*credentials, **fields))
    result = provider.create(inputs)
    return result.id, inputs, {**plain(result.outs), "__provider": PICKLED_PROVIDER}


# The frozen surface


def test_the_recorded_string_is_the_provider() -> None:
    """Every user's state holds this string: it loads, with pickle and with dill, to the class by its frozen name."""
    data = base64.b64decode(PICKLED_PROVIDER)

    assert VaultProvider is type(pickle.loads(data)) is type(dill.loads(data))
    assert ("pulumi_qoder_vault.dynamic", "VaultProvider") == (VaultProvider.__module__, VaultProvider.__qualname__)
    assert "pulumi-python:dynamic/qoder:Vault" == VAULT_TYPE


def test_the_recorded_string_holds_two_names_and_nothing_else() -> None:
    """It is what protocol 4 makes of a provider, written down; also of one that was configured with an API token."""
    used = configured({"qoder:apiToken": "pt-canary-0123456789"})
    used.check({}, vault())

    for provider in (VaultProvider(), used):
        assert PICKLED_PROVIDER == base64.b64encode(pickle.dumps(provider, protocol=4)).decode()
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert b"canary" not in pickle.dumps(provider, protocol=protocol)
    assert VaultProvider.serialize_as_secret_always is False


# Check


def test_check_fills_in_and_marks(provider: VaultProvider, qoder: Emulator) -> None:
    """Defaults, status and rotations are added; each access token is in the form that the engine encrypts."""
    inputs = provider.check({}, vault()).inputs

    assert {
        "display_name": "my-mcp-vault",
        "on_delete": "delete",
        "credentials": [
            {
                "mcp_server_url": URL,
                "access_token": {**SIGNATURE, "value": TOKEN},
                "protocol": "streamable_http",
                "type": "static_bearer",
            }
        ],
        "status": "active",
        "rotations": {URL: 0},
    } == inputs
    assert [] == qoder.requests


def test_check_needs_no_api_token() -> None:
    """A preview works with nothing configured at all, also where the provider was never configured."""
    assert [] == problems(VaultProvider(), vault())
    assert [] == problems(configured({}), vault())


def test_check_counts_a_rotation(provider: VaultProvider) -> None:
    """The preview names the credential that rotates; the count in the state is a float."""
    before = checked(provider, vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))

    after = checked(provider, vault(credential(token=NEW_TOKEN), credential(OTHER_URL, OTHER_TOKEN)), before)

    assert {URL: 1.0, OTHER_URL: 0.0} == after["rotations"]


def test_problems_have_no_property_and_are_one_line(provider: VaultProvider) -> None:
    """Pulumi prints the value of a named property: the path stands in the reason."""
    assert [
        ("", "display_name: is required: a name of 1 to 255 characters"),
        ("", "credentials[0].access_token: Field 'access_token' is required for static_bearer type."),
    ] == problems(provider, vault(credential(token=None), display_name=None))


def test_an_access_token_in_the_wrong_place_is_not_printed(provider: VaultProvider) -> None:
    """Neither in a reason, nor, of an input that is refused, without the mark that encrypts it."""
    result = provider.check({}, vault(credential() | {"x-" + TOKEN: 1}, metadata={TOKEN: 7}, on_delete=TOKEN))

    assert result.failures
    assert [] == [failure.reason for failure in result.failures if "canary" in failure.reason]
    assert [] == in_plain(result.inputs["credentials"][0]["access_token"])


@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_vault_depends_on_the_setting(nothing: Any) -> None:
    """The API's own sentence with a hint, unless the revision is set to the one that makes empty vaults."""
    empty = vault(credentials=nothing)

    assert [("", NO_CREDENTIAL)] == problems(configured({}), empty)
    assert [("", NO_CREDENTIAL)] == problems(configured({"qoder:apiRevision": "2026-05"}), empty)
    assert [] == problems(configured({"qoder:apiRevision": "2026-07"}), empty)


def test_a_wrong_setting_is_said_at_preview() -> None:
    """`configure` never fails; the check that needs the setting says what is wrong with it."""
    provider = configured({"qoder:timeout": "soon", "qoder:apiToken": "pt-canary"})

    assert [("", "qoder:timeout: must be a time such as 90, 90s or 1m30s, at most 24h")] == problems(provider, vault())


def test_a_wrong_setting_fails_every_call_with_one_line() -> None:
    """Also where there was no preview, as in a destroy."""
    provider = configured({"qoder:baseUrl": "http://qoder.example"})

    with pytest.raises(QoderError) as caught:
        provider.delete("vault_1", vault())

    assert str(caught.value).startswith(
        "qoder:baseUrl: must be an https URL such as https://openapi.qoder.sh/api/v1/cloud"
    )


def test_the_environment_serves_too(monkeypatch: pytest.MonkeyPatch, qoder: Emulator) -> None:
    """Without configuration the environment of the moment counts."""
    provider = VaultProvider()
    monkeypatch.setenv("QODER_PAT", qoder.api_token)
    monkeypatch.setenv("QODER_BASE_URL", qoder.base_url)

    created(provider)

    assert 1 == len(qoder.vaults)


# Create, read, update, delete


def test_the_life_of_a_vault(provider: VaultProvider, qoder: Emulator) -> None:
    """Create, diff, rotate, read, delete: each gives the engine what it needs, and the id stays."""
    id_, inputs, outputs = created(provider)
    assert OUTPUT_NAMES - {"workspace_id"} == outputs.keys() - {"__provider"}
    assert [id_] == [item.id for item in qoder.vaults]
    assert provider.diff(id_, outputs, inputs).changes is False

    rotated = checked(provider, vault(credential(token=NEW_TOKEN)), inputs)
    difference = provider.diff(id_, outputs, rotated)
    assert (None, []) == (difference.changes, difference.replaces)
    outputs = {**plain(provider.update(id_, outputs, rotated).outs), "__provider": PICKLED_PROVIDER}
    assert {URL: 1.0} == outputs["rotations"]
    assert [NEW_TOKEN] == [item.access_token for item in qoder.vaults[0].credentials]
    assert provider.diff(id_, outputs, rotated).changes is False

    result = provider.read(id_, outputs)
    assert (id_, None) == (result.id, result.inputs)
    assert outputs == {**plain(result.outs), "__provider": PICKLED_PROVIDER}

    provider.delete(id_, outputs)
    assert [] == qoder.vaults
    gone = provider.read(id_, outputs)
    assert (None, {}) == (gone.id, gone.outs)


def test_outputs_show_no_access_token_in_plain(provider: VaultProvider) -> None:
    """Whatever create, update and read return, each access token has the mark that encrypts it; ids have none."""
    id_, inputs, outputs = created(provider)
    results = [
        provider.create(inputs).outs,
        provider.read(id_, outputs).outs,
        provider.update(id_, outputs, checked(provider, vault(credential(token=NEW_TOKEN)), inputs)).outs,
    ]

    assert [] == [token for outs in results for token in in_plain(outs)]
    assert all(isinstance(outs["credential_ids"][URL], str) for outs in results if outs)


def test_every_output_is_named(provider: VaultProvider) -> None:
    """What is None is there, too: an attribute of the resource depends on it."""
    outs = provider.create(checked(provider, vault())).outs

    assert outs is not None
    assert OUTPUT_NAMES == outs.keys()
    assert outs["workspace_id"] is None


REPLACED: dict[str, Any] = {
    "display_name": {"display_name": "another"},
    "metadata": {"metadata": {"team": "tools"}},
}


@pytest.mark.parametrize("field", REPLACED)
def test_diff_says_what_forces_another_vault(provider: VaultProvider, field: str) -> None:
    """None with `replaces`: the engine compares the inputs itself, and shows them."""
    id_, inputs, outputs = created(provider)

    difference = provider.diff(id_, outputs, checked(provider, vault(**REPLACED[field]), inputs))

    assert (None, [field]) == (difference.changes, difference.replaces)


def test_diff_shows_work_that_stopped_in_the_middle(provider: VaultProvider) -> None:
    """The inputs need not show it, so the response is True."""
    id_, inputs, outputs = created(provider)

    assert provider.diff(id_, {**outputs, "unfinished": []}, inputs).changes is True


def test_a_refresh_of_an_archived_vault(provider: VaultProvider, qoder: Emulator) -> None:
    """All inputs come with it, as what exists says; the diff then replaces for the status."""
    id_, _inputs, outputs = created(provider)
    qoder.archive_vault(id_)

    result = provider.read(id_, outputs)

    assert result.outs is not None
    assert result.inputs is not None
    assert ("archived", INPUT_NAMES) == (result.outs["status"], set(result.inputs))
    assert "archived" == result.inputs["status"]
    assert [] == in_plain(result.inputs)
    difference = provider.diff(id_, plain(result.outs), checked(provider, vault(), plain(result.inputs)))
    assert (None, ["status"]) == (difference.changes, difference.replaces)


def test_a_refresh_of_an_archived_vault_with_metadata(start: Callable[..., Emulator]) -> None:
    """Metadata is among the inputs where there is some."""
    qoder = start("2026-07")
    provider = configured(configuration_of(qoder))
    id_, _, outputs = created(provider, metadata={"team": "tools"})
    qoder.archive_vault(id_)

    result = provider.read(id_, outputs)

    assert result.inputs is not None
    assert {"team": "tools"} == result.inputs["metadata"]


def test_get_reads_a_vault_of_somebody_else(provider: VaultProvider, qoder: Emulator) -> None:
    """`Vault.get` brings nothing but the provider: everything is read, and no access token is there."""
    theirs = qoder.add_vault("theirs")
    added = qoder.add_credential(theirs.id, URL, TOKEN)

    result = provider.read(theirs.id, {"__provider": PICKLED_PROVIDER})

    assert result.outs is not None
    assert (theirs.id, {URL: added.id}) == (result.id, result.outs["credential_ids"])
    assert [["mcp_server_url", "protocol", "type"]] == [sorted(item) for item in result.outs["credentials"]]
    assert OUTPUT_NAMES - {"rotated_at"} == result.outs.keys()


def test_a_refresh_of_what_get_read(provider: VaultProvider, qoder: Emulator) -> None:
    """What did not change shows no change, what did is read, and what is gone is dropped. Nothing is made up."""
    theirs = qoder.add_vault("theirs")
    first = qoder.add_credential(theirs.id, URL, "their-token")
    outputs = plain(provider.read(theirs.id, {"__provider": PICKLED_PROVIDER}).outs)

    again = provider.read(theirs.id, outputs)
    assert (outputs, None) == (plain(again.outs), again.inputs)

    qoder.delete_credential(theirs.id, first.id)
    second = qoder.add_credential(theirs.id, URL, "their-token")
    assert {URL: second.id} == (provider.read(theirs.id, outputs).outs or {})["credential_ids"]
    qoder.delete_vault(theirs.id)
    assert not provider.read(theirs.id, outputs).id


def test_what_a_program_says_of_a_vault_that_it_gets_does_not_count(provider: VaultProvider, qoder: Emulator) -> None:
    """`id` among the options together with arguments: the outputs are what exists, and hold no access token."""
    theirs = qoder.add_vault("theirs")

    outputs = provider.read(theirs.id, vault(on_delete=None)).outs or {}

    assert ("theirs", [], {}) == (outputs["display_name"], outputs["credentials"], outputs["credential_ids"])


def test_get_of_none_is_an_error(provider: VaultProvider) -> None:
    """A blank id would not stop Pulumi."""
    with pytest.raises(QoderError, match="there is no vault vault_0"):
        provider.read("vault_0", {"__provider": PICKLED_PROVIDER})


# Settings


LAST_UP = "; correct it, then pulumi up, or add --run-program"


@pytest.mark.parametrize("key", ["baseURL", "base_url", "apiTokens", "time-out", "workspace"])
def test_a_misspelt_setting_is_refused_and_nothing_is_sent(qoder: Emulator, key: str) -> None:
    """The SDK has no public list of what is configured: this fails if it has no list at all any more."""
    id_, inputs, outputs = created(configured(configuration_of(qoder)))
    qoder.clear_requests()
    provider = configured(configuration_of(qoder, **{key: "pt-canary-0123456789"}))

    ((path, line),) = problems(provider, vault())
    assert ("", f"qoder:{key}: did you mean qoder:") == (path, line[: len(f"qoder:{key}: did you mean qoder:")])
    with pytest.raises(QoderError) as caught:
        provider.create(inputs)
    assert line == str(caught.value)
    calls: list[Callable[[], Any]] = [
        lambda: provider.delete(id_, outputs),
        lambda: provider.read(id_, outputs),
        lambda: provider.read(id_, {"__provider": PICKLED_PROVIDER}),
    ]
    for call in calls:
        with pytest.raises(QoderError) as caught:
            call()
        assert f"{line}{LAST_UP}" == str(caught.value), "a refresh and a destroy have the configuration of the last up"
        assert "canary" not in str(caught.value)
    assert provider.diff(id_, outputs, inputs).changes is False, "a Diff needs no settings"
    assert [] == qoder.requests


def test_errors_of_the_environment_are_of_this_moment(qoder: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `up` is needed where a variable is at fault; where configuration is, refresh and destroy need one."""
    id_, _, outputs = created(configured(configuration_of(qoder)))
    line = "must be a time such as 90, 90s or 1m30s, at most 24h"

    with pytest.raises(QoderError) as of_configuration:
        configured(configuration_of(qoder, timeout="soon")).delete(id_, outputs)
    monkeypatch.setenv("QODER_TIMEOUT", "soon")
    with pytest.raises(QoderError) as of_environment:
        configured(configuration_of(qoder)).delete(id_, outputs)

    assert f"qoder:timeout: {line}{LAST_UP}" == str(of_configuration.value)
    assert f"QODER_TIMEOUT: {line}" == str(of_environment.value)


def test_a_project_called_qoder_has_keys_of_its_own(qoder: Emulator) -> None:
    """They have our namespace, and keys of others are in the same configuration."""
    own = {"qoder:githubToken": TOKEN, "qoder:version": "1", "aws:region": "x", "qoder:url": "y", "pulumi:tags": {}}
    provider = VaultProvider()
    provider.configure(ConfigureRequest(Config(configuration_of(qoder) | own, "qoder")))

    created(provider)

    assert 1 == len(qoder.vaults)


def test_a_refused_api_token_is_named_by_where_it_came_from(qoder: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refresh and destroy may have a recorded one, which this front cannot tell; a variable is of this moment."""
    configuration = configuration_of(qoder, apiToken="pt-canary-0123456789")
    monkeypatch.setenv("QODER_PAT", qoder.api_token)
    with pytest.raises(QoderError) as recorded:
        configured(configuration).read("vault_1", {"__provider": PICKLED_PROVIDER})
    monkeypatch.setenv("QODER_ACCESS_TOKEN", "pt-canary-0123456789")
    with pytest.raises(QoderError) as variable:
        configured({**configuration, "qoder:apiToken": ""}).read("vault_1", {"__provider": PICKLED_PROVIDER})

    host = f"host {qoder.base_url.split('/')[2]})"
    assert (
        f"{host}: the API token is from qoder:apiToken (refresh and destroy use the one recorded at the last up, "
        "unless --run-program is given); set a valid one: pulumi config set --secret qoder:apiToken, or in the "
        "program's own provider"
    ) in str(recorded.value)
    assert (
        f"{host}: the API token is from QODER_ACCESS_TOKEN; set QODER_ACCESS_TOKEN to a valid one, or unset it: "
        "then QODER_PAT is used"
    ) in str(variable.value)
    assert "canary" not in f"{recorded.value}{variable.value}"


# One connection


def test_one_connection_serves_all_threads(start: Callable[..., Emulator], connections: Connections) -> None:
    """Threads that come together share one limiter, and what one learns of the revision all know."""
    provider = configured(configuration_of(start("2026-07", latency_s=0.02)))
    inputs = checked(provider, vault())
    barrier = threading.Barrier(6)

    def create() -> None:
        barrier.wait()
        provider.create(inputs)

    with futures.ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(create) for _ in range(6)]:
            future.result()

    assert 1 == len(connections)


def test_other_settings_are_another_connection(start: Callable[..., Emulator], connections: Connections) -> None:
    """Two providers with two accounts in one process do not share anything."""
    first, second = start(), start("2026-07")
    for qoder in (first, second):
        created(configured(configuration_of(qoder)))

    assert (2, 1, 1) == (len(connections), len(first.vaults), len(second.vaults))


def test_who_asks(provider: VaultProvider, qoder: Emulator) -> None:
    """The user agent names this package, Pulumi's SDK and Python, with their versions."""
    created(provider)

    agent = qoder.requests[0].headers["user-agent"]
    assert re.fullmatch(r"pulumi-qoder-vault/[\w.+]+ pulumi/[\w.+]+ python/3\.\d+\.\d+\S*", agent), agent


# Failures


def everything_of(failure: BaseException) -> str:
    """A failure with all that is chained to it."""
    import traceback

    return "".join(traceback.format_exception(failure))


CALLS: dict[str, Callable[[VaultProvider], Any]] = {
    "check": lambda provider: provider.check({"rotations": 7}, vault(credentials=[credential()])),
    "diff": lambda provider: provider.diff("vault_1", {"api_revision": TOKEN}, vault()),
    "create": lambda provider: provider.create({"credentials": TOKEN}),
    "read": lambda provider: provider.read("vault_1", {"credentials": [{"x": TOKEN}]}),
    "update": lambda provider: provider.update("vault_1", vault(), {"credentials": [[TOKEN]]}),
    "delete": lambda provider: provider.delete("vault_1", {"credentials": 7.0}),
}


@pytest.mark.parametrize("name", CALLS)
def test_whatever_goes_wrong_is_one_line(provider: VaultProvider, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw shows its type and place, and not its text, which may hold a secret."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"unforeseen\n{TOKEN}")

    monkeypatch.setattr(dynamic_provider, "from_pulumi", fail)

    with pytest.raises(QoderError) as caught:
        CALLS[name](provider)

    assert re.fullmatch(
        r"internal error in pulumi-qoder-vault \(RuntimeError at test_dynamic\.py:\d+\); please report this line",
        str(caught.value),
    )
    assert TOKEN not in everything_of(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


@pytest.mark.parametrize("name", CALLS)
def test_garbage_in_the_state_is_one_line(provider: VaultProvider, name: str) -> None:
    """A state that nobody wrote gives one line, too."""
    try:
        CALLS[name](provider)
    except QoderError as failure:
        assert str(failure).isprintable()  # noqa: PT017 some of them are no failures
        assert TOKEN not in everything_of(failure)  # noqa: PT017


def test_an_api_error_is_reported_as_it_is(provider: VaultProvider, qoder: Emulator) -> None:
    """Our own errors keep their line; nothing is chained to it."""
    qoder.api_token = "pt-another"

    with pytest.raises(QoderError) as caught:
        created(provider)

    assert str(caught.value).startswith("POST /vaults: Invalid API key or token (401 ")
    assert TOKEN not in everything_of(caught.value)
    assert not isinstance(caught.value, PartialState)
    assert caught.value.__context__ is None


def test_no_error_quotes_an_access_token(provider: VaultProvider, qoder: Emulator) -> None:
    """Old and new access tokens, and the API token, are unknown to every line, whatever the server repeats."""
    id_, inputs, outputs = created(provider)
    news = checked(provider, vault(credential(token=NEW_TOKEN)), inputs)
    qoder.fail_next("*", "/**", Fault.ECHO, times=None)

    for act in (
        lambda: provider.create(inputs),
        lambda: provider.read(id_, outputs),
        lambda: provider.update(id_, outputs, news),
        lambda: provider.delete(id_, outputs),
    ):
        with pytest.raises(QoderError) as caught:
            act()
        shown = everything_of(caught.value)
        assert not [secret for secret in (TOKEN, NEW_TOKEN, qoder.api_token) if secret in shown]


def stopped(provider: VaultProvider, qoder: Emulator) -> PartialState:
    """A create on 2026-07 that stopped after the first of two credentials, and could not be taken back."""
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN, times=None)
    with pytest.raises(PartialState) as caught:
        created(provider, credential(), credential(OTHER_URL, OTHER_TOKEN))
    qoder.clear_faults()
    return caught.value


def partial_state(provider: VaultProvider, failure: PartialState) -> tuple[str, dict[str, Any]]:
    """What the engine is told to record."""
    id_, properties = provider.partial_state(failure, vault())
    return id_, json_format.MessageToDict(properties)


def test_partial_work_is_handed_to_the_engine(start: Callable[..., Emulator]) -> None:
    """Id and properties of what exists, `__provider` with them, without which the engine could not go on."""
    qoder = start("2026-07")

    provider = configured(configuration_of(qoder))
    id_, properties = partial_state(provider, stopped(provider, qoder))

    assert [id_] == [item.id for item in qoder.vaults]
    assert PICKLED_PROVIDER == properties["__provider"]
    assert [URL] == [item["mcp_server_url"] for item in properties["credentials"]]
    assert [] == properties["unfinished"]
    assert None not in properties.values()
    assert [] == in_plain(properties)


def test_partial_work_is_finished(start: Callable[..., Emulator]) -> None:
    """The next `up` updates what was recorded; a refresh before it changes nothing of that."""
    qoder = start("2026-07")
    provider = configured(configuration_of(qoder))
    id_, recorded = partial_state(provider, stopped(provider, qoder))
    outputs = plain(recorded)
    program = vault(credential(), credential(OTHER_URL, OTHER_TOKEN))

    refreshed = provider.read(id_, outputs)
    assert refreshed.inputs is not None
    assert {URL: 0} == refreshed.inputs["rotations"]
    news = checked(provider, program, plain(refreshed.inputs))
    for state in (outputs, {**plain(refreshed.outs), "__provider": PICKLED_PROVIDER}):
        assert provider.diff(id_, state, news).changes is not False
    finished = provider.update(id_, outputs, news).outs

    assert finished is not None
    assert {URL, OTHER_URL} == finished["credential_ids"].keys()
    assert "unfinished" not in finished
    assert provider.diff(id_, plain(finished), news).changes is False


# In Pulumi's own servicer


@pytest.fixture
def served(closing: ExitStack) -> Provider:
    """Pulumi's servicer on a port of its own; the provider is to be configured."""
    return serve(closing, VAULT_TYPE)


def test_a_life_over_the_wire(qoder: Emulator, served: Provider) -> None:
    """Check, create, diff, update, read and delete as the engine calls them."""
    served.configure(qoder)
    made = served.create(vault())
    assert [] == in_plain([made.inputs, made.outputs])
    assert OUTPUT_NAMES <= {*made.outputs, "workspace_id"}
    assert NONE == served.diff(made, made.inputs).changes

    rotated = vault(credential(token=NEW_TOKEN))
    news = served.checked(rotated, made.inputs)
    assert {URL: 1.0} == news["rotations"]
    changed = served.diff(made, news)
    assert (NOT_SAID, []) == (changed.changes, changed.replaces)
    made = served.update(made, rotated)
    assert [] == in_plain(made.outputs)
    assert [NEW_TOKEN] == [item.access_token for item in qoder.vaults[0].credentials if item.status == "active"]

    read = served.refresh(made)
    assert read is not None
    assert (made.id, {}) == (read.id, read.inputs)
    served.delete(made)
    assert [] == qoder.vaults
    assert None is served.refresh(made)


UNCLEAR = {
    "an access token": vault(credential(token=UNKNOWN)),
    "a URL": vault(credential(UNKNOWN)),
    "a credential": vault(UNKNOWN, credential()),
    "all credentials": vault(credentials=UNKNOWN),
    "the name": vault(display_name=UNKNOWN),
    "metadata": vault(metadata=UNKNOWN),
    "a value of metadata": vault(metadata={"team": UNKNOWN}),
    "on_delete": vault(on_delete=UNKNOWN),
    "everything": vault(credentials=UNKNOWN, display_name=UNKNOWN, metadata=UNKNOWN, on_delete=UNKNOWN),
}


@pytest.mark.parametrize("what", UNCLEAR)
def test_what_is_unknown_in_a_preview(what: str, start: Callable[..., Emulator], served: Provider) -> None:
    """It passes check, stays unknown, counts as a change in diff, and no request is made."""
    qoder = start()
    served.configure(qoder)
    known = served.checked(vault())
    outputs = {
        **known,
        "base_url": "https://qoder.example",
        "api_revision": "2026-05",
        "metadata": {},
        "credential_ids": {URL: "vcred_1"},
    }

    olds: tuple[Props, ...] = ({}, known)
    for inputs in (served.checked(UNCLEAR[what], old) for old in olds):
        assert UNKNOWN in str(inputs)

    assert NOT_SAID == served.diff(Resource("vault_1", known, outputs), inputs).changes
    assert [] == qoder.requests


def test_a_failure_is_one_clean_line_for_the_engine(qoder: Emulator, served: Provider) -> None:
    """The status in the trailing metadata is our line; not even the SDK's traceback beside it holds a secret."""
    served.configure(qoder)
    qoder.fail_next("POST", "/vaults", Fault.FORBIDDEN)

    with pytest.raises(Failed) as caught:
        served.create(vault())

    assert re.fullmatch(
        r"POST /vaults: The API token has no permission for this operation \(403 permission_error, request_id "
        r"req_\w+, host 127\.0\.0\.1:\d+\): give the API token access to vaults, or set qoder:workspaceId to a "
        r"workspace that it may use",
        caught.value.status.message,
    ), caught.value.line
    assert [] == list(caught.value.status.details)
    assert not [secret for secret in (TOKEN, qoder.api_token) if secret in caught.value.details]


def test_an_unforeseen_failure_is_one_clean_line_for_the_engine(
    qoder: Emulator, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what nobody foresaw."""

    def fail(*_: Any) -> Any:
        raise RuntimeError(f"unforeseen\n{TOKEN}")

    served.configure(qoder)
    monkeypatch.setattr(operations, "create", fail)

    with pytest.raises(Failed) as caught:
        served.create(vault())

    assert "please report this line" in caught.value.status.message
    assert TOKEN not in caught.value.line + caught.value.details + str(caught.value.status)


def test_partial_state_reaches_the_engine(start: Callable[..., Emulator], served: Provider) -> None:
    """`ErrorResourceInitFailed` with id, properties and the whole sentence; secrets are marked in it."""
    qoder = start("2026-07")
    served.configure(qoder)
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)

    with pytest.raises(Failed) as caught:
        served.create(vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))

    failed, line = caught.value.partial, caught.value.status.message
    properties = received(failed.properties)
    assert ([qoder.vaults[0].id], [line]) == ([failed.id], list(failed.reasons))
    assert {URL} == properties["credential_ids"].keys()
    assert PICKLED_PROVIDER == properties["__provider"]
    assert [] == in_plain(properties)
    assert "recorded as partially created" in line


# In a program, under Pulumi's mocks

DECLARED = CredentialArgs(mcp_server_url=URL, access_token=TOKEN)


def test_a_program_runs_under_mocks() -> None:
    """Users' unit tests work: what was declared is registered under the frozen type, with the frozen string."""
    shown: dict[str, Any] = {}

    def program() -> Any:
        made = Vault(
            "github-tools",
            display_name="my-mcp-vault",
            credentials=[CredentialArgs(mcp_server_url=URL, protocol="sse", access_token=TOKEN)],
        )
        return pulumi.Output.all(made.id, made.credential_ids[URL], made.on_delete).apply(
            lambda values: shown.update(values=values)
        )

    (registered,) = run(program)
    assert (VAULT_TYPE, "github-tools") == (registered.typ, registered.name)
    assert PICKLED_PROVIDER == registered.inputs["__provider"]
    assert {
        "display_name": "my-mcp-vault",
        "credentials": [{"mcp_server_url": URL, "protocol": "sse", "access_token": TOKEN}],
        "on_delete": "delete",
    } == {key: value for key, value in plain(registered.inputs).items() if key != "__provider"}
    assert {"values": ["vault_github-tools", "vcred_1", "delete"]} == shown


def test_credential_args_is_a_plain_dict() -> None:
    """`CredentialArgs(...)` and a dict literal are the same thing."""
    assert {"mcp_server_url": URL, "access_token": TOKEN} == CredentialArgs(mcp_server_url=URL, access_token=TOKEN)


@pytest.mark.parametrize("arguments", [{}, {"display_name": "v"}, {"credentials": []}, {"credentials": None}])
def test_what_is_missing_is_no_type_error(arguments: dict[str, Any]) -> None:
    """Missing arguments are for `check` to say, in one line."""
    assert 1 == len(run(lambda: Vault("bare", **arguments).urn))


def test_access_tokens_are_secret_before_the_provider_sees_them() -> None:
    """In the constructor, whatever the program forgot: plain, as an output, in an output, or in a list of outputs."""
    secrets: dict[str, bool] = {}

    def program() -> Any:
        variants = {
            "plain": [credential()],
            "output token": [credential(token=pulumi.Output.from_input(TOKEN))],
            "output credential": [pulumi.Output.from_input(credential())],
            "output list": pulumi.Output.from_input([credential()]),
        }
        return [pulumi.Output.from_input(access_token_of(value)).is_secret() for value in variants.values()]

    def access_token_of(credentials: Any) -> Any:
        plain = pulumi.Output.from_input(to_plain(credentials, "credentials"))
        return plain.apply(lambda items: items[0]["access_token"])

    async def gather(flags: list[Any]) -> Any:
        for number, flag in enumerate(flags):
            secrets[str(number)] = await flag

    run(lambda: pulumi.Output.from_input(gather(program())))
    assert {str(number): True for number in range(4)} == secrets


def test_import_is_refused_with_one_line() -> None:
    """Pulumi cannot import a dynamic resource, and says so badly; this says it well."""
    failures: list[str] = []

    def program() -> None:
        try:
            Vault(
                "v",
                pulumi.ResourceOptions(import_="vault_1"),
                display_name="v",
                credentials=[DECLARED],
            )
        except pulumi.RunError as failure:
            failures.append(str(failure))

    assert [] == run(program)
    assert [
        "Vault 'v': Pulumi cannot import a dynamic resource; take import_ out, and use qoder:index:Vault of "
        "the plugin, which can"
    ] == failures


def test_a_subclass_keeps_the_type() -> None:
    """A user's subclass is a vault like any other: its type stands in the state."""

    class TeamVault(Vault):
        pass

    registered = run(lambda: TeamVault("v", display_name="v", credentials=[DECLARED]).urn)
    assert [VAULT_TYPE] == [item.typ for item in registered]


def test_get_in_a_program() -> None:
    """`Vault.get` reads by id, and hands the provider nothing that it could take for a declaration."""
    (registered,) = run(lambda: Vault.get("theirs", "vault_7").urn)

    assert (VAULT_TYPE, "vault_7") == (registered.typ, registered.resource_id)
    assert {"__provider"} == {key for key, value in registered.inputs.items() if value is not None}


def test_get_keeps_the_options() -> None:
    """Options of the program are not lost beside the id."""

    def program() -> Any:
        parent = Vault("parent", display_name="p", credentials=[DECLARED])
        return Vault.get("theirs", "vault_7", pulumi.ResourceOptions(parent=parent)).urn.apply(urns.append)

    urns: list[str] = []
    run(program)
    assert ["qoder:Vault$pulumi-python:dynamic/qoder:Vault::theirs"] == [
        urn.rpartition("dynamic/")[0] and urn.split("dynamic/", 1)[1] for urn in urns
    ]
