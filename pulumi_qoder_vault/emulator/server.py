"""The socket: read a request, hand it to the service, send or withhold the response.

Knows HTTP/1.1 and nothing of vaults. One thread accepts connections, and each connection has its own; `close` ends
all of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import struct
import threading
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from .drips import pieces
from .effects import Ending
from .http_messages import IncomingRequest

if TYPE_CHECKING:
    from .service import Service, WireResponse

__all__ = ["BASE_PATH", "Log", "Server"]

BASE_PATH = "/api/v1/cloud"
BODY_LIMIT = 1 << 20
JOIN_S = 5.0
Log = Callable[[str], None]


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """The listening socket and its connections. It accepts connections from the constructor on, except in an outage.

    Attributes:
        defects: exceptions that are bugs of the emulator.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # on Windows it would share the port with another process
    request_queue_size = 128

    def __init__(self, host: str, port: int, service: Service, log: Log | None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.service = service
        self.log = log
        self.defects: list[Exception] = []
        self._lock = threading.Lock()
        self._workers: dict[threading.Thread, socket.socket | None] = {}
        self._state = threading.Lock()  # held while it goes down, comes back or closes; never while a worker is joined
        self._outage: threading.Event | None = None  # set when the outage is over
        super().__init__((host, port), Handler)
        self._accepting = self._accept()

    @property
    def is_up(self) -> bool:
        """True if connections are accepted."""
        return self._outage is None

    def server_bind(self) -> None:
        """Bind without a lookup of this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve a connection in its own thread."""
        connection = request if isinstance(request, socket.socket) else None  # a tuple is for datagrams
        self.spawn(lambda: self.process_request_thread(request, client_address), connection)

    def spawn(self, work: Callable[[], None], connection: socket.socket | None = None) -> None:
        """Run something in a thread that `close` waits for."""

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

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that closed the connection; `Handler` reports everything else."""

    def go_down(self, outage_s: float, spared: socket.socket | None = None) -> None:
        """Start an outage: refuse new connections, and cut all but the one that still gets its response."""
        with self._state:
            if self._outage is not None or self.service.stopping.is_set():
                return
            outage = self._outage = threading.Event()
            self._stop_accepting()
            # Bound but not listening: connections are refused, and no other process gets the port.
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.allow_reuse_address = True  # connections that still end have the same port
            self.server_bind()
            self._cut(spared)
            self.spawn(lambda: self._end_later(outage, outage_s))

    def come_back(self, outage: threading.Event | None = None) -> None:
        """End the outage; or only a given one, if it is not over."""
        with self._state:
            if self._outage is not None and outage in (None, self._outage):
                self.server_activate()
                self._accepting = self._accept()
                self._outage.set()
                self._outage = None

    def _end_later(self, outage: threading.Event, outage_s: float) -> None:
        if not outage.wait(min(outage_s, threading.TIMEOUT_MAX)):
            self.come_back(outage)

    def close(self) -> None:
        """End every connection and wait for its thread."""
        self.service.stopping.set()
        with self._state:
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
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread at once, where the system allows it
        self.shutdown()
        self._accepting.join()  # the system keeps the socket open while a thread waits for it
        self.server_close()

    def _cut(self, spared: socket.socket | None = None) -> list[threading.Thread]:
        """Cut all connections but one; return the threads of all."""
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

    def handle_request(self) -> None:
        """Read one request and respond."""
        began_s = time.monotonic()
        request = self._read_request()
        if request is None:
            return
        service, log = self.server.service, self.server.log
        try:
            response = service.handle(request)
            if response.outage_s is not None:
                # before the response, so that a client that received it finds the port closed
                self.server.go_down(response.outage_s, self.connection)
        except Exception as defect:  # noqa: BLE001 - kept for `Emulator.stop`, which raises it
            self.server.defects.append(defect)
            if log is not None:  # only where it happened: its message could hold a secret
                log(f"DEFECT {type(defect).__name__}\n{''.join(traceback.format_tb(defect.__traceback__))}")
            self.send_error(500, "Defect of the emulator")
            self.close_connection = True
            return
        service.wait(response.delay_s)
        if log is not None:
            log(response.record.log_line(time.monotonic() - began_s))
        with contextlib.suppress(ConnectionError):
            self._send(response)
        if response.afterwards is not None:
            self.server.spawn(response.afterwards)

    # http.server looks for these names
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_request  # noqa: N815

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the header `Date`, by the clock of the service."""
        return super().date_time_string(self.server.service.date().timestamp() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Write nothing: `handle_request` writes the log."""

    def _read_request(self) -> IncomingRequest | None:
        """Return the request; None if it was rejected or the client closed the connection."""
        error = self._length_error()
        if error is not None:
            self.send_error(error)
            self.close_connection = True
            return None
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the client closed the connection
            self.close_connection = True
            return None
        path, _, query = self.path.partition("?")
        is_inside = path.startswith(f"{BASE_PATH}/")
        relative = path[len(BASE_PATH) :] if is_inside else path
        return IncomingRequest(
            method=self.command,
            path=relative,
            segments=tuple(unquote(part) for part in relative.split("/")[1:]) if is_inside else None,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _length_error(self) -> HTTPStatus | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return HTTPStatus.LENGTH_REQUIRED
        if not (length.isascii() and length.isdigit()):
            return HTTPStatus.BAD_REQUEST
        if len(length) > 9 or int(length) > BODY_LIMIT:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return None

    def _send(self, response: WireResponse) -> None:
        """Send a response, or end the connection as its fault says."""
        if response.ending is Ending.RESET:
            # Without lingering, close() sends RST; otherwise the FIN of socketserver would come first.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
            self.close_connection = True
            return
        if response.ending is Ending.CLOSED:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if response.ending.is_drip:
            self.close_connection = True
            self._drip(response)
            return
        body = response.body[: len(response.body) // 2] if response.is_cut else response.body
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.outage_s is not None:
            self.send_header("Connection", "close")  # http.server then closes it
        if response.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self._send_bytes(b"" if self.command == "HEAD" else body, is_short=response.ending is Ending.SHORT)

    def _send_bytes(self, body: bytes, *, is_short: bool) -> None:
        """Send head and body in one write; if it is to be short, half of them."""
        head = b"".join([*self._headers_buffer, b"\r\n"])
        self._headers_buffer.clear()
        if is_short:
            self.close_connection = True
            half = head + body[: len(body) // 2] if body else head[: len(head) // 2]
            self.connection.sendall(half)
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.connection.sendall(head + body)

    def _drip(self, response: WireResponse) -> None:
        """Send pieces until the client closes the connection, or the emulator stops."""
        for piece in pieces(response.ending, response.status):
            self.connection.sendall(piece)
            if self.server.service.wait(response.interval_s):
                return
