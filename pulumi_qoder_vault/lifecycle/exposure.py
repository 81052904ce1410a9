"""A secret in a place that is stored and shown in plain text: found before it gets there. Pure.

A state, and what `pulumi` prints, shows every property but those that are secret by `credential_types`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..secret import SHORTEST_PART, Secret
from .credential_types import ALL_FIELDS
from .inputs import Path, secrets_by_path, texts_by_path
from .model import Credential
from .problems import NO_API_TOKEN, ApiToken, Problem

# Of these only the whole text counts.
_WORDS = frozenset(name for name, row in ALL_FIELDS.items() if row.may_be_a_word)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A secret in a plain text; two are equal if text and secret are.

    Attributes:
        path: of the text.
        home: the name of the field in which the secret belongs.
    """

    path: str = field(compare=False)
    home: str = field(compare=False)
    text: str = field(repr=False)
    secret: Secret


def exposed(
    texts: Iterable[tuple[str, str]], secrets: Iterable[tuple[Path, Secret]], api_token: ApiToken
) -> Iterator[Exposed]:
    """Yield each text that holds a secret.

    Args:
        texts: what is stored in plain text, each with its path.
        secrets: of the same inputs, each with the names that lead to it.
        api_token: of this run.
    """
    homes = [(path[-1], secret) for path, secret in secrets]
    homes += [(api_token.home, secret) for secret in api_token.known]
    looked_for = [(home, secret.reveal(), secret) for home, secret in homes if len(secret.reveal()) >= SHORTEST_PART]
    for path, text in texts:
        for home, value, secret in looked_for:
            if value == text if home in _WORDS else value in text:
                yield Exposed(path, home, text, secret)


def check_exposure(found: Iterable[Exposed], held: Iterable[Exposed], api_token: ApiToken) -> Iterator[Problem]:
    """Refuse a secret in a plain text; what the state holds already is no more than a warning."""
    known = set(held)
    for path, item in sorted({item.path: item for item in found}.items()):
        named = item.home.replace("_", " ")
        is_ours = item.secret == api_token.value
        what = f"the {api_token.name}" if is_ours else f"{'an' if named[0] in 'aeiou' else 'a'} {named}"
        yield Problem(path, f"{what} stands in plain text here; it belongs in {item.home} only", item in known)


def exposures(credential: Credential) -> set[Exposed]:
    """Return the secrets of a credential in what is shown of it, as a server that echoes them would have it."""
    inputs = {**credential.properties, "metadata": credential.metadata}
    texts = ((str(path[0]), text) for path, text in texts_by_path(inputs))
    return set(exposed(texts, secrets_by_path(inputs), NO_API_TOKEN))
