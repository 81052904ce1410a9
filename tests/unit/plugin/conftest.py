"""A real gRPC server with the plugin, an emulator over real HTTP, and waits that go by a clock of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import pytest
from pulumi.runtime.proto import engine_pb2_grpc

from in_process.provider import CREDENTIAL, VAULT, Provider
from in_process.provider import serve as serve_provider
from in_process.wire import Props
from pulumi_qoder_vault import connection
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.emulator import Emulator
from unit.plugin.engine_side import LoggingEngine


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, fake_time: Any) -> Iterator[Connections]:
    """New connections for each test, whose waits go by the fake time."""
    made = Connections(fake_time.clock)
    monkeypatch.setattr(connection, "CONNECTIONS", made)
    yield made
    made.close()


@pytest.fixture
def true_waits(monkeypatch: pytest.MonkeyPatch, connections: Connections) -> Iterator[None]:
    """The connections of the plugin itself, by its own clock."""
    made = Connections()
    monkeypatch.setattr(connection, "CONNECTIONS", made)
    yield
    made.close()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "PULUMI_CONFIG",
        "QODER_ACCESS_TOKEN",
        "QODER_PAT",
        "QODER_SA_KEY",
        "QODER_MANAGED_BASE_URL",
        "QODER_BASE_URL",
        "QODER_API_REVISION",
        "QODER_WORKSPACE_ID",
        "QODER_MAX_WRITES_PER_SECOND",
        "QODER_MAX_READS_PER_SECOND",
        "QODER_TIMEOUT",
        "QODER_READ_REFERENCES",
        "QODER_LOG",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve(closing: ExitStack) -> Callable[..., Provider]:
    """Start a plugin that is not configured."""
    return lambda engine_address=None: serve_provider(closing, engine_address=engine_address)


@pytest.fixture(params=["2026-05", "2026-07"])
def qoder(request: pytest.FixtureRequest, start: Callable[..., Emulator]) -> Emulator:
    return start(request.param)


@pytest.fixture
def plugin(serve: Callable[..., Provider], qoder: Emulator) -> Provider:
    """A plugin that is configured for the emulator of either revision."""
    return serve().configure(qoder)


@pytest.fixture
def credentials(plugin: Provider) -> Provider:
    return plugin.of(CREDENTIAL)


@pytest.fixture
def vault_plugin(start: Callable[..., Emulator], serve: Callable[..., Provider]) -> Callable[..., Any]:
    """Start an emulator of a revision, and a plugin for it."""

    def begin(revision: str, type_: str = VAULT, settings: Props | None = None, **switches: Any) -> Any:
        qoder = start(revision, **switches)
        return qoder, serve().configure(qoder, **(settings or {})).of(type_)

    return begin


@pytest.fixture
def somebody(closing: ExitStack) -> Callable[[Emulator], httpx.Client]:
    """Somebody else, who speaks to the emulator directly."""

    def connect(qoder: Emulator) -> httpx.Client:
        headers = {"Authorization": f"Bearer {qoder.api_token}"}
        return closing.enter_context(httpx.Client(base_url=qoder.base_url, headers=headers, trust_env=False))

    return connect


@pytest.fixture
def engine(closing: ExitStack) -> tuple[str, LoggingEngine]:
    """An engine's address, and what is logged there."""
    log = LoggingEngine()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(log, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    closing.callback(lambda: server.stop(None).wait(5))
    return f"127.0.0.1:{port}", log
