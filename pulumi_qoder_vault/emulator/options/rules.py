"""What the service refuses, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from .fields import at_least

__all__ = ["DUPLICATE", "CredentialsKey", "RuleArguments", "RuleOptions", "UnauthorizedType", "UnknownKeys"]

CredentialsKey = Literal["refuse", "ignore"]
UnknownKeys = Literal["refuse", "ignore"]
UnauthorizedType = Literal["TOKEN_INVALID", "authentication_error"]
DUPLICATE = "An active credential for this mcp_server_url already exists in the vault."


@dataclass(frozen=True)
class RuleOptions:
    """What is refused.

    Attributes:
        credentials_key: 2026-07, a `credentials` key in a vault create: "refuse" (400) or "ignore".
        unknown_keys: other unknown keys in a body: "refuse" (400) or "ignore".
        idempotency: `Idempotency-Key` is honoured. Later pages about vaults do not mention it.
        unique_url: a vault holds one active credential per `mcp_server_url`; a second one is a 409. None: what the
            revision does: only 2026-07 refuses it.
        unique_secret_name: the same for the `secret_name` of a variable.
        conflict_message: message of that 409.
        conflict_param: that 409 has `param`.
        max_credentials: active credentials in one vault.
        max_credentials_status: status of one more.
        unauthorized_type: `error.type` of a 401; None: what the revision does.
    """

    credentials_key: CredentialsKey = "refuse"
    unknown_keys: UnknownKeys = "ignore"
    idempotency: bool = True
    unique_url: bool | None = None
    unique_secret_name: bool = False
    conflict_message: str = DUPLICATE
    conflict_param: bool = True
    max_credentials: int = at_least(0, 20)
    max_credentials_status: Literal[400, 409] = 409
    unauthorized_type: UnauthorizedType | None = None


class RuleArguments(TypedDict, total=False):
    """The fields of `RuleOptions` as keyword arguments."""

    credentials_key: CredentialsKey
    unknown_keys: UnknownKeys
    idempotency: bool
    unique_url: bool | None
    unique_secret_name: bool
    conflict_message: str
    conflict_param: bool
    max_credentials: int
    max_credentials_status: Literal[400, 409]
    unauthorized_type: UnauthorizedType | None
