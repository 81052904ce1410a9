"""The plugin's resources for a Python program, with the names of the dynamic ones: an SDK in a few lines.

It is copied beside a program, so that the same program runs on either front.
"""

import re
from typing import Any, Self

import pulumi

OUTPUTS = {
    "Vault": (
        "display_name metadata on_delete credentials credential_ids rotations rotated_at status base_url workspace_id "
        "created_at updated_at api_revision force_destroy other_credentials"
    ),
    "Credential": (
        "vault_id mcp_server_url access_token protocol type credential_id rotations rotated_at status base_url "
        "workspace_id api_revision"
    ),
}


class _Resource(pulumi.CustomResource):
    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **arguments: Any) -> None:
        kind = type(self).__name__
        outputs = dict.fromkeys(OUTPUTS[kind].split())
        super().__init__(f"qoder:index:{kind}", resource_name, {**outputs, **arguments}, opts)

    def translate_input_property(self, prop: str) -> str:
        return re.sub("_(.)", lambda match: match[1].upper(), prop) if prop.isidentifier() else prop

    def translate_output_property(self, prop: str) -> str:
        return re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", prop) if prop.isidentifier() else prop

    @classmethod
    def get(cls, resource_name: str, id: str, opts: pulumi.ResourceOptions | None = None) -> Self:  # noqa: A002 Pulumi's own name for it
        return cls(resource_name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id)))


class Vault(_Resource):
    pass


class Credential(_Resource):
    pass
