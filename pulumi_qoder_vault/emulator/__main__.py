"""The command `qoder-emulator`; `python -m pulumi_qoder_vault.emulator` is the same."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import signal
import sys
import textwrap
import time
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from .emulator import DEFAULT_API_TOKEN, DEFAULT_REVISION, Emulator
from .faults import Fault
from .options import SUBJECTS, Option, options_of
from .revisions import RevisionName

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "qoder-emulator"
ENDING = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last is Ctrl-Break, of Windows alone
DESCRIPTION = """\
A server of Qoder's Vaults API on this machine. The first line on stdout is its base URL; requests are logged on
stderr, without secrets. Vaults are lost when it ends."""
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
  The next matching request meets the fault, or the next N, after `skip` others. TIME is 50ms, 2s, 0.5 or inf; for an
  outage it is the length, in which further connections are refused.

faults:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit status."""
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        # The value of a misspelt flag may be a secret.
        parser.error(f"unknown argument: {unknown[0].partition('=')[0] if unknown[0].startswith('-') else '(a value)'}")
    given = vars(known)
    faults = given.pop("fault", [])
    try:
        emulator = Emulator(log=_print_to_stderr, **given)
        for fault in faults:
            emulator.fail_next(**fault)
    except ValueError as error:
        parser.error(str(error))
    # The handler only takes a note. An exception that it raises could interrupt a start half-way.
    received: list[int] = []
    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: received.append(number))
    try:
        emulator.start()
    except OSError as error:
        _print_to_stderr(f"cannot listen on {emulator.host} port {emulator.port}: {error.strerror or error}")
        return 1
    _greet(emulator, shows_token="api_token" not in given)
    while not received:
        time.sleep(0.1)  # short, because a signal just before the sleep does not end it
    try:
        emulator.stop()
    except RuntimeError as error:
        _print_to_stderr(str(error))
        return 1
    _print_to_stderr("stopped")
    return 0


def _greet(emulator: Emulator, *, shows_token: bool) -> None:
    if shows_token:
        _print_to_stderr(f"API token: {emulator.api_token}")
    if not _is_loopback(emulator.host):
        _print_to_stderr(f"warning: others can connect to {emulator.host}; do not send real access tokens")
    # The last line, because programs wait for it: when it is there, so is the rest.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{emulator.base_url}\n")
        sys.stdout.flush()


def _print_to_stderr(line: str) -> None:
    with contextlib.suppress(OSError):  # the reader of the log is gone
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: {message} (see --help)\n")


def _parser() -> argparse.ArgumentParser:
    """Return the parser. Its result holds only arguments of `Emulator` that were given, and `fault`."""
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=f"{EXAMPLES}{_list_of_faults()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", help="address to listen on (default: this machine only)")
    add("--port", type=_port, help="0 (default): a free one")
    add("--revision", choices=get_args(RevisionName), help=f"of the API (default: {DEFAULT_REVISION})")
    add("--api-token", metavar="TOKEN", help="the token that is accepted; not printed (default: one that is printed)")
    add(
        "--service-account-key",
        dest="service_account_keys",
        action="append",
        metavar="KEY",
        help="a key that is exchanged for tokens; not printed; repeatable (default: none)",
    )
    add("--fault", action="append", type=_fault, metavar="SPEC", help="plan a fault, see below; repeatable")
    _add_service_options(parser)
    return parser


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option, in a group for each subject; its help is the sentence of the option's docstring."""
    for subject in SUBJECTS:
        group = parser.add_argument_group((subject.__doc__ or "").partition("\n")[0].rstrip(".").lower())
        for option in options_of(subject):
            _add_option(group, option)


def _add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    flag, help_ = f"--{option.name.removesuffix('_s').replace('_', '-')}", option.description.replace("%", "%%")
    add = partial(group.add_argument, flag, dest=option.name, help=help_)
    if option.type is bool:
        add(action=argparse.BooleanOptionalAction)
    elif option.is_list:
        add(choices=option.choices, nargs="+")
    elif option.choices:
        add(type=option.type, choices=option.choices)
    elif option.name.endswith("_s"):
        add(type=_signed_seconds if option.least is None else _seconds, metavar="TIME")
    else:
        add(type=option.type, metavar="TEXT" if option.type is str else "N")


def _list_of_faults() -> str:
    lines = [f"{fault.command_line_name:<30} {fault.value.imitates}" for fault in Fault]
    return "\n".join(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent=" " * 33) for line in lines)


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


def _signed_seconds(text: str) -> float:
    return -_seconds(text[1:]) if text.startswith("-") else _seconds(text)


def _fault(spec: str) -> dict[str, Any]:
    """Return the arguments of `Emulator.fail_next`."""
    head, *settings = spec.split(",")
    found = re.fullmatch(r"\s*([\w-]+)@(\w+|\*)\s+(/\S*|\*\S*)\s*", head)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{head!r} must have the form FAULT@METHOD PATH, such as 'drop-after-commit@POST /vaults'"
        )
    name, method, path = found.groups()
    faults = {fault.command_line_name: fault for fault in Fault}
    if name not in faults:
        raise argparse.ArgumentTypeError(f"there is no fault {name!r}")
    return {"method": method, "path": path, "fault": faults[name], **dict(map(_fault_setting, settings))}


def _fault_setting(setting: str) -> tuple[str, int | float | str | None]:
    key, _, value = setting.strip().partition("=")
    if key == "times" and value == "always":
        return key, None
    if key in ("times", "skip") and value.isascii() and value.isdigit():
        return key, int(value)
    if key == "delay":
        return "delay_s", _seconds(value)
    if key in ("retry-after", "location") and value:
        return key.replace("-", "_"), value
    raise argparse.ArgumentTypeError(
        f"{setting!r} must be times=N, times=always, skip=N, retry-after=, delay= or location="
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
