"""The rate limit: evenly spaced, shared by threads, slower after a 429."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from pulumi_qoder_vault.api.rate import Limiter


def moments_of(limiter: Limiter, count: int, fake_time: Any) -> list[float]:
    return [fake_time.moment_s + (limiter.wait_s(1e9) or 0.0) for _ in range(count)]


@pytest.mark.parametrize("rate", [1, 20, 50, 0.5, 3.3])
def test_requests_are_evenly_spaced(rate: float, fake_time: Any) -> None:
    """No burst: neighbours are as far apart as the rate asks for, the first ones too, and never much further."""
    moments = moments_of(Limiter(rate, fake_time.clock), 50, fake_time)

    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert min(gaps) >= 1 / rate
    assert max(gaps) <= 1.1 / rate


@pytest.mark.parametrize("rate", [1, 20, 50])
def test_at_most_the_rate_in_any_second(rate: int, fake_time: Any) -> None:
    """Whichever second one looks at, there are no more than the rate."""
    moments = moments_of(Limiter(rate, fake_time.clock), 200, fake_time)

    assert max(sum(start <= moment < start + 1 for moment in moments) for start in moments) <= rate


def test_an_idle_time_is_not_saved_up(fake_time: Any) -> None:
    """After a pause there is no burst either."""
    limiter = Limiter(10, fake_time.clock)
    limiter.wait_s(1)
    fake_time.sleep(60)

    assert [0.0, pytest.approx(0.105), pytest.approx(0.21)] == [limiter.wait_s(1) for _ in range(3)]


def test_zero_lifts_the_limit(fake_time: Any) -> None:
    """0 is no limit."""
    limiter = Limiter(0, fake_time.clock)

    assert {0.0} == {limiter.wait_s(0) for _ in range(100)}


def test_a_slot_too_far_away_is_not_taken(fake_time: Any) -> None:
    """A request that cannot wait takes no slot from those that can."""
    limiter = Limiter(1, fake_time.clock)

    assert [0.0, None, None, pytest.approx(1.05)] == [
        limiter.wait_s(1),
        limiter.wait_s(1),
        limiter.wait_s(0),
        limiter.wait_s(2),
    ]


def test_threads_share_one_limit(fake_time: Any) -> None:
    """Eight threads get slots as one would: none twice."""
    limiter = Limiter(20, fake_time.clock)
    waits: list[float] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        for _ in range(25):
            waits.append(limiter.wait_s(1e9) or 0.0)  # noqa: PERF401 a list's append is atomic

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [pytest.approx(number * 1.05 / 20) for number in range(200)] == sorted(waits)


def test_a_recovery_goes_before_the_queue(fake_time: Any) -> None:
    """What is taken back does not wait behind what is still to be made; that moves on by one slot."""
    limiter = Limiter(10, fake_time.clock)
    for _ in range(100):
        limiter.wait_s(60)

    assert [0.0, pytest.approx(0.105), pytest.approx(0.21)] == [limiter.wait_s(30, goes_first=True) for _ in range(3)]
    assert pytest.approx(103 * 0.105) == limiter.wait_s(60)


def test_a_recovery_waits_for_a_pause(fake_time: Any) -> None:
    """A 429 stops it, too, but does not make it slower."""
    limiter = Limiter(10, fake_time.clock)
    for _ in range(100):
        limiter.wait_s(60)
    limiter.slow_down(3.0)

    assert [3.0, pytest.approx(3.105)] == [limiter.wait_s(30, goes_first=True) for _ in range(2)]


# Slower after a 429


def gap_s(limiter: Limiter, fake_time: Any) -> float:
    """The spacing at this moment: how long the second of two requests has to wait."""
    fake_time.sleep(limiter.wait_s(1e9) or 0.0)
    wait_s = limiter.wait_s(1e9) or 0.0
    fake_time.sleep(wait_s)
    return wait_s


def test_a_429_doubles_the_spacing(fake_time: Any) -> None:
    """Others use the same account: both of us together were too fast."""
    limiter = Limiter(10, fake_time.clock)
    limiter.slow_down(0)

    assert pytest.approx(0.21) == gap_s(limiter, fake_time)


def test_429s_within_a_second_count_once(fake_time: Any) -> None:
    """Requests that were under way together are refused together; one that is refused later says: slower still."""
    limiter = Limiter(1000, fake_time.clock)
    for _ in range(10):
        limiter.slow_down(0)
        fake_time.sleep(0.09)
    assert pytest.approx(0.00105 * (1 + 29.1 / 30)) == gap_s(limiter, fake_time)

    fake_time.sleep(0.1)
    limiter.slow_down(0)
    assert pytest.approx(2 * 0.00105 * (1 + 29 / 30), rel=1e-3) == gap_s(limiter, fake_time)


def test_it_is_never_more_than_16_times_slower(fake_time: Any) -> None:
    """A server that refuses everything does not stop the work for good."""
    limiter = Limiter(1000, fake_time.clock)
    for _ in range(20):
        fake_time.sleep(1)
        limiter.slow_down(0)

    assert pytest.approx(16 * 0.00105) == gap_s(limiter, fake_time)


@pytest.mark.parametrize(("after_s", "factor"), [(0, 2.0), (7.5, 1.75), (15, 1.5), (22.5, 1.25), (30, 1.0), (300, 1.0)])
def test_the_rate_comes_back_evenly_in_30_s(fake_time: Any, after_s: float, factor: float) -> None:
    """The configured rate is there again 30 s after the last 429, and never more than it."""
    limiter = Limiter(1000, fake_time.clock)
    limiter.slow_down(0)
    fake_time.sleep(after_s)

    assert pytest.approx(factor * 0.00105, rel=1e-3) == gap_s(limiter, fake_time)


@pytest.mark.parametrize(("asked_s", "pause_s"), [(0, 0), (3, 3), (10, 10), (11, 10), (86400, 10)])
@pytest.mark.parametrize("rate", [20, 0])
def test_a_429_stops_everybody_for_a_while(fake_time: Any, rate: int, asked_s: float, pause_s: float) -> None:
    """All requests wait as long as one was told to, and at most 10 s; also where the limit is lifted."""
    limiter = Limiter(rate, fake_time.clock)
    limiter.slow_down(asked_s)

    assert pytest.approx(pause_s) == limiter.wait_s(1e9)


def test_a_lifted_limit_only_pauses(fake_time: Any) -> None:
    """Where there is no spacing there is none to double."""
    limiter = Limiter(0, fake_time.clock)
    limiter.slow_down(3)

    assert [3.0] * 5 == [limiter.wait_s(1e9) for _ in range(5)]
    fake_time.sleep(3)
    assert [0.0] * 5 == [limiter.wait_s(0) for _ in range(5)]
