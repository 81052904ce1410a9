"""Where a setting came from, and what a person does to change it. Knows no value, and reads none.

When a change takes effect is said here, and nowhere else: an environment variable at once, the argument of an explicit
provider after an ``up``, and stack configuration at once for the plugin; a refresh or destroy of the Python resources
is handed the configuration of the last ``up``, unless it runs the program.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from .secret import one_line


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose configuration a front was handed: what a user must do to change it depends on that.

    Attributes:
        provider: the name of an explicit provider, whose arguments these are; empty for the stack's configuration.
        is_of_last_up: True where refresh and destroy are handed the configuration of the last ``up``.
        recorded: keys that only the last ``up`` had, where the configuration of this run is known.
    """

    provider: str = ""
    is_of_last_up: bool = False
    recorded: frozenset[str] = frozenset()


STACK = Owner()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a setting came from.

    Attributes:
        key: ``qoder:baseUrl``.
        variable: the environment variable that holds the value; empty if it is configured, or set nowhere.
    """

    key: str
    variable: str = ""
    owner: Owner = STACK

    def __str__(self) -> str:
        if self.variable:
            return self.variable
        if self.owner.provider:
            argument = self.key.removeprefix("qoder:")
            return f"{argument} of the provider '{one_line(self.owner.provider, limit=80)}'"
        if self.key in self.owner.recorded:
            return f"{self.key} as recorded at the last pulumi up"
        if self.lags:
            return (
                f"{self.key} (refresh and destroy use the one recorded at the last up, unless --run-program is given)"
            )
        return self.key

    @property
    def lags(self) -> bool:
        """True if refresh and destroy see a change of it only after an ``up``, or with ``--run-program``."""
        return self.owner.is_of_last_up and not self.variable

    @property
    def then(self) -> str:
        """What has to follow a change of it, for every later command to see it; nothing where none has to."""
        if self.variable or not (self.owner.provider or self.lags):
            return ""
        return ", then pulumi up" if self.owner.provider else ", then pulumi up, or add --run-program"

    def change(self, value: str | None) -> str:
        """Return what to do to give it this value, or none, so that every later command sees it."""
        if self.variable:
            return f"set {self.variable}, the source of {self.key}, to {value}" if value else f"unset {self.variable}"
        if self.owner.provider:
            return f"{f'set {self} to {value}' if value else f'remove {self}'}{self.then}"
        if not value and self.key in self.owner.recorded:
            return f"pulumi up, or add --run-program: only the last up had {self.key}"
        return f"pulumi config {f'set {self.key} {shlex.quote(value)}' if value else f'rm {self.key}'}{self.then}"

    def if_refused(self, next_variable: str, name: str = "API token") -> str:
        """Return what a 401 says of the API token, or the service-account key, that came from here, and what helps.

        Args:
            next_variable: the environment variable that is used once this source has none; empty if there is none.
            name: of what came from here.
        """
        line = f"the {name} is from {self}"
        if self.variable:
            rest = f", or unset it: then {next_variable} is used" if next_variable else ""
            return f"{line}; set {self} to a valid one{rest}"
        if self.owner.provider:
            return f"{line}; set a valid one there{self.then}: refresh and destroy use the one recorded there"
        rest = ", or in the program's own provider" if self.lags else ""
        return f"{line}; set a valid one: pulumi config set --secret {self.key}{rest}"

    @property
    def if_missing(self) -> str:
        """What is said where no API token is set anywhere."""
        if self.owner.provider:
            return f"set {self} ({self.then.removeprefix(', ')}), or QODER_PAT"
        return f"set {self.key} (pulumi config set --secret {self.key}{self.then}) or QODER_PAT"
