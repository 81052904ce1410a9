"""The Pulumi front in Python: `Vault`, `CredentialArgs` and the dynamic provider behind them.

Translates between Pulumi's values and the lifecycle's, and decides nothing. Every user's state holds the name of this
module, of `VaultProvider`, and the type of the resource: none of them ever changes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypedDict

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
from .errors import QoderError, SettingsError
from .guard import Reported, one_clean_line, running_urn, tell, warn
from .lifecycle.check import POSITION_IGNORED, is_position
from .lifecycle.others import Deletion
from .pulumi_values import from_plain, to_plain
from .resources.calls import Calls
from .resources.handler import Found, Partial, check_all
from .settings import KEYS, Owner, Settings, load

if TYPE_CHECKING:
    from .resources.handler import ResourceHandler

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
    force_destroy: pulumi.Output[bool | None]
    """Whether credentials of others may go with the vault; None for a vault that this stack does not own."""
    credentials: pulumi.Output[Sequence[Mapping[str, Any]]]
    """What was asked for, defaults filled in; every ``access_token`` is secret."""
    credential_ids: pulumi.Output[Mapping[str, str]]
    """Credential ids by ``mcp_server_url``; never secret."""
    rotations: pulumi.Output[Mapping[str, int]]
    """By ``mcp_server_url``, how often the access token has changed in this vault; never secret."""
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
        super(Resource, self).__init__(  # Resource.__init__ would pickle the provider anew: see PICKLED_PROVIDER
            VAULT_TYPE,
            resource_name,
            {
                "display_name": to_plain(display_name, "display_name"),
                "credentials": to_plain(credentials, "credentials"),
                "metadata": to_plain(metadata, "metadata"),
                "on_delete": to_plain(on_delete, "on_delete") if opts is None or opts.id is None else None,
                "force_destroy": (
                    None if force_destroy is False or (opts and opts.id) else to_plain(force_destroy, "force_destroy")
                ),
                # Outputs are attributes only if they are named here.
                "credential_ids": None,
                "rotations": None,
                "other_credentials": None,
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


class QoderProvider(ResourceProvider):
    """What the providers of both resources are made of. Pickled by reference: what a process adds is not part of it."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[type[QoderProvider], tuple[()]]:
        return type(self), ()

    @property
    def _handler(self) -> ResourceHandler:
        """Give what serves this type. It is loaded when it is needed: a program that declares does not need it."""
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's configuration; what is wrong with it is said by the call that needs it."""
        self._config = req.config
        self._known_calls = Calls()

    @one_clean_line
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Find what is wrong with the inputs; fill in defaults, and count rotations. No request, no API token."""
        inputs, recorded = properties.to_inputs(from_plain(news)), properties.to_recorded_inputs(_olds)
        try:
            replaced = self._calls.note_check(running_urn(), recorded)
            problems = check_all(self._handler, inputs, recorded, replaced, self._settings())
        except SettingsError as failure:
            return CheckResult(properties.to_wire(inputs), [CheckFailure("", str(failure))])
        for problem in problems:
            if problem.is_warning:
                warn(str(problem))
        found = [str(problem) for problem in problems if not problem.is_warning]
        if found:
            return CheckResult(properties.to_wire(inputs), [CheckFailure("", problem) for problem in found])
        return CheckResult(properties.to_wire(self._handler.complete(inputs, recorded)), [])

    @one_clean_line
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the state with the program. No request."""
        settings = None
        with suppress(SettingsError):  # a check says it
            settings = self._settings()
        outputs = properties.to_inputs(_olds)
        difference = self._handler.diff(_id, outputs, properties.to_inputs(_news), settings)
        self._calls.note_diff(running_urn(), _id, outputs)
        if difference.refusal:
            raise QoderError(difference.refusal)
        for line in difference.warnings:
            warn(line)
        if not difference.is_change:
            return DiffResult(changes=False)
        return DiffResult(
            # None lets the engine compare the inputs, and show them; True is for what they do not show.
            changes=True if difference.is_hidden else None,
            replaces=list(difference.replaces),
            delete_before_replace=difference.deletes_first,
        )

    @one_clean_line
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make it."""
        try:
            id_, outputs = self._handler.create(self._qoder(), properties.to_inputs(props))
            self._calls.note_made(running_urn(), id_)
            return CreateResult(id_, outputs)
        except Partial as failure:
            self._calls.note_made(running_urn(), failure.id)
            raise _reported(failure, props) from None

    @one_clean_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at it for a refresh: it may be gone."""
        return self._read_result(self._handler.read(self._qoder_as_recorded(), id_, properties.to_inputs(props)))

    @staticmethod
    def _read_result(found: Found | None) -> ReadResult:
        # Inputs only where something drifted: they would make the engine take the whole list for secret.
        return ReadResult(None, {}) if found is None else ReadResult(found.id, found.outputs, found.inputs)

    @one_clean_line
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change it in place; its id stays."""
        recorded, inputs = properties.to_inputs(_olds), properties.to_inputs(_news)
        try:
            return UpdateResult(self._handler.update(self._qoder(), _id, recorded, inputs))
        except Partial as failure:
            raise _reported(failure, _news) from None

    @one_clean_line
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete it, or do what its state says is to be done instead."""
        urn = running_urn()
        deletion = Deletion(urn, self._calls.is_replaced(urn, _id))
        self._handler.delete(self._qoder_as_recorded(), _id, properties.to_inputs(_props), deletion)

    @property
    def _calls(self) -> Calls:
        return self._known_calls if hasattr(self, "_known_calls") else Calls()

    def _settings(self) -> Settings:
        config = getattr(self, "_config", None)
        configured = {f"qoder:{key}": config.get(f"qoder:{key}") for key in KEYS} if config else {}
        # The SDK has no public list of what is configured (3.272). A misspelt key is in this one only.
        configured |= getattr(config, "_props", {})
        return load(configured, os.environ, Owner(is_of_last_up=True))

    def _qoder(self) -> Qoder:
        urn = running_urn()
        return Qoder(self._settings(), tell=functools.partial(tell, urn), urn=urn)

    def _qoder_as_recorded(self) -> Qoder:
        """Return Qoder for what may be a refresh or a destroy, which has the configuration of the last ``up``."""
        try:
            return self._qoder()
        except SettingsError as failure:
            if not failure.is_configured:
                raise
            raise SettingsError(f"{failure}; correct it, then pulumi up, or add --run-program") from None


class VaultProvider(QoderProvider):
    """Makes, reads, changes and deletes vaults. On ``2026-05`` a create is one request."""

    @property
    def _handler(self) -> ResourceHandler:
        from .resources.vault import VaultResource

        return VaultResource()

    @one_clean_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at a vault: for a refresh, where it may be gone, or for `Vault.get`, where it must exist."""
        if props.get("on_delete") is not None:  # every vault of this stack's own has one
            return super().read(id_, props)
        from .lifecycle import operations
        from .resources import elsewhere

        recorded = properties.to_recorded(id_, props) if "base_url" in props else None
        qoder = self._qoder_as_recorded()
        api = qoder.api(props)
        with elsewhere.ways_out(qoder, api, recorded.place) if recorded else nullcontext():
            found = operations.look_up(api, id_, recorded)
        return ReadResult(None, {}) if found is None else ReadResult(id_, properties.to_outputs(found))


def refuse_options(kind: str, resource_name: str, opts: pulumi.ResourceOptions | None) -> None:
    """Refuse positional arguments in the wrong place, and options that a dynamic resource cannot have.

    Args:
        kind: of resource, as the plugin calls it, too.
        resource_name: the first argument.
        opts: the second one.

    Raises:
        pulumi.RunError: one line that says what to do.
    """
    if not isinstance(resource_name, str):  # it may hold an access token, and is not shown
        raise pulumi.RunError(f"{kind}: the first argument is the resource's name; inputs are keyword arguments")
    named = f"{kind} '{resource_name}'"
    if opts is None:
        return
    if not isinstance(opts, pulumi.ResourceOptions):
        raise pulumi.RunError(f"{named}: opts must be pulumi.ResourceOptions; inputs are keyword arguments")
    if opts.import_ is not None:
        raise pulumi.RunError(
            f"{named}: Pulumi cannot import a dynamic resource; take import_ out, and use qoder:index:{kind} of the "
            "plugin, which can"
        )
    if any(is_position(path, "credentials") for path in opts.ignore_changes or ()):
        raise pulumi.RunError(f"{named}: {POSITION_IGNORED}")


def warn_of_options(resource: pulumi.Resource, opts: pulumi.ResourceOptions | None) -> None:
    """Warn of an option that Pulumi does not hand to a dynamic provider."""
    if opts is not None and opts.custom_timeouts is not None:
        pulumi.log.warn(
            "custom_timeouts: Pulumi does not hand them to a resource of this kind; set qoder:timeout instead", resource
        )


def _reported(failure: Partial, props: Mapping[str, Any]) -> Reported:
    outputs = {**properties.without_none(failure.outputs), properties.PROVIDER_KEY: props[properties.PROVIDER_KEY]}
    return Reported(str(failure), (failure.id, outputs))
