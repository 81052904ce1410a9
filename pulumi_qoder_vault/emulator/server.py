"""The socket: read a call, hand it to the service, write or withhold the reply.

Knows HTTP/1.1 and nothing of vaults. One thread accepts, one more serves each connection; `close` ends them all.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from .faults import Ending
from .messages import Call, Reply

if TYPE_CHECKING:
    from .service import Service

__all__ = ["BASE_PATH", "Log", "Server"]

BASE_PATH = "/api/v1/cloud"
BODY_LIMIT = 1 << 20
JOIN_S = 5.0
Log = Callable[[str], None]


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """The listening socket and its connections, from the constructor on; it can be down in between.

    Attributes:
        defects: exceptions that no client is to blame for.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, service: Service, log: Log | None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.service = service
        self.log = log
        self.defects: list[Exception] = []
        self._lock = threading.Lock()
        self._workers: dict[threading.Thread, socket.socket | None] = {}
        self._life = threading.Lock()  # held while it goes down, comes back or closes; never while a worker is joined
        self._outage: threading.Event | None = None  # set when it is over
        super().__init__((host, port), Handler)
        self._accepting = self._accept()

    @property
    def is_up(self) -> bool:
        """Whether connections are taken."""
        return self._outage is None

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self.spawn(lambda: self.process_request_thread(request, client_address), request)

    def spawn(self, work: Callable[[], None], connection: socket.socket | None = None) -> None:
        """Do something in a thread that `close` waits for."""

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    del self._workers[threading.current_thread()]

        thread = threading.Thread(target=run, name="qoder-vaults-emulator", daemon=True)
        with self._lock:
            self._workers[thread] = connection
            thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep silent about clients that went away: `Handler` reports everything else."""

    def go_down(self, seconds: float, answering: socket.socket) -> None:
        """Refuse connections for so long, and cut all but the one that still gets its answer."""
        with self._life:
            if self._outage is not None or self.service.stopping.is_set():
                return
            outage = self._outage = threading.Event()
            self._stop_accepting()
            # bound but not listening: connections are refused, and nobody else gets the port
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self._cut(answering)
            self.spawn(lambda: self._sit_out(outage, seconds))

    def come_back(self, outage: threading.Event | None = None) -> None:
        """End an outage; if one is given, only that one."""
        with self._life:
            if self._outage is not None and outage in (None, self._outage):
                self.server_activate()
                self._accepting = self._accept()
                self._outage.set()
                self._outage = None

    def _sit_out(self, outage: threading.Event, seconds: float) -> None:
        if not outage.wait(min(seconds, threading.TIMEOUT_MAX)):
            self.come_back(outage)

    def close(self) -> None:
        """End every connection and wait for its thread."""
        self.service.stopping.set()
        with self._life:
            self._stop_accepting()
            if self._outage is not None:
                self._outage.set()
                self._outage = None
            workers = self._cut()
        for thread in workers:
            thread.join(JOIN_S)

    def _accept(self) -> threading.Thread:
        thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="qoder-vaults-emulator", daemon=True)
        thread.start()
        return thread

    def _stop_accepting(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread at once; not every system allows it
        self.shutdown()
        self._accepting.join()  # the socket is not closed for the system while a thread waits for it
        self.server_close()

    def _cut(self, spared: socket.socket | None = None) -> list[threading.Thread]:
        """End the connections but one; return the threads of all."""
        with self._lock:
            workers = dict(self._workers)
        for connection in workers.values():
            if connection is not None and connection is not spared:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        return list(workers)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "QoderVaultsEmulator"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Server
    _headers_buffer: list[bytes]

    def answer(self) -> None:
        """Answer one request."""
        began_s = time.monotonic()
        call = self._read_call()
        if call is None:
            return
        service = self.server.service
        try:
            reply, fault, afterwards = service.exchange(call)
            if reply.outage_s is not None:
                # before the reply: who has it finds nobody listening
                self.server.go_down(reply.outage_s, self.connection)
        except Exception as defect:  # noqa: BLE001 - kept for `Emulator.stop`, which raises it
            self.server.defects.append(defect)
            if self.server.log is not None:  # where it happened; its message could hold a secret
                self.server.log(f"DEFECT {type(defect).__name__}\n{''.join(traceback.format_tb(defect.__traceback__))}")
            self.send_error(500, "Defect of the emulator")
            self.close_connection = True
            return
        service.wait(reply.delay_s)
        self._log(call, reply, fault, began_s)
        with contextlib.suppress(ConnectionError):
            self._write(reply)
        if afterwards is not None:
            self.server.spawn(afterwards)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - http.server looks for them

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Write nothing: the request log is `_log`."""

    def _read_call(self) -> Call | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
            return None
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return None
        if len(length) > 9 or int(length) > BODY_LIMIT:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the client went away
            self.close_connection = True
            return None
        path, _, query = self.path.partition("?")
        is_inside = path.startswith(f"{BASE_PATH}/")
        relative = path[len(BASE_PATH) :] if is_inside else path
        return Call(
            method=self.command,
            path=relative,
            segments=tuple(unquote(part) for part in relative.split("/")[1:]) if is_inside else None,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_error(status)
        self.close_connection = True

    def _write(self, reply: Reply) -> None:
        if reply.ending is Ending.RESET:
            # without lingering, close() answers with RST; socketserver's own FIN would come first
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
            self.close_connection = True
            return
        if reply.ending is Ending.CLOSED:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.outage_s is not None:
            self.send_header("Connection", "close")  # http.server then closes it
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self._send(b"" if self.command == "HEAD" else body, is_short=reply.ending is Ending.SHORT)

    def _send(self, body: bytes, *, is_short: bool) -> None:
        """Send head and body in one write; half of it if it is to be short."""
        head = b"".join([*self._headers_buffer, b"\r\n"])
        self._headers_buffer.clear()
        if is_short:
            self.close_connection = True
            half = head + body[: len(body) // 2] if body else head[: len(head) // 2]
            self.connection.sendall(half)
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.connection.sendall(head + body)

    def _log(self, call: Call, reply: Reply, fault: str | None, began_s: float) -> None:
        if self.server.log is None:
            return
        has_status = reply.ending in (Ending.ANSWER, Ending.SHORT)
        path = "".join(char if char.isprintable() else "?" for char in self.server.service.hide(call.path))
        line = (
            f"{time.strftime('%H:%M:%S')} {call.method:<6} {path} {reply.status if has_status else '---'} "
            f"{(time.monotonic() - began_s) * 1000:.0f} ms"
        )
        self.server.log(line if fault is None else f"{line} [{fault.lower().replace('_', '-')}]")
