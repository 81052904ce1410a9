"""Read secrets where references say that they are: the environment, a file, or what a command prints.

Each is read once for a process, whoever asks: what a check read is what is sent, and a command that asks somebody for
leave asks once. Owns what reading costs at most, and which words say why it failed: none shows what was read, nor what
a command wrote to its standard error.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from .lifecycle.references import Reference, Referenced, Way
from .secret import Secret

MOST_BYTES = 64 * 1024
COMMAND_S = 30.0
LOOKS_EVERY_S = 0.2  # if the run is over


class Unreadable(Exception):
    """A secret could not be read; says why, in words that may be shown."""


class SecretReader:
    """The secrets that a process has read, each by its reference."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[Reference, Future[Referenced]] = {}
        self._over = threading.Event()

    def read(self, reference: Reference) -> Referenced:
        """Return what is there, or why it could not be read. Whoever asks meanwhile waits for it."""
        with self._lock:
            is_first = reference not in self._read
            result = self._read.setdefault(reference, Future())
        if is_first:
            result.set_result(_read(reference, self._over))
        return result.result()

    def known(self, reference: Reference) -> Referenced:
        """Return what was read, without reading."""
        with self._lock:
            result = self._read.get(reference)
        return result.result() if result is not None else Referenced(reference)

    def forget(self) -> None:
        """Read everything anew: another run has begun in this process."""
        with self._lock:
            self._read.clear()
            if self._over.is_set():  # else what still runs is of this run, too
                self._over = threading.Event()

    def stop(self) -> None:
        """End the commands that run: nobody waits for them any more."""
        self._over.set()


READER = SecretReader()
"""That of this process."""


def _read(reference: Reference, over: threading.Event) -> Referenced:
    try:
        return Referenced(reference, Secret(_WAYS[reference.way](reference, over)))
    except Unreadable as fault:
        return Referenced(reference, fault=str(fault))
    except Exception:  # noqa: BLE001 its text may hold what was read; whoever waits for it must not wait for ever
        return Referenced(reference, fault="cannot be read")


def _text(content: bytes, verb: str) -> str:
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{verb} more than {MOST_BYTES // 1024} KiB")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unreadable(f"{verb} what is not UTF-8 text") from None


def _environment(reference: Reference, over: threading.Event) -> str:  # noqa: ARG001 it takes no time
    value = os.environ.get(str(reference.target))
    if value is None:
        raise Unreadable("is not set where pulumi runs")
    if not value:
        raise Unreadable("is empty")
    return _text(value.encode(errors="surrogateescape"), "holds")


def _file(reference: Reference, over: threading.Event) -> str:  # noqa: ARG001
    path = Path(str(reference.target))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable("is not a regular file")
        with path.open("rb") as file:
            content = _without_line_break(file.read(MOST_BYTES + 3))
    except FileNotFoundError:
        tilde = "; a ~ at its beginning is not expanded" if str(path).startswith("~") else ""
        raise Unreadable(f"does not exist{tilde}") from None
    except OSError as failure:
        raise Unreadable(f"cannot be read ({failure.strerror})") from None
    if not content:
        raise Unreadable("is empty")
    return _text(content, "holds")


def _without_line_break(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content


def _command(reference: Reference, over: threading.Event) -> str:
    try:
        process = subprocess.Popen(  # noqa: S603 the program says what runs
            list(reference.target),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment_of_commands(),
        )
    except FileNotFoundError:
        raise Unreadable("was not found") from None
    except (OSError, ValueError) as failure:
        raise Unreadable(f"cannot be run ({getattr(failure, 'strerror', None) or 'bad arguments'})") from None
    output: Future[tuple[bytes, int]] = Future()
    threading.Thread(target=_follow, args=(process, output), daemon=True).start()
    content, status = _wait(process, output, over)
    if len(content) <= MOST_BYTES + 2 and status != 0:
        raise Unreadable(f"ended with exit status {status}" if status > 0 else f"was ended by signal {-status}")
    if not (content := _without_line_break(content)):
        raise Unreadable("printed nothing")
    return _text(content, "printed")


def _follow(process: subprocess.Popen[bytes], output: Future[tuple[bytes, int]]) -> None:
    """Read what a command prints, until nobody has its output open: something that it left behind may, for ever."""
    assert process.stdout is not None  # noqa: S101 it is piped
    with process.stdout as stdout:
        content = stdout.read(MOST_BYTES + 3)
    if len(content) > MOST_BYTES + 2:
        process.kill()
    output.set_result((content, process.wait()))


def _wait(
    process: subprocess.Popen[bytes], output: Future[tuple[bytes, int]], over: threading.Event
) -> tuple[bytes, int]:
    """Wait for what a command prints, and its exit status; end it where that takes too long, or the run is over."""
    until_s = time.monotonic() + COMMAND_S
    while not over.is_set():
        with suppress(TimeoutError):
            return output.result(min(LOOKS_EVERY_S, max(0.0, until_s - time.monotonic())))
        if time.monotonic() >= until_s:
            process.kill()
            raise Unreadable(f"did not end within {COMMAND_S:g} s")
    process.kill()
    raise Unreadable("was ended: this run was cancelled")


def _environment_of_commands() -> dict[str, str] | None:
    """Return the environment of `pulumi`, without what an executable plugin has put into it for itself.

    Source: PyInstaller, "Launching external programs from the frozen application" (read 2026-11).
    """
    if not getattr(sys, "frozen", False):
        return None
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("_PYI_", "_MEIPASS"))}
    for name in ("LD_LIBRARY_PATH", "LIBPATH"):
        kept.pop(name, None)
        if (before := kept.pop(f"{name}_ORIG", None)) is not None:
            kept[name] = before
    return kept


_WAYS: Mapping[Way, Callable[[Reference, threading.Event], str]] = {
    "env": _environment,
    "file": _file,
    "command": _command,
}
