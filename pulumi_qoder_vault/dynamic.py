"""The Pulumi front in Python: `Vault`, `CredentialArgs` and the dynamic provider behind them.

Translates between Pulumi's values and the lifecycle's, and decides nothing. Every user's state holds the name of this
module, of `VaultProvider`, and the type of the resource: none of them ever changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

import pulumi
from pulumi.dynamic import ReadResult, Resource

from .dynamic_provider import (
    QoderProvider,
    SecretReferenceArgs,
    one_clean_line,
    read_result,
    received,
    refuse_options,
    warn_of_options,
)
from .pulumi_values import PROVIDER_KEY, to_plain

if TYPE_CHECKING:
    from .lifecycle.credential_types import Protocol
    from .lifecycle.model import OnDelete
    from .resources.vault import VaultResource

VAULT_TYPE = "pulumi-python:dynamic/qoder:Vault"

# `pickle.dumps(VaultProvider(), protocol=4)` in base64: two names, and nothing else. It is written down, since pickles
# of Python 3.14 differ from those of 3.13, and a stack run by both must not show a change.
PICKLED_PROVIDER = "gASVMwAAAAAAAACMGnB1bHVtaV9xb2Rlcl92YXVsdC5keW5hbWljlIwNVmF1bHRQcm92aWRlcpSTlClSlC4="


class CredentialArgs(TypedDict, total=False):
    """One credential of a vault; a plain dict with the same keys is the same thing.

    Keys:
        mcp_server_url: the URL of the MCP server, as agents name it; not secret. One credential for each URL.
        access_token: what that server takes as a bearer token; secret, whatever the program says.
        access_token_from: in place of ``access_token``: where the provider reads it. Pulumi has the reference only.
        protocol: ``"streamable_http"`` (the default) or ``"sse"``.
        rotation_trigger: any text; a change of it sends the access token again. To add or to remove it does not.
        type: ``"static_bearer"``.
    """

    mcp_server_url: Required[pulumi.Input[str]]
    access_token: pulumi.Input[str]
    access_token_from: pulumi.Input[SecretReferenceArgs]
    protocol: pulumi.Input[Protocol]
    rotation_trigger: pulumi.Input[str]
    type: pulumi.Input[Literal["static_bearer"]]


class Vault(Resource, module="qoder", name="Vault"):
    """A Qoder vault and its credentials.

    A changed access token, and a credential added or removed, leave the vault's id as it is. A changed
    ``display_name`` or ``metadata`` makes another vault: the API cannot change them.
    """

    display_name: pulumi.Output[str]
    """The vault's name."""
    metadata: pulumi.Output[Mapping[str, str]]
    """What was asked for; empty when nothing was."""
    on_delete: pulumi.Output[str | None]
    """``"delete"`` or ``"archive"``; None for a vault that this stack does not own."""
    force_destroy: pulumi.Output[bool | None]
    """Whether credentials of others may go with the vault; None for a vault that this stack does not own."""
    credentials: pulumi.Output[Sequence[Mapping[str, Any]]]
    """What was asked for, defaults filled in; every ``access_token`` is secret."""
    credential_ids: pulumi.Output[Mapping[str, str]]
    """Credential ids by ``mcp_server_url``; never secret."""
    rotations: pulumi.Output[Mapping[str, int]]
    """By ``mcp_server_url``, how often the access token has changed in this vault; never secret."""
    rotated_at: pulumi.Output[Mapping[str, str] | None]
    """By ``mcp_server_url``, when Qoder last took the access token, if that is known: RFC 3339, UTC; never secret."""
    other_credentials: pulumi.Output[Mapping[str, str] | None]
    """By credential id, the URL or variable name of what others have in the vault, when this resource last looked."""
    status: pulumi.Output[str]
    """``"active"`` or ``"archived"``."""
    base_url: pulumi.Output[str]
    """Where the vault is."""
    workspace_id: pulumi.Output[str | None]
    """The workspace that was configured; None for the API token's own."""
    created_at: pulumi.Output[str]
    """RFC 3339, UTC."""
    updated_at: pulumi.Output[str]
    """RFC 3339, UTC."""
    api_revision: pulumi.Output[str]
    """The revision of the API in its last response: ``"2026-05"`` or ``"2026-07"``."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        display_name: pulumi.Input[str] | None = None,
        credentials: pulumi.Input[Sequence[pulumi.Input[CredentialArgs]]] | None = None,
        metadata: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        on_delete: pulumi.Input[OnDelete] = "delete",
        force_destroy: pulumi.Input[bool] = False,
    ) -> None:
        """Declare a vault.

        Args:
            resource_name: the resource's name in this program.
            opts: Pulumi's options.
            display_name: 1 to 255 characters. Required.
            credentials: any iterable of maps, one for each URL. Required, but with ``qoder:apiRevision`` ``2026-07``.
            metadata: at most 15 pairs; keys to 64 characters, values to 512. API revision ``2026-07`` only.
            on_delete: ``"delete"``, or ``"archive"`` to have the vault archived instead, for good.
            force_destroy: True to have the vault deleted, or archived, with the credentials of others in it.

        Raises:
            pulumi.RunError: the options have ``import_``, or a position of ``credentials`` in ``ignore_changes``.
        """
        refuse_options("Vault", resource_name, opts)
        inputs: dict[str, object] = {"display_name": display_name, "credentials": credentials, "metadata": metadata}
        if opts is None or opts.id is None:
            inputs |= {"on_delete": on_delete, "force_destroy": None if force_destroy is False else force_destroy}
        # Outputs are attributes only if they are named here.
        outputs = (
            "on_delete",
            "force_destroy",
            "credential_ids",
            "rotations",
            "rotated_at",
            "other_credentials",
            "status",
            "base_url",
            "workspace_id",
            "created_at",
            "updated_at",
            "api_revision",
        )
        super(Resource, self).__init__(  # Resource.__init__ would pickle the provider anew: see PICKLED_PROVIDER
            VAULT_TYPE,
            resource_name,
            {
                **dict.fromkeys(outputs),
                **{name: to_plain(value, name) for name, value in inputs.items()},
                PROVIDER_KEY: PICKLED_PROVIDER,
            },
            opts,
        )
        warn_of_options(self, opts)

    @staticmethod
    def get(  # `id` is Pulumi's own name for it
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002
        opts: pulumi.ResourceOptions | None = None,
    ) -> Vault:
        """Read a vault that this stack does not own, also in a preview. Its credentials have no ``access_token``.

        Args:
            resource_name: the resource's name in this program.
            id: the vault's id, ``vault_…``. One that does not exist is an error.
            opts: Pulumi's options.
        """
        # Pulumi's SDK fails on an id that is marked as a secret, as one of a StackReference may be; an id is none.
        known = pulumi.Output.unsecret(id) if isinstance(id, pulumi.Output) else id
        return Vault(resource_name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=known)))


class VaultProvider(QoderProvider):
    """Makes, reads, changes and deletes vaults. On ``2026-05`` a create is one request."""

    @property
    def resource(self) -> VaultResource:
        """What serves vaults."""
        from .resources.vault import VaultResource

        return VaultResource()

    @one_clean_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at a vault: for a refresh, where it may be gone, or for `Vault.get`, where it must exist."""
        if props.get("on_delete") is not None:  # every vault of this stack's own has one
            return super().read(id_, props)
        return read_result(self.resource.look_up(self.qoder_as_recorded(), id_, received(props)))
