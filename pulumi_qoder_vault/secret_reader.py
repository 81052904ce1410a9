"""Read secrets where references say that they are: the environment, a file, or what a command prints.

Each is read once for a process, whoever asks: what a check read is what is sent, and a command that asks somebody for
leave asks once. Owns what reading costs at most, and which words say why it failed: none shows what was read, nor what
a command wrote to its standard error.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from .lifecycle.references import Reference, Referenced, Way
from .secret import Secret

MOST_BYTES = 64 * 1024
COMMAND_S = 30.0


class Unreadable(Exception):
    """A secret could not be read; says why, in words that may be shown."""


class SecretReader:
    """The secrets that a process has read, each by its reference."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[Reference, Future[Referenced]] = {}

    def read(self, reference: Reference) -> Referenced:
        """Return what is there, or why it could not be read. Whoever asks meanwhile waits for it."""
        with self._lock:
            is_first = reference not in self._read
            result = self._read.setdefault(reference, Future())
        if is_first:
            result.set_result(_read(reference))
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


READER = SecretReader()
"""That of this process."""


def _read(reference: Reference) -> Referenced:
    try:
        return Referenced(reference, Secret(_text(_WAYS[reference.way](reference))))
    except Unreadable as fault:
        return Referenced(reference, fault=str(fault))
    except Exception:  # noqa: BLE001 its text may hold what was read; whoever waits for it must not wait for ever
        return Referenced(reference, fault="cannot be read")


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise Unreadable(f"gave more than {MOST_BYTES // 1024} KiB")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unreadable("gave what is not UTF-8 text") from None


def _environment(reference: Reference) -> bytes:
    value = os.environ.get(str(reference.target))
    if value is None:
        raise Unreadable("is not set where pulumi runs")
    if not value:
        raise Unreadable("is empty")
    return value.encode(errors="surrogateescape")


def _file(reference: Reference) -> bytes:
    path = Path(str(reference.target))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable("is no regular file")
        with path.open("rb") as file:
            content = _without_line_break(file.read(MOST_BYTES + 3))
    except FileNotFoundError:
        tilde = "; a ~ at its beginning is not expanded" if str(path).startswith("~") else ""
        raise Unreadable(f"does not exist{tilde}") from None
    except OSError as failure:
        raise Unreadable(f"cannot be read ({failure.strerror})") from None
    if not content:
        raise Unreadable("is empty")
    return content


def _without_line_break(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content


def _command(reference: Reference) -> bytes:
    try:
        process = subprocess.Popen(  # noqa: S603 the program says what runs
            list(reference.target),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what it starts ends with it
        )
    except FileNotFoundError:
        raise Unreadable("was not found") from None
    except (OSError, ValueError) as failure:
        raise Unreadable(f"cannot be run ({getattr(failure, 'strerror', None) or 'bad arguments'})") from None
    ended_late = threading.Event()

    def end() -> None:
        ended_late.set()
        _kill(process)

    timer = threading.Timer(COMMAND_S, end)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None  # noqa: S101 it is piped
        with process.stdout as output:
            content = output.read(MOST_BYTES + 3)
        if len(content) > MOST_BYTES + 2:
            _kill(process)
        status = process.wait()
    finally:
        timer.cancel()
    if ended_late.is_set():
        raise Unreadable(f"did not end within {COMMAND_S:.0f} s")
    if len(content) <= MOST_BYTES + 2 and status != 0:
        raise Unreadable(f"ended with exit status {status}" if status > 0 else f"was ended by signal {-status}")
    if not (content := _without_line_break(content)):
        raise Unreadable("printed nothing")
    return content


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


_WAYS: Mapping[Way, Callable[[Reference], bytes]] = {"env": _environment, "file": _file, "command": _command}
