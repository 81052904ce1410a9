"""`python -m pulumi_qoder_vault.emulator`: the emulator for a person at a terminal."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import signal
import sys
import textwrap
import time
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn

from .emulator import DEFAULT_API_TOKEN, Emulator
from .faults import Fault
from .revisions import REVISIONS
from .switches import Switches

if TYPE_CHECKING:
    from collections.abc import Sequence

SWITCHES = {field.name for field in fields(Switches)}
PROGRAM = "python -m pulumi_qoder_vault.emulator"
DESCRIPTION = """\
A server of Qoder's Vaults API on this machine. The first line on stdout is its base URL; requests are logged on
stderr, without secrets. What it holds is gone when it ends."""
EXAMPLES = f"""\
examples:
  {PROGRAM}
  {PROGRAM} --port 8787 --revision 2026-07 --latency 50ms
  {PROGRAM} --fault 'drop-after-commit@POST /vaults'
  {PROGRAM} --fault 'rate-limited@* /vaults/*/credentials,times=3,retry-after=5'
  {PROGRAM} --fault 'slow@GET **,delay=2s,times=always'
  {PROGRAM} --fault 'outage@POST /vaults/*/credentials,skip=1,delay=3s'

  export QODER_BASE_URL=http://127.0.0.1:8787/api/v1/cloud QODER_PAT={DEFAULT_API_TOKEN}

SPEC: FAULT@METHOD PATH[,times=N|always][,skip=N][,retry-after=VALUE][,delay=TIME][,location=URL]
  PATH is relative to the base URL; * stands for one segment, ** for anything. METHOD * is any.
  A fault meets the next matching request, or the next N, after `skip` others. TIME is 50ms, 2s, 0.5 or inf; of an
  outage it is the length, so that what follows the request is refused.

faults:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit status."""
    parser = _parser()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        # a value may be a secret that stands behind a misspelt flag
        parser.error(f"unknown argument: {unknown[0].partition('=')[0] if unknown[0].startswith('-') else '(a value)'}")
    try:
        emulator = Emulator(
            given.revision,
            api_token=DEFAULT_API_TOKEN if given.api_token is None else given.api_token,
            host=given.host,
            port=given.port,
            log=_say,
            **{name: value for name, value in vars(given).items() if name in SWITCHES},
        )
        for planned in given.fault:
            emulator.fail_next(planned.method, planned.path, planned.fault, **planned.options)
    except ValueError as problem:
        parser.error(str(problem))
    # The handler only takes a note: an exception from it could come up anywhere, and leave half a start behind.
    noted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: noted.append(number))
    try:
        emulator.start()
    except OSError as problem:
        _say(f"cannot listen on {given.host} port {given.port}: {problem.strerror or problem}")
        return 1
    _greet(emulator, given)
    while not noted:
        time.sleep(0.1)  # short: a signal just before a sleep does not end it
    try:
        emulator.stop()
    except RuntimeError as defect:
        _say(str(defect))
        return 1
    _say("stopped")
    return 0


def _greet(emulator: Emulator, given: argparse.Namespace) -> None:
    if given.api_token is None:
        _say(f"API token: {DEFAULT_API_TOKEN}")
    if not _is_loopback(given.host):
        _say(f"warning: others can reach {given.host}; do not send real access tokens")
    # last, so that whoever waits for this line finds everything said
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{emulator.base_url}\n")
        sys.stdout.flush()


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever read the log went away
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: {message} (see --help)\n")


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(
        textwrap.fill(fault.value.imitates, 100, initial_indent=f"  {fault.spelling:<30} ", subsequent_indent=" " * 33)
        for fault in Fault
    )
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EXAMPLES + faults,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=_port, default=0, help="0 (default): a free one")
    add("--revision", choices=list(REVISIONS), default="2026-05", help="of the API (default: 2026-05)")
    add("--api-token", metavar="TOKEN", help="the token that is let in; not printed (default: one that is printed)")
    add("--latency", dest="latency_s", type=_seconds, default=0.0, metavar="TIME", help="of every request: 50ms, 2s")
    add("--fault", action="append", type=_fault, default=[], metavar="SPEC", help="plan a fault, see below; repeatable")
    unknown = parser.add_argument_group("what is not known of the service")
    add = unknown.add_argument
    add(
        "--fault-delay",
        dest="fault_delay_s",
        type=_seconds,
        metavar="TIME",
        help="for every fault that waits and has no delay= of its own",
    )
    add(
        "--credentials-key",
        choices=["refuse", "ignore"],
        default="refuse",
        help="2026-07: the key `credentials` in a vault create (default: refuse)",
    )
    add("--no-idempotency", dest="idempotency", action="store_false", help="ignore Idempotency-Key")
    add("--no-unique-url", dest="unique_url", action="store_false", help="let a vault hold two credentials for one URL")
    add("--writes-per-second", type=float, metavar="N", help="more are answered 429")
    add("--reads-per-second", type=float, metavar="N", help="more are answered 429")
    add("--store-metadata", action="store_true", help="2026-05: keep a vault's metadata instead of dropping it")
    add("--vault-get-credentials", action="store_true", help="2026-05: a vault's get and list carry its credentials")
    add("--newest-first", action="store_true", help="order of lists")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    if text == "inf":
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|)", text)
    if found is None:
        raise argparse.ArgumentTypeError("must be a time such as 50ms, 2s, 0.5 or inf")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


@dataclass(frozen=True)
class _Planned:
    """A fault of the command line."""

    fault: Fault
    method: str
    path: str
    options: dict[str, Any]


def _fault(spec: str) -> _Planned:
    head, *options = spec.split(",")
    found = re.fullmatch(r"\s*([\w-]+)@(\w+|\*)\s+(/\S*|\*\S*)\s*", head)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{head!r} must read FAULT@METHOD PATH, such as 'drop-after-commit@POST /vaults'"
        )
    name, method, path = found.groups()
    faults = {fault.spelling: fault for fault in Fault}
    if name not in faults:
        raise argparse.ArgumentTypeError(f"there is no fault {name!r}")
    return _Planned(faults[name], method, path, dict(_option(option) for option in options))


def _option(option: str) -> tuple[str, Any]:
    key, _, value = option.strip().partition("=")
    if key == "times" and value == "always":
        return key, None
    if key in ("times", "skip") and value.isascii() and value.isdigit():
        return key, int(value)
    if key == "delay":
        return "delay_s", _seconds(value)
    if key in ("retry-after", "location") and value:
        return key.replace("-", "_"), value
    raise argparse.ArgumentTypeError(
        f"{option!r} must be times=N, times=always, skip=N, retry-after=, delay= or location="
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
