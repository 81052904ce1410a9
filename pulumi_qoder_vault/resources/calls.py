"""Which resources a program declares in this run, and whether a deletion is of the old half of a replacement.

No single call of the engine says so; its calls to one process say it together. A deletion names a resource by its URN,
and the old half of a replacement has the URN of the new one: only the ids tell them apart. The check of a replacement
is recognised by two signs: it is the second one of its URN, and it has no old inputs. A taint and `--target-replace`
have no such second check (seen with CLI 3.274.1). A refresh compares both halves of an unfinished replacement, and
checks neither: what it compares tells nothing. Knows no resource, and nothing of gRPC.
"""

from __future__ import annotations

from ..lifecycle.inputs import Inputs


class Calls:
    """What is known of each URN. For one command and one process of a provider."""

    def __init__(self) -> None:
        self._checked: set[str] = set()
        self._ids: dict[str, str] = {}
        self._compared: dict[str, Inputs] = {}

    def note_check(self, urn: str, recorded: Inputs) -> Inputs:
        """Return what the state holds of the object that is to be replaced; nothing where none is.

        Args:
            urn: of the resource that a program declares.
            recorded: the inputs of the last deployment, as the check has them.
        """
        if urn:
            self._checked.add(urn)
        return {} if recorded else self._compared.get(urn, {})

    def note_diff(self, urn: str, id_: str, outputs: Inputs) -> None:
        """Keep what the state holds of a resource, if it is compared with a program."""
        if urn in self._checked:
            self._ids[urn], self._compared[urn] = id_, outputs

    def note_made(self, urn: str, id_: str) -> None:
        """Keep the id of what was just made."""
        if urn:
            self._ids[urn] = id_

    def is_declared(self, urn: str) -> bool:
        """Return True if a program declares it in this run."""
        return urn in self._checked

    def is_replaced(self, urn: str, id_: str) -> bool | None:
        """Return True if another object has taken the place of this one; None where no call told."""
        return self._ids[urn] != id_ if urn in self._ids else None
