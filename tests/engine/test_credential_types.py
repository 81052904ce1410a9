"""A standalone credential of each type, on both fronts: the same program, the same life, and no secret in the state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.stacks import Stack, hidden, problem_of
from pulumi_qoder_vault.emulator import Emulator

URL = "https://shared.example/mcp"
CANARIES = ("canary-access", "canary-refresh", "canary-client", "canary-value", "canary-next")


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    """The revision that has them."""
    with Emulator(revision="2026-07") as emulator:
        yield emulator


@pytest.fixture(params=["dynamic", "plugin"])
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def oauth(vault_id: str, refresh_token: str = "canary-refresh", client_id: str = "client") -> dict[str, Any]:
    return {
        "vault_id": vault_id,
        "type": "mcp_oauth",
        "mcp_server_url": URL,
        "access_token": hidden("canary-access"),
        "expires_at": "2099-12-31T23:59:59Z",
        "refresh": {
            "client_id": client_id,
            "refresh_token": hidden(refresh_token),
            "token_endpoint": "https://auth.example/token",
            "token_endpoint_auth": {"type": "client_secret_post", "client_secret": hidden("canary-client")},
            "scope": "read",
        },
        "metadata": {"team": "tools"},
    }


def variable(vault_id: str, value: str = "canary-value") -> dict[str, Any]:
    return {
        "vault_id": vault_id,
        "type": "environment_variable",
        "secret_name": "API_KEY",
        "secret_value": hidden(value),
        "networking": {"type": "limited", "allowed_hosts": ["api.example", "b.example"]},
        "injection_location": {"header": True},
    }


def test_a_credential_of_each_type_lives(stack: Stack, qoder: Emulator) -> None:
    """Made, previewed empty, refreshed without drift, rotated in place, replaced where it cannot change, destroyed."""
    vault_id = qoder.add_vault("shared").id
    stack.write(docs=oauth(vault_id), key=variable(vault_id))
    printed = [stack.preview(), stack.up(), stack.preview("--expect-no-changes"), stack.refresh()]
    printed.append(stack.preview("--expect-no-changes"))
    docs, key = (qoder.vaults[0].credentials[index] for index in _order(qoder))
    assert ("canary-refresh", "canary-client") == (
        docs.auth["refresh"]["refresh_token"],
        docs.auth["refresh"]["token_endpoint_auth"]["client_secret"],
    )
    assert ({"team": "tools"}, "canary-value") == (docs.metadata, key.auth["secret_value"])

    stack.write(docs=oauth(vault_id, refresh_token="canary-next"), key=variable(vault_id, value="canary-next"))
    printed += [stack.preview(), stack.up()]
    rotated = {item.id: item for item in qoder.vaults[0].credentials}
    assert {docs.id, key.id} == rotated.keys()
    assert "canary-next" == rotated[docs.id].auth["refresh"]["refresh_token"] == rotated[key.id].auth["secret_value"]
    assert (1, 1) == tuple(stack.outputs()[f"{name}.rotations"] for name in ("docs", "key"))

    stack.write(docs=oauth(vault_id, "canary-next", client_id="another"), key=variable(vault_id, "canary-next"))
    printed += [stack.preview(), stack.up(), stack.preview("--expect-no-changes")]
    assert "replace" in printed[-3].text
    assert docs.id not in [item.id for item in qoder.vaults[0].credentials]

    state = stack.run("stack", "export").stdout
    printed.append(stack.destroy())
    assert [] == qoder.vaults[0].credentials
    assert [] == [canary for canary in CANARIES if canary in state or any(canary in run.text for run in printed)]


def _order(qoder: Emulator) -> list[int]:
    """The engine makes them in any order."""
    types = [item.auth["type"] for item in qoder.vaults[0].credentials]
    return [types.index("mcp_oauth"), types.index("environment_variable")]


def test_what_is_wrong_is_one_line_at_preview(stack: Stack, qoder: Emulator) -> None:
    """With its path, on either front; an access token that has expired is a warning; nothing is sent."""
    vault_id = qoder.add_vault("shared").id
    wrong = oauth(vault_id) | {"expires_at": "2001-12-31T23:59:59Z"}
    wrong["refresh"]["token_endpoint_auth"] = {"type": "none", "client_secret": hidden("canary-client")}
    stack.write(docs=wrong)
    previewed = stack.preview(fails=True)
    assert stack.named("warning: expires_at: is in the past: the access token has expired") in previewed.text
    line = problem_of(previewed)
    assert line.endswith(
        stack.named("refresh.token_endpoint_auth.client_secret: is for client_secret_basic or client_secret_post only")
    )
    assert [] == qoder.requests


def test_a_qoder_that_lacks_the_type_makes_nothing(stack: Stack, qoder: Emulator) -> None:
    """One line that says which revision has it."""
    qoder.revision = "2026-05"
    vault_id = qoder.add_vault("shared").id
    stack.write(key=variable(vault_id))
    stack.preview()
    line = problem_of(stack.up(fails=True))
    assert line == "type: environment_variable needs a Qoder of API revision 2026-07"
    assert [] == qoder.writes


@pytest.mark.parametrize("front", ["dynamic"], indirect=True)
def test_a_stack_moves_from_python_to_the_plugin(stack: Stack, qoder: Emulator) -> None:
    """The state of the one front is that of the other: nothing is made, changed or deleted at Qoder."""
    vault_id = qoder.add_vault("shared").id
    stack.write(docs=oauth(vault_id), key=variable(vault_id))
    stack.up()
    ids = {item.id for item in qoder.vaults[0].credentials}
    qoder.clear_requests()

    stack.front = stack.env["FRONT"] = "plugin"
    alias = {"opts": {"aliases": ["dynamic"]}}
    stack.write(docs={**oauth(vault_id), **alias}, key={**variable(vault_id), **alias})
    stack.up()
    stack.preview("--expect-no-changes")

    assert ids == {item.id for item in qoder.vaults[0].credentials}
    assert [] == qoder.writes
