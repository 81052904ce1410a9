"""A server of Qoder's Vaults API for people and for tests.

It needs only the standard library and shares no code with the provider, so that one misunderstanding of the API cannot
pass in both.

    with Emulator(revision="2026-05") as qoder:
        qoder.base_url, qoder.api_token
        qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

On the command line: `qoder-emulator --help`, or `python -m pulumi_qoder_vault.emulator --help`.
"""

from __future__ import annotations

from .accounts import Account
from .effects import Commit, Effect, Ending
from .emulator import DEFAULT_API_TOKEN, Emulator
from .errors import ApiError
from .fault_plan import PlannedFault
from .faults import Fault
from .options import ServiceOptions
from .records import Credential, Vault
from .request_log import Request
from .revisions import RevisionName

__all__ = [
    "DEFAULT_API_TOKEN",
    "Account",
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
