"""Other people's credentials in a vault: which they are, what is said and recorded of them, and what keeps a vault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.connection import Qoder
from pulumi_qoder_vault.emulator import Effect, Emulator, Fault
from pulumi_qoder_vault.lifecycle.capabilities import QoderInUse
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN
from pulumi_qoder_vault.lifecycle.model import RecordedVault
from pulumi_qoder_vault.lifecycle.other_credentials import Deletion, others, refusal
from pulumi_qoder_vault.lifecycle.vault import check, operations
from pulumi_qoder_vault.lifecycle.vault.diff import diff
from pulumi_qoder_vault.resources import vault
from pulumi_qoder_vault.resources.calls import Calls
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import force_destroy, load
from unit.lifecycle.records import bearer, desired_vault, observed, recorded_vault

URL, THEIRS = "https://example.com/mcp", "https://theirs.example/mcp"
TOKEN = "mcp-canary-one-1111"
JSON = (("Content-Type", "application/json"),)
both = pytest.mark.parametrize("on_delete", ["delete", "archive"])


@pytest.fixture(params=["2026-05", "2026-07"])
def qoder(request: pytest.FixtureRequest, start: Callable[..., Emulator]) -> Emulator:
    return start(request.param, unique_url=True, max_credentials=1000)


@pytest.fixture
def api(qoder: Emulator, client_of: Callable[..., Client]) -> Client:
    return client_of(qoder, Secret(TOKEN))


def made(api: Client, **fields: Any) -> RecordedVault:
    wanted = desired_vault(bearer(URL, Secret(TOKEN)), **fields)
    return operations.create(api, wanted, QoderInUse("auto"))


def seen(api: Client, recorded: RecordedVault) -> RecordedVault:
    found, is_drift = operations.read(api, recorded, QoderInUse("auto"))
    assert found is not None
    assert not is_drift, "what others do is no drift"
    return found


def line_of(act: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(errors.QoderError) as caught:
        act(*arguments, **named)
    return str(caught.value)


def listed(*items: Mapping[str, Any]) -> Effect:
    """A list as a service may answer it."""
    credentials = [
        {"type": "static_bearer", "status": "active", "created_at": "2026-05-18T08:00:00Z", **item} for item in items
    ]
    return Effect("a list", status=200, headers=JSON, body={"data": credentials, "has_more": False})


# Which they are


def test_what_is_not_recorded_and_active_is_of_others() -> None:
    """Ours are what the state holds, what is left to be deleted, and what this process deleted."""
    seen_ones = [
        observed(id_, URL, is_active=id_ != "archived")
        for id_ in ("recorded", "leftover", "deleted", "archived", "theirs")
    ]

    found = others(recorded_with(unfinished=("leftover",)), seen_ones, {"deleted"})

    assert ["theirs"] == [item.id for item in found]


def recorded_with(**fields: Any) -> RecordedVault:
    return recorded_vault(bearer(URL, Secret(TOKEN)), **{"credential_ids": {URL: "recorded"}, **fields})


# Deletion


@both
def test_a_vault_with_credentials_of_others_is_kept(qoder: Emulator, api: Client, on_delete: str) -> None:
    """Three reads: what is in it, that a GET shows it too, and that the vault is not archived. Nothing is written."""
    recorded = made(api, on_delete=on_delete)
    theirs = qoder.add_credential(recorded.vault_id, THEIRS, "their-token")
    qoder.clear_requests()

    line = line_of(operations.delete, api, recorded, QoderInUse("auto"))

    assert f"vault {recorded.vault_id} is not {on_delete}d: it holds 1 credential" in line
    assert f"{theirs.id} ({THEIRS})" in line
    assert ["GET"] * 3 == [request.method for request in qoder.requests]


@both
@pytest.mark.parametrize("way", ["force_destroy", "this run"])
def test_it_goes_where_that_was_asked_for(qoder: Emulator, api: Client, on_delete: str, way: str) -> None:
    """By what the state holds, or by the run: then nothing is listed."""
    recorded = made(api, on_delete=on_delete, force_destroy=way == "force_destroy")
    qoder.add_credential(recorded.vault_id, THEIRS, "their-token")
    qoder.clear_requests()

    operations.delete(api, recorded, QoderInUse("auto"), is_forced=way == "this run")

    assert 1 == len(qoder.requests)
    assert [] == [vault for vault in qoder.vaults if vault.status == "active"]


@pytest.mark.parametrize("is_known", [True, False])
def test_an_archived_vault_is_not_guarded(qoder: Emulator, api: Client, is_known: bool) -> None:
    """It serves nobody any more. Where the state says so, nothing is listed."""
    recorded = made(api)
    qoder.add_credential(recorded.vault_id, THEIRS, "their-token")
    qoder.archive_vault(recorded.vault_id)
    qoder.clear_requests()

    operations.delete(api, replace(recorded, status="archived") if is_known else recorded, QoderInUse("auto"))

    assert [] == qoder.vaults
    assert is_known == (["DELETE"] == [request.method for request in qoder.requests])


def test_what_this_process_deleted_does_not_count(qoder: Emulator, api: Client) -> None:
    """A list may show it for some seconds more; to another process it is of others."""
    recorded = made(api)
    own = qoder.add_credential(recorded.vault_id, THEIRS, "our-token")
    items = [{"id": own.id, "mcp_server_url": THEIRS}]
    qoder.fail_next("GET", "/vaults/*/credentials", listed(*items), times=None)
    assert own.id in line_of(operations.delete, api, recorded, QoderInUse("auto"))

    api.delete_credential(recorded.vault_id, own.id)
    operations.delete(api, recorded, QoderInUse("auto"))

    assert [] == qoder.vaults


def test_a_deletion_that_was_answered_at_the_second_attempt_counts(qoder: Emulator, api: Client) -> None:
    """The first one was handled and its response lost; then 404 says that it is gone."""
    recorded = made(api)
    own = qoder.add_credential(recorded.vault_id, THEIRS, "our-token")
    qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.DROP_AFTER_COMMIT)
    with pytest.raises(errors.NotFound):
        api.delete_credential(recorded.vault_id, own.id)

    assert {own.id} == set(api.deleted_ids)


def test_a_deletion_that_failed_does_not_count(qoder: Emulator, api: Client) -> None:
    """Neither does a 404 that is not Qoder's own."""
    recorded = made(api)
    own = qoder.add_credential(recorded.vault_id, THEIRS, "our-token")
    for fault in (Fault.FORBIDDEN, Fault.HTML_404):
        qoder.fail_next("DELETE", "/vaults/*/credentials/*", fault)
        line_of(api.delete_credential, recorded.vault_id, own.id)

    assert own.id in line_of(operations.delete, api, recorded, QoderInUse("auto"))


@both
@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.HTML_404, Fault.FOREIGN_404, Fault.HTML_200, Fault.CONFLICT])
def test_a_list_that_fails_ends_the_deletion(qoder: Emulator, api: Client, on_delete: str, fault: Fault) -> None:
    """Nobody knows then who would lose what."""
    recorded = made(api, on_delete=on_delete)
    qoder.clear_requests()
    qoder.fail_next("GET", "/vaults/*/credentials", fault, times=None)

    line_of(operations.delete, api, recorded, QoderInUse("auto"))

    assert [] == qoder.writes
    qoder.clear_faults()
    operations.delete(api, recorded, QoderInUse("auto"))
    assert [] == [vault for vault in qoder.vaults if vault.status == "active"]


def test_every_page_is_looked_at(qoder: Emulator, api: Client) -> None:
    """Many make the line no longer; it says how many there are."""
    recorded = made(api)
    for number in range(250):
        qoder.add_credential(recorded.vault_id, f"{THEIRS}/{number}/{'x' * 1000}", "their-token")

    line = line_of(operations.delete, api, recorded, QoderInUse("auto"))

    assert "it holds 250 credentials" in line
    assert " and 230 more; delete them" in line
    assert len(line) < 4000


def test_a_partial_create_is_deleted(qoder: Emulator, api: Client) -> None:
    """What it made is its own, and so is what an update left."""
    recorded = made(api)
    left = qoder.add_credential(recorded.vault_id, THEIRS, "our-token")

    operations.delete(api, replace(recorded, unfinished=(left.id,)), QoderInUse("auto"))

    assert [] == qoder.vaults


def test_a_roll_back_is_not_guarded(qoder: Emulator, api: Client) -> None:
    """The vault that this very create made is its own: it is deleted again, without a question."""
    qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)
    metadata = None if qoder.revision == "2026-07" else {"team": "not stored on 2026-05"}

    line = line_of(made, api, metadata=metadata)

    assert "was deleted again, nothing is left" in line
    assert [] == qoder.vaults
    assert [404] == [item.status for item in qoder.requests if item.method == "GET"], "the proof that nothing is left"


def test_the_lines_of_an_old_vault_and_of_any_other() -> None:
    """Where Pulumi gives a vault no new inputs, only what is true is said; where it is not known, on what condition."""
    theirs = {"vcred_1": THEIRS}
    old = refusal(recorded_with(), theirs, Deletion("urn", is_replaced=True))
    either = refusal(recorded_with(), theirs, Deletion("urn:a$b::v"))
    plain = refusal(recorded_with(on_delete="archive"), {**theirs, "vcred_2": "NAME"}, Deletion(is_replaced=False))

    holds = f"it holds 1 credential that is not in the state of this resource: vcred_1 ({THEIRS})"
    assert (
        f"vault vault_1 is not deleted: {holds}; it is the old vault of a replacement: delete it and run pulumi up "
        "again, or run QODER_FORCE_DESTROY=true pulumi up, which deletes it too"
    ) == old
    assert (
        f"vault vault_1 is not deleted: {holds}; delete it, or set QODER_FORCE_DESTROY=true for this run, which "
        "deletes it too; or, if the vault is not pending deletion after a replacement, set force_destroy=True in the "
        "program "
        "and run pulumi up first, with no other change, or keep the vault: set retain_on_delete=True in the program "
        "and run pulumi up first, or run pulumi state delete 'urn:a$b::v'"
    ) == either
    assert "vault vault_1 is not archived: it holds 2 credentials that are not" in plain
    assert f"vcred_1 ({THEIRS}), vcred_2 (NAME); delete them" in plain
    assert "pending" not in plain


def test_ids_tell_the_halves_of_a_replacement_apart() -> None:
    """Where no program declared it, as in a destroy, nothing is known; a refresh compares both, in any order."""
    calls = Calls()
    for id_ in ("old", "new", "old"):
        calls.note_diff("urn", id_, {})
    assert (None, None) == (calls.is_replaced("urn", "old"), calls.is_replaced("urn", "new"))
    calls.note_check("urn", {"display_name": "v"})
    calls.note_diff("urn", "old", {})
    assert calls.is_replaced("urn", "old") is False
    calls.note_made("urn", "new")
    calls.note_made("", "lost")
    assert (True, False, None) == tuple(calls.is_replaced(*of) for of in (("urn", "old"), ("urn", "new"), ("", "lost")))


@both
def test_a_list_that_fails_keeps_the_vault_and_names_the_way_out(qoder: Emulator, api: Client, on_delete: str) -> None:
    """A 404 of the list alone too: the vault itself is asked, and it is there. Nothing is sent that deletes."""
    recorded = made(api, on_delete=on_delete)
    absent = {"type": "error", "error": {"type": "not_found_error", "message": "no such route"}}
    for status, body in ((404, absent), (403, {"type": "error", "error": {"type": "permission_error"}})):
        qoder.clear_requests()
        refusal_ = Effect("a refusal", status=status, headers=JSON, body=body)
        qoder.fail_next("GET", "/vaults/*/credentials", refusal_, times=None)
        line = line_of(operations.delete, api, recorded, QoderInUse("auto"))
        assert f"vault {recorded.vault_id} is kept, since credentials of others may be in it" in line
        assert "QODER_FORCE_DESTROY=true for this run deletes it without this check" in line
        assert {"GET"} == {request.method for request in qoder.requests}
        qoder.clear_faults()
    assert ["active"] == [vault.status for vault in qoder.vaults]
    operations.delete(api, recorded, QoderInUse("auto"), is_forced=True)
    assert [] == [vault for vault in qoder.vaults if vault.status == "active"]


def test_a_list_that_is_gone_with_an_archived_vault_does_not_keep_it(qoder: Emulator, api: Client) -> None:
    """An archived vault serves nobody: where its list is missing, it is deleted all the same."""
    recorded = made(api)
    qoder.archive_vault(recorded.vault_id)
    absent = {"type": "error", "error": {"type": "not_found_error", "message": "no such route"}}
    qoder.fail_next("GET", "/vaults/*/credentials", Effect("a refusal", status=404, headers=JSON, body=absent))

    operations.delete(api, recorded, QoderInUse("auto"))

    assert [] == qoder.vaults


def test_no_secret_of_the_process_is_recorded(qoder: Emulator) -> None:
    """One that another resource of the stack was handed stands in a URL that somebody put into the vault."""
    settings = load({"qoder:apiToken": qoder.api_token, "qoder:baseUrl": qoder.base_url}, {})
    of_another = "zq-canary-of-the-credential-77"
    Qoder(settings).api({"access_token": Secret(of_another)})
    api = Qoder(settings).api({"access_token": Secret(TOKEN)})
    recorded = made(api)
    theirs = qoder.add_credential(recorded.vault_id, f"https://x.example/?k={of_another}", "their-token")
    assert {theirs.id: "https://x.example/?k=***"} == seen(api, recorded).other_credentials


# What is recorded


def test_what_others_have_is_recorded_where_it_was_looked_at(qoder: Emulator, api: Client) -> None:
    """Not by a create, which lists nothing; by a read, and by an update that lists; what is gone goes."""
    recorded = made(api)
    assert recorded.other_credentials is None
    assert {} == seen(api, recorded).other_credentials
    theirs = qoder.add_credential(recorded.vault_id, THEIRS, "their-token")
    assert {theirs.id: THEIRS} == seen(api, recorded).other_credentials

    wanted = desired_vault(bearer(URL, Secret("mcp-canary-next-1")), rotations={URL: 1})
    rotated = operations.update(api, recorded, wanted, QoderInUse("auto"))
    assert {theirs.id: THEIRS} == rotated.other_credentials, "neither the old one of ours nor the new one"

    qoder.clear_requests()
    kept = operations.update(api, rotated, replace(wanted, on_delete="archive"), QoderInUse("auto"))
    assert [] == qoder.requests
    assert {theirs.id: THEIRS} == kept.other_credentials, "as of the last look"

    qoder.delete_credential(recorded.vault_id, theirs.id)
    assert {} == seen(api, kept).other_credentials


def test_an_import_makes_ours_what_a_vault_can_declare(qoder: Emulator, api: Client) -> None:
    """The rest is of others."""
    vault = qoder.add_vault("theirs")
    ours = qoder.add_credential(vault.id, URL, "a-token")
    items: list[dict[str, Any]] = [
        {"id": ours.id, "mcp_server_url": URL},
        {"id": "vcred_00000000000000000000000000000002", "auth": {"type": "mcp_oauth", "mcp_server_url": THEIRS}},
        {
            "id": "vcred_00000000000000000000000000000003",
            "auth": {"type": "environment_variable", "secret_name": "DEPLOY_KEY"},
        },
        {"id": "vcred_00000000000000000000000000000004", "auth": {"type": "of tomorrow"}},
    ]
    qoder.fail_next("GET", "/vaults/*/credentials", listed(*items))

    found = operations.find(api, vault.id)

    assert {URL: ours.id} == found.credential_ids
    assert {"2": THEIRS, "3": "DEPLOY_KEY", "4": "of an unknown type"} == {
        id_[-1]: name for id_, name in (found.other_credentials or {}).items()
    }


@pytest.mark.parametrize(
    "url",
    [
        f"https://x.example/?token={TOKEN}",
        f"https://x.example/{TOKEN.upper()}",
        f"https://x.example/\x1b[31m{TOKEN[:9]}\u200b{TOKEN[9:]}\n",
        "https://x.example/?token=" + "".join(f"%{byte:02x}" for byte in TOKEN.encode()),
        f"https://x.example/{TOKEN[:12]}",
        "https://x.example/pt-emulator-0000000000",
    ],
)
def test_no_secret_and_no_control_character_is_recorded_or_said(qoder: Emulator, api: Client, url: str) -> None:
    """A URL is text of Qoder's: it goes through the same gate as its messages."""
    recorded = made(api)
    item = {"id": "vcred_00000000000000000000000000000002", "mcp_server_url": url}
    own = {"id": recorded.credential_ids[URL], "mcp_server_url": URL}
    qoder.fail_next(
        "GET", "/vaults/*/credentials", listed(own, item, {**item, "id": item["id"][:-1] + "3"}), times=None
    )

    found = seen(api, recorded)
    line = line_of(operations.delete, api, recorded, QoderInUse("auto"))

    for text in (*(found.other_credentials or {}).values(), line):
        assert text.isprintable()
        assert "***" in text
        assert TOKEN[:9] not in text.lower()
        assert "0000000000" not in text.replace(item["id"][:-1], "")


def test_a_long_url_is_cut(qoder: Emulator, api: Client) -> None:
    """A state takes what a URL may have, a line less."""
    recorded = made(api)
    item = {"id": "vcred_00000000000000000000000000000002", "mcp_server_url": f"https://x.example/{'x' * 50_000}"}
    own = {"id": recorded.credential_ids[URL], "mcp_server_url": URL}
    qoder.fail_next("GET", "/vaults/*/credentials", listed(own, item), times=None)

    ((_, name),) = (seen(api, recorded).other_credentials or {}).items()

    assert (2048, "…") == (len(name), name[-1])
    assert len(line_of(operations.delete, api, recorded, QoderInUse("auto"))) < 1000


def test_states_that_lack_it_are_read() -> None:
    """As if nobody had looked, and nothing were forced; only what is true, or was seen, is written."""
    plain = recorded_with()
    written = vault.to_outputs(plain)
    assert {"force_destroy", "other_credentials"}.isdisjoint(written)
    assert plain == vault.to_recorded("vault_1", written)

    forced = recorded_with(force_destroy=True, other_credentials={"vcred_1": "access_token"})
    written = vault.to_outputs(forced)
    assert (True, {"vcred_1": "access_token"}) == (written["force_destroy"], written["other_credentials"]), "plain"
    assert forced == vault.to_recorded("vault_1", written)
    assert True is vault.to_refreshed_inputs(written)["force_destroy"]


# What the program asks for


@pytest.mark.parametrize("value", ["true", 1, 0, 1.0, [], {}, Secret("x")])
def test_force_destroy_is_a_boolean(value: Any) -> None:
    """Nothing else is, and what it was is not shown."""
    (problem,) = [item for item in check.check({"force_destroy": value}, allows_empty=True) if "force" in item.path]
    assert str(problem).startswith("force_destroy: must be a boolean, true or false, not a")


def test_force_destroy_is_written_where_it_is_true() -> None:
    """False, and nothing, are the same; what is unknown passes."""
    given_ = {"display_name": "v", "credentials": []}
    for value, expected in ((None, None), (False, None), (True, True), (UNKNOWN, UNKNOWN)):
        inputs = {**given_, "force_destroy": value}
        assert [] == [item for item in check.check(inputs, allows_empty=True) if not item.is_warning]
        assert expected == check.complete(inputs, {}).get("force_destroy")


WANTED = {"display_name": "v", "on_delete": "delete", "credentials": UNKNOWN, "status": "active"}


@pytest.mark.parametrize(
    ("changed", "names", "reasons"),
    [
        ({"display_name": "other", "on_delete": "archive"}, "on_delete", "display_name"),
        ({"display_name": "other", "force_destroy": True}, "force_destroy", "display_name"),
        ({"metadata": {"team": "b"}, "on_delete": "archive"}, "on_delete", "metadata"),
        ({"metadata": {"team": "b", "x": UNKNOWN}, "on_delete": "archive"}, "on_delete", "metadata"),
        (
            {"display_name": "other", "metadata": {}, "on_delete": "archive", "force_destroy": True},
            "on_delete and force_destroy",
            "display_name and metadata",
        ),
    ],
)
def test_a_replacement_with_other_rules_for_the_deletion_is_refused(changed: Any, names: str, reasons: str) -> None:
    """The old vault would go by what the state holds, and not by what the preview shows."""
    recorded = recorded_with(metadata={"team": "a"})

    line = diff(recorded, {**WANTED, "metadata": {"team": "a"}, **changed}).refusal

    assert line.startswith(f"{names}: must not change together with {reasons}, which replaces the vault: ")
    assert line.endswith(f"; run pulumi up with the change of {names} alone first")
    back = recorded_with(on_delete="archive", force_destroy=True, metadata={"team": "a"})
    assert diff(back, {**WANTED, "display_name": "other", "metadata": {"team": "a"}}).refusal


@pytest.mark.parametrize(
    "changed",
    [
        {"on_delete": "archive", "force_destroy": True},
        {"display_name": "other"},
        {"display_name": UNKNOWN, "on_delete": "archive"},
        {"display_name": "other", "on_delete": UNKNOWN, "force_destroy": UNKNOWN},
        {"metadata": {"team": UNKNOWN}, "on_delete": "archive"},
        {"metadata": UNKNOWN, "on_delete": "archive"},
    ],
)
def test_what_is_not_refused(changed: Any) -> None:
    """One without the other, and what is not known yet: the `up` knows it."""
    difference = diff(recorded_with(), {**WANTED, **changed})

    assert "" == difference.refusal
    assert difference.is_change


def test_a_replacement_that_was_forced_is_refused_as_well() -> None:
    """With `replaceOnChanges` the diff says `update`, and then the second check of a URN is without old inputs."""
    calls = Calls()
    old = {"display_name": "v", "credentials": [], "on_delete": "delete", "status": "active"}
    assert [{}, {}] == [calls.note_check("a", {}), calls.note_check("a", {"display_name": "v"})]
    calls.note_diff("a", "vault_1", old)
    assert [{}, old, {}] == [calls.note_check("b", {}), calls.note_check("a", {}), calls.note_check("", old)]

    (problem,) = check.check_replacement(old, {"display_name": "v", "on_delete": "archive"})
    assert (
        "on_delete: must not change in an up that replaces the vault: the old one is deleted by what the state holds "
        "of it; run pulumi up with the change of on_delete alone first"
    ) == str(problem)
    for replaced, inputs in (
        (old, {"display_name": "other"}),
        ({**old, "status": "archived"}, {"display_name": "v", "on_delete": "archive"}),
        (old, {"display_name": UNKNOWN, "on_delete": "archive"}),
        (old, {"credentials": [{"mcp_server_url": UNKNOWN}], "on_delete": "archive"}),
    ):
        assert [] == check.check_replacement(replaced, inputs)


def test_an_archived_vault_is_replaced_by_every_up() -> None:
    """So no change could come first: it is said what becomes of the old one."""
    archived = recorded_with(status="archived", other_credentials={"vcred_1": THEIRS})

    difference = diff(archived, {**WANTED, "display_name": "other", "on_delete": "archive", "force_destroy": True})

    assert ("", ("display_name", "status")) == (difference.refusal, difference.replaces)
    assert (
        "on_delete: is for the new vault; the archived one, vault_1, is deleted, as the state says",
    ) == difference.warnings


def test_a_replacement_warns_of_what_the_state_knows_of_others() -> None:
    """But where the state holds that they may go, or nobody is known, or nothing is replaced."""
    renamed = {**WANTED, "display_name": "other"}
    known = recorded_with(other_credentials={"vcred_1": THEIRS})

    (line,) = diff(known, renamed).warnings

    assert line.startswith("vault vault_1 is to be replaced, and it holds 1 credential that is not in the state")
    assert f"vcred_1 ({THEIRS})" in line
    for recorded, wanted in (
        (replace(known, other_credentials={}), renamed),
        (replace(known, other_credentials=None), renamed),
        (replace(known, force_destroy=True), {**renamed, "force_destroy": True}),
        (known, WANTED),
    ):
        assert () == diff(recorded, wanted).warnings


# What the run asks for


@pytest.mark.parametrize("value", ["true", "TRUE", " True ", "1", "yes", "on"])
def test_a_run_may_force(value: str) -> None:
    """In the forms that people write."""
    assert force_destroy({"QODER_FORCE_DESTROY": value})


@pytest.mark.parametrize("environment", [{}, *({"QODER_FORCE_DESTROY": value} for value in ("", " ", "false", "0"))])
def test_a_run_forces_nothing_by_itself(environment: Mapping[str, str]) -> None:
    """A blank one counts as absent."""
    assert not force_destroy(environment)


@pytest.mark.parametrize("value", ["y", "2", "treu", TOKEN])
def test_what_is_neither_is_an_error(value: str) -> None:
    """It names the variable and the forms, and not the value."""
    line = line_of(force_destroy, {"QODER_FORCE_DESTROY": value})
    assert "QODER_FORCE_DESTROY: must be true or false (1, yes, on; 0, no, off)" == line
