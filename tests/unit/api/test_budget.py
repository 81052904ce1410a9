"""The time budget of a call: its waits and attempts fit into it, and errors name it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.budget import Budget
from pulumi_qoder_vault.api.request import Request
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Emulator, Fault
from unit.api.sending import CREATE, DELETE, GET, failure_of, host_of, items_of, line_of


@pytest.mark.parametrize("retry_after", ["120", "86400", "9" * 40, "Fri, 31 Dec 2999 23:59:59 GMT"])
@pytest.mark.parametrize("request_", [GET, CREATE], ids=str)
def test_a_wait_past_the_budget_fails_at_once(
    qoder: Emulator, transport: Transport, fake_time: Any, retry_after: str, request_: Request
) -> None:
    """A wait that would pass the time budget is not begun, and the error says how long it would have been."""
    qoder.fail_next("*", "/vaults", Fault.RATE_LIMITED_ABSURD, retry_after=retry_after, times=None)

    line = line_of(transport, request_)

    assert [] == fake_time.slept_s
    assert 1 == len(qoder.requests)
    refused = f"{request_}: Too many requests (429 rate_limit_error, request_id req_01, host {host_of(qoder)})"
    assert line.startswith(refused), line
    assert re.search(r"; Qoder asks to wait \d+ s, more than is left of qoder:timeout \(2m\)$", line), line


@pytest.mark.parametrize(
    ("timeout_s", "budget", "longest_s"), [(120.0, "2m", 114), (30.0, "30s", 26), (4.3, "4.3s", 3)]
)
def test_a_wait_leaves_time_for_what_must_not_be_sent_twice(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, timeout_s: float, budget: str, longest_s: int
) -> None:
    """A create is not sent in the last 5 s, or the last tenth: its response could be lost, where a 429 is harmless."""
    transport = connect_to(qoder, timeout_s=timeout_s)
    for wait_s in (longest_s, longest_s + 1):
        qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED, retry_after=wait_s)
        failure = failure_of(transport, CREATE)
        assert isinstance(failure, errors.BadRequest if wait_s == longest_s else errors.RateLimited)

    assert str(failure).endswith(
        f"; Qoder asks to wait {longest_s + 1} s, which leaves too little of qoder:timeout ({budget}) for "
        "another attempt"
    )
    assert [longest_s] == fake_time.slept_s


def test_what_is_repeatable_may_be_sent_in_the_last_moment(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """If its response is lost it is sent again."""
    qoder.fail_next("GET", "/vaults", Fault.RATE_LIMITED, retry_after=119)

    connect_to(qoder, timeout_s=120.0).send(GET)

    assert [119.0] == fake_time.slept_s


def test_a_slot_in_the_last_moment_is_none_for_a_create(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """The rate limit leaves as much time."""
    transport = connect_to(qoder, timeout_s=11.0, max_writes_per_second=0.1)  # a slot each 10.5 s
    failure_of(transport, CREATE)

    assert isinstance(failure_of(transport, CREATE), errors.NotSent)
    assert [] == fake_time.slept_s


@pytest.mark.parametrize(("timeout_s", "budget"), [(0.5, "0.5s"), (1.2, "1.2s"), (10.0, "10s"), (120.0, "2m")])
@pytest.mark.parametrize(
    "fault", [Fault.DROP_BEFORE_COMMIT, Fault.RATE_LIMITED_SILENT, Fault.RATE_LIMITED, Fault.UNAVAILABLE_BEFORE_COMMIT]
)
def test_the_budget_is_never_passed(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any, timeout_s: float, budget: str, fault: Fault
) -> None:
    """All attempts of one call and its waits fit into `qoder:timeout`; the error counts them."""
    qoder.fail_next("GET", "/vaults", fault, times=None)

    line = line_of(connect_to(qoder, timeout_s=timeout_s), GET)

    assert fake_time.passed_s < timeout_s
    said = re.search(
        r"; (?:gave up after ([\d.]+) s and (\d+) attempts?: no time for another attempt before qoder:timeout \((.*)\) "
        r"expires|Qoder asks to wait 1 s, more than is left of qoder:timeout \((.*)\))$",
        line,
    )
    assert said, line
    assert budget == (said[3] or said[4])
    assert said[1] is None or pytest.approx(fake_time.passed_s, abs=0.5) == float(said[1])
    assert said[2] in (None, str(len(qoder.requests)))


def test_a_request_may_have_a_time_of_its_own(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """A deadline of its own holds, also where `qoder:timeout` leaves less; and the error names the right one."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.ERROR_BEFORE_COMMIT, times=None)
    transport = connect_to(qoder, timeout_s=0.1)
    deadline_s = fake_time.clock.monotonic_s() + 30

    line = line_of(transport, replace(DELETE, deadline_s=deadline_s, is_recovery=True))

    assert 10 < fake_time.passed_s < 30
    assert line.endswith(
        f"; gave up after {fake_time.passed_s:.0f} s and {len(qoder.requests)} attempts: no time for another "
        "attempt before the recovery time (30s) expires"
    ), line


def test_a_deadline_may_come_before_the_timeout(
    connect_to: Callable[..., Transport], qoder: Emulator, fake_time: Any
) -> None:
    """Of 30 s for several requests, the last one has what the others left."""
    qoder.fail_next("DELETE", "/vaults/*", Fault.ERROR_BEFORE_COMMIT, times=None)
    deadline_s = fake_time.clock.monotonic_s() + 30
    fake_time.sleep(25)

    line = line_of(connect_to(qoder), replace(DELETE, deadline_s=deadline_s, is_recovery=True))

    assert 25 < fake_time.passed_s < 30
    assert line.endswith("no time for another attempt before the recovery time (5s) expires"), line


def test_a_wait_for_the_limit_past_the_budget_fails_at_once(
    qoder: Emulator, connect_to: Callable[..., Transport], fake_time: Any
) -> None:
    """Where the rate leaves no slot in the time, nothing is sent, and the error says so."""
    transport = connect_to(qoder, max_writes_per_second=0.1, timeout_s=5.0)
    failure_of(transport, CREATE)

    assert "POST /vaults: not sent: no free slot under the rate limit before qoder:timeout (5s) expires" == line_of(
        transport, CREATE
    )
    own = replace(CREATE, deadline_s=fake_time.clock.monotonic_s() + 5, is_recovery=True)
    failure_of(transport, own)  # it goes before the queue, but not before the likes of it
    assert "POST /vaults: not sent: no free slot under the rate limit before the recovery time (5s) expires" == line_of(
        transport, own
    )
    assert (2, 0.0) == (len(qoder.requests), fake_time.passed_s)


@pytest.mark.parametrize("deadline_s", [1000.0, 990.0])
def test_an_expired_budget_is_for_recovery_only(
    qoder: Emulator, transport: Transport, fake_time: Any, deadline_s: float
) -> None:
    """What there is no time for is not sent, unless it looks for, or takes back, what was done: its response counts."""
    late = replace(GET, deadline_s=deadline_s)

    assert "GET /vaults: not sent: customTimeouts has expired" == line_of(transport, late)
    assert [] == qoder.requests
    assert [] == items_of(transport, replace(late, is_recovery=True))
    assert 1 == len(qoder.requests)


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (GET, "qoder:timeout (2m)"),
        (replace(GET, deadline_s=1090.0), "customTimeouts (1m30s)"),
        (replace(GET, deadline_s=1059.99), "customTimeouts (1m)"),
        (replace(GET, deadline_s=1004.34), "customTimeouts (4.3s)"),
        (replace(GET, deadline_s=1000.04), "customTimeouts (0s)"),
        (replace(GET, deadline_s=1030.0, is_recovery=True), "the recovery time (30s)"),
        (replace(GET, is_recovery=True), "qoder:timeout (2m)"),
    ],
    ids=range(7),
)
def test_a_budget_is_shown_as_its_setting_is_written(request_: Request, shown: str, fake_time: Any) -> None:
    """Its name, and what there was of it when the call began."""
    assert shown == str(Budget.of(request_, 120.0, fake_time.clock))
