"""Create, read, update, delete: carry steps out, and take back what was made where the rest fails.

What is to be done is decided in `plan`; `making` makes a vault, `work` changes its credentials. Nothing knows Pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import Conflict, NotFound, PartialState, QoderError, RolledBack, VaultNotFound
from .detect import RevisionInUse
from .making import make_vault
from .model import (
    ACTIVE,
    ARCHIVED,
    DEFAULT_PROTOCOL,
    STATIC_BEARER,
    Credential,
    DesiredVault,
    ObservedCredential,
    ObservedVault,
    RecordedVault,
    Revision,
)
from .others import NOTHING_KNOWN, Deletion, named, others, refusal, unlisted
from .plan import Op, Step, plan
from .vaults_api import VaultsApi
from .work import Work


def create(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make a vault with its credentials; if that fails half-way, delete it again.

    Raises:
        RolledBack: a credential or the metadata was not taken; nothing is left.
        PartialState: likewise, and the vault could not be deleted again.
        OutcomeUnknown: whether a vault was made is not known.
    """
    made = make_vault(api, desired, in_use)
    recorded = _recorded(api, desired, made.vault)
    work = Work(api, recorded, desired, made.vault.credentials, made.revision)
    try:
        if desired.metadata is not None and made.vault.metadata != desired.metadata:
            raise QoderError(
                "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder "
                "of API revision 2026-07"
            )
        missing = (item for item in desired.credentials if item.key not in recorded.credential_ids)
        work.carry_out(Step(Op.CREATE, item) for item in missing)
    except QoderError as failure:
        raise _roll_back(api, work.recorded(), failure, made.candidates) from None
    recorded = _settled(replace(work.recorded(), unfinished=None), desired)
    if made.candidates:
        raise PartialState(
            f"POST /vaults: its first response was lost; it was sent once more and made vault {recorded.id}, which is "
            f"recorded and whole{_candidates_left(made.candidates)}; the next pulumi up goes on",
            replace(recorded, unfinished=()),
        )
    return recorded


def read(api: VaultsApi, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
    """Look at a vault that the state holds. Give what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    try:
        vault = api.get_vault(recorded.id)
    except NotFound as failure:
        if is_gone(api, recorded, failure):
            return None, True
        raise not_found(api, recorded, failure) from None
    credentials, other_credentials = recorded.credentials, recorded.other_credentials
    if vault.status == ACTIVE:  # of an archived one nothing can be mended, so nothing else counts
        listed = api.list_credentials(recorded.id)
        credentials, other_credentials = _still_there(recorded, listed), _of_others(api, recorded, listed)
    urls = {item.key for item in credentials}
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
        credential_ids={url: id_ for url, id_ in recorded.credential_ids.items() if url in urls},
        rotations={url: count for url, count in recorded.rotations.items() if url in urls},
        created_at=vault.created_at or recorded.created_at,
        updated_at=vault.updated_at or recorded.updated_at,
        api_revision=vault.revision,
        unfinished=recorded.unfinished or None,
        other_credentials=other_credentials,
    )
    return found, is_drift


def _of_others(api: VaultsApi, recorded: RecordedVault, listed: Iterable[ObservedCredential]) -> dict[str, str]:
    """Return what the state holds of the credentials that this resource did not make."""
    return named(others(recorded, listed, api.deleted_ids), api.fit_to_show)


def _still_there(recorded: RecordedVault, listed: Iterable[ObservedCredential]) -> tuple[Credential, ...]:
    """Give the recorded credentials that are active, each with the protocol that Qoder shows, if it shows one."""
    active = {item.id: item for item in listed if item.is_active}
    observed = {url: active[id_] for url, id_ in recorded.credential_ids.items() if id_ in active}
    return tuple(
        replace(item, protocol=observed[item.key].protocol or item.protocol)
        for item in recorded.credentials
        if item.key in observed
    )


def look_up(api: VaultsApi, vault_id: str, recorded: RecordedVault | None = None) -> RecordedVault | None:
    """Read a vault that this stack does not own, with all its active credentials that have a URL.

    With what the state holds of it, None is given for a vault that is gone.

    Raises:
        VaultNotFound: it is not to be found, and it must exist, or nothing proves that it is gone.
    """
    try:
        vault = api.get_vault(vault_id)
        credentials = api.list_credentials(vault_id)
    except NotFound as failure:
        if recorded is not None and is_gone(api, recorded, failure):
            return None
        if recorded is not None:
            raise not_found(api, recorded, failure) from None
        raise no_vault(api, vault_id, failure) from None
    return _as_found(api, vault, _newest(credentials))


def find(api: VaultsApi, vault_id: str) -> RecordedVault:
    """Read a vault that an import makes ours, with those of its credentials that a vault can declare.

    Raises:
        VaultNotFound: it is not to be found, and it must exist.
    """
    try:
        vault = api.get_vault(vault_id)
        credentials = api.list_credentials(vault_id)
    except NotFound as failure:
        raise no_vault(api, vault_id, failure) from None
    declared = {url: item for url, item in _newest(credentials).items() if item.type == STATIC_BEARER}
    found = _as_found(api, vault, declared)
    return replace(
        found,
        on_delete="delete",
        credentials=tuple(
            replace(item, protocol=item.protocol or DEFAULT_PROTOCOL)  # 2026-07 has none
            for item in found.credentials
        ),
        rotations=dict.fromkeys(declared, 0),
        other_credentials=_of_others(api, found, credentials),
    )


def _newest(credentials: Iterable[ObservedCredential]) -> dict[str, ObservedCredential]:
    """Return the active credentials that have a URL, by it; of two with one URL, the newest."""
    newest: dict[str, ObservedCredential] = {}
    # A time has as many digits as it needs: without the Z, a shorter one is the earlier one.
    for item in sorted(credentials, key=lambda item: item.created_at.removesuffix("Z")):
        if item.is_active and item.mcp_server_url:
            newest[item.mcp_server_url] = item
    return newest


def _as_found(api: VaultsApi, vault: ObservedVault, credentials: Mapping[str, ObservedCredential]) -> RecordedVault:
    """Record a vault that this stack does not own."""
    return RecordedVault(
        id=vault.id,
        display_name=vault.display_name,
        metadata=vault.metadata,
        on_delete=None,
        place=api.place,
        status=vault.status,
        credentials=tuple(Credential(url, None, item.protocol, item.type) for url, item in credentials.items()),
        credential_ids={url: item.id for url, item in credentials.items()},
        rotations={},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def update(api: VaultsApi, recorded: RecordedVault, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make the credentials of a vault what the program asks for; the vault and its id stay.

    Raises:
        PartialState: some of the steps were carried out, and a later one failed.
    """
    revision = in_use.for_vault(recorded.api_revision)
    assumed = _as_observed(recorded, revision)
    target = replace(recorded, on_delete=desired.on_delete, force_destroy=desired.force_destroy)
    if not plan(recorded, desired, assumed, revision) and recorded.unfinished is None:
        return _settled(target, desired)
    try:
        observed, revision = look(api, recorded, in_use)
    except NotFound as failure:
        raise not_found(api, recorded, failure) from None
    # It is at this place, too: from now on only its word counts.
    target = replace(target, place=api.place, other_credentials=_of_others(api, recorded, observed))
    work = Work(api, target, desired, observed, revision)
    try:
        work.carry_out(plan(recorded, desired, observed, revision))
    except QoderError as failure:
        if work.changed or recorded.unfinished is not None:
            raise PartialState(f"{failure}; {work.account()}", work.recorded()) from None
        raise
    return _settled(replace(work.recorded(), unfinished=None, api_revision=revision), desired)


def look(
    api: VaultsApi, recorded: RecordedVault, in_use: RevisionInUse
) -> tuple[tuple[ObservedCredential, ...], Revision]:
    """Give the active credentials of a vault, and the revision that its changes are written for."""
    observed = api.list_credentials(recorded.id)
    shapes = {item.revision for item in observed} or {api.get_vault(recorded.id).revision}
    return observed, in_use.for_vault(shapes.pop() if len(shapes) == 1 else recorded.api_revision)


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
    try:
        if not (is_forced or recorded.force_destroy):
            _refuse_to_take_others_along(api, recorded, deletion)
        if recorded.on_delete == "archive":
            api.archive_vault(recorded.id)
        else:
            api.delete_vault(recorded.id)
    except Conflict:
        if recorded.on_delete != "archive" or api.get_vault(recorded.id).status == ACTIVE:
            raise
    except NotFound as failure:
        if not is_gone(api, recorded, failure):
            raise not_found(api, recorded, failure) from None


def _refuse_to_take_others_along(api: VaultsApi, recorded: RecordedVault, deletion: Deletion) -> None:
    """Look for credentials of others. One read; an archived vault, which serves nobody, needs none.

    Raises:
        QoderError: there are some.
    """
    if recorded.status == ARCHIVED:
        return
    try:
        listed = api.list_credentials(recorded.id)
    except NotFound:
        if api.get_vault(recorded.id).status == ACTIVE:  # it is the list that is missing, and not the vault
            raise QoderError(unlisted(recorded, "Qoder shows no list of its credentials")) from None
        return
    except QoderError as failure:
        failure.args = (unlisted(recorded, str(failure)),)
        raise
    found = _of_others(api, recorded, listed)
    if found and api.get_vault(recorded.id).status == ACTIVE:
        raise QoderError(refusal(recorded, found, deletion))


def _roll_back(api: VaultsApi, recorded: RecordedVault, failure: QoderError, candidates: tuple[str, ...]) -> QoderError:
    """Delete a vault that could not be completed. Give the error that says what is left."""
    try:
        api.recovering().delete_vault(recorded.id)
    except NotFound as absent:
        if not absent.genuine:
            return _left_over(recorded, failure, absent, candidates)
    except QoderError as second:
        return _left_over(recorded, failure, second, candidates)
    left = _candidates_left(candidates) if candidates else ", nothing is left"
    return RolledBack(f"{failure}; vault {recorded.id} was deleted again{left}")


def _left_over(
    recorded: RecordedVault, failure: QoderError, second: QoderError, candidates: tuple[str, ...]
) -> PartialState:
    return PartialState(
        f"{failure}; vault {recorded.id} could not be deleted again ({second}), so it is recorded as partially "
        f"created: the next pulumi up finishes it, pulumi destroy removes it{_candidates_left(candidates)}",
        recorded,
    )


def _candidates_left(candidates: tuple[str, ...]) -> str:
    """Name the vaults that may be orphans. They are not touched: another stack may have made them."""
    if not candidates:
        return ""
    names, are = ", ".join(candidates), "is" if len(candidates) == 1 else "are"
    return (
        f"; {names}, of the same name and time, {are} left alone: possibly an orphan, so delete what nobody else made"
    )


def _recorded(api: VaultsApi, desired: DesiredVault, vault: ObservedVault) -> RecordedVault:
    """Record a vault as it was just made, with the credentials that came in the same response."""
    made = {item.key: item for item in vault.credentials if item.is_active and item.key}
    existing = tuple(item for item in desired.credentials if item.key in made)
    return RecordedVault(
        id=vault.id,
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


def _settled(recorded: RecordedVault, desired: DesiredVault) -> RecordedVault:
    """Record what was asked for, once it is all there: order, protocols and rotations included."""
    return replace(recorded, credentials=desired.credentials, rotations=desired.rotations)


def _as_observed(recorded: RecordedVault, revision: Revision) -> list[ObservedCredential]:
    types = {item.key: item for item in recorded.credentials}
    return [
        ObservedCredential(
            id_, url, types[url].protocol, types[url].type, is_active=True, created_at="", revision=revision
        )
        for url, id_ in recorded.credential_ids.items()
        if url in types
    ]


def is_gone(api: VaultsApi, recorded: RecordedVault, failure: NotFound) -> bool:
    """Tell if a 404 proves something: the API's own word, asked for where the vault was made."""
    return failure.genuine and api.place == recorded.place


def not_found(api: VaultsApi, recorded: RecordedVault, failure: NotFound, what: str = "vault") -> VaultNotFound:
    """Say what a 404 proves of a vault, or of what is in it."""
    if is_gone(api, recorded, failure):
        return VaultNotFound(
            f"{failure}: {what} {recorded.id} is gone; run pulumi refresh, then pulumi up makes it anew"
        )
    return VaultNotFound(
        f"{failure}; nothing proves that {what} {recorded.id} is gone; it was made at {recorded.place}, and this run "
        f"asked {api.place}"
    )


def no_vault(api: VaultsApi, vault_id: str, failure: NotFound) -> VaultNotFound:
    """Say what a 404 proves of a vault that no state of ours holds."""
    if failure.genuine:
        return VaultNotFound(f"{failure}: there is no vault {vault_id} at {api.place}", is_absent=True)
    return VaultNotFound(f"{failure}; nothing proves that there is no vault {vault_id} at {api.place}")
