"""Pulumi's provider protocol: requests of the engine -> handlers, and their results and failures back.

Knows gRPC, the wire form of properties, and which resources there are; knows nothing of vaults.

Source: pulumi/proto/provider.proto, and what Pulumi's CLI was seen to do with it (tests/engine).
"""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from .. import connection, errors, properties, settings
from ..connection import Qoder
from ..error_reporting import EngineLog
from ..guard import detailed_status, unforeseen
from ..lifecycle.check import POSITION_IGNORED, is_position
from ..lifecycle.diff import Difference, Kind
from ..lifecycle.model import UNKNOWN
from ..lifecycle.others import Deletion
from ..resources.calls import Calls
from ..resources.credential import CredentialResource
from ..resources.handler import Partial, ResourceHandler, check_all
from ..resources.vault import VaultResource
from . import names, wire
from .functions import FUNCTIONS, problems
from .schema import CREDENTIAL, VAULT, schema

AT_A_TIME = 64  # operations on resources
# What the engine calls a default provider: with its version or its download URL, if the program names one. Any other
# name is a program's.
_DEFAULT_PROVIDER = re.compile(r"default(_\d+_\d+_\d+.*|_https?_.*)?")
R = TypeVar("R")
Kinds = provider_pb2.PropertyDiff

RESOURCES: Mapping[str, ResourceHandler] = {VAULT: VaultResource(), CREDENTIAL: CredentialResource()}

# For a change in place, and for one that forces a replacement.
KINDS: Mapping[Kind, tuple[Any, Any]] = {
    Kind.ADD: (Kinds.ADD, Kinds.ADD_REPLACE),
    Kind.UPDATE: (Kinds.UPDATE, Kinds.UPDATE_REPLACE),
    Kind.DELETE: (Kinds.DELETE, Kinds.DELETE_REPLACE),
}

# UNKNOWN makes the engine keep the operation as pending: only for a response that nobody knows.
CODES: Mapping[type[errors.QoderError], grpc.StatusCode] = {
    errors.SettingsError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotSent: grpc.StatusCode.UNAVAILABLE,
    errors.OutcomeUnknown: grpc.StatusCode.UNKNOWN,
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ServerError: grpc.StatusCode.UNAVAILABLE,
    errors.VaultNotFound: grpc.StatusCode.NOT_FOUND,
    errors.QoderError: grpc.StatusCode.FAILED_PRECONDITION,
}


def one_clean_line(method: Callable[[Any, Any, Any], R]) -> Callable[[Any, Any, Any], R]:
    """Let a call fail with one line and a code that says what it is; an unforeseen error fails without its text."""

    @functools.wraps(method)
    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> R:
        partial = None
        try:
            return method(self, request, context)
        except Partial as failure:
            code, line = grpc.StatusCode.UNKNOWN, str(failure)
            # Create has the inputs as properties, Update as news.
            given = getattr(request, "properties", None) or request.news
            partial = (failure.id, wire.with_marks(wire.to_wire(failure.outputs), given))
        except errors.QoderError as failure:
            code, line = next(CODES[kind] for kind in type(failure).__mro__ if kind in CODES), str(failure)
            if isinstance(failure, errors.NewerState):
                line = names.in_text(line)
        except Exception as failure:  # noqa: BLE001 the text of an unforeseen error may hold a secret
            code, line = grpc.StatusCode.INTERNAL, unforeseen(failure)
        if partial is not None:
            context.set_trailing_metadata(detailed_status(line, partial))
        context.abort(code, line)
        raise AssertionError("abort raises")

    return guarded


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider: the default one of a stack, or an explicit one. The engine starts a process for each."""

    def __init__(self, engine_address: str | None = None) -> None:
        self._engine = EngineLog(engine_address)
        self._is_of_one_engine = engine_address is not None
        self._operating = threading.Semaphore(AT_A_TIME)
        self._configuring = threading.Lock()
        self._configured: dict[str, Any] = {}
        self._owner = settings.STACK
        self._base_url: str | None = None
        self._calls = Calls()

    # The protocol's own affairs

    @one_clean_line
    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        connection.start_waiting()
        if request.engine_address:
            self._engine = EngineLog(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False, supports_autonaming_configuration=False
        )

    @one_clean_line
    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:
        connection.start_waiting()
        self._engine = EngineLog(request.address)
        return empty_pb2.Empty()

    @one_clean_line
    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version("pulumi-qoder-vault"))

    @one_clean_line
    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema()))

    @one_clean_line
    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """End all waits. It comes at the end of every command, too."""
        connection.stop_waiting()
        return empty_pb2.Empty()

    # Configuration

    @one_clean_line
    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        given = _received(request.news)
        failures = []
        try:
            settings.load(_as_settings(given), os.environ)
        except errors.SettingsError as failure:
            failures.append(provider_pb2.CheckFailure(property="", reason=str(failure)))
        inputs = properties.to_wire(given)
        if "apiToken" in inputs:
            inputs["apiToken"] = wire.secret(inputs["apiToken"])
        return provider_pb2.CheckResponse(inputs=_marked(inputs, request.news), failures=failures)

    @one_clean_line
    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """No setting forces another provider, and with it other vaults."""
        olds, news = (_received(item) for item in (request.old_inputs or request.olds, request.news))
        changed = sorted(key for key in {**olds, **news} if olds.get(key) != news.get(key))
        response = provider_pb2.DiffResponse
        return response(changes=response.DIFF_SOME if changed else response.DIFF_NONE, diffs=changed)

    @one_clean_line
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        """Keep the settings; what is wrong with one is said by the call that needs it.

        A refresh or destroy brings the configuration of the last `up`; the present one is in PULUMI_CONFIG, and comes
        first, so that a revoked API token bricks nothing. The environment comes last, as always: it may belong to
        another account, whose 404 would say that everything is gone. An explicit provider has its own arguments only.
        """
        configured, owner = _received(request.args), settings.STACK
        name, live = request.name or request.urn.rpartition("::")[2], os.environ.get("PULUMI_CONFIG")
        if not _DEFAULT_PROVIDER.fullmatch(name):
            owner = settings.Owner(provider=name)
        elif live:
            present = _live(live)
            # A misspelt key that only the last `up` had is gone, and bricks nothing.
            recorded = {key: value for key, value in configured.items() if key in settings.KEYS and key not in present}
            configured, owner = recorded | present, settings.Owner(recorded=frozenset(map(_full, recorded)))
        with self._configuring:
            self._refuse_another_base_url(configured)
            self._configured, self._owner = configured, owner
        self._calls = Calls()  # another engine, or the next command of one
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def _refuse_another_base_url(self, configured: Mapping[str, Any]) -> None:
        """Keep the API token where the engine sends it: the port of a plugin takes calls of the whole machine.

        A process that somebody runs by hand serves one engine after the other, each with its own configuration.
        """
        base_url = settings.load_base_url(_as_settings(configured), os.environ)
        if self._is_of_one_engine and self._base_url not in (None, base_url):
            raise errors.SettingsError(
                "qoder:baseUrl: this process of the plugin uses another one already, and keeps it; the engine "
                "starts a process for each provider"
            )
        self._base_url = base_url

    # Resources

    @one_clean_line
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        handler = _handler(request)
        inputs, recorded = wire.read_inputs(request.news), wire.read_recorded(request.olds)
        try:
            replaced = self._calls.note_check(request.urn, recorded)
            problems_ = check_all(handler, inputs, recorded, replaced, self._settings)
            found = [names.in_text(str(problem)) for problem in problems_ if not problem.is_warning]
            for problem in problems_:
                if problem.is_warning:
                    self._engine.warn(request.urn, names.in_text(str(problem)))
        except errors.SettingsError as failure:
            found = [str(failure)]
        if found:
            # The property stays empty: the engine would print its value.
            failures = [provider_pb2.CheckFailure(property="", reason=problem) for problem in found]
            return provider_pb2.CheckResponse(inputs=_marked(wire.to_wire(inputs), request.news), failures=failures)
        completed = handler.complete(inputs, recorded)
        return provider_pb2.CheckResponse(inputs=_marked(wire.to_wire(completed), request.news))

    @one_clean_line
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        # A refresh sends the ignoreChanges of the last up with its Diff, and must go on: it checks nothing before.
        if self._calls.is_declared(request.urn):
            _refuse_positions(request)
        outputs = wire.read_inputs(request.olds)
        settings_ = None
        with suppress(errors.SettingsError):  # a check says it
            settings_ = self._settings
        difference = _handler(request).diff(request.id, outputs, wire.read_inputs(request.news), settings_)
        self._calls.note_diff(request.urn, request.id, outputs)
        if difference.refusal:
            raise errors.QoderError(names.in_text(difference.refusal))
        for line in difference.warnings:
            self._engine.warn(request.urn, names.in_text(line))
        return _diff_response(difference, is_dynamic=properties.PROVIDER_KEY in request.olds.fields)

    @one_clean_line
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        handler, inputs = _handler(request), wire.read_inputs(request.properties)
        if request.preview:
            outputs = handler.preview_create(self._settings, inputs)
            return provider_pb2.CreateResponse(properties=_marked(wire.to_wire(outputs), request.properties))
        with self._operating:
            connection.refuse_if_over()
            try:
                id_, outputs = handler.create(self._qoder(request), inputs)
            except Partial as failure:
                self._calls.note_made(request.urn, failure.id)
                raise
        self._calls.note_made(request.urn, id_)
        return provider_pb2.CreateResponse(id=id_, properties=_marked(wire.to_wire(outputs), request.properties))

    @one_clean_line
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        handler, outputs = _handler(request), wire.read_inputs(request.properties)
        is_recorded = "base_url" in outputs
        with self._operating:
            qoder = self._qoder(request)
            found = handler.read(qoder, request.id, outputs) if is_recorded else handler.find(qoder, request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        inputs = request.inputs if found.inputs is None else _marked(wire.to_wire(found.inputs), request.inputs)
        return provider_pb2.ReadResponse(
            id=found.id, properties=_marked(wire.to_wire(found.outputs), request.properties), inputs=inputs
        )

    @one_clean_line
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        _refuse_positions(request)
        handler, recorded, inputs = _handler(request), wire.read_inputs(request.olds), wire.read_inputs(request.news)
        if request.preview:
            outputs = handler.preview_update(self._settings, request.id, recorded, inputs)
        else:
            with self._operating:
                connection.refuse_if_over()
                outputs = handler.update(self._qoder(request), request.id, recorded, inputs)
        return provider_pb2.UpdateResponse(properties=_marked(wire.to_wire(outputs), request.news))

    @one_clean_line
    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        deletion = Deletion(
            request.urn, self._calls.is_replaced(request.urn, request.id), "forceDestroy: true", "retainOnDelete: true"
        )
        with self._operating:
            connection.refuse_if_over()
            _handler(request).delete(self._qoder(request), request.id, wire.read_inputs(request.properties), deletion)
        return empty_pb2.Empty()

    # Functions

    @one_clean_line
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        if request.tok not in FUNCTIONS:
            raise errors.SettingsError(f"{request.tok}: there is no such function; there are {', '.join(FUNCTIONS)}")
        arguments = wire.read_inputs(request.args)
        failures = [
            provider_pb2.CheckFailure(property=_camel(name), reason=names.in_text(reason))
            for name, reason in problems(request.tok, arguments)
        ]
        response = provider_pb2.InvokeResponse(failures=failures)
        if not failures:
            result = FUNCTIONS[request.tok](Qoder(self._settings), arguments)
            getattr(response, "return").CopyFrom(wire.write(wire.to_wire(result)))
        return response

    @property
    def _settings(self) -> settings.Settings:
        return settings.load(_as_settings(self._configured), os.environ, self._owner)

    def _qoder(self, request: Any) -> Qoder:
        return Qoder(
            self._settings,
            timeout_s=getattr(request, "timeout", 0) or None,
            tell=functools.partial(self._engine.info, request.urn),
            urn=request.urn,
        )


def _handler(request: Any) -> ResourceHandler:
    """Find who serves a resource. The type in its URN stands after those of its parents."""
    type_ = request.urn.split("::")[2].rpartition("$")[2]
    if type_ not in RESOURCES:
        raise errors.SettingsError(f"{type_}: there is no such resource; there are {', '.join(RESOURCES)}")
    return RESOURCES[type_]


def _refuse_positions(request: Any) -> None:
    """Refuse ``ignoreChanges`` that the engine has applied by position: the inputs may hold another one's access token.

    Raises:
        SettingsError: it leads into the list of credentials.
    """
    if any(is_position(path, "credentials") for path in request.ignoreChanges):
        raise errors.SettingsError(POSITION_IGNORED.replace("ignore_changes", "ignoreChanges"))


def _diff_response(difference: Difference, *, is_dynamic: bool) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME
        if difference.is_change or is_dynamic
        else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=[_camel(name) for name in difference.replaces],
        deleteBeforeReplace=difference.deletes_first,
        hasDetailedDiff=True,
    )
    details = dict(difference.details)
    if is_dynamic:  # made with the dynamic provider: nothing to do at Qoder, but the state gets another shape
        details[properties.PROVIDER_KEY,] = Kind.UPDATE
    for path, kind in details.items():
        response.detailedDiff[names.path(path)].kind = KINDS[kind][path[0] in difference.replaces]
    response.diffs.extend(dict.fromkeys(_camel(str(path[0])) for path in details))
    return response


def _camel(name: str) -> str:
    return names.path((name,))


def _key(name: str) -> str:
    return name.removeprefix("qoder:")


def _full(key: str) -> str:
    return f"qoder:{key}"


def _as_settings(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return configuration under full keys; a setting that is not known yet is as one that is absent."""
    return {_full(key): value for key, value in configured.items() if value is not UNKNOWN or key not in settings.KEYS}


def _live(configuration: str) -> dict[str, Any]:
    """Read the configuration of this moment. It may hold the API token: what cannot be read is not shown."""
    try:
        return {_key(name): value for name, value in json.loads(configuration).items()}
    except (ValueError, AttributeError):
        raise errors.SettingsError("PULUMI_CONFIG: must be a JSON object, as Pulumi writes it") from None


def _received(message: struct_pb2.Struct) -> dict[str, Any]:
    """Read configuration: plain values, secrets unpacked, what is unknown as `UNKNOWN`."""
    return {_key(name): value for name, value in properties.to_inputs(wire.read(message)).items()}


def _marked(values: Mapping[str, Any], given: struct_pb2.Struct) -> struct_pb2.Struct:
    """Give properties for the engine, with the marks that the program set."""
    return wire.write(wire.with_marks(values, given))
