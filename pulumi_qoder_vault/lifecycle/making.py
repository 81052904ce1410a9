"""Make a vault, and make it once: in the form that this Qoder takes, and also where a response is lost.

Nothing is adopted because it looks alike: another stack may have made it. A vault is ours if it carries our mark, or
if Qoder answered our own request with it. Knows nothing of what happens to a vault afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import BadRequest, Conflict, NotFound, OutcomeUnknown, QoderError
from ..secret import one_line
from .detect import RevisionInUse, refuses_credentials_key
from .model import DesiredVault, ObservedVault, Revision
from .plan import CREATES_WITH_VAULT
from .vaults_api import VaultsApi

# Before each look-up: the service may still be at work on what it never answered. They fit into the 30 s of recovering.
PAUSES_S = (2.0, 4.0, 8.0, 12.0)
SLACK_S = 60.0  # a vault's time and the ``Date`` that it is compared with may come from two clocks


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


def make_vault(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> MadeVault:
    """Send the create in the form that this Qoder takes.

    Raises:
        OutcomeUnknown: whether a vault was made could not be found out.
    """
    with in_use.known() as known:
        if known is not None:
            return _send(api, desired, known)
        try:
            made = _send(api, desired, Revision.R2026_05)
        except BadRequest as refusal:
            if not refuses_credentials_key(refusal.response):
                raise
            try:
                made = _send(api, desired, Revision.R2026_07)
            except QoderError as failure:
                if failure.may_be_done:
                    raise  # a vault may exist: that is worth more than the first refusal
                raise refusal from None
        found = Revision.R2026_05 if made.vault.credentials else made.vault.revision
        in_use.remember(found)
        return MadeVault(made.vault, found, made.candidates)


def _send(api: VaultsApi, desired: DesiredVault, sending: Revision) -> MadeVault:
    attempt = _Attempt(desired, sending, key=str(uuid.uuid4()), began_s=api.now_s())
    try:
        return MadeVault(attempt.send(api), sending)
    except QoderError as failure:
        if not failure.may_be_done:
            raise
        lost = failure
    return attempt.find_or_repeat(api.recovering(), lost)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One create: the same key and body, however often it is sent."""

    desired: DesiredVault
    sending: Revision
    key: str
    began_s: float

    def send(self, api: VaultsApi) -> ObservedVault:
        credentials = self.desired.credentials if CREATES_WITH_VAULT[self.sending] else ()
        return api.create_vault(
            self.desired.display_name, self.desired.metadata, credentials, sending=self.sending, key=self.key
        )

    def find_or_repeat(self, api: VaultsApi, lost: QoderError) -> MadeVault:
        """Find the vault of a create whose response was lost; if it is not to be told, send it once more.

        A 409 says that the first sending is still in work, so that this one made nothing: it may be sent again.
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
        """Give the vault with our mark; else those that could be ours: alike, new, and nobody's by mark.

        Of those, the times by id. Two with our mark are both ours, since both sendings were handled: one is kept.
        """
        since_s = self.began_s - SLACK_S
        found = api.find_vaults(self.desired.display_name, key=self.key, since_s=since_s, sending=self.sending)
        ours = sorted((vault for vault in found if vault.mark == self.key), key=lambda vault: vault.id)
        if ours:
            left = tuple(vault.id for vault in ours[1:] if not _is_deleted(api, vault.id))
            return MadeVault(ours[0], self.sending, left), {}
        urls = {item.mcp_server_url for item in self.desired.credentials}
        unmarked = [vault for vault in found if vault.mark is None]
        return None, {vault.id: vault.created_at for vault in unmarked if _holds_only(api, vault.id, urls)}

    def _still_candidates(self, api: VaultsApi, candidates: dict[str, str], made: ObservedVault) -> tuple[str, ...]:
        """Give those that the first sending may have made, now that a second one was answered.

        Its vault tells more than the clocks did: a replay is the first one's. And what is older than the new one by
        more than has passed since we began was there before us.
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
        secrets = [item.access_token for item in self.desired.credentials if item.access_token]
        name = one_line(self.desired.display_name, secrets, limit=80)
        why = "" if second is lost else f" ({second})"
        alike = f", such as {', '.join(candidates)}," if candidates else ""
        return OutcomeUnknown(
            f"{lost}; whether it was done could not be found out{why}: a vault named '{name}'{alike} may exist at "
            f"{api.place}: look for it, and delete it, before the next pulumi up makes another one"
        )


def _holds_only(api: VaultsApi, vault_id: str, urls: Collection[str | None]) -> bool:
    """Tell if a vault has no other credentials than these. One that is gone since it was listed has none of ours."""
    try:
        return {item.mcp_server_url for item in api.list_credentials(vault_id)} <= set(urls)
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
    """Read a time of Qoder, which is UTC; None for none, and for one that says otherwise."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError):
        return None
