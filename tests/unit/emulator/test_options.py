"""Options: the undocumented behaviours of the service."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from pulumi_qoder_vault.emulator import Emulator, ServiceOptions
from pulumi_qoder_vault.emulator.options import OptionArguments


def test_the_arguments_of_the_emulator_are_the_fields_of_the_options() -> None:
    """Every option is a keyword argument with the name and the type of its field."""
    assert get_type_hints(ServiceOptions) == get_type_hints(OptionArguments)


@pytest.mark.parametrize("option", fields(ServiceOptions), ids=lambda option: option.name)
def test_an_option_reaches_the_service(option: Any) -> None:
    """The service uses the argument, or else the default of the field."""
    of_type: dict[type, Any] = {bool: not option.default, str: "ignore", int: 200}
    value: Any = False if option.name == "store_metadata" else of_type.get(type(option.default), 3)
    arguments: dict[str, Any] = {option.name: value}

    assert value == getattr(Emulator(**arguments).options, option.name)
    assert option.default == getattr(Emulator().options, option.name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"revision": "2026-06"},
        {"credentials_key": "maybe"},
        {"archive_again": 404},
        {"credential_create_status": 204},
        {"writes_per_second": 0},
        {"reads_per_second": 0.5},
        {"latency_s": -1},
        {"fault_delay_s": -0.1},
        {"max_credentials": -1},
    ],
)
def test_an_invalid_value_is_one_line(arguments: Any) -> None:
    """A value with which the service could not respond is an error that names the argument."""
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))} must be [^\\n]+$"):
        Emulator(**arguments)


def test_an_unknown_option_is_a_type_error() -> None:
    """A misspelt option is never ignored."""
    arguments: Any = {"unique_urls": False}
    with pytest.raises(TypeError, match="unique_urls"):
        Emulator(**arguments)
