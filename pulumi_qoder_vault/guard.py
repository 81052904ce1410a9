"""How a dynamic provider fails: one clean line at the resource, and partial state where there is some.

The Python SDK turns an exception into its whole traceback. The engine prefers the status in the trailing metadata of
the call, so that is where the line goes. Knows gRPC and Pulumi's protocol; knows nothing of vaults.

Source: gRPC's `grpc-status-details-bin` and Pulumi's `ErrorResourceInitFailed` (pulumi/proto/provider.proto).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from .error_reporting import EngineLog, engine_address
from .errors import QoderError

P = ParamSpec("P")
R = TypeVar("R")
_UNKNOWN_CODE = 2


class Reported(Exception):
    """A failure as the engine shall see it.

    Attributes:
        partial: id and wire-ready properties of a resource that was made in part; None if there is none.
    """

    def __init__(self, message: str, partial: tuple[str, Mapping[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.partial = partial


def one_clean_line(method: Callable[P, R]) -> Callable[P, R]:
    """Let a provider method fail with one line: our own errors as they are, any other one without its text."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Reported as failure:
            reported = failure
        except QoderError as failure:
            reported = Reported(str(failure))
        except Exception as failure:  # noqa: BLE001 the text of an unforeseen error may hold a secret
            reported = Reported(unforeseen(failure))
        _tell_engine(reported)
        raise reported

    return guarded


def unforeseen(failure: Exception) -> str:
    """Say where an error came up that nobody thought of, without its text."""
    traceback: TracebackType | None = failure.__traceback__
    place = "?"
    while traceback is not None:
        place = f"{PurePath(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return (
        f"pulumi-qoder-vault failed in a way that it does not know ({type(failure).__name__} at {place}); "
        "please report this line"
    )


def _tell_engine(reported: Reported) -> None:
    context, _ = _running_call()
    if context is None:
        return
    context.set_trailing_metadata(detailed_status(str(reported), reported.partial))


def warn(line: str) -> None:
    """Show a warning under the resource of the running call."""
    _engine_log().warn(running_urn(), line)


def tell(urn: str, line: str) -> None:
    """Show a line under a resource, also from a thread of its own."""
    _engine_log().info(urn, line)


def running_urn() -> str:
    """Return the URN of the resource that the running call is about; empty if there is none."""
    return _running_call()[1]


@functools.cache
def _engine_log() -> EngineLog:
    return EngineLog(engine_address(sys.argv[1:]))


def detailed_status(message: str, partial: tuple[str, Mapping[str, Any]] | None) -> tuple[tuple[str, bytes], ...]:
    """Give the trailing metadata of a call that failed: one line, and what was made in part."""
    # The SDK's own Status: importing google.rpc's into the same process fails with a duplicate symbol.
    from pulumi.runtime.proto import status_pb2

    status = status_pb2.Status(code=_UNKNOWN_CODE, message=message)
    if partial is not None:
        status.details.add().Pack(_init_failed(message, *partial))
    return (("grpc-status-details-bin", status.SerializeToString()),)


def _init_failed(reason: str, id_: str, properties: Mapping[str, Any]) -> Any:
    from google.protobuf import struct_pb2
    from pulumi.runtime.proto import provider_pb2

    struct = struct_pb2.Struct()
    struct.update(dict(properties))
    return provider_pb2.ErrorResourceInitFailed(id=id_, properties=struct, reasons=[reason])


def _running_call() -> tuple[Any, str]:
    """Find the gRPC call that is being answered, and the URN in it: the SDK does not hand them to a provider."""
    import grpc

    frame = sys._getframe(1)
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, grpc.ServicerContext):
                return value, getattr(frame.f_locals.get("request"), "urn", "")
        frame = frame.f_back  # type: ignore[assignment]
    return None, ""
