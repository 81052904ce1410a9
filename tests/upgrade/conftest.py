"""The real Pulumi CLI on states that earlier releases wrote."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(autouse=True, scope="session")
def real_cli() -> None:
    assert shutil.which("pulumi"), "there is no pulumi on PATH; `make test` puts one there"
