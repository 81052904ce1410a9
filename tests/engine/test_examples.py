"""Every example, with the real CLI: what the documents show is what happens."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engine.stacks import REPOSITORY, URL, Stack
from pulumi_qoder_vault.emulator import Emulator

EXAMPLES = REPOSITORY / "examples"
PIPELINE = EXAMPLES / "pipeline"
TOKEN = "the-access-token-of-the-examples"


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    """The founding page's revision: what an example shows does not depend on it."""
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


def configured(folder: Path, qoder: Emulator, project: str, secret: str) -> Stack:
    stack = Stack(folder, qoder, project=EXAMPLES / project)
    stack.run("config", "set", "--secret", secret, TOKEN)
    return stack


def test_the_quickstart_and_its_consumer(tmp_path: Path, qoder: Emulator) -> None:
    """No request and no API token in a preview; one create in the founding page's form; ids that others can read."""
    stack = configured(tmp_path / "quickstart", qoder, "quickstart", "githubToken")
    preview = stack.preview(QODER_PAT="")
    assert [] == qoder.requests
    assert TOKEN not in preview.text

    stack.up()
    (created,) = qoder.requests
    assert ("POST", "/vaults", 201) == (created.method, created.path, created.status)
    credential = {"mcp_server_url": URL, "protocol": "sse", "type": "static_bearer", "access_token": "***"}
    assert {"display_name": "my-mcp-vault", "credentials": [credential]} == created.body
    (vault,) = qoder.vaults
    assert TOKEN == vault.credentials[0].access_token
    outputs = {"vault_id": vault.id, "credential_ids": {URL: vault.credentials[0].id}}
    assert outputs == stack.outputs()

    consumer = Stack(tmp_path / "consumer", None, project=EXAMPLES / "consumer")
    consumer.env["PULUMI_BACKEND_URL"] = stack.env["PULUMI_BACKEND_URL"]
    consumer.run("stack", "init", "dev")
    consumer.run("config", "set", "quickstart-stack", "organization/qoder-quickstart/dev")
    consumer.up()
    read = {"vault_ids": [vault.id], "credential_id": vault.credentials[0].id}
    assert read == consumer.outputs(), "plain: without --show-secrets a secret is [secret]"
    assert '"ciphertext"' not in consumer.run("stack", "export").stdout
    assert 1 == len(qoder.requests), "the consumer asks the state, not Qoder"


def of_preview(file: str) -> dict[str, str]:
    """What the job that previews is given in a pipeline file, but for what only the service knows."""
    text = yaml.safe_load((PIPELINE / file).read_text())
    given = text["jobs"]["preview"]["env"] if "jobs" in text else text["preview"]["variables"]
    return {name: value for name, value in given.items() if "${{" not in value}


def pulumi_commands(file: str) -> list[list[str]]:
    """The `pulumi` commands of a pipeline file, in order."""
    lines = (PIPELINE / file).read_text().splitlines()
    found = [re.match(r"\s*- (?:run: )?(pulumi [^#]*)", line) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


@pytest.mark.parametrize("file", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_pipelines_commands_do_what_they_are_there_for(tmp_path: Path, qoder: Emulator, file: str) -> None:
    """Run as they stand in the file: preview without a token, deploy, find drift, deploy what mends it, and rotate."""
    by_name = {command[1]: command[1:] for command in pulumi_commands(file)}
    assert {"install", "preview", "up", "refresh"} == set(by_name)
    stack = Stack(tmp_path, qoder, project=PIPELINE)
    stack.run("stack", "init", "prod")

    del stack.env["QODER_PAT"]

    stack.run(*by_name["preview"], fails=False, **of_preview(file))
    assert [] == qoder.requests
    stack.env["QODER_SA_KEY"] = qoder.add_service_account_key()
    stack.run(*by_name["up"], DOCS_TOKEN=TOKEN)
    assert [TOKEN] == [vault.credentials[0].access_token for vault in qoder.vaults]
    assert ["agents-prod"] == [vault.display_name for vault in qoder.vaults]
    stack.run(*by_name["refresh"])

    qoder.delete_vault(qoder.vaults[0].id)
    drift = stack.run(*by_name["refresh"], fails=True)
    assert "no changes were expected" in drift.text
    assert "agents-prod" in drift.text, "what is gone is shown"
    assert 1 == len(stack.resources()), "the check changes no state"
    broken = stack.run(*by_name["refresh"], fails=True, QODER_SA_KEY="a-revoked-service-account-key")
    assert 7 == drift.code, "as the README says"
    assert broken.code not in (0, 7)

    stack.run(*by_name["up"], DOCS_TOKEN=TOKEN)
    assert ["agents-prod"] == [vault.display_name for vault in qoder.vaults], "the next deployment mends it"
    stack.run(*by_name["refresh"])
    rotated = stack.run(*by_name["up"], DOCS_TOKEN="another-access-token")
    assert f"{URL}: 0 => 1" in rotated.text
    assert ["another-access-token"] == [vault.credentials[0].access_token for vault in qoder.vaults]


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-workflows", "github-actions.yml"), ("vendor.gitlab-ci", "gitlab-ci.yml")]
)
def test_pipeline_files_follow_their_schema(schema: str, file: str) -> None:
    """A file that is copied is one that the service takes."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(PIPELINE / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["github-actions.yml", "gitlab-ci.yml"])
def test_only_what_deploys_or_compares_has_a_key(file: str) -> None:
    """The preview of a merge request runs other people's code: it has nothing of Qoder's, and forks get nothing."""
    text = (PIPELINE / file).read_text()
    preview = text[text.index("\n  preview:" if "jobs:" in text else "\npreview:") : text.index("deploy:")]
    assert {"QODER_READ_REFERENCES": "when-sent"} == of_preview(file)
    assert ["QODER_READ_REFERENCES"] == re.findall(r"QODER_\w+|DOCS_TOKEN", preview)
    assert "environment" not in preview
    if "jobs:" in text:
        assert 1 == text.count("secrets.DOCS_TOKEN"), "only what deploys has the access token"
    assert ("head.repo.full_name == github.repository" if "jobs:" in text else "SOURCE_PROJECT_ID ==") in text
    assert 2 == text.count("qoder-vault-prod"), "deploy and drift check take turns"
    if "jobs:" in text:
        assert "permissions:\n  contents: read\n" in text
        assert "pull_request_target" not in text


DEMO = [sys.executable, str(REPOSITORY / "tools" / "demo.py")]


def of_the_demo(temporary: Path, **env: str) -> dict[str, str]:
    temporary.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return own | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"} | env


def test_the_demo_shows_the_main_job_and_leaves_nothing(tmp_path: Path) -> None:
    """It names the URL that rotates and the one vault, and shows what Qoder saw. Foreign settings do no harm."""
    foreign = {"QODER_ACCESS_TOKEN": "pt-foreign", "PULUMI_BACKEND_URL": "s3://foreign", "QODER_TIMEOUT": "soon"}
    env = of_the_demo(tmp_path / "demo", **foreign)
    done = subprocess.run(DEMO, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"~ {URL}: 0 => 1" in done.stdout
    assert 1 == done.stdout.count("Qoder saw: POST /vaults -> 201")
    assert 1 == len(set(re.findall(r"\bvault_[0-9a-f]{32}\b", done.stdout)))
    assert "-access-token-of-the-demo" not in done.stdout + done.stderr
    assert [] == list((tmp_path / "demo").iterdir())


def test_the_demo_without_a_cli_says_what_to_type(tmp_path: Path) -> None:
    """One line, and nothing is begun."""
    env = of_the_demo(tmp_path / "demo", PATH=str(tmp_path))
    done = subprocess.run(DEMO, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert 1 == done.returncode
    assert "There is no pulumi on PATH; `make demo` finds or makes one.\n" == done.stderr
    assert "" == done.stdout


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    """Neither files nor processes, whatever the CLI is at."""
    env = of_the_demo(tmp_path / "demo")
    with subprocess.Popen(DEMO, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if line.startswith("quickstart$ pulumi preview"):
                break
        (folder,) = (tmp_path / "demo").iterdir()
        time.sleep(1)
        demo.send_signal(sent)
        demo.stdout.read()
        assert status == demo.wait(60)
    assert [] == list((tmp_path / "demo").iterdir())
    running = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in running
