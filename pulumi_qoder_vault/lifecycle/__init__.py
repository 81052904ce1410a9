"""What a vault is and how it changes. Knows neither HTTP nor Pulumi."""
