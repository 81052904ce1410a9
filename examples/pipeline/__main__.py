import pulumi

from pulumi_qoder_vault import CredentialArgs, Vault

config = pulumi.Config()
vault = Vault(
    "agents",
    display_name=f"agents-{pulumi.get_stack()}",
    credentials=[
        CredentialArgs(
            mcp_server_url=config.require("docsServer"),
            access_token_from={"env": "DOCS_TOKEN"},
            rotation_trigger="1",
        )
    ],
)
pulumi.export("vault_id", vault.id)
pulumi.export("credential_ids", vault.credential_ids)
