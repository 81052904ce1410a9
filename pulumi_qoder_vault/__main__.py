"""`python -m pulumi_qoder_vault`: the plugin, as Pulumi runs it from source (see PulumiPlugin.yaml)."""

from .plugin.process import main

if __name__ == "__main__":
    main()
