"""The accounts of the service: each has its own vaults, API tokens, service accounts and idempotency keys.

Knows neither HTTP nor what a request may do.
"""

from __future__ import annotations

import hmac
import threading
from secrets import token_hex
from typing import TYPE_CHECKING, final

from .idempotency import IdempotencyKeys
from .ids import utc_now
from .records import Credential, NewCredential, NewVault, Vault
from .service_accounts import ServiceAccounts
from .store import Store

if TYPE_CHECKING:
    from .ids import Clock

__all__ = ["Account", "Accounts", "Contents", "usable_api_token"]


class Contents:
    """The vaults of an account, and changes that no client made.

    Such a change is no request, so no fault meets it and nothing is recorded.
    """

    def _store(self) -> Store:
        raise NotImplementedError

    @property
    def vaults(self) -> list[Vault]:
        """Copies of the vaults that exist, oldest first, access tokens included."""
        return self._store().copies()

    def add_vault(self, display_name: str, *, metadata: dict[str, str] | None = None) -> Vault:
        """Create a vault without a request."""
        return self._store().create_vault(NewVault(display_name, metadata or {}))

    def archive_vault(self, vault_id: str) -> None:
        """Archive a vault without a request."""
        self._store().archive_vault(vault_id)

    def delete_vault(self, vault_id: str) -> None:
        """Delete a vault without a request."""
        self._store().delete_vault(vault_id)

    def add_credential(
        self, vault_id: str, url: str, access_token: str, *, protocol: str = "streamable_http"
    ) -> Credential:
        """Create a static bearer credential without a request; the rules of the service hold."""
        auth = {"type": "static_bearer", "mcp_server_url": url, "token": access_token}
        return self._store().create_credential(vault_id, NewCredential(auth, protocol))

    def archive_credential(self, vault_id: str, credential_id: str) -> None:
        """Archive a credential without a request."""
        self._store().archive_credential(vault_id, credential_id)

    def delete_credential(self, vault_id: str, credential_id: str) -> None:
        """Delete a credential without a request."""
        self._store().delete_credential(vault_id, credential_id)


@final
class Account(Contents):
    """One account.

    Attributes:
        store: its vaults.
        keys: its idempotency keys.
        api_tokens: the tokens that are accepted, oldest first.
        service_accounts: the keys of its service accounts, and the tokens that these were exchanged for.
    """

    def __init__(self, store: Store, api_token: str, clock: Clock = utc_now) -> None:
        self.store = store
        self.keys = IdempotencyKeys()
        self.api_tokens: tuple[str, ...] = (usable_api_token(api_token),)
        self.service_accounts = ServiceAccounts(clock)

    def _store(self) -> Store:
        return self.store

    @property
    def api_token(self) -> str:
        """The oldest API token."""
        return self.api_tokens[0]

    @api_token.setter
    def api_token(self, api_token: str) -> None:
        """Accept this API token and no other."""
        self.api_tokens = (usable_api_token(api_token),)

    def add_api_token(self, api_token: str | None = None) -> str:
        """Accept one more API token; return it.

        Raises:
            ValueError: it could not stand in a header.
        """
        added = usable_api_token(api_token or _new_api_token())
        self.api_tokens += (added,)
        return added

    def add_service_account_key(self, key: str | None = None) -> str:
        """Let a service account have this key; return it.

        Raises:
            ValueError: it could not stand in a header.
        """
        added = usable_api_token(key or f"sa-emulator-{token_hex(8)}", "service_account_key")
        self.service_accounts.add(added)
        return added

    def accepts(self, token: str) -> bool:
        """Return True if an API token, or a token of a service account, is one of this account's."""
        sent = token.encode()
        return any(hmac.compare_digest(sent, own.encode()) for own in self.api_tokens) or self.service_accounts.accepts(
            token
        )


class Accounts:
    """All accounts. The first one is the one that the emulator starts with.

    Attributes:
        lock: held while an account is added.
    """

    def __init__(self, first: Account) -> None:
        self.first = first
        self._accounts = [first]
        self._lock = threading.Lock()

    def add(self, store: Store, api_token: str | None, clock: Clock) -> Account:
        """Add an account."""
        account = Account(store, api_token or _new_api_token(), clock)
        with self._lock:
            self._accounts.append(account)
        return account

    def of(self, token: str) -> Account | None:
        """Return the account of an API token, or of a token of a service account."""
        with self._lock:
            return next((account for account in self._accounts if account.accepts(token)), None)

    def of_key(self, key: str) -> Account | None:
        """Return the account of a service-account key."""
        with self._lock:
            return next((account for account in self._accounts if account.service_accounts.has(key)), None)

    def secrets(self) -> list[str]:
        """Return every API token that is accepted, and what service accounts have and had."""
        with self._lock:
            return [
                secret
                for account in self._accounts
                for secret in (*account.api_tokens, *account.service_accounts.secrets())
            ]


def _new_api_token() -> str:
    return f"pt-emulator-{token_hex(8)}"


def usable_api_token(api_token: str, name: str = "api_token") -> str:
    """Return an API token, or another secret of that kind.

    Raises:
        ValueError: it could not stand in a header.
    """
    if not api_token or not api_token.isascii() or not api_token.isprintable() or " " in api_token:
        raise ValueError(f"{name} must be printable ASCII without spaces")
    return api_token
