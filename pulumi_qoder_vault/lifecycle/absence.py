"""What proves that a vault or a credential is gone. Asks, and asks again; changes nothing.

One absence proves nothing. A 404 may be a proxy's, or another place's; a service lags after a write; and to an API
token of another account every vault of this one is a genuine 404. So a vault is gone if all of these hold:

* a GET of the vault itself is answered 404, in the API's own envelope, where the state says that it was made,
* again after a pause, and over some seconds if it is young,
* while the list of vaults is shown: what is refused as a whole is another workspace,
* to the account that last saw it, or to one that sees another vault of the states of this run.

A credential is gone if its GET says so in the same way, on a Qoder whose GET of a credential shows those that are
listed; otherwise if two lists lack it, with the same pauses between them. What is shown again is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ..errors import AnotherAccount, ApiError, NotFound, QoderError, VaultNotFound
from .capabilities import QoderInUse
from .equivalence import instant_s
from .model import CredentialSet, ObservedCredential, ObservedVault, RecordedVault
from .vaults_api import VaultsApi

PAUSES_S = (1.0,)
YOUNG_S = 60.0  # one that was made so lately may not be shown everywhere yet
PAUSES_OF_YOUNG_S = (1.0, 2.0, 4.0)
NO_ROUTE = (405, 501)  # the statuses of a route that is not there
A_CREDENTIAL = "a credential in vault"
CHECKING = "not found; checking whether it is gone"


def find_vault(api: VaultsApi, recorded: CredentialSet) -> ObservedVault | None:
    """Read the vault of a state. Return None only if it is proven gone. One read where it is there.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    again = api
    for pause_s in (0.0, *pauses_s(api, recorded)):
        if pause_s:
            again = api.recovering()
            _wait(again, recorded, pause_s)
        try:
            vault = again.get_vault(recorded.vault_id)
        except NotFound as failure:
            absent = failure
            refuse_unproven(api, recorded, absent)
        else:
            api.note_seen(recorded)
            return vault
    if not again.lists_vaults():
        raise VaultNotFound(
            f"{absent}; this does not prove that vault {recorded.vault_id} is gone: {api.place} shows this run no list "
            "of vaults; check the API token and qoder:workspaceId"
        )
    if not _is_same_account(api, recorded):
        raise AnotherAccount(
            f"vault {recorded.vault_id} is not to be found at {api.place}, and this run has another API token than the "
            "one that last saw it: it is gone, or this API token is another account's"
        )
    return None


def _is_same_account(api: VaultsApi, recorded: CredentialSet) -> bool:
    """Return True if this run asks as the account that last saw a vault: absence counts only then."""
    return recorded.seen_with in (None, api.account) or api.sees_account_of(recorded)


def find_for_change(api: VaultsApi, recorded: CredentialSet) -> ObservedVault:
    """Read the vault that is to be changed.

    Raises:
        VaultNotFound: it is not to be found; ``is_absent`` if it is proven gone.
    """
    vault = find_vault(api, recorded)
    if vault is None:
        raise _gone(recorded)
    return vault


def _gone(recorded: CredentialSet, failure: NotFound | None = None) -> VaultNotFound:
    why = f"{failure}: " if failure else ""
    return VaultNotFound(
        f"{why}vault {recorded.vault_id} is gone: run pulumi refresh, then pulumi up, which creates it again",
        is_absent=True,
    )


def list_credentials(api: VaultsApi, recorded: CredentialSet) -> tuple[ObservedCredential, ...]:
    """List the active credentials of a vault; again, if only the list is not to be found.

    Raises:
        VaultNotFound: the vault is not to be found; ``is_absent`` if it is proven gone.
        NotFound: the vault is there, and its list is not.
    """
    try:
        listed = api.list_credentials(recorded.vault_id)
    except NotFound as failure:
        absent = failure
    else:
        if listed:
            api.note_seen(recorded)
        return listed
    if find_vault(api, recorded) is None:
        raise _gone(recorded, absent)
    return api.recovering().list_credentials(recorded.vault_id)


def list_if_there(api: VaultsApi, recorded: CredentialSet) -> tuple[ObservedCredential, ...] | None:
    """List the active credentials of a vault. Return None if the vault is proven gone."""
    try:
        return list_credentials(api, recorded)
    except VaultNotFound as failure:
        if failure.is_absent:
            return None
        raise


def find_credentials(
    api: VaultsApi,
    recorded: CredentialSet,
    missing: Collection[str],
    listed: Iterable[ObservedCredential],
    in_use: QoderInUse,
) -> dict[str, ObservedCredential]:
    """Look for credentials that a list lacks. Return those that are there after all; the others are proven gone.

    Args:
        api: where it is asked for.
        recorded: the vault that they were in.
        missing: their ids.
        listed: what the list showed.
        in_use: learns whether a GET of a credential proves anything.

    Raises:
        VaultNotFound: a 404 that is not the API's own, or of another place.
    """
    found: dict[str, ObservedCredential] = {}
    absent = set(missing)
    if not absent:
        return found
    if not (_is_same_account(api, recorded) and (api.place == recorded.place or api.has_shown(recorded.vault_id))):
        find_vault(api, recorded)  # an empty list is no vault
    again, shown = api.recovering(), list(listed)
    if _shows_credentials(again, recorded, shown, in_use) is not False:
        absent -= _shown(again, recorded, absent, found)
    for pause_s in _pauses_of_credentials_s(api, recorded, absent):
        _wait(again, recorded, pause_s, A_CREDENTIAL)
        if _shows_credentials(again, recorded, shown, in_use):
            absent -= _shown(again, recorded, absent, found)
        if not absent:
            return found
    if absent and not _shows_credentials(again, recorded, shown, in_use):
        found |= {item.id: item for item in again.list_credentials(recorded.vault_id) if item.id in absent}
    return found


def list_settled(
    api: VaultsApi,
    recorded: CredentialSet,
    in_question: Callable[[Sequence[ObservedCredential]], Sequence[ObservedCredential]],
) -> tuple[ObservedCredential, ...] | None:
    """List the credentials of a vault; again, after a pause, while a GET does not show some that are in question.

    A list shows for some seconds what is deleted. What it still shows then counts as there. Return None if the vault is
    proven gone.
    """
    again = api
    for pause_s in (*PAUSES_OF_YOUNG_S, 0.0):
        listed = list_if_there(again, recorded)
        again = api.recovering()
        if listed is None or all(
            is_active(again, recorded, item.id, without_get=False) for item in in_question(listed)
        ):
            break
        if pause_s:
            again.wait(pause_s, "a list shows credentials that a GET does not; checking whether they are gone")
    return listed


def is_active(api: VaultsApi, recorded: CredentialSet, credential_id: str, *, without_get: bool = True) -> bool:
    """Return True unless a GET says that a listed credential is gone, or archived; and where there is no such route."""
    try:
        return api.get_credential(recorded.vault_id, credential_id).is_active
    except NotFound as absent:
        return not absent.genuine
    except QoderError as failure:
        return without_get or not isinstance(failure, ApiError) or failure.response.status not in NO_ROUTE


def _shows_credentials(
    api: VaultsApi, recorded: CredentialSet, listed: Collection[ObservedCredential], in_use: QoderInUse
) -> bool | None:
    """Return True if a GET shows a credential that is listed; None where none is listed that could be asked for."""
    known = in_use.can(recorded.api_revision).credential_get
    if known is not None or not listed:
        return known
    shows = _get(api, recorded, next(iter(listed)).id) is not None
    in_use.learn("credential_get", is_there=shows)
    return shows


def _shown(
    api: VaultsApi, recorded: CredentialSet, ids: Iterable[str], found: dict[str, ObservedCredential]
) -> set[str]:
    for id_ in ids:
        if (seen := _get(api, recorded, id_)) is not None:
            found[id_] = seen
    return {*found}


def _get(api: VaultsApi, recorded: CredentialSet, credential_id: str) -> ObservedCredential | None:
    """Return a credential as a GET shows it; None for a 404 of the API's own, and where there is no such route."""
    try:
        return api.get_credential(recorded.vault_id, credential_id)
    except NotFound as failure:
        refuse_unproven(api, recorded, failure, A_CREDENTIAL)
        return None
    except ApiError as refusal:
        if refusal.response.status not in NO_ROUTE:
            raise
        return None


def pauses_s(api: VaultsApi, recorded: CredentialSet) -> tuple[float, ...]:
    """Return the pauses between questions about a vault, by its age; one of an unknown age counts as young."""
    created_at = recorded.created_at if isinstance(recorded, RecordedVault) else ""
    made_s = instant_s(created_at)
    is_young = made_s is None or api.server_now_s() - made_s < YOUNG_S
    return PAUSES_OF_YOUNG_S if is_young else PAUSES_S


def _pauses_of_credentials_s(api: VaultsApi, recorded: CredentialSet, ids: Collection[str]) -> tuple[float, ...]:
    """Return the pauses between questions about credentials: of an unknown age, one counts as young."""
    times = recorded.rotated_at or {}
    made_s = [instant_s(times.get(key, "")) for key, id_ in recorded.credential_ids.items() if id_ in ids]
    is_old = len(made_s) == len(ids) and all(time_s and api.server_now_s() - time_s >= YOUNG_S for time_s in made_s)
    return () if not ids else PAUSES_S if is_old else PAUSES_OF_YOUNG_S


def _wait(api: VaultsApi, recorded: CredentialSet, pause_s: float, what: str = "vault") -> None:
    """Let a pause pass in full.

    Raises:
        VaultNotFound: the run, or its time, ended before; nothing is proven.
    """
    if not api.wait(pause_s, CHECKING):
        raise VaultNotFound(f"{what} {recorded.vault_id}: not found, and no time was left to find out if it is gone")


def refuse_unproven(api: VaultsApi, recorded: CredentialSet, failure: NotFound, what: str = "vault") -> None:
    """Let only the API's own word count, and only where the vault was made.

    Raises:
        VaultNotFound: it is not that.
    """
    is_elsewhere = api.place != recorded.place and not api.has_shown(recorded.vault_id)
    if failure.genuine and not is_elsewhere:
        return
    where = f": it was created at {recorded.place}, but this run asked {api.place}" if is_elsewhere else ""
    raise VaultNotFound(f"{failure}; this does not prove that {what} {recorded.vault_id} is gone{where}") from None


def no_vault(api: VaultsApi, vault_id: str, failure: NotFound) -> VaultNotFound:
    """Return the error that says what a 404 proves of a vault that no state of ours holds."""
    if failure.genuine:
        return VaultNotFound(f"{failure}: there is no vault {vault_id} at {api.place}", is_absent=True)
    return VaultNotFound(f"{failure}; this does not prove that there is no vault {vault_id} at {api.place}")
