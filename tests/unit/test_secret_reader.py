"""Reading a secret where a reference says: what is there, why it cannot be read, and that it is read once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulumi_qoder_vault import secret_reader
from pulumi_qoder_vault.lifecycle.references import Reference, Referenced
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.secret_reader import MOST_BYTES, SecretReader

CANARY = "mcp-canary-one-1111"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")

Read = Callable[[Reference], Referenced]


@pytest.fixture
def read() -> Read:
    return SecretReader().read


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def python(program: str, *arguments: str) -> Reference:
    """A command that runs a program in Python."""
    return Reference("command", (sys.executable, "-I", "-S", "-c", textwrap.dedent(program), *arguments))


def printing(text: str) -> Reference:
    return python("import sys; sys.stdout.buffer.write(sys.argv[1].encode())", text)


def in_file(content: bytes) -> Reference:
    Path("token").write_bytes(content)
    return Reference("file", "token")


def fault(found: Referenced) -> str:
    """Why nothing was read. Whatever was there is nowhere in it."""
    assert found.secret is None
    assert "canary" not in found.fault
    assert found.fault.isprintable()
    return found.fault


# What is there


def test_a_secret_is_what_is_there(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, in a file, and as a command prints it; it is not shown."""
    monkeypatch.setenv("ONE_TOKEN", CANARY)
    for reference in (Reference("env", "ONE_TOKEN"), in_file(CANARY.encode()), printing(CANARY)):
        found = read(reference)

        assert Referenced(reference, Secret(CANARY), "") == found
        assert CANARY not in repr(found).replace(repr(reference), "")


breaks = st.text("\r\n x", max_size=5)


@given(breaks)
@example("\n")
@example("\r\n")
@example("\n\n")
@example("\r\n\r\n")
@example("\r")
def test_one_line_break_at_the_end_is_removed(ending: str) -> None:
    """Of a file: `\\n` or `\\r\\n`, and only one; every other one belongs to the value."""
    there = f"\n{CANARY}{ending}"
    left = there[:-2] if there.endswith("\r\n") else there.removesuffix("\n")

    assert Secret(left) == SecretReader().read(in_file(there.encode())).secret


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n", "\r"])
def test_a_command_is_read_as_a_file_is(read: Read, ending: str) -> None:
    """One line break at its end is removed, and only one."""
    assert (
        SecretReader().read(in_file(f"{CANARY}{ending}".encode())).secret == read(printing(f"{CANARY}{ending}")).secret
    )


def test_the_environment_is_taken_as_it_is(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break in it was put there: whether it may be there is judged as every value is."""
    monkeypatch.setenv("ONE_TOKEN", f"{CANARY}\n")

    assert Secret(f"{CANARY}\n") == read(Reference("env", "ONE_TOKEN")).secret


def test_two_lines_are_one_value(read: Read) -> None:
    """Whether it may have two lines is judged by its field: a key in PEM has many."""
    assert Secret("one-canary\ntwo-canary") == read(printing("one-canary\ntwo-canary\n")).secret


@pytest.mark.parametrize("way", ["env", "file", "command"])
@pytest.mark.parametrize("size", [MOST_BYTES - 1, MOST_BYTES, MOST_BYTES + 1, MOST_BYTES + 2, MOST_BYTES + 3])
def test_a_secret_has_at_most_64_kib(read: Read, monkeypatch: pytest.MonkeyPatch, way: str, size: int) -> None:
    """To the byte, without the line break at the end."""
    text = "a" * size
    monkeypatch.setenv("ONE_TOKEN", text)
    program = "import sys; sys.stdout.buffer.write(b'a' * int(sys.argv[1]) + b'\\r\\n')"
    ways = {
        "env": Reference("env", "ONE_TOKEN"),
        "file": in_file(f"{text}\r\n".encode()),
        "command": python(program, str(size)),
    }

    found = read(ways[way])

    if size <= MOST_BYTES:
        assert Secret(text) == found.secret
    else:
        assert fault(found) in ("holds more than 64 KiB", "printed more than 64 KiB")


# Why it cannot be read


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "is not set where pulumi runs"), ("", "is empty")],
)
def test_an_environment_variable_that_is_not_there(
    read: Read, monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    """Unset and empty are two mistakes."""
    monkeypatch.delenv("ONE_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("ONE_TOKEN", value)

    assert said == fault(read(Reference("env", "ONE_TOKEN")))


@posix
def test_an_environment_variable_that_is_no_text(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not UTF-8 are nobody's access token."""
    monkeypatch.setenv("ONE_TOKEN", os.fsdecode(b"canary\xff"))

    assert "holds what is not UTF-8 text" == fault(read(Reference("env", "ONE_TOKEN")))


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "does not exist"),
    "in a missing folder": (lambda path: None, "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "only a line break": (lambda path: path.write_bytes(b"\r\n"), "is empty"),
    "a folder": (_folder, "is not a regular file"),
    "binary": (lambda path: path.write_bytes(b"canary\x89PNG\xff"), "holds what is not UTF-8 text"),
    "UTF-16": (lambda path: path.write_bytes("canary".encode("utf-16")), "holds what is not UTF-8 text"),
    "10 MB": (lambda path: path.write_bytes(b"canary-10" * 1_200_000), "holds more than 64 KiB"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_read(read: Read, tmp_path: Path, what: str) -> None:
    """Each of them says why, and nothing of what is in it."""
    make, said = FILES[what]
    make(tmp_path / "token")

    assert said == fault(
        read(Reference("file", "folder/token" if "folder" in what.split() and "missing" in what else "token"))
    )


@posix
def test_a_pipe_is_not_waited_for(read: Read, tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    _fifo(tmp_path / "token")

    assert "is not a regular file" == fault(read(Reference("file", "token")))


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(read: Read, device: str) -> None:
    """It has no end, or nothing."""
    assert "is not a regular file" == fault(read(Reference("file", device)))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Let the system refuse what it refuses to others: to root it refuses nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
@pytest.mark.parametrize("path", ["token", "closed/token"])
def test_a_file_of_others(read: Read, tmp_path: Path, path: str) -> None:
    """The system's own word for it."""
    (tmp_path / "closed").mkdir()
    for name in ("token", "closed/token"):
        (tmp_path / name).write_text(CANARY)
        (tmp_path / name).chmod(0)
    (tmp_path / "closed").chmod(0)

    with as_nobody():
        said = fault(read(Reference("file", path)))
    (tmp_path / "closed").chmod(0o700)

    assert "cannot be read (Permission denied)" == said


def test_a_tilde_is_a_folder_of_that_name(read: Read, tmp_path: Path) -> None:
    """A shell would have replaced it; the sentence says that nobody does here."""
    reference = Reference("file", "~/token")

    assert "does not exist; a ~ at its beginning is not expanded" == fault(read(reference))
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "token").write_text(CANARY)
    assert Secret(CANARY) == SecretReader().read(reference).secret


COMMANDS: dict[str, tuple[Reference, str]] = {
    "not found": (Reference("command", ("qoder-no-such-command", CANARY)), "was not found"),
    "failing": (python("import sys; print('canary'); sys.exit('canary')"), "ended with exit status 1"),
    "failing with an exit status": (python("import sys; print('canary'); sys.exit(42)"), "ended with exit status 42"),
    "printing nothing": (python("import sys; sys.stderr.write('canary')"), "printed nothing"),
    "printing a line break": (python("print()"), "printed nothing"),
    "printing bytes": (python("import sys; sys.stdout.buffer.write(b'canary\\xff')"), "printed what is not UTF-8 text"),
    "a null in an argument": (Reference("command", (sys.executable, "canary\0")), "cannot be run (bad arguments)"),
    "endless": (python("while True: print('canary' * 1000)"), "printed more than 64 KiB"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_that_gives_nothing(read: Read, capfd: pytest.CaptureFixture[str], what: str) -> None:
    """Each of them says why; neither its output nor what it writes to standard error is shown or passed on."""
    reference, said = COMMANDS[what]

    assert said == fault(read(reference))
    assert ("", "") == capfd.readouterr()


@posix
def test_a_command_that_a_signal_ends(read: Read) -> None:
    """By the number of the signal."""
    reference = python("import os, signal; print('canary', flush=True); os.kill(os.getpid(), signal.SIGKILL)")

    assert "was ended by signal 9" == fault(read(reference))


@posix
def test_a_command_that_may_not_run(read: Read, tmp_path: Path) -> None:
    """A file that is no program, or a folder: the system's own word for it."""
    (tmp_path / "program").write_text("#!/bin/sh\necho canary\n")

    assert "cannot be run (Permission denied)" == fault(read(Reference("command", ("./program",))))
    assert "cannot be run (Permission denied)" == fault(read(Reference("command", (str(tmp_path),))))


def test_what_a_command_writes_to_standard_error_is_dropped(read: Read, capfd: pytest.CaptureFixture[str]) -> None:
    """However much it is, it neither blocks the command nor reaches anybody."""
    reference = python(f"import sys; sys.stderr.write('canary' * 100_000); print({CANARY!r})")

    assert Secret(CANARY) == read(reference).secret
    assert ("", "") == capfd.readouterr()


@contextmanager
def standard_input(content: bytes) -> Iterator[None]:
    """Let the standard input of this process hold something."""
    kept, (end, beginning) = os.dup(0), os.pipe()
    os.write(beginning, content)
    os.close(beginning)
    os.dup2(end, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(end)


def test_a_command_is_given_no_input_and_no_shell(read: Read) -> None:
    """It cannot ask anybody, and its arguments are what the program wrote."""
    program = "import sys; print(repr(sys.stdin.read()) + '|' + sys.argv[1])"

    with standard_input(b"canary"):
        found = read(python(program, "$HOME; echo `x` *"))

    assert Secret("''|$HOME; echo `x` *") == found.secret


def test_a_command_runs_in_the_working_directory(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the environment of the provider."""
    monkeypatch.setenv("ONE_TOKEN", CANARY)

    found = read(python("import os; print(os.getcwd() + '|' + os.environ['ONE_TOKEN'])"))

    assert Secret(f"{tmp_path.resolve()}|{CANARY}") == found.secret


OF_AN_EXECUTABLE = {"_PYI_ARCHIVE_FILE": "plugin", "_MEIPASS2": "folder", "LD_LIBRARY_PATH": "folder"}


def environment_of_a_command() -> dict[str, str]:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    found = SecretReader().read(python(program)).secret
    assert found is not None
    return dict(json.loads(found.reveal()))


@posix
@pytest.mark.parametrize("before", ["their-folder", "", None])
def test_a_command_has_nothing_that_an_executable_has_for_itself(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """It would load the plugin's own libraries: it has those of `pulumi`, and all the rest."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for name, value in {**OF_AN_EXECUTABLE, "ONE_TOKEN": CANARY}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    if before is not None:
        monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", before)

    found = environment_of_a_command()

    assert before == found.get("LD_LIBRARY_PATH")
    assert CANARY == found["ONE_TOKEN"]
    assert [] == [name for name in found if name.startswith(("_PYI_", "_MEIPASS")) or name.endswith("_ORIG")]


@posix
def test_a_command_has_the_environment_of_pulumi(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, where no executable has changed it."""
    there = {**OF_AN_EXECUTABLE, "LD_LIBRARY_PATH_ORIG": "their-folder"}
    for name, value in there.items():
        monkeypatch.setenv(name, value)

    assert there.items() <= environment_of_a_command().items()


# How long


HANGING = {
    "a command": "import time; print('canary', flush=True); time.sleep(60)",
    "a command that closed its output": "import os, time; os.close(1); time.sleep(60)",
    "a grandchild that keeps the output open": """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
        print("canary")
    """,
    "a grandchild of its own session": """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(45)"], start_new_session=True)
        print("canary")
    """,
}


@pytest.mark.parametrize("what", HANGING)
def test_nothing_is_waited_for_longer_than_30_s(read: Read, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """What still has the output open by then is ended, or left alone, and nothing that was printed counts."""
    assert 30.0 == secret_reader.COMMAND_S
    monkeypatch.setattr(secret_reader, "COMMAND_S", 2.0)
    began_s = time.monotonic()

    assert "did not end within 2 s" == fault(read(python(HANGING[what])))
    assert 1.9 <= time.monotonic() - began_s < 30.0


@pytest.mark.parametrize("what", HANGING)
def test_a_run_that_is_over_waits_for_no_command(what: str) -> None:
    """It is ended, and the line says so; also one that begins after that. The next run reads again."""
    reader = SecretReader()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(reader.read, python(HANGING[what]))
        time.sleep(0.5)
        assert not hanging.done()
        began_s = time.monotonic()

        reader.stop()

        assert "was ended: this run was cancelled" == fault(hanging.result(30))
    assert time.monotonic() - began_s < 10.0
    assert "was ended: this run was cancelled" == fault(reader.read(printing(CANARY)))
    reader.forget()
    assert Secret(CANARY) == reader.read(printing(CANARY)).secret


def test_what_is_forgotten_is_ended_all_the_same() -> None:
    """A command of before: nobody is to wait for it when the run is over."""
    reader = SecretReader()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(reader.read, python(HANGING["a command"]))
        time.sleep(0.5)
        reader.forget()
        began_s = time.monotonic()

        reader.stop()

        assert "was ended: this run was cancelled" == fault(hanging.result(60))
    assert time.monotonic() - began_s < 10.0


# Once


COUNTING = """
    import os, sys, time
    file = os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, b"x")
    time.sleep(0.2)
    print(sys.argv[2])
"""


@pytest.mark.parametrize("is_there", [True, False])
def test_each_is_read_once_whoever_asks(tmp_path: Path, is_there: bool) -> None:
    """64 threads at once, and later ones: one run of the command, and one value, or one reason, for all of them."""
    reader = SecretReader()
    reference = python(COUNTING, "runs", CANARY if is_there else "")
    together = threading.Barrier(64)

    def ask(_: int) -> Referenced:
        together.wait(30)
        return reader.read(reference)

    with ThreadPoolExecutor(64) as pool:
        found = {*pool.map(ask, range(64)), reader.read(reference), reader.known(reference)}

    assert {
        Referenced(reference, Secret(CANARY)) if is_there else Referenced(reference, None, "printed nothing")
    } == found
    assert "x" == (tmp_path / "runs").read_text()


def test_what_was_read_is_what_counts(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes between a check and the request is read by the next run only; so is what comes later."""
    reader = SecretReader()
    env, file = Reference("env", "ONE_TOKEN"), Reference("file", "token")
    monkeypatch.setenv("ONE_TOKEN", CANARY)
    before = [reader.read(env), reader.read(file)]
    monkeypatch.setenv("ONE_TOKEN", "next-canary")
    in_file(b"next-canary")

    assert before == [reader.read(env), reader.read(file)] == [reader.known(env), reader.known(file)]
    assert (Secret(CANARY), None) == (before[0].secret, before[1].secret)
    reader.forget()
    assert [Secret("next-canary")] * 2 == [reader.read(env).secret, reader.read(file).secret]


def test_what_nobody_has_read_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask for what is known reads nothing."""
    reader = SecretReader()
    monkeypatch.setenv("ONE_TOKEN", CANARY)

    assert Referenced(Reference("env", "ONE_TOKEN")) == reader.known(Reference("env", "ONE_TOKEN"))


def test_a_command_that_is_slow_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reference is read by itself."""
    reader = SecretReader()
    monkeypatch.setenv("ONE_TOKEN", CANARY)
    monkeypatch.setattr(secret_reader, "COMMAND_S", 20.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(reader.read, python("import time; time.sleep(5); print('slow')"))

        assert Secret(CANARY) == reader.read(Reference("env", "ONE_TOKEN")).secret
        assert not slow.done()
        assert Secret("slow") == slow.result(60).secret


@pytest.mark.parametrize("way", ["env", "file", "command"])
def test_what_fails_in_a_way_that_nobody_foresaw_says_nothing(
    read: Read, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    """Its text may hold what was read; and whoever waits for it does not wait for ever."""

    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(os.environ, "get", fail)
    monkeypatch.setattr(secret_reader, "Path", fail)
    monkeypatch.setattr(subprocess, "Popen", fail)

    found = read(Reference(way, ("x",) if way == "command" else "x"))
    monkeypatch.undo()

    assert "cannot be read" == fault(found)
