"""The Vaults API over HTTP. Knows neither Pulumi nor the rules of a vault's life."""
