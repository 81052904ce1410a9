"""One method per endpoint of the Vaults API, typed in and out.

Paths and the repeatability of each call stand here, bodies in `revisions`, the sending in `retry`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from .. import errors
from ..lifecycle.model import ACTIVE, ARCHIVED, Credential, ObservedCredential, ObservedVault, Place, Revision
from ..secret import SHORTEST_PART, Secret, one_line, one_line_each
from . import revisions
from .request import Request, Tell
from .responses import NO_CONTENT, rfc3339
from .retry import Transport

PAGE = 100  # the largest that the API gives (Qoder, List Vaults, read 2026-08)
MAX_PAGES = 100
RECOVERY_S = 30.0
LOOK_S = 3.0  # of it, for what is asked after a pause
T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Client:
    """The Vaults API, for one operation on one vault. Fulfils `lifecycle.model.VaultsApi`.

    Args:
        transport: the process' connection to Qoder.
        secrets: every access token of the vault, so that no server's text shows one.
        deadline_s: when the time for all calls together is over; None gives each call the time in ``qoder:timeout``.
        is_recovery: True if that time was given to look for, or take back, what an earlier call did.
        tell: is told of every long wait, in one line.
    """

    def __init__(
        self,
        transport: Transport,
        secrets: Sequence[Secret] = (),
        *,
        deadline_s: float | None = None,
        is_recovery: bool = False,
        tell: Tell | None = None,
    ) -> None:
        self._transport = transport
        self._secrets = tuple(secrets)
        token = transport.settings.api_token
        # A shorter one may stand in any id by chance.
        self._telling = [item for item in (*secrets, token) if item and len(item.reveal()) >= SHORTEST_PART]
        self._deadline_s = deadline_s
        self._is_recovery = is_recovery
        self._tell = tell
        self._has_seen = False

    @property
    def place(self) -> Place:
        """Where this run asks."""
        return Place(self._transport.settings.base_url, self._transport.settings.workspace_id)

    @property
    def has_seen(self) -> bool:
        """True once Qoder has shown something that was asked for: what is looked for is at this place."""
        return self._has_seen

    @property
    def deleted_ids(self) -> Collection[str]:
        """The credentials that this process deleted: a list may show them for some seconds more."""
        return self._transport.deleted_ids

    def fit_to_show(self, texts: Sequence[str], limit: int) -> list[str]:
        """Return texts of Qoder's on one line each, without a secret that this process knows of."""
        return one_line_each(texts, self._transport.known_secrets | set(self._secrets), limit=limit)

    def recovering(self) -> Client:
        """Give the same API with 30 s of its own for all that is asked of it."""
        if self._is_recovery:
            return self
        deadline_s = self._transport.clock.monotonic_s() + RECOVERY_S
        return Client(self._transport, self._secrets, deadline_s=deadline_s, is_recovery=True, tell=self._tell)

    def now_s(self) -> float:
        """Tell the time, in seconds since the epoch, by this machine's clock."""
        return self._transport.clock.now_s()

    def wait(self, wait_s: float) -> None:
        """Let time pass, before a lost response is looked for; never so much that none is left to look."""
        if self._deadline_s is not None:
            left_s = self._deadline_s - self._transport.clock.monotonic_s()
            wait_s = max(0.0, min(wait_s, left_s - LOOK_S))
        self._transport.wait(wait_s, "a response was lost: looking for what it did", self._tell)

    def create_vault(
        self,
        display_name: str,
        metadata: Mapping[str, str] | None,
        credentials: Sequence[Credential],
        *,
        sending: Revision,
        key: str,
    ) -> ObservedVault:
        """Create a vault, on ``2026-05`` with its credentials. One write, with an ``Idempotency-Key``.

        Raises:
            BadRequest: the body is not what this revision takes.
            OutcomeUnknown, ServerError: a vault may exist; it is not sent again.

        Source: Qoder, Create Vault (read 2026-05-18, and 2026-08).
        """
        body = revisions.VAULT_BODY[sending](display_name, metadata, credentials, key)
        return self._write("/vaults", body, revisions.read_vault, idempotency_key=key, begins=True)

    def get_vault(self, vault_id: str) -> ObservedVault:
        """Read one vault, archived or not. One read.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Get Vault (read 2026-08).
        """
        request = self._request("GET", _vault_path(vault_id), is_repeatable=True)
        vault = self._readable(request, revisions.read_vault, self._transport.send(request))
        if vault.id != vault_id:
            raise errors.OutcomeUnknown(f"{request}: the response is about another vault; check the proxy")
        return vault

    def find_vaults(
        self, display_name: str, *, key: str, since_s: float, sending: Revision
    ) -> tuple[ObservedVault, ...]:
        """List the active vaults that a create's key marks, and those of its name that were made since a time.

        One read for each hundred. Whatever the query did, names are compared here: Qoder's filter finds substrings, in
        any case. The time, of ``now_s``, is turned into Qoder's own by the ``Date`` of its responses. The mark is worth
        more than both: Qoder may write names in another form, and have clocks that differ.

        Source: Qoder, List Vaults (read 2026-08). ``after_id`` is understood by both revisions.
        """
        found = self._list("/vaults", revisions.read_vault, revisions.NAME_QUERY[sending](display_name))
        since = rfc3339(since_s + self._transport.ahead_s).removesuffix("Z")
        return tuple(
            vault
            for vault in found
            if vault.status == ACTIVE
            and (
                vault.mark == key
                or (
                    vault.display_name == display_name
                    and (not vault.created_at or vault.created_at.removesuffix("Z") >= since)
                )
            )
        )

    def list_vaults(self, *, includes_archived: bool) -> tuple[ObservedVault, ...]:
        """List all vaults, the oldest first. One read for each hundred.

        Source: Qoder, List Vaults (read 2026-08, and 2026-05: there the archived ones are a list of their own).
        """
        query = {"include_archived": "true"} if includes_archived else {}
        found = self._list("/vaults", revisions.read_vault, query)
        if includes_archived and all(vault.revision is Revision.R2026_05 for vault in found):
            found += self._list("/vaults", revisions.read_vault, {"status": ARCHIVED})
        vaults = {vault.id: vault for vault in found if includes_archived or vault.status == ACTIVE}
        return tuple(sorted(vaults.values(), key=lambda vault: vault.created_at.removesuffix("Z")))

    def archive_vault(self, vault_id: str) -> None:
        """Archive a vault, for good. One write.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived already.
            OutcomeUnknown: the response does not say that it is archived.

        Source: Qoder, Archive Vault (read 2026-08). The official client sends ``{}``.
        """
        path = f"{_vault_path(vault_id)}/archive"
        self._write(path, {}, lambda answer: revisions.read_archived(answer, vault_id), is_repeatable=True)

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
        path = f"{_vault_path(vault_id)}/credentials"
        return self._write(path, body, revisions.read_credential, idempotency_key=key)

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
        request = self._request("GET", _credential_path(vault_id, credential_id), is_repeatable=True)
        credential = self._readable(request, revisions.read_credential, self._transport.send(request))
        if credential.id != credential_id:
            raise errors.OutcomeUnknown(f"{request}: the response is about another credential; check the proxy")
        return credential

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
        return self._write(path, body, revisions.read_credential, is_repeatable=True)

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
                self._transport.deleted_ids.add(credential_id)
            raise
        self._transport.deleted_ids.add(credential_id)

    def _request(self, method: str, path: str, **fields: Any) -> Request:
        if any(secret.reveal() in path for secret in self._telling):  # a program put it into the place of an id
            raise errors.NotSent("the id holds a secret, and was not sent: give the id of a vault or a credential")
        return Request(
            method,
            path,
            secrets=self._secrets,
            deadline_s=self._deadline_s,
            is_recovery=self._is_recovery,
            tell=self._tell,
            **fields,
        )

    def _list(
        self, path: str, read: Callable[[Any], T], query: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[T, ...]:
        found: list[T] = []
        after_id: str | None = None
        for _ in range(MAX_PAGES):
            page = {"limit": str(PAGE), **query} | ({"after_id": after_id} if after_id else {})
            request = self._request("GET", path, query=page, is_repeatable=True)
            items, after_id = self._readable(request, revisions.read_page, self._transport.send(request))
            found += [self._readable(request, read, item) for item in items]
            if after_id is None:
                return tuple(found)
        raise errors.OutcomeUnknown(f"GET {path}: the list does not end")

    def _write(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], **fields: Any) -> T:
        request = self._request("POST", path, body=body, **fields)
        return self._readable(request, read, self._transport.send(request))

    def _delete(self, path: str, id_: str) -> None:
        request = self._request("DELETE", path, body={}, is_repeatable=True)
        answer = self._transport.send(request)
        if answer is not NO_CONTENT:  # 2026-05
            self._readable(request, lambda answer: revisions.read_deleted(answer, id_), answer)

    def _readable(self, request: Request, read: Callable[[Any], T], answer: Any) -> T:
        try:
            seen = read(answer)
            if any(one_line(id_, self._telling) != id_ for id_ in _ids(seen)):
                raise revisions.Unreadable("an id holds a secret")
        except revisions.Unreadable as failure:
            host = self._transport.settings.host
            raise errors.OutcomeUnknown(
                f"{request}: the response (host {host}) is not what the Qoder API gives: {failure}"
            ) from None
        self._has_seen = True
        return seen


def _ids(seen: Any) -> Sequence[str]:
    """Give the ids in what was read: they go to plain outputs, and into errors."""
    credentials = seen.credentials if isinstance(seen, ObservedVault) else ()
    objects = [item for item in (seen, *credentials) if isinstance(item, ObservedVault | ObservedCredential)]
    return [item.id for item in objects]


def _vault_path(vault_id: str) -> str:
    """Give a vault's path. An id comes from a program (`Vault.get`) too, and must not lead to another path."""
    if not _ID.fullmatch(vault_id):
        raise errors.NotSent("the id is not one of a vault: it must be like vault_019e3bb940277f0db05ab74291acf6ef")
    return f"/vaults/{vault_id}"


def _credential_path(vault_id: str, credential_id: str) -> str:
    if not _ID.fullmatch(credential_id):
        raise errors.NotSent(
            "the id is not one of a credential: it must be like vcred_019e3bb940277f0db05ab74291acf6ef"
        )
    return f"{_vault_path(vault_id)}/credentials/{credential_id}"
