"""Apply the steps of a plan to the credentials of one vault, for a vault and for a standalone credential alike.

Owns what is true at any moment of a change: which credentials exist, which are left over, and what had to go first for
want of room and is put back if its successor is refused. What is to be done is decided in `plan`, and a lost response
in `recovery`. Knows neither HTTP nor Pulumi.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from ..errors import Conflict, NotFound, QoderError
from .absence import not_found
from .capabilities import BY_REVISION, RevisionInUse
from .credential_types import TYPES
from .model import ACTIVE, Credential, CredentialSet, DesiredSet, ObservedCredential, PartialState, Revision
from .plan import Op, Step, plan
from .recovery import CredentialCreation, is_about_key, send_again_if_lost
from .vaults_api import VaultsApi

S = TypeVar("S", bound=CredentialSet)


def observe(
    api: VaultsApi, recorded: CredentialSet, in_use: RevisionInUse
) -> tuple[tuple[ObservedCredential, ...], Revision]:
    """Return the active credentials of a vault, and the revision that its changes are written for. One read, or two."""
    observed = api.list_credentials(recorded.vault_id)
    shown = {item.revision for item in observed} or {api.get_vault(recorded.vault_id).revision}
    return observed, in_use.for_vault(shown.pop() if len(shown) == 1 else recorded.api_revision)


def update(
    api: VaultsApi,
    recorded: S,
    desired: DesiredSet,
    in_use: RevisionInUse,
    note: Callable[[S, Sequence[ObservedCredential]], S] = lambda recorded, _: recorded,
) -> S:
    """Make the credentials of a vault what the program asks for; all others in it, and the vault, stay.

    Args:
        api: where it is asked for.
        recorded: what the state holds.
        desired: what the program asks for.
        in_use: the revision in use.
        note: records what is seen of the vault before anything changes.

    Raises:
        VaultNotFound: the vault is not to be found.
        PartialState: some of the steps were carried out, and a later one failed.
    """
    revision = in_use.for_vault(recorded.api_revision)
    if not plan(recorded, desired, _as_observed(recorded, revision), revision) and recorded.unfinished is None:
        return settled(recorded, desired)
    try:
        observed, revision = observe(api, recorded, in_use)
    except NotFound as failure:
        raise not_found(api, recorded, failure) from None
    # It is at this place, too: from now on only its word counts.
    recorded = note(replace(recorded, place=api.place), observed)
    changes = CredentialChanges(api, recorded, desired, observed, revision)
    try:
        changes.apply(plan(recorded, desired, observed, revision))
    except QoderError as failure:
        if changes.done or recorded.unfinished is not None:
            raise PartialState(f"{failure}; {changes.summary()}", changes.recorded()) from None
        raise
    return settled(replace(changes.recorded(), unfinished=None, api_revision=revision), desired)


def remove(api: VaultsApi, vault_id: str, credential_id: str, revision: Revision) -> None:
    """Delete a credential, or archive it where it cannot be deleted; one that is archived already is success."""
    if BY_REVISION[revision].credential_deletion:
        api.delete_credential(vault_id, credential_id)
        return
    try:
        api.archive_credential(vault_id, credential_id)
    except Conflict:
        if api.get_credential(vault_id, credential_id).is_active:
            raise


def settled(recorded: S, desired: DesiredSet) -> S:
    """Return what is recorded once all that was asked for is there: order, protocols and rotations included."""
    return replace(recorded, credentials=desired.credentials, rotations=desired.rotations)


def _as_observed(recorded: CredentialSet, revision: Revision) -> list[ObservedCredential]:
    """Return what Qoder would show if nothing had changed since."""
    ids = recorded.credential_ids
    return [
        ObservedCredential(ids[item.key], item.type, item.properties, True, "", revision)  # noqa: FBT003 is_active
        for item in recorded.credentials
        if item.key in ids
    ]


class CredentialChanges(Generic[S]):
    """Changes of credentials under way.

    Args:
        recorded: the credentials as the state holds them.
        desired: what they shall become.
        observed: the active credentials that were there before.
        revision: the revision that requests are written for.

    Attributes:
        done: what was done so far, in words.
        made: what was made, as Qoder showed it, by key.
    """

    def __init__(
        self,
        api: VaultsApi,
        recorded: S,
        desired: DesiredSet,
        observed: Sequence[ObservedCredential],
        revision: Revision,
    ) -> None:
        active = {item.id for item in observed if item.is_active}
        self._api = api
        self._set = recorded
        self._counts = desired.rotations
        self._revision = revision
        self._observed = observed
        self._ids = {key: id_ for key, id_ in recorded.credential_ids.items() if id_ in active}
        self._credentials = {item.key: item for item in recorded.credentials}
        self._rotations = dict(recorded.rotations)
        self._leftovers = {id_ for id_ in recorded.unfinished or () if id_ in active}
        self._not_put_back = ""
        self.done: list[str] = []
        self.made: dict[str, ObservedCredential] = {}

    def apply(self, steps: Iterable[Step]) -> None:
        """Send what each step says, in order.

        Raises:
            QoderError: a step failed; what was done before it stays done.
        """
        pending = list(steps)
        while pending:
            step = pending.pop(0)
            if step.op is Op.CREATE:
                self._create(step, pending)
            elif step.op is Op.UPDATE:
                self._update(step)
            else:
                self._delete(step)

    def recorded(self) -> S:
        """Return what exists now."""
        existing = {key: item for key, item in self._credentials.items() if key in self._ids}
        return replace(
            self._set,
            credentials=tuple(existing.values()),
            credential_ids={key: self._ids[key] for key in existing},
            rotations={key: self._rotations.get(key, 0) for key in existing},
            unfinished=tuple(sorted(self._leftovers)),
        )

    def summary(self) -> str:
        """Return what was done, for an error."""
        done = f"done before: {', '.join(self.done)}; " if self.done else ""
        return (
            f"{done}{self._not_put_back}vault {self._set.vault_id} stays, and the next pulumi up completes the change"
        )

    def _create(self, step: Step, pending: list[Step]) -> None:
        credential = _credential_of(step)
        key = credential.key
        if credential.secret is None:  # imported
            raise QoderError(_secret_missing(credential, self._ids.get(key)))
        made = self._made(step, pending)
        previous = self._ids.get(key)
        if previous is not None:
            self._leftovers.add(previous)
        self._take(credential, made.id)
        self.made[key] = made
        self.done.append(f"made {made.id} for {key}")

    def _made(self, step: Step, pending: list[Step]) -> ObservedCredential:
        """Create beside what is there; where there is no room, delete first what is to go anyway."""
        credential = _credential_of(step)
        predecessor = [item for item in pending if _is_predecessor(item, step)]
        if self._goes_first(predecessor):
            return self._made_in_room(step, predecessor, pending)
        try:
            return self._creation(credential).create(self._api)
        except Conflict as conflict:
            foreign = self._foreign(credential.key)
            if foreign:
                raise QoderError(_already_there(conflict, foreign, credential.key)) from None
            room = [item for item in pending if item.is_removal or item in predecessor]
            if not room or not self._may_make_room(conflict):
                raise
        return self._made_in_room(step, room, pending)

    def _goes_first(self, predecessor: list[Step]) -> bool:
        """Return True if the predecessor must go first, and can be put back."""
        if BY_REVISION[self._revision].second_credential_per_url:
            return False
        return any(step.credential is not None and step.credential.secret is not None for step in predecessor)

    def _made_in_room(self, step: Step, room: list[Step], pending: list[Step]) -> ObservedCredential:
        """Delete what is to go anyway, and create again; put the predecessor back if that fails."""
        for item in room:
            pending.remove(item)
            self._delete(item)
        try:
            return self._creation(_credential_of(step)).create(self._api)
        except QoderError as failure:
            self._put_back(next((item for item in room if _is_predecessor(item, step)), None), failure)
            raise

    def _update(self, step: Step) -> None:
        credential, credential_id = _credential_of(step), step.credential_id or ""
        key = credential.key
        before = self._credentials[key]
        is_sure = before.secret is not None or self._set.unfinished is None
        try:
            send_again_if_lost(
                self._api,
                lambda api: api.update_credential(
                    self._set.vault_id, credential_id, before, credential, is_sure=is_sure
                ),
            )
        except QoderError as failure:
            if failure.may_be_done:
                # Nobody knows which secret Qoder has. None is no program's, so the next `up` rotates.
                self._credentials[key] = before.with_secret(None)
                self.done.append(f"rotated {credential_id} for {key}, or not")
            raise
        self._take(credential.with_secret(credential.secret or before.secret), credential_id)
        self.done.append(f"rotated {credential_id} for {key}")

    def _delete(self, step: Step) -> None:
        credential_id = step.credential_id or ""
        try:
            send_again_if_lost(self._api, lambda api: remove(api, self._set.vault_id, credential_id, self._revision))
        except NotFound as absent:
            if not absent.genuine:
                raise
        self._leftovers.discard(credential_id)
        self._ids = {key: id_ for key, id_ in self._ids.items() if id_ != credential_id}
        self.done.append(f"deleted {credential_id}")

    def _take(self, credential: Credential, credential_id: str) -> None:
        key = credential.key
        self._ids[key] = credential_id
        self._credentials[key] = credential
        self._rotations[key] = self._counts.get(key, 0)

    def _put_back(self, deleted: Step | None, failure: QoderError) -> None:
        """Make the credential again that went first for its successor, which then was not taken."""
        former = deleted.credential if deleted else None
        if former is None:
            return
        secret, creation, api = former.secret, self._creation(former), self._api.recovering()
        try:
            if secret is None:
                raise QoderError("it is not known")
            try:
                made = creation.send(api)
            except QoderError as lost:
                made = creation.recover(self._api.recovering(), lost)
                if failure.may_be_done:
                    secret = None  # what was found may be the successor, too
        except QoderError as second:
            self._not_put_back = f"the former access token for {former.key} could not be put back ({second}); "
            return
        self._ids[former.key] = made.id
        self._credentials[former.key] = former.with_secret(secret)
        self.done.append(f"put the former access token for {former.key} back, as {made.id}")

    def _creation(self, credential: Credential) -> CredentialCreation:
        known_ids = frozenset({*(item.id for item in self._observed), *self._ids.values(), *self._leftovers})
        return CredentialCreation(self._set.vault_id, credential, self._revision, known_ids)

    def _may_make_room(self, conflict: Conflict) -> bool:
        """Return True if less in the vault could help. An archived vault, which is a 409 too, takes nothing."""
        return is_about_key(conflict) or self._api.get_vault(self._set.vault_id).status == ACTIVE

    def _foreign(self, key: str) -> str | None:
        """Return the id of a credential for this key that is not ours."""
        ours = {*self._ids.values(), *self._leftovers}
        taken = (item.id for item in self._observed if item.is_active and item.key == key)
        return next((id_ for id_ in taken if id_ not in ours), None)


def _secret_missing(credential: Credential, existing_id: str | None) -> str:
    """Return why a credential cannot be made: nobody knows its secret."""
    what = TYPES[credential.type].secret_field.replace("_", " ") if credential.type in TYPES else "secret"
    if existing_id is not None:
        return (
            f"another credential for {credential.key} must take the place of {existing_id} to change it, and its "
            f"{what} is not known: add it to the program"
        )
    return f"the credential for {credential.key} is gone, and its {what} is not known: add it to the program"


def _already_there(conflict: Conflict, credential_id: str, key: str) -> str:
    """Return whose a credential can be that this resource did not make, and what to do in each case."""
    return (
        f"{conflict}: credential {credential_id} for {key} is in the vault, and this resource did not make it. If it "
        "is of another stack or person, take it out of this program; if a run of this program was killed, delete it at "
        "Qoder; if it is of this stack under another resource name, add an alias, or remove the other resource in an "
        "up of its own; if it is being replaced, set deleteBeforeReplace: true"
    )


def _is_predecessor(deletion: Step, creation: Step) -> bool:
    return deletion.op is Op.DELETE and deletion.credential_id == creation.credential_id


def _credential_of(step: Step) -> Credential:
    assert step.credential is not None  # noqa: S101 every step but the deletion of a leftover has one
    return step.credential
