"""What a name, a URL and a token may be: each mistake has words of its own, and what a server could take is taken."""

from __future__ import annotations

import base64
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.errors import SettingsError
from pulumi_qoder_vault.lifecycle import allowed_values
from pulumi_qoder_vault.lifecycle.credential import check as credential
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN
from pulumi_qoder_vault.lifecycle.problems import ApiToken
from pulumi_qoder_vault.lifecycle.vault.check import check
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import load

URL = "https://example.com/mcp"
API_TOKEN = "pt-1f0c9a3b7d"

OUTPUT_IN_TEXT = (
    "Calling __str__ on an Output[T] is not supported.\n\nTo get the value of an Output[T] as an Output[str] "
    'consider:\n1. o.apply(lambda v: f"prefix{v}suffix")\n\nSee https://www.pulumi.com/docs/concepts/inputs-outputs '
    "for more details."
)
CANNOT_WORK = {
    "empty": ["", "is empty"],
    "ends in a line break": ["ghp_x\n", "control character"],
    "ends in a Windows line break": ["ghp_x\r\n", "control character"],
    "two lines": ["ghp_x\nghp_y", "control character"],
    "a tab": ["ghp_x\t", "control character"],
    "a NUL": ["tok\0en", "control character"],
    "an escape sequence": ["\x1b[31mghp_x\x1b[0m", "control character"],
    "a C1 control": ["ghp_x\x85", "control character"],
    "a blank before": [" ghp_x", "begins or ends with a blank"],
    "a blank behind": ["ghp_x ", "begins or ends with a blank"],
    "only blanks": ["   ", "begins or ends with a blank"],
    "a no-break space behind": ["ghp_x\xa0", "begins or ends with a blank"],
    "an ideographic space before": ["\u3000ghp_x", "begins or ends with a blank"],
    "a blank within": ["ghp x", "contains a blank"],
    "a byte order mark": ["\ufeffghp_x", "invisible character"],
    "a zero-width space behind": ["ghp_x\u200b", "invisible character"],
    "a zero-width joiner within": ["ghp\u200d_x", "invisible character"],
    "a soft hyphen": ["ghp\xad_x", "invisible character"],
    "a right-to-left mark": ["\u200fghp_x", "invisible character"],
    "Bearer": ["Bearer ghp_x", "header"],
    "bearer in lower case": ["bearer ghp_x", "header"],
    "Bearer without a token": ["Bearer", "header"],
    "Bearer with a colon": ["Bearer: ghp_x", "header"],
    "a whole header": ["Authorization: Bearer ghp_x", "header"],
    "a whole header in lower case": ["authorization:Bearer ghp_x", "header"],
    "another scheme": ["token ghp_x", "header"],
    "another header": ["X-Api-Key: ghp_x", "header"],
    "double quotes": ['"ghp_x"', "quotation marks"],
    "single quotes": ["'ghp_x'", "quotation marks"],
    "back quotes": ["`ghp_x`", "quotation marks"],
    "curly quotes": ["\u201cghp_x\u201d", "quotation marks"],
    "bytes in a string": ["b'ghp_x'", "quotation marks"],
    "quotes around nothing": ['""', "quotation marks"],
    "a variable of a shell": ["$GITHUB_TOKEN", "variable that was not expanded"],
    "a variable in braces": ["${GITHUB_TOKEN}", "variable that was not expanded"],
    "a variable with a default": ["${GITHUB_TOKEN:-}", "variable that was not expanded"],
    "an expression of GitHub": ["${{ secrets.GITHUB_TOKEN }}", "variable that was not expanded"],
    "an expression of a template": ["{{ token }}", "variable that was not expanded"],
    "a variable of Azure": ["$(GITHUB_TOKEN)", "variable that was not expanded"],
    "a variable of Windows": ["%GITHUB_TOKEN%", "variable that was not expanded"],
    "a variable of PowerShell": ["$env:GITHUB_TOKEN", "variable that was not expanded"],
    "asterisks": ["***", "mask"],
    "many asterisks": ["*" * 40, "mask"],
    "Pulumi's mask": ["[secret]", "mask"],
    "Terraform's mask": ["(sensitive value)", "mask"],
    "redacted": ["<redacted>", "mask"],
    "bullets": ["\u2022" * 8, "mask"],
    "None": ["None", "text of an empty value"],
    "null": ["null", "text of an empty value"],
    "undefined": ["undefined", "text of an empty value"],
    "nil": ["<nil>", "text of an empty value"],
    "an object of JavaScript": ["[object Object]", "text of an empty value"],
    "an Output of Python": [OUTPUT_IN_TEXT, "an Output"],
    "an Output of Python, within": [f"ghp_{OUTPUT_IN_TEXT}", "an Output"],
    "an Output of TypeScript": ["Calling [toString] on an [Output<T>] is not supported.", "an Output"],
    "the repr of an Output": ["<pulumi.output.Output object at 0x7f0c>", "an Output"],
    "an umlaut": ["ghp_\xfc", "not ASCII"],
    "an emoji": ["ghp_\U0001f511", "not ASCII"],
    "full-width letters": ["\uff47hp_x", "not ASCII"],
    "half of a surrogate pair": ["ghp_\ud800", "not Unicode"],
    "the API token": [API_TOKEN, "is the API token"],
}

CAN_WORK = [
    "x",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_" + "a" * 59,
    "glpat-" + "x" * 20,
    "xoxb-1234-5678-abcDEF",
    "sk-proj-abc_DEF-123",
    "1|abcDEF0123456789",  # Laravel Sanctum
    "dXNlcjpwYXNz",
    "dXNlcjpwYXNzd29yZA==",
    base64.b64encode(bytes(range(256))).decode(),
    ".".join(["eyJhbGciOiJSUzI1NiJ9", "e" * 8000, "s_-" * 114]),
    "user:password",
    "key:with:colons",
    "Zm9v%2Fbar%3D",
    "pa$$w0rd$HOME",
    "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWx",
    "$home",
    "a'b",
    '"',
    "'unpaired",
    "ghp_***",
    "***ghp",
    "nonetheless",
    "nullable",
    "Bearerghp_x",
    "bearer-0123",
    "token-0123",
    "tokenghp",
    "AKIA/+=:,;.~!@#&*()[]{}<>?^`|\\",
    "{}",
    "550e8400-e29b-41d4-a716-446655440000",
    "00000000000000000000",
]


def problems(token: str, url: str = URL, *, recorded: str | None = None, host: str = "api.qoder.com") -> list[str]:
    """What a vault and a `Credential` say of an access token: the same, but for the path."""
    given = {"mcp_server_url": url, "access_token": Secret(token)}
    vault = {"display_name": "v", "credentials": [given]}
    single = {"vault_id": "vault_1", **given}
    before: dict[str, Any] = {} if recorded is None else {"mcp_server_url": url, "access_token": Secret(recorded)}
    api_token = ApiToken(Secret(API_TOKEN), host)
    of_vault = check(
        vault,
        allows_empty=False,
        recorded={"display_name": "v", "credentials": [before]} if before else {},
        api_token=api_token,
    )
    of_single = credential.check(single, {"vault_id": "vault_1", **before} if before else {}, api_token)
    assert [item.reason for item in of_vault] == [item.reason for item in of_single]
    assert [item.is_warning for item in of_vault] == [item.is_warning for item in of_single]
    return [f"{'warning: ' if item.is_warning else ''}{item}" for item in of_vault]


@pytest.mark.parametrize(("token", "words"), CANNOT_WORK.values(), ids=CANNOT_WORK)
def test_a_token_that_cannot_work_is_refused_with_its_own_words(token: str, words: str) -> None:
    """One line, that says what is wrong and shows nothing of the value."""
    (line,) = problems(token)
    assert line.startswith("credentials[0].access_token: ")
    assert words in line
    assert line.isprintable()
    assert len(token.strip()) < 4 or token.strip() not in line or words in ("header", "is the API token", "mask")
    assert "ghp" not in line


@pytest.mark.parametrize("token", CAN_WORK, ids=range(len(CAN_WORK)))
def test_a_token_that_could_work_is_taken(token: str) -> None:
    """What merely looks odd, or holds what would be wrong as the whole, may be a real one."""
    assert [] == problems(token)


@pytest.mark.parametrize("name", [name for name in CANNOT_WORK if name != "empty"])  # no state ever held an empty one
def test_what_a_state_already_holds_is_never_refused(name: str) -> None:
    """A rule that is new must not brick a stack: it warns."""
    token, words = CANNOT_WORK[name]
    (line,) = problems(token, recorded=token)
    assert line.startswith("warning: ")
    assert words in line
    assert not problems(token, recorded="another-token")[0].startswith("warning: "), "a changed one is refused"


def test_the_api_token_may_go_to_qoders_own_server() -> None:
    """Qoder has an MCP server of its own: there it is right, and nowhere else."""
    assert [] == problems(API_TOKEN, "https://api.qoder.com/mcp")
    assert [] != problems(API_TOKEN, "https://api.qoder.com.evil.example/mcp")
    assert [] == problems(API_TOKEN, "https://API.qoder.com/mcp")


@given(st.text(string.ascii_letters + string.digits + "-._~+/=", min_size=1, max_size=200))
def test_every_b64token_is_taken(token: str) -> None:
    """The characters of RFC 6750, in any order, but for the words that stand for nothing."""
    lines = problems(token)
    assert lines == [] or "text of an empty value" in lines[0] or token.lower() == "bearer", token


@given(st.text(max_size=30))
def test_what_passes_can_travel(token: str) -> None:
    """Whatever is accepted is visible ASCII: httpx can put it into a header."""
    if not problems(token):
        assert token.isascii()
        assert token.isprintable()
        assert " " not in token
        assert token


@given(st.sampled_from(sorted(CANNOT_WORK)), st.sampled_from(["refresh_token", "client_secret", "access_token"]))
def test_other_secrets_are_judged_alike(name: str, field: str) -> None:
    """But a refresh token and a client secret may hold blanks and any script (RFC 6749 allows blanks)."""
    token, words = CANNOT_WORK[name]
    proof = {"type": "client_secret_basic", "client_secret": Secret("a client's secret")}
    refresh = {
        "client_id": "c",
        "refresh_token": Secret("r"),
        "token_endpoint": URL + "/token",
        "token_endpoint_auth": proof,
    }
    inputs = {
        "vault_id": "vault_1",
        "type": "mcp_oauth",
        "mcp_server_url": URL,
        "access_token": Secret("ghp_good"),
        "refresh": refresh,
    }
    target = {"refresh_token": refresh, "client_secret": proof, "access_token": inputs}[field]
    target[field] = Secret(token)
    lines = [str(item) for item in credential.check(inputs, {}, ApiToken(Secret(API_TOKEN), "api.qoder.com"))]
    if field != "access_token" and words in ("contains a blank", "header", "not ASCII", "is the API token"):
        assert [] == lines
    else:
        (line,) = lines
        assert words in line
        assert field in line


@pytest.mark.parametrize(
    "value", ["any text", " with blanks ", "-----BEGIN\nKEY-----\n", "\u4fdd\u7ba1", "None", "$HOME", "***"]
)
def test_a_variable_is_any_text(value: str) -> None:
    """It is no token: a key in PEM has line breaks, and a word may be what it is."""
    inputs = {
        "vault_id": "vault_1",
        "type": "environment_variable",
        "secret_name": "KEY",
        "secret_value": Secret(value),
    }
    assert [] == credential.check(inputs, {})


@pytest.mark.parametrize(
    ("token", "words"),
    [CANNOT_WORK[name] for name in CANNOT_WORK if name not in ("empty", "only blanks", "the API token")],
    ids=[name for name in CANNOT_WORK if name not in ("empty", "only blanks", "the API token")],
)
def test_an_api_token_is_judged_alike(token: str, words: str) -> None:
    """Outer whitespace is stripped from it; everything else is an error that names the setting."""
    is_outer = token.strip() != token and words in ("begins or ends with a blank", "control character")
    if is_outer:
        assert Secret(token.strip()) == load({}, {"QODER_PAT": token}).api_token
        return
    with pytest.raises(SettingsError, match="QODER_PAT: the API token ") as refused:
        load({}, {"QODER_PAT": token})
    assert words in str(refused.value)
    assert "ghp" not in str(refused.value)


# Names, keys of metadata, and an Output in any field

LEGAL_NAMES = [
    "n",
    "n" * 255,
    "\u4fdd\u7ba1\u5eab \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a\xa0b",
    "a\u2028b",
    "caf\xe9 e\u0301",
]
BAD_NAMES = {
    "tools\n": "control character",
    "to\tols": "control character",
    "tools\x7f": "control character",
    "to\x9bols": "control character",
    "   ": "blank",
    " tools": "blank",
    "tools\u3000": "blank",
    "n" * 256: "256 characters",
    f"tools {OUTPUT_IN_TEXT}": "an Output",
    "n\ud800": "not Unicode",
}


@pytest.mark.parametrize("name", LEGAL_NAMES)
def test_a_legal_name_and_key(name: str) -> None:
    """Any script, joiners, and blanks of any kind between words."""
    assert allowed_values.display_name(name) is None
    assert allowed_values.metadata_key(name[:64]) is None


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.items())
def test_a_bad_name_is_refused_and_a_recorded_one_is_not(name: str, words: str) -> None:
    """An imported vault may be named so: it goes on, with a warning."""

    def said(**recorded: Any) -> list[tuple[str, bool]]:
        inputs = {"display_name": name, "metadata": {name: "v"}}
        found = check(inputs, allows_empty=True, recorded=recorded)
        return [(item.reason, item.is_warning) for item in found]

    now, key = said()
    assert words in now[0]
    assert not now[1]
    assert words in key[0] or "characters" in key[0]
    assert [True, False] == [is_warning for _, is_warning in said(display_name=name)]
    assert [True, True] == [is_warning for _, is_warning in said(display_name=name, metadata={name: "v"})]


@pytest.mark.parametrize(
    "field",
    [
        "display_name",
        "on_delete",
        "metadata key",
        "metadata value",
        "mcp_server_url",
        "access_token",
        "protocol",
        "type",
    ],
)
def test_an_output_in_a_string_is_named_in_every_field_of_a_vault(field: str) -> None:
    """With the same words, whatever the field's own rule says."""
    text = f"https://{OUTPUT_IN_TEXT}/mcp"
    given: dict[str, Any] = {"mcp_server_url": URL, "access_token": Secret("ghp_x")}
    inputs: dict[str, Any] = {"display_name": "v", "credentials": [given]}
    match field:
        case "metadata key":
            inputs["metadata"] = {text: "v"}
        case "metadata value":
            inputs["metadata"] = {"k": text}
        case "access_token":
            given["access_token"] = Secret(text)
        case "mcp_server_url" | "protocol" | "type":
            given[field] = text
        case _:
            inputs[field] = text
    (problem,) = check(inputs, allows_empty=False)
    assert "holds an Output that was put into a string" in problem.reason


VARIABLE = {"type": "environment_variable", "secret_name": "KEY", "secret_value": Secret("value")}
OAUTH = {
    "type": "mcp_oauth",
    "mcp_server_url": URL,
    "access_token": Secret("ghp_good"),
    "expires_at": "2999-01-01T00:00:00Z",
    "refresh": {
        "client_id": "c",
        "refresh_token": Secret("r"),
        "token_endpoint": URL,
        "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": Secret("s")},
        "resource": "r",
        "scope": "s",
    },
}


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        (OAUTH, "vault_id"),
        (OAUTH, "mcp_server_url"),
        (OAUTH, "expires_at"),
        (OAUTH, "refresh.client_id"),
        (OAUTH, "refresh.refresh_token"),
        (OAUTH, "refresh.token_endpoint"),
        (OAUTH, "refresh.token_endpoint_auth.client_secret"),
        (OAUTH, "refresh.resource"),
        (OAUTH, "refresh.scope"),
        (VARIABLE, "secret_name"),
        (VARIABLE, "secret_value"),
        ({**VARIABLE, "networking": {"type": "limited", "allowed_hosts": ["a"]}}, "networking.allowed_hosts"),
    ],
)
def test_an_output_in_a_string_is_named_in_every_field_of_a_credential(inputs: dict[str, Any], path: str) -> None:
    """At any depth, in lists too."""

    def changed(value: Any, names: list[str]) -> Any:
        if names:
            return {**value, names[0]: changed(value.get(names[0]), names[1:])}
        text = f"x-{OUTPUT_IN_TEXT}"
        return [text] if isinstance(value, list) else Secret(text) if isinstance(value, Secret) else text

    (problem,) = credential.check(changed({"vault_id": "vault_1", **inputs}, path.split(".")), {})
    assert path == problem.path
    assert "holds an Output that was put into a string" in problem.reason
    assert [] == credential.check({"vault_id": "vault_1", **inputs}, {})


def test_a_time_that_is_past_is_a_warning_once() -> None:
    """The access token has expired: Qoder may still refresh it. Said for a new time, not for a recorded one."""
    inputs = {"vault_id": "vault_1", **OAUTH, "expires_at": "2020-01-01T00:00:00+02:00"}
    (problem,) = credential.check(inputs, {})
    assert problem.is_warning
    assert "past" in problem.reason
    assert [] == credential.check(inputs, inputs)


# The API token in the wrong place


def of_both(inputs: dict[str, Any], single: dict[str, Any]) -> list[str]:
    token = ApiToken(Secret(API_TOKEN), "api.qoder.com")
    found = check({"display_name": "v", **inputs}, allows_empty=True, api_token=token)
    found += credential.check({"vault_id": "vault_1", "access_token": Secret("ghp_x"), **single}, {}, token)
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("inputs", "single"),
    [
        ({API_TOKEN: "x"}, {"mcp_server_url": URL, API_TOKEN: "x"}),
        ({"metadata": {API_TOKEN: 7}}, {"mcp_server_url": URL, "metadata": {API_TOKEN: 7}}),
        ({"metadata": {"k": f"x{API_TOKEN}"}}, {"mcp_server_url": URL, "metadata": {"k": API_TOKEN}}),
        ({"display_name": f"for {API_TOKEN}"}, {"mcp_server_url": f"{URL}?key={API_TOKEN}"}),
        (
            {
                "credentials": [
                    {"mcp_server_url": f"{URL}?key={API_TOKEN}", "access_token": Secret("ghp_x")},
                    {"mcp_server_url": f"{URL}?key={API_TOKEN}", "access_token": Secret("ghp_x")},
                    {API_TOKEN: "x", "mcp_server_url": "https://other.example", "access_token": Secret("ghp_x")},
                ]
            },
            {"mcp_server_url": URL, "protocol": API_TOKEN},
        ),
    ],
)
def test_the_api_token_in_the_wrong_place_is_refused_and_not_shown(
    inputs: dict[str, Any], single: dict[str, Any]
) -> None:
    """As a key, in a name, in metadata or in a URL: what is stored or shown in plain text."""
    lines = of_both(inputs, single)
    assert len(lines) >= 2
    assert [] == [line for line in lines if API_TOKEN in line]


@pytest.mark.parametrize("key", ["AbCdEfGhIjKlMnOpQrStUvWx", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"])
def test_a_key_that_looks_like_a_token_is_not_shown(key: str) -> None:
    """Keys and values that changed places."""
    lines = of_both({"credentials": [{key: URL}]}, {key: URL})
    assert [] == [line for line in lines if key in line]


# What a state holds of a credential, whatever else changes


@pytest.mark.parametrize("vault_id", [UNKNOWN, "vault_2", "vault_1"])
def test_a_held_token_is_a_warning_in_another_vault_too(vault_id: Any) -> None:
    """An unknown vault may be the recorded one: nothing is refused, or missed, in such a preview."""
    recorded = {"vault_id": "vault_1", "mcp_server_url": URL, "access_token": Secret("abcdefgh ")}
    (problem,) = credential.check({**recorded, "vault_id": vault_id}, recorded)
    assert problem.is_warning
    imported = {"vault_id": "vault_1", "mcp_server_url": URL}
    missing = credential.check({**imported, "vault_id": vault_id}, imported)
    assert ([] if vault_id != "vault_2" else ["access_token"]) == [item.path for item in missing]


def test_text_of_an_oauth_client_may_hold_any_blank() -> None:
    """Only what a terminal obeys is refused, and called what it is."""
    refresh = {**OAUTH["refresh"], "scope": "a\xa0b", "client_id": "c\u200dd"}  # type: ignore[dict-item]
    assert [] == credential.check({"vault_id": "vault_1", **OAUTH, "refresh": refresh}, {})
    broken = {**OAUTH["refresh"], "scope": "a\nb"}  # type: ignore[dict-item]
    (problem,) = credential.check({"vault_id": "vault_1", **OAUTH, "refresh": broken}, {})
    assert ("refresh.scope", "contains a control character, such as a line break; remove it") == (
        problem.path,
        problem.reason,
    )


@pytest.mark.parametrize("judge", [allowed_values.access_token, allowed_values.oauth_secret, allowed_values.variable])
def test_an_empty_secret_is_said_to_be_empty(judge: Callable[[str], str | None]) -> None:
    """Mostly a variable of the environment that was not set: the line asks for that."""
    assert "is empty: was the variable set?" == judge("")
