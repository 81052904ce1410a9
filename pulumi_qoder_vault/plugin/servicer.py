"""Pulumi's provider protocol: requests of the engine -> resources, and their results and failures back.

Knows gRPC, the wire form of properties, and which resources there are; knows nothing of vaults.

Source: pulumi/proto/provider.proto, and what Pulumi's CLI was seen to do with it (tests/engine).
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import TypeVar

from google.protobuf import empty_pb2, struct_pb2
from grpc import ServicerContext, StatusCode
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from .. import connection, errors
from ..connection import Qoder
from ..error_reporting import EngineLog, internal_error, status_details
from ..lifecycle.differences import Change, Difference
from ..lifecycle.model import PartialState
from ..lifecycle.other_credentials import Deletion
from ..pulumi_values import PROVIDER_KEY
from ..resources.calls import Calls
from ..resources.credential import CredentialResource
from ..resources.ignored_paths import POSITION_IGNORED, is_position
from ..resources.references import as_read
from ..resources.resource import Resource, check_all
from ..resources.states import recorded_inputs
from ..resources.vault import VaultResource
from ..secret_reader import READER
from ..settings import Settings
from . import names, wire
from .configuration import SECRET_KEYS, Configuration, received
from .functions import FUNCTIONS, check
from .schema import CREDENTIAL, VAULT, schema

AT_A_TIME = 64  # operations on resources
OfResource = pb.CheckRequest | pb.DiffRequest | pb.CreateRequest | pb.ReadRequest | pb.UpdateRequest | pb.DeleteRequest
R = TypeVar("R")
Q = TypeVar("Q")

RESOURCES: Mapping[str, Resource] = {VAULT: VaultResource(), CREDENTIAL: CredentialResource()}

# For a change in place, and for one that forces a replacement.
KINDS: Mapping[Change, tuple[pb.PropertyDiff.Kind.ValueType, ...]] = {
    Change.ADD: (pb.PropertyDiff.ADD, pb.PropertyDiff.ADD_REPLACE),
    Change.UPDATE: (pb.PropertyDiff.UPDATE, pb.PropertyDiff.UPDATE_REPLACE),
    Change.DELETE: (pb.PropertyDiff.DELETE, pb.PropertyDiff.DELETE_REPLACE),
}

# UNKNOWN makes the engine keep the operation as pending: only for an outcome that is unknown.
CODES: Mapping[type[errors.QoderError], StatusCode] = {
    errors.SettingsError: StatusCode.INVALID_ARGUMENT,
    errors.NotSent: StatusCode.UNAVAILABLE,
    errors.OutcomeUnknown: StatusCode.UNKNOWN,
    PartialState: StatusCode.UNKNOWN,
    errors.BadRequest: StatusCode.INVALID_ARGUMENT,
    errors.Unauthorized: StatusCode.UNAUTHENTICATED,
    errors.Forbidden: StatusCode.PERMISSION_DENIED,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.Conflict: StatusCode.ALREADY_EXISTS,
    errors.RateLimited: StatusCode.RESOURCE_EXHAUSTED,
    errors.NotAvailable: StatusCode.UNIMPLEMENTED,
    errors.ServerError: StatusCode.UNAVAILABLE,
    errors.VaultNotFound: StatusCode.NOT_FOUND,
    errors.QoderError: StatusCode.FAILED_PRECONDITION,
}


def one_clean_line(method: Callable[[Servicer, Q, ServicerContext], R]) -> Callable[[Servicer, Q, ServicerContext], R]:
    """Let a call fail with one line and a code that says what it is; an unforeseen error fails without its text."""

    @functools.wraps(method)
    def reporting(self: Servicer, request: Q, context: ServicerContext) -> R:
        try:
            return method(self, request, context)
        except errors.QoderError as failure:
            code, line = next(CODES[kind] for kind in type(failure).__mro__ if kind in CODES), str(failure)
            if isinstance(failure, errors.NewerState | errors.NotRead):
                line = names.in_text(line)
            if isinstance(failure, PartialState):
                context.set_trailing_metadata(status_details(line, _partial_state(failure, request)))
        except Exception as failure:  # noqa: BLE001 the text of an unforeseen error may hold a secret
            code, line = StatusCode.INTERNAL, internal_error(failure)
        context.abort(code, line)
        raise AssertionError("abort raises")

    return reporting


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider: the default one of a stack, or an explicit one. The engine starts a process for each."""

    def __init__(self, engine_address: str | None = None) -> None:
        self._engine = EngineLog(engine_address)
        self._is_of_one_engine = engine_address is not None
        self._operating = threading.Semaphore(AT_A_TIME)
        self._configuring = threading.Lock()
        self._configuration: Configuration | None = None
        self._calls = Calls()

    # The protocol's own affairs

    @one_clean_line
    def Handshake(self, request: pb.ProviderHandshakeRequest, context: ServicerContext) -> pb.ProviderHandshakeResponse:
        _begin()
        if request.engine_address:
            self._engine = EngineLog(request.engine_address)
        return pb.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False, supports_autonaming_configuration=False
        )

    @one_clean_line
    def Attach(self, request: plugin_pb2.PluginAttach, context: ServicerContext) -> empty_pb2.Empty:
        _begin()
        self._engine = EngineLog(request.address)
        return empty_pb2.Empty()

    @one_clean_line
    def GetPluginInfo(self, request: empty_pb2.Empty, context: ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version("pulumi-qoder-vault"))

    @one_clean_line
    def GetSchema(self, request: pb.GetSchemaRequest, context: ServicerContext) -> pb.GetSchemaResponse:
        return pb.GetSchemaResponse(schema=json.dumps(schema()))

    @one_clean_line
    def Cancel(self, request: empty_pb2.Empty, context: ServicerContext) -> empty_pb2.Empty:
        """End all waits. It comes at the end of every command, too."""
        connection.CONNECTIONS.stop_waiting()
        READER.stop()
        return empty_pb2.Empty()

    # Configuration

    @one_clean_line
    def CheckConfig(self, request: pb.CheckRequest, context: ServicerContext) -> pb.CheckResponse:
        given = received(request.news)
        failures = []
        try:
            _ = Configuration(given).settings
        except errors.SettingsError as failure:
            failures.append(pb.CheckFailure(property="", reason=str(failure)))
        inputs = wire.write_configuration(given, SECRET_KEYS, request.news)
        return pb.CheckResponse(inputs=inputs, failures=failures)

    @one_clean_line
    def DiffConfig(self, request: pb.DiffRequest, context: ServicerContext) -> pb.DiffResponse:
        """No setting forces another provider, and with it other vaults."""
        olds, news = (received(item) for item in (request.old_inputs or request.olds, request.news))
        changed = sorted(key for key in {**olds, **news} if olds.get(key) != news.get(key))
        response = pb.DiffResponse
        return response(changes=response.DIFF_SOME if changed else response.DIFF_NONE, diffs=changed)

    @one_clean_line
    def Configure(self, request: pb.ConfigureRequest, context: ServicerContext) -> pb.ConfigureResponse:
        """Keep the settings; what is wrong with one is said by the call that needs it."""
        configuration = Configuration.of(request.name or request.urn.rpartition("::")[2], request.args)
        with self._configuring:
            self._refuse_another_base_url(configuration)
            self._configuration = configuration
        self._calls = Calls()  # another engine, or the next command of one
        return pb.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def _refuse_another_base_url(self, configuration: Configuration) -> None:
        """Keep the API token where the engine sends it: the port of a plugin takes calls of the whole machine.

        A process that somebody runs by hand serves one engine after the other, each with its own configuration.
        """
        before = self._configuration
        if self._is_of_one_engine and before is not None and before.base_url != configuration.base_url:
            raise errors.SettingsError(
                "qoder:baseUrl: this plugin process was configured with another base URL, and keeps it; the engine "
                "starts a process for each provider"
            )

    # Resources

    @one_clean_line
    def Check(self, request: pb.CheckRequest, context: ServicerContext) -> pb.CheckResponse:
        resource = _resource_of(request)
        given, recorded = wire.read_inputs(request.news), recorded_inputs(wire.read_inputs(request.olds))
        try:
            replaced, settings = self._calls.note_check(request.urn, recorded), self._settings
            inputs = as_read(given, settings)
            problems = check_all(resource, inputs, recorded, replaced, settings)
            found = [names.in_text(str(problem)) for problem in problems if not problem.is_warning]
            for problem in problems:
                if problem.is_warning:
                    self._engine.warn(request.urn, names.in_text(str(problem)))
        except errors.SettingsError as failure:
            found = [str(failure)]
        if found:
            # The property stays empty: the engine would print its value.
            failures = [pb.CheckFailure(property="", reason=problem) for problem in found]
            return pb.CheckResponse(inputs=wire.write(given, request.news), failures=failures)
        completed = resource.complete(inputs, recorded)
        return pb.CheckResponse(inputs=wire.write(completed, request.news))

    @one_clean_line
    def Diff(self, request: pb.DiffRequest, context: ServicerContext) -> pb.DiffResponse:
        # A refresh sends the ignoreChanges of the last up with its Diff, and must go on: it checks nothing before.
        if self._calls.is_declared(request.urn):
            _refuse_positions(request)
        outputs = wire.read_inputs(request.olds)
        settings_ = None
        with suppress(errors.SettingsError):  # a check says it
            settings_ = self._settings
        difference = _resource_of(request).diff(request.id, outputs, wire.read_inputs(request.news), settings_)
        self._calls.note_diff(request.urn, request.id, outputs)
        if difference.refusal:
            raise errors.QoderError(names.in_text(difference.refusal))
        for line in difference.warnings:
            self._engine.warn(request.urn, names.in_text(line))
        return _diff_response(difference, is_dynamic=PROVIDER_KEY in request.olds.fields)

    @one_clean_line
    def Create(self, request: pb.CreateRequest, context: ServicerContext) -> pb.CreateResponse:
        resource, inputs = _resource_of(request), wire.read_inputs(request.properties)
        if request.preview:
            outputs = resource.preview_create(self._settings, inputs)
            return pb.CreateResponse(properties=wire.write(outputs, request.properties))
        with self._operating:
            connection.CONNECTIONS.refuse_if_over()
            try:
                id_, outputs = resource.create(self._qoder(request), inputs)
            except PartialState as failure:
                self._calls.note_made(request.urn, resource.state_of(failure.recorded).id)
                raise
        self._calls.note_made(request.urn, id_)
        return pb.CreateResponse(id=id_, properties=wire.write(outputs, request.properties))

    @one_clean_line
    def Read(self, request: pb.ReadRequest, context: ServicerContext) -> pb.ReadResponse:
        resource, outputs = _resource_of(request), wire.read_inputs(request.properties)
        is_recorded = "base_url" in outputs
        with self._operating:
            qoder = self._qoder(request)
            found = resource.read(qoder, request.id, outputs) if is_recorded else resource.find(qoder, request.id)
        if found is None:
            return pb.ReadResponse()
        inputs = request.inputs if found.inputs is None else wire.write(found.inputs, request.inputs)
        return pb.ReadResponse(id=found.id, properties=wire.write(found.outputs, request.properties), inputs=inputs)

    @one_clean_line
    def Update(self, request: pb.UpdateRequest, context: ServicerContext) -> pb.UpdateResponse:
        _refuse_positions(request)
        resource, inputs = _resource_of(request), wire.read_inputs(request.news)
        recorded = wire.read_inputs(request.olds)
        if request.preview:
            outputs = resource.preview_update(self._settings, request.id, recorded, inputs)
        else:
            with self._operating:
                connection.CONNECTIONS.refuse_if_over()
                outputs = resource.update(self._qoder(request), request.id, recorded, inputs)
        return pb.UpdateResponse(properties=wire.write(outputs, request.news))

    @one_clean_line
    def Delete(self, request: pb.DeleteRequest, context: ServicerContext) -> empty_pb2.Empty:
        deletion = Deletion(
            request.urn, self._calls.is_replaced(request.urn, request.id), "forceDestroy: true", "retainOnDelete: true"
        )
        with self._operating:
            connection.CONNECTIONS.refuse_if_over()
            _resource_of(request).delete(
                self._qoder(request), request.id, wire.read_inputs(request.properties), deletion
            )
        return empty_pb2.Empty()

    # Functions

    @one_clean_line
    def Invoke(self, request: pb.InvokeRequest, context: ServicerContext) -> pb.InvokeResponse:
        if request.tok not in FUNCTIONS:
            raise errors.SettingsError(f"{request.tok}: there is no such function; there are {', '.join(FUNCTIONS)}")
        arguments = wire.read_inputs(request.args)
        failures = [
            pb.CheckFailure(property=names.camel(problem.path), reason=names.in_text(problem.reason))
            for problem in check(request.tok, arguments)
        ]
        response = pb.InvokeResponse(failures=failures)
        if not failures:
            result = FUNCTIONS[request.tok](Qoder(self._settings), arguments)
            getattr(response, "return").CopyFrom(wire.write(result))
        return response

    @property
    def _settings(self) -> Settings:
        return (self._configuration or Configuration()).settings

    def _qoder(self, request: OfResource) -> Qoder:
        return Qoder(
            self._settings,
            timeout_s=getattr(request, "timeout", 0) or None,  # a read has none
            tell=functools.partial(self._engine.info, request.urn),
            warn=lambda line: self._engine.warn(request.urn, names.in_text(line)),
            urn=request.urn,
        )


def _begin() -> None:
    """Begin a run: another engine, or the next command of one, has come to this process."""
    connection.CONNECTIONS.start_waiting()
    READER.forget()


def _resource_of(request: OfResource) -> Resource:
    """Return what serves a resource. The type in its URN stands after those of its parents."""
    type_ = request.urn.split("::")[2].rpartition("$")[2]
    if type_ not in RESOURCES:
        raise errors.SettingsError(f"{type_}: there is no such resource; there are {', '.join(RESOURCES)}")
    return RESOURCES[type_]


def _refuse_positions(request: pb.DiffRequest | pb.UpdateRequest) -> None:
    """Refuse ``ignoreChanges`` that the engine has applied by position: the inputs may hold another one's access token.

    Raises:
        SettingsError: it leads into the list of credentials.
    """
    if any(is_position(path, "credentials") for path in request.ignoreChanges):
        raise errors.SettingsError(POSITION_IGNORED.replace("ignore_changes", "ignoreChanges"))


def _diff_response(difference: Difference, *, is_dynamic: bool) -> pb.DiffResponse:
    response = pb.DiffResponse(
        changes=pb.DiffResponse.DIFF_SOME if difference.is_change or is_dynamic else pb.DiffResponse.DIFF_NONE,
        replaces=[names.camel(name) for name in difference.replaces],
        deleteBeforeReplace=difference.deletes_first,
        hasDetailedDiff=True,
    )
    details = dict(difference.details)
    if is_dynamic:  # made with the dynamic provider: nothing to do at Qoder, but the state gets another shape
        details[PROVIDER_KEY,] = Change.UPDATE
    for path, kind in details.items():
        response.detailedDiff[names.path(path)].kind = KINDS[kind][path[0] in difference.replaces]
    response.diffs.extend(dict.fromkeys(names.camel(str(path[0])) for path in details))
    return response


def _partial_state(failure: PartialState, request: object) -> tuple[str, struct_pb2.Struct]:
    """Return what the engine is to record of work that was done in part. Create has the inputs as properties."""
    assert isinstance(request, pb.CreateRequest | pb.UpdateRequest)  # noqa: S101 no other call works
    given = request.properties if isinstance(request, pb.CreateRequest) else request.news
    id_, outputs = _resource_of(request).state_of(failure.recorded)
    return id_, wire.write(outputs, given)
