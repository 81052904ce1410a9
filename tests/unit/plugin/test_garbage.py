"""Whatever a program hands over, Check answers; and what it lets pass, a diff and a preview can read."""

from __future__ import annotations

import copy
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from in_process.provider import CREDENTIAL, VAULT, Failed, Provider, Resource
from in_process.wire import UNKNOWN, secret
from pulumi_qoder_vault.plugin import names

URL, TOKEN = "https://example.com/mcp", "mcp-canary-one-1111"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
SOUND: dict[str, list[dict[str, Any]]] = {
    VAULT: [
        {
            "displayName": "v",
            "credentials": [{"mcpServerUrl": URL, "accessToken": TOKEN, "protocol": "sse", "type": "static_bearer"}],
            "metadata": {"team": "tools"},
            "onDelete": "archive",
            "forceDestroy": True,
        }
    ],
    CREDENTIAL: [
        {"vaultId": VAULT_ID, "mcpServerUrl": URL, "accessToken": TOKEN, "metadata": {"team": "tools"}},
        {
            "vaultId": VAULT_ID,
            "type": "mcp_oauth",
            "mcpServerUrl": URL,
            "accessToken": TOKEN,
            "expiresAt": "2026-12-31T23:59:59Z",
            "refresh": {
                "clientId": "c",
                "refreshToken": TOKEN,
                "tokenEndpoint": URL,
                "tokenEndpointAuth": {"type": "client_secret_post", "clientSecret": TOKEN},
                "scope": "s",
            },
        },
        {
            "vaultId": VAULT_ID,
            "type": "environment_variable",
            "secretName": "KEY",
            "secretValue": TOKEN,
            "networking": {"type": "limited", "allowedHosts": ["a.example"]},
            "injectionLocation": {"header": True},
        },
    ],
}
OTHER_KEYS = ["credentials", "metadata", "refresh", "type", "protocol", "networking", "scope", "status", "rotations"]
KEYS = st.sampled_from([*(names.path((name,)) for name in names.NAMES), *names.NAMES, *OTHER_KEYS, "__provider", ""])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [UNKNOWN, URL, "http://[", "https://a:b@c", TOKEN, "static_bearer", "mcp_oauth", "environment_variable", "none"]
)
LEAVES = st.none() | st.booleans() | st.floats() | st.integers(-5, 5) | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | TEXTS, inner, max_size=5)
        | inner.map(secret)
        | st.builds(secret, st.none())
    ),
    max_leaves=12,
)


@st.composite
def broken(draw: st.DrawFn, type_: str) -> dict[str, Any]:
    """Sound inputs with up to three values that are anything, at any depth, and any other ones beside them."""
    news: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(SOUND[type_])))
    for _ in range(draw(st.integers(0, 3))):
        at: Any = news
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and draw(st.booleans()):
                at = at[key]
                continue
            at[key] = copy.deepcopy(draw(VALUES))
            break
    return news | draw(st.dictionaries(KEYS | TEXTS, VALUES, max_size=2))


def look_at(plugin: Provider, recorded: Resource, news: dict[str, Any]) -> None:
    """Check, and what comes after it in a preview; none of them may fail but as is foreseen."""
    for olds in ({}, recorded.inputs):
        answer = plugin.call("Check", urn=plugin.urn, olds=olds, news=news)
        for failure in answer.failures:
            assert ("", True) == (failure.property, failure.reason.isprintable())
        if answer.failures:
            continue
        inputs = answer.inputs
        try:
            plugin.call("Diff", urn=plugin.urn, id=recorded.id, olds=recorded.outputs, news=inputs)
        except Failed as failure:
            if "must not change together with" not in str(failure):
                raise
        plugin.call("Create", urn=plugin.urn, properties=inputs, preview=True)
        plugin.call("Update", urn=plugin.urn, id=recorded.id, olds=recorded.outputs, news=inputs, preview=True)


@pytest.mark.parametrize("qoder", ["2026-07"], indirect=True)
@pytest.mark.parametrize("type_", [VAULT, CREDENTIAL])
def test_anything_is_answered(plugin: Provider, qoder: Any, type_: str) -> None:
    """No input makes the plugin stumble: it has problems, or passes, and what passes can be shown."""
    of_type = plugin.of(type_)
    vault_id = qoder.add_vault("shared").id
    recorded = [
        of_type.create({**sound, **({"vaultId": vault_id} if type_ == CREDENTIAL else {})})
        for sound in SOUND[type_][::-1][:1]
    ]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(broken(type_))
    def anything(news: dict[str, Any]) -> None:
        look_at(of_type, recorded[0], news)

    anything()


@pytest.mark.parametrize("type_", [VAULT, CREDENTIAL])
def test_no_value_at_all_is_answered(plugin: Provider, type_: str) -> None:
    """A number that is none, a null, an empty map, a secret of nothing: each in the place of each input."""
    of_type = plugin.of(type_)
    odd: list[Any] = [
        None,
        float("nan"),
        float("inf"),
        {},
        [],
        [[]],
        [None],
        "",
        True,
        secret(None),
        secret({}),
        {"": ""},
        UNKNOWN,
    ]
    for sound in SOUND[type_]:
        for name in sound:
            for value in odd:
                of_type.problems({**sound, name: value})


def test_what_is_not_foreseen_would_be_seen(plugin: Provider) -> None:
    """A test that finds nothing proves something only if it can find: a URN that is none is not foreseen."""
    with pytest.raises(Failed) as caught:
        plugin.call("Check", urn="no urn", olds={}, news={})

    assert grpc.StatusCode.INTERNAL == caught.value.code
