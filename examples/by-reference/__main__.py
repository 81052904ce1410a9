import pulumi

from pulumi_qoder_vault import CredentialArgs, Vault

vault = Vault(
    "tools",
    display_name="by-reference",
    credentials=[
        CredentialArgs(
            mcp_server_url="https://docs.example/mcp",
            access_token_from={"env": "DOCS_TOKEN"},
        ),
        CredentialArgs(
            mcp_server_url="https://tickets.example/mcp",
            access_token_from={"file": "tickets-token"},
        ),
        CredentialArgs(
            mcp_server_url="https://wiki.example/mcp",
            access_token_from={"command": ["cat", "wiki-token"]},  # in earnest: op read, vault kv get, …
            rotation_trigger="1",
        ),
    ],
)
pulumi.export("vault_id", vault.id)
pulumi.export("rotations", vault.rotations)
