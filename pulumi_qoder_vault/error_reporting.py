"""Lines that the engine shows under a resource: what a person should know, though nothing failed.

Knows the engine's side of Pulumi's protocol; knows nothing of vaults.

Source: pulumi/proto/engine.proto; a line of severity *error* would mark the resource as failed, so none is sent.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto.engine_pb2 import LogSeverity
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

SENT_WITHIN_S = 1.0


class EngineLog:
    """The log of one engine. Thread-safe; it connects when there is something to say.

    Args:
        address: where the engine listens, ``host:port``; None if nobody listens, and then nothing is sent.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._engine: EngineStub | None = None
        self._lock = threading.Lock()
        self._warned: set[tuple[str, str]] = set()

    def info(self, urn: str, line: str) -> None:
        """Show a line under a resource."""
        from pulumi.runtime.proto import engine_pb2

        self._send(engine_pb2.INFO, urn, line)

    def warn(self, urn: str, line: str) -> None:
        """Show a warning under a resource, once: a preview checks a resource twice that it replaces."""
        from pulumi.runtime.proto import engine_pb2

        with self._lock:
            is_new = (urn, line) not in self._warned
            self._warned.add((urn, line))
        if is_new:
            self._send(engine_pb2.WARNING, urn, line)

    def _send(self, severity: LogSeverity.ValueType, urn: str, line: str) -> None:
        import grpc
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        if self._address is None:
            return
        with self._lock:
            if self._engine is None:
                self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))
        with suppress(grpc.RpcError):  # the engine may be gone: then nobody reads it
            self._engine.Log(engine_pb2.LogRequest(severity=severity, urn=urn, message=line), timeout=SENT_WITHIN_S)
