"""A server of Qoder's Vaults API for people and for tests.

Needs nothing but the standard library, and shares no code with the provider: one wrong idea cannot pass in both.

    with Emulator(revision="2026-05") as qoder:
        qoder.base_url, qoder.api_token
        qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

On the command line: `python -m pulumi_qoder_vault.emulator --help`.
"""

from __future__ import annotations

from .emulator import DEFAULT_API_TOKEN, Emulator
from .faults import Commit, Effect, Ending, Fault, PlannedFault
from .journal import Request
from .refusals import Refusal
from .store import Credential, Vault
from .switches import Switches

__all__ = [
    "DEFAULT_API_TOKEN",
    "Commit",
    "Credential",
    "Effect",
    "Emulator",
    "Ending",
    "Fault",
    "PlannedFault",
    "Refusal",
    "Request",
    "Switches",
    "Vault",
]
