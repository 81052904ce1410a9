"""Judge a client by what exists at the server: after each command, and between any two requests.

Knows what a program declares, what a state holds and what was said; asks the server's own objects, never the client.
A flaw is one line that says what is wrong, and which rule it breaks.
"""

from __future__ import annotations

import copy
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hostile.service import Credential, Item, Service, Vault, without_key


@dataclass(frozen=True)
class Declared:
    """One credential that a program declares, at the vault where the state says it is."""

    vault_id: str
    key: str
    token: str


class Judge:
    """One life of one stack at one service.

    Args:
        service: the service, with all that is of others in it already.
        secrets: what no message, and no place of a state that is shown, may hold.

    Attributes:
        said: every line so far, errors and warnings, each with its time.
        watched: credentials that must be active at every moment.
        covered: what one active vault of ours must hold at every moment, while another takes its place.
        gaps: moments at which that was not so.
        keys: of each access token that a program declared, what it belongs to.
    """

    def __init__(self, service: Service, secrets: Iterable[str]) -> None:
        self.service = service
        self.secrets = tuple(secrets)
        self.said: list[tuple[float, str]] = []
        self.watched: set[tuple[str, str]] = set()
        self.covered: frozenset[str] = frozenset()
        self.gaps: list[str] = []
        self.keys: dict[str, str] = {}
        self._theirs = {id(item): (item, _of_others(item)) for item in _all(service) if item.made_by == "them"}
        service.observers.append(self._look_for_gaps)

    def include_theirs(self, item: Credential) -> None:
        """From now on this credential is somebody else's, too."""
        self._theirs[id(item)] = (item, _of_others(item))

    def they_took_it_out(self, item: Item) -> None:
        """From now on they do not mind what happens to it."""
        self._theirs.pop(id(item), None)

    # At any moment

    def _look_for_gaps(self) -> None:
        for vault_id, key in self.watched:
            vault = self._vault(vault_id)
            if vault is None or not any(item.asked_key == key for item in vault.active):
                self.gaps.append(f"(f) at one moment {key} had no active credential in {vault_id}")
        if self.covered and not self.is_covered(self.covered):
            self.gaps.append("(f) at one moment no active vault held what was declared")

    def is_covered(self, keys: frozenset[str]) -> bool:
        """Return True if one active vault of ours holds an active credential for each of some keys."""
        held = [{item.asked_key for item in vault.active} for vault in self.service.vaults if _is_ours(vault)]
        return any(keys <= found for found in held)

    # After each command

    def always(self, lines: Sequence[str], state: Mapping[str, Any]) -> list[str]:
        """Return the flaws that no command may have, whether it succeeded or not.

        Args:
            lines: what this command said.
            state: what is kept of each resource.
        """
        self.said += [(self.service.now_s(), line) for line in lines]
        gaps, self.gaps = self.gaps[:1], []
        others = [f"(b) {item.id} of others: {_difference(before, item)}" for item, before in self._theirs.values()]
        touched = [line for line in others if not line.endswith(": ")]
        strays = [
            f"(b) {item.id} for {item.asked_key} has the access token of another"
            for item in self.service.credentials
            if _is_ours(item) and self.keys.get(item.token, item.asked_key) != item.asked_key
        ]
        return gaps + touched + strays + self._untrue(lines, state) + self._leaks(lines, state)

    def after_success(self, declared: Sequence[Declared], vault_ids: Iterable[str]) -> list[str]:
        """Return what is not as a program declares: nothing is missing, and nothing of ours is there twice."""
        flaws = [flaw for item in declared for flaw in self._missing(item)]
        keys = {(item.vault_id, item.key) for item in declared}
        for vault_id in vault_ids:
            vault = self._vault(vault_id)
            extra = [item for item in vault.active if _is_ours(item)] if vault else []
            flaws += [
                f"(a) {item.id} for {item.asked_key} is active, and not declared"
                for item in extra
                if (vault_id, item.asked_key) not in keys and not self._is_named(item)
            ]
        return flaws

    def _missing(self, declared: Declared) -> list[str]:
        vault = self._vault(declared.vault_id)
        if vault is None or not vault.is_active:
            return [f"(a) vault {declared.vault_id} is in the state, and not active at the server"]
        active = [item for item in vault.active if item.asked_key == declared.key and _is_ours(item)]
        if not any(item.token == declared.token for item in active):
            return [f"(a) {declared.key} is declared, and no active credential has its access token"]
        extra = [item for item in active if item.token != declared.token] or active[1:]
        return [
            f"(a) {item.id} is a second active credential for {declared.key}"
            for item in extra
            if not self._is_named(item)
        ]

    def after_any(self, state: Mapping[str, Any]) -> list[str]:
        """Return what is ours and active, in no state, and named by nobody."""
        held = _held(state)
        return [f"(c) {_described(item)} is in no state, and no line names it" for item in self._unnamed(held)]

    def after_destroy(self) -> list[str]:
        """Return what is left of ours, and named by nobody."""
        return [f"(d) {_described(item)} is left, and no line names it" for item in self._unnamed("")]

    def dropped(self, before: Iterable[str], after: Iterable[str]) -> list[str]:
        """Return what a refresh dropped although it exists."""
        gone = set(before) - set(after)
        return [
            f"(i) {item.id} was dropped from the state, and is active" for item in self.alive(gone) if _is_ours(item)
        ]

    def alive(self, ids: Iterable[str]) -> list[Item]:
        """Return what is active of some ids: a credential in a dead vault is not."""
        wanted = set(ids)
        return [item for item in self._active() if item.id in wanted]

    def orphans(self, state: Mapping[str, Any]) -> list[Item]:
        """Return what is ours and active, and in no state."""
        held = _held(state)
        return [item for item in self._active() if _is_ours(item) and item.id not in held]

    def _unnamed(self, held: str) -> list[Item]:
        loose = [item for item in self._active() if _is_ours(item) and item.id not in held]
        vaults = {item.id for item in loose if isinstance(item, Vault)}
        inside = [item for item in loose if not (isinstance(item, Credential) and item.vault_id in vaults)]
        return [item for item in inside if not self._is_named(item)]

    def _is_named(self, item: Item) -> bool:
        """Return True if a line, said since a thing was made, names it by its id, or by its place and name."""
        since = [line for at_s, line in self.said if at_s >= item.created_s]
        return any(item.id in line or self._is_described(item, line) for line in since)

    def _is_described(self, item: Item, line: str) -> bool:
        if isinstance(item, Vault):
            names = {unicodedata.normalize(form, item.display_name) for form in ("NFC", "NFD")}
            return self.service.host in line and any(name in line for name in names)
        assert isinstance(item, Credential)
        return item.vault_id in line and (item.asked_key in line or item.key in line)

    def _untrue(self, lines: Sequence[str], state: Mapping[str, Any]) -> list[str]:
        """Return sentences that the server disagrees with."""
        claims = ("{} was deleted", "deleted {}", "{} is gone", "{} was archived", "archived {}")
        flaws = [
            f"(e) '{claim.format(item.id)}' is not true"
            for line in lines
            for item in self._active()
            for claim in claims
            if _is_claimed(claim.format(item.id), line)
        ]
        held = _held(state)
        recorded = ("{}, which is recorded", "{} could not be deleted again")
        flaws += [
            f"(e) {item.id} is said to be recorded, and no state holds it"
            for item in self._active()
            if item.id not in held and any(words.format(item.id) in line for words in recorded for line in lines)
        ]
        if any("nothing is left" in line for line in lines) and self.orphans(state):
            flaws.append("(e) 'nothing is left' is not true")
        known = {item.id for item in _all(self.service)}
        claimed = [word.strip(",;:.") for line in lines for word in _words_after(line, "made ")]
        flaws += [f"(e) 'made {id_}' is not true" for id_ in claimed if "_" in id_ and id_ not in known]
        return flaws

    def _leaks(self, lines: Sequence[str], state: Mapping[str, Any]) -> list[str]:
        shown = list(lines) + list(_shown_texts(_plain(state)))
        found = {secret for secret in self.secrets if any(secret in text for text in shown)}
        return [f"(g) a secret is shown: {secret[:6]}…{len(secret)}" for secret in sorted(found)]

    def _vault(self, vault_id: str) -> Vault | None:
        return next((vault for vault in self.service.vaults if vault.id == vault_id), None)

    def _active(self) -> list[Item]:
        vaults = [vault for vault in self.service.vaults if vault.is_active]
        return [*vaults, *(item for vault in vaults for item in vault.active)]


def _all(service: Service) -> list[Item]:
    return [*service.vaults, *service.credentials]


def _is_ours(item: Item) -> bool:
    return item.made_by == "us"


def _of_others(item: Item) -> dict[str, object]:
    kept = {name: value for name, value in vars(item).items() if name != "credentials"}
    return copy.deepcopy(kept)


def _difference(before: dict[str, object], item: Item) -> str:
    now = _of_others(item)
    return ", ".join(name for name in now if now[name] != before[name])


def _described(item: Item) -> str:
    if isinstance(item, Vault):
        return f"vault {item.id} '{item.display_name}'"
    assert isinstance(item, Credential)
    return f"credential {item.id} for {item.asked_key} in {item.vault_id}"


def _is_claimed(claim: str, line: str) -> bool:
    """Return True if a line says something without a reserve: "this does not prove that … is gone" claims nothing."""
    before, found, after = line.partition(claim)
    near = f"{before[-60:]} {after[:60]}"
    return bool(found) and not re.search(r"\b(not prove|either|or|if|whether|may|could not)\b", near)


def _words_after(line: str, marker: str) -> list[str]:
    return [part.split()[0] for part in line.split(marker)[1:] if part.split()]


def _plain(state: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: vars(resource) if hasattr(resource, "__dict__") else resource for name, resource in state.items()}


def _held(state: Mapping[str, Any]) -> str:
    """Return all that a state says, but what it says of the credentials of others."""
    return json.dumps(without_key(_plain(state), "other_credentials"), default=str)


SECRET_PLACES = {"access_token", "secret_value", "refresh_token", "client_secret"}


def _shown_texts(value: Any) -> Iterable[str]:
    """Return every text of a state that is shown: all but the places of secrets, and what is the provider's own."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in SECRET_PLACES and not str(name).startswith("__"):
                yield str(name)
                yield from _shown_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _shown_texts(item)
    elif isinstance(value, str):
        yield value
