"""What the documents say is what is there."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

import build_site
import reference
from pulumi_qoder_vault import Credential, CredentialArgs, Vault, settings
from pulumi_qoder_vault.api.request_log import RequestLog

REPOSITORY = Path(__file__).parent.parent.parent
README = (REPOSITORY / "README.md").read_text()
PAGES = sorted(REPOSITORY.glob("docs/**/*.md"))
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *PAGES, *REPOSITORY.glob("examples/*/*.md")])
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def blocks(language: str, *documents: Path) -> list[str]:
    """What stands in blocks of a language, without the indentation that a list gives them."""
    texts = [document.read_text() for document in documents or DOCUMENTS]
    return [dedent(body) for text in texts for _, name, body in BLOCK.findall(text) if name == language]


def page(name: str) -> Path:
    return REPOSITORY / "docs" / f"{name}.md"


def test_the_programs_that_are_shown_are_the_examples() -> None:
    """The program that is read is the one that is tested."""
    examples = REPOSITORY / "examples"
    assert (examples / "quickstart" / "__main__.py").read_text() in blocks("python", REPOSITORY / "README.md")
    assert (examples / "quickstart-yaml" / "Pulumi.yaml").read_text() in blocks("yaml", page("plugin"))


def test_the_readme_is_short() -> None:
    """What is longer belongs into the manual. The quick start has four lines, and nothing stands before them."""
    assert len(README.splitlines()) <= 170
    quick_start = README.split("\n## ")[1]
    assert quick_start.startswith("Quick start, without an account")
    assert 4 == len(BLOCK.findall(quick_start)[0][2].splitlines())


def test_the_two_commands_stand_before_everything_else() -> None:
    """A reader finds them right after the first paragraph; make knows both."""
    first = BLOCK.search(README)
    assert first is not None
    assert first.start() < README.index("\n## ")
    targets = re.findall(r"^make (\w+)", first[3], re.MULTILINE)
    assert ["demo", "test"] == targets
    makefile = (REPOSITORY / "Makefile").read_text()
    assert targets == [target for target in targets if f"\n{target}:" in makefile]


@pytest.mark.parametrize("code", blocks("python"))
def test_python_that_is_shown_is_python(code: str) -> None:
    """Nothing that is copied is a syntax error."""
    ast.parse(code)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_that_is_shown_is_yaml(text: str) -> None:
    """Likewise; it is a map, or a part of one."""
    assert isinstance(yaml.safe_load(text), dict)


@each_document
def test_commands_are_where_the_tests_find_them(document: Path) -> None:
    """`tests/engine/test_documented_commands.py` looks into blocks that are not indented."""
    found = [language for indent, language, _ in BLOCK.findall(document.read_text()) if indent]
    assert [] == [language for language in found if language in ("sh", "console", "bash", "shell")]


def test_the_reference_is_what_the_code_has() -> None:
    """Its tables are derived; `make reference` writes them. Each one that there is stands on the page."""
    text = page("reference").read_text()
    assert reference.render(text) == text, "run make reference"
    assert list(reference.TABLES) == re.findall(r"<!-- table: ([\w-]+) -->", text)


def table(name: str) -> Iterator[list[str]]:
    """The rows of a table of the reference, without its head."""
    found = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", page("reference").read_text(), re.DOTALL)
    assert found is not None
    yield from ([cell.strip() for cell in row.strip("|").split(" | ")] for row in found[1].split("\n")[3:] if row)


def names_in(*tables: str) -> set[str]:
    return {row[0].strip("`") for name in tables for row in table(name)}


def test_every_setting_is_in_the_reference() -> None:
    """By both of its names, with the environment's in the order in which they are read; and what is a run's."""
    rows = list(table("settings"))
    assert [f"qoder:{key}" for key in settings.KEYS] == [row[0].split("`")[1] for row in rows]
    for row, setting in zip(rows, settings.SETTINGS, strict=True):
        assert list(setting.environment) == re.findall(r"`(QODER_\w+)`", row[1])
    text = page("reference").read_text()
    assert [] == [
        name for name in (settings.DEFAULT_BASE_URL, settings.FORCE_DESTROY, settings.LOG) if name not in text
    ]


def test_every_argument_and_output_of_the_python_resources_is_in_the_reference() -> None:
    """Neither more nor less: the tables are those of the plugin, and both fronts have the same."""
    arguments = {"self", "resource_name", "opts"}
    assert set(inspect.signature(Vault.__init__).parameters) - arguments == names_in("vault-arguments")
    assert set(CredentialArgs.__annotations__) == names_in("vault-credential")
    assert set(Vault.__annotations__) == names_in("vault-arguments", "vault-outputs")
    assert set(inspect.signature(Credential.__init__).parameters) - arguments == names_in("credential-arguments")
    assert set(Credential.__annotations__) == names_in("credential-arguments", "credential-outputs")


def test_the_keys_of_the_log_of_requests_are_in_the_manual() -> None:
    """In their order."""
    written = re.findall(r'^ +"(\w+)": ', inspect.getsource(RequestLog.write), re.MULTILINE)
    part = page("troubleshooting").read_text().split("## The log of requests")[1]
    rows = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    assert written == [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_every_page_is_in_the_site_and_in_llms_txt() -> None:
    """And no other: both name the files as the repository has them."""
    documents = {str(document.relative_to(REPOSITORY)) for document in DOCUMENTS}
    navigation = (REPOSITORY / "docs" / "site.yml").read_text()
    assert sorted(documents) == sorted(re.findall(r"^ +- [\w -]+: (\S+)$", navigation, re.MULTILINE))
    index = (REPOSITORY / "llms.txt").read_text()
    assert sorted(documents) == sorted(re.findall(r"\]\((\S+)\)", index))
    assert documents == {str(file) for file in build_site.pages() if file.suffix == ".md"}
    in_the_readme = {target for target in re.findall(r"\]\(([^)#\s]+)", README) if target.startswith(("docs/", "ex"))}
    assert {name for name in documents if name.startswith(("docs/", "examples/"))} == in_the_readme


def test_the_mocks_of_the_manual_carry_a_program(tmp_path: Path) -> None:
    """The test that is shown passes beside the quickstart, without a provider and without Qoder; it can fail, too."""
    shown = next(code for code in blocks("python", page("testing")) if "class Mocks" in code)
    shutil.copytree(REPOSITORY / "examples" / "quickstart", tmp_path, dirs_exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_vault.py"]
    for code, said in ((shown, "1 passed"), (shown.replace("ids ==", "ids !="), "1 failed")):
        (tmp_path / "test_vault.py").write_text(code)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said in done.stdout, done.stdout + done.stderr


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
    """Flags in the documents' commands are in `--help`."""
    shown = "\n".join(document.read_text() for document in DOCUMENTS)
    commands = re.findall(r"^(?:qoder-emulator|\S*python -m pulumi_qoder_vault\.emulator) (.*)", shown, re.MULTILINE)
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
