"""Pulumi's engine in one process: a program, a state and the provider over gRPC, with a clock that a test moves.

What the engine does with a response was seen with the real CLI, and the tests in `tests/engine` hold the same there:
partial state, inputs that stay old where an update fails, replacement before deletion, a refresh that forgets errors.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from pulumi_qoder_vault import connection
from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.dynamic import PICKLED_PROVIDER
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin import names
from pulumi_qoder_vault.plugin.names import SchemaProperties
from pulumi_qoder_vault.plugin.servicer import Servicer
from pulumi_qoder_vault.pulumi_values import PulumiProperties

FRONTS = {"dynamic": "pulumi-python:dynamic/qoder:Vault", "plugin": "qoder:index:Vault"}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
Props = dict[str, Any]


class Killed(Exception):
    """The provider dies here: nothing of its own code runs after this, and its response reaches nobody."""


@dataclass
class MovableTime:
    """Time that passes where somebody waits.

    Attributes:
        pace: what a wait of one second takes in truth, for a server that is still at work.
        on_sleep: called once, at the next wait.
    """

    pace: float = 0.0
    on_sleep: Callable[[], None] | None = None
    _passed_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 1000 + self._passed_s, lambda: time.time() + self._passed_s, self._sleep)

    def _sleep(self, wait_s: float) -> None:
        with self._lock:
            self._passed_s += wait_s
            hook, self.on_sleep = self.on_sleep, None
        if hook is not None:
            hook()
        time.sleep(wait_s * self.pace)


@dataclass
class Resource:
    """What the state holds of one resource."""

    id: str
    inputs: Props
    outputs: Props
    is_unfinished: bool = False


class Failed(Exception):
    """A step failed; the message is what the CLI prints."""


@functools.cache
def load_servicer_class() -> Any:
    """The class that runs dynamic providers. Its module is a program: it is loaded without its last call, `main()`."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))]
    module = types.ModuleType("dynamic_provider_servicer")
    exec(compile(tree, spec.origin, "exec"), module.__dict__)
    return module.DynamicResourceProviderServicer, module._PROVIDER_CACHE


@functools.cache
def _stub(front: str) -> provider_pb2_grpc.ResourceProviderStub:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    servicer = load_servicer_class()[0]() if front == "dynamic" else Servicer()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    SERVERS.append(server)
    return provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}"))


SERVERS: list[Any] = []  # they live as long as the process


class Engine:
    """One stack. Properties have the names of the Python resource, whichever front there is.

    Attributes:
        state: resources by name.
        doomed: what was replaced and is still to be deleted.
        said: every error of every command, as the CLI prints it.
    """

    def __init__(self, qoder: Emulator, clock: MovableTime, front: str = "dynamic", **settings: str) -> None:
        self.state: dict[str, Resource] = {}
        self.doomed: list[Resource] = []
        self.said: list[str] = []
        self._qoder = qoder
        self._time = clock
        self._settings = settings
        self._front = front

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One command: a new provider process, in which nothing is known but configuration and environment."""
        before, connection.CONNECTIONS = connection.CONNECTIONS, Connections(self._time.clock)
        environment = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("QODER_")}
        load_servicer_class()[1].clear()
        configuration = {
            "qoder:apiToken": self._qoder.api_token,
            "qoder:baseUrl": self._qoder.base_url,
            "qoder:maxWritesPerSecond": "0",
            "qoder:maxReadsPerSecond": "0",
            **{f"qoder:{key}": value for key, value in self._settings.items()},
        }
        _stub(self._front).Configure(provider_pb2.ConfigureRequest(args=struct(configuration)))
        try:
            yield
        finally:
            connection.CONNECTIONS.close()
            connection.CONNECTIONS = before
            os.environ.update(environment)

    def preview(self, program: Mapping[str, Props]) -> dict[str, str]:
        """What an `up` would do, by name: create, update, replace, delete."""
        with self._running():
            planned = {name: self._planned(name, props)[0] for name, props in program.items()}
        planned |= {name: "delete" for name in self.state if name not in program}
        return {name: what for name, what in planned.items() if what != "same"}

    def up(self, program: Mapping[str, Props]) -> list[str]:
        """Make the state what the program says; give the errors."""
        with self._running():
            errors = self._each(program, lambda name: self._up(name, program[name]))
            if not errors:
                errors = self._delete_all([name for name in self.state if name not in program])
        return errors

    def refresh(self) -> list[str]:
        """Make the state what exists; give the errors."""
        with self._running():
            return self._each(self.state, self._refresh)

    def destroy(self) -> list[str]:
        """Delete everything; give the errors."""
        with self._running():
            return self._delete_all(self.state)

    def _each(self, names: Any, act: Callable[[str], None]) -> list[str]:
        errors = []
        for name in list(names):
            try:
                act(name)
            except Failed as failure:  # each may fail, and the others go on
                errors.append(str(failure))
        self.said += errors
        return errors

    def _delete_all(self, names: Any) -> list[str]:
        def delete_doomed(_: str) -> None:
            while self.doomed:
                self._delete(self.doomed[0])
                self.doomed.pop(0)

        def delete(name: str) -> None:
            self._delete(self.state[name])
            del self.state[name]

        return self._each(["the replaced"], delete_doomed) + self._each(names, delete)

    def _planned(self, name: str, props: Props) -> tuple[str, Props]:
        news = plain(props) | ({"__provider": PICKLED_PROVIDER} if self._front == "dynamic" else {})
        old = self.state.get(name)
        checked = self._call("Check", name, olds=old.inputs if old else {}, news=news)
        if checked.failures:
            raise Failed("; ".join(failure.reason for failure in checked.failures))
        inputs = received(checked.inputs)
        if old is None:
            return "create", inputs
        diff = self._call("Diff", name, id=old.id, olds=old.outputs, news=inputs)
        is_known = diff.changes != provider_pb2.DiffResponse.DIFF_UNKNOWN
        differs = [key for key in {**inputs, **old.inputs} if inputs.get(key) != old.inputs.get(key)]
        has_changes = diff.changes == provider_pb2.DiffResponse.DIFF_SOME if is_known else bool(differs)
        if set(_snake(diff.replaces)) & set(differs) or (is_known and has_changes and diff.replaces):
            checked = self._call("Check", name, olds={}, news=news)
            if checked.failures:
                raise Failed("; ".join(failure.reason for failure in checked.failures))
            return "replace", received(checked.inputs)
        return "update" if has_changes or old.is_unfinished else "same", inputs

    def _up(self, name: str, props: Props) -> None:
        what, inputs = self._planned(name, props)
        old = self.state.get(name)
        if what in ("create", "replace"):
            made = self._guarded(
                lambda partial: self._put(name, old, Resource(partial.id, inputs, received(partial.properties), True)),
                "Create",
                name,
                properties=inputs,
            )
            self._put(name, old, Resource(made.id, inputs, received(made.properties)))
            return
        assert old is not None
        if what == "same":
            old.inputs = inputs
            return

        def keep(partial: Any) -> None:
            old.outputs, old.is_unfinished = received(partial.properties), True

        updated = self._guarded(keep, "Update", name, id=old.id, olds=old.outputs, news=inputs)
        self.state[name] = Resource(old.id, inputs, received(updated.properties))

    def _put(self, name: str, old: Resource | None, new: Resource) -> None:
        if old is not None:
            self.doomed.append(old)
        self.state[name] = new

    def _refresh(self, name: str) -> None:
        old = self.state[name]
        read = self._call("Read", name, id=old.id, properties=old.outputs, inputs=old.inputs)
        if not read.id:
            del self.state[name]
            return
        inputs = received(read.inputs) or old.inputs
        self.state[name] = Resource(read.id, inputs, received(read.properties))

    def _delete(self, resource: Resource) -> None:
        self._call("Delete", "doomed", id=resource.id, properties=resource.outputs)

    def _call(self, method: str, name: str, **fields: Any) -> Any:
        sent = {key: self._sent(value) if isinstance(value, dict) else value for key, value in fields.items()}
        request = getattr(provider_pb2, f"{method}Request")(
            urn=f"urn:pulumi:dev::project::{FRONTS[self._front]}::{name}", **sent
        )
        try:
            return getattr(_stub(self._front), method)(request, timeout=60)
        except grpc.RpcError as failure:
            raise Failed(_status(failure).message or failure.details()) from failure

    def _sent(self, props: Props) -> struct_pb2.Struct:
        """A dynamic provider gets plain values; the plugin takes secrets, under the names of its schema."""
        return struct(props if self._front == "dynamic" else names.to_schema(PulumiProperties(_marked(props))))

    def _guarded(self, keep: Callable[[Any], None], method: str, name: str, **fields: Any) -> Any:
        try:
            return self._call(method, name, **fields)
        except Failed as failure:
            if failure.__cause__ is not None:
                partial = _partial(failure.__cause__)
                if partial is not None:
                    keep(partial)
            raise


def _status(failure: Any) -> Any:
    details = {item.key: item.value for item in failure.trailing_metadata() or ()}
    status = status_pb2.Status()
    status.ParseFromString(details.get("grpc-status-details-bin", b""))
    return status


def _partial(failure: Any) -> Any:
    for detail in _status(failure).details:
        partial = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(partial):
            return partial
    return None


def struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def received(message: struct_pb2.Struct) -> Props:
    """What the engine keeps: an access token that is not marked as secret would stand in the state in plain."""
    values = dict(names.from_schema(SchemaProperties(json_format.MessageToDict(message))))
    for credential in values.get("credentials") or ():
        token = credential.get("access_token")
        assert token is None or SECRET.items() <= token.items(), "an access token in plain"
    return dict(plain(values))


def _marked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _marked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return {**SECRET, "value": value} if key == "access_token" and value is not None else value


def _snake(keys: Any) -> list[str]:
    return [names.snake(key) for key in keys]


def plain(value: Any) -> Any:
    """What the engine makes of a wire value: secrets unpacked, None dropped, numbers as floats."""
    if isinstance(value, dict):
        if SECRET.items() <= value.items():
            return plain(value["value"])
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
