"""Measure both fronts side by side in one run: 200 vaults, 250 ms at Qoder for each request, no limit of rate.

    make bench                # prints two tables, and fails where a ratio is not what it must be
    make bench ARGS="--vaults 50"
    make bench QODER_PLUGIN_ARCHIVE=dist   # the plugin of that archive, and what it weighs beside the environment's

The plugin must be twice as fast as the dynamic provider. A preview with access tokens by reference, each in a variable
or a file of its own, may take 1.2 times as long as one by value; one with a command for each is there to be looked at.

Absolute figures say little on machines that others use, too; the ratios of one run do. After each step of an `up` the
engine writes the whole state: with a file backend that takes longer than two hundred vaults do. `up, one write` lets it
write at the end only, and shows what the providers themselves take.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from engine.archive import NO_ARCHIVE, archive, plugin_folder
from engine.stacks import HERE, Stack
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator

JUDGED, AT_LEAST = "up, one write", 2.0
FORMS, MOST, ROUNDS = ("value", "env", "file", "command"), {"env": 1.2, "file": 1.2}, 3
ONE_WRITE: dict[str, Any] = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}


@dataclass(frozen=True)
class Figures:
    """What one front took: seconds of each command, requests of the `up`, bytes of the state for each vault."""

    seconds: dict[str, float]
    requests: int
    bytes_each: int


def measure(front: str, vaults: int, latency_s: float, parallel: int) -> Figures:
    with Emulator("2026-05", unique_url=True, latency_s=latency_s) as qoder, tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), qoder, project=HERE / "program_bench", front=front)
        stack.env |= {"QODER_MAX_WRITES_PER_SECOND": "0", "QODER_MAX_READS_PER_SECOND": "0", "VAULTS": str(vaults)}
        seconds: dict[str, float] = {}
        parallel_ = f"--parallel={parallel}"
        commands: dict[str, Callable[[], object]] = {
            "preview": lambda: stack.run("preview", parallel_),
            JUDGED: lambda: stack.up(parallel_, **ONE_WRITE),
            "empty up": lambda: stack.up(parallel_, "--expect-no-changes"),
            "refresh": lambda: stack.refresh(parallel_, "--expect-no-changes"),
            "rotate": lambda: stack.up(parallel_, TOKENS="-2", **ONE_WRITE),
            "destroy": lambda: stack.destroy(parallel_),
            "up": lambda: stack.up(parallel_),
        }
        for name, command in commands.items():
            if name == "destroy":
                exported = len(stack.run("stack", "export").stdout)
            before = len(qoder.requests)
            began_s = time.monotonic()
            command()
            seconds[name] = time.monotonic() - began_s
            if name == "up":
                requests = len(qoder.requests) - before
        assert vaults == len(qoder.vaults)
        return Figures(seconds, requests, exported // vaults)


def previews(front: str, vaults: int, parallel: int) -> dict[str, float]:
    """Return the seconds of a preview with each form of access tokens: the shortest of some rounds, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), None, project=HERE / "program_bench", front=front)
        (stack.folder / "tokens").mkdir()
        stack.env["VAULTS"] = str(vaults)
        for number in range(vaults):
            stack.env[f"ACCESS_TOKEN_{number}"] = f"access-token-{number}"
            (stack.folder / "tokens" / str(number)).write_text(f"access-token-{number}\n")
        seconds: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(ROUNDS):
            for form, found in seconds.items():
                began_s = time.monotonic()
                stack.run("preview", f"--parallel={parallel}", FORM=form)
                found.append(time.monotonic() - began_s)
        return {form: min(found) for form, found in seconds.items()}


def started_s(executable: Path) -> float:
    """Seconds from the start of a plugin until it says its port."""
    began_s = time.monotonic()
    with subprocess.Popen([executable], stdout=subprocess.PIPE) as plugin:
        assert plugin.stdout
        assert plugin.stdout.readline().strip().isdigit()
        took_s = time.monotonic() - began_s
        plugin.terminate()
    return took_s


def size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())


def required(name: str, seen: set[str]) -> Iterator[Path]:
    """The files of an installed package, and of all that it needs here; ``seen`` has the packages that were counted."""
    about = distribution(name)
    seen.add(canonicalize_name(name))
    yield from (Path(str(about.locate_file(file))) for file in about.files or ())
    for text in about.requires or ():
        needed = Requirement(text)
        is_needed = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if is_needed and canonicalize_name(needed.name) not in seen:
            yield from required(needed.name, seen)


def print_archive(starts: int = 9) -> None:
    """Compare the archive's plugin with the environment's: what it weighs, and its start, each in turn."""
    packed = archive()
    if packed is None:
        print(f"no archive beside it: {NO_ARCHIVE}")
        return
    folders = (Path(sys.prefix, "bin"), plugin_folder())
    times = [[started_s(folder / "pulumi-resource-qoder") for folder in folders] for _ in range(starts)]
    own_s, frozen_s = (statistics.median(column) for column in zip(*times, strict=True))
    own, frozen = size(set(required("pulumi-qoder-vault", set()))), size(plugin_folder().rglob("*"))
    print(f"{'':14}{'packages':>10}{'archive':>10}{'ratio':>8}")
    print(f"{'start':14}{own_s:>8.2f} s{frozen_s:>8.2f} s{frozen_s / own_s:>8.1f}   median of {starts}")
    print(
        f"{'size':14}{own / 1e6:>7.1f} MB{frozen / 1e6:>7.1f} MB{frozen / own:>8.1f}   of the packages without Python"
    )
    print(f"{'to download':14}{'':10}{packed.stat().st_size / 1e6:>7.1f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vaults", type=int, default=200)
    parser.add_argument("--latency", type=float, default=0.25, metavar="SECONDS")
    parser.add_argument("--parallel", type=int, default=64)
    options = parser.parse_args()
    found = {front: measure(front, options.vaults, options.latency, options.parallel) for front in FRONTS}
    dynamic, plugin = found["dynamic"], found["plugin"]
    print(f"{options.vaults} vaults, {options.latency * 1000:.0f} ms for each request, --parallel {options.parallel}")
    print(f"the plugin of {getattr(archive(), 'name', 'this environment')}")
    print(f"{'':14}{'dynamic':>10}{'plugin':>10}{'ratio':>8}")
    for name, dynamic_s in dynamic.seconds.items():
        print(f"{name:14}{dynamic_s:>8.1f} s{plugin.seconds[name]:>8.1f} s{dynamic_s / plugin.seconds[name]:>8.1f}")
    print(f"{'requests':14}{dynamic.requests:>10}{plugin.requests:>10}   of the up")
    print(f"{'state':14}{dynamic.bytes_each:>8} B{plugin.bytes_each:>8} B   for each vault")
    print_archive()
    ratio = dynamic.seconds[JUDGED] / plugin.seconds[JUDGED]
    failures = []
    if ratio < AT_LEAST:
        failures.append(f"{JUDGED}: the plugin is {ratio:.1f} times as fast; it must be {AT_LEAST:.0f} times")
    print(f"\npreview, the shortest of {ROUNDS}; in brackets: how many times as long as by value")
    by_form = {front: previews(front, options.vaults, options.parallel) for front in FRONTS}
    for form in FORMS:
        ratios = {front: took_s[form] / took_s["value"] for front, took_s in by_form.items()}
        columns = (f"{by_form[front][form]:>8.1f} s ({times:.2f})" for front, times in ratios.items())
        print(f"{form:14}{''.join(columns)}")
        failures += [
            f"preview, {form}, {front}: {times:.2f} times as long as by value; it may be {MOST[form]} times"
            for front, times in ratios.items()
            if times > MOST.get(form, times)
        ]
    print(*failures, sep="\n", end="\n" * bool(failures), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
