"""The plugin `qoder`: vaults and credentials for every Pulumi language, from the same core as the Python resources."""
