"""Credentials: create, get, update, archive, delete and validate on each revision."""

from __future__ import annotations

import json

import pytest

URL = "https://example.com/mcp"
REFUSED = (400, "invalid_request_error")
CONFLICT = (409, "conflict_error")


@pytest.fixture
def old(serve, connect):
    """(emulator, client, path of an empty vault's credentials) on 2026-05."""
    qoder = serve("2026-05")
    return qoder, connect(qoder), f"/vaults/{qoder.add_vault('v').id}/credentials"


@pytest.fixture
def new(serve, connect):
    """The same on 2026-07."""
    qoder = serve("2026-07")
    return qoder, connect(qoder), f"/vaults/{qoder.add_vault('v').id}/credentials"


def test_2026_05_life_of_a_credential(old, flat, error_of):
    """2026-05: 201 and the flat shape, no secret; archive once; delete 204, once."""
    qoder, http, path = old
    made = http.post(path, json=flat())

    keys = {"id", "vault_id", "mcp_server_url", "protocol", "type", "status", "created_at", "updated_at"}
    assert (201, keys) == (made.status_code, made.json().keys())
    assert ("mcp-canary-1", "sse") == (qoder.vaults[0].credentials[0].access_token, made.json()["protocol"])
    one = f"{path}/{made.json()['id']}"
    assert made.json() == http.get(one).json()
    assert [made.json()] == http.get(path).json()["data"]
    assert "archived" == http.post(f"{one}/archive", json={}).json()["status"]
    assert (*CONFLICT, None) == error_of(http.post(f"{one}/archive", json={}))
    assert (204, b"") == ((gone := http.delete(one)).status_code, gone.content)
    assert (404, "not_found_error", None) == error_of(http.delete(one))


@pytest.mark.parametrize("revision", ["2026-05", "between"])
def test_no_update_before_2026_07(serve, connect, revision):
    """Only 2026-07 has an update: before it, the method is not allowed and the secret stays."""
    qoder = serve(revision)
    vault = qoder.add_vault("v")
    made = qoder.add_credential(vault.id, URL, "old")
    answer = connect(qoder).post(
        f"/vaults/{vault.id}/credentials/{made.id}", json={"auth": {"type": "static_bearer", "token": "new"}}
    )

    assert (405, "old") == (answer.status_code, qoder.vaults[0].credentials[0].access_token)


@pytest.mark.parametrize("status", [200, 201])
def test_2026_07_create_status_is_a_switch(serve, connect, bearer, status):
    """Qoder's pages give both 200 and 201 for a credential create."""
    qoder = serve("2026-07", credential_create_status=status)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"

    assert status == connect(qoder).post(path, json=bearer()).status_code


def test_2026_07_shape(new, bearer):
    """2026-07: nested `auth` without secrets, and the keys of the page."""
    _, http, path = new
    made = http.post(path, json=bearer(metadata={"team": "tools"})).json()

    assert {
        *("id", "type", "vault_id", "auth", "display_name", "metadata", "archived_at", "created_at", "updated_at")
    } == made.keys()
    assert {"type": "static_bearer", "mcp_server_url": URL} == made["auth"]
    assert ("vault_credential", None, None, {"team": "tools"}) == (
        made["type"],
        made["display_name"],
        made["archived_at"],
        made["metadata"],
    )


@pytest.mark.parametrize("kind", ["static_bearer", "mcp_oauth", "environment_variable"])
def test_no_secret_is_ever_returned(new, bearer, oauth, kind):
    """No answer of create, get, list, update or archive holds a secret."""
    qoder, http, path = new
    secret = {"type": "environment_variable", "secret_name": "KEY", "secret_value": "env-canary-1"}
    body = {"static_bearer": bearer(), "mcp_oauth": oauth, "environment_variable": {"auth": secret}}[kind]
    answers = [http.post(path, json=body)]
    one = f"{path}/{answers[0].json()['id']}"
    answers += [http.get(one), http.get(path), http.post(one, json={"auth": body["auth"] | {"type": kind}})]
    answers += [http.post(one, json={"metadata": {"k": "v"}}), http.post(f"{one}/archive")]

    assert "canary" in json.dumps(body)
    assert [] == [answer.text for answer in answers if "canary" in answer.text]
    assert qoder.vaults[0].credentials[0].access_token is None


@pytest.mark.parametrize(
    ("auth", "param"),
    [
        (None, "auth"),
        ({"mcp_server_url": URL, "token": "t"}, "auth.type"),
        ({"type": "basic"}, "auth.type"),
        ({"type": "static_bearer", "mcp_server_url": URL}, "auth.token"),
        ({"type": "static_bearer", "token": "t"}, "auth.mcp_server_url"),
        ({"type": "static_bearer", "token": "t", "mcp_server_url": "x" * 2049}, "auth.mcp_server_url"),
        ({"type": "mcp_oauth", "mcp_server_url": URL}, "auth.access_token"),
        (
            {"type": "mcp_oauth", "mcp_server_url": URL, "access_token": "t", "expires_at": "tomorrow"},
            "auth.expires_at",
        ),
        (
            {"type": "mcp_oauth", "mcp_server_url": URL, "access_token": "t", "refresh": {"client_id": "c"}},
            "auth.refresh.refresh_token",
        ),
        ({"type": "environment_variable", "secret_name": "1X", "secret_value": "s"}, "auth.secret_name"),
        ({"type": "environment_variable", "secret_name": "X"}, "auth.secret_value"),
        (
            {
                "type": "environment_variable",
                "secret_name": "X",
                "secret_value": "s",
                "networking": {"type": "limited"},
            },
            "auth.networking.allowed_hosts",
        ),
    ],
)
def test_2026_07_auth_rules(new, error_of, auth, param):
    """Each type has its required fields; the answer names the one at fault and nothing is made."""
    qoder, http, path = new

    assert (*REFUSED, param) == error_of(http.post(path, json={"auth": auth}))
    assert [] == qoder.vaults[0].credentials


@pytest.mark.parametrize(
    ("endpoint_auth", "param"),
    [
        ({"type": "none"}, None),
        ({"type": "client_secret_post", "client_secret": "s"}, None),
        ({"type": "client_secret_post"}, "auth.refresh.token_endpoint_auth.client_secret"),
        ({"type": "mtls"}, "auth.refresh.token_endpoint_auth.type"),
    ],
)
def test_token_endpoint_auth_forms(new, oauth, error_of, endpoint_auth, param):
    """`token_endpoint_auth` is one of three forms, two of which have a client secret."""
    _, http, path = new
    oauth["auth"]["refresh"]["token_endpoint_auth"] = endpoint_auth
    answer = http.post(path, json=oauth)

    if param is None:
        assert {"type": endpoint_auth["type"]} == answer.json()["auth"]["refresh"]["token_endpoint_auth"]
    else:
        assert (*REFUSED, param) == error_of(answer)


def test_update_is_a_merge_patch(new, oauth):
    """What an update does not name stays, in `refresh` too; null clears what can be cleared."""
    qoder, http, path = new
    made = http.post(path, json=oauth).json()
    patch = {
        "auth": {
            "type": "mcp_oauth",
            "access_token": "oauth-canary-2",
            "expires_at": None,
            "refresh": {"scope": None, "token_endpoint_auth": {"type": "client_secret_basic"}},
        }
    }
    answer = http.post(f"{path}/{made['id']}", json=patch).json()
    stored = qoder.vaults[0].credentials[0].auth

    assert (None, None) == (answer["auth"]["expires_at"], answer["auth"]["refresh"]["scope"])
    assert ("oauth-canary-2", "refresh-canary-1") == (stored["access_token"], stored["refresh"]["refresh_token"])
    assert "client-canary-1" == stored["refresh"]["token_endpoint_auth"]["client_secret"]
    assert made["updated_at"] < answer["updated_at"]
    assert (made["id"], made["created_at"]) == (answer["id"], answer["created_at"])


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"type": ...}, "auth.type"),
        ({"type": "static_bearer", "token": "t"}, "auth.type"),
        ({"mcp_server_url": URL}, "auth.mcp_server_url"),
        ({"access_token": None}, "auth.access_token"),
        ({"refresh": {"client_id": "other"}}, "auth.refresh.client_id"),
        ({"refresh": {"token_endpoint": "https://other.example"}}, "auth.refresh.token_endpoint"),
        ({"refresh": {"resource": None}}, "auth.refresh.resource"),
        ({"refresh": {"resource": "https://other.example"}}, "auth.refresh.resource"),
        ({"refresh": None}, "auth.refresh"),
        ({"refresh": {"token_endpoint_auth": {"type": "client_secret_post"}}}, ...),
    ],
)
def test_what_an_update_cannot_change(new, oauth, error_of, change, param):
    """Type, URL, client id, token endpoint and resource are fixed; a refused update changes nothing."""
    qoder, http, path = new
    made = http.post(path, json=oauth).json()
    before = qoder.vaults
    auth = {key: value for key, value in {"type": "mcp_oauth", **change}.items() if value is not ...}
    expected = "auth.refresh.token_endpoint_auth.client_secret" if param is ... else param

    assert (*REFUSED, expected) == error_of(http.post(f"{path}/{made['id']}", json={"auth": auth}))
    assert before == qoder.vaults


def test_a_refresh_block_cannot_be_added_later(new, oauth, error_of):
    """An OAuth credential made without `refresh` never gets one."""
    _, http, path = new
    refresh = oauth["auth"].pop("refresh")
    made = http.post(path, json=oauth).json()
    patch = {"auth": {"type": "mcp_oauth", "refresh": refresh}}

    assert (*REFUSED, "auth.refresh") == error_of(http.post(f"{path}/{made['id']}", json=patch))


@pytest.mark.parametrize("field", ["secret_name", "networking", "injection_location"])
def test_an_environment_variable_changes_its_value_only(new, error_of, field):
    """Of an environment variable only `secret_value` changes in place."""
    _, http, path = new
    auth = {
        "type": "environment_variable",
        "secret_name": "KEY",
        "secret_value": "env-1",
        "networking": {"type": "limited", "allowed_hosts": ["example.com"]},
        "injection_location": {"header": True},
    }
    made = http.post(path, json={"auth": auth}).json()
    one = f"{path}/{made['id']}"

    assert {key: value for key, value in auth.items() if key != "secret_value"} == made["auth"]
    patch = {"auth": {"type": auth["type"], "secret_value": "env-2"}}
    assert 200 == http.post(one, json=patch).status_code
    patch["auth"][field] = auth[field]
    assert (*REFUSED, f"auth.{field}") == error_of(http.post(one, json=patch))


@pytest.mark.parametrize(
    ("patch", "expected"), [({"b": None, "c": "3"}, {"a": "1", "c": "3"}), (None, {}), ({}, {"a": "1", "b": "2"})]
)
def test_metadata_updates(new, bearer, patch, expected):
    """A null value removes its key; null metadata empties them."""
    _, http, path = new
    made = http.post(path, json=bearer(metadata={"a": "1", "b": "2"})).json()

    assert expected == http.post(f"{path}/{made['id']}", json={"metadata": patch}).json()["metadata"]


def test_archived_credentials_cannot_change(new, bearer, error_of):
    """Update and second archive of an archived credential are conflicts; delete still works."""
    _, http, path = new
    one = f"{path}/{http.post(path, json=bearer()).json()['id']}"
    http.post(f"{one}/archive")

    patch = {"auth": {"type": "static_bearer", "token": "t"}}
    assert (*CONFLICT, None) == error_of(http.post(one, json=patch))
    assert (*CONFLICT, None) == error_of(http.post(f"{one}/archive"))
    assert "vault_credential_deleted" == http.delete(one).json()["type"]


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_an_archived_vault_takes_no_credential(serve, connect, flat, bearer, error_of, revision):
    """A credential create in an archived vault is a conflict."""
    qoder = serve(revision)
    vault = qoder.add_vault("v")
    qoder.archive_vault(vault.id)
    body = flat() if revision == "2026-05" else bearer()

    assert (*CONFLICT, None) == error_of(connect(qoder).post(f"/vaults/{vault.id}/credentials", json=body))


@pytest.mark.parametrize("end", ["archive", "delete"])
def test_one_active_credential_per_url(new, bearer, error_of, end):
    """A second active credential for a URL is a conflict; archiving or deleting the first frees the place."""
    qoder, http, path = new
    made = http.post(path, json=bearer()).json()

    assert (*CONFLICT, "mcp_server_url") == error_of(http.post(path, json=bearer(token="other")))
    assert 200 == http.post(path, json=bearer(f"{URL}/")).status_code
    getattr(qoder, f"{end}_credential")(made["vault_id"], made["id"])
    assert 200 == http.post(path, json=bearer(token="other")).status_code


def test_the_rule_of_one_per_url_is_a_switch(serve, connect, flat):
    """`unique_url=False` lets two active credentials stand side by side, in one create too."""
    qoder = serve("2026-05", unique_url=False)
    body = {"display_name": "v", "credentials": [flat(token="old"), flat(token="new")]}

    assert 201 == connect(qoder).post("/vaults", json=body).status_code
    assert ["old", "new"] == [credential.access_token for credential in qoder.vaults[0].credentials]


def test_a_vault_holds_twenty_active_credentials(serve, connect, flat, error_of):
    """The twenty-first active credential is a conflict, and a create with too many leaves nothing."""
    qoder = serve("2026-05")
    http = connect(qoder)
    credentials = [flat(f"{URL}/{number}") for number in range(21)]

    assert (*CONFLICT, None) == error_of(http.post("/vaults", json={"display_name": "v", "credentials": credentials}))
    assert [] == qoder.vaults
    made = http.post("/vaults", json={"display_name": "v", "credentials": credentials[:20]}).json()
    assert 20 == len(made["credentials"])
    assert 409 == http.post(f"/vaults/{made['id']}/credentials", json=credentials[20]).status_code


def test_validate_is_for_oauth(new, bearer, oauth, error_of):
    """`mcp_oauth_validate` answers `valid` for OAuth, 400 for other types, 409 when archived."""
    qoder, http, path = new
    one = http.post(path, json=oauth).json()["id"]
    other = http.post(path, json=bearer(f"{URL}/2")).json()["id"]

    answer = http.post(f"{path}/{one}/mcp_oauth_validate").json()
    assert ("valid", True, one) == (answer["status"], answer["has_refresh_token"], answer["credential_id"])
    assert REFUSED == error_of(http.post(f"{path}/{other}/mcp_oauth_validate"))[:2]
    qoder.archive_credential(qoder.vaults[0].id, one)
    assert CONFLICT == error_of(http.post(f"{path}/{one}/mcp_oauth_validate"))[:2]


def test_a_credential_is_found_in_its_own_vault_only(new, bearer, error_of):
    """Another vault's credential is not found."""
    qoder, http, path = new
    made = http.post(path, json=bearer()).json()
    other = qoder.add_vault("other").id

    assert (404, "not_found_error", None) == error_of(http.get(f"/vaults/{other}/credentials/{made['id']}"))
