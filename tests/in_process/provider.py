"""One provider over gRPC in this process, as the engine talks to it: the plugin, or Pulumi's dynamic providers."""

from __future__ import annotations

import ast
import functools
import importlib.util
import types
from concurrent import futures
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from in_process.wire import Props, plain, received, secret, struct
from pulumi_qoder_vault.dynamic import VAULT_TYPE
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin.servicer import Servicer

VAULT, CREDENTIAL = "qoder:index:Vault", "qoder:index:Credential"
FRONTS = {"dynamic": VAULT_TYPE, "plugin": VAULT}
NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
NOT_SAID = provider_pb2.DiffResponse.DIFF_UNKNOWN


class Failed(Exception):
    """A call failed: what the engine sees of it.

    Attributes:
        line: what the CLI prints.
        details: what gRPC has beside it; of a dynamic provider a traceback.
        partial: what exists all the same; None where nothing is to be kept.
    """

    def __init__(self, failure: Any) -> None:
        trailing = {item.key: item.value for item in failure.trailing_metadata() or ()}
        self.status = status_pb2.Status.FromString(trailing.get("grpc-status-details-bin", b""))
        self.details: str = failure.details()
        self.line: str = self.status.message or self.details
        self.code: grpc.StatusCode = failure.code()
        self.partial: Any = None
        for detail in self.status.details:
            partial = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(partial):
                self.partial = partial
        super().__init__(self.line)


@dataclass
class Resource:
    """What the state holds of one resource.

    Attributes:
        is_unfinished: the state is partial: the next `up` updates the resource whatever a diff says.
    """

    id: str
    inputs: Props
    outputs: Props
    is_unfinished: bool = False


@dataclass(frozen=True)
class Change:
    """What a diff says."""

    changes: int
    kinds: dict[str, str]
    replaces: list[str]
    diffs: list[str]
    deletes_first: bool


class Provider:
    """One provider process, and the resources of one type in it."""

    def __init__(self, stub: provider_pb2_grpc.ResourceProviderStub, type_: str = VAULT) -> None:
        self.stub = stub
        self.type = type_
        self.is_dynamic = type_.startswith("pulumi-python:dynamic/")

    def of(self, type_: str) -> Provider:
        """Return the same process, for another type of resource."""
        return Provider(self.stub, type_)

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::project::my:index:Component${self.type}::name"

    def call(self, method: str, **fields: Any) -> Any:
        """Call a method; a dynamic provider is sent plain values, since it does not take secrets."""
        kind = {"CheckConfig": "Check", "DiffConfig": "Diff"}.get(method, method)
        for name, value in fields.items():
            if isinstance(value, dict):
                fields[name] = struct(plain(value) if self.is_dynamic else value)
        try:
            return getattr(self.stub, method)(getattr(provider_pb2, f"{kind}Request")(**fields), timeout=60)
        except grpc.RpcError as failure:
            raise Failed(failure) from None

    def configure(self, qoder: Emulator, *, name: str = "default", **settings: Any) -> Provider:
        """Point the process at an emulator, without limits of rate unless they are asked for."""
        configuration = {
            "apiToken": secret(qoder.api_token),
            "baseUrl": qoder.base_url,
            "maxWritesPerSecond": "0",
            "maxReadsPerSecond": "0",
            **settings,
        }
        prefix = "qoder:" if self.is_dynamic else ""
        self.call("Configure", name=name, args={f"{prefix}{key}": value for key, value in configuration.items()})
        return self

    def checked(self, news: Props, olds: Props | None = None) -> Props:
        """Return the inputs, complete."""
        response = self.call("Check", urn=self.urn, olds=olds or {}, news=news)
        assert [] == [failure.reason for failure in response.failures]
        return received(response.inputs)

    def problems(self, news: Props, olds: Props | None = None) -> list[str]:
        response = self.call("Check", urn=self.urn, olds=olds or {}, news=news)
        assert {""} >= {failure.property for failure in response.failures}
        return [failure.reason for failure in response.failures]

    def diff(self, resource: Resource, inputs: Props) -> Change:
        response = self.call(
            "Diff", urn=self.urn, id=resource.id, olds=resource.outputs, old_inputs=resource.inputs, news=inputs
        )
        kinds = {path: provider_pb2.PropertyDiff.Kind.Name(item.kind) for path, item in response.detailedDiff.items()}
        assert response.hasDetailedDiff != self.is_dynamic
        assert all(key in response.diffs for key in [path.partition("[")[0].partition(".")[0] for path in kinds])
        replaces, diffs = list(response.replaces), list(response.diffs)
        return Change(response.changes, kinds, replaces, diffs, response.deleteBeforeReplace)

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
        """Return what an import, or a `get`, reads."""
        return self._read(id=id_)

    def refresh(self, resource: Resource) -> Resource | None:
        return self._read(id=resource.id, inputs=resource.inputs, properties=resource.outputs)

    def _read(self, **fields: Any) -> Resource | None:
        found = self.call("Read", urn=self.urn, **fields)
        return Resource(found.id, received(found.inputs), received(found.properties)) if found.id else None

    def delete(self, resource: Resource, **fields: Any) -> None:
        self.call("Delete", urn=self.urn, id=resource.id, properties=resource.outputs, **fields)

    def invoke(self, function: str, **arguments: Any) -> Props:
        response = self.call("Invoke", tok=f"qoder:index:{function}", args=arguments)
        assert [] == [(failure.property, failure.reason) for failure in response.failures]
        return received(getattr(response, "return"))


def serve(closing: ExitStack, type_: str = VAULT, engine_address: str | None = None) -> Provider:
    """Start the provider of a type, as in a new process; it is not configured."""
    server = grpc.server(futures.ThreadPoolExecutor(8))
    servicer = dynamic_servicer() if type_.startswith("pulumi-python:dynamic/") else Servicer(engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    closing.callback(lambda: server.stop(None).wait(5))
    channel = closing.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
    return Provider(provider_pb2_grpc.ResourceProviderStub(channel), type_)


@functools.cache
def _dynamic_module() -> Any:
    """Load Pulumi's servicer of dynamic providers. Its module is a program: it is loaded without its last call."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))]
    module = types.ModuleType("dynamic_provider_servicer")
    exec(compile(tree, spec.origin, "exec"), module.__dict__)
    return module


def dynamic_servicer() -> provider_pb2_grpc.ResourceProviderServicer:
    """Return a servicer that has loaded no provider."""
    forget_providers()
    servicer: provider_pb2_grpc.ResourceProviderServicer = _dynamic_module().DynamicResourceProviderServicer()
    return servicer


def forget_providers() -> None:
    """Forget the dynamic providers that were loaded, as a new process does."""
    _dynamic_module()._PROVIDER_CACHE.clear()
