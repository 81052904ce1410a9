"""Any life of a few vaults: programs, faults, other people, crashes. After each successful `up` all is as it says."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from faults.table import FAULTS, REFUSED, TOO_LATE, URLS
from in_process.engine import Engine, Killed, MovableTime
from in_process.wire import Props
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName

LETTERS = st.sampled_from(sorted(URLS))
NAMES = st.sampled_from(["one", "two"])
QUICK = sorted(set(FAULTS) - {REFUSED, TOO_LATE} - {name for name in FAULTS if name.startswith("still")})
FOREIGN = "https://foreign.example/mcp"


class Lives(RuleBasedStateMachine):
    """A program of vaults, the stack that it deploys, and a Qoder on which others work, too."""

    front = "dynamic"
    revision: RevisionName = "2026-05"
    switches: ClassVar[dict[str, Any]] = {}

    def make_engine(self) -> Any:
        return Engine(self.qoder, self.time, self.front)

    @initialize()
    def begin(self) -> None:
        self.qoder = Emulator(self.revision, api_token="pt-canary", **self.switches).start()
        self.time = MovableTime()
        self.engine = self.make_engine()
        self.tokens: dict[str, dict[str, int]] = {}
        self.names: dict[str, str] = {}
        self.versions = 0
        self.foreign: dict[str, str] = {}  # credential id to vault id
        self.theirs: set[str] = set()
        self.removed: set[str] = set()  # vaults that others deleted or archived
        self.is_stale = False  # others have removed what the state holds, and no refresh has seen it
        self.told: set[str] = set()  # what a person had to refresh, by name
        self.lost: set[str] = set()  # vaults that an error named, or that a crash left behind

    def teardown(self) -> None:
        if hasattr(self, "qoder"):
            self.qoder.stop()

    @property
    def program(self) -> dict[str, Props]:
        return {
            name: {
                "display_name": self.names[name],
                "on_delete": "delete",
                "credentials": [
                    {"mcp_server_url": URLS[letter], "access_token": f"canary-{letter}{version}"}
                    for letter, version in tokens.items()
                ],
            }
            for name, tokens in self.tokens.items()
        }

    # What the program says

    @rule(name=NAMES, letter=LETTERS)
    def add(self, name: str, letter: str) -> None:
        self.versions += 1
        self.names.setdefault(name, "my-mcp-vault")
        self.tokens.setdefault(name, {}).setdefault(letter, self.versions)

    @rule(name=NAMES, letter=LETTERS)
    def rotate(self, name: str, letter: str) -> None:
        if letter in self.tokens.get(name, {}):
            self.versions += 1
            self.tokens[name][letter] = self.versions

    @rule(name=NAMES, letter=LETTERS)
    def remove(self, name: str, letter: str) -> None:
        tokens = self.tokens.get(name, {})
        if len(tokens) > 1:
            tokens.pop(letter, None)

    @rule(name=NAMES)
    def reorder(self, name: str) -> None:
        if name in self.tokens:
            self.tokens[name] = dict(reversed(self.tokens[name].items()))

    @rule(name=NAMES)
    def rename(self, name: str) -> None:
        if name in self.tokens:
            self.versions += 1
            self.names[name] = f"vault-{self.versions}"

    @rule(name=NAMES)
    def undeclare(self, name: str) -> None:
        self.tokens.pop(name, None)

    # What others do

    @rule(data=st.data(), archives=st.booleans())
    def somebody_removes_a_credential(self, data: st.DataObject, archives: bool) -> None:
        ours = [
            (vault.id, item.id)
            for vault in self.qoder.vaults
            if vault.status == "active"
            for item in vault.credentials
            if item.status == "active" and item.id not in self.foreign
        ]
        if ours:
            self.is_stale = True
            chosen = data.draw(st.sampled_from(ours))
            (self.qoder.archive_credential if archives else self.qoder.delete_credential)(*chosen)

    @rule(data=st.data(), archives=st.booleans())
    def somebody_removes_a_vault(self, data: st.DataObject, archives: bool) -> None:
        ours = [vault.id for vault in self.qoder.vaults if vault.status == "active" and vault.id not in self.theirs]
        if ours:
            self.is_stale = True
            chosen = data.draw(st.sampled_from(ours))
            self.removed.add(chosen)
            (self.qoder.archive_vault if archives else self.qoder.delete_vault)(chosen)

    @rule()
    def somebody_adds_a_credential(self) -> None:
        for vault in self.qoder.vaults:
            taken = {item.mcp_server_url for item in vault.credentials if item.status == "active"}
            if vault.status == "active" and FOREIGN not in taken:
                self.foreign[self.qoder.add_credential(vault.id, FOREIGN, "their-token").id] = vault.id

    @rule()
    def another_stack_makes_one_alike(self) -> None:
        if len(self.theirs) < 3:
            metadata = {"pulumi_create_id": "theirs"} if self.revision == "2026-07" else {}
            self.theirs.add(self.qoder.add_vault("my-mcp-vault", metadata=metadata).id)

    # What the stack does

    @rule(fault=st.sampled_from(QUICK), skip=st.integers(0, 6), refresh=st.booleans())
    def up_under_a_fault(self, fault: str, skip: int, refresh: bool) -> None:
        self.qoder.fail_next("*", "/**", FAULTS[fault], skip=skip)
        errors = self.engine.refresh() if refresh else self.engine.up(self.program)
        self.qoder.clear_faults()
        self.note_orphans(errors)

    @rule(skip=st.integers(0, 6))
    def crash(self, skip: int) -> None:
        """The provider dies between a request and its response: what was done is in no state."""

        def die() -> None:
            raise Killed

        before = {vault.id for vault in self.qoder.vaults}
        self.qoder.fail_next("*", "/**", Fault.DROP_AFTER_COMMIT, skip=skip)
        self.time.on_sleep = die
        self.engine.up(self.program)
        self.time.on_sleep = None
        self.qoder.clear_faults()
        self.engine.said = [
            line for line in self.engine.said if "internal error in pulumi-qoder-vault (Killed" not in line
        ]
        recorded = self.recorded()
        self.lost |= {vault.id for vault in self.qoder.vaults} - before - recorded

    @rule()
    def refresh(self) -> None:
        assert [] == self.engine.refresh()
        self.is_stale = False

    @rule()
    def destroy(self) -> None:
        errors = self.engine.destroy()
        for _ in range(6):
            if not errors:
                break
            self.told = set()
            self.do_as_told(errors)
            errors = self.engine.destroy()
        assert [] == errors
        assert {} == self.engine.state

    @rule(refreshes=st.booleans())
    def up_until_it_succeeds(self, refreshes: bool) -> None:
        """Without faults: what a person is told to do is done, and then it succeeds. A refresh is always enough."""
        before = {name: item.id for name, item in self.engine.state.items()}
        refreshes |= self.is_stale
        if refreshes:
            self.refresh()
        shown = self.preview()
        errors = self.engine.up(self.program)
        for _ in range(6):
            if not errors:
                break
            self.do_as_told(errors)
            errors = self.engine.up(self.program)
        assert [] == errors
        self.compare()
        for name, id_ in before.items():
            now = self.engine.state.get(name)
            gone = shown.get(name) in ("replace", "create", "delete") or refreshes
            assert gone or now is None or now.id == id_ or name in self.told, "replaced without being shown"
        assert {} == self.engine.preview(self.program)
        self.qoder.clear_requests()
        assert [] == self.engine.up(self.program)
        assert [] == self.qoder.requests

    # What must hold

    def preview(self) -> dict[str, str]:
        self.told = set()
        shown: dict[str, str] = self.engine.preview(self.program)
        return shown

    def do_as_told(self, errors: list[str]) -> None:
        """A vault that is gone or archived wants a refresh; a credential that is not ours wants to be deleted.

        One that keeps a vault from being deleted is theirs: they delete it.
        """
        for line in errors:
            told = False
            for vault in self.qoder.vaults:
                for item in vault.credentials:
                    if f"credential {item.id} for" in line or f" {item.id} (" in line:
                        self.qoder.delete_credential(vault.id, item.id)
                        self.foreign.pop(item.id, None)
                        told = True
            if not told:
                self.engine.refresh()
                self.told |= set(self.engine.state) | set(self.program)

    def note_orphans(self, errors: list[str]) -> None:
        """A vault that an error names, and that is in no state, is no surprise."""
        said = " ".join(errors)
        self.lost |= {vault.id for vault in self.qoder.vaults if vault.id in said} - self.recorded()

    def recorded(self) -> set[str]:
        return {item.id for item in [*self.engine.state.values(), *self.engine.doomed]}

    def compare(self) -> None:
        """Observed equals desired, and what is not ours is as it was."""
        vaults = {vault.id: vault for vault in self.qoder.vaults if vault.status == "active"}
        assert set(self.tokens) == set(self.engine.state)
        for name, item in self.engine.state.items():
            active = {
                credential.mcp_server_url: (credential.id, credential.access_token)
                for credential in vaults[item.id].credentials
                if credential.status == "active" and credential.id not in self.foreign
            }
            assert {URLS[letter]: f"canary-{letter}{version}" for letter, version in self.tokens[name].items()} == {
                url: token for url, (_, token) in active.items()
            }
            assert item.outputs["credential_ids"] == {url: id_ for url, (id_, _) in active.items()}
            assert vaults[item.id].display_name == self.names[name]
        ours = {item.id for item in self.engine.state.values()}
        extra = set(vaults) - ours - self.theirs - self.lost
        assert set() == extra, "an orphan that nobody was told of"

    @invariant()
    def theirs_are_alive(self) -> None:
        if hasattr(self, "qoder"):
            vaults = {vault.id: vault for vault in self.qoder.vaults}
            assert self.theirs <= {id_ for id_, vault in vaults.items() if vault.status == "active"}
            alive = {item.id for vault in vaults.values() for item in vault.credentials if item.status == "active"}
            assert {id_ for id_, vault_id in self.foreign.items() if vault_id not in self.removed} <= alive

    @invariant()
    def nothing_leaks(self) -> None:
        for line in self.engine.said if hasattr(self, "engine") else ():
            assert "canary" not in line, line
            assert line.isprintable()
            assert "Traceback" not in line
            assert "internal error" not in line, line
