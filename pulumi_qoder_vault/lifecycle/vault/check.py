"""Inputs of a vault -> complete inputs, and problems with their paths.

Pure: no HTTP, no Pulumi objects. What is `UNKNOWN` passes, and is judged when it is known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, get_args

from ...secret import one_line, secrets_in
from .. import allowed_values
from ..capabilities import NO_CREDENTIAL
from ..credential_types import DEFAULT_TYPE, TYPES
from ..exposure import Exposed, check_exposure, exposed
from ..fields import Field, Fields, with_defaults
from ..inputs import (
    UNKNOWN,
    Inputs,
    Unknown,
    as_map,
    holds_unknown,
    maps_in,
    only_given,
    secrets_by_path,
    texts_by_path,
)
from ..model import ACTIVE, ARCHIVED, OnDelete
from ..problems import NO_API_TOKEN, ApiToken, Known, Problem, check_choice, check_fields, kind_of
from ..references import completed, is_rotation, read_part

# Qoder, Vaults (read 2026-08): 16 pairs; one is kept for the provider's own mark.
ARGUMENTS: Fields = {
    "display_name": Field(
        description=f"1 to {allowed_values.MAX_DISPLAY_NAME} characters; need not be unique.",
        judge=allowed_values.display_name,
        is_required=True,
        if_missing=f"is required: a name of 1 to {allowed_values.MAX_DISPLAY_NAME} characters",
    ),
    "credentials": Field(
        kind="credentials",
        description="One or more, one for each URL; none at all only with `qoder:apiRevision` set to `2026-07`. A "
        "credential that is not declared here is left alone.",
        if_missing=f"{NO_CREDENTIAL} (if your Qoder makes empty vaults, set qoder:apiRevision to 2026-07)",
        is_mutable=True,
    ),
    "metadata": Field(
        kind="map",
        description="Stored by API revision `2026-07` only; elsewhere the create fails, and is rolled back.",
        most=15,
    ),
    "on_delete": Field(
        description="`delete`, or `archive`: the vault is archived instead, and there is no way back from that.",
        choices=get_args(OnDelete),
        default="delete",
        is_mutable=True,
    ),
    "force_destroy": Field(
        kind="boolean",
        description="If true, the vault is deleted or archived even while it holds credentials that this resource did "
        "not create: they go with it. Otherwise such a deletion is refused.",
        is_mutable=True,
        is_clearable=True,
    ),
}
# A vault declares credentials of the default type only.
CREDENTIAL_FIELDS: Fields = TYPES[DEFAULT_TYPE].fields
# Inputs that `complete` adds, and that come back after an import.
COMPUTED = ("status", "rotations")


def check(
    inputs: Inputs,
    *,
    allows_empty: bool,
    recorded: Inputs = MappingProxyType({}),
    api_token: ApiToken = NO_API_TOKEN,
) -> list[Problem]:
    """Find what is wrong with the inputs of a vault.

    Args:
        inputs: what the program gave; missing keys and None are the same.
        allows_empty: True if the API revision in use makes a vault without credentials (``2026-07``).
        recorded: the inputs of the last deployment. What they hold already is no more than a warning, and what an
            import found may be missing: an access token, which Qoder never returns, and every credential.
        api_token: the API token of this run.
    """
    seen = _seen(inputs)
    known = Known(api_token, {*secrets_in(seen), *api_token.known})
    needs_one = not allows_empty and not (recorded and not recorded.get("credentials"))
    arguments = {**ARGUMENTS, "credentials": replace(ARGUMENTS["credentials"], is_required=needs_one)}
    return [
        *check_fields("", inputs, arguments, recorded=recorded, held=recorded, known=known, further=COMPUTED),
        *_check_credentials(inputs.get("credentials"), recorded, known, needs_one=needs_one),
        *check_exposure(_exposed(seen, api_token), _exposed(recorded, api_token), api_token),
    ]


def _seen(inputs: Inputs) -> Inputs:
    """Return the inputs with the secrets that were read in the places where they would stand by value."""
    credentials = inputs.get("credentials")
    if not isinstance(credentials, list | tuple):
        return inputs
    read = [read_part(item) if isinstance(item, Mapping) else item for item in credentials]
    return {**inputs, "credentials": read}


def _check_credentials(credentials: Any, recorded: Inputs, known: Known, *, needs_one: bool) -> Iterator[Problem]:
    if credentials is None or isinstance(credentials, Unknown):
        return
    if not isinstance(credentials, list | tuple):
        yield Problem("credentials", f"must be a list of credentials, not {kind_of(credentials)}")
        return
    if not credentials and needs_one:
        yield Problem("credentials", ARGUMENTS["credentials"].if_missing)
    held = {item.get("mcp_server_url"): item for item in maps_in(recorded.get("credentials"))}
    first_use: dict[str, int] = {}
    for index, credential in enumerate(credentials):
        path = f"credentials[{index}]"
        if isinstance(credential, Unknown):
            continue
        if not isinstance(credential, Mapping):
            rows = (name for name, row in CREDENTIAL_FIELDS.items() if row.kind != "verifier")
            names = ", ".join((*rows, "type"))
            yield Problem(path, f"must be a map with {names}, not {kind_of(credential)}")
            continue
        url = credential.get("mcp_server_url")
        before = held.get(url, {}) if isinstance(url, str) else {}
        yield from check_fields(
            path, credential, CREDENTIAL_FIELDS, recorded=before, held=before, known=known, further=("type",)
        )
        yield from _check_type(f"{path}.type", credential.get("type"))
        if not isinstance(url, str) or allowed_values.mcp_server_url(url) is not None:
            continue
        if url in first_use:
            used = f"{one_line(url, known.secrets, limit=200)} is already used by credentials[{first_use[url]}]"
            yield Problem(f"{path}.mcp_server_url", f"{used}; one vault holds one credential per URL")
        first_use.setdefault(url, index)


def _check_type(path: str, type_: object) -> Iterator[Problem]:
    if isinstance(type_, str) and type_ != DEFAULT_TYPE and type_ in TYPES:
        yield Problem(path, f"must be '{DEFAULT_TYPE}'; declare {type_} as a Credential resource")
    else:
        yield from check_choice(path, type_, (DEFAULT_TYPE,))


def _exposed(inputs: Inputs, api_token: ApiToken) -> Iterator[Exposed]:
    given = inputs.get("credentials")
    texts = texts_by_path({name: value for name, value in inputs.items() if name in ("display_name", "metadata")})
    shown = [(path[0], text) for path, text in texts]
    shown += [
        (f"credentials[{index}].{path[0]}", text)
        for index, item in enumerate(given if isinstance(given, list | tuple) else ())
        for path, text in texts_by_path(as_map(item))
        if path[0] in CREDENTIAL_FIELDS and not CREDENTIAL_FIELDS[path[0]].choices
    ]
    yield from exposed(shown, (pair for item in maps_in(given) for pair in secrets_by_path(item)), api_token)


def changed_for_deletion(recorded: Inputs, inputs: Inputs) -> list[str]:
    """Return which of the arguments differ that a deletion goes by; what is unknown is judged when it is known."""
    pairs = {
        "on_delete": (recorded.get("on_delete") or "delete", inputs.get("on_delete") or "delete"),
        "force_destroy": (recorded.get("force_destroy") or False, inputs.get("force_destroy") or False),
    }
    return [name for name, (before, after) in pairs.items() if before != after and not isinstance(after, Unknown)]


def must_come_first(changed: Collection[str], replacement: str) -> str:
    """Return why a change of how the old vault would be deleted must not come together with its replacement."""
    them = "it" if len(changed) == 1 else "them"
    return (
        f"must not change {replacement}: the old one is deleted by what the state holds of {them}; run pulumi up with "
        f"the change of {' and '.join(changed)} alone first"
    )


def check_replacement(replaced: Inputs, inputs: Inputs) -> list[Problem]:
    """Find a change of how the old vault of a replacement would be deleted, whatever it is that forces the replacement.

    An archived vault is replaced by every `up`, so that no change can come before it: see `diff`. Where something is
    unknown the `up` need not replace the vault, and knows it then.
    """
    changed = changed_for_deletion(replaced, inputs)
    if not changed or replaced.get("status") == ARCHIVED or holds_unknown(inputs):
        return []
    return [Problem(" and ".join(changed), must_come_first(changed, "in an up that replaces the vault"))]


def complete(inputs: Inputs, recorded: Inputs) -> dict[str, Any]:
    """Fill in defaults, and the two inputs in which drift and rotation show: ``status`` and ``rotations``.

    Args:
        inputs: inputs without a problem.
        recorded: the inputs of the last deployment; empty for a new vault.
    """
    given = {name: value for name, value in inputs.items() if name in ARGUMENTS}
    result = with_defaults(given, ARGUMENTS) | {"status": ACTIVE}
    if not result.get("force_destroy"):  # unknown counts; False is as if nothing was given
        result.pop("force_destroy", None)
    credentials = inputs.get("credentials")
    if isinstance(credentials, Unknown):
        return result | {"credentials": UNKNOWN, "rotations": UNKNOWN}
    result["credentials"] = [_complete_credential(credential) for credential in credentials or ()]
    result["rotations"] = _rotations(result["credentials"], recorded)
    return result


def _complete_credential(credential: Inputs | Unknown) -> Inputs | Unknown:
    if isinstance(credential, Unknown):
        return UNKNOWN
    given = {"type": DEFAULT_TYPE} | with_defaults(only_given(credential), CREDENTIAL_FIELDS)
    return completed(CREDENTIAL_FIELDS, credential["mcp_server_url"], given)


def _rotations(credentials: Collection[Inputs | Unknown], recorded: Inputs) -> dict[str, int] | Unknown:
    """Count the changes of each secret, so that a preview names the credential that rotates, without a digest."""
    before = {item["mcp_server_url"]: item for item in maps_in(recorded.get("credentials")) if "mcp_server_url" in item}
    counts = recorded.get("rotations") or {}
    rotations: dict[str, int] = {}
    for credential in credentials:
        url = UNKNOWN if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if isinstance(credential, Unknown) or isinstance(url, Unknown):
            return UNKNOWN  # a map that is known is complete: a program may ask it for any URL
        has_changed = url in before and is_rotation(CREDENTIAL_FIELDS, url, before[url], credential)
        rotations[url] = (int(counts.get(url, 0)) if url in before else 0) + has_changed
    return rotations
