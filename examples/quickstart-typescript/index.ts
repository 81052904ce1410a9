import * as pulumi from "@pulumi/pulumi";
import * as qoder from "pulumi-qoder";

const config = new pulumi.Config();
const vault = new qoder.Vault("github-tools", {
    displayName: "my-mcp-vault",
    credentials: [
        {
            mcpServerUrl: "https://example.com/mcp",
            protocol: "sse",
            accessToken: config.requireSecret("githubToken"),
        },
    ],
});
export const vault_id = vault.id;
export const credential_ids = vault.credentialIds;
