"""PulumiPlugin.yaml: what `pulumi package add <this repository>` takes to run the plugin from source."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pulumi
import yaml

import pulumi_qoder_vault
from pulumi_qoder_vault.plugin.schema import schema

REPOSITORY = Path(__file__).parents[2]


def test_the_manifest_names_the_plugin_of_the_schema() -> None:
    """With pip, as the installation from source needs no other tool."""
    manifest = yaml.safe_load((REPOSITORY / "PulumiPlugin.yaml").read_text())
    assert {"name": schema()["name"], "runtime": {"name": "python", "options": {"toolchain": "pip"}}} == manifest


def test_what_pulumi_runs_is_there() -> None:
    """A project that pip can install, whose package runs as a module; with a uv.lock Pulumi would want uv."""
    assert "[build-system]" in (REPOSITORY / "pyproject.toml").read_text()
    assert not (REPOSITORY / "uv.lock").exists()
    main = ast.parse((REPOSITORY / "pulumi_qoder_vault" / "__main__.py").read_text())
    assert any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in main.body)


def test_pulumi_does_not_take_the_package_for_components() -> None:
    """A package that exports a ComponentResource would be served as one that has components, without our plugin."""
    exported = [getattr(pulumi_qoder_vault, name) for name in pulumi_qoder_vault.__all__]
    assert exported
    assert [] == [item for item in exported if inspect.isclass(item) and issubclass(item, pulumi.ComponentResource)]
