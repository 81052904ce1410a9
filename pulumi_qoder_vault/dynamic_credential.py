"""The Pulumi front in Python for one credential in a vault that another stack owns: `Credential` and its provider.

Translates, and decides nothing. Every user's state holds the name of this module, of `CredentialProvider`, and the type
of the resource: none of them ever changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Required, TypedDict

import pulumi
from pulumi.dynamic import Resource

from .dynamic_provider import QoderProvider, SecretReferenceArgs, refuse_options, warn_of_options
from .pulumi_values import PROVIDER_KEY, to_plain

if TYPE_CHECKING:
    from .lifecycle.credential_types import NetworkingType, Protocol, TokenEndpointAuthType, TypeName
    from .resources.credential import CredentialResource

CREDENTIAL_TYPE = "pulumi-python:dynamic/qoder:Credential"

# `pickle.dumps(CredentialProvider(), protocol=4)` in base64; see `dynamic.PICKLED_PROVIDER`.
PICKLED_PROVIDER = (
    "gASVQwAAAAAAAACMJXB1bHVtaV9xb2Rlcl92YXVsdC5keW5hbWljX2NyZWRlbnRpYWyUjBJDcmVkZW50aWFsUHJvdmlkZXKUk5QpUpQu"
)


class TokenEndpointAuthArgs(TypedDict, total=False):
    """How an OAuth client authenticates at its token endpoint; a plain dict with the same keys is the same thing.

    Keys:
        type: ``"none"``, ``"client_secret_basic"`` or ``"client_secret_post"``. Required.
        client_secret: the client's secret; required unless the type is ``"none"``. Secret, whatever the program says.
        client_secret_from: in place of ``client_secret``: where the provider reads it.
    """

    type: Required[pulumi.Input[TokenEndpointAuthType]]
    client_secret: pulumi.Input[str]
    client_secret_from: pulumi.Input[SecretReferenceArgs]


class OAuthRefreshArgs(TypedDict, total=False):
    """How Qoder gets new access tokens for an ``mcp_oauth``; a plain dict with the same keys is the same thing.

    Keys:
        client_id: the OAuth client. Required.
        refresh_token: the refresh token. Secret, whatever the program says. This or the next one is required.
        refresh_token_from: in place of ``refresh_token``: where the provider reads it.
        token_endpoint: the URL that gives access tokens. Required.
        token_endpoint_auth: how the client authenticates there. Required.
        resource: the resource that is asked for.
        scope: the scopes that are asked for, separated by blanks.
    """

    client_id: Required[pulumi.Input[str]]
    refresh_token: pulumi.Input[str]
    refresh_token_from: pulumi.Input[SecretReferenceArgs]
    token_endpoint: Required[pulumi.Input[str]]
    token_endpoint_auth: Required[pulumi.Input[TokenEndpointAuthArgs]]
    resource: pulumi.Input[str]
    scope: pulumi.Input[str]


class NetworkingArgs(TypedDict, total=False):
    """Where an environment variable may be sent to; a plain dict with the same keys is the same thing.

    Keys:
        type: ``"unrestricted"`` or ``"limited"``. Required.
        allowed_hosts: the hosts, for ``"limited"``.
    """

    type: Required[pulumi.Input[NetworkingType]]
    allowed_hosts: pulumi.Input[Sequence[pulumi.Input[str]]]


class InjectionLocationArgs(TypedDict, total=False):
    """Where in a request an environment variable may stand; a plain dict with the same keys is the same thing.

    Keys:
        header: in a header.
        body: in the body.
    """

    header: pulumi.Input[bool]
    body: pulumi.Input[bool]


class Credential(Resource, module="qoder", name="Credential"):
    """One credential, of any type, in a vault that another stack owns: that one leaves it alone.

    A change of its secrets leaves the id, ``vault_…/vcred_…``, as it is. A change of ``vault_id``, ``type``, or what it
    is told apart by (``mcp_server_url``, ``secret_name``) makes another credential; so does one of ``networking`` or
    ``injection_location``, and of ``client_id``, ``token_endpoint`` and ``resource`` in ``refresh``.
    """

    vault_id: pulumi.Output[str]
    """The vault that holds it."""
    type: pulumi.Output[str]
    """``"static_bearer"``, ``"mcp_oauth"`` or ``"environment_variable"``."""
    mcp_server_url: pulumi.Output[str | None]
    """The URL of the MCP server; not secret. None for an ``environment_variable``."""
    access_token: pulumi.Output[str | None]
    """What that server takes as a bearer token; secret. None where it is by reference, or of another type."""
    access_token_from: pulumi.Output[Mapping[str, Any] | None]
    """Where the provider reads it; None where it is by value."""
    protocol: pulumi.Output[str | None]
    """``"streamable_http"`` or ``"sse"``, of a ``static_bearer``."""
    expires_at: pulumi.Output[str | None]
    """When the access token of an ``mcp_oauth`` expires: RFC 3339."""
    refresh: pulumi.Output[Mapping[str, Any] | None]
    """How Qoder gets new access tokens for an ``mcp_oauth``; its secrets are secret."""
    secret_name: pulumi.Output[str | None]
    """The name of an ``environment_variable``."""
    secret_value: pulumi.Output[str | None]
    """The value of an ``environment_variable``; secret. None where it is by reference."""
    secret_value_from: pulumi.Output[Mapping[str, Any] | None]
    """Where the provider reads it; None where it is by value."""
    networking: pulumi.Output[Mapping[str, Any] | None]
    """Where an ``environment_variable`` may be sent to; None for anywhere."""
    injection_location: pulumi.Output[Mapping[str, Any] | None]
    """Where in a request an ``environment_variable`` may stand."""
    metadata: pulumi.Output[Mapping[str, str] | None]
    """What was asked for; None when nothing was."""
    credential_id: pulumi.Output[str]
    """``vcred_…``. On API revision ``2026-05`` a rotation makes another credential, and this follows."""
    rotations: pulumi.Output[int]
    """How often its secrets have changed; never secret."""
    rotation_trigger: pulumi.Output[str | None]
    """What was asked for."""
    rotated_at: pulumi.Output[str | None]
    """When Qoder last took its secrets: RFC 3339, UTC; None where that is not known. Never secret."""
    status: pulumi.Output[str]
    """``"active"`` or ``"archived"``."""
    base_url: pulumi.Output[str]
    """Where the vault is."""
    workspace_id: pulumi.Output[str | None]
    """The workspace that was configured; None for the API token's own."""
    api_revision: pulumi.Output[str]
    """The revision of the API in its last response: ``"2026-05"`` or ``"2026-07"``."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        vault_id: pulumi.Input[str] | None = None,
        type: pulumi.Input[TypeName] | None = None,  # noqa: A002 the API's own name for it
        mcp_server_url: pulumi.Input[str] | None = None,
        access_token: pulumi.Input[str] | None = None,
        access_token_from: pulumi.Input[SecretReferenceArgs] | None = None,
        protocol: pulumi.Input[Protocol] | None = None,
        expires_at: pulumi.Input[str] | None = None,
        refresh: pulumi.Input[OAuthRefreshArgs] | None = None,
        secret_name: pulumi.Input[str] | None = None,
        secret_value: pulumi.Input[str] | None = None,
        secret_value_from: pulumi.Input[SecretReferenceArgs] | None = None,
        networking: pulumi.Input[NetworkingArgs] | None = None,
        injection_location: pulumi.Input[InjectionLocationArgs] | None = None,
        rotation_trigger: pulumi.Input[str] | None = None,
        metadata: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
    ) -> None:
        """Declare a credential.

        Args:
            resource_name: the resource's name in this program.
            opts: Pulumi's options.
            vault_id: ``vault_…``: the vault, of another stack or of this one. Required.
            type: ``"static_bearer"`` (the default), ``"mcp_oauth"`` or ``"environment_variable"``; the last two need
                API revision ``2026-07``.
            mcp_server_url: the URL of the MCP server, as agents name it. Required unless an ``environment_variable``.
            access_token: what that server takes as a bearer token. Required unless an ``environment_variable``.
            access_token_from: in place of ``access_token``: where the provider reads it.
            protocol: ``"streamable_http"`` (the default) or ``"sse"``; of a ``static_bearer``.
            expires_at: when the access token of an ``mcp_oauth`` expires: RFC 3339.
            refresh: how Qoder gets new access tokens for an ``mcp_oauth``.
            secret_name: the name of an ``environment_variable``. Required for one.
            secret_value: its value. Required for one; secret, whatever the program says.
            secret_value_from: in place of ``secret_value``: where the provider reads it.
            networking: where an ``environment_variable`` may be sent to; anywhere if absent.
            injection_location: where in a request an ``environment_variable`` may stand.
            rotation_trigger: any text; a change of it sends the secrets again. To add or to remove it does not.
            metadata: at most 16 pairs; keys to 64 characters, values to 512. API revision ``2026-07`` only.

        Raises:
            pulumi.RunError: ``import_`` or an ``id`` is among the options, or a position in ``ignore_changes``.
        """
        refuse_options("Credential", resource_name, opts)
        if opts is not None and opts.id is not None:
            raise pulumi.RunError(
                f"Credential '{resource_name}': Pulumi cannot read a dynamic resource of this kind by its id; take id "
                "out, and use qoder:index:Credential of the plugin, which can"
            )
        inputs = {
            "vault_id": vault_id,
            "type": type,
            "mcp_server_url": mcp_server_url,
            "access_token": access_token,
            "access_token_from": access_token_from,
            "protocol": protocol,
            "expires_at": expires_at,
            "refresh": refresh,
            "secret_name": secret_name,
            "secret_value": secret_value,
            "secret_value_from": secret_value_from,
            "networking": networking,
            "injection_location": injection_location,
            "rotation_trigger": rotation_trigger,
            "metadata": metadata,
        }
        # Outputs are attributes only if they are named here.
        computed = ("credential_id", "rotations", "rotated_at", "status", "base_url", "workspace_id", "api_revision")
        super(Resource, self).__init__(  # Resource.__init__ would pickle the provider anew: see PICKLED_PROVIDER
            CREDENTIAL_TYPE,
            resource_name,
            {
                **{name: to_plain(value, name) for name, value in inputs.items()},
                **dict.fromkeys(computed),
                PROVIDER_KEY: PICKLED_PROVIDER,
            },
            opts,
        )
        warn_of_options(self, opts)


class CredentialProvider(QoderProvider):
    """Makes, reads, changes and deletes single credentials."""

    @property
    def resource(self) -> CredentialResource:
        """What serves credentials."""
        from .resources.credential import CredentialResource

        return CredentialResource()
