"""The Pulumi front in Python for one credential in a vault that another stack owns: `Credential` and its provider.

Translates, and decides nothing. Every user's state holds the name of this module, of `CredentialProvider`, and the type
of the resource: none of them ever changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, Resource

from . import properties
from .dynamic import QoderProvider, refuse_options, warn_of_options
from .guard import one_clean_line
from .lifecycle.model import ENVIRONMENT_VARIABLE, MCP_OAUTH
from .pulumi_values import from_plain, to_plain

if TYPE_CHECKING:
    from .resources.handler import ResourceHandler

CREDENTIAL_TYPE = "pulumi-python:dynamic/qoder:Credential"

# `pickle.dumps(CredentialProvider(), protocol=4)` in base64; see `dynamic.PICKLED_PROVIDER`.
PICKLED_PROVIDER = (
    "gASVQwAAAAAAAACMJXB1bHVtaV9xb2Rlcl92YXVsdC5keW5hbWljX2NyZWRlbnRpYWyUjBJDcmVkZW50aWFsUHJvdmlkZXKUk5QpUpQu"
)


class Credential(Resource, module="qoder", name="Credential"):
    """One credential, of type ``static_bearer``, in a vault that another stack owns: that one leaves it alone.

    A changed access token leaves the id, ``vault_…/vcred_…``, as it is. A changed ``vault_id`` or ``mcp_server_url``
    makes another credential.
    """

    vault_id: pulumi.Output[str]
    """The vault that holds it."""
    mcp_server_url: pulumi.Output[str]
    """The URL of the MCP server; not secret."""
    access_token: pulumi.Output[str]
    """What that server takes as a bearer token; secret."""
    protocol: pulumi.Output[str]
    """``"streamable_http"`` or ``"sse"``."""
    type: pulumi.Output[str]
    """``"static_bearer"``."""
    credential_id: pulumi.Output[str]
    """``vcred_…``. On API revision ``2026-05`` a rotation makes another credential, and this follows."""
    rotations: pulumi.Output[int]
    """How often the access token has changed; never secret."""
    status: pulumi.Output[str]
    """``"active"`` or ``"archived"``."""
    base_url: pulumi.Output[str]
    """Where the vault is."""
    workspace_id: pulumi.Output[str | None]
    """The workspace that was configured; None for the API token's own."""
    api_revision: pulumi.Output[str]
    """The revision of the API that answered: ``"2026-05"`` or ``"2026-07"``."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        vault_id: pulumi.Input[str] | None = None,
        mcp_server_url: pulumi.Input[str] | None = None,
        access_token: pulumi.Input[str] | None = None,
        protocol: pulumi.Input[str] | None = None,
        type: pulumi.Input[str] | None = None,  # noqa: A002 the API's own name for it
    ) -> None:
        """Declare a credential.

        Args:
            resource_name: the resource's name in this program.
            opts: Pulumi's options.
            vault_id: ``vault_…``: the vault, of another stack or of this one. Required.
            mcp_server_url: the URL of the MCP server, as agents name it. Required.
            access_token: what that server takes as a bearer token. Required.
            protocol: ``"streamable_http"`` (the default) or ``"sse"``.
            type: ``"static_bearer"``; the plugin has the other types.

        Raises:
            pulumi.RunError: ``import_`` or an ``id`` is among the options.
        """
        refuse_options("Credential", resource_name, opts)
        if opts is not None and opts.id is not None:
            raise pulumi.RunError(
                f"Credential '{resource_name}': Pulumi cannot read a dynamic resource of this kind by its id; take id "
                "out, and use qoder:index:Credential of the plugin, which can"
            )
        super(Resource, self).__init__(  # Resource.__init__ would pickle the provider anew: see PICKLED_PROVIDER
            CREDENTIAL_TYPE,
            resource_name,
            {
                "vault_id": to_plain(vault_id, "vault_id"),
                "mcp_server_url": to_plain(mcp_server_url, "mcp_server_url"),
                "access_token": to_plain(access_token, "access_token"),
                "protocol": to_plain(protocol, "protocol"),
                "type": to_plain(type, "type"),
                # Outputs are attributes only if they are named here.
                "credential_id": None,
                "rotations": None,
                "status": None,
                "base_url": None,
                "workspace_id": None,
                "api_revision": None,
                properties.PROVIDER_KEY: PICKLED_PROVIDER,
            },
            opts,
        )
        warn_of_options(self, opts)


class CredentialProvider(QoderProvider):
    """Makes, reads, changes and deletes single credentials."""

    @property
    def _handler(self) -> ResourceHandler:
        from .resources.credential import CredentialResource

        return CredentialResource()

    @one_clean_line
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Find what is wrong with the inputs, as for every resource; refuse the types that the plugin has."""
        if news.get("type") in (MCP_OAUTH, ENVIRONMENT_VARIABLE):
            line = f"type: must be 'static_bearer'; {news['type']} is a type of the plugin's qoder:index:Credential"
            return CheckResult(properties.to_wire(properties.to_inputs(from_plain(news))), [CheckFailure("", line)])
        return super().check(_olds, news)
