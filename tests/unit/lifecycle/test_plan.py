"""What changes, and what is to be done about it: carrying out the plan on what is observed gives what is desired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.lifecycle.capabilities import BY_REVISION
from pulumi_qoder_vault.lifecycle.differences import Change, Difference
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN
from pulumi_qoder_vault.lifecycle.model import (
    Credential,
    DesiredSet,
    ObservedCredential,
    Place,
    RecordedVault,
    Revision,
)
from pulumi_qoder_vault.lifecycle.plan import Op, Step, plan, preview_ids
from pulumi_qoder_vault.lifecycle.vault.diff import diff
from pulumi_qoder_vault.secret import Secret
from unit.lifecycle.records import R05, R07, bearer, observed, recorded_vault, with_protocol

URLS = [f"https://{letter}.example/mcp" for letter in "abcd"]

credentials = st.lists(
    st.builds(
        bearer,
        st.sampled_from(URLS),
        st.sampled_from(["one", "two", "three"]).map(Secret),
        st.sampled_from(["sse", "streamable_http"]),
    ),
    unique_by=lambda item: item.key,
    max_size=4,
).map(tuple)
revisions = st.sampled_from([R05, R07])


def recorded_with(items: Sequence[Credential], **fields: object) -> RecordedVault:
    return recorded_vault(*items, **fields)


def observed_of(recorded: RecordedVault, revision: Revision) -> list[ObservedCredential]:
    return [observed(recorded.credential_ids[item.key], item.key, revision) for item in recorded.credentials]


def inputs_of(items: Sequence[Credential], **fields: object) -> dict[str, object]:
    given_ = [
        {"mcp_server_url": item.key, "access_token": item.secret, "protocol": item.properties["protocol"]}
        for item in items
    ]
    return {"display_name": "v", "on_delete": "delete", "credentials": given_, **fields}


def carried_out(
    steps: Sequence[Step], recorded: RecordedVault, revision: Revision
) -> tuple[dict[str, tuple[str, Credential]], list[set[str]]]:
    """What is there afterwards, by id; and which URLs had a credential after each step."""
    there = {recorded.credential_ids[item.key]: item for item in recorded.credentials}
    had = []
    for number, step in enumerate(steps):
        if step.op is Op.CREATE:
            assert step.credential is not None
            there[f"new_{number}"] = step.credential
        elif step.op is Op.UPDATE:
            assert step.credential is not None
            assert revision is R07, "2026-05 has no update"
            there[str(step.credential_id)] = step.credential
        else:
            del there[str(step.credential_id)]
        had.append({item.key for item in there.values()})
    return {item.key: (id_, item) for id_, item in there.items()}, had


@given(credentials, credentials, revisions)
def test_the_plan_carried_out_gives_what_is_desired(
    before: tuple[Credential, ...], after: tuple[Credential, ...], revision: Revision
) -> None:
    """Exactly the desired URLs with the desired access tokens; on 2026-05 with the desired protocols, too."""
    recorded = recorded_with(before)

    steps = plan(recorded, DesiredSet(credentials=after), observed_of(recorded, revision), BY_REVISION[revision])

    there, _ = carried_out(steps, recorded, revision)
    assert {item.key: item.secret for item in after} == {url: item.secret for url, (_, item) in there.items()}
    if revision is R05:
        assert set(after) == {item for _, item in there.values()}


@given(credentials, credentials, revisions)
def test_no_order_of_steps_leaves_a_url_without_a_credential(
    before: tuple[Credential, ...], after: tuple[Credential, ...], revision: Revision
) -> None:
    """What was there and shall be there is there after every step."""
    recorded = recorded_with(before)
    stays = {item.key for item in before} & {item.key for item in after}

    steps = plan(recorded, DesiredSet(credentials=after), observed_of(recorded, revision), BY_REVISION[revision])

    _, had = carried_out(steps, recorded, revision)
    assert [] == [stays - urls for urls in had if not stays <= urls]


@given(credentials, credentials, revisions)
def test_what_does_not_change_has_no_step(
    before: tuple[Credential, ...], after: tuple[Credential, ...], revision: Revision
) -> None:
    """No write for a credential that is as it was, nor for one that the program never declared."""
    recorded = recorded_with(before)
    foreign = observed("vcred_foreign", URLS[0], revision)
    same = set(before) & set(after)

    steps = plan(
        recorded, DesiredSet(credentials=after), [*observed_of(recorded, revision), foreign], BY_REVISION[revision]
    )

    touched = {step.credential_id for step in steps}
    assert "vcred_foreign" not in touched
    assert set() == touched & {recorded.credential_ids[item.key] for item in same}


@given(credentials, st.randoms(), revisions)
def test_equal_vaults_need_nothing(items: tuple[Credential, ...], random: object, revision: Revision) -> None:
    """In any order: no difference, and an empty plan."""
    recorded = recorded_with(items)
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert Difference(is_change=False) == diff(recorded, inputs_of(shuffled))
    assert () == plan(
        recorded, DesiredSet(credentials=tuple(shuffled)), observed_of(recorded, revision), BY_REVISION[revision]
    )


@given(credentials, credentials)
def test_diff_and_plan_agree(before: tuple[Credential, ...], after: tuple[Credential, ...]) -> None:
    """On 2026-05, where everything is sent: there is a difference exactly if there is something to be done."""
    recorded = recorded_with(before)

    steps = plan(recorded, DesiredSet(credentials=after), observed_of(recorded, R05), BY_REVISION[R05])

    assert bool(steps) is diff(recorded, inputs_of(after)).is_change


@given(credentials, st.sampled_from(["access_token", "mcp_server_url", "protocol", "element", "list"]))
def test_what_is_unknown_counts_as_changed(items: tuple[Credential, ...], what: str) -> None:
    """A preview shows an update rather than nothing, and no replace."""
    inputs = inputs_of(items)
    given_ = inputs["credentials"]
    assert isinstance(given_, list)
    if what == "list":
        inputs["credentials"] = UNKNOWN
    elif what == "element" or not given_:
        given_.append(UNKNOWN)
    else:
        given_[0][what] = UNKNOWN

    difference = diff(recorded_with(items), inputs)
    assert (True, (), False) == (difference.is_change, difference.replaces, difference.is_hidden)
    assert {"credentials"} == {path[0] for path in difference.details}


@pytest.mark.parametrize(
    ("expected", "fields", "recorded"),
    [
        (("display_name",), {"display_name": "w"}, {}),
        (("metadata",), {"metadata": {"team": "tools"}}, {}),
        (("metadata",), {}, {"metadata": {"team": "tools"}}),
        (("status",), {}, {"status": "archived"}),
        (("display_name", "status"), {"display_name": UNKNOWN}, {"status": "archived"}),
    ],
)
def test_what_forces_another_vault(expected: tuple[str, ...], fields: dict[str, Any], recorded: dict[str, Any]) -> None:
    """The API has no vault update, and there is no way back from an archive."""
    assert expected == diff(recorded_with((), **recorded), inputs_of((), **fields)).replaces


def test_what_forces_no_other_vault() -> None:
    """`on_delete` is recorded; times, revision and place are no difference."""
    archives = diff(recorded_with(()), inputs_of((), on_delete="archive"))
    assert Difference(is_change=True, details={("on_delete",): Change.UPDATE}) == archives
    archived = recorded_with((), status="archived")
    assert Difference(is_change=False) == diff(archived, inputs_of((), status="archived")), "a second refresh"
    moved = recorded_with((), created_at="2026-01-01T00:00:00Z", api_revision=R07, place=Place("https://other", "ws"))
    assert Difference(is_change=False) == diff(moved, inputs_of(()))


def test_unfinished_work_is_a_change_that_inputs_do_not_show() -> None:
    """A refresh in between forgets nothing: leftovers are deleted, and nothing else."""
    one = bearer(URLS[0], Secret("one"))
    recorded = recorded_with([one], unfinished=("vcred_left", "vcred_gone"))
    left = observed("vcred_left", URLS[0], R05)

    assert Difference(is_change=True, is_hidden=True) == diff(recorded, inputs_of([one]))
    steps = plan(recorded, DesiredSet(credentials=(one,)), [*observed_of(recorded, R05), left], BY_REVISION[R05])
    assert [(Op.DELETE, "vcred_left")] == [(step.op, step.credential_id) for step in steps]


def test_every_change_is_told_by_its_path() -> None:
    """The index is that of the new list, for a removal that of the old one; a rotation is a count that goes up."""
    a, b, c = (bearer(url, Secret("one")) for url in URLS[:3])
    desired = inputs_of(
        [with_protocol(b.with_secret(Secret("two")), "sse"), bearer(URLS[3], Secret("one")), c],
        rotations={URLS[1]: 1, URLS[2]: 0, URLS[3]: 0},
        metadata={"team": "tools", "old": "1"},
    )

    assert {
        ("metadata", "team"): Change.UPDATE,
        ("metadata", "gone"): Change.DELETE,
        ("credentials", 0, "access_token"): Change.UPDATE,
        ("credentials", 0, "protocol"): Change.UPDATE,
        ("credentials", 1): Change.ADD,
        ("credentials", 0): Change.DELETE,
        ("rotations", URLS[0]): Change.DELETE,
        ("rotations", URLS[1]): Change.UPDATE,
        ("rotations", URLS[3]): Change.ADD,
    } == diff(recorded_with([a, b, c], metadata={"team": "t", "old": "1", "gone": ""}), desired).details


def test_an_access_token_that_is_not_given_is_no_change() -> None:
    """After an import Qoder's stays; filled in, it is sent."""
    imported = recorded_with([bearer(URLS[0], None)])

    assert Difference(is_change=False) == diff(imported, inputs_of([bearer(URLS[0], None)]))
    filled = [bearer(URLS[0], Secret("one"))]
    assert {("credentials", 0, "access_token"): Change.ADD} == diff(imported, inputs_of(filled)).details
    steps = plan(imported, DesiredSet(credentials=tuple(filled)), observed_of(imported, R07), BY_REVISION[R07])
    assert [Op.UPDATE] == [step.op for step in steps]


def test_a_credential_of_another_type_is_a_change() -> None:
    """A state may hold a type that a vault does not declare, such as one that was imported."""
    recorded = recorded_with([Credential("mcp_oauth", {"mcp_server_url": URLS[0], "access_token": Secret("one")})])
    wanted = inputs_of([bearer(URLS[0], Secret("one"))])

    assert Change.UPDATE == diff(recorded, wanted).details["credentials", 0, "type"]


def test_metadata_alone_is_updated_in_place_on_any_form() -> None:
    """Where there is metadata to be changed, there is the call: no other credential takes its place."""
    before, after = (replace(bearer(URLS[0], Secret("one")), metadata=metadata) for metadata in ({"a": "b"}, None))
    recorded = recorded_with([before])
    steps = plan(recorded, DesiredSet(credentials=(after,)), observed_of(recorded, R05), BY_REVISION[R05])
    assert [Op.UPDATE] == [step.op for step in steps]


def test_a_type_that_is_not_known_yet_keeps_the_ids() -> None:
    """A vault declares one type only, so that nothing else can come."""
    recorded = recorded_with([bearer(URLS[0], Secret("one"))])
    item = {"mcp_server_url": URLS[0], "access_token": Secret("one"), "protocol": "streamable_http", "type": UNKNOWN}
    assert {URLS[0]: "vcred_a"} == preview_ids(recorded, [item], BY_REVISION[R05])
