"""What a 404 proves: that a vault or a credential is gone, or nothing. Pure; each line says what to do next."""

from __future__ import annotations

from ..errors import NotFound, VaultNotFound
from .model import CredentialSet
from .vaults_api import VaultsApi


def is_gone(api: VaultsApi, recorded: CredentialSet, failure: NotFound) -> bool:
    """Return True if a 404 proves something: the API's own word, asked for where the vault was made."""
    return failure.genuine and api.place == recorded.place


def not_found(api: VaultsApi, recorded: CredentialSet, failure: NotFound, what: str = "vault") -> VaultNotFound:
    """Return the error that says what a 404 proves of a vault, or of what is in it."""
    if is_gone(api, recorded, failure):
        return VaultNotFound(
            f"{failure}: {what} {recorded.vault_id} is gone: run pulumi refresh, then pulumi up, which creates it again"
        )
    return VaultNotFound(
        f"{failure}; this does not prove that {what} {recorded.vault_id} is gone: it was created at {recorded.place}, "
        f"but this run asked {api.place}"
    )


def no_vault(api: VaultsApi, vault_id: str, failure: NotFound) -> VaultNotFound:
    """Return the error that says what a 404 proves of a vault that no state of ours holds."""
    if failure.genuine:
        return VaultNotFound(f"{failure}: there is no vault {vault_id} at {api.place}", is_absent=True)
    return VaultNotFound(f"{failure}; this does not prove that there is no vault {vault_id} at {api.place}")
