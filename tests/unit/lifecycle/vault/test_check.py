"""What is wrong with a program's inputs is said at preview: one line for each thing, and never an access token."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN
from pulumi_qoder_vault.lifecycle.vault.check import check, complete
from pulumi_qoder_vault.secret import Secret

URL = "https://example.com/mcp"
OTHER_URL = "https://example.com/other"
TOKEN = "mcp-canary-0123456789"


def credential(server_url: Any = URL, /, access_token: Any = TOKEN, **fields: Any) -> dict[str, Any]:
    secret = Secret(access_token) if isinstance(access_token, str) else access_token
    made = {"mcp_server_url": server_url, "access_token": secret, **fields}
    return {key: value for key, value in made.items() if value is not ...}


def vault(*credentials: Any, **fields: Any) -> dict[str, Any]:
    made = {"display_name": "my-mcp-vault", "credentials": list(credentials or (credential(),)), **fields}
    return {key: value for key, value in made.items() if value is not ...}


def lines(inputs: Any, *, allows_empty: bool = False) -> list[str]:
    return [str(problem) for problem in check(inputs, allows_empty=allows_empty)]


A_NUMBER = "must be a string, not a number; put it in quotation marks, or, where YAML drops them, in fn::toJSON"
NO_CREDENTIAL = (
    "credentials: At least one credential is required when creating a vault. "
    "(if your Qoder makes empty vaults, set qoder:apiRevision to 2026-07)"
)
NO_TOKEN = "credentials[0].access_token: Field 'access_token' is required for static_bearer type."
BAD_URL = "credentials[0].mcp_server_url: must be a URL such as https://example.com/mcp"
BAD_CHARACTER = f"{BAD_URL}; it contains a blank, a control character or another character that a URL cannot contain"
NO_USER = (
    "credentials[0].mcp_server_url: must not contain a user name or password: the URL is not secret; use access_token"
)
NO_URL = "credentials[0].mcp_server_url: is required: the URL of the MCP server"
NO_NAME = "display_name: is required: a name of 1 to 255 characters"
KEYS = "mcp_server_url, access_token, access_token_from, protocol, rotation_trigger, type"
KNOWN_KEYS = f"known keys are {KEYS}"
CONTROL = "credentials[0].access_token: contains a control character, such as a line break; remove it"
BLANK = "credentials[0].access_token: begins or ends with a blank; remove it"
EXPOSED = "an access token stands in plain text here; it belongs in access_token only"

BAD_INPUTS = {
    # display_name
    "no name": (vault(display_name=...), NO_NAME),
    "name is None": (vault(display_name=None), NO_NAME),
    "empty name": (vault(display_name=""), NO_NAME),
    "long name": (vault(display_name="n" * 256), "display_name: has 256 characters; at most 255 are allowed"),
    "name is a number": (vault(display_name=7.0), f"display_name: {A_NUMBER}"),
    "name is a boolean": (vault(display_name=True), "display_name: must be a string, not a boolean"),
    "name is a list": (vault(display_name=["n"]), "display_name: must be a string, not a list"),
    "name is a map": (vault(display_name={"n": "n"}), "display_name: must be a string, not a map"),
    "name holds the access token": (vault(display_name=f"for {TOKEN}"), f"display_name: {EXPOSED}"),
    # metadata
    "metadata is a string": (vault(metadata="team"), "metadata: must be a map of strings, not a string"),
    "metadata is a list": (vault(metadata=["team"]), "metadata: must be a map of strings, not a list"),
    "16 pairs": (
        vault(metadata={f"k{number}": "v" for number in range(16)}),
        "metadata: has 16 pairs; at most 15 are allowed",
    ),
    "long metadata key": (
        vault(metadata={"k" * 65: "v"}),
        "metadata: a key has 65 characters; 1 to 64 are allowed",
    ),
    "empty metadata key": (vault(metadata={"": "v"}), "metadata: a key has 0 characters; 1 to 64 are allowed"),
    "long metadata value": (
        vault(metadata={"team": "v" * 513}),
        'metadata["team"]: has 513 characters; at most 512 are allowed',
    ),
    "metadata value is a number": (
        vault(metadata={"team": 7}),
        f'metadata["team"]: {A_NUMBER}',
    ),
    "metadata value is a boolean": (
        vault(metadata={"team": True}),
        'metadata["team"]: must be a string, not a boolean',
    ),
    "metadata value is a map": (
        vault(metadata={"team": {"a": "b"}}),
        'metadata["team"]: must be a string, not a map',
    ),
    "metadata value is None": (
        vault(metadata={"team": None}),
        'metadata["team"]: must be a string, not None',
    ),
    "reserved metadata key": (
        vault(metadata={"pulumi_create_id": "x"}),
        'metadata["pulumi_create_id"]: is reserved for the provider; choose another key',
    ),
    "metadata key that is not plain": (
        vault(metadata={"te\u200dam of two": 7}),
        f"metadata: a value {A_NUMBER}",
    ),
    "metadata holds the access token": (vault(metadata={"note": TOKEN}), f"metadata: {EXPOSED}"),
    # on_delete
    "on_delete is a wrong word": (vault(on_delete="retain"), "on_delete: must be 'delete' or 'archive'"),
    "on_delete is a boolean": (vault(on_delete=True), "on_delete: must be 'delete' or 'archive'"),
    "on_delete is empty": (vault(on_delete=""), "on_delete: must be 'delete' or 'archive'"),
    # credentials
    "no credentials": (vault(credentials=...), NO_CREDENTIAL),
    "credentials is None": (vault(credentials=None), NO_CREDENTIAL),
    "credentials is empty": (vault(credentials=[]), NO_CREDENTIAL),
    "credentials is a map": (
        vault(credentials=credential()),
        "credentials: must be a list of credentials, not a map",
    ),
    "credentials is a string": (
        vault(credentials=TOKEN),
        "credentials: must be a list of credentials, not a string",
    ),
    "credential is a string": (
        vault(TOKEN),
        f"credentials[0]: must be a map with {KEYS}, not a string",
    ),
    "credential is None": (
        vault(None),
        f"credentials[0]: must be a map with {KEYS}, not None",
    ),
    # keys
    "key token": (
        vault(credential(token="x")),
        "credentials[0].token: is not a known key; did you mean access_token?",
    ),
    "key accessToken": (
        vault(credential(accessToken="x")),
        "credentials[0].accessToken: is not a known key; did you mean access_token?",
    ),
    "key url": (
        vault(credential(url="https://x")),
        "credentials[0].url: is not a known key; did you mean mcp_server_url?",
    ),
    "key mcpServerUrl": (
        vault(credential(mcpServerUrl="x")),
        "credentials[0].mcpServerUrl: is not a known key; did you mean mcp_server_url?",
    ),
    "key mcp-server-url": (
        vault(credential(**{"mcp-server-url": "x"})),
        "credentials[0].mcp-server-url: is not a known key; did you mean mcp_server_url?",
    ),
    "key protocl": (
        vault(credential(protocl="sse")),
        "credentials[0].protocl: is not a known key; did you mean protocol?",
    ),
    "key colour": (vault(credential(colour="red")), f"credentials[0].colour: is not a known key; {KNOWN_KEYS}"),
    "key that is not plain": (
        vault(credential(**{"\x1b[2Jzzz": "x"})),
        f"credentials[0]: has an unknown key; {KNOWN_KEYS}",
    ),
    # mcp_server_url
    "no URL": (vault(credential(...)), NO_URL),
    "URL is None": (vault(credential(None)), NO_URL),
    "empty URL": (vault(credential("")), NO_URL),
    "URL is a number": (
        vault(credential(7)),
        f"credentials[0].mcp_server_url: {A_NUMBER}",
    ),
    "URL without a scheme": (vault(credential("example.com/mcp")), BAD_URL),
    "URL of another scheme": (vault(credential("ftp://example.com/mcp")), BAD_URL),
    "URL without a host": (vault(credential("https:///mcp")), BAD_URL),
    "URL with a wrong port": (vault(credential("https://example.com:99999/mcp")), BAD_URL),
    "URL with a broken host": (vault(credential("https://[::1/mcp")), BAD_URL),
    "URL with a blank": (vault(credential("https://example.com/m cp")), BAD_CHARACTER),
    "URL with a line break": (vault(credential(f"{URL}\n")), BAD_CHARACTER),
    "URL with an escape sequence": (vault(credential("https://example.com/\x1b[2J")), BAD_CHARACTER),
    "URL in angle brackets": (vault(credential(f"<{URL}>")), BAD_CHARACTER),
    "URL with a user": (vault(credential("https://user@example.com/mcp")), NO_USER),
    "URL with a password": (vault(credential(f"https://user:{TOKEN}@example.com/mcp", "another-canary")), NO_USER),
    "long URL": (
        vault(credential("https://example.com/" + "x" * 2029)),
        "credentials[0].mcp_server_url: has 2049 characters; at most 2048 are allowed",
    ),
    "URL holds the access token": (
        vault(credential(f"{URL}?key={TOKEN}")),
        f"credentials[0].mcp_server_url: {EXPOSED}",
    ),
    "URL is the access token": (
        vault(credential(TOKEN, "another-canary")),
        BAD_URL,
    ),
    # access_token
    "no access token": (vault(credential(access_token=...)), NO_TOKEN),
    "access token is None": (vault(credential(access_token=None)), NO_TOKEN),
    "empty access token": (
        vault(credential(access_token="")),
        "credentials[0].access_token: is empty: was the variable set?",
    ),
    "access token is a number": (
        vault(credential(access_token=7)),
        f"credentials[0].access_token: {A_NUMBER}",
    ),
    "access token is a map": (
        vault(credential(access_token={"value": TOKEN})),
        "credentials[0].access_token: must be a string, not a map",
    ),
    "access token ends in a line break": (vault(credential(access_token=f"{TOKEN}\n")), CONTROL),
    "access token holds a tab": (vault(credential(access_token=f"mcp\t{TOKEN}")), CONTROL),
    "access token holds an escape": (vault(credential(access_token=f"mcp\x1b[1m{TOKEN}")), CONTROL),
    "access token begins with a blank": (vault(credential(access_token=f" {TOKEN}")), BLANK),
    "access token ends with a blank": (vault(credential(access_token=f"{TOKEN} ")), BLANK),
    "access token ends with a no-break space": (vault(credential(access_token=f"{TOKEN}\u00a0")), BLANK),
    "access token is not Unicode": (
        vault(credential(access_token=f"{TOKEN}\ud800")),
        "credentials[0].access_token: is not Unicode text",
    ),
    # protocol, type
    "wrong protocol": (
        vault(credential(protocol="http")),
        "credentials[0].protocol: must be 'sse' or 'streamable_http'",
    ),
    "access token as protocol": (
        vault(credential(protocol=TOKEN)),
        "credentials[0].protocol: must be 'sse' or 'streamable_http'",
    ),
    "protocol is a number": (
        vault(credential(protocol=1)),
        "credentials[0].protocol: must be 'sse' or 'streamable_http'",
    ),
    "wrong type": (vault(credential(type="bearer")), "credentials[0].type: must be 'static_bearer'"),
    "a type of the other resource": (
        vault(credential(type="mcp_oauth")),
        "credentials[0].type: must be 'static_bearer'; declare mcp_oauth as a Credential resource",
    ),
    # among several
    "the second is wrong": (
        vault(credential(), credential(OTHER_URL, protocol="x")),
        "credentials[1].protocol: must be 'sse' or 'streamable_http'",
    ),
    "one URL twice": (
        vault(credential(), credential(OTHER_URL), credential(access_token="another-canary")),
        f"credentials[2].mcp_server_url: {URL} is already used by credentials[0]; "
        "one vault holds one credential per URL",
    ),
    "another's access token in a name": (
        vault(credential(), credential(OTHER_URL, "another-canary"), display_name="another-canary"),
        f"display_name: {EXPOSED}",
    ),
}


@pytest.mark.parametrize(("inputs", "line"), BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_each_mistake_is_one_exact_line(inputs: dict[str, Any], line: str) -> None:
    """A bad input is one line, which names its path and what to do, and shows no access token."""
    assert [line] == lines(inputs)
    assert TOKEN not in line
    assert line.isprintable()


def test_the_founding_page_speaks_for_itself() -> None:
    """The two documented errors are the API's own sentences (Qoder, Create Vault, read 2026-05-18)."""
    missing_both = lines(vault(credentials=[])) + lines(vault(credential(access_token=...)))

    assert "At least one credential is required when creating a vault." in missing_both[0]
    assert missing_both[1].endswith("Field 'access_token' is required for static_bearer type.")


def test_every_problem_is_told_at_once() -> None:
    """Somebody with three mistakes sees three lines, in the order of the arguments."""
    inputs = vault(credential(None, None), display_name="", on_delete="keep")

    assert [NO_NAME, "on_delete: must be 'delete' or 'archive'", NO_URL, NO_TOKEN] == lines(inputs)


@pytest.mark.parametrize("nothing", [..., None, []], ids=["absent", "None", "empty"])
def test_an_empty_vault_is_legal_on_2026_07(nothing: Any) -> None:
    """Where the revision in use makes empty vaults, none is required."""
    assert [] == lines(vault(credentials=nothing), allows_empty=True)


@pytest.mark.parametrize(
    "inputs",
    [
        vault(),
        vault(display_name="保管庫 🔐"),
        vault(display_name="n" * 255),
        vault(metadata={}),
        vault(metadata={"k" * 64: "v" * 512}),
        vault(metadata={f"k{number}": "" for number in range(15)}),
        vault(metadata=None, on_delete=None),
        vault(on_delete="archive"),
        vault(credential(protocol="sse", type="static_bearer")),
        vault(credential(protocol=None, type=None)),
        vault(credential("http://127.0.0.1:8080/mcp")),
        vault(credential("HTTPS://Example.com:443/mcp?tenant=7#part")),
        vault(credential("https://example.com/" + "x" * 2028)),
        vault(credential("https://müller.example/mcp")),
        vault(credential(access_token="x")),
        vault(credential(access_token="p@ss:w%rd$HOME+/=")),
        vault(credential(), credential(URL + "/")),
    ],
    ids=range(17),
)
def test_what_qoder_takes_is_no_problem(inputs: dict[str, Any]) -> None:
    """Nothing is refused that the API takes."""
    assert [] == lines(inputs)


def test_no_access_token_in_a_line_whatever_field_it_is_put_into() -> None:
    """An access token in the wrong place is not printed, wherever that is."""
    places = [
        vault(display_name=TOKEN),
        vault(display_name=[TOKEN]),
        vault(metadata=TOKEN),
        vault(metadata={"a": TOKEN}),
        vault(metadata={"a": [TOKEN]}),
        vault(on_delete=TOKEN),
        vault(credentials=TOKEN),
        vault(TOKEN),
        vault(credential(TOKEN)),
        vault(credential(f"https://{TOKEN}@example.com/")),
        vault(credential(f"{URL} {TOKEN}")),
        vault(credential(protocol=TOKEN)),
        vault(credential(type=TOKEN)),
        vault(credential(access_token=TOKEN + "\n")),
        vault(credential(access_token=[TOKEN])),
        vault(metadata={TOKEN: 7}),
        vault(metadata={"\n" + TOKEN: "v"}),
        vault(**{TOKEN: 7}),
        vault(credential(**{TOKEN: 7})),
        vault(credential(**{"x" * 300: 7, "x" * 39 + TOKEN: 7})),
    ]

    assert [] == [line for inputs in places for line in lines(inputs) if TOKEN in line or len(line) > 300]
    assert all(lines(inputs) for inputs in places)


# Whatever comes

texts = st.text(max_size=30)
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(UNKNOWN) | st.builds(Secret, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
near_credentials = st.fixed_dictionaries(
    {},
    optional={
        "mcp_server_url": st.sampled_from([URL, OTHER_URL]) | garbage,
        "access_token": st.builds(Secret, texts) | garbage,
        "protocol": st.sampled_from(["sse", "streamable_http"]) | garbage,
        "type": garbage,
        "token": garbage,
    },
)
near_vaults = st.fixed_dictionaries(
    {},
    optional={
        "display_name": garbage,
        "metadata": garbage | st.dictionaries(texts, texts | garbage, max_size=20),
        "on_delete": garbage,
        "credentials": garbage | st.lists(near_credentials | garbage, max_size=4),
    },
)


@given(near_vaults | st.dictionaries(texts, garbage, max_size=5), st.booleans())
def test_garbage_never_raises(inputs: dict[str, Any], allows_empty: bool) -> None:
    """Whatever a program hands over, check answers, and every problem is one printable line."""
    for line in lines(inputs, allows_empty=allows_empty):
        assert line.isprintable(), line
        assert ": " in line


@given(near_vaults)
def test_what_passes_can_be_completed(inputs: dict[str, Any]) -> None:
    """Inputs without a problem never make `complete` fail, and completing them is stable."""
    if not lines(inputs, allows_empty=True):
        completed = complete(inputs, {})

        assert [] == lines({key: completed.get(key) for key in inputs}, allows_empty=True)


# Unknown values

hosts = st.text(string.ascii_lowercase, min_size=1, max_size=6)
tokens = st.text(string.ascii_letters + string.digits, min_size=8, max_size=12).map("mcp-".__add__)
valid_credentials = st.builds(
    lambda host, token, optional: credential(f"https://{host}.example/mcp", token, **optional),
    hosts,
    tokens,
    st.fixed_dictionaries(
        {}, optional={"protocol": st.sampled_from(["sse", "streamable_http"]), "type": st.just("static_bearer")}
    ),
)
valid_vaults: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "display_name": st.text("abc ", min_size=1, max_size=10).map(lambda name: f"n{name}n"),
        "credentials": st.lists(valid_credentials, min_size=1, max_size=4, unique_by=lambda one: one["mcp_server_url"]),
    },
    optional={
        "metadata": st.dictionaries(st.text("klm", min_size=1), st.text("xyz"), max_size=4),
        "on_delete": st.sampled_from(["delete", "archive"]),
    },
)


def obscured(value: Any, draw: Any) -> Any:
    """Replace some leaves and subtrees by UNKNOWN."""
    if draw(st.integers(0, 3)) == 0:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: obscured(item, draw) for key, item in value.items()}
    return [obscured(item, draw) for item in value] if isinstance(value, list) else value


@given(valid_vaults, valid_vaults, st.data())
def test_unknown_is_not_missing(inputs: dict[str, Any], before: dict[str, Any], data: st.DataObject) -> None:
    """Whatever a preview does not know yet is no problem, and the rest is completed."""
    unclear = {key: obscured(value, data.draw) for key, value in inputs.items()}

    assert [] == lines(unclear)
    completed = complete(unclear, complete(before, {}))
    assert {"display_name", "on_delete", "credentials", "status", "rotations"} <= completed.keys()
    for key in ("display_name", "metadata"):
        assert unclear.get(key) == completed.get(key)


@given(valid_vaults)
def test_nothing_is_left_unknown_when_all_is_known(inputs: dict[str, Any]) -> None:
    """Known inputs complete to known ones."""
    assert "UNKNOWN" not in repr(complete(inputs, {}))


# complete()


def test_defaults_are_filled_in() -> None:
    """Without protocol and type: streamable_http and static_bearer; a new vault is active and never rotated."""
    assert {
        "display_name": "my-mcp-vault",
        "on_delete": "delete",
        "credentials": [credential(protocol="streamable_http", type="static_bearer")],
        "status": "active",
        "rotations": {URL: 0},
    } == complete(vault(on_delete=None, metadata=None), {})


def test_what_is_given_stays() -> None:
    """Defaults replace nothing."""
    given_ = vault(credential(protocol="sse"), metadata={}, on_delete="archive")

    completed = complete(given_, {})

    assert ({}, "archive", "sse") == (
        completed["metadata"],
        completed["on_delete"],
        completed["credentials"][0]["protocol"],
    )


def test_none_in_a_credential_is_absent() -> None:
    """`protocol=None` is the default, as a program writes it that passes options on."""
    completed = complete(vault(credential(protocol=None, type=None)), {})

    assert ("streamable_http", "static_bearer") == (
        completed["credentials"][0]["protocol"],
        completed["credentials"][0]["type"],
    )


def rotations(now: dict[str, Any], before: dict[str, Any]) -> Any:
    return complete(now, before)["rotations"]


RECORDED = complete(vault(credential(), credential(OTHER_URL)), {}) | {"rotations": {URL: 2.0, OTHER_URL: 5.0}}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (vault(credential(), credential(OTHER_URL)), {URL: 2, OTHER_URL: 5}),
        (vault(credential(access_token="mcp-next"), credential(OTHER_URL)), {URL: 3, OTHER_URL: 5}),
        (vault(credential(OTHER_URL), credential(access_token="mcp-next")), {URL: 3, OTHER_URL: 5}),
        (vault(credential(access_token=UNKNOWN), credential(OTHER_URL)), {URL: 2, OTHER_URL: 5}),
        (vault(credential(UNKNOWN), credential(OTHER_URL)), UNKNOWN),
        (vault(UNKNOWN, credential(OTHER_URL)), UNKNOWN),
        (vault(credential(protocol="sse")), {URL: 2}),
        (vault(credential("https://new.example/mcp")), {"https://new.example/mcp": 0}),
        (vault(credential("https://new.example/mcp", UNKNOWN)), {"https://new.example/mcp": 0}),
        (vault(credentials=UNKNOWN), UNKNOWN),
        (vault(credentials=[]), {}),
    ],
    ids=[
        "same",
        "changed",
        "changed and moved",
        "unknown token",
        "unknown URL",
        "unknown credential",
        "protocol changed",
        "new",
        "new, token unknown",
        "all unknown",
        "none",
    ],
)
def test_rotations_count_the_changes_of_each_access_token(now: dict[str, Any], expected: Any) -> None:
    """0 when new, one more when the access token differs; an unknown URL makes all unknown. Counts arrive as floats."""
    assert expected == rotations(now, RECORDED)


def test_counts_are_whole_numbers() -> None:
    """A count that came back from the engine as 2.0 is 2 again."""
    assert [int, int] == [
        type(count) for count in rotations(vault(credential(), credential(OTHER_URL)), RECORDED).values()
    ]


@pytest.mark.parametrize("lost", [{}, {"rotations": None}, {"rotations": {}}])
def test_a_state_without_counts_starts_at_nothing(lost: dict[str, Any]) -> None:
    """Inputs of an older state have no counts: an unchanged access token is 0, a changed one 1."""
    before = {key: value for key, value in RECORDED.items() if key != "rotations"} | lost

    assert {URL: 0, OTHER_URL: 1} == rotations(vault(credential(), credential(OTHER_URL, "mcp-next")), before)


def test_a_url_that_comes_back_starts_anew() -> None:
    """A count belongs to a credential: without it, the count of the same URL is forgotten."""
    before = complete(vault(credential(OTHER_URL)), {}) | {"rotations": {OTHER_URL: 1, URL: 7}}

    assert 0 == rotations(vault(), before)[URL]


@given(valid_vaults, valid_vaults)
def test_complete_is_stable(inputs: dict[str, Any], before: dict[str, Any]) -> None:
    """Completing what is recorded changes nothing: preview and up say the same, and the next preview is empty."""
    first = complete(inputs, complete(before, {}))

    assert first == complete(inputs, first)
    assert first == complete(first, first)


@given(valid_vaults, st.randoms())
def test_order_does_not_count(inputs: dict[str, Any], random: Any) -> None:
    """Reordered credentials have the same rotations."""
    before = complete(inputs, {})
    shuffled = {**inputs, "credentials": random.sample(inputs["credentials"], len(inputs["credentials"]))}

    assert before["rotations"] == rotations(shuffled, before)
