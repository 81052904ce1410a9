"""The plugin as a process: it serves the engine that started it, and ends with it. Knows nothing of what it serves."""

from __future__ import annotations

import socket
import sys
import time
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from .. import connection
from .servicer import Servicer

THREADS = 1024  # made when they are needed: operations that queue must not keep Cancel waiting
WATCH_EVERY_S = 2.0
ENDS_WITHIN_S = 60.0


def main() -> None:
    """Serve on a free port of this machine, and print it: the engine reads it from the first line."""
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    engine_address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 this is the protocol
    if engine_address is None:  # somebody runs it by hand, and engines attach to it
        server.wait_for_termination()
        return
    while _is_there(engine_address):
        time.sleep(WATCH_EVERY_S)
    # The engine was killed. What waits gives up, and what was begun is ended as it can be.
    connection.stop_waiting()
    server.stop(grace=ENDS_WITHIN_S).wait()


def _is_there(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=WATCH_EVERY_S):
            return True
    except OSError:
        return False
