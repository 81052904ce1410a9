"""The door and the wire: who is let in, how often, and what HTTP says."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator

REFUSED = (400, "invalid_request_error", None)


@pytest.mark.parametrize(("revision", "type_"), [("2026-05", "TOKEN_INVALID"), ("2026-07", "authentication_error")])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}, {"x-api-key": "pt-good"}]
)
def test_only_the_bearer_token_opens(serve, error_of, revision, type_, headers):
    """Without the right bearer token, and with `x-api-key`, the answer is a 401 of the revision's type."""
    qoder = serve(revision, api_token="pt-good")

    assert (401, type_, None) == error_of(httpx.get(f"{qoder.base_url}/vaults", headers=headers))


def test_the_api_token_can_change(serve, connect):
    """A token that was let in can be withdrawn while the service runs."""
    qoder = serve()
    http = connect(qoder)
    assert 200 == http.get("/vaults").status_code
    qoder.api_token = "pt-other"

    assert 401 == http.get("/vaults").status_code


@pytest.mark.parametrize("token", ["", "has space", "new\nline", "ключ"])
def test_an_api_token_that_no_header_can_carry_is_refused(token):
    """The refusal does not repeat the token."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Emulator(api_token=token)

    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("type_", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_must_be_called_json(serve, connect, error_of, type_):
    """A body of another Content-Type is refused."""
    headers = {} if type_ is None else {"Content-Type": type_}

    assert REFUSED == error_of(connect(serve()).post("/vaults", content=b"{}", headers=headers))


@pytest.mark.parametrize(
    "content", [b"{", b'{"display_name": NaN}', b"\xff", b'"\\ud800"', b"[" * 100_000, b"[]", b"null", b'"text"', b""]
)
def test_a_body_must_be_a_json_object(serve, connect, error_of, content):
    """Anything but a JSON object in UTF-8 is a 400, never a 500."""
    headers = {"Content-Type": "application/json; charset=utf-8"}

    assert REFUSED == error_of(connect(serve("2026-07")).post("/vaults", content=content, headers=headers))


def test_request_ids(serve, connect):
    """An error repeats `x-request-id`; without one it has an id of its own."""
    http = connect(serve())

    assert "mine-1" == http.get("/vaults/v", headers={"x-request-id": "mine-1"}).json()["request_id"]
    made = {http.get("/vaults/v").json()["request_id"] for _ in range(2)}
    assert 2 == len({id_ for id_ in made if id_.startswith("req_")})


@pytest.mark.parametrize("path", ["/agents", "/vaults/", "/vaults/v/credentials/c/other", "/vaults//archive"])
def test_other_paths_are_not_found(serve, connect, error_of, path):
    """What the API does not have is a 404 of the API."""
    assert (404, "not_found_error", None) == error_of(connect(serve()).get(path))


def test_other_methods_are_not_allowed(serve, connect, error_of):
    """A method that a path does not have is a 405 that names those it has."""
    answer = connect(serve()).put("/vaults", json={})

    assert (405, "invalid_request_error", None) == error_of(answer)
    assert "GET, POST" == answer.headers["allow"]


def test_a_wrong_base_url_is_not_the_api(serve):
    """Outside the base path there is a 404 without the API's envelope, whoever asks."""
    qoder = serve()
    answer = httpx.get(qoder.base_url.replace("/api/v1/cloud", "/v1") + "/vaults")

    assert (404, None) == (answer.status_code, answer.json().get("type"))


def test_keep_alive(serve):
    """One connection serves many requests, those with refusals and empty answers too."""
    qoder = serve()
    path = f"/api/v1/cloud/vaults/{qoder.add_vault('v').id}"
    host, port = qoder.base_url.removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
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
def test_bodies_that_cannot_be_read(serve, header, status):
    """A body of unknown or excessive length is refused and the connection closed."""
    qoder = serve()
    host, port = qoder.base_url.removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(f"POST /api/v1/cloud/vaults HTTP/1.1\r\nHost: e\r\n{header}\r\n\r\n".encode())
        received = b""
        while part := connection.recv(4096):
            received += part

    assert received.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("kind", ["writes", "reads"])
def test_rate_limits(serve, connect, error_of, kind):
    """More than the rate in one second are answered 429 with Retry-After; the other kind is not."""
    qoder = serve(**{f"{kind}_per_second": 3})
    http = connect(qoder)

    def ask(is_write):
        return http.delete("/vaults/v") if is_write else http.get("/vaults/v")

    answers = [ask(kind == "writes") for _ in range(4)]
    assert [404, 404, 404, 429] == [answer.status_code for answer in answers]
    assert (429, "rate_limit_error", None) == error_of(answers[3])
    assert "1" == answers[3].headers["retry-after"]
    assert 404 == ask(kind != "writes").status_code
    time.sleep(1.0)
    assert 404 == ask(kind == "writes").status_code


def test_latency(serve, connect):
    """`latency_s` passes before an answer."""
    http = connect(serve(latency_s=0.15))
    began_s = time.monotonic()
    http.get("/vaults")

    assert time.monotonic() - began_s >= 0.15


def test_an_outage_is_a_stop_and_a_start(serve, connect, founding):
    """A stopped emulator refuses connections; started again it has its port and its vaults."""
    qoder = serve()
    http = connect(qoder)
    id_ = http.post("/vaults", json=founding).json()["id"]
    qoder.stop()
    with pytest.raises(httpx.TransportError):
        http.get("/vaults")
    qoder.start()

    assert 200 == http.get(f"/vaults/{id_}").status_code


def test_stopping_does_not_wait_for_slow_requests(serve, connect):
    """A stop ends what is in work."""
    qoder = serve(latency_s=30)
    errors = []

    def ask():
        try:
            connect(qoder).get("/vaults", timeout=20)
        except httpx.TransportError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.1)
    began_s = time.monotonic()
    qoder.stop()
    thread.join()

    assert time.monotonic() - began_s < 5


def test_many_clients_at_once(serve, connect, flat):
    """Concurrent creates are all there, each with its own id and record."""
    qoder = serve()
    statuses = []

    def create(number):
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


def test_a_defect_of_the_emulator_is_not_hidden(connect, monkeypatch):
    """A request that the emulator cannot answer is a 500, and the test that sent it fails."""
    monkeypatch.setattr("pulumi_qoder_vault.emulator.service.answer_call", lambda *_: 1 / 0)
    lines = []
    qoder = Emulator(log=lines.append).start()

    assert 500 == connect(qoder).get("/vaults").status_code
    with pytest.raises(RuntimeError, match="defect"):
        qoder.stop()
    assert lines[0].startswith("DEFECT ZeroDivisionError")


@pytest.mark.parametrize(
    "options",
    [
        {"revision": "2026-06"},
        {"credentials_key": "maybe"},
        {"archive_again": 404},
        {"credential_create_status": 204},
        {"writes_per_second": 0},
        {"latency_s": -1},
    ],
)
def test_switches_take_what_they_name(options):
    """A value that no request could be answered by is refused, with the switch's name."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Emulator(**options)


def test_there_is_no_base_url_before_the_first_start():
    """Before a start there is no port to name."""
    with pytest.raises(RuntimeError, match="start"):
        _ = Emulator().base_url
