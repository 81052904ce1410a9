"""`qoder:index:Credential` over the protocol: three types, in a vault that somebody else may own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from in_process.provider import CREDENTIAL, NONE, SOME, Failed, Provider, Resource
from in_process.wire import UNKNOWN, in_plain, plain, received, secret
from pulumi_qoder_vault.emulator import Emulator, Fault
from pulumi_qoder_vault.resources.states import SEEN_WITH

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN, NEW_TOKEN = "mcp-canary-one-1111", "mcp-canary-next-3333"
REFRESH_TOKEN, CLIENT_SECRET, VALUE = "refresh-canary-4444", "client-canary-5555", "value-canary-6666"
VAULT_ID = "vault_019e3bb940277f0db05ab74291acf6ef"
CREDENTIAL_ID = "vcred_019e3bb940277f0db05ab74291acf6ef"
REVISIONS = ("2026-05", "2026-07")
Code = grpc.StatusCode
Given = dict[str, Any]

BEARER: Given = {"mcpServerUrl": URL, "accessToken": TOKEN}
OAUTH: Given = {
    "type": "mcp_oauth",
    "mcpServerUrl": URL,
    "accessToken": TOKEN,
    "expiresAt": "2026-12-31T23:59:59Z",
    "refresh": {
        "clientId": "client-1",
        "refreshToken": REFRESH_TOKEN,
        "tokenEndpoint": "https://example.com/token",
        "tokenEndpointAuth": {"type": "client_secret_basic", "clientSecret": CLIENT_SECRET},
        "resource": "https://example.com",
        "scope": "read",
    },
}
VARIABLE: Given = {
    "type": "environment_variable",
    "secretName": "API_KEY",
    "secretValue": VALUE,
    "networking": {"type": "limited", "allowedHosts": ["a.example", "b.example"]},
    "injectionLocation": {"header": True, "body": False},
}
TYPES: dict[str, Given] = {"static_bearer": BEARER, "mcp_oauth": OAUTH, "environment_variable": VARIABLE}


def changed(given: Given, *path: str, to: Any) -> Given:
    """The same, with one thing changed; None takes it away."""
    copied = copy.deepcopy(given)
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return copied


class Shared:
    """A vault of somebody else, and a plugin that adds credentials to it."""

    def __init__(self, qoder: Emulator, plugin: Provider) -> None:
        self.qoder, self.plugin = qoder, plugin
        self.vault_id = qoder.add_vault("shared").id

    def given(self, given: Given, **fields: Any) -> Given:
        return {"vaultId": self.vault_id, **given, **fields}

    def create(self, given: Given, **fields: Any) -> Resource:
        made = self.plugin.create(self.given(given, **fields))
        self.qoder.clear_requests()
        return made

    def update(self, resource: Resource, given: Given, **fields: Any) -> Resource:
        return self.plugin.update(resource, self.given(given, **fields))

    def diff(self, resource: Resource, given: Given, **fields: Any) -> Any:
        return self.plugin.diff(resource, self.plugin.checked(self.given(given, **fields), resource.inputs))

    @property
    def credentials(self) -> list[Any]:
        (vault,) = self.qoder.vaults
        return list(vault.credentials)

    @property
    def tokens(self) -> list[str | None]:
        return [item.access_token for item in self.credentials if item.status == "active"]

    @property
    def sent(self) -> list[tuple[str, Any]]:
        """Writes since the create: method, and body."""
        return [(request.method, request.body) for request in self.qoder.writes]


@pytest.fixture
def shared(vault_plugin: Callable[..., Any]) -> Callable[..., Shared]:
    return lambda revision="2026-07", **more: Shared(*vault_plugin(revision, CREDENTIAL, **more))


# Check


def test_check_fills_in_and_marks(shared: Callable[..., Shared]) -> None:
    """Type, protocol, status and the count of rotations; the secret is marked, its siblings are not."""
    there = shared()

    assert {
        "vaultId": there.vault_id,
        "type": "static_bearer",
        "mcpServerUrl": URL,
        "accessToken": secret(TOKEN),
        "protocol": "streamable_http",
        "status": "active",
        "rotations": 0,
    } == there.plugin.checked(there.given(BEARER))
    assert [] == there.qoder.requests


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_passes_whole(credentials: Provider, type_: str) -> None:
    """Whatever is given is kept, and each secret is marked at its leaf."""
    given = {"vaultId": VAULT_ID, **TYPES[type_], "metadata": {"team": "tools"}}

    checked = credentials.checked(given)

    assert given | {"type": type_} == {name: plain(checked[name]) for name in {**given, "type": ""}}
    assert [] == in_plain(checked)


@pytest.mark.parametrize(
    "unknown",
    [
        {"vaultId": UNKNOWN},
        {"type": UNKNOWN},
        {"mcpServerUrl": UNKNOWN, "accessToken": UNKNOWN},
        {"accessToken": secret(UNKNOWN)},
        {"expiresAt": UNKNOWN, "refresh": UNKNOWN},
        {"metadata": UNKNOWN},
        {"metadata": {"team": UNKNOWN}},
        {"refresh": {**OAUTH["refresh"], "refreshToken": UNKNOWN, "tokenEndpointAuth": UNKNOWN}},
        {"refresh": {**OAUTH["refresh"], "tokenEndpointAuth": {"type": UNKNOWN, "clientSecret": UNKNOWN}}},
        {"refresh": {**OAUTH["refresh"], "tokenEndpointAuth": {"type": "client_secret_post", "clientSecret": UNKNOWN}}},
    ],
)
def test_what_is_unknown_passes_and_stays_unknown(credentials: Provider, unknown: Given) -> None:
    """It is not missing."""
    checked = plain(credentials.checked({"vaultId": VAULT_ID, **OAUTH, **unknown}))

    assert {name: plain(value) for name, value in unknown.items()} == {name: checked[name] for name in unknown}


NO_TOKEN = "Field 'access_token' is required for static_bearer type."
EMPTY = "is empty: was the variable set?"
A_NUMBER = "must be a string, not a number; put it in quotation marks, or, where YAML drops them, in fn::toJSON"
PROOF = "refresh.tokenEndpointAuth"
PROBLEMS: list[tuple[Given, str]] = [
    (changed(BEARER, "accessToken", to=None), f"accessToken: {NO_TOKEN}"),
    (changed(BEARER, "accessToken", to=""), f"accessToken: {EMPTY}"),
    (
        changed(BEARER, "accessToken", to=f"{TOKEN}\n"),
        "accessToken: contains a control character, such as a line break; remove it",
    ),
    (changed(BEARER, "mcpServerUrl", to=None), "mcpServerUrl: is required: the URL of the MCP server"),
    (changed(BEARER, "mcpServerUrl", to="nowhere"), "mcpServerUrl: must be a URL such as https://example.com/mcp"),
    ({**BEARER, "vaultId": ""}, "vaultId: is required: the id of the vault that holds the credential"),
    ({**BEARER, "vaultId": "a/b"}, f"vaultId: must be a vault's id, like {VAULT_ID}"),
    ({**BEARER, "type": "bearer"}, "type: must be 'static_bearer' or 'mcp_oauth' or 'environment_variable'"),
    ({**BEARER, "type": ["mcp_oauth"]}, "type: must be 'static_bearer' or 'mcp_oauth' or 'environment_variable'"),
    ({**BEARER, "type": {"a": "b"}}, "type: must be 'static_bearer' or 'mcp_oauth' or 'environment_variable'"),
    ({**BEARER, "protocol": "smoke"}, "protocol: must be 'sse' or 'streamable_http'"),
    ({**BEARER, "acessToken": "x"}, "acessToken: is not a known key; did you mean accessToken?"),
    (
        {**BEARER, "secretName": "KEY"},
        "secretName: is not a known key; known keys are vaultId, type, metadata, mcpServerUrl, accessToken, "
        "accessTokenFrom, protocol, rotationTrigger, status, rotations",
    ),
    ({**BEARER, "metadata": {"client_id": 1}}, f'metadata["client_id"]: {A_NUMBER}'),
    (changed(OAUTH, "accessToken", to=None), "accessToken: is required"),
    (changed(OAUTH, "accessToken", to=""), f"accessToken: {EMPTY}"),
    (
        {**OAUTH, "protocol": "sse"},
        "protocol: is not a known key; known keys are vaultId, type, metadata, mcpServerUrl, accessToken, "
        "accessTokenFrom, expiresAt, refresh, rotationTrigger, status, rotations",
    ),
    (changed(OAUTH, "expiresAt", to="tomorrow"), "expiresAt: must be an RFC 3339 time such as 2026-12-31T23:59:59Z"),
    (
        changed(OAUTH, "expiresAt", to="2026-13-31T23:59:59Z"),
        "expiresAt: must be an RFC 3339 time such as 2026-12-31T23:59:59Z",
    ),
    (
        changed(OAUTH, "refresh", to="x"),
        "refresh: must be a map with clientId, refreshToken, refreshTokenFrom, tokenEndpoint, tokenEndpointAuth, "
        "resource, scope, not a string",
    ),
    (changed(OAUTH, "refresh", "clientId", to=None), "refresh.clientId: is required"),
    (changed(OAUTH, "refresh", "refreshToken", to=None), "refresh.refreshToken: is required"),
    (changed(OAUTH, "refresh", "refreshToken", to=""), f"refresh.refreshToken: {EMPTY}"),
    (
        changed(OAUTH, "refresh", "tokenEndpoint", to="x"),
        "refresh.tokenEndpoint: must be a URL such as https://example.com/mcp",
    ),
    (changed(OAUTH, "refresh", "tokenEndpointAuth", to=None), f"{PROOF}: is required"),
    (changed(OAUTH, "refresh", "tokenEndpointAuth", "type", to=None), f"{PROOF}.type: is required"),
    (
        changed(OAUTH, "refresh", "tokenEndpointAuth", "clientSecret", to=None),
        f"{PROOF}.clientSecret: is required for client_secret_basic",
    ),
    (
        changed(OAUTH, "refresh", "tokenEndpointAuth", "clientSecret", to=""),
        f"{PROOF}.clientSecret: {EMPTY}",
    ),
    (
        changed(OAUTH, "refresh", "tokenEndpointAuth", "type", to="none"),
        f"{PROOF}.clientSecret: is for client_secret_basic or client_secret_post only",
    ),
    (changed(OAUTH, "refresh", "clientID", to="x"), "refresh.clientID: is not a known key; did you mean clientId?"),
    (
        changed(VARIABLE, "secretName", to="2FA"),
        "secretName: must be the name of an environment variable: letters, digits and underscores",
    ),
    (changed(VARIABLE, "secretName", to=None), "secretName: is required"),
    (changed(VARIABLE, "secretValue", to=None), "secretValue: is required"),
    (changed(VARIABLE, "secretValue", to=""), f"secretValue: {EMPTY}"),
    (changed(VARIABLE, "networking", "allowedHosts", to=None), "networking.allowedHosts: is required for limited"),
    (changed(VARIABLE, "networking", "type", to="unrestricted"), "networking.allowedHosts: is for limited only"),
    (
        changed(VARIABLE, "networking", "allowedHosts", to="a.example"),
        "networking.allowedHosts: must be a list of host names",
    ),
    (
        changed(VARIABLE, "injectionLocation", "header", to="yes"),
        "injectionLocation.header: must be a boolean, true or false, not a string",
    ),
]


@pytest.mark.parametrize(("given", "line"), PROBLEMS, ids=[line[:60] for _, line in PROBLEMS])
def test_what_is_wrong_is_one_line_with_its_path(serve: Callable[..., Provider], given: Given, line: str) -> None:
    """At preview, in the names of the schema, and without any secret."""
    plugin = serve().of(CREDENTIAL)
    plugin.call("Configure", args={})

    assert [line] == plugin.problems({"vaultId": VAULT_ID, **given})


@pytest.mark.parametrize("place", ["mcpServerUrl", "metadata", "refresh", "expiresAt", "type", "vaultId"])
def test_a_secret_in_the_wrong_place_is_refused_and_not_shown(credentials: Provider, place: str) -> None:
    """What is stored and shown in plain text must not hold one."""
    wrong = {
        "mcpServerUrl": f"https://example.com/{TOKEN}",
        "metadata": {TOKEN: "x"},
        "refresh": {**OAUTH["refresh"], "scope": CLIENT_SECRET},
        "expiresAt": TOKEN,
        "type": TOKEN,
        "vaultId": TOKEN,
    }

    lines = credentials.problems({"vaultId": VAULT_ID, **OAUTH, place: wrong[place]})

    assert [place] == sorted({line.partition(":")[0].partition(".")[0] for line in lines})
    assert [] == [line for line in lines if "canary" in line]


def test_empty_text_is_as_if_it_were_not_given(shared: Callable[..., Shared]) -> None:
    """A language without null sends it; nothing of it is sent to Qoder, and it is no change."""
    there = shared()
    empty = {"type": "", "protocol": ""}

    made = there.create(BEARER, **empty)

    assert ("static_bearer", "streamable_http") == (made.inputs["type"], made.inputs["protocol"])
    assert (NONE, {}) == (there.diff(made, BEARER).changes, there.diff(made, BEARER).kinds)
    oauth = there.plugin.checked(there.given(changed(OAUTH, "refresh", "scope", to=""), expiresAt=""))
    assert "expiresAt" not in oauth
    assert "scope" not in oauth["refresh"]


# Create, read, delete


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_life_of_a_static_bearer(shared: Callable[..., Shared], revision: str) -> None:
    """Create, refresh, rotate, refresh, delete; the vault and what else it holds stay."""
    there = shared(revision)
    foreign = there.qoder.add_credential(there.vault_id, OTHER_URL, "their-token")

    made = there.create(BEARER)
    assert there.vault_id == made.outputs["vaultId"]
    assert f"{there.vault_id}/{made.outputs['credentialId']}" == made.id
    assert revision == made.outputs["apiRevision"]
    assert (made, NONE) == (there.plugin.refresh(made), there.diff(made, BEARER).changes)

    rotated = there.update(made, BEARER, accessToken=NEW_TOKEN)
    assert ["their-token", NEW_TOKEN] == there.tokens
    assert 1 == rotated.outputs["rotations"]
    refreshed = there.plugin.refresh(rotated)
    assert refreshed is not None
    assert f"{there.vault_id}/{there.credentials[-1].id}" == refreshed.id
    assert rotated.outputs == refreshed.outputs

    there.plugin.delete(refreshed)
    assert [foreign.id] == [item.id for item in there.credentials]
    assert there.plugin.refresh(refreshed) is None
    there.plugin.delete(refreshed)


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_given_is_what_is_made(shared: Callable[..., Shared], type_: str) -> None:
    """The whole of `auth` and metadata, on the revision that has all three types; a second look finds no change."""
    there = shared()

    made = there.create(TYPES[type_], metadata={"team": "tools"})

    (stored,) = there.credentials
    expected = {
        "static_bearer": {"type": "static_bearer", "mcp_server_url": URL, "token": TOKEN},
        "mcp_oauth": {
            "type": "mcp_oauth",
            "mcp_server_url": URL,
            "access_token": TOKEN,
            "expires_at": "2026-12-31T23:59:59Z",
            "refresh": {
                "client_id": "client-1",
                "refresh_token": REFRESH_TOKEN,
                "token_endpoint": "https://example.com/token",
                "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": CLIENT_SECRET},
                "resource": "https://example.com",
                "scope": "read",
            },
        },
        "environment_variable": {
            "type": "environment_variable",
            "secret_name": "API_KEY",
            "secret_value": VALUE,
            "networking": {"type": "limited", "allowed_hosts": ["a.example", "b.example"]},
            "injection_location": {"header": True, "body": False},
        },
    }[type_]
    assert (expected, {"team": "tools"}) == (stored.auth, stored.metadata)
    assert TYPES[type_] == {name: plain(made.outputs[name]) for name in TYPES[type_]}
    assert [] == in_plain(made.inputs) + in_plain(made.outputs)
    assert NONE == there.diff(made, TYPES[type_], metadata={"team": "tools"}).changes
    assert made == there.plugin.refresh(made)


@pytest.mark.parametrize("type_", ["mcp_oauth", "environment_variable"])
def test_a_type_that_this_qoder_has_not_is_refused(shared: Callable[..., Shared], type_: str) -> None:
    """In one line, before anything is made."""
    there = shared("2026-05")

    with pytest.raises(Failed) as caught:
        there.create(TYPES[type_])

    assert (Code.FAILED_PRECONDITION, f"type: {type_} needs a Qoder of API revision 2026-07") == (
        caught.value.code,
        caught.value.line,
    )
    assert [] == there.qoder.writes


def test_metadata_that_this_qoder_does_not_store_is_refused(shared: Callable[..., Shared]) -> None:
    """Nothing is dropped silently; an empty map is no metadata."""
    there = shared("2026-05")

    with pytest.raises(Failed) as caught:
        there.create(BEARER, metadata={"team": "tools"})

    assert caught.value.line.startswith("metadata: this Qoder does not store metadata with a credential")
    assert [] == there.qoder.writes
    made = there.create(BEARER, metadata={})
    assert NONE == there.diff(made, BEARER, metadata={}).changes


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_vault_that_does_not_exist_is_said(shared: Callable[..., Shared], revision: str) -> None:
    """By id and place; a proxy's 404 is no such word."""
    there = shared(revision)

    with pytest.raises(Failed) as caught:
        there.plugin.create({**BEARER, "vaultId": VAULT_ID})
    assert Code.NOT_FOUND == caught.value.code
    assert f"there is no vault {VAULT_ID} at {there.qoder.base_url}" in caught.value.line

    there.qoder.fail_next("GET", "/vaults/**", Fault.HTML_404, times=None)
    with pytest.raises(Failed) as caught:
        there.create(BEARER)
    assert f"this does not prove that vault {there.vault_id} is gone" in caught.value.line


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_archived_vault_takes_none(shared: Callable[..., Shared], revision: str) -> None:
    """Qoder's own word is said; nothing is made, and nothing is deleted to make room."""
    there = shared(revision)
    there.qoder.archive_vault(there.vault_id)

    with pytest.raises(Failed) as caught:
        there.create(BEARER)

    assert Code.ALREADY_EXISTS == caught.value.code
    assert f"Vault '{there.vault_id}' is archived" in caught.value.line
    assert [] == there.credentials


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_foreign_credential_is_named_and_not_touched(shared: Callable[..., Shared], revision: str) -> None:
    """Who has the URL is said by id; it may be of another stack."""
    there = shared(revision, unique_url=True)
    foreign = there.qoder.add_credential(there.vault_id, URL, "their-token")

    with pytest.raises(Failed) as caught:
        there.create(BEARER)

    assert f"credential {foreign.id} for {URL} is in the vault, and this resource did not make it" in caught.value.line
    assert ["their-token"] == there.tokens
    assert ["POST"] == [method for method, _ in there.sent]


def test_a_vault_that_is_full_is_said(shared: Callable[..., Shared]) -> None:
    """Nothing of others makes room."""
    there = shared(max_credentials=1)
    there.qoder.add_credential(there.vault_id, OTHER_URL, "their-token")

    with pytest.raises(Failed) as caught:
        there.create(BEARER)

    assert "A vault holds at most 1 active credentials" in caught.value.line
    assert ["their-token"] == there.tokens


# What may change in place, row by row (api.md, 4)

AUTH = "refresh"
IN_PLACE: dict[str, tuple[str, tuple[str, ...], Any, dict[str, Any]]] = {
    "token": ("static_bearer", ("accessToken",), NEW_TOKEN, {"token": "***"}),
    "access token": ("mcp_oauth", ("accessToken",), NEW_TOKEN, {"access_token": "***"}),
    "expires at": ("mcp_oauth", ("expiresAt",), "2027-01-01T00:00:00Z", {"expires_at": "2027-01-01T00:00:00Z"}),
    "no expires at": ("mcp_oauth", ("expiresAt",), None, {"expires_at": None}),
    "refresh token": ("mcp_oauth", (AUTH, "refreshToken"), NEW_TOKEN, {AUTH: {"refresh_token": "***"}}),
    "scope": ("mcp_oauth", (AUTH, "scope"), "read write", {AUTH: {"scope": "read write"}}),
    "no scope": ("mcp_oauth", (AUTH, "scope"), None, {AUTH: {"scope": None}}),
    "client secret": (
        "mcp_oauth",
        (AUTH, "tokenEndpointAuth", "clientSecret"),
        NEW_TOKEN,
        {AUTH: {"token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "***"}}},
    ),
    "proof": (
        "mcp_oauth",
        (AUTH, "tokenEndpointAuth"),
        {"type": "none"},
        {AUTH: {"token_endpoint_auth": {"type": "none"}}},
    ),
    "value": ("environment_variable", ("secretValue",), NEW_TOKEN, {"secret_value": "***"}),
}
PATHS = {"proof": "refresh.tokenEndpointAuth.type"}


@pytest.mark.parametrize("what", IN_PLACE)
def test_what_may_change_changes_in_place(shared: Callable[..., Shared], what: str) -> None:
    """One merge patch with what changed, and no more; the id stays, and then there is nothing left to do."""
    there = shared()
    type_, path, to, patch = IN_PLACE[what]
    made = there.create(TYPES[type_], metadata={"team": "tools"})
    news = changed(TYPES[type_], *path, to=to)

    change = there.diff(made, news, metadata={"team": "tools"})
    assert (SOME, [], True) == (change.changes, change.replaces, change.deletes_first), "if it were to be replaced"
    kind = "DELETE" if to is None else "UPDATE"
    assert kind == change.kinds[PATHS.get(what, ".".join(path))]
    after = there.update(made, news, metadata={"team": "tools"})

    assert [("POST", {"auth": {"type": type_, **patch}})] == there.sent
    assert made.outputs["credentialId"] == after.outputs["credentialId"] == there.credentials[0].id
    assert news == {name: plain(after.outputs[name]) for name in news}
    assert not set(after.outputs) & (set(TYPES[type_]) - set(news))
    assert [] == in_plain(after.outputs)
    assert (NONE, {}) == (
        there.diff(after, news, metadata={"team": "tools"}).changes,
        there.diff(after, news, metadata={"team": "tools"}).kinds,
    )
    assert after == there.plugin.refresh(after)


SECRETS = {"token", "access token", "refresh token", "client secret", "value"}


@pytest.mark.parametrize("what", IN_PLACE)
def test_a_rotation_is_counted(shared: Callable[..., Shared], what: str) -> None:
    """Each changed secret shows as a count that goes up; what is none does not."""
    there = shared()
    type_, path, to, _ = IN_PLACE[what]
    made = there.create(TYPES[type_])

    change = there.diff(made, changed(TYPES[type_], *path, to=to))

    assert (what in SECRETS) == ("rotations" in change.kinds)


REPLACED: dict[str, tuple[str, tuple[str, ...], Any, bool]] = {
    "url of a bearer": ("static_bearer", ("mcpServerUrl",), OTHER_URL, False),
    "url": ("mcp_oauth", ("mcpServerUrl",), OTHER_URL, False),
    "client id": ("mcp_oauth", (AUTH, "clientId"), "client-2", True),
    "token endpoint": ("mcp_oauth", (AUTH, "tokenEndpoint"), "https://example.com/other", True),
    "resource": ("mcp_oauth", (AUTH, "resource"), "https://other.example", True),
    "no resource": ("mcp_oauth", (AUTH, "resource"), None, True),
    "no refresh": ("mcp_oauth", (AUTH,), None, True),
    "name": ("environment_variable", ("secretName",), "OTHER_KEY", False),
    "hosts": ("environment_variable", ("networking", "allowedHosts"), ["c.example"], True),
    "no networking": ("environment_variable", ("networking",), None, True),
    "location": ("environment_variable", ("injectionLocation", "body"), True, True),
    "no location": ("environment_variable", ("injectionLocation",), None, True),
}


@pytest.mark.parametrize("what", REPLACED)
def test_what_may_not_change_replaces(shared: Callable[..., Shared], what: str) -> None:
    """Another credential. Where URL or name stay, the vault has no room for both: the old one goes first."""
    there = shared()
    type_, path, to, deletes_first = REPLACED[what]
    made = there.create(TYPES[type_])

    change = there.diff(made, changed(TYPES[type_], *path, to=to))

    assert (SOME, [path[0]], deletes_first) == (change.changes, change.replaces, change.deletes_first)
    assert {"DELETE_REPLACE" if to is None else "UPDATE_REPLACE"} == set(change.kinds.values())
    assert [".".join(path)] == list(change.kinds)


def test_a_refresh_block_is_not_added_later(shared: Callable[..., Shared]) -> None:
    """Qoder refuses it: another credential."""
    there = shared()
    made = there.create(changed(OAUTH, "refresh", to=None))

    change = there.diff(made, OAUTH)

    assert ({"refresh": "ADD_REPLACE"}, ["refresh"], True) == (
        {name: kind for name, kind in change.kinds.items() if name != "rotations"},
        change.replaces,
        change.deletes_first,
    )


def test_another_vault_or_type_replaces(shared: Callable[..., Shared]) -> None:
    """In another vault there is room for the new one first; of another type, under one URL, there is none."""
    there = shared()
    made = there.create(BEARER)

    vault = there.diff(made, BEARER, vaultId=VAULT_ID)
    unknown = there.diff(made, BEARER, vaultId=UNKNOWN)
    type_ = there.diff(made, OAUTH)

    assert ({"vaultId": "UPDATE_REPLACE"}, False) == (vault.kinds, vault.deletes_first)
    assert ({"vaultId": "UPDATE_REPLACE"}, ["vaultId"]) == (unknown.kinds, unknown.replaces)
    assert (["type"], True) == (type_.replaces, type_.deletes_first)


METADATA: list[tuple[Given, dict[str, Any], dict[str, str]]] = [
    ({"team": "tools", "b c": "d"}, {"b c": "d"}, {'metadata["b c"]': "ADD"}),
    ({"team": "other"}, {"team": "other"}, {'metadata["team"]': "UPDATE"}),
    ({}, {"team": None}, {'metadata["team"]': "DELETE"}),
]


@pytest.mark.parametrize(("metadata", "effect", "kinds"), METADATA)
def test_metadata_is_patched(
    shared: Callable[..., Shared], metadata: Given, effect: Given, kinds: dict[str, str]
) -> None:
    """In place; a key that is gone is sent as null, and stored metadata is then exactly what was asked for."""
    there = shared()
    made = there.create(BEARER, metadata={"team": "tools"})

    change = there.diff(made, BEARER, metadata=metadata)
    after = there.update(made, BEARER, metadata=metadata)

    assert (kinds, []) == (change.kinds, change.replaces)
    ((method, body),) = there.sent
    assert ("POST", {"type": "static_bearer"}) == (method, body["auth"])
    assert effect.items() <= body["metadata"].items()
    assert metadata == there.credentials[0].metadata
    assert NONE == there.diff(after, BEARER, metadata=metadata).changes


def test_a_protocol_that_is_not_sent_is_recorded(shared: Callable[..., Shared]) -> None:
    """On 2026-07 there is no such field: a change of it is no request."""
    there = shared()
    made = there.create(BEARER)

    change = there.diff(made, BEARER, protocol="sse")
    after = there.update(made, BEARER, protocol="sse")

    assert ({"protocol": "UPDATE"}, []) == (change.kinds, change.replaces)
    assert [] == there.sent
    assert "sse" == after.outputs["protocol"]


# Rotation without an update call


def test_rotation_on_the_older_revision_leaves_no_gap(shared: Callable[..., Shared]) -> None:
    """The new credential first, then the old one goes; the id follows in the outputs."""
    there = shared("2026-05", unique_url=False)
    made = there.create(BEARER)

    after = there.update(made, BEARER, accessToken=NEW_TOKEN)

    assert ["POST", "DELETE"] == [method for method, _ in there.sent]
    assert [] == [item for item in there.qoder.requests if not there.qoder.had_active(URL, after=item)]
    assert [(after.outputs["credentialId"], NEW_TOKEN)] == [(item.id, item.access_token) for item in there.credentials]
    assert made.outputs["credentialId"] != after.outputs["credentialId"]


def test_where_a_second_one_is_refused_the_old_one_goes_first(shared: Callable[..., Shared]) -> None:
    """There is no other way; nothing is left over."""
    there = shared("2026-05", unique_url=True)
    made = there.create(BEARER)

    after = there.update(made, BEARER, accessToken=NEW_TOKEN, protocol="sse")

    assert ["POST", "DELETE", "POST"] == [method for method, _ in there.sent]
    assert [NEW_TOKEN] == there.tokens
    assert NONE == there.diff(after, BEARER, accessToken=NEW_TOKEN, protocol="sse").changes


def test_a_rotation_that_fails_after_the_deletion_is_put_back(shared: Callable[..., Shared]) -> None:
    """The former access token serves on; the state follows its new id, and the next `up` rotates."""
    there = shared("2026-05", unique_url=True)
    made = there.create(BEARER)
    there.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    with pytest.raises(Failed) as caught:
        there.update(made, BEARER, accessToken=NEW_TOKEN)

    assert [TOKEN] == there.tokens
    kept = Resource(caught.value.partial.id, made.inputs, received(caught.value.partial.properties))
    assert (secret(TOKEN), there.credentials[0].id) == (kept.outputs["accessToken"], kept.outputs["credentialId"])
    after = there.update(kept, BEARER, accessToken=NEW_TOKEN)
    assert [NEW_TOKEN] == there.tokens
    assert "unfinished" not in after.outputs


def test_a_rotation_whose_old_one_stays_is_finished_later(shared: Callable[..., Shared]) -> None:
    """The new one is recorded, and the old one as left over: the next `up` deletes it, a destroy deletes both."""
    there = shared("2026-05", unique_url=False)
    made = there.create(BEARER)
    there.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.FORBIDDEN)

    with pytest.raises(Failed) as caught:
        there.update(made, BEARER, accessToken=NEW_TOKEN)

    kept = Resource(caught.value.partial.id, made.inputs, received(caught.value.partial.properties))
    assert [made.outputs["credentialId"]] == kept.outputs["unfinished"]
    assert SOME == there.diff(kept, BEARER, accessToken=NEW_TOKEN).changes
    after = there.update(kept, BEARER, accessToken=NEW_TOKEN)
    assert [NEW_TOKEN] == there.tokens
    assert NONE == there.diff(after, BEARER, accessToken=NEW_TOKEN).changes


def test_a_destroy_deletes_what_a_rotation_left(shared: Callable[..., Shared]) -> None:
    """Nothing of ours stays at Qoder."""
    there = shared("2026-05", unique_url=False)
    made = there.create(BEARER)
    there.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.FORBIDDEN)
    with pytest.raises(Failed) as caught:
        there.update(made, BEARER, accessToken=NEW_TOKEN)

    there.plugin.delete(Resource(made.id, made.inputs, received(caught.value.partial.properties)))

    assert [] == there.credentials


def test_a_rotation_whose_credential_is_gone_for_good_stays_mendable(shared: Callable[..., Shared]) -> None:
    """Deleted first, then neither the new nor the former one is taken: a refresh finds nothing, an `up` makes it."""
    there = shared("2026-05", unique_url=True)
    made = there.create(BEARER)
    there.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1, times=14)

    with pytest.raises(Failed) as caught:
        there.update(made, BEARER, accessToken=NEW_TOKEN)

    kept = Resource(caught.value.partial.id, made.inputs, received(caught.value.partial.properties))
    assert [] == there.tokens
    assert there.plugin.refresh(kept) is None
    there.update(kept, BEARER, accessToken=NEW_TOKEN)
    assert [NEW_TOKEN] == there.tokens


# Previews


@pytest.mark.parametrize("type_", TYPES)
def test_a_preview_of_a_create_asks_nobody(shared: Callable[..., Shared], type_: str) -> None:
    """Every output of a create is there, or is said to be unknown."""
    there = shared(settings={"apiToken": ""})

    id_, outputs = there.plugin.preview_create(there.given(TYPES[type_]))

    assert "" == id_
    assert [] == there.qoder.requests + in_plain(outputs)
    assert {"credentialId", "rotatedAt", "apiRevision"} == {name for name, value in outputs.items() if value == UNKNOWN}


@pytest.mark.parametrize(("revision", "stays"), [("2026-05", False), ("2026-07", True)])
def test_a_preview_of_a_rotation_knows_if_the_id_stays(
    shared: Callable[..., Shared], revision: str, stays: bool
) -> None:
    """It does where there is a call for it; every output of the update is foreseen."""
    there = shared(revision)
    made = there.create(BEARER)
    news = there.given(BEARER, accessToken=NEW_TOKEN)

    foreseen = there.plugin.preview_update(made, news)

    assert [] == there.qoder.requests
    assert (made.outputs["credentialId"] if stays else UNKNOWN) == foreseen["credentialId"]
    after = there.plugin.update(made, news).outputs
    assert UNKNOWN == foreseen["rotatedAt"]
    known_then = {"credentialId": "", "rotatedAt": ""}
    assert {**after, **known_then} == {**foreseen, SEEN_WITH: after[SEEN_WITH], **known_then}


def test_a_preview_shows_the_outputs_of_a_create(shared: Callable[..., Shared]) -> None:
    """The same ones, but for what is unknown."""
    there = shared()

    for given in TYPES.values():
        _, foreseen = there.plugin.preview_create(there.given(given))
        made = there.create(given).outputs
        there.qoder.delete_credential(there.vault_id, made["credentialId"])
        known = {name: made[name] if value == UNKNOWN else value for name, value in foreseen.items()}
        assert made == {**known, SEEN_WITH: made[SEEN_WITH]}


# Lost answers

LOST = [Fault.DROP_AFTER_COMMIT, Fault.BAD_GATEWAY_AFTER_COMMIT, Fault.CUT_JSON_AFTER_COMMIT, Fault.DROP_BEFORE_COMMIT]


@pytest.mark.parametrize("keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_lost_answer_makes_no_second_one(
    shared: Callable[..., Shared], revision: str, fault: Fault, keys: bool
) -> None:
    """What was made is found, or the create is sent again; there is one, and the state holds it."""
    there = shared(revision, idempotency=keys, unique_url=False)
    there.qoder.fail_next("POST", "/vaults/*/credentials", fault)

    made = there.create(BEARER)

    assert [(made.outputs["credentialId"], TOKEN)] == [(item.id, item.access_token) for item in there.credentials]
    assert NONE == there.diff(made, BEARER).changes


@pytest.mark.parametrize("keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize("type_", ["mcp_oauth", "environment_variable"])
def test_a_lost_answer_makes_no_second_one_of_any_type(shared: Callable[..., Shared], type_: str, keys: bool) -> None:
    """A variable has no URL: it is found by its name."""
    there = shared(idempotency=keys, unique_url=False)
    there.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT)

    made = there.create(TYPES[type_])

    assert [made.outputs["credentialId"]] == [item.id for item in there.credentials]


@pytest.mark.parametrize("keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_an_answer_that_is_lost_while_qoder_is_at_work(
    shared: Callable[..., Shared], fake_time: Any, revision: str, keys: bool
) -> None:
    """The first sending appears after the first look: the second look finds it."""
    there = shared(revision, idempotency=keys)
    fake_time.really_s = 0.3
    there.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_COMMIT_LATER, delay_s=0.45)

    made = there.create(BEARER)

    assert [(made.outputs["credentialId"], TOKEN)] == [(item.id, item.access_token) for item in there.credentials]


def test_a_lost_answer_does_not_adopt_what_was_there(shared: Callable[..., Shared]) -> None:
    """A foreign credential under the same URL is older than the create."""
    there = shared(unique_url=False)
    foreign = there.qoder.add_credential(there.vault_id, URL, "their-token")
    there.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)

    made = there.create(BEARER)

    assert made.outputs["credentialId"] != foreign.id
    assert ["their-token", TOKEN] == there.tokens


@pytest.mark.parametrize("type_", TYPES)
def test_a_lost_answer_to_a_change_is_sent_again(shared: Callable[..., Shared], type_: str) -> None:
    """A merge patch does the same twice."""
    there = shared()
    made = there.create(TYPES[type_])
    secret_name = "secretValue" if type_ == "environment_variable" else "accessToken"
    there.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.DROP_AFTER_COMMIT)

    after = there.update(made, TYPES[type_], **{secret_name: NEW_TOKEN})

    assert [NEW_TOKEN] == there.tokens
    assert NONE == there.diff(after, TYPES[type_], **{secret_name: NEW_TOKEN}).changes


def test_a_change_that_nobody_knows_of_is_made_again(shared: Callable[..., Shared]) -> None:
    """Qoder may have either access token: none is recorded, and the next `up` sends all that may change."""
    there = shared()
    made = there.create(OAUTH)
    there.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.BAD_GATEWAY_AFTER_COMMIT, times=None)
    with pytest.raises(Failed) as caught:
        there.update(made, OAUTH, accessToken=NEW_TOKEN)
    there.qoder.clear_faults()
    there.qoder.clear_requests()

    kept = Resource(made.id, made.inputs, received(caught.value.partial.properties))
    assert "accessToken" not in kept.outputs
    assert SOME == there.diff(kept, OAUTH).changes
    after = there.update(kept, OAUTH)

    ((_, body),) = there.sent
    assert {"type", "access_token", "expires_at", "refresh"} == body["auth"].keys()
    assert [TOKEN] == there.tokens
    assert NONE == there.diff(after, OAUTH).changes


def test_a_refresh_does_not_forget_that_nobody_knows(shared: Callable[..., Shared]) -> None:
    """It cannot find out which access token Qoder has: the inputs show none, and the next `up` sends the program's."""
    there = shared()
    made = there.create(BEARER)
    there.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.BAD_GATEWAY_AFTER_COMMIT, times=None)
    with pytest.raises(Failed) as caught:
        there.update(made, BEARER, accessToken=NEW_TOKEN)
    there.qoder.clear_faults()

    kept = Resource(made.id, made.inputs, received(caught.value.partial.properties))
    refreshed = there.plugin.refresh(kept)

    assert refreshed is not None
    assert not {"accessToken", "unfinished"} & (refreshed.inputs.keys() | refreshed.outputs.keys())
    assert "ADD" == there.diff(refreshed, BEARER).kinds["accessToken"]
    there.update(refreshed, BEARER)
    assert [TOKEN] == there.tokens


# Refresh and drift


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_archived_credential_is_replaced(shared: Callable[..., Shared], revision: str) -> None:
    """Its secret is gone for good. It takes no room any more, so that the new one comes first."""
    there = shared(revision)
    made = there.create(BEARER)
    there.qoder.archive_credential(there.vault_id, made.outputs["credentialId"])

    refreshed = there.plugin.refresh(made)

    assert refreshed is not None
    assert ("archived", "archived") == (refreshed.inputs["status"], refreshed.outputs["status"])
    change = there.diff(refreshed, BEARER)
    assert ({"status": "UPDATE_REPLACE"}, ["status"], False) == (change.kinds, change.replaces, change.deletes_first)


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_is_gone_is_gone_from_the_state(shared: Callable[..., Shared], revision: str) -> None:
    """The credential, or the whole vault; but not by the word of a proxy."""
    there = shared(revision)
    made = there.create(BEARER)
    there.qoder.fail_next("GET", "/vaults/**", Fault.HTML_404)
    with pytest.raises(Failed) as caught:
        there.plugin.refresh(made)
    assert "this does not prove that a credential in vault" in caught.value.line

    there.qoder.delete_vault(there.vault_id)
    assert there.plugin.refresh(made) is None
    there.plugin.delete(made)


def test_drift_of_what_qoder_shows_stands_in_the_inputs(shared: Callable[..., Shared], somebody: Any) -> None:
    """Scope and metadata that somebody changed: the inputs say so, secrets stay, and the next `up` mends both.

    What somebody added, and nobody asked for, is no drift.
    """
    there = shared()
    made = there.create(OAUTH, metadata={"team": "tools"})
    patch = {
        "auth": {"type": "mcp_oauth", "refresh": {"scope": "everything"}},
        "metadata": {"team": "theirs", "more": "x"},
    }
    path = f"/vaults/{there.vault_id}/credentials/{made.outputs['credentialId']}"
    somebody(there.qoder).post(path, json=patch).raise_for_status()

    refreshed = there.plugin.refresh(made)

    assert refreshed is not None
    for properties in (refreshed.inputs, refreshed.outputs):
        assert "everything" == properties["refresh"]["scope"]
        assert {"team": "theirs"} == properties["metadata"]
        assert secret(CLIENT_SECRET) == properties["refresh"]["tokenEndpointAuth"]["clientSecret"]
    assert refreshed.inputs.keys() == made.inputs.keys()
    change = there.diff(refreshed, OAUTH, metadata={"team": "tools"})
    assert {
        "refresh.scope": "UPDATE",
        'metadata["team"]': "UPDATE",
    } == change.kinds
    there.update(refreshed, OAUTH, metadata={"team": "tools"})
    (stored,) = there.credentials
    assert ("read", {"team": "tools", "more": "x"}) == (stored.auth["refresh"]["scope"], stored.metadata)


def test_what_qoder_renews_itself_is_no_drift(shared: Callable[..., Shared], somebody: Any) -> None:
    """It gets new access tokens with the refresh block: their expiry moves on, and nobody asked for less."""
    there = shared()
    made = there.create(OAUTH)
    path = f"/vaults/{there.vault_id}/credentials/{made.outputs['credentialId']}"
    patch = {"auth": {"type": "mcp_oauth", "expires_at": "2027-06-01T00:00:00Z"}}
    somebody(there.qoder).post(path, json=patch).raise_for_status()

    assert made == there.plugin.refresh(made)


# Imports


@pytest.mark.parametrize("type_", TYPES)
def test_an_import_needs_no_secret(shared: Callable[..., Shared], type_: str) -> None:
    """Qoder never returns one. A program without them passes, and nothing is to be done."""
    there = shared()
    made = there.create(TYPES[type_], metadata={"team": "tools"})

    found = there.plugin.find(made.id)

    assert found is not None
    assert made.id == found.id
    news = without_secrets(found.inputs)
    assert news == found.inputs
    assert {"rotations": 0, "status": "active"}.items() <= found.inputs.items()
    given = {name: value for name, value in news.items() if name not in ("rotations", "status")}
    assert [] == there.plugin.problems(given, found.inputs)
    change = there.plugin.diff(found, there.plugin.checked(given, found.inputs))
    assert (NONE, {}) == (change.changes, change.kinds)
    assert there.plugin.refresh(found) == found
    there.plugin.delete(found)
    assert [] == there.credentials


def without_secrets(value: Any) -> Any:
    hidden = ("accessToken", "secretValue", "refreshToken", "clientSecret")
    if isinstance(value, dict):
        return {name: without_secrets(item) for name, item in value.items() if name not in hidden}
    return value


@pytest.mark.parametrize(
    ("type_", "what"),
    [
        ("static_bearer", f"{URL} is gone, and its access token is not known: add it to the program"),
        ("environment_variable", "API_KEY is gone, and its secret value is not known: add it to the program"),
    ],
)
def test_what_was_imported_and_is_gone_cannot_be_made_again(
    shared: Callable[..., Shared], type_: str, what: str
) -> None:
    """Without its secret; the line says what to fill in."""
    there = shared()
    found = there.plugin.find(there.create(TYPES[type_]).id)
    assert found is not None
    there.plugin.delete(found)

    with pytest.raises(Failed) as caught:
        there.update(found, without_secrets(TYPES[type_]), metadata={"team": "tools"})

    assert f"the credential for {what}" == caught.value.line


def test_a_change_of_what_was_imported_sends_what_changed(shared: Callable[..., Shared]) -> None:
    """What is not known is left alone, and what Qoder renews itself is not set back."""
    there = shared()
    found = there.plugin.find(there.create(OAUTH).id)
    assert found is not None
    news = changed(without_secrets(OAUTH), "refresh", "scope", to="read write")

    there.update(found, news)

    assert [("POST", {"auth": {"type": "mcp_oauth", "refresh": {"scope": "read write"}}})] == there.sent
    assert [TOKEN] == there.tokens


@pytest.mark.parametrize("revision", REVISIONS)
def test_filling_in_an_access_token_is_one_rotation(shared: Callable[..., Shared], revision: str) -> None:
    """Shown as an addition, carried out once, and then done; to drop it again is a problem."""
    there = shared(revision)
    found = there.plugin.find(there.create(BEARER).id)
    assert found is not None

    change = there.diff(found, BEARER, accessToken=NEW_TOKEN)
    after = there.update(found, BEARER, accessToken=NEW_TOKEN)

    assert {"accessToken": "ADD", "rotations": "UPDATE"} == change.kinds
    assert [NEW_TOKEN] == there.tokens
    assert 1 == after.outputs["rotations"]
    assert NONE == there.diff(after, BEARER, accessToken=NEW_TOKEN).changes
    dropped = there.given(changed(BEARER, "accessToken", to=None))
    assert [f"accessToken: {NO_TOKEN}"] == there.plugin.problems(dropped, after.inputs)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("accessToken",), "accessToken: is required"),
        (("refresh", "refreshToken"), "refresh.refreshToken: is required"),
        (
            ("refresh", "tokenEndpointAuth", "clientSecret"),
            "refresh.tokenEndpointAuth.clientSecret: is required for client_secret_basic",
        ),
    ],
)
def test_dropping_a_secret_of_what_was_made_here_is_a_problem(
    shared: Callable[..., Shared], path: tuple[str, ...], line: str
) -> None:
    """It is forgotten, not left alone on purpose."""
    there = shared()
    made = there.create(OAUTH)

    assert [line] == there.plugin.problems(there.given(changed(OAUTH, *path, to=None)), made.inputs)


@pytest.mark.parametrize(
    "id_", ["", VAULT_ID, CREDENTIAL_ID, f"{VAULT_ID}/{CREDENTIAL_ID}/x", "a/b?", f"{VAULT_ID}/.."]
)
def test_an_import_says_what_an_id_is_like(credentials: Provider, qoder: Emulator, id_: str) -> None:
    """Both ids, with a slash; anything else asks nobody."""
    with pytest.raises(Failed) as caught:
        credentials.find(id_)

    assert f"the id is not a credential id: it must be like {VAULT_ID}/{CREDENTIAL_ID}" == caught.value.line
    assert [] == qoder.requests


def test_an_import_of_what_there_is_not_finds_nothing(credentials: Provider, qoder: Emulator) -> None:
    """No such vault, or none such in it."""
    made = qoder.add_vault("there")

    assert credentials.find(f"{made.id}/{CREDENTIAL_ID}") is None
    assert credentials.find(f"{VAULT_ID}/{CREDENTIAL_ID}") is None


# Secrets


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("fault", [Fault.ECHO, Fault.ECHO_HTML])
def test_no_secret_is_in_any_message(shared: Callable[..., Shared], type_: str, fault: Fault) -> None:
    """Also where the server hands back every one that it was sent, in any spelling: at a create, and at a change."""
    there = shared()
    there.qoder.fail_next("POST", "/vaults/*/credentials", fault, times=None)
    with pytest.raises(Failed) as create:
        there.create(TYPES[type_])
    there.qoder.clear_faults()
    made = there.create(TYPES[type_])
    there.qoder.fail_next("POST", "/vaults/*/credentials/*", fault, times=None)
    name = "secretValue" if type_ == "environment_variable" else "accessToken"
    with pytest.raises(Failed) as update:
        there.update(made, TYPES[type_], **{name: NEW_TOKEN})

    for failure in (create.value, update.value):
        said = (failure.line + failure.status.message).lower()
        secrets = (TOKEN, NEW_TOKEN, REFRESH_TOKEN, CLIENT_SECRET, VALUE)
        assert [] == [item for item in secrets for form in (item, item.encode().hex()) if form in said]
        assert "canary" not in said
        assert failure.line.isprintable()
        assert [] == (in_plain(received(failure.partial.properties)) if failure.partial else [])


def test_what_the_program_gave_as_a_secret_stays_one(shared: Callable[..., Shared]) -> None:
    """A scope or a client id, beside the secrets of the refresh block, and a name."""
    there = shared()
    given = changed(OAUTH, "refresh", "scope", to=secret("scope-canary"))

    made = there.create(given, metadata={"team": secret("meta-canary"), "more": "x"})

    for properties in (made.inputs, made.outputs, there.plugin.preview_create(there.given(given))[1]):
        assert [] == in_plain(properties)
        assert secret("scope-canary") == properties["refresh"]["scope"]
        assert "client-1" == properties["refresh"]["clientId"]
    assert {"team": secret("meta-canary"), "more": "x"} == made.outputs["metadata"]


def test_a_whole_block_that_was_given_as_a_secret_stays_one(shared: Callable[..., Shared]) -> None:
    """Leaf by leaf: the engine takes no secret within a secret."""
    there = shared()

    made = there.create(OAUTH, refresh=secret(OAUTH["refresh"]))

    refresh = made.outputs["refresh"]
    assert secret("client-1") == refresh["clientId"]
    assert secret(REFRESH_TOKEN) == refresh["refreshToken"]
    assert {"type": secret("client_secret_basic"), "clientSecret": secret(CLIENT_SECRET)} == refresh[
        "tokenEndpointAuth"
    ]


# What a fresh pair of eyes found


def test_hosts_in_another_order_are_the_same_hosts(shared: Callable[..., Shared], somebody: Any) -> None:
    """A server that sorts them makes no drift, and a program that sorts them no replacement."""
    there = shared()
    made = there.create(VARIABLE)
    turned = changed(VARIABLE, "networking", "allowedHosts", to=["b.example", "a.example"])

    assert NONE == there.diff(made, turned).changes
    turned_state = Resource(
        made.id, made.inputs, changed(made.outputs, "networking", "allowedHosts", to=["b.example", "a.example"])
    )
    refreshed = there.plugin.refresh(turned_state)
    assert refreshed is not None
    assert ["b.example", "a.example"] == refreshed.outputs["networking"]["allowedHosts"]


def test_a_refresh_block_that_is_not_known_yet_does_not_threaten_to_replace(shared: Callable[..., Shared]) -> None:
    """It may be a rotation; a block that is new is a replacement, whatever it holds."""
    there = shared()
    made = there.create(OAUTH)
    unknown = changed(OAUTH, "refresh", to=UNKNOWN)
    assert {"refresh": "UPDATE"} == there.diff(made, unknown).kinds

    without = Shared.create(there, changed(changed(OAUTH, "refresh", to=None), "mcpServerUrl", to=OTHER_URL))
    added = changed(unknown, "mcpServerUrl", to=OTHER_URL)
    assert {"refresh": "ADD_REPLACE"} == there.diff(without, added).kinds


def test_a_variable_may_be_a_key_of_many_lines_or_an_ordinary_word(shared: Callable[..., Shared]) -> None:
    """It is no bearer token: what breaks a header is nothing to it, and other fields may hold the same word."""
    there = shared()
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    word = changed(VARIABLE, "networking", "allowedHosts", to=["api.example.com"])

    assert [] == there.plugin.problems(there.given(VARIABLE, secretValue=key))
    assert [] == there.plugin.problems(there.given(word, secretValue="api.example"))
    (line,) = there.plugin.problems(there.given(word, secretValue="api.example.com"))
    assert "networking: a secret value stands in plain text here; it belongs in secretValue only" == line


def test_metadata_that_is_not_stored_takes_the_credential_back(shared: Callable[..., Shared]) -> None:
    """As with a vault: nothing that was asked for is dropped in silence."""
    there = shared(store_metadata=False)

    with pytest.raises(Failed) as failed:
        there.create(BEARER, metadata={"team": "tools"})

    assert failed.value.line.startswith("metadata: this Qoder does not store metadata with a credential")
    assert failed.value.line.endswith("was deleted again")
    assert [] == there.credentials


def test_a_service_that_moved_on_since_takes_what_it_can_take_now(shared: Callable[..., Shared]) -> None:
    """The revision that answers counts, not the one of the last response."""
    there = shared("2026-05")
    made = there.create(BEARER)
    there.qoder.revision = "2026-07"

    changed_ = there.update(made, BEARER, metadata={"team": "tools"})

    (stored,) = there.credentials
    assert {"team": "tools"} == stored.metadata == changed_.outputs["metadata"]


@pytest.mark.parametrize("is_gone", [False, True])
def test_what_a_service_cannot_take_is_said_before_a_write(shared: Callable[..., Shared], is_gone: bool) -> None:
    """A look shows which revision answers, and whether the vault is there at all; the credential stays as it was."""
    there = shared("2026-05")
    made = there.create(BEARER)
    if is_gone:
        there.qoder.delete_vault(there.vault_id)

    with pytest.raises(Failed) as failed:
        there.update(made, BEARER, metadata={"team": "tools"})

    assert [] == there.sent
    if is_gone:
        assert f"vault {there.vault_id} is gone" in failed.value.line
    else:
        assert failed.value.line.startswith("metadata: this Qoder does not store metadata with a credential; remove it")
        assert [TOKEN] == there.tokens


@pytest.mark.parametrize("is_deleted", [True, False])
def test_no_answer_loses_a_credential_whose_metadata_was_not_stored(
    shared: Callable[..., Shared], is_deleted: bool
) -> None:
    """It is taken back without a look that could fail; where it cannot be deleted, the state has it."""
    there = shared(store_metadata=False)
    there.qoder.fail_next("GET", "/vaults/*/credentials/*", Fault.FORBIDDEN, times=None)
    if not is_deleted:
        there.qoder.fail_next("DELETE", "/**", Fault.FORBIDDEN, times=None)

    with pytest.raises(Failed) as failed:
        there.create(BEARER, metadata={"team": "tools"})

    left = [f"{there.vault_id}/{item.id}" for item in there.credentials]
    assert left == ([] if is_deleted else [failed.value.partial.id])
    assert TOKEN not in failed.value.line
    if not is_deleted:
        assert "could not be deleted again" in failed.value.line
        assert [] == in_plain(received(failed.value.partial.properties))


@pytest.mark.parametrize("place", ["metadata", "scope"])
def test_an_echo_does_not_get_into_the_state(shared: Callable[..., Shared], somebody: Any, place: str) -> None:
    """What a server shows is stored in plain, but for a secret: then what was recorded stays."""
    there = shared()
    made = there.create(OAUTH, metadata={"team": "tools"})
    path = f"/vaults/{there.vault_id}/credentials/{made.outputs['credentialId']}"
    shown = f"see {REFRESH_TOKEN}"
    patch: dict[str, Any] = {"auth": {"type": "mcp_oauth"}}
    if place == "metadata":
        patch["metadata"] = {"team": shown}
    else:
        patch["auth"]["refresh"] = {"scope": shown}
    somebody(there.qoder).post(path, json=patch).raise_for_status()

    refreshed = there.plugin.refresh(made)

    assert refreshed is not None
    assert [] == in_plain(refreshed.inputs) + in_plain(refreshed.outputs)
