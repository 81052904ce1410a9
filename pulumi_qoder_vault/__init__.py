"""Qoder vaults as Pulumi resources: the credentials that agents take to MCP servers, declared and rotated as code."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dynamic import CredentialArgs, Vault
    from .dynamic_credential import Credential

__all__ = ["Credential", "CredentialArgs", "Vault"]


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: the plugin's process handles SIGINT before it imports Pulumi."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import dynamic, dynamic_credential

    return getattr(dynamic_credential if name == "Credential" else dynamic, name)
