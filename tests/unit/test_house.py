"""The walls of the house: what may import what, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "pulumi_qoder_vault"

# The front of the house: what knows Pulumi.
FRONT = {
    "dynamic",
    "dynamic_credential",
    "plugin",
    "resources",
    "guard",
    "error_reporting",
    "properties",
    "pulumi_values",
    "connection",
}
# A room, and the rooms of this package that it must not know.
WALLS = {
    "lifecycle": FRONT | {"api", "settings", "emulator"},
    "api": FRONT | {"emulator"},
    "emulator": FRONT | {"api", "lifecycle", "settings", "secret", "errors"},
    "plugin": {"api", "dynamic", "dynamic_credential", "emulator"},
    "dynamic.py": {"api", "plugin", "emulator"},
    "dynamic_credential.py": {"api", "plugin", "emulator"},
    "resources": {"api", "dynamic", "dynamic_credential", "plugin", "guard", "emulator"},
    "connection.py": (FRONT - {"connection", "properties"}) | {"emulator"},
    "error_reporting.py": FRONT | {"api", "lifecycle", "settings", "emulator"},
    "guard.py": (FRONT - {"guard", "error_reporting"}) | {"api", "lifecycle", "settings", "emulator"},
    "errors.py": FRONT | {"api", "emulator", "settings"},
    "properties.py": (FRONT - {"properties"}) | {"api", "emulator"},
    "secret.py": FRONT | {"api", "lifecycle", "settings", "emulator", "errors"},
    "settings.py": FRONT | {"api", "emulator"},
}
# What the API may know of the lifecycle: its data, which is the Protocol between them.
DATA = "lifecycle.model"


def files(room: str) -> list[Path]:
    return [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Modules of this package that a file imports, relative to the package."""
    where = file.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = where[: len(where) - node.level + 1]
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from [module] if node.module else [f"{module}.{name.name}".strip(".") for name in node.names]


@pytest.mark.parametrize("room", WALLS)
def test_imports_go_one_way(room: str) -> None:
    """`dynamic, plugin -> resources -> lifecycle -> (a Protocol) <- api`; the emulator knows nobody."""
    found = {(file.name, module) for file in files(room) for module in imported(file)}
    assert [] == [(name, module) for name, module in sorted(found) if module.split(".")[0] in WALLS[room]]


def test_the_api_knows_the_data_of_the_lifecycle_only() -> None:
    """No rule of a vault's life is in the API."""
    found = {module for file in files("api") for module in imported(file) if module.startswith("lifecycle")}
    assert {DATA} == found


def test_the_plugin_is_the_affair_of_the_command_alone() -> None:
    """Nobody but `python -m pulumi_qoder_vault` imports it: the Python resources work without it."""
    outside = [file for file in sorted(PACKAGE.rglob("*.py")) if "plugin" not in file.relative_to(PACKAGE).parts]
    found = {file.name for file in outside for module in imported(file) if module.split(".")[0] == "plugin"}
    assert {"__main__.py"} == found


def test_the_plugin_knows_no_more_than_it_needs() -> None:
    """Of the rest of the package: what every front stands on."""
    known = {module.split(".")[0] for file in files("plugin") for module in imported(file)}
    wanted = {"plugin", "resources", "lifecycle", "properties", "connection", "guard", "error_reporting", "settings"}
    wanted |= {"errors"}
    assert wanted == known


def test_the_search_for_imports_finds_them() -> None:
    """A search that finds nothing proves something only if it can find."""
    assert {"api.retry", "lifecycle.detect", "settings"} <= set(imported(PACKAGE / "connection.py"))


def test_importing_the_package_loads_neither_http_nor_a_server() -> None:
    """A program that declares vaults starts as fast as one that does not; the plugin is a server, too."""
    program = (
        "import sys, pulumi; before = set(sys.modules); from pulumi_qoder_vault import Vault, Credential; "
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()} | set(done.stdout.split())
    assert "pulumi_qoder_vault.dynamic" in loaded
    assert set() == loaded & {
        "httpx",
        "httpcore",
        "tenacity",
        "http.server",
        "socketserver",
        "pulumi_qoder_vault.api",
        "pulumi_qoder_vault.emulator",
        "pulumi_qoder_vault.plugin",
        "pulumi_qoder_vault.lifecycle.credentials",
        "pulumi_qoder_vault.lifecycle.operations",
    }
