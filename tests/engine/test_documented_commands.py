"""Every command that README, the manual and the examples show is run as it stands there, or it is said here why not.

A few words are given to `pulumi` that a person types when it asks: `--yes`, and the access token on its standard input.
The clone that the commands name is `../pulumi-qoder-vault`: for the tests it is this repository.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import pulumi_cli
from documents import DOCUMENTS, PAGES, REPOSITORY, blocks, commands, shown
from engine.stacks import Stack
from pulumi_qoder_vault.emulator import Emulator, RevisionName

EXAMPLES = REPOSITORY / "examples"
TOKEN = "the-access-token-of-the-documents"

VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
WHEEL = f"pulumi_qoder_vault-{VERSION}-py3-none-any.whl"

# Why commands are not run here, or which test does what they do.
NOT_RUN = {
    "it downloads for a minute; a stack has the environment of the tests in venv and on PATH; CI installs the built "
    "wheel there, and `make quickstarts` runs it": (
        "python3 -m venv venv && . venv/bin/activate && pip install ../pulumi-qoder-vault",
        "python3 -m venv venv && . venv/bin/activate && pip install -r requirements.txt",
        "python3 -m venv venv && . venv/bin/activate",
        "pip install -r requirements.txt",
        "pip wheel --no-deps --wheel-dir . ../pulumi-qoder-vault",
    ),
    "the port may be taken: tests/unit/emulator/test_main.py runs it on a free port, and test_documents.py has its "
    "arguments; the stack is given the address of the test's emulator": (
        "qoder-emulator --port 8787 &",
        "qoder-emulator --port 8787 --revision 2026-07",
        "export QODER_BASE_URL=http://127.0.0.1:8787/api/v1/cloud QODER_PAT=pt-emulator-0000000000",
    ),
    "a language host built from Go modules cannot generate an SDK; test_languages.py makes the same one with Pulumi's "
    "own generator": (
        'pulumi package get-schema "$(command -v pulumi-resource-qoder)" > qoder.json',
        "pulumi package add ./qoder.json",
    ),
    "test_languages.py runs it, for each language": (
        "python ../pulumi-qoder-vault/tools/generate_sdk.py nodejs sdks/qoder",
    ),
    "test_languages.py shares one installation among all runs": ("npm install", "go mod tidy"),
    "a placeholder; the tests export the emulator's API token": ("export QODER_PAT=pt-…",),
    "a stack of the tests is in no repository": (f"git add Pulumi.prod.yaml requirements.txt {WHEEL}",),
    "CI runs it": ("make test", "make check", "make lowest", "make docs", "make browser", "make release-check"),
    "CI runs the hooks themselves; this one changes the clone": ("make hooks",),
    "test_examples.py runs tools/demo.py": ("make demo",),
    "tests/unit/test_documents.py compares what it would write": ("make reference",),
    "the workflow Release runs tools/plugin_archive.py on each system, and these tests": (
        "make plugin-archive",
        "make test-archive",
    ),
    "many minutes; test_table.py runs a sample of the table, test_kills.py one of the kills; a bench is not a test": (
        "make faults",
        "make kills",
        "make bench",
        "make quickstarts",
    ),
    "test_plugin.py imports both, with ids that exist": (
        "pulumi import qoder:index:Vault github-tools vault_01a20be9dd3170009caad719d230b892",
        "pulumi import qoder:index:Credential docs "
        "vault_01a20be9dd3170009caad719d230b892/vcred_01a20be9dd317001bb75f4135c06e1da",
    ),
    "it asks the live service; a test below asks the emulator with it": (
        """printf 'header = "Authorization: Bearer %s"\\n' "$QODER_PAT" | """
        'curl -s -K - "https://openapi.qoder.sh/api/v1/cloud/vaults?limit=100" | '
        """jq -r '.data[] | [.id, .created_at, .display_name, .metadata.pulumi_create_id // ""] | @tsv'""",
    ),
    "test_plugin_archive.py does it, with an archive from a file and from a server": (
        f"pulumi plugin install resource qoder {VERSION} "
        f"--file ../pulumi-qoder-vault/dist/pulumi-resource-qoder-v{VERSION}-linux-amd64.tar.gz",
        f"pulumi package add qoder@{VERSION}",
        f"pulumi package add qoder@{VERSION} --server https://plugins.example.com/qoder",
    ),
    "of a release that is published; tests/unit/test_release.py builds one, and checks it": (
        "sha256sum --check --ignore-missing SHA256SUMS",
        "gh attestation verify FILE --repo OWNER/pulumi-qoder-vault "
        "--signer-workflow OWNER/pulumi-qoder-vault/.github/workflows/release.yml",
        f"pypi-attestations verify pypi --repository https://github.com/OWNER/pulumi-qoder-vault pypi:{WHEEL}",
        f"gh attestation verify {WHEEL} --repo OWNER/pulumi-qoder-vault --predicate-type https://cyclonedx.org/bom",
        f"git checkout v{VERSION}",
        f"pip install build hatchling==$(unzip -p {WHEEL} '*/WHEEL' | sed -n 's/^Generator: hatchling //p')",
        "python tools/release.py build rebuilt && sha256sum rebuilt/*",
    ),
}
IS_NOT_RUN = {command for group in NOT_RUN.values() for command in group}
STACK = "Pulumi.emulator.yaml"
# The commands of these projects need an SDK that is generated first; test_languages.py runs the programs.
WITH_AN_SDK = {"quickstart-typescript", "quickstart-go", "quickstart-python-sdk"}


def lacking(output: Sequence[str], printed: str) -> list[str]:
    """Which lines of a document were not printed, in this order; ids differ, and so may the blanks of columns."""

    def plain(line: str) -> str:
        return " ".join(re.sub(r"\b(vault|vcred)_[0-9a-f]+", r"\1_…", line).split())

    lines = iter([plain(line) for line in printed.splitlines()])
    return [line for line in output if plain(line) not in lines]


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


class Terminal:
    """A shell in which a reader of a document works."""

    def __init__(self, folder: Path, project: Path, qoder: Emulator, *parts: str) -> None:
        self.ran: list[str] = []
        self._qoder = qoder
        # The oldest CLI words a preview otherwise; what is shown is what a newer one prints.
        self._is_oldest = ".".join(map(str, pulumi_cli.OLDEST)) in pulumi_cli.version_of(Path("pulumi"))
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

    def type(self, command: str, output: Sequence[str] = ()) -> str:
        """Run a line as it stands; give what it printed, which is what the document shows."""
        self.ran.append(command)
        if exported := re.fullmatch(r"export (\w+)=([\w-]+)", command):
            self.env[exported[1]] = exported[2]
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
        assert self._is_oldest or [] == lacking(output, done.stdout), done.stdout
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

    def follow(self, steps: Sequence[tuple[str, list[str]]]) -> None:
        for command, output in steps:
            if command.endswith("--port 8787 &"):
                self.point_at_the_emulator()
            if command not in IS_NOT_RUN:
                self.type(command, output)


def test_the_quick_start_of_the_readme(tmp_path: Path, qoder: Emulator) -> None:
    """From an empty folder, without an account: no API token is in the environment, and no other address."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart", qoder)
    reader.empty()
    for name in ("QODER_BASE_URL", "QODER_PAT"):
        del reader.env[name]
    steps = shown(REPOSITORY / "README.md")
    (before_it_was_created,) = [step for step in steps if "    + 2 to create" in step[1]]
    steps.remove(before_it_was_created)
    reader.follow(steps[steps.index(("cp -R ../pulumi-qoder-vault/examples/quickstart/. .", [])) :])

    assert {"pulumi stack init emulator && pulumi up", "pulumi preview --diff"} <= set(reader.ran)
    (credential,) = qoder.vaults[0].credentials
    assert TOKEN == credential.access_token, "the rotation that it shows"
    reader.type("pulumi destroy")
    assert [] == qoder.vaults
    reader.type(*before_it_was_created)


def test_the_quickstart_the_consumer_and_the_manual(tmp_path: Path, qoder: Emulator) -> None:
    """The example, what the manual says of a stack like it, and another stack that reads it."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart", qoder)
    reader.follow(shown(EXAMPLES / "quickstart" / "README.md"))
    assert TOKEN == qoder.vaults[0].credentials[0].access_token
    for page in PAGES:
        reader.follow(shown(page))
    assert [qoder.vaults[0].id] == reader.type(r"pulumi stack export | grep -oE 'vault_[0-9a-f]+' | sort -u").split()

    consumer = Terminal(tmp_path / "consumer", EXAMPLES / "consumer", qoder)
    consumer.env["PULUMI_BACKEND_URL"] = reader.env["PULUMI_BACKEND_URL"]
    consumer.follow(shown(EXAMPLES / "consumer" / "README.md"))
    assert qoder.vaults[0].id in consumer.type("pulumi stack output")


def test_the_pipeline(tmp_path: Path, qoder: Emulator) -> None:
    """What is done once by hand, word for word."""
    reader = Terminal(tmp_path, EXAMPLES / "pipeline", qoder)
    reader.follow(shown(EXAMPLES / "pipeline" / "README.md"))
    assert "pulumi stack init prod" in reader.ran


def test_the_quickstart_in_yaml(tmp_path: Path, qoder: Emulator) -> None:
    """Word for word, from an empty folder: on the emulator without an account's API token, and then with one."""
    reader = Terminal(tmp_path, EXAMPLES / "quickstart-yaml", qoder)
    reader.empty()
    account = {name: reader.env.pop(name) for name in ("QODER_BASE_URL", "QODER_PAT")}
    steps = shown(EXAMPLES / "quickstart-yaml" / "README.md")
    with_an_account = [command for command, _ in steps].index("pulumi stack init dev")
    reader.follow(steps[:with_an_account])
    assert [TOKEN] == [vault.credentials[0].access_token for vault in qoder.vaults]

    reader.env.update(account)
    reader.follow(steps[with_an_account:])
    assert [TOKEN, TOKEN] == [vault.credentials[0].access_token for vault in qoder.vaults]


def test_secrets_by_reference(tmp_path: Path, qoder: Emulator) -> None:
    """Word for word, without an account: no access token is in the state, and each one that changed was rotated."""
    reader = Terminal(tmp_path, EXAMPLES / "by-reference", qoder)
    reader.point_at_the_emulator()
    for name in ("QODER_BASE_URL", "QODER_PAT"):
        del reader.env[name]
    *steps, last = [item for item in commands(EXAMPLES / "by-reference" / "README.md") if item not in IS_NOT_RUN]
    printed = {command: reader.type(command) for command in steps}

    assert "0\n" == printed["pulumi stack export --show-secrets | grep -c an-access-token || true"]
    assert "~ https://tickets.example/mcp: 0 => 1" in printed["pulumi preview --diff"]
    counts = {"https://docs.example/mcp": 0, "https://tickets.example/mcp": 1, "https://wiki.example/mcp": 1}
    assert counts == json.loads(reader.type("pulumi stack output rotations --json"))
    held = {item.mcp_server_url: item.access_token for item in qoder.vaults[0].credentials}
    assert "another-access-token-for-the-tickets" == held["https://tickets.example/mcp"]
    reader.type(last)
    assert [] == qoder.vaults


def test_the_shared_vault(tmp_path: Path, qoder: Emulator) -> None:
    """Two stacks in two folders, and what the document says of taking them down."""
    reader = Terminal(tmp_path, EXAMPLES / "shared-vault", qoder, "platform", "team")
    reader.follow(shown(EXAMPLES / "shared-vault" / "README.md"))
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


BEFORE_A_CREDENTIAL = """\
import pulumi

config = pulumi.Config()


class platform:
    require_output = staticmethod(config.require)


"""


def test_the_program_with_a_standalone_credential(tmp_path: Path, qoder: Emulator) -> None:
    """It runs as it stands; another stack's output is a value of the configuration here."""
    (program,) = blocks("python", REPOSITORY / "docs" / "credentials.md")
    project = tmp_path / "program"
    shutil.copytree(EXAMPLES / "quickstart", project)
    (project / "__main__.py").write_text(BEFORE_A_CREDENTIAL + program)
    stack = Stack(tmp_path / "stack", qoder, project=project)
    stack.run("config", "set", "vault_id", qoder.add_vault("platform").id)
    stack.run("config", "set", "--secret", "docsToken", TOKEN)

    stack.up()
    assert [("https://docs.example/mcp", TOKEN)] == [
        (item.mcp_server_url, item.access_token) for item in qoder.vaults[0].credentials
    ]


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
    program = blocks(language, REPOSITORY / "docs" / "two-accounts.md")[number]
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


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the command of the manual needs both")
@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_the_list_of_vaults_with_which_orphans_are_found(revision: RevisionName) -> None:
    """It shows id, time, name and the ownership mark, if there is one; the API token is in no process' arguments."""
    (command,) = [line for line in commands(REPOSITORY / "docs" / "recovery.md") if "curl" in line]
    assert '-H "' not in command
    with Emulator(revision) as qoder:
        body = {"display_name": "tools"}
        credential = {
            "mcp_server_url": "https://example.com/mcp",
            "protocol": "sse",
            "type": "static_bearer",
            "access_token": TOKEN,
        }
        more = {"metadata": {"pulumi_create_id": "mark"}} if revision == "2026-07" else {"credentials": [credential]}
        made = httpx.post(
            f"{qoder.base_url}/vaults", json=body | more, headers={"Authorization": f"Bearer {qoder.api_token}"}
        )
        made.raise_for_status()
        asked = command.replace("https://openapi.qoder.sh/api/v1/cloud", qoder.base_url)
        env = os.environ | {"QODER_PAT": qoder.api_token}
        bash = ["bash", "-euo", "pipefail", "-c", asked]
        done = subprocess.run(bash, env=env, capture_output=True, text=True, check=True)
        (vault,) = qoder.vaults
    id_, _, name, mark = done.stdout.rstrip("\n").split("\t")
    assert (vault.id, "tools", "mark" if revision == "2026-07" else "") == (id_, name, mark)


def test_the_test_that_the_manual_shows(tmp_path: Path) -> None:
    """It runs as it stands, in a folder with the quickstart."""
    python = blocks("python", REPOSITORY / "docs" / "testing.md")
    (program,) = [code for code in python if "subprocess.run" in code]
    stack = Stack(tmp_path, None, project=EXAMPLES / "quickstart")
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=stack.folder, env=stack.env, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_warning_about_path_and_what_silences_it(tmp_path: Path, qoder: Emulator) -> None:
    """The manual has the engine's text, and the lines that go into `Pulumi.yaml`."""
    page = REPOSITORY / "docs" / "troubleshooting.md"
    warning = "warning: using pulumi-resource-qoder from $PATH at "
    (lines,) = [code for code in blocks("yaml", page) if code.startswith("plugins:")]
    assert warning in page.read_text()
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
        [command for command in commands(folder / "README.md") if command not in IS_NOT_RUN]
        for folder in (EXAMPLES / name, EXAMPLES / "quickstart-yaml")
    ]
    assert known[0] == [command.replace("quickstart-yaml", name) for command in known[1]]
    assert (EXAMPLES / name / STACK).read_text() == (EXAMPLES / "quickstart-yaml" / STACK).read_text()


def test_no_document_is_left_out_and_no_reason_is_stale() -> None:
    """Every example is followed above; every reason is one for a command that is shown."""
    followed = {"quickstart", "consumer", "quickstart-yaml", "pipeline", "by-reference", "shared-vault"} | WITH_AN_SDK
    assert followed == {path.parent.name for path in EXAMPLES.glob("*/README.md")}
    assert set() == IS_NOT_RUN - {command for document in DOCUMENTS for command in commands(document)}
    for document in set(REPOSITORY.glob("*.md")) - {REPOSITORY / "README.md"}:
        assert set() == set(commands(document)) - IS_NOT_RUN
