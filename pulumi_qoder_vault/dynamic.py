"""The Pulumi front in Python: `Vault`, `CredentialArgs` and the dynamic provider behind them.

Translates between Pulumi's values and the lifecycle's, and decides nothing. Every user's state holds the name of this
module, of `VaultProvider`, and the type of the resource: none of them ever changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from . import properties
from .connection import Qoder
from .errors import SettingsError, Unfinished
from .guard import Reported, one_clean_line
from .lifecycle import check as checks
from .lifecycle import diff as diffs
from .lifecycle.model import Revision
from .secret import one_line
from .settings import Settings, load

VAULT_TYPE = "pulumi-python:dynamic/qoder:Vault"

# `pickle.dumps(VaultProvider(), protocol=4)` in base64: two names, and nothing else. It is written down, since pickles
# of Python 3.14 differ from those of 3.13, and a stack run by both must not show a change.
PICKLED_PROVIDER = "gASVMwAAAAAAAACMGnB1bHVtaV9xb2Rlcl92YXVsdC5keW5hbWljlIwNVmF1bHRQcm92aWRlcpSTlClSlC4="


class _RequiredCredentialArgs(TypedDict):
    mcp_server_url: pulumi.Input[str]
    access_token: pulumi.Input[str]


class CredentialArgs(_RequiredCredentialArgs, total=False):
    """One credential of a vault; a plain dict with the same keys is the same thing.

    Keys:
        mcp_server_url: the URL of the MCP server, as agents name it; not secret. One credential for each URL.
        access_token: what that server takes as a bearer token; secret, whatever the program says.
        protocol: ``"streamable_http"`` (the default) or ``"sse"``.
        type: ``"static_bearer"``.
    """

    protocol: pulumi.Input[str]
    type: pulumi.Input[str]


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
    credentials: pulumi.Output[Sequence[Mapping[str, Any]]]
    """What was asked for, defaults filled in; every ``access_token`` is secret."""
    credential_ids: pulumi.Output[Mapping[str, str]]
    """Credential ids by ``mcp_server_url``; never secret."""
    rotations: pulumi.Output[Mapping[str, int]]
    """By ``mcp_server_url``, how often the access token has changed in this vault; never secret."""
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
    """The revision of the API that answered: ``"2026-05"`` or ``"2026-07"``."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        display_name: pulumi.Input[str] | None = None,
        credentials: pulumi.Input[Sequence[pulumi.Input[CredentialArgs]]] | None = None,
        metadata: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        on_delete: pulumi.Input[str] = "delete",
    ) -> None:
        """Declare a vault.

        Args:
            resource_name: the resource's name in this program.
            opts: Pulumi's options.
            display_name: 1 to 255 characters. Required.
            credentials: one or more, one for each URL. Required, but with ``qoder:apiRevision`` ``2026-07``.
            metadata: at most 15 pairs; keys to 64 characters, values to 512. API revision ``2026-07`` only.
            on_delete: ``"delete"``, or ``"archive"`` to have the vault archived instead, for good.

        Raises:
            pulumi.RunError: ``import_`` is among the options.
        """
        if opts is not None and opts.import_ is not None:
            raise pulumi.RunError(
                f"Vault '{resource_name}': Pulumi cannot import a dynamic resource; take import_ out, and use "
                "Vault.get to read a vault that exists"
            )
        super(Resource, self).__init__(  # Resource.__init__ would pickle the provider anew: see PICKLED_PROVIDER
            VAULT_TYPE,
            resource_name,
            {
                "display_name": display_name,
                "credentials": _with_secret_tokens(credentials),
                "metadata": metadata,
                "on_delete": on_delete if opts is None or opts.id is None else None,
                # Outputs are attributes only if they are named here.
                "credential_ids": None,
                "rotations": None,
                "status": None,
                "base_url": None,
                "workspace_id": None,
                "created_at": None,
                "updated_at": None,
                "api_revision": None,
                properties.PROVIDER_KEY: PICKLED_PROVIDER,
            },
            opts,
        )

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
        return Vault(resource_name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id)))


class VaultProvider(ResourceProvider):
    """Makes, reads, changes and deletes vaults. Pickled by reference: its state in a process is not part of it."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[type[VaultProvider], tuple[()]]:
        return VaultProvider, ()

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's configuration; what is wrong with it is said by the call that needs it."""
        self._config = req.config

    @one_clean_line
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Find what is wrong with the inputs; fill in defaults, and count rotations. No request, no API token."""
        inputs = properties.to_inputs(news)
        try:
            settings = self._settings()
        except SettingsError as failure:
            return CheckResult(properties.to_wire(inputs), [CheckFailure("", str(failure))])
        problems = checks.check(inputs, allows_empty=settings.revision == Revision.R2026_07.value)
        if problems:
            secrets = properties.secrets(inputs)
            failures = [CheckFailure("", one_line(str(problem), secrets, limit=3000)) for problem in problems]
            return CheckResult(properties.to_wire(inputs), failures)
        return CheckResult(properties.to_wire(checks.complete(inputs, properties.to_inputs(_olds))), [])

    @one_clean_line
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the state with the program. No request."""
        difference = diffs.diff(properties.to_recorded(_id, _olds), properties.to_inputs(_news))
        if not difference.is_change:
            return DiffResult(changes=False)
        # None lets the engine compare the inputs, and show them; True is for what they do not show.
        return DiffResult(changes=True if difference.is_hidden else None, replaces=list(difference.replaces))

    @one_clean_line
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make a vault. On ``2026-05`` one request, on ``2026-07`` one more for each credential."""
        from .lifecycle import operations

        desired = properties.to_desired(props)
        try:
            recorded = operations.create(self._qoder().api(props), desired, self._qoder().revision_in_use)
        except Unfinished as failure:
            raise _partial(failure, props) from None
        return CreateResult(recorded.id, properties.to_outputs(recorded))

    @one_clean_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at a vault: for a refresh, where it may be gone, or for `Vault.get`, where it must exist."""
        from .lifecycle import operations

        api = self._qoder().api(props)
        if props.get("on_delete") is None:  # every vault of this stack's own has one
            is_refresh = "base_url" in props
            found = operations.look_up(api, id_, properties.to_recorded(id_, props) if is_refresh else None)
            return ReadResult(None, {}) if found is None else ReadResult(id_, properties.to_outputs(found))
        recorded, is_drift = operations.read(api, properties.to_recorded(id_, props))
        if recorded is None:
            return ReadResult(None, {})
        outputs = properties.to_outputs(recorded)
        # Inputs only where something drifted: they would make the engine take the whole list for secret.
        return ReadResult(id_, outputs, properties.to_refreshed_inputs(outputs) if is_drift else None)

    @one_clean_line
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change the credentials of a vault; its id stays."""
        from .lifecycle import operations

        recorded = properties.to_recorded(_id, _olds)
        try:
            api = self._qoder().api(_olds, _news)
            recorded = operations.update(api, recorded, properties.to_desired(_news), self._qoder().revision_in_use)
        except Unfinished as failure:
            raise _partial(failure, _news) from None
        return UpdateResult(properties.to_outputs(recorded))

    @one_clean_line
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete or archive a vault, as ``on_delete`` in the state says."""
        from .lifecycle import operations

        operations.delete(self._qoder().api(_props), properties.to_recorded(_id, _props))

    def _settings(self) -> Settings:
        return load(self._config.get, os.environ) if hasattr(self, "_config") else load(lambda _: None, os.environ)

    def _qoder(self) -> Qoder:
        return Qoder(self._settings())


def _with_secret_tokens(credentials: Any) -> Any:
    """Mark every access token as secret, so that logs and policy packs know it before the provider does."""
    if isinstance(credentials, pulumi.Output):
        return pulumi.Output.secret(credentials)
    if not isinstance(credentials, list | tuple):
        return credentials
    return [_with_secret_token(item) for item in credentials]


def _with_secret_token(credential: Any) -> Any:
    if isinstance(credential, pulumi.Output):
        return pulumi.Output.secret(credential)
    if isinstance(credential, Mapping) and credential.get("access_token") is not None:
        return {**credential, "access_token": pulumi.Output.secret(credential["access_token"])}
    return credential


def _partial(failure: Unfinished, props: Mapping[str, Any]) -> Reported:
    known = {key: value for key, value in properties.to_outputs(failure.recorded).items() if value is not None}
    partial = (failure.recorded.id, {**known, properties.PROVIDER_KEY: props[properties.PROVIDER_KEY]})
    return Reported(str(failure), partial)
