"""THE table: what a credential of each type is made of. Everything that depends on a field is derived from its row.

From a row follow: what `check` refuses, what a preview shows as a change and whether it replaces, the body of a create,
the merge patch of an update, what is read from a response, what is secret, the state, the names and the schema of the
plugin. To add a field, add a row; `tests/unit/lifecycle/test_credential_types.py` shows that it arrives everywhere.

Source: Qoder, Create Vault (read 2026-05-18) for the flat form; Vault Credentials (read 2026-08) for what each type
takes, and what an update may change. UNVERIFIED: ``networking`` and ``injection_location`` are in the official client's
update (qca-sdk 0.11.0), and on no page: they make another credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from . import allowed_values
from .fields import Field, Fields, secret_names
from .references import TRIGGER, with_references

TypeName = Literal["static_bearer", "mcp_oauth", "environment_variable"]
Protocol = Literal["sse", "streamable_http"]
TokenEndpointAuthType = Literal["none", "client_secret_basic", "client_secret_post"]
NetworkingType = Literal["unrestricted", "limited"]

DEFAULT_TYPE: Final = "static_bearer"
# The API's own sentence: Qoder, Create Vault, error responses (read 2026-05-18).
NO_ACCESS_TOKEN = "Field 'access_token' is required for static_bearer type."  # noqa: S105 a sentence, not a password


@dataclass(frozen=True, slots=True)
class CredentialType:
    """One type of credential.

    Attributes:
        key_field: the field that tells it apart from the others in its vault, byte for byte.
        secret_field: the field whose change is a rotation.
        fields: what it is made of, beside ``type`` and ``metadata``.
    """

    key_field: str
    secret_field: str
    fields: Fields


_URL = Field(
    kind="url",
    description="The URL of the MCP server, as your agents name it, character for character. Not secret: it is a key "
    "of plain outputs. One vault holds one credential for each URL.",
    judge=allowed_values.mcp_server_url,
    is_required=True,
    if_missing="is required: the URL of the MCP server",
)


def _access_token(*, auth_name: str = "", if_missing: str = "is required") -> Field:
    return Field(
        description="What that server takes as a bearer token; secret whatever the program says.",
        judge=allowed_values.access_token,
        is_required=True,
        if_missing=if_missing,
        is_secret=True,
        is_bearer=True,
        is_mutable=True,
        auth_name=auth_name,
    )


_TOKEN_ENDPOINT_AUTH: Fields = {
    "type": Field(
        description="`none`, `client_secret_basic` or `client_secret_post`.",
        choices=get_args(TokenEndpointAuthType),
        is_required=True,
        is_mutable=True,
    ),
    "client_secret": Field(
        description="The client's secret, unless the type is `none`.",
        judge=allowed_values.oauth_secret,
        only_with=("type", ("client_secret_basic", "client_secret_post")),
        is_secret=True,
        is_mutable=True,
    ),
}

_REFRESH: Fields = {
    "client_id": Field(description="The OAuth client.", is_required=True),
    "refresh_token": Field(
        description="The refresh token.",
        judge=allowed_values.oauth_secret,
        is_required=True,
        is_secret=True,
        is_mutable=True,
    ),
    "token_endpoint": Field(
        kind="url",
        description="The URL that gives access tokens.",
        judge=allowed_values.mcp_server_url,
        is_required=True,
    ),
    "token_endpoint_auth": Field(
        kind="object",
        description="How the OAuth client authenticates at the token endpoint.",
        object_name="TokenEndpointAuth",
        fields=_TOKEN_ENDPOINT_AUTH,
        is_required=True,
        is_mutable=True,
    ),
    "resource": Field(description="The resource that is asked for."),
    "scope": Field(
        description="The scopes that are asked for, separated by blanks.", is_mutable=True, is_clearable=True
    ),
}

_OF_QODER: Mapping[str, CredentialType] = {
    "static_bearer": CredentialType(
        key_field="mcp_server_url",
        secret_field="access_token",  # noqa: S106 the name of a field
        fields={
            "mcp_server_url": _URL,
            "access_token": _access_token(auth_name="token", if_missing=NO_ACCESS_TOKEN),
            "protocol": Field(
                description="`streamable_http` or `sse`. On API revision `2026-07` it is recorded and not sent, since "
                "the API has no such field.",
                choices=get_args(Protocol),
                default="streamable_http",
                is_mutable=True,
                is_in_auth=False,
            ),
        },
    ),
    "mcp_oauth": CredentialType(
        key_field="mcp_server_url",
        secret_field="access_token",  # noqa: S106 the name of a field
        fields={
            "mcp_server_url": _URL,
            "access_token": _access_token(),
            "expires_at": Field(
                description="When the access token expires: RFC 3339.",
                judge=allowed_values.time,
                caution=allowed_values.past,
                is_mutable=True,
                is_clearable=True,
                is_renewed=True,
            ),
            "refresh": Field(
                kind="object",
                description="How Qoder gets new access tokens.",
                object_name="OAuthRefresh",
                fields=_REFRESH,
            ),
        },
    ),
    "environment_variable": CredentialType(
        key_field="secret_name",
        secret_field="secret_value",  # noqa: S106 the name of a field
        fields={
            "secret_name": Field(
                description="The name of the environment variable.",
                judge=allowed_values.variable_name,
                is_required=True,
            ),
            "secret_value": Field(
                description="The value of the environment variable.",
                judge=allowed_values.variable,
                is_required=True,
                is_secret=True,
                may_be_a_word=True,
                is_mutable=True,
            ),
            "networking": Field(
                kind="object",
                description="Where the environment variable may be sent to; anywhere if absent.",
                object_name="Networking",
                fields={
                    "type": Field(
                        description="`unrestricted` or `limited`.",
                        choices=get_args(NetworkingType),
                        is_required=True,
                    ),
                    "allowed_hosts": Field(
                        kind="hosts", description="The hosts, for `limited`.", only_with=("type", ("limited",))
                    ),
                },
            ),
            "injection_location": Field(
                kind="object",
                description="Where in a request the environment variable may stand.",
                object_name="InjectionLocation",
                fields={
                    "header": Field(kind="boolean", description="In a header."),
                    "body": Field(kind="boolean", description="In the body."),
                },
            ),
        },
    ),
}

# Beside the fields of Qoder, each type has what is the provider's own: a reference to each secret, and the trigger.
_TRIGGER = Field(
    description="Any text. A change of it is a rotation: the secrets are sent again. To add or to remove it is none.",
    judge=allowed_values.text,
    is_mutable=True,
    is_clearable=True,
    is_local=True,
)
TYPES: Mapping[str, CredentialType] = {
    name: replace(type_, fields={**with_references(type_.fields), TRIGGER: _TRIGGER})
    for name, type_ in _OF_QODER.items()
}

# The fields of all types together. Where two types have one, its kind is the same, and so is whether it is a secret.
ALL_FIELDS: Fields = {name: row for type_ in TYPES.values() for name, row in type_.fields.items()}

TYPE_NAMES = f"{', '.join(f'`{name}`' for name in [*TYPES][:-1])} or `{[*TYPES][-1]}`"

SECRET_NAMES = frozenset(secret_names(ALL_FIELDS))


def fields_of(type_: str) -> Fields:
    """Return the fields of a type, ``ALL_FIELDS`` for one that nobody knows."""
    return TYPES[type_].fields if type_ in TYPES else ALL_FIELDS
