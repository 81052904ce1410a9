package main

import (
	"example.com/pulumi-qoder/sdk/go/qoder"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		token := config.New(ctx, "").RequireSecret("githubToken")
		vault, err := qoder.NewVault(ctx, "github-tools", &qoder.VaultArgs{
			DisplayName: pulumi.String("my-mcp-vault"),
			Credentials: qoder.VaultCredentialArray{
				&qoder.VaultCredentialArgs{
					McpServerUrl: pulumi.String("https://example.com/mcp"),
					Protocol:     pulumi.String("sse"),
					AccessToken:  token,
				},
			},
		})
		if err != nil {
			return err
		}
		ctx.Export("vault_id", vault.ID())
		ctx.Export("credential_ids", vault.CredentialIds)
		return nil
	})
}
