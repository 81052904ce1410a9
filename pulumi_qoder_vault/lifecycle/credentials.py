"""Create, read, update, delete one credential in a vault that another stack may own; the rest of it is left alone.

It is kept as a `RecordedVault` of which one credential is ours, so that `work` carries out its steps, too. Rotation,
lost responses and work that stopped in the middle are thus the same as in a vault of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import NotFound, PartialState, QoderError, RolledBack, VaultNotFound
from .credential import as_seen, exposes_secret
from .detect import RevisionInUse
from .model import (
    ACTIVE,
    ARCHIVED,
    DEFAULT_PROTOCOL,
    STATIC_BEARER,
    Credential,
    DesiredVault,
    ObservedCredential,
    RecordedVault,
    Revision,
)
from .operations import is_gone, look, no_vault, not_found
from .operations import update as update_vault
from .plan import STORES_CREDENTIAL_METADATA, TYPES, Op, Step
from .vaults_api import VaultsApi
from .work import Work


def create(api: VaultsApi, vault_id: str, desired: Credential, in_use: RevisionInUse) -> RecordedVault:
    """Add a credential to a vault. One read, which tells what was there before, and one write.

    Raises:
        RolledBack: its metadata was not stored; nothing is left.
        PartialState: likewise, and it could not be deleted again.
        VaultNotFound: there is no such vault.
        Conflict: the vault is archived, or full.
        OutcomeUnknown: whether it was made could not be found out.
    """
    empty = _with(api, vault_id, None, desired)
    try:
        observed, revision = look(api, empty, in_use)
    except NotFound as failure:
        raise no_vault(api, vault_id, failure) from None
    _refuse_what_it_cannot_hold(desired, revision)
    work = Work(api, empty, _desired(desired, 0), observed, revision)
    work.carry_out([Step(Op.CREATE, desired)])
    made = replace(work.recorded(), unfinished=None, api_revision=revision)
    if not desired.metadata or work.made[desired.key].metadata == desired.metadata:
        return made
    raise _taken_back(api, made)


def _taken_back(api: VaultsApi, made: RecordedVault) -> QoderError:
    """Delete a credential whose metadata was not stored. Give the error that says what is left."""
    (credential_id,) = made.credential_ids.values()
    line = "metadata: this Qoder does not store metadata with a credential; remove it from the program"
    try:
        delete(api.recovering(), made)
    except QoderError as second:
        return PartialState(
            f"{line}; credential {credential_id} could not be deleted again ({second}), so it is recorded: the next "
            "pulumi up goes on, pulumi destroy removes it",
            replace(made, unfinished=()),
        )
    return RolledBack(f"{line}; credential {credential_id} was deleted again, nothing is left")


def find(api: VaultsApi, vault_id: str, credential_id: str) -> RecordedVault:
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
    protocol = seen.protocol or (DEFAULT_PROTOCOL if seen.type == STATIC_BEARER else None)
    credential = Credential(seen.mcp_server_url or "", None, protocol, seen.type, seen.fields, seen.metadata or None)
    return replace(_with(api, vault_id, seen, credential), api_revision=seen.revision)


def read(api: VaultsApi, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
    """Look at a credential that the state holds. Give what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    (credential,) = recorded.credentials
    credential_id = recorded.credential_ids[credential.key]
    try:
        seen = api.get_credential(recorded.id, credential_id)
    except NotFound as failure:
        if is_gone(api, recorded, failure):
            return None, True
        raise not_found(api, recorded, failure, "the credential in vault") from None
    now = replace(
        credential,
        protocol=seen.protocol or credential.protocol,
        fields=as_seen(credential.fields, seen.fields),
        metadata=_seen_metadata(credential, seen),
    )
    if exposes_secret(now):  # an echo: it must not get into the state
        now = replace(now, fields=credential.fields, metadata=credential.metadata)
    status = ACTIVE if seen.is_active else ARCHIVED
    is_drift = (
        (now.protocol, now.fields, now.metadata or {})
        != (credential.protocol, credential.fields, credential.metadata or {})
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
    api: VaultsApi, recorded: RecordedVault, desired: Credential, rotations: int, in_use: RevisionInUse
) -> RecordedVault:
    """Rotate or change a credential; its vault, and all others in it, stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    if not _can_hold(desired, in_use.for_vault(recorded.api_revision)):  # it may have moved on since
        try:
            _, revision = look(api, recorded, in_use)
        except NotFound as failure:
            raise not_found(api, recorded, failure) from None
        _refuse_what_it_cannot_hold(desired, revision)
    try:
        return update_vault(api, recorded, _desired(desired, rotations), in_use)
    except PartialState as failure:
        if desired.key not in failure.recorded.credential_ids:
            # On 2026-05 the old one may have gone first: the next read finds nothing, and the next `up` makes it anew.
            kept = {desired.key: recorded.credential_ids[desired.key]}
            left = replace(failure.recorded, credentials=recorded.credentials, credential_ids=kept)
            raise PartialState(str(failure), left) from None
        raise


def delete(api: VaultsApi, recorded: RecordedVault) -> None:
    """Delete a credential, and what an update that stopped left of it. What is gone is success.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    for credential_id in {*recorded.credential_ids.values(), *(recorded.unfinished or ())}:
        try:
            api.delete_credential(recorded.id, credential_id)
        except NotFound as failure:  # one that is gone does not keep the others
            if not is_gone(api, recorded, failure):
                raise not_found(api, recorded, failure, "the credential in vault") from None


def _desired(credential: Credential, rotations: int) -> DesiredVault:
    return DesiredVault("", (credential,), rotations={credential.key: rotations}, on_delete="")


def _with(api: VaultsApi, vault_id: str, seen: ObservedCredential | None, credential: Credential) -> RecordedVault:
    """Record a vault of which one credential is ours, or none yet."""
    return RecordedVault(
        id=vault_id,
        display_name="",
        metadata={},
        on_delete="",
        place=api.place,
        status=ACTIVE if seen is None or seen.is_active else ARCHIVED,
        credentials=(credential,) if seen else (),
        credential_ids={credential.key: seen.id} if seen else {},
        rotations={credential.key: 0} if seen else {},
        created_at="",
        updated_at="",
        api_revision=seen.revision if seen else Revision.R2026_05,
    )


def _seen_metadata(credential: Credential, seen: ObservedCredential) -> Mapping[str, str] | None:
    """Give the recorded metadata as Qoder has it; what nobody asked for is no drift."""
    if credential.metadata is None or not STORES_CREDENTIAL_METADATA[seen.revision]:
        return credential.metadata
    return {key: seen.metadata[key] for key in credential.metadata if key in seen.metadata}


def _can_hold(credential: Credential, revision: Revision) -> bool:
    return credential.type in TYPES[revision] and (not credential.metadata or STORES_CREDENTIAL_METADATA[revision])


def _refuse_what_it_cannot_hold(credential: Credential, revision: Revision) -> None:
    if credential.type not in TYPES[revision]:
        raise QoderError(f"type: {credential.type} needs a Qoder of API revision {Revision.R2026_07.value}")
    if credential.metadata and not STORES_CREDENTIAL_METADATA[revision]:
        raise QoderError(
            "metadata: this Qoder does not store metadata with a credential; remove it from the program, or use a "
            f"Qoder of API revision {Revision.R2026_07.value}"
        )
