"""Delete a vault or a credential, or archive it where it cannot be deleted; know that it is gone.

No page says that every Qoder answers DELETE: the flat pages have no such route for credentials, and a vault may be kept
for the sessions that refer to it. So a 404 to a DELETE proves nothing while the object is shown: it is archived then,
which ends its use as well. Decides nothing about whose an object is; that is asked before. Knows neither HTTP nor
Pulumi.
"""

from __future__ import annotations

from ..errors import ApiError, Conflict, NotFound, OutcomeUnknown, QoderError
from .absence import NO_ROUTE, PAUSES_OF_YOUNG_S, PAUSES_S, find_credentials, find_vault, pauses_s
from .capabilities import QoderInUse
from .model import ACTIVE, CredentialSet, RecordedVault
from .recovery import send_again_if_lost
from .vaults_api import VaultsApi

_ABSENT = (404, 410, *NO_ROUTE)  # of a route that is not there, or of an object that is not


def remove_vault(api: VaultsApi, recorded: RecordedVault, in_use: QoderInUse, *, archives: bool) -> bool:
    """Delete a vault, or archive it. Return True if it is archived. One that is gone is success. One write.

    Args:
        api: where it is asked for.
        recorded: what the state holds of it.
        in_use: says, and learns, whether it can be deleted.
        archives: True if it is to be archived.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    if archives:
        return _archive_vault(api, recorded)
    why = "it has no deletion of vaults"
    if in_use.can(recorded.api_revision).vault_deletion:
        refusal = _delete_vault(api, recorded)
        if refusal is None:
            return False
        why = str(refusal)
        if not isinstance(refusal, Conflict):
            in_use.learn("vault_deletion", is_there=False)
    is_archived = _archive_vault(api, recorded)
    if is_archived:
        api.warn(
            f"vault {recorded.vault_id} was archived instead, since Qoder refuses to delete it ({why}): nobody can use "
            "it any more; delete it at Qoder where it is in the way"
        )
    return is_archived


def _delete_vault(api: VaultsApi, recorded: RecordedVault) -> ApiError | None:
    """Delete a vault. Return the refusal, also the second one, of a vault that is there, and active."""
    for pause_s in (*pauses_s(api, recorded), 0.0):
        refusal = _refusal_of_deletion(api, recorded)
        if refusal is None or refusal.response.status in NO_ROUTE:
            break
        why = f"vault {recorded.vault_id} is shown, and Qoder refuses to delete it; trying again"
        if pause_s and not api.recovering().wait(pause_s, why):
            raise refusal
    return refusal


def _refusal_of_deletion(api: VaultsApi, recorded: RecordedVault) -> ApiError | None:
    try:
        send_again_if_lost(api, lambda api: api.delete_vault(recorded.vault_id))
    except ApiError as failure:
        is_refused = isinstance(failure, Conflict) or failure.response.status in _ABSENT
        if not is_refused and not failure.may_be_done:
            raise
        if find_vault(api.recovering(), recorded) is None:
            return None
        if not is_refused:
            raise
        return failure
    except OutcomeUnknown:
        if find_vault(api.recovering(), recorded) is not None:
            raise
    return None


def _archive_vault(api: VaultsApi, recorded: RecordedVault) -> bool:
    """Archive a vault. Return False for one that is gone: some servers hide what is archived."""
    failure: QoderError = OutcomeUnknown(
        f"POST /vaults/{recorded.vault_id}/archive: accepted, but Qoder still shows the vault as active"
    )
    try:
        if send_again_if_lost(api, lambda api: api.archive_vault(recorded.vault_id)):
            return True
    except (Conflict, NotFound, OutcomeUnknown) as refusal:  # it may be archived, or gone
        failure = refusal
    again = api.recovering()
    for pause_s in (*PAUSES_OF_YOUNG_S, 0.0):
        vault = find_vault(again, recorded)
        if vault is None:
            return False
        if vault.status != ACTIVE:
            return True
        if pause_s and not again.wait(pause_s, f"vault {recorded.vault_id} is not shown as archived yet"):
            break
    raise failure


def is_left(api: VaultsApi, vault_id: str) -> bool:
    """Return True unless Qoder says that a vault which was just deleted is gone. One read, or a few."""
    for pause_s in (*PAUSES_OF_YOUNG_S, 0.0):
        try:
            api.get_vault(vault_id)
        except NotFound as absent:
            return not absent.genuine
        except QoderError:
            return True
        if pause_s:
            api.wait(pause_s, f"vault {vault_id} was deleted, and is still shown")
    return True


def remove_credential(api: VaultsApi, recorded: CredentialSet, credential_id: str, in_use: QoderInUse) -> None:
    """Delete a credential, or archive it where it cannot be deleted. One that is gone is success. One write."""
    if in_use.can(recorded.api_revision).credential_deletion:
        if _is_deleted(api, recorded, credential_id, in_use):
            return
        in_use.learn("credential_deletion", is_there=False)
    _archive_credential(api, recorded, credential_id, in_use)


def _is_deleted(api: VaultsApi, recorded: CredentialSet, credential_id: str, in_use: QoderInUse) -> bool:
    """Delete a credential. Return False if it is there, and Qoder has no deletion of credentials."""
    for pause_s in (*PAUSES_S, 0.0):
        try:
            send_again_if_lost(api, lambda api: api.delete_credential(recorded.vault_id, credential_id))
            return True
        except (ApiError, OutcomeUnknown) as refusal:
            failure = refusal
        is_refused = isinstance(failure, ApiError) and failure.response.status in _ABSENT
        if not is_refused and not failure.may_be_done:
            raise failure
        again = api.recovering()
        was_listed, is_active = _look(again, recorded, credential_id, in_use)
        if not is_active:
            return True
        if not is_refused:
            raise failure
        # A 404 may come of a proxy, or of a credential that is too young to be found.
        is_routes = not isinstance(failure, NotFound) or (was_listed and failure.genuine)
        if is_routes:
            break
        why = f"credential {credential_id} is shown, and not found for deletion; trying again"
        if pause_s and not again.wait(pause_s, why):
            raise failure
    return False


def _archive_credential(api: VaultsApi, recorded: CredentialSet, credential_id: str, in_use: QoderInUse) -> None:
    failure: QoderError = OutcomeUnknown(
        f"POST /vaults/{recorded.vault_id}/credentials/{credential_id}/archive: accepted, but Qoder still shows the "
        "credential as active"
    )
    try:
        if send_again_if_lost(api, lambda api: api.archive_credential(recorded.vault_id, credential_id)):
            return
    except (Conflict, NotFound, OutcomeUnknown) as refusal:  # it may be archived, or gone
        failure = refusal
    again = api.recovering()
    for pause_s in (*PAUSES_OF_YOUNG_S, 0.0):
        _, is_active = _look(again, recorded, credential_id, in_use)
        if not is_active:
            return
        if pause_s and not again.wait(pause_s, f"credential {credential_id} is not shown as archived yet"):
            break
    raise failure


def _look(api: VaultsApi, recorded: CredentialSet, credential_id: str, in_use: QoderInUse) -> tuple[bool, bool]:
    """Return if a credential is listed, and if it is active: False only if it is proven gone, or archived."""
    listed = {item.id: item for item in api.list_credentials(recorded.vault_id) if item.is_active}
    if credential_id in listed:
        return True, True
    found = find_credentials(api, recorded, {credential_id}, listed.values(), in_use)
    return False, credential_id in found and found[credential_id].is_active
