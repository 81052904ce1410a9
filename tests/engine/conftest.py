"""The real Pulumi CLI, with a file backend, against the emulator over real HTTP."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from engine.stacks import Stack
from pulumi_qoder_vault.emulator import Emulator, RevisionName


@pytest.fixture(autouse=True, scope="session")
def real_cli() -> None:
    assert shutil.which("pulumi"), "there is no pulumi on PATH; `make test` puts one there"


# Each revision and each front once. One core serves all, and `tests/faults` runs every pair in one process. The real
# CLI, which takes seconds for each command, goes through all four only with QODER_ALL_WORLDS=1.
WORLDS = ["2026-05 dynamic", "2026-07 plugin"]
if os.environ.get("QODER_ALL_WORLDS"):
    WORLDS += ["2026-07 dynamic", "2026-05 plugin"]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def revision(world: str) -> RevisionName:
    """Each revision in turn."""
    return cast("RevisionName", world.split()[0])


@pytest.fixture
def qoder(revision: RevisionName) -> Iterator[Emulator]:
    with Emulator(revision, unique_url=True) as emulator:
        yield emulator


@pytest.fixture
def front(world: str) -> str:
    """The dynamic provider and the plugin in turn."""
    return world.split()[1]


@pytest.fixture
def stack(tmp_path: Path, qoder: Emulator, front: str) -> Stack:
    return Stack(tmp_path, qoder, front=front)
