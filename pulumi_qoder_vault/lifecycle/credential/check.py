"""Inputs of a standalone credential -> complete inputs, and problems with their paths.

Pure: no HTTP, no Pulumi objects. What is `UNKNOWN` passes, and is judged when it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...secret import secrets_in
from .. import allowed_values
from ..credential_types import DEFAULT_TYPE, TYPE_NAMES, TYPES, fields_of
from ..exposure import Exposed, check_exposure, exposed
from ..fields import Field, Fields, with_defaults
from ..inputs import UNKNOWN, Inputs, Unknown, is_given, only_given, secrets_by_path, texts_by_path
from ..model import ACTIVE
from ..problems import NO_API_TOKEN, ApiToken, Known, Problem, check_fields
from ..references import completed, is_rotation, read_part

# What every type has, beside the fields of its table. Qoder, Vault Credentials (read 2026-08): 16 pairs.
ARGUMENTS: Fields = {
    "vault_id": Field(
        description="The vault that holds it, of this stack or of another one.",
        judge=allowed_values.vault_id,
        is_required=True,
        if_missing="is required: the id of the vault that holds the credential",
    ),
    "type": Field(
        description=f"{TYPE_NAMES}; all but `{DEFAULT_TYPE}` need API revision `2026-07`.",
        choices=tuple(TYPES),
        default=DEFAULT_TYPE,
    ),
    "metadata": Field(
        kind="map",
        description="Stored by API revision `2026-07` only; elsewhere it is refused.",
        most=16,
        is_mutable=True,
    ),
}
# Inputs that `complete` adds, and that come back after an import.
COMPUTED = ("status", "rotations")


def check(inputs: Inputs, recorded: Inputs, api_token: ApiToken = NO_API_TOKEN) -> list[Problem]:
    """Find what is wrong with the inputs of a credential.

    Args:
        inputs: what the program gave; missing keys and None are the same.
        recorded: the inputs of the last deployment. What they hold already is no more than a warning, and a secret that
            they do not hold, since Qoder never returns one, need not be given; Qoder's is left alone.
        api_token: the API token of this run.
    """
    return list(_check(inputs, recorded, api_token))


def _check(inputs: Inputs, recorded: Inputs, api_token: ApiToken) -> Iterator[Problem]:
    seen = read_part(inputs)
    known = Known(api_token, {*secrets_in(seen), *api_token.known})
    type_ = inputs.get("type") or DEFAULT_TYPE
    if not isinstance(type_, str) or type_ not in TYPES:  # unknown, or wrong: nobody can say which fields there are
        given = {name: value for name, value in inputs.items() if name in ARGUMENTS}
        yield from check_fields(
            "", given, ARGUMENTS, recorded=recorded, held=recorded, known=known, blank_is_missing=True
        )
        return
    fields = {**ARGUMENTS, **TYPES[type_].fields}
    same = recorded if _is_same(inputs, recorded) else {}
    yield from check_fields(
        "", inputs, fields, recorded=same, held=recorded, known=known, further=COMPUTED, blank_is_missing=True
    )
    shown = {name: value for name, value in seen.items() if name in fields}
    yield from check_exposure(_exposed(shown, api_token), _exposed(recorded, api_token), api_token)


def _exposed(inputs: Inputs, api_token: ApiToken) -> Iterator[Exposed]:
    texts = ((path[0], text) for path, text in texts_by_path(inputs))
    return exposed(texts, secrets_by_path(inputs), api_token)


def _is_same(inputs: Inputs, recorded: Inputs) -> bool:
    """Return True if this is the recorded credential; one in a vault that is not known yet may be."""
    names = ("vault_id", *{item.key_field for item in TYPES.values()})
    return bool(recorded) and all(
        isinstance(inputs.get(name), Unknown) or inputs.get(name) == recorded.get(name) for name in names
    )


def complete(inputs: Inputs, recorded: Inputs) -> dict[str, Any]:
    """Fill in defaults, and the two inputs in which drift and rotation show: ``status`` and ``rotations``.

    Args:
        inputs: inputs without a problem.
        recorded: the inputs of the last deployment; empty for a new credential.
    """
    given = {name: value if name == "metadata" else only_given(value) for name, value in inputs.items()}
    result = with_defaults({name: value for name, value in given.items() if is_given(value)}, ARGUMENTS)
    fields = fields_of(result["type"])  # all of them where it is unknown
    if result["type"] in TYPES:
        result = with_defaults(result, fields)
    key = next((result[item.key_field] for item in TYPES.values() if item.key_field in result), UNKNOWN)
    result = completed(fields, key, result)
    has_changed = bool(recorded) and is_rotation(fields, key, recorded, result)
    return result | {"status": ACTIVE, "rotations": int(recorded.get("rotations") or 0) + has_changed}
