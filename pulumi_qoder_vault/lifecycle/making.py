"""Make a vault, and make it once: in the form that this Qoder takes, and also where an answer is lost.

Nothing is adopted because it looks alike: another stack may have made it. A vault is ours if it carries our mark, or
if Qoder answered our own request with it. Knows nothing of what happens to a vault afterwards.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from ..errors import AnswerLost, BadRequest, Conflict, QoderError
from ..secret import one_line
from .detect import RevisionInUse, refuses_credentials_key
from .model import DesiredVault, ObservedVault, Revision, VaultsApi
from .plan import CREATES_WITH_VAULT

# Before each look-up: the service may still be at work on what it never answered. They fit into the 30 s of recovering.
PAUSES_S = (2.0, 4.0, 8.0, 12.0)


@dataclass(frozen=True, slots=True)
class MadeVault:
    """A vault that was just made.

    Attributes:
        revision: the form for what is still to be added.
        suspects: ids of vaults that an earlier sending of ours, or somebody else, may have made.
    """

    vault: ObservedVault
    revision: Revision
    suspects: tuple[str, ...] = ()


def make_vault(api: VaultsApi, desired: DesiredVault, in_use: RevisionInUse) -> MadeVault:
    """Send the create in the form that this Qoder takes.

    Raises:
        AnswerLost: whether a vault was made could not be found out.
    """
    with in_use.known() as known:
        if known is not None:
            return _send(api, desired, known)
        try:
            made = _send(api, desired, Revision.R2026_05)
        except BadRequest as refusal:
            if not refuses_credentials_key(refusal.answer):
                raise
            try:
                made = _send(api, desired, Revision.R2026_07)
            except QoderError as failure:
                if failure.may_be_done:
                    raise  # a vault may exist: that is worth more than the first refusal
                raise refusal from None
        found = Revision.R2026_05 if made.vault.credentials else made.vault.revision
        in_use.remember(found)
        return MadeVault(made.vault, found, made.suspects)


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
        """Find the vault of a create whose answer was lost; if it is not to be told, send it once more.

        A 409 says that the first sending is still in work, so that this one made nothing: it may be sent again.
        """
        suspects: tuple[str, ...] = ()
        try:
            for pause_s in PAUSES_S:
                api.wait(pause_s)
                ours, suspects = self._look_up(api)
                if ours is not None:
                    return MadeVault(ours, self.sending)
                with suppress(Conflict):
                    vault = self.send(api)
                    return MadeVault(vault, self.sending, () if vault.id in suspects else suspects)
            ours, suspects = self._look_up(api)
            if ours is not None:
                return MadeVault(ours, self.sending)
            second: QoderError = lost
        except BadRequest as refusal:
            if not suspects:
                raise  # the same body was refused, so it was refused the first time, too
            second = refusal
        except QoderError as failure:
            second = failure
            with suppress(QoderError):
                ours, suspects = self._look_up(api)
                if ours is not None:
                    return MadeVault(ours, self.sending)
        raise self._unknown(api, lost, second, suspects) from None

    def _look_up(self, api: VaultsApi) -> tuple[ObservedVault | None, tuple[str, ...]]:
        """Give the vault with our mark; else the ids of those that could be ours: alike, new, and nobody's by mark."""
        alike = api.find_vaults(self.desired.display_name, since_s=self.began_s, sending=self.sending)
        for vault in alike:
            if vault.create_id == self.key:
                return vault, ()
        urls = {item.mcp_server_url for item in self.desired.credentials}
        unmarked = [vault.id for vault in alike if vault.create_id is None]
        return None, tuple(
            vault_id
            for vault_id in unmarked
            if {item.mcp_server_url for item in api.list_credentials(vault_id)} <= urls
        )

    def _unknown(self, api: VaultsApi, lost: QoderError, second: QoderError, suspects: tuple[str, ...]) -> AnswerLost:
        secrets = [item.access_token for item in self.desired.credentials if item.access_token]
        name = one_line(self.desired.display_name, secrets, limit=80)
        why = "" if second is lost else f" ({second})"
        alike = f", such as {', '.join(suspects)}," if suspects else ""
        return AnswerLost(
            f"{lost}; whether it was done could not be found out{why}: a vault named '{name}'{alike} may exist at "
            f"{api.place}: look for it, and delete it, before the next pulumi up makes another one"
        )
