"""`Emulator`: the server as one object, for tests and for the command line."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack, final, get_args

from .accounts import Account, Contents
from .effects import Effect
from .fault_plan import PlannedFault
from .faults import Fault
from .ids import Clock, utc_now
from .options import OptionArguments, ServiceOptions
from .revisions import RevisionName
from .server import BASE_PATH, Log, Server
from .service import Service
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from .request_log import Request

__all__ = ["DEFAULT_API_TOKEN", "DEFAULT_REVISION", "Emulator"]

DEFAULT_REVISION: RevisionName = "2026-05"
DEFAULT_API_TOKEN = "pt-emulator-0000000000"  # noqa: S105 - accepted by emulators only


@final
class Emulator(Contents):
    """A server of Qoder's Vaults API on this machine.

    Its own vaults are those of the first account.

    It listens after `start()` or in a `with` statement. `stop()` keeps the vaults, and a second `start()` takes the
    same port. Both may be called in any state and from any thread.

    Args:
        revision: may be changed while the emulator runs.
        api_token: the first account's; may be changed while the emulator runs.
        service_account_keys: of the first account, to be exchanged for tokens.
        host: address to listen on. Any address but loopback lets others connect.
        port: 0: a free port.
        log: is called with one line per request, without secrets.
        clock: the service's time, for ids and times of vaults and credentials, for lags and the header `Date`.
        options: the fields of `ServiceOptions`: undocumented behaviours of the service.

    Attributes:
        host: the address.
        port: the port; 0 before the first start if a free port was asked for.

    Raises:
        ValueError: the revision, the API token or an option has an invalid value.
        TypeError: there is no such option.
    """

    def __init__(
        self,
        revision: RevisionName = DEFAULT_REVISION,
        *,
        api_token: str = DEFAULT_API_TOKEN,
        service_account_keys: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        log: Log | None = None,
        clock: Clock = utc_now,
        **options: Unpack[OptionArguments],
    ) -> None:
        self._service = Service(_valid(revision), api_token, ServiceOptions(**options), clock)
        for key in service_account_keys:
            self.add_service_account_key(key)
        self.host, self.port = host, port
        self._log = log
        self._server: Server | None = None
        self._lock = threading.Lock()

    def start(self) -> Emulator:
        """Listen, or end an outage. Returns itself.

        Raises:
            OSError: the port is in use.
        """
        with self._lock:
            if self._server is None:
                self._service.stopping.clear()
                self._server = Server(self.host, self.port, self._service, self._log)
                self.port = self._server.server_port
            else:
                self._server.come_back()
        return self

    def stop(self) -> None:
        """Close every connection and refuse new ones. Vaults are kept.

        Raises:
            RuntimeError: a request met a defect of the emulator; its response was a 500.
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
        """True if connections are accepted: the emulator was started, and there is no outage."""
        server = self._server
        return server is not None and server.is_up

    @property
    def base_url(self) -> str:
        """The base URL for clients.

        Raises:
            RuntimeError: the emulator has no port before the first start.
        """
        if not self.port:
            raise RuntimeError("start the emulator first")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{BASE_PATH}"

    def _store(self) -> Store:
        return self._service.accounts.first.store

    @property
    def api_token(self) -> str:
        """The oldest API token of the first account. When it is set, the account's others are no longer accepted."""
        return self._service.accounts.first.api_token

    @api_token.setter
    def api_token(self, api_token: str) -> None:
        self._service.accounts.first.api_token = api_token

    def add_api_token(self, api_token: str | None = None) -> str:
        """Accept one more API token for the first account; return it.

        Raises:
            ValueError: it could not stand in a header.
        """
        return self._service.accounts.first.add_api_token(api_token)

    def add_service_account_key(self, key: str | None = None) -> str:
        """Let the first account have a service account with this key; return it.

        Raises:
            ValueError: it could not stand in a header.
        """
        return self._service.accounts.first.add_service_account_key(key)

    def revoke_service_account_key(self, key: str) -> None:
        """Revoke a service-account key of the first account, and the tokens that it was exchanged for.

        Raises:
            ValueError: there is no such key.
        """
        self._service.accounts.first.service_accounts.revoke(key)

    def revoke_service_tokens(self) -> None:
        """Revoke all tokens that keys of the first account were exchanged for; the keys stay."""
        self._service.accounts.first.service_accounts.revoke_tokens()

    def add_account(self, api_token: str | None = None) -> Account:
        """Add an account, with vaults and an API token of its own.

        Raises:
            ValueError: the API token could not stand in a header.
        """
        return self._service.add_account(api_token)

    @property
    def revision(self) -> RevisionName:
        """The revision that is served; vaults from another one are returned in its shape."""
        return self._service.revision

    @revision.setter
    def revision(self, revision: RevisionName) -> None:
        self._service.revision = _valid(revision)

    @property
    def options(self) -> ServiceOptions:
        """The undocumented behaviours that were chosen."""
        return self._service.options

    @property
    def requests(self) -> list[Request]:
        """The requests in the order in which they were handled, without secrets."""
        return self._service.request_log.requests()

    @property
    def writes(self) -> list[Request]:
        """The requests that may have changed something."""
        return [request for request in self.requests if request.is_write]

    def clear_requests(self) -> None:
        """Delete the record of requests."""
        self._service.request_log.clear()

    def had_active(self, url: str, *, after: Request, vault_id: str | None = None) -> bool:
        """Return True if a URL had an active credential right after a request, in one vault or in any."""
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
            fault: a row of the table, or another `Effect`.
            times: number of matching requests that meet it; None: all.
            skip: number of matching requests that pass before.
            retry_after: instead of the fault's default.
            delay_s: instead of the fault's default and the option `fault_delay_s`; `float("inf")` is for ever.
            location: of a redirect, instead of the fault's default.

        Raises:
            ValueError: no request could meet it.
        """
        effect = fault.value if isinstance(fault, Fault) else fault
        if retry_after is not None:
            effect = replace(effect, retry_after=str(retry_after))
        if delay_s is None and effect.delay_s:
            delay_s = self.options.fault_delay_s
        if delay_s is not None:
            effect = replace(effect, delay_s=delay_s)
        if location is not None:
            others = tuple(header for header in effect.headers if header[0] != "Location")
            effect = replace(effect, headers=(*others, ("Location", location)))
        name = fault.name if isinstance(fault, Fault) else "CUSTOM"
        self._service.faults.add(PlannedFault(method.upper(), path, name, effect, times, skip))

    @property
    def pending_faults(self) -> list[PlannedFault]:
        """The planned faults that still wait for requests."""
        return self._service.faults.pending()

    def clear_faults(self) -> None:
        """Delete all planned faults."""
        self._service.faults.clear()


def _valid(revision: RevisionName) -> RevisionName:
    if revision not in get_args(RevisionName):
        raise ValueError(f"revision must be one of {', '.join(get_args(RevisionName))}")
    return revision
