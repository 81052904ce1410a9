"""Create, read, update, delete a standalone credential, in a vault that another stack may own; the rest is left alone.

It is a `CredentialSet` of one, so that rotation, lost responses and work that stopped in the middle are the same as in
a vault of one's own.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import ApiError, NotFound, QoderError, RolledBack, VaultNotFound
from .. import apply
from ..absence import A_CREDENTIAL, NO_ROUTE, find_credentials, list_if_there, refuse_unproven
from ..apply import CredentialChanges, not_stored, observe
from ..capabilities import UNRECORDED, QoderInUse, lacking
from ..credential_types import fields_of
from ..drift import as_seen, not_shown
from ..equivalence import is_same_url
from ..fields import with_defaults
from ..model import ACTIVE, ARCHIVED, Credential, CredentialSet, DesiredSet, ObservedCredential, PartialState, Status
from ..plan import Op, Step
from ..removal import remove_credential
from ..vaults_api import VaultsApi


def create(api: VaultsApi, vault_id: str, desired: Credential, in_use: QoderInUse) -> CredentialSet:
    """Add a credential to a vault. One read, which tells what was there before, and one write.

    Raises:
        RolledBack: its metadata was not stored; nothing is left.
        PartialState: likewise, and it could not be deleted again.
        VaultNotFound: there is no such vault.
        Conflict: the vault is archived, or full.
        OutcomeUnknown: whether it was made is not known.
    """
    empty = _set_of(api, vault_id, None, desired)
    try:
        observed, revision = observe(api, empty, in_use)
    except VaultNotFound as failure:
        if not failure.is_absent:
            raise
        raise VaultNotFound(f"there is no vault {vault_id} at {api.place}", is_absent=True) from None
    if reason := lacking(desired, revision):
        raise QoderError(reason)
    alone = DesiredSet(credentials=(desired,), rotations={desired.key: 0})
    changes = CredentialChanges(api, empty, alone, observed, revision, in_use)
    changes.apply([Step(Op.CREATE, desired)])
    made = replace(changes.recorded(), unfinished=None, api_revision=revision)
    if field := not_shown(desired, changes.made[desired.key]):
        raise _roll_back(api, made, not_stored(field, desired.key), in_use)
    return made


def _roll_back(api: VaultsApi, made: CredentialSet, line: str, in_use: QoderInUse) -> QoderError:
    """Delete a credential that was not stored as it was asked for. Return the error that says what is left."""
    (credential_id,) = made.credential_ids.values()
    try:
        remove_credential(api.recovering(), made, credential_id, in_use)
    except QoderError as second:
        return PartialState(
            f"{line}; credential {credential_id} could not be deleted again ({second}), so it is recorded: the next "
            "pulumi up continues, pulumi destroy removes it",
            replace(made, unfinished=()),
        )
    return RolledBack(f"{line}; credential {credential_id} was deleted again")


def find(api: VaultsApi, vault_id: str, credential_id: str) -> CredentialSet:
    """Read a credential that no state holds yet. One read.

    Raises:
        VaultNotFound: there is none, or nothing proves that.
    """
    try:
        seen = api.get_credential(vault_id, credential_id)
    except NotFound as failure:
        raise VaultNotFound(
            f"{failure}: there is no credential {credential_id} in vault {vault_id} at {api.place}",
            is_absent=failure.genuine,
        ) from None
    # The default stands for what the API does not say: 2026-07 has no protocol.
    properties = with_defaults(seen.properties, fields_of(seen.type)) if seen.type else seen.properties
    return _set_of(api, vault_id, seen, Credential(seen.type, properties, seen.metadata or None))


def read(api: VaultsApi, recorded: CredentialSet, in_use: QoderInUse) -> tuple[CredentialSet | None, bool]:
    """Look at a credential that the state holds. Return what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    (credential,) = recorded.credentials
    seen = _find(api, recorded, recorded.credential_ids[credential.key], in_use)
    if seen is None or not is_same_url(seen.key, credential.key):  # what has another URL by now is not ours any more
        return None, True
    now = as_seen(credential, seen)
    status: Status = ACTIVE if seen.is_active else ARCHIVED
    is_drift = (
        now != credential
        or ACTIVE not in (status, recorded.status)
        or status != recorded.status
        or recorded.unfinished is not None
    )
    found = replace(
        recorded,
        place=api.place,
        seen_with=api.account,
        status=status,
        credentials=(now,),
        api_revision=seen.revision,
        unfinished=recorded.unfinished or None,
    )
    return found, is_drift


def update(api: VaultsApi, recorded: CredentialSet, desired: DesiredSet, in_use: QoderInUse) -> CredentialSet:
    """Rotate or change a credential; its vault, and all others in it, stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    (credential,) = desired.credentials
    if lacking(credential, in_use.for_vault(recorded.api_revision)):  # it may have moved on since
        _, revision = observe(api, recorded, in_use)
        if reason := lacking(credential, revision):
            raise QoderError(reason)
    try:
        return apply.update(api, recorded, desired, in_use)
    except PartialState as failure:
        if credential.key not in failure.recorded.credential_ids:
            # On 2026-05 the old one may have gone first: the next read finds nothing, and the next `up` makes it anew.
            kept = {credential.key: recorded.credential_ids[credential.key]}
            left = replace(failure.recorded, credentials=recorded.credentials, credential_ids=kept)
            raise PartialState(str(failure), left) from None
        raise


def delete(api: VaultsApi, recorded: CredentialSet, in_use: QoderInUse) -> None:
    """Delete a credential, and what an update that stopped left of it. What is gone is success. One read before each.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    keys = {id_: key for key, id_ in recorded.credential_ids.items()}
    for credential_id in recorded.our_ids:
        seen = _find(api, recorded, credential_id, in_use)
        if seen is None or not is_same_url(seen.key, keys.get(credential_id, seen.key)):
            continue  # it is gone, or not ours any more; that does not keep the others
        remove_credential(api, recorded, credential_id, in_use)


def _find(api: VaultsApi, recorded: CredentialSet, credential_id: str, in_use: QoderInUse) -> ObservedCredential | None:
    """Return a credential as Qoder shows it, archived or not; None only if it is proven gone. One read mostly.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    if in_use.can(recorded.api_revision).credential_get is not False:
        try:
            return api.get_credential(recorded.vault_id, credential_id)
        except NotFound as failure:
            if not failure.genuine:
                refuse_unproven(api, recorded, failure, A_CREDENTIAL)
        except ApiError as refusal:
            if refusal.response.status not in NO_ROUTE:
                raise
    listed = list_if_there(api, recorded)
    if listed is None:
        return None
    shown = {item.id: item for item in listed}
    if credential_id not in shown:
        shown |= find_credentials(api, recorded, {credential_id}, listed, in_use)
    return shown.get(credential_id)


def _set_of(api: VaultsApi, vault_id: str, seen: ObservedCredential | None, credential: Credential) -> CredentialSet:
    """Record a vault of which one credential is ours, or none yet."""
    return CredentialSet(
        vault_id=vault_id,
        place=api.place,
        seen_with=api.account,
        status=ACTIVE if seen is None or seen.is_active else ARCHIVED,
        credentials=(credential,) if seen else (),
        credential_ids={credential.key: seen.id} if seen else {},
        rotations={credential.key: 0} if seen else {},
        api_revision=seen.revision if seen else UNRECORDED,
    )
