"""Which configuration keys are misspelt settings: `qoder:baseURL` must not send an API token to the default host.

Knows keys only, no values. A key is a misspelt setting if, case and punctuation aside, at most two letters differ: one
that is missing, one too many, another one, or two neighbours that changed places. All others are left alone, since a
project may itself be called `qoder`, and then its own keys are `qoder:githubToken` and the like.
"""

import unicodedata
from collections.abc import Iterable

MOST = 2  # letters that may differ


def meant(key: str, settings: Iterable[str]) -> str | None:
    """Return the setting that a key is a misspelling of; None for a setting itself, and for another key."""
    settings = tuple(settings)
    if key in settings:
        return None
    written = _letters(key)
    near = [(differing, setting) for setting in settings if (differing := _differing(written, setting.lower())) <= MOST]
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
