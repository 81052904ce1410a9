"""A credential of its own: properties <-> its life. Translates, and decides nothing.

Its id is `vault_…/vcred_…`: what an import takes, and what a credential is found by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import properties
from ..connection import Qoder
from ..errors import NotSent, PartialState, VaultNotFound
from ..lifecycle import credential, credentials, plan
from ..lifecycle.check import Problem
from ..lifecycle.diff import Difference
from ..lifecycle.model import UNKNOWN, Inputs, RecordedVault, Revision
from ..lifecycle.others import Deletion
from ..settings import Settings
from . import elsewhere
from .handler import Found, Outputs, Partial, own_token

_ID = re.compile(r"(vault_[0-9A-Za-z]+)/(vcred_[0-9A-Za-z]+)", re.ASCII)


class CredentialResource:
    """Fulfils `handler.ResourceHandler`."""

    def check(self, inputs: Inputs, recorded: Inputs, settings: Settings) -> list[Problem]:
        return credential.check(inputs, recorded, own_token(settings))

    def check_replacement(self, replaced: Inputs, inputs: Inputs) -> list[Problem]:
        return []

    def complete(self, inputs: Inputs, recorded: Inputs) -> Outputs:
        return credential.complete(inputs, recorded)

    def diff(
        self, id_: str, outputs: Mapping[str, Any], inputs: Inputs, settings: Settings | None = None
    ) -> Difference:
        recorded = properties.to_recorded_credential(outputs)
        difference = credential.diff(recorded, properties.to_inputs(outputs), inputs)
        return replace(difference, warnings=difference.warnings + elsewhere.warnings(recorded.place, settings))

    def create(self, qoder: Qoder, inputs: Inputs) -> tuple[str, Outputs]:
        desired = credential.to_credential(inputs)
        try:
            made = credentials.create(qoder.api(inputs), inputs["vault_id"], desired, qoder.revision_in_use)
        except PartialState as failure:
            raise _partial(failure) from None
        return _id(made), properties.to_credential_outputs(made)

    def preview_create(self, settings: Settings, inputs: Inputs) -> Outputs:
        known = {**inputs, "base_url": settings.base_url, "workspace_id": settings.workspace_id}
        return known | dict.fromkeys(("credential_id", "api_revision"), UNKNOWN)

    def find(self, qoder: Qoder, id_: str) -> Found | None:
        ids = _ID.fullmatch(id_)
        if ids is None:
            raise NotSent(
                "the id is not one of a credential: it must be like "
                "vault_019e3bb940277f0db05ab74291acf6ef/vcred_019e3bb940277f0db05ab74291acf6ef"
            )
        try:
            found = credentials.find(qoder.api(), ids[1], ids[2])
        except VaultNotFound as failure:
            if failure.is_absent:
                return None
            raise
        outputs = properties.to_credential_outputs(found)
        return Found(id_, outputs, properties.to_refreshed_credential_inputs(outputs))

    def read(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any]) -> Found | None:
        api, before = qoder.api(outputs), properties.to_recorded_credential(outputs)
        with elsewhere.ways_out(qoder, api, before.place):
            recorded, is_drift = credentials.read(api, before)
        if recorded is None:
            return None
        found = properties.to_credential_outputs(recorded)
        return Found(_id(recorded), found, properties.to_refreshed_credential_inputs(found) if is_drift else None)

    def update(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any], inputs: Inputs) -> Outputs:
        recorded, desired = properties.to_recorded_credential(outputs), credential.to_credential(inputs)
        api, rotations = qoder.api(outputs, inputs), int(inputs["rotations"])
        try:
            with elsewhere.ways_out(qoder, api, recorded.place):
                changed = credentials.update(api, recorded, desired, rotations, qoder.revision_in_use)
        except PartialState as failure:
            raise _partial(failure) from None
        return properties.to_credential_outputs(changed)

    def preview_update(self, settings: Settings, id_: str, outputs: Mapping[str, Any], inputs: Inputs) -> Outputs:
        recorded = properties.to_recorded_credential(outputs)
        revision = recorded.api_revision if settings.revision == "auto" else Revision(settings.revision)
        keeps_id = plan.keeps_id(recorded.credentials[0], credential.to_credential(inputs), revision)
        kept = ("base_url", "workspace_id", "api_revision")
        known = {name: value for name, value in outputs.items() if name in kept}
        return {**inputs, **known, "credential_id": outputs["credential_id"] if keeps_id else UNKNOWN}

    def delete(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any], deletion: Deletion) -> None:
        api, recorded = qoder.api(outputs), properties.to_recorded_credential(outputs)
        with elsewhere.ways_out(qoder, api, recorded.place):
            credentials.delete(api, recorded)


def _partial(failure: PartialState) -> Partial:
    return Partial(str(failure), _id(failure.recorded), properties.to_credential_outputs(failure.recorded))


def _id(recorded: RecordedVault) -> str:
    (credential_id,) = recorded.credential_ids.values()
    return f"{recorded.id}/{credential_id}"
