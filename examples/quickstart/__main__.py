import pulumi

from pulumi_qoder_vault import CredentialArgs, Vault

config = pulumi.Config()
vault = Vault(
    "github-tools",
    display_name="my-mcp-vault",
    credentials=[
        CredentialArgs(
            mcp_server_url="https://example.com/mcp",
            protocol="sse",
            access_token=config.require_secret("githubToken"),
        )
    ],
)
pulumi.export("vault_id", vault.id)
pulumi.export("credential_ids", vault.credential_ids)
