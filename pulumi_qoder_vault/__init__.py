"""Qoder vaults as Pulumi resources: the credentials that agents take to MCP servers, declared and rotated as code."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dynamic import CredentialArgs, Vault
    from .dynamic_credential import Credential

__all__ = ["Credential", "CredentialArgs", "Vault"]

_HOMES = {"Credential": "dynamic_credential", "CredentialArgs": "dynamic", "Vault": "dynamic"}


def __getattr__(name: str) -> object:
    """Import what is public when it is asked for: the plugin's process handles SIGINT before it imports Pulumi."""
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _HOMES.values():
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
