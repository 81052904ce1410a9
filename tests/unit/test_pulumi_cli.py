"""tools/pulumi_cli.py, run as a command, with fake `pulumi` and `go` executables on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tool is for POSIX systems, and so are its fakes, in sh")

TOOL = Path(__file__).parents[2] / "tools" / "pulumi_cli.py"

# Nothing listens there: every download fails at once, also on a machine with internet.
NO_INTERNET = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}

# Stands for `go install … tool` and `go list -m`; each build leaves a line in $CALLS.
GO = """
case $1 in
install)
    echo "built in ${PWD##*/}" >> "$CALLS"
    printf '#!/bin/sh\\necho v3.274.1\\n' > "$GOBIN/pulumi"
    chmod +x "$GOBIN/pulumi"
    %s ;;
list)
    sdk=$(dirname "$CALLS")/sdk
    mkdir -p "$sdk/python/cmd" "$sdk/python/dist" "$sdk/nodejs/dist"
    touch "$sdk/python/cmd/pulumi-language-python-exec"
    touch "$sdk/python/dist/pulumi-resource-pulumi-python" "$sdk/nodejs/dist/pulumi-resource-pulumi-nodejs"
    echo "$sdk" ;;
esac
"""
BUILT = ["built in language-hosts", "built in pulumi-cli"]


@dataclass(frozen=True)
class Machine:
    """A machine on which nothing is installed but what a test puts into `path`."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "path"

    @property
    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().splitlines()

    @property
    def entries(self) -> list[Path]:
        """What stands in the cache beside the lock."""
        cache = self.root / "cache" / "pulumi-qoder-vault" / "pulumi"
        return [entry for entry in cache.glob("*") if entry.name != "lock"]

    def put(self, name: str, script: str) -> Path:
        executable = self.path / name
        executable.parent.mkdir(exist_ok=True)
        executable.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        executable.chmod(0o755)
        return executable

    def start(self, **more: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": str(self.path),
            "HOME": str(self.root),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "CALLS": str(self.root / "calls"),
            **NO_INTERNET,
            **more,
        }
        return subprocess.Popen(
            [sys.executable, str(TOOL)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, **more: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of one run."""
        process = self.start(**more)
        stdout, stderr = process.communicate(timeout=60)
        return process.returncode, stdout, stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_pulumi_on_path_wins(machine: Machine) -> None:
    """A working `pulumi` on PATH is taken, though there is a cached one, and stderr says so in one line."""
    machine.put("go", GO % ":")
    machine.run()
    pulumi = machine.put("pulumi", "echo v3.300.1")

    status, stdout, stderr = machine.run()

    assert (0, f"{machine.path}\n") == (status, stdout)
    assert f"Pulumi CLI: 3.300.1 on PATH, {pulumi}\n" == stderr


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param("echo v3.258.0", "says 'v3.258.0', and 3.259.0 or newer is needed", id="too old"),
        pytest.param("exit 127", "version` fails", id="broken"),
        pytest.param("echo hello", "says 'hello', and 3.259.0 or newer is needed", id="something else"),
    ],
)
def test_unusable_pulumi_on_path_is_named_and_passed_over(machine: Machine, script: str, reason: str) -> None:
    """A `pulumi` on PATH that cannot serve is named, with the reason, and the next way is tried."""
    pulumi = machine.put("pulumi", script)
    machine.put("go", GO % ":")

    status, stdout, stderr = machine.run()

    assert (0, f"{machine.entries[0] / 'bin'}\n") == (status, stdout)
    first = stderr.splitlines()[0]
    assert str(pulumi) in first
    assert first.endswith(reason)


def test_what_was_built_is_cached(machine: Machine) -> None:
    """The second run builds nothing, needs no Go, and prints the same directory, which holds all that Pulumi starts."""
    go = machine.put("go", GO % ":")
    first = machine.run()
    go.unlink()
    second = machine.run()

    assert (0, first[1]) == (second[0], second[1])
    assert BUILT == machine.calls
    assert f"Pulumi CLI: 3.274.1 cached, {second[1]}" == second[2]
    scripts = {
        "pulumi-language-python-exec": 0o755,
        "pulumi-resource-pulumi-nodejs": 0o755,
        "pulumi-resource-pulumi-python": 0o755,
    }
    modes = {path.name: path.stat().st_mode & 0o777 for path in Path(second[1].strip()).iterdir()}
    assert scripts == {name: modes.get(name) for name in scripts}


def test_pulumis_own_installer_comes_before_a_build(machine: Machine) -> None:
    """Where the SDK can install the pinned CLI, that one is cached, and Go is not asked."""
    machine.put("go", GO % ":")
    sdk = machine.root / "site" / "pulumi" / "automation"
    sdk.mkdir(parents=True)
    (sdk.parent / "__init__.py").touch()
    (sdk / "__init__.py").write_text(
        "from pathlib import Path\n"
        "class PulumiCommand:\n"
        "    @classmethod\n"
        "    def install(cls, root, version):\n"
        "        pulumi = Path(root, 'bin', 'pulumi')\n"
        "        pulumi.parent.mkdir(parents=True)\n"
        "        pulumi.write_text(f'#!/bin/sh\\necho v{version}\\n')\n"
        "        pulumi.chmod(0o755)\n"
        "        print('+ Installing')\n"
    )

    status, stdout, stderr = machine.run(PYTHONPATH=str(machine.root / "site"))

    assert (0, f"{machine.entries[0] / 'bin'}\n") == (status, stdout)
    assert f"Pulumi CLI: 3.274.1 cached, {stdout}" == stderr
    assert not (machine.root / "calls").exists()


def test_where_none_can_be_had_one_line_says_what_to_do(machine: Machine) -> None:
    """No `pulumi`, no internet, no Go: exit 1, nothing on stdout, and one line with the one thing to do."""
    machine.path.mkdir()

    status, stdout, stderr = machine.run()

    assert (1, "") == (status, stdout)
    assert 1 == len(stderr.splitlines())
    assert stderr.endswith("there is no Go. Install Pulumi: https://www.pulumi.com/docs/install/\n")
    assert [] == machine.entries


def test_a_failing_build_says_why_and_leaves_no_cache(machine: Machine) -> None:
    """Go's last line is the reason; the next run starts afresh."""
    machine.put("go", GO % "echo 'go: go.mod requires go >= 1.26.6 (running go 1.21.0)' >&2; exit 1")

    status, stdout, stderr = machine.run()

    assert (1, "") == (status, stdout)
    assert "go: go.mod requires go >= 1.26.6 (running go 1.21.0)" in stderr.splitlines()[-1]
    assert "https://www.pulumi.com/docs/install/" in stderr.splitlines()[-1]
    assert [] == machine.entries


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        pytest.param("echo 'go: updates to go.mod needed' >&2; exit 1", "go: updates to go.mod needed", id="fails"),
        pytest.param("exit 0", "it says nothing", id="names none"),
    ],
)
def test_an_sdk_that_go_does_not_find_is_one_line(machine: Machine, listing: str, reason: str) -> None:
    """After a build, too, what fails is said in one line without a traceback, and nothing is cached."""
    machine.put("go", (GO % ":").replace("list)", f"list) {listing};"))

    status, stdout, stderr = machine.run()

    assert (1, "") == (status, stdout)
    assert f"Pulumi CLI: go does not find the SDK of the CLI: {reason}" == stderr.splitlines()[-1]
    assert 2 == len(stderr.splitlines()), "why it is built, and why that fails"
    assert [] == machine.entries


def test_a_killed_build_leaves_no_cache(machine: Machine) -> None:
    """What a killed run left behind is never taken for a CLI, and the next run clears it away."""
    machine.put("go", GO % 'kill -KILL "$PPID"')
    killed = machine.run()
    machine.put("go", GO % ":")
    status, stdout, _ = machine.run()

    assert (-9, "") == killed[:2]
    assert (0, f"{machine.entries[0] / 'bin'}\n") == (status, stdout)
    assert ["built in language-hosts", *BUILT] == machine.calls
    assert 1 == len(machine.entries)


def test_a_terminated_build_stops_go_and_leaves_nothing(machine: Machine) -> None:
    """SIGTERM ends Go too, and the unfinished directory is gone."""
    machine.put("go", GO % 'echo $$ > "$CALLS.pid"; kill -TERM "$PPID"; exec sleep 600')

    status, stdout, _ = machine.run()

    assert (143, "") == (status, stdout)
    assert [] == machine.entries
    go = int((machine.root / "calls.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(go, 0)


def test_two_runs_at_once_build_once(machine: Machine) -> None:
    """The second run waits for the first and takes what it made."""
    machine.put("go", GO % "sleep 0.5")

    runs = [machine.start(), machine.start()]
    answers = [run.communicate(timeout=60)[0] for run in runs]

    assert [0, 0] == [run.returncode for run in runs]
    assert 1 == len(set(answers))
    assert BUILT == machine.calls
