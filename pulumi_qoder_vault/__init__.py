"""Qoder vaults as Pulumi resources: the credentials that agents take to MCP servers, declared and rotated as code."""

from .dynamic import CredentialArgs, Vault
from .dynamic_credential import Credential

__all__ = ["Credential", "CredentialArgs", "Vault"]
