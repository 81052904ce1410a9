"""Request bodies: what each revision accepts, and which field an error names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import Emulator, RevisionName

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
Opened = tuple[Emulator, httpx.Client, str]
URL = "https://example.com/mcp"
REFUSED = (400, "invalid_request_error")


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
@pytest.mark.parametrize(
    ("name", "status"), [("", 400), ("x" * 255, 2), ("箱" * 255, 2), ("x" * 256, 400), (None, 400), (7, 400)]
)
def test_display_name_limits(
    serve: Serve, connect: Connect, founding: Body, error_of: ErrorOf, revision: RevisionName, name: Any, status: int
) -> None:
    """A display name has 1 to 255 characters, of any script."""
    body = {**founding, "display_name": name} if revision == "2026-05" else {"display_name": name}
    response = connect(serve(revision)).post("/vaults", json=body)

    if status == 400:
        assert (*REFUSED, "display_name") == error_of(response)
    else:
        assert name == response.json()["display_name"]


@pytest.mark.parametrize("body", [{"display_name": "v"}, {"display_name": "v", "credentials": []}])
def test_2026_05_wants_a_credential(serve: Serve, connect: Connect, body: Body) -> None:
    """Without a credential the error has the sentence of the page Create Vault, and nothing is created."""
    qoder = serve("2026-05")
    response = connect(qoder).post("/vaults", json=body)

    assert (400, "At least one credential is required when creating a vault.") == (
        response.status_code,
        response.json()["error"]["message"],
    )
    assert [] == qoder.vaults


def test_2026_05_wants_an_access_token(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """Without an access token the error has the other sentence of the page."""
    body = {"display_name": "v", "credentials": [flat(access_token=...)]}
    response = connect(serve("2026-05")).post("/vaults", json=body)

    assert "Field 'access_token' is required for static_bearer type." == response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"mcp_server_url": ...}, "mcp_server_url"),
        ({"mcp_server_url": "https://e/" + "x" * 2039}, "mcp_server_url"),
        ({"protocol": ...}, "protocol"),
        ({"protocol": "http"}, "protocol"),
        ({"type": ...}, "type"),
        ({"type": "mcp_oauth"}, "type"),
        ({"access_token": 7}, "access_token"),
    ],
)
def test_2026_05_credential_rules(
    serve: Serve, connect: Connect, flat: MakeBody, error_of: ErrorOf, fields: Body, param: Any
) -> None:
    """Every field of a 2026-05 credential is required, and its values are those of the page."""
    body = {"display_name": "v", "credentials": [flat("https://other.example/mcp"), flat(**fields)]}
    qoder = serve("2026-05")

    assert (*REFUSED, f"credentials[1].{param}") == error_of(connect(qoder).post("/vaults", json=body))
    assert [] == qoder.vaults


def test_url_is_kept_byte_for_byte(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """A URL comes back exactly as it was sent, up to 2048 characters."""
    url = "https://EXAMPLE.com:443/a/../mcp/?q=%7e" + "x" * 2009
    made = connect(serve()).post("/vaults", json={"display_name": "v", "credentials": [flat(url)]}).json()

    assert (2048, url) == (len(url), made["credentials"][0]["mcp_server_url"])


def test_between_takes_an_empty_vault_and_no_sse(
    serve: Serve, connect: Connect, founding: Body, error_of: ErrorOf
) -> None:
    """Between the revisions credentials are optional and `sse` is gone."""
    http = connect(serve("between"))

    assert [] == http.post("/vaults", json={"display_name": "v"}).json()["credentials"]
    assert (*REFUSED, "credentials[0].protocol") == error_of(http.post("/vaults", json=founding))


@pytest.mark.parametrize("option", [None, True, False])
@pytest.mark.parametrize("revision", ["2026-05", "between", "2026-07"])
def test_metadata_option(
    serve: Serve, connect: Connect, founding: Body, revision: RevisionName, option: bool | None
) -> None:
    """`store_metadata` decides whether a vault create stores metadata or drops it silently; 2026-07 stores it."""
    http = connect(serve(revision, store_metadata=option))
    (credential,) = founding.pop("credentials")
    credentials = {} if revision == "2026-07" else {"credentials": [{**credential, "protocol": "streamable_http"}]}
    made = http.post("/vaults", json={**founding, **credentials, "metadata": {"team": "tools"}})

    stores = revision == "2026-07" if option is None else option
    assert (True, {"team": "tools"} if stores else {}) == (made.is_success, made.json()["metadata"])


def test_metadata_of_credentials_can_be_dropped(serve: Serve, connect: Connect, bearer: MakeBody) -> None:
    """`store_metadata=False` on 2026-07: neither a create nor an update of a credential stores any."""
    qoder = serve("2026-07", store_metadata=False)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    http = connect(qoder)
    made = http.post(path, json=bearer(metadata={"team": "tools"})).json()
    updated = http.post(f"{path}/{made['id']}", json={"metadata": {"team": "tools"}}).json()

    assert ({}, {}) == (made["metadata"], updated["metadata"])


def test_2026_07_refuses_the_credentials_key(serve: Serve, connect: Connect, founding: Body, error_of: ErrorOf) -> None:
    """`credentials_key="refuse"`: a 400 whose param is the key."""
    qoder = serve("2026-07", credentials_key="refuse")

    assert (*REFUSED, "credentials") == error_of(connect(qoder).post("/vaults", json=founding))
    assert [] == qoder.vaults


def test_2026_07_ignores_the_credentials_key(serve: Serve, connect: Connect, founding: Body) -> None:
    """`credentials_key="ignore"`: the vault is created without them."""
    qoder = serve("2026-07", credentials_key="ignore")
    response = connect(qoder).post("/vaults", json=founding)

    assert (200, []) == (response.status_code, response.json()["credentials"])
    assert [[]] == [vault.credentials for vault in qoder.vaults]


@pytest.mark.parametrize(
    ("metadata", "is_taken"),
    [
        ({f"k{number}": "v" for number in range(16)}, True),
        ({f"k{number}": "v" for number in range(17)}, False),
        ({"k" * 64: "v" * 512}, True),
        ({"k" * 65: "v"}, False),
        ({"": "v"}, False),
        ({"k": "v" * 513}, False),
        ({"k": 1}, False),
        ({"k": {"nested": "v"}}, False),
        (["k"], False),
    ],
)
def test_metadata_limits(serve: Serve, connect: Connect, error_of: ErrorOf, metadata: Any, is_taken: bool) -> None:
    """Metadata are flat, with at most 16 pairs of 1 to 64 and up to 512 characters."""
    response = connect(serve("2026-07")).post("/vaults", json={"display_name": "v", "metadata": metadata})

    if is_taken:
        assert metadata == response.json()["metadata"]
    else:
        assert (*REFUSED, "metadata") == error_of(response)


def test_unknown_keys_are_ignored(serve: Serve, connect: Connect) -> None:
    """A key that no page names changes nothing."""
    assert 200 == connect(serve("2026-07")).post("/vaults", json={"display_name": "v", "colour": "red"}).status_code


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
def test_2026_07_auth_rules(new: Opened, error_of: ErrorOf, auth: object, param: Any) -> None:
    """Each type has its required fields; the error names the field and nothing is created."""
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
def test_token_endpoint_auth_forms(
    new: Opened, oauth: Body, error_of: ErrorOf, endpoint_auth: Body, param: Any
) -> None:
    """`token_endpoint_auth` is one of three forms, two of which have a client secret."""
    _, http, path = new
    oauth["auth"]["refresh"]["token_endpoint_auth"] = endpoint_auth
    response = http.post(path, json=oauth)

    if param is None:
        assert {"type": endpoint_auth["type"]} == response.json()["auth"]["refresh"]["token_endpoint_auth"]
    else:
        assert (*REFUSED, param) == error_of(response)


def test_update_is_a_merge_patch(new: Opened, oauth: Body) -> None:
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
    response = http.post(f"{path}/{made['id']}", json=patch).json()
    stored = qoder.vaults[0].credentials[0].auth

    assert (None, None) == (response["auth"]["expires_at"], response["auth"]["refresh"]["scope"])
    assert ("oauth-canary-2", "refresh-canary-1") == (stored["access_token"], stored["refresh"]["refresh_token"])
    assert "client-canary-1" == stored["refresh"]["token_endpoint_auth"]["client_secret"]
    assert made["updated_at"] < response["updated_at"]
    assert (made["id"], made["created_at"]) == (response["id"], response["created_at"])


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
def test_what_an_update_cannot_change(new: Opened, oauth: Body, error_of: ErrorOf, change: Body, param: Any) -> None:
    """Type, URL, client id, token endpoint and resource are fixed; a rejected update changes nothing."""
    qoder, http, path = new
    made = http.post(path, json=oauth).json()
    before = qoder.vaults
    auth = {key: value for key, value in {"type": "mcp_oauth", **change}.items() if value is not ...}
    expected = "auth.refresh.token_endpoint_auth.client_secret" if param is ... else param

    assert (*REFUSED, expected) == error_of(http.post(f"{path}/{made['id']}", json={"auth": auth}))
    assert before == qoder.vaults


def test_a_refresh_block_cannot_be_added_later(new: Opened, oauth: Body, error_of: ErrorOf) -> None:
    """An OAuth credential made without `refresh` never gets one."""
    _, http, path = new
    refresh = oauth["auth"].pop("refresh")
    made = http.post(path, json=oauth).json()
    patch = {"auth": {"type": "mcp_oauth", "refresh": refresh}}

    assert (*REFUSED, "auth.refresh") == error_of(http.post(f"{path}/{made['id']}", json=patch))


@pytest.mark.parametrize("field", ["secret_name", "networking", "injection_location"])
def test_an_environment_variable_changes_its_value_only(new: Opened, error_of: ErrorOf, field: str) -> None:
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
def test_metadata_updates(new: Opened, bearer: MakeBody, patch: Any, expected: Any) -> None:
    """A null value removes its key; null metadata empties them."""
    _, http, path = new
    made = http.post(path, json=bearer(metadata={"a": "1", "b": "2"})).json()

    assert expected == http.post(f"{path}/{made['id']}", json={"metadata": patch}).json()["metadata"]


VARIABLE = {
    "type": "environment_variable",
    "secret_name": "KEY",
    "secret_value": "s",
    "networking": {"type": "limited", "allowed_hosts": ["example.com"]},
    "injection_location": {"header": True, "body": False},
}


@pytest.mark.parametrize(
    ("options", "sent", "stored"),
    [
        ({"trims_display_name": True}, "\u3000my vault ", "my vault"),
        ({"nfc_display_name": True}, " cafe\u0301", " caf\u00e9"),
        ({"trims_display_name": True, "nfc_display_name": True}, " cafe\u0301", "caf\u00e9"),
        ({}, " cafe\u0301 ", " cafe\u0301 "),
    ],
)
def test_display_names_may_be_stored_in_another_form(
    serve: Serve, connect: Connect, options: Body, sent: str, stored: str
) -> None:
    """A display name is stored as it was sent, or trimmed, or in NFC."""
    qoder = serve("2026-07", **options)
    made = connect(qoder).post("/vaults", json={"display_name": sent}).json()

    assert (stored, stored) == (made["display_name"], qoder.vaults[0].display_name)


def test_metadata_may_be_trimmed(serve: Serve, connect: Connect, bearer: MakeBody) -> None:
    """Values of metadata may be stored without blanks around them; keys stay."""
    qoder = serve("2026-07", trims_metadata=True)
    http = connect(qoder)
    sent, stored = {" team": " tools "}, {" team": "tools"}
    vault = http.post("/vaults", json={"display_name": "v", "metadata": sent}).json()
    credential = http.post(f"/vaults/{vault['id']}/credentials", json=bearer(metadata=sent)).json()

    assert (stored, stored) == (vault["metadata"], credential["metadata"])


@pytest.mark.parametrize(("at", "extra"), [("", {"extra": 1}), ("auth", {"extra": 1}), ("auth.refresh", {"extra": 1})])
def test_unknown_keys_may_be_refused(
    serve: Serve, connect: Connect, oauth: Body, error_of: ErrorOf, at: str, extra: Body
) -> None:
    """A key that the API does not have is ignored, or a 400 that names it, in a create and in an update."""
    place = oauth
    for part in at.split(".") if at else []:
        place = place[part]
    qoder, lenient = serve("2026-07", unknown_keys="refuse"), serve("2026-07")
    paths = [f"/vaults/{each.add_vault('v').id}/credentials" for each in (qoder, lenient)]
    id_ = connect(qoder).post(paths[0], json=oauth).json()["id"]
    place.update(extra)
    update = {"auth": {"type": "mcp_oauth"}, **({"extra": 1} if not at else {})}
    if at:
        update["auth"] = {"type": "mcp_oauth", **({"extra": 1} if at == "auth" else {"refresh": {"extra": 1}})}
    param = f"{at}.extra" if at else "extra"

    assert 200 == connect(lenient).post(paths[1], json=oauth).status_code
    assert (*REFUSED, param) == error_of(connect(qoder).post(paths[0], json=oauth))
    assert (*REFUSED, param) == error_of(connect(qoder).post(f"{paths[0]}/{id_}", json=update))


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_unknown_keys_of_a_vault_may_be_refused(
    serve: Serve, connect: Connect, flat: MakeBody, error_of: ErrorOf, revision: RevisionName
) -> None:
    """The same for the body of a vault create, and for flat credentials in it."""
    qoder = serve(revision, unknown_keys="refuse")
    http = connect(qoder)
    credentials = {} if revision == "2026-07" else {"credentials": [flat()]}

    assert http.post("/vaults", json={"display_name": "v", "metadata": {}, **credentials}).is_success
    unknown = {"display_name": "v", "extra": 1, **credentials}
    assert (*REFUSED, "extra") == error_of(http.post("/vaults", json=unknown))
    if credentials:
        nested = {"display_name": "v", "credentials": [flat(extra=1)]}
        assert (*REFUSED, "credentials[0].extra") == error_of(http.post("/vaults", json=nested))


def test_fields_may_be_dropped_by_a_create(serve: Serve, connect: Connect) -> None:
    """A create with fields that the service ignores is a success, and they are not stored."""
    qoder = serve("2026-07", ignored_auth_fields=("injection_location", "networking"))
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    made = connect(qoder).post(path, json={"auth": VARIABLE})

    assert (200, {"type": "environment_variable", "secret_name": "KEY"}) == (made.status_code, made.json()["auth"])


def test_fields_may_be_left_as_they_were_by_an_update(serve: Serve, connect: Connect, oauth: Body) -> None:
    """An update of fields that the service ignores is a success, and they have their old values."""
    qoder = serve("2026-07", ignored_auth_fields=("scope", "networking"))
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    http = connect(qoder)
    oauth_id, variable_id = (http.post(path, json=body).json()["id"] for body in (oauth, {"auth": VARIABLE}))
    patch = {"type": "mcp_oauth", "refresh": {"scope": "write", "refresh_token": "next"}}
    updated = http.post(f"{path}/{oauth_id}", json={"auth": patch})

    assert (200, False) == (updated.status_code, "scope" in updated.json()["auth"]["refresh"])
    assert "next" == qoder.vaults[0].credentials[0].auth["refresh"]["refresh_token"]
    patch = {"type": "environment_variable", "networking": {"type": "unrestricted"}}
    assert 200 == http.post(f"{path}/{variable_id}", json={"auth": patch}).status_code


def test_null_may_be_ignored_by_an_update(serve: Serve, connect: Connect, oauth: Body) -> None:
    """`expires_at: null` may be a success that clears nothing."""
    qoder = serve("2026-07", ignores_null=True)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    http = connect(qoder)
    made = http.post(path, json=oauth).json()
    patch = {"type": "mcp_oauth", "access_token": "next", "expires_at": None, "refresh": {"scope": None}}
    updated = http.post(f"{path}/{made['id']}", json={"auth": patch})

    assert (200, made["auth"]) == (updated.status_code, updated.json()["auth"])
    assert "next" == qoder.vaults[0].credentials[0].access_token


def test_networking_may_change_in_place(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """An update of `networking` is a 400, or changes it."""
    patch = {"auth": {"type": "environment_variable", "networking": {"type": "unrestricted"}}}
    for fields in ((), ("networking",)):
        qoder = serve("2026-07", mutable_auth_fields=fields)
        path = f"/vaults/{qoder.add_vault('v').id}/credentials"
        http = connect(qoder)
        one = f"{path}/{http.post(path, json={'auth': VARIABLE}).json()['id']}"
        updated = http.post(one, json=patch)
        if fields:
            assert (200, {"type": "unrestricted"}) == (updated.status_code, updated.json()["auth"]["networking"])
        else:
            assert (*REFUSED, "auth.networking") == error_of(updated)
