import pulumi
import pulumi_qoder as qoder

config = pulumi.Config()
vault = qoder.Vault(
    "github-tools",
    display_name="my-mcp-vault",
    credentials=[
        {
            "mcp_server_url": "https://example.com/mcp",
            "protocol": "sse",
            "access_token": config.require_secret("githubToken"),
        }
    ],
)
pulumi.export("vault_id", vault.id)
pulumi.export("credential_ids", vault.credential_ids)
