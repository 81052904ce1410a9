"""Every Pulumi language with the plugin `qoder`: the SDKs that Pulumi makes of the schema, and the examples with them.

Where a language is not installed its tests are skipped. What they download or build stays outside the checkout.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.stacks import REPOSITORY, URL, Run, Stack
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.plugin.schema import schema

EXAMPLES = REPOSITORY / "examples"
GENERATOR = REPOSITORY / "tools" / "generate-sdk"
TOKEN = "the-access-token-of-the-examples"
OTHER_TOKEN = "another-access-token-of-the-examples"

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go, which also builds the SDK generator")
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="there is no Node.js with npm"
)
# Builds and downloads take a while where nothing is cached.
slow_when_new = pytest.mark.timeout(600)


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    """The founding page's revision: what an example shows does not depend on it."""
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


def run(*command: str | Path, folder: Path | None = None, **env: str) -> Run:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=folder, env=os.environ | env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return Run(done.returncode, done.stdout, done.stderr)


def must(*command: str | Path, folder: Path | None = None, **env: str) -> str:
    done = run(*command, folder=folder, **env)
    assert 0 == done.code, f"{' '.join(map(str, command))}: exit {done.code}\n{done.text}"
    return done.text


def generate(language: str, directory: Path, *file: Path) -> Run:
    return run(sys.executable, REPOSITORY / "tools" / "generate_sdk.py", language, directory, *file)


def example(name: str, language: str, folder: Path, qoder: Emulator) -> tuple[Stack, Path]:
    """The example in a folder of its own, with the SDK where `pulumi package add` puts it."""
    stack = Stack(folder, qoder, project=EXAMPLES / name)
    sdk = stack.folder / "sdks" / "qoder"
    generated = generate(language, sdk)
    warnings = [line for line in generated.text.splitlines() if not line.startswith("SDK: building the generator")]
    assert (0, []) == (generated.code, warnings)
    return stack, sdk


def the_main_job(stack: Stack, qoder: Emulator) -> None:
    """One create, ids that others can read, nothing to change afterwards, and nothing left in the end."""
    stack.run("config", "set", "--secret", "githubToken", TOKEN)
    stack.up()
    (created,) = qoder.writes
    assert ("POST", "/vaults", 201) == (created.method, created.path, created.status)
    credential = {"mcp_server_url": URL, "protocol": "sse", "type": "static_bearer", "access_token": "***"}
    assert {"display_name": "my-mcp-vault", "credentials": [credential]} == created.body
    (vault,) = qoder.vaults
    assert TOKEN == vault.credentials[0].access_token
    outputs = {"vault_id": vault.id, "credential_ids": {URL: vault.credentials[0].id}}
    assert outputs == stack.outputs(), "plain: without --show-secrets a secret is [secret]"
    assert TOKEN not in stack.run("stack", "export").stdout

    stack.preview("--expect-no-changes")
    stack.destroy()
    assert [] == qoder.vaults


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
    modules = stack.folder / "node_modules"
    link_node_modules(modules, stack.folder / "package.json")
    (modules / "pulumi-qoder").symlink_to(sdk)
    compiler = modules / ".bin" / "tsc"
    must(compiler, "--types", "node", folder=sdk)  # as its package.json does after an installation
    shutil.copy(sdk / "package.json", sdk / "bin")
    must(compiler, "--noEmit", folder=stack.folder)
    the_main_job(stack, qoder)


def link_node_modules(modules: Path, package_json: Path) -> None:
    """Fill `modules` with links to an installation that all runs share, the generated SDK left out."""
    package: dict[str, Any] = json.loads(package_json.read_text())
    assert "file:sdks/qoder" == package["dependencies"].pop("pulumi-qoder")
    text = json.dumps(package)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pulumi-qoder-vault", "node")
    installed = cache / hashlib.sha256(text.encode()).hexdigest()[:12]
    if not installed.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=cache, ignore_cleanup_errors=True) as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            (made / "package.json").write_text(text)
            must("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", folder=made)
            if not installed.exists():
                made.rename(installed)
    modules.mkdir()
    for entry in (installed / "node_modules").iterdir():
        (modules / entry.name).symlink_to(entry)


@needs_go
@slow_when_new
def test_go(tmp_path: Path, qoder: Emulator) -> None:
    """The generated SDK and the example build without a complaint of vet, and the example runs."""
    stack, _ = example("quickstart-go", "go", tmp_path, qoder)
    # The requirements of our generator are fixed, and built already: `go mod tidy` would take others, and minutes.
    # Its go.sum also holds what the Go host asks for at every command, `go list -m all`: nothing is to be looked up.
    fixed = (GENERATOR / "go.mod").read_text()
    with (stack.folder / "go.mod").open("a") as module:
        module.write(fixed[fixed.index("require ") :])
    shutil.copy(GENERATOR / "go.sum", stack.folder)
    flags = ("-mod=mod", "-trimpath")
    sources = (".", "example.com/pulumi-qoder/sdk/go/...")
    must("go", "vet", *flags, *sources, folder=stack.folder, GOWORK="off")
    must("go", "build", *flags, "-ldflags", "-w -s", "-o", "program", ".", folder=stack.folder, GOWORK="off")
    # The host would build it anew at every command.
    project = stack.folder / "Pulumi.yaml"
    built = "runtime:\n  name: go\n  options:\n    binary: ./program\n"
    project.write_text(project.read_text().replace("runtime: go\n", built))
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
