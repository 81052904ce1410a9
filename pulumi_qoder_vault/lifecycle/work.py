"""Carry out the steps of a plan on the credentials of one vault, and know at any moment what is true of it.

Also where a response is lost. What is to be done is decided in `plan`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..errors import Conflict, NotFound, OutcomeUnknown, QoderError
from .making import PAUSES_S
from .model import (
    ACTIVE,
    ENVIRONMENT_VARIABLE,
    Credential,
    DesiredVault,
    ObservedCredential,
    RecordedVault,
    Revision,
)
from .plan import Op, Step
from .vaults_api import VaultsApi


class Work:
    """Credential changes under way.

    Args:
        recorded: the vault as the state holds it.
        desired: what it shall become.
        observed: the active credentials that were there before.
        revision: the revision that requests are written for.

    Attributes:
        changed: what was done so far, in words.
        made: what was made, as Qoder showed it, by URL or name.
    """

    def __init__(
        self,
        api: VaultsApi,
        recorded: RecordedVault,
        desired: DesiredVault,
        observed: Sequence[ObservedCredential],
        revision: Revision,
    ) -> None:
        active = {item.id for item in observed if item.is_active}
        self._api = api
        self._vault = recorded
        self._counts = desired.rotations
        self._revision = revision
        self._observed = observed
        self._ids = {url: id_ for url, id_ in recorded.credential_ids.items() if id_ in active}
        self._credentials = {item.key: item for item in recorded.credentials}
        self._rotations = dict(recorded.rotations)
        self._leftovers = {id_ for id_ in recorded.unfinished or () if id_ in active}
        self._not_put_back = ""
        self.changed: list[str] = []
        self.made: dict[str, ObservedCredential] = {}

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Send what each step says, in order.

        Raises:
            QoderError: a step failed; what was done before it stays done.
        """
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
        """Give what exists now."""
        existing = {url: item for url, item in self._credentials.items() if url in self._ids}
        return replace(
            self._vault,
            credentials=tuple(existing.values()),
            credential_ids={url: self._ids[url] for url in existing},
            rotations={url: self._rotations.get(url, 0) for url in existing},
            unfinished=tuple(sorted(self._leftovers)),
        )

    def account(self) -> str:
        """Say what was done, for an error."""
        done = f"done before: {', '.join(self.changed)}; " if self.changed else ""
        return f"{done}{self._not_put_back}vault {self._vault.id} stays, and the next pulumi up does the rest"

    def _create(self, step: Step, pending: list[Step]) -> None:
        credential = _credential_of(step)
        if credential.access_token is None:  # imported
            what = "value" if credential.type == ENVIRONMENT_VARIABLE else "access token"
            if credential.key in self._ids:
                raise QoderError(
                    f"another credential for {credential.key} must take the place of {self._ids[credential.key]} to "
                    f"change it, and its {what} is not known: add it to the program"
                )
            raise QoderError(
                f"the credential for {credential.key} is gone, and its {what} is not known: add it to the program"
            )
        try:
            made = self._add(credential)
        except Conflict as conflict:
            foreign = self._foreign(credential.key)
            if foreign:
                raise QoderError(_already_there(conflict, foreign, credential.key)) from None
            room = [item for item in pending if item.is_removal or _is_predecessor(item, step)]
            if not room or not self._may_make_room(conflict):
                raise
            for item in room:
                pending.remove(item)
                self._delete(item)
            try:
                made = self._add(credential)
            except QoderError as failure:
                self._put_back(next((item for item in room if _is_predecessor(item, step)), None), failure)
                raise
        previous = self._ids.get(credential.key)
        if previous is not None:
            self._leftovers.add(previous)
        self._take(credential, made.id)
        self.made[credential.key] = made
        self.changed.append(f"made {made.id} for {credential.key}")

    def _update(self, step: Step) -> None:
        credential, credential_id = _credential_of(step), step.credential_id or ""
        url = credential.key
        before = self._credentials[url]
        is_sure = before.access_token is not None or self._vault.unfinished is None
        try:
            self._surely(
                lambda api: api.update_credential(self._vault.id, credential_id, before, credential, is_sure=is_sure)
            )
        except QoderError as failure:
            if failure.may_be_done:
                # Nobody knows which access token Qoder has. None is no program's, so the next `up` rotates.
                self._credentials[url] = replace(self._credentials[url], access_token=None)
                self.changed.append(f"rotated {credential_id} for {url}, or not")
            raise
        known = credential.access_token or before.access_token
        self._take(replace(credential, access_token=known), credential_id)
        self.changed.append(f"rotated {credential_id} for {url}")

    def _delete(self, step: Step) -> None:
        credential_id = step.credential_id or ""
        try:
            self._surely(lambda api: api.delete_credential(self._vault.id, credential_id))
        except NotFound as absent:
            if not absent.genuine:
                raise
        self._leftovers.discard(credential_id)
        self._ids = {url: id_ for url, id_ in self._ids.items() if id_ != credential_id}
        self.changed.append(f"deleted {credential_id}")

    def _take(self, credential: Credential, credential_id: str) -> None:
        url = credential.key
        self._ids[url] = credential_id
        self._credentials[url] = credential
        self._rotations[url] = self._counts.get(url, 0)

    def _surely(self, send: Callable[[VaultsApi], object]) -> None:
        """Send what does the same when it is sent twice; if its response was lost, once more, in its own time."""
        try:
            send(self._api)
        except QoderError as lost:
            if not lost.may_be_done:
                raise
            try:
                send(self._api.recovering())
            except QoderError as second:
                second.may_be_done = True
                raise

    def _put_back(self, deleted: Step | None, failure: QoderError) -> None:
        """Make the credential again that went first for its successor, which then was not taken."""
        former = deleted.credential if deleted else None
        if former is None:
            return
        token, key, api = former.access_token, str(uuid.uuid4()), self._api.recovering()
        try:
            if token is None:
                raise QoderError("it is not known")
            try:
                made = self._send(api, former, key)
            except QoderError as lost:
                made = self._find_or_repeat(former, key, lost)
                if failure.may_be_done:
                    token = None  # what was found may be the successor, too
        except QoderError as second:
            self._not_put_back = f"the former access token for {former.key} could not be put back ({second}); "
            return
        self._ids[former.key] = made.id
        self._credentials[former.key] = replace(former, access_token=token)
        self.changed.append(f"put the former access token for {former.key} back, as {made.id}")

    def _send(self, api: VaultsApi, credential: Credential, key: str) -> ObservedCredential:
        return api.create_credential(self._vault.id, credential, sending=self._revision, key=key)

    def _add(self, credential: Credential) -> ObservedCredential:
        """Make a credential, once, also where the response is lost: then look, and send it again if it is not there.

        Raises:
            Conflict: the URL is taken, or, of the first sending, there is no room.
            OutcomeUnknown: whether it was made could not be found out.
        """
        key = str(uuid.uuid4())
        try:
            return self._send(self._api, credential, key)
        except QoderError as failure:
            lost = failure
        return self._find_or_repeat(credential, key, lost)

    def _find_or_repeat(self, credential: Credential, key: str, lost: QoderError) -> ObservedCredential:
        if not lost.may_be_done:
            raise lost
        api, url = self._api.recovering(), credential.key
        conflict: Conflict | None = None
        try:
            for pause_s in PAUSES_S:
                api.wait(pause_s)
                found = self._new(api, url)
                if found is not None:
                    return found
                if conflict is not None and _is_about_url(conflict):
                    break
                try:
                    return self._send(api, credential, key)
                except Conflict as second:  # the first one is still in work, or was made since we looked; or no room
                    conflict = second
            else:
                found = self._new(api, url)
                if found is not None:
                    return found
            why = f" ({conflict})" if conflict is not None else ""
        except QoderError as second:
            conflict = None
            why = f" ({second})"
        if conflict is not None and _is_about_url(conflict):
            raise conflict  # of the credential that was there before; any other leaves the first sending in work
        raise OutcomeUnknown(
            f"{lost}; whether it was done could not be found out{why}: vault {self._vault.id} may hold a credential "
            f"for {url} that is in no state: look for it, and delete it"
        ) from None

    def _new(self, api: VaultsApi, url: str) -> ObservedCredential | None:
        """Give the active credential of a URL that was not there before we began, and that we did not record."""
        known = {*(item.id for item in self._observed), *self._ids.values(), *self._leftovers}
        listed = api.list_credentials(self._vault.id)
        return next((item for item in listed if item.key == url and item.id not in known), None)

    def _may_make_room(self, conflict: Conflict) -> bool:
        """Tell if less in the vault could help. Where the vault is archived, which is a 409 too, it could not."""
        return _is_about_url(conflict) or self._api.get_vault(self._vault.id).status == ACTIVE

    def _foreign(self, url: str) -> str | None:
        ours = {*self._ids.values(), *self._leftovers}
        taken = (item.id for item in self._observed if item.is_active and item.key == url)
        return next((id_ for id_ in taken if id_ not in ours), None)


def _already_there(conflict: Conflict, credential_id: str, key: str) -> str:
    """Say whose a credential can be that this resource did not make, and what to do in each case."""
    return (
        f"{conflict}: credential {credential_id} for {key} is in the vault, and this resource did not make it. If it "
        "is of another stack or person, take it out of this program; if a run of this program was killed, delete it at "
        "Qoder; if it is of this stack under another resource name, add an alias, or remove the other resource in an "
        "up of its own; if it is being replaced, set deleteBeforeReplace: true"
    )


def _is_predecessor(deletion: Step, creation: Step) -> bool:
    return deletion.op is Op.DELETE and deletion.credential_id == creation.credential_id


def _is_about_url(conflict: Conflict) -> bool:
    said = f"{conflict.response.param} {conflict.response.message}"
    return "mcp_server_url" in said or "secret_name" in said


def _credential_of(step: Step) -> Credential:
    assert step.credential is not None  # noqa: S101 every step but the deletion of a leftover has one
    return step.credential
