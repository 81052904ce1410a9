"""A value that cannot be printed, and the removal of such values from text that somebody else wrote.

Knows nothing of vaults, HTTP or Pulumi. How a value may be spelled is the subject of `spellings`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .spellings import BEGINNING, Reading, Spelling, folded, readings, shown, spellings

HIDDEN = "***"
SHORTEST_PART = BEGINNING  # of a secret that a server cut short
MOST_FINDS = 1000  # in a text; one in which secrets begin more often is hidden from there on
MOST_SPELLED = 64  # beginnings whose spellings are kept at full length

# What follows where a server cut a secret short: an ellipsis, a quotation mark, or nothing.
_CUT = re.compile(r"""\.\.\.|[\u2026"'`\xab\xb4\xbb\u2018\u2019\u201c\u201d]|\Z""")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """An access token or an API token. It compares by value, and neither prints nor pickles.

    ``reveal`` is called where a request is built, where a state is written, and where text is redacted.
    """

    _value: str

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def secrets_in(value: Any) -> set[Secret]:
    """Return every secret in maps and lists, at any depth."""
    if isinstance(value, Secret):
        return {value}
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return {secret for item in items for secret in secrets_in(item)}


def texts_in(value: Any) -> set[str]:
    """Return every plain text in maps and lists, at any depth, and every key."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return {text for key, item in value.items() for text in (str(key), *texts_in(item))}
    return {text for item in value for text in texts_in(item)} if isinstance(value, list | tuple) else set()


def one_line(text: str, secrets: Collection[Secret] = (), *, limit: int = 400) -> str:
    """Make somebody else's text fit to be shown: one line, no control characters, every secret replaced by ``***``.

    A secret is found also in another case, broken up by characters that a terminal does not show, as base64 or hex,
    with the escapes of URLs, JSON and HTML, and cut short after eight characters or more. The text is cut to ``limit``
    characters after that.
    """
    return KnownSecrets(secrets).one_line(text, limit=limit)


class KnownSecrets:
    """Secrets, to be found in text whatever their number and length. To be guarded by a lock where it grows.

    Every spelling of a secret is known by how it begins. A text is slid over once for each length of a beginning, which
    mostly is one; what begins there is spelled out and compared only where one is found.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets: set[Secret] = set()
        self._by_beginning: dict[int, dict[str, list[Spelling]]] = {}
        self._spelled: dict[str, _Spelled] = {}
        self.add(secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, secrets: Iterable[Secret]) -> None:
        """Know these as well."""
        for secret in set(secrets) - self._secrets:
            self._secrets.add(secret)
            self._spelled.clear()
            for spelling in spellings(secret.reveal()):
                known = self._by_beginning.setdefault(len(spelling.beginning), {})
                known.setdefault(spelling.beginning, []).append(spelling)

    def holds(self, text: str) -> bool:
        """Return True if a text holds a secret."""
        return any(True for reading in readings(text) for _ in self._spans(reading))

    def one_line(self, text: str, *, limit: int | None = 400) -> str:
        """Make a text fit to be shown; see the function of this name. None cuts nothing."""
        spans = [span for reading in readings(text) for span in self._spans(reading)]
        line = _written(text, spans) if spans or not text.isprintable() else text
        words = " ".join(line.split())
        return words if limit is None or len(words) <= limit else words[: limit - 1] + "…"

    def _spans(self, reading: Reading) -> Iterator[Span]:
        """Yield where in the text a secret stands, or begins and is cut."""
        text = folded(reading.text)
        cuts: list[int] = []
        finds = 0
        for length, known in self._by_beginning.items():
            for start in range(len(text) - length + 1):
                if text[start : start + length] not in known:
                    continue
                finds += 1
                if finds > MOST_FINDS:
                    yield reading.starts[start], max(reading.ends)
                    break
                cuts = cuts or [cut.start() for cut in _CUT.finditer(text)]
                end = _end(text, start, self._spelled_out(known[text[start : start + length]]), cuts)
                if end > start:
                    yield reading.starts[start], reading.ends[end - 1]

    def _spelled_out(self, known: Sequence[Spelling]) -> _Spelled:
        beginning = known[0].beginning
        if beginning not in self._spelled:
            if len(self._spelled) >= MOST_SPELLED:
                self._spelled.clear()
            self._spelled[beginning] = _Spelled.of({spelling.whole() for spelling in known})
        return self._spelled[beginning]


@dataclass(frozen=True, slots=True)
class _Spelled:
    """Spellings that begin in the same way.

    Attributes:
        forms: in order.
        parents: of each, the number of the longest other one that it begins with; -1 where there is none.
        longest: how long the longest one is.
    """

    forms: Sequence[str]
    parents: Sequence[int]
    longest: int

    @classmethod
    def of(cls, whole: Collection[str]) -> _Spelled:
        """Put spellings in order."""
        forms = sorted(whole)
        parents: list[int] = []
        for number, form in enumerate(forms):
            parent = number - 1
            while parent >= 0 and not form.startswith(forms[parent]):
                parent = parents[parent]
            parents.append(parent)
        return cls(forms, parents, max(map(len, forms)))


def _end(text: str, start: int, spelled: _Spelled, cuts: Sequence[int]) -> int:
    """Return where the longest spelling ends that stands here, or that begins here and is cut; 0 for none."""
    forms = spelled.forms
    after = bisect_right(forms, text[start : start + spelled.longest])
    # Neighbours in order have the longest beginning in common.
    common = [_common(text, start, form) for form in forms[max(after - 1, 0) : after + 1]]
    cut = cuts[bisect_right(cuts, start + max(common)) - 1] if cuts[0] <= start + max(common) else 0
    end = cut if cut >= start + SHORTEST_PART else 0
    number = after - 1
    while number >= 0 and len(forms[number]) > common[0]:
        number = spelled.parents[number]
    return max(end, start + len(forms[number])) if number >= 0 else end


def _common(text: str, start: int, form: str) -> int:
    """Return how many characters of a form stand here."""
    least, most = 0, min(len(form), len(text) - start)
    while least < most:
        middle = (least + most + 1) // 2
        if text.startswith(form[least:middle], start + least):
            least = middle
        else:
            most = middle - 1
    return least


def _written(text: str, spans: Iterable[Span]) -> str:
    """Write what a terminal shows of a text, with blanks where it shows nothing, and each secret as ``***``."""
    is_hidden = bytearray(len(text))
    end = 0
    for start, stop in sorted(spans):
        if stop > end:
            is_hidden[max(start, end) : stop] = b"\1" * (stop - max(start, end))
            end = stop
    is_shown = bytearray(is_hidden)
    for position in shown(text).starts:
        is_shown[position] = 1
    line: list[str] = []
    before = -1
    for position, is_it in enumerate(is_shown):
        if not is_it:
            continue
        if is_hidden[position]:
            line.append("" if before >= 0 and is_hidden[before] else HIDDEN)
        else:
            line.append(text[position] if before == position - 1 else f" {text[position]}")
        before = position
    return "".join(line)
