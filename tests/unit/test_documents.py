"""What the documents say is what is there."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_qoder_vault import Credential, CredentialArgs, Vault, settings
from pulumi_qoder_vault.lifecycle.credential_types import TYPES

REPOSITORY = Path(__file__).parent.parent.parent
README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("examples/*/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(README) if name == language]


def test_the_readme_shows_the_quickstart_as_it_is() -> None:
    """The program that is read is the one that is tested."""
    quickstart = REPOSITORY / "examples" / "quickstart"
    assert (quickstart / "__main__.py").read_text() in blocks("python")
    assert (quickstart / "Pulumi.yaml").read_text() in blocks("yaml")
    assert (REPOSITORY / "examples" / "quickstart-yaml" / "Pulumi.yaml").read_text() in blocks("yaml")


def test_the_two_commands_stand_before_everything_else() -> None:
    """A reader finds them right after the first paragraph; make knows both."""
    first = BLOCK.search(README)
    assert first is not None
    assert first.start() < README.index("\n## ")
    targets = re.findall(r"^make (\w+)", first[2], re.MULTILINE)
    assert ["demo", "test"] == targets
    makefile = (REPOSITORY / "Makefile").read_text()
    assert targets == [target for target in targets if f"\n{target}:" in makefile]


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_readme_is_python(code: str) -> None:
    """Nothing that is copied is a syntax error."""
    ast.parse(code)


def test_every_setting_is_in_the_readme() -> None:
    """By both of its names, with the environment's in the order in which they are read."""
    rows = [line for line in README.splitlines() if line.startswith("| `qoder:")]
    assert list(settings.KEYS) == [re.match(r"\| `qoder:(\w+)`", row)[1] for row in rows]  # type: ignore[index]
    for row, setting in zip(rows, settings.SETTINGS, strict=True):
        assert list(setting.environment) == re.findall(r"`(QODER_\w+)`", row)
    assert settings.DEFAULT_BASE_URL in README


def test_every_argument_and_output_is_in_the_readme() -> None:
    """Neither more nor less than `Vault` and `CredentialArgs` have."""
    tables = [re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for part in README.split("\n## ")]
    by_title = {part.split("\n")[0]: table for part, table in zip(README.split("\n## "), tables, strict=True)}
    named = {title: {name for row in rows for name in re.findall(r"`(\w+)`", row)} for title, rows in by_title.items()}

    arguments = set(inspect.signature(Vault.__init__).parameters) - {"self"}
    assert arguments | set(CredentialArgs.__annotations__) == named["Arguments"]
    assert {"id", *Vault.__annotations__} == named["Outputs"]
    own = set(
        re.findall(
            r"`(\w+)`", next(part for part in README.split("\n## ") if part.startswith("A standalone credential"))
        )
    )
    own |= set(re.findall(r"(\w+)=", next(text for text in blocks("python") if "docs = Credential(" in text)))
    assert set(Credential.__annotations__) <= own
    assert set(TYPES) <= own


def test_every_file_of_the_package_has_a_place_in_the_tree() -> None:
    """And the tree of CONTRIBUTING names no file that is gone."""
    tree = (REPOSITORY / "CONTRIBUTING.md").read_text().split("```")[3]
    named = set(re.findall(r"\b(\w+\.py)\b", tree))
    there = {file.name for file in (REPOSITORY / "pulumi_qoder_vault").rglob("*.py")}
    assert named == (there | {"__init__.py"})


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    """Files that are linked exist, and so do headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path) if path else document
        assert linked.is_file(), target
        headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
        assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings]


@each_document
def test_documents_name_no_machine(document: Path) -> None:
    """No path or host of whoever wrote them; what is found in a document is true on every machine."""
    assert [] == re.findall(r"/(?:home|root|work|Users|tmp|var|mnt)/\S*", document.read_text())


def test_the_emulator_knows_the_flags_that_are_shown() -> None:
    """Flags in the README's commands are in `--help`."""
    commands = re.findall(r"^qoder-emulator (.*)", README, re.MULTILINE)
    assert commands
    run = [sys.executable, "-m", "pulumi_qoder_vault.emulator", "--help"]
    known = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    for flag in re.findall(r"--[\w-]+", " ".join(commands)):
        assert flag in known


def test_the_licence_is_whole() -> None:
    """The text that pyproject.toml names."""
    text = (REPOSITORY / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text
