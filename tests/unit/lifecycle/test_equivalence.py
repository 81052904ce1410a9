"""Forms of one name, URL or time."""

from __future__ import annotations

import pytest

from pulumi_qoder_vault.lifecycle.equivalence import instant_s, is_same_form, is_same_url, normal_url


@pytest.mark.parametrize(
    "other",
    [
        "HTTPS://A.example/mcp",
        "https://a.example:443/mcp",
        "https://a.example/mcp/",
        " https://a.example/mcp",
    ],
)
def test_forms_of_one_url(other: str) -> None:
    """Case of scheme and host, the default port, a trailing slash."""
    assert is_same_url("https://a.example/mcp", other)


@pytest.mark.parametrize("other", ["https://a.example/MCP", "https://a.example:444/mcp", "https://u@a.example/mcp"])
def test_another_url(other: str) -> None:
    """What is sent there reaches another server, or another path of it."""
    assert not is_same_url("https://a.example/mcp", other)


@pytest.mark.parametrize("text", ["https://[::1", "https://a.example:port/", "API_KEY", ""])
def test_what_is_no_url_stays_as_it_is(text: str) -> None:
    """It is compared byte by byte."""
    assert text == normal_url(text)
    assert not is_same_url(text, f"{text}x")


def test_forms_of_one_time() -> None:
    """Offsets and digits; none is UTC."""
    assert 0.5 == instant_s("1970-01-01T00:00:00.5Z") == instant_s("1970-01-01T08:00:00.500+08:00")
    assert 0.0 == instant_s("1970-01-01T00:00:00")


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time(text: str) -> None:
    """No month, no day, and a year before the first one."""
    assert instant_s(text) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["a", "b"], ["b", "a"], True),
        (["a", "b"], ["a", "c"], False),
        (["a"], ["a", "b"], False),
        (True, True, True),
        (True, "true", False),
        (" name", "name", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", False),
        ("read", "write", False),
    ],
)
def test_forms_of_one_value(one: object, other: object, expected: bool) -> None:
    """Whatever its kind."""
    assert expected is is_same_form(one, other)
