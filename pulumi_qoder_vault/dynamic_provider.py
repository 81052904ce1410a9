"""What the dynamic providers of both resources share: the calls of Pulumi's SDK -> a resource, and how they fail.

The Python SDK turns an exception into its whole traceback. The engine prefers the status in the trailing metadata of
the call, so that is where the line goes. Translates, and decides nothing.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypedDict, TypeVar

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    Config,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from .connection import Qoder
from .error_reporting import EngineLog, engine_address, internal_error, status_details
from .errors import QoderError, SettingsError
from .lifecycle.inputs import Inputs, without_none
from .lifecycle.model import PartialState
from .lifecycle.other_credentials import Deletion
from .pulumi_values import PROVIDER_KEY, PulumiProperties, from_program, from_pulumi, to_pulumi
from .resources.calls import Calls
from .resources.ignored_paths import POSITION_IGNORED, is_position
from .resources.references import as_read
from .resources.resource import Found, check_all
from .resources.states import recorded_inputs
from .setting_sources import Owner
from .settings import KEYS, Settings, load

if TYPE_CHECKING:
    import grpc
    from google.protobuf.struct_pb2 import Struct

    from .resources.resource import Resource

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="QoderProvider")


class SecretReferenceArgs(TypedDict, total=False):
    """Where the provider reads a secret; a plain dict with the same keys is the same thing.

    Keys: exactly one of
        env: the name of an environment variable of ``pulumi``.
        file: a path, relative to the project's folder (that of ``main``, if it is set). One line break at its end is
            removed.
        command: a program and its arguments, run there without a shell, for at most 30 s. Of what it prints, one line
            break at the end is removed.
    """

    env: pulumi.Input[str]
    file: pulumi.Input[str]
    command: pulumi.Input[Sequence[pulumi.Input[str]]]


def one_clean_line(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let a provider method fail with one line: our own errors as they are, any other one without its text."""

    @functools.wraps(method)
    def reporting(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        partial = None
        try:
            return method(self, *args, **kwargs)
        except PartialState as failure:
            reported: QoderError = failure
            partial = self.partial_state(failure, args[-1])
        except QoderError as failure:
            reported = failure
        except Exception as failure:  # noqa: BLE001 the text of an unforeseen error may hold a secret
            reported = QoderError(internal_error(failure))
        call, _ = _running_call()
        if call is not None:
            call.set_trailing_metadata(status_details(str(reported), partial))
        raise reported from None

    return reporting


class QoderProvider(ResourceProvider):
    """What the providers of both resources are made of. Pickled by reference: what a process adds is not part of it."""

    serialize_as_secret_always = False

    _config: Config | None = None
    _known_calls: Calls | None = None

    def __reduce__(self) -> tuple[type[QoderProvider], tuple[()]]:
        return type(self), ()

    @property
    def resource(self) -> Resource:
        """What serves this type. It is loaded when it is needed: a program that declares does not need it."""
        raise NotImplementedError

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's configuration; what is wrong with it is said by the call that needs it."""
        self._config = req.config
        self._known_calls = Calls()

    @one_clean_line
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Find what is wrong with the inputs; fill in defaults, and count rotations. No request, no API token."""
        given, recorded = from_program(PulumiProperties(news)), recorded_inputs(received(_olds))
        try:
            replaced, settings = self._calls.note_check(running_urn(), recorded), self._settings()
            inputs = as_read(given, settings)
            problems = check_all(self.resource, inputs, recorded, replaced, settings)
        except SettingsError as failure:
            return CheckResult(dict(to_pulumi(given)), [CheckFailure("", str(failure))])
        for problem in problems:
            if problem.is_warning:
                warn(str(problem))
        found = [str(problem) for problem in problems if not problem.is_warning]
        completed = given if found else self.resource.complete(inputs, recorded)
        return CheckResult(dict(to_pulumi(completed)), [CheckFailure("", problem) for problem in found])

    @one_clean_line
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the state with the program. No request."""
        settings = None
        with suppress(SettingsError):  # a check says it
            settings = self._settings()
        outputs = received(_olds)
        difference = self.resource.diff(_id, outputs, received(_news), settings)
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
            id_, outputs = self.resource.create(self._qoder(), received(props))
        except PartialState as failure:
            self._calls.note_made(running_urn(), self.resource.state_of(failure.recorded).id)
            raise
        self._calls.note_made(running_urn(), id_)
        return CreateResult(id_, dict(to_pulumi(outputs)))

    @one_clean_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at it for a refresh: it may be gone."""
        return read_result(self.resource.read(self.qoder_as_recorded(), id_, received(props)))

    @one_clean_line
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change it in place; its id stays."""
        outputs = self.resource.update(self._qoder(), _id, received(_olds), received(_news))
        return UpdateResult(dict(to_pulumi(outputs)))

    @one_clean_line
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete it, or do what its state says is to be done instead."""
        urn = running_urn()
        deletion = Deletion(urn, self._calls.is_replaced(urn, _id))
        self.resource.delete(self.qoder_as_recorded(), _id, received(_props), deletion)

    def partial_state(self, failure: PartialState, props: Any) -> tuple[str, Struct]:
        """Return what the engine is to record of work that was done in part.

        Args:
            failure: says what exists.
            props: the inputs of the call, which name the provider.
        """
        from google.protobuf import struct_pb2

        id_, outputs = self.resource.state_of(failure.recorded)
        message = struct_pb2.Struct()
        message.update({**to_pulumi(without_none(outputs)), PROVIDER_KEY: props[PROVIDER_KEY]})
        return id_, message

    @property
    def _calls(self) -> Calls:
        if self._known_calls is None:
            self._known_calls = Calls()
        return self._known_calls

    def _settings(self) -> Settings:
        config = self._config
        configured = {f"qoder:{key}": config.get(f"qoder:{key}") for key in KEYS} if config else {}
        # The SDK has no public list of what is configured (3.272). A misspelt key is in this one only.
        configured |= getattr(config, "_props", {})
        return load(configured, os.environ, Owner(is_of_last_up=True))

    def _qoder(self) -> Qoder:
        urn = running_urn()
        return Qoder(
            self._settings(),
            tell=functools.partial(tell, urn),
            warn=functools.partial(_engine_log().warn, urn),
            urn=urn,
        )

    def qoder_as_recorded(self) -> Qoder:
        """Return Qoder for what may be a refresh or a destroy, which has the configuration of the last ``up``."""
        try:
            return self._qoder()
        except SettingsError as failure:
            if not failure.is_configured:
                raise
            raise SettingsError(f"{failure}; correct it, then pulumi up, or add --run-program") from None


def read_result(found: Found | None) -> ReadResult:
    """Return what a read found, as the SDK has it."""
    if found is None:
        return ReadResult(None, {})
    # Inputs only where something drifted: they would make the engine take the whole list for secret.
    inputs = None if found.inputs is None else dict(to_pulumi(found.inputs))
    return ReadResult(found.id, dict(to_pulumi(found.outputs)), inputs)


def received(props: Mapping[str, Any]) -> Inputs:
    """Return a property map of the SDK as the core has it."""
    return from_pulumi(PulumiProperties(props))


def warn(line: str) -> None:
    """Show a warning under the resource of the running call."""
    _engine_log().warn(running_urn(), line)


def tell(urn: str, line: str) -> None:
    """Show a line under a resource, also from a thread of its own."""
    _engine_log().info(urn, line)


def running_urn() -> str:
    """Return the URN of the resource that the running call is about; empty if there is none."""
    return _running_call()[1]


@functools.cache
def _engine_log() -> EngineLog:
    return EngineLog(engine_address(sys.argv[1:]))


def _running_call() -> tuple[grpc.ServicerContext | None, str]:
    """Return the gRPC call that is being served, and the URN in it: the SDK does not hand them to a provider."""
    import grpc

    frame = sys._getframe(1)
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, grpc.ServicerContext):
                return value, getattr(frame.f_locals.get("request"), "urn", "")
        frame = frame.f_back  # type: ignore[assignment]
    return None, ""


def refuse_options(kind: str, resource_name: object, opts: object) -> None:
    """Refuse positional arguments in the wrong place, and options that a dynamic resource cannot have.

    Args:
        kind: of resource, as the plugin calls it, too.
        resource_name: the first argument of a constructor.
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
