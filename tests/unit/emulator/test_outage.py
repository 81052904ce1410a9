"""Outages: connections are refused from one request on, until the service is back."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from dataclasses import replace

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, Fault

FOR_EVER = float("inf")


def address(qoder):
    url = httpx.URL(qoder.base_url)
    return url.host, url.port


def knock(qoder):
    """What a connection comes to: 0 or an error number."""
    with socket.socket() as connection:
        connection.settimeout(5)
        return connection.connect_ex(address(qoder))


def wait_until_up(qoder):
    end_s = time.monotonic() + 5
    while not qoder.is_up and time.monotonic() < end_s:
        time.sleep(0.005)
    return qoder.is_up


def threads():
    return {thread for thread in threading.enumerate() if thread.name == "qoder-vaults-emulator"}


def ask(connection, qoder):
    """Send a request on an open connection and read the head of its answer."""
    connection.sendall(
        f"HEAD /api/v1/cloud/vaults HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {qoder.api_token}\r\n\r\n".encode()
    )
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += connection.recv(4096)
    return received


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_what_follows_the_answer_is_refused(serve, connect, founding, revision):
    """The request is handled and answered, its connection ends, and the next one is refused and never seen."""
    qoder = serve(revision, credentials_key="ignore")
    qoder.fail_next("POST", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER)
    http = connect(qoder)
    answer = http.post("/vaults", json=founding)

    assert (True, "close", False) == (answer.is_success, answer.headers["connection"], qoder.is_up)
    with pytest.raises(httpx.ConnectError):
        http.get("/vaults")
    assert [answer.json()["id"]] == [vault.id for vault in qoder.vaults]
    assert [("POST", answer.status_code, "OUTAGE")] == [
        (request.method, request.status, request.fault) for request in qoder.requests
    ]


def test_there_is_no_moment_between_answer_and_outage(serve):
    """Who has read the first byte of the answer can never connect again before the service is back."""
    qoder = serve(fault_delay_s=FOR_EVER)
    qoder.fail_next("*", "**", Fault.OUTAGE, times=None)
    for _ in range(30):
        with socket.create_connection(address(qoder), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: e\r\n\r\n")
            assert b"H" == connection.recv(1)
            assert errno.ECONNREFUSED == knock(qoder)
        assert qoder.start().is_up


def test_it_comes_back_by_itself(serve, connect, founding):
    """After a second, unless told otherwise, it listens on the same port and holds what it held."""
    qoder = serve()
    base_url = qoder.base_url
    qoder.fail_next("POST", "/vaults", Fault.OUTAGE)
    http = connect(qoder)
    began_s = time.monotonic()
    id_ = http.post("/vaults", json=founding).json()["id"]
    assert errno.ECONNREFUSED == knock(qoder)
    assert wait_until_up(qoder)

    assert 1.0 <= time.monotonic() - began_s < 4
    assert (200, base_url) == (http.get(f"/vaults/{id_}").status_code, qoder.base_url)


@pytest.mark.parametrize(
    ("switches", "fault", "options"),
    [
        ({"fault_delay_s": 0.05}, Fault.OUTAGE, {"delay_s": FOR_EVER}),
        ({"fault_delay_s": FOR_EVER}, replace(Fault.OUTAGE.value, delay_s=0.05), {}),
    ],
    ids=["fault", "switch"],
)
def test_an_infinite_outage_ends_with_a_start(serve, connect, founding, switches, fault, options):
    """With an infinite delay, its own or the switch's, it is down until `start()`, and holds what it held."""
    qoder = serve(**switches)
    base_url = qoder.base_url
    qoder.fail_next("POST", "/vaults", fault, **options)
    http = connect(qoder)
    id_ = http.post("/vaults", json=founding).json()["id"]
    time.sleep(0.4)
    assert (errno.ECONNREFUSED, False) == (knock(qoder), qoder.is_up)
    qoder.start()

    assert (200, base_url) == (http.get(f"/vaults/{id_}").status_code, qoder.base_url)


@pytest.mark.parametrize("delay_s", [0.5, FOR_EVER])
def test_a_stop_ends_an_outage(serve, connect, delay_s):
    """A stop during an outage is quick, may be repeated, leaves no thread, and nothing comes back from it."""
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
    assert (errno.ECONNREFUSED, False) == (knock(qoder), qoder.is_up)
    assert 200 == (qoder.start() and http.get("/vaults").status_code)


def test_an_outage_leaves_no_thread(serve, connect):
    """When the service is back by itself, the thread that waited is gone; a start by hand ends it too."""
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


def test_two_outages_in_a_row(serve, connect):
    """Each outage is as the first."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=0.5, times=2)
    http = connect(qoder)
    for _ in range(2):
        assert 200 == http.get("/vaults").status_code
        assert errno.ECONNREFUSED == knock(qoder)
        assert wait_until_up(qoder)

    assert ([200, 200], True) == ([http.get("/vaults").status_code for _ in range(2)], qoder.is_up)


def test_an_outage_ends_itself_only(serve, connect):
    """An outage that a start cut short does not end the next one, not even if its time is up at that very moment."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=0.3)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER, skip=1)
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    qoder.start()
    assert 200 == http.get("/vaults").status_code
    time.sleep(0.6)
    qoder._server.come_back(threading.Event())

    assert (errno.ECONNREFUSED, False) == (knock(qoder), qoder.is_up)


def test_open_connections_end(serve):
    """A connection that was kept alive is cut, and the one with the answer ends after it."""
    qoder = serve(fault_delay_s=FOR_EVER)
    with socket.create_connection(address(qoder), 5) as kept, socket.create_connection(address(qoder), 5) as other:
        assert b"HTTP/1.1" == ask(kept, qoder)[:8]
        qoder.fail_next("HEAD", "/vaults", Fault.OUTAGE)
        assert b"HTTP/1.1" == ask(other, qoder)[:8]

        assert (b"", b"") == (kept.recv(1), other.recv(1))


def test_requests_in_work_are_cut(serve, connect):
    """An outage does not wait for a request on another connection: that one gets no answer."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults/slow", Fault.SLOW, delay_s=FOR_EVER)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, delay_s=FOR_EVER)
    errors = []

    def ask_slowly():
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


def test_outages_at_once(serve):
    """Of many requests with the same fault at the same time none blocks the others, nor the stop."""
    qoder = serve(fault_delay_s=0.01)
    qoder.fail_next("GET", "/vaults", Fault.OUTAGE, times=None)
    statuses = []

    def ask_often():
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


def test_nothing_that_was_answered_is_lost(serve, connect, flat):
    """With clients at work all the time, every create that was answered is there after the outages."""
    qoder = serve()
    made, refused = [], []

    def create(http):
        try:
            made.append(http.post("/vaults", json={"display_name": "v", "credentials": [flat()]}))
        except httpx.ConnectError:
            refused.append(time.monotonic())
        except httpx.TransportError:
            pass  # it was cut

    def create_on():
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
    assert {201} == {answer.status_code for answer in made}
    assert {answer.json()["id"] for answer in made} <= {vault.id for vault in qoder.vaults}


def test_any_thread_may_start_and_stop(serve, connect):
    """A start and a stop from other threads, at once too, are as those of the thread that made it."""
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
        assert (is_up, 0 if is_up else errno.ECONNREFUSED) == (qoder.is_up, knock(qoder))

    assert 200 == http.get("/vaults").status_code


def test_nobody_gets_the_port_in_between(serve, connect):
    """During an outage the port stays taken, so that the service can come back to it."""
    qoder = serve()
    # a reset leaves no connection behind that would keep the port by itself
    qoder.fail_next("GET", "/vaults", replace(Fault.RESET_AFTER_COMMIT.value, is_outage=True, delay_s=FOR_EVER))
    with pytest.raises(httpx.ReadError):
        connect(qoder).get("/vaults")
    with socket.socket() as other, pytest.raises(OSError, match=r"in use") as caught:
        other.bind(address(qoder))

    assert errno.EADDRINUSE == caught.value.errno


def test_an_outage_can_go_with_any_ending(serve, connect, founding):
    """`is_outage` is a field like the others: an answer that is lost, and then nobody there."""
    qoder = serve(fault_delay_s=FOR_EVER)
    lost = replace(Fault.DROP_AFTER_COMMIT.value, is_outage=True, delay_s=1.0)
    qoder.fail_next("POST", "/vaults", lost)
    with pytest.raises(httpx.RemoteProtocolError):
        connect(qoder).post("/vaults", json=founding)

    assert (1, errno.ECONNREFUSED) == (len(qoder.vaults), knock(qoder))


def test_is_up_before_and_after():
    """It is up from a start to a stop."""
    qoder = Emulator()
    seen = [qoder.is_up]
    with qoder:
        seen.append(qoder.is_up)

    assert [False, True, False] == [*seen, qoder.is_up]
