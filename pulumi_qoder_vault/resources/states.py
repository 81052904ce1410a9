"""Reading a state that another version of this package may have written. Knows no resource.

A state that is older lacks keys, and is read as if it had their defaults. One that is newer holds a value which this
version does not know: then nothing is sent, since nobody knows what it asks for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from ..errors import MovedBack, NewerState
from ..lifecycle.capabilities import UNRECORDED
from ..lifecycle.credential_types import DEFAULT_TYPE, TYPES
from ..lifecycle.fields import Fields
from ..lifecycle.inputs import Inputs, as_map, secrets_by_path
from ..lifecycle.model import ACTIVE, ARCHIVED, Credential, CredentialSet, Place, Revision
from ..lifecycle.references import VERSIONS, Reference, is_verifier
from ..secret import Secret

# Each state of the plugin has one of them. A front hands over the names of the core, and leaves alone what has others.
_NAMES_OF_THE_PLUGIN = {"displayName", "vaultId"}
SEEN_WITH = "__seen_with"  # Pulumi shows no property whose name begins so

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound=str)
D = TypeVar("D")


def reads_state(read: Callable[P, R]) -> Callable[P, R]:
    """Let a reader of a state end in `NewerState` where it has another shape than this version knows."""

    @functools.wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise NewerState("a property") from None

    return reading


def word(state: Inputs, name: str, known: Collection[W], default: D, path: str = "") -> W | D:
    """Return a word of a state; its default where the state is older than the word.

    Raises:
        NewerState: it is none of those that are known.
    """
    found = state.get(name)
    if found is None or found == "":
        return default
    if found not in known:
        raise NewerState(f"{path}{name}")
    return cast("W", found)


def read_credential(state: Inputs, path: str = "") -> Credential:
    """Read a recorded credential.

    Raises:
        NewerState: a word in it is not known.
    """
    type_ = word(state, "type", tuple(TYPES), DEFAULT_TYPE, path)
    for name, row in TYPES[type_].fields.items():
        if row.choices:
            word(state, name, row.choices, row.default or "", path)
    credential = Credential.of(state)
    for name in _references(TYPES[type_].fields, credential.properties, path):
        raise NewerState(name)
    for names, secret in secrets_by_path(credential.properties):
        if is_verifier(names[-1]) and not secret.reveal().startswith(VERSIONS):
            raise NewerState(f"{path}{'.'.join(names)}")
    return credential


def _references(fields: Fields, given: Inputs, path: str) -> Iterator[str]:
    """Yield where there is a reference of a way that is not known."""
    for name, row in fields.items():
        value = given.get(name)
        if row.kind == "object":
            yield from _references(row.fields, as_map(value), f"{path}{name}.")
        elif row.kind == "reference" and value is not None and Reference.of(value) is None:
            yield f"{path}{name}"


def read_place_and_progress(state: Inputs) -> dict[str, Any]:
    """Return what every resource records of where it is at Qoder, and how far the work on it went."""
    unfinished = state.get("unfinished")
    return {
        "place": Place(state.get("base_url") or "", state.get("workspace_id")),
        "status": word(state, "status", (ACTIVE, ARCHIVED), ACTIVE),
        "api_revision": Revision(word(state, "api_revision", tuple(Revision), UNRECORDED)),
        "unfinished": None if unfinished is None else tuple(unfinished),
        "seen_with": _as_secret(state.get(SEEN_WITH)),
    }


def place_and_progress(recorded: CredentialSet) -> dict[str, Any]:
    """Return the same as outputs."""
    unfinished = {} if recorded.unfinished is None else {"unfinished": list(recorded.unfinished)}
    return {
        "status": recorded.status,
        "base_url": recorded.place.base_url,
        "workspace_id": recorded.place.workspace_id,
        "api_revision": recorded.api_revision.value,
        **unfinished,
        **({} if recorded.seen_with is None else {SEEN_WITH: recorded.seen_with}),
    }


def _as_secret(value: Any) -> Secret | None:
    """Return a secret, also where a front hands it over without its mark."""
    return value if isinstance(value, Secret) else Secret(value) if isinstance(value, str) and value else None


def read_counts(state: Mapping[str, Any] | None) -> dict[str, int]:
    """Return how often each secret has changed, as whole numbers: Pulumi's are floats."""
    return {key: int(count) for key, count in (state or {}).items()}


@reads_state
def recorded_inputs(inputs: Inputs) -> Inputs:
    """Return the inputs of the last deployment, as a check has them.

    Raises:
        MovedBack: they are of the plugin, and this is a Python resource.
        NewerState: a newer version wrote them.
    """
    if _NAMES_OF_THE_PLUGIN & inputs.keys():
        raise MovedBack
    counts = inputs.get("rotations")
    for count in counts.values() if isinstance(counts, Mapping) else [counts or 0]:
        int(count)
    dict.fromkeys(item["mcp_server_url"] for item in inputs.get("credentials") or ())
    return inputs
