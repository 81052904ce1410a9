"""The plugin as a process: it serves the engine that started it, and ends with it. Knows nothing of what it serves.

The engine starts it with flags, their values, and its own address: `--tracing tcp://127.0.0.1:1 -v=3 127.0.0.1:2`. It
ends it with `Cancel`, then SIGINT, and kills it 5 s later (pulumi/sdk, go/common/resource/plugin/plugin.go, v3.274.1).
SIGTERM and SIGHUP, of a machine or a terminal that goes away, do the same: nothing begins any more, and what runs is
finished or rolled back, and reported.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from queue import Empty, SimpleQueue

THREADS = 1024  # made when they are needed: operations that queue must not keep Cancel waiting
WATCH_EVERY_S = 2.0
ENDS_WITHIN_S = 45.0
GONE_WITHIN_S = 49.0  # whatever still runs
# Windows has no SIGHUP, and it alone has SIGBREAK, with which the engine ends plugins there (pulumi/sdk,
# go/common/util/cmdutil/child_windows.go, v3.274.1).
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def main() -> None:
    """Serve on a free port of this machine, and print it: the engine reads it from the first line."""
    interrupts: SimpleQueue[int] = SimpleQueue()  # unlike an Event, it may be written to in a signal handler
    for name in ENDING:
        _put_on(interrupts, name)
    _serve(interrupts)


def _put_on(interrupts: SimpleQueue[int], name: str) -> None:
    number = getattr(signal, name, None)
    # A job in the background ignores SIGINT, and must end all the same; under nohup, SIGHUP is to be ignored.
    if number is None or (name != "SIGINT" and signal.getsignal(number) is signal.SIG_IGN):
        return
    signal.signal(number, lambda received, _: interrupts.put(received))


def _serve(interrupts: SimpleQueue[int]) -> None:
    # These imports take most of the time to start. SIGINT is handled by now.
    from concurrent import futures

    import grpc
    from pulumi.runtime.proto import provider_pb2_grpc

    from .. import connection
    from ..error_reporting import engine_address
    from ..secret_reader import READER
    from .servicer import Servicer

    engine = engine_address(sys.argv[1:])
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 this is the protocol
    _wait_for_the_end(engine, interrupts)
    # Nobody waits for results any more. What waits gives up, and what was begun is finished or rolled back.
    connection.CONNECTIONS.stop_waiting()
    READER.stop()
    # Python waits for its threads, and a thread may wait for ever: in a resolver, for one.
    gone = threading.Timer(GONE_WITHIN_S, os._exit, [1])
    gone.daemon = True
    gone.start()
    server.stop(grace=ENDS_WITHIN_S).wait()


def _wait_for_the_end(engine: str | None, interrupts: SimpleQueue[int]) -> None:
    """Return on a signal, or when the engine was killed. To a process that a person started, engines come and go."""
    while engine is None or _is_there(engine):
        try:
            interrupts.get(timeout=WATCH_EVERY_S)
        except Empty:
            continue
        return


def _is_there(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=WATCH_EVERY_S):
            return True
    except OSError:
        return False
