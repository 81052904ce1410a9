"""One life of one stack at one service: what a person does with it from the first `up` to the `destroy`.

A command that fails is repeated, twice at most, after the person has done what its lines say. After each command, the
judge looks at the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from hostile.judge import Declared, Judge
from hostile.service import API_TOKEN, OTHER_API_TOKEN, Credential, Item, Vault
from hostile.services import Hostile
from in_process.engine import Engine, MovableTime
from in_process.wire import Props
from pulumi_qoder_vault.error_reporting import EngineLog

if TYPE_CHECKING:
    import pytest

SHARED = "somebody's shared vault"
BETWEEN_COMMANDS_S = 3.0
Step = str


class Flawed(AssertionError):
    """The client did something that it must not do."""


def token(word: str) -> str:
    return f"canary-{word}-51c0"


class Life:
    """A stack, its service and its judge."""

    def __init__(self, service: Hostile, time: MovableTime, front: str) -> None:
        self.service = service
        self.front = front
        self.time = time
        self.engine = Engine(cast("Any", service), time, "plugin" if front == "plugin" else front)
        self.program: dict[str, Props] = {}
        self.shared = service.add_vault(SHARED, {self.url("x"): "their-secret"})
        for number in range(3):
            service.add_vault(f"filler-{number}", {self.url("x"): "their-secret"})
        service.add_vault(service.name, {self.url("a"): "their-secret", self.url("b"): "their-secret"})
        secrets = {API_TOKEN, OTHER_API_TOKEN} | {token(f"{letter}{number}") for letter in "abcd" for number in (1, 2)}
        self.judge = Judge(service, secrets)
        self.warnings: list[str] = []
        self.errors: list[str] = []

    @contextmanager
    def listening(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Collect what the provider shows under a resource."""
        for name in ("warn", "info"):
            patch.setattr(EngineLog, name, lambda _log, _urn, line: self.warnings.append(line))
        yield

    # A life

    def of_a_vault(self) -> None:
        """Create, change and delete a vault; a credential of somebody else lives in it for a while."""
        self.up("create", self.vault("a1", "b1"))
        self.up_unchanged()
        self.somebody_adds()
        self.refresh("refresh")
        self.up_unchanged()
        if not self.service.lists_lie:
            self.destroy_refused()
        self.up("rotate", self.vault("a2", "b1"))
        self.up("add", self.vault("a2", "b1", "c1"))
        self.up("swap", self.vault("a2", "d1", "c1"))
        self.up("remove", self.vault("a2", "d1"))
        self.they_take_theirs_out()
        self.up("replace", self.vault("a2", "d1", name=f"{self.service.name}-2"))
        self.refresh("refresh again")
        self.up_unchanged()
        vault = self.recorded_vaults()[0]
        self.somebody_deletes(vault if self.front == "dynamic" else vault.active[-1])
        self.up("mend", self.program)
        self.destroy()

    def of_a_credential(self) -> None:
        """Create, change and delete a credential in a vault of somebody else."""
        given = self.service.credential_of_life
        changed = self.service.change_of_life
        self.up("create", self.credential(given, "a1"))
        if not self.program:  # it was refused, and rightly
            return
        self.up_unchanged()
        self.refresh("refresh")
        self.up_unchanged()
        self.up("rotate", self.credential(given | changed, "a2"))
        self.refresh("refresh again")
        self.up_unchanged()
        self.up("replace", self.credential(given | changed, "b1"))
        self.somebody_deletes(next(item for item in self.shared.active if item.id in self.recorded_ids()))
        self.up("mend", self.program)
        self.destroy()

    def url(self, letter: str) -> str:
        return self.service.url.format(letter)

    def vault(self, *words: str, name: str = "") -> dict[str, Props]:
        """A program with one vault; `a1` is the first access token of the server `a`."""
        credentials = [{"mcp_server_url": self.url(word[0]), "access_token": token(word)} for word in words]
        name = name or self.service.name
        metadata = {"metadata": self.service.metadata} if self.service.metadata else {}
        props = {"credentials": credentials, "on_delete": "delete", **metadata}
        twin = {"w": {"display_name": f"{name}-twin", **props}} if self.service.has_twin else {}
        return {"v": {"display_name": name, **props}, **twin}

    def credential(self, given: Props, word: str) -> dict[str, Props]:
        if given.get("type") == "environment_variable":
            what = {"secret_name": f"KEY_{word[0].upper()}", "secret_value": token(word)}
        else:
            what = {"mcp_server_url": self.url(word[0]), "access_token": token(word)}
        props = {"vault_id": self.shared.id, **given, **what}
        return {"c": {name: value for name, value in props.items() if value is not None}}

    # Commands

    def up(self, step: Step, program: Mapping[str, Props]) -> None:
        """Run `pulumi up` until it succeeds; of a step that the service makes impossible, only once."""
        before, self.program = self.program, dict(program)
        self.judge.keys |= {item.token: item.key for item in self.declared(program)}
        declared = {(item.vault_id, item.key) for item in self.declared(before)}
        for attempt in range(3):
            self.service.begin_command(step, attempt)
            self.service.meddle(self.recorded_vaults(), self.judge)
            if self.service.gapless and step not in ("create", "replace"):
                still = {(item.vault_id, item.key) for item in self.declared(program)}
                self.judge.watched = {pair for pair in declared & still if self.is_active(*pair)}
            if step == "replace" and self.front != "credential":
                keys = frozenset(item.key for item in self.declared(program))
                self.judge.covered = keys if self.judge.is_covered(keys) else frozenset()
            began_s = self.time.clock.now_s()
            errors = self.command(step, lambda: self.engine.up(program))
            self.judge.watched, self.judge.covered = set(), frozenset()
            if step in self.service.refuses:
                self.refused(step, errors, began_s)
                self.program = before
                if before:
                    self.up(f"{step} taken back", before)
                return
            if not errors:
                vault_ids = {item.vault_id for item in self.declared(program)}
                self.must(step, self.judge.after_success(self.declared(program), vault_ids))
                return
            self.may_fail(step, attempt)
            self.do_as_told(errors)
        self.must(step, ["(h) three times in a row it failed"])

    def refused(self, step: Step, errors: Sequence[str], began_s: float) -> None:
        """What a service cannot do fails; a definite refusal does so at once, and leaves nothing to look for."""
        passed_s = self.time.clock.now_s() - began_s - BETWEEN_COMMANDS_S
        flaws = [] if errors else ["(a) the service cannot do this, and it succeeded"]
        if self.service.refuses_definitely:
            flaws += ["(e) a definite refusal is called uncertain"] if _says_may(errors) else []
            flaws += [f"(h) a definite refusal took {passed_s:.0f} s"] if passed_s > 10 else []
        self.must(step, flaws)

    def up_unchanged(self) -> None:
        """Nothing is planned, and nothing is sent."""
        self.service.begin_command("again", 0)
        planned = self.engine.preview(self.program)
        self.must("again", [f"(a) nothing has changed, and a preview shows {planned}"] if planned else [])
        sent = len(self.service.requests)
        errors = self.command("again", lambda: self.engine.up(self.program))
        writes = [request.path for request, _ in self.service.requests[sent:] if request.is_write]
        self.must("again", errors + [f"(a) nothing has changed, and {path} was written to" for path in writes])
        self.must("again", self.judge.after_success(self.declared(self.program), ()))

    def refresh(self, step: Step) -> None:
        for attempt in range(3):
            self.service.begin_command(step, attempt)
            before = self.recorded_ids()
            errors = self.command(step, self.engine.refresh)
            self.must(step, self.judge.dropped(before, self.recorded_ids()))
            if not errors:
                return
            self.may_fail(step, attempt)
        self.must(step, ["(h) three times in a row it failed"])

    def destroy(self) -> None:
        for attempt in range(3):
            self.service.begin_command("destroy", attempt)
            errors = self.command("destroy", self.engine.destroy)
            if not errors:
                self.must("destroy", self.judge.after_destroy())
                return
            self.may_fail("destroy", attempt)
            self.do_as_told(errors)
        self.must("destroy", ["(h) three times in a row it failed"])

    def destroy_refused(self) -> None:
        """While a credential of somebody else is in the vault, nothing is deleted."""
        self.service.begin_command("guard", 0)
        before = self.recorded_ids()
        errors = self.command("guard", self.engine.destroy)
        is_whole = {item.id for item in self.judge.alive(before)} == before == self.recorded_ids()
        self.must("guard", [] if errors and is_whole else ["(b) a vault was deleted with a credential of others in it"])

    def command(self, step: Step, act: Callable[[], list[str]]) -> list[str]:
        """Run one command, and let the judge look at what no command may do."""
        self.time.clock.sleep(BETWEEN_COMMANDS_S)
        self.warnings.clear()
        self.errors = act()
        lines = [*self.errors, *self.warnings]
        self.must(step, self.judge.always(lines, self.state()) + self.judge.after_any(self.state()))
        return self.errors

    def may_fail(self, step: Step, attempt: int) -> None:
        """Where no response is lost, and the service allows it, a step succeeds at once."""
        is_due = attempt > 0 or self.service.lose_write or step in self.service.may_fail
        self.must(step, [] if is_due else ["(h) it failed, and everything for a success was there"])

    def must(self, step: Step, flaws: Sequence[str]) -> None:
        if flaws:
            said = "".join(f"\n    said: {line}" for line in [*self.errors, *self.warnings])
            raise Flawed(f"{step}: " + "\n".join(dict.fromkeys(flaws)) + said)

    # People

    def somebody_adds(self) -> None:
        for vault_ in self.recorded_vaults():
            self.judge.include_theirs(self.service.add_credential(vault_, self.url("x"), "their-secret"))

    def they_take_theirs_out(self) -> None:
        for vault_ in self.recorded_vaults():
            for item in vault_.credentials:
                if item.made_by == "them":
                    self.judge.they_took_it_out(item)
                    item.deleted_s = self.time.clock.now_s() - 60

    def somebody_deletes(self, item: Item) -> None:
        """What is really gone is dropped by a refresh, or by a later one where reads lag or fail."""
        self.delete_by_hand(item)
        for attempt in range(3):
            self.service.begin_command("refresh again", attempt)
            before = self.recorded_ids()
            self.command("refresh again", self.engine.refresh)
            self.must("refresh again", self.judge.dropped(before, self.recorded_ids()))
            if item.id not in self.recorded_ids():
                return
        self.must("refresh again", [f"(i) {item.id} is gone, and the state holds it"])

    def do_as_told(self, errors: Sequence[str]) -> None:
        """Delete what a line says is to be deleted, where it is ours; refresh where a line says so."""
        text = " ".join(errors)
        if "delete" in text:
            for item in self.judge.orphans(self.state()):
                self.delete_by_hand(item)
        if "refresh" in text:
            self.service.begin_command("as told", 1)
            before = self.recorded_ids()
            self.command("as told", self.engine.refresh)
            self.must("as told", self.judge.dropped(before, self.recorded_ids()))

    def delete_by_hand(self, item: Item) -> None:
        self.service.remove(item)
        for credential in item.credentials if isinstance(item, Vault) else ():
            self.service.remove(credential)

    # What is where

    def state(self) -> dict[str, Any]:
        return {**self.engine.state, **{f"doomed {number}": item for number, item in enumerate(self.engine.doomed)}}

    def declared(self, program: Mapping[str, Props]) -> list[Declared]:
        found = []
        for name, props in program.items():
            resource = self.engine.state.get(name)
            vault_id = resource.id.partition("/")[0] if resource else ""
            for item in props.get("credentials", [props]):
                secret = item.get("access_token") or item.get("secret_value")
                found.append(Declared(vault_id, item.get("mcp_server_url") or item.get("secret_name"), secret))
        return found

    def recorded_ids(self) -> set[str]:
        ids: set[str] = set()
        for resource in self.engine.state.values():
            ids |= {*resource.id.split("/"), *resource.outputs.get("credential_ids", {}).values()}
        return ids

    def recorded_vaults(self) -> list[Vault]:
        ids = {resource.id for resource in self.engine.state.values()}
        return [vault_ for vault_ in self.service.vaults if vault_.id in ids]

    def is_active(self, vault_id: str, key: str) -> bool:
        actives: list[Credential] = [item for vault_ in self.service.vaults for item in vault_.active]
        return any(item.vault_id == vault_id and item.asked_key == key for item in actives)


def _says_may(errors: Sequence[str]) -> bool:
    return any(words in line for line in errors for words in ("may exist", "may hold"))
