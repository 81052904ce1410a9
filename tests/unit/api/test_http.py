"""One attempt: only to the configured origin, read to a bounded end, and no secret in what fails."""

from __future__ import annotations

import email.utils
import gzip
import json
import socket
import ssl
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.http import MAX_ERROR_BYTES
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings
from unit.api.sending import (
    ACCESS_TOKEN,
    API_TOKEN,
    CREATE,
    GET,
    JSON,
    elsewhere,
    envelope,
    fail_to_connect,
    failure_of,
    host_of,
    items_of,
    line_of,
    response,
)


def test_a_body_that_drips_cannot_stretch_the_budget(serve_raw: Callable[..., Any]) -> None:
    """The budget holds for a response that comes in small pieces, as it does for one that does not come."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        end = time.monotonic() + 3
        while time.monotonic() < end and not server.is_over.wait(0.05):
            connection.sendall(b"x")

    server = serve_raw(drip)
    transport = Transport(Settings(Secret(API_TOKEN), server.base_url, timeout_s=0.4), "unit-tests/1")
    began_s = time.monotonic()
    try:
        failure = failure_of(transport, GET)
    finally:
        transport.close()

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "GET /vaults: the response was not complete when qoder:timeout (0.4s) expired" == str(failure)
    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "302 Found"])
def test_a_refusal_without_end_is_not_read_to_its_end(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, status: str
) -> None:
    """A refusal is one, however much comes after its status."""

    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 100000000\r\n\r\n".encode())
        for _part in range(100):
            connection.sendall(b"x" * 1_000_000)
        pytest.fail("the whole body was read")

    failure = failure_of(connect_to(qoder, base_url=serve_raw(flood).base_url), GET)

    assert status[:3] in str(failure)
    assert not failure.may_be_done


@pytest.mark.parametrize(("size", "is_read"), [(MAX_ERROR_BYTES, True), (MAX_ERROR_BYTES + 1, False)])
def test_an_error_of_more_than_64_kib_is_no_envelope(
    qoder: Emulator, transport: Transport, size: int, is_read: bool
) -> None:
    """What is larger is not searched for secrets, which would take long, and not repeated."""
    body = envelope("invalid_request_error", "no").ljust(size)
    qoder.fail_next("GET", "/vaults", Effect("large", status=400, headers=JSON, body=body))

    assert (
        f"GET /vaults: no (400 invalid_request_error, request_id req_7, host {host_of(qoder)})"
        if is_read
        else f"GET /vaults: the response is not from the Qoder API (400, host {host_of(qoder)}){elsewhere(qoder)}"
    ) == str(failure_of(transport, GET))


def test_a_response_without_end_is_not_read_to_its_end(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator
) -> None:
    """A response of more than 16 MiB is given up."""

    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _part in range(100):
            connection.sendall(b"x" * 1_000_000)

    transport = connect_to(qoder, base_url=serve_raw(flood).base_url)

    assert "GET /vaults: the response is larger than 16 MiB" == line_of(transport, GET)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b" " * 90_000_000))),
        ("gzip", gzip.compress(b" " * 90_000_000)),
        ("gzip", gzip.compress(b" " * 1_000_000) * 90),
        ("deflate", zlib.compress(b" " * 90_000_000)),
    ],
    ids=["gzip, gzip", "gzip", "gzip of many members", "deflate"],
)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_a_compressed_response_is_bounded_while_it_is_inflated(
    serve_raw: Callable[..., Any], closing: ExitStack, encoding: str, body: bytes, status: str
) -> None:
    """A few hundred bytes must not become hundreds of megabytes of memory."""
    server = serve_raw(response(status, body, f"Content-Encoding: {encoding}"))
    transport = Transport(Settings(Secret(API_TOKEN), server.base_url), "unit-tests/1")
    closing.callback(transport.close)
    tracemalloc.start()
    closing.callback(tracemalloc.stop)

    failure = failure_of(transport, CREATE)

    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    assert isinstance(failure, errors.OutcomeUnknown if status == "200 OK" else errors.BadRequest)


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("Deflate", zlib.compress)]
)
def test_a_proxy_that_compresses_is_understood(
    serve_raw: Callable[..., Any],
    connect_to: Callable[..., Transport],
    qoder: Emulator,
    encoding: str,
    compress: Callable[[bytes], bytes],
) -> None:
    """Though it was asked not to."""
    body = compress(json.dumps({"data": ["x" * 100_000]}).encode())
    server = serve_raw(response("200 OK", body, f"Content-Encoding: {encoding}"))

    assert {"data": ["x" * 100_000]} == connect_to(qoder, base_url=server.base_url).send(GET)
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"{}"),
        ("gzip", b"{}"),
        ("gzip", gzip.compress(b"{}" * 9)[:-20]),
        ("gzip", gzip.compress(b"{}", mtime=0) * 2),
        ("deflate", zlib.compress(b"{}") + b"more"),
    ],
    ids=["brotli", "not compressed", "cut short", "two members", "more after its end"],
)
def test_what_cannot_be_inflated_is_a_lost_response(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, encoding: str, body: bytes
) -> None:
    """Qoder may have handled the request."""
    server = serve_raw(response("200 OK", body, f"Content-Encoding: {encoding}"))

    assert isinstance(failure_of(connect_to(qoder, base_url=server.base_url), CREATE), errors.OutcomeUnknown)


def test_a_redirect_is_refused(start: Callable[..., Emulator], qoder: Emulator, transport: Transport) -> None:
    """The API token goes to the configured origin only: another one is not asked at all."""
    elsewhere = start()
    qoder.fail_next("GET", "/vaults", Fault.REDIRECT, location=f"{elsewhere.base_url}/vaults")

    assert (
        f"GET /vaults: redirected (302), which is refused: the API token goes to {host_of(qoder)} only; set "
        "qoder:baseUrl to the API itself"
    ) == line_of(transport, GET)
    assert [] == elsewhere.requests


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_is_refused(qoder: Emulator, transport: Transport, status: int) -> None:
    """Also one that keeps the method, and one to the same origin."""
    effect = Effect("moved", status=status, headers=(("Location", f"{qoder.base_url}/vaults/elsewhere"),))
    qoder.fail_next("POST", "/vaults", effect)

    assert f"redirected ({status})" in line_of(transport, CREATE)
    assert 1 == len(qoder.requests)


@pytest.fixture
def proxy(serve_raw: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A proxy that refuses, in every variable that names one."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = serve_raw(response("403 Forbidden", b"no"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    return server


def test_loopback_never_goes_through_a_proxy(proxy: Any, qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """An emulator is reached directly, whatever HTTP_PROXY says: the proxy would see the API token."""
    assert [] == items_of(connect_to(qoder))
    assert [] == proxy.requests


def test_other_hosts_go_through_the_proxy(
    proxy: Any, qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """HTTPS_PROXY is used, for a tunnel: it never sees a header of the request."""
    transport = connect_to(qoder, base_url="https://qoder.invalid/api", timeout_s=3.0)

    failure = failure_of(transport, CREATE)

    assert isinstance(failure, errors.NotSent)
    assert str(failure).startswith("POST /vaults: no connection to qoder.invalid (403 Forbidden); check qoder:baseUrl")
    assert {b"CONNECT qoder.invalid:443 HTTP/1.1"} == {request.splitlines()[0] for request in proxy.requests}
    assert not any(qoder.api_token.encode() in request for request in proxy.requests)


def test_a_proxy_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, qoder: Emulator, connect_to: Callable[..., Transport]
) -> None:
    """A proxy variable that cannot be read is named, and its value, which may hold a password, is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:canary-password@proxy.example")
    with pytest.raises(errors.NotSent) as caught:
        connect_to(qoder, base_url="https://qoder.invalid/api")

    assert "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: must be an http or https URL (socks needs httpx[socks])" == str(
        caught.value
    )


@pytest.mark.parametrize("host", ["a..b", "xn--", "xn--a", ".", "a" * 64, "1.2.3.400"])
def test_a_host_that_is_none_is_never_sent_to(connect_to: Callable[..., Transport], qoder: Emulator, host: str) -> None:
    """Where no connection can be asked for, nothing was sent, and there is nothing to try again or to look up."""
    failure = failure_of(connect_to(qoder, base_url=f"https://{host}/api"), CREATE)

    assert (errors.Unreachable, False) == (type(failure), failure.may_be_done)
    assert "POST /vaults: qoder:baseUrl, the proxy or a redirect is not a valid URL" == str(failure)


def test_certificates_are_verified(serve_raw: Callable[..., Any], connect_to: Callable[..., Transport]) -> None:
    """What does not speak TLS, or not with a trusted certificate, never gets a request."""
    server = serve_raw(response("200 OK", b"{}"))
    transport = Transport(
        Settings(Secret(API_TOKEN), f"https://127.0.0.1:{server.port}", timeout_s=0.5), "unit-tests/1"
    )
    try:
        failure = failure_of(transport, GET)
    finally:
        transport.close()

    assert isinstance(failure, errors.NotSent)
    assert not any(API_TOKEN.encode() in request for request in server.requests)


def test_a_certificate_store_that_cannot_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, qoder: Emulator, connect_to: Callable[..., Transport], tmp_path: Path
) -> None:
    """The variables are named that say where it is."""
    store = tmp_path / "ca.pem"
    store.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(store))

    with pytest.raises(errors.NotSent, match=r"^SSL_CERT_FILE or SSL_CERT_DIR: the certificates in it cannot be read$"):
        connect_to(qoder, base_url="https://qoder.example/api")


def test_a_certificate_that_is_not_trusted_is_final(
    monkeypatch: pytest.MonkeyPatch, qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """Another attempt would meet the same certificate."""
    untrusted = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    fail_to_connect(monkeypatch, untrusted)

    line = line_of(connect_to(qoder, base_url="https://qoder.example/api"), CREATE)

    assert line.startswith("POST /vaults: no connection to qoder.example (")
    assert line.endswith("CERTIFICATE_VERIFY_FAILED] certificate verify failed); set SSL_CERT_FILE to your own CA")
    assert [] == fake_time.slept_s


def test_whatever_breaks_the_request_may_have_been_handled(
    monkeypatch: pytest.MonkeyPatch, qoder: Emulator, transport: Transport
) -> None:
    """An error that nobody foresaw is a lost response; its text, which may hold anything, is not shown."""

    fail_to_connect(monkeypatch, RuntimeError("canary"))
    failure = failure_of(transport, GET)

    assert (errors.OutcomeUnknown, True) == (type(failure), failure.may_be_done)
    assert "GET /vaults: the response could not be read (RuntimeError)" == str(failure)


def test_no_exception_of_a_failed_request_holds_a_secret(qoder: Emulator, connect_to: Callable[..., Transport]) -> None:
    """Neither the error nor anything chained to it shows the API token or the body that was sent."""
    qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    request = Request("POST", "/vaults", body={"access_token": ACCESS_TOKEN}, secrets=(Secret(ACCESS_TOKEN),))

    text = "".join(traceback.format_exception(failure_of(connect_to(qoder), request)))

    assert ACCESS_TOKEN not in text
    assert qoder.api_token not in text
    assert "httpx" not in text


def dated(serve_raw: Callable[..., Any], date: Callable[[], str]) -> str:
    """The base URL of a server that says what time it is."""
    server = serve_raw(lambda connection, _: connection.sendall(response("200 OK", b"{}", f"Date: {date()}")))
    return str(server.base_url)


@pytest.mark.parametrize("ahead_s", [-3600.25, -0.5, 0.0, 0.999, 100.9, 3600.0])
def test_the_servers_clock_is_learnt(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, ahead_s: float
) -> None:
    """`Date` tells how far it is ahead, to a second, and never says more than is true."""
    now_s = fake_time.clock.now_s
    base_url = dated(serve_raw, lambda: email.utils.formatdate(now_s() + ahead_s, usegmt=True))
    transport = connect_to(qoder, base_url=base_url)
    assert 0.0 == transport.ahead_s

    transport.send(GET)

    assert ahead_s - 1 < transport.ahead_s <= ahead_s


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system takes no other time zone from TZ")
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S -0000", "%a %b %d %H:%M:%S %Y"])
def test_a_date_without_a_zone_is_utc(
    serve_raw: Callable[..., Any],
    connect_to: Callable[..., Transport],
    qoder: Emulator,
    fake_time: Any,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    """Where this machine is says nothing about a date from elsewhere."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    date = time.strftime(form, time.gmtime(fake_time.clock.now_s()))
    transport = connect_to(qoder, base_url=dated(serve_raw, lambda: date))
    try:
        transport.send(GET)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert -1 < transport.ahead_s <= 0


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "Thu, 99 Jan 2026 00:00:00 GMT",
        "Fri, 31 Dec 9999999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_a_date_that_is_none_or_absurd_teaches_nothing(
    serve_raw: Callable[..., Any], connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, date: str
) -> None:
    """What was learnt before stays; no clock is more than a day off."""
    dates = iter([email.utils.formatdate(fake_time.clock.now_s() + 100, usegmt=True), date])
    transport = connect_to(qoder, base_url=dated(serve_raw, lambda: next(dates)))
    transport.send(GET)
    learnt_s = transport.ahead_s

    transport.send(GET)

    assert learnt_s == transport.ahead_s
    assert 99 < learnt_s <= 100
