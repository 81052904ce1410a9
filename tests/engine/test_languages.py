"""Every Pulumi language with the plugin `qoder`: the SDKs that Pulumi makes of the schema, and the examples with them.

Where a language is not installed its tests are skipped.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.sdks import (
    EXAMPLES,
    GENERATOR,
    TOKEN,
    build_go,
    compile_typescript,
    example,
    generate,
    must,
    needs_go,
    needs_node,
    run,
    slow_when_new,
    the_main_job,
)
from engine.stacks import REPOSITORY, URL, Stack
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin.schema import schema

OTHER_TOKEN = "another-access-token-of-the-examples"


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    """The founding page's revision: what an example shows does not depend on it."""
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


def test_yaml(tmp_path: Path, qoder: Emulator) -> None:
    """YAML needs no SDK. A preview sends nothing, needs no API token, and hides the access token alone."""
    stack = Stack(tmp_path, qoder, project=EXAMPLES / "quickstart-yaml")
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    preview = stack.preview(QODER_PAT="")
    assert [] == qoder.requests
    assert TOKEN not in preview.text
    assert re.search(r"accessToken *: \[secret\]", preview.text)
    assert f'mcpServerUrl: "{URL}"' in preview.text
    the_main_job(stack, qoder)


@needs_go
@needs_node
@slow_when_new
def test_typescript(tmp_path: Path, qoder: Emulator) -> None:
    """The generated SDK compiles, the example's types fit it, and the example runs."""
    stack, sdk = example("quickstart-typescript", "nodejs", tmp_path, qoder)
    compile_typescript(stack, sdk)
    the_main_job(stack, qoder)


@needs_go
@slow_when_new
def test_go(tmp_path: Path, qoder: Emulator) -> None:
    """The generated SDK and the example build without a complaint of vet, and the example runs."""
    stack, _ = example("quickstart-go", "go", tmp_path, qoder)
    build_go(stack)
    the_main_job(stack, qoder)


@needs_go
@slow_when_new
def test_generated_python(tmp_path: Path, qoder: Emulator) -> None:
    """The generated SDK compiles, pip installs it, and the example runs; it shares no name with this package."""
    stack, sdk = example("quickstart-python-sdk", "python", tmp_path, qoder)
    must(sys.executable, "-m", "compileall", "-q", sdk)
    install(stack, sdk)
    the_main_job(stack, qoder)


def install(stack: Stack, sdk: Path) -> None:
    """Let the program find the SDK. All that it depends on comes with Pulumi's SDK."""
    packages = stack.folder / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]
    must(*pip, packages, sdk)
    stack.env["PYTHONPATH"] = str(packages)


@needs_go
@slow_when_new
def test_generated_python_asks_whether_a_vault_exists(tmp_path: Path, qoder: Emulator) -> None:
    """`Vault.exists`, with and without a vault; it takes nothing into the state."""
    if version("pulumi") < (3, 269) or cli_version() < (3, 269):
        pytest.skip("Pulumi has `exists` since 3.269, in the SDK and in the CLI")
    theirs = qoder.add_vault("theirs")
    stack, sdk = example("quickstart-python-sdk", "python", tmp_path, qoder)
    install(stack, sdk)
    (stack.folder / "__main__.py").write_text(
        "import pulumi, pulumi_qoder\n"
        f"pulumi.export('there', pulumi_qoder.Vault.exists('{theirs.id}'))\n"
        f"pulumi.export('absent', pulumi_qoder.Vault.exists('vault_{'0' * 32}'))\n"
    )

    stack.up()

    assert {"there": True, "absent": False} == stack.outputs()
    assert [] == stack.resources()
    assert [] == qoder.writes


def version(package: str) -> tuple[int, ...]:
    return numbers(importlib.metadata.version(package))


def cli_version() -> tuple[int, ...]:
    return numbers(must("pulumi", "version"))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))


@needs_go
@slow_when_new
def test_generated_python_requires_the_pulumi_that_its_code_needs(tmp_path: Path) -> None:
    """Our pin replaces the generator's own: it is no lower than that, and no lower than our floor."""
    ours, language = schema(), dict(schema()["language"]["python"])
    del language["requires"]
    unpinned = tmp_path / "schema.json"
    unpinned.write_text(json.dumps(ours | {"language": {"python": language}}))
    own_floor = project_floor((REPOSITORY / "pyproject.toml").read_text())
    floors = []
    for name, *file in (("pinned",), ("unpinned", unpinned)):
        generated = generate("python", tmp_path / name, *file)
        assert 0 == generated.code, generated.text
        floors.append(project_floor((tmp_path / name / "pyproject.toml").read_text()))

    pinned, generators = floors

    assert (3, 269) <= generators[:2]
    assert max(generators[:2], own_floor[:2]) == pinned[:2]


def project_floor(pyproject: str) -> tuple[int, ...]:
    """The oldest Pulumi SDK that a project's dependencies allow."""
    (pulumi,) = (item for item in tomllib.loads(pyproject)["project"]["dependencies"] if item.startswith("pulumi>="))
    return numbers(pulumi)


def test_a_team_puts_its_credential_into_a_vault_of_another_stack(tmp_path: Path, qoder: Emulator) -> None:
    """Neither stack sees drift in what the other one does, and each deletes only what it made."""
    platform = Stack(tmp_path / "platform", qoder, project=EXAMPLES / "shared-vault" / "platform")
    platform.run("config", "set", "--secret", "platformToken", TOKEN)
    platform.up()
    (vault,) = qoder.vaults

    team = Stack(tmp_path / "team", qoder, project=EXAMPLES / "shared-vault" / "team")
    team.env["PULUMI_BACKEND_URL"] = platform.env["PULUMI_BACKEND_URL"]
    team.run("stack", "init", "dev")
    team.run("config", "set", "--secret", "teamToken", OTHER_TOKEN)
    team.up()
    tokens = [TOKEN, OTHER_TOKEN]
    assert tokens == tokens_of(qoder)
    assert {"credentialId": qoder.vaults[0].credentials[1].id} == team.outputs()
    team.preview("--expect-no-changes")
    platform.up("--refresh", "--expect-no-changes")
    assert {qoder.vaults[0].credentials[1].id: "https://example.com/team/mcp"} == vault_of(platform)["otherCredentials"]

    platform.run("config", "set", "--secret", "platformToken", TOKEN + "-2")
    assert re.search(r"~ accessToken *: \[secret\] => \[secret\]", platform.preview().text)
    platform.up()
    assert [vault.id] == [one.id for one in qoder.vaults]
    assert {*tokens, TOKEN + "-2"} - {TOKEN} == set(tokens_of(qoder))
    team.up("--refresh", "--expect-no-changes")

    assert "protected" in platform.destroy(fails=True).text
    platform.run("state", "unprotect", "--all", "--yes")
    assert "it holds 1 credential that is not in the state of this resource" in platform.destroy(fails=True).text
    team.destroy()
    assert [TOKEN + "-2"] == tokens_of(qoder)
    platform.destroy()
    assert [] == qoder.vaults


def vault_of(stack: Stack) -> dict[str, Any]:
    """The outputs of its only vault."""
    resources = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    return next(item["outputs"] for item in resources if item["type"] == "qoder:index:Vault")


def tokens_of(qoder: Emulator) -> list[str | None]:
    (vault,) = qoder.vaults
    return [credential.access_token for credential in vault.credentials if credential.status == "active"]


def test_pulumi_accepts_the_schema(tmp_path: Path) -> None:
    """As the plugin gives it: no error and no warning of the CLI's own check."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema()))
    checked = run("pulumi", "schema", "check", file, PULUMI_SKIP_UPDATE_CHECK="true")
    assert (0, "") == (checked.code, checked.text)


@needs_go
@slow_when_new
def test_the_generator_refuses_a_schema_that_refers_to_nothing(tmp_path: Path) -> None:
    """It writes nothing, and says where."""
    broken = schema() | {"types": {}}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(broken))
    refused = generate("go", tmp_path / "sdk", file)
    assert 1 == refused.code
    assert "qoder:index:VaultCredential not found" in refused.text
    assert not (tmp_path / "sdk").exists()


def test_the_generator_is_that_of_the_cli() -> None:
    """Its modules have the versions that the CLI is built from: the SDKs are those of `pulumi package add`."""
    ours = requirements(GENERATOR / "go.mod")
    those = requirements(REPOSITORY / "tools" / "pulumi-cli" / "go.mod")
    assert "github.com/pulumi/pulumi/pkg/v3" in ours
    assert {} == {module: version for module, version in ours.items() if version != those.get(module, version)}


def requirements(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^(?:require|\t) ?(\S+) (v\S+)", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("quickstart-typescript", "package.json"),
        ("quickstart-go", "go.mod"),
        ("quickstart-python-sdk", "requirements.txt"),
    ],
)
def test_what_is_generated_or_installed_is_not_in_the_repository(name: str, file: str) -> None:
    """An example names the SDK where `pulumi package add` puts it, and brings no lock file with addresses."""
    assert "sdks/qoder" in (EXAMPLES / name / file).read_text()
    listed = subprocess.run(["git", "ls-files", name], cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert [] == [path for path in listed.stdout.splitlines() if re.search(r"lock|go\.sum|sdks/|node_modules/", path)]
