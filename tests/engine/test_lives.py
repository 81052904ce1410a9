"""Any life of a few vaults, as in `tests/faults`, but with the real CLI: shorter, since each step takes seconds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.stacks import Run, Stack, assert_no_traceback, hidden
from faults.lives import Lives
from in_process.provider import Resource
from in_process.wire import Props


class CommandLine:
    """The real CLI in the place of the engine in one process: the same commands, the same view of the state."""

    def __init__(self, stack: Stack) -> None:
        self.said: list[str] = []
        self.state: dict[str, Resource] = {}
        self.doomed: list[Resource] = []
        self._stack = stack

    def preview(self, program: Mapping[str, Props]) -> dict[str, str]:
        self._write(program)
        steps = json.loads(self._stack.run("preview", "--json").stdout)["steps"]
        short = {"create-replacement": "replace", "delete-replaced": "replace"}
        shown = {step["urn"].rpartition("::")[2]: short.get(step["op"], step["op"]) for step in reversed(steps)}
        return {name: what for name, what in shown.items() if name in {*program, *self.state} and what != "same"}

    def up(self, program: Mapping[str, Props]) -> list[str]:
        self._write(program)
        return self._errors(self._stack.up(fails=None))

    def refresh(self) -> list[str]:
        return self._errors(self._stack.refresh(fails=None))

    def destroy(self) -> list[str]:
        return self._errors(self._stack.destroy(fails=None))

    def _write(self, program: Mapping[str, Props]) -> None:
        self._stack.write(
            **{
                name: {
                    **vault,
                    "credentials": [
                        {**item, "access_token": hidden(item["access_token"])} for item in vault["credentials"]
                    ],
                }
                for name, vault in program.items()
            }
        )

    def _errors(self, run: Run) -> list[str]:
        assert_no_traceback(run.text)
        assert "canary" not in run.text
        self._read_state()
        self.said += run.problems
        assert bool(run.code) == bool(run.problems), run.text
        return run.problems

    def _read_state(self) -> None:
        self.state, self.doomed = {}, []
        for item in self._stack.resources():
            resource = Resource(item["id"], item["inputs"], item["outputs"], "initErrors" in item)
            if item.get("delete"):
                self.doomed.append(resource)
            else:
                self.state[item["urn"].rpartition("::")[2]] = resource


class ShortLives(Lives):
    """The rules of `Lives`, without a crash in the middle of the provider: `test_kills` has those."""

    def make_engine(self) -> Any:
        self.folder = tempfile.TemporaryDirectory()
        return CommandLine(Stack(Path(self.folder.name), self.qoder, front=self.front))

    crash = None  # type: ignore[assignment]  # the way to take a rule back

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


def test_a_short_life_with_the_real_cli(world: str) -> None:
    """As in one process: what the engine there does is what Pulumi's engine does."""
    revision, front = world.split()
    run_state_machine_as_test(
        type("ShortLives", (ShortLives,), {"revision": revision, "front": front, "switches": {"unique_url": True}}),
        settings=settings(
            max_examples=2,
            stateful_step_count=16,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=12,  # the first lives that Hypothesis thinks of are over at once
    )
