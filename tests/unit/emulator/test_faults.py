"""Faults: what each one does on the wire, and which request it meets."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Commit, Effect, Emulator, Fault, PlannedFault, RevisionName
from pulumi_qoder_vault.emulator.fault_plan import FaultPlan
from pulumi_qoder_vault.emulator.hostile import BOMB_SIZE

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
URL = "https://example.com/mcp"
WITH_RESPONSE = {
    Fault.REQUEST_TIMEOUT: 408,
    Fault.REQUEST_TIMEOUT_AFTER_COMMIT: 408,
    Fault.RATE_LIMITED: 429,
    Fault.RATE_LIMITED_DATE: 429,
    Fault.RATE_LIMITED_ABSURD: 429,
    Fault.RATE_LIMITED_GARBAGE: 429,
    Fault.RATE_LIMITED_SILENT: 429,
    Fault.RATE_LIMITED_HTML: 429,
    Fault.ERROR_BEFORE_COMMIT: 500,
    Fault.ERROR_AFTER_COMMIT: 500,
    Fault.BAD_GATEWAY_BEFORE_COMMIT: 502,
    Fault.BAD_GATEWAY_AFTER_COMMIT: 502,
    Fault.UNAVAILABLE_BEFORE_COMMIT: 503,
    Fault.UNAVAILABLE_AFTER_COMMIT: 503,
    Fault.UNAVAILABLE_RETRY_AFTER: 503,
    Fault.GATEWAY_TIMEOUT_COMMIT_LATER: 504,
    Fault.FORBIDDEN: 403,
    Fault.CONFLICT: 409,
    Fault.CONFLICT_BUSY: 409,
    Fault.CONFLICT_MODIFIED: 409,
    Fault.FEATURE_NOT_AVAILABLE: 501,
    Fault.FEATURE_NOT_AVAILABLE_503: 503,
    Fault.SEE_OTHER_AFTER_COMMIT: 303,
    Fault.CREATED_ANOTHER: 200,
    Fault.CREATED_ANOTHER_AFTER_COMMIT: 201,
    Fault.LIST_EMPTY: 201,
    Fault.LIST_ENDS_EARLY: 201,
    Fault.GZIP_BOMB: 200,
    Fault.GZIP_BOMB_TWICE: 200,
    Fault.HTML_200: 200,
    Fault.HTML_200_AFTER_COMMIT: 200,
    Fault.HTML_404: 404,
    Fault.FOREIGN_404: 404,
    Fault.REDIRECT: 302,
    Fault.ECHO: 400,
    Fault.ECHO_HTML: 502,
    Fault.CUT_JSON_AFTER_COMMIT: 201,
    Fault.SLOW: 201,
}
BROKEN = {
    Fault.DROP_BEFORE_COMMIT: httpx.RemoteProtocolError,
    Fault.DROP_AFTER_COMMIT: httpx.RemoteProtocolError,
    Fault.DROP_COMMIT_LATER: httpx.RemoteProtocolError,
    Fault.RESET_BEFORE_COMMIT: httpx.ReadError,
    Fault.RESET_AFTER_COMMIT: httpx.ReadError,
    Fault.TRUNCATED_AFTER_COMMIT: httpx.RemoteProtocolError,
}

DRIPS = {
    Fault.DRIP_STATUS_LINE: b"HTTP/1.1 201 xxx",
    Fault.DRIP_HEADERS: b"HTTP/1.1 201 OK\r\nX-Drip: drip\r\nX-Drip",
    Fault.DRIP_INTERIM: b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 103 ",
    Fault.DRIP_BODY: b"HTTP/1.1 201 OK\r\nContent-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n  ",
}


def wait_for(claim: Callable[[], object]) -> object:
    end_s = time.monotonic() + 3.0
    while not claim() and time.monotonic() < end_s:
        time.sleep(0.005)
    return claim()


def test_the_tables_of_this_file_are_whole() -> None:
    """Every fault is tested here; the outage is in test_server.py."""
    assert set(Fault) == WITH_RESPONSE.keys() | BROKEN.keys() | DRIPS.keys() | {Fault.OUTAGE}


@pytest.mark.parametrize("fault", WITH_RESPONSE, ids=lambda fault: fault.command_line_name)
def test_faults_with_a_response(serve: Serve, connect: Connect, founding: Body, fault: Any) -> None:
    """A fault with a response gives its status once, and the next request is served on the same connection."""
    qoder = serve(fault_delay_s=0.05)
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", fault)

    with http.stream("POST", "/vaults", json=founding) as response:  # a bomb is not inflated
        assert WITH_RESPONSE[fault] == response.status_code
        list(response.iter_raw())
    assert 201 == http.post("/vaults", json=founding).status_code
    assert (WITH_RESPONSE[fault], fault.name) == (qoder.requests[0].status, qoder.requests[0].fault)


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.command_line_name)
def test_broken_connections(serve: Serve, connect: Connect, founding: Body, fault: Any) -> None:
    """A fault without a whole response breaks the connection the way it says."""
    qoder = serve(fault_delay_s=0.05)
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", fault)
    with pytest.raises(BROKEN[fault]):
        http.post("/vaults", json=founding)

    assert 201 == http.post("/vaults", json=founding).status_code


@pytest.mark.parametrize(
    "fault", [fault for fault in Fault if fault not in DRIPS], ids=lambda fault: fault.command_line_name
)
@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_commit_is_as_the_fault_says(serve: Serve, connect: Connect, fault: Any, revision: RevisionName) -> None:
    """Before, after or later: whether a delete is carried out is part of the fault."""
    qoder = serve(revision, fault_delay_s=0.1)
    vault = qoder.add_vault("v")
    qoder.fail_next("DELETE", "/vaults/*", fault)
    try:
        with connect(qoder).stream("DELETE", f"/vaults/{vault.id}", json={}) as response:
            list(response.iter_raw())
    except httpx.TransportError:
        assert fault in BROKEN
    before = len(qoder.vaults)

    if fault.value.commit is Commit.LATER:
        assert 1 == before
        assert wait_for(lambda: not qoder.vaults)
    else:
        assert (0 if fault.value.commit is Commit.FIRST else 1) == before


def test_a_key_is_taken_while_the_commit_is_still_to_come(serve: Serve, connect: Connect, founding: Body) -> None:
    """After a drop with a later commit, the same key is first a conflict and then gets the response."""
    qoder = serve(fault_delay_s=0.6)
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", Fault.DROP_COMMIT_LATER)
    key = {"Idempotency-Key": "k"}
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/vaults", json=founding, headers=key)

    assert (409, []) == (http.post("/vaults", json=founding, headers=key).status_code, qoder.vaults)
    assert wait_for(lambda: qoder.vaults)
    assert qoder.vaults[0].id == http.post("/vaults", json=founding, headers=key).json()["id"]


def raw(qoder: Emulator, request: str) -> bytes:
    with socket.create_connection((qoder.host, qoder.port), 5) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


@pytest.mark.parametrize("fault", DRIPS, ids=lambda fault: fault.command_line_name)
def test_drips_never_end(serve: Serve, founding: Body, fault: Any) -> None:
    """A drip comes piece by piece, in the time between two, after the commit; the emulator stops all the same."""
    qoder = serve(api_token="pt-good")
    qoder.fail_next("POST", "/vaults", fault, delay_s=0.002)
    content = json.dumps(founding).encode()
    began_s = time.monotonic()
    with socket.create_connection((qoder.host, qoder.port), 5) as connection:
        head = "POST /api/v1/cloud/vaults HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer pt-good\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        received, parts = b"", 0
        while len(received) < len(DRIPS[fault]):
            received += connection.recv(65536)
            parts += 1
        assert received.startswith(DRIPS[fault])
        assert parts >= 2
        assert (1, [fault.name]) == (len(qoder.vaults), [request.fault for request in qoder.requests])
        qoder.stop()
    assert time.monotonic() - began_s < 3


@pytest.mark.parametrize(
    ("fault", "layers", "most"), [(Fault.GZIP_BOMB, 1, 1 << 19), (Fault.GZIP_BOMB_TWICE, 2, 1 << 13)]
)
def test_bombs_are_small_and_inflate(serve: Serve, connect: Connect, fault: Any, layers: int, most: int) -> None:
    """A bomb is small on the wire, and its head says how often it is compressed."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", fault)
    with connect(qoder).stream("GET", "/vaults") as response:
        content = b"".join(response.iter_raw())
    assert (", ".join(["gzip"] * layers), True) == (response.headers["content-encoding"], len(content) <= most)
    for _ in range(layers - 1):
        content = gzip.decompress(content)
    with gzip.open(io.BytesIO(content)) as inflated:
        assert sum(len(part) for part in iter(lambda: inflated.read(1 << 20), b"")) == BOMB_SIZE


@pytest.mark.parametrize(
    ("fault", "count"), [(Fault.CREATED_ANOTHER, 1), (Fault.CREATED_ANOTHER_AFTER_COMMIT, 2)], ids=str
)
def test_a_create_may_be_answered_with_another_object(
    serve: Serve, connect: Connect, bearer: MakeBody, fault: Any, count: int
) -> None:
    """The response is whole, and about the oldest vault or credential; one is created only if the fault says so."""
    qoder = serve("2026-07")
    other = qoder.add_vault("somebody else's", metadata={"theirs": "yes"})
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", fault)
    made = http.post("/vaults", json={"display_name": "mine"})

    assert (200, other.id, {"theirs": "yes"}, []) == (
        made.status_code,
        made.json()["id"],
        made.json()["metadata"],
        made.json()["credentials"],
    )
    assert count == len(qoder.vaults)
    theirs = qoder.add_credential(other.id, URL, "t")
    mine = qoder.add_vault("mine").id
    qoder.fail_next("POST", "/vaults/*/credentials", fault)
    response = http.post(f"/vaults/{mine}/credentials", json=bearer(f"{URL}/2"))
    assert (theirs.id, other.id) == (response.json()["id"], response.json()["vault_id"])


@pytest.mark.parametrize(
    ("fault", "shown"), [(Fault.LIST_EMPTY, []), (Fault.LIST_ENDS_EARLY, ["4", "3"])], ids=["empty", "ends early"]
)
def test_a_page_that_does_not_show_all(serve: Serve, connect: Connect, fault: Any, shown: list[str]) -> None:
    """One page is empty, or says too early that it is the last one; the next request is as ever."""
    qoder = serve("2026-07")
    for number in range(5):
        qoder.add_vault(str(number))
    qoder.fail_next("GET", "/vaults", fault)
    http = connect(qoder)
    page, again = (http.get("/vaults", params={"limit": 2}).json() for _ in range(2))

    assert (shown, False, None) == (
        [vault["display_name"] for vault in page["data"]],
        page["has_more"],
        page["next_page"],
    )
    assert (bool(shown), True) == (page["last_id"] is not None, again["has_more"])


def test_a_see_other_follows_a_commit(serve: Serve, connect: Connect, founding: Body) -> None:
    """A 303 after a create leads to a place at the same origin."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.SEE_OTHER_AFTER_COMMIT)
    response = connect(qoder).post("/vaults", json=founding)

    assert (303, "/api/v1/cloud/vaults", 1) == (response.status_code, response.headers["location"], len(qoder.vaults))


def test_truncated_responses_are_short_on_the_wire(serve: Serve) -> None:
    """The response announces more bytes than arrive before the connection ends."""
    qoder = serve("2026-07")
    qoder.add_vault("v")
    qoder.fail_next("GET", "/vaults", Fault.TRUNCATED_AFTER_COMMIT)
    head, _, body = raw(
        qoder, f"GET /api/v1/cloud/vaults HTTP/1.1\nHost: e\nAuthorization: Bearer {qoder.api_token}\n\n"
    ).partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])

    assert head.startswith(b"HTTP/1.1 200 ")
    assert length // 2 == len(body)


def test_a_dropped_connection_sends_nothing(serve: Serve) -> None:
    """Not a byte of a response arrives."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.DROP_BEFORE_COMMIT)

    assert b"" == raw(qoder, "GET /api/v1/cloud/vaults HTTP/1.1\nHost: e\n\n")


def test_cut_json_is_a_whole_message(serve: Serve, connect: Connect, founding: Body) -> None:
    """A cut response has a true length and is no JSON."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.CUT_JSON_AFTER_COMMIT)
    response = connect(qoder).post("/vaults", json=founding)

    assert len(response.content) == int(response.headers["content-length"])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RATE_LIMITED, "1"),
        (Fault.RATE_LIMITED_ABSURD, "86400"),
        (Fault.RATE_LIMITED_GARBAGE, "soon"),
        (Fault.RATE_LIMITED_SILENT, None),
        (Fault.RATE_LIMITED_HTML, "1"),
        (Fault.UNAVAILABLE_RETRY_AFTER, "1"),
    ],
)
def test_retry_after(serve: Serve, connect: Connect, fault: Any, expected: Any) -> None:
    """Each kind of Retry-After is what its name says."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", fault)

    assert expected == connect(qoder).get("/vaults").headers.get("retry-after")


def test_retry_after_can_be_given(serve: Serve, connect: Connect) -> None:
    """`retry_after` is sent in the fault's own form: seconds, or a date not sooner than asked."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=7)
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED_DATE, retry_after=7)
    http = connect(qoder)
    assert "7" == http.get("/vaults").headers["retry-after"]
    asked_at = datetime.now(UTC)
    until = parsedate_to_datetime(http.get("/vaults").headers["retry-after"])

    assert timedelta(seconds=7) <= until - asked_at <= timedelta(seconds=9)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.FORBIDDEN,
        Fault.CONFLICT,
        Fault.CONFLICT_BUSY,
        Fault.CONFLICT_MODIFIED,
        Fault.FEATURE_NOT_AVAILABLE,
        Fault.FEATURE_NOT_AVAILABLE_503,
        Fault.RATE_LIMITED,
        Fault.ERROR_BEFORE_COMMIT,
    ],
)
def test_json_faults_have_the_envelope(serve: Serve, connect: Connect, error_of: ErrorOf, fault: Any) -> None:
    """The service's own errors come in its envelope, with the request id that was sent."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", fault)
    response = connect(qoder).get("/vaults", headers={"x-request-id": "mine"})

    assert (fault.value.status, fault.value.body["error"]["type"], None) == error_of(response)
    assert "mine" == response.json()["request_id"]


def test_foreign_404_is_not_the_envelope(serve: Serve, connect: Connect) -> None:
    """Another service's 404 is JSON without `error.type`."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults/*", Fault.FOREIGN_404)
    response = connect(qoder).get("/vaults/vault_1")

    assert ("application/json", False) == (response.headers["content-type"], "error" in response.json())


def test_slow_responses_are_late_and_handled_first(serve: Serve, connect: Connect, founding: Body) -> None:
    """A slow response comes after its delay; the vault is there before it."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.SLOW, delay_s=0.3)
    began_s = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        connect(qoder).post("/vaults", json=founding, timeout=0.1)
    assert 1 == len(qoder.vaults)

    qoder.fail_next("POST", "/vaults", Fault.SLOW, delay_s=0.3)
    began_s = time.monotonic()
    assert 201 == connect(qoder).post("/vaults", json=founding).status_code
    assert time.monotonic() - began_s >= 0.3


def test_a_delay_of_ones_own_counts(serve: Serve, connect: Connect) -> None:
    """A fault that is planned with a delay keeps it; the option is for those planned without."""
    qoder = serve(fault_delay_s=30)
    qoder.fail_next("GET", "/vaults", Fault.SLOW, delay_s=0.2)
    began_s = time.monotonic()

    assert 200 == connect(qoder).get("/vaults").status_code
    assert 0.2 <= time.monotonic() - began_s < 5


def test_an_infinite_delay_lasts_until_the_stop(serve: Serve, connect: Connect) -> None:
    """A response can be late for ever; a stop does not wait for it."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.SLOW, delay_s=float("inf"))
    with pytest.raises(httpx.ReadTimeout):
        connect(qoder).get("/vaults", timeout=0.3)
    began_s = time.monotonic()
    qoder.stop()

    assert time.monotonic() - began_s < 2


def test_redirect_goes_where_it_is_told(serve: Serve, connect: Connect) -> None:
    """`location` is the redirect's target."""
    qoder, other = serve(), serve()
    qoder.fail_next("GET", "/vaults", Fault.REDIRECT, location=f"{other.base_url}/vaults")
    response = connect(qoder).get("/vaults", follow_redirects=False)

    assert f"{other.base_url}/vaults" == response.headers["location"]


def test_echo_repeats_every_secret_in_every_form(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """ECHO holds API token and access tokens plain, split and encoded, in every text of the envelope."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.ECHO)
    token = "mcp canary+/1"
    sent = {"display_name": "v", "credentials": [flat(token=token)]}
    body = connect(qoder).post("/vaults", json=sent).json()

    texts = {body["request_id"], *body["error"].values()}
    assert {"type", "message", "param"} == body["error"].keys()
    for text in texts:
        for secret in (qoder.api_token, token):
            encoded = base64.b64encode(secret.encode()).decode()
            for form in (secret, "\0".join(secret), encoded, secret.encode().hex()):
                assert form in text
        assert "mcp%20canary%2B%2F1" in text
        assert {"\n", "\x1b", "\0"} <= set(text)
        assert len(text) >= 12_000


def test_echo_html_repeats_the_secrets(serve: Serve, connect: Connect, founding: Body) -> None:
    """A debugging gateway's page has them, too."""
    qoder = serve()
    qoder.fail_next("POST", "/vaults", Fault.ECHO_HTML)
    response = connect(qoder).post("/vaults", json=founding)

    assert "text/html; charset=utf-8" == response.headers["content-type"]
    assert "mcp-canary-1" in response.text
    assert qoder.api_token in response.text


def test_an_effect_of_ones_own(serve: Serve, connect: Connect) -> None:
    """Any `Effect` can be planned."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Effect("A teapot.", status=418, headers=(("X-Tea", "yes"),), body=b"short"))
    qoder.fail_next("GET", "/vaults", replace(Fault.HTML_404.value, status=410))
    http = connect(qoder)
    response = http.get("/vaults")

    assert (418, "yes", "short") == (response.status_code, response.headers["x-tea"], response.text)
    assert 410 == http.get("/vaults").status_code


def test_faults_meet_their_own_requests(serve: Serve, connect: Connect) -> None:
    """A fault waits for its method and path; what waits is visible."""
    qoder = serve()
    vault = qoder.add_vault("v")
    qoder.fail_next("get", "/vaults/*", Fault.HTML_404)
    qoder.fail_next("*", "/vaults/*/credentials", Fault.CONFLICT, times=2)
    http = connect(qoder)
    path = f"/vaults/{vault.id}"

    assert [200, 409, 404, 409, 200] == [
        http.get(at).status_code
        for at in ("/vaults", f"{path}/credentials", path, f"{path}/credentials", f"{path}/credentials")
    ]
    assert [] == qoder.pending_faults
    qoder.fail_next("GET", "/nowhere", Fault.SLOW, times=3, skip=1)
    assert [("GET", "/nowhere", "SLOW", 3, 1)] == [
        (fault.method, fault.path, fault.name, fault.times, fault.skip) for fault in qoder.pending_faults
    ]
    qoder.clear_faults()
    assert [] == qoder.pending_faults


def test_skip_hits_the_nth_request(serve: Serve, connect: Connect) -> None:
    """`skip=2` meets the third matching request, whatever the others met."""
    qoder = serve()
    qoder.fail_next("GET", "/vaults", Fault.CONFLICT)
    qoder.fail_next("GET", "/vaults", Fault.FORBIDDEN, skip=2)
    http = connect(qoder)

    assert [409, 200, 403, 200] == [http.get("/vaults").status_code for _ in range(4)]


def test_always(serve: Serve, connect: Connect) -> None:
    """`times=None` meets every matching request."""
    qoder = serve()
    qoder.fail_next("GET", "**", Fault.CONFLICT, times=None)
    http = connect(qoder)

    assert {409} == {http.get("/vaults").status_code for _ in range(5)}


@pytest.mark.parametrize(
    ("pattern", "path", "does"),
    [
        ("/vaults", "/vaults", True),
        ("/vaults", "/vaults/v", False),
        ("/vaults/*", "/vaults/v", True),
        ("/vaults/*", "/vaults/v/credentials", False),
        ("/vaults/*/credentials", "/vaults/v/credentials", True),
        ("/vaults/*/credentials/*", "/vaults/v/credentials/c", True),
        ("/vaults/**", "/vaults/v/credentials/c/archive", True),
        ("/vaults/v.", "/vaults/vx", False),
    ],
)
def test_patterns(pattern: str, path: str, does: bool) -> None:
    """`*` stays inside one segment, `**` does not; everything else is literal."""
    assert does is PlannedFault("GET", pattern, "X", Fault.SLOW.value).matches("GET", path)


@pytest.mark.parametrize("options", [{"path": "vaults"}, {"times": 0}, {"skip": -1}])
def test_a_fault_that_no_request_could_meet_is_an_error(options: Any) -> None:
    """A mistake in a plan is an error at once."""
    fault = replace(PlannedFault("GET", "/vaults", "X", Fault.SLOW.value), **options)
    with pytest.raises(ValueError, match="must"):
        FaultPlan().add(fault)


def test_every_fault_says_what_it_imitates() -> None:
    """Each row of the table has its own sentence."""
    sentences = [fault.value.imitates for fault in Fault]

    assert len(sentences) == len(set(sentences))
    assert [] == [sentence for sentence in sentences if not sentence.endswith(".")]
