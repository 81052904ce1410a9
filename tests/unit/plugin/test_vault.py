"""`qoder:index:Vault` over the protocol: check, diff, previews, life, imports, states of the dynamic provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from in_process.provider import NONE, SOME, Failed, Provider, Resource
from in_process.wire import UNKNOWN, in_plain, plain, secret
from pulumi_qoder_vault.dynamic import PICKLED_PROVIDER
from pulumi_qoder_vault.emulator import Emulator, Fault

URL, OTHER_URL = "https://example.com/mcp", "https://example.com/other"
TOKEN, OTHER_TOKEN, NEW_TOKEN = "mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-next-3333"
REVISIONS = ("2026-05", "2026-07")


def credential(url: Any = URL, token: Any = TOKEN, **fields: Any) -> dict[str, Any]:
    given = {"mcpServerUrl": url, "accessToken": token, **fields}
    return {key: value for key, value in given.items() if value is not None}


def vault(*credentials: Any, **fields: Any) -> dict[str, Any]:
    return {"displayName": "my-mcp-vault", "credentials": list(credentials or (credential(),)), **fields}


# Check


def test_check_fills_in_and_marks(plugin: Provider, qoder: Emulator) -> None:
    """Defaults, status and rotations are added under the schema's names; each access token is secret. No request."""
    assert {
        "displayName": "my-mcp-vault",
        "onDelete": "delete",
        "credentials": [
            {
                "mcpServerUrl": URL,
                "accessToken": secret(TOKEN),
                "protocol": "streamable_http",
                "type": "static_bearer",
            }
        ],
        "status": "active",
        "rotations": {URL: 0},
    } == plugin.checked(vault())
    assert [] == qoder.requests


@pytest.mark.parametrize(
    "news",
    [
        vault(displayName=UNKNOWN),
        vault(credential(UNKNOWN, UNKNOWN)),
        vault(UNKNOWN),
        vault(credentials=UNKNOWN),
        vault(metadata=UNKNOWN, onDelete=UNKNOWN),
        vault(metadata={"team": UNKNOWN}),
        vault(credential(token=secret(UNKNOWN), protocol=UNKNOWN, type=UNKNOWN)),
    ],
)
def test_what_is_unknown_passes_and_stays_unknown(plugin: Provider, news: dict[str, Any]) -> None:
    """It is not missing: it is judged when it is known."""
    checked = plain(plugin.checked(news))

    assert plain(news["displayName"]) == checked["displayName"]
    for name in ("credentials", "metadata", "onDelete"):
        if plain(news.get(name)) == UNKNOWN:
            assert UNKNOWN == checked[name]


def test_problems_have_the_paths_of_the_schema(plugin: Provider) -> None:
    """Who writes TypeScript looks for `credentials[1].mcpServerUrl`."""
    news = vault(credential(), credential(), credential("nowhere", protocol="smoke"), displayName="")

    assert [
        f"credentials[1].mcpServerUrl: {URL} is already used by credentials[0]; one vault holds one credential per URL",
        "credentials[2].mcpServerUrl: must be a URL such as https://example.com/mcp",
        "credentials[2].protocol: must be 'sse' or 'streamable_http'",
        "displayName: is required: a name of 1 to 255 characters",
    ] == sorted(plugin.problems(news))


@pytest.mark.parametrize(
    ("news", "line"),
    [
        (vault(displayname="x"), "displayname: is not a known key; did you mean displayName?"),
        (vault(onDeletion="archive"), "onDeletion: is not a known key; did you mean onDelete?"),
        (vault(credential(accesToken="x")), "credentials[0].accesToken: is not a known key; did you mean accessToken?"),
        (vault({**credential(), "url": "x"}), "credentials[0].url: is not a known key; did you mean mcpServerUrl?"),
        (
            vault(zzz=1),
            "zzz: is not a known key; known keys are displayName, credentials, metadata, onDelete, forceDestroy, "
            "status, rotations",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest_one(plugin: Provider, news: dict[str, Any], line: str) -> None:
    """In the schema's spelling, whatever the program's."""
    assert [line] == plugin.problems(news)


def test_a_key_of_metadata_stays_what_it_is(plugin: Provider) -> None:
    """It is the user's, be it called like one of our own properties."""
    metadata = {"display_name": "a", "vaultId": "b", "access_token": "c"}

    assert metadata == plugin.checked(vault(metadata=metadata))["metadata"]
    assert [
        'metadata["display_name"]: must be a string, not a number; put it in quotation marks, or, where YAML drops '
        "them, in fn::toJSON"
    ] == plugin.problems(vault(metadata={"display_name": 7}))


def test_a_url_in_a_problem_stays_what_it_is(plugin: Provider) -> None:
    """It may hold words that are also names of properties."""
    url = "https://example.com/mcp?client_id=5&display_name=access_token"

    (line,) = plugin.problems(vault(credential(url), credential(url, OTHER_TOKEN)))

    assert f"{url} is already used" in line


def test_a_secret_is_not_in_a_problem(plugin: Provider) -> None:
    """Also one that reads like the name of a property; and of inputs that are refused, each one is marked."""
    token = "canary-access_token-canary"
    url = f"https://example.com/{token}"
    news = {**vault(credential(url, token), credential(url, token), onDelete=token), token: 1}
    answer = plugin.call("Check", urn=plugin.urn, olds={}, news=news)

    assert answer.failures
    assert [] == [failure.reason for failure in answer.failures if "canary" in failure.reason]


# Secrets


@pytest.mark.parametrize(
    "given",
    [
        vault(),
        vault(credential(token=secret(TOKEN))),
        vault(credentials=secret([credential()])),
        vault(secret(credential())),
    ],
    ids=["forgotten", "leaf", "list", "element"],
)
def test_secrets_are_at_the_leaf_whatever_the_program_said(plugin: Provider, given: dict[str, Any]) -> None:
    """Each access token is one, its siblings are not: ids are found by URL, in other stacks as well."""
    resource = plugin.create(given)

    for properties in (resource.inputs, resource.outputs):
        assert [
            {
                "mcpServerUrl": URL,
                "accessToken": secret(TOKEN),
                "protocol": "streamable_http",
                "type": "static_bearer",
            }
        ] == properties["credentials"]
    assert isinstance(resource.outputs["credentialIds"][URL], str)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_name_that_was_given_as_a_secret_stays_one(vault_plugin: Callable[..., Any], revision: str) -> None:
    """In inputs and outputs, of a preview, a create, an update and a refresh."""
    qoder, plugin = vault_plugin(revision)
    news = vault(displayName=secret("name-canary"))

    resource = plugin.create(news)
    everything = [
        plugin.preview_create(news)[1],
        resource.inputs,
        resource.outputs,
        plugin.preview_update(resource, {**news, "onDelete": "archive"}),
        plugin.update(resource, {**news, "credentials": [credential(token=NEW_TOKEN)]}).outputs,
    ]
    qoder.archive_vault(resource.id)
    refreshed = plugin.refresh(resource)
    assert refreshed is not None
    everything += [refreshed.inputs, refreshed.outputs]

    assert [secret("name-canary")] * 7 == [properties["displayName"] for properties in everything]
    assert [] == in_plain(everything)


def test_metadata_is_secret_where_it_was_given_as_one(vault_plugin: Callable[..., Any]) -> None:
    """A value alone, or all of it; the rest can be read."""
    _, plugin = vault_plugin("2026-07")

    one = plugin.create(vault(metadata={"team": "tools", "key": secret("meta-canary")}))
    all_ = plugin.create(vault(metadata=secret({"team": "meta-canary"})))

    assert {"team": "tools", "key": secret("meta-canary")} == one.outputs["metadata"]
    assert secret({"team": "meta-canary"}) == all_.outputs["metadata"]


# Diff


def test_nothing_changed_is_no_difference(plugin: Provider) -> None:
    """Also when credentials stand in another order."""
    first, second = credential(), credential(OTHER_URL, OTHER_TOKEN)
    resource = plugin.create(vault(first, second))

    for news in (vault(first, second), vault(second, first)):
        change = plugin.diff(resource, plugin.checked(news, resource.inputs))
        assert (NONE, {}, [], []) == (change.changes, change.kinds, change.replaces, change.diffs)


CHANGES: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "name": (vault(displayName="other"), {"displayName": "UPDATE_REPLACE"}, ["displayName"]),
    "metadata": (vault(metadata={"a b": "c"}), {'metadata["a b"]': "ADD_REPLACE"}, ["metadata"]),
    "on delete": (vault(onDelete="archive"), {"onDelete": "UPDATE"}, []),
    "access token": (
        vault(credential(token=NEW_TOKEN)),
        {"credentials[0].accessToken": "UPDATE", f'rotations["{URL}"]': "UPDATE"},
        [],
    ),
    "protocol": (vault(credential(protocol="sse")), {"credentials[0].protocol": "UPDATE"}, []),
    "added": (
        vault(credential(OTHER_URL, OTHER_TOKEN), credential()),
        {"credentials[0]": "ADD", f'rotations["{OTHER_URL}"]': "ADD"},
        [],
    ),
    "another url": (
        vault(credential(OTHER_URL)),
        {
            "credentials[0]": "UPDATE",
            f'rotations["{URL}"]': "DELETE",
            f'rotations["{OTHER_URL}"]': "ADD",
        },
        [],
    ),
    "unknown list": (vault(credentials=UNKNOWN), {"credentials": "UPDATE", "rotations": "UPDATE"}, []),
    "unknown token": (vault(credential(token=UNKNOWN)), {"credentials[0].accessToken": "UPDATE"}, []),
    "unknown name": (vault(displayName=UNKNOWN), {"displayName": "UPDATE_REPLACE"}, ["displayName"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_difference_is_shown_property_by_property(plugin: Provider, what: str) -> None:
    """Paths as Pulumi reads them, what forces another vault, and for each path its top-level key among `diffs`."""
    news, kinds, replaces = CHANGES[what]
    resource = plugin.create(vault())

    change = plugin.diff(resource, plugin.checked(news, resource.inputs))

    assert (SOME, kinds, replaces) == (change.changes, change.kinds, change.replaces)
    assert sorted({path.partition("[")[0].partition(".")[0] for path in kinds}) == sorted(change.diffs)
    assert not change.deletes_first


def test_an_archived_vault_is_replaced(plugin: Provider, qoder: Emulator) -> None:
    """There is no way back; the diff after a refresh says that the status forces it."""
    resource = plugin.create(vault())
    qoder.archive_vault(resource.id)

    refreshed = plugin.refresh(resource)

    assert refreshed is not None
    assert ("archived", "archived") == (refreshed.inputs["status"], refreshed.outputs["status"])
    change = plugin.diff(refreshed, plugin.checked(vault(), refreshed.inputs))
    assert ({"status": "UPDATE_REPLACE"}, ["status"]) == (change.kinds, change.replaces)


# Previews


def test_a_preview_of_a_create_asks_nobody(serve: Callable[..., Provider], qoder: Emulator) -> None:
    """It needs no API token; what is known is shown, ids and times are not known, and no id is given."""
    plugin = serve().configure(qoder, apiToken="", workspaceId="ws_1")

    id_, outputs = plugin.preview_create(vault())

    assert "" == id_
    assert [] == qoder.requests
    assert [] == in_plain(outputs)
    assert ["apiRevision", "createdAt", "credentialIds", "rotatedAt", "updatedAt"] == sorted(
        name for name, value in outputs.items() if value == UNKNOWN
    )
    assert (qoder.base_url, "ws_1", {}) == (outputs["baseUrl"], outputs["workspaceId"], outputs["metadata"])


def test_a_preview_shows_every_output_that_a_create_gives(plugin: Provider) -> None:
    """A dependent that reads one in a preview gets it, or is told that it is not known."""
    made = {name for name in plugin.create(vault()).outputs if not name.startswith("__")}
    assert made == plugin.preview_create(vault())[1].keys()


@pytest.mark.parametrize(("revision", "foreseen"), [("2026-05", UNKNOWN), ("2026-07", "the same")])
def test_a_preview_of_a_rotation_knows_the_ids_that_stay(
    vault_plugin: Callable[..., Any], revision: str, foreseen: str
) -> None:
    """An untouched credential keeps its id; a rotated one does where there is a call for it. And so it comes."""
    qoder, plugin = vault_plugin(revision)
    resource = plugin.create(vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))
    ids = resource.outputs["credentialIds"]
    news = vault(credential(token=NEW_TOKEN), credential(OTHER_URL, OTHER_TOKEN))
    qoder.clear_requests()

    outputs = plugin.preview_update(resource, news)

    assert {URL: UNKNOWN if foreseen == UNKNOWN else ids[URL], OTHER_URL: ids[OTHER_URL]} == outputs["credentialIds"]
    assert [] == qoder.requests
    after = plugin.update(resource, news).outputs
    assert after.keys() == outputs.keys()
    assert {**ids, URL: after["credentialIds"][URL]} == after["credentialIds"]
    assert (foreseen == UNKNOWN) == (after["credentialIds"][URL] != ids[URL])


@pytest.mark.parametrize("credentials", [UNKNOWN, [UNKNOWN], [credential(UNKNOWN)]])
def test_a_preview_of_what_is_unknown_knows_no_ids(plugin: Provider, credentials: Any) -> None:
    """Any of them may change."""
    resource = plugin.create(vault())

    assert UNKNOWN == plugin.preview_update(resource, vault(credentials=credentials))["credentialIds"]


# Life


def test_the_life_of_a_vault(plugin: Provider, qoder: Emulator) -> None:
    """Create, rotate, add, remove, refresh, delete: the id stays, and each state shows no change."""
    resource = plugin.create(vault())
    assert [resource.id] == [item.id for item in qoder.vaults]

    for news in (
        vault(credential(token=NEW_TOKEN)),
        vault(credential(token=NEW_TOKEN), credential(OTHER_URL, OTHER_TOKEN)),
        vault(credential(OTHER_URL, OTHER_TOKEN), onDelete="archive"),
    ):
        resource = plugin.update(resource, news)
        (made,) = qoder.vaults
        assert {item["mcpServerUrl"]: item["accessToken"] for item in news["credentials"]} == {
            item.mcp_server_url: item.access_token for item in made.credentials
        }
        assert {item.mcp_server_url: item.id for item in made.credentials} == resource.outputs["credentialIds"]
        assert NONE == plugin.diff(resource, plugin.checked(news, resource.inputs)).changes
        refreshed = plugin.refresh(resource)
        assert refreshed is not None
        times = {"updatedAt": refreshed.outputs["updatedAt"]}
        assert (resource.inputs, {**resource.outputs, **times}) == (refreshed.inputs, refreshed.outputs)

    plugin.delete(resource)
    assert ["archived"] == [item.status for item in qoder.vaults]


def test_a_vault_that_is_gone_is_gone_from_the_state(plugin: Provider, qoder: Emulator) -> None:
    """And its deletion is success."""
    resource = plugin.create(vault())
    qoder.delete_vault(resource.id)

    assert plugin.refresh(resource) is None
    plugin.delete(resource)


def test_a_404_of_a_proxy_drops_nothing(plugin: Provider, qoder: Emulator) -> None:
    """It proves nothing, and the line says so."""
    resource = plugin.create(vault())
    qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)

    with pytest.raises(Failed) as caught:
        plugin.refresh(resource)

    assert caught.value.line.endswith(f"; this does not prove that vault {resource.id} is gone")


def test_a_refresh_shows_a_credential_that_is_gone(plugin: Provider, qoder: Emulator) -> None:
    """The inputs say what exists, so that the next `up` makes it again; the others keep their secrets."""
    resource = plugin.create(vault(credential(), credential(OTHER_URL, OTHER_TOKEN)))
    qoder.delete_credential(resource.id, resource.outputs["credentialIds"][URL])

    refreshed = plugin.refresh(resource)

    assert refreshed is not None
    for properties in (refreshed.inputs, refreshed.outputs):
        assert [secret(OTHER_TOKEN)] == [item["accessToken"] for item in properties["credentials"]]
        assert {OTHER_URL: 0} == properties["rotations"]


# Imports


def existing(qoder: Emulator) -> tuple[str, str]:
    """A vault that no state holds, and its credential."""
    made = qoder.add_vault("theirs")
    return made.id, qoder.add_credential(made.id, URL, TOKEN).id


def test_an_import_reads_without_any_state(plugin: Provider, qoder: Emulator) -> None:
    """Inputs and outputs say all that is there; an access token is not, and a null is no value."""
    vault_id, credential_id = existing(qoder)

    found = plugin.find(vault_id)

    assert found is not None
    shown = {"mcpServerUrl": URL, "protocol": "streamable_http", "type": "static_bearer"}
    assert vault_id == found.id
    assert {
        "displayName": "theirs",
        "onDelete": "delete",
        "credentials": [shown],
        "rotations": {URL: 0},
        "status": "active",
    } == found.inputs
    assert {URL: credential_id} == found.outputs["credentialIds"]
    assert [shown] == found.outputs["credentials"]


def test_an_import_of_what_there_is_not_finds_nothing(plugin: Provider, qoder: Emulator) -> None:
    """The engine then says that the resource does not exist. A proxy's 404 is no such word."""
    assert plugin.find("vault_019e3bb940277f0db05ab74291acf6ef") is None

    qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)
    with pytest.raises(Failed) as caught:
        plugin.find("vault_019e3bb940277f0db05ab74291acf6ef")
    assert "this does not prove that there is no vault" in caught.value.line


@pytest.mark.parametrize("id_", ["", "vault_1/../x", "my-vault?x=1", "vault 1"])
def test_an_import_of_what_is_no_id_asks_nobody(plugin: Provider, qoder: Emulator, id_: str) -> None:
    """It must not lead to another path."""
    with pytest.raises(Failed) as caught:
        plugin.find(id_)

    assert caught.value.line.startswith("the id is not a vault id: it must be like vault_")
    assert [] == qoder.requests


def test_what_was_imported_needs_no_access_token(plugin: Provider, qoder: Emulator) -> None:
    """Qoder never returns it: a program without it passes, changes nothing, and the credential is left alone."""
    vault_id, _ = existing(qoder)
    found = plugin.find(vault_id)
    assert found is not None
    news = {"displayName": "theirs", "credentials": [credential(token=None)]}

    change = plugin.diff(found, plugin.checked(news, found.inputs))
    assert (NONE, {}) == (change.changes, change.kinds)

    plugin.update(found, {**news, "onDelete": "archive"})
    assert [TOKEN] == [item.access_token for item in qoder.vaults[0].credentials]
    assert [] == qoder.writes


def test_filling_in_an_access_token_is_one_rotation(plugin: Provider, qoder: Emulator) -> None:
    """It is shown as one, carried out once, and then there is nothing left to do."""
    vault_id, _ = existing(qoder)
    found = plugin.find(vault_id)
    assert found is not None
    news = {"displayName": "theirs", "credentials": [credential(token=NEW_TOKEN)]}

    change = plugin.diff(found, plugin.checked(news, found.inputs))
    assert {"credentials[0].accessToken": "ADD", f'rotations["{URL}"]': "UPDATE"} == change.kinds
    after = plugin.update(found, news)

    assert [NEW_TOKEN] == [item.access_token for item in qoder.vaults[0].credentials]
    assert {URL: 1} == after.outputs["rotations"]
    assert NONE == plugin.diff(after, plugin.checked(news, after.inputs)).changes


def test_dropping_the_access_token_of_what_was_made_here_is_a_problem(plugin: Provider) -> None:
    """It is forgotten, not left alone on purpose."""
    resource = plugin.create(vault())

    assert ["credentials[0].accessToken: Field 'access_token' is required for static_bearer type."] == plugin.problems(
        vault(credential(token=None)), resource.inputs
    )


def test_an_import_takes_what_a_vault_declares_only(vault_plugin: Callable[..., Any], somebody: Any) -> None:
    """A credential of another type is no property of a vault: it stays foreign, and is not touched."""
    qoder, plugin = vault_plugin("2026-07")
    vault_id, credential_id = existing(qoder)
    auth = {"type": "mcp_oauth", "mcp_server_url": OTHER_URL, "access_token": OTHER_TOKEN}
    somebody(qoder).post(f"/vaults/{vault_id}/credentials", json={"auth": auth}).raise_for_status()

    found = plugin.find(vault_id)

    assert found is not None
    assert {URL: credential_id} == found.outputs["credentialIds"]
    assert [URL] == [item["mcpServerUrl"] for item in found.inputs["credentials"]]


# States of the dynamic provider


def as_dynamic(plugin: Provider) -> Resource:
    """A vault as a stack holds it that was made with `pulumi_qoder_vault.Vault`."""
    made = plugin.create(vault())
    snake = {
        "displayName": "display_name",
        "onDelete": "on_delete",
        "credentialIds": "credential_ids",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "baseUrl": "base_url",
        "apiRevision": "api_revision",
    }

    def renamed(properties: dict[str, Any]) -> dict[str, Any]:
        items = [
            {"mcp_server_url": item["mcpServerUrl"], "access_token": item["accessToken"]}
            | {key: item[key] for key in ("protocol", "type")}
            for item in properties["credentials"]
        ]
        known = {snake.get(name, name): value for name, value in properties.items()}
        return {**known, "credentials": items, "__provider": PICKLED_PROVIDER}

    return Resource(made.id, renamed(made.inputs), renamed(made.outputs))


def test_a_state_of_the_dynamic_provider_is_rewritten_in_place(plugin: Provider, qoder: Emulator) -> None:
    """Same vault, no request: an update gives the state the shape of the plugin, and then nothing changes any more."""
    old = as_dynamic(plugin)
    qoder.clear_requests()

    inputs = plugin.checked(vault(), old.inputs)
    change = plugin.diff(old, inputs)
    assert (SOME, {"__provider": "UPDATE"}, [], ["__provider"]) == (
        change.changes,
        change.kinds,
        change.replaces,
        change.diffs,
    )
    after = plugin.update(old, vault())

    assert [] == qoder.requests
    assert after.outputs.keys() == plugin.create(vault(displayName="new")).outputs.keys()
    assert "__provider" not in after.outputs
    assert [] == in_plain(after.outputs)
    assert NONE == plugin.diff(after, plugin.checked(vault(), after.inputs)).changes


def test_a_state_of_the_dynamic_provider_lives_on(plugin: Provider, qoder: Emulator) -> None:
    """It can be refreshed and destroyed before any `up`."""
    old = as_dynamic(plugin)

    refreshed = plugin.refresh(old)
    assert refreshed is not None
    assert (old.id, "my-mcp-vault") == (refreshed.id, refreshed.outputs["displayName"])
    plugin.delete(old)
    assert [] == qoder.vaults


def test_a_change_of_a_state_of_the_dynamic_provider_is_carried_out(plugin: Provider, qoder: Emulator) -> None:
    """A rotation in the same `up` rotates once; a rename replaces, as ever."""
    old = as_dynamic(plugin)
    rename = plugin.diff(old, plugin.checked(vault(displayName="other"), old.inputs))
    assert ["displayName"] == rename.replaces

    after = plugin.update(old, vault(credential(token=NEW_TOKEN)))

    assert {URL: 1} == after.outputs["rotations"]
    assert [NEW_TOKEN] == [item.access_token for item in qoder.vaults[0].credentials]


def test_whatever_an_import_found_passes_check(vault_plugin: Callable[..., Any]) -> None:
    """No credential at all, and as many pairs of metadata as Qoder allows; a program without the import may not."""
    qoder, plugin = vault_plugin("2026-07")
    metadata = {f"key{number}": "x" for number in range(16)}
    found = plugin.find(qoder.add_vault("theirs", metadata=metadata).id)

    program = {"displayName": "theirs", "metadata": metadata}
    assert [] == plugin.problems(program, found.inputs)
    assert NONE == plugin.diff(found, plugin.checked(program, found.inputs)).changes
    assert 2 == len(plugin.problems(program))
