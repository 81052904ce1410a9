"""A standalone credential: properties <-> records, a front's calls -> its lifecycle, and what a preview can know.

Its id is `vault_…/vcred_…`: what an import takes, and what a credential is found by.
"""

from __future__ import annotations

from dataclasses import replace

from ..connection import Qoder
from ..errors import NotSent, VaultNotFound
from ..lifecycle.capabilities import BY_REVISION, writing_for
from ..lifecycle.credential import check, diff, operations
from ..lifecycle.credential_types import fields_of
from ..lifecycle.differences import Difference
from ..lifecycle.equivalence import ID
from ..lifecycle.inputs import UNKNOWN, Inputs, Unknown, without_none
from ..lifecycle.model import Credential, CredentialSet, DesiredSet
from ..lifecycle.other_credentials import Deletion
from ..lifecycle.plan import keeps_id, sends
from ..lifecycle.problems import Problem
from ..lifecycle.references import stored_part
from ..settings import Settings
from . import elsewhere
from .references import reads_later, refuse_exposed, revealed
from .resource import Found, Outputs, State, api_token_of
from .states import SEEN_WITH, place_and_progress, read_credential, read_place_and_progress, reads_state

# Outputs that are no inputs.
_COMPUTED = ("credential_id", "rotated_at", "base_url", "workspace_id", "api_revision", "unfinished", SEEN_WITH)


class CredentialResource:
    """Fulfils `resource.Resource`."""

    def check(self, inputs: Inputs, recorded: Inputs, settings: Settings) -> list[Problem]:
        return check.check(inputs, recorded, api_token_of(settings))

    def check_replacement(self, replaced: Inputs, inputs: Inputs) -> list[Problem]:
        return []

    def complete(self, inputs: Inputs, recorded: Inputs) -> Outputs:
        return check.complete(inputs, recorded)

    def diff(self, id_: str, outputs: Inputs, inputs: Inputs, settings: Settings | None = None) -> Difference:
        recorded = to_recorded(outputs)
        difference = diff.diff(recorded, outputs, inputs)
        return replace(difference, warnings=difference.warnings + elsewhere.warnings(recorded.place, settings))

    def create(self, qoder: Qoder, inputs: Inputs) -> State:
        desired = revealed(Credential.of(inputs), None, "", qoder.settings)
        refuse_exposed(inputs, [desired], qoder.settings)
        api = qoder.api(inputs, desired.properties)
        return self.state_of(operations.create(api, inputs["vault_id"], desired, qoder.in_use))

    def preview_create(self, settings: Settings, inputs: Inputs) -> Outputs:
        known = {**inputs, "base_url": settings.base_url, "workspace_id": settings.workspace_id}
        return known | dict.fromkeys(("credential_id", "rotated_at", "api_revision"), UNKNOWN)

    def find(self, qoder: Qoder, id_: str) -> Found | None:
        vault_id, _, credential_id = id_.partition("/")
        if not (ID.fullmatch(vault_id) and ID.fullmatch(credential_id)):
            raise NotSent(
                "the id is not a credential id: it must be like "
                "vault_019e3bb940277f0db05ab74291acf6ef/vcred_019e3bb940277f0db05ab74291acf6ef"
            )
        try:
            found = operations.find(qoder.api(), vault_id, credential_id)
        except VaultNotFound as failure:
            if failure.is_absent:
                return None
            raise
        return Found(id_, outputs := to_outputs(found), to_refreshed_inputs(outputs))

    def read(self, qoder: Qoder, id_: str, outputs: Inputs) -> Found | None:
        api, before = qoder.api(outputs), to_recorded(outputs)
        with elsewhere.ways_out(qoder, api, before.place):
            recorded, is_drift = operations.read(api, before, qoder.in_use)
        if recorded is None:
            return None
        state = self.state_of(recorded)
        return Found(*state, to_refreshed_inputs(state.outputs) if is_drift else None)

    def update(self, qoder: Qoder, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        recorded = to_recorded(outputs)
        credential = revealed(Credential.of(inputs), recorded.credentials[0], "", qoder.settings)
        refuse_exposed(inputs, [credential], qoder.settings)
        desired = DesiredSet(
            credentials=(credential,),
            rotations={credential.key: int(inputs["rotations"])},
            read=reads_later(inputs, {credential.key: ""}, qoder),
        )
        api = qoder.api(outputs, inputs, credential.properties)
        with elsewhere.ways_out(qoder, api, recorded.place):
            return to_outputs(operations.update(api, recorded, desired, qoder.in_use))

    def preview_update(self, settings: Settings, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        recorded = to_recorded(outputs)
        can = BY_REVISION[writing_for(settings.revision, recorded.api_revision)]
        is_known = not isinstance(inputs.get("type"), Unknown)
        keeps = is_known and keeps_id(recorded.credentials[0], Credential.of(inputs), can)
        is_sent = not is_known or sends(recorded.credentials[0], Credential.of(inputs), can)
        times = {"rotated_at": UNKNOWN if is_sent else outputs.get("rotated_at")}
        known = {
            name: outputs[name] for name in ("base_url", "workspace_id", "api_revision", SEEN_WITH) if name in outputs
        }
        id_of_it = {"credential_id": outputs["credential_id"] if keeps else UNKNOWN}
        count = {"rotations": diff.rotations(recorded, outputs, inputs)}
        return {**inputs, **known, **count, **id_of_it, **without_none(times)}

    def delete(self, qoder: Qoder, id_: str, outputs: Inputs, deletion: Deletion) -> None:
        api, recorded = qoder.api(outputs), to_recorded(outputs)
        with elsewhere.ways_out(qoder, api, recorded.place):
            operations.delete(api, recorded, qoder.in_use)

    def state_of(self, recorded: CredentialSet) -> State:
        (credential_id,) = recorded.credential_ids.values()
        return State(f"{recorded.vault_id}/{credential_id}", to_outputs(recorded))


@reads_state
def to_recorded(outputs: Inputs) -> CredentialSet:
    """Read the outputs in a state.

    Raises:
        NewerState: a newer version wrote it.
    """
    credential = read_credential(outputs)
    return CredentialSet(
        vault_id=outputs["vault_id"],
        credentials=(credential,),
        credential_ids={credential.key: outputs["credential_id"]},
        rotations={credential.key: int(outputs.get("rotations") or 0)},
        rotated_at={credential.key: outputs["rotated_at"]} if outputs.get("rotated_at") else None,
        **read_place_and_progress(outputs),
    )


def to_outputs(recorded: CredentialSet) -> Outputs:
    """Return the outputs for a state."""
    (credential,) = recorded.credentials
    return without_none(
        {
            "vault_id": recorded.vault_id,
            "credential_id": recorded.credential_ids[credential.key],
            "type": credential.type,
            **stored_part(fields_of(credential.type), credential.properties),
            "metadata": dict(credential.metadata) if credential.metadata else None,
            "rotations": recorded.rotations.get(credential.key, 0),
            "rotated_at": (recorded.rotated_at or {}).get(credential.key),
            **place_and_progress(recorded),
        }
    )


def to_refreshed_inputs(outputs: Outputs) -> Outputs:
    """Return all inputs, as what exists says: the engine then shows the drift, and the next ``up`` mends it."""
    return {name: value for name, value in outputs.items() if name not in _COMPUTED}
