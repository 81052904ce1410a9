"""The process' connections to Qoder: one for all resources with the same settings, made when it is needed.

Importing this imports no HTTP.
"""

from __future__ import annotations

import functools
import platform
import threading
from typing import TYPE_CHECKING

from .settings import Settings

if TYPE_CHECKING:
    from .api.transport import Transport
    from .lifecycle.detect import RevisionInUse

_CONNECTING = threading.Lock()


def to_qoder(settings: Settings) -> tuple[Transport, RevisionInUse]:
    """Give the process' connection to one Qoder: its limits, and what it learned, hold for all resources together."""
    with _CONNECTING:  # a cache alone would let threads that come together make one each
        return _connect(settings)


@functools.cache
def _connect(settings: Settings) -> tuple[Transport, RevisionInUse]:
    from importlib.metadata import version

    from .api.transport import Transport
    from .lifecycle.detect import RevisionInUse

    names = ("pulumi-qoder-vault", "pulumi")
    user_agent = " ".join([*(f"{name}/{version(name)}" for name in names), f"python/{platform.python_version()}"])
    return Transport(settings, user_agent), RevisionInUse(settings.revision)
