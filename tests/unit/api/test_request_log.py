"""QODER_LOG: each attempt is one line of JSON, and no line holds a secret."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.request_log import RequestLog
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings
from unit.api.sending import ACCESS_TOKEN, GET, failure_of
from unit.signals import posix_only

KEYS = [
    "time",
    "method",
    "path",
    "status",
    "error_type",
    "client_request_id",
    "request_id",
    "milliseconds",
    "attempt",
    "sent_again_after",
]


@pytest.fixture
def logged(closing: ExitStack, qoder: Emulator, fake_time: Any, tmp_path: Path) -> Callable[..., Any]:
    """Connect with a log; return the transport, and what reads the log."""

    def connect(**settings: Any) -> tuple[Transport, Callable[[], list[dict[str, Any]]]]:
        path = tmp_path / "qoder.log"
        chosen = {"max_reads_per_second": 0.0, "max_writes_per_second": 0.0, "base_url": qoder.base_url, **settings}
        transport = Transport(
            Settings(Secret(qoder.api_token), **chosen), "unit-tests/1", fake_time.clock, log=RequestLog(str(path))
        )
        closing.callback(transport.close)
        return transport, lambda: [json.loads(line) for line in path.read_text().splitlines()]

    return connect


def test_each_attempt_is_a_line(logged: Callable[..., Any], qoder: Emulator) -> None:
    """What was asked, what came back, and why it was sent again."""
    transport, read = logged()
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED)
    qoder.fail_next("GET", "/vaults", Fault.DROP_BEFORE_COMMIT)

    transport.send(replace(GET, query={"name": "not-written"}))

    lines = read()
    assert [KEYS] * 3 == [list(line) for line in lines]
    assert [("GET", "/vaults")] * 3 == [(line["method"], line["path"]) for line in lines]
    assert [429, None, 200] == [line["status"] for line in lines]
    assert ["rate_limit_error", None, None] == [line["error_type"] for line in lines]
    assert [(1, None), (2, "429 rate_limit_error"), (3, "lost response")] == [
        (line["attempt"], line["sent_again_after"]) for line in lines
    ]
    assert lines[0]["request_id"]
    assert 3 == len({line["client_request_id"] for line in lines})
    assert "not-written" not in json.dumps(lines)


def test_what_another_call_sends_again_is_the_next_attempt(logged: Callable[..., Any], qoder: Emulator) -> None:
    """The same method, path and key, as after a lost response; another key is another request."""
    transport, read = logged()
    credential = {"mcp_server_url": "https://a.example", "type": "static_bearer", "protocol": "sse"}
    body = {"display_name": "v", "credentials": [{**credential, "access_token": ACCESS_TOKEN}]}
    create = Request("POST", "/vaults", body=body, idempotency_key="one", secrets=(Secret(ACCESS_TOKEN),))
    qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    qoder.fail_next("POST", "/vaults", Fault.CONFLICT)

    failure_of(transport, create)
    transport.send(GET)
    failure_of(transport, replace(create, idempotency_key="two"))
    transport.send(create)
    transport.send(replace(create, idempotency_key="two"))
    transport.send(create)

    assert [
        ("POST", 1, None),
        ("GET", 1, None),
        ("POST", 1, None),
        ("POST", 2, "lost response"),
        ("POST", 2, "409 conflict_error"),
        ("POST", 1, None),
    ] == [(line["method"], line["attempt"], line["sent_again_after"]) for line in read()]


def test_our_id_is_sent(logged: Callable[..., Any], serve_raw: Callable[..., Any]) -> None:
    """So that a line here, and one at Qoder, are found to be the same request; and the server's own is kept."""
    answer = b"HTTP/1.1 200 OK\r\nX-Request-Id: req_server\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    server = serve_raw(answer)
    transport, read = logged(base_url=server.base_url)

    transport.send(GET)

    assert f"x-request-id: {read()[0]['client_request_id']}".encode() in server.requests[0].lower()
    assert "req_server" == read()[0]["request_id"]


@pytest.mark.parametrize("fault", list(Fault), ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_fault_brings_a_secret_into_the_log(
    logged: Callable[..., Any], qoder: Emulator, tmp_path: Path, fault: Fault, method: str
) -> None:
    """Every line is JSON, whatever comes back."""
    transport, read = logged(timeout_s=1.0)
    body = {"display_name": "v", "credentials": [{"access_token": ACCESS_TOKEN}]}
    request = Request(method, "/vaults", body=body if method == "POST" else None, secrets=(Secret(ACCESS_TOKEN),))
    qoder.fail_next(method, "/vaults", fault)

    with suppress(errors.QoderError):
        transport.send(request)

    assert read()
    text = (tmp_path / "qoder.log").read_text()
    assert [] == [canary for canary in (ACCESS_TOKEN, qoder.api_token) if canary.lower() in text.lower()]


def test_a_server_that_echoes_and_a_path_that_holds_a_secret(
    logged: Callable[..., Any], serve_raw: Callable[..., Any], tmp_path: Path, qoder: Emulator
) -> None:
    """The type of an error, the request ids and a path from a program are texts of others."""
    error = {"type": "error", "request_id": qoder.api_token, "error": {"type": ACCESS_TOKEN, "message": "no"}}
    body = json.dumps(error).encode()
    head = (
        f"HTTP/1.1 400 No\r\nX-Request-Id: {ACCESS_TOKEN}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    transport, read = logged(base_url=serve_raw(head.encode() + body).base_url)

    failure_of(transport, Request("GET", f"/vaults/{qoder.api_token}", secrets=(Secret(ACCESS_TOKEN),)))

    assert ("***", "***", "***") == tuple(read()[0][key] for key in ("path", "error_type", "request_id"))
    text = (tmp_path / "qoder.log").read_text()
    assert ACCESS_TOKEN not in text
    assert qoder.api_token not in text


@posix_only
def test_only_its_owner_can_read_it(logged: Callable[..., Any], tmp_path: Path) -> None:
    """Also if it was there before, and readable by all."""
    path = tmp_path / "qoder.log"
    path.write_text("{}\n")
    path.chmod(0o644)

    transport, read = logged()
    transport.send(GET)

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 2 == len(read()), "it is appended to"


def test_a_file_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closing: ExitStack, qoder: Emulator
) -> None:
    """It names QODER_LOG; nothing is sent."""
    connections = Connections()
    closing.callback(connections.close)
    for path in (tmp_path, tmp_path / "no" / "such" / "folder.log"):
        monkeypatch.setenv("QODER_LOG", str(path))
        with pytest.raises(errors.SettingsError, match=r"^QODER_LOG: the file cannot be written \([A-Za-z ]+\)$"):
            connections.to(Settings(Secret(qoder.api_token), qoder.base_url))
    assert [] == qoder.requests


def test_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closing: ExitStack, qoder: Emulator
) -> None:
    """For this run, on both fronts."""
    monkeypatch.setenv("QODER_LOG", str(tmp_path / "log"))
    connections = Connections()
    closing.callback(connections.close)

    connections.to(Settings(Secret(qoder.api_token), qoder.base_url))[0].send(GET)

    assert 1 == len((tmp_path / "log").read_text().splitlines())


def test_several_writers_share_a_file(logged: Callable[..., Any], qoder: Emulator) -> None:
    """A line is written at once, and not torn by another."""
    made = [logged() for _ in range(4)]

    def send(transport: Transport) -> None:
        for _ in range(25):
            transport.send(GET)

    threads = [threading.Thread(target=send, args=(transport,)) for transport, _ in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 100 == len(made[0][1]())
