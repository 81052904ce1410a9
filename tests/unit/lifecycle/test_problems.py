"""What stands in the wrong place: the API token as an access token."""

from __future__ import annotations

import pytest

from pulumi_qoder_vault.lifecycle.problems import ApiToken
from pulumi_qoder_vault.secret import Secret

TOKEN = ApiToken(Secret("pt-canary-0123456789"), "qoder.example")


@pytest.mark.parametrize(
    ("is_misused", "token", "url"),
    [
        (True, "pt-canary-0123456789", "https://mcp.example/mcp"),
        (True, "pt-canary-0123456789", "https://[mcp.example/mcp"),  # no host can be read in it
        (False, "pt-canary-0123456789", "https://qoder.example/mcp"),
        (False, "pt-canary-0123456789", None),
        (False, "another", "https://mcp.example/mcp"),
    ],
)
def test_the_api_token_is_sent_to_its_own_host_only(is_misused: bool, token: str, url: str | None) -> None:
    """As the access token of another server it would be given away; a URL that is not known yet is judged later."""
    assert is_misused is TOKEN.is_misused(Secret(token), url)
    assert False is ApiToken().is_misused(Secret(token), url)
