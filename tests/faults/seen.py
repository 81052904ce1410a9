"""What exists at an emulator, as the judge of the hostile services looks at it.

The judge compares objects with what they were; the emulator hands out copies. So each vault and each credential has one
object here, which `look` brings up to date. What was deleted stays, and says when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from hostile.service import Credential, Item, Vault
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.emulator.accounts import Contents
from pulumi_qoder_vault.emulator.records import Credential as Record
from pulumi_qoder_vault.emulator.records import Vault as VaultRecord
from pulumi_qoder_vault.emulator.records import without_secrets
from pulumi_qoder_vault.emulator.shapes import Writer

Account = Literal["ours", "another's"]


class Seen:
    """The vaults and credentials of two accounts.

    Attributes:
        theirs: ids of what others made; all else came in a request of ours.
        account: the account of the stack.
        vaults: the vaults of both accounts, also those that are deleted.
    """

    def __init__(self, qoder: Emulator, accounts: Mapping[Account, Contents], now_s: Callable[[], float]) -> None:
        self.now_s = now_s
        self.observers: list[Callable[[], None]] = []
        self.theirs: set[str] = set()
        self.vaults: list[Vault] = []
        self._qoder = qoder
        self._accounts = accounts
        self._credentials: dict[str, Credential] = {}

    @property
    def host(self) -> str:
        return urlsplit(self._qoder.base_url).netloc

    @property
    def credentials(self) -> list[Credential]:
        return list(self._credentials.values())

    def vault(self, vault_id: str) -> Vault:
        return next(vault for vault in self.vaults if vault.id == vault_id)

    def credential(self, credential_id: str) -> Credential:
        return self._credentials[credential_id]

    def look(self) -> None:
        """Bring everything up to date."""
        there: set[str] = set()
        for account, contents in self._accounts.items():
            for record in contents.vaults:
                vault = self._vault(record, account)
                there |= {record.id, *(item.id for item in record.credentials)}
                for item in record.credentials:
                    self._credential(item, vault)
        for gone in [*self.vaults, *self.credentials]:
            if gone.id not in there and gone.deleted_s is None:
                gone.deleted_s = self.now_s()

    def _vault(self, record: VaultRecord, account: Account) -> Vault:
        found = next((vault for vault in self.vaults if vault.id == record.id), None)
        if found is None:
            made_s = record.created_at.timestamp()
            found = Vault(record.id, self._maker(record.id), made_s, {}, account, record.display_name)
            self.vaults.append(found)
        found.display_name, found.metadata = record.display_name, record.metadata
        _note_archived(found, record)
        return found

    def _credential(self, record: Record, vault: Vault) -> None:
        key = str(record.mcp_server_url or record.auth.get("secret_name"))
        found = self._credentials.get(record.id)
        if found is None:
            made_s, token = record.created_at.timestamp(), str(record.access_token)
            maker = self._maker(record.id)
            found = Credential(record.id, maker, made_s, {}, vault.id, record.type, key, {}, token)
            self._credentials[record.id] = found
            vault.credentials.append(found)
        _note_archived(found, record)
        if found.archived_s is None:
            shown = Writer(self._qoder.options).url(key) if record.mcp_server_url else key
            found.asked_key, found.token = key, str(record.access_token)
            found.fields = without_secrets(record.auth) | {"mcp_server_url": shown}

    def _maker(self, id_: str) -> Literal["us", "them"]:
        return "them" if id_ in self.theirs else "us"


def _note_archived(item: Item, record: VaultRecord | Record) -> None:
    item.archived_s = None if record.archived_at is None else record.archived_at.timestamp()
