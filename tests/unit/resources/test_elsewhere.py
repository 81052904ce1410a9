"""A state that was made at another base URL, or in another workspace: the warning, and the ways out of each error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import engine_pb2, provider_pb2

from in_process.provider import CREDENTIAL, NONE, Failed, Provider, Resource
from pulumi_qoder_vault import connection
from pulumi_qoder_vault.connection import Qoder
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.lifecycle.model import Place
from pulumi_qoder_vault.resources import elsewhere
from pulumi_qoder_vault.setting_sources import Owner
from pulumi_qoder_vault.settings import load
from unit.plugin.engine_side import LoggingEngine

URL, TOKEN, NEXT = "https://example.com/mcp", "mcp-canary-one-1111", "mcp-canary-one-next"
OLD = "https://old.example/api/v1/cloud"
JSON = (("Content-Type", "application/json"),)


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    connection.CONNECTIONS.start_waiting()


def vault(token: str = TOKEN, **fields: Any) -> dict[str, Any]:
    return {"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": token}], **fields}


def moved(resource: Resource, base_url: str = OLD, workspace_id: str | None = None) -> Resource:
    """The same state, as if it had been made there."""
    there = {"baseUrl": base_url} | ({"workspaceId": workspace_id} if workspace_id else {})
    return replace(resource, outputs={**resource.outputs, **there})


def line_of(call: Callable[[], Any]) -> str:
    with pytest.raises(Failed) as caught:
        call()
    return caught.value.line


def ways_out(plugin: Provider, recorded: str = OLD) -> str:
    return (
        f"; if this run asks the wrong place: pulumi config set qoder:baseUrl {recorded}; if both are the same "
        f"Qoder: pulumi refresh; otherwise: use another stack, or run pulumi state delete '{plugin.urn}', which only "
        "drops it "
        "from the state"
    )


def test_a_preview_warns_once(
    serve: Callable[..., Provider], qoder: Emulator, engine: tuple[str, LoggingEngine]
) -> None:
    """It names both places, and a Diff asks nobody; the next command of an engine that attaches warns again."""
    address, log = engine
    plugin = serve(address).configure(qoder)
    resource = moved(plugin.create(vault()))
    qoder.clear_requests()

    for _ in range(2):
        plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=address))
        for name in ("a", "b", "c"):
            urn = f"urn:pulumi:dev::project::{plugin.type}::{name}"
            asked = {"urn": urn, "id": resource.id, "olds": resource.outputs, "news": resource.inputs}
            assert NONE == plugin.call("Diff", **asked).changes

    lines = log.wait_for(2)
    assert [(engine_pb2.WARNING, "a"), (engine_pb2.WARNING, "a")] == [
        (line.severity, line.urn.rpartition("::")[2]) for line in lines
    ]
    said = (
        f"the state was created at {OLD}, but this run asks {qoder.base_url}; if this run asks the wrong place: "
        f"pulumi config set qoder:baseUrl {OLD}; if both are the same Qoder: pulumi refresh; otherwise: use another "
        "stack, or run "
        "pulumi state delete <urn>, which only drops it from the state"
    )
    assert {said} == {line.message for line in lines}
    assert [] == qoder.requests


def test_the_right_place_needs_no_warning(
    serve: Callable[..., Provider], qoder: Emulator, engine: tuple[str, LoggingEngine]
) -> None:
    """Nor does a state of the right place, nor settings that cannot be read: a check says those."""
    address, log = engine
    plugin = serve(address).configure(qoder)
    resource = plugin.create(vault())
    plugin.diff(resource, resource.inputs)
    plugin.configure(qoder, timeout="soon")
    plugin.diff(moved(resource), resource.inputs)

    assert [] == log.logged


CALLS: dict[str, Callable[[Provider, Resource], Any]] = {
    "refresh": lambda plugin, resource: plugin.refresh(resource),
    "update": lambda plugin, resource: plugin.call(
        "Update",
        urn=plugin.urn,
        id=resource.id,
        olds=resource.outputs,
        news=changed(resource),
    ),
    "destroy": lambda plugin, resource: plugin.delete(resource),
}


def changed(resource: Resource) -> dict[str, Any]:
    """Complete inputs with another access token."""
    return dict(json.loads(json.dumps(resource.inputs).replace(TOKEN, NEXT)))


def made(plugin: Provider, kind: str) -> tuple[Provider, Resource]:
    if kind == "vault":
        return plugin, plugin.create(vault())
    owner = plugin.create(vault())
    credentials = plugin.of(CREDENTIAL)
    other = "https://other.example/mcp"
    return credentials, credentials.create({"vaultId": owner.id, "mcpServerUrl": other, "accessToken": TOKEN})


REFUSALS = {
    401: "TOKEN_INVALID",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    500: "api_error",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["vault", "credential"])
@pytest.mark.parametrize("answer", [*REFUSALS, "page", "redirect", "html"])
def test_every_error_that_may_come_of_it_ends_with_the_ways_out(
    plugin: Provider, qoder: Emulator, call: str, kind: str, answer: Any
) -> None:
    """Whatever is at the wrong place answers as it likes; the line names both, and what can be done."""
    plugin, resource = made(plugin, kind)
    plugin.configure(qoder, timeout="50s")  # another run, to which nothing was shown
    resource = moved(resource)
    effects = {
        "page": Effect("a page", status=404, body=b"<html>"),
        "redirect": Effect("moved", status=302, headers=(("Location", "https://new.example/"),)),
        "html": Effect("a page", status=200, body=b"<html>"),
    }
    body = {"type": "error", "error": {"type": REFUSALS.get(answer, ""), "message": "No."}}
    effect = effects.get(answer) or Effect("no", status=answer, headers=JSON, body=body)
    qoder.fail_next("*", "/**", effect, times=None)

    line = line_of(lambda: CALLS[call](plugin, resource))

    assert line.endswith(ways_out(plugin)), line
    assert f"created at {OLD}, but this run ask" in line
    assert qoder.base_url in line
    assert "canary" not in line


@pytest.mark.parametrize("call", CALLS)
def test_where_nobody_listens_the_ways_out_are_named_too(plugin: Provider, qoder: Emulator, call: str) -> None:
    """The emulator was started anew, at another port."""
    resource = plugin.create(vault())
    plugin.configure(qoder, baseUrl="http://127.0.0.1:1/api/v1/cloud")

    line = line_of(lambda: CALLS[call](plugin, resource))

    assert "no connection to 127.0.0.1:1 (" in line
    assert line.endswith(
        f"; the state was created at {qoder.base_url}, but this run asks http://127.0.0.1:1/api/v1/cloud"
        f"{ways_out(plugin, qoder.base_url)}"
    ), line


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.FORBIDDEN], ids=repr)
def test_an_error_of_what_was_found_there_has_no_ways_out(plugin: Provider, qoder: Emulator, fault: Fault) -> None:
    """The vault is there: both are one Qoder, and something else is wrong."""
    resource = moved(plugin.create(vault()))
    qoder.fail_next("POST", "/vaults/**", fault, times=None)

    assert "pulumi state delete" not in line_of(lambda: CALLS["update"](plugin, resource))


def test_at_the_right_place_no_error_has_ways_out(plugin: Provider, qoder: Emulator) -> None:
    """Nothing is said of places where there is one."""
    resource = plugin.create(vault())
    qoder.fail_next("*", "/**", Fault.FORBIDDEN, times=None)

    for call in CALLS.values():
        assert "created at" not in line_of(lambda call=call: call(plugin, resource))  # type: ignore[misc]


@pytest.mark.parametrize("call", ["refresh", "update"])
@pytest.mark.parametrize("kind", ["vault", "credential"])
def test_a_success_updates_the_record(plugin: Provider, qoder: Emulator, call: str, kind: str) -> None:
    """The object is there too, so that is where it is from now on."""
    plugin, resource = made(plugin, kind)

    found = CALLS[call](plugin, moved(resource))

    outputs = found.outputs if isinstance(found, Resource) else dict(found.properties)
    assert qoder.base_url == outputs["baseUrl"]


def test_an_update_without_a_request_proves_nothing(plugin: Provider, qoder: Emulator) -> None:
    """What is only recorded says nothing about the place."""
    resource = moved(plugin.create(vault()))
    qoder.clear_requests()

    assert OLD == plugin.update(resource, vault(onDelete="archive")).outputs["baseUrl"]
    assert [] == qoder.requests


# The words, by where the settings came from


def ways_out_of(recorded: Place, configured: dict[str, str], environment: dict[str, str], owner: Owner) -> str:
    (line,) = elsewhere.warnings(recorded, load(configured, environment, owner))
    return line.partition("; ")[2].partition("; otherwise: ")[0]


NEW = "https://new.example/api"


@pytest.mark.parametrize(
    ("recorded", "configured", "environment", "owner", "expected"),
    [
        (
            Place(OLD, None),
            {"qoder:baseUrl": NEW},
            {},
            Owner(is_of_last_up=True),
            f"pulumi config set qoder:baseUrl {OLD}, then pulumi up, or add --run-program; if both are the same Qoder: "
            "pulumi refresh --run-program",
        ),
        (
            Place(OLD, None),
            {},
            {},
            Owner(is_of_last_up=True),
            f"pulumi config set qoder:baseUrl {OLD}, then pulumi up, or add --run-program; if both are the same Qoder: "
            "pulumi refresh --run-program",
        ),
        (
            Place(OLD, None),
            {},
            {"QODER_BASE_URL": NEW},
            Owner(is_of_last_up=True),
            f"set QODER_BASE_URL, the source of qoder:baseUrl, to {OLD}; if both are the same Qoder: pulumi refresh",
        ),
        (
            Place(OLD, None),
            {"qoder:baseUrl": NEW},
            {},
            Owner(provider="a"),
            f"set baseUrl of the provider 'a' to {OLD}, then pulumi up; if both are the same Qoder: pulumi refresh",
        ),
        (
            Place(NEW, "ws;1"),
            {"qoder:baseUrl": NEW},
            {},
            Owner(),
            "pulumi config set qoder:workspaceId 'ws;1'; if both are the same Qoder: pulumi refresh",
        ),
        (
            Place(OLD, None),
            {"qoder:baseUrl": NEW},
            {"QODER_WORKSPACE_ID": "ws"},
            Owner(),
            f"pulumi config set qoder:baseUrl {OLD} and unset QODER_WORKSPACE_ID; if both are the same Qoder: pulumi "
            "refresh",
        ),
        (
            Place(NEW, None),
            {"qoder:workspaceId": "ws"},
            {"QODER_BASE_URL": NEW},
            Owner(is_of_last_up=True),
            "pulumi config rm qoder:workspaceId, then pulumi up, or add --run-program; if both are the same Qoder: "
            "pulumi refresh --run-program",
        ),
        (
            Place(NEW, None),
            {"qoder:workspaceId": "ws", "qoder:baseUrl": NEW},
            {},
            Owner(recorded=frozenset({"qoder:workspaceId"})),
            "pulumi up, or add --run-program: only the last up had qoder:workspaceId; if both are the same Qoder: "
            "pulumi refresh",
        ),
    ],
)
def test_each_way_out_is_one_that_works(
    recorded: Place, configured: dict[str, str], environment: dict[str, str], owner: Owner, expected: str
) -> None:
    """A setting is changed where it is set; where refresh has the configuration of the last `up`, that is said."""
    assert f"if this run asks the wrong place: {expected}" == ways_out_of(recorded, configured, environment, owner)


def test_a_state_that_does_not_say_where_it_was_made_is_no_case() -> None:
    """Nothing can be compared."""
    assert () == elsewhere.warnings(Place("", None), load({}, {}))
    assert "" == Qoder(load({}, {})).urn
