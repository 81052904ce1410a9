"""What can be configured, and what cannot be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault import settings as settings_module
from pulumi_qoder_vault.setting_sources import Owner
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL, KEYS, SETTINGS, Settings, load

API_TOKEN = "pt-canary-0123456789"


def settings_of(base_url: str) -> Settings:
    return load({"qoder:baseUrl": base_url}, {})


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


def line_of(configured: dict[str, Any], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(errors.SettingsError) as caught:
        load(configured, environment or {})
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/cloud/vaults",
        "/api/v1/cloud/vaults/",
        "/api/v1/cloud/vaults//",
        "/api/v1/cloud//vaults",
        "/api/v1/cloud/Vaults",
        "/api/v1/cloud/vaults/vault_01a20be9dd3170009caad719d230b892",
        "/api/v1/cloud/vaults/vault_x/credentials",
        "/api/v1/cloud/vaults/vault_x/credentials/vcred_x/archive",
        "/api/v1/cloud/vaults/search",
        "/api/v1/cloud/sessions",
        "/vaults",
        "/v1/vaults/vault_x",
    ],
)
@pytest.mark.parametrize("name", ["qoder:baseUrl", "QODER_BASE_URL", "QODER_MANAGED_BASE_URL"])
def test_an_endpoint_is_no_base_url(path: str, name: str) -> None:
    """A URL that was copied with its path would be asked for `/vaults/vaults`."""
    given = {name: f"https://qoder.example{path}"}

    assert (f"{name}: ends in an endpoint of the API; use the base URL, such as {DEFAULT_BASE_URL}") == line_of(
        given, given
    )


@pytest.mark.parametrize("path", ["", "/", "/api/v1/cloud/", "/vaults/api/v1/cloud", "/my-vaults", "/vaultspace/api"])
def test_a_path_of_a_proxy_is_taken(path: str) -> None:
    """The word may stand in a path that is not the API's."""
    assert f"https://qoder.example{path}".rstrip("/") == settings_of(f"https://qoder.example{path}").base_url


# Misspelt keys


def one_letter_off(key: str) -> Iterator[str]:
    for at in range(len(key) + 1):
        yield from (key[:at] + letter + key[at:] for letter in ascii_lowercase)
    for at in range(len(key)):
        yield key[:at] + key[at + 1 :]
        yield from (key[:at] + letter + key[at + 1 :] for letter in ascii_lowercase)
    for at in range(len(key) - 1):
        yield key[:at] + key[at + 1] + key[at] + key[at + 2 :]


@pytest.mark.parametrize("key", KEYS)
def test_every_one_letter_misspelling_is_named_with_the_setting(key: str) -> None:
    """A letter that is missing, doubled, another one, or at the place of its neighbour."""
    for written in set(one_letter_off(key)) - {key}:
        line = line_of({f"qoder:{written}": "1"})

        assert line.startswith(f"qoder:{written}: did you mean qoder:{key}? "), line


@pytest.mark.parametrize("key", KEYS)
def test_case_and_punctuation_do_not_make_another_key(key: str) -> None:
    """People write one key in many ways."""
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)
    written = {key.lower(), key.upper(), key.capitalize(), words, words.replace("-", "_"), words.replace("-", ".")}
    for form in (written | {words.upper(), f"{key} ", f"{key}:", f'"{key}"'}) - {key}:
        assert f": did you mean qoder:{key}? " in line_of({f"qoder:{form}": "1"})


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("baesUlr", "baseUrl"),
        ("baseU", "baseUrl"),
        ("bassUrk", "baseUrl"),
        ("bxxeUrl", "baseUrl"),
        ("npmToken", "apiToken"),
        ("base_uris", "baseUrl"),
        ("apiTkn", "apiToken"),
        ("apTokn", "apiToken"),
        ("workspace", "workspaceId"),
        ("workpsaceID", "workspaceId"),
        ("apiRevsoin", "apiRevision"),
        ("timeoutMs", "timeout"),
        ("time_outs", "timeout"),
        ("maxWritePerSeconds", "maxWritesPerSecond"),
        ("maxReadPerSec0nd", "maxReadsPerSecond"),
        ("serviceaccountkeys", "serviceAccountKey"),
        ("readReference", "readReferences"),
    ],
)
def test_two_letters_may_differ(written: str, key: str) -> None:
    """Nobody means anything else by such a key."""
    assert line_of({f"qoder:{written}": "1"}).startswith(f"qoder:{written}: did you mean qoder:{key}? ")


OWN_KEYS = """
    githubToken docsToken slackToken mcpToken token tokens accessToken authToken
    url urls serverUrl mcpUrl imageUrl databaseUrl apiUrl apiKey apiVersion baseDomain basePath name vaultName
    version pluginDownloadURL region stage revision timeoutSeconds requestTimeout teamId workspaceName maxRequests
    serviceAccount accountKey references forceDestroy
"""


@pytest.mark.parametrize("key", OWN_KEYS.split())
def test_keys_of_another_meaning_are_left_alone(key: str) -> None:
    """A project that is called `qoder` has its own keys there; so has the engine; so have later settings."""
    assert Settings() == load({f"qoder:{key}": API_TOKEN}, {})


@pytest.mark.parametrize("name", ["other:baseURL", "baseURL", "qoder2:apiTokens", "aws:timeouts"])
def test_keys_of_others_are_left_alone(name: str) -> None:
    """Only what stands under `qoder:` is ours."""
    assert Settings() == load({name: "x"}, {})


@pytest.mark.parametrize("blank", [None, "", "  ", "\n"])
def test_a_misspelt_key_that_is_blank_is_absent(blank: str | None) -> None:
    """As is a setting."""
    assert Settings() == load({"qoder:baseURL": blank}, {})


def test_a_misspelt_key_counts_beside_the_right_one() -> None:
    """Nobody knows which of two values is meant."""
    both = {"qoder:baseUrl": "https://one.example", "qoder:base-url": "https://two.example"}

    assert line_of(both).startswith("qoder:base-url: did you mean qoder:baseUrl? ")


def test_a_misspelt_key_shows_no_value_and_is_one_line() -> None:
    """A value may be the API token, and a key may hold what a terminal obeys."""
    line = line_of({"qoder:api\x1b\n\u202eTokens": API_TOKEN})

    assert line.endswith(
        ": did you mean qoder:apiToken? Rename it, or remove it: nothing is sent to Qoder while it is there"
    )
    assert line.isprintable()
    assert "canary" not in line


def test_what_is_configured_and_what_is_in_the_environment_are_told_apart() -> None:
    """A front says more of configuration, which may be that of the last `up`."""
    for configured, environment, expected in (
        ({"qoder:timeout": "soon"}, {}, True),
        ({"qoder:timeouts": "1m"}, {}, True),
        ({}, {"QODER_TIMEOUT": "soon"}, False),
    ):
        with pytest.raises(errors.SettingsError) as caught:
            load(configured, environment)
        assert expected is caught.value.is_configured


# An API token, or a service-account key

SA_KEY = "sa-canary-0123456789"


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ({"qoder:serviceAccountKey": SA_KEY}, {}, "qoder:serviceAccountKey"),
        ({"qoder:serviceAccountKey": SA_KEY}, {"QODER_PAT": "x"}, "qoder:serviceAccountKey"),
        ({"qoder:serviceAccountKey": SA_KEY}, {"QODER_SA_KEY": "x"}, "qoder:serviceAccountKey"),
        ({}, {"QODER_SA_KEY": f" {SA_KEY}\n"}, "QODER_SA_KEY"),
        ({"qoder:apiToken": "  "}, {"QODER_SA_KEY": SA_KEY, "QODER_PAT": " "}, "QODER_SA_KEY"),
        ({"qoder:apiToken": API_TOKEN}, {"QODER_SA_KEY": "x"}, "qoder:apiToken"),
        ({"qoder:apiToken": API_TOKEN}, {"QODER_SA_KEY": "*** not even judged"}, "qoder:apiToken"),
        ({}, {"QODER_ACCESS_TOKEN": API_TOKEN}, "QODER_ACCESS_TOKEN"),
    ],
)
def test_the_first_level_that_has_either_one_wins(
    configured: dict[str, str], environment: dict[str, str], expected: str
) -> None:
    """The stack's configuration, then the environment: another one of a later level is as one that is not set."""
    settings = load(configured, environment)

    found = settings.credential
    assert (expected, True) == (str(settings.credential_source), found is not None)
    assert found is not None
    assert (SA_KEY if settings.service_account_key else API_TOKEN) == found.reveal()
    assert 1 == len([item for item in (settings.api_token, settings.service_account_key) if item])
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("configured", "environment", "names"),
    [
        (
            {"qoder:apiToken": API_TOKEN, "qoder:serviceAccountKey": SA_KEY},
            {"QODER_PAT": "x"},
            "qoder:apiToken and qoder:serviceAccountKey",
        ),
        ({}, {"QODER_PAT": API_TOKEN, "QODER_SA_KEY": SA_KEY}, "QODER_PAT and QODER_SA_KEY"),
        (
            {"qoder:apiToken": ""},
            {"QODER_ACCESS_TOKEN": API_TOKEN, "QODER_PAT": "x", "QODER_SA_KEY": SA_KEY},
            "QODER_ACCESS_TOKEN and QODER_SA_KEY",
        ),
    ],
)
def test_both_at_one_level_are_an_error_that_names_both(
    configured: dict[str, str], environment: dict[str, str], names: str
) -> None:
    """They may belong to two accounts: nobody can say which is meant."""
    with pytest.raises(errors.SettingsError) as caught:
        load(configured, environment)

    expected = f"{names}: are both set, and only one of them can be used; remove the one that is not meant"
    assert expected == str(caught.value)
    assert (names.startswith("qoder:")) is caught.value.is_configured


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f"Bearer {SA_KEY}", "is a whole header or begins with its scheme"),
        (f"'{SA_KEY}'", "is in quotation marks; remove them"),
        ("$QODER_SA_KEY", "is the name of a variable that was not expanded"),
        ("***", "is a mask in place of a secret"),
        (f"{SA_KEY}\nx", "contains a control character"),
        (f"{SA_KEY}\u00e9", "contains a character that is not ASCII"),
    ],
)
def test_a_service_account_key_is_judged_as_an_api_token(value: str, reason: str) -> None:
    """In the same words, and without the value."""
    for name, given in (
        ("qoder:serviceAccountKey", ({"qoder:serviceAccountKey": value}, {})),
        ("QODER_SA_KEY", ({}, {"QODER_SA_KEY": value})),
    ):
        line = line_of(*given)

        assert line.startswith(f"{name}: the service-account key {reason}")
        assert "canary" not in line


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ({}, {}, "always"),
        ({"qoder:readReferences": "when-sent"}, {"QODER_READ_REFERENCES": "always"}, "when-sent"),
        ({}, {"QODER_READ_REFERENCES": "when-sent"}, "when-sent"),
    ],
)
def test_when_references_are_read(configured: dict[str, str], environment: dict[str, str], expected: str) -> None:
    """As of every setting: the stack's configuration, then the environment, then the default."""
    assert expected == load(configured, environment).read_references


def test_when_references_are_read_takes_two_words() -> None:
    """Any other one is an error that names both."""
    assert "qoder:readReferences: must be one of always, when-sent" == line_of({"qoder:readReferences": "never"})


# Where the API token came from


def test_the_api_token_stands_nowhere_else() -> None:
    """The base URL and the workspace are stored and shown in plain text."""
    for name, value in (("baseUrl", f"https://q.example/{API_TOKEN}/api"), ("workspaceId", API_TOKEN)):
        line = line_of({"qoder:apiToken": API_TOKEN, f"qoder:{name}": value})

        assert f"qoder:{name}: holds the API token, which belongs in qoder:apiToken" == line


def test_nor_does_a_service_account_key() -> None:
    """It is a secret as well."""
    line = line_of({"qoder:workspaceId": SA_KEY}, {"QODER_SA_KEY": SA_KEY})

    expected = "holds the service-account key, which belongs in qoder:serviceAccountKey"
    assert f"qoder:workspaceId: {expected}" == line


LAGGING = "refresh and destroy use the one recorded at the last up, unless --run-program is given"
COMMAND = "set a valid one: pulumi config set --secret qoder:apiToken"


@pytest.mark.parametrize(
    ("configured", "environment", "owner", "expected"),
    [
        ({}, {"QODER_PAT": "x"}, Owner(), "QODER_PAT; set QODER_PAT to a valid one"),
        ({}, {"QODER_ACCESS_TOKEN": "x"}, Owner(), "QODER_ACCESS_TOKEN; set QODER_ACCESS_TOKEN to a valid one"),
        (
            {},
            {"QODER_ACCESS_TOKEN": "x", "QODER_PAT": "y"},
            Owner(is_of_last_up=True),
            "QODER_ACCESS_TOKEN; set QODER_ACCESS_TOKEN to a valid one, or unset it: then QODER_PAT is used",
        ),
        ({}, {"QODER_ACCESS_TOKEN": " ", "QODER_PAT": "y"}, Owner(), "QODER_PAT; set QODER_PAT to a valid one"),
        ({"qoder:apiToken": "x"}, {"QODER_PAT": "y"}, Owner(), f"qoder:apiToken; {COMMAND}"),
        (
            {"qoder:apiToken": "x"},
            {},
            Owner(is_of_last_up=True),
            f"qoder:apiToken ({LAGGING}); {COMMAND}, or in the program's own provider",
        ),
        (
            {"qoder:apiToken": "x"},
            {},
            Owner(recorded=frozenset({"qoder:apiToken"})),
            f"qoder:apiToken as recorded at the last pulumi up; {COMMAND}",
        ),
        (
            {"qoder:apiToken": "x"},
            {},
            Owner(provider="team-a"),
            "apiToken of the provider 'team-a'; set a valid one there, then pulumi up: refresh and destroy use the one "
            "recorded there",
        ),
    ],
)
def test_a_refusal_names_the_source_and_a_change_that_helps(
    configured: dict[str, str], environment: dict[str, str], owner: Owner, expected: str
) -> None:
    """To set a variable that another source comes before would change nothing."""
    settings = load(configured, environment, owner)
    line = settings.api_token_source.if_refused(settings.next_api_token)
    assert f"the API token is from {expected}" == line


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (Owner(), "set qoder:apiToken (pulumi config set --secret qoder:apiToken) or QODER_PAT"),
        (
            Owner(is_of_last_up=True),
            "set qoder:apiToken (pulumi config set --secret qoder:apiToken, then pulumi up, or add --run-program) or "
            "QODER_PAT",
        ),
        (Owner(provider="a"), "set apiToken of the provider 'a' (then pulumi up), or QODER_PAT"),
    ],
)
def test_none_at_all_names_where_it_can_be_set(owner: Owner, expected: str) -> None:
    """The environment serves every command; configuration is recorded on one front."""
    assert expected == load({}, {}, owner).api_token_source.if_missing


def test_a_default_stands_once() -> None:
    """In `Settings`: what is read without any configuration, and what the schema says, are taken from there."""
    defaults = {item.attribute: getattr(Settings(), item.attribute) for item in SETTINGS}
    assert defaults == {name: getattr(load({}, {}), name) for name in defaults}
    sentences = {item.attribute: item.description for item in SETTINGS}
    assert "20 if absent" in sentences["max_writes_per_second"]
    assert "`2m` if absent" in sentences["timeout_s"]
    package = Path(settings_module.__file__).parent
    literals = [
        node.value
        for file in package.rglob("*.py")
        if "emulator" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, float | str)
    ]
    assert [1, 1, 1, 1] == [literals.count(value) for value in (DEFAULT_BASE_URL, 20.0, 50.0, 120.0)]
