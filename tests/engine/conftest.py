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


@pytest.fixture(params=["2026-05", "2026-07"])
def qoder(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A server of each revision in turn."""
    with Emulator(revision=request.param) as emulator:
        yield emulator


@pytest.fixture
def stack(tmp_path: Path, qoder: Emulator) -> Stack:
    return Stack(tmp_path, qoder)
