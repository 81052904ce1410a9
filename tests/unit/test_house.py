"""The walls of the house: what may import what, where a fact may stand, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "pulumi_qoder_vault"

# `dynamic*, plugin -> resources -> lifecycle -> (a Protocol) <- api`: a room, and the rooms that it may import from.
GROUND = {"errors", "secret"}
CORE = GROUND | {"lifecycle"}
SHARED = CORE | {"setting_sources", "settings", "connection", "pulumi_values"}
MAY_IMPORT = {
    "errors": set(),
    "secret": {"spellings"},
    "spellings": set(),
    "error_reporting": set(),
    "setting_keys": set(),
    "setting_sources": GROUND,
    "lifecycle": GROUND,
    "secret_reader": CORE,
    "settings": CORE | {"setting_keys", "setting_sources"},
    "authentication": {"secret", "settings"},
    "pulumi_values": CORE,
    "api": CORE | {"settings", "authentication"},
    "connection": CORE | {"settings", "authentication", "api"},
    "resources": SHARED | {"secret_reader"},
    "plugin": SHARED | {"resources", "error_reporting", "secret_reader"},
    "dynamic_provider": SHARED | {"resources", "error_reporting"},
    "dynamic": {"dynamic_provider", "lifecycle", "pulumi_values", "resources"},
    "dynamic_credential": {"dynamic_provider", "lifecycle", "pulumi_values", "resources"},
    "__init__": {"dynamic", "dynamic_credential", "dynamic_provider"},
    "__main__": {"plugin"},
    "emulator": set(),
}
# What the API knows of the lifecycle: data and tables, of which no rule of a vault's life is one.
DATA = {"lifecycle.model", "lifecycle.credential_types", "lifecycle.fields", "lifecycle.equivalence"}
# A resource's folder: the same files in each, and the same order of verbs in each file.
FILES = {"__init__.py", "check.py", "diff.py", "operations.py"}
VERBS = ["check", "complete", "diff", "create", "find", "look_up", "read", "update", "delete"]


def files(room: str) -> list[Path]:
    return [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else sorted((PACKAGE / room).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Modules of this package that a file imports, relative to the package."""
    where = file.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = where[: len(where) - node.level + 1]
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from [module] if node.module else [f"{module}.{name.name}".strip(".") for name in node.names]


def test_every_room_has_its_walls() -> None:
    """A new file or folder has a place in the order, or there is none."""
    rooms = {path.stem if path.suffix == ".py" else path.name for path in PACKAGE.iterdir()}
    assert set(MAY_IMPORT) == rooms - {"__pycache__", "py.typed", "pulumi-plugin.json"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    """No import runs upwards, also none that only a type checker sees; the emulator knows nobody."""
    found = {(file.name, module) for file in files(room) for module in imported(file)}
    allowed = MAY_IMPORT[room] | {room}
    assert [] == [(name, module) for name, module in sorted(found) if module.split(".")[0] not in allowed]


def test_the_api_knows_the_data_of_the_lifecycle_only() -> None:
    """No rule of a vault's life is in the API."""
    found = {module for file in files("api") for module in imported(file) if module.startswith("lifecycle")}
    assert found == DATA


@pytest.mark.parametrize(("resource", "other"), [("vault", "credential"), ("credential", "vault")])
def test_a_resource_knows_no_other_one(resource: str, other: str) -> None:
    """What they share stands beside their folders, and knows neither."""
    own = {module for file in files(f"lifecycle/{resource}") for module in imported(file)}
    shared = {module for file in (PACKAGE / "lifecycle").glob("*.py") for module in imported(file)}
    assert [] == [module for module in own | shared if module.startswith(f"lifecycle.{other}.")]
    assert [] == [module for module in shared if module == f"lifecycle.{other}"]


@pytest.mark.parametrize("resource", ["vault", "credential"])
def test_who_knows_one_resource_knows_all(resource: str) -> None:
    """The same file names, and the same order of verbs in each file."""
    folder = PACKAGE / "lifecycle" / resource
    assert {file.name for file in folder.glob("*.py")} == FILES
    for file in [*folder.glob("*.py"), PACKAGE / "resources" / f"{resource}.py"]:
        functions = [node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
        verbs = [name for name in functions if name in VERBS]
        assert verbs == sorted(verbs, key=VERBS.index), file


def test_the_search_for_imports_finds_them() -> None:
    """A search that finds nothing proves something only if it can find."""
    assert {"api.retry", "lifecycle.capabilities", "settings"} <= set(imported(PACKAGE / "connection.py"))
    assert {"lifecycle.plan", "errors"} <= set(imported(PACKAGE / "lifecycle" / "vault" / "operations.py"))


def names_of_revisions(file: Path) -> Iterator[str]:
    """Where a file names a revision: a member of `Revision`, or its value as a text, but not in a sentence."""
    for node in ast.walk(ast.parse(file.read_text())):
        is_member = isinstance(node, ast.Attribute) and node.attr.startswith("R20")
        is_value = isinstance(node, ast.Constant) and node.value in ("2026-05", "2026-07")
        if isinstance(node, ast.expr) and (is_member or is_value):
            yield f"{file.relative_to(PACKAGE)}:{node.lineno}"


def test_only_two_modules_compare_revisions() -> None:
    """What a revision can do is a capability: the rest of the house never asks which one it is."""
    may = {
        PACKAGE / "lifecycle" / "capabilities.py",
        PACKAGE / "api" / "revisions.py",
        PACKAGE / "lifecycle" / "model.py",  # defines the two
    }
    ours = [file for file in PACKAGE.rglob("*.py") if "emulator" not in file.parts]
    assert [] == [place for file in ours if file not in may for place in names_of_revisions(file)]
    assert [file for file in may if not list(names_of_revisions(file))] == []


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
        "pulumi_qoder_vault.lifecycle.recovery",
        "pulumi_qoder_vault.lifecycle.credential.operations",
        "pulumi_qoder_vault.lifecycle.vault.operations",
    }


TESTS = Path(__file__).parent.parent
# Pulumi's servicer of dynamic providers keeps what it loaded from one run to the next; a new process would not.
PRIVATE_NAMES_OF_OTHERS = {"_PROVIDER_CACHE"}


def private_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each private name of something else that a file reads, replaces or imports, and its line."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [item.name for item in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("attr", "patch", "patch.object")):
            names = [str(item.value).rpartition(".")[2] for item in node.args if isinstance(item, ast.Constant)]
        yield from ((name, getattr(node, "lineno", 0)) for name in names if re.match("_[^_]", name))


def test_no_test_uses_a_private_name() -> None:
    """A test that does would hold how the code is written, not what it does."""
    found = [
        f"{file.relative_to(TESTS)}:{line}: {name}"
        for file in sorted(TESTS.rglob("*.py"))
        for name, line in private_names(ast.parse(file.read_text()))
        if name not in PRIVATE_NAMES_OF_OTHERS
    ]
    assert [] == found


def test_the_search_for_private_names_finds_them() -> None:
    """Each way to read, replace or import one, and none where an object uses its own."""
    ways = "m.setattr(a.b, '_c', 1); m.setattr('a._d', 1); a._e = 1; getattr(a, '_f'); a.b._g(); from a import _h"
    assert ["_c", "_d", "_e", "_f", "_g", "_h"] == sorted(name for name, _ in private_names(ast.parse(ways)))
    assert [] == list(private_names(ast.parse("self._a = cls._b; a.__class__; from __future__ import annotations")))
