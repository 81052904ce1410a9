"""`Emulator`: the service as one object, for tests and for the command line."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

from .faults import Effect, Fault, PlannedFault
from .revisions import REVISIONS
from .server import BASE_PATH, Log, Server
from .service import Service
from .store import Credential, NewCredential, NewVault, Vault
from .switches import Switches

if TYPE_CHECKING:
    from types import TracebackType

    from .journal import Request

__all__ = ["DEFAULT_API_TOKEN", "Emulator"]

DEFAULT_API_TOKEN = "pt-emulator-0000000000"  # noqa: S105 - opens nothing but an emulator


@final
class Emulator:
    """A server of Qoder's Vaults API on this machine.

    It listens from `start()` or `with` on; what it holds outlives `stop()`, and a second `start()` takes the same port.
    Both may be called in any state and from any thread.

    Args:
        revision: `2026-05`, `between` or `2026-07`; may be set while it runs.
        api_token: the token that is let in; may be set while it runs.
        host: address to listen on. Any but loopback opens it to others.
        port: 0: a free one.
        log: is given one line per request, without secrets.
        switches: the fields of `Switches`: what is not known of the service.

    Raises:
        ValueError: a revision or a switch has no such value.
        TypeError: there is no such switch.
    """

    def __init__(
        self,
        revision: str = "2026-05",
        *,
        api_token: str = DEFAULT_API_TOKEN,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Log | None = None,
        **switches: Any,
    ) -> None:
        self._service = Service(_known(revision), _usable(api_token), Switches(**switches))
        self._host, self._port, self._log = host, port, log
        self._server: Server | None = None
        self._lock = threading.Lock()

    def start(self) -> Emulator:
        """Listen, or end an outage. Returns itself.

        Raises:
            OSError: the port is taken.
        """
        with self._lock:
            if self._server is None:
                self._service.stopping.clear()
                self._server = Server(self._host, self._port, self._service, self._log)
                self._port = self._server.server_port
            else:
                self._server.come_back()
        return self

    def stop(self) -> None:
        """Close every connection and refuse new ones; what exists stays.

        Raises:
            RuntimeError: a request met a defect of the emulator; it was answered 500.
        """
        with self._lock:
            server, self._server = self._server, None
            if server is not None:
                server.close()
        if server is not None and server.defects:
            raise RuntimeError("the emulator has a defect") from server.defects[0]

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def is_up(self) -> bool:
        """Whether connections are taken: it was started, and there is no outage."""
        server = self._server
        return server is not None and server.is_up

    @property
    def base_url(self) -> str:
        """What clients take as their base URL.

        Raises:
            RuntimeError: it has never been started and has no port yet.
        """
        if not self._port:
            raise RuntimeError("start the emulator first")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}{BASE_PATH}"

    @property
    def api_token(self) -> str:
        """The token that is let in."""
        return self._service.api_token

    @api_token.setter
    def api_token(self, api_token: str) -> None:
        self._service.api_token = _usable(api_token)

    @property
    def revision(self) -> str:
        """The revision that is answered now; vaults made on another are answered in its shape."""
        return self._service.revision

    @revision.setter
    def revision(self, revision: str) -> None:
        self._service.revision = _known(revision)

    @property
    def switches(self) -> Switches:
        """How what is not known is played."""
        return self._service.switches

    @property
    def vaults(self) -> list[Vault]:
        """What exists, oldest first, access tokens included: copies."""
        return self._service.store.copies()

    @property
    def requests(self) -> list[Request]:
        """What was asked, in the order in which it was handled, without secrets."""
        return self._service.journal.requests()

    @property
    def writes(self) -> list[Request]:
        """The requests that may have changed something."""
        return [request for request in self.requests if request.is_write]

    def clear_requests(self) -> None:
        """Forget what was asked."""
        self._service.journal.clear()

    def had_active(self, url: str, *, after: Request, vault_id: str | None = None) -> bool:
        """Whether an active credential for a URL existed right after a request: in one vault, or in any."""
        return any(
            url == active_url and vault_id in (None, active_vault_id)
            for active_vault_id, active_url in after.active_urls
        )

    def fail_next(
        self,
        method: str,
        path: str,
        fault: Fault | Effect,
        *,
        times: int | None = 1,
        skip: int = 0,
        retry_after: float | str | None = None,
        delay_s: float | None = None,
        location: str | None = None,
    ) -> None:
        """Plan a fault for the next matching request.

        Args:
            method: `POST`; `*` is any.
            path: relative to the base URL, `/vaults/*/credentials`: `*` is (part of) a segment, `**` is anything.
            fault: one of the table, or an `Effect` of one's own.
            times: so many matching requests get it; None: all.
            skip: so many matching requests pass before.
            retry_after: instead of the fault's own.
            delay_s: instead of the fault's own and of the switch `fault_delay_s`; `float("inf")` is for ever.
            location: of a redirect, instead of the fault's own.

        Raises:
            ValueError: it could never come up.
        """
        effect = fault.value if isinstance(fault, Fault) else fault
        if retry_after is not None:
            effect = replace(effect, retry_after=str(retry_after))
        if delay_s is None and effect.delay_s:
            delay_s = self.switches.fault_delay_s
        if delay_s is not None:
            effect = replace(effect, delay_s=delay_s)
        if location is not None:
            kept = tuple(pair for pair in effect.headers if pair[0] != "Location")
            effect = replace(effect, headers=(*kept, ("Location", location)))
        name = fault.name if isinstance(fault, Fault) else "CUSTOM"
        self._service.faults.add(PlannedFault(method.upper(), path, name, effect, times, skip))

    @property
    def pending_faults(self) -> list[PlannedFault]:
        """What was planned and has not come up in full."""
        return self._service.faults.pending()

    def clear_faults(self) -> None:
        """Forget what was planned."""
        self._service.faults.clear()

    def add_vault(self, display_name: str, *, metadata: dict[str, str] | None = None) -> Vault:
        """Make a vault behind every client's back; it is no request."""
        return self._service.store.create_vault(NewVault(display_name, metadata or {}))

    def archive_vault(self, vault_id: str) -> None:
        """Archive a vault behind every client's back."""
        self._service.store.archive_vault(vault_id)

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault behind every client's back."""
        self._service.store.delete_vault(vault_id)

    def add_credential(
        self, vault_id: str, url: str, access_token: str, *, protocol: str = "streamable_http"
    ) -> Credential:
        """Add a static bearer credential behind every client's back; the service's rules hold."""
        auth = {"type": "static_bearer", "mcp_server_url": url, "token": access_token}
        return self._service.store.create_credential(vault_id, NewCredential(auth, protocol))

    def archive_credential(self, vault_id: str, credential_id: str) -> None:
        """Archive a credential behind every client's back."""
        self._service.store.archive_credential(vault_id, credential_id)

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential behind every client's back."""
        self._service.store.delete_credential(vault_id, credential_id)


def _known(revision: str) -> str:
    if revision not in REVISIONS:
        raise ValueError(f"revision: one of {', '.join(REVISIONS)}")
    return revision


def _usable(api_token: str) -> str:
    if not api_token or not api_token.isascii() or not api_token.isprintable() or " " in api_token:
        raise ValueError("api_token: printable ASCII without spaces")
    return api_token
