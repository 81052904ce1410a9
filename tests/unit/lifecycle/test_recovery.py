"""A lost response: what is made is made once, and what cannot be known is said."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from documents import REPOSITORY, blocks
from pulumi_qoder_vault import errors
from pulumi_qoder_vault.emulator import Commit, Effect, Ending, Fault
from pulumi_qoder_vault.lifecycle import recovery
from pulumi_qoder_vault.lifecycle.model import (
    CredentialSet,
    PartialState,
    RecordedVault,
)
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL
from unit.lifecycle.records import desired_vault
from unit.lifecycle.world import (
    JSON,
    NEW_ONE,
    ONE,
    OTHER_URL,
    TOKENS,
    TWO,
    URL,
    World,
    failure_of,
    line_of,
    tokens_of,
)

LOST = [
    Fault.DROP_AFTER_COMMIT,
    Fault.RESET_AFTER_COMMIT,
    Fault.TRUNCATED_AFTER_COMMIT,
    Fault.CUT_JSON_AFTER_COMMIT,
    Fault.HTML_200_AFTER_COMMIT,
    Fault.ERROR_AFTER_COMMIT,
    Fault.BAD_GATEWAY_AFTER_COMMIT,
    Fault.UNAVAILABLE_AFTER_COMMIT,
    Fault.REQUEST_TIMEOUT_AFTER_COMMIT,
    Fault.DROP_BEFORE_COMMIT,
]


BEFORE = [
    Fault.DROP_BEFORE_COMMIT,
    Fault.RESET_BEFORE_COMMIT,
    Fault.HTML_200,
    Fault.REQUEST_TIMEOUT,
    Fault.ERROR_BEFORE_COMMIT,
    Fault.BAD_GATEWAY_BEFORE_COMMIT,
    Fault.UNAVAILABLE_BEFORE_COMMIT,
]
EXPLICIT = pytest.mark.parametrize("revision", ["2026-05", "2026-07"])


@pytest.mark.parametrize("fault", [*LOST, *BEFORE], ids=repr)
@EXPLICIT
def test_a_lost_answer_to_a_create_makes_one_vault(world_of: Callable[..., World], revision: str, fault: Fault) -> None:
    """Where Qoder honours the key, there is one vault in the end, and it is recorded as if nothing had happened."""
    world = world_of(revision, revision)
    world.qoder.fail_next("POST", "/vaults", fault)

    recorded = world.create(desired_vault(ONE, TWO))

    assert [recorded.vault_id] == [vault.id for vault in world.qoder.vaults]
    assert (tokens_of(ONE, TWO), None) == (world.active, recorded.unfinished)


@pytest.mark.parametrize("fault", [*LOST, *BEFORE], ids=repr)
@EXPLICIT
def test_a_lost_answer_where_the_key_is_ignored(world_of: Callable[..., World], revision: str, fault: Fault) -> None:
    """On 2026-07 our mark tells. On 2026-05 nothing does: both are kept, and the `up` fails once, naming the other."""
    world = world_of(revision, revision, idempotency=False)
    world.qoder.fail_next("POST", "/vaults", fault)
    if revision == "2026-07" or fault in BEFORE:
        recorded = world.create(desired_vault(ONE, TWO))
        assert [recorded.vault_id] == [vault.id for vault in world.qoder.vaults]
        assert tokens_of(ONE, TWO) == world.active
        return

    failure = failure_of(world.create, desired_vault(ONE, TWO))

    first, second = (vault.id for vault in world.qoder.vaults)
    assert isinstance(failure, PartialState)
    assert (second, (ONE, TWO), ()) == (
        failure.recorded.vault_id,
        failure.recorded.credentials,
        failure.recorded.unfinished,
    )
    assert f"made vault {second}, which is recorded and complete; {first}, of the same name and time, is left" in str(
        failure
    )
    world.qoder.clear_requests()
    assert None is world.update(failure.recorded, desired_vault(ONE, TWO)).unfinished
    assert [("GET", 200)] == [(item.method, item.status) for item in world.qoder.requests]


@EXPLICIT
@pytest.mark.parametrize("idempotency", [True, False])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.DROP_BEFORE_COMMIT], ids=repr)
def test_a_twin_of_another_stack_is_neither_adopted_nor_deleted(
    world_of: Callable[..., World], revision: str, idempotency: bool, fault: Fault
) -> None:
    """One of the same name and URL, made in the same second by somebody else, stays as it is, in no state of ours."""
    world = world_of(revision, revision, idempotency=idempotency)
    twin = world.qoder.add_vault(
        "my-mcp-vault", metadata={"pulumi_create_id": "theirs"} if revision == "2026-07" else {}
    )
    world.qoder.add_credential(twin.id, URL, "their-token")
    before = world.qoder.vaults
    world.qoder.fail_next("POST", "/vaults", fault)

    try:
        recorded: CredentialSet = world.create(desired_vault(ONE))
    except PartialState as failure:
        assert (revision, True) == ("2026-05", twin.id in str(failure))  # noqa: PT017 the others do not fail
        recorded = failure.recorded

    assert recorded.vault_id != twin.id
    assert before == [vault for vault in world.qoder.vaults if vault.id == twin.id]


def test_an_older_vault_of_the_name_is_no_suspect(
    world_of: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names may repeat: what was there before we began has nothing to do with us."""
    monkeypatch.setattr(recovery, "PAUSES_S", (0.0,))  # they pass by the fake time, and Qoder's by the real one
    world = world_of("2026-05", idempotency=False)
    world.qoder.add_vault("my-mcp-vault")
    time.sleep(1.1)  # Qoder's clock is read from a header that has whole seconds
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)

    world.create(desired_vault(ONE))

    assert 2 == len(world.qoder.vaults)


def test_a_vault_that_vanishes_while_it_is_looked_at_is_no_suspect(world_of: Callable[..., World]) -> None:
    """Somebody's vault of the name was listed, and is gone when its credentials are asked for: the create goes on."""
    world = world_of("2026-05", "2026-05")
    theirs = world.qoder.add_vault("my-mcp-vault")
    gone = Effect(
        "gone since",
        status=404,
        headers=JSON,
        body={"type": "error", "error": {"type": "not_found_error", "message": "Vault was not found."}},
    )
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next("GET", f"/vaults/{theirs.id}/**", gone, times=None)
    world.qoder.fail_next("GET", f"/vaults/{theirs.id}", gone, times=None)

    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()


def test_a_404_that_is_not_genuine_is_no_proof_that_a_vault_vanished(world_of: Callable[..., World]) -> None:
    """A proxy's 404 does not clear a vault of suspicion."""
    world = world_of("2026-05", "2026-05")
    world.qoder.add_vault("my-mcp-vault")
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.HTML_404)

    assert "the outcome is unknown" in str(failure_of(world.create, desired_vault(ONE)))


def slow_clock() -> datetime:
    """The times of vaults come from a clock that is some seconds behind the `Date` of the responses."""
    return datetime.now(UTC) - timedelta(seconds=4)


@pytest.mark.parametrize("idempotency", [True, False])
@EXPLICIT
def test_qoders_own_clocks_may_differ(world_of: Callable[..., World], revision: str, idempotency: bool) -> None:
    """Our mark counts whatever the time says; where there is none, the other vault is named, not missed."""
    world = world_of(revision, revision, idempotency=idempotency, clock=slow_clock)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)

    if (revision, idempotency) == ("2026-05", False):
        failure = failure_of(world.create, desired_vault(ONE))
        assert f"{world.qoder.vaults[0].id}, of the same name and time, is left alone" in str(failure)
    else:
        assert [world.create(desired_vault(ONE)).vault_id] == [vault.id for vault in world.qoder.vaults]


def two_with_our_mark(world: World) -> None:
    """The first sending is handled while the second one is, too."""
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_COMMIT_LATER, delay_s=0.5)
    slow = Effect("Handled, and the connection closes late.", Commit.FIRST, Ending.CLOSED, delay_s=1.0)
    world.qoder.fail_next("POST", "/vaults", slow)


def test_of_two_with_our_mark_one_is_kept(world_of: Callable[..., World]) -> None:
    """Both are provably ours: the other is deleted again."""
    world = world_of("2026-07", "2026-07", idempotency=False)
    two_with_our_mark(world)

    recorded = world.create(desired_vault(ONE))

    assert [recorded.vault_id] == [vault.id for vault in world.qoder.vaults]
    assert 1 == sum(line == "DELETE /vaults/V 200" for line in world.asked)


def test_of_two_with_our_mark_the_one_that_stays_is_named(world_of: Callable[..., World]) -> None:
    """Where the other cannot be deleted again, the `up` fails once and names it."""
    world = world_of("2026-07", "2026-07", idempotency=False)
    two_with_our_mark(world)
    world.qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)

    failure = failure_of(world.create, desired_vault(ONE))

    kept, other = sorted(vault.id for vault in world.qoder.vaults)
    assert (kept, True) == (failure.recorded.vault_id, f"; {other}, of the same name" in str(failure))


@pytest.mark.parametrize("idempotency", [True, False])
@EXPLICIT
def test_a_create_still_in_work_is_waited_for(
    world_of: Callable[..., World], revision: str, idempotency: bool, fake_time: Any
) -> None:
    """The connection breaks, and the vault appears later: one vault, where the key is honoured or the mark is seen."""
    fake_time.really_s = 0.3
    world = world_of(revision, revision, idempotency=idempotency, fault_delay_s=0.2)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_COMMIT_LATER)

    try:
        recorded: CredentialSet = world.create(desired_vault(ONE))
    except PartialState as failure:
        assert ("2026-05", False) == (revision, idempotency)
        recorded = failure.recorded

    assert (2 if (revision, idempotency) == ("2026-05", False) else 1) == len(world.qoder.vaults)
    assert recorded.vault_id in [vault.id for vault in world.qoder.vaults]


def test_a_409_on_the_second_sending_is_in_work(world_of: Callable[..., World], fake_time: Any) -> None:
    """The look-up comes before the commit: the second sending meets the first, and a later one is its replay."""
    fake_time.really_s = 0.2
    world = world_of("2026-05", "2026-05", fault_delay_s=0.65)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_COMMIT_LATER)

    recorded = world.create(desired_vault(ONE))

    statuses = [item.status for item in world.qoder.requests if item.method == "POST"]
    assert ([recorded.vault_id], 409, 201) == ([vault.id for vault in world.qoder.vaults], statuses[1], statuses[-1])


@EXPLICIT
def test_what_cannot_be_found_out_is_said(world_of: Callable[..., World], revision: str) -> None:
    """Qoder stays away: the error names the vault that may exist, and where; the look-up ends after 30 s."""
    world = world_of(revision, revision)
    world.qoder.fail_next("*", "/**", Fault.DROP_BEFORE_COMMIT, times=None)

    failure = failure_of(world.create, desired_vault(ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "; the outcome is unknown (GET /vaults: " in str(failure)
    assert str(failure).endswith(
        f"): a vault named 'my-mcp-vault' may exist at {world.qoder.base_url}: look for it, and delete it, before "
        "the next pulumi up creates another one"
    )


def test_a_suspect_is_named_where_the_second_sending_fails(founding: World) -> None:
    """The look-up found one that may be ours, and then Qoder refused."""
    founding.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    founding.qoder.fail_next("POST", "/vaults", Fault.FORBIDDEN)

    failure = failure_of(founding.create, desired_vault(ONE))

    assert f"a vault named 'my-mcp-vault', such as {founding.qoder.vaults[0].id}, may exist" in str(failure)


def test_a_name_that_holds_a_secret_or_a_line_break_is_made_fit(founding: World) -> None:
    """Also our own text about a vault is one line without an access token."""
    founding.qoder.fail_next("*", "/vaults", Fault.DROP_AFTER_COMMIT, times=None)

    line = line_of(founding.create, replace(desired_vault(ONE), display_name=f"a\nb {TOKENS[0]}"))

    assert "a vault named 'a b ***' may exist" in line


@EXPLICIT
def test_equal_vaults_of_one_program_with_lost_answers(
    world_of: Callable[..., World], revision: str, fake_time: Any
) -> None:
    """Made at the same time, each finds its own."""
    fake_time.really_s = 0.3  # all of them are sent before one is sent again
    world = world_of(revision, revision)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT, times=4)
    made: list[RecordedVault] = []
    threads = [threading.Thread(target=lambda: made.append(world.create(desired_vault(ONE)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 4 == len({item.vault_id for item in made}) == len(world.qoder.vaults)
    for vault in world.qoder.vaults:
        assert [URL] == [item.mcp_server_url for item in vault.credentials]


@pytest.mark.parametrize("switches", [{}, {"idempotency": False}, {"idempotency": False, "unique_url": False}], ids=str)
@pytest.mark.parametrize("fault", [*LOST, *BEFORE], ids=repr)
@EXPLICIT
def test_a_lost_answer_to_a_credential_makes_one(
    world_of: Callable[..., World], revision: str, fault: Fault, switches: dict[str, Any]
) -> None:
    """Added to a vault: whatever was lost, there is one credential in the end, and it is recorded."""
    world = world_of(revision, revision, **switches)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", fault)

    updated = world.update(recorded, desired_vault(ONE, TWO))

    (vault,) = world.qoder.vaults
    assert {item.id: item.access_token for item in vault.credentials} == {
        updated.credential_ids[item.key]: item.secret.reveal() for item in (ONE, TWO) if item.secret
    }


@pytest.mark.parametrize("fault", [*LOST, *BEFORE], ids=repr)
def test_a_rotation_whose_refusal_is_lost_goes_on(founding: World, fault: Fault) -> None:
    """The 409 that lets the old one go first may be the response that was lost: it comes again, and is obeyed."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", fault)

    founding.update(recorded, desired_vault(NEW_ONE, TWO))

    assert tokens_of(NEW_ONE, TWO) == founding.active


def test_a_rotation_that_stays_in_work_removes_nothing(world_of: Callable[..., World], fake_time: Any) -> None:
    """A 409 because the first sending is still in work does not say that the URL is taken: the old one is kept.

    A create with another key tells the two apart; it is taken back.
    """
    fake_time.really_s = 0.02
    world = world_of("2026-05", unique_url=False, fault_delay_s=1.0)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_COMMIT_LATER)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "is still in work (409 conflict_error" in str(failure)
    posts = [item for item in world.qoder.requests if item.method == "POST"]
    assert [409, 409, 409, 201] == [item.status for item in posts[1:]]
    assert [4, 1] == [*Counter(item.headers["idempotency-key"] for item in posts).values()]
    assert tokens_of(ONE) == world.active


def test_a_rotation_in_work_where_a_second_credential_is_refused(
    world_of: Callable[..., World], fake_time: Any
) -> None:
    """The old one explains the refusal, whatever became of the first sending: it goes first."""
    fake_time.really_s = 0.02
    world = world_of("2026-05", unique_url=True, fault_delay_s=1.0)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_COMMIT_LATER)

    world.update(recorded, desired_vault(NEW_ONE))

    assert tokens_of(NEW_ONE) == world.active


def test_a_credential_that_cannot_be_found_out_is_said(world: World) -> None:
    """Qoder stays away after a credential was asked for: the error names the vault and the URL."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert str(failure).endswith(
        f": vault {recorded.vault_id} at {world.qoder.base_url} may hold a credential for {OTHER_URL} that is in no "
        "state: look for it, and delete it"
    )


EMPTY_LIST = Effect("a list that lags behind", status=200, headers=JSON, body={"data": [], "has_more": False})
NOT_FOUND = Effect(
    "a 404 of the API itself",
    status=404,
    headers=JSON,
    body={"type": "error", "error": {"type": "not_found_error", "message": "It was not found."}},
)


REFUSAL = {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}


def test_a_create_that_stays_in_work_is_said_to_be_unknown(founding: World) -> None:
    """Each further sending meets the first one, and no look finds its vault: the manual shows what is said."""
    founding.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    founding.qoder.fail_next("POST", "/vaults", Fault.CONFLICT, times=len(recovery.PAUSES_S))

    line = line_of(founding.create, desired_vault(ONE))

    assert line.startswith("POST /vaults: the connection to ")
    (shown,) = blocks("text", REPOSITORY / "docs" / "recovery.md")
    assert line.endswith(shown.strip().replace("…", ";").replace(DEFAULT_BASE_URL, founding.qoder.base_url))


def test_the_last_look_may_find_the_vault(current: World) -> None:
    """It comes after the last sending: a list that lagged behind shows our mark at last."""
    current.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    current.qoder.fail_next("POST", "/vaults", Fault.CONFLICT, times=len(recovery.PAUSES_S))
    current.qoder.fail_next("GET", "/vaults", EMPTY_LIST, times=len(recovery.PAUSES_S))

    recorded = current.create(desired_vault(ONE))

    assert [recorded.vault_id] == [vault.id for vault in current.qoder.vaults]
    assert tokens_of(ONE) == current.active


def test_a_body_that_is_refused_was_refused_the_first_time(founding: World) -> None:
    """A 400 for the second sending of the same body proves that the first one made nothing."""
    founding.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    founding.qoder.fail_next("POST", "/vaults", Effect("a 400", status=400, headers=JSON, body=REFUSAL))

    failure = failure_of(founding.create, desired_vault(ONE))

    assert isinstance(failure, errors.BadRequest)
    assert "the outcome is unknown" not in str(failure)


@pytest.mark.parametrize(
    ("fault", "is_named"),
    [(NOT_FOUND, True), (replace(NOT_FOUND, commit=Commit.FIRST), False), (Fault.HTML_404, True)],
    ids=["404 though it is there", "404 and it is gone", "404 of a proxy"],
)
def test_of_two_with_our_mark_one_may_be_gone_already(
    world_of: Callable[..., World], fault: Fault | Effect, is_named: bool
) -> None:
    """A 404 to the DELETE proves nothing; the vault itself is asked, and named if it is there."""
    world = world_of("2026-07", "2026-07", idempotency=False)
    two_with_our_mark(world)
    world.qoder.fail_next("DELETE", "/vaults/*", fault)

    if not is_named:
        assert world.create(desired_vault(ONE)).vault_id == min(vault.id for vault in world.qoder.vaults)
        return
    failure = failure_of(world.create, desired_vault(ONE))
    assert f"; {max(vault.id for vault in world.qoder.vaults)}, of the same name" in str(failure)


def test_a_candidate_whose_time_cannot_be_read_is_named(world_of: Callable[..., World]) -> None:
    """Nothing proves that it was there before us."""
    world = world_of("2026-05", "2026-05")
    other = world.qoder.add_vault("my-mcp-vault")
    shown = {"type": "vault", "display_name": "my-mcp-vault", "status": "active", "metadata": {}}
    listed = {"id": other.id, **shown, "created_at": "soon", "updated_at": "soon"}
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next(
        "GET", "/vaults", Effect("a list", status=200, headers=JSON, body={"data": [listed], "has_more": False})
    )

    failure = failure_of(world.create, desired_vault(ONE))

    assert isinstance(failure, PartialState)
    assert f"{other.id}, of the same name and time, is left alone" in str(failure)


def test_the_last_look_may_find_the_credential(world: World) -> None:
    """As with a vault: it comes after the last sending, and what it finds is recorded."""
    recorded = world.create(desired_vault(ONE))
    path = "/vaults/*/credentials"
    world.qoder.fail_next("POST", path, Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("POST", path, Fault.CONFLICT, times=len(recovery.PAUSES_S))
    world.qoder.fail_next("GET", path, EMPTY_LIST, skip=1, times=len(recovery.PAUSES_S))

    updated = world.update(recorded, desired_vault(ONE, TWO))

    assert tokens_of(ONE, TWO) == world.active
    (vault,) = world.qoder.vaults
    assert {item.mcp_server_url: item.id for item in vault.credentials} == updated.credential_ids


def test_a_refusal_of_the_second_sending_clears_no_candidate(founding: World) -> None:
    """The first one may have been taken all the same, as the vault that was found may show: it is named."""
    founding.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    founding.qoder.fail_next("POST", "/vaults", Effect("a 400", status=400, headers=JSON, body=REFUSAL))

    failure = failure_of(founding.create, desired_vault(ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert f"a vault named 'my-mcp-vault', such as {founding.qoder.vaults[0].id}, may exist" in str(failure)


# A run that is over


@EXPLICIT
def test_a_run_that_is_over_looks_for_a_vault_and_sends_nothing_again(
    world_of: Callable[..., World], revision: str, fake_time: Any
) -> None:
    """The first sending may still be in work: nobody can say what became of it."""
    world = world_of(revision, revision, idempotency=False)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    fake_time.end_in(1.0)

    failure = failure_of(world.create, desired_vault(ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "; the outcome is unknown: a vault named 'my-mcp-vault' may exist at " in str(failure)
    assert 1 == len(world.qoder.writes)
    assert "GET /vaults 200" in world.asked


def test_a_run_that_is_over_names_a_candidate(world_of: Callable[..., World], fake_time: Any) -> None:
    """On 2026-05 what was made looks like anybody's."""
    world = world_of("2026-05", "2026-05", idempotency=False)
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    fake_time.end_in(1.0)

    failure = failure_of(world.create, desired_vault(ONE))

    (vault,) = world.qoder.vaults
    assert isinstance(failure, errors.OutcomeUnknown)
    assert f"a vault named 'my-mcp-vault', such as {vault.id}, may exist at " in str(failure)
    assert 1 == len(world.qoder.writes)


def test_a_run_that_is_over_still_finds_our_mark(current: World, fake_time: Any) -> None:
    """The look may show what was made: it is recorded."""
    current.qoder.fail_next("POST", "/vaults", Fault.DROP_AFTER_COMMIT)
    fake_time.end_in(1.0)

    recorded = current.create(desired_vault(ONE))

    assert [recorded.vault_id] == [vault.id for vault in current.qoder.vaults]
    assert tokens_of(ONE) == current.active


@pytest.mark.parametrize("after_s", [1.0, 4.0])
def test_a_run_that_is_over_sends_no_credential_again(world: World, fake_time: Any, after_s: float) -> None:
    """Cancelled in the first or the second pause: a look, no second sending, and the vault and the URL are named."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)
    world.qoder.clear_requests()
    fake_time.end_in(after_s)

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert f"; the outcome is unknown: vault {recorded.vault_id} at {world.qoder.base_url} may hold a" in str(failure)
    assert str(failure).endswith(f"for {OTHER_URL} that is in no state: look for it, and delete it")
    assert 1 == len(world.qoder.writes)
    assert tokens_of(ONE) == world.active


def test_a_run_that_is_over_still_finds_its_credential(world: World, fake_time: Any) -> None:
    """The look shows one that was not there before."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT)
    fake_time.end_in(1.0)

    updated = world.update(recorded, desired_vault(ONE, TWO))

    assert {URL, OTHER_URL} == updated.credential_ids.keys()
    assert tokens_of(ONE, TWO) == world.active


# The probe


def in_work(world: World) -> None:
    """The first sending of a create stays in work, as each later one with its key is told."""
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CONFLICT, times=len(recovery.PAUSES_S) - 1)


DELETION, ARCHIVING = ("DELETE", "/vaults/*/credentials/*"), ("POST", "/vaults/*/credentials/*/archive")


@pytest.mark.parametrize("refused", [[], [DELETION], [DELETION, ARCHIVING]])
def test_a_probe_is_taken_back_or_named(world_of: Callable[..., World], refused: list[tuple[str, str]]) -> None:
    """It is deleted, or archived; what neither is done to may be used, so that its id is in the error."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    in_work(world)
    for method, path in refused:
        world.qoder.fail_next(method, path, Fault.FORBIDDEN, times=None)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    (vault,) = world.qoder.vaults
    others = [item for item in vault.credentials if item.id not in recorded.credential_ids.values()]
    assert {0: [], 1: ["archived"], 2: ["active"]}[len(refused)] == [item.status for item in others]
    named = f"may hold a credential for {URL}, such as {others[0].id}, that is in no state" if others else ""
    assert (len(refused) == 2) is (named != "" and named in str(failure))
    assert recorded.credential_ids[URL] in [item.id for item in vault.credentials if item.status == "active"]


def test_a_probe_that_fails_explains_nothing(world_of: Callable[..., World]) -> None:
    """The old one is kept, and what became of the first sending is said to be unknown."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    in_work(world)
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=len(recovery.PAUSES_S))

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "such as" not in str(failure)
    assert tokens_of(ONE) == world.active


def test_of_two_with_our_mark_one_that_nobody_shows_is_named(world_of: Callable[..., World]) -> None:
    """Neither its deletion nor a GET says that it is gone."""
    world = world_of("2026-07", "2026-07", idempotency=False)
    two_with_our_mark(world)
    world.qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)
    world.qoder.fail_next("GET", "/vaults/*", Fault.FORBIDDEN, times=None)

    failure = failure_of(world.create, desired_vault(ONE))

    assert f"; {max(vault.id for vault in world.qoder.vaults)}, of the same name" in str(failure)


def test_a_create_in_work_that_no_list_shows_is_unknown(world: World) -> None:
    """Nothing with its URL is there to explain the 409s, so that no other create asks: nobody can say."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CONFLICT, times=len(recovery.PAUSES_S) - 1)
    world.qoder.clear_requests()

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert isinstance(failure, errors.OutcomeUnknown)
    posts = [item for item in world.qoder.requests if item.method == "POST"]
    assert 1 == len({item.headers["idempotency-key"] for item in posts})
    assert tokens_of(ONE) == world.active


def test_a_credential_that_is_refused_was_refused_the_first_time(world: World) -> None:
    """A 400 for the second sending of the same body proves that the first one made nothing."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT)
    refused = Effect("a 400", status=400, headers=JSON, body=REFUSAL)
    world.qoder.fail_next("POST", "/vaults/*/credentials", refused)

    assert isinstance(failure_of(world.update, recorded, desired_vault(ONE, TWO)), errors.BadRequest)


@EXPLICIT
def test_a_response_about_another_vault_is_a_lost_one(world_of: Callable[..., World], revision: str) -> None:
    """A mixed-up response: what was made is looked for, and what the response shows is left alone."""
    world = world_of(revision, revision)
    theirs = world.qoder.add_vault("theirs")
    world.qoder.fail_next("POST", "/vaults", Fault.CREATED_ANOTHER)

    recorded = world.create(desired_vault(ONE))

    assert {theirs.id, recorded.vault_id} == {vault.id for vault in world.qoder.vaults}
    assert theirs.id != recorded.vault_id


def test_a_response_about_another_credential_is_a_lost_one(world: World) -> None:
    """Likewise."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CREATED_ANOTHER)

    updated = world.update(recorded, desired_vault(ONE, TWO))

    assert tokens_of(ONE, TWO) == world.active
    assert recorded.credential_ids[URL] == updated.credential_ids[URL] != updated.credential_ids[OTHER_URL]
