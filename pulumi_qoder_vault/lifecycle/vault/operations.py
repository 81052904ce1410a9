"""Create, find, read, update, delete a vault.

Owns the order of an operation's requests, what is rolled back where the rest fails, what counts as drift, and that a
deletion takes no credentials of others along unasked. Changes of credentials are planned in `plan` and carried out in
`apply`; what a lost response means stands in `recovery`. Knows neither HTTP nor Pulumi.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ...errors import BadRequest, NotFound, OutcomeUnknown, QoderError, RolledBack
from .. import apply
from ..absence import PAUSES_OF_YOUNG_S, find_credentials, find_vault, list_if_there, list_settled, no_vault
from ..apply import CredentialChanges, not_stored, settled
from ..capabilities import (
    BY_REVISION,
    FIRST_TRIED,
    NEWEST,
    THEN_TRIED,
    QoderInUse,
    refuses_credentials_key,
    shown_by,
)
from ..credential_types import DEFAULT_TYPE, TYPES
from ..drift import as_seen, not_shown
from ..equivalence import holds, is_same_name, is_same_url, rfc3339
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
from ..plan import Op, Step, still_ours
from ..recovery import MadeVault, VaultCreation
from ..removal import is_left, remove_vault
from ..vaults_api import VaultsApi


def create(api: VaultsApi, desired: DesiredVault, in_use: QoderInUse) -> RecordedVault:
    """Make a vault with its credentials; if that fails half-way, delete it again.

    Raises:
        RolledBack: a credential or the metadata was not taken; nothing is left.
        PartialState: likewise, and the vault could not be deleted again.
        OutcomeUnknown: whether a vault was made is not known.
    """
    made = _with_credentials(api, desired, _make(api, desired, in_use))
    recorded = _recorded(api, desired, made.vault)
    changes = CredentialChanges(api, recorded, desired, made.vault.credentials, made.revision, in_use)
    try:
        _refuse_unstored(desired, made.vault)
        missing = [item for item in desired.credentials if item.key not in recorded.credential_ids]
        changes.apply(Step(Op.CREATE, item) for item in missing)
        for item in desired.credentials:
            seen = changes.made.get(item.key) or _matching(item, made.vault.credentials)
            if seen is not None and (field := not_shown(item, seen)):
                raise QoderError(not_stored(field, item.key))
    except QoderError as failure:
        raise roll_back(api, changes.recorded(), failure, made.candidates, in_use) from None
    recorded = settled(replace(changes.recorded(), unfinished=None), desired)
    if made.candidates:
        raise PartialState(
            f"POST /vaults: its first response was lost; it was sent once more and made vault {recorded.vault_id}, "
            f"which is recorded and complete{_orphans(made.candidates)}; the next pulumi up continues",
            replace(recorded, unfinished=()),
        )
    return recorded


def _make(api: VaultsApi, desired: DesiredVault, in_use: QoderInUse) -> MadeVault:
    """Send the create in the form that this Qoder takes; start over once where it has changed since the last create.

    Raises:
        OutcomeUnknown: whether a vault was made is not known.
    """
    try:
        return _made(api, desired, in_use)
    except BadRequest as refusal:
        if not in_use.forgets(refusal.response):
            raise
    return _made(api, desired, in_use)


def _made(api: VaultsApi, desired: DesiredVault, in_use: QoderInUse) -> MadeVault:
    """Send the create; the first one of a process finds out which form Qoder takes."""
    with in_use.known() as known:
        try:
            made = _sent(api, desired, known or FIRST_TRIED)
        except BadRequest as first:
            if known is not None or not refuses_credentials_key(first.response):
                raise
            try:
                made = _sent(api, desired, THEN_TRIED)
            except QoderError as failure:
                if failure.may_be_done:
                    raise  # a vault may exist: that is worth more than the first refusal
                raise first from None
        shown = shown_by(made.vault)
        in_use.remember(shown)
        return replace(made, revision=in_use.for_vault(shown))


def _sent(api: VaultsApi, desired: DesiredVault, sending: Revision) -> MadeVault:
    return VaultCreation(desired, sending, began_s=api.now_s()).create(api)


def _with_credentials(api: VaultsApi, desired: DesiredVault, made: MadeVault) -> MadeVault:
    """List what a flat response does not show of the credentials that were sent: they may be there all the same.

    Raises:
        OutcomeUnknown: the vault holds others, so it is not the one that was asked for.
    """
    vault = made.vault
    is_flat = BY_REVISION[vault.revision].inline_credentials
    if not is_flat or all(_matching(item, vault.credentials) for item in desired.credentials):
        return made
    try:
        listed = _listed_when_new(api, vault.id)
    except QoderError as failure:
        raise OutcomeUnknown(
            f"{failure}; the outcome is unknown: vault {vault.id} at {api.place} is in no state: look for it, and "
            "delete it, before the next pulumi up creates another one"
        ) from None
    if any(not any(is_same_url(seen.key, item.key) for item in desired.credentials) for seen in listed):
        raise OutcomeUnknown(
            f"POST /vaults: the response is about vault {vault.id}, which holds other credentials than were asked for; "
            f"a vault named as in the program may exist at {api.place}: look for it"
        )
    return replace(made, vault=replace(vault, credentials=listed))


def _listed_when_new(api: VaultsApi, vault_id: str) -> tuple[ObservedCredential, ...]:
    listed: tuple[ObservedCredential, ...] = ()
    for pause_s in (*PAUSES_OF_YOUNG_S, 0.0):
        listed = api.list_credentials(vault_id)
        if listed:
            break
        if pause_s and not api.wait(pause_s, "the credentials of a new vault are not shown yet"):
            raise QoderError(f"GET /vaults/{vault_id}/credentials: none are shown, and no time was left to ask again")
    return listed


def _matching(credential: Credential, observed: Iterable[ObservedCredential]) -> ObservedCredential | None:
    """Return the active credential with the URL of another one, in whatever form Qoder writes it."""
    alike = [item for item in observed if item.is_active and is_same_url(item.key, credential.key)]
    return min(alike, key=lambda item: item.key != credential.key, default=None)


def _refuse_unstored(desired: DesiredVault, vault: ObservedVault) -> None:
    """Refuse a vault that is not what was asked for.

    Raises:
        QoderError: it is not; the line names the property.
    """
    if not holds(vault.metadata, desired.metadata or {}):
        raise QoderError(
            "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder "
            f"of API revision {NEWEST.value}"
        )
    if not is_same_name(vault.display_name, desired.display_name):
        raise QoderError("display_name: Qoder stored another name than was asked for")


def _recorded(api: VaultsApi, desired: DesiredVault, vault: ObservedVault) -> RecordedVault:
    """Record a vault as it was just made, with the credentials that came in the same response."""
    found = {item.key: _matching(item, vault.credentials) for item in desired.credentials}
    made = {key: item for key, item in found.items() if item is not None}
    existing = tuple(item for item in desired.credentials if item.key in made)
    asked = dict(desired.metadata or {})
    return RecordedVault(
        vault_id=vault.id,
        display_name=desired.display_name,
        metadata=asked if holds(vault.metadata, asked) else {},
        on_delete=desired.on_delete,
        force_destroy=desired.force_destroy,
        place=api.place,
        seen_with=api.account,
        status=vault.status,
        credentials=existing,
        credential_ids={item.key: made[item.key].id for item in existing},
        rotations={item.key: desired.rotations.get(item.key, 0) for item in existing},
        rotated_at=dict.fromkeys((item.key for item in existing), rfc3339(api.server_now_s())),
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def roll_back(
    api: VaultsApi, recorded: RecordedVault, failure: QoderError, candidates: tuple[str, ...], in_use: QoderInUse
) -> QoderError:
    """Delete a vault that could not be completed. Return the error that says what is left."""
    recovering = api.recovering()
    try:
        is_archived = remove_vault(recovering, recorded, in_use, archives=False)
    except QoderError as second:
        return _left_over(recorded, failure, second, candidates)
    if is_archived:
        return RolledBack(f"{failure}; vault {recorded.vault_id} was archived{_orphans(candidates)}")
    left = _orphans(candidates)
    if not left and not is_left(recovering, recorded.vault_id):
        left = ", nothing is left"
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
    if recorded is not None and find_vault(api, recorded) is None:
        return None
    vault, credentials = _read(api, vault_id)
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
        seen_with=api.account,
        status=vault.status,
        credentials=tuple(Credential(item.type, item.properties) for item in credentials.values()),
        credential_ids={url: item.id for url, item in credentials.items()},
        rotations={},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def read(api: VaultsApi, recorded: RecordedVault, in_use: QoderInUse) -> tuple[RecordedVault | None, bool]:
    """Look at a vault that the state holds. Return what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    vault = api.find_listed(recorded.vault_id)
    if vault is not None:
        api.note_seen(recorded)
    else:
        vault = find_vault(api, recorded)
    if vault is None:
        return None, True
    credentials, other_credentials = recorded.credentials, recorded.other_credentials
    if vault.status == ACTIVE:  # of an archived one nothing can be mended, so nothing else counts
        listed = list_if_there(api, recorded)
        if listed is None:
            return None, True
        credentials, other_credentials = _still_there(api, recorded, listed, in_use), _of_others(api, recorded, listed)
        _warn_of_changes(api, recorded, vault)
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
        seen_with=api.account,
        status=vault.status,
        credentials=credentials,
        credential_ids={key: id_ for key, id_ in recorded.credential_ids.items() if key in keys},
        rotations={key: count for key, count in recorded.rotations.items() if key in keys},
        rotated_at=_of_keys(recorded.rotated_at, keys),
        created_at=vault.created_at or recorded.created_at,
        updated_at=vault.updated_at or recorded.updated_at,
        api_revision=vault.revision,
        unfinished=recorded.unfinished or None,
        other_credentials=other_credentials,
    )
    return found, is_drift


def _of_keys(times: Mapping[str, str] | None, keys: Collection[str]) -> Mapping[str, str] | None:
    return None if times is None else {key: time for key, time in times.items() if key in keys}


def _still_there(
    api: VaultsApi, recorded: RecordedVault, listed: Sequence[ObservedCredential], in_use: QoderInUse
) -> tuple[Credential, ...]:
    """Return the recorded credentials that are active, each as Qoder shows it."""
    active = {item.id: item for item in listed if item.is_active}
    missing = {id_ for id_ in recorded.credential_ids.values() if id_ not in active}
    active |= find_credentials(api, recorded, missing, active.values(), in_use)
    observed = {key: active[id_] for key, id_ in still_ours(recorded, active.values()).items()}
    return tuple(as_seen(item, observed[item.key]) for item in recorded.credentials if item.key in observed)


def _warn_of_changes(api: VaultsApi, recorded: RecordedVault, vault: ObservedVault) -> None:
    """Say what somebody changed that no update mends: only a replacement could, and that changes the vault's id."""
    stays = "somebody changed it; it stays, since only another vault could mend it"
    if not is_same_name(vault.display_name, recorded.display_name):
        now, was = api.fit_to_show([vault.display_name, recorded.display_name], 100)
        api.warn(f"display_name: Qoder shows '{now}' for vault {recorded.vault_id}, and the state '{was}': {stays}")
    changed = [key for key, value in recorded.metadata.items() if not holds(vault.metadata, {key: value})]
    for key in api.fit_to_show(changed, 100):  # its value may be a secret of the program
        api.warn(f"metadata[{key}]: Qoder shows another value for vault {recorded.vault_id} than the state: {stays}")


def _of_others(api: VaultsApi, recorded: RecordedVault, listed: Collection[ObservedCredential]) -> dict[str, str]:
    """Return what the state holds of the credentials that this resource did not make."""
    return named(others(recorded, listed, api.deleted_ids), api.fit_to_show)


def update(api: VaultsApi, recorded: RecordedVault, desired: DesiredVault, in_use: QoderInUse) -> RecordedVault:
    """Make the credentials of a vault what the program asks for; the vault and its id stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    target = replace(recorded, on_delete=desired.on_delete, force_destroy=desired.force_destroy)

    def with_others(vault: RecordedVault, observed: Sequence[ObservedCredential]) -> RecordedVault:
        return replace(vault, other_credentials=_of_others(api, vault, observed))

    return apply.update(api, target, desired, in_use, with_others)


def delete(
    api: VaultsApi,
    recorded: RecordedVault,
    in_use: QoderInUse,
    deletion: Deletion = NOTHING_KNOWN,
    *,
    is_forced: bool = False,
) -> None:
    """Delete or archive a vault, as ``on_delete`` says. One that is gone, or archived already, is success.

    Args:
        api: where it is asked for.
        recorded: what the state holds of the vault.
        in_use: what is known of this Qoder.
        deletion: what a front knows of it, for the line that says why it does not go on.
        is_forced: True if credentials of others go with the vault in this run; ``force_destroy`` says it for all.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
        QoderError: it holds credentials of others; nothing was done.
    """
    if is_forced or recorded.force_destroy or not _is_gone_before(api, recorded, deletion):
        remove_vault(api, recorded, in_use, archives=recorded.on_delete == "archive")


def _is_gone_before(api: VaultsApi, recorded: RecordedVault, deletion: Deletion) -> bool:
    """Look for credentials of others. One read; an archived vault, which serves nobody, needs none.

    Return True if the vault is gone already.

    Raises:
        QoderError: there are some.
    """
    if recorded.status == ARCHIVED:
        return False
    try:
        listed = list_settled(api, recorded, lambda listed: others(recorded, listed, api.deleted_ids))
    except NotFound:
        if api.get_vault(recorded.vault_id).status == ACTIVE:  # it is the list that is missing, and not the vault
            raise QoderError(unlisted(recorded, "Qoder shows no list of its credentials")) from None
        return False
    except QoderError as failure:
        failure.args = (unlisted(recorded, str(failure)),)
        raise
    if listed is None:
        return True
    found = _of_others(api, recorded, listed)
    if found and api.get_vault(recorded.vault_id).status == ACTIVE:
        raise QoderError(refusal(recorded, found, deletion))
    return False
