"""The gate that all text of a server goes through before anybody else sees it: no secret of the process passes.

Knows what is read of a response, and nothing of how it is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..lifecycle.model import ObservedCredential, ObservedVault
from ..secret import SHORTEST_PART, KnownSecrets, Secret
from .revisions import Unreadable

T = TypeVar("T")

MOST_CHARACTERS = 64 * 1024  # of one text; Qoder's own longest is a URL of 2,048


class Gate:
    """What may pass of a server's text. Thread-safe; one for each process and Qoder.

    Args:
        credential: the API token, or the service-account key. It never passes, whatever a program has in plain text.
    """

    def __init__(self, credential: Secret | None) -> None:
        self._lock = threading.Lock()
        self._credentials = KnownSecrets(_telling([credential] if credential else ()))
        self._known = KnownSecrets(_telling([credential] if credential else ()))
        self._plain: set[str] = set()

    def hold_back(self, secrets: Iterable[Secret]) -> None:
        """Let none of these pass from now on. One of less than eight characters may stand in any text by chance."""
        with self._lock:
            self._known.add(_telling(secrets))

    def hold_back_always(self, bearer: Secret) -> None:
        """Let what a request is sent with never pass, whatever a program has in plain text."""
        with self._lock:
            self._credentials.add(_telling([bearer]))
            self._known.add(_telling([bearer]))

    def let_pass(self, plain: Iterable[str]) -> None:
        """Let these pass as they are: the program itself has them in plain text."""
        with self._lock:
            self._plain.update(plain)

    def one_line(self, text: str, secrets: Collection[Secret] = (), *, limit: int) -> str:
        """Make a text fit to be shown, without the secrets of the process, nor these, however short."""
        with self._lock:
            line = self._known.one_line(text, limit=None)
        short = [secret for secret in secrets if len(secret.reveal()) < SHORTEST_PART]
        return KnownSecrets(short).one_line(line, limit=limit)

    def passed(self, seen: T) -> T:
        """Return what was read of a response, with every text that holds a secret made fit to be shown.

        Raises:
            Unreadable: an id holds a secret, or a text is longer than any of Qoder's.
        """
        if isinstance(seen, ObservedVault):
            self._refuse(seen.id)
            return replace(
                seen,
                display_name=self._text(seen.display_name),
                metadata=self._any(seen.metadata),
                credentials=tuple(self.passed(credential) for credential in seen.credentials),
            )
        if isinstance(seen, ObservedCredential):
            self._refuse(seen.id)
            return replace(seen, properties=self._any(seen.properties), metadata=self._any(seen.metadata))
        return seen

    def _refuse(self, id_: str) -> None:
        with self._lock:
            if self._known.holds(id_):
                raise Unreadable("an id holds a secret")

    def _any(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._text(key): self._any(item) for key, item in value.items()}
        return [self._any(item) for item in value] if isinstance(value, list) else value

    def _text(self, text: str) -> str:
        if len(text) > MOST_CHARACTERS:
            raise Unreadable(f"a text in it is longer than {MOST_CHARACTERS // 1024} KiB")
        with self._lock:
            holding_back = self._credentials if text in self._plain else self._known
            return holding_back.one_line(text, limit=None) if holding_back.holds(text) else text


def _telling(secrets: Iterable[Secret]) -> list[Secret]:
    return [secret for secret in secrets if len(secret.reveal()) >= SHORTEST_PART]
