"""Write the SDK of a language, as `pulumi package add` would: `generate_sdk.py <python|nodejs|go> <directory>`.

The schema is that of the installed `pulumi_qoder_vault`, unless a third argument names a file. The generator in
tools/generate-sdk is built once, with Go, and stays in `$XDG_CACHE_HOME/pulumi-qoder-vault/generate-sdk`. For the
language hosts that pulumi_cli.py builds, which cannot generate; those of a released CLI can.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pulumi_cli import Unavailable, cache_directory, last_line
from pulumi_qoder_vault.plugin.schema import schema

MODULE = Path(__file__).resolve().parent / "generate-sdk"
LANGUAGES = ("python", "nodejs", "go")


def main() -> int:
    """Write one SDK; 2 for other arguments, 1 where it cannot be generated."""
    if len(sys.argv) not in {3, 4} or sys.argv[1] not in LANGUAGES:
        print(f"usage: generate_sdk.py <{'|'.join(LANGUAGES)}> <directory> [schema.json]", file=sys.stderr)
        return 2
    language, directory, *file = sys.argv[1:]
    text = Path(file[0]).read_bytes() if file else json.dumps(schema()).encode()
    try:
        generator = cached_or_built(cache_directory().parent / "generate-sdk")
    except Unavailable as reason:
        print(f"SDK: {reason}", file=sys.stderr)
        return 1
    return subprocess.run([generator, language, "-", directory], input=text, check=False).returncode


def cached_or_built(cache: Path) -> Path:
    """Give the generator that belongs to the source beside this file; build it if the cache has none."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((MODULE / name).read_bytes())
    generator = cache / digest.hexdigest()[:12]
    if not generator.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a run that builds is waited for
            if not generator.exists():
                print("SDK: building the generator with Go, some minutes the first time", file=sys.stderr, flush=True)
                build(generator)
    return generator


def build(generator: Path) -> None:
    """Build it beside its place, which it takes when it is whole. With the flags of the CLI: both share a cache."""
    with tempfile.TemporaryDirectory(prefix=".making-", dir=generator.parent) as scratch:
        made = Path(scratch, "generate-sdk")
        command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-w -s", "-o", str(made)]
        try:
            built = subprocess.run(
                command, cwd=MODULE, env=os.environ | {"GOWORK": "off"}, capture_output=True, check=False
            )
        except FileNotFoundError:
            raise Unavailable("there is no Go, which builds the generator") from None
        if built.returncode != 0:
            raise Unavailable(f"go cannot build the generator: {last_line(built.stderr)}")
        made.rename(generator)


if __name__ == "__main__":
    sys.exit(main())
