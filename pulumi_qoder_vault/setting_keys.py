"""Which configuration keys are misspelt settings: `qoder:baseURL` must not send an API token to the default host.

Knows keys only, no values. The rule has two sides, since a project may itself be called `qoder`, and then its own keys
are `qoder:githubToken` and the like:

* A key is a misspelt setting if case and punctuation do not count and at most two letters differ: one that is missing,
  one too many, another one, or two neighbours that changed places.
* It is a key of the project's own if both letters are other ones in the same short word: `npmToken` is not `apiToken`,
  and `pageUrl` is not `baseUrl`.
"""

import re
import unicodedata
from collections.abc import Iterable

MOST = 2  # letters that may differ
SHORT = 5  # letters of a word that is another word once two of them differ

_WORD = re.compile("[a-z]+|[A-Z][a-z]*")


def meant(key: str, settings: Iterable[str]) -> str | None:
    """Return the setting that a key is a misspelling of; None for a setting itself, and for another key."""
    settings = tuple(settings)
    if key in settings:
        return None
    written = _letters(key)
    near = [
        (differing, setting)
        for setting in settings
        if (differing := _differing(written, setting.lower())) <= MOST and not _has_another_word(written, setting)
    ]
    return min(near)[1] if near else None


def _letters(key: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", key).casefold() if letter.isalnum())


def _differing(one: str, other: str) -> int:
    """Count the letters by which two words differ: the optimal string alignment distance, cut off above `MOST`."""
    if abs(len(one) - len(other)) > MOST:
        return MOST + 1
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, there in enumerate(other, 1):
            least = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != there))
            if i > 1 and j > 1 and one[i - 2 : i] == there + other[j - 2]:
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


def _has_another_word(written: str, setting: str) -> bool:
    """Tell if one short word of a setting has two other letters, and everything else is as it should be."""
    if len(written) != len(setting):
        return False
    for word in _WORD.finditer(setting):
        start, end = word.span()
        is_rest_right = (written[:start], written[end:]) == (setting[:start].lower(), setting[end:].lower())
        others = sum(letter != there for letter, there in zip(written[start:end], word[0].lower(), strict=True))
        if is_rest_right and others == MOST and _differing(written[start:end], word[0].lower()) == MOST:
            return len(word[0]) <= SHORT
    return False
