"""Worlds of each revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Emulator, RevisionName
from unit.lifecycle.world import (
    EVERY_TOKEN,
    World,
)


@pytest.fixture
def world_of(start: Callable[..., Emulator], client_of: Callable[..., Client]) -> Callable[..., World]:
    """The strict service, which refuses a second credential for one URL, unless a test says otherwise."""

    def make(revision: RevisionName = "2026-05", setting: str = "auto", **switches: Any) -> World:
        qoder = start(revision, **{"unique_url": True, **switches})
        warnings: list[str] = []
        return World(qoder, client_of(qoder, *EVERY_TOKEN, warn=warnings.append), setting, warnings)

    return make


@pytest.fixture(params=["2026-05", "2026-07"])
def world(request: pytest.FixtureRequest, world_of: Callable[..., World]) -> World:
    return world_of(request.param)


@pytest.fixture
def founding(world_of: Callable[..., World]) -> World:
    return world_of("2026-05")


@pytest.fixture
def current(world_of: Callable[..., World]) -> World:
    return world_of("2026-07", setting="2026-07")
