"""Options: the undocumented behaviours of the service."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from pulumi_qoder_vault.emulator import Emulator, ServiceOptions
from pulumi_qoder_vault.emulator.options import OPTIONS, Option, OptionArguments


def test_the_arguments_of_the_emulator_are_the_fields_of_the_options() -> None:
    """Every option is a keyword argument with the name and the type of its field."""
    assert get_type_hints(ServiceOptions) == get_type_hints(OptionArguments)


def another(option: Option) -> Any:
    """Return a value that is not the default."""
    if option.type is bool:
        return not option.default
    values: tuple[Any, ...] = option.choices or {int: (3,), float: (3.0,), str: ("other",)}[option.type]
    value = next(value for value in values if value != option.default)
    return (value,) if option.is_list else value


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_reaches_the_service(option: Any) -> None:
    """The service uses the argument, or else the default of the field."""
    value: Any = another(option)
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
        {"page_size_cap": 0},
        {"next_page": False},
        {"list_lag_s": -1},
        {"vault_delete_refusal": 410},
        {"credential_delete_refusal": 409},
        {"ignored_auth_fields": ("token",)},
        {"utc_offset_minutes": -841},
    ],
)
def test_an_invalid_value_is_one_line(arguments: Any) -> None:
    """A value with which the service could not respond is an error that names the argument."""
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))} must be [^\\n]+$"):
        Emulator(**arguments)


def test_every_option_is_described() -> None:
    """The docstrings say of each option what it is; the command line shows it."""
    assert [] == [option.name for option in OPTIONS if not option.description.endswith((".", "`Z`"))]


def test_an_unknown_option_is_a_type_error() -> None:
    """A misspelt option is never ignored."""
    arguments: Any = {"unique_urls": False}
    with pytest.raises(TypeError, match="unique_urls"):
        Emulator(**arguments)
