"""What the engine is told beside a result: lines under a resource, and a failure as one clean line with partial state.

Knows the engine's side of Pulumi's protocol; knows nothing of vaults.

Source: pulumi/proto/engine.proto; a line of severity *error* would mark the resource as failed, so none is sent. gRPC's
`grpc-status-details-bin`, and Pulumi's `ErrorResourceInitFailed` (pulumi/proto/provider.proto).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct
    from pulumi.runtime.proto.engine_pb2 import LogSeverity
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

SENT_WITHIN_S = 1.0
UNKNOWN_CODE = 2  # gRPC's


def engine_address(arguments: Sequence[str]) -> str | None:
    """Return the address of the engine that started this process, None if a person did. It is the last argument."""
    last = arguments[-1] if arguments else ""
    return last if re.fullmatch(r"[^/=]+:\d+", last) else None


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


def internal_error(failure: Exception) -> str:
    """Return the line for an error that nobody foresaw: where it came up, without its text, which may hold a secret."""
    traceback: TracebackType | None = failure.__traceback__
    place = "?"
    while traceback is not None:
        place = f"{PurePath(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return f"internal error in pulumi-qoder-vault ({type(failure).__name__} at {place}); please report this line"


def status_details(line: str, partial: tuple[str, Struct] | None) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata of a call that failed.

    Args:
        line: what failed.
        partial: id and properties of what was made in part; None if there is nothing.
    """
    # The SDK's own Status: importing google.rpc's into the same process fails with a duplicate symbol.
    from pulumi.runtime.proto import provider_pb2, status_pb2

    status = status_pb2.Status(code=UNKNOWN_CODE, message=line)
    if partial is not None:
        id_, properties = partial
        status.details.add().Pack(provider_pb2.ErrorResourceInitFailed(id=id_, properties=properties, reasons=[line]))
    return (("grpc-status-details-bin", status.SerializeToString()),)
