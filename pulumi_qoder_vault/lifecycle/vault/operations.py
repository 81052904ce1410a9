"""Create, find, read, update, delete a vault.

Owns the order of an operation's requests, what is rolled back where the rest fails, what counts as drift, and that a
deletion takes no credentials of others along unasked. Changes of credentials are planned in `plan` and carried out in
`apply`; what a lost response means stands in `recovery`. Knows neither HTTP nor Pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...errors import BadRequest, Conflict, NotFound, QoderError, RolledBack
from .. import apply
from ..absence import is_gone, no_vault, not_found
from ..apply import CredentialChanges, settled
from ..capabilities import (
    BY_REVISION,
    FIRST_TRIED,
    NEWEST,
    THEN_TRIED,
    RevisionInUse,
    refuses_credentials_key,
    shown_by,
)
from ..credential_types import DEFAULT_TYPE, TYPES
from ..drift import as_seen
from ..fields import with_defaults
from ..model import (
    ACTIVE,
    ARCHIVED,
    Credential,
    DesiredVault,
    ObservedCredential,
    ObservedVault,
    PartialState,
    RecordedVault,
    Revision,
    newest_by_url,
)
from ..other_credentials import NOTHING_KNOWN, Deletion, named, others, refusal, unlisted
from ..plan import Op, Step
from ..recovery import MadeVault, VaultCreation
from ..vaults_api import VaultsApi


def create(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make a vault with its credentials; if that fails half-way, delete it again.

    Raises:
        RolledBack: a credential or the metadata was not taken; nothing is left.
        PartialState: likewise, and the vault could not be deleted again.
        OutcomeUnknown: whether a vault was made is not known.
    """
    made = _make(api, desired, in_use)
    recorded = _recorded(api, desired, made.vault)
    changes = CredentialChanges(api, recorded, desired, made.vault.credentials, made.revision)
    try:
        if desired.metadata is not None and made.vault.metadata != desired.metadata:
            raise QoderError(
                "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder "
                f"of API revision {NEWEST.value}"
            )
        missing = (item for item in desired.credentials if item.key not in recorded.credential_ids)
        changes.apply(Step(Op.CREATE, item) for item in missing)
    except QoderError as failure:
        raise roll_back(api, changes.recorded(), failure, made.candidates) from None
    recorded = settled(replace(changes.recorded(), unfinished=None), desired)
    if made.candidates:
        raise PartialState(
            f"POST /vaults: its first response was lost; it was sent once more and made vault {recorded.vault_id}, "
            f"which is recorded and complete{_orphans(made.candidates)}; the next pulumi up continues",
            replace(recorded, unfinished=()),
        )
    return recorded


def _make(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> MadeVault:
    """Send the create in the form that this Qoder takes; the first create of a process finds out which.

    Raises:
        OutcomeUnknown: whether a vault was made is not known.
    """
    with in_use.known() as known:
        if known is not None:
            return _sent(api, desired, known)
        try:
            made = _sent(api, desired, FIRST_TRIED)
        except BadRequest as first:
            if not refuses_credentials_key(first.response):
                raise
            try:
                made = _sent(api, desired, THEN_TRIED)
            except QoderError as failure:
                if failure.may_be_done:
                    raise  # a vault may exist: that is worth more than the first refusal
                raise first from None
        made = replace(made, revision=shown_by(made.vault))
        in_use.remember(made.revision)
        return made


def _sent(api: VaultsApi, desired: DesiredVault, sending: Revision) -> MadeVault:
    return VaultCreation(desired, sending, began_s=api.now_s()).create(api)


def _recorded(api: VaultsApi, desired: DesiredVault, vault: ObservedVault) -> RecordedVault:
    """Record a vault as it was just made, with the credentials that came in the same response."""
    made = {item.key: item for item in vault.credentials if item.is_active and item.key}
    existing = tuple(item for item in desired.credentials if item.key in made)
    return RecordedVault(
        vault_id=vault.id,
        display_name=desired.display_name,
        metadata={key: value for key, value in vault.metadata.items() if key in (desired.metadata or {})},
        on_delete=desired.on_delete,
        force_destroy=desired.force_destroy,
        place=api.place,
        status=vault.status,
        credentials=existing,
        credential_ids={item.key: made[item.key].id for item in existing},
        rotations={item.key: desired.rotations.get(item.key, 0) for item in existing},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def roll_back(api: VaultsApi, recorded: RecordedVault, failure: QoderError, candidates: tuple[str, ...]) -> QoderError:
    """Delete a vault that could not be completed. Return the error that says what is left."""
    try:
        _remove(api.recovering(), recorded.vault_id, archives=_must_archive(recorded))
    except NotFound as absent:
        if not absent.genuine:
            return _left_over(recorded, failure, absent, candidates)
    except QoderError as second:
        return _left_over(recorded, failure, second, candidates)
    if _must_archive(recorded):
        return RolledBack(f"{failure}; vault {recorded.vault_id} was archived{_orphans(candidates)}")
    left = _orphans(candidates) if candidates else ", nothing is left"
    return RolledBack(f"{failure}; vault {recorded.vault_id} was deleted again{left}")


def _left_over(
    recorded: RecordedVault, failure: QoderError, second: QoderError, candidates: tuple[str, ...]
) -> PartialState:
    return PartialState(
        f"{failure}; vault {recorded.vault_id} could not be deleted again ({second}), so it is recorded as partially "
        f"created: the next pulumi up finishes it, pulumi destroy removes it{_orphans(candidates)}",
        recorded,
    )


def _orphans(candidates: tuple[str, ...]) -> str:
    """Name the vaults that may be orphans. They are not touched: another stack may have made them."""
    if not candidates:
        return ""
    are, them = (
        ("is", "it if nobody else created it") if len(candidates) == 1 else ("are", "those that nobody else created")
    )
    return f"; {', '.join(candidates)}, of the same name and time, {are} left alone: delete {them}"


def find(api: VaultsApi, vault_id: str) -> RecordedVault:
    """Read a vault that an import makes ours, with those of its credentials that a vault can declare.

    Raises:
        VaultNotFound: it is not to be found, and it must exist.
    """
    vault, credentials = _read(api, vault_id)
    declared = {url: item for url, item in newest_by_url(credentials).items() if item.type == DEFAULT_TYPE}
    found = _as_found(api, vault, declared)
    fields = TYPES[DEFAULT_TYPE].fields
    return replace(
        found,
        on_delete="delete",
        # The default stands for what the API does not say: 2026-07 has no protocol.
        credentials=tuple(
            replace(item, properties=with_defaults(item.properties, fields)) for item in found.credentials
        ),
        rotations=dict.fromkeys(declared, 0),
        other_credentials=_of_others(api, found, credentials),
    )


def look_up(api: VaultsApi, vault_id: str, recorded: RecordedVault | None = None) -> RecordedVault | None:
    """Read a vault that this stack does not own, with all its active credentials that have a URL.

    With what the state holds of it, None is returned for a vault that is gone.

    Raises:
        VaultNotFound: it is not to be found, and it must exist, or nothing proves that it is gone.
    """
    try:
        vault, credentials = api.get_vault(vault_id), api.list_credentials(vault_id)
    except NotFound as failure:
        if recorded is not None and is_gone(api, recorded, failure):
            return None
        if recorded is not None:
            raise not_found(api, recorded, failure) from None
        raise no_vault(api, vault_id, failure) from None
    return _as_found(api, vault, newest_by_url(credentials))


def _read(api: VaultsApi, vault_id: str) -> tuple[ObservedVault, tuple[ObservedCredential, ...]]:
    try:
        return api.get_vault(vault_id), api.list_credentials(vault_id)
    except NotFound as failure:
        raise no_vault(api, vault_id, failure) from None


def _as_found(api: VaultsApi, vault: ObservedVault, credentials: Mapping[str, ObservedCredential]) -> RecordedVault:
    """Record a vault that this stack does not own."""
    return RecordedVault(
        vault_id=vault.id,
        display_name=vault.display_name,
        metadata=vault.metadata,
        on_delete=None,
        place=api.place,
        status=vault.status,
        credentials=tuple(Credential(item.type, item.properties) for item in credentials.values()),
        credential_ids={url: item.id for url, item in credentials.items()},
        rotations={},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def read(api: VaultsApi, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
    """Look at a vault that the state holds. Return what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    try:
        vault = api.get_vault(recorded.vault_id)
    except NotFound as failure:
        if is_gone(api, recorded, failure):
            return None, True
        raise not_found(api, recorded, failure) from None
    credentials, other_credentials = recorded.credentials, recorded.other_credentials
    if vault.status == ACTIVE:  # of an archived one nothing can be mended, so nothing else counts
        listed = api.list_credentials(recorded.vault_id)
        credentials, other_credentials = _still_there(recorded, listed), _of_others(api, recorded, listed)
    keys = {item.key for item in credentials}
    is_drift = (
        ACTIVE not in (vault.status, recorded.status)
        or vault.status != recorded.status
        or credentials != recorded.credentials
        or recorded.unfinished is not None
    )
    found = replace(
        recorded,
        place=api.place,
        status=vault.status,
        credentials=credentials,
        credential_ids={key: id_ for key, id_ in recorded.credential_ids.items() if key in keys},
        rotations={key: count for key, count in recorded.rotations.items() if key in keys},
        created_at=vault.created_at or recorded.created_at,
        updated_at=vault.updated_at or recorded.updated_at,
        api_revision=vault.revision,
        unfinished=recorded.unfinished or None,
        other_credentials=other_credentials,
    )
    return found, is_drift


def _still_there(recorded: RecordedVault, listed: Iterable[ObservedCredential]) -> tuple[Credential, ...]:
    """Return the recorded credentials that are active, each as Qoder shows it."""
    active = {item.id: item for item in listed if item.is_active}
    observed = {key: active[id_] for key, id_ in recorded.credential_ids.items() if id_ in active}
    return tuple(as_seen(item, observed[item.key]) for item in recorded.credentials if item.key in observed)


def _of_others(api: VaultsApi, recorded: RecordedVault, listed: Iterable[ObservedCredential]) -> dict[str, str]:
    """Return what the state holds of the credentials that this resource did not make."""
    return named(others(recorded, listed, api.deleted_ids), api.fit_to_show)


def update(api: VaultsApi, recorded: RecordedVault, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make the credentials of a vault what the program asks for; the vault and its id stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    target = replace(recorded, on_delete=desired.on_delete, force_destroy=desired.force_destroy)

    def with_others(vault: RecordedVault, observed: Sequence[ObservedCredential]) -> RecordedVault:
        return replace(vault, other_credentials=_of_others(api, vault, observed))

    return apply.update(api, target, desired, in_use, with_others)


def delete(
    api: VaultsApi, recorded: RecordedVault, deletion: Deletion = NOTHING_KNOWN, *, is_forced: bool = False
) -> None:
    """Delete or archive a vault, as ``on_delete`` says. One that is gone, or archived already, is success.

    Args:
        api: where it is asked for.
        recorded: what the state holds of the vault.
        deletion: what a front knows of it, for the line that says why it does not go on.
        is_forced: True if credentials of others go with the vault in this run; ``force_destroy`` says it for all.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
        QoderError: it holds credentials of others; nothing was done.
    """
    archives = recorded.on_delete == "archive" or _must_archive(recorded)
    try:
        if not (is_forced or recorded.force_destroy):
            _refuse_to_take_others_along(api, recorded, deletion)
        _remove(api, recorded.vault_id, archives=archives)
    except Conflict:
        if not archives or api.get_vault(recorded.vault_id).status == ACTIVE:
            raise
    except NotFound as failure:
        if not is_gone(api, recorded, failure):
            raise not_found(api, recorded, failure) from None


def _remove(api: VaultsApi, vault_id: str, *, archives: bool) -> None:
    (api.archive_vault if archives else api.delete_vault)(vault_id)


def _must_archive(recorded: RecordedVault) -> bool:
    """Return True if this Qoder cannot delete the vault."""
    return not BY_REVISION[recorded.api_revision].vault_deletion


def _refuse_to_take_others_along(api: VaultsApi, recorded: RecordedVault, deletion: Deletion) -> None:
    """Look for credentials of others. One read; an archived vault, which serves nobody, needs none.

    Raises:
        QoderError: there are some.
    """
    if recorded.status == ARCHIVED:
        return
    try:
        listed = api.list_credentials(recorded.vault_id)
    except NotFound:
        if api.get_vault(recorded.vault_id).status == ACTIVE:  # it is the list that is missing, and not the vault
            raise QoderError(unlisted(recorded, "Qoder shows no list of its credentials")) from None
        return
    except QoderError as failure:
        failure.args = (unlisted(recorded, str(failure)),)
        raise
    found = _of_others(api, recorded, listed)
    if found and api.get_vault(recorded.vault_id).status == ACTIVE:
        raise QoderError(refusal(recorded, found, deletion))
