"""A lost response: what can have happened, what can be seen of it, and what is done then.

A request that changes something is sent, and no response arrives that says what it did: the connection closed, a
gateway gave up, what came is not the API's, or it is about something else. Then one of four things is true:

    1. Qoder never saw the request.
    2. Qoder handled it, and the response was lost on the way.
    3. Qoder is still at work on it, and handles it after we have looked.
    4. Qoder refused it, and the refusal was lost.

Nothing that we can ask tells 1 from 3 at one moment, so time has to pass before a look proves anything: ``PAUSES_S``.
What is done depends on what sending the request again can do.

**The same twice** (an update in place, a deletion, an archiving): sending it again does what sending it once does. It
is sent once more, in a time of its own, and the second outcome counts.

**A create** can make a second object, with a secret in it, that is in no state: an orphan. Against that stand

* the ownership mark: on `2026-07` a vault's metadata holds the key of our create. It proves that a vault is ours, since
  no other stack or person has it. Two vaults with our mark are both ours: one is kept, the others are deleted;
* the `Idempotency-Key`, the same with every sending. A service that honours it makes one object, and responds with that
  one again. Qoder documents it, and not for vaults: it helps, and proves nothing;
* what was there before: a credential for our key in our vault that was not listed before we began is the one we made;
* the response itself: one without a mark shows a vault of ours if its id was never seen before, its name and its URLs
  are what was asked for, and it was made since we began. A 2xx alone proves nothing: what it shows may be another's;
* a look-alike in a list: the same signs, and no response that says so. On `2026-05` it may be ours, or another stack's
  that does the same at the same moment. It is a candidate: it is named, and never adopted or deleted.

    seen after two pauses          what is done
    ------------------             ------------
    our mark, our new credential   it is ours: it is recorded
    neither                        the create is sent once more, with the same key and body; in the current form, with
                                   the mark, where the list shows that Qoder is on it
      a 2xx that shows ours        what it made is recorded; a candidate that the first sending may have made is named
      any other 2xx                nobody can say, and it is not sent again
      a 409                        the first sending is still in work (3), and this one made nothing: pause, look again.
                                   For a credential it may be the old one for the same key, too: then the caller decides
      any other definite refusal   the same body was refused, so the first sending was refused, too (4); but where a
                                   candidate was seen nobody can say
      anything else                nobody can say: the error names the place, the name, and every candidate
    the look fails                 nothing is sent again, since nobody would know what was there. What it showed before
                                   it failed counts

The table is complete: each row ends in a record, in a refusal that proves that nothing was made, or in an error that
says where to look. None ends in silence, and none takes what may be somebody else's. Knows nothing of what happens to
an object afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..errors import ApiError, Conflict, Forbidden, NotFound, OutcomeUnknown, QoderError, RateLimited, Unauthorized
from ..secret import one_line, secrets_in
from .capabilities import BY_REVISION, NEWEST
from .equivalence import instant_s, is_same_name, is_same_url, normal_url
from .model import Credential, DesiredVault, ObservedCredential, ObservedVault, Revision
from .vaults_api import VaultsApi

R = TypeVar("R")

# Before each look: the service may still be at work on what it never responded to, and a list lags behind it, so that
# one which shows nothing is asked for again before anything is sent. They fit into the 30 s of recovery.
PAUSES_S = (2.0, 5.0, 8.0, 11.0)
# The time in an object and a ``Date`` may come from two clocks. More of it only names a candidate more.
SLACK_S = 5.0
SLACK_OF_CANDIDATES_S = 60.0
LOST = "a response was lost; checking whether Qoder handled the request"


def send_again_if_lost(api: VaultsApi, send: Callable[[VaultsApi], R]) -> R:
    """Send what does the same when it is sent twice; if its response was lost, once more, in a time of its own."""
    try:
        return send(api)
    except QoderError as lost:
        if not lost.may_be_done:
            raise
    try:
        return send(api.recovering())
    except QoderError as second:
        second.may_be_done = True
        raise


def is_definite(failure: QoderError) -> bool:
    """Return True for a refusal that would be the same the next time: the request itself was judged."""
    says_nothing = (Unauthorized, Forbidden, Conflict, RateLimited)  # of the request itself
    return isinstance(failure, ApiError) and not failure.may_be_done and not isinstance(failure, says_nothing)


def new_key() -> str:
    """Return the key of a create: a UUIDv4."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class MadeVault:
    """A vault that was just made.

    Attributes:
        revision: the form for what is still to be added.
        candidates: ids of vaults that an earlier sending of ours, or somebody else, may have made.
    """

    vault: ObservedVault
    revision: Revision
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at the account showed.

    Attributes:
        ours: the vault with our mark, if there is one.
        candidates: unmarked vaults that look like ours, by id.
        is_current: True if Qoder is on the current form, which has room for a mark.
        failure: what ended it early; None if all was seen.
    """

    ours: MadeVault | None = None
    candidates: dict[str, ObservedVault] = field(default_factory=dict)
    is_current: bool = False
    failure: QoderError | None = None


@dataclass(frozen=True, slots=True)
class VaultCreation:
    """One create of a vault: the same key and body, however often it is sent.

    Attributes:
        began_s: when it began, by ``now_s`` of the API.
        sending: the revision whose form is sent.
    """

    desired: DesiredVault
    sending: Revision
    began_s: float
    key: str = field(default_factory=new_key)

    def create(self, api: VaultsApi) -> MadeVault:
        """Make the vault, once, also where the response is lost.

        Raises:
            OutcomeUnknown: whether it was made is not known.
        """
        try:
            return MadeVault(self.send(api), self.sending)
        except QoderError as failure:
            if not failure.may_be_done:
                raise
            lost = failure
        return self.recover(api.recovering(), lost)

    def send(self, api: VaultsApi) -> ObservedVault:
        """Send it, and see that the response shows what it made. One write.

        Raises:
            OutcomeUnknown: the response is about something else.
        """
        vault = api.create_vault(self.desired, sending=self.sending, key=self.key)
        if not (self._is_marked(vault) or (api.claim(vault.id) and self._is_like(api, vault))):
            raise OutcomeUnknown(f"POST /vaults: the response is about another vault, {vault.id}")
        return vault

    def recover(self, api: VaultsApi, lost: QoderError) -> MadeVault:
        """Find the vault of a create whose response was lost; where nothing is ours, send it once more.

        Raises:
            OutcomeUnknown: whether it was made is not known.
        """
        creation, second = self, lost
        for looks, pause_s in enumerate(PAUSES_S, 1):
            is_in_time = api.wait(pause_s, LOST)
            look = creation._look_up(api)
            if look.ours is not None:
                return self._with_candidates(look)
            if look.failure is not None:
                second = look.failure
                break
            if not is_in_time:  # the first sending may still be in work
                break
            if looks == 1 and not look.candidates:
                continue
            if look.is_current and not creation._has_mark:
                creation = replace(creation, sending=NEWEST, key=new_key())  # another body needs another key
            try:
                vault = creation.send(api)
                return MadeVault(vault, creation.sending, self._still_candidates(api, look.candidates, vault))
            except Conflict:
                continue
            except QoderError as failure:
                if is_definite(failure) and not look.candidates:
                    raise
                second = failure
                break
        look = creation._look_up(api)
        if look.ours is not None:
            return self._with_candidates(look)
        raise self._unknown(api, lost, second, tuple(look.candidates)) from None

    def _with_candidates(self, look: _Look) -> MadeVault:
        """Return the vault with our mark; name what the first sending may have made, if that had no room for one."""
        assert look.ours is not None  # noqa: S101 asked before
        left = () if self._has_mark else tuple(look.candidates)
        return replace(look.ours, candidates=(*look.ours.candidates, *left))

    @property
    def _has_mark(self) -> bool:
        return BY_REVISION[self.sending].metadata

    def _is_marked(self, vault: ObservedVault) -> bool:
        return vault.mark == self.key

    def _is_like(self, api: VaultsApi, vault: ObservedVault, slack_s: float = SLACK_S) -> bool:
        """Return True if an unmarked vault has the name and the URLs that were asked for, and was made since."""
        if vault.mark is not None or not is_same_name(vault.display_name, self.desired.display_name):
            return False
        asked = {normal_url(item.key) for item in self.desired.credentials}
        shown = {normal_url(item.key) for item in vault.credentials}
        return shown <= asked and _is_made_since(api, vault.created_at, self.began_s, slack_s)

    def _look_up(self, api: VaultsApi) -> _Look:
        """Look for our mark, and for what is like ours."""
        found, failure = api.look_for_vaults(self.desired.display_name)
        ours = sorted((vault for vault in found if self._is_marked(vault)), key=lambda vault: vault.id)
        left = tuple(vault.id for vault in ours[1:] if not _is_deleted(api, vault.id))
        made = MadeVault(ours[0], NEWEST, left) if ours else None
        alike = [vault for vault in found if self._is_like(api, vault, SLACK_OF_CANDIDATES_S)]
        urls = {normal_url(item.key) for item in self.desired.credentials}
        try:
            candidates = {vault.id: vault for vault in alike if _holds_only(api, vault.id, urls)}
        except QoderError as second:
            candidates, failure = {vault.id: vault for vault in alike}, second
        is_current = any(BY_REVISION[vault.revision].metadata for vault in found)
        return _Look(made, candidates, is_current, failure)

    def _still_candidates(
        self, api: VaultsApi, candidates: dict[str, ObservedVault], made: ObservedVault
    ) -> tuple[str, ...]:
        """Return the candidates that the first sending may have made, now that a second one made a vault.

        That vault tells more than the clocks did: a replay is the first one's. And what is older than it by more than
        has passed since we began was there before us.
        """
        if made.id in candidates:
            return ()
        passed_s = max(0.0, api.now_s() - self.began_s) + 1.0  # a time may have whole seconds
        made_s = instant_s(made.created_at)
        moments_s = {id_: instant_s(vault.created_at) for id_, vault in candidates.items()}
        return tuple(id_ for id_, at_s in moments_s.items() if not at_s or not made_s or made_s - at_s <= passed_s)

    def _unknown(
        self, api: VaultsApi, lost: QoderError, second: QoderError, candidates: tuple[str, ...]
    ) -> OutcomeUnknown:
        secrets = secrets_in([item.properties for item in self.desired.credentials])
        name = one_line(self.desired.display_name, secrets, limit=80)
        why = "" if second is lost else f" ({second})"
        alike = f", such as {', '.join(candidates)}," if candidates else ""
        return OutcomeUnknown(
            f"{lost}; the outcome is unknown{why}: a vault named '{name}'{alike} may exist at "
            f"{api.place}: look for it, and delete it, before the next pulumi up creates another one"
        )


@dataclass(frozen=True, slots=True)
class CredentialCreation:
    """One create of a credential: the same key and body, however often it is sent.

    Attributes:
        sending: the revision whose form is sent.
        known_ids: of the credentials that were there before, or are ours already.
        began_s: when it began, by ``now_s`` of the API.
    """

    vault_id: str
    credential: Credential
    sending: Revision
    known_ids: Collection[str]
    began_s: float
    key: str = field(default_factory=new_key)

    def create(self, api: VaultsApi) -> ObservedCredential:
        """Make the credential, once, also where the response is lost.

        Raises:
            Conflict: the URL is taken, or, of the first sending, there is no room.
            OutcomeUnknown: whether it was made is not known.
        """
        try:
            return self.send(api)
        except QoderError as failure:
            lost = failure
        return self.recover(api.recovering(), lost)

    def send(self, api: VaultsApi) -> ObservedCredential:
        """Send it, and see that the response shows what it made. One write.

        Raises:
            OutcomeUnknown: the response is about something else.
        """
        seen = api.create_credential(self.vault_id, self.credential, sending=self.sending, key=self.key)
        if seen.vault_id not in ("", self.vault_id) or not self._is_new(seen):
            raise OutcomeUnknown(
                f"POST /vaults/{self.vault_id}/credentials: the response is about another credential, {seen.id}"
            )
        return seen

    def recover(self, api: VaultsApi, lost: QoderError) -> ObservedCredential:
        """Find the credential of a create whose response was lost; where it is not there, send it once more.

        Raises:
            QoderError: the failure itself, if it proves that nothing was made.
            Conflict: another credential for the same key is there, ours or not, and nothing was made.
            OutcomeUnknown: whether it was made is not known.
        """
        if not lost.may_be_done:
            raise lost
        second, left = lost, list[str]()
        for looks, pause_s in enumerate((*PAUSES_S, 0.0), 1):
            is_in_time = api.wait(pause_s, LOST)
            try:
                listed = api.list_credentials(self.vault_id)
            except QoderError as failure:  # says nothing of what was sent
                second = failure
                break
            if (found := self._ours_in(api, listed)) is not None:
                return found
            if looks == 1 and is_in_time:
                continue
            taken = any(is_same_url(item.key, self.credential.key) for item in listed if item.is_active)
            is_asked = isinstance(second, Conflict) and taken and (is_about(second, self.credential) or not pause_s)
            if is_asked and self._explains(api, second, left):
                raise second
            if is_asked or not is_in_time:  # the first sending may still be in work
                break
            if not pause_s:
                continue  # this was the last look
            try:
                return self.send(api)
            except Conflict as conflict:  # the first one is still in work, or was made since we looked; or no room
                second = conflict
            except QoderError as failure:
                if is_definite(failure):
                    raise
                second = failure
                break
        why = "" if second is lost else f" ({second})"
        such_as = f", such as {', '.join(left)}," if left else ""
        raise OutcomeUnknown(
            f"{lost}; the outcome is unknown{why}: vault {self.vault_id} at {api.place} may hold a credential "
            f"for {self.credential.key}{such_as} that is in no state: look for it, and delete it"
        ) from None

    def _explains(self, api: VaultsApi, conflict: QoderError, left: list[str]) -> bool:
        """Return True if the credential that is there for our key explains a 409, and not a sending still in work.

        Where the 409 does not say so, a create with another key does: it is refused as well. One that is not is taken
        back, or is added to what is left: the first sending may still make its own.
        """
        if isinstance(conflict, Conflict) and is_about(conflict, self.credential):
            return True
        try:
            made = replace(self, key=new_key()).send(api)
        except Conflict:
            return True
        except QoderError:
            return False
        for end in (api.delete_credential, api.archive_credential):
            with suppress(QoderError):
                end(self.vault_id, made.id)
                return False
        left.append(made.id)
        return False

    def _ours_in(self, api: VaultsApi, listed: Collection[ObservedCredential]) -> ObservedCredential | None:
        """Return the active credential for our key that was not there before we began."""
        new = (item for item in listed if item.is_active and self._is_new(item))
        return next(
            (item for item in new if _is_made_since(api, item.created_at, self.began_s, SLACK_OF_CANDIDATES_S)), None
        )

    def _is_new(self, seen: ObservedCredential) -> bool:
        return is_same_url(seen.key, self.credential.key) and seen.id not in self.known_ids


def is_about(conflict: Conflict, credential: Credential) -> bool:
    """Return True if a 409 is about what tells the credential apart: its ``param`` is the name of that field."""
    return conflict.response.param.rpartition(".")[2] in ("mcp_server_url", "secret_name") and credential.key != ""


def _is_made_since(api: VaultsApi, created_at: str, began_s: float, slack_s: float = SLACK_S) -> bool:
    """Return True if something was made since a create began, by either clock. What has no time may have been."""
    made_s = instant_s(created_at)
    return made_s is None or made_s >= min(began_s, began_s + api.ahead_s) - slack_s


def _holds_only(api: VaultsApi, vault_id: str, urls: Collection[str]) -> bool:
    """Return True if a vault has no other credentials than these. One that is gone since then has none of ours."""
    try:
        return {normal_url(item.key) for item in api.list_credentials(vault_id)} <= set(urls)
    except NotFound as absent:
        if not absent.genuine:
            raise
        return _is_shown(api, vault_id)  # a young one may have no list yet


def _is_shown(api: VaultsApi, vault_id: str) -> bool:
    try:
        api.get_vault(vault_id)
    except NotFound as absent:
        return not absent.genuine
    return True


def _is_deleted(api: VaultsApi, vault_id: str) -> bool:
    """Delete a vault; return True if it is gone then."""
    with suppress(QoderError):
        api.delete_vault(vault_id)
        return True
    with suppress(QoderError):
        return not _is_shown(api, vault_id)
    return False
