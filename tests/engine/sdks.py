"""SDKs that Pulumi makes of the plugin's schema, and the examples with them, in the languages that are installed here.

What is downloaded or built stays outside the checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from engine.stacks import REPOSITORY, URL, Run, Stack
from pulumi_qoder_vault.emulator import Emulator

EXAMPLES = REPOSITORY / "examples"
GENERATOR = REPOSITORY / "tools" / "generate-sdk"
TOKEN = "the-access-token-of-the-examples"

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go, which also builds the SDK generator")
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="there is no Node.js with npm"
)
# Builds and downloads take a while where nothing is cached.
slow_when_new = pytest.mark.timeout(600)


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


def example(name: str, language: str, folder: Path, qoder: Emulator, *schema: Path) -> tuple[Stack, Path]:
    """The example in a folder of its own, with the SDK where `pulumi package add` puts it."""
    stack = Stack(folder, qoder, project=EXAMPLES / name)
    sdk = stack.folder / "sdks" / "qoder"
    generated = generate(language, sdk, *schema)
    warnings = [line for line in generated.text.splitlines() if not line.startswith("SDK: building the generator")]
    assert (0, []) == (generated.code, warnings)
    return stack, sdk


def compile_typescript(stack: Stack, sdk: Path) -> None:
    """Install what the program needs, and compile it and its SDK."""
    modules = stack.folder / "node_modules"
    link_node_modules(modules, stack.folder / "package.json")
    (modules / "pulumi-qoder").symlink_to(sdk)
    compiler = modules / ".bin" / "tsc"
    must(compiler, "--types", "node", folder=sdk)  # as its package.json does after an installation
    shutil.copy(sdk / "package.json", sdk / "bin")
    must(compiler, "--noEmit", folder=stack.folder)


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


def build_go(stack: Stack) -> None:
    """Build the program and its SDK, without a complaint of vet."""
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
