"""A stack whose runs have a service-account key in place of an API token, on both fronts: the engine in one process.

Time passes where the provider waits, and the emulator's tokens expire by the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from in_process.engine import Engine, MovableTime
from in_process.provider import FRONTS, Failed
from in_process.provider import serve as serve_provider
from in_process.wire import Props, in_plain, received, secret
from pulumi_qoder_vault import connection
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.authentication import EXCHANGE_PATH
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.dynamic import PICKLED_PROVIDER
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings

KEY = "sa-canary-0123456789"
URL = "https://example.com/mcp"
BOTH = pytest.mark.parametrize("front", ["dynamic", "plugin"])
Begin = Callable[..., tuple[Emulator, Engine, MovableTime]]


def vault(url: str = URL, token: str = "mcp-access-token-1") -> Props:
    return {"display_name": "v", "credentials": [{"mcp_server_url": url, "access_token": token}]}


@pytest.fixture
def begin(start: Callable[..., Emulator]) -> Begin:
    """Start an emulator that knows the key, and a stack that has it configured."""

    def begin(front: str, revision: str = "2026-05", **settings: str) -> tuple[Emulator, Engine, MovableTime]:
        time, began_at = MovableTime(), datetime.now(UTC)
        began_s = time.clock.monotonic_s()

        def clock() -> datetime:
            return began_at + timedelta(seconds=time.clock.monotonic_s() - began_s)

        qoder = start(revision, clock=clock, service_account_keys=[KEY], service_token_ttl_s=2.0)
        return qoder, Engine(qoder, time, front, apiToken="", serviceAccountKey=KEY, **settings), time

    return begin


def statuses(qoder: Emulator) -> Counter[tuple[bool, int | None]]:
    """How often exchanges, and requests to the API, had which status."""
    return Counter((request.path == EXCHANGE_PATH, request.status) for request in qoder.requests)


@BOTH
def test_a_life_with_a_service_account(begin: Begin, front: str) -> None:
    """Each command exchanges the key once, a preview not at all; the state holds neither key nor token."""
    qoder, engine, time = begin(front)
    program = {"a": vault()}
    assert {"a": "create"} == engine.preview(program)
    assert [] == qoder.requests
    commands: list[Callable[[], list[str]]] = [
        lambda: engine.up(program),
        engine.refresh,
        lambda: engine.up({"a": vault(token="mcp-access-token-2")}),
    ]
    for command in commands:
        assert [] == command()
        assert 1 == statuses(qoder)[True, 200]
        qoder.clear_requests()
        time.clock.sleep(10.0)

    (made,) = qoder.vaults
    assert ["mcp-access-token-2"] == [item.access_token for item in made.credentials if item.status == "active"]
    assert "canary" not in repr(engine.state)
    assert "sat-emulator" not in repr(engine.state)
    assert [] == engine.destroy()
    assert [] == qoder.vaults


@BOTH
def test_two_hundred_vaults_and_tokens_of_two_seconds(begin: Begin, front: str) -> None:
    """One exchange for each period, in the middle of a run; and no request fails."""
    qoder, engine, time = begin(front, maxWritesPerSecond="20", maxReadsPerSecond="50")
    program = {f"v{number}": vault() for number in range(200)}
    commands: list[tuple[Callable[[], list[str]], float]] = [(lambda: engine.up(program), 12.0), (engine.destroy, 30.0)]
    for command, most_s in commands:
        qoder.clear_requests()
        began_s = time.clock.monotonic_s()
        assert [] == command()
        passed_s = time.clock.monotonic_s() - began_s

        assert 10.0 < passed_s < most_s
        count = statuses(qoder)
        assert {200, 201, 204, 404} >= {status for _, status in count}
        # Fetched again at 1.8 s, when the next request comes.
        assert passed_s / 1.9 <= count[True, 200] <= passed_s / 1.8 + 1
    assert [] == qoder.vaults


@BOTH
def test_the_key_is_no_access_token(begin: Begin, front: str) -> None:
    """It is found in the place of one, and in plain text, at the preview; the lines name what it is."""
    qoder, engine, _ = begin(front)
    (as_token,) = engine.up({"a": vault(token=KEY)})
    (in_url,) = engine.up({"a": vault(url=f"{URL}/{KEY}")})

    refused = "is the service-account key, which only Qoder may receive: use the access token of this MCP server"
    assert refused in as_token
    assert "the service-account key stands in plain text here; it belongs in qoder:serviceAccountKey only" in in_url
    assert "canary" not in as_token + in_url
    assert [] == qoder.requests


@BOTH
def test_to_another_account_s_key_nothing_is_gone(begin: Begin, front: str) -> None:
    """The state knows who saw it last by the key, and not by its tokens."""
    qoder, engine, time = begin(front, "2026-07")
    assert [] == engine.up({"a": vault()})
    theirs = Engine(qoder, time, front, apiToken="", serviceAccountKey="sa-canary-of-another")
    theirs.state = engine.state
    other = qoder.add_account()
    other.add_service_account_key("sa-canary-of-another")

    (line,) = theirs.refresh()
    assert "it is gone, or this API token is another account's" in line
    assert ["a"] == list(theirs.state)
    assert [] == engine.refresh()
    assert ["a"] == list(engine.state)


@pytest.mark.parametrize("type_", FRONTS.values(), ids=FRONTS)
def test_a_revoked_key_is_said_with_its_source(
    start: Callable[..., Emulator], closing: ExitStack, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    """From the environment; a read and a create fail in one line, and nothing is made."""
    made = Connections(MovableTime().clock)
    monkeypatch.setattr(connection, "CONNECTIONS", made)
    closing.callback(made.close)
    monkeypatch.setenv("QODER_SA_KEY", KEY)
    qoder = start()
    provider = serve_provider(closing, type_).configure(qoder, apiToken="")

    calls: list[Callable[[], Any]] = [
        lambda: provider.call("Read", urn=provider.urn, id="vault_1", properties=pickled(provider)),
        lambda: provider.call("Create", urn=provider.urn, properties=provider.checked(inputs(provider))),
    ]
    for call in calls:
        with pytest.raises(Failed) as caught:
            call()
        assert f"not sent: POST {EXCHANGE_PATH}: the exchange refused the service-account key" in caught.value.line
        host = qoder.base_url.split("/")[2]
        assert f"host {host}): the service-account key is from QODER_SA_KEY; set QODER_SA_KEY to a valid one" in (
            caught.value.line
        )
        assert "canary" not in f"{caught.value.line} {caught.value.details}"
    assert {(True, 401): 1} == statuses(qoder), "within five seconds it is asked once"


def pickled(provider: Any) -> Props:
    return {"__provider": PICKLED_PROVIDER} if provider.is_dynamic else {}


def inputs(provider: Any) -> Props:
    """The inputs of a vault, with the names of the front."""
    if provider.is_dynamic:
        return vault() | pickled(provider)
    return {"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": secret("mcp-access-token-1")}]}


def test_functions_and_vaults_of_others_are_read_with_it(
    start: Callable[..., Emulator], closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one exchange; the key of an explicit provider is handed back as a secret, marked or not."""
    made = Connections(MovableTime().clock)
    monkeypatch.setattr(connection, "CONNECTIONS", made)
    closing.callback(made.close)
    qoder = start("2026-07", service_account_keys=[KEY])
    theirs = qoder.add_vault("theirs")
    plugin = serve_provider(closing).configure(qoder, apiToken="", serviceAccountKey=secret(KEY))

    assert theirs.id == plugin.invoke("getVault", id=theirs.id)["id"]
    found = plugin.find(theirs.id)
    assert found is not None
    assert theirs.id == found.id
    assert 1 == statuses(qoder)[True, 200]
    checked = plugin.call("CheckConfig", news={"serviceAccountKey": KEY})
    assert {"serviceAccountKey": secret(KEY)} == received(checked.inputs)
    assert [] == in_plain(received(checked.inputs))


def test_one_process_has_one_token_for_a_key(start: Callable[..., Emulator], closing: ExitStack) -> None:
    """Whatever else differs between two settings: workspace, time, rate."""
    qoder = start(service_account_keys=[KEY])
    made = Connections()
    closing.callback(made.close)
    settings = Settings(None, qoder.base_url, service_account_key=Secret(KEY))
    for each in (settings, replace(settings, workspace_id="ws_1"), replace(settings, timeout_s=9.0)):
        made.to(each)[0].send(Request("GET", "/vaults", is_repeatable=True))

    assert {(True, 200): 1, (False, 200): 3} == statuses(qoder)
