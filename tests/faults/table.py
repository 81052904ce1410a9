"""The fault table: every operation, under every fault, at every request of it. A cell is what a run left behind.

    make faults                       # runs all rows and writes docs/evidence/faults.md; then ten thousand lives
    make faults ARGS=--check          # runs all rows and compares; then the lives
    make faults ARGS="--only lives"   # the lives of `services` alone

A row drives the provider over gRPC in one process, as the engine does, against the emulator over real HTTP; first the
dynamic one, then the plugin.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from in_process.engine import Engine, MovableTime
from in_process.wire import Props
from pulumi_qoder_vault.emulator import Emulator, Fault

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "evidence" / "faults.md"
API_TOKEN = "pt-canary-api-token-e29b"
HOST = "https://{}.example/mcp"
URLS = {letter: HOST.format(letter) for letter in "abc"}

WORLDS: dict[str, dict[str, Any]] = {
    "2026-05": {"revision": "2026-05", "unique_url": True},
    "2026-05, two per URL": {"revision": "2026-05", "unique_url": False},
    "2026-07": {"revision": "2026-07"},
}
KEYS = {"honoured": True, "ignored": False}


def program(*tokens: str, name: str = "my-mcp-vault") -> dict[str, Props]:
    """A program with one vault; `a1` is the first access token of the server `a`."""
    credentials = [{"mcp_server_url": URLS[token[0]], "access_token": f"canary-{token}-51c0"} for token in tokens]
    return {"v": {"display_name": name, "credentials": credentials, "on_delete": "delete"}}


@dataclass(frozen=True)
class Operation:
    """What is under fault: from one program to another, which may give the vault another name; or a command."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    command: str = "up"
    name: str = "my-mcp-vault"

    @property
    def program(self) -> dict[str, Props]:
        """What the program says then."""
        return program(*self.after, name=self.name)


OPERATIONS = {
    "create": Operation((), ("a1", "b1")),
    "rotate": Operation(("a1", "b1"), ("a2", "b1")),
    "add": Operation(("a1", "b1"), ("a1", "b1", "c1")),
    "remove": Operation(("a1", "b1"), ("a1",)),
    "read": Operation(("a1", "b1"), ("a1", "b1"), "refresh"),
    "replace": Operation(("a1", "b1"), ("a1", "b1"), name="renamed"),
    "delete": Operation(("a1", "b1"), (), "destroy"),
}

# Seconds of these waits really pass, twenty times as fast: a service that is still at work goes on meanwhile.
PACE = 1 / 20
AT_WORK = {"still at work for 1 s": 1.0, "still at work for 5 s": 5.0, "still at work for 40 s": 40.0}
LATEST = "still at work for 40 s"
REFUSED, TOO_LATE = "connection refused", "answer after the time budget"
FAULTS: dict[str, Fault] = {
    REFUSED: Fault.OUTAGE,
    "dropped before the commit": Fault.DROP_BEFORE_COMMIT,
    "dropped after the commit": Fault.DROP_AFTER_COMMIT,
    "408 before": Fault.REQUEST_TIMEOUT,
    "408 after": Fault.REQUEST_TIMEOUT_AFTER_COMMIT,
    "500 before": Fault.ERROR_BEFORE_COMMIT,
    "500 after": Fault.ERROR_AFTER_COMMIT,
    "502 before": Fault.BAD_GATEWAY_BEFORE_COMMIT,
    "502 after": Fault.BAD_GATEWAY_AFTER_COMMIT,
    "503 before": Fault.UNAVAILABLE_BEFORE_COMMIT,
    "503 after": Fault.UNAVAILABLE_AFTER_COMMIT,
    "truncated answer": Fault.TRUNCATED_AFTER_COMMIT,
    "half of the JSON": Fault.CUT_JSON_AFTER_COMMIT,
    "200 with HTML before": Fault.HTML_200,
    "200 with HTML after": Fault.HTML_200_AFTER_COMMIT,
    "404 with HTML": Fault.HTML_404,
    "429, seconds": Fault.RATE_LIMITED,
    "429, date": Fault.RATE_LIMITED_DATE,
    "429, absurd": Fault.RATE_LIMITED_ABSURD,
    "429, garbage": Fault.RATE_LIMITED_GARBAGE,
    "409": Fault.CONFLICT,
    TOO_LATE: Fault.SLOW,
    **dict.fromkeys(AT_WORK, Fault.DROP_COMMIT_LATER),
}


@dataclass(frozen=True, order=True)
class Row:
    """One run: `position` counts the requests of the operation from 0."""

    operation: str
    world: str
    fault: str
    position: int
    request: str
    keys: str


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        requests: how many the operation took; None where that depends on how fast the machine is.
        at_qoder: `a1 b1`: a vault in which `a` has its first access token and `b` too; `-` for nothing.
        state: the same of the state; `a?` where the access token is not known.
        next_up: whether it converges, and its requests.
        after_refresh: the same, with a refresh before it.
        flaws: what must not be.
    """

    ended: str
    requests: int | None
    at_qoder: str
    state: str
    next_up: str
    after_refresh: str
    flaws: tuple[str, ...]


class Scene:
    """A server and a stack, up to the moment of the fault."""

    def __init__(self, operation: Operation, world: str, keys: str, fault: str = "", front: str = "dynamic") -> None:
        switches: dict[str, Any] = dict(WORLDS[world])
        late_s = AT_WORK.get(fault, 0.0) * PACE
        self.qoder = Emulator(api_token=API_TOKEN, idempotency=KEYS[keys], fault_delay_s=late_s or None, **switches)
        self.qoder.start()
        self.time = MovableTime(pace=PACE if late_s else 0.0)
        self.late_s = late_s
        timeout = {"timeout": "0.5s"} if fault == TOO_LATE else {}
        self.engine = Engine(self.qoder, self.time, front, **timeout)
        self.operation = operation
        if operation.before:
            assert [] == self.engine.up(program(*operation.before))
        self.qoder.clear_requests()

    def plan(self, fault: str, position: int) -> None:
        if fault == REFUSED:
            if position == 0:
                self.qoder.stop()
            else:
                self.qoder.fail_next("*", "/**", Fault.OUTAGE, skip=position - 1, delay_s=float("inf"))
            self.time.on_sleep = self.come_back
        elif fault == TOO_LATE:
            self.qoder.fail_next("*", "/**", Fault.SLOW, skip=position, delay_s=0.7)
        else:
            self.qoder.fail_next("*", "/**", FAULTS[fault], skip=position)

    def come_back(self) -> None:
        """End the outage."""
        self.qoder.start()

    def act(self) -> list[str]:
        """Run the operation."""
        if self.operation.command == "up":
            return self.engine.up(self.operation.program)
        return self.engine.refresh() if self.operation.command == "refresh" else self.engine.destroy()

    def settle(self) -> None:
        """Let the service finish what it is at, and forget faults that never came up."""
        self.qoder.start()
        self.time.on_sleep = None
        self.time.pace = 0.0
        time.sleep(self.late_s * 1.2)
        self.qoder.clear_faults()

    def at_qoder(self) -> dict[str, list[str]]:
        """Active credentials of each vault: `a1` for the first access token of `a`."""
        return {
            vault.id: sorted(_token(str(item.access_token)) for item in vault.credentials if item.status == "active")
            for vault in self.qoder.vaults
        }

    def in_state(self) -> dict[str, list[str]]:
        return {
            resource.id: sorted(
                _token(item["access_token"]) if item.get("access_token") else f"{_letter(item['mcp_server_url'])}?"
                for item in resource.outputs["credentials"]
                if item["mcp_server_url"] in resource.outputs["credential_ids"]
            )
            for resource in [*self.engine.state.values(), *self.engine.doomed]
        }

    def close(self) -> None:
        self.qoder.stop()


def _token(access_token: str) -> str:
    return access_token.removeprefix("canary-").removesuffix("-51c0")


def _letter(url: str) -> str:
    return next(letter for letter, known in URLS.items() if known == url)


def rows() -> Iterator[Row]:
    """All rows. What requests an operation has is seen, not assumed."""
    for (name, operation), world in itertools.product(OPERATIONS.items(), WORLDS):
        scene = Scene(operation, world, "honoured")
        assert [] == scene.act()
        requests = [(item.method, _shape(item.path)) for item in scene.qoder.requests]
        scene.close()
        for fault, keys in itertools.product(FAULTS, KEYS):
            for position, (method, path) in enumerate(requests):
                is_create = method == "POST" and path.endswith(("/vaults", "/credentials"))
                if fault not in AT_WORK or is_create:
                    yield Row(name, world, fault, position, f"{method} {path}", keys)


def _shape(path: str) -> str:
    parts = path.split("/")
    return "/".join({"vault_": "V", "vcred_": "C"}.get(part[:6], part) for part in parts)


def run(row: Row, front: str = "dynamic") -> Outcome:
    """Run a row twice: once with `up` after it, once with `refresh` in between."""
    first, scene = _run_once(row, (), front)
    scene.close()
    second, scene = _run_once(row, ("refresh",), front)
    scene.close()
    flaws = dict.fromkeys((*first.flaws, *second.flaws))
    return Outcome(
        first.ended, first.requests, first.at_qoder, first.state, first.next_up, second.next_up, tuple(flaws)
    )


def _run_once(row: Row, between: tuple[str, ...], front: str) -> tuple[Outcome, Scene]:
    operation = OPERATIONS[row.operation]
    scene = Scene(operation, row.world, row.keys, row.fault, front)
    scene.plan(row.fault, row.position)
    errors = scene.act()
    used = len(scene.qoder.requests)
    scene.settle()
    at_qoder, state = scene.at_qoder(), scene.in_state()
    is_partial = any(resource.is_unfinished for resource in scene.engine.state.values())
    said = " ".join(errors)

    for _ in between:
        errors_between = scene.engine.refresh()
        assert [] == errors_between, errors_between
    scene.qoder.clear_requests()
    again = scene.engine.up(operation.program) if operation.command != "destroy" else scene.engine.destroy()
    count = "" if row.fault in AT_WORK else f", {len(scene.qoder.requests)}"
    next_up = f"{'fails' if again else 'converges'}{count}"

    flaws = list(_flaws(scene, operation, said))
    if any("this resource did not make it" in line for line in again):
        flaws = ["refused until it is deleted"]
    outcome = Outcome(
        "fails" if errors else "ok",
        None if row.fault in AT_WORK else used,
        _text(at_qoder),
        _text(state) + (", partial" if is_partial else ""),
        next_up,
        next_up,
        tuple(flaws),
    )
    return outcome, scene


def _text(vaults: dict[str, list[str]]) -> str:
    return " + ".join(" ".join(tokens) or "empty" for tokens in vaults.values()) or "-"


def _flaws(scene: Scene, operation: Operation, said: str) -> Iterator[str]:
    """What must not be, in the end. What is named in the error is said to be."""
    at_qoder, state = scene.at_qoder(), scene.in_state()
    for vault_id in sorted(set(at_qoder) - set(state)):
        yield "orphan, named in the error" if vault_id in said else "orphan"
    for vault_id in sorted(set(state) - set(at_qoder)):
        yield f"recorded, and not there: {vault_id}"
    wanted = sorted(operation.after)
    if operation.command != "destroy":
        for vault_id, tokens in state.items():
            if tokens != wanted:
                yield f"the state says {' '.join(tokens)}"
            if at_qoder.get(vault_id) != wanted:
                there = at_qoder.get(vault_id, [])
                urls = [token[0] for token in there]
                yield "duplicate" if len(urls) > len(set(urls)) else f"Qoder has {' '.join(there)}"
        if not state:
            yield "nothing is recorded"
    for line in scene.engine.said:
        if "canary" in line:
            yield "leak"
        if not line.isprintable() or "Traceback" in line or "internal error" in line:
            yield "not one clean line"


MARKS = {
    "orphan, named in the error": "two creates were handled, since the key was ignored, and on 2026-05 nothing tells "
    "which vault is whose: neither is adopted nor deleted, and the `up` fails once and names the other",
    "orphan": "the vault came only after everything had been looked at; where Qoder was asked until the end, the error "
    "says that a vault of that name may exist",
    "refused until it is deleted": "the credential came only after everything had been looked at: the error says so, "
    "the next `up` names its id, and goes on once somebody has deleted it",
    "duplicate": "likewise, where two credentials for one URL are allowed",
}


def is_allowed(row: Row, flaw: str) -> bool:
    """The marked rows, each with its reason in MARKS: what is handled late, or made twice since a key was ignored."""
    if row.fault in AT_WORK and (row.keys == "ignored" or row.fault == LATEST):
        return flaw in MARKS
    is_untold = (
        row.operation in ("create", "replace")
        and row.position == 0
        and row.world != "2026-07"
        and row.keys == "ignored"
    )
    return is_untold and flaw == "orphan, named in the error"


def main() -> int:
    """Run all rows; write the document, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with docs/evidence/faults.md and write nothing")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--only", default="", help="an operation, or lives")
    parser.add_argument("--lives", type=int, default=10_000, help="so many lives; with --only OPERATION there are none")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9), help="of the lives")
    options = parser.parse_args()
    if options.only == "lives":
        return run_lives(options.lives, options.seed, options.processes)
    wanted = [row for row in rows() if options.only in ("", row.operation)]
    print(f"{len(wanted)} rows", file=sys.stderr)
    outcomes: dict[Row, Outcome] = {}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for number, (row, outcome) in enumerate(pool.imap_unordered(_run_named, wanted, chunksize=4), 1):
            outcomes[row] = outcome
            if number % 200 == 0:
                print(f"{number} of {len(wanted)}", file=sys.stderr)
    bad = [(row, flaw) for row in wanted for flaw in outcomes[row].flaws if not is_allowed(row, flaw)]
    for row, flaw in bad:
        print(f"{flaw}: {row} {outcomes[row]}", file=sys.stderr)
    if bad:
        print(f"{len(bad)} flaws", file=sys.stderr)
        return 1
    from faults import document

    text = document.render([(row, outcomes[row]) for row in wanted])
    if options.check:
        if DOCUMENT.read_text() != text:
            print("docs/evidence/faults.md is stale: run make faults", file=sys.stderr)
            return 1
    elif not options.only:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(text)
    return 0 if options.only else run_lives(options.lives, options.seed, options.processes)


def run_lives(count: int, seed: int, processes: int) -> int:
    """Run lives at services that differ; print what is flawed, with the seed that repeats it."""
    from faults.services import live_many

    flaws = live_many(count, seed, processes) if count else []
    print("\n\n".join(flaws), file=sys.stderr)
    return 1 if flaws else 0


def _run_named(row: Row) -> tuple[Row, Outcome]:
    """Run a row on both fronts: one core, so that both leave the same behind."""
    outcome, other = run(row), run(row, "plugin")
    return row, outcome if outcome == other else replace(outcome, flaws=(*outcome.flaws, f"the plugin: {other}"))


if __name__ == "__main__":
    sys.exit(main())
