"""Pulumi's engine in one process: a program, a state and the provider over gRPC, with a clock that a test moves.

What the engine does with a response was seen with the real CLI, and the tests in `tests/engine` hold the same there:
partial state, inputs that stay old where an update fails, replacement before deletion, a refresh that forgets errors.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime.proto import provider_pb2

from in_process import wire
from in_process.provider import CREDENTIAL, FRONTS, Failed, Provider, Resource, forget_providers, serve
from in_process.wire import Props, is_secret, plain, secret
from pulumi_qoder_vault import connection, dynamic, dynamic_credential
from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.connection import Connections
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.lifecycle.credential_types import SECRET_NAMES
from pulumi_qoder_vault.plugin import names
from pulumi_qoder_vault.plugin.names import SchemaProperties
from pulumi_qoder_vault.pulumi_values import PulumiProperties
from pulumi_qoder_vault.secret_reader import READER


class Killed(Exception):
    """The provider dies here: nothing of its own code runs after this, and its response reaches nobody."""


@dataclass
class MovableTime:
    """Time that passes where somebody waits.

    Attributes:
        pace: what a wait of one second takes in truth, for a server that is still at work.
        on_sleep: called once, at the next wait.
    """

    pace: float = 0.0
    on_sleep: Callable[[], None] | None = None
    _passed_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 1000 + self._passed_s, lambda: time.time() + self._passed_s, self._sleep)

    def _sleep(self, wait_s: float) -> None:
        with self._lock:
            self._passed_s += wait_s
            hook, self.on_sleep = self.on_sleep, None
        if hook is not None:
            hook()
        time.sleep(wait_s * self.pace)


class Refused(Exception):
    """A check found problems."""


# The last one is the plugin's, too.
TYPES = {**FRONTS, "dynamic credential": dynamic_credential.CREDENTIAL_TYPE, "credential": CREDENTIAL}
PICKLED = {"dynamic": dynamic.PICKLED_PROVIDER, "dynamic credential": dynamic_credential.PICKLED_PROVIDER}
FOREVER = ExitStack()  # the providers live as long as the process


@functools.cache
def _provider(front: str) -> Provider:
    return serve(FOREVER, TYPES[front])


class Engine:
    """One stack. Properties have the names of the Python resource, whichever front there is.

    Attributes:
        state: resources by name.
        doomed: what was replaced and is still to be deleted.
        said: every error of every command, as the CLI prints it.
        heard: every response and every failure of the provider, as the engine has it.
        settings: configuration of the stack, beside where Qoder is.
    """

    def __init__(self, qoder: Emulator, clock: MovableTime, front: str = "dynamic", **settings: str) -> None:
        self.state: dict[str, Resource] = {}
        self.doomed: list[Resource] = []
        self.said: list[str] = []
        self.heard: list[str] = []
        self.settings = settings
        self._qoder = qoder
        self._time = clock
        self._front = front

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Run one command in a new provider process, in which nothing is known but configuration and environment."""
        before, connection.CONNECTIONS = connection.CONNECTIONS, Connections(self._time.clock)
        environment = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("QODER_")}
        forget_providers()
        READER.forget()
        _provider(self._front).configure(self._qoder, **self.settings)
        try:
            yield
        finally:
            connection.CONNECTIONS.close()
            connection.CONNECTIONS = before
            os.environ.update(environment)

    def preview(self, program: Mapping[str, Props]) -> dict[str, str]:
        """Return what an `up` would do, by name: create, update, replace, delete."""
        with self._running():
            planned = {name: self._planned(name, props)[0] for name, props in program.items()}
        planned |= {name: "delete" for name in self.state if name not in program}
        return {name: what for name, what in planned.items() if what != "same"}

    def up(self, program: Mapping[str, Props]) -> list[str]:
        """Make the state what the program says; return the errors."""
        with self._running():
            errors = self._each(program, lambda name: self._up(name, program[name]))
            if not errors:
                errors = self._delete_all([name for name in self.state if name not in program])
        return errors

    def refresh(self) -> list[str]:
        """Make the state what exists; return the errors."""
        with self._running():
            return self._each(self.state, self._refresh)

    def destroy(self) -> list[str]:
        """Delete everything; return the errors."""
        with self._running():
            return self._delete_all(self.state)

    def _each(self, names: Iterable[str], act: Callable[[str], None]) -> list[str]:
        errors = []
        for name in list(names):
            try:
                act(name)
            except (Failed, Refused) as failure:  # each may fail, and the others go on
                errors.append(str(failure))
        self.said += errors
        return errors

    def _delete_all(self, names: Iterable[str]) -> list[str]:
        def delete_doomed(_: str) -> None:
            while self.doomed:
                self._delete(self.doomed[0])
                self.doomed.pop(0)

        def delete(name: str) -> None:
            self._delete(self.state[name])
            del self.state[name]

        return self._each(["the replaced"], delete_doomed) + self._each(names, delete)

    def _planned(self, name: str, props: Props) -> tuple[str, Props]:
        news = plain(props) | ({"__provider": PICKLED[self._front]} if self._front in PICKLED else {})
        old = self.state.get(name)
        inputs = self._checked(name, news, old.inputs if old else {})
        if old is None:
            return "create", inputs
        diff = self._call("Diff", name, id=old.id, olds=old.outputs, news=inputs)
        is_known = diff.changes != provider_pb2.DiffResponse.DIFF_UNKNOWN
        differs = [key for key in {**inputs, **old.inputs} if inputs.get(key) != old.inputs.get(key)]
        has_changes = diff.changes == provider_pb2.DiffResponse.DIFF_SOME if is_known else bool(differs)
        if set(_snake(diff.replaces)) & set(differs) or (is_known and has_changes and diff.replaces):
            return "replace", self._checked(name, news, {})
        return "update" if has_changes or old.is_unfinished else "same", inputs

    def _checked(self, name: str, news: Props, olds: Props) -> Props:
        checked = self._call("Check", name, olds=olds, news=news)
        if checked.failures:
            raise Refused("; ".join(failure.reason for failure in checked.failures))
        return received(checked.inputs)

    def _up(self, name: str, props: Props) -> None:
        what, inputs = self._planned(name, props)
        old = self.state.get(name)
        if what in ("create", "replace"):
            made = self._guarded(
                lambda partial: self._put(name, old, Resource(partial.id, inputs, received(partial.properties), True)),
                "Create",
                name,
                properties=inputs,
            )
            self._put(name, old, Resource(made.id, inputs, received(made.properties)))
            return
        assert old is not None
        if what == "same":
            old.inputs = inputs
            return

        def keep(partial: Any) -> None:
            old.outputs, old.is_unfinished = received(partial.properties), True

        updated = self._guarded(keep, "Update", name, id=old.id, olds=old.outputs, news=inputs)
        self.state[name] = Resource(old.id, inputs, received(updated.properties))

    def _put(self, name: str, old: Resource | None, new: Resource) -> None:
        if old is not None:
            self.doomed.append(old)
        self.state[name] = new

    def _refresh(self, name: str) -> None:
        old = self.state[name]
        read = self._call("Read", name, id=old.id, properties=old.outputs, inputs=old.inputs)
        if not read.id:
            del self.state[name]
            return
        inputs = received(read.inputs) or old.inputs
        self.state[name] = Resource(read.id, inputs, received(read.properties))

    def _delete(self, resource: Resource) -> None:
        self._call("Delete", "doomed", id=resource.id, properties=resource.outputs)

    def _call(self, method: str, name: str, **fields: Any) -> Any:
        sent = {key: self._sent(value) if isinstance(value, dict) else value for key, value in fields.items()}
        urn = f"urn:pulumi:dev::project::{TYPES[self._front]}::{name}"
        try:
            response = _provider(self._front).call(method, urn=urn, **sent)
        except Failed as failure:
            self.heard.append(f"{failure.details} {failure.line} {failure.status} {failure.partial}")
            raise
        self.heard.append(str(response))
        return response

    def _sent(self, props: Props) -> Props:
        """Return what is sent: the plugin takes secrets, and the names of its schema."""
        return props if self._front in PICKLED else dict(names.to_schema(PulumiProperties(_marked(props))))

    def _guarded(self, keep: Callable[[Any], None], method: str, name: str, **fields: Any) -> Any:
        try:
            return self._call(method, name, **fields)
        except Failed as failure:
            if failure.partial is not None:
                keep(failure.partial)
            raise


def received(message: Any) -> Props:
    """Return what the engine keeps: an access token that is not marked as secret would stand in the state in plain."""
    values = dict(names.from_schema(SchemaProperties(wire.received(message))))
    assert [] == list(_in_plain(values)), "a secret in plain"
    return dict(plain(values))


def _in_plain(value: Any, key: str = "") -> Iterator[str]:
    """Yield the name of each secret that the engine would not encrypt."""
    if isinstance(value, dict) and not is_secret(value):
        yield from (found for name, item in value.items() for found in _in_plain(item, name))
    elif isinstance(value, list):
        yield from (found for item in value for found in _in_plain(item))
    elif key in SECRET_NAMES and value is not None and not is_secret(value):
        yield key


def _marked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _marked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return secret(value) if key in SECRET_NAMES and value is not None else value


def _snake(keys: Iterable[str]) -> list[str]:
    return [names.snake(key) for key in keys]
