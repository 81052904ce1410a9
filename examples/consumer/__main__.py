import pulumi

config = pulumi.Config()
quickstart = pulumi.StackReference(config.require("quickstart-stack"))

# A session or a deployment takes the ids of vaults. Neither takes the id of a credential: it helps to find it at Qoder.
pulumi.export("vault_ids", [quickstart.require_output("vault_id")])
pulumi.export("credential_id", quickstart.require_output("credential_ids")["https://example.com/mcp"])
