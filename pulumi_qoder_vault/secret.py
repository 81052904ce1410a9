"""A value that cannot be printed, and the removal of such values from text that somebody else wrote.

Knows nothing of vaults, HTTP or Pulumi.
"""

import base64
import json
import re
import sys
import unicodedata
import urllib.parse
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

HIDDEN = "***"

# What a terminal obeys or does not show: controls, formats (zero-width, bidirectional), surrogates, separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ESCAPE = re.compile(r"%([0-9a-f]{2})|\\+u([0-9a-f]{4})|&#x([0-9a-f]{1,6});", re.IGNORECASE)
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """An access token or an API token. It compares by value, and neither prints nor pickles.

    ``reveal`` is called where a request is built, where a state is written, and where text is redacted.
    """

    _value: str

    def reveal(self) -> str:
        """Give the value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def one_line(text: str, secrets: Collection[Secret] = (), *, limit: int = 400) -> str:
    """Make somebody else's text fit to be shown: one line, no control characters, every secret replaced by ``***``.

    A secret is found also when it is encoded, in another case, or broken up by characters that a terminal does not
    show. The text is cut to ``limit`` characters after that.
    """
    obeyed = {position for sequence in _CONTROL_SEQUENCE.finditer(text) for position in range(*sequence.span())}
    plain = [_Unit(character, position, position + 1) for position, character in enumerate(text)]
    visible = [unit for unit in plain if not _is_invisible(unit.character)]
    shown = [unit for unit in visible if unit.start not in obeyed]
    # A terminal sequence may stand inside a secret, or swallow its first character; an escape may stand for any
    # character of it: look for secrets in every one of these ways.
    hidden: set[int] = set()
    for units in (visible, shown, _decoded(text)):
        hidden |= _hidden(units, secrets)

    line: list[str] = []
    before = -1
    for position in sorted({*(unit.start for unit in shown), *hidden}):
        if position in hidden:
            line.append(HIDDEN if before not in hidden else "")
        else:
            line.append(text[position] if before == position - 1 else f" {text[position]}")
        before = position
    words = " ".join("".join(line).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


class _Unit(NamedTuple):
    """One character as it is read, and the part of the text that it stands in."""

    character: str
    start: int
    end: int


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE


def _decoded(text: str) -> list[_Unit]:
    units: list[_Unit] = []
    end = 0
    for escape in _ESCAPE.finditer(text):
        units += [_Unit(text[position], position, position + 1) for position in range(end, escape.start())]
        code = int(next(filter(None, escape.groups())), 16)
        units.append(_Unit(chr(code) if code <= sys.maxunicode else " ", *escape.span()))
        end = escape.end()
    units += [_Unit(text[position], position, position + 1) for position in range(end, len(text))]
    return [unit for unit in units if not _is_invisible(unit.character)]


def _hidden(units: list[_Unit], secrets: Iterable[Secret]) -> set[int]:
    """Give the positions in the text at which, read in these units, a secret stands."""
    folded = "".join(unit.character for unit in units).translate(_LOWER)
    hidden: set[int] = set()
    for form in {form for secret in secrets for form in _forms(secret.reveal())}:
        start = folded.find(form) if form else -1
        while start >= 0:
            hidden.update(range(units[start].start, units[start + len(form) - 1].end))
            start = folded.find(form, start + 1)
    return hidden


def _forms(value: str) -> set[str]:
    """Give the spellings, in lower case, in which a server may hand a secret back."""
    value = "".join(character for character in value if not _is_invisible(character))
    raw = value.encode()
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    if len(raw) >= 4:  # the encoded forms of a shorter one are parts of ordinary words
        # Inside a longer base64 text the value starts at one of three offsets; only whole characters of it are its own.
        encoded = {
            base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")[-(-offset * 8 // 6) : -1]
            for offset in (0, 1, 2)
        }
        forms |= encoded | {form.replace("+", "-").replace("/", "_") for form in encoded}
        forms |= {urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)}
        forms |= {raw.hex(), "".join(f"%{byte:02x}" for byte in raw)}
    return {form.translate(_LOWER) for form in forms}
