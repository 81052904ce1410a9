"""The connections of a process to Qoder: one for all resources with the same settings, made when it is needed.

Importing this imports no HTTP.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import NotSent
from .lifecycle.inputs import Inputs
from .secret import Secret, secrets_in, texts_in
from .settings import Settings, log_path

if TYPE_CHECKING:
    from .api.client import Client
    from .api.rate import Clock
    from .api.retry import Transport
    from .authentication import Authentication
    from .lifecycle.capabilities import QoderInUse


class Connections:
    """The connections of one process: their limits, and what they learned, hold for all resources together.

    Args:
        clock: what their waits go by; None for the time of this machine, until `stop_waiting`.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[Settings, tuple[Transport, QoderInUse]] = {}
        self._accounts: dict[tuple[Secret, str], Authentication] = {}
        self._over = threading.Event()
        self._said: set[object] = set()

    def to(self, settings: Settings) -> tuple[Transport, QoderInUse]:
        """Return the connection to one Qoder, and what is known of it."""
        settings = replace(settings, read_references="always")  # that is nothing of Qoder's
        with self._lock:
            if settings not in self._made:
                self._made[settings] = self._connect(settings)
            return self._made[settings]

    def _connect(self, settings: Settings) -> tuple[Transport, QoderInUse]:
        from importlib.metadata import version

        from .api.exchange import authentication_of
        from .api.rate import Clock
        from .api.request_log import RequestLog
        from .api.retry import Transport
        from .authentication import exchange_origin
        from .lifecycle.capabilities import QoderInUse

        names = ("pulumi-qoder-vault", "pulumi")
        user_agent = " ".join([*(f"{name}/{version(name)}" for name in names), f"python/{platform.python_version()}"])
        clock = replace(self._clock or Clock(sleep=self._over.wait), is_over=self._over.is_set)
        path = log_path(os.environ)
        log = RequestLog(path) if path else None
        authentication = None
        if settings.service_account_key is not None:  # one token, whatever else differs
            account = settings.service_account_key, exchange_origin(settings)
            if account not in self._accounts:
                self._accounts[account] = authentication_of(settings, user_agent, clock, log)
            authentication = self._accounts[account]
        transport = Transport(settings, user_agent, clock, log=log, authentication=authentication)
        return transport, QoderInUse(settings.revision)

    def __len__(self) -> int:
        return len(self._made)

    @property
    def is_over(self) -> bool:
        """True once this run is over: nobody waits for results any more."""
        return self._over.is_set()

    def stop_waiting(self) -> None:
        """End every wait, and let no other one begin: what is under way is ended as it can be."""
        self._over.set()

    def start_waiting(self) -> None:
        """Let waits be waits: another engine, or the next command of one, has attached to this process."""
        self._over.clear()
        self._said.clear()
        for transport, _ in self._made.values():
            transport.listing.forget()

    def refuse_if_over(self) -> None:
        """Let nothing begin once this run is over.

        Raises:
            NotSent: it is.
        """
        if self.is_over:
            raise NotSent("not begun: this run was cancelled")

    def is_first(self, subject: object) -> bool:
        """Return True if nobody has asked this about a subject before: what concerns a whole run is said once."""
        with self._lock:
            is_new = subject not in self._said
            self._said.add(subject)
            return is_new

    def close(self) -> None:
        """Close them."""
        for transport, _ in self._made.values():
            transport.close()


CONNECTIONS = Connections()
"""Those of this process. A test puts its own in their place, with a clock that it moves."""


@dataclass(frozen=True, slots=True)
class Qoder:
    """Qoder, as one operation asks it.

    Attributes:
        timeout_s: what all requests of the operation have together; None gives each one ``qoder:timeout``.
        tell: is told of every long wait, in one line.
        warn: is told what a person should know, in one line.
        urn: what the operation is about, as Pulumi names it; empty where that is not known.
    """

    settings: Settings
    timeout_s: float | None = None
    tell: Callable[[str], None] | None = None
    warn: Callable[[str], None] | None = None
    urn: str = ""

    def api(self, *inputs: Inputs) -> Client:
        """Return a client that redacts every secret in these inputs."""
        from .api.client import Client

        transport, _ = CONNECTIONS.to(self.settings)
        secrets = self.hold_back(*inputs)
        deadline_s = None if self.timeout_s is None else transport.clock.monotonic_s() + self.timeout_s
        return Client(transport, tuple(secrets), deadline_s=deadline_s, tell=self.tell, warn=self.warn)

    def hold_back(self, *inputs: Inputs) -> set[Secret]:
        """Let no text of Qoder's show a secret in these inputs from now on. Return the secrets."""
        transport, _ = CONNECTIONS.to(self.settings)
        secrets = {secret for item in inputs for secret in secrets_in(item)}
        transport.hold_back(secrets, {text for item in inputs for text in texts_in(item)})
        return secrets

    @property
    def in_use(self) -> QoderInUse:
        """What the process knows of this Qoder."""
        return CONNECTIONS.to(self.settings)[1]
