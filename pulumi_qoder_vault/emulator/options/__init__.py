"""Behaviours of the service that no page documents. Each one is an option, so that clients can be tested with all.

One file has the options of one subject. What an option is stands in the docstring of its class; the command line shows
the same sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Option, options_of, reject_invalid
from .forms import FormArguments, FormOptions
from .lists import ListArguments, ListOptions
from .routes import RouteArguments, RouteOptions
from .rules import RuleArguments, RuleOptions
from .service_accounts import ServiceAccountArguments, ServiceAccountOptions
from .timing import TimingArguments, TimingOptions

__all__ = ["OPTIONS", "SUBJECTS", "Option", "OptionArguments", "ServiceOptions", "options_of"]

SUBJECTS = (TimingOptions, RuleOptions, RouteOptions, ListOptions, FormOptions, ServiceAccountOptions)


@dataclass(frozen=True)
class ServiceOptions(ServiceAccountOptions, FormOptions, ListOptions, RouteOptions, RuleOptions, TimingOptions):
    """The undocumented behaviours. Each default is what a page shows, or the stricter or the more likely one."""

    def __post_init__(self) -> None:
        """Reject values with which the service could not respond."""
        reject_invalid(self)


OPTIONS = options_of(ServiceOptions)


class OptionArguments(
    FormArguments,
    ListArguments,
    RouteArguments,
    RuleArguments,
    ServiceAccountArguments,
    TimingArguments,
    total=False,
):
    """The fields of `ServiceOptions` as keyword arguments; a test keeps the names and types equal."""
