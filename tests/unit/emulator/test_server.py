"""The socket: connections, requests that cannot be read, outages, and the end."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName, ServiceOptions
from pulumi_qoder_vault.emulator.server import Server
from pulumi_qoder_vault.emulator.service import Service

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
FOR_EVER = float("inf")


def address(qoder: Emulator) -> tuple[str, int]:
    return qoder.host, qoder.port


def try_to_connect(qoder: Emulator) -> int:
    """Return 0 or an error number."""
    with socket.socket() as connection:
        connection.settimeout(5)
        return connection.connect_ex(address(qoder))


def wait_until_up(qoder: Emulator) -> bool:
    end_s = time.monotonic() + 5
    while not qoder.is_up and time.monotonic() < end_s:
        time.sleep(0.005)
    return qoder.is_up


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "qoder-vaults-emulator"}


def ask(connection: socket.socket, qoder: Emulator) -> bytes:
    """Send a request on an open connection and read the head of its response."""
    connection.sendall(
        f"HEAD /api/v1/cloud/vaults HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {qoder.api_token}\r\n\r\n".encode()
    )
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += connection.recv(4096)
    return received


def test_keep_alive(serve: Serve) -> None:
    """One connection serves many requests, those with errors and empty responses, too."""
    qoder = serve()
    path = f"/api/v1/cloud/vaults/{qoder.add_vault('v').id}"
    with socket.create_connection(address(qoder), 5) as connection:
        reader = connection.makefile("rb")
        for method, line in (("GET", b"200"), ("DELETE", b"204"), ("DELETE", b"404")):
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {qoder.api_token}\r\n\r\n".encode()
            )
            assert b"HTTP/1.1 " + line == reader.readline()[:12]
            length = 0
            while (header := reader.readline()) != b"\r\n":
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            reader.read(length)
        reader.close()


@pytest.mark.parametrize(
    ("header", "status"),
    [("Transfer-Encoding: chunked", 411), ("Content-Length: x", 400), ("Content-Length: 9999999", 413)],
)
def test_bodies_that_cannot_be_read(serve: Serve, header: str, status: int) -> None:
    """A body of unknown or excessive length is an error, and the connection is closed."""
    qoder = serve()
    with socket.create_connection(address(qoder), 5) as connection:
        connection.sendall(f"POST /api/v1/cloud/vaults HTTP/1.1\r\nHost: e\r\n{header}\r\n\r\n".encode())
        received = b""
        while part := connection.recv(4096):
            received += part

    assert received.startswith(f"HTTP/1.1 {status} ".encode())


def test_many_clients_at_once(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """Concurrent creates all exist, each with its own id and record."""
    qoder = serve()
    statuses: list[int] = []

    def create(number: int) -> None:
        body = {"display_name": str(number), "credentials": [flat()]}
        statuses.append(connect(qoder).post("/vaults", json=body).status_code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [201] * 16 == statuses
    assert {str(number) for number in range(16)} == {vault.display_name for vault in qoder.vaults}
    assert (16, 16) == (len({vault.id for vault in qoder.vaults}), len(qoder.writes))


def test_stopping_does_not_wait_for_slow_requests(serve: Serve, connect: Connect) -> None:
    """A stop ends requests that are being handled."""
    qoder = serve(latency_s=30)
    errors: list[httpx.TransportError] = []

    def ask_slowly() -> None:
        try:
            connect(qoder).get("/vaults", timeout=20)
        except httpx.TransportError as error:
            errors.append(error)

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    time.sleep(0.1)
    began_s = time.monotonic()
    qoder.stop()
    thread.join()

    assert time.monotonic() - began_s < 5


def test_a_defect_of_the_emulator_is_not_hidden(connect: Connect, founding: Body) -> None:
    """An internal error is a 500, and the test that sent the request fails."""
    is_broken = iter([True])

    def broken_clock() -> datetime:
        if next(is_broken, False):
            raise ZeroDivisionError
        return datetime.now(UTC)

    lines: list[str] = []
    qoder = Emulator(log=lines.append, clock=broken_clock).start()

    assert 500 == connect(qoder).post("/vaults", json=founding).status_code
    with pytest.raises(RuntimeError, match="defect"):
        qoder.stop()
    assert lines[0].startswith("DEFECT ZeroDivisionError")


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_what_follows_the_response_is_refused(
    serve: Serve, connect: Connect, founding: Body, revision: RevisionName
) -> None:
    """The request gets its response, its connection ends, and the next connection is refused."""
    qoder = serve(revision, credentials_key="ignore")
    qoder.fail_next("POST", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER)
    http = connect(qoder)
    response = http.post("/vaults", json=founding)

    assert (True, "close", False) == (response.is_success, response.headers["connection"], qoder.is_up)
    with pytest.raises(httpx.ConnectError):
        http.get("/vaults")
    assert [response.json()["id"]] == [vault.id for vault in qoder.vaults]
    assert [("POST", response.status_code, "OUTAGE")] == [
        (request.method, request.status, request.fault) for request in qoder.requests
    ]


def test_there_is_no_moment_between_response_and_outage(serve: Serve) -> None:
    """A client that has read the first byte of the response cannot connect before the service is back."""
    qoder = serve(fault_delay_s=FOR_EVER)
    qoder.fail_next("*", "**", Fault.OUTAGE, times=None)
    for _ in range(30):
        with socket.create_connection(address(qoder), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: e\r\n\r\n")
            assert b"H" == connection.recv(1)
            assert errno.ECONNREFUSED == try_to_connect(qoder)
        assert qoder.start().is_up


def test_it_comes_back_by_itself(serve: Serve, connect: Connect, founding: Body) -> None:
    """After a second, by default, it listens on the same port and has the same vaults."""
    qoder = serve()
    base_url = qoder.base_url
    qoder.fail_next("POST", "/vaults", Fault.OUTAGE)
    http = connect(qoder)
    began_s = time.monotonic()
    id_ = http.post("/vaults", json=founding).json()["id"]
    assert errno.ECONNREFUSED == try_to_connect(qoder)
    assert wait_until_up(qoder)

    assert 1.0 <= time.monotonic() - began_s < 4
    assert (200, base_url) == (http.get(f"/vaults/{id_}").status_code, qoder.base_url)


@pytest.mark.parametrize(
    ("options", "fault", "planned"),
    [
        ({"fault_delay_s": 0.05}, Fault.OUTAGE, {"delay_s": FOR_EVER}),
        ({"fault_delay_s": FOR_EVER}, replace(Fault.OUTAGE.value, delay_s=0.05), {}),
    ],
    ids=["fault", "option"],
)
def test_an_infinite_outage_ends_with_a_start(
    serve: Serve, connect: Connect, founding: Body, options: Any, fault: Any, planned: Any
) -> None:
    """With an infinite delay, its own or the option's, it is down until `start()`, and keeps the vaults."""
    qoder = serve(**options)
    base_url = qoder.base_url
    qoder.fail_next("POST", "/vaults", fault, **planned)
    http = connect(qoder)
    id_ = http.post("/vaults", json=founding).json()["id"]
    time.sleep(0.4)
    assert (errno.ECONNREFUSED, False) == (try_to_connect(qoder), qoder.is_up)
    qoder.start()

    assert (200, base_url) == (http.get(f"/vaults/{id_}").status_code, qoder.base_url)


@pytest.mark.parametrize("delay_s", [0.5, FOR_EVER])
def test_a_stop_ends_an_outage(serve: Serve, connect: Connect, delay_s: float) -> None:
    """A stop during an outage is quick, may be repeated, leaves no thread, and the service stays down."""
    before = threads()
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=delay_s)
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    began_s = time.monotonic()
    qoder.stop()
    qoder.stop()

    assert time.monotonic() - began_s < 3
    assert before == threads()
    time.sleep(0.6)
    assert (errno.ECONNREFUSED, False) == (try_to_connect(qoder), qoder.is_up)
    assert 200 == (qoder.start() and http.get("/vaults").status_code)


def test_an_outage_leaves_no_thread(serve: Serve, connect: Connect) -> None:
    """When the service is back, the thread that waited is gone; a start ends it, too."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=0.05)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=60, skip=1)
    before = len(threads())
    for end in (wait_until_up, Emulator.start):
        httpx.get(f"{qoder.base_url}/vaults")
        end(qoder)
        end_s = time.monotonic() + 3
        while len(threads()) > before and time.monotonic() < end_s:
            time.sleep(0.005)
        assert before == len(threads())


def test_two_outages_in_a_row(serve: Serve, connect: Connect) -> None:
    """The second outage is like the first."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=0.5, times=2)
    http = connect(qoder)
    for _ in range(2):
        assert 200 == http.get("/vaults").status_code
        assert errno.ECONNREFUSED == try_to_connect(qoder)
        assert wait_until_up(qoder)

    assert ([200, 200], True) == ([http.get("/vaults").status_code for _ in range(2)], qoder.is_up)


def test_an_outage_ends_itself_only(serve: Serve, connect: Connect) -> None:
    """An outage that a start cut short does not end the next one."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=0.3)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER, skip=1)
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    qoder.start()
    assert 200 == http.get("/vaults").status_code
    time.sleep(0.6)

    assert (errno.ECONNREFUSED, False) == (try_to_connect(qoder), qoder.is_up)


def test_an_outage_that_is_over_does_not_end_the_next_one() -> None:
    """Not even if its time is up at the moment at which the next one begins."""
    server = Server("127.0.0.1", 0, Service("2026-05", "pt-1", ServiceOptions()), None)
    server.go_down(FOR_EVER)
    server.come_back(threading.Event())

    assert not server.is_up
    server.come_back()
    assert server.is_up
    server.close()


def test_open_connections_end(serve: Serve) -> None:
    """A connection that was kept alive is cut, and the one with the response ends after it."""
    qoder = serve(fault_delay_s=FOR_EVER)
    with socket.create_connection(address(qoder), 5) as kept, socket.create_connection(address(qoder), 5) as other:
        assert b"HTTP/1.1" == ask(kept, qoder)[:8]
        qoder.fail_next("HEAD", "/vaults", Fault.OUTAGE)
        assert b"HTTP/1.1" == ask(other, qoder)[:8]

        assert (b"", b"") == (kept.recv(1), other.recv(1))


def test_requests_that_are_being_handled_are_cut(serve: Serve, connect: Connect) -> None:
    """An outage does not wait for a request on another connection: that one gets no response."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults/slow", Fault.SLOW, delay_s=FOR_EVER)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER)
    errors: list[httpx.TransportError] = []

    def ask_slowly() -> None:
        try:
            connect(qoder).get("/vaults/slow")
        except httpx.RemoteProtocolError as error:
            errors.append(error)

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    while not qoder.requests:
        time.sleep(0.005)
    began_s = time.monotonic()
    assert 200 == connect(qoder).get("/vaults").status_code
    thread.join()

    assert (True, 1) == (time.monotonic() - began_s < 2, len(errors))


def test_outages_at_once(serve: Serve) -> None:
    """Many requests with the same fault at the same time block neither each other nor the stop."""
    qoder = serve(fault_delay_s=0.01)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, times=None)
    statuses: list[int] = []

    def ask_often() -> None:
        for _ in range(10):
            with contextlib.suppress(httpx.NetworkError, httpx.RemoteProtocolError):  # a timeout is none of them
                statuses.append(httpx.get(f"{qoder.base_url}/vaults", headers=headers, timeout=5).status_code)

    headers = {"Authorization": f"Bearer {qoder.api_token}"}
    clients = [threading.Thread(target=ask_often) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    began_s = time.monotonic()
    qoder.stop()

    assert time.monotonic() - began_s < 2
    assert {200} == set(statuses)


def test_nothing_with_a_response_is_lost(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """While clients send all the time, every create with a response exists after the outages."""
    qoder = serve()
    made: list[httpx.Response] = []
    refused: list[float] = []

    def create(http: httpx.Client) -> None:
        try:
            made.append(http.post("/vaults", json={"display_name": "v", "credentials": [flat()]}))
        except httpx.ConnectError:
            refused.append(time.monotonic())
        except httpx.TransportError:
            pass  # it was cut

    def create_on() -> None:
        http = connect(qoder)
        end_s = time.monotonic() + 10
        while (not refused or qoder.pending_faults) and time.monotonic() < end_s:
            create(http)

    for skip in (5, 30, 55):
        qoder.fail_next("POST", "/vaults", Fault.OUTAGE, delay_s=0.1, skip=skip)
    clients = [threading.Thread(target=create_on) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert (True, []) == (bool(refused), qoder.pending_faults)
    assert {201} == {response.status_code for response in made}
    assert {response.json()["id"] for response in made} <= {vault.id for vault in qoder.vaults}


def test_any_thread_may_start_and_stop(serve: Serve, connect: Connect) -> None:
    """A start and a stop from other threads, at the same time too, are like those of the thread that created it."""
    qoder = serve(fault_delay_s=FOR_EVER)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE)
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    for step, is_up in ((qoder.start, True), (qoder.stop, False), (qoder.start, True)):
        others = [threading.Thread(target=step) for _ in range(4)]
        for other in others:
            other.start()
        for other in others:
            other.join(5)
        assert (is_up, 0 if is_up else errno.ECONNREFUSED) == (qoder.is_up, try_to_connect(qoder))

    assert 200 == http.get("/vaults").status_code


def test_nobody_gets_the_port_in_between(serve: Serve, connect: Connect) -> None:
    """During an outage the port stays in use, so that the service can come back to it."""
    qoder = serve()
    # a reset leaves no connection behind that would keep the port by itself
    qoder.fail_next("GET", "/vaults", replace(Fault.RESET_AFTER_COMMIT.value, is_outage=True, delay_s=FOR_EVER))
    with pytest.raises(httpx.ReadError):
        connect(qoder).get("/vaults")
    with socket.socket() as other, pytest.raises(OSError, match=r"in use") as caught:
        other.bind(address(qoder))

    assert errno.EADDRINUSE == caught.value.errno


def test_an_outage_can_go_with_any_ending(serve: Serve, connect: Connect, founding: Body) -> None:
    """`is_outage` is a field like the others: a lost response and an outage can be one fault."""
    qoder = serve(fault_delay_s=FOR_EVER)
    lost = replace(Fault.DROP_AFTER_COMMIT.value, is_outage=True, delay_s=1.0)
    qoder.fail_next("POST", "/vaults", lost)
    with pytest.raises(httpx.RemoteProtocolError):
        connect(qoder).post("/vaults", json=founding)

    assert (1, errno.ECONNREFUSED) == (len(qoder.vaults), try_to_connect(qoder))
