"""Commands that are stopped in the middle: nothing gets lost, and what a SIGKILL leaves at Qoder is bounded.

`make test` runs a few seeds; QODER_ALL_KILLS=1 runs twenty of each. What each run left behind is printed (`-rP`).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.stacks import Stack, assert_no_traceback, credential, vault
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator, RevisionName

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in Linux' /proc")

SEEDS = range(20 if os.environ.get("QODER_ALL_KILLS") else 4)
REVISIONS: tuple[RevisionName, ...] = ("2026-05", "2026-07")
URLS = ("https://a.example/mcp", "https://b.example/mcp")
VAULTS = {
    f"v{number}": vault(
        *(credential(url, token=f"access-token-{number}-{url}") for url in URLS), display_name=f"v{number}"
    )
    for number in range(10)
}
LATENCY_S = 0.15
LASTS_S = {"2026-05": 0.8, "2026-07": 2.0}  # about what an undisturbed `up` needs for its requests
WORKERS = 4  # of a dynamic provider's process


def wait_until(condition: Callable[[], bool], what: str, at_most_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {at_most_s} s for {what}"
        time.sleep(0.005)


def connections() -> int:
    """How many connections the emulator serves; one more of its threads accepts them."""
    return sum(thread.name == "qoder-vaults-emulator" for thread in threading.enumerate()) - 1


def quiet(qoder: Emulator) -> Callable[[], bool]:
    """Give a condition: no request was handled for so long that none can be in work."""
    count, since_s = len(qoder.requests), time.monotonic()

    def is_quiet() -> bool:
        nonlocal count, since_s
        if len(qoder.requests) != count:
            count, since_s = len(qoder.requests), time.monotonic()
        return time.monotonic() - since_s > 6 * LATENCY_S

    return is_quiet


class Up:
    """A running `pulumi up`, in a session of its own by which all its processes are found."""

    def __init__(self, stack: Stack, parallel: int) -> None:
        command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", f"--parallel={parallel}"]
        self._log = (stack.folder.parent / "up.log").open("w+")
        self._process = subprocess.Popen(
            command, cwd=stack.folder, env=stack.env, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.pid = self._process.pid

    def processes(self) -> dict[int, str]:
        """Command lines of the session's processes that still run, by id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.pid and state != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        return found

    def provider(self) -> int:
        known = ("-m pulumi.dynamic", "pulumi-resource-qoder")
        (found,) = (id_ for id_, command in self.processes().items() if any(name in command for name in known))
        return found

    def signal(self, process: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(process, number)

    def wait(self) -> str:
        """Wait for its end; give what it said."""
        self._process.wait(60)
        self._log.seek(0)
        return self._log.read()

    def end(self) -> None:
        """Kill what is left of it."""
        for process in self.processes():
            self.signal(process, signal.SIGKILL)
        self._process.wait(60)
        wait_until(lambda: not self.processes(), "the end of all processes")
        self._log.close()


@pytest.fixture
def qoder(seed: int) -> Iterator[Emulator]:
    with Emulator(revision=REVISIONS[seed % 2], unique_url=True, latency_s=LATENCY_S) as emulator:
        yield emulator


@pytest.fixture
def front(seed: int) -> str:
    """Either front on either revision, and each as either victim."""
    return list(FRONTS)[(seed + seed // 2) % 2]


@contextlib.contextmanager
def up_to_a_moment(stack: Stack, qoder: Emulator, seed: int, *, parallel: int) -> Iterator[Up]:
    """Run an `up` of all vaults up to a moment that the seed chose, after its first request was on its way."""
    stack.write(**VAULTS)
    running = Up(stack, parallel)
    try:
        wait_until(lambda: connections() > 0, "the first request")
        # Twenty seeds cover the whole time evenly, and the first few of them a part of it each.
        time.sleep(LASTS_S[qoder.revision] * (seed * 7 % 20 + random.Random(seed).random()) / 20)
        yield running
    finally:
        running.end()


def told(stack: Stack, qoder: Emulator, seed: int) -> str:
    return f"seed {seed}, {qoder.revision}, {stack.front}"


def at_qoder(qoder: Emulator) -> dict[str, dict[str, str]]:
    """Credential ids by URL of every vault."""
    return {each.id: {str(item.mcp_server_url): item.id for item in each.credentials} for each in qoder.vaults}


def in_state(stack: Stack) -> dict[str, dict[str, Any]]:
    return {resource["id"]: resource for resource in stack.resources() if resource.get("id")}


def is_true(resource: dict[str, Any], there: dict[str, str]) -> bool:
    """Whether a record says what is there: the whole vault, or a partial one."""
    outputs = resource["outputs"]
    return there == outputs["credential_ids"] and (set(URLS) == set(there) or bool(resource.get("initErrors")))


def assert_all_is_there(stack: Stack, qoder: Emulator) -> None:
    """Every declared vault is recorded and exists, and has the credentials and access tokens that it should."""
    recorded = in_state(stack)
    assert sorted(VAULTS) == sorted(resource["outputs"]["display_name"] for resource in recorded.values())
    existing = {each.id: each for each in qoder.vaults}
    for id_, resource in recorded.items():
        name = resource["outputs"]["display_name"]
        assert at_qoder(qoder)[id_] == resource["outputs"]["credential_ids"]
        assert {url: f"access-token-{name[1:]}-{url}" for url in URLS} == {
            item.mcp_server_url: item.access_token for item in existing[id_].credentials
        }


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interrupted_up_loses_nothing(stack: Stack, qoder: Emulator, seed: int) -> None:
    """After one SIGINT every vault at Qoder is recorded, whole or as partial; one more up makes the rest.

    Half of what the engine has begun then waits in the provider for a thread.
    """
    with up_to_a_moment(stack, qoder, seed, parallel=2 * WORKERS) as up:
        up.signal(up.pid, signal.SIGINT)
        said = up.wait()

    there, recorded = at_qoder(qoder), in_state(stack)
    print(f"SIGINT, {told(stack, qoder, seed)}: {len(there)} of {len(VAULTS)} vaults made, {len(recorded)} recorded")
    assert set(there) == set(recorded)
    assert {} == {id_: there[id_] for id_, resource in recorded.items() if not is_true(resource, there[id_])}
    assert_no_traceback(said)
    assert "access-token" not in said

    stack.up()
    assert_all_is_there(stack, qoder)
    assert len(VAULTS) == len(qoder.vaults)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_up_leaves_no_more_than_was_in_flight(stack: Stack, qoder: Emulator, seed: int) -> None:
    """After a SIGKILL one more up makes everything, and orphans are what was in flight and no more.

    Either pulumi is killed, and its provider at once or when it has done what it was at; or the provider alone. A
    create is in flight until it stands in the state, so no more than `--parallel` are.
    """
    victim = ("pulumi", "provider")[seed // 2 % 2]
    finishes = victim == "pulumi" and seed // 4 % 2 == 1
    with up_to_a_moment(stack, qoder, seed, parallel=WORKERS) as up:
        up.signal(up.pid if victim == "pulumi" else up.provider(), signal.SIGKILL)
        if victim == "provider":
            up.wait()
        elif finishes:
            wait_until(quiet(qoder), "the provider to finish")
    wait_until(lambda: connections() == 0, "Qoder to finish what it was at")

    in_flight = set(at_qoder(qoder)) - set(in_state(stack))
    stack.run("cancel", "--yes")
    again = stack.up()
    orphans = set(at_qoder(qoder)) - set(in_state(stack))

    how = f"{victim}{', while the provider finishes' if finishes else ''}"
    print(f"SIGKILL of {how}, {told(stack, qoder, seed)}: {len(in_flight)} in flight, {len(orphans)} orphans")
    assert_all_is_there(stack, qoder)
    assert orphans <= in_flight
    assert len(in_flight) <= WORKERS
    assert_no_traceback(again.text)
