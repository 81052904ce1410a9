"""A server of Qoder's Vaults API for people and for tests.

It needs only the standard library and shares no code with the provider, so that one misunderstanding of the API cannot
pass in both.

    with Emulator(revision="2026-05") as qoder:
        qoder.base_url, qoder.api_token
        qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

On the command line: `qoder-emulator --help`, or `python -m pulumi_qoder_vault.emulator --help`.
"""

from __future__ import annotations

from .emulator import DEFAULT_API_TOKEN, Emulator
from .errors import ApiError
from .faults import Commit, Effect, Ending, Fault, PlannedFault
from .options import ServiceOptions
from .request_log import Request
from .revisions import RevisionName
from .store import Credential, Vault

__all__ = [
    "DEFAULT_API_TOKEN",
    "ApiError",
    "Commit",
    "Credential",
    "Effect",
    "Emulator",
    "Ending",
    "Fault",
    "PlannedFault",
    "Request",
    "RevisionName",
    "ServiceOptions",
    "Vault",
]
