"""How a value may be spelled in somebody else's text, and how such a text may be read: pure, and in linear time.

Knows neither which values are secret nor what is done where one is found.
"""

import base64
import html
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

BEGINNING = 8  # by so many characters a spelling is looked for, unless all of it is shorter
DEEPEST = 5  # so many times over a text is decoded
HEAD = 256  # so much of a value is enough to spell its beginning, mostly

# What a terminal obeys or does not show: controls, formats (zero-width, bidirectional), surrogates, separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# How URLs, JSON, programs and HTML write a character. Encoded again, a text gets more of what an escape begins with:
# `%252F`, `\\\/`, `&amp;#47;`. A run of it is taken at once, so that the time stays linear.
_ESCAPE = re.compile(
    r"""(?:%(?:25)*|\\+x)([0-9a-f]{2})|\\+u([0-9a-f]{4})|\\+([/"'\\])|&(?:amp;)*(\#x?[0-9a-f]{1,16}|[a-z]\w{1,30});""",
    re.ASCII | re.IGNORECASE,
)
_BEGINS_ESCAPE = re.compile(r"[%\\&]")
_LAST_ESCAPE = re.compile(r"(?:%|\\+|&)[^%\\&]*\Z")
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def folded(text: str) -> str:
    """Return a text in lower case, of the same length: only ASCII has two cases here."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def visible(text: str) -> str:
    """Return a text without what a terminal does not show."""
    if text.isprintable():
        return text
    hidden = {ord(character): None for character in set(text) if unicodedata.category(character) in _INVISIBLE}
    return text.translate(hidden) if hidden else text


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it is read.

    Attributes:
        text: what is read.
        starts: of each character, where in the original the part begins that it stands in.
        ends: of each character, where that part ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def readings(text: str) -> Iterator[Reading]:
    """Yield a text as a terminal shows it, as it is, and decoded again and again, until there is no escape in it.

    A terminal sequence may stand inside a value, or swallow its first character; an escape may stand for any character
    of it, and one of HTML or a URL for a part of one of JSON: a value may be found in any of these ways.
    """
    whole = _visible(Reading(text, range(len(text)), range(1, len(text) + 1)))
    if "\x1b" in text:
        yield shown(text)
    reading = whole
    for _ in range(DEEPEST):
        yield reading
        decoded = _decoded(reading)
        if decoded is None:
            return
        reading = decoded


def shown(text: str) -> Reading:
    """Return what a terminal shows of a text: not what it obeys."""
    kept: list[int] = []
    end = 0
    for sequence in _CONTROL_SEQUENCE.finditer(text):
        kept += range(end, sequence.start())
        end = sequence.end()
    kept += range(end, len(text))
    return _visible(Reading("".join([text[at] for at in kept]), kept, [at + 1 for at in kept]))


def _visible(reading: Reading) -> Reading:
    text = reading.text
    left = visible(text)
    if len(left) == len(text):
        return reading
    is_visible = {character: unicodedata.category(character) not in _INVISIBLE for character in set(text)}
    kept = [at for at, character in enumerate(text) if is_visible[character]]
    return Reading(left, [reading.starts[at] for at in kept], [reading.ends[at] for at in kept])


def _decoded(reading: Reading) -> Reading | None:
    """Read every escape as what it stands for, with the part of the text that the whole escape takes.

    None where there is none: an escape is longer than what it stands for, unless nobody knows it.
    """
    text = reading.text
    if not _BEGINS_ESCAPE.search(text):
        return None
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    end = 0
    for escape in _ESCAPE.finditer(text):
        before, (start, end) = end, escape.span()
        meant = _meant(escape)
        parts += (text[before:start], meant)
        starts += reading.starts[before:start]
        ends += reading.ends[before:start]
        starts += [reading.starts[start]] * len(meant)
        ends += [reading.ends[end - 1]] * len(meant)
    parts.append(text[end:])
    starts += reading.starts[end:]
    ends += reading.ends[end:]
    decoded = _visible(Reading("".join(parts), starts, ends))
    return None if len(decoded.text) == len(text) else decoded


def _meant(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for; the escape itself for an entity that HTML does not know."""
    byte, code, itself, entity = escape.groups()
    if byte or code:
        return chr(int(byte or code, 16))
    return itself or html.unescape(f"&{entity};")


# Spellings of a value. Each is a function of the value, and its beginning one of the value's beginning.


def _base64(value: str, offset: int) -> str:
    """Inside a longer base64 text a value starts at one of three offsets; only whole characters of it are its own."""
    encoded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
    return encoded[-(-offset * 8 // 6) : -1]


def _urlsafe(value: str, offset: int) -> str:
    return _base64(value, offset).replace("+", "-").replace("/", "_")


def _decoded_times(value: str, times: int) -> str:
    """In a decoded text, what a value itself has of escapes is decoded as well."""
    for _ in range(times):
        decoded = visible(_ESCAPE.sub(_meant, value))
        if len(decoded) == len(value):
            break
        value = decoded
    return value


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda value: value,
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
)
# The encoded forms of a value of less than four bytes are parts of ordinary words.
_ENCODINGS: tuple[Callable[[str], str], ...] = (
    *(partial(_base64, offset=offset) for offset in (0, 1, 2)),
    *(partial(_urlsafe, offset=offset) for offset in (0, 1, 2)),
    lambda value: urllib.parse.quote(value, safe=""),
    urllib.parse.quote_plus,
    lambda value: value.encode().hex(),
    lambda value: f"%{value.encode().hex('%')}",
    # In a decoded text, UTF-8 stands byte by byte.
    lambda value: visible(value.encode().decode("latin-1")),
)
_DECODINGS: tuple[Callable[[str], str], ...] = tuple(
    partial(_decoded_times, times=times) for times in range(1, DEEPEST)
)
_ALL = _SPELLINGS + _ENCODINGS + _DECODINGS


def _numbers(value: str) -> range:
    """Return which of all spellings a value has."""
    if len(value.encode()) < 4:
        return range(len(_SPELLINGS))
    is_escaped = _BEGINS_ESCAPE.search(value) is not None
    return range(len(_ALL) if is_escaped else len(_SPELLINGS + _ENCODINGS))


@dataclass(frozen=True, slots=True, repr=False)
class Spelling:
    """One of the spellings of a value.

    Attributes:
        beginning: how it begins, folded; all of it where it is short.
        of: the value, or what is visible of it.
        number: which spelling.
    """

    beginning: str
    of: str
    number: int

    def whole(self) -> str:
        """Return all of it, folded."""
        return folded(_ALL[self.number](self.of))


@lru_cache(maxsize=4096)
def spellings(value: str) -> tuple[Spelling, ...]:
    """Return the spellings in which a server may hand a value back."""
    seen, raw = visible(value), value.encode("utf-8", "ignore").decode()
    found = [Spelling(_beginning(seen, number), seen, number) for number in _numbers(seen)]
    if seen != raw:  # such as a key of several lines: where it is encoded, nothing of it is invisible
        encoded = range(1, len(_SPELLINGS + _ENCODINGS))
        found += [Spelling(_beginning(raw, number), raw, number) for number in _numbers(raw) if number in encoded]
    return tuple(item for item in found if item.beginning)


def _beginning(value: str, number: int) -> str:
    if len(value) > HEAD:
        head = value[:HEAD]
        times = number - len(_SPELLINGS + _ENCODINGS) + 1
        for _ in range(times):
            # What the last escape of a beginning stands for depends on what follows.
            head = visible(_ESCAPE.sub(_meant, _LAST_ESCAPE.sub("", head)))
        beginning = head if times > 0 else _ALL[number](head)
        if len(beginning) > BEGINNING:
            return folded(beginning[:BEGINNING])
    return folded(_ALL[number](value)[:BEGINNING])
