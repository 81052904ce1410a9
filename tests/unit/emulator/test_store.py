"""The store: ids, times, and the rules that depend on what exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_qoder_vault.emulator import ApiError, Emulator, RevisionName

Serve = Callable[..., Emulator]
Connect = Callable[[Emulator], httpx.Client]
MakeBody = Callable[..., dict[str, Any]]
Body = dict[str, Any]
ErrorOf = Callable[[httpx.Response], tuple[int, str, str | None]]
Opened = tuple[Emulator, httpx.Client, str]
URL = "https://example.com/mcp"
CONFLICT = (409, "conflict_error")


def test_ids_and_times_have_the_documented_forms(serve: Serve, connect: Connect, founding: Body) -> None:
    """Ids are a prefix and the hex digits of a UUIDv7; times are RFC 3339 with Z and without trailing zeros."""
    made = connect(serve()).post("/vaults", json=founding).json()
    uuid7 = r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"

    assert re.fullmatch(f"vault_{uuid7}", made["id"])
    assert re.fullmatch(f"vcred_{uuid7}", made["credentials"][0]["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z", made["created_at"])


def test_repr_of_what_exists_holds_no_secret(serve: Serve) -> None:
    """A failing assertion that prints `vaults` prints no access token."""
    qoder = serve()
    qoder.add_credential(qoder.add_vault("v").id, URL, "mcp-canary-1")

    assert "canary" not in repr(qoder.vaults)


@pytest.mark.parametrize("status", [200, 409])
def test_second_archive_of_a_vault_is_an_option(serve: Serve, connect: Connect, status: int) -> None:
    """No page gives the status of a vault's second archive."""
    qoder = serve("2026-07", archive_again=status)
    vault = qoder.add_vault("v")
    http = connect(qoder)

    assert [200, status] == [http.post(f"/vaults/{vault.id}/archive").status_code for _ in range(2)]


def test_archived_credentials_cannot_change(new: Opened, bearer: MakeBody, error_of: ErrorOf) -> None:
    """Update and second archive of an archived credential are conflicts; delete still works."""
    _, http, path = new
    one = f"{path}/{http.post(path, json=bearer()).json()['id']}"
    http.post(f"{one}/archive")

    patch = {"auth": {"type": "static_bearer", "token": "t"}}
    assert (*CONFLICT, None) == error_of(http.post(one, json=patch))
    assert (*CONFLICT, None) == error_of(http.post(f"{one}/archive"))
    assert "vault_credential_deleted" == http.delete(one).json()["type"]


@pytest.mark.parametrize("revision", ["2026-05", "2026-07"])
def test_an_archived_vault_takes_no_credential(
    serve: Serve, connect: Connect, flat: MakeBody, bearer: MakeBody, error_of: ErrorOf, revision: RevisionName
) -> None:
    """A credential create in an archived vault is a conflict."""
    qoder = serve(revision)
    vault = qoder.add_vault("v")
    qoder.archive_vault(vault.id)
    body = flat() if revision == "2026-05" else bearer()

    assert (*CONFLICT, None) == error_of(connect(qoder).post(f"/vaults/{vault.id}/credentials", json=body))


@pytest.mark.parametrize("end", ["archive", "delete"])
def test_one_active_credential_per_url(new: Opened, bearer: MakeBody, error_of: ErrorOf, end: str) -> None:
    """A second active credential for a URL is a conflict; archiving or deleting the first frees the URL."""
    qoder, http, path = new
    made = http.post(path, json=bearer()).json()

    assert (*CONFLICT, "mcp_server_url") == error_of(http.post(path, json=bearer(token="other")))
    assert 200 == http.post(path, json=bearer(f"{URL}/")).status_code
    getattr(qoder, f"{end}_credential")(made["vault_id"], made["id"])
    assert 200 == http.post(path, json=bearer(token="other")).status_code


def test_the_rule_of_one_per_url_is_an_option(serve: Serve, connect: Connect, flat: MakeBody) -> None:
    """`unique_url=False` allows two active credentials for a URL, in one create too."""
    qoder = serve("between", unique_url=False)
    credentials = [flat(token=token, protocol="streamable_http") for token in ("old", "new")]
    body = {"display_name": "v", "credentials": credentials}

    assert 201 == connect(qoder).post("/vaults", json=body).status_code
    assert ["old", "new"] == [credential.access_token for credential in qoder.vaults[0].credentials]


def test_a_vault_holds_twenty_active_credentials(
    serve: Serve, connect: Connect, flat: MakeBody, error_of: ErrorOf
) -> None:
    """The twenty-first active credential is a conflict, and a create with too many leaves nothing."""
    qoder = serve("2026-05")
    http = connect(qoder)
    credentials = [flat(f"{URL}/{number}") for number in range(21)]

    assert (*CONFLICT, None) == error_of(http.post("/vaults", json={"display_name": "v", "credentials": credentials}))
    assert [] == qoder.vaults
    made = http.post("/vaults", json={"display_name": "v", "credentials": credentials[:20]}).json()
    assert 20 == len(made["credentials"])
    assert 409 == http.post(f"/vaults/{made['id']}/credentials", json=credentials[20]).status_code


def test_a_credential_is_found_in_its_own_vault_only(new: Opened, bearer: MakeBody, error_of: ErrorOf) -> None:
    """Another vault's credential is not found."""
    qoder, http, path = new
    made = http.post(path, json=bearer()).json()
    other = qoder.add_vault("other").id

    assert (404, "not_found_error", None) == error_of(http.get(f"/vaults/{other}/credentials/{made['id']}"))


@pytest.mark.parametrize("revision", ["2026-05", "between"])
def test_the_flat_revisions_allow_two_per_url(
    serve: Serve, connect: Connect, flat: MakeBody, error_of: ErrorOf, revision: RevisionName
) -> None:
    """A second active credential for a URL is allowed on the flat revisions, unless `unique_url` says otherwise."""
    body = flat(protocol="streamable_http")
    for unique_url, expected in ((None, 201), (True, 409)):
        qoder = serve(revision, unique_url=unique_url)
        path = f"/vaults/{qoder.add_vault('v').id}/credentials"
        http = connect(qoder)
        assert [201, expected] == [http.post(path, json=body).status_code for _ in range(2)]


def test_the_rule_is_that_of_the_revision_that_is_served(serve: Serve) -> None:
    """After an upgrade the rule of 2026-07 holds, without a request too."""
    qoder = serve("2026-05")
    vault_id = qoder.add_vault("v").id
    for _ in range(2):
        qoder.add_credential(vault_id, URL, "t")
    qoder.revision = "2026-07"
    with pytest.raises(ApiError, match="already exists"):
        qoder.add_credential(vault_id, URL, "t")


def test_the_words_of_a_duplicate_are_an_option(
    serve: Serve, connect: Connect, bearer: MakeBody, error_of: ErrorOf
) -> None:
    """The 409 of a duplicate may be in any words, and without `param`."""
    qoder = serve("2026-07", conflict_message="该凭证已存在", conflict_param=False)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    http = connect(qoder)
    http.post(path, json=bearer())
    response = http.post(path, json=bearer())

    assert (*CONFLICT, None) == error_of(response)
    assert "该凭证已存在" == response.json()["error"]["message"]


def test_a_secret_name_may_be_unique(serve: Serve, connect: Connect, error_of: ErrorOf) -> None:
    """A second active variable of one name is allowed, or with `unique_secret_name` a conflict."""
    body = {"auth": {"type": "environment_variable", "secret_name": "KEY", "secret_value": "s"}}
    for is_unique, expected in ((False, 200), (True, 409)):
        qoder = serve("2026-07", unique_secret_name=is_unique)
        path = f"/vaults/{qoder.add_vault('v').id}/credentials"
        http = connect(qoder)
        responses = [http.post(path, json=body) for _ in range(2)]
        assert [200, expected] == [response.status_code for response in responses]
        if is_unique:
            assert (*CONFLICT, "secret_name") == error_of(responses[1])


def test_the_limit_may_be_a_400(serve: Serve, connect: Connect, bearer: MakeBody, error_of: ErrorOf) -> None:
    """One credential too many may be a 400."""
    qoder = serve("2026-07", max_credentials=1, max_credentials_status=400)
    path = f"/vaults/{qoder.add_vault('v').id}/credentials"
    http = connect(qoder)
    http.post(path, json=bearer())

    assert (400, "invalid_request_error", None) == error_of(http.post(path, json=bearer(f"{URL}/2")))


def test_a_vault_may_take_its_credentials_into_the_archive(serve: Serve, connect: Connect) -> None:
    """The credentials of an archived vault keep their status, or are archived with it, without their secrets."""
    for archives, expected in ((False, [("active", "t")]), (True, [("archived", None)])):
        qoder = serve("2026-07", archives_credentials=archives)
        made = qoder.add_credential(qoder.add_vault("v").id, URL, "t")
        connect(qoder).post(f"/vaults/{made.vault_id}/archive")
        assert expected == [(item.status, item.access_token) for item in qoder.vaults[0].credentials]
