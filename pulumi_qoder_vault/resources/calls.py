"""What the engine's calls to this process tell of a resource together. Knows no resource, and nothing of gRPC.

A deletion names a resource by its URN, and the old half of a replacement has the URN of the new one: only the ids tell
them apart. A check does not say that it is for a replacement: but it is the second one of its URN, without old inputs.
A taint and `--target-replace` have no such second check (seen with CLI 3.274.1).
"""

from __future__ import annotations

from ..lifecycle.model import Inputs


class Calls:
    """What is known of each URN. For one command and one process of a provider."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._recorded: dict[str, Inputs] = {}

    def note_check(self, urn: str, recorded: Inputs) -> Inputs:
        """Return the inputs of the object that this check's resource is to replace; none where it replaces nothing.

        Args:
            urn: the resource's.
            recorded: the inputs of the last deployment, as the check has them.
        """
        if not recorded:
            return self._recorded.get(urn, {})
        if urn:
            self._recorded[urn] = recorded
        return {}

    def note_id(self, urn: str, id_: str) -> None:
        """Keep the id of a resource that the program has, or that was just made."""
        if urn:
            self._ids[urn] = id_

    def is_replaced(self, urn: str, id_: str) -> bool | None:
        """Tell if another object has taken the place of this one; None where no call told."""
        return self._ids[urn] != id_ if urn in self._ids else None
