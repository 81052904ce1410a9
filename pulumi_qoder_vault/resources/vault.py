"""A vault: properties <-> its life. Translates, and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import properties
from ..connection import Qoder
from ..errors import PartialState, VaultNotFound
from ..lifecycle import check as checks
from ..lifecycle import diff as diffs
from ..lifecycle import operations, plan
from ..lifecycle.model import UNKNOWN, Inputs, Revision
from ..lifecycle.others import Deletion
from ..settings import Settings, force_destroy
from . import elsewhere
from .handler import Found, Outputs, Partial, own_token


class VaultResource:
    """Fulfils `handler.ResourceHandler`."""

    def check(self, inputs: Inputs, recorded: Inputs, settings: Settings) -> list[checks.Problem]:
        allows_empty = settings.revision == Revision.R2026_07.value
        return checks.check(inputs, allows_empty=allows_empty, recorded=recorded, api_token=own_token(settings))

    def check_replacement(self, replaced: Inputs, inputs: Inputs) -> list[checks.Problem]:
        return checks.check_replacement(replaced, inputs)

    def complete(self, inputs: Inputs, recorded: Inputs) -> Outputs:
        return checks.complete(inputs, recorded)

    def diff(
        self, id_: str, outputs: Mapping[str, Any], inputs: Inputs, settings: Settings | None = None
    ) -> diffs.Difference:
        recorded = properties.to_recorded(id_, outputs)
        difference = diffs.diff(recorded, inputs)
        return replace(difference, warnings=difference.warnings + elsewhere.warnings(recorded.place, settings))

    def create(self, qoder: Qoder, inputs: Inputs) -> tuple[str, Outputs]:
        try:
            recorded = operations.create(qoder.api(inputs), properties.to_desired(inputs), qoder.revision_in_use)
        except PartialState as failure:
            raise _partial(failure) from None
        return recorded.id, properties.to_outputs(recorded)

    def preview_create(self, settings: Settings, inputs: Inputs) -> Outputs:
        known = {"metadata": {}, **inputs, "base_url": settings.base_url, "workspace_id": settings.workspace_id}
        return known | dict.fromkeys(("credential_ids", "created_at", "updated_at", "api_revision"), UNKNOWN)

    def find(self, qoder: Qoder, id_: str) -> Found | None:
        try:
            found = operations.find(qoder.api(), id_)
        except VaultNotFound as failure:
            if failure.is_absent:
                return None
            raise
        outputs = properties.to_outputs(found)
        return Found(id_, outputs, properties.to_refreshed_inputs(outputs))

    def read(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any]) -> Found | None:
        api, before = qoder.api(outputs), properties.to_recorded(id_, outputs)
        with elsewhere.ways_out(qoder, api, before.place):
            recorded, is_drift = operations.read(api, before)
        if recorded is None:
            return None
        found = properties.to_outputs(recorded)
        return Found(id_, found, properties.to_refreshed_inputs(found) if is_drift else None)

    def update(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any], inputs: Inputs) -> Outputs:
        recorded, desired = properties.to_recorded(id_, outputs), properties.to_desired(inputs)
        api = qoder.api(outputs, inputs)
        try:
            with elsewhere.ways_out(qoder, api, recorded.place):
                changed = operations.update(api, recorded, desired, qoder.revision_in_use)
        except PartialState as failure:
            raise _partial(failure) from None
        return properties.to_outputs(changed)

    def preview_update(self, settings: Settings, id_: str, outputs: Mapping[str, Any], inputs: Inputs) -> Outputs:
        recorded = properties.to_recorded(id_, outputs)
        revision = recorded.api_revision if settings.revision == "auto" else Revision(settings.revision)
        ids = plan.credential_ids(recorded, inputs.get("credentials"), revision)
        given = ("unfinished", "force_destroy")  # the first is done then, the second as the inputs say
        known = {name: value for name, value in properties.to_outputs(recorded).items() if name not in given}
        if diffs.touches_credentials(recorded, inputs):
            known["other_credentials"] = UNKNOWN  # the update looks at the vault
        return known | {"metadata": {}, **inputs, "credential_ids": ids}

    def delete(self, qoder: Qoder, id_: str, outputs: Mapping[str, Any], deletion: Deletion) -> None:
        is_forced = force_destroy(os.environ)
        api, recorded = qoder.api(outputs), properties.to_recorded(id_, outputs)
        with elsewhere.ways_out(qoder, api, recorded.place):
            operations.delete(api, recorded, deletion, is_forced=is_forced)


def _partial(failure: PartialState) -> Partial:
    return Partial(str(failure), failure.recorded.id, properties.to_outputs(failure.recorded))
