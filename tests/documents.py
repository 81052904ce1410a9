"""The documents, and the blocks of code in them, for the tests that hold them against what is there."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

REPOSITORY = Path(__file__).parent.parent
PAGES = sorted(REPOSITORY.glob("docs/**/*.md"))
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *PAGES, *REPOSITORY.glob("examples/*/*.md")])
LANGUAGES = {"console", "json", "python", "sh", "text", "yaml"}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def languages(document: Path) -> list[str]:
    """The language of each block; "" where none is named."""
    return [name for _, name, _ in _BLOCK.findall(document.read_text())]


def blocks(language: str, *documents: Path) -> list[str]:
    """What stands in blocks of a language, in their order, without the indentation that a list gives them."""
    texts = [document.read_text() for document in documents or DOCUMENTS]
    return [dedent(body) for text in texts for _, name, body in _BLOCK.findall(text) if name == language]


def shown(document: Path) -> list[tuple[str, list[str]]]:
    """What a reader types, and the lines that a terminal is shown to answer; comments and continuations are gone."""
    typed: list[tuple[str, list[str]]] = []
    for _, language, body in _BLOCK.findall(document.read_text()):
        if language not in ("sh", "console"):
            continue
        for line in re.sub(r"\s*\\\n\s*", " ", re.sub(r"\|\n\s*", "| ", dedent(body))).splitlines():
            if language == "console" and not line.startswith("$ "):
                typed[-1][1].append(line)
            elif command := re.sub(r"\s+#.*", "", line.removeprefix("$ ")).strip():
                typed.append((command, []))
    return typed


def commands(document: Path) -> list[str]:
    """What a reader types."""
    return [command for command, _ in shown(document)]
