"""A credential of its own, in a vault that another stack may own: inputs -> problems, complete inputs, differences.

Pure: no HTTP, no Pulumi objects. What each type is made of, and what of it may change in place, is one table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..secret import Secret, secrets_in
from . import allowed_values
from .check import (
    CREDENTIAL_METADATA_PAIRS,
    NO_ACCESS_TOKEN,
    NO_API_TOKEN,
    ApiToken,
    Problem,
    check_access_token,
    check_choice,
    check_keys,
    check_metadata,
    check_secret,
    check_text,
    check_url,
    kind,
    softened,
)
from .diff import Difference, Kind, Path
from .model import (
    ACTIVE,
    DEFAULT_PROTOCOL,
    ENVIRONMENT_VARIABLE,
    MCP_OAUTH,
    PROTOCOLS,
    STATIC_BEARER,
    Credential,
    Inputs,
    RecordedVault,
    Unknown,
)

Check = Callable[[str, Any], Iterator[Problem]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_NO_SECRET = Secret("")
_VAULT_ID = re.compile(r"vault_[0-9A-Za-z]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """One input.

    Attributes:
        check: judges a value that is known.
        may_change: True if it changes in place; anything else makes another credential.
        is_secret: True if Qoder never returns it: after an import it may be missing.
        fields: those of a nested object; each has rules of its own.
        if_missing: what is said where it is required.
    """

    check: Check | None = None
    is_required: bool = False
    may_change: bool = False
    is_secret: bool = False
    fields: Mapping[str, Field] | None = None
    if_missing: str = "is required"


def _text(path: str, value: Any) -> Iterator[Problem]:
    yield from check_text(path, value, allowed_values.one_line_text)


def _name(path: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        yield Problem(path, "must be the name of an environment variable: letters, digits and underscores")


def _time(path: str, value: Any) -> Iterator[Problem]:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        moment = datetime.fromisoformat(found[0] if found else "")
    except ValueError:
        yield Problem(path, "must be an RFC 3339 time such as 2026-12-31T23:59:59Z")
        return
    if moment <= datetime.now(UTC):
        yield Problem(path, "is in the past: the access token has expired", is_warning=True)


def _flag(path: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(path, f"must be true or false, not {kind(value)}")


def _hosts(path: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str | Unknown) and item for item in value):
        yield Problem(path, "must be a list of host names")


def _one_of(*choices: str) -> Check:
    return lambda path, value: check_choice(path, value, choices)


_URL = Field(check_url, is_required=True)


def _secret(judge: Callable[[str], str | None]) -> Check:
    return lambda path, value: check_secret(path, value, judge)


_SECRET = Field(_secret(allowed_values.oauth_secret), is_required=True, may_change=True, is_secret=True)
_ACCESS_TOKEN = replace(_SECRET, check=None)  # judged beside its URL

# Qoder, Vault Credentials (read 2026-08): what each type takes, and what an update may change. UNVERIFIED: networking
# and injection_location are in the official client's update, and on no page: they make another credential.
AUTH: Mapping[str, Mapping[str, Field]] = {
    STATIC_BEARER: {
        "mcp_server_url": _URL,
        "access_token": replace(_ACCESS_TOKEN, if_missing=NO_ACCESS_TOKEN),
        "protocol": Field(_one_of(*PROTOCOLS), may_change=True),
    },
    MCP_OAUTH: {
        "mcp_server_url": _URL,
        "access_token": _ACCESS_TOKEN,
        "expires_at": Field(_time, may_change=True),
        "refresh": Field(
            fields={
                "client_id": Field(_text, is_required=True),
                "refresh_token": _SECRET,
                "token_endpoint": _URL,
                "token_endpoint_auth": Field(
                    fields={
                        "type": Field(
                            _one_of("none", "client_secret_basic", "client_secret_post"),
                            is_required=True,
                            may_change=True,
                        ),
                        "client_secret": replace(_SECRET, is_required=False),
                    },
                    is_required=True,
                    may_change=True,
                ),
                "resource": Field(_text),
                "scope": Field(_text, may_change=True),
            }
        ),
    },
    ENVIRONMENT_VARIABLE: {
        "secret_name": Field(_name, is_required=True),
        "secret_value": replace(_SECRET, check=_secret(allowed_values.variable)),
        "networking": Field(
            fields={
                "type": Field(_one_of("unrestricted", "limited"), is_required=True),
                "allowed_hosts": Field(_hosts),
            }
        ),
        "injection_location": Field(fields={"header": Field(_flag), "body": Field(_flag)}),
    },
}

# What `auth` holds beside the type, the URL and the access token.
REST = ("expires_at", "refresh", "secret_name", "networking", "injection_location")
OWN_KEYS = ("vault_id", "type", "metadata", "status", "rotations")


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
    vault_id, type_ = inputs.get("vault_id"), inputs.get("type") or STATIC_BEARER
    if vault_id is None or vault_id == "":
        yield Problem("vault_id", "is required: the id of the vault that holds the credential")
    else:
        yield from check_text("vault_id", vault_id, _judge_vault_id)
    yield from check_metadata(
        inputs.get("metadata"),
        recorded.get("metadata"),
        at_most=CREDENTIAL_METADATA_PAIRS,
        secrets={*secrets_in(inputs), *api_token.known},
    )
    if isinstance(type_, Unknown):
        return
    if not isinstance(type_, str) or type_ not in AUTH:
        yield from check_choice("type", type_, tuple(AUTH))
        return
    known = (*OWN_KEYS[:3], *AUTH[type_], *OWN_KEYS[3:])
    before = recorded if _is_same(inputs, recorded) else {}
    secrets = {*secrets_in(inputs), *api_token.known}
    yield from _check_fields("", inputs, AUTH[type_], before, recorded, known, secrets)
    token, url = inputs.get("access_token"), inputs.get("mcp_server_url")
    if _is_given(token) and "access_token" in AUTH[type_]:
        problems = check_access_token("access_token", token, url, api_token)
        yield from softened(problems, token, recorded.get("access_token"))
    yield from _check_together(inputs, before)
    exposed = _exposed({name: value for name, value in inputs.items() if name in known}, api_token)
    if exposed is not None:
        is_held = exposed == _exposed(recorded, api_token)
        yield Problem(exposed[0], "a secret stands in plain text here; it belongs in its own field only", is_held)


def _judge_vault_id(value: str) -> str | None:
    is_id = _VAULT_ID.fullmatch(value)
    return allowed_values.text(value) or (
        None if is_id else "must be a vault's id, like vault_019e3bb940277f0db05ab74291acf6ef"
    )


def _check_fields(
    path: str,
    given: Inputs,
    fields: Mapping[str, Field],
    recorded: Inputs,
    held: Inputs,
    known: tuple[str, ...],
    secrets: Collection[Secret],
) -> Iterator[Problem]:
    """Judge each field; `recorded` is empty where that was another credential, of which `held` still has the values."""
    meant, problems = check_keys(path, given, known, secrets)
    yield from problems
    for name, field in fields.items():
        at, value = f"{path}.{name}" if path else name, given.get(name)
        if isinstance(value, Unknown):
            continue
        if value == _NO_SECRET and field.is_required:
            yield Problem(at, allowed_values.EMPTY)
        elif not _is_given(value):
            may_lack = field.is_secret and bool(recorded) and recorded.get(name) is None
            if field.is_required and not may_lack and name not in meant:
                yield Problem(at, field.if_missing)
        elif field.fields is not None:
            if isinstance(value, Mapping):
                before, same = (_map(item.get(name)) for item in (recorded, held))
                yield from _check_fields(at, value, field.fields, before, same, tuple(field.fields), secrets)
            else:
                yield Problem(at, f"must be a map with {', '.join(field.fields)}, not {kind(value)}")
        elif field.check is not None:
            yield from softened(_judged(at, value, field.check), value, held.get(name))


def _map(value: Any) -> Inputs:
    return value if isinstance(value, Mapping) else {}


def _judged(path: str, value: Any, check: Check) -> Iterator[Problem]:
    """Judge a value by the rule of its field, after the one for every text."""
    texts = [item for item in (value if isinstance(value, list | tuple) else [value]) if isinstance(item, str)]
    common = next((problem for text in texts for problem in check_text(path, text, allowed_values.text)), None)
    yield from check(path, value) if common is None else [common]


def _check_together(inputs: Inputs, imported: Inputs) -> Iterator[Problem]:
    """Find what is missing, or too much, beside something else."""
    networking = inputs.get("networking")
    if isinstance(networking, Mapping):
        is_limited, hosts = networking.get("type") == "limited", networking.get("allowed_hosts")
        if is_limited and hosts is None:
            yield Problem("networking.allowed_hosts", "is required for limited")
        if networking.get("type") == "unrestricted" and hosts is not None:
            yield Problem("networking.allowed_hosts", "is for limited only")
    proof, at = _proof(inputs), "refresh.token_endpoint_auth.client_secret"
    match proof.get("type"), _is_given(proof.get("client_secret")):
        case "none", True:
            yield Problem(at, "is not for type none")
        case ("client_secret_basic" | "client_secret_post") as type_, False:
            before = _proof(imported)
            if before.get("type") != type_ or before.get("client_secret") is not None:
                is_empty = proof.get("client_secret") == _NO_SECRET
                yield Problem(at, allowed_values.EMPTY if is_empty else f"is required for {type_}")


def _proof(inputs: Inputs) -> Inputs:
    """Give how the client proves itself; nothing, where it does not."""
    refresh = inputs.get("refresh")
    proof = refresh.get("token_endpoint_auth") if isinstance(refresh, Mapping) else None
    return proof if isinstance(proof, Mapping) else {}


def _exposed(inputs: Inputs, api_token: ApiToken = NO_API_TOKEN) -> tuple[str, str, str] | None:
    """Find a secret in a field that is stored and shown in plain text: the field, its text, and the secret."""
    found = [*_secrets((), inputs), *(((), secret) for secret in api_token.known)]
    secrets = [(path, secret.reveal()) for path, secret in found if len(secret.reveal()) >= 8]
    for path, text in _texts((), inputs):
        for at, secret in secrets:
            # The value of a variable may be an ordinary word, and a part of others.
            if secret == text if at == ("secret_value",) else secret in text:
                return path[0], text, secret
    return None


def exposes_secret(credential: Credential) -> bool:
    """Tell if a secret stands in what is stored and shown in plain text, as a server that echoes it would have it."""
    token = "secret_value" if credential.type == ENVIRONMENT_VARIABLE else "access_token"
    inputs = {**credential.fields, token: credential.access_token, "metadata": credential.metadata}
    return _exposed(inputs) is not None


def complete(inputs: Inputs, recorded: Inputs) -> dict[str, Any]:
    """Fill in defaults, and the two inputs in which drift and rotation show: ``status`` and ``rotations``.

    Args:
        inputs: inputs without a problem.
        recorded: the inputs of the last deployment; empty for a new credential.
    """
    given = {name: value if name == "metadata" else _given(value) for name, value in inputs.items() if _is_given(value)}
    completed = {"type": STATIC_BEARER, **given, "status": ACTIVE}
    if completed["type"] == STATIC_BEARER:
        completed.setdefault("protocol", DEFAULT_PROTOCOL)
    before = dict(_secrets((), recorded))
    count = int(recorded.get("rotations") or 0)
    has_changed = bool(recorded) and any(before.get(path) != secret for path, secret in _secrets((), given))
    return completed | {"rotations": count + has_changed}


def to_credential(inputs: Inputs) -> Credential:
    """Read complete inputs, or outputs, all of them known."""
    return Credential(
        inputs.get("mcp_server_url") or "",
        inputs.get("access_token") or inputs.get("secret_value"),
        inputs.get("protocol"),
        inputs.get("type") or STATIC_BEARER,
        {name: _given(inputs[name]) for name in REST if _is_given(inputs.get(name))},
        inputs.get("metadata"),
    )


def diff(recorded: RecordedVault, outputs: Inputs, desired: Inputs) -> Difference:
    """Compare what the state holds with complete inputs (see `complete`), field by field.

    Args:
        recorded: the credential as `credentials` keeps it; says if there is work that stopped in the middle.
        outputs: the same, as the state has it.
        desired: what the program asks for; may hold `UNKNOWN`.
    """
    details: dict[Path, Kind] = {}
    replaces: list[str] = []
    for name in ("vault_id", "type"):
        if desired.get(name) != outputs.get(name):
            details[name,] = Kind.UPDATE
            replaces.append(name)
    fields = AUTH.get(str(outputs.get("type")), {})
    if not replaces:
        for path, kind_, may_change in _compared((), fields, outputs, desired):
            details[path] = kind_
            if not may_change:
                replaces.append(str(path[0]))
    if recorded.status != (desired.get("status") or ACTIVE):
        details["status",] = Kind.UPDATE
        replaces.append("status")
    details |= _compared_metadata(outputs.get("metadata") or {}, desired.get("metadata"))
    is_change = bool(details) or recorded.unfinished is not None
    if is_change and desired.get("rotations") != outputs.get("rotations"):
        details["rotations",] = Kind.UPDATE
    # Where it keeps its URL, or name, the vault has no room for both.
    keeps_key = all(outputs.get(name) == desired.get(name) for name in ("vault_id", "mcp_server_url", "secret_name"))
    return Difference(
        is_change,
        tuple(dict.fromkeys(replaces)),
        is_hidden=not replaces and recorded.unfinished is not None,
        # Also where the change itself replaces nothing: `replaceOnChanges` may turn it into a replacement.
        deletes_first=is_change and keeps_key and recorded.status == ACTIVE,
        details=details,
    )


def _compared(
    path: Path, fields: Mapping[str, Field], before: Inputs, after: Inputs
) -> Iterator[tuple[Path, Kind, bool]]:
    """Give each field that differs, what happens to it, and whether that can be done in place."""
    for name, field in fields.items():
        at, old, new = (*path, name), before.get(name), after.get(name)
        if _is_same_value(old, new) or (new is None and field.is_secret):  # a secret that is not given is left alone
            continue
        if field.fields is not None and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _compared(at, field.fields, old, new)
        elif field.fields is not None and old is not None and isinstance(new, Unknown):
            # It need not be what cannot change; a preview that says `replace` would frighten for nothing.
            yield at, Kind.UPDATE, any(part.may_change for part in field.fields.values())
        else:
            yield at, Kind.ADD if old is None else Kind.DELETE if new is None else Kind.UPDATE, field.may_change


def _is_same_value(one: Any, other: Any) -> bool:
    """Compare values; hosts in another order are the same hosts."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(item in other for item in one)
    return bool(one == other)


def _compared_metadata(before: Inputs, after: Any) -> dict[Path, Kind]:
    if isinstance(after, Unknown):
        return {("metadata",): Kind.UPDATE}
    after = after or {}
    found: dict[Path, Kind] = {
        ("metadata", key): Kind.ADD if key not in before else Kind.UPDATE
        for key, value in after.items()
        if before.get(key) != value
    }
    return found | {("metadata", key): Kind.DELETE for key in before if key not in after}


def as_seen(recorded: Inputs, seen: Inputs) -> dict[str, Any]:
    """Give recorded fields with the values that Qoder shows: what nobody asked for, and what it hides, is no drift."""
    return {name: _as_seen(name, value, seen.get(name)) for name, value in recorded.items()}


def _as_seen(name: str, value: Any, seen: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(seen, Mapping):
        return as_seen(value, seen)
    is_hidden = isinstance(value, Secret) or seen is None
    return value if is_hidden or name == "expires_at" or _is_same_value(value, seen) else seen  # Qoder renews the time


def _is_same(inputs: Inputs, recorded: Inputs) -> bool:
    """Tell if this is the recorded credential; one in a vault that is not known yet may be."""
    return bool(recorded) and all(
        isinstance(inputs.get(name), Unknown) or inputs.get(name) == recorded.get(name)
        for name in ("vault_id", "mcp_server_url", "secret_name")
    )


def _secrets(path: tuple[str, ...], inputs: Inputs) -> Iterator[tuple[tuple[str, ...], Secret]]:
    for name, value in inputs.items():
        if isinstance(value, Secret):
            yield (*path, name), value
        elif isinstance(value, Mapping):
            yield from _secrets((*path, name), value)


def _texts(path: tuple[str, ...], inputs: Inputs) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            yield from _texts((*path, name), value)
            yield from (((name,), key) for key in value if name == "metadata")
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, str):
                yield (*path, name), item


def _is_given(value: Any) -> bool:
    return value is not None and value != "" and value != _NO_SECRET


def _given(value: Any) -> Any:
    """Leave out what is not given, at any depth: to Qoder a null is a value, and an empty text no value at all."""
    if isinstance(value, Mapping):
        return {name: _given(item) for name, item in value.items() if _is_given(item)}
    return value
