"""A life of a stack at each service, on each front: as it is, and with one response that is lost on the way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hostile.life import Life
from hostile.services import PLAIN, SERVICES, VAULT_FRONTS, Hostile
from in_process.engine import MovableTime

LIVES = [
    pytest.param(service, front, id=f"{service.__name__}-{front}") for service in SERVICES for front in service.fronts
]
HALF = [life for number, life in enumerate(LIVES) if number % 2 == 0]
WRITES = 12  # of a life, at least, at a service without fault


def live(service_type: type[Hostile], front: str, patch: pytest.MonkeyPatch, lose_write: int = 0) -> None:
    time = MovableTime()
    with service_type(time.clock.now_s) as service:
        assert isinstance(service, Hostile)
        service.lose_write = lose_write
        life = Life(service, time, front)
        with life.listening(patch):
            if front == "credential":
                life.of_a_credential()
            else:
                life.of_a_vault()


@pytest.mark.parametrize(("service", "front"), LIVES)
def test_the_server_agrees(service: type[Hostile], front: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each command all is at the server as the program, the state and the lines say."""
    live(service, front, monkeypatch)


@pytest.mark.parametrize(("service", "front"), HALF)
def test_the_server_agrees_though_a_response_is_lost(
    service: type[Hostile], front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, where the response to one write is lost after the commit: a different one for each life."""
    drawn = random.Random(f"{service.__name__} {front}").randint(1, WRITES if front != "credential" else 4)
    live(service, front, monkeypatch, drawn)


@pytest.mark.parametrize("number", range(1, WRITES + 1))
@pytest.mark.parametrize("service", PLAIN)
def test_any_response_may_be_lost(service: type[Hostile], number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, at each service without other faults, where the response to each write in turn is lost."""
    live(service, VAULT_FRONTS[number % 2], monkeypatch, number)


@pytest.mark.parametrize("module", ["service", "services", "judge"])
def test_nothing_is_shared_with_the_package(module: str) -> None:
    """The services and the judge know nothing of the package, nor of its emulator."""
    assert "pulumi_qoder_vault" not in (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
