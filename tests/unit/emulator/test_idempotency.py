"""Idempotency keys: what is replayed, what is refused."""

from __future__ import annotations

import threading

import pytest

from pulumi_qoder_vault.emulator import Fault, Refusal
from pulumi_qoder_vault.emulator.replays import Replays

KEY = {"Idempotency-Key": "key-1"}


def test_same_key_and_body_replay(serve, connect, founding):
    """A repeated create gives the first answer and makes nothing."""
    qoder = serve()
    http = connect(qoder)
    first, second = (http.post("/vaults", json=founding, headers=KEY) for _ in range(2))

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert 1 == len(qoder.vaults)


def test_the_order_of_keys_is_no_other_body(serve, connect, founding):
    """The same JSON written in another order is the same body."""
    qoder = serve()
    http = connect(qoder)
    for body in (founding, dict(reversed(founding.items()))):
        assert 201 == http.post("/vaults", json=body, headers=KEY).status_code

    assert 1 == len(qoder.vaults)


def test_same_key_with_another_body_is_a_conflict(serve, connect, founding, error_of):
    """A key stands for one body."""
    qoder = serve()
    http = connect(qoder)
    http.post("/vaults", json=founding, headers=KEY)
    other = http.post("/vaults", json={**founding, "display_name": "other"}, headers=KEY)

    assert (409, "conflict_error", None) == error_of(other)
    assert 1 == len(qoder.vaults)


def test_delete_is_replayed(serve, connect):
    """A repeated delete with its key succeeds; without one it finds nothing."""
    qoder = serve("2026-07")
    path = f"/vaults/{qoder.add_vault('v').id}"
    http = connect(qoder)

    assert [200, 200, 404] == [http.delete(path, headers=headers).status_code for headers in (KEY, KEY, {})]


def test_a_lost_answer_is_replayed(serve, connect, founding):
    """After a drop behind the commit, the same key gives the vault that was made."""
    qoder = serve()
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", Fault.ERROR_AFTER_COMMIT)
    http.post("/vaults", json=founding, headers=KEY)
    again = http.post("/vaults", json=founding, headers=KEY)

    assert (201, [again.json()["id"]]) == (again.status_code, [vault.id for vault in qoder.vaults])


def test_a_request_that_was_not_handled_leaves_no_key(serve, connect, founding):
    """Faults before the commit and refusals at the door do not use up a key."""
    qoder = serve()
    http = connect(qoder)
    qoder.fail_next("POST", "/vaults", Fault.ERROR_BEFORE_COMMIT)
    other = {**founding, "display_name": "other"}

    assert 500 == http.post("/vaults", json=other, headers=KEY).status_code
    assert 401 == http.post("/vaults", json=other, headers={**KEY, "Authorization": "Bearer no"}).status_code
    assert 201 == http.post("/vaults", json=founding, headers=KEY).status_code


def test_a_key_still_in_work_is_a_conflict(serve, connect, founding):
    """While the first request is in work, its repetition is refused."""
    qoder = serve(latency_s=0.3)
    first, second = connect(qoder), connect(qoder)
    statuses = []
    thread = threading.Thread(
        target=lambda: statuses.append(first.post("/vaults", json=founding, headers=KEY).status_code)
    )
    thread.start()
    while not statuses and not any("key-1" in key for key in qoder._service._replays._kept):
        thread.join(0.01)
    statuses.append(second.post("/vaults", json=founding, headers=KEY).status_code)
    thread.join()

    assert [201, 409] == sorted(statuses)
    assert 1 == len(qoder.vaults)


def test_keys_can_be_ignored(serve, connect, founding):
    """`idempotency=False`: later pages do not mention keys."""
    qoder = serve(idempotency=False)
    http = connect(qoder)
    for _ in range(2):
        http.post("/vaults", json=founding, headers=KEY)

    assert 2 == len(qoder.vaults)


def test_a_key_lives_for_a_day():
    """After 24 h a key is new."""
    now = [0.0]
    replays = Replays[str](clock=lambda: now[0])
    assert replays.claim("k", "request") is None
    with pytest.raises(Refusal, match="in work"):
        replays.claim("k", "request")
    replays.keep("k", "answer")
    now[0] = 24 * 3600 - 1

    assert "answer" == replays.claim("k", "request")
    with pytest.raises(Refusal, match="another request"):
        replays.claim("k", "other")
    now[0] = 24 * 3600
    assert replays.claim("k", "other") is None
