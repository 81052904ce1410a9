"""One method per endpoint of the Vaults API, typed in and out.

Paths and the repeatability of each call stand here, bodies in `revisions`, the sending in `transport`.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .. import errors
from ..lifecycle.model import Credential, ObservedCredential, ObservedVault, Place, Revision
from ..secret import Secret
from . import revisions
from .transport import Request, Transport

PAGE = 100  # the largest that the API gives (Qoder, List Vaults, read 2026-08)
MAX_PAGES = 100
T = TypeVar("T")


class Client:
    """The Vaults API, for one operation on one vault. Fulfils `lifecycle.model.VaultsApi`.

    Args:
        transport: the process' connection to Qoder.
        secrets: every access token of the vault, so that no server's text shows one.
    """

    def __init__(self, transport: Transport, secrets: Sequence[Secret] = ()) -> None:
        self._transport = transport
        self._secrets = tuple(secrets)

    @property
    def place(self) -> Place:
        """Where this run asks."""
        return Place(self._transport.settings.base_url, self._transport.settings.workspace_id)

    def create_vault(
        self,
        display_name: str,
        metadata: Mapping[str, str] | None,
        credentials: Sequence[Credential],
        *,
        sending: Revision,
    ) -> ObservedVault:
        """Create a vault, on ``2026-05`` with its credentials. One write, with an ``Idempotency-Key``.

        Raises:
            BadRequest: the body is not what this revision takes.
            AnswerLost, ServerError: a vault may exist; it is not sent again.

        Source: Qoder, Create Vault (read 2026-05-18, and 2026-08).
        """
        body = revisions.VAULT_BODY[sending](display_name, credentials)
        if metadata is not None:
            body = {**body, "metadata": dict(metadata)}
        return self._write("/vaults", body, revisions.read_vault, idempotency_key=str(uuid.uuid4()))

    def get_vault(self, vault_id: str) -> ObservedVault:
        """Read one vault, archived or not. One read.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Get Vault (read 2026-08).
        """
        request = self._request("GET", _vault_path(vault_id), is_repeatable=True)
        return self._readable(request, revisions.read_vault, self._transport.send(request))

    def archive_vault(self, vault_id: str) -> None:
        """Archive a vault, for good. One write.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived already.

        Source: Qoder, Archive Vault (read 2026-08). The official client sends ``{}``.
        """
        self._transport.send(self._request("POST", f"{_vault_path(vault_id)}/archive", body={}, is_repeatable=True))

    def delete_vault(self, vault_id: str, *, is_rollback: bool = False) -> None:
        """Delete a vault and its credentials, for good. One write.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Delete Vault (read 2026-08). The official client sends ``{}``.
        """
        path = _vault_path(vault_id)
        self._transport.send(self._request("DELETE", path, body={}, is_repeatable=True, is_rollback=is_rollback))

    def create_credential(self, vault_id: str, credential: Credential, *, sending: Revision) -> ObservedCredential:
        """Add a credential to a vault. One write, with an ``Idempotency-Key``.

        Raises:
            Conflict: the URL is taken, or there is no more room.
            AnswerLost, ServerError: it may exist; it is not sent again.

        Source: Qoder, Create Vault Credential (read 2026-08).
        """
        body = revisions.CREDENTIAL_BODY[sending](credential)
        path = f"{_vault_path(vault_id)}/credentials"
        return self._write(path, body, revisions.read_credential, idempotency_key=str(uuid.uuid4()))

    def list_credentials(self, vault_id: str) -> tuple[ObservedCredential, ...]:
        """List the active credentials of a vault. One read for each hundred.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, List Vault Credentials (read 2026-08). ``after_id`` is understood by both revisions.
        """
        found: list[ObservedCredential] = []
        after_id: str | None = None
        for _ in range(MAX_PAGES):
            query = {"limit": str(PAGE)} | ({"after_id": after_id} if after_id else {})
            request = self._request("GET", f"{_vault_path(vault_id)}/credentials", query=query, is_repeatable=True)
            items, after_id = self._readable(request, revisions.read_page, self._transport.send(request))
            found += [self._readable(request, revisions.read_credential, item) for item in items]
            if after_id is None:
                return tuple(found)
        raise errors.AnswerLost(f"GET {_vault_path(vault_id)}/credentials: the list does not end")

    def rotate_credential(self, vault_id: str, credential_id: str, credential: Credential) -> ObservedCredential:
        """Give a credential another access token, in place (``2026-07``). One write.

        Raises:
            NotFound: see its ``genuine``.
            Conflict: it is archived.

        Source: Qoder, Update Vault Credential (read 2026-08): a merge patch, so that it may be sent twice.
        """
        path = f"{_vault_path(vault_id)}/credentials/{credential_id}"
        return self._write(path, revisions.rotation_body(credential), revisions.read_credential, is_repeatable=True)

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential, for good. One write.

        Raises:
            NotFound: see its ``genuine``.

        Source: Qoder, Delete Vault Credential (read 2026-08).
        """
        path = f"{_vault_path(vault_id)}/credentials/{credential_id}"
        self._transport.send(self._request("DELETE", path, body={}, is_repeatable=True))

    def _request(self, method: str, path: str, **fields: Any) -> Request:
        return Request(method, path, secrets=self._secrets, **fields)

    def _write(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], **fields: Any) -> T:
        request = self._request("POST", path, body=body, **fields)
        return self._readable(request, read, self._transport.send(request))

    def _readable(self, request: Request, read: Callable[[Any], T], answer: Any) -> T:
        try:
            return read(answer)
        except revisions.Unreadable as failure:
            raise errors.AnswerLost(f"{request}: the answer is not what the Qoder API gives: {failure}") from None


def _vault_path(vault_id: str) -> str:
    """Give a vault's path. An id comes from a program (`Vault.get`) too, and must not lead to another path."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", vault_id, re.ASCII):
        raise errors.NotSent("the id is not one of a vault: it must be like vault_019e3bb940277f0db05ab74291acf6ef")
    return f"/vaults/{vault_id}"
