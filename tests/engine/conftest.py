"""The real Pulumi CLI, with a file backend, against the emulator over real HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stacks import Stack

from pulumi_qoder_vault.emulator import Emulator


@pytest.fixture(autouse=True, scope="session")
def real_cli() -> None:
    assert shutil.which("pulumi"), "there is no pulumi on PATH; `make test` puts one there"


# Both revisions, and both fronts: they share one core, so that the plugin need not go through everything twice.
WORLDS = ["2026-05 dynamic", "2026-07 dynamic", "2026-07 plugin"]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def qoder(world: str) -> Iterator[Emulator]:
    """A server of each revision in turn."""
    with Emulator(revision=world.split()[0]) as emulator:
        yield emulator


@pytest.fixture
def front(world: str) -> str:
    """The dynamic provider and the plugin in turn."""
    return world.split()[1]


@pytest.fixture
def stack(tmp_path: Path, qoder: Emulator, front: str) -> Stack:
    return Stack(tmp_path, qoder, front=front)
