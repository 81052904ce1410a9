"""The schema of the plugin `qoder`: its resources, functions and configuration, every property documented.

Data only. Pulumi generates the SDKs of all languages from it; a test holds it against what check and the model know.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from ..lifecycle.allowed_values import MAX_DISPLAY_NAME, MAX_METADATA_KEY, MAX_METADATA_VALUE
from ..lifecycle.check import CREDENTIAL_METADATA_PAIRS, MAX_METADATA_PAIRS
from ..settings import DEFAULT_BASE_URL

VAULT = "qoder:index:Vault"
CREDENTIAL = "qoder:index:Credential"
GET_VAULT = "qoder:index:getVault"
LIST_VAULTS = "qoder:index:listVaults"
GET_CREDENTIALS = "qoder:index:getCredentials"
DYNAMIC_VAULT = "pulumi-python:dynamic/qoder:Vault"
DYNAMIC_CREDENTIAL = "pulumi-python:dynamic/qoder:Credential"

Property = dict[str, Any]
Properties = dict[str, Property]

_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}


def _text(description: str, **fields: Any) -> Property:
    return {"type": "string", "description": description, **fields}


def _of(name: str, description: str) -> Property:
    return {"$ref": f"#/types/qoder:index:{name}", "description": description}


def _list_of(name: str, description: str) -> Property:
    return {"type": "array", "items": {"$ref": f"#/types/qoder:index:{name}"}, "description": description}


_URL = _text(
    "The URL of the MCP server, as your agents name it, character for character. Not secret: it is a key of plain "
    "outputs. One vault holds one credential for each URL."
)
_PROTOCOL = _text(
    "`streamable_http` or `sse`. On API revision `2026-07` it is recorded and not sent, as the API has no such field.",
    default="streamable_http",
)


def _metadata(at_most: int, elsewhere: str) -> Property:
    return {
        **_STRINGS,
        "description": f"At most {at_most} pairs; keys to {MAX_METADATA_KEY} characters, values to "
        f"{MAX_METADATA_VALUE}. Stored by API revision `2026-07` only; {elsewhere}",
    }


_CREATED = _text("When it was made: RFC 3339, UTC.")
_UPDATED = _text("When it changed last, as Qoder says: RFC 3339, UTC.")
_REVISION = _text("The revision of the API that answered: `2026-05` or `2026-07`.")
_PLACE: Properties = {
    "baseUrl": _text("Where it was made."),
    "workspaceId": _text("The workspace that was configured; absent for the API token's own."),
}
_STATUS = _text("`active` or `archived`.")

_VAULT_INPUTS: Properties = {
    "displayName": _text(f"1 to {MAX_DISPLAY_NAME} characters; need not be unique. A change replaces the vault."),
    "credentials": _list_of(
        "VaultCredential",
        "One or more, one for each URL; none at all only with `qoder:apiRevision` set to `2026-07`. A credential that "
        "is not declared here is left alone.",
    ),
    "metadata": _metadata(
        MAX_METADATA_PAIRS, "elsewhere the create fails, and is taken back. A change replaces the vault."
    ),
    "onDelete": _text(
        "`delete`, or `archive`: the vault is archived instead, and there is no way back from that.", default="delete"
    ),
    "forceDestroy": {
        "type": "boolean",
        "description": "Whether the vault is deleted, or archived, also while it holds credentials that this resource "
        "did not make: they go with it. Such a deletion is refused unless this is true.",
    },
}

_VAULT_OUTPUTS: Properties = {
    **{name: {key: value for key, value in item.items() if key != "default"} for name, item in _VAULT_INPUTS.items()},
    "credentialIds": {**_STRINGS, "description": "Credential ids by `mcpServerUrl`; never secret."},
    "rotations": {
        **_COUNTS,
        "description": "By `mcpServerUrl`, how often the access token has changed in this vault; never secret.",
    },
    "otherCredentials": {
        **_STRINGS,
        "description": "The active credentials in the vault that this resource did not make, as of the last time it "
        "looked: the URL, or the name of the variable, by credential id; absent before. Never secret.",
    },
    "status": _STATUS,
    **_PLACE,
    "createdAt": _CREATED,
    "updatedAt": _UPDATED,
    "apiRevision": _REVISION,
}

_CREDENTIAL_INPUTS: Properties = {
    "vaultId": _text("The vault that holds it, of this stack or of another one. A change replaces the credential."),
    "type": _text(
        "`static_bearer`, `mcp_oauth` or `environment_variable`; the last two need API revision `2026-07`. A change "
        "replaces the credential.",
        default="static_bearer",
    ),
    "mcpServerUrl": {
        **_URL,
        "description": f"{_URL['description']} Required unless it is an `environment_variable`. A change replaces the "
        "credential.",
    },
    "accessToken": _text(
        "What that server takes as a bearer token. Required unless it is an `environment_variable`.", secret=True
    ),
    # Without a default: a generated SDK would give it to a credential of another type, too.
    "protocol": _text(f"{_PROTOCOL['description']} For `static_bearer` only; `streamable_http` if absent."),
    "expiresAt": _text("When the access token of an `mcp_oauth` expires: RFC 3339."),
    "refresh": _of(
        "OAuthRefresh",
        "How Qoder gets new access tokens for an `mcp_oauth`. Adding it later, or taking it away, replaces the "
        "credential.",
    ),
    "secretName": _text("The name of an `environment_variable`. A change replaces the credential."),
    "secretValue": _text("The value of an `environment_variable`.", secret=True),
    "networking": _of(
        "Networking",
        "Where an `environment_variable` may be sent to; anywhere if absent. A change replaces the credential.",
    ),
    "injectionLocation": _of(
        "InjectionLocation",
        "Where in a request an `environment_variable` may stand. A change replaces the credential.",
    ),
    "metadata": _metadata(CREDENTIAL_METADATA_PAIRS, "elsewhere it is refused."),
}

_CREDENTIAL_OUTPUTS: Properties = {
    **{
        name: {key: value for key, value in item.items() if key != "default"}
        for name, item in _CREDENTIAL_INPUTS.items()
    },
    "credentialId": _text(
        "`vcred_…`. On API revision `2026-05` a rotation makes another credential, and this follows; the `id` of the "
        "resource, which is `vault_…/vcred_…`, follows at the next refresh."
    ),
    "rotations": {"type": "integer", "description": "How often its secrets have changed; never secret."},
    "status": _STATUS,
    **_PLACE,
    "apiRevision": _REVISION,
}

TYPES: Mapping[str, Any] = {
    "VaultCredential": {
        "type": "object",
        "description": "One credential of a vault.",
        "properties": {
            "mcpServerUrl": _URL,
            "accessToken": _text(
                "What that server takes as a bearer token; secret whatever the program says. Required, but for a "
                "credential that was imported: Qoder never returns it, and one that is not given is left alone.",
                secret=True,
            ),
            "protocol": _PROTOCOL,
            "type": _text("`static_bearer`, the only one that a vault declares.", default="static_bearer"),
        },
        "required": ["mcpServerUrl"],
    },
    "OAuthRefresh": {
        "type": "object",
        "description": "How Qoder gets new access tokens.",
        "properties": {
            "clientId": _text("The OAuth client. A change replaces the credential."),
            "refreshToken": _text("The refresh token.", secret=True),
            "tokenEndpoint": _text("The URL that gives access tokens. A change replaces the credential."),
            "tokenEndpointAuth": _of("TokenEndpointAuth", "How the client proves itself there."),
            "resource": _text("The resource that is asked for. A change replaces the credential."),
            "scope": _text("The scopes that are asked for, separated by blanks."),
        },
        "required": ["clientId", "tokenEndpoint", "tokenEndpointAuth"],
    },
    "TokenEndpointAuth": {
        "type": "object",
        "description": "How an OAuth client proves itself at the token endpoint.",
        "properties": {
            "type": _text("`none`, `client_secret_basic` or `client_secret_post`."),
            "clientSecret": _text("The client's secret, unless the type is `none`.", secret=True),
        },
        "required": ["type"],
    },
    "Networking": {
        "type": "object",
        "description": "Where an environment variable may be sent to.",
        "properties": {
            "type": _text("`unrestricted` or `limited`."),
            "allowedHosts": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The hosts, for `limited`.",
            },
        },
        "required": ["type"],
    },
    "InjectionLocation": {
        "type": "object",
        "description": "Where in a request an environment variable may stand.",
        "properties": {
            "header": {"type": "boolean", "description": "In a header."},
            "body": {"type": "boolean", "description": "In the body."},
        },
    },
    "VaultSummary": {
        "type": "object",
        "description": "A vault in a list.",
        "properties": {
            "id": _text("`vault_…`."),
            "displayName": _text("Its name."),
            "metadata": {**_STRINGS, "description": "What was stored with it; empty on API revision `2026-05`."},
            "status": _STATUS,
            "createdAt": _CREATED,
            "updatedAt": _UPDATED,
        },
        "required": ["createdAt", "displayName", "id", "metadata", "status", "updatedAt"],
    },
    "CredentialSummary": {
        "type": "object",
        "description": "An active credential of a vault. Qoder shows no secret of it.",
        "properties": {
            "id": _text("`vcred_…`."),
            "type": _text("`static_bearer`, `mcp_oauth` or `environment_variable`."),
            "mcpServerUrl": _text("The URL of its MCP server; absent for an `environment_variable`."),
            "protocol": _text("`streamable_http` or `sse`; absent on API revision `2026-07`."),
            "secretName": _text("The name of an `environment_variable`."),
            "createdAt": _CREATED,
        },
        "required": ["createdAt", "id", "type"],
    },
}

RESOURCES: Mapping[str, Any] = {
    VAULT: {
        "description": "A Qoder vault and its credentials. A changed access token, and a credential added or removed, "
        "leave the vault's id as it is.",
        "inputProperties": _VAULT_INPUTS,
        "requiredInputs": ["displayName"],
        "properties": _VAULT_OUTPUTS,
        "required": sorted(set(_VAULT_OUTPUTS) - {"forceDestroy", "otherCredentials", "workspaceId"}),
        "aliases": [{"type": DYNAMIC_VAULT}],
    },
    CREDENTIAL: {
        "description": "One credential in a vault that another stack may own: the vault resource leaves it alone.",
        "inputProperties": _CREDENTIAL_INPUTS,
        "requiredInputs": ["vaultId"],
        "properties": _CREDENTIAL_OUTPUTS,
        "required": ["apiRevision", "baseUrl", "credentialId", "rotations", "status", "type", "vaultId"],
        "aliases": [{"type": DYNAMIC_CREDENTIAL}],
    },
}

FUNCTIONS: Mapping[str, Any] = {
    GET_VAULT: {
        "description": "Read a vault that exists, archived or not. Needs the API token in a preview, too.",
        "inputs": {"type": "object", "properties": {"id": _text("`vault_…`.")}, "required": ["id"]},
        "outputs": {
            "type": "object",
            "description": "A vault.",
            "properties": {
                "id": _text("`vault_…`."),
                "displayName": _text("Its name."),
                "metadata": {**_STRINGS, "description": "What was stored with it; empty on API revision `2026-05`."},
                "status": _STATUS,
                "credentials": _list_of("CredentialSummary", "Its active credentials, of all types."),
                "credentialIds": {
                    **_STRINGS,
                    "description": "Credential ids by URL, of those that have one; of two with one URL, the newest.",
                },
                "createdAt": _CREATED,
                "updatedAt": _UPDATED,
                "apiRevision": _REVISION,
            },
            "required": [
                "apiRevision",
                "createdAt",
                "credentialIds",
                "credentials",
                "displayName",
                "id",
                "metadata",
                "status",
                "updatedAt",
            ],
        },
    },
    LIST_VAULTS: {
        "description": "List vaults. Needs the API token in a preview, too.",
        "inputs": {
            "type": "object",
            "properties": {
                "name": _text("Only vaults whose `displayName` contains this, in upper or lower case."),
                "includeArchived": {"type": "boolean", "description": "Archived vaults, too.", "default": False},
            },
        },
        "outputs": {
            "type": "object",
            "description": "Vaults.",
            "properties": {"vaults": _list_of("VaultSummary", "The oldest first.")},
            "required": ["vaults"],
        },
    },
    GET_CREDENTIALS: {
        "description": "List the active credentials of a vault. Needs the API token in a preview, too.",
        "inputs": {"type": "object", "properties": {"vaultId": _text("`vault_…`.")}, "required": ["vaultId"]},
        "outputs": {
            "type": "object",
            "description": "Credentials.",
            "properties": {"credentials": _list_of("CredentialSummary", "The oldest first.")},
            "required": ["credentials"],
        },
    },
}


def _setting(description: str, *environment: str, **fields: Any) -> Property:
    names = ", then ".join(f"`{name}`" for name in environment)
    return {
        "type": "string",
        "description": f"{description} From the environment: {names}.",
        "defaultInfo": {"environment": list(environment)},
        **fields,
    }


CONFIGURATION: Properties = {
    "apiToken": _setting(
        "The API token, the one for Qoder itself. One from the environment is in no state.",
        "QODER_ACCESS_TOKEN",
        "QODER_PAT",
        secret=True,
    ),
    "baseUrl": _setting(
        f"Where the API is; `{DEFAULT_BASE_URL}` if absent.", "QODER_MANAGED_BASE_URL", "QODER_BASE_URL"
    ),
    "apiRevision": _setting("`auto` (if absent), `2026-05` or `2026-07`.", "QODER_API_REVISION"),
    "workspaceId": _setting("The workspace; the API token's own if absent.", "QODER_WORKSPACE_ID"),
    "maxWritesPerSecond": _setting(
        "20 if absent, as Qoder recommends; 0 lifts the limit.", "QODER_MAX_WRITES_PER_SECOND", type="number"
    ),
    "maxReadsPerSecond": _setting(
        "50 if absent, as Qoder recommends; 0 lifts the limit.", "QODER_MAX_READS_PER_SECOND", type="number"
    ),
    "timeout": _setting(
        "One call with all its attempts and waits: `90`, `90s`, `1m30s`; `2m` if absent.", "QODER_TIMEOUT"
    ),
}


def schema() -> dict[str, Any]:
    """Give the whole schema, ready to be written as JSON."""
    # Without the defaults from the environment, which the plugin reads itself: the SDK of an explicit provider would
    # write them, the API token too, into the state.
    arguments = {
        name: {key: value for key, value in item.items() if key != "defaultInfo"}
        for name, item in CONFIGURATION.items()
    }
    return {
        "name": "qoder",
        "displayName": "Qoder",
        "version": version("pulumi-qoder-vault"),
        "description": "Qoder vaults and credentials: what agents take to MCP servers, declared and rotated as code.",
        "keywords": ["pulumi", "qoder", "mcp", "vault", "category/infrastructure", "kind/native"],
        "license": "Apache-2.0",
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
