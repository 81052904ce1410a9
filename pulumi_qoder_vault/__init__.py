"""Qoder vaults as Pulumi resources: the credentials that agents take to MCP servers, declared and rotated as code."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dynamic import CredentialArgs, Vault
    from .dynamic_credential import (
        Credential,
        InjectionLocationArgs,
        NetworkingArgs,
        OAuthRefreshArgs,
        TokenEndpointAuthArgs,
    )
    from .dynamic_provider import SecretReferenceArgs

__all__ = [
    "Credential",
    "CredentialArgs",
    "InjectionLocationArgs",
    "NetworkingArgs",
    "OAuthRefreshArgs",
    "SecretReferenceArgs",
    "TokenEndpointAuthArgs",
    "Vault",
]

_OTHERS = {"CredentialArgs": "dynamic", "Vault": "dynamic", "SecretReferenceArgs": "dynamic_provider"}
_HOMES = {name: _OTHERS.get(name, "dynamic_credential") for name in __all__}


def __getattr__(name: str) -> object:
    """Import what is public when it is asked for: the plugin's process handles SIGINT before it imports Pulumi."""
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _HOMES.values():
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
