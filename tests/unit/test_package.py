"""What users install."""

import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(tmp_path: Path) -> None:
    """`py.typed` for type checkers; `pulumi-plugin.json`, or the Python host would look for a plugin to download."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    command = [*build, "--outdir", str(tmp_path), str(REPOSITORY)]
    subprocess.run(command, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("pulumi_qoder_vault-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        plugin = archive.read("pulumi_qoder_vault/pulumi-plugin.json")
    assert {"pulumi_qoder_vault/py.typed", "pulumi_qoder_vault/dynamic.py"} <= names
    assert b'{"resource": false}' == plugin.strip()
    assert {"pulumi_qoder_vault"} == {name.split("/")[0] for name in names if ".dist-info/" not in name}


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
