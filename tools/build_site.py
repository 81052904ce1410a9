"""Build the site of the manual, strictly: `build_site.py <directory>`. A page or a heading that is not there fails.

The pages are where the repository has them: README, `docs/`, the examples, CONTRIBUTING and its neighbours. They are
copied, with docs/site.yml, into a temporary directory, and Zensical builds them there: so all links between them hold
in the repository and on the site. Beside each page the site has its Markdown, which llms.txt links.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CONFIGURATION = REPOSITORY / "docs" / "site.yml"
PATTERNS = ("*.md", "docs/**/*.md", "examples/*/*.md", "LICENSE", "llms.txt", "pyproject.toml")


def pages() -> list[Path]:
    """Return all files of the site, relative to the repository."""
    return sorted(file.relative_to(REPOSITORY) for pattern in PATTERNS for file in REPOSITORY.glob(pattern))


def main() -> int:
    """Build the site; the status of the generator, or 2 for other arguments."""
    if len(sys.argv) != 2:
        print("usage: build_site.py <directory>", file=sys.stderr)
        return 2
    site = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="qoder-vault-site-") as folder:
        shutil.copy(CONFIGURATION, Path(folder, "mkdocs.yml"))
        copy(Path(folder, "pages"))
        done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, check=False)
        if done.returncode == 0:
            copy(Path(folder, "site"))
            shutil.rmtree(site, ignore_errors=True)
            shutil.copytree(Path(folder, "site"), site)
    return done.returncode


def copy(folder: Path) -> None:
    """Copy all files of the site, each to its place."""
    for file in pages():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, folder / file)


if __name__ == "__main__":
    sys.exit(main())
