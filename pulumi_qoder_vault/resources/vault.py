"""A vault: its properties <-> its records, the calls of a front -> its lifecycle, and what a preview can know of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from ..connection import Qoder
from ..errors import VaultNotFound
from ..lifecycle.capabilities import BY_REVISION, makes_empty_vaults, writing_for
from ..lifecycle.differences import Difference
from ..lifecycle.inputs import UNKNOWN, Inputs, Unknown
from ..lifecycle.model import Credential, CredentialSet, DesiredVault, OnDelete, RecordedVault
from ..lifecycle.other_credentials import Deletion
from ..lifecycle.plan import preview_ids, preview_times
from ..lifecycle.problems import Problem
from ..lifecycle.references import stored_part
from ..lifecycle.vault import check, diff, operations
from ..settings import Settings, force_destroy
from . import elsewhere
from .references import reads_later, refuse_exposed, revealed
from .resource import Found, Outputs, State, api_token_of
from .states import (
    place_and_progress,
    read_counts,
    read_credential,
    read_place_and_progress,
    reads_state,
    word,
)

ON_DELETE: tuple[OnDelete, ...] = get_args(OnDelete)


class VaultResource:
    """Fulfils `resource.Resource`."""

    def check(self, inputs: Inputs, recorded: Inputs, settings: Settings) -> list[Problem]:
        allows_empty = makes_empty_vaults(settings.revision)
        return check.check(inputs, allows_empty=allows_empty, recorded=recorded, api_token=api_token_of(settings))

    def check_replacement(self, replaced: Inputs, inputs: Inputs) -> list[Problem]:
        return check.check_replacement(replaced, inputs)

    def complete(self, inputs: Inputs, recorded: Inputs) -> Outputs:
        return check.complete(inputs, recorded)

    def diff(self, id_: str, outputs: Inputs, inputs: Inputs, settings: Settings | None = None) -> Difference:
        recorded = to_recorded(id_, outputs)
        difference = diff.diff(recorded, inputs)
        return replace(difference, warnings=difference.warnings + elsewhere.warnings(recorded.place, settings))

    def create(self, qoder: Qoder, inputs: Inputs) -> State:
        desired = to_desired(inputs, {}, qoder, is_new=True)
        refuse_exposed(inputs, desired.credentials, qoder.settings)
        api = qoder.api(inputs, *(item.properties for item in desired.credentials))
        return self.state_of(operations.create(api, desired, qoder.in_use))

    def preview_create(self, settings: Settings, inputs: Inputs) -> Outputs:
        known = {"metadata": {}, **inputs, "base_url": settings.base_url, "workspace_id": settings.workspace_id}
        made = ("credential_ids", "rotated_at", "created_at", "updated_at", "api_revision")
        return known | dict.fromkeys(made, UNKNOWN)

    def find(self, qoder: Qoder, id_: str) -> Found | None:
        try:
            found = operations.find(qoder.api(), id_)
        except VaultNotFound as failure:
            if failure.is_absent:
                return None
            raise
        return Found(id_, outputs := to_outputs(found), to_refreshed_inputs(outputs))

    def look_up(self, qoder: Qoder, id_: str, outputs: Inputs) -> Found | None:
        """Read a vault that this stack does not own. None if it is gone, and was there before."""
        api = qoder.api(outputs)
        if "base_url" not in outputs:
            found = operations.look_up(api, id_)
        else:
            recorded = to_recorded(id_, outputs)
            with elsewhere.ways_out(qoder, api, recorded.place):
                found = operations.look_up(api, id_, recorded)
        return None if found is None else Found(id_, to_outputs(found), None)

    def read(self, qoder: Qoder, id_: str, outputs: Inputs) -> Found | None:
        api, before = qoder.api(outputs), to_recorded(id_, outputs)
        with elsewhere.ways_out(qoder, api, before.place):
            recorded, is_drift = operations.read(api, before, qoder.in_use)
        if recorded is None:
            return None
        found = to_outputs(recorded)
        return Found(id_, found, to_refreshed_inputs(found) if is_drift else None)

    def update(self, qoder: Qoder, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        recorded = to_recorded(id_, outputs)
        desired = to_desired(inputs, {item.key: item for item in recorded.credentials}, qoder)
        refuse_exposed(inputs, desired.credentials, qoder.settings)
        api = qoder.api(outputs, inputs, *(item.properties for item in desired.credentials))
        with elsewhere.ways_out(qoder, api, recorded.place):
            return to_outputs(operations.update(api, recorded, desired, qoder.in_use))

    def preview_update(self, settings: Settings, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        recorded = to_recorded(id_, outputs)
        credentials = inputs.get("credentials")
        can = BY_REVISION[writing_for(settings.revision, recorded.api_revision)]
        is_unknown = isinstance(credentials, Unknown)
        ids = UNKNOWN if is_unknown else preview_ids(recorded, credentials or (), can)
        given = ("unfinished", "force_destroy")  # the first is done then, the second as the inputs say
        known = {name: value for name, value in to_outputs(recorded).items() if name not in given}
        if diff.touches_credentials(recorded, inputs):
            known["other_credentials"] = UNKNOWN  # the update looks at the vault
        times = UNKNOWN if is_unknown else preview_times(recorded, credentials or (), can)
        shown = {"credential_ids": ids} if times is None else {"credential_ids": ids, "rotated_at": times}
        return known | {"metadata": {}, **inputs, "rotations": diff.rotations(recorded, inputs), **shown}

    def delete(self, qoder: Qoder, id_: str, outputs: Inputs, deletion: Deletion) -> None:
        is_forced = force_destroy(os.environ)
        api, recorded = qoder.api(outputs), to_recorded(id_, outputs)
        with elsewhere.ways_out(qoder, api, recorded.place):
            operations.delete(api, recorded, qoder.in_use, deletion, is_forced=is_forced)

    def state_of(self, recorded: CredentialSet) -> State:
        assert isinstance(recorded, RecordedVault)  # noqa: S101 what a vault's operations record
        return State(recorded.vault_id, to_outputs(recorded))


def to_desired(
    inputs: Inputs, recorded: Mapping[str, Credential], qoder: Qoder, *, is_new: bool = False
) -> DesiredVault:
    """Read complete inputs, all of them known, and the secrets that are to be sent.

    Args:
        inputs: of the vault.
        recorded: its credentials in the state, by URL.
        qoder: is told of secrets that are read later.
        is_new: True if all of them are to be sent.

    Raises:
        NotRead: a secret cannot be read.
    """
    asked = [Credential.of(item) for item in inputs.get("credentials") or ()]
    paths = {item.key: f"credentials[{index}]." for index, item in enumerate(asked)}
    sent = (revealed(item, recorded.get(item.key), paths[item.key], qoder.settings, is_needed=is_new) for item in asked)
    return DesiredVault(
        display_name=inputs["display_name"],
        credentials=tuple(sent),
        read=reads_later(inputs, paths, qoder),
        metadata=inputs.get("metadata"),
        rotations=read_counts(inputs.get("rotations")),
        on_delete=inputs.get("on_delete") or "delete",
        force_destroy=inputs.get("force_destroy") is True,
    )


@reads_state
def to_recorded(id_: str, outputs: Inputs) -> RecordedVault:
    """Read the outputs in a state.

    Raises:
        NewerState: a newer version wrote it.
    """
    # Every recorded credential has a URL: what lacks the key was written by another version.
    credentials = [{**item, "mcp_server_url": item["mcp_server_url"]} for item in outputs.get("credentials") or ()]
    return RecordedVault(
        vault_id=id_,
        display_name=outputs.get("display_name") or "",
        metadata=outputs.get("metadata") or {},
        on_delete=word(outputs, "on_delete", ON_DELETE, None),
        credentials=tuple(read_credential(item, f"credentials[{index}].") for index, item in enumerate(credentials)),
        credential_ids=outputs.get("credential_ids") or {},
        rotations=read_counts(outputs.get("rotations")),
        created_at=outputs.get("created_at") or "",
        updated_at=outputs.get("updated_at") or "",
        force_destroy=outputs.get("force_destroy") is True,
        other_credentials=outputs.get("other_credentials"),
        rotated_at=outputs.get("rotated_at"),
        **read_place_and_progress(outputs),
    )


def to_outputs(recorded: RecordedVault) -> Outputs:
    """Return the outputs for a state."""
    outputs = {
        "display_name": recorded.display_name,
        "metadata": dict(recorded.metadata),
        "on_delete": recorded.on_delete,
        "credentials": [_credential_outputs(item) for item in recorded.credentials],
        "credential_ids": dict(recorded.credential_ids),
        "rotations": dict(recorded.rotations),
        "created_at": recorded.created_at,
        "updated_at": recorded.updated_at,
        **place_and_progress(recorded),
    }
    if recorded.rotated_at is not None:
        outputs["rotated_at"] = dict(recorded.rotated_at)
    if recorded.force_destroy:
        outputs["force_destroy"] = True
    if recorded.other_credentials is not None:
        outputs["other_credentials"] = dict(recorded.other_credentials)
    return outputs


def _credential_outputs(credential: Credential) -> Outputs:
    """Return what a vault shows of a credential, which may be of a type that no vault declares."""
    given = stored_part(check.CREDENTIAL_FIELDS, credential.properties)
    optional = {name for name, row in check.CREDENTIAL_FIELDS.items() if row.is_secret or row.is_local}
    shown = {name: given.get(name) for name in check.CREDENTIAL_FIELDS if name not in optional or name in given}
    return {**shown, "type": credential.type}


def to_refreshed_inputs(outputs: Outputs) -> Outputs:
    """Return all inputs, as what exists says: the engine then shows the drift, and the next ``up`` mends it."""
    inputs = {name: outputs[name] for name in (*check.ARGUMENTS, *check.COMPUTED) if name in outputs}
    unasked = [name for name in ("metadata", "force_destroy") if not inputs.get(name)]
    return {name: value for name, value in inputs.items() if name not in unasked}
