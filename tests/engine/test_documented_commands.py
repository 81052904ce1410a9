"""Every command that README and the examples show is run as it stands there, or it is said here why it is not.

A few words are given to `pulumi` that a person types when it asks: `--yes`, and the access token on its standard input.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.stacks import REPOSITORY, Stack
from pulumi_qoder_vault.emulator import Emulator

EXAMPLES = REPOSITORY / "examples"
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(EXAMPLES.glob("*/README.md"))]
BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = "the-access-token-of-the-documents"

# Commands that are not run here, each with the reason, or with the test that does what it does.
NOT_RUN = {
    r"pip install pulumi-qoder-vault": "0.1.0 is not on PyPI yet; the environment of the tests has the package",
    r"pulumi install": "likewise, requirements.txt names it; a stack of the tests has its environment in venv",
    r"pulumi package (get-schema|add) .*": "a language host built from Go modules cannot generate an SDK; "
    "test_languages.py makes the same one with Pulumi's own generator",
    r"npm install|go mod tidy": "test_languages.py shares one installation among all runs",
    r"export QODER_PAT=pt-…": "a placeholder; the tests export the emulator's API token",
    r"git add Pulumi.prod.yaml": "a stack of the tests is in no repository",
    r"make (demo|test|check)( .*)?": "CI runs them; test_examples.py runs the demo",
    r"make (faults|bench)( .*)?": "many minutes; test_table.py runs a sample of the table, and a bench is not a test",
    r"make kills": "many minutes; test_kills.py runs a sample of them",
    r"pulumi import qoder:index:.*": "test_plugin.py imports both, with ids that exist",
    r"curl -s .*": "it asks the live service, and nobody here can",
    r"jq -r .*": "likewise",
    r"qoder-emulator .*": "tests/unit/emulator/test_main.py runs it on a free port",
    r"export QODER_BASE_URL=.*": "likewise: its address is of that one",
}
# The commands of these projects need an SDK that is generated first; test_languages.py runs the programs.
WITH_AN_SDK = {"quickstart-typescript", "quickstart-go", "quickstart-python-sdk"}


def commands(document: Path) -> list[str]:
    """What a reader types, line by line, without comments."""
    lines = []
    for language, body in BLOCK.findall(document.read_text()):
        shown = body.replace("|\n", "\n").splitlines()
        if language == "console":
            shown = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
        lines += [re.sub(r"\s+#.*", "", line).strip() for line in shown]
    return [line for line in lines if line]


def reason(command: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, command)), None)


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


class Terminal:
    """A shell in which a reader of a document works."""

    def __init__(self, folder: Path, project: Path, qoder: Emulator, *parts: str) -> None:
        self.ran: list[str] = []
        self._first = Stack(folder, qoder, project=project / parts[0] if parts else project)
        self._first.run("stack", "rm", "dev", "--yes")  # the document makes it
        for part in parts[1:]:
            shutil.copytree(project / part, self._first.folder.parent / part)
        if parts:
            self._first.folder.rename(self._first.folder.parent / parts[0])
        self._at = self._first.folder.parent if parts else self._first.folder

    @property
    def env(self) -> dict[str, str]:
        return self._first.env

    def type(self, command: str) -> str:
        """Run a line as it stands; give what it printed."""
        self.ran.append(command)
        if command.startswith("cd "):
            self._at = (self._at / command[3:]).resolve()
            return ""
        asks = re.match(r"pulumi (up|destroy|refresh)\b", command)
        typed = f"{command} --yes --skip-preview" if asks else command
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=self._at,
            env=self.env,
            input=TOKEN,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert 0 == done.returncode, f"{command}\n{done.stdout}{done.stderr}"
        assert TOKEN not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def follow(self, document: Path) -> None:
        for command in commands(document):
            if reason(command) is None:
                self.type(command)


def test_the_quickstart_and_the_readme_that_shows_it(tmp_path: Path, qoder: Emulator) -> None:
    """The README's commands are those of the quickstart, and of another stack that reads it."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart", qoder)
    reader.follow(EXAMPLES / "quickstart" / "README.md")
    assert TOKEN == qoder.vaults[0].credentials[0].access_token
    of_the_readme = [command for command in commands(REPOSITORY / "README.md") if reason(command) is None]
    assert {"pulumi preview --diff", "pulumi up", "pulumi stack output"} <= set(of_the_readme)
    for command in of_the_readme:
        if command not in reader.ran:
            reader.type(command)

    consumer = Terminal(tmp_path / "consumer", EXAMPLES / "consumer", qoder)
    consumer.env["PULUMI_BACKEND_URL"] = reader.env["PULUMI_BACKEND_URL"]
    consumer.follow(EXAMPLES / "consumer" / "README.md")
    assert qoder.vaults[0].id in consumer.type("pulumi stack output")


@pytest.mark.parametrize("name", ["quickstart-yaml", "pipeline"])
def test_an_example(tmp_path: Path, qoder: Emulator, name: str) -> None:
    """Word for word."""
    reader = Terminal(tmp_path, EXAMPLES / name, qoder)
    reader.follow(EXAMPLES / name / "README.md")
    assert reader.ran


def test_the_shared_vault(tmp_path: Path, qoder: Emulator) -> None:
    """Two stacks in two folders, and what the document says of taking them down."""
    reader = Terminal(tmp_path, EXAMPLES / "shared-vault", qoder, "platform", "team")
    reader.follow(EXAMPLES / "shared-vault" / "README.md")
    assert 2 == len(qoder.vaults[0].credentials)


@pytest.mark.parametrize("name", sorted(WITH_AN_SDK))
def test_what_an_example_with_an_sdk_shows_is_known(name: str) -> None:
    """But for the SDK it is the quickstart's."""
    own = {command for command in commands(EXAMPLES / name / "README.md") if reason(command) is None}
    assert own == {command for command in commands(EXAMPLES / "quickstart-yaml" / "README.md") if not reason(command)}


def test_no_document_is_left_out_and_no_reason_is_stale() -> None:
    """Every example is followed above; every reason is one for a command that is shown."""
    followed = {"quickstart", "consumer", "quickstart-yaml", "pipeline", "shared-vault"} | WITH_AN_SDK
    assert followed == {path.parent.name for path in EXAMPLES.glob("*/README.md")}
    shown = [command for document in DOCUMENTS for command in commands(document)]
    assert [] == [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, command) for command in shown)]
    assert [] == [command for command in commands(REPOSITORY / "CONTRIBUTING.md") if reason(command) is None]
