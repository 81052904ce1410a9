"""Pulumi's property maps <-> the lifecycle's data, for every front. Decides nothing, and knows no gRPC.

Properties have the names of the Python program here. Access tokens are `Secret` from here on, and leave in the form
that the engine encrypts; what a preview does not know is `UNKNOWN`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec, TypeVar

import pulumi

from .errors import NewerState
from .lifecycle.check import ON_DELETE
from .lifecycle.credential import to_credential
from .lifecycle.model import (
    ACTIVE,
    ARCHIVED,
    CREDENTIAL_TYPES,
    DEFAULT_PROTOCOL,
    ENVIRONMENT_VARIABLE,
    PROTOCOLS,
    STATIC_BEARER,
    UNKNOWN,
    Credential,
    DesiredVault,
    Place,
    RecordedVault,
    Revision,
    SecretUrl,
    Unfit,
)
from .secret import Secret

P = ParamSpec("P")
R = TypeVar("R")

PROVIDER_KEY = "__provider"
SECRETS = frozenset({"access_token", "client_secret", "refresh_token", "secret_value"})
DATA = frozenset({"metadata", "rotations", "credential_ids", "other_credentials"})  # maps whose keys are data
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"  # Pulumi's, for what is no plain value
SECRET_SIGNATURE = {SIGNATURE_KEY: "1b47061264138c4ac30d75fd1eb44270"}
A_RESOURCE = "a resource (take an output of it, such as its id)"
KINDS = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
    "5cf8f73096256a8f31e491e813e4eb8e": A_RESOURCE,
}


def to_inputs(props: Mapping[str, Any]) -> dict[str, Any]:
    """Translate Pulumi's values: access tokens become secrets, and what is unknown becomes `UNKNOWN`."""
    return {key: _known(value, key) for key, value in props.items() if key != PROVIDER_KEY}


def _known(value: Any, name: str) -> Any:
    if isinstance(value, pulumi.output.Unknown) or value == pulumi.runtime.rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, Mapping):
        if SECRET_SIGNATURE.items() <= value.items():
            inner = _known(value.get("value"), name)
            return SecretUrl(inner) if name == "mcp_server_url" and isinstance(inner, str) else inner
        if SIGNATURE_KEY in value:
            return Unfit(KINDS.get(str(value[SIGNATURE_KEY]), "an object of Pulumi's"))
        return {key: _known(item, name if name in DATA else key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item, name) for item in value]
    return Secret(value) if name in SECRETS and isinstance(value, str) else value


def to_wire(value: Any) -> Any:
    """Translate back: secrets in the form that the engine encrypts, `UNKNOWN` as Pulumi knows it."""
    if isinstance(value, Secret):
        return {**SECRET_SIGNATURE, "value": value.reveal()}
    if value is UNKNOWN:
        return pulumi.runtime.rpc.UNKNOWN
    if isinstance(value, Unfit):
        return None  # it comes from a check that failed
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    return value


def _to_credentials(inputs: Mapping[str, Any]) -> tuple[Credential, ...]:
    return tuple(
        Credential(
            item["mcp_server_url"],
            item.get("access_token"),
            _one_of(item, "protocol", PROTOCOLS, DEFAULT_PROTOCOL, f"credentials[{index}]."),
            _one_of(item, "type", CREDENTIAL_TYPES, STATIC_BEARER, f"credentials[{index}]."),
        )
        for index, item in enumerate(inputs.get("credentials") or ())
    )


def _to_counts(inputs: Mapping[str, Any]) -> dict[str, int]:
    return {url: int(count) for url, count in (inputs.get("rotations") or {}).items()}


def to_desired(props: Mapping[str, Any]) -> DesiredVault:
    """Read complete inputs, all of them known."""
    inputs = to_inputs(props)
    return DesiredVault(
        display_name=inputs["display_name"],
        credentials=_to_credentials(inputs),
        metadata=inputs.get("metadata"),
        rotations=_to_counts(inputs),
        on_delete=inputs.get("on_delete") or "delete",
        force_destroy=inputs.get("force_destroy") is True,
    )


def _one_of(inputs: Mapping[str, Any], name: str, known: Collection[str], default: str, path: str = "") -> Any:
    """Return a word of a state; its default where the state is older than the word.

    Raises:
        NewerState: it is none of those that are known.
    """
    word = inputs.get(name)
    if word is None or word == "":
        return default
    if word not in known:
        raise NewerState(f"{path}{name}")
    return word


def _of_a_state(read: Callable[P, R]) -> Callable[P, R]:
    """Let a reader of a state end in `NewerState` where it has another shape than this version knows."""

    @functools.wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise NewerState("a property") from None

    return reading


@_of_a_state
def to_recorded_inputs(props: Mapping[str, Any]) -> dict[str, Any]:
    """Read the inputs of the last deployment, as a check has them.

    Raises:
        NewerState: a newer version wrote them.
    """
    inputs = to_inputs(props)
    counts = inputs.get("rotations")
    for count in counts.values() if isinstance(counts, Mapping) else [counts or 0]:
        int(count)
    dict.fromkeys(item["mcp_server_url"] for item in inputs.get("credentials") or ())
    return inputs


def _to_place_and_revision(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both resources record of where and how they are at Qoder."""
    unfinished = inputs.get("unfinished")
    return {
        "place": Place(inputs.get("base_url") or "", inputs.get("workspace_id")),
        "status": _one_of(inputs, "status", (ACTIVE, ARCHIVED), ACTIVE),
        "api_revision": Revision(_one_of(inputs, "api_revision", tuple(Revision), Revision.R2026_05)),
        "unfinished": None if unfinished is None else tuple(unfinished),
    }


@_of_a_state
def to_recorded(id_: str, props: Mapping[str, Any]) -> RecordedVault:
    """Read the outputs in a state.

    Raises:
        NewerState: a newer version wrote it.
    """
    inputs = to_inputs(props)
    return RecordedVault(
        id=id_,
        display_name=inputs.get("display_name") or "",
        metadata=inputs.get("metadata") or {},
        on_delete=_one_of(inputs, "on_delete", ON_DELETE, "") or None,
        credentials=_to_credentials(inputs),
        credential_ids=inputs.get("credential_ids") or {},
        rotations=_to_counts(inputs),
        created_at=inputs.get("created_at") or "",
        updated_at=inputs.get("updated_at") or "",
        **_to_place_and_revision(inputs),
        force_destroy=inputs.get("force_destroy") is True,
        other_credentials=inputs.get("other_credentials"),
    )


def to_outputs(recorded: RecordedVault) -> dict[str, Any]:
    """Give the outputs for a state, wire-ready."""
    credentials = [
        {"mcp_server_url": item.mcp_server_url, "protocol": item.protocol, "type": item.type}
        | ({"access_token": item.access_token} if item.access_token is not None else {})
        for item in recorded.credentials
    ]
    outputs: dict[str, Any] = {
        "display_name": recorded.display_name,
        "metadata": dict(recorded.metadata),
        "on_delete": recorded.on_delete,
        "credentials": credentials,
        "credential_ids": dict(recorded.credential_ids),
        "rotations": dict(recorded.rotations),
        "status": recorded.status,
        "base_url": recorded.place.base_url,
        "workspace_id": recorded.place.workspace_id,
        "created_at": recorded.created_at,
        "updated_at": recorded.updated_at,
        "api_revision": recorded.api_revision.value,
    }
    if recorded.unfinished is not None:
        outputs["unfinished"] = list(recorded.unfinished)
    if recorded.force_destroy:
        outputs["force_destroy"] = True
    if recorded.other_credentials is not None:
        outputs["other_credentials"] = dict(recorded.other_credentials)
    return to_wire(outputs)  # type: ignore[no-any-return]


@_of_a_state
def to_recorded_credential(props: Mapping[str, Any]) -> RecordedVault:
    """Read the outputs of a credential of its own: a vault of which one credential is ours.

    Raises:
        NewerState: a newer version wrote it.
    """
    inputs = to_inputs(props)
    _one_of(inputs, "type", CREDENTIAL_TYPES, STATIC_BEARER)
    _one_of(inputs, "protocol", PROTOCOLS, DEFAULT_PROTOCOL)
    credential = to_credential(inputs)
    return RecordedVault(
        id=inputs["vault_id"],
        display_name="",
        metadata={},
        on_delete="",
        credentials=(credential,),
        credential_ids={credential.key: inputs["credential_id"]},
        rotations={credential.key: int(inputs.get("rotations") or 0)},
        created_at="",
        updated_at="",
        **_to_place_and_revision(inputs),
    )


def to_credential_outputs(recorded: RecordedVault) -> dict[str, Any]:
    """Give the outputs of a credential of its own for a state, wire-ready."""
    (credential,) = recorded.credentials
    is_variable = credential.type == ENVIRONMENT_VARIABLE
    outputs: dict[str, Any] = {
        "vault_id": recorded.id,
        "credential_id": recorded.credential_ids[credential.key],
        "type": credential.type,
        "mcp_server_url": credential.mcp_server_url or None,
        "secret_value" if is_variable else "access_token": credential.access_token,
        "protocol": credential.protocol,
        **credential.fields,
        "metadata": dict(credential.metadata) if credential.metadata else None,
        "rotations": recorded.rotations.get(credential.key, 0),
        "status": recorded.status,
        "base_url": recorded.place.base_url,
        "workspace_id": recorded.place.workspace_id,
        "api_revision": recorded.api_revision.value,
        "unfinished": None if recorded.unfinished is None else list(recorded.unfinished),
    }
    return to_wire(without_none(outputs))  # type: ignore[no-any-return]


def to_refreshed_credential_inputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Give all inputs, as what exists says."""
    computed = ("credential_id", "base_url", "workspace_id", "api_revision", "unfinished")
    return {name: value for name, value in outputs.items() if name not in computed}


def without_none(props: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what there is not: a null is a value to the engine."""
    return {name: value for name, value in props.items() if value is not None}


def to_refreshed_inputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Give all inputs, as what exists says: the engine then shows the drift, and the next ``up`` mends it."""
    names = ("display_name", "on_delete", "credentials", "rotations", "status")
    inputs = {name: outputs[name] for name in names}
    if outputs.get("force_destroy"):
        inputs["force_destroy"] = True
    if outputs["metadata"]:
        inputs["metadata"] = outputs["metadata"]
    return inputs
