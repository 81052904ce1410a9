"""The plugin `qoder`: vaults and credentials for every Pulumi language, from the same core as the Python resources."""

from __future__ import annotations


def main() -> None:
    """Serve the engine that started this process, until it ends it. Prints the port, and nothing else."""
    from .servicer import serve

    serve()
