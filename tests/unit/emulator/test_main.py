"""The command `qoder-emulator`: what a person at a terminal sees."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest

from pulumi_qoder_vault import emulator
from pulumi_qoder_vault.emulator import DEFAULT_API_TOKEN, Emulator, Fault
from pulumi_qoder_vault.emulator.__main__ import main
from pulumi_qoder_vault.emulator.options import OPTIONS
from unit import signals

Run = Callable[..., tuple[subprocess.Popen[str], str]]
ROOT = Path(emulator.__file__).parents[2]
SCRIPT = str(Path(sys.executable).with_name("qoder-emulator.exe" if os.name == "nt" else "qoder-emulator"))


@pytest.fixture
def run(cleanup: contextlib.ExitStack) -> Run:
    """Start the command; returns (process, base URL)."""

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pulumi_qoder_vault.emulator", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **signals.OWN_GROUP,
        )
        cleanup.enter_context(process)
        cleanup.callback(process.kill)
        assert process.stdout is not None
        return process, process.stdout.readline().removesuffix("\n")

    return start


def end(process: subprocess.Popen[str], number: signal.Signals = signals.TERMINATE) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def drip(url: str) -> None:
    """Read a little of a response that never ends."""
    parts = httpx.URL(url)
    with socket.create_connection((parts.host, parts.port or 0), 5) as connection:
        head = f"GET {parts.path} HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {DEFAULT_API_TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4)


def test_the_console_script_is_this_command() -> None:
    """`qoder-emulator` is installed with the package and runs `main`."""
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]

    assert main is EntryPoint("qoder-emulator", scripts["qoder-emulator"], "console_scripts").load()


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "pulumi_qoder_vault.emulator"], [SCRIPT]], ids=["python -m", "script"]
)
def test_both_ways_to_start_it_show_the_short_name(command: list[str]) -> None:
    """`python -m pulumi_qoder_vault.emulator` and the console script have the same help."""
    if command == [SCRIPT] and not Path(SCRIPT).exists():
        pytest.skip("the package was installed before it had this script")
    shown = subprocess.run([*command, "--help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert shown.startswith("usage: qoder-emulator [-h]")


def test_first_line_is_the_base_url(run: Run) -> None:
    """The first line on stdout is ready for QODER_BASE_URL; the default API token is on stderr."""
    process, base_url = run()

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v1/cloud", base_url)
    headers = {"Authorization": f"Bearer {DEFAULT_API_TOKEN}"}
    assert 200 == httpx.get(f"{base_url}/vaults", headers=headers).status_code
    status, out, err = end(process)
    assert (0, "", f"API token: {DEFAULT_API_TOKEN}") == (status, out, err.splitlines()[0])


@pytest.mark.parametrize(
    "number", dict.fromkeys([signals.INTERRUPT, signals.TERMINATE]), ids=lambda number: number.name
)
def test_it_ends_cleanly(run: Run, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with status 0 and one word."""
    process, _ = run()

    assert (0, "", ["stopped"]) == ((ended := end(process, number))[0], ended[1], ended[2].splitlines()[1:])


def test_flags_reach_the_service(run: Run) -> None:
    """The service does what the command line says, and no secret is logged."""
    process, base_url = run(
        *("--revision", "2026-07", "--api-token", "pt-canary-0", "--latency", "1ms", "--credentials-key", "ignore"),
        *("--fault", "conflict@POST /vaults,skip=1", "--fault", "rate-limited@GET /vaults,times=2,retry-after=9"),
        *("--service-account-key", "sa-canary-1", "--service-account-key", "sa-canary-2", "--service-token-ttl", "2"),
    )
    with httpx.Client(base_url=base_url, headers={"Authorization": "Bearer pt-canary-0"}) as http:
        body = {"display_name": "v", "credentials": [{"access_token": "canary-1"}]}
        assert [200, 409, 200] == [http.post("/vaults", json=body).status_code for _ in range(3)]
        responses = [http.get("/vaults") for _ in range(3)]
    assert [(429, "9"), (429, "9"), (200, None)] == [
        (response.status_code, response.headers.get("retry-after")) for response in responses
    ]
    exchange = httpx.URL(base_url).copy_with(path="/api/v1/serviceToken/exchange")
    asked = {"grant_type": "client_credentials", "audience": "qoder", "scope": "qca.access", "ttl_seconds": 3600}
    answers = [
        httpx.post(exchange, json=asked, headers={"Authorization": f"Bearer sa-canary-{number}"})
        for number in (1, 2, 3)
    ]
    assert [(200, 2), (200, 2), (401, None)] == [(it.status_code, it.json().get("expires_in")) for it in answers]
    status, _, err = end(process)

    assert (0, False) == (status, "canary" in err)
    lines = err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d POST   /vaults 409 \d+ ms \[conflict\]", lines[1])
    assert 10 == len(lines)


def test_every_fault_can_be_planned(run: Run) -> None:
    """`--fault` takes each fault of the table, here for the second matching request and with a delay."""
    # the drips, which never end, are in the last place: the client gives up
    faults = sorted(Fault, key=lambda fault: fault.value.ending.is_drip)
    specs = [f"{fault.command_line_name}@GET /vaults/{fault.command_line_name},skip=1,delay=10ms" for fault in faults]
    process, base_url = run(*(argument for spec in specs for argument in ("--fault", spec)))
    transport = httpx.HTTPTransport(retries=5)  # of connections only: the outage is short
    with httpx.Client(transport=transport, headers={"Authorization": f"Bearer {DEFAULT_API_TOKEN}"}) as http:
        for fault in faults:
            path = f"{base_url}/vaults/{fault.command_line_name}"
            assert 404 == http.get(path).status_code
            if fault.value.ending.is_drip:
                drip(path)
                continue
            with contextlib.suppress(httpx.TransportError), http.stream("GET", path) as response:
                list(response.iter_raw())
    _, _, err = end(process)

    assert [fault.command_line_name for fault in faults] == re.findall(r"\[([\w-]+)\]$", err, re.MULTILINE)


@pytest.mark.skipif(
    os.name == "nt", reason="Windows tries a refused connection again for two seconds, this outage over"
)
def test_an_outage(run: Run) -> None:
    """`outage` refuses connections after the n-th request, for `delay`; with `inf` until the end, which is clean."""
    process, base_url = run(
        *("--fault", "outage@GET /vaults,skip=1,delay=1s", "--fault", "outage@GET /vaults,skip=2,delay=inf")
    )
    with httpx.Client(headers={"Authorization": f"Bearer {DEFAULT_API_TOKEN}"}) as http:
        assert [200, 200] == [http.get(f"{base_url}/vaults").status_code for _ in range(2)]
        with pytest.raises(httpx.ConnectError):
            http.get(f"{base_url}/vaults")
        time.sleep(1.5)
        assert 200 == http.get(f"{base_url}/vaults").status_code
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            http.get(f"{base_url}/vaults")
    status, _, err = end(process)

    assert (0, 2, "stopped") == (status, err.count("[outage]"), err.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--revision", "2026-06"], "2026-06"),
        (["--port", "70000"], "0 to 65535"),
        (["--latency", "soon"], "50ms"),
        (["--fault", "drop"], "FAULT@METHOD PATH"),
        (["--fault", "explode@GET /vaults"], "no fault 'explode'"),
        (["--fault", "slow@GET /vaults,often=2"], "times=N"),
        (["--fault", "slow@GET /vaults,times=0"], "times"),
        (["--api-token", ""], "api_token"),
        (["--service-account-key", "a b"], "service_account_key"),
        (["--writes-per-second", "0"], "writes_per_second"),
        (["--page-size-cap", "0"], "page_size_cap"),
        (["--next-page", "token"], "'token'"),
        (["--vault-delete-refusal", "410"], "410"),
        (["--api-tokn", "pt-canary-0"], "--api-tokn"),
        (["--api-tokn=pt-canary-0"], "--api-tokn"),
        (["pt-canary-0"], "unknown argument"),
    ],
)
def test_bad_flags_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    """A mistake is one line and status 2, and the line never repeats what may be a token."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()

    assert (2, "", 1) == (caught.value.code, out, len(err.splitlines()))
    assert says in err
    assert "canary" not in err


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is one line and status 1."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        with Emulator() as qoder:
            assert 1 == main(["--port", str(qoder.port)])
    finally:
        for number, handler in handlers.items():
            if handler is not signal.getsignal(number):
                signal.signal(number, handler)
    out, err = capsys.readouterr()

    assert ("", 1) == (out, len(err.splitlines()))
    assert f"cannot listen on 127.0.0.1 port {qoder.port}" in err


def test_help_names_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` has the grammar of SPEC and every fault with what it imitates."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())

    assert "FAULT@METHOD PATH" in shown
    assert [] == [fault for fault in Fault if f"{fault.command_line_name} {fault.value.imitates}" not in shown]


def test_every_option_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` has a flag for each option, with the sentence of its docstring."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())

    for option in OPTIONS:
        assert f"--{option.name.removesuffix('_s').replace('_', '-')}" in shown
        assert option.description in shown


def test_flags_of_options_reach_the_service(run: Run) -> None:
    """Choices, numbers, times, texts, lists and booleans are what the option takes."""
    process, base_url = run(
        *("--revision", "2026-07", "--vault-delete-refusal", "409", "--page-size-cap", "1", "--get-lag", "0.5"),
        *("--vault-id-prefix", "vlt_", "--no-newest-first", "--date-ahead=-3600"),
        *("--ignored-auth-fields", "injection_location", "networking"),
    )
    ignored = {"networking": {"type": "unrestricted"}, "injection_location": {"header": True}}
    variable = {"type": "environment_variable", "secret_name": "KEY", "secret_value": "s", **ignored}
    with httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {DEFAULT_API_TOKEN}"}) as http:
        ids = [http.post("/vaults", json={"display_name": "v"}).json()["id"] for _ in range(2)]
        page = http.get("/vaults").json()
        assert ([ids[0]], True) == ([vault["id"] for vault in page["data"]], ids[0].startswith("vlt_"))
        refused = http.delete(f"/vaults/{ids[0]}")
        behind = datetime.now(UTC) - parsedate_to_datetime(refused.headers["date"])
        assert (409, 3600) == (refused.status_code, round(behind.total_seconds(), -2))
        made = http.post(f"/vaults/{ids[0]}/credentials", json={"auth": variable}).json()
        assert {"type", "secret_name"} == made["auth"].keys()
        assert 404 == http.get(f"/vaults/{ids[0]}/credentials/{made['id']}").status_code
    end(process)
