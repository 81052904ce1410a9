"""The schema of the plugin `qoder`: its resources, functions and configuration, every property documented.

Data only. What a resource takes is derived from the tables of the core. Pulumi generates the SDKs of all languages
from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import metadata
from typing import Any

from ..lifecycle.allowed_values import MAX_METADATA_KEY, MAX_METADATA_VALUE
from ..lifecycle.credential import check as credential
from ..lifecycle.credential_types import ALL_FIELDS, DEFAULT_TYPE, TYPE_NAMES
from ..lifecycle.credential_types import TYPES as CREDENTIAL_TYPES
from ..lifecycle.fields import Field, Fields
from ..lifecycle.vault import check as vault
from ..settings import SETTINGS, Setting
from .functions import ARGUMENTS, GET_CREDENTIALS, GET_VAULT, LIST_VAULTS, VALIDATE_CREDENTIAL

VAULT = "qoder:index:Vault"
CREDENTIAL = "qoder:index:Credential"
DYNAMIC_VAULT = "pulumi-python:dynamic/qoder:Vault"
DYNAMIC_CREDENTIAL = "pulumi-python:dynamic/qoder:Credential"

Property = dict[str, Any]
Properties = dict[str, Property]

_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}


def _text(description: str, **fields: Any) -> Property:
    return {"type": "string", "description": description, **fields}


def _list_of(name: str, description: str) -> Property:
    return {"type": "array", "items": {"$ref": f"#/types/qoder:index:{name}"}, "description": description}


def _object(description: str, properties: Properties, required: Iterable[str] = ()) -> Property:
    shape: Property = {"type": "object", "description": description, "properties": properties}
    return shape | ({"required": sorted(required)} if required else {})


# From the tables of the core


def _name(name: str) -> str:
    """Return the schema's name of a property of the core."""
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)


def _property(row: Field, description: str) -> Property:
    shapes: Mapping[str, Property] = {
        "boolean": {"type": "boolean"},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "map": _STRINGS,
        "arguments": {"type": "array", "items": {"type": "string"}},
        "object": {"$ref": f"#/types/qoder:index:{row.object_name}"},
        "reference": {"$ref": f"#/types/qoder:index:{row.object_name}"},
        "credentials": {"type": "array", "items": {"$ref": "#/types/qoder:index:VaultCredential"}},
    }
    shape = shapes.get(row.kind, {"type": "string"}) | {"description": description}
    if row.default is not None:
        shape["default"] = row.default
    return shape | ({"secret": True} if row.is_secret else {})


def _properties(fields: Fields, replaced: str) -> Properties:
    """Return properties that say what a change of them replaces."""
    return {
        _name(name): _property(row, f"{row.description}{_limits(row)}{_change(row, replaced)}")
        for name, row in fields.items()
        if row.kind != "verifier"
    }


def _limits(row: Field) -> str:
    if row.kind != "map":
        return ""
    return f" At most {row.most} pairs; keys to {MAX_METADATA_KEY} characters, values to {MAX_METADATA_VALUE}."


def _change(row: Field, replaced: str) -> str:
    if row.is_mutable:
        return ""
    if row.has_mutable_part:
        return f" Adding it later, or taking it away, replaces the {replaced}."
    return f" A change replaces the {replaced}."


def _plain(fields: Fields) -> Properties:
    """Return properties that say nothing of a change: what they stand in says it."""
    return {_name(name): _property(row, row.description) for name, row in fields.items() if row.kind != "verifier"}


def _required(fields: Fields) -> list[str]:
    """Return what is required. A secret may be missing after an import: Qoder never returns one."""
    return [_name(name) for name, row in fields.items() if row.is_required and not row.is_secret]


def _may_be_absent(fields: Fields) -> set[str]:
    """Return the outputs that a program need not give, and that have no default; a map and a list are empty then."""
    return {
        _name(name)
        for name, row in fields.items()
        if not row.is_required and row.default is None and row.kind not in ("map", "credentials")
    }


def _objects(fields: Fields) -> Iterator[tuple[str, Property]]:
    """Yield the types of the objects in these fields, at any depth."""
    for row in fields.values():
        if row.fields:
            by_parts = row.has_mutable_part and not row.is_mutable
            properties = _properties(row.fields, "credential") if by_parts else _plain(row.fields)
            yield row.object_name, _object(row.description, properties, _required(row.fields))
            yield from _objects(row.fields)


def _of_its_types(name: str, row: Field) -> Field:
    """Return the row of a field as the schema of all types together has it.

    It says which types have it. Its default is words: a generated SDK would give it to a credential of another type.
    """
    having = [f"`{type_}`" for type_, item in CREDENTIAL_TYPES.items() if name in item.fields]
    only = f"{'Required for' if row.is_required else 'For'} {' and '.join(having)}, and refused for others"
    default = f"; `{row.default}` if absent" if row.default else ""
    return replace(row, description=f"{row.description} {only}{default}.", default=None)


def _without_defaults(properties: Properties) -> Properties:
    return {name: {key: value for key, value in item.items() if key != "default"} for name, item in properties.items()}


def _configuration(setting: Setting) -> Property:
    names = ", then ".join(f"`{name}`" for name in setting.environment)
    shape = _text(
        f"{setting.description} From the environment: {names}.",
        defaultInfo={"environment": list(setting.environment)},
        **({"secret": True} if setting.is_secret else {}),
    )
    return shape | {"type": setting.kind}


# The rest

_CREATED = _text("When it was created: RFC 3339, UTC.")
_UPDATED = _text("When it changed last, as Qoder says: RFC 3339, UTC.")
_REVISION = _text("The revision of the API in its last response: `2026-05` or `2026-07`.")
_PLACE: Properties = {
    "baseUrl": _text("The base URL at which it was created."),
    "workspaceId": _text("The workspace that was configured; absent for the API token's own."),
}
_STATUS = _text("`active` or `archived`.")

_VAULT_INPUTS = _properties(vault.ARGUMENTS, "vault")

_VAULT_OUTPUTS: Properties = {
    **_without_defaults(_VAULT_INPUTS),
    "credentialIds": {**_STRINGS, "description": "Credential ids by `mcpServerUrl`; never secret."},
    "rotations": {
        **_COUNTS,
        "description": "By `mcpServerUrl`, how often the access token has changed in this vault; never secret.",
    },
    "rotatedAt": {
        **_STRINGS,
        "description": "By `mcpServerUrl`, when Qoder last took the access token: RFC 3339, UTC. What an import, or an "
        "older version, found is not in it. Never secret.",
    },
    "otherCredentials": {
        **_STRINGS,
        "description": "The active credentials in the vault that this resource did not create, as last observed: the "
        "URL, or the name of the variable, by credential id. Absent before a refresh or an update of credentials. "
        "Never secret.",
    },
    "status": _STATUS,
    **_PLACE,
    "createdAt": _CREATED,
    "updatedAt": _UPDATED,
    "apiRevision": _REVISION,
}

_CREDENTIAL_INPUTS = _properties(
    {**credential.ARGUMENTS, **{name: _of_its_types(name, row) for name, row in ALL_FIELDS.items()}}, "credential"
)

_CREDENTIAL_OUTPUTS: Properties = {
    **_without_defaults(_CREDENTIAL_INPUTS),
    "credentialId": _text(
        "`vcred_…`. On API revision `2026-05` a rotation makes another credential, and this follows; the `id` of the "
        "resource, which is `vault_…/vcred_…`, follows at the next refresh."
    ),
    "rotations": {"type": "integer", "description": "How often its secrets have changed; never secret."},
    "rotatedAt": _text("When Qoder last took its secrets: RFC 3339, UTC. Absent after an import."),
    "status": _STATUS,
    **_PLACE,
    "apiRevision": _REVISION,
}

_SUMMARY: Properties = {
    "id": _text("`vault_…`."),
    "displayName": _text("Its name."),
    "metadata": {**_STRINGS, "description": "What was stored with it; empty on API revision `2026-05`."},
    "status": _STATUS,
    "createdAt": _CREATED,
    "updatedAt": _UPDATED,
}

TYPES: Mapping[str, Any] = {
    "VaultCredential": _object(
        "One credential of a vault.",
        {
            **_plain(vault.CREDENTIAL_FIELDS),
            "type": _text(f"`{DEFAULT_TYPE}`, the only one that a vault declares.", default=DEFAULT_TYPE),
        },
        _required(vault.CREDENTIAL_FIELDS),
    ),
    **dict(_objects(ALL_FIELDS)),
    "VaultSummary": _object("A vault in a list.", _SUMMARY, _SUMMARY),
    "CredentialSummary": _object(
        "An active credential of a vault. Qoder shows no secret of it.",
        {
            "id": _text("`vcred_…`."),
            "type": _text(f"{TYPE_NAMES}."),
            "mcpServerUrl": _text("The URL of its MCP server; absent for an `environment_variable`."),
            "protocol": _text("`streamable_http` or `sse`; absent on API revision `2026-07`."),
            "secretName": _text("The name of an `environment_variable`."),
            "createdAt": _CREATED,
        },
        ["id", "type", "createdAt"],
    ),
}

RESOURCES: Mapping[str, Any] = {
    VAULT: {
        "description": "A Qoder vault and its credentials. A changed access token, and a credential added or removed, "
        "leave the vault's id as it is.",
        "inputProperties": _VAULT_INPUTS,
        "requiredInputs": _required(vault.ARGUMENTS),
        "properties": _VAULT_OUTPUTS,
        "required": sorted(
            set(_VAULT_OUTPUTS) - _may_be_absent(vault.ARGUMENTS) - {"otherCredentials", "rotatedAt", "workspaceId"}
        ),
        "aliases": [{"type": DYNAMIC_VAULT}],
    },
    CREDENTIAL: {
        "description": "One credential in a vault that another stack may own: the vault resource leaves it alone.",
        "inputProperties": _CREDENTIAL_INPUTS,
        "requiredInputs": _required(credential.ARGUMENTS),
        "properties": _CREDENTIAL_OUTPUTS,
        "required": ["apiRevision", "baseUrl", "credentialId", "rotations", "status", "type", "vaultId"],
        "aliases": [{"type": DYNAMIC_CREDENTIAL}],
    },
}


def _function(
    token: str, description: str, result: str, outputs: Properties, may_be_absent: Collection[str] = ()
) -> Property:
    """Return a function; it asks Qoder in a preview, too.

    Args:
        token: of the function.
        description: what it does.
        result: what its outputs are together.
        outputs: each of them.
        may_be_absent: those that are not always there.
    """
    arguments = ARGUMENTS[token]
    inputs: Property = {"type": "object", "properties": _plain(arguments)}
    required = _required(arguments)
    return {
        "description": f"{description} Needs the API token in a preview, too.",
        "inputs": inputs | ({"required": required} if required else {}),
        "outputs": _object(result, outputs, set(outputs) - set(may_be_absent)),
    }


FUNCTIONS: Mapping[str, Any] = {
    GET_VAULT: _function(
        GET_VAULT,
        "Read a vault that exists, archived or not.",
        "A vault.",
        {
            **_SUMMARY,
            "credentials": _list_of("CredentialSummary", "Its active credentials, of all types."),
            "credentialIds": {
                **_STRINGS,
                "description": "Credential ids by URL, of those that have one; of two with one URL, the newest.",
            },
            "apiRevision": _REVISION,
        },
    ),
    LIST_VAULTS: _function(
        LIST_VAULTS, "List vaults.", "Vaults.", {"vaults": _list_of("VaultSummary", "The oldest first.")}
    ),
    GET_CREDENTIALS: _function(
        GET_CREDENTIALS,
        "List the active credentials of a vault.",
        "Credentials.",
        {"credentials": _list_of("CredentialSummary", "The oldest first.")},
    ),
    VALIDATE_CREDENTIAL: _function(
        VALIDATE_CREDENTIAL,
        "Let Qoder try an `mcp_oauth` credential at its MCP server, which may refresh its access token. For API "
        "revision `2026-07`.",
        "What Qoder found. What another server answered is not shown.",
        {
            "status": _text("`valid`, `invalid` or `unknown`."),
            "refreshStatus": _text("What became of a refresh, in Qoder's word, such as `no_refresh_token`."),
            "httpStatus": {
                "type": "integer",
                "description": "The HTTP status with which the token endpoint answered, or else the MCP server.",
            },
        },
        may_be_absent=("refreshStatus", "httpStatus"),
    ),
}

CONFIGURATION: Properties = {setting.key: _configuration(setting) for setting in SETTINGS}


def _archives(project_urls: Iterable[str]) -> str | None:
    """Return where the engine finds a release's archives: at the GitHub repository that the package names, if it does.

    With it a generated SDK lets the engine install a missing plugin by itself. It asks for the asset
    `pulumi-resource-qoder-v<version>-<os>-<arch>.tar.gz` of the release `v<version>` (pulumi/sdk,
    go/common/workspace/plugins.go, v3.274.1).
    """
    for entry in project_urls:
        found = re.fullmatch(r"Repository, https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", entry)
        if found:
            return f"github://api.github.com/{found[1]}"
    return None


def schema() -> dict[str, Any]:
    """Return the whole schema, ready to be written as JSON."""
    about = metadata("pulumi-qoder-vault")
    archives = _archives(about.get_all("Project-URL") or ())
    # Without the defaults from the environment, which the plugin reads itself: the SDK of an explicit provider would
    # write them, the API token too, into the state.
    arguments = {
        name: {key: value for key, value in item.items() if key != "defaultInfo"}
        for name, item in CONFIGURATION.items()
    }
    return {
        "name": "qoder",
        "displayName": "Qoder",
        "version": about["Version"],
        "description": "Qoder vaults and credentials: what agents take to MCP servers, declared and rotated as code.",
        "keywords": ["pulumi", "qoder", "mcp", "vault", "category/infrastructure", "kind/native"],
        "license": "Apache-2.0",
        **({"pluginDownloadURL": archives} if archives else {}),
        "config": {"variables": CONFIGURATION},
        "provider": {
            "description": "How the plugin reaches Qoder.",
            "inputProperties": arguments,
            "properties": {name: item for name, item in arguments.items() if item["type"] == "string"},
        },
        "types": {f"qoder:index:{name}": item for name, item in TYPES.items()},
        "resources": RESOURCES,
        "functions": FUNCTIONS,
        "language": {
            "csharp": {"respectSchemaVersion": True},
            "go": {"respectSchemaVersion": True, "generateResourceContainerTypes": True},
            "nodejs": {"respectSchemaVersion": True, "packageName": "pulumi-qoder"},
            "python": {
                "respectSchemaVersion": True,
                "pyproject": {"enabled": True},
                # What the code of the newest generator needs. Without it, older generators would write a floor below
                # that in pyproject.toml, which keeps access tokens out of the log.
                "requires": {"pulumi": ">=3.269,<4"},
            },
        },
    }
