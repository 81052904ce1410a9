"""Every command that README, the manual and the examples show is run as it stands there, or it is said here why not.

A few words are given to `pulumi` that a person types when it asks: `--yes`, and the access token on its standard input.
The clone that the commands name is `../pulumi-qoder-vault`: for the tests it is this repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.documents import commands
from engine.stacks import REPOSITORY, Stack
from pulumi_qoder_vault.emulator import Emulator

EXAMPLES = REPOSITORY / "examples"
MANUAL = sorted(REPOSITORY.glob("docs/**/*.md"))
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *MANUAL, *sorted(EXAMPLES.glob("*/README.md"))]
TOKEN = "the-access-token-of-the-documents"

# Commands that are not run here, each with the reason, or with the test that does what it does.
NOT_RUN = {
    r"python3 -m venv venv && \. venv/bin/activate( && pip install .*)?": "it downloads for a minute; a stack of the "
    "tests has its environment in venv and on PATH, and CI installs the built wheel in it. `make quickstarts` runs it",
    r"pip (install -r requirements\.txt|wheel .*)": "likewise",
    r"pulumi package (get-schema|add) .*": "a language host built from Go modules cannot generate an SDK; "
    "test_languages.py makes the same one with Pulumi's own generator",
    r"npm install|go mod tidy": "test_languages.py shares one installation among all runs",
    r"python \.\./pulumi-qoder-vault/tools/generate_sdk\.py .*": "test_languages.py runs it, for each language",
    r"export QODER_PAT=pt-…": "a placeholder; the tests export the emulator's API token",
    r"git add .*": "a stack of the tests is in no repository",
    r"make (demo|test|check|docs|browser)( .*)?": "CI runs them; test_examples.py runs the demo",
    r"make reference": "tests/unit/test_documents.py compares what it would write",
    r"make (faults|bench)( .*)?": "many minutes; test_table.py runs a sample of the table, and a bench is not a test",
    r"make quickstarts": "many minutes; the tests below run what it times, but for installations",
    r"make kills": "many minutes; test_kills.py runs a sample of them",
    r"pulumi import qoder:index:.*": "test_plugin.py imports both, with ids that exist",
    r"curl -s .*": "it asks the live service, and nobody here can",
    r"jq -r .*": "likewise",
    r"(sha256sum|gh attestation|pypi-attestations|pypi:|--|git checkout v).*": "of a release that is published;"
    " tests/unit/test_release.py builds one, and checks it",
    r"(pip install build|python tools/release).*": "likewise",
    r"make (hooks|lowest|release-check|plugin-archive)( .*)?": "CI runs them",
    r"qoder-emulator .*": "the port may be taken: the stack is given that of the test's emulator; "
    "tests/unit/emulator/test_main.py runs the command on a free port",
    r"export QODER_BASE_URL=.*": "likewise: its address is of that one",
}
# The commands of these projects need an SDK that is generated first; test_languages.py runs the programs.
STACK = "Pulumi.emulator.yaml"
WITH_AN_SDK = {"quickstart-typescript", "quickstart-go", "quickstart-python-sdk"}


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
        self._qoder = qoder
        self._first = Stack(folder, qoder, project=project / parts[0] if parts else project)
        self._first.run("stack", "rm", "dev", "--yes")  # the document makes it
        for part in parts[1:]:
            shutil.copytree(project / part, self._first.folder.parent / part)
        if parts:
            self._first.folder.rename(self._first.folder.parent / parts[0])
        self._at = self._first.folder.parent if parts else self._first.folder
        if not parts:
            (self._at.parent / "pulumi-qoder-vault").symlink_to(REPOSITORY)

    @property
    def env(self) -> dict[str, str]:
        return self._first.env

    def type(self, command: str) -> str:
        """Run a line as it stands; give what it printed."""
        self.ran.append(command)
        if command.startswith("cd "):
            self._at = (self._at / command[3:]).resolve()
            return ""
        typed = re.sub(r"\b(pulumi (?:up|destroy|refresh))\b", r"\1 --yes --skip-preview", command)
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

    def empty(self) -> None:
        """Begin with nothing but the environment, which no test installs."""
        for file in self._at.iterdir():
            if file.name != "venv":
                shutil.rmtree(file) if file.is_dir() else file.unlink()

    def point_at_the_emulator(self) -> None:
        """Give the emulator's stack the port of the test's emulator."""
        configuration = self._at / STACK
        text = configuration.read_text()
        there = urlsplit(self._qoder.base_url)
        assert f"http://127.0.0.1:8787{there.path}" in text
        configuration.write_text(text.replace("127.0.0.1:8787", there.netloc))
        assert self._qoder.api_token in text

    def follow(self, shown: list[str]) -> None:
        for command in shown:
            if command == "qoder-emulator --port 8787 &":
                self.point_at_the_emulator()
            if reason(command) is None:
                self.type(command)


def test_the_quick_start_of_the_readme(tmp_path: Path, qoder: Emulator) -> None:
    """From an empty folder, without an account: no API token is in the environment, and no other address."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart", qoder)
    reader.empty()
    for name in ("QODER_BASE_URL", "QODER_PAT"):
        del reader.env[name]
    shown = commands(REPOSITORY / "README.md")
    reader.follow(shown[shown.index("cp -R ../pulumi-qoder-vault/examples/quickstart/. .") :])

    assert {"pulumi stack init emulator && pulumi up", "pulumi preview --diff"} <= set(reader.ran)
    (credential,) = qoder.vaults[0].credentials
    assert TOKEN == credential.access_token, "the rotation that it shows"
    reader.type("pulumi destroy")
    assert [] == qoder.vaults


def test_the_quickstart_the_consumer_and_the_manual(tmp_path: Path, qoder: Emulator) -> None:
    """The example, what the manual says of a stack like it, and another stack that reads it."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart", qoder)
    reader.follow(commands(EXAMPLES / "quickstart" / "README.md"))
    assert TOKEN == qoder.vaults[0].credentials[0].access_token
    for page in MANUAL:
        reader.follow(commands(page))
    assert [qoder.vaults[0].id] == reader.type(r"pulumi stack export | grep -oE 'vault_[0-9a-f]+' | sort -u").split()

    consumer = Terminal(tmp_path / "consumer", EXAMPLES / "consumer", qoder)
    consumer.env["PULUMI_BACKEND_URL"] = reader.env["PULUMI_BACKEND_URL"]
    consumer.follow(commands(EXAMPLES / "consumer" / "README.md"))
    assert qoder.vaults[0].id in consumer.type("pulumi stack output")


def test_the_pipeline(tmp_path: Path, qoder: Emulator) -> None:
    """What is done once by hand, word for word."""
    reader = Terminal(tmp_path, EXAMPLES / "pipeline", qoder)
    reader.follow(commands(EXAMPLES / "pipeline" / "README.md"))
    assert "pulumi stack init prod" in reader.ran


def test_the_quickstart_in_yaml(tmp_path: Path, qoder: Emulator) -> None:
    """Word for word, from an empty folder: on the emulator without an account's API token, and then with one."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart-yaml", qoder)
    reader.empty()
    account = {name: reader.env.pop(name) for name in ("QODER_BASE_URL", "QODER_PAT")}
    shown = commands(EXAMPLES / "quickstart-yaml" / "README.md")
    with_an_account = shown.index("pulumi stack init dev")
    reader.follow(shown[:with_an_account])
    assert [TOKEN] == [vault.credentials[0].access_token for vault in qoder.vaults]

    reader.env.update(account)
    reader.follow(shown[with_an_account:])
    assert [TOKEN, TOKEN] == [vault.credentials[0].access_token for vault in qoder.vaults]


def test_the_shared_vault(tmp_path: Path, qoder: Emulator) -> None:
    """Two stacks in two folders, and what the document says of taking them down."""
    reader = Terminal(tmp_path, EXAMPLES / "shared-vault", qoder, "platform", "team")
    reader.follow(commands(EXAMPLES / "shared-vault" / "README.md"))
    assert 2 == len(qoder.vaults[0].credentials)


BEFORE_PYTHON = """\
import pulumi

from pulumi_qoder_vault import Vault

config = pulumi.Config()
credentials = [{"mcp_server_url": "https://example.com/mcp", "access_token": config.require_secret("toolsToken")}]
"""
BEFORE_YAML = """\
name: qoder-quickstart
runtime: yaml
config:
  stagingApiToken: {type: string, secret: true}
  toolsToken: {type: string, secret: true}
"""


@pytest.mark.parametrize(
    ("language", "number", "file", "before"),
    [
        ("python", 0, "__main__.py", BEFORE_PYTHON),
        ("python", 1, "__main__.py", BEFORE_PYTHON),
        ("yaml", 0, "Pulumi.yaml", BEFORE_YAML),
    ],
)
def test_the_programs_for_two_accounts(
    tmp_path: Path, qoder: Emulator, language: str, number: int, file: str, before: str
) -> None:
    """Each puts its vault into the account that it names, and takes it away again; the stack's account sees nothing."""
    text = (REPOSITORY / "docs" / "two-accounts.md").read_text()
    program = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[number]
    project = tmp_path / "program"
    shutil.copytree(EXAMPLES / "quickstart", project)
    (project / file).write_text(before + program)
    other = qoder.add_account()
    stack = Stack(tmp_path / "stack", qoder, project=project)
    stack.run("config", "set", "--secret", "toolsToken", TOKEN)
    stack.run("config", "set", "--secret", "stagingApiToken", other.api_tokens[0])

    stack.up(TEAM_A_PAT=other.api_tokens[0])
    assert ([], ["tools"]) == (qoder.vaults, [vault.display_name for vault in other.vaults])
    stack.refresh("--expect-no-changes", TEAM_A_PAT=other.api_tokens[0])
    stack.destroy(TEAM_A_PAT=other.api_tokens[0])
    assert [] == other.vaults


def test_the_test_that_the_manual_shows(tmp_path: Path) -> None:
    """It runs as it stands, in a folder with the quickstart."""
    text = (REPOSITORY / "docs" / "testing.md").read_text()
    shown = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (program,) = [code for code in shown if "subprocess.run" in code]
    stack = Stack(tmp_path, None, project=EXAMPLES / "quickstart")
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=stack.folder, env=stack.env, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_warning_about_path_and_what_silences_it(tmp_path: Path, qoder: Emulator) -> None:
    """The manual has the engine's text, and the lines that go into `Pulumi.yaml`."""
    text = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    warning = "warning: using pulumi-resource-qoder from $PATH at "
    (lines,) = re.findall(r"^```yaml\n(plugins:.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert warning in text
    stack = Stack(tmp_path, qoder, project=EXAMPLES / "quickstart-yaml")
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    assert warning in stack.preview().text

    with (stack.folder / "Pulumi.yaml").open("a") as project:
        project.write(lines)
    assert warning not in stack.preview().text


@pytest.mark.parametrize("name", sorted(WITH_AN_SDK))
def test_what_an_example_with_an_sdk_shows_is_known(name: str) -> None:
    """But for the SDK it is what the one in YAML shows, and that is run; so is the stack for the emulator."""
    known = [
        [command for command in commands(folder / "README.md") if reason(command) is None]
        for folder in (EXAMPLES / name, EXAMPLES / "quickstart-yaml")
    ]
    assert known[0] == [command.replace("quickstart-yaml", name) for command in known[1]]
    assert (EXAMPLES / name / STACK).read_text() == (EXAMPLES / "quickstart-yaml" / STACK).read_text()


def test_no_document_is_left_out_and_no_reason_is_stale() -> None:
    """Every example is followed above; every reason is one for a command that is shown."""
    followed = {"quickstart", "consumer", "quickstart-yaml", "pipeline", "shared-vault"} | WITH_AN_SDK
    assert followed == {path.parent.name for path in EXAMPLES.glob("*/README.md")}
    shown = [command for document in DOCUMENTS for command in commands(document)]
    assert [] == [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, command) for command in shown)]
    for document in set(REPOSITORY.glob("*.md")) - {REPOSITORY / "README.md"}:
        assert [] == [command for command in commands(document) if reason(command) is None]
