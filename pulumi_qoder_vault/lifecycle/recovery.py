"""A lost response: what can have happened, what can be seen of it, and what is done then.

A request that changes something is sent, and no response arrives that says so: the connection closed, a gateway gave
up, or what came is not the API's. Then one of four things is true:

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
* a look-alike: a vault of our name with our URLs only, made since we began, and without a mark. On `2026-05` it may be
  ours, or another stack's that does the same at the same moment. It is a candidate: it is named, and never adopted or
  deleted.

    seen after a pause             what is done
    ------------------             ------------
    our mark, our new credential   it is ours: it is recorded
    neither                        the create is sent once more, with the same key and body
      a 2xx to that                what it made is recorded; a candidate that the first sending may have made is named
      a 409 about the URL          a credential for it is there, and not ours: it was, too, for the first sending
      any other 409                the first sending is still in work (3), and this one made nothing: pause, look again
      a 400                        the same body was refused, so the first sending was refused, too (4)
      anything else                nobody can say: the error names the place, the name, and every candidate
    the look fails                 likewise

The table is complete: each row ends in a record, in a refusal that proves that nothing was made, or in an error that
says where to look. None ends in silence, and none takes what may be somebody else's. Knows nothing of what happens to
an object afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..errors import BadRequest, Conflict, NotFound, OutcomeUnknown, QoderError
from ..secret import one_line, secrets_in
from .model import Credential, DesiredVault, ObservedCredential, ObservedVault, Revision
from .vaults_api import VaultsApi

# Before each look: the service may still be at work on what it never responded to. They fit into the 30 s of recovery.
PAUSES_S = (2.0, 4.0, 8.0, 12.0)
SLACK_S = 60.0  # a vault's time and the ``Date`` that it is compared with may come from two clocks


def send_again_if_lost(api: VaultsApi, send: Callable[[VaultsApi], object]) -> None:
    """Send what does the same when it is sent twice; if its response was lost, once more, in a time of its own."""
    try:
        send(api)
    except QoderError as lost:
        if not lost.may_be_done:
            raise
        try:
            send(api.recovering())
        except QoderError as second:
            second.may_be_done = True
            raise


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
        """Send it. One write."""
        return api.create_vault(self.desired, sending=self.sending, key=self.key)

    def recover(self, api: VaultsApi, lost: QoderError) -> MadeVault:
        """Find the vault of a create whose response was lost; where nothing is ours, send it once more.

        Raises:
            OutcomeUnknown: whether it was made is not known.
        """
        candidates: dict[str, str] = {}
        try:
            for pause_s in PAUSES_S:
                api.wait(pause_s)
                ours, candidates = self._look_up(api)
                if ours is not None:
                    return ours
                with suppress(Conflict):
                    vault = self.send(api)
                    return MadeVault(vault, self.sending, self._still_candidates(api, candidates, vault))
            ours, candidates = self._look_up(api)
            if ours is not None:
                return ours
            second: QoderError = lost
        except BadRequest as refusal:
            if not candidates:
                raise  # the same body was refused, so it was refused the first time, too
            second = refusal
        except QoderError as failure:
            second = failure
            with suppress(QoderError):
                ours, candidates = self._look_up(api)
                if ours is not None:
                    return ours
        raise self._unknown(api, lost, second, tuple(candidates)) from None

    def _look_up(self, api: VaultsApi) -> tuple[MadeVault | None, dict[str, str]]:
        """Return the vault with our mark, or the times of the candidates by id."""
        since_s = self.began_s - SLACK_S
        found = api.find_vaults(self.desired.display_name, key=self.key, since_s=since_s, sending=self.sending)
        ours = sorted((vault for vault in found if vault.mark == self.key), key=lambda vault: vault.id)
        if ours:
            left = tuple(vault.id for vault in ours[1:] if not _is_deleted(api, vault.id))
            return MadeVault(ours[0], self.sending, left), {}
        urls = {item.key for item in self.desired.credentials}
        unmarked = [vault for vault in found if vault.mark is None]
        return None, {vault.id: vault.created_at for vault in unmarked if _holds_only(api, vault.id, urls)}

    def _still_candidates(self, api: VaultsApi, candidates: dict[str, str], made: ObservedVault) -> tuple[str, ...]:
        """Return the candidates that the first sending may have made, now that a second one made a vault.

        That vault tells more than the clocks did: a replay is the first one's. And what is older than it by more than
        has passed since we began was there before us.
        """
        if made.id in candidates:
            return ()
        passed_s = max(0.0, api.now_s() - self.began_s) + 1.0  # a time may have whole seconds
        made_s = _moment_s(made.created_at)
        moments_s = {id_: _moment_s(time) for id_, time in candidates.items()}
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
    """

    vault_id: str
    credential: Credential
    sending: Revision
    known_ids: Collection[str]
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
        """Send it. One write."""
        return api.create_credential(self.vault_id, self.credential, sending=self.sending, key=self.key)

    def recover(self, api: VaultsApi, lost: QoderError) -> ObservedCredential:
        """Find the credential of a create whose response was lost; where it is not there, send it once more.

        Raises:
            QoderError: the failure itself, if it proves that nothing was made.
            Conflict: the URL is taken.
            OutcomeUnknown: whether it was made is not known.
        """
        if not lost.may_be_done:
            raise lost
        conflict: Conflict | None = None
        try:
            for pause_s in PAUSES_S:
                api.wait(pause_s)
                if (found := self._look_up(api)) is not None:
                    return found
                if conflict is not None and is_about_key(conflict):
                    break
                try:
                    return self.send(api)
                except Conflict as second:  # the first one is still in work, or was made since we looked; or no room
                    conflict = second
            else:
                if (found := self._look_up(api)) is not None:
                    return found
            why = f" ({conflict})" if conflict is not None else ""
        except QoderError as second:
            conflict = None
            why = f" ({second})"
        if conflict is not None and is_about_key(conflict):
            raise conflict  # of the credential that was there before; any other leaves the first sending in work
        raise OutcomeUnknown(
            f"{lost}; the outcome is unknown{why}: vault {self.vault_id} may hold a credential "
            f"for {self.credential.key} that is in no state: look for it, and delete it"
        ) from None

    def _look_up(self, api: VaultsApi) -> ObservedCredential | None:
        """Return the active credential for our key that was not there before we began."""
        listed = api.list_credentials(self.vault_id)
        new = (item for item in listed if item.key == self.credential.key and item.id not in self.known_ids)
        return next(new, None)


def is_about_key(conflict: Conflict) -> bool:
    """Return True if a 409 names what tells credentials apart, rather than room in the vault."""
    said = f"{conflict.response.param} {conflict.response.message}"
    return "mcp_server_url" in said or "secret_name" in said


def _holds_only(api: VaultsApi, vault_id: str, urls: Collection[str]) -> bool:
    """Return True if a vault has no other credentials than these. One that is gone since then has none of ours."""
    try:
        return {item.key for item in api.list_credentials(vault_id)} <= set(urls)
    except NotFound as absent:
        if not absent.genuine:
            raise
        return False


def _is_deleted(api: VaultsApi, vault_id: str) -> bool:
    try:
        api.delete_vault(vault_id)
    except NotFound as absent:
        return absent.genuine
    except QoderError:
        return False
    return True


def _moment_s(time: str) -> float | None:
    """Return a time of Qoder, which is UTC, as seconds; None for none, and for one that says otherwise."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError):
        return None
