"""A value that cannot be printed, and the removal of such values from text that somebody else wrote.

Knows nothing of vaults, HTTP or Pulumi.
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NoReturn

HIDDEN = "***"

# What a terminal obeys or does not show: C0 and C1 controls, soft hyphen, zero-width and bidirectional marks.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
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
    visible = [position for position, character in enumerate(text) if not _INVISIBLE.match(character)]
    obeyed = {
        position
        for sequence in _CONTROL_SEQUENCE.finditer(text)
        for position in range(sequence.start(), sequence.end())
    }
    shown = [position for position in visible if position not in obeyed]
    # A terminal sequence may stand inside a secret, or swallow its first character: look for secrets both ways.
    hidden = _hidden(text, visible, secrets) | _hidden(text, shown, secrets)

    line: list[str] = []
    before = -1
    for position in sorted({*shown, *hidden}):
        if position in hidden:
            line.append(HIDDEN if before not in hidden else "")
        else:
            line.append(text[position] if before == position - 1 else f" {text[position]}")
        before = position
    words = " ".join("".join(line).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _hidden(text: str, positions: list[int], secrets: Iterable[Secret]) -> set[int]:
    """Give those of the positions in the text at which, read in this order, a secret stands."""
    folded = "".join(text[position] for position in positions).translate(_LOWER)
    hidden: set[int] = set()
    for form in {form for secret in secrets for form in _forms(_INVISIBLE.sub("", secret.reveal()))}:
        start = folded.find(form) if form else -1
        while start >= 0:
            hidden.update(positions[start : start + len(form)])
            start = folded.find(form, start + 1)
    return hidden


def _forms(value: str) -> set[str]:
    """Give the spellings, in lower case, in which a server may hand a secret back."""
    raw = value.encode()
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    if len(raw) >= 4:  # the encoded forms of a shorter one are parts of ordinary words
        # Inside a longer base64 text the value starts at one of three offsets; only whole characters of it are its own.
        encoded = {
            base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")[-(-offset * 8 // 6) : -1]
            for offset in (0, 1, 2)
        }
        forms |= encoded | {form.replace("+", "-").replace("/", "_") for form in encoded}
        forms |= {urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), raw.hex()}
    return {form.translate(_LOWER) for form in forms}
