"""The plugin that programs run: that of the environment, or that of the archive which QODER_PLUGIN_ARCHIVE names."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PREFIX = "pulumi-resource-qoder-v"
NO_ARCHIVE = "QODER_PLUGIN_ARCHIVE names no archive, nor its folder; `make plugin-archive` builds one into dist/"


def archive() -> Path | None:
    """The archive; the variable may name its folder. None without the variable."""
    named = os.environ.get("QODER_PLUGIN_ARCHIVE")
    if not named:
        return None
    path = Path(named).resolve()
    found = [path] if path.is_file() else list(path.glob(f"{PREFIX}*.tar.gz"))
    if len(found) != 1:
        raise FileNotFoundError(f"{NO_ARCHIVE}; {len(found)} are in {path}")
    return found[0]


@functools.cache
def plugin_folder() -> Path:
    """The folder with the executable of the plugin. An archive is unpacked once, for as long as this process lives."""
    packed = archive()
    if packed is None:
        return Path(sys.prefix, "bin")
    folder = tempfile.TemporaryDirectory(prefix="plugin-of-the-archive-")
    atexit.register(folder.cleanup)
    with tarfile.open(packed) as tar:
        tar.extractall(folder.name, filter="data")
    return Path(folder.name)


@dataclass
class Downloads:
    """A server of the files in a folder, on this machine.

    Attributes:
        asked: the paths that were asked for, in order.
    """

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(folder: Path) -> Iterator[Downloads]:
    """Serve a folder as a release, or a web server of a company, does."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            downloads.asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        downloads = Downloads(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield downloads
        server.shutdown()
        thread.join()
