"""What a front needs of a resource: one object for each type. Knows neither the engine nor gRPC.

Properties are the core's here: in its names, secrets as `Secret`, and what a preview does not know as `UNKNOWN`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from ..connection import Qoder
from ..lifecycle.differences import Difference
from ..lifecycle.inputs import Inputs
from ..lifecycle.model import CredentialSet
from ..lifecycle.other_credentials import Deletion
from ..lifecycle.problems import ApiToken, Problem
from ..settings import Settings

Outputs = dict[str, Any]


def api_token_of(settings: Settings) -> ApiToken:
    """Return the API token of this run, or its service-account key, as a check needs it."""
    host = urlsplit(settings.base_url).hostname or ""
    return ApiToken(settings.credential, host, settings.credential_name, settings.credential_source.key)


class State(NamedTuple):
    """What a state holds of a resource."""

    id: str
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Found:
    """What a read found.

    Attributes:
        inputs: None where the recorded ones still say what is there.
    """

    id: str
    outputs: Outputs
    inputs: Outputs | None


class Resource(Protocol):
    """A type of resource. What asks Qoder raises `errors.QoderError`.

    Inputs are complete but in ``check``, and may hold `UNKNOWN` where a preview asks; outputs are what the state holds.
    """

    def check(self, inputs: Inputs, recorded: Inputs, settings: Settings) -> list[Problem]:
        """Find what is wrong with the inputs. No request."""

    def check_replacement(self, replaced: Inputs, inputs: Inputs) -> list[Problem]:
        """Find what must not differ between the inputs of an object and those of the one that replaces it."""

    def complete(self, inputs: Inputs, recorded: Inputs) -> Outputs:
        """Fill in defaults, and the inputs in which drift and rotation show."""

    def diff(self, id_: str, outputs: Inputs, inputs: Inputs, settings: Settings | None = None) -> Difference:
        """Compare the state with the program. No request. Settings are None where they cannot be read."""

    def create(self, qoder: Qoder, inputs: Inputs) -> State:
        """Make it."""

    def preview_create(self, settings: Settings, inputs: Inputs) -> Outputs:
        """Return the outputs, as far as a preview can know them. No request."""

    def find(self, qoder: Qoder, id_: str) -> Found | None:
        """Look for what no state holds yet: an import, or a `get`. None if there is none."""

    def read(self, qoder: Qoder, id_: str, outputs: Inputs) -> Found | None:
        """Look at what the state holds. None if it is gone."""

    def update(self, qoder: Qoder, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        """Change it in place."""

    def preview_update(self, settings: Settings, id_: str, outputs: Inputs, inputs: Inputs) -> Outputs:
        """Return the outputs, as far as a preview can know them. No request."""

    def delete(self, qoder: Qoder, id_: str, outputs: Inputs, deletion: Deletion) -> None:
        """Delete it, or whatever its outputs say is to be done instead."""

    def state_of(self, recorded: CredentialSet) -> State:
        """Return what the state is to hold of what exists: also of what `PartialState` carries."""


def check_all(
    resource: Resource, inputs: Inputs, recorded: Inputs, replaced: Inputs, settings: Settings
) -> list[Problem]:
    """Find what is wrong with the inputs, also of an object that is to take the place of another one. No request.

    Args:
        resource: of the type.
        inputs: what the program gave.
        recorded: the inputs of the last deployment.
        replaced: what the state holds of the object that is to be replaced; empty where none is.
        settings: of this run.
    """
    problems = resource.check(inputs, recorded, settings)
    if not replaced:
        return problems
    # What the old object holds is a warning in the new one, too: an archived vault can then be replaced.
    held = [problem for problem in resource.check(inputs, replaced, settings) if problem.is_warning]
    warnings = [replace(problem, is_warning=True) for problem in problems]
    problems = [soft if soft in held else problem for problem, soft in zip(problems, warnings, strict=True)]
    return problems + resource.check_replacement(replaced, inputs)
