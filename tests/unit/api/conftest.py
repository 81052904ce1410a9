"""A server, and a connection to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from pulumi_qoder_vault.api.rate import Clock
from pulumi_qoder_vault.api.retry import Transport
from pulumi_qoder_vault.emulator import Emulator
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import Settings


@pytest.fixture
def qoder(start: Callable[..., Emulator]) -> Emulator:
    return start()


@pytest.fixture
def transport(connect_to: Callable[..., Transport], qoder: Emulator) -> Transport:
    return connect_to(qoder)


@pytest.fixture
def connect_with(closing: ExitStack) -> Callable[..., Transport]:
    """Connect to a server by a clock of the test, without limits of rate unless they are asked for."""

    def connect(clock: Clock, qoder: Emulator, **settings: Any) -> Transport:
        chosen: dict[str, Any] = {"max_reads_per_second": 0.0, "max_writes_per_second": 0.0, **settings}
        transport = Transport(Settings(Secret(qoder.api_token), qoder.base_url, **chosen), "unit-tests/1", clock)
        closing.callback(transport.close)
        return transport

    return connect
