"""What users install."""

import subprocess
import sys


def test_every_public_name_has_a_home() -> None:
    """Names are imported when they are asked for, and so are the modules whose names stand in every state."""
    program = (
        "import pulumi_qoder_vault as package\n"
        "homes = [(name, getattr(package, name).__module__.rpartition('.')[2]) for name in package.__all__]\n"
        "print(', '.join(map(' '.join, homes)))\n"
        "print(package.dynamic.VaultProvider.__name__, hasattr(package, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [
        "Credential dynamic_credential, CredentialArgs dynamic, InjectionLocationArgs dynamic_credential, "
        "NetworkingArgs dynamic_credential, OAuthRefreshArgs dynamic_credential, SecretReferenceArgs dynamic_provider, "
        "TokenEndpointAuthArgs dynamic_credential, Vault dynamic",
        "VaultProvider False",
    ] == done.stdout.splitlines()
