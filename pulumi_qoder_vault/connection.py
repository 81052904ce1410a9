"""The process' connections to Qoder: one for all resources with the same settings, made when it is needed.

Importing this imports no HTTP.
"""

from __future__ import annotations

import functools
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import properties
from .errors import NotSent
from .secret import secrets_in
from .settings import Settings

if TYPE_CHECKING:
    from .api.client import Client
    from .api.retry import Transport
    from .lifecycle.detect import RevisionInUse

_CONNECTING = threading.Lock()
_OVER = threading.Event()
_SAID: set[object] = set()


@dataclass(frozen=True, slots=True)
class Qoder:
    """Qoder, as one operation asks it.

    Attributes:
        timeout_s: what all requests of the operation have together; None gives each one ``qoder:timeout``.
        tell: is told of every long wait, in one line.
        urn: what the operation is about, as Pulumi names it; empty where that is not known.
    """

    settings: Settings
    timeout_s: float | None = None
    tell: Callable[[str], None] | None = None
    urn: str = ""

    def api(self, *inputs: Mapping[str, Any]) -> Client:
        """Give the API, with every secret of these inputs, which it must not show."""
        from .api.client import Client

        transport, _ = _to_qoder(self.settings)
        secrets = {secret for item in inputs for secret in secrets_in(properties.to_inputs(item))}
        transport.known_secrets.update(secrets)
        deadline_s = None if self.timeout_s is None else transport.clock.monotonic_s() + self.timeout_s
        return Client(transport, tuple(secrets), deadline_s=deadline_s, tell=self.tell)

    @property
    def revision_in_use(self) -> RevisionInUse:
        """What the process knows of this Qoder's revision."""
        return _to_qoder(self.settings)[1]


def stop_waiting() -> None:
    """End every wait of the process, and let no other one begin: what is under way is ended as it can be."""
    _OVER.set()


def refuse_if_over() -> None:
    """Let nothing begin once this run is over.

    Raises:
        NotSent: it is.
    """
    if _OVER.is_set():
        raise NotSent("not begun, since this run was cancelled")


def start_waiting() -> None:
    """Let waits be waits: another engine, or the next command of one, has attached to this process."""
    _OVER.clear()
    _SAID.clear()


def is_first(subject: object) -> bool:
    """Tell if nobody has asked this about a subject before: what concerns a whole run is said once."""
    with _CONNECTING:
        is_new = subject not in _SAID
        _SAID.add(subject)
        return is_new


def _to_qoder(settings: Settings) -> tuple[Transport, RevisionInUse]:
    """Give the process' connection to one Qoder: its limits, and what it learned, hold for all resources together."""
    with _CONNECTING:  # a cache alone would let threads that come together make one each
        return _connect(settings)


@functools.cache
def _connect(settings: Settings) -> tuple[Transport, RevisionInUse]:
    from importlib.metadata import version

    from .api.rate import Clock
    from .api.retry import Transport
    from .lifecycle.detect import RevisionInUse

    names = ("pulumi-qoder-vault", "pulumi")
    user_agent = " ".join([*(f"{name}/{version(name)}" for name in names), f"python/{platform.python_version()}"])
    clock = Clock(sleep=_OVER.wait, is_over=_OVER.is_set)
    return Transport(settings, user_agent, clock), RevisionInUse(settings.revision)
