"""Any life of a stack at any service that the emulator can be.

A service differs from the documented one in a few points, each an option of the emulator. A life is a sequence of
commands, and of what others do between them; one fault at most meets one of its requests. After each command the judge
of the hostile services looks at what the emulator has: what proves what must hold whatever a service does.

    make faults                                              # the fault table, and ten thousand lives
    make faults ARGS="--only lives --lives 20 --seed 4711"   # so many lives alone; with a seed, the same ones
"""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import re
import ssl
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from faults.lives import FOREIGN, QUICK
from faults.seen import Seen
from faults.table import FAULTS
from hostile.judge import Declared, Judge
from hostile.service import Credential, Vault
from in_process.engine import Engine, MovableTime
from in_process.wire import Props
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName
from pulumi_qoder_vault.emulator.effects import Effect
from pulumi_qoder_vault.emulator.errors import not_found
from pulumi_qoder_vault.emulator.gateway import HTML, html_page
from pulumi_qoder_vault.error_reporting import EngineLog

API_TOKEN, OTHER_API_TOKEN = "pt-canary-ours-4c1f", "pt-canary-others-90de"
MOVED = "https://moved.example/mcp"
SETTLED_S = 10.0  # longer than any lag
LIVES_OF_A_NUMBER = 20
CONTEXT = functools.cache(ssl.create_default_context)  # it takes 20 ms, and there are thousands of clients
IDS = re.compile(r"[A-Za-z]*[_-]?[0-9a-f-]{32,36}")
UNFINISHED = 3  # an `up` that failed under a fault, and two more

# A service


@dataclass(frozen=True, repr=False)
class Service:
    """What a service is. Each field is the emulator's option of that name, but the first two.

    Attributes:
        revision: the revision that it serves.
        setting: `qoder:apiRevision` of the stack.
    """

    revision: RevisionName = "2026-05"
    setting: str = "auto"
    credential_delete_refusal: int | None = None
    vault_delete_refusal: int | None = None
    credential_update_refusal: int | None = None
    credential_get_refusal: int | None = None
    archive_again: int = 409
    archived_write_status: int = 409
    archive_response: str | None = None
    delete_response: str | None = None
    archives_credentials: bool = False
    hides_archived_vaults: bool = False
    credential_create_status: int = 200
    create_credentials: str = "created"
    vault_get_credentials: bool = False
    credentials_key: str = "refuse"
    unknown_keys: str = "ignore"
    idempotency: bool = True
    unique_url: bool | None = None
    conflict_message: str = "An active credential for this mcp_server_url already exists in the vault."
    conflict_param: bool = True
    max_credentials: int = 20
    max_credentials_status: int = 409
    get_lag_s: float = 0.0
    list_lag_s: float = 0.0
    vault_route_lag_s: float = 0.0
    delete_lag_s: float = 0.0
    date_ahead_s: float = 0.0
    newest_first: bool = True
    page_size_cap: int | None = None
    next_page: str = "last_id"
    list_position: bool = True
    after_id_key: str = "honour"
    name_key: str = "honour"
    lost_cursor_status: int | None = None
    store_metadata: bool | None = None
    adds_metadata: bool = False
    trims_metadata: bool = False
    trims_display_name: bool = False
    nfc_display_name: bool = False
    normalizes_urls: bool = False
    utc_offset_minutes: int | None = None
    not_archived: str | None = None
    id_form: str = "hex"
    vault_id_prefix: str = "vault_"
    credential_id_prefix: str = "vcred_"
    ignored_auth_fields: tuple[str, ...] = ()
    vault_echo: str | None = None

    def __repr__(self) -> str:
        """Return the call that makes it, with what is not as documented."""
        fields = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        return f"Service({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in fields)})"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """Let Hypothesis print the same."""
        printer.text(repr(self))

    def options(self) -> dict[str, Any]:
        """Return the options of the emulator."""
        return {name: value for name, value in vars(self).items() if name not in ("revision", "setting")}

    @property
    def is_current(self) -> bool:
        return self.revision == "2026-07"

    @property
    def allows_second(self) -> bool:
        """Return True if a vault may hold two active credentials for one URL."""
        return not (self.is_current if self.unique_url is None else self.unique_url)

    @property
    def updates_in_place(self) -> bool:
        return self.is_current and self.credential_update_refusal is None

    @property
    def capacity(self) -> int:
        """Return how many credentials a vault holds, and can rotate."""
        # A vault that is full below the 20 of the sister API, and says so with 400, rotates none: nothing tells why.
        is_stuck = self.max_credentials_status == 400 and not self.updates_in_place
        return self.max_credentials - 1 if is_stuck else self.max_credentials

    @property
    def stores_metadata(self) -> bool:
        return self.is_current if self.store_metadata is None else self.store_metadata


LAGS = st.sampled_from([0.9, 3.0, 5.0, 6.5])
ROUTES = st.sampled_from([404, 405, 501])
POINTS: dict[str, st.SearchStrategy[Any]] = {
    "credential_delete_refusal": ROUTES,
    "vault_delete_refusal": st.sampled_from([404, 405, 409, 501]),
    "credential_update_refusal": ROUTES,
    "credential_get_refusal": ROUTES,
    "archive_again": st.just(200),
    "archived_write_status": st.just(400),
    "archive_response": st.sampled_from(["empty", "null"]),
    "delete_response": st.sampled_from(["empty", "null"]),
    "archives_credentials": st.just(True),
    "hides_archived_vaults": st.just(True),
    "credential_create_status": st.just(201),
    "create_credentials": st.sampled_from(["null", "empty", "absent"]),
    "vault_get_credentials": st.just(True),
    "credentials_key": st.just("ignore"),
    "unknown_keys": st.just("refuse"),
    "idempotency": st.just(False),
    "unique_url": st.booleans(),
    "conflict_message": st.sampled_from(["Credential exists.", "The request conflicts with the vault.", ""]),
    "conflict_param": st.just(False),
    "max_credentials": st.sampled_from([2, 3]),
    "max_credentials_status": st.just(400),
    "get_lag_s": LAGS,
    "list_lag_s": LAGS,
    "vault_route_lag_s": LAGS,
    "delete_lag_s": LAGS,
    "date_ahead_s": st.sampled_from([3600.0, 5.0, -5.0, -3600.0]),
    "newest_first": st.just(False),
    "page_size_cap": st.sampled_from([1, 2]),
    "next_page": st.sampled_from(["opaque", "absent"]),
    "list_position": st.just(False),
    "after_id_key": st.just("refuse"),
    "name_key": st.sampled_from(["ignore", "refuse"]),
    "lost_cursor_status": st.sampled_from([400, 404]),
    "store_metadata": st.just(True),
    "adds_metadata": st.just(True),
    "trims_metadata": st.just(True),
    "trims_display_name": st.just(True),
    "nfc_display_name": st.just(True),
    "normalizes_urls": st.just(True),
    "utc_offset_minutes": st.sampled_from([480, -210]),
    "not_archived": st.sampled_from(["null", "zero_time", "absent"]),
    "id_form": st.just("dashes"),
    "vault_id_prefix": st.sampled_from(["", "v-", "VAULT_"]),
    "credential_id_prefix": st.sampled_from(["", "c-"]),
    "ignored_auth_fields": st.sampled_from([("injection_location",), ("networking",), ("expires_at",)]),
    "vault_echo": st.just("metadata"),
}
OFTEN = (
    "get_lag_s", "list_lag_s", "delete_lag_s", "unique_url", "idempotency", "max_credentials",
    "credential_delete_refusal", "credential_update_refusal", "credential_get_refusal", "vault_delete_refusal",
)  # fmt: skip


@st.composite
def services(draw: st.DrawFn) -> Service:
    """Draw a service that differs in a few points which go together."""
    revision: RevisionName = draw(st.sampled_from(["2026-05", "2026-07", "between"]))
    setting = draw(st.sampled_from(["auto", "2026-07" if revision == "2026-07" else "2026-05"]))
    point = st.one_of(st.sampled_from(list(POINTS)), st.sampled_from(OFTEN))
    names = draw(st.lists(point, max_size=6, unique=True))
    drawn = Service(revision, setting, **{name: draw(POINTS[name]) for name in names})
    return _consistent(drawn)


def _consistent(service: Service) -> Service:
    """Return a service that can be used: its lists can be followed to their end, and its routes end what they made."""
    has_next_page = service.is_current and service.next_page != "absent"
    has_after_id = service.list_position and service.after_id_key == "honour"
    if not (has_next_page or has_after_id):
        service = replace(service, page_size_cap=None)
    if service.vault_route_lag_s and service.is_current:
        # A create that is repeated after a 404 has the same key: a service that honours keys replays the 404.
        service = replace(service, idempotency=False)
    return service


# A life

Front = Literal["dynamic", "plugin", "credential"]
What = Literal[
    "add", "remove", "rotate", "rotate all", "swap", "reorder", "rename", "again", "refresh",
    "they delete a credential", "they archive a credential", "they delete the vault", "they archive the vault",
    "they change a URL", "they rename the vault", "they add a credential",
    "another's refresh", "another's up", "another's destroy",
]  # fmt: skip
CHANGES: tuple[What, ...] = (
    "rotate",
    "add",
    "remove",
    "swap",
    "rename",
    "reorder",
    "rotate all",
    "again",
    "refresh",
    "refresh",
)
OTHERS: tuple[What, ...] = (
    "they delete a credential", "they archive a credential", "they delete the vault", "they archive the vault",
    "they change a URL", "they rename the vault", "they add a credential",
    "another's refresh", "another's up", "another's destroy",
)  # fmt: skip
ONCE: dict[str, Fault | Effect] = {
    **{name: FAULTS[name] for name in QUICK},
    "409 busy": Fault.CONFLICT_BUSY,
    "409 modified": Fault.CONFLICT_MODIFIED,
    "501": Fault.FEATURE_NOT_AVAILABLE,
    "503 unavailable feature": Fault.FEATURE_NOT_AVAILABLE_503,
    "303 after": Fault.SEE_OTHER_AFTER_COMMIT,
    "404 of another service": Fault.FOREIGN_404,
    "another one was created": Fault.CREATED_ANOTHER,
    "another one was created after": Fault.CREATED_ANOTHER_AFTER_COMMIT,
    "an empty list": Fault.LIST_EMPTY,
    "a list ends early": Fault.LIST_ENDS_EARLY,
    "503 with HTML": Effect("A gateway is overloaded.", status=503, headers=HTML, body=html_page("503")),
    "404": Effect("A replica knows nothing.", status=404, body=not_found("Object", "asked for").envelope("")),
    "403": Fault.FORBIDDEN,
}
OF_CREATES = ("another one was created", "another one was created after")
MORE = (*OF_CREATES, *(name for name in ONCE if name not in QUICK))
ROUTES_OF_FAULTS = (
    "* /**", "POST /vaults", "POST /vaults/*/credentials", "POST /vaults/*/credentials/*", "DELETE /**", "GET /**",
    "GET /vaults/*",
)  # fmt: skip
LISTS_LIE = ("an empty list", "a list ends early")
EXTRAS: dict[str, Props] = {
    "injection_location": {
        "type": "environment_variable",
        "injection_location": {"header": True, "body": False},
    },
    "networking": {
        "type": "environment_variable",
        "networking": {"type": "limited", "allowed_hosts": ["a.example"]},
    },
    "expires_at": {"type": "mcp_oauth", "expires_at": "2031-01-01T00:00:00Z"},
}


@dataclass(frozen=True)
class Planned:
    """A fault, which some request meets from a command on, counted from 0.

    Attributes:
        route: which requests can meet it.
        skip: so many of them pass before.
        has_rival: while the command waits, another stack makes a vault with the same name.
    """

    name: str
    command: int
    route: str = "* /**"
    skip: int = 0
    has_rival: bool = False


@dataclass(frozen=True)
class Step:
    """One thing that happens; `pick` chooses what it happens to."""

    what: What
    pick: int = 0


@dataclass(frozen=True)
class Life:
    """What happens to a stack. A `destroy` ends it.

    Attributes:
        letters: the servers that are declared first.
        pause_s: between two commands; after something that others did it is `SETTLED_S` at least.
        has_second: the program has another vault, which is changed with the first one.
        extra: a field of a standalone credential.
    """

    front: Front = "dynamic"
    letters: str = "ab"
    steps: tuple[Step, ...] = ()
    fault: Planned | None = None
    pause_s: float = 0.0
    name: str = "my-mcp-vault"
    url: str = "https://{}.example/mcp"
    metadata: bool = False
    has_second: bool = False
    extra: str = ""


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw a life."""
    what = st.one_of(st.sampled_from(CHANGES), st.sampled_from(CHANGES), st.sampled_from(OTHERS))
    steps = draw(st.lists(st.builds(Step, what, st.integers(0, 3)), min_size=1, max_size=5))
    name = st.one_of(st.sampled_from(MORE), st.sampled_from(QUICK))
    skip = st.one_of(st.just(0), st.integers(0, 3))
    planned = st.builds(
        Planned, name, st.integers(0, len(steps)), st.sampled_from(ROUTES_OF_FAULTS), skip, st.booleans()
    )
    return Life(
        front=draw(st.sampled_from(["dynamic", "plugin", "dynamic", "plugin", "credential"])),
        letters=draw(st.sampled_from(["ab", "a", "abc"])),
        steps=tuple(steps),
        fault=draw(st.one_of(planned, st.none())),
        pause_s=draw(st.sampled_from([0.0, 3.0, 70.0])),
        name=draw(st.sampled_from(["my-mcp-vault", "cafe\u0301"])),
        url=draw(st.sampled_from(["https://{}.example/mcp", "https://{}.Example:443/mcp/"])),
        metadata=draw(st.booleans()),
        has_second=draw(st.sampled_from([False, False, True])),
        extra=draw(st.sampled_from(["", "", *EXTRAS])),
    )


class Flawed(AssertionError):
    """Something happened that must not."""


class Run:
    """A life at a service, and its judge."""

    def __init__(self, service: Service, life: Life) -> None:
        self.service, self.life = service, life
        self.time = MovableTime()
        self.qoder = Emulator(
            service.revision,
            api_token=OTHER_API_TOKEN,
            clock=lambda: datetime.fromtimestamp(self.time.clock.now_s(), UTC),
            **cast("Any", service.options()),
        )
        self.account = self.qoder.add_account(API_TOKEN)
        self.seen = Seen(self.qoder, {"ours": self.account, "another's": self.qoder}, self.time.clock.now_s)
        self.engine = self.engine_of(API_TOKEN)
        self.tokens: dict[str, int] = {}
        self.name = life.name
        self.versions = 0
        self.commands = 0
        self.lines: list[str] = []  # of this command
        self.log: list[str] = []  # of the life
        self.foreign: set[str] = set()
        self.is_stale = False
        self.is_faulty = False  # a fault met a command, and nothing has succeeded since
        self.has_met = self.has_rival = False
        self.extra = dict(EXTRAS.get(life.extra, {})) if service.is_current and life.front == "credential" else {}
        self.shared = ""

    def engine_of(self, api_token: str) -> Engine:
        return Engine(self.qoder, self.time, self.life.front, apiToken=api_token, apiRevision=self.service.setting)

    @property
    def of_a_vault(self) -> bool:
        return self.life.front != "credential"

    # The life

    def live(self) -> None:
        """Live, and be judged.

        Raises:
            Flawed: something happened that must not.
        """
        with self.qoder, self.listening():
            self.people()
            for letter in self.life.letters[: self.service.capacity if self.of_a_vault else 1]:
                self.rotate(letter)
            if set(self.service.ignored_auth_fields) & set(self.extra):
                self.refused()
                return
            self.up("create")
            for step in self.life.steps:
                self.take(step)
            self.qoder.clear_faults()
            if self.is_stale:
                self.refresh()
            self.up("again")
            self.destroy()

    def people(self) -> None:
        """Others have vaults: with the name and the URLs of ours, in this account and in another one."""
        made = []
        for contents in (self.qoder, self.account):
            for number, name in enumerate(["filler", self.name, "shared"]):
                vault = contents.add_vault(name, metadata={"pulumi_create_id": "theirs"} if number == 1 else {})
                made.append(vault.id)
                letters = "ab" if number == 1 else ""
                made += [contents.add_credential(vault.id, self.url(item), f"their-{item}").id for item in letters]
                self.shared = vault.id
        self.seen.theirs |= set(made)
        self.time.clock.sleep(100.0)
        self.seen.look()
        self.judge = Judge(cast("Any", self.seen), {API_TOKEN, OTHER_API_TOKEN})

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect what the provider shows under a resource."""

        def keep(_log: EngineLog, _urn: str, line: str) -> None:
            self.lines.append(line)

        with patch.object(EngineLog, "warn", keep), patch.object(EngineLog, "info", keep):
            yield

    def take(self, step: Step) -> None:
        """Do one thing, where it can be done."""
        if step.what in OTHERS:
            others = "another's" if step.what.startswith("another's") else "they"
            (self.another if others == "another's" else self.they)(step.what, step.pick)
        elif step.what == "refresh":
            self.refresh()
        elif self.change(step.what, step.pick):
            self.up(step.what)

    def change(self, what: What, pick: int) -> bool:
        """Change the program; return False if it cannot be changed like this."""
        letters = list(self.tokens)
        chosen = letters[pick % len(letters)]
        free = [letter for letter in "abcd" if letter not in letters]
        room = self.service.capacity - len(letters) - len(self.foreign)
        if not self.of_a_vault and what in ("add", "remove", "reorder"):
            return False
        if what == "again":
            return True
        if what == "rename" and self.of_a_vault:
            self.name = f"{self.life.name}-{self.versions}"
        elif what in ("rotate", "rotate all"):
            for letter in letters if what == "rotate all" else [chosen]:
                self.rotate(letter)
        elif what == "reorder":
            self.tokens = dict(reversed(self.tokens.items()))
        elif what == "add" and room > 0:
            self.rotate(free[0]) if free else None
        elif what == "remove" and len(letters) > 1:
            del self.tokens[chosen]
        elif what in ("swap", "rename") and free:
            del self.tokens[chosen]
            self.rotate(free[0])
        else:
            return False
        return True

    def rotate(self, letter: str) -> None:
        self.versions += 1
        self.tokens[letter] = self.versions

    # The program

    def url(self, letter: str) -> str:
        return self.life.url.format(letter)

    def key(self, letter: str) -> str:
        return f"KEY_{letter.upper()}" if self.extra.get("type") == "environment_variable" else self.url(letter)

    def token(self, letter: str) -> str:
        token = f"canary-{letter}{self.tokens[letter]}-51c0"
        self.judge.secrets = tuple({*self.judge.secrets, token})
        return token

    def program(self) -> dict[str, Props]:
        if not self.of_a_vault:
            (letter,) = self.tokens
            is_variable = self.extra.get("type") == "environment_variable"
            names = ("secret_name", "secret_value") if is_variable else ("mcp_server_url", "access_token")
            return {
                "c": {
                    "vault_id": self.shared,
                    names[0]: self.key(letter),
                    names[1]: self.token(letter),
                    **self.extra,
                }
            }
        credentials = [
            {"mcp_server_url": self.url(letter), "access_token": self.token(letter)} for letter in self.tokens
        ]
        props: Props = {"display_name": self.name, "credentials": credentials, "on_delete": "delete"}
        if self.life.metadata and self.service.stores_metadata:
            props["metadata"] = {"team": " blue "}
        second: dict[str, Props] = {"w": {**props, "display_name": f"{self.name}-w"}} if self.life.has_second else {}
        return {"v": props, **second}

    def declared(self) -> list[Declared]:
        ids = [self.engine.state[name].id if name in self.engine.state else "" for name in self.program()]
        return [
            Declared(id_.partition("/")[0], self.key(letter), self.token(letter))
            for id_ in ids
            for letter in self.tokens
        ]

    # Commands

    def up(self, what: str) -> None:
        """Run `up`; where it fails, do what its lines say, and run it again, twice at most."""
        may_fail = self.is_faulty or self.is_stale or (self.foreign and what == "rename")
        for attempt in range(UNFINISHED):
            program, declared = self.program(), self.declared()
            self.judge.keys |= {item.token: item.key for item in declared}
            watched = self.watched(what)
            errors = self.command(f"{what}, {attempt}", lambda program=program: self.engine.up(program))
            self.must(self.gaps(watched))
            if not errors:
                self.succeeded()
                return
            if self.is_stale:
                self.do_as_told(errors)
                return
            may_fail = may_fail or self.is_faulty
            self.must([] if may_fail else ["(h) it failed, and everything for a success was there"])
            if attempt + 1 < UNFINISHED:
                self.do_as_told(errors)
        self.must(["(h) three times in a row it failed"])

    def succeeded(self) -> None:
        """Nothing is missing, nothing is there twice, and nothing is planned."""
        self.is_faulty = False
        if self.is_stale:
            return
        declared = self.declared()
        self.must(self.judge.after_success(declared, {item.vault_id for item in declared} if self.of_a_vault else ()))
        planned = self.engine.preview(self.program())
        self.must([f"(a) nothing has changed, and a preview shows {planned}"] if planned else [])

    def refused(self) -> None:
        """What the service drops cannot be declared: it fails, and leaves nothing."""
        program = self.program()
        errors = self.command("create what is dropped", lambda: self.engine.up(program))
        self.must([] if errors else ["(a) a field was dropped, and it succeeded"])
        self.destroy()

    def refresh(self) -> None:
        """Run `refresh`, which drops nothing that exists; where it fails under a fault, again."""
        for attempt in range(UNFINISHED):
            before = self.recorded_ids()
            errors = self.command(f"refresh, {attempt}", self.engine.refresh)
            self.must(self.judge.dropped(before, self.recorded_ids()))
            if not errors:
                self.is_stale = False
                return
            self.must([] if self.is_faulty else ["(h) it failed, and everything for a success was there"])
        self.must(["(h) three times in a row it failed"])

    def destroy(self) -> None:
        """Run `destroy`, until nothing is left."""
        if self.foreign and self.of_a_vault:
            kept = {self.seen.credential(id_).vault_id for id_ in self.foreign} & self.recorded_ids()
            errors = self.command("destroy, guarded", self.engine.destroy)
            is_whole = {item.id for item in self.judge.alive(kept)} == kept <= self.recorded_ids()
            self.must([] if errors and is_whole else ["(b) a vault was deleted with a credential of others in it"])
            self.they_take_theirs_out()
        for attempt in range(UNFINISHED):
            errors = self.command(f"destroy, {attempt}", self.engine.destroy)
            if not errors:
                self.must(self.judge.after_destroy())
                self.must(["(a) something is in the state"] if self.engine.state or self.engine.doomed else [])
                return
            self.must([] if self.is_faulty else ["(h) it failed, and everything for a success was there"])
            self.do_as_told(errors)
        self.must(["(h) three times in a row it failed"])

    def command(self, what: str, act: Any) -> list[str]:
        """Run one command, under a fault if it is its turn, and let the judge look at what no command may do."""
        # Where a list and a GET both show what another process deleted, it counts as there.
        self.time.clock.sleep(max(self.life.pause_s, min(self.service.list_lag_s, self.service.get_lag_s)))
        self.lines.clear()
        self.qoder.clear_requests()
        self.plan(has_rival=not what.startswith("another's"))
        errors: list[str] = act()
        self.time.on_sleep = None
        met = [request.fault for request in self.qoder.requests if request.fault]
        self.is_faulty, self.has_met = self.is_faulty or bool(met), self.has_met or bool(met)
        self.commands += 1
        self.lines[:0] = errors
        requests = [f"{request.method} {request.path} {request.status}" for request in self.qoder.requests]
        self.log += [f"{what}{' under ' + met[0] if met else ''}: {'; '.join(requests)}"]
        self.log += [f"    said: {line}" for line in self.lines]
        self.seen.look()
        self.must(self.judge.always(self.lines, self.state()) + self.judge.after_any(self.state()))
        self.must([f"(g) not one clean line: {line!r}" for line in self.lines if not _is_clean(line)])
        return errors

    def plan(self, *, has_rival: bool) -> None:
        fault = self.life.fault
        if fault is None or fault.command > self.commands or self.has_met:
            return
        method, _, path = fault.route.partition(" ")
        if fault.name in OF_CREATES and path != "/vaults/*/credentials":
            method, path = "POST", "/vaults"
        if fault.command == self.commands:
            self.qoder.fail_next(method, path, ONCE[fault.name], skip=fault.skip)
        if fault.has_rival and has_rival and self.of_a_vault and not self.has_rival:
            self.time.on_sleep = self.rival

    def rival(self) -> None:
        """Another stack makes a vault like ours, right now."""
        self.has_rival = True
        vault = self.account.add_vault(self.name, metadata={"pulumi_create_id": "theirs"})
        self.seen.theirs.add(vault.id)
        for letter in self.tokens if self.service.capacity > len(self.tokens) else ():
            self.seen.theirs.add(self.account.add_credential(vault.id, self.url(letter), "their-secret").id)
        self.seen.look()
        made = self.seen.vault(vault.id)
        for item in (made, *made.credentials):
            self.judge.include_theirs(cast("Credential", item))

    def must(self, flaws: Sequence[str]) -> None:
        if flaws:
            raise Flawed("\n".join([*dict.fromkeys(flaws), repr(self.service), repr(self.life), *self.log]))

    def do_as_told(self, errors: Sequence[str]) -> None:
        """Delete what a line says is to be deleted, where it is ours; refresh where a line says so."""
        text = " ".join(errors)
        if "is not deleted: it holds" in text or "which this resource did not make" in text:
            self.they_take_theirs_out()
        if "delete" in text:
            for item in self.judge.orphans(self.state()):
                if item.id in text:
                    self.remove(cast("Vault | Credential", item))
        if "refresh" in text:
            before = self.recorded_ids()
            self.command("as told, refresh", self.engine.refresh)
            self.must(self.judge.dropped(before, self.recorded_ids()))

    # A rotation has no gap

    def watched(self, what: str) -> set[tuple[str, str]]:
        """Return what must be active at every moment of an `up`."""
        is_gapless = self.service.updates_in_place or (self.service.allows_second and self.has_room())
        is_renamed = "replace" in self.engine.preview(self.program()).values()
        if not is_gapless or self.is_stale or is_renamed or self.extra.get("type") == "environment_variable":
            return set()
        return {
            (item.vault_id, item.key)
            for item in self.declared()
            if any(item.key == other.asked_key for other in self.ours(item.vault_id))
        }

    def has_room(self) -> bool:
        """Return True if one more fits into our vault: then nothing must make room for it."""
        return all(len(vault.active) + 1 < self.service.max_credentials for vault in self.recorded_vaults())

    def gaps(self, watched: set[tuple[str, str]]) -> list[str]:
        return [
            f"(f) at one moment {url} had no active credential in {vault_id}"
            for vault_id, url in sorted(watched)
            if any((vault_id, url) not in request.active_urls for request in self.qoder.requests)
        ]

    # Other people

    def they(self, what: What, pick: int) -> None:
        """Somebody does something in our vault, and nobody is told; time passes."""
        vaults = [vault for vault in self.recorded_vaults() if vault.is_active]
        if not vaults:
            return
        vault = vaults[pick % len(vaults)]
        ours = self.ours(vault.id)
        if what in ("they delete the vault", "they archive the vault") and self.of_a_vault:
            for item in vault.credentials:
                self.judge.they_took_it_out(item)
                self.foreign.discard(item.id)
            (self.account.archive_vault if "archive" in what else self.account.delete_vault)(vault.id)
            self.is_stale = True
        elif what == "they add a credential" and self.of_a_vault:
            self.they_add(vault)
        elif what == "they rename the vault" and self.of_a_vault:
            self.account.store.vault(vault.id).display_name = "renamed by somebody"
        elif what == "they change a URL" and ours and not self.extra:
            self.they_move(ours[pick % len(ours)])
        elif what in ("they delete a credential", "they archive a credential") and ours:
            act = self.account.archive_credential if "archive" in what else self.account.delete_credential
            act(vault.id, ours[pick % len(ours)].id)
            self.is_stale = True
        self.log.append(what)
        self.time.clock.sleep(SETTLED_S)
        self.seen.look()

    def they_add(self, vault: Vault) -> None:
        """Put a credential of theirs into our vault, unless a list hides it later: then nothing can know of it."""
        lies = self.life.fault is not None and self.life.fault.name in LISTS_LIE
        if lies or self.foreign or max(len(vault.active), len(self.tokens)) >= self.service.capacity:
            return
        item = self.account.add_credential(vault.id, FOREIGN, "their-token")
        self.seen.theirs.add(item.id)
        self.seen.look()
        self.judge.include_theirs(self.seen.credential(item.id))
        self.foreign.add(item.id)

    def they_move(self, item: Credential) -> None:
        """Give a credential of ours another URL: from now on it is theirs."""
        lies = self.life.fault is not None and self.life.fault.name in LISTS_LIE
        active = len(self.seen.vault(item.vault_id).active)
        needed = max(active, len(self.tokens) + len(self.foreign)) if self.of_a_vault else active + 1
        is_full = needed >= self.service.capacity
        if lies or is_full or any(other.asked_key == MOVED for other in self.seen.credentials):
            return
        record = self.account.store.credential(item.vault_id, item.id)
        auth = {**record.auth, "mcp_server_url": MOVED}
        self.account.store.update_credential(item.vault_id, item.id, auth, record.metadata)
        self.seen.theirs.add(item.id)
        self.seen.look()
        item.made_by = "them"
        self.judge.include_theirs(item)
        self.foreign.add(item.id)
        self.judge.keys.pop(item.token, None)
        self.is_stale = True

    def they_take_theirs_out(self) -> None:
        for id_ in sorted(self.foreign):
            item = self.seen.credential(id_)
            self.judge.they_took_it_out(item)
            self.remove(item)
        self.foreign.clear()
        self.time.clock.sleep(SETTLED_S)

    def remove(self, item: Vault | Credential) -> None:
        if item.deleted_s is None:
            if isinstance(item, Vault):
                self.account.delete_vault(item.id)
            else:
                self.account.delete_credential(item.vault_id, item.id)
        self.seen.look()

    def another(self, what: What, pick: int) -> None:
        """Run a command with the API token of another account: nothing changes, here or there."""
        if what == "another's up" and (self.is_stale or self.engine.preview(self.program())):
            return  # it may create
        engine = self.engine_of(OTHER_API_TOKEN)
        engine.state, engine.doomed = self.engine.state, self.engine.doomed
        before, there = self.recorded_ids(), self.everything()
        program = self.program()
        acts = {"refresh": engine.refresh, "destroy": engine.destroy, "up": lambda: engine.up(program)}
        errors = self.command(what, acts[what.removeprefix("another's ")])
        self.must(self.judge.dropped(before, self.recorded_ids()))
        self.must([] if there == self.everything() else ["(b) another account's API token changed something"])
        is_due = bool(before) and not self.is_stale and what != "another's up"
        self.must(["(i) with another account's API token it succeeded"] if is_due and not errors else [])
        self.time.clock.sleep(SETTLED_S)

    def everything(self) -> list[Any]:
        return [repr(vault) for contents in (self.qoder, self.account) for vault in contents.vaults]

    # What is where

    def state(self) -> dict[str, Any]:
        return {**self.engine.state, **{f"doomed {number}": item for number, item in enumerate(self.engine.doomed)}}

    def recorded_ids(self) -> set[str]:
        ids: set[str] = set()
        for resource in self.state().values():
            ids |= {*resource.id.split("/"), *resource.outputs.get("credential_ids", {}).values()}
        return ids

    def recorded_vaults(self) -> list[Vault]:
        ids = {resource.id.partition("/")[0] for resource in self.engine.state.values()}
        return [vault for vault in self.seen.vaults if vault.id in ids]

    def ours(self, vault_id: str) -> list[Credential]:
        found = [item for vault in self.seen.vaults if vault.id == vault_id for item in vault.active]
        return [item for item in found if item.made_by == "us"]


def _is_clean(line: str) -> bool:
    return line.isprintable() and "Traceback" not in line and "internal error" not in line


def live(service: Service, life: Life) -> None:
    """Live a life at a service.

    Raises:
        Flawed: something happened that must not.
    """
    Run(service, life).live()


def live_some(number: int, count: int) -> None:
    """Live so many drawn lives; the same ones for the same number.

    Raises:
        Flawed: one of them is flawed; the smallest that was found is in the message.
    """

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(service=services(), life=lives())
    def any_life(service: Service, life: Life) -> None:
        live(service, life)

    any_life()


def live_many(count: int, first: int, processes: int) -> list[str]:
    """Live many drawn lives. Return the flaws that were found, each with its seed, which begins at `first`."""
    numbers = range(first, first + -(-count // LIVES_OF_A_NUMBER))
    print(f"{count} lives, seeds from {first}", file=sys.stderr)
    flaws: dict[str, str] = {}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, (number, flaw) in enumerate(pool.imap_unordered(_flaw_of, numbers), 1):
            if flaw:
                flaws.setdefault(IDS.sub("ID", flaw.partition("\n")[0]), f"seed {number}: {flaw}")
            if done % 50 == 0:
                print(f"{done * LIVES_OF_A_NUMBER} of {count} lives", file=sys.stderr)
    return list(flaws.values())


def _flaw_of(number: int) -> tuple[int, str]:
    """Return a seed, and what is flawed in one of its lives; an empty text if nothing is."""
    with patch.object(ssl, "create_default_context", CONTEXT):
        try:
            live_some(number, LIVES_OF_A_NUMBER)
        except Flawed as flaw:
            return number, str(flaw)
        except Exception:  # noqa: BLE001 of the engine, or of the emulator
            return number, traceback.format_exc()
    return number, ""
