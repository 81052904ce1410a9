"""The plugin as a process of its own: how an engine starts it, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from in_process.provider import Provider
from in_process.wire import struct
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.error_reporting import engine_address
from unit import signals
from unit.plugin.engine_side import in_time
from unit.signals import posix_only

URL = "https://example.com/mcp"
VAULT = {"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessToken": "mcp-canary-one-1111"}]}
FLAGS = ("--logtostderr", "-v=3", "--tracing", "tcp://127.0.0.1:1")


class Process:
    """The process, started as an engine does, and the engine's own port."""

    def __init__(self, *flags: str, by_hand: bool = False) -> None:
        self.engine = socket.create_server(("127.0.0.1", 0))
        address = [] if by_hand else [f"127.0.0.1:{self.engine.getsockname()[1]}"]
        command = [sys.executable, "-m", "pulumi_qoder_vault", *flags, *address]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **signals.OWN_GROUP
        )
        self.channel: grpc.Channel | None = None

    def connect(self) -> Provider:
        assert self.process.stdout is not None
        port = int(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        return Provider(provider_pb2_grpc.ResourceProviderStub(self.channel))

    def engine_is_killed(self) -> None:
        self.engine.close()
        if self.channel is not None:
            self.channel.close()

    def end(self, at_most_s: float = 60) -> tuple[int, str]:
        """Wait for its end; return its exit status, and what it wrote to stderr."""
        _, stderr = self.process.communicate(timeout=at_most_s)
        return self.process.returncode, stderr

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine_is_killed()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True, scope="module")
def hangups() -> None:
    """Under nohup the tests ignore SIGHUP, and a process that they start would, too."""
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def begin_creates(plugin: Provider, count: int) -> list[Any]:
    request = provider_pb2.CreateRequest(urn=plugin.urn, properties=struct(plugin.checked(VAULT)))
    return [plugin.stub.Create.future(request, timeout=60) for _ in range(count)]


# How it starts


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], None),
        (["127.0.0.1:2"], "127.0.0.1:2"),
        (["--logtostderr", "-v=9", "127.0.0.1:2"], "127.0.0.1:2"),
        (["--tracing", "tcp://127.0.0.1:1", "127.0.0.1:2"], "127.0.0.1:2"),
        (["-v=9", "--tracing", "file:/tmp/trace", "localhost:2"], "localhost:2"),
        (["--tracing", "tcp://127.0.0.1:1"], None),
        (["-v=3"], None),
        (["help"], None),
    ],
)
def test_the_address_of_the_engine_is_the_last_argument(arguments: list[str], address: str | None) -> None:
    """Flags and their values stand before it. Whoever runs the plugin by hand gives none."""
    assert address == engine_address(arguments)


def test_it_serves_an_engine_that_starts_it_with_flags(start: Callable[..., Emulator]) -> None:
    """Under `--tracing` it watches the engine, and not the receiver of the traces."""
    qoder = start("2026-05")
    with Process(*FLAGS) as running:
        running.connect().configure(qoder).create(VAULT)
        assert 1 == len(qoder.vaults)

        running.engine_is_killed()

        assert (0, "") == running.end()


# How it ends


@pytest.mark.parametrize("by_hand", [False, True], ids=["an engine", "a person"])
def test_an_interrupt_ends_it_without_a_word(by_hand: bool) -> None:
    """The engine ends plugins with SIGINT, and shows what they write to stderr from `-v=3` on."""
    with Process("--logtostderr", "-v=3", by_hand=by_hand) as running:
        running.connect().stub.Cancel(empty_pb2.Empty(), timeout=5)

        running.process.send_signal(signals.INTERRUPT)

        assert (0, "") == running.end(at_most_s=5), "the engine kills it after 5 s"


def test_an_interrupt_during_its_start_ends_it_without_a_word() -> None:
    """Whichever import it meets, of Pulumi, gRPC or the package's own."""
    program = """
import signal, sys

class Interrupting:
    first_seen = ("pulumi_qoder_vault", "pulumi_qoder_vault.plugin", "pulumi_qoder_vault.plugin.process")

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pulumi", "grpc", "pulumi_qoder_vault") and name not in self.first_seen:
            print(name, flush=True)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from pulumi_qoder_vault.plugin.process import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    *imported, port = done.stdout.split()
    assert {"pulumi", "grpc", "pulumi_qoder_vault.plugin.servicer"} <= set(imported)
    assert port.isdecimal()
    assert (0, "") == (done.returncode, done.stderr)


@posix_only
def test_what_ends_a_process_on_windows_ends_it() -> None:
    """There the engine sends Ctrl-Break, and its default is an end at once. Another signal plays it here."""
    program = (
        "import signal; signal.SIGBREAK = signal.SIGUSR1\nfrom pulumi_qoder_vault.plugin.process import main; main()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdecimal()
        process.send_signal(signal.SIGUSR1)
        assert 0 == process.wait(timeout=60)


@pytest.mark.parametrize("number", signals.ALL, ids=lambda number: number.name)
@pytest.mark.parametrize("rate", ["0", "8"], ids=["all is under way", "most waits for the rate limit"])
def test_no_signal_cuts_off_what_was_begun(start: Callable[..., Emulator], rate: str, number: signal.Signals) -> None:
    """Each create is finished, or rolled back and says so: nothing is left that no response names."""
    qoder = start("2026-07", latency_s=0.5)
    with Process() as running:
        plugin = running.connect().configure(qoder, apiRevision="2026-07", maxWritesPerSecond=rate)
        creates = begin_creates(plugin, 20)
        assert in_time(lambda: len(qoder.vaults) >= 2, 60)

        running.process.send_signal(number)
        failures = [create.exception() for create in creates]

        assert (0, "") == running.end()
    made = [create.result().id for create, failure in zip(creates, failures, strict=True) if failure is None]
    assert sorted(made) == sorted(vault.id for vault in qoder.vaults)
    assert [1] * len(made) == [len(vault.credentials) for vault in qoder.vaults]
    if rate == "0":
        assert 20 == len(made)
    else:
        assert any("was deleted again, nothing is left" in failure.details() for failure in failures if failure)


def test_cancel_gets_through_to_a_busy_plugin(start: Callable[..., Emulator]) -> None:
    """However many operations there are at a time, and what waits is then not sent."""
    qoder = start("2026-05")
    with Process() as running:
        plugin = running.connect().configure(qoder, apiRevision="2026-05", maxWritesPerSecond="4")
        creates = begin_creates(plugin, 100)
        assert in_time(lambda: len(qoder.vaults) >= 3, 60)

        plugin.stub.Cancel(empty_pb2.Empty(), timeout=5)
        failures = [create.exception() for create in creates]

    made = len([failure for failure in failures if failure is None])
    assert made == len(qoder.vaults), "what was made is recorded"
    assert made < 20
    lines = {failure.details() for failure in failures if failure is not None}
    assert lines <= {
        "POST /vaults: not sent: this run was cancelled",
        "not begun: this run was cancelled",
    }


def begin_check_that_hangs(plugin: Provider) -> Any:
    """Begin a check, and wait until its command runs."""
    Path("runs").unlink(missing_ok=True)
    program = "import time; open('runs', 'w').close(); time.sleep(600)"
    reference = {"command": [sys.executable, "-I", "-S", "-c", program]}
    news = struct({"displayName": "v", "credentials": [{"mcpServerUrl": URL, "accessTokenFrom": reference}]})
    check = plugin.stub.Check.future(provider_pb2.CheckRequest(urn=plugin.urn, news=news), timeout=60)
    assert in_time(lambda: Path("runs").exists(), 20)
    return check


ENDED = f"credentials[0].accessTokenFrom: command '{Path(sys.executable)}' was ended: this run was cancelled"


def test_cancel_ends_a_command_that_hangs(start: Callable[..., Emulator], in_folder: None) -> None:
    """The check says so at once, and not after the 30 s that a command has."""
    with Process() as running:
        plugin = running.connect().configure(start("2026-05"))
        check = begin_check_that_hangs(plugin)
        began_s = time.monotonic()

        plugin.stub.Cancel(empty_pb2.Empty(), timeout=5)

        assert [ENDED] == [failure.reason for failure in check.result().failures]
        assert time.monotonic() - began_s < 15


@pytest.mark.parametrize("number", signals.ALL, ids=lambda number: number.name)
def test_a_signal_ends_a_command_that_hangs(
    start: Callable[..., Emulator], in_folder: None, number: signal.Signals
) -> None:
    """Likewise, and the process with it."""
    with Process() as running:
        check = begin_check_that_hangs(running.connect().configure(start("2026-05")))
        began_s = time.monotonic()

        running.process.send_signal(number)

        assert [ENDED] == [failure.reason for failure in check.result().failures]
        assert (0, "") == running.end()
        assert time.monotonic() - began_s < 15


def test_a_plugin_whose_engine_was_killed_makes_no_more_and_ends(start: Callable[..., Emulator]) -> None:
    """Nobody would record what it makes."""
    qoder = start("2026-05")
    with Process() as running:
        plugin = running.connect().configure(qoder, apiRevision="2026-05", maxWritesPerSecond="4")
        creates = begin_creates(plugin, 60)
        assert in_time(lambda: len(qoder.vaults) >= 2, 60)

        running.engine_is_killed()

        assert (0, "") == running.end()
        assert len(qoder.vaults) < 30
        assert 60 == len(creates)


@posix_only
def test_under_nohup_a_hangup_does_not_end_it() -> None:
    """What ignores SIGHUP when it starts goes on."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = Process()
    finally:
        signal.signal(signal.SIGHUP, before)
    with running:
        plugin = running.connect()
        running.process.send_signal(signal.SIGHUP)

        assert not in_time(lambda: running.process.poll() is not None, 1)
        assert plugin.stub.GetPluginInfo(empty_pb2.Empty(), timeout=5).version


@pytest.mark.parametrize("how", ["killed engine", "SIGTERM"])
def test_whatever_a_server_drips_it_is_gone_within_a_minute(serve_raw: Callable[..., Any], how: str) -> None:
    """A response without end is given up some seconds later, and what may have come of it is looked for once."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server.is_over.wait(0.1):
            connection.sendall(b"x")

    server: Any = serve_raw(drip)
    with Process() as running:
        plugin = running.connect()
        plugin.call("Configure", args={"baseUrl": server.base_url, "apiToken": "pt-canary-0123456789"})
        creates = begin_creates(plugin, 2)
        assert in_time(lambda: server.requests, 60), [create.exception() for create in creates if create.done()]
        began_s = time.monotonic()

        if how == "SIGTERM":
            running.process.send_signal(signals.TERMINATE)
        else:
            running.engine_is_killed()
        _, stderr = running.end(at_most_s=59)

        assert time.monotonic() - began_s < 58
        assert stderr == ""
