"""What the plugin sees of an engine beside its calls: its log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc


def in_time(condition: Callable[[], object], at_most_s: float = 5.0) -> bool:
    """Return whether something comes true; it is looked at until then."""
    until = time.monotonic() + at_most_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return bool(condition())


class LoggingEngine(engine_pb2_grpc.EngineServicer):
    """Collect what is logged."""

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
