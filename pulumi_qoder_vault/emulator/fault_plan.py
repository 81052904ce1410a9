"""The planned faults: which request meets which."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace

from .effects import Effect

__all__ = ["FaultPlan", "PlannedFault"]


@dataclass
class PlannedFault:
    """A fault that waits for its request.

    Attributes:
        method: of the requests that can meet it; `*`: any.
        path: pattern, relative to the base URL; `*` is one segment or a part of one, `**` any number.
        name: the name of the fault; `CUSTOM` for an `Effect` that is not in the table.
        effect: what it does.
        times: requests that still meet it; None: all.
        skip: matching requests that pass before.
    """

    method: str
    path: str
    name: str
    effect: Effect = field(repr=False)
    times: int | None = 1
    skip: int = 0

    def __post_init__(self) -> None:
        wildcards = {"*": "[^/]*", "**": ".*"}
        parts = (wildcards.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", self.path))
        self._pattern = re.compile("".join(parts), re.DOTALL)

    def matches(self, method: str, path: str) -> bool:
        """Return True if a request can meet the fault."""
        return self.method in ("*", method) and self._pattern.fullmatch(path) is not None


class FaultPlan:
    """The planned faults. A request meets the one that was planned first; each counts every request for its `skip`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []

    def add(self, fault: PlannedFault) -> None:
        """Plan a fault.

        Raises:
            ValueError: no request could meet it.
        """
        if not fault.path.startswith(("/", "*")):
            raise ValueError(f"path: {fault.path!r} must start with / and be relative to the base URL")
        if fault.skip < 0 or (fault.times is not None and fault.times < 1):
            raise ValueError("times must be at least 1 (or None for always), skip at least 0")
        with self._lock:
            self._planned.append(fault)

    def take(self, method: str, path: str) -> PlannedFault | None:
        """Return the fault that a request meets, if any, and count it."""
        taken = None
        with self._lock:
            for fault in [fault for fault in self._planned if fault.matches(method, path)]:
                if fault.skip:
                    fault.skip -= 1
                elif taken is None:
                    taken = replace(fault)
                    if fault.times is not None:
                        fault.times -= 1
            self._planned = [fault for fault in self._planned if fault.times != 0]
        return taken

    def pending(self) -> list[PlannedFault]:
        """Return copies of the faults that still wait for requests."""
        with self._lock:
            return [replace(fault) for fault in self._planned]

    def clear(self) -> None:
        """Delete all planned faults."""
        with self._lock:
            self._planned.clear()
