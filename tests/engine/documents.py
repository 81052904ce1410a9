"""The commands that a document shows."""

from __future__ import annotations

import re
from pathlib import Path

BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """What a reader types, line by line, without comments."""
    lines = []
    for language, body in BLOCK.findall(document.read_text()):
        shown = body.replace("|\n", "\n").splitlines()
        if language == "console":
            shown = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
        lines += [re.sub(r"\s+#.*", "", line).strip() for line in shown]
    return [line for line in lines if line]
