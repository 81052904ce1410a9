"""Vaults: create, get, archive and delete on each revision."""

from __future__ import annotations

import re

import pytest

from pulumi_qoder_vault.emulator import Refusal

URL = "https://example.com/mcp"
REFUSED = (400, "invalid_request_error")


@pytest.mark.parametrize(("revision", "status"), [("2026-05", 201), ("between", 201), ("2026-07", 200)])
def test_create_status(serve, connect, revision, status):
    """A create is answered 201 until 2026-07 makes it 200."""
    qoder = serve(revision)
    credentials = [{"mcp_server_url": URL, "protocol": "streamable_http", "type": "static_bearer", "access_token": "t"}]
    body = {"display_name": "v"} if revision == "2026-07" else {"display_name": "v", "credentials": credentials}

    assert status == connect(qoder).post("/vaults", json=body).status_code


def test_2026_07_vault_has_the_keys_of_the_page(serve, connect):
    """A 2026-07 vault has `archived_at` and no `status`; `credentials` is in the create answer alone, and empty."""
    http = connect(serve("2026-07"))
    keys = {"id", "type", "display_name", "metadata", "archived_at", "created_at", "updated_at"}
    made = http.post("/vaults", json={"display_name": "v", "metadata": {"team": "tools"}}).json()

    assert keys | {"credentials"} == made.keys()
    assert ([], None, {"team": "tools"}) == (made["credentials"], made["archived_at"], made["metadata"])
    assert keys == http.get(f"/vaults/{made['id']}").json().keys()


def test_ids_and_times_have_the_documented_forms(serve, connect, founding):
    """Ids are a prefix and the hex digits of a UUIDv7; times are RFC 3339 with Z and without trailing zeros."""
    made = connect(serve()).post("/vaults", json=founding).json()
    uuid7 = r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"

    assert re.fullmatch(f"vault_{uuid7}", made["id"])
    assert re.fullmatch(f"vcred_{uuid7}", made["credentials"][0]["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z", made["created_at"])


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
@pytest.mark.parametrize(
    ("name", "status"), [("", 400), ("x" * 255, 2), ("箱" * 255, 2), ("x" * 256, 400), (None, 400), (7, 400)]
)
def test_display_name_limits(serve, connect, founding, error_of, revision, name, status):
    """A display name has 1 to 255 characters, of any script."""
    body = {**founding, "display_name": name} if revision == "2026-05" else {"display_name": name}
    answer = connect(serve(revision)).post("/vaults", json=body)

    if status == 400:
        assert (*REFUSED, "display_name") == error_of(answer)
    else:
        assert name == answer.json()["display_name"]


@pytest.mark.parametrize("body", [{"display_name": "v"}, {"display_name": "v", "credentials": []}])
def test_2026_05_wants_a_credential(serve, connect, body):
    """Without a credential the founding page's sentence is the answer, and nothing is made."""
    qoder = serve("2026-05")
    answer = connect(qoder).post("/vaults", json=body)

    assert (400, "At least one credential is required when creating a vault.") == (
        answer.status_code,
        answer.json()["error"]["message"],
    )
    assert [] == qoder.vaults


def test_2026_05_wants_an_access_token(serve, connect, flat):
    """Without an access token the founding page's second sentence is the answer."""
    body = {"display_name": "v", "credentials": [flat(access_token=...)]}
    answer = connect(serve("2026-05")).post("/vaults", json=body)

    assert "Field 'access_token' is required for static_bearer type." == answer.json()["error"]["message"]


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
def test_2026_05_credential_rules(serve, connect, flat, error_of, fields, param):
    """Every field of a 2026-05 credential is required, and its values are those of the page."""
    body = {"display_name": "v", "credentials": [flat("https://other.example/mcp"), flat(**fields)]}
    qoder = serve("2026-05")

    assert (*REFUSED, f"credentials[1].{param}") == error_of(connect(qoder).post("/vaults", json=body))
    assert [] == qoder.vaults


def test_url_is_kept_byte_for_byte(serve, connect, flat):
    """A URL comes back exactly as it was sent, up to 2048 characters."""
    url = "https://EXAMPLE.com:443/a/../mcp/?q=%7e" + "x" * 2009
    made = connect(serve()).post("/vaults", json={"display_name": "v", "credentials": [flat(url)]}).json()

    assert (2048, url) == (len(url), made["credentials"][0]["mcp_server_url"])


def test_between_takes_an_empty_vault_and_no_sse(serve, connect, founding, error_of):
    """Between the revisions credentials are optional and `sse` is gone."""
    http = connect(serve("between"))

    assert [] == http.post("/vaults", json={"display_name": "v"}).json()["credentials"]
    assert (*REFUSED, "credentials[0].protocol") == error_of(http.post("/vaults", json=founding))


@pytest.mark.parametrize("stores", [True, False])
def test_2026_05_metadata_switch(serve, connect, founding, stores):
    """`store_metadata` decides whether a 2026-05 create keeps metadata or drops it without a word."""
    made = connect(serve(store_metadata=stores)).post("/vaults", json={**founding, "metadata": {"team": "tools"}})

    assert (201, {"team": "tools"} if stores else {}) == (made.status_code, made.json()["metadata"])


def test_2026_07_refuses_the_credentials_key(serve, connect, founding, error_of):
    """`credentials_key="refuse"`: a 400 whose param is the key."""
    qoder = serve("2026-07", credentials_key="refuse")

    assert (*REFUSED, "credentials") == error_of(connect(qoder).post("/vaults", json=founding))
    assert [] == qoder.vaults


def test_2026_07_ignores_the_credentials_key(serve, connect, founding):
    """`credentials_key="ignore"`: the vault is made without them."""
    qoder = serve("2026-07", credentials_key="ignore")
    answer = connect(qoder).post("/vaults", json=founding)

    assert (200, []) == (answer.status_code, answer.json()["credentials"])
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
def test_metadata_limits(serve, connect, error_of, metadata, is_taken):
    """Metadata are flat, with at most 16 pairs of 1 to 64 and up to 512 characters."""
    answer = connect(serve("2026-07")).post("/vaults", json={"display_name": "v", "metadata": metadata})

    if is_taken:
        assert metadata == answer.json()["metadata"]
    else:
        assert (*REFUSED, "metadata") == error_of(answer)


def test_unknown_keys_are_ignored(serve, connect):
    """A key that no page names changes nothing."""
    assert 200 == connect(serve("2026-07")).post("/vaults", json={"display_name": "v", "colour": "red"}).status_code


def test_2026_05_archive_and_delete(serve, connect, founding, error_of):
    """2026-05: archive shows in `status`; an archived vault is readable and can be deleted, with 204, once."""
    http = connect(serve("2026-05"))
    path = f"/vaults/{http.post('/vaults', json=founding).json()['id']}"
    archived = http.post(f"{path}/archive", json={})

    assert (200, "archived") == (archived.status_code, archived.json()["status"])
    assert archived.json()["archived_at"] == archived.json()["updated_at"]
    assert "archived" == http.get(path).json()["status"]
    gone = http.delete(path)
    assert (204, b"") == (gone.status_code, gone.content)
    assert (404, "not_found_error", None) == error_of(http.delete(path))


def test_2026_07_archive_and_delete(serve, connect):
    """2026-07: archive sets `archived_at`; delete answers what was deleted."""
    http = connect(serve("2026-07"))
    id_ = http.post("/vaults", json={"display_name": "v"}).json()["id"]

    assert http.post(f"/vaults/{id_}/archive").json()["archived_at"] is not None
    assert {"id": id_, "type": "vault_deleted"} == http.delete(f"/vaults/{id_}").json()
    answer = http.get(f"/vaults/{id_}")
    assert (404, f"Vault '{id_}' was not found.") == (answer.status_code, answer.json()["error"]["message"])


@pytest.mark.parametrize("status", [200, 409])
def test_second_archive_of_a_vault_is_a_switch(serve, connect, status):
    """No page says how a vault's second archive is answered."""
    qoder = serve("2026-07", archive_again=status)
    vault = qoder.add_vault("v")
    http = connect(qoder)

    assert [200, status] == [http.post(f"/vaults/{vault.id}/archive").status_code for _ in range(2)]


@pytest.mark.parametrize("shows", [True, False])
def test_credentials_in_a_2026_05_get_are_a_switch(serve, connect, founding, shows):
    """No page says whether a 2026-05 vault carries its credentials outside the create answer."""
    http = connect(serve("2026-05", vault_get_credentials=shows))
    made = http.post("/vaults", json=founding).json()
    read = http.get(f"/vaults/{made['id']}").json()

    assert (made["credentials"] if shows else None) == read.get("credentials")


def test_revision_can_change_under_a_running_service(serve, connect, founding):
    """The service changed in place: what 2026-05 made is answered in the shape of 2026-07."""
    qoder = serve("2026-05")
    http = connect(qoder)
    made = http.post("/vaults", json=founding).json()
    qoder.revision = "2026-07"
    credential = http.get(f"/vaults/{made['id']}/credentials").json()["data"][0]

    assert {"type": "static_bearer", "mcp_server_url": URL} == credential["auth"]
    assert made["credentials"][0]["id"] == credential["id"]


def test_out_of_band_changes_keep_the_rules(serve):
    """What a test changes behind the client's back obeys the same rules."""
    qoder = serve()
    with pytest.raises(Refusal, match="was not found"):
        qoder.delete_vault("vault_0")
