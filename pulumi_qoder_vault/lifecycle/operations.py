"""Create, read, update, delete: carry steps out, and take back what was made where the rest fails.

What is to be done is decided in `plan` and `detect`; how it is sent, in the API. Nothing here knows Pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import (
    AnswerLost,
    BadRequest,
    Conflict,
    NotFound,
    QoderError,
    Refused,
    ServerError,
    Unfinished,
    VaultNotFound,
)
from ..secret import one_line
from .detect import RevisionInUse, refuses_credentials_key
from .model import (
    ACTIVE,
    Credential,
    DesiredVault,
    ObservedCredential,
    ObservedVault,
    RecordedVault,
    Revision,
    VaultsApi,
)
from .plan import CREATES_WITH_VAULT, Op, Step, plan


def create(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make a vault with its credentials; if that fails half-way, delete it again.

    Raises:
        Refused: a credential or the metadata was not taken; nothing is left.
        Unfinished: likewise, and the vault could not be deleted again.
        AnswerLost: whether a vault was made is not known.
    """
    vault, sending = _create_vault(api, desired, in_use)
    made = {item.mcp_server_url: item for item in vault.credentials if item.is_active and item.mcp_server_url}
    try:
        if desired.metadata is not None and vault.metadata != desired.metadata:
            raise QoderError(
                "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder "
                "of API revision 2026-07"
            )
        for credential in desired.credentials:
            if credential.mcp_server_url not in made:
                made[credential.mcp_server_url] = api.create_credential(vault.id, credential, sending=sending)
    except QoderError as failure:
        recorded = replace(_recorded(api, desired, vault, made), unfinished=())
        raise _roll_back(api, recorded, failure) from None
    return _recorded(api, desired, vault, made)


def read(api: VaultsApi, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
    """Look at a vault that the state holds. Give what is there (None if it is gone), and whether that is drift.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    try:
        vault = api.get_vault(recorded.id)
    except NotFound as failure:
        if _is_gone(api, recorded, failure):
            return None, True
        raise _not_found(api, recorded, failure) from None
    is_drift = ACTIVE not in (vault.status, recorded.status) or vault.status != recorded.status
    found = replace(
        recorded,
        place=api.place,
        status=vault.status,
        created_at=vault.created_at or recorded.created_at,
        updated_at=vault.updated_at or recorded.updated_at,
        api_revision=vault.revision,
        unfinished=recorded.unfinished or None,
    )
    return found, is_drift or recorded.unfinished is not None


def look_up(api: VaultsApi, vault_id: str) -> RecordedVault:
    """Read a vault that this stack does not own, with all its active credentials that have a URL.

    Raises:
        VaultNotFound: there is none.
    """
    try:
        vault = api.get_vault(vault_id)
        credentials = api.list_credentials(vault_id)
    except NotFound as failure:
        raise VaultNotFound(f"{failure}: there is no vault {vault_id} at {api.place}") from None
    newest: dict[str, ObservedCredential] = {}
    # A time has as many digits as it needs: without the Z, a shorter one is the earlier one.
    for item in sorted(credentials, key=lambda item: item.created_at.removesuffix("Z")):
        if item.is_active and item.mcp_server_url:
            newest[item.mcp_server_url] = item
    return RecordedVault(
        id=vault.id,
        display_name=vault.display_name,
        metadata=vault.metadata,
        on_delete="delete",
        place=api.place,
        status=vault.status,
        credentials=tuple(Credential(url, None, item.protocol, item.type) for url, item in newest.items()),
        credential_ids={url: item.id for url, item in newest.items()},
        rotations={},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def update(api: VaultsApi, recorded: RecordedVault, desired: DesiredVault, in_use: RevisionInUse) -> RecordedVault:
    """Make the credentials of a vault what the program asks for; the vault and its id stay.

    Raises:
        Unfinished: some of the steps were carried out, and a later one failed.
    """
    revision = in_use.for_vault(recorded.api_revision)
    assumed = _as_observed(recorded, revision)
    target = replace(recorded, on_delete=desired.on_delete)
    if not plan(recorded, desired, assumed, revision) and recorded.unfinished is None:
        return _settled(target, desired)
    try:
        observed = api.list_credentials(recorded.id)
        shapes = {item.revision for item in observed} or {api.get_vault(recorded.id).revision}
    except NotFound as failure:
        raise _not_found(api, recorded, failure) from None
    revision = in_use.for_vault(shapes.pop() if len(shapes) == 1 else recorded.api_revision)
    work = _Work(api, target, observed, revision)
    try:
        work.carry_out(plan(recorded, desired, observed, revision))
    except QoderError as failure:
        if work.changed or recorded.unfinished is not None:
            raise Unfinished(f"{failure}; {work.account()}", work.recorded()) from None
        raise
    return _settled(replace(work.recorded(), unfinished=None, api_revision=revision), desired)


def delete(api: VaultsApi, recorded: RecordedVault) -> None:
    """Delete or archive a vault, as ``on_delete`` says. One that is gone, or archived already, is success.

    Raises:
        VaultNotFound: it is not to be found, and that does not prove that it is gone.
    """
    try:
        if recorded.on_delete == "archive":
            api.archive_vault(recorded.id)
        else:
            api.delete_vault(recorded.id)
    except Conflict:
        if recorded.on_delete != "archive":
            raise
    except NotFound as failure:
        if not _is_gone(api, recorded, failure):
            raise _not_found(api, recorded, failure) from None


def _create_vault(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> tuple[ObservedVault, Revision]:
    """Send the create in the form that this Qoder takes. Give the vault, and the form for what is still to be added."""
    with in_use.known() as known:
        if known is not None:
            return _send_create(api, desired, known), known
        try:
            vault = _send_create(api, desired, Revision.R2026_05)
        except BadRequest as refusal:
            if not refuses_credentials_key(refusal.answer):
                raise
            try:
                vault = _send_create(api, desired, Revision.R2026_07)
            except AnswerLost:
                raise  # a vault may exist: that is worth more than the first refusal
            except QoderError:
                raise refusal from None
            in_use.remember(Revision.R2026_07)
            return vault, Revision.R2026_07
        found = Revision.R2026_05 if vault.credentials else vault.revision
        in_use.remember(found)
        return vault, found


def _send_create(api: VaultsApi, desired: DesiredVault, sending: Revision) -> ObservedVault:
    credentials = desired.credentials if CREATES_WITH_VAULT[sending] else ()
    try:
        return api.create_vault(desired.display_name, desired.metadata, credentials, sending=sending)
    except (AnswerLost, ServerError) as failure:
        secrets = [item.access_token for item in desired.credentials if item.access_token]
        name = one_line(desired.display_name, secrets, limit=80)
        raise AnswerLost(
            f"{failure}; it was not sent again, and a vault named '{name}' may exist at {api.place}: look for it, and "
            "delete it, before the next pulumi up makes another one"
        ) from None


def _roll_back(api: VaultsApi, recorded: RecordedVault, failure: QoderError) -> QoderError:
    """Delete a vault that could not be completed. Give the error that says what is left."""
    try:
        api.delete_vault(recorded.id, is_rollback=True)
    except NotFound as absent:
        if not absent.genuine:
            return _left_over(recorded, failure, absent)
    except QoderError as second:
        return _left_over(recorded, failure, second)
    return Refused(f"{failure}; vault {recorded.id} was deleted again, nothing is left")


def _left_over(recorded: RecordedVault, failure: QoderError, second: QoderError) -> Unfinished:
    return Unfinished(
        f"{failure}; vault {recorded.id} could not be deleted again ({second}), so it is recorded as partially "
        "created: the next pulumi up finishes it, pulumi destroy removes it",
        recorded,
    )


class _Work:
    """Credential changes under way, and at any moment what is true of the vault."""

    def __init__(
        self,
        api: VaultsApi,
        recorded: RecordedVault,
        observed: Sequence[ObservedCredential],
        revision: Revision,
    ) -> None:
        active = {item.id for item in observed if item.is_active}
        self._api = api
        self._vault = recorded
        self._revision = revision
        self._observed = observed
        self._ids = {url: id_ for url, id_ in recorded.credential_ids.items() if id_ in active}
        self._credentials = {item.mcp_server_url: item for item in recorded.credentials}
        self._leftovers = {id_ for id_ in recorded.unfinished or () if id_ in active}
        self.changed: list[str] = []

    def carry_out(self, steps: Iterable[Step]) -> None:
        pending = list(steps)
        while pending:
            step = pending.pop(0)
            match step.op:
                case Op.CREATE:
                    self._create(step, pending)
                case Op.UPDATE:
                    self._update(step)
                case Op.DELETE:
                    self._delete(step)

    def recorded(self) -> RecordedVault:
        existing = {url: item for url, item in self._credentials.items() if url in self._ids}
        return replace(
            self._vault,
            credentials=tuple(existing.values()),
            credential_ids={url: self._ids[url] for url in existing},
            rotations={url: self._vault.rotations.get(url, 0) for url in existing},
            unfinished=tuple(sorted(self._leftovers)),
        )

    def account(self) -> str:
        done = f"done before: {', '.join(self.changed)}; " if self.changed else ""
        return f"{done}vault {self._vault.id} stays, and the next pulumi up does the rest"

    def _create(self, step: Step, pending: list[Step]) -> None:
        credential = _credential_of(step)
        try:
            made = self._api.create_credential(self._vault.id, credential, sending=self._revision)
        except Conflict as conflict:
            foreign = self._foreign(credential.mcp_server_url)
            if foreign:
                raise QoderError(
                    f"{conflict}: credential {foreign} for {credential.mcp_server_url} is not of this program; delete "
                    "it, or take the URL out of the program"
                ) from None
            room = [item for item in pending if item.is_removal or _is_predecessor(item, step)]
            if not room or not self._may_make_room(conflict):
                raise
            for item in room:
                pending.remove(item)
                self._delete(item)
            made = self._api.create_credential(self._vault.id, credential, sending=self._revision)
        previous = self._ids.get(credential.mcp_server_url)
        if previous is not None:
            self._leftovers.add(previous)
        self._ids[credential.mcp_server_url] = made.id
        self._credentials[credential.mcp_server_url] = credential
        self.changed.append(f"made {made.id} for {credential.mcp_server_url}")

    def _update(self, step: Step) -> None:
        credential, credential_id = _credential_of(step), step.credential_id or ""
        self._api.rotate_credential(self._vault.id, credential_id, credential)
        self._credentials[credential.mcp_server_url] = credential
        self.changed.append(f"rotated {credential_id} for {credential.mcp_server_url}")

    def _delete(self, step: Step) -> None:
        credential_id = step.credential_id or ""
        try:
            self._api.delete_credential(self._vault.id, credential_id)
        except NotFound as absent:
            if not absent.genuine:
                raise
        self._leftovers.discard(credential_id)
        self._ids = {url: id_ for url, id_ in self._ids.items() if id_ != credential_id}
        self.changed.append(f"deleted {credential_id}")

    def _may_make_room(self, conflict: Conflict) -> bool:
        """Tell if less in the vault could help. Where the vault is archived, which is a 409 too, it could not."""
        says_so = "mcp_server_url" in f"{conflict.answer.param} {conflict.answer.message}"
        return says_so or self._api.get_vault(self._vault.id).status == ACTIVE

    def _foreign(self, url: str) -> str | None:
        ours = {*self._ids.values(), *self._leftovers}
        taken = (item.id for item in self._observed if item.is_active and item.mcp_server_url == url)
        return next((id_ for id_ in taken if id_ not in ours), None)


def _is_predecessor(deletion: Step, creation: Step) -> bool:
    return deletion.op is Op.DELETE and deletion.credential_id == creation.credential_id


def _credential_of(step: Step) -> Credential:
    assert step.credential is not None  # noqa: S101 every step but the deletion of a leftover has one
    return step.credential


def _recorded(
    api: VaultsApi, desired: DesiredVault, vault: ObservedVault, made: dict[str, ObservedCredential]
) -> RecordedVault:
    existing = tuple(item for item in desired.credentials if item.mcp_server_url in made)
    return RecordedVault(
        id=vault.id,
        display_name=desired.display_name,
        metadata=desired.metadata or {},
        on_delete=desired.on_delete,
        place=api.place,
        status=vault.status,
        credentials=existing,
        credential_ids={item.mcp_server_url: made[item.mcp_server_url].id for item in existing},
        rotations={item.mcp_server_url: desired.rotations.get(item.mcp_server_url, 0) for item in existing},
        created_at=vault.created_at,
        updated_at=vault.updated_at,
        api_revision=vault.revision,
    )


def _settled(recorded: RecordedVault, desired: DesiredVault) -> RecordedVault:
    """Record what was asked for, once it is all there: order, protocols and rotations included."""
    return replace(recorded, credentials=desired.credentials, rotations=desired.rotations)


def _as_observed(recorded: RecordedVault, revision: Revision) -> list[ObservedCredential]:
    types = {item.mcp_server_url: item for item in recorded.credentials}
    return [
        ObservedCredential(
            id_, url, types[url].protocol, types[url].type, is_active=True, created_at="", revision=revision
        )
        for url, id_ in recorded.credential_ids.items()
        if url in types
    ]


def _is_gone(api: VaultsApi, recorded: RecordedVault, failure: NotFound) -> bool:
    return failure.genuine and api.place == recorded.place


def _not_found(api: VaultsApi, recorded: RecordedVault, failure: NotFound) -> VaultNotFound:
    if failure.genuine and api.place == recorded.place:
        return VaultNotFound(
            f"{failure}: vault {recorded.id} is gone; run pulumi refresh, then pulumi up makes it anew"
        )
    return VaultNotFound(
        f"{failure}: nothing proves that vault {recorded.id} is gone; it was made at {recorded.place}, and this run "
        f"asked {api.place}; check qoder:baseUrl, qoder:workspaceId and the proxy"
    )
