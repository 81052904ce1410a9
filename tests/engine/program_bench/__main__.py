"""As many vaults as VAULTS says, with access tokens of the version TOKENS, and their ids."""

import os

import pulumi

if os.environ["FRONT"] == "plugin":
    from plugin_front import Vault
else:
    from pulumi_qoder_vault import Vault

version = os.environ.get("TOKENS", "")
vaults = [
    Vault(
        f"v{number}",
        display_name=f"v{number}",
        credentials=[{"mcp_server_url": "https://example.com/mcp", "access_token": f"access-token-{number}{version}"}],
    )
    for number in range(int(os.environ["VAULTS"]))
]
pulumi.export("vault_ids", [vault.id for vault in vaults])
