"""Settings with the real CLI: misspelt keys, a project called `qoder`, the API token's source, and the right place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.stacks import URL, Run, Stack, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator

SAID = re.compile(
    r"if this run asks the wrong place: (.*?); if both are the same Qoder: (.*?); otherwise: use another stack, or "
    "run (.*?), which"
)
FRONTS = ["dynamic", "plugin"]


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    with Emulator(revision="2026-07", unique_url=True, idempotency=True) as emulator:
        yield emulator


class Configured(Stack):
    """A project that is called `qoder`, with settings in its configuration and none in the environment."""

    def __init__(self, folder: Path, qoder: Emulator, front: str) -> None:
        super().__init__(folder, None, front=front)
        settings = (self.folder / "Pulumi.yaml").read_text()
        (self.folder / "Pulumi.yaml").write_text(re.sub("(?m)^name: .*", "name: qoder", settings))
        self.run("stack", "init", "own")
        self.set("baseUrl", qoder.base_url)
        self.run("config", "set", "--secret", "qoder:apiToken", qoder.api_token)

    def set(self, key: str, value: str) -> None:
        self.run("config", "set", f"qoder:{key}", value)

    def follow(self, line: str) -> Run:
        """Run a command of a message word for word; only what asks back is answered."""
        command = shlex.split(line)
        assert "pulumi" == command[0]
        answers = [] if command[1] == "config" else ["--yes"]
        return self.run(*command[1:], *answers)


@pytest.fixture(params=FRONTS)
def own(request: pytest.FixtureRequest, tmp_path: Path, qoder: Emulator) -> Configured:
    return Configured(tmp_path, qoder, request.param)


def warnings_of(run: Run) -> list[str]:
    """The warnings of a run, as its summary has them; a preview with `--diff` has none, and shows each once."""
    lines = run.text.rpartition("Diagnostics:")[2].splitlines()
    return [line.strip() for line in lines if "warning: the state was created at" in line]


def test_a_misspelt_setting_sends_nothing_and_a_key_of_the_project_is_its_own(own: Configured, qoder: Emulator) -> None:
    """In a preview, an `up` and a destroy; with the configuration of the last `up`, where that is what destroy has."""
    own.run("config", "set", "--secret", "githubToken", "ghp_0123456789abcdef")
    own.set("url", "https://mine.example")
    own.write(v=vault(credential()))
    own.up()
    own.up("--expect-no-changes")
    own.refresh("--expect-no-changes")
    qoder.clear_requests()

    own.set("baseURL", "https://elsewhere.example")
    said = "qoder:baseURL: did you mean qoder:baseUrl? "
    for run in (own.preview(fails=True), own.up(fails=True), own.destroy(fails=True), own.refresh(fails=True)):
        assert said in run.text
        assert "elsewhere.example" not in run.text
    if own.front == "dynamic":
        own.run("config", "rm", "qoder:baseURL")
        assert problem_of(own.destroy(fails=True)).endswith("; correct it, then pulumi up, or add --run-program")
    assert [] == qoder.requests

    if own.front == "dynamic":
        own.destroy("--run-program")
    else:
        own.run("config", "rm", "qoder:baseURL")
        own.destroy()
    assert [] == qoder.vaults


@pytest.mark.parametrize("front", FRONTS)
def test_a_stale_variable_that_comes_first_is_named(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """Setting the other variable would change nothing."""
    stack = Stack(tmp_path, qoder, front=front)
    stack.write(v=vault(credential()))

    line = problem_of(stack.up(fails=True, QODER_ACCESS_TOKEN="pt-stale-0123456789"))

    assert line.endswith(
        "the API token is from QODER_ACCESS_TOKEN; set QODER_ACCESS_TOKEN to a valid one, or unset it: then "
        "QODER_PAT is used"
    )
    assert qoder.base_url.split("/")[2] in line
    stack.up()


def test_each_way_out_of_the_wrong_place_works_as_it_is_written(own: Configured, qoder: Emulator) -> None:
    """The emulator's port changed: an `up` warns, each command that fails names what helps, and that does help."""
    own.write(v=vault(credential()))
    own.up()
    (first,) = qoder.vaults
    with Emulator(revision="2026-07", unique_url=True, idempotency=True) as other:
        own.set("baseUrl", other.base_url)
        warned = own.up()
        assert 1 == len(warnings_of(warned)), warned.text
        assert qoder.base_url in warnings_of(warned)[0]
        assert other.base_url in warnings_of(warned)[0]
        assert 1 == len(warnings_of(own.preview()))

        own.write(v=vault(credential(token="second-access-token")))
        lines = [problem_of(own.up(fails=True))]
        lines += [problem_of(run(fails=True)) for run in (own.refresh, own.destroy)]
        found = [SAID.search(line) for line in lines]
        assert all(found), lines
        back, refresh, forget = found[0].groups()  # type: ignore[union-attr]
        assert {(back, refresh, forget)} == {ways.groups() for ways in found if ways}

        # The right place again.
        change, _, then = back.partition(", then ")
        own.follow(change)
        if own.front == "dynamic":
            assert "pulumi up, or add --run-program" == then
            own.refresh("--run-program")
            own.follow("pulumi up --skip-preview")
        own.refresh()
        own.up()
        assert [first.id] == [item.id for item in qoder.vaults]
        assert [] == warnings_of(own.preview())

        # Both are one Qoder.
        own.set("baseUrl", qoder.base_url.replace("127.0.0.1", "localhost"))
        assert 1 == len(warnings_of(own.preview()))
        own.follow(refresh)
        assert [] == warnings_of(own.preview())
        assert "localhost" in own.resources()[0]["outputs"]["base_url"]

        # They are two.
        own.set("baseUrl", other.base_url)
        own.follow(forget)
        assert [] == own.resources()
        own.up()
        assert [first.id] == [item.id for item in qoder.vaults]
        assert [own.outputs()["v.id"]] == [item.id for item in other.vaults]
        own.destroy()
        assert [] == other.vaults


@pytest.mark.parametrize("front", FRONTS)
def test_where_no_emulator_runs_a_refresh_ends_soon_with_the_ways_out(
    tmp_path: Path, qoder: Emulator, front: str
) -> None:
    """By the environment, which every command reads anew."""
    stack = Stack(tmp_path, qoder, front=front)
    stack.write(v=vault(credential(URL)))
    stack.up()
    nowhere = {"QODER_BASE_URL": "http://127.0.0.1:1/api/v1/cloud"}

    for line in (problem_of(stack.refresh(fails=True, **nowhere)), problem_of(stack.destroy(fails=True, **nowhere))):
        assert "no connection to 127.0.0.1:1 (" in line
        ways = SAID.search(line)
        assert ways, line
        assert f"set QODER_BASE_URL, the source of qoder:baseUrl, to {qoder.base_url}" == ways[1]
    stack.destroy()
