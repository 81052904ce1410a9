"""The tokens that service-account keys are exchanged for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from .fields import at_least

__all__ = ["ExpiresInForm", "ServiceAccountArguments", "ServiceAccountOptions"]

ExpiresInForm = Literal["number", "digits"]


@dataclass(frozen=True)
class ServiceAccountOptions:
    """Tokens of service accounts.

    Attributes:
        service_token_ttl_s: seconds that an exchanged token lives, whatever was asked for; None: as asked for.
        expires_in_form: `expires_in` of an exchange is a number, or a text of "digits"; the official client takes both.
        shows_expires_at: an exchange has `expires_at`.
    """

    service_token_ttl_s: float | None = at_least(1, None)
    expires_in_form: ExpiresInForm = "number"
    shows_expires_at: bool = True


class ServiceAccountArguments(TypedDict, total=False):
    """The fields of `ServiceAccountOptions` as keyword arguments."""

    service_token_ttl_s: float | None
    expires_in_form: ExpiresInForm
    shows_expires_at: bool
