"""Which id each resource of a stack has, as far as the engine's calls to this process tell.

A deletion names a resource by its URN, and the old half of a replacement has the URN of the new one: only the ids tell
them apart. A `pulumi destroy` makes no call that could tell. Knows no resource, and nothing of gRPC.
"""

from __future__ import annotations


class CurrentIds:
    """The ids that programs were compared with, and that creates made, by URN. For one process of a provider."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def note(self, urn: str, id_: str) -> None:
        """Keep the id of a resource that the program has, or that was just made."""
        if urn:
            self._ids[urn] = id_

    def is_replaced(self, urn: str, id_: str) -> bool | None:
        """Tell if another object has taken the place of this one; None where no call told."""
        return self._ids[urn] != id_ if urn in self._ids else None
