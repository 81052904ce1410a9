"""As many vaults as VAULTS says, with access tokens of the version TOKENS, and their ids.

FORM is how each access token is given: by value, or by reference, each by one of its own.
"""

import os
from typing import Any

import pulumi

if os.environ["FRONT"] == "plugin":
    from plugin_front import Vault
else:
    from pulumi_qoder_vault import Vault

version, form = os.environ.get("TOKENS", ""), os.environ.get("FORM", "value")


def access_token(number: int) -> dict[str, Any]:
    forms: dict[str, dict[str, Any]] = {
        "value": {"access_token": f"access-token-{number}{version}"},
        "env": {"access_token_from": {"env": f"ACCESS_TOKEN_{number}"}},
        "file": {"access_token_from": {"file": f"tokens/{number}"}},
        "command": {"access_token_from": {"command": ["cat", f"tokens/{number}"]}},
    }
    return forms[form]


vaults = [
    Vault(
        f"v{number}",
        display_name=f"v{number}",
        credentials=[{"mcp_server_url": "https://example.com/mcp", **access_token(number)}],
    )
    for number in range(int(os.environ["VAULTS"]))
]
pulumi.export("vault_ids", [vault.id for vault in vaults])
