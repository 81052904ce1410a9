"""One method per endpoint of the Vaults API, typed in and out.

Owns the paths, and which call may be sent twice. Bodies are `revisions`' subject, retries `retry`'s.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from .. import errors
from ..lifecycle.equivalence import ID, instant_s
from ..lifecycle.model import (
    ACTIVE,
    ARCHIVED,
    Credential,
    CredentialSet,
    DesiredVault,
    ObservedCredential,
    ObservedVault,
    Place,
    Revision,
)
from ..secret import SHORTEST_PART, Secret
from . import revisions
from .listing import Page
from .request import JsonValue, Request, Tell
from .responses import NO_CONTENT
from .retry import Transport

PAGE = 100  # the largest that the API gives (Qoder, List Vaults, read 2026-08)
MAX_PAGES = 100
RESTARTS = 3  # of a list whose cursor is refused
LAG_S = (1.0, 2.0, 4.0)  # between questions about what a service may not show yet
RECOVERY_S = 30.0
LOOK_S = 3.0  # of it, for what is asked after a pause
T = TypeVar("T")
Observed = TypeVar("Observed", ObservedVault, ObservedCredential)


class Client:
    """The Vaults API, for one operation on one vault. Fulfils `lifecycle.vaults_api.VaultsApi`.

    Args:
        transport: the process' connection to Qoder.
        secrets: every access token of the vault, so that no server's text shows one.
        deadline_s: when the time budget of all calls together expires; None gives each call ``qoder:timeout``.
        is_recovery: True if that budget is there to look for, or take back, what an earlier call did.
        tell: is told of every long wait, in one line.
        warn: is told what a person should know, in one line.
    """

    def __init__(
        self,
        transport: Transport,
        secrets: Sequence[Secret] = (),
        *,
        deadline_s: float | None = None,
        is_recovery: bool = False,
        tell: Tell | None = None,
        warn: Tell | None = None,
    ) -> None:
        self._transport = transport
        self._secrets = tuple(secrets)
        token = transport.settings.credential
        # A shorter one may stand in any id by chance.
        self._telling = [item for item in (*secrets, token) if item and len(item.reveal()) >= SHORTEST_PART]
        self._deadline_s = deadline_s
        self._is_recovery = is_recovery
        self._tell = tell
        self._warn = warn
        self._memory = transport.memory
        self._seen: list[bool] = []  # shared with the client of a recovery

    @property
    def place(self) -> Place:
        """Where this run asks."""
        return Place(self._transport.settings.base_url, self._transport.settings.workspace_id)

    @property
    def has_seen(self) -> bool:
        """True once Qoder has shown something that was asked for: what is looked for is at this place."""
        return bool(self._seen)

    @property
    def deleted_ids(self) -> Collection[str]:
        """The credentials that this process deleted: a list may show them for some seconds more."""
        return self._memory.deleted_ids

    def fit_to_show(self, texts: Sequence[str], limit: int) -> list[str]:
        """Return texts of Qoder's on one line each, without a secret that this process knows of."""
        return [self._transport.gate.one_line(text, self._secrets, limit=limit) for text in texts]

    @property
    def account(self) -> Secret:
        """Which account asks: 16 hex digits that its API token, or its service-account key, gives.

        They give nothing of it away.
        """
        token = self._transport.settings.credential
        digest = hmac.digest(b"pulumi-qoder-vault account", (token.reveal() if token else "").encode(), "sha256")
        return Secret(digest.hex()[:16])

    @property
    def ahead_s(self) -> float:
        """How far Qoder's clock is ahead of this machine's, by the ``Date`` of its last response; never too much."""
        return self._transport.ahead_s

    def note_seen(self, recorded: CredentialSet) -> None:
        """Keep that this run was shown a vault of a state."""
        self._memory.note_recorded(recorded.vault_id, recorded.seen_with)

    def has_shown(self, vault_id: str) -> bool:
        """Return True if this run was shown a vault of a state, or its credentials."""
        return self._memory.has_shown(vault_id)

    def sees_account_of(self, recorded: CredentialSet) -> bool:
        """Return True if this run was shown a vault that the same account saw last, this one or another."""
        return self._memory.sees_account_of(recorded.seen_with)

    def claim(self, vault_id: str) -> bool:
        """Return True if nothing in this process has met a vault of this id before; from now on something has."""
        return self._memory.claim(vault_id)

    def lists_vaults(self) -> bool:
        """Return True if this place shows this run its vaults. One read, unless it has shown one already.

        Raises:
            QoderError: nobody can say.
        """
        if not self._memory.has_shown_vaults:
            try:
                self._ask(Request("GET", "/vaults", query={"limit": "1"}, is_repeatable=True), revisions.read_page)
            except errors.ApiError as refusal:
                if refusal.may_be_done or isinstance(refusal, errors.RateLimited):
                    raise
                return False
            self._memory.has_shown_vaults = True
        return True

    def warn(self, line: str) -> None:
        """Show a warning under the resource that this is about."""
        if self._warn is not None:
            self._warn(line)

    def recovering(self) -> Client:
        """Return the same API with a time budget of 30 s for all that is asked of it."""
        if self._is_recovery:
            return self
        deadline_s = self._transport.clock.monotonic_s() + RECOVERY_S
        client = Client(
            self._transport, self._secrets, deadline_s=deadline_s, is_recovery=True, tell=self._tell, warn=self._warn
        )
        client._seen = self._seen
        return client

    def now_s(self) -> float:
        """Return the time, in seconds since the epoch, by this machine's clock."""
        return self._transport.clock.now_s()

    def server_now_s(self) -> float:
        """Return the time, in seconds since the epoch, by Qoder's clock."""
        return self.now_s() + self.ahead_s

    def wait(self, wait_s: float, why: str) -> bool:
        """Let time pass, and tell why if it is long; leave time to look. Return False if it did not pass in full."""
        clock = self._transport.clock
        began_s, asked_s = clock.monotonic_s(), wait_s
        if self._deadline_s is not None:
            wait_s = max(0.0, min(wait_s, self._deadline_s - began_s - LOOK_S))
        self._transport.wait(wait_s, why, self._tell)
        return not clock.is_over() and wait_s == asked_s

    def create_vault(self, desired: DesiredVault, *, sending: Revision, key: str) -> ObservedVault:
        """Create a vault, on ``2026-05`` with its credentials. One write, with an ``Idempotency-Key``.

        Raises:
            BadRequest: the body is not what this revision takes.
            OutcomeUnknown, ServerError: a vault may exist; it is not sent again.

        Source: Qoder, Create Vault (read 2026-05-18, and 2026-08).
        """
        body = revisions.VAULT_BODY[sending](desired, key)
        request = Request("POST", "/vaults", body=body, idempotency_key=key, begins=True)
        return self._shown(self._ask(request, revisions.read_vault))

    def get_vault(self, vault_id: str) -> ObservedVault:
        """Read one vault, archived or not. One read.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Get Vault (read 2026-08).
        """
        vault = self._shown(self._get(_vault_path(vault_id), vault_id, revisions.read_vault))
        self._memory.has_shown_vaults = True
        return vault

    def find_listed(self, vault_id: str) -> ObservedVault | None:
        """Return an active vault from the listing of this run; None for one that is to be asked for by itself.

        No read for most vaults, one for each hundred. Absence proves nothing.

        Source: Qoder, List Vaults (read 2026-08).
        """

        def read_page(cursor: Mapping[str, str]) -> Page:
            request = Request("GET", "/vaults", query={"limit": str(PAGE), **cursor}, is_repeatable=True)
            items, after = self._ask(request, revisions.read_page)
            return [self._read(request, revisions.read_vault, item) for item in items], after

        try:
            vault = self._transport.listing.find(vault_id, read_page)
        except errors.QoderError:  # it ends with what it has shown
            return None
        return vault if vault is not None and vault.status == ACTIVE else None

    def look_for_vaults(self, display_name: str) -> tuple[tuple[ObservedVault, ...], errors.QoderError | None]:
        """List the active vaults, those with such a name if Qoder can; and what broke the list off, if anything did.

        One read for each hundred. Qoder's filter finds substrings, in any case, and names in the form that it stores:
        who asks compares them. A Qoder that refuses the filter is asked for all.

        Source: Qoder, List Vaults (read 2026-08).
        """
        query = revisions.name_query(display_name)
        found, failure = self._pages("/vaults", revisions.read_vault, query)
        if query and not found and isinstance(failure, errors.ApiError) and not failure.may_be_done:
            found, failure = self._pages("/vaults", revisions.read_vault)
        return tuple(vault for vault in found if vault.status == ACTIVE), failure

    def list_vaults(self, *, includes_archived: bool) -> tuple[ObservedVault, ...]:
        """List all vaults, the oldest first. One read for each hundred.

        Source: Qoder, List Vaults (read 2026-08, and 2026-05: there the archived ones are a list of their own).
        """
        query = {"include_archived": "true"} if includes_archived else {}
        found = self._list("/vaults", revisions.read_vault, query)
        if includes_archived and all(revisions.LISTS_ARCHIVED_APART[vault.revision] for vault in found):
            found += self._list("/vaults", revisions.read_vault, {"status": ARCHIVED})
        vaults = {vault.id: vault for vault in found if includes_archived or vault.status == ACTIVE}
        return tuple(sorted(vaults.values(), key=lambda vault: instant_s(vault.created_at) or 0.0))

    def archive_vault(self, vault_id: str) -> bool:
        """Archive a vault, for good. One write. Return False if the response does not show that it is archived.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived already.
            OutcomeUnknown: the response is about something else.

        Source: Qoder, Archive Vault (read 2026-08). The official client sends ``{}``.
        """
        request = Request("POST", f"{_vault_path(vault_id)}/archive", body={}, is_repeatable=True)
        return self._ask(request, lambda response: revisions.read_archived(response, vault_id))

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault and its credentials, for good. One write.

        Raises:
            NotFound: see its ``genuine``.
            OutcomeUnknown: the response does not say that it is deleted.

        Source: Qoder, Delete Vault (read 2026-08). The official client sends ``{}``.
        """
        self._delete(_vault_path(vault_id), vault_id)

    def create_credential(
        self, vault_id: str, credential: Credential, *, sending: Revision, key: str
    ) -> ObservedCredential:
        """Add a credential to a vault. One write, with an ``Idempotency-Key``.

        Raises:
            Conflict: the URL is taken, or there is no more room.
            OutcomeUnknown, ServerError: it may exist; it is not sent again.

        Source: Qoder, Create Vault Credential (read 2026-08).
        """
        body = revisions.CREDENTIAL_BODY[sending](credential)
        request = Request("POST", f"{_vault_path(vault_id)}/credentials", body=body, idempotency_key=key)
        return self._shown(self._ask(request, revisions.read_credential))

    def list_credentials(self, vault_id: str) -> tuple[ObservedCredential, ...]:
        """List the active credentials of a vault. One read for each hundred.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, List Vault Credentials (read 2026-08). ``after_id`` is understood by both revisions.
        """
        return self._list(f"{_vault_path(vault_id)}/credentials", revisions.read_credential)

    def get_credential(self, vault_id: str, credential_id: str) -> ObservedCredential:
        """Read one credential, archived or not. One read.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Get Vault Credential (read 2026-08).
        """
        return self._get(_credential_path(vault_id, credential_id), credential_id, revisions.read_credential)

    def update_credential(
        self, vault_id: str, credential_id: str, before: Credential, after: Credential, *, is_sure: bool = True
    ) -> ObservedCredential:
        """Change the access token, and what else may change, in place (``2026-07``). One write.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived.

        Source: Qoder, Update Vault Credential (read 2026-08): a merge patch, so that it may be sent twice.
        """
        path, body = _credential_path(vault_id, credential_id), revisions.update_body(before, after, is_sure=is_sure)
        request = Request("POST", path, body=body, is_repeatable=True)
        return self._about(request, credential_id, self._ask(request, revisions.read_credential))

    def archive_credential(self, vault_id: str, credential_id: str) -> bool:
        """Archive a credential, for good: its secrets are gone. One write. Return False if that is not shown.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived already.
            OutcomeUnknown: the response is about something else.

        Source: Qoder, Archive Vault Credential (read 2026-08).
        """
        path = f"{_credential_path(vault_id, credential_id)}/archive"
        request = Request("POST", path, body={}, is_repeatable=True)
        is_archived = self._ask(request, lambda response: revisions.read_archived(response, credential_id))
        self._memory.deleted_ids.add(credential_id)
        return is_archived

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, for good. One write.

        Raises:
            NotFound: see its ``genuine``.
            OutcomeUnknown: the response does not say that it is deleted.

        Source: Qoder, Delete Vault Credential (read 2026-08).
        """
        try:
            self._delete(_credential_path(vault_id, credential_id), credential_id)
        except errors.NotFound as failure:
            if failure.genuine:  # an earlier attempt may have deleted it
                self._memory.deleted_ids.add(credential_id)
            raise
        self._memory.deleted_ids.add(credential_id)

    def validate_credential(self, vault_id: str, credential_id: str) -> revisions.Validation:
        """Let Qoder try an OAuth credential, which may refresh its access token. One write.

        Raises:
            BadRequest: it is of another type.
            NotFound: there is none, or this Qoder does not validate.
            Conflict: it is archived.

        Source: Qoder, Vault Credentials (read 2026-08). The official client, qca-sdk 0.11.0, sends ``{}``.
        """
        request = Request("POST", f"{_credential_path(vault_id, credential_id)}/mcp_oauth_validate", body={})
        seen = self._ask(request, lambda response: revisions.read_validation(response, credential_id))
        (word,) = self.fit_to_show([seen.refresh_status or ""], limit=40)
        return seen._replace(refresh_status=word or None)

    def _get(self, path: str, id_: str, read: Callable[[JsonValue], Observed]) -> Observed:
        request = Request("GET", path, is_repeatable=True)
        return self._about(request, id_, self._ask(request, read))

    def _about(self, request: Request, id_: str, seen: Observed) -> Observed:
        if seen.id != id_:
            what = "vault" if isinstance(seen, ObservedVault) else "credential"
            raise errors.OutcomeUnknown(f"{request}: the response is about another {what}; check the proxy")
        return seen

    def _shown(self, seen: Observed) -> Observed:
        self._memory.note_shown(seen.id, self._transport.clock.monotonic_s())
        return seen

    def _list(
        self, path: str, read: Callable[[JsonValue], Observed], query: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Observed, ...]:
        found, failure = self._pages(path, read, query)
        if failure is not None:
            raise failure
        return found

    def _pages(
        self, path: str, read: Callable[[JsonValue], Observed], query: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[tuple[Observed, ...], errors.QoderError | None]:
        """Return what a list shows, and what broke it off, if anything did. A cursor that is gone starts it again."""
        found: dict[str, Observed] = {}
        cursor: Mapping[str, str] = {}
        asked: list[Mapping[str, str]] = []
        restarts = 0
        for _ in range(MAX_PAGES):
            request = Request("GET", path, query={"limit": str(PAGE), **query, **cursor}, is_repeatable=True)
            try:
                items, after = self._ask(request, revisions.read_page)
                for item in items:
                    seen = self._read(request, read, item)
                    found.setdefault(seen.id, seen)
            except (errors.BadRequest, errors.NotFound) as failure:
                restarts += 1
                if not cursor or restarts > RESTARTS:
                    return tuple(found.values()), failure if not cursor else _unending(request)
                cursor, asked = {}, []  # what it pointed at is gone
                continue
            except errors.QoderError as failure:
                return tuple(found.values()), failure
            if after is None:
                return tuple(found.values()), None
            if after in asked:
                return tuple(found.values()), _unending(request)
            cursor = after
            asked.append(after)
        return tuple(found.values()), errors.OutcomeUnknown(f"GET {path}: the list has more than {MAX_PAGES} pages")

    def _delete(self, path: str, id_: str) -> None:
        request = Request("DELETE", path, body={}, is_repeatable=True)
        response = self._send(request)
        if response is not NO_CONTENT:  # 2026-05
            self._read(request, lambda response: revisions.read_deleted(response, id_), response)

    def _ask(self, request: Request, read: Callable[[JsonValue], T]) -> T:
        return self._read(request, read, self._send(request))

    def _send(self, request: Request) -> JsonValue:
        if any(secret.reveal() in request.path for secret in self._telling):  # a program put it into the place of an id
            raise errors.NotSent("the id holds a secret, and was not sent: give the id of a vault or a credential")
        ours = replace(
            request,
            secrets=self._secrets,
            deadline_s=self._deadline_s,
            is_recovery=self._is_recovery,
            tell=self._tell,
        )
        for pause_s in (*LAG_S, 0.0):
            try:
                return self._transport.send(ours)
            except errors.NotFound as absent:
                if not absent.genuine or not self._is_under_fresh(request) or not pause_s:
                    raise
                if not self.wait(pause_s, f"{request} was not found, under what Qoder showed a moment ago; retrying"):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _is_under_fresh(self, request: Request) -> bool:
        """Return True if a request is about what belongs to an object that was shown a moment ago: services lag.

        Whether an object itself is gone is asked by who knows its age.
        """
        _, *ids = request.path.split("/")[1:]
        is_collection = ids[1:] in (["credentials"], ["archive"])
        is_of_credential = len(ids) >= 3 and request.method != "GET"
        parent = ids[0] if is_collection else ids[2] if is_of_credential else ""
        return self._memory.is_fresh(parent, self._transport.clock.monotonic_s())

    def _read(self, request: Request, read: Callable[[JsonValue], T], response: JsonValue) -> T:
        try:
            seen = self._transport.gate.passed(read(response))
        except revisions.Unreadable as failure:
            host = self._transport.settings.host
            raise errors.OutcomeUnknown(
                f"{request}: the response (host {host}) is not in the Qoder API's format: {failure}"
            ) from None
        self._seen[:] = [True]
        return seen


def _unending(request: Request) -> errors.OutcomeUnknown:
    return errors.OutcomeUnknown(f"{request}: the list does not come to an end: its cursors are refused, or repeat")


def _vault_path(vault_id: str) -> str:
    """Return a vault's path. An id comes from a program (`Vault.get`) too, and must not lead to another path."""
    if not ID.fullmatch(vault_id):
        raise errors.NotSent("the id is not a vault id: it must be like vault_019e3bb940277f0db05ab74291acf6ef")
    return f"/vaults/{vault_id}"


def _credential_path(vault_id: str, credential_id: str) -> str:
    if not ID.fullmatch(credential_id):
        raise errors.NotSent("the id is not a credential id: it must be like vcred_019e3bb940277f0db05ab74291acf6ef")
    return f"{_vault_path(vault_id)}/credentials/{credential_id}"
