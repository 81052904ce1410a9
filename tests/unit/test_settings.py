"""What can be configured, and what cannot be."""

from __future__ import annotations

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL, Settings, load


def settings_of(base_url: str) -> Settings:
    return load({"qoder:baseUrl": base_url}.get, {})


@pytest.mark.parametrize(
    "base_url",
    [
        "https://qoder.example/api",
        "https://QODER.example:8443/api",
        "https://qoder.example./api",
        "https://localhost",
        "https://a_b.example",
        "https://" + "a" * 63 + ".example",
        "https://xn--bcher-kva.example",
        "https://xn--strae-oqa.example",  # of IDNA 2008, which Python's own codec does not read back
        "https://192.0.2.1/api",
        "https://[2001:db8::1]:8443/api",
        "https://[2001:0db8:0000:0000:0000:0000:0000:0001]",
        "http://[::1]:8080/api",
        "http://127.0.0.1:8080/api",
        "http://localhost:8080",
    ],
)
def test_a_base_url_is_taken_as_it_is(base_url: str) -> None:
    """Names, IP addresses of both kinds, ports and paths."""
    assert base_url == settings_of(base_url).base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "https://a..b",
        "https://a..b:8443/api",
        "https://.",
        "https://./api",
        "https://.a.b",
        "https://a.b..",
        "https://xn--",
        "https://xn--/",
        "https://a.xn--.b",
        "https://XN--/",
        "https://xn--zz--/",
        "https://xn--9999999999/",
        "https://" + "a" * 64,
        "https://a." + "b" * 64 + ".example/api",
        "https://",
        "https:///api",
        "https://:443",
        "https://[::1",
        "https://a.example:99999",
        "ftp://a.example",
        "http://a.example",
        "a.example",
    ],
)
def test_a_base_url_that_can_never_be_sent_to_is_refused(base_url: str) -> None:
    """At the preview, in one line that names the key and the form, and does not wait for the first request."""
    with pytest.raises(errors.SettingsError) as caught:
        settings_of(base_url)

    form = f"qoder:baseUrl: must be an https URL such as {DEFAULT_BASE_URL} (http is for loopback only)"
    assert str(caught.value) in (form, f"{form}, without query or fragment")
    assert caught.value.__cause__ is None
