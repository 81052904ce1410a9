"""The removal of secrets from text as it was first written: every spelling in every reading, in its plainest form.

Slow: the time grows with secrets, texts and lengths multiplied. The package's own, which is fast, is held against it.
"""

import base64
import html
import json
import re
import unicodedata
import urllib.parse
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from pulumi_qoder_vault.secret import Secret

HIDDEN = "***"
SHORTEST_PART = 8  # of a secret that a server cut short
DEEPEST = 5  # so many times over a text is decoded

# What a terminal obeys or does not show: controls, formats (zero-width, bidirectional), surrogates, separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# How URLs, JSON, programs and HTML write a character. Encoded again, a text gets more of what an escape begins with:
# `%252F`, `\\\/`, `&amp;#47;`. A run of it is taken at once, so that the time stays linear.
_ESCAPE = re.compile(
    r"""(?:%(?:25)*|\\+x)([0-9a-f]{2})|\\+u([0-9a-f]{4})|\\+([/"'\\])|&(?:amp;)*(\#x?[0-9a-f]{1,16}|[a-z]\w{1,30});""",
    re.ASCII | re.IGNORECASE,
)
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
# What follows where a server cut a secret short: an ellipsis, a quotation mark, or nothing.
_CUT = re.compile(r"""\.\.\.|[\u2026"'`\xab\xb4\xbb\u2018\u2019\u201c\u201d]|\Z""")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def one_line(text: str, secrets: Collection[Secret] = (), *, limit: int = 400) -> str:
    """Make somebody else's text fit to be shown: one line, no control characters, every secret replaced by ``***``.

    A secret is found also in another case, broken up by characters that a terminal does not show, as base64 or hex,
    with the escapes of URLs, JSON and HTML, and cut short after eight characters or more. The text is cut to ``limit``
    characters after that.
    """
    return one_line_each([text], secrets, limit=limit)[0]


def one_line_each(texts: Iterable[str], secrets: Collection[Secret], *, limit: int) -> list[str]:
    """Make many texts fit to be shown; see `one_line`. The spellings of the secrets are made once."""
    texts = list(texts)
    forms = {form for secret in secrets if texts for form in _forms(secret.reveal())}
    return [_fit_to_show(text, forms, limit) for text in texts]


def _fit_to_show(text: str, forms: Collection[str], limit: int) -> str:
    obeyed = {position for sequence in _CONTROL_SEQUENCE.finditer(text) for position in range(*sequence.span())}
    visible = _units(text)
    shown = [unit for unit in visible if unit.start not in obeyed]
    # A terminal sequence may stand inside a secret, or swallow its first character; an escape may stand for any
    # character of it, and one of HTML or a URL for a part of one of JSON: look for secrets in every one of these ways.
    hidden = _hidden(shown, forms)
    for units in _readings(visible):
        hidden |= _hidden(units, forms)

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


def _units(text: str) -> list[_Unit]:
    return _visible(_Unit(character, position, position + 1) for position, character in enumerate(text))


def _visible(units: Iterable[_Unit]) -> list[_Unit]:
    return [unit for unit in units if unicodedata.category(unit.character) not in _INVISIBLE]


def _readings(units: list[_Unit]) -> Iterator[list[_Unit]]:
    """Yield a text as it is, and decoded again and again, until nothing in it looks like an escape any more."""
    for _ in range(DEEPEST):
        yield units
        decoded = _decoded(units)
        if len(decoded) == len(units):  # every escape is longer than what it stands for
            return
        units = decoded


def _decoded(units: list[_Unit]) -> list[_Unit]:
    """Read every escape as what it stands for, with the part of the text that the whole escape takes."""
    decoded: list[_Unit] = []
    end = 0
    for escape in _ESCAPE.finditer(_read(units)):
        before, (start, end) = end, escape.span()
        place = units[start].start, units[end - 1].end
        decoded += units[before:start]
        decoded += [_Unit(character, *place) for character in _meant(escape)]
    return _visible(decoded + units[end:])


def _read(units: Iterable[_Unit]) -> str:
    return "".join(unit.character for unit in units)


def _meant(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for; the escape itself for an entity that HTML does not know."""
    byte, code, itself, entity = escape.groups()
    if byte or code:
        return chr(int(byte or code, 16))
    return itself or html.unescape(f"&{entity};")


def _hidden(units: list[_Unit], forms: Collection[str]) -> set[int]:
    """Return the positions in the text where, read in these units, one of these forms stands, or begins and is cut."""
    folded = _read(units).translate(_LOWER)
    cuts = [cut.start() for cut in _CUT.finditer(folded)]
    hidden: set[int] = set()
    for form in filter(None, forms):
        start = folded.find(form)
        while start >= 0:
            hidden.update(range(units[start].start, units[start + len(form) - 1].end))
            start = folded.find(form, start + 1)
        part = form[:SHORTEST_PART]
        start = folded.find(part) if len(form) > SHORTEST_PART else -1
        while start >= 0:
            first = number = bisect_left(cuts, start + SHORTEST_PART)
            while number < len(cuts) and form.startswith(folded[start : min(cuts[number], start + len(form) + 1)]):
                number += 1
            if number > first:
                hidden.update(range(units[start].start, units[cuts[number - 1] - 1].end))
            start = folded.find(part, start + 1)
    return hidden


def _forms(value: str) -> set[str]:
    """Return the spellings, in lower case, in which a server may hand a secret back."""
    units = _units(value)
    value = _read(units)
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
        # In a decoded text, UTF-8 stands byte by byte, and what a secret itself has of escapes is decoded as well.
        forms |= {_read(_units(raw.decode("latin-1"))), *(_read(reading) for reading in _readings(units))}
    return {form.translate(_LOWER) for form in forms}
