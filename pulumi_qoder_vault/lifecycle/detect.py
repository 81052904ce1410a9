"""Which revision to write a create for, where the setting is ``auto``: one response teaches the whole process.

Knows how a response shows its revision; sends nothing itself.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ErrorResponse
from .check import NO_CREDENTIAL
from .model import Revision

_CREDENTIALS_KEY = re.compile(r"(?<![\w.\[])credentials(?![\w.\[])")


def refuses_credentials_key(response: ErrorResponse) -> bool:
    """True if a 400 is about the key ``credentials`` itself, as a ``2026-07`` server may answer the older form.

    The older API's own sentence, that a vault needs a credential, is not; nor is a fault of one credential.
    """
    if response.status != 400 or NO_CREDENTIAL in response.message:
        return False
    return response.param == "credentials" or bool(_CREDENTIALS_KEY.search(response.message))


class RevisionInUse:
    """The revision that creates are written for: a setting, or what the first create of the process found out."""

    def __init__(self, setting: str) -> None:
        self._known = None if setting == "auto" else Revision(setting)
        self._is_explicit = setting != "auto"
        self._first_create = threading.Lock()
        self._taught_nothing = False

    @contextmanager
    def known(self) -> Iterator[Revision | None]:
        """Give the revision; None to the first caller, who has to find out, while all others wait for its response.

        If that taught nothing, each of them finds out by itself: one that fails slowly must not make them queue.
        """
        if self._known is None and not self._taught_nothing:
            with self._first_create:
                if self._known is None and not self._taught_nothing:
                    try:
                        yield None
                    finally:
                        self._taught_nothing = self._known is None
                    return
        yield self._known

    def remember(self, revision: Revision) -> None:
        """Keep what a response showed, for all later creates."""
        self._known = revision

    def for_vault(self, recorded: Revision) -> Revision:
        """Give the revision to write for in a vault that exists: the setting, else the one that answered last."""
        return self._known if self._is_explicit and self._known is not None else recorded
