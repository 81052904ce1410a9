"""Apply the steps of a plan to the credentials of one vault, for a vault and for a standalone credential alike.

Owns what is true at any moment of a change: which credentials exist, which are left over, and what had to go first for
want of room and is put back if its successor is refused. What is to be done is decided in `plan`, and a lost response
in `recovery`. Knows neither HTTP nor Pulumi.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Generic, NoReturn, TypeVar

from ..errors import ApiError, Conflict, QoderError, RolledBack
from .absence import (
    NO_ROUTE,
    PAUSES_OF_YOUNG_S,
    find_credentials,
    find_for_change,
    find_vault,
    is_active,
    list_credentials,
)
from .capabilities import Capabilities, QoderInUse
from .credential_types import TYPES, fields_of
from .drift import as_seen, not_shown
from .equivalence import is_same_url, rfc3339
from .inputs import secrets_by_path
from .model import ACTIVE, Credential, CredentialSet, DesiredSet, ObservedCredential, PartialState, Revision
from .plan import Op, Step, plan, still_ours
from .recovery import CredentialCreation, is_about, is_definite, send_again_if_lost
from .references import counted, is_triggered, is_verifier, recognised, without_secrets
from .removal import remove_credential
from .vaults_api import VaultsApi

S = TypeVar("S", bound=CredentialSet)

FULL = 20  # credentials of the sister API's vaults; one server refuses more with 409, another with 400
BUSY = "Qoder refuses the change for now"
# The statuses of an update in place that this Qoder does not have.
_NO_UPDATE = (404, *NO_ROUTE)


def observe(
    api: VaultsApi, recorded: CredentialSet, in_use: QoderInUse
) -> tuple[tuple[ObservedCredential, ...], Revision]:
    """Return the active credentials of a vault, and the revision that its changes are written for. One read, or two.

    What the list lacks of ours is asked for: one list is no proof, and what is there would be made a second time.

    Raises:
        VaultNotFound: the vault is gone.
    """
    observed = list_credentials(api, recorded)
    missing = recorded.our_ids - {item.id for item in observed}
    if missing:
        observed += tuple(find_credentials(api, recorded, missing, observed, in_use).values())
    # Some servers show an empty list of a vault that is gone.
    shown = {item.revision for item in observed} or {find_for_change(api, recorded).revision}
    return observed, in_use.for_vault(shown.pop() if len(shown) == 1 else recorded.api_revision)


def update(
    api: VaultsApi,
    recorded: S,
    desired: DesiredSet,
    in_use: QoderInUse,
    note: Callable[[S, Sequence[ObservedCredential]], S] = lambda recorded, _: recorded,
) -> S:
    """Make the credentials of a vault what the program asks for; all others in it, and the vault, stay.

    Args:
        api: where it is asked for.
        recorded: what the state holds.
        desired: what the program asks for.
        in_use: what is known of this Qoder.
        note: records what is seen of the vault before anything changes.

    Raises:
        VaultNotFound: the vault is not to be found.
        PartialState: some of the steps were carried out, and a later one failed.
    """
    recorded, desired = _recognised(recorded, desired)
    revision = in_use.for_vault(recorded.api_revision)
    as_recorded = _as_observed(recorded, revision)
    if not plan(recorded, desired, as_recorded, in_use.can(revision)) and recorded.unfinished is None:
        return settled(recorded, desired)
    observed, revision = observe(api, recorded, in_use)
    # It is at this place, too: from now on only its word counts.
    recorded = note(replace(recorded, place=api.place, seen_with=api.account), observed)
    steps = plan(recorded, desired, observed, in_use.can(revision))
    # An update after one whose outcome is not known sends all that may change.
    sending = (Op.CREATE,) if recorded.unfinished is None else (Op.CREATE, Op.UPDATE)
    unread = {_credential_of(step).key for step in steps if step.op in sending}
    if unread:  # before anything is sent
        read = tuple(desired.read(item) if item.key in unread else item for item in desired.credentials)
        recorded, desired = _recognised(recorded, replace(desired, credentials=read))
        steps = plan(recorded, desired, observed, in_use.can(revision))
    changes = CredentialChanges(api, recorded, desired, observed, revision, in_use, takes_back=True)
    try:
        changes.apply(steps)
    except QoderError as failure:
        failure.args = (f"{failure}{_why_refused(api, recorded, failure)}",)
        if changes.done or recorded.unfinished is not None:
            raise PartialState(f"{failure}; {changes.summary()}", changes.recorded()) from None
        raise
    made = tuple(changes.read_later.get(item.key, item) for item in desired.credentials)
    recorded = replace(changes.recorded(), unfinished=None, api_revision=revision)
    return settled(recorded, replace(desired, credentials=made))


def _why_refused(api: VaultsApi, recorded: CredentialSet, failure: QoderError) -> str:
    """Return what else is to be said of a refusal: an archived vault takes no change, whatever is sent."""
    if not isinstance(failure, ApiError) or failure.may_be_done or failure.response.status not in (400, 404, 409):
        return ""
    try:
        is_active = api.get_vault(recorded.vault_id).status == ACTIVE
    except QoderError:
        return ""
    if is_active:
        return ""
    return f": vault {recorded.vault_id} is archived: run pulumi refresh, then pulumi up, which replaces it"


def settled(recorded: S, desired: DesiredSet) -> S:
    """Return what is recorded once all that was asked for is there: order, protocols and rotations included."""
    counts = {key: max(count, recorded.rotations.get(key, 0)) for key, count in desired.rotations.items()}
    return replace(recorded, credentials=desired.credentials, rotations=counts)


def _recognised(recorded: S, desired: DesiredSet) -> tuple[S, DesiredSet]:
    """Let what is recorded, and what is desired, tell each other what they know of secrets by reference."""
    wanted = {item.key: item for item in desired.credentials}
    had = {item.key: item for item in recorded.credentials}
    for key in wanted.keys() & had.keys():
        if wanted[key].type == had[key].type:
            fields = fields_of(had[key].type)
            before, after = recognised(fields, key, had[key].properties, wanted[key].properties)
            had[key], wanted[key] = replace(had[key], properties=before), replace(wanted[key], properties=after)
    credentials = tuple(wanted[item.key] for item in desired.credentials)
    return replace(recorded, credentials=tuple(had.values())), replace(desired, credentials=credentials)


def _is_sure(recorded: CredentialSet, before: Credential) -> bool:
    """Return True unless an update whose outcome is unknown came before: then all that may change is sent."""
    return before.secret is not None or recorded.unfinished is None


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
        in_use: what is known of this Qoder, and what these changes learn of it.
        takes_back: True if a credential that is not stored as it was asked for is deleted at once.

    Attributes:
        done: what was done so far, in words.
        made: what was made, as Qoder showed it, by key.
        read_later: what was made with a secret that was read for it, by key.
    """

    def __init__(
        self,
        api: VaultsApi,
        recorded: S,
        desired: DesiredSet,
        observed: Sequence[ObservedCredential],
        revision: Revision,
        in_use: QoderInUse,
        *,
        takes_back: bool = False,
    ) -> None:
        active = {item.id for item in observed if item.is_active}
        self._api = api
        self._set = recorded
        self._counts = desired.rotations
        self._read = desired.read
        self._revision = revision
        self._in_use = in_use
        self._takes_back = takes_back
        self._lacks_update = False
        self._observed = observed
        self._ids = still_ours(recorded, observed)
        self._credentials = {item.key: item for item in recorded.credentials}
        self._rotations = dict(recorded.rotations)
        self._rotated_at = dict(recorded.rotated_at or {})
        self._leftovers = {id_ for id_ in recorded.unfinished or () if id_ in active}
        self._went_first: dict[str, Step] = {}
        self._not_put_back = ""
        self.done: list[str] = []
        self.made: dict[str, ObservedCredential] = {}
        self.read_later: dict[str, Credential] = {}

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
                self._update(step, pending)
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
            rotated_at=self._times(existing),
            unfinished=tuple(sorted(self._leftovers)),
        )

    def _times(self, existing: Collection[str]) -> Mapping[str, str] | None:
        """Return when Qoder last took the secrets of what exists; None where nobody has noted it."""
        if self._set.rotated_at is None and not self._rotated_at:
            return None
        return {key: time for key, time in self._rotated_at.items() if key in existing}

    def summary(self) -> str:
        """Return what was done, for an error."""
        done = f"done before: {', '.join(self.done)}; " if self.done else ""
        return f"{done}{self._not_put_back}vault {self._set.vault_id} stays, and the next pulumi up goes on from there"

    def _create(self, step: Step, pending: list[Step]) -> None:
        asked = _credential_of(step)
        credential, key = self._read(asked), asked.key
        if credential != asked:
            self.read_later[key] = credential
        step = replace(step, credential=credential)
        if credential.secret is None:  # imported
            raise QoderError(_secret_missing(credential, self._ids.get(key)))
        made = self._made(step, pending)
        if self._takes_back and (field := not_shown(credential, made)):
            self._take_back(made.id, key, not_stored(field, key))
        previous = self._ids.get(key)
        if previous is not None:
            self._leftovers.add(previous)
        self._take(credential, made.id, sent=True)
        self.made[key] = made
        self.done.append(f"made {made.id} for {key}")

    def _made(self, step: Step, pending: list[Step]) -> ObservedCredential:
        """Create beside what is there; where there is no room, delete first what is to go anyway."""
        credential = _credential_of(step)
        predecessor = next((item for item in pending if _is_predecessor(item, step)), None)
        if predecessor is not None and self._goes_first(predecessor):
            return self._made_in_place_of(predecessor, credential, pending)
        try:
            return self._created(credential)
        except ApiError as failure:
            refusal = failure
        if not (isinstance(refusal, Conflict) or is_definite(refusal)):
            raise refusal
        if isinstance(refusal, Conflict):
            self._refuse_foreign(refusal, self._observed, credential.key)
        room = [item for item in pending if item.is_removal]
        if (not room and predecessor is None) or not self._may_make_room(refusal, credential):
            raise refusal
        if room:
            self._remove(room, pending)
            try:
                return self._created(credential)
            except ApiError as second:
                refusal = second
        if predecessor is None:
            raise refusal
        if isinstance(refusal, Conflict):
            made = self._created_after_all(credential, refusal)
            return made or self._made_in_place_of(predecessor, credential, pending)
        if not (_is_full(self._observed) and _can_be_put_back(predecessor)):
            raise refusal
        return self._made_in_place_of(predecessor, credential, pending)

    def _may_make_room(self, refusal: ApiError, credential: Credential) -> bool:
        """Return True if less in the vault could help. An archived vault takes nothing."""
        if isinstance(refusal, Conflict) and is_about(refusal, credential):
            return True
        vault = find_vault(self._api, self._set)
        return vault is not None and vault.status == ACTIVE

    def _take_back(self, credential_id: str, key: str, why: str) -> NoReturn:
        """Delete a credential that is not what was asked for; its predecessor, if any, goes on, or is put back."""
        again = self._api.recovering()
        try:
            remove_credential(again, self._set, credential_id, self._in_use)
        except QoderError as second:
            self._leftovers.add(credential_id)
            self.done.append(f"made {credential_id}")
            raise QoderError(f"{why}; credential {credential_id} could not be deleted again ({second})") from None
        taken_back = RolledBack(f"{why}; credential {credential_id} was deleted again")
        if key in self._went_first:
            self._put_back(again, self._went_first[key], taken_back)
        raise taken_back

    def _created(self, credential: Credential) -> ObservedCredential:
        return self._creation(credential).create(self._api)

    def _goes_first(self, predecessor: Step) -> bool:
        """Return True if a predecessor must go first, and can be put back."""
        return not self._can.second_credential_per_url and _can_be_put_back(predecessor)

    def _created_after_all(self, credential: Credential, refusal: Conflict) -> ObservedCredential | None:
        """Try again beside the old one, since one 409 says little. None if a second one is proven to be refused.

        Raises:
            QoderError: it is refused for another reason.
        """
        observed = self._observed
        is_proven = is_about(refusal, credential) or not self._can.second_credential_per_url
        for pause_s in () if is_proven else PAUSES_OF_YOUNG_S:
            if not self._api.recovering().wait(pause_s, BUSY):
                raise refusal
            try:
                return self._created(credential)
            except Conflict as conflict:
                refusal = conflict
            observed = self._api.list_credentials(self._set.vault_id)
        self._refuse_foreign(refusal, observed, credential.key)
        if self._ids.get(credential.key) not in {item.id for item in observed if item.is_active}:
            raise refusal  # nothing that we know of explains it
        if is_about(refusal, credential) or not _is_full(observed):
            self._in_use.learn("second_credential_per_url", is_there=False)
        return None

    def _refuse_foreign(self, refusal: Conflict, observed: Iterable[ObservedCredential], key: str) -> None:
        ours = {*self._ids.values(), *self._leftovers}
        for item in observed:
            is_theirs = item.is_active and item.id not in ours and is_same_url(item.key, key)
            if is_theirs and is_active(self._api, self._set, item.id):  # a list shows for a while what is deleted
                raise QoderError(_already_there(refusal, item.id, key)) from None

    def _made_in_place_of(self, predecessor: Step, credential: Credential, pending: list[Step]) -> ObservedCredential:
        """Delete the old one and create again; put the old one back if that fails."""
        self._remove([predecessor], pending)
        self._went_first[credential.key] = predecessor
        try:
            return self._created(credential)
        except QoderError as failure:
            refusal = failure
        if refusal.may_be_done or not isinstance(refusal, ApiError):
            self._put_back(self._api.recovering(), predecessor, refusal)
            raise refusal
        again = self._api.recovering()
        for pause_s in (0.0, *PAUSES_OF_YOUNG_S, *PAUSES_OF_YOUNG_S):  # either one is better than none
            is_in_time = not pause_s or again.wait(pause_s, f"{credential.key} has no credential; trying again")
            try:
                if pause_s:
                    return self._creation(credential).create(again)
            except QoderError as failure:
                refusal = failure
            if self._put_back(again, predecessor, refusal) or refusal.may_be_done or not is_in_time:
                break
        raise refusal

    def _remove(self, steps: Iterable[Step], pending: list[Step]) -> None:
        for item in steps:
            pending.remove(item)
            self._delete(item)

    def _update(self, step: Step, pending: list[Step]) -> None:
        credential, credential_id = _credential_of(step), step.credential_id or ""
        key = credential.key
        before = self._credentials[key]
        if self._lacks_update:
            pending[:0] = _in_place_of(credential, before, credential_id)
            return
        is_sure = _is_sure(self._set, before)
        had = before
        if is_triggered(before.properties, credential.properties):
            if credential.secret is None:
                raise QoderError(_secret_missing(credential, credential_id))
            had = replace(before, properties=without_secrets(fields_of(before.type), before.properties))
        try:
            seen = self._send_update(credential_id, had, credential, is_sure=is_sure)
        except QoderError as failure:
            if failure.may_be_done:
                self._note_lost_update(before, credential_id)
            raise
        if isinstance(seen, ApiError):
            if not self._is_there(credential_id, key):
                raise seen
            self._in_use.learn("in_place_update", is_there=False)
            self._lacks_update = True
            pending[:0] = _in_place_of(credential, before, credential_id)
            return
        is_known = credential.secret is not None or credential.is_by_reference
        kept = credential if is_known else credential.with_secret(before.secret)
        self._take(kept, credential_id, sent=not is_sure or _renews(had, credential))
        self.done.append(f"rotated {credential_id} for {key}")
        if field := not_shown(credential, seen, before):
            self._credentials[key] = as_seen(self._credentials[key], seen)
            raise QoderError(not_stored(field, key))

    def _send_update(
        self, credential_id: str, before: Credential, after: Credential, *, is_sure: bool
    ) -> ObservedCredential | ApiError:
        """Send a merge patch, which may be repeated: also where something else is changing the credential.

        Return the second of two refusals in a row that say that Qoder has no update; one may be a gateway's.
        """
        was_refused, pauses_s = False, iter(PAUSES_OF_YOUNG_S)
        while True:
            try:
                return send_again_if_lost(
                    self._api,
                    lambda api: api.update_credential(
                        self._set.vault_id, credential_id, before, after, is_sure=is_sure
                    ),
                )
            except ApiError as refusal:
                is_absent = refusal.response.status in _NO_UPDATE and not refusal.may_be_done
                if is_absent and was_refused:
                    return refusal
                if not (is_absent or isinstance(refusal, Conflict)):
                    raise
                was_refused, pause_s = is_absent, next(pauses_s, None)
                if pause_s is None or not self._api.recovering().wait(pause_s, BUSY):
                    raise

    def _note_lost_update(self, before: Credential, credential_id: str) -> None:
        """Record that nobody knows which secret Qoder has. None is no program's, so the next `up` rotates."""
        self._credentials[before.key] = before.with_secret(None)
        self.done.append(f"rotated {credential_id} for {before.key}, or not")

    def _is_there(self, credential_id: str, key: str) -> bool:
        again = self._api.recovering()
        listed = again.list_credentials(self._set.vault_id)
        found = {item.id: item for item in listed if item.id == credential_id} or find_credentials(
            again, self._set, {credential_id}, listed, self._in_use
        )
        return any(item.is_active and is_same_url(item.key, key) for item in found.values())

    def _delete(self, step: Step) -> None:
        credential_id = step.credential_id or ""
        try:
            remove_credential(self._api, self._set, credential_id, self._in_use)
        except QoderError as failure:
            if failure.may_be_done:  # it may be gone: then the next `up` makes what is declared again
                self._forget(credential_id)
                self._leftovers.add(credential_id)
                self.done.append(f"deleted {credential_id}, or not")
            raise
        self._leftovers.discard(credential_id)
        self._forget(credential_id)
        self.done.append(f"deleted {credential_id}")

    def _forget(self, credential_id: str) -> None:
        self._ids = {key: id_ for key, id_ in self._ids.items() if id_ != credential_id}

    def _take(self, credential: Credential, credential_id: str, *, sent: bool) -> None:
        key, count = credential.key, self._counts.get(credential.key, 0)
        before = self._credentials.get(key)
        if before is not None and before.type == credential.type:
            properties, recorded = (before.properties, credential.properties), self._rotations.get(key, 0)
            count = counted(fields_of(before.type), key, *properties, recorded=recorded, checked=count)
        self._ids[key] = credential_id
        self._credentials[key] = credential
        self._rotations[key] = count
        if sent:
            self._rotated_at[key] = rfc3339(self._api.server_now_s())

    def _put_back(self, api: VaultsApi, deleted: Step, failure: QoderError) -> bool:
        """Make the credential again that went first for its successor, which then was not taken. True if it is back."""
        former = _credential_of(deleted)
        secret, creation = former.secret, self._creation(former)
        try:
            if secret is None:
                known = "it was by reference, so nobody has it" if former.is_by_reference else "it is not known"
                raise QoderError(known)
            try:
                made = creation.send(api)
            except QoderError as lost:
                made = creation.recover(api, lost)
                if failure.may_be_done:
                    secret = None  # what was found may be the successor, too
        except QoderError as second:
            self._not_put_back = f"the former access token for {former.key} could not be put back ({second}); "
            return False
        self._not_put_back = ""
        self._ids[former.key] = made.id
        self._credentials[former.key] = former.with_secret(secret)
        self._rotated_at[former.key] = rfc3339(api.server_now_s())
        self.done.append(f"put the former access token for {former.key} back, as {made.id}")
        return True

    def _creation(self, credential: Credential) -> CredentialCreation:
        known_ids = frozenset({*(item.id for item in self._observed), *self._ids.values(), *self._leftovers})
        return CredentialCreation(self._set.vault_id, credential, self._revision, known_ids, self._api.now_s())

    @property
    def _can(self) -> Capabilities:
        return self._in_use.can(self._revision)


def not_stored(field: str, key: str) -> str:
    """Return the line for a field that Qoder accepted and does not show."""
    if field == "metadata":
        return "metadata: this Qoder does not store metadata with a credential; remove it from the program"
    return (
        f"{field}: Qoder accepted the credential for {key}, and does not show this field as it was asked for: it was "
        "dropped, or kept as it was; remove it from the program, or use a Qoder that stores it"
    )


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


def _renews(before: Credential, after: Credential) -> bool:
    """Return True if an update sends a secret."""
    had = dict(secrets_by_path(before.properties))
    given = secrets_by_path(after.properties)
    return any(had.get(path) != secret for path, secret in given if not is_verifier(path[-1]))


def _in_place_of(credential: Credential, before: Credential, credential_id: str) -> list[Step]:
    """Return what changes a credential where there is no update in place."""
    return [Step(Op.CREATE, credential, credential_id), Step(Op.DELETE, before, credential_id)]


def _is_predecessor(deletion: Step, creation: Step) -> bool:
    return deletion.op is Op.DELETE and deletion.credential_id == creation.credential_id


def _can_be_put_back(predecessor: Step) -> bool:
    return predecessor.credential is not None and predecessor.credential.secret is not None


def _is_full(observed: Iterable[ObservedCredential]) -> bool:
    """Return True if a vault may hold no more."""
    return sum(item.is_active for item in observed) >= FULL


def _credential_of(step: Step) -> Credential:
    assert step.credential is not None  # noqa: S101 every step but the deletion of a leftover has one
    return step.credential
