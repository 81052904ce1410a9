"""Create, read, update, delete a standalone credential, in a vault that another stack may own; the rest is left alone.

It is a `CredentialSet` of one, so that rotation, lost responses and work that stopped in the middle are the same as in
a vault of one's own.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import NotFound, QoderError, RolledBack, VaultNotFound
from .. import apply
from ..absence import is_gone, no_vault, not_found
from ..apply import CredentialChanges, observe, remove
from ..capabilities import UNRECORDED, RevisionInUse, lacking
from ..credential_types import fields_of
from ..drift import as_seen
from ..fields import with_defaults
from ..model import ACTIVE, ARCHIVED, Credential, CredentialSet, DesiredSet, ObservedCredential, PartialState, Status
from ..plan import Op, Step
from ..vaults_api import VaultsApi


def create(api: VaultsApi, vault_id: str, desired: Credential, in_use: RevisionInUse) -> CredentialSet:
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
    except NotFound as failure:
        raise no_vault(api, vault_id, failure) from None
    if reason := lacking(desired, revision):
        raise QoderError(reason)
    changes = CredentialChanges(api, empty, _desired(desired, 0), observed, revision)
    changes.apply([Step(Op.CREATE, desired)])
    made = replace(changes.recorded(), unfinished=None, api_revision=revision)
    if not desired.metadata or changes.made[desired.key].metadata == desired.metadata:
        return made
    raise _roll_back(api, made)


def _roll_back(api: VaultsApi, made: CredentialSet) -> QoderError:
    """Delete a credential whose metadata was not stored. Return the error that says what is left."""
    (credential_id,) = made.credential_ids.values()
    line = "metadata: this Qoder does not store metadata with a credential; remove it from the program"
    try:
        delete(api.recovering(), made)
    except QoderError as second:
        return PartialState(
            f"{line}; credential {credential_id} could not be deleted again ({second}), so it is recorded: the next "
            "pulumi up continues, pulumi destroy removes it",
            replace(made, unfinished=()),
        )
    return RolledBack(f"{line}; credential {credential_id} was deleted again, nothing is left")


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


def read(api: VaultsApi, recorded: CredentialSet) -> tuple[CredentialSet | None, bool]:
    """Look at a credential that the state holds. Return what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    (credential,) = recorded.credentials
    try:
        seen = api.get_credential(recorded.vault_id, recorded.credential_ids[credential.key])
    except NotFound as failure:
        if is_gone(api, recorded, failure):
            return None, True
        raise not_found(api, recorded, failure, "the credential in vault") from None
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
        status=status,
        credentials=(now,),
        api_revision=seen.revision,
        unfinished=recorded.unfinished or None,
    )
    return found, is_drift


def update(
    api: VaultsApi, recorded: CredentialSet, desired: Credential, rotations: int, in_use: RevisionInUse
) -> CredentialSet:
    """Rotate or change a credential; its vault, and all others in it, stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    if lacking(desired, in_use.for_vault(recorded.api_revision)):  # it may have moved on since
        try:
            _, revision = observe(api, recorded, in_use)
        except NotFound as failure:
            raise not_found(api, recorded, failure) from None
        if reason := lacking(desired, revision):
            raise QoderError(reason)
    try:
        return apply.update(api, recorded, _desired(desired, rotations), in_use)
    except PartialState as failure:
        if desired.key not in failure.recorded.credential_ids:
            # On 2026-05 the old one may have gone first: the next read finds nothing, and the next `up` makes it anew.
            kept = {desired.key: recorded.credential_ids[desired.key]}
            left = replace(failure.recorded, credentials=recorded.credentials, credential_ids=kept)
            raise PartialState(str(failure), left) from None
        raise


def delete(api: VaultsApi, recorded: CredentialSet) -> None:
    """Delete a credential, and what an update that stopped left of it. What is gone is success.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    for credential_id in recorded.our_ids:
        try:
            remove(api, recorded.vault_id, credential_id, recorded.api_revision)
        except NotFound as failure:  # one that is gone does not keep the others
            if not is_gone(api, recorded, failure):
                raise not_found(api, recorded, failure, "the credential in vault") from None


def _desired(credential: Credential, rotations: int) -> DesiredSet:
    return DesiredSet(credentials=(credential,), rotations={credential.key: rotations})


def _set_of(api: VaultsApi, vault_id: str, seen: ObservedCredential | None, credential: Credential) -> CredentialSet:
    """Record a vault of which one credential is ours, or none yet."""
    return CredentialSet(
        vault_id=vault_id,
        place=api.place,
        status=ACTIVE if seen is None or seen.is_active else ARCHIVED,
        credentials=(credential,) if seen else (),
        credential_ids={credential.key: seen.id} if seen else {},
        rotations={credential.key: 0} if seen else {},
        api_revision=seen.revision if seen else UNRECORDED,
    )
