"""Which paths of `ignoreChanges` lead to a position: Pulumi copies these before a provider sees anything."""

from __future__ import annotations

import pytest

from pulumi_qoder_vault.resources.ignored_paths import is_position

POSITIONS = ["credentials[0]", "credentials[*].accessToken", '["credentials"][0]', "*[0].access_token", "credentials.0"]


@pytest.mark.parametrize("path", POSITIONS)
def test_a_position_is_found(path: str) -> None:
    """However Pulumi lets it be written."""
    assert is_position(path, "credentials")


@pytest.mark.parametrize(
    "path", ["credentials", '["credentials"]', "*", "metadata.team", "credentialIds[0]", "", 7, None]
)
def test_anything_else_is_none(path: object) -> None:
    """A property as a whole, another property, and what is no path."""
    assert not is_position(path, "credentials")
