"""Whatever a program hands to a constructor, Pulumi's SDK gets plain values, and nobody prints a secret."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import io
import pathlib
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime import rpc

from in_process.program import run_in_loop
from pulumi_qoder_vault.dynamic import VaultProvider
from pulumi_qoder_vault.dynamic_credential import CredentialProvider
from pulumi_qoder_vault.pulumi_values import MOST_ITEMS, PulumiProperties, from_program, from_pulumi, to_plain

CANARY = "canary-91c7-secret"
URL = "https://example.com/mcp"
GOOD = {"mcp_server_url": URL, "access_token": CANARY}
A_MAP = "must be a map with mcp_server_url, access_token, access_token_from, protocol, rotation_trigger, type, not"


@pytest.fixture(autouse=True, scope="module")
def quiet_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QODER_ACCESS_TOKEN", "QODER_PAT", "QODER_BASE_URL", "QODER_MANAGED_BASE_URL"):
            patch.delenv(name, raising=False)
        yield


def sent(make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """What the SDK sends of a resource's properties: it raises, with a `repr`, where it cannot."""

    async def serialize() -> Any:
        return await rpc.serialize_properties({name: to_plain(value, name) for name, value in make().items()}, {})

    return dict(rpc.deserialize_properties(run_in_loop(serialize), keep_unknowns=True))


def said(make: Callable[[], Mapping[str, Any]], provider: Any = VaultProvider) -> list[str]:
    """What the provider's check says of what the SDK sent."""
    checked = provider()
    checked.configure(ConfigureRequest(Config({}, "project")))
    return [failure.reason for failure in checked.check({}, {"__provider": "x", **unwrapped(sent(make))}).failures]


def unwrapped(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return unwrapped(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    return [unwrapped(item) for item in value] if isinstance(value, list) else value


@dataclasses.dataclass
class DataClass:
    mcp_server_url: str = URL
    access_token: str = CANARY


class Named(NamedTuple):
    mcp_server_url: str = URL
    access_token: str = CANARY


class Plain:
    def __init__(self) -> None:
        self.access_token = CANARY

    def __repr__(self) -> str:
        return f"Plain({CANARY})"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return f"Text({CANARY})"

    __repr__ = __str__


class Choice(enum.Enum):
    URL = URL
    SSE = "sse"


class Word(str, enum.Enum):  # noqa: UP042 the older spelling is in programs
    SSE = "sse"


class Hostile:
    """Fails with the secret in its text, whatever is done with it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(CANARY)

    def __repr__(self) -> str:
        raise RuntimeError(CANARY)


class BadMap(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(CANARY)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(["access_token"])


def failing() -> Iterator[Any]:
    yield dict(GOOD)
    raise ValueError(CANARY)


def endless() -> Iterator[Any]:
    while True:
        yield GOOD


class Loop(list[Any]):
    """A list in which it lies itself."""

    def __init__(self) -> None:
        super().__init__()
        self.append(self)


async def later(value: Any) -> Any:
    return value


# Each is made anew: a generator is used up.
GOOD_SHAPES: dict[str, Callable[[], Any]] = {
    "list": lambda: [GOOD],
    "tuple": lambda: (GOOD,),
    "dict values": lambda: {"a": GOOD}.values(),
    "generator": lambda: (item for item in [GOOD]),
    "map object": lambda: map(dict, [GOOD]),
    "deque": lambda: collections.deque([GOOD]),
    "mapping proxy": lambda: [types.MappingProxyType(GOOD)],
    "chain map": lambda: [collections.ChainMap(GOOD)],
    "user dict": lambda: [collections.UserDict(GOOD)],
    "ordered dict": lambda: [collections.OrderedDict(GOOD)],
    "text subclass": lambda: [{"mcp_server_url": Text(URL), "access_token": Text(CANARY)}],
    "enum": lambda: [{**GOOD, "mcp_server_url": Choice.URL, "protocol": Choice.SSE}],
    "text enum": lambda: [{**GOOD, "protocol": Word.SSE}],
    "output": lambda: pulumi.Output.from_input([GOOD]),
    "output of dict values": lambda: pulumi.Output.from_input(0).apply(lambda _: {"a": GOOD}.values()),
    "output of a generator": lambda: pulumi.Output.from_input(0).apply(lambda _: (item for item in [GOOD])),
    "secret output": lambda: pulumi.Output.secret([GOOD]),
    "output in a list": lambda: [pulumi.Output.from_input(GOOD)],
    "output in a map": lambda: [{**GOOD, "access_token": pulumi.Output.secret(CANARY)}],
    "output in an output": lambda: pulumi.Output.from_input(0).apply(
        lambda _: [{**GOOD, "access_token": later(CANARY)}]
    ),
    "awaitable": lambda: later([GOOD]),
    "awaitable in a map": lambda: [{**GOOD, "access_token": later(CANARY)}],
}

BAD_SHAPES: dict[str, tuple[Callable[[], Any], str]] = {
    "dataclass": (lambda: [DataClass()], f"credentials[0]: {A_MAP} a dataclass"),
    "a list of dataclasses in a dict view": (
        lambda: {"a": DataClass()}.values(),
        f"credentials[0]: {A_MAP} a dataclass",
    ),
    "class of a dataclass": (lambda: [DataClass], f"credentials[0]: {A_MAP} a function or class"),
    "object": (lambda: [Plain()], f"credentials[0]: {A_MAP} an object of type Plain"),
    "simple namespace": (
        lambda: [types.SimpleNamespace(**GOOD)],
        f"credentials[0]: {A_MAP} an object of type SimpleNamespace",
    ),
    "named tuple": (lambda: [Named()], f"credentials[0]: {A_MAP} a list"),
    "dict items": (lambda: {"a": GOOD}.items(), f"credentials[0]: {A_MAP} a list"),
    "dict of servers": (lambda: {"a": GOOD}, "credentials: must be a list of credentials, not a map"),
    "one credential": (lambda: GOOD, "credentials: must be a list of credentials, not a map"),
    "one dataclass": (lambda: DataClass(), "credentials: must be a list of credentials, not a dataclass"),
    "text": (lambda: CANARY, "credentials: must be a list of credentials, not a string"),
    "bytes": (lambda: CANARY.encode(), "credentials: must be a list of credentials, not bytes (decode them)"),
    "set of texts": (lambda: {CANARY}, f"credentials[0]: {A_MAP} a string"),
    "list of texts": (lambda: [CANARY], f"credentials[0]: {A_MAP} a string"),
    "list of lists": (lambda: [[GOOD]], f"credentials[0]: {A_MAP} a list"),
    "function": (lambda: lambda: CANARY, "credentials: must be a list of credentials, not a function or class"),
    "number": (lambda: 7, "credentials: must be a list of credentials, not a number"),
    "a number without end": (lambda: 10**400, "credentials: must be a list of credentials, not a number"),
    "hostile": (lambda: Hostile(), "credentials: must be a list of credentials, not an object that cannot be read"),
    "hostile in a list": (lambda: [Hostile()], f"credentials[0]: {A_MAP} an object that cannot be read"),
    "map that fails": (lambda: [BadMap()], f"credentials[0]: {A_MAP} an object that cannot be read"),
    "generator that fails": (failing, "credentials: must be a list of credentials, not an object that cannot be read"),
    "endless generator": (endless, f"credentials: must be a list of credentials, not more than {MOST_ITEMS} items"),
    "loop": (Loop, f"credentials[0]: {A_MAP} a list"),
    "asset": (
        lambda: [{**GOOD, "access_token": pulumi.StringAsset(CANARY)}],
        "credentials[0].access_token: must be a string, not an object of type StringAsset",
    ),
    "token in bytes": (
        lambda: [{**GOOD, "access_token": CANARY.encode()}],
        "credentials[0].access_token: must be a string, not bytes (decode them)",
    ),
    "token in an object": (
        lambda: [{**GOOD, "access_token": Plain()}],
        "credentials[0].access_token: must be a string, not an object of type Plain",
    ),
    "token in a map": (
        lambda: [{**GOOD, "access_token": {"value": CANARY}}],
        "credentials[0].access_token: must be a string, not a map",
    ),
    "token in a list": (
        lambda: [{**GOOD, "access_token": [CANARY]}],
        "credentials[0].access_token: must be a string, not a list",
    ),
    "token with half of a surrogate pair": (
        lambda: [{**GOOD, "access_token": CANARY + "\ud800"}],
        "credentials[0].access_token: must be a string, not text that is not Unicode",
    ),
    "path as a URL": (
        lambda: [{**GOOD, "mcp_server_url": pathlib.PurePosixPath("/x")}],
        "credentials[0].mcp_server_url: must be a string, not an object of type PurePosixPath",
    ),
    "a number as a key": (lambda: [{7: CANARY}], f"credentials[0]: {A_MAP} a map with a key that is no name"),
    "our own mark": (
        lambda: [{"qoder:unfit": CANARY}],
        f"credentials[0]: {A_MAP} a map with a key that is no name",
    ),
    "output of a dataclass": (
        lambda: pulumi.Output.from_input(0).apply(lambda _: [DataClass()]),
        f"credentials[0]: {A_MAP} a dataclass",
    ),
    "a dataclass in an output in a list": (
        lambda: [pulumi.Output.from_input(0).apply(lambda _: DataClass())],
        f"credentials[0]: {A_MAP} a dataclass",
    ),
    "an object in an output in a map": (
        lambda: [{**GOOD, "access_token": pulumi.Output.from_input(0).apply(lambda _: Plain())}],
        "credentials[0].access_token: must be a string, not an object of type Plain",
    ),
    "awaitable of a dataclass": (lambda: later([DataClass()]), f"credentials[0]: {A_MAP} a dataclass"),
    "secret URL": (
        lambda: [{**GOOD, "mcp_server_url": pulumi.Output.secret(URL)}],
        "credentials[0].mcp_server_url: is marked as a secret, but a URL is shown in plain outputs and errors: "
        "remove the mark (unsecret), or use a URL without a secret",
    ),
}


@pytest.mark.parametrize("make", GOOD_SHAPES.values(), ids=GOOD_SHAPES)
def test_any_iterable_of_maps_is_taken(make: Callable[[], Any]) -> None:
    """And arrives as a list of plain maps, its access token marked as a secret."""
    assert [] == said(lambda: {"display_name": "v", "credentials": make()})
    (arrived,) = unwrapped(sent(lambda: {"credentials": make()}))["credentials"]
    assert {"mcp_server_url": URL, "access_token": CANARY} == {key: arrived[key] for key in GOOD}
    assert CANARY not in repr(without_secrets(sent(lambda: {"credentials": make()})))


def without_secrets(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return "secret"
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("make", "line"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_everything_else_is_one_line_with_its_path_and_kind(make: Callable[[], Any], line: str) -> None:
    """The SDK takes what it is given, and the check says what it was, never what it held."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        assert [line] == said(lambda: {"display_name": "v", "credentials": make()})
    assert CANARY not in printed.getvalue()


def test_a_mark_counts_on_the_url_itself_only() -> None:
    """One inherited from a list, an element or an Output around it (`config.require_secret_object`) does not."""
    makes: tuple[Callable[[], Any], ...] = (
        lambda: pulumi.Output.secret([GOOD]),
        lambda: [pulumi.Output.secret(GOOD)],
        lambda: pulumi.Output.secret({"servers": [GOOD]}).apply(lambda value: value["servers"]),
    )
    for make in makes:

        def program(make: Callable[[], Any] = make) -> dict[str, Any]:
            return {"display_name": "v", "credentials": make()}

        assert [] == said(program)


@pytest.mark.parametrize("field", ["vault_id", "mcp_server_url", "access_token", "protocol", "type"])
@pytest.mark.parametrize("make", [DataClass, Plain, Hostile, lambda: CANARY.encode(), lambda: [CANARY]])
def test_every_argument_of_a_credential_is_made_plain(field: str, make: Callable[[], Any]) -> None:
    """One line for the argument, and nothing of what it held."""
    line, *others = said(lambda: {"vault_id": "vault_1", **GOOD, field: make()}, CredentialProvider)
    assert line.startswith(f"{field}: ")
    assert [] == [other for other in others if "stands in plain text here" not in other]
    assert CANARY not in line + "".join(others)


# Whatever there is: text that holds the canary, at any depth, in any wrapper. Drawn as recipes: an Output belongs to
# the event loop in which it is made.
@dataclasses.dataclass(frozen=True)
class Made:
    make: Callable[..., Any]
    inner: Any = None
    takes_inner: bool = False

    def build(self) -> Any:
        return self.make(build(self.inner)) if self.takes_inner else self.make()


def build(recipe: Any) -> Any:
    if isinstance(recipe, Made):
        return recipe.build()
    if isinstance(recipe, dict):
        return {key: build(item) for key, item in recipe.items()}
    return [build(item) for item in recipe] if isinstance(recipe, list) else recipe


OBJECTS: list[Callable[[], Any]] = [
    *(Plain, DataClass, Named, BadMap, Loop, failing, endless, object),
    lambda: Text(CANARY),
    lambda: Plain,
    lambda: len,
    lambda: ValueError(CANARY),
    lambda: Choice.SSE,
    lambda: Word.SSE,
    lambda: ...,
    lambda: range(3),
    lambda: pulumi.StringAsset(CANARY),
    lambda: later(CANARY),
    lambda: pulumi.Output.secret(CANARY),
]
WRAPPERS: list[Callable[[Any], Any]] = [
    lambda value: (value,),
    lambda value: {"a": value}.values(),
    lambda value: iter([value]),
    lambda value: types.MappingProxyType({"access_token": value}),
    lambda value: types.SimpleNamespace(value=value),
    lambda value: pulumi.Output.from_input(0).apply(lambda _: value),
    lambda value: pulumi.Output.secret(0).apply(lambda _: [value]),
    later,
]
# A program's own `apply` fails on one that is hostile; beside it, it is ours to handle.
hostile = st.just(Made(Hostile))
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.text(max_size=8)
    | st.builds(lambda text: CANARY + text, st.text(max_size=4))
    | st.builds(Made, st.sampled_from(OBJECTS))
)
keys = st.sampled_from(["mcp_server_url", "access_token", "protocol", "type", "metadata"]) | st.text(max_size=4)
objects = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys | st.integers() | st.binary(max_size=2), inner, max_size=3)
        | st.builds(Made, st.sampled_from(WRAPPERS), inner, st.just(value=True))
    ),
    max_leaves=6,
)
OF_A_CREDENTIAL = {"display_name": "vault_id", "on_delete": "protocol", "credentials": "access_token"}


@given(
    st.dictionaries(
        st.sampled_from(["display_name", "credentials", "metadata", "on_delete"]),
        objects | hostile | st.lists(hostile, max_size=2),
    ),
    st.sampled_from([VaultProvider, CredentialProvider]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore:coroutine")  # one that lies in something that is refused is not awaited
def test_no_object_is_ever_printed(props: dict[str, Any], provider: Any) -> None:
    """Neither by the SDK, which raises nothing, nor by the check, whose lines are printable."""
    if provider is CredentialProvider:
        props = {OF_A_CREDENTIAL.get(name, name): value for name, value in props.items()}
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        lines = said(lambda: build(props), provider)
    assert CANARY not in printed.getvalue()
    for line in lines:
        assert line.isprintable(), line
        assert CANARY not in line
        assert len(line) < 3000


def test_a_mark_is_read_back_where_it_stands() -> None:
    """At any depth, and nothing else is changed."""
    assert {"a": [1, {"b": "c"}]} == from_pulumi(PulumiProperties({"a": (1, {"b": "c"})}))
    assert "a dataclass" == from_program(PulumiProperties({"a": [to_plain(DataClass())]}))["a"][0].kind


def test_a_mark_is_read_in_what_a_constructor_handed_over_alone() -> None:
    """In a state, or on the plugin's wire, a map with such a key is a map: nothing in it is shown as a kind."""
    given = {"access_token": {"qoder:unfit": "SECRET"}, "metadata": {"qoder:secret-url": "hello"}}
    assert given == from_pulumi(PulumiProperties(given))
