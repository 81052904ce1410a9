"""The engine's side of the provider protocol: calls of a stub, and what the engine keeps of their answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from pulumi_qoder_vault.emulator import Emulator

VAULT, CREDENTIAL = "qoder:index:Vault", "qoder:index:Credential"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # Pulumi's own word for it, on the wire
SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
Props = dict[str, Any]


class Failed(Exception):
    """A call failed: what the engine sees of it."""

    def __init__(self, failure: Any) -> None:
        super().__init__(failure.details())
        self.line: str = failure.details()
        self.code: grpc.StatusCode = failure.code()
        self.partial: Any = None
        status = status_pb2.Status()
        status.ParseFromString(dict(failure.trailing_metadata() or ()).get("grpc-status-details-bin", b""))
        self.status = status
        for detail in status.details:
            partial = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(partial):
                self.partial = partial


@dataclass(frozen=True)
class Resource:
    """What the state holds of one resource: properties as they came, secrets marked."""

    id: str
    inputs: Props
    outputs: Props


@dataclass(frozen=True)
class Change:
    """What a diff says."""

    changes: int
    kinds: dict[str, str]
    replaces: list[str]
    diffs: list[str]
    deletes_first: bool


class Plugin:
    """One provider process, as the engine talks to it."""

    def __init__(self, stub: provider_pb2_grpc.ResourceProviderStub, type_: str = VAULT) -> None:
        self.stub = stub
        self.type = type_

    def of(self, type_: str) -> Plugin:
        """The same process, for another type of resource."""
        return Plugin(self.stub, type_)

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::project::my:index:Component${self.type}::name"

    def call(self, method: str, **fields: Any) -> Any:
        kind = {"CheckConfig": "Check", "DiffConfig": "Diff"}.get(method, method)
        sent = {key: struct(value) if isinstance(value, dict) else value for key, value in fields.items()}
        try:
            return getattr(self.stub, method)(getattr(provider_pb2, f"{kind}Request")(**sent), timeout=30)
        except grpc.RpcError as failure:
            raise Failed(failure) from None

    def configure(self, qoder: Emulator, *, name: str = "default", **settings: Any) -> Plugin:
        configuration = {
            "apiToken": secret(qoder.api_token),
            "baseUrl": qoder.base_url,
            "maxWritesPerSecond": "0",
            "maxReadsPerSecond": "0",
            **settings,
        }
        self.call("Configure", name=name, args=configuration)
        return self

    def checked(self, news: Props, olds: Props | None = None) -> Props:
        """Inputs, complete."""
        response = self.call("Check", urn=self.urn, olds=olds or {}, news=news)
        assert [] == [failure.reason for failure in response.failures]
        return received(response.inputs)

    def problems(self, news: Props, olds: Props | None = None) -> list[str]:
        response = self.call("Check", urn=self.urn, olds=olds or {}, news=news)
        assert {""} >= {failure.property for failure in response.failures}
        return [failure.reason for failure in response.failures]

    def diff(self, resource: Resource, inputs: Props) -> Change:
        answer = self.call(
            "Diff", urn=self.urn, id=resource.id, olds=resource.outputs, old_inputs=resource.inputs, news=inputs
        )
        kinds = {path: provider_pb2.PropertyDiff.Kind.Name(item.kind) for path, item in answer.detailedDiff.items()}
        assert answer.hasDetailedDiff
        assert all(key in answer.diffs for key in [path.partition("[")[0].partition(".")[0] for path in kinds])
        return Change(answer.changes, kinds, list(answer.replaces), list(answer.diffs), answer.deleteBeforeReplace)

    def create(self, news: Props, **fields: Any) -> Resource:
        inputs = self.checked(news)
        made = self.call("Create", urn=self.urn, properties=inputs, **fields)
        return Resource(made.id, inputs, received(made.properties))

    def preview_create(self, news: Props) -> tuple[str, Props]:
        made = self.call("Create", urn=self.urn, properties=self.checked(news), preview=True)
        return made.id, received(made.properties)

    def update(self, resource: Resource, news: Props, **fields: Any) -> Resource:
        inputs = self.checked(news, resource.inputs)
        changed = self.call("Update", urn=self.urn, id=resource.id, olds=resource.outputs, news=inputs, **fields)
        return Resource(resource.id, inputs, received(changed.properties))

    def preview_update(self, resource: Resource, news: Props) -> Props:
        return self.update(resource, news, preview=True).outputs

    def find(self, id_: str) -> Resource | None:
        """What an import, or a `get`, reads."""
        found = self.call("Read", urn=self.urn, id=id_)
        return Resource(found.id, received(found.inputs), received(found.properties)) if found.id else None

    def refresh(self, resource: Resource) -> Resource | None:
        found = self.call("Read", urn=self.urn, id=resource.id, inputs=resource.inputs, properties=resource.outputs)
        return Resource(found.id, received(found.inputs), received(found.properties)) if found.id else None

    def delete(self, resource: Resource, **fields: Any) -> None:
        self.call("Delete", urn=self.urn, id=resource.id, properties=resource.outputs, **fields)

    def invoke(self, function: str, **arguments: Any) -> Props:
        answer = self.call("Invoke", tok=f"qoder:index:{function}", args=arguments)
        assert [] == [(failure.property, failure.reason) for failure in answer.failures]
        return received(getattr(answer, "return"))


def struct(values: Props) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def received(message: struct_pb2.Struct) -> Props:
    return dict(json_format.MessageToDict(message))


def secret(value: Any) -> Props:
    return {**SIGNATURE, "value": value}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return plain(value["value"]) if SIGNATURE.items() <= value.items() else {k: plain(v) for k, v in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def in_plain(value: Any) -> list[str]:
    """Canaries that the engine would not encrypt."""
    if isinstance(value, dict):
        if SIGNATURE.items() <= value.items():
            return []
        return [found for key, item in value.items() for found in in_plain(key) + in_plain(item)]
    if isinstance(value, list):
        return [found for item in value for found in in_plain(item)]
    return [value] if isinstance(value, str) and "canary" in value else []


def in_time(condition: Callable[[], object], at_most_s: float = 5.0) -> bool:
    """Whether something comes true; it is looked at until then."""
    until = time.monotonic() + at_most_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return bool(condition())


class LoggingEngine(engine_pb2_grpc.EngineServicer):
    """Collects what is logged."""

    def __init__(self) -> None:
        self.logged: list[Any] = []
        self._more = threading.Condition()

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        with self._more:
            self.logged.append(request)
            self._more.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, count: int) -> list[Any]:
        with self._more:
            self._more.wait_for(lambda: len(self.logged) >= count, timeout=5)
            return list(self.logged)
