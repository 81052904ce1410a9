"""Create, read, update, delete and look up, against a server of each revision: what is asked, and what is left."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pulumi_qoder_vault import errors
from pulumi_qoder_vault.api.client import Client
from pulumi_qoder_vault.emulator import Commit, Effect, Emulator, Ending, Fault, RevisionName
from pulumi_qoder_vault.errors import ErrorResponse
from pulumi_qoder_vault.lifecycle import recovery
from pulumi_qoder_vault.lifecycle.capabilities import RevisionInUse, refuses_credentials_key
from pulumi_qoder_vault.lifecycle.model import (
    Credential,
    CredentialSet,
    DesiredVault,
    PartialState,
    Place,
    RecordedVault,
    Revision,
)
from pulumi_qoder_vault.lifecycle.vault import operations
from pulumi_qoder_vault.secret import Secret
from pulumi_qoder_vault.settings import DEFAULT_BASE_URL
from unit.lifecycle.records import R05, R07, bearer, desired_vault, with_protocol

URL, OTHER_URL, THIRD_URL = (f"https://example.com/{name}" for name in ("mcp", "other", "third"))
TOKENS = ("mcp-canary-one-1111", "mcp-canary-two-2222", "mcp-canary-three-3333")
ONE, TWO, THREE = (bearer(url, Secret(token)) for url, token in zip((URL, OTHER_URL, THIRD_URL), TOKENS, strict=True))
NEW_ONE = ONE.with_secret(Secret("mcp-canary-one-next"))
NEW_TWO = TWO.with_secret(Secret("mcp-canary-two-next"))
EVERY_TOKEN = [item.secret for item in (ONE, TWO, THREE, NEW_ONE, NEW_TWO)]
JSON = (("Content-Type", "application/json"),)
REFUSES_KEY = Effect(
    "2026-07, which refuses the key",
    status=400,
    headers=JSON,
    body={
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "Unknown field.", "param": "credentials"},
    },
)


def host_of(qoder: Emulator) -> str:
    return qoder.base_url.split("/")[2]


class World:
    """A server, its API, and the revision in use."""

    def __init__(self, qoder: Emulator, api: Client, setting: str = "auto") -> None:
        self.qoder = qoder
        self.api = api
        self.in_use = RevisionInUse(setting)

    def create(self, wanted: DesiredVault) -> RecordedVault:
        return operations.create(self.api, wanted, self.in_use)

    def update(self, recorded: CredentialSet, wanted: DesiredVault) -> RecordedVault:
        """Update what a state or a partial state holds."""
        assert isinstance(recorded, RecordedVault)
        return operations.update(self.api, recorded, wanted, self.in_use)

    def look_up(self, vault_id: str) -> RecordedVault:
        found = operations.look_up(self.api, vault_id)
        assert found is not None
        return found

    def read(self, recorded: RecordedVault) -> tuple[RecordedVault | None, bool]:
        return operations.read(self.api, recorded)

    def delete(self, recorded: RecordedVault) -> None:
        operations.delete(self.api, recorded)

    @property
    def asked(self) -> list[str]:
        """Method, path and status of what was asked since the last time; ids are left out."""
        lines = [f"{item.method} {item.path} {item.status}" for item in self.qoder.requests]
        self.qoder.clear_requests()
        return [re.sub(r"vcred_\w+", "C", re.sub(r"vault_\w+", "V", line)) for line in lines]

    @property
    def active(self) -> dict[str, str | None]:
        """Access tokens of the active credentials of the only vault, by URL."""
        (vault,) = self.qoder.vaults
        return {item.mcp_server_url or "": item.access_token for item in vault.credentials if item.status == "active"}


def tokens_of(*credentials: Credential) -> dict[str, str]:
    return {item.key: item.secret.reveal() for item in credentials if item.secret}


@pytest.fixture
def world_of(start: Callable[..., Emulator], client_of: Callable[..., Client]) -> Callable[..., World]:
    def make(revision: RevisionName = "2026-05", setting: str = "auto", **switches: Any) -> World:
        qoder = start(revision, **switches)
        return World(qoder, client_of(qoder, *EVERY_TOKEN), setting)

    return make


@pytest.fixture(params=["2026-05", "2026-07"])
def world(request: pytest.FixtureRequest, world_of: Callable[..., World]) -> World:
    return world_of(request.param)


@pytest.fixture
def founding(world_of: Callable[..., World]) -> World:
    return world_of("2026-05")


@pytest.fixture
def current(world_of: Callable[..., World]) -> World:
    return world_of("2026-07", setting="2026-07")


def failure_of(act: Callable[..., Any], *arguments: Any) -> Any:
    """What an act fails with: always one printable line without a secret, and no cause behind it."""
    with pytest.raises(errors.QoderError) as caught:
        act(*arguments)
    failure = caught.value
    assert str(failure).isprintable(), str(failure)
    assert not [token for token in EVERY_TOKEN if token and token.reveal() in f"{failure} {failure!r}"]
    assert failure.__cause__ is None
    assert failure.__context__ is None or failure.__suppress_context__
    return failure


def line_of(act: Callable[..., Any], *arguments: Any) -> str:
    line = re.sub(r"req_[0-9a-f]{24}", "req_1", str(failure_of(act, *arguments)))
    return re.sub(r"vcred_[0-9a-f]{32}", "vcred_1", re.sub(r"vault_[0-9a-f]{32}", "vault_1", line))


# Create


def test_on_2026_05_a_create_is_one_request(founding: World) -> None:
    """The vault comes with its credentials, in the form of the founding page."""
    founding.create(desired_vault(ONE, TWO))

    assert ["POST /vaults 201"] == founding.asked
    assert tokens_of(ONE, TWO) == founding.active


def test_on_2026_07_a_create_is_the_vault_and_each_credential(current: World) -> None:
    """The vault first, without credentials, then each."""
    current.create(desired_vault(ONE, TWO))

    assert ["POST /vaults 200", *["POST /vaults/V/credentials 200"] * 2] == current.asked
    assert tokens_of(ONE, TWO) == current.active


def test_what_is_recorded(world: World) -> None:
    """The record holds what was asked for, the ids, where it was made, and the revision that answered."""
    wanted = desired_vault(ONE, with_protocol(TWO, "sse"), on_delete="archive", rotations={URL: 0, OTHER_URL: 3})

    recorded = world.create(wanted)

    (vault,) = world.qoder.vaults
    assert recorded == RecordedVault(
        vault_id=vault.id,
        display_name="my-mcp-vault",
        metadata={},
        on_delete="archive",
        place=Place(world.qoder.base_url, None),
        status="active",
        credentials=wanted.credentials,
        credential_ids={str(item.mcp_server_url): item.id for item in vault.credentials},
        rotations={URL: 0, OTHER_URL: 3},
        created_at=recorded.created_at,
        updated_at=recorded.updated_at,
        api_revision=Revision(world.qoder.revision),
    )
    assert recorded.created_at.startswith("20")


@pytest.mark.parametrize("status", [200, 201])
def test_a_credential_may_be_made_with_200_or_201(world_of: Callable[..., World], status: int) -> None:
    """Any 2xx is a success."""
    world = world_of("2026-07", "2026-07", credential_create_status=status)

    assert URL in world.create(desired_vault(ONE)).credential_ids


def test_an_empty_vault(current: World) -> None:
    """On 2026-07 a vault may be empty."""
    recorded = current.create(desired_vault())

    assert (["POST /vaults 200"], {}) == (current.asked, recorded.credential_ids)


# The revision


def test_auto_starts_with_the_founding_form(founding: World) -> None:
    """A 2026-05 server never sees anything else."""
    founding.create(desired_vault(ONE))
    founding.create(desired_vault(ONE))

    assert ["POST /vaults 201"] * 2 == founding.asked


@pytest.mark.parametrize(
    ("credentials_key", "first"),
    [("refuse", ["POST /vaults 400", "POST /vaults 200"]), ("ignore", ["POST /vaults 200"])],
)
def test_auto_finds_2026_07_out_once(world_of: Callable[..., World], credentials_key: str, first: list[str]) -> None:
    """A server that refuses the key, or stores none of them, is 2026-07; that is found out by the first create only."""
    world = world_of("2026-07", credentials_key=credentials_key)
    add = ["POST /vaults/V/credentials 200"]

    world.create(desired_vault(ONE, TWO))
    assert [*first, *add * 2] == world.asked
    assert tokens_of(ONE, TWO) == world.active

    world.create(desired_vault(ONE))
    assert "credentials" not in world.qoder.requests[0].body
    assert ["POST /vaults 200", *add] == world.asked


def test_between_counts_as_2026_05(world_of: Callable[..., World]) -> None:
    """A server of the time between takes the founding form."""
    world = world_of("between")

    recorded = world.create(desired_vault(ONE))

    assert (["POST /vaults 201"], R05) == (world.asked, recorded.api_revision)


def test_the_others_wait_for_the_first(world_of: Callable[..., World]) -> None:
    """Of many creates at once one tries the founding form; nobody else repeats it."""
    world = world_of("2026-07", latency_s=0.05)
    threads = [threading.Thread(target=world.create, args=(desired_vault(ONE),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    tried = [item for item in world.qoder.requests if item.path == "/vaults" and "credentials" in item.body]
    assert (1, 6) == (len(tried), len(world.qoder.vaults))


def test_a_first_create_that_fails_teaches_nothing(founding: World) -> None:
    """After an error the next create of the process finds out by itself."""
    founding.qoder.fail_next("POST", "/vaults", Fault.FORBIDDEN)
    failure_of(founding.create, desired_vault(ONE))

    founding.create(desired_vault(ONE))

    assert ["POST /vaults 403", "POST /vaults 201"] == founding.asked


@pytest.mark.parametrize("second", [Fault.FORBIDDEN, Fault.CONFLICT, Fault.RATE_LIMITED_ABSURD], ids=repr)
def test_if_both_forms_are_refused_the_first_error_counts(founding: World, second: Fault) -> None:
    """The first error is the one that says what is wrong with the program; nothing is remembered."""
    founding.qoder.fail_next("POST", "/vaults", REFUSES_KEY)
    founding.qoder.fail_next("POST", "/vaults", second)

    host = host_of(founding.qoder)
    assert f"POST /vaults: Unknown field (400 invalid_request_error, request_id req_1, host {host})" == line_of(
        founding.create, desired_vault(ONE)
    )
    assert 2 == len(founding.asked)

    founding.create(desired_vault(ONE))
    assert ["POST /vaults 201"] == founding.asked


def test_if_the_second_forms_answer_is_lost_that_counts(founding: World) -> None:
    """A vault that may exist is worth more than the first refusal."""
    founding.qoder.fail_next("POST", "/vaults", REFUSES_KEY)
    founding.qoder.fail_next("*", "/**", Fault.DROP_AFTER_COMMIT, times=None)

    assert "a vault named 'my-mcp-vault' may exist" in line_of(founding.create, desired_vault(ONE))


def test_an_answer_corrects_what_a_refusal_seemed_to_say(world_of: Callable[..., World]) -> None:
    """A server of the time between refuses one list of credentials: it is not taken for 2026-07 from then on."""
    world = world_of("between")
    world.qoder.fail_next("POST", "/vaults", REFUSES_KEY)

    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()
    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()


@pytest.mark.parametrize(
    ("expected", "response"),
    [
        (True, ErrorResponse(400, param="credentials")),
        (True, ErrorResponse(400, message="Unknown field 'credentials'.")),
        (True, ErrorResponse(400, message="credentials: Extra inputs are not permitted")),
        (True, ErrorResponse(400, message='json: unknown field "credentials"')),
        (False, ErrorResponse(400, message="At least one credential is required when creating a vault.")),
        (
            False,
            ErrorResponse(
                400, message="At least one credential is required when creating a vault.", param="credentials"
            ),
        ),
        (False, ErrorResponse(400, message="Field 'access_token' is required for static_bearer type.")),
        (False, ErrorResponse(400, message="credentials[0].protocol must be sse", param="credentials[0].protocol")),
        (False, ErrorResponse(400, message="credentials.0.protocol must be sse", param="credentials.0.protocol")),
        (False, ErrorResponse(400, message="my_credentials are wrong")),
        (False, ErrorResponse(400, message="Field 'display_name' is required.", param="display_name")),
        (False, ErrorResponse(401, message="invalid credentials")),
        (False, ErrorResponse(403, param="credentials")),
        (False, ErrorResponse(400)),
    ],
)
def test_what_shows_that_a_server_is_2026_07(expected: bool, response: ErrorResponse) -> None:
    """A 400 about the key `credentials` itself; not one about what is in it, and not the founding page's sentence."""
    assert expected is refuses_credentials_key(response)


@pytest.mark.parametrize(("setting", "has_key"), [("2026-05", True), ("2026-07", False)])
def test_an_explicit_revision_is_what_is_sent(world_of: Callable[..., World], setting: str, has_key: bool) -> None:
    """Nothing is tried out: the setting fixes the form; the response is read as what it is."""
    world = world_of("2026-07", setting, credentials_key="ignore")
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)

    failure_of(world.create, desired_vault(ONE))

    assert has_key is ("credentials" in world.qoder.requests[0].body)
    assert 1 == sum(item.path == "/vaults" for item in world.qoder.requests)


# A create that fails


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
    world.qoder.fail_next("GET", f"/vaults/{theirs.id}/credentials", gone)

    assert {URL} == world.create(desired_vault(ONE)).credential_ids.keys()


def test_a_404_that_is_not_genuine_is_no_proof_that_a_vault_vanished(world_of: Callable[..., World]) -> None:
    """A proxy's 404 does not clear a vault of suspicion."""
    world = world_of("2026-05", "2026-05")
    world.qoder.add_vault("my-mcp-vault")
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_BEFORE_COMMIT)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.HTML_404)

    assert "the outcome is unknown" in str(failure_of(world.create, desired_vault(ONE)))


def slow_clock() -> datetime:
    """The times of vaults come from a clock that is half a minute behind the `Date` of the answers."""
    return datetime.now(UTC) - timedelta(seconds=30)


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
    world.qoder.fail_next("POST", "/vaults", Fault.DROP_COMMIT_LATER, delay_s=0.1)
    slow = Effect("Handled, and the connection closes late.", Commit.FIRST, Ending.CLOSED, delay_s=0.4)
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
    fake_time.really_s = 0.1
    world = world_of("2026-05", "2026-05", fault_delay_s=0.25)
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


@pytest.mark.parametrize("unique_url", [True, False])
def test_a_rotation_that_stays_in_work_removes_nothing(
    world_of: Callable[..., World], fake_time: Any, unique_url: bool
) -> None:
    """A 409 because the first sending is still in work does not say that the URL is taken: the old one is kept."""
    fake_time.really_s = 0.02
    world = world_of("2026-05", unique_url=unique_url, fault_delay_s=1.0)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_COMMIT_LATER)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert isinstance(failure, errors.OutcomeUnknown)
    assert "is still in work (409 conflict_error" in str(failure)
    posts = [item for item in world.qoder.requests if item.method == "POST"]
    assert {409} == {item.status for item in posts[1:]}
    assert 1 == len({item.headers["idempotency-key"] for item in posts})
    assert [] == [item for item in world.qoder.requests if item.method == "DELETE"]
    assert tokens_of(ONE) == world.active


def test_a_credential_that_cannot_be_found_out_is_said(world: World) -> None:
    """Qoder stays away after a credential was asked for: the error names the vault and the URL."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT)
    world.qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert str(failure).endswith(
        f": vault {recorded.vault_id} may hold a credential for {OTHER_URL} that is in no state: look for it, and "
        "delete it"
    )


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.CONFLICT, Fault.HTML_404], ids=repr)
def test_a_refused_credential_takes_the_vault_back(current: World, fault: Fault) -> None:
    """Where one credential is not taken the vault is deleted again, and nothing is left."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", fault, skip=1)

    failure = failure_of(current.create, desired_vault(ONE, TWO, THREE))

    assert isinstance(failure, errors.RolledBack)
    assert [] == current.qoder.vaults
    assert re.search(r"; vault vault_[0-9a-f]{32} was deleted again, nothing is left$", str(failure))
    assert [
        "POST /vaults",
        "POST /vaults/V/credentials",
        "POST /vaults/V/credentials",
        "DELETE /vaults/V",
    ] == [line.rpartition(" ")[0] for line in current.asked]


def test_the_whole_line_of_a_create_taken_back(current: World) -> None:
    """What failed, why, and what is left, by id."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.CONFLICT)

    assert (
        "POST /vaults/vault_1/credentials: The request conflicts with the current state of the resource (409 "
        f"conflict_error, request_id req_1, host {host_of(current.qoder)}); vault vault_1 was deleted "
        "again, nothing is left"
    ) == line_of(current.create, desired_vault(ONE))


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT], ids=repr)
def test_a_rollback_whose_answer_is_lost_is_done(current: World, fault: Fault) -> None:
    """The second DELETE finds nothing, which is what was wanted."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN)
    current.qoder.fail_next("DELETE", "/vaults/*", fault)

    assert isinstance(failure_of(current.create, desired_vault(ONE)), errors.RolledBack)
    assert [] == current.qoder.vaults


@pytest.fixture(params=[Fault.FORBIDDEN, Fault.ERROR_BEFORE_COMMIT, Fault.HTML_404, Fault.FOREIGN_404], ids=repr)
def stuck(request: pytest.FixtureRequest, current: World) -> tuple[World, Any]:
    """A vault with one of two credentials, which could not be deleted again; and the failure."""
    current.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    current.qoder.fail_next("DELETE", "/vaults/*", request.param, times=None)
    failure = failure_of(current.create, desired_vault(ONE, TWO))
    current.qoder.clear_faults()
    current.qoder.clear_requests()
    return current, failure


def test_a_rollback_that_fails_is_recorded(stuck: tuple[World, Any]) -> None:
    """The record holds what exists and nothing else; the error names the vault and says what happens next."""
    world, failure = stuck

    (vault,) = world.qoder.vaults
    assert isinstance(failure, PartialState)
    assert (vault.id, (ONE,), {URL: vault.credentials[0].id}, {URL: 0}, ()) == (
        failure.recorded.vault_id,
        failure.recorded.credentials,
        failure.recorded.credential_ids,
        failure.recorded.rotations,
        failure.recorded.unfinished,
    )
    assert f"; vault {vault.id} could not be deleted again (DELETE /vaults/{vault.id}: " in str(failure)
    assert str(failure).endswith(
        "), so it is recorded as partially created: the next pulumi up finishes it, pulumi destroy removes it"
    )


def test_the_next_up_finishes_a_partial_create(stuck: tuple[World, Any]) -> None:
    """Update adds what is missing, and the record is whole."""
    world, failure = stuck

    recorded = world.update(failure.recorded, desired_vault(ONE, TWO))

    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials 200"] == world.asked
    assert tokens_of(ONE, TWO) == world.active
    assert ((ONE, TWO), {URL: 0, OTHER_URL: 0}, None) == (
        recorded.credentials,
        recorded.rotations,
        recorded.unfinished,
    )
    assert {URL, OTHER_URL} == recorded.credential_ids.keys()


def test_destroy_removes_a_partial_create(stuck: tuple[World, Any]) -> None:
    """It is a vault like any other."""
    world, failure = stuck

    world.delete(failure.recorded)

    assert [] == world.qoder.vaults


def test_metadata_that_is_not_stored_is_refused(founding: World) -> None:
    """Nothing is dropped silently: the vault is taken back, and the line says which revision stores metadata."""
    assert (
        "metadata: this Qoder does not store metadata with a vault; remove it from the program, or use a Qoder of API "
        "revision 2026-07; vault vault_1 was deleted again, nothing is left"
    ) == line_of(founding.create, desired_vault(ONE, metadata={"team": "tools"}))
    assert [] == founding.qoder.vaults


def test_metadata_that_is_not_stored_is_not_recorded(founding: World) -> None:
    """A vault that could not be deleted again is recorded with what it has: the next diff shows the difference."""
    founding.qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)

    assert {} == failure_of(founding.create, desired_vault(ONE, metadata={"team": "tools"})).recorded.metadata


@pytest.mark.parametrize("metadata", [{"team": "tools"}, {}, None])
def test_metadata_that_is_stored(world_of: Callable[..., World], metadata: dict[str, str] | None) -> None:
    """Where the response carries what was asked for, the create is done, on any revision."""
    for world in (world_of("2026-05", store_metadata=True), world_of("2026-07")):
        recorded = world.create(desired_vault(ONE, metadata=metadata))

        stored = dict(world.qoder.vaults[0].metadata)
        assert (world.qoder.revision == "2026-07") is (stored.pop("pulumi_create_id", None) is not None)
        assert (metadata or {}) == recorded.metadata == stored


# Read


def test_nothing_new_is_no_drift(world: World) -> None:
    """A vault as it was recorded, and nobody else's credential in it; two reads."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    assert (replace(recorded, other_credentials={}), False) == world.read(recorded)
    assert 2 == len(world.asked)


def test_an_archived_vault_is_drift(world: World) -> None:
    """The status shows it, on both revisions."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    found, is_drift = world.read(recorded)

    assert found is not None
    assert ("archived", True) == (found.status, is_drift)
    assert world.read(found) == (found, True)


def test_a_vault_that_is_gone(world: World) -> None:
    """Qoder's own word, where it was made: it is gone."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)

    assert (None, True) == world.read(recorded)


@pytest.mark.parametrize("fault", [Fault.HTML_404, Fault.FOREIGN_404], ids=repr)
def test_a_404_of_a_proxy_is_no_proof(world: World, fault: Fault) -> None:
    """A 404 that is not Qoder's own proves nothing, even if the vault is gone: nothing is dropped."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("*", "/vaults/*", fault, times=None)
    base_url = world.qoder.base_url

    for act, call in ((world.read, "GET"), (world.delete, "DELETE")):
        assert (
            f"{call} /vaults/vault_1: the response is not from the Qoder API (404, host {host_of(world.qoder)}): "
            f"check the proxy and qoder:baseUrl, which is {base_url}; the API's is like {DEFAULT_BASE_URL}; "
            f"this does not prove that vault vault_1 is gone: it was created at {base_url}, but this run asked "
            f"{base_url}"
        ) == line_of(act, recorded)
    assert 1 == len(world.qoder.vaults)


@pytest.mark.parametrize(
    "place",
    [Place("https://api.qoder.com/api/v1/cloud", None), Place("", None), "workspace"],
    ids=["another base URL", "none recorded", "another workspace"],
)
@pytest.mark.parametrize("act", ["read", "delete", "archive"])
def test_a_404_elsewhere_is_no_proof(world: World, place: Any, act: str) -> None:
    """A vault made at one place is not gone because another place does not know it; the error names both."""
    made_at = Place(world.qoder.base_url, "ws_1") if place == "workspace" else place
    recorded = replace(
        world.create(desired_vault(ONE)), place=made_at, on_delete="archive" if act == "archive" else "delete"
    )
    world.qoder.delete_vault(recorded.vault_id)

    failure = failure_of(world.read if act == "read" else world.delete, recorded)

    assert isinstance(failure, errors.VaultNotFound)
    assert f"it was created at {made_at}, but this run asked {world.qoder.base_url}" in str(failure)


def test_a_success_elsewhere_updates_the_record(world: World) -> None:
    """The same vault found at another base URL: from now on that is where it is."""
    recorded = world.create(desired_vault(ONE))

    found, is_drift = world.read(replace(recorded, place=Place("https://old.example/api", None)))

    assert (replace(recorded, other_credentials={}), False) == (found, is_drift)


def test_another_revision_and_other_times_are_no_drift(world: World) -> None:
    """The service changes in place: the record follows, silently."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07" if world.qoder.revision == "2026-05" else "2026-05"

    found, is_drift = world.read(replace(recorded, created_at="", updated_at=""))

    assert found is not None
    assert (False, world.qoder.revision, recorded.created_at) == (is_drift, found.api_revision.value, found.created_at)


def test_unfinished_work_is_drift(world: World) -> None:
    """A refresh erases that work stopped in the middle, so it shows what exists, and the next `up` goes on."""
    recorded = replace(world.create(desired_vault(ONE)), unfinished=())

    found, is_drift = world.read(recorded)

    assert is_drift
    assert found is not None
    assert found.unfinished is None


def test_leftovers_survive_a_refresh(world: World) -> None:
    """Ids that are still to be deleted are kept."""
    recorded = replace(world.create(desired_vault(ONE)), unfinished=("vcred_1",))

    found, _ = world.read(recorded)

    assert found is not None
    assert ("vcred_1",) == found.unfinished


@pytest.mark.parametrize("how", ["delete_credential", "archive_credential"])
def test_a_declared_credential_that_is_gone_is_drift(world: World, how: str) -> None:
    """The record is without it, so that the next `up` makes it again."""
    recorded = world.create(desired_vault(ONE, TWO))
    getattr(world.qoder, how)(recorded.vault_id, recorded.credential_ids[URL])

    found, is_drift = world.read(recorded)

    assert is_drift
    assert found is not None
    assert ({OTHER_URL}, (TWO,)) == (set(found.credential_ids), found.credentials)


def test_another_protocol_is_drift(founding: World) -> None:
    """Somebody replaced nothing but the protocol, or the record is wrong: what Qoder shows counts."""
    recorded = founding.create(desired_vault(with_protocol(ONE, "sse")))
    wrong = replace(recorded, credentials=(ONE,))

    found, is_drift = founding.read(wrong)

    assert found is not None
    assert (["sse"], True) == ([item.properties["protocol"] for item in found.credentials], is_drift)


def test_a_foreign_credential_is_no_drift(world: World) -> None:
    """What the program did not declare is not its business."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.add_credential(recorded.vault_id, THIRD_URL, "foreign")

    found, is_drift = world.read(recorded)

    assert found is not None
    assert (False, recorded.credential_ids) == (is_drift, found.credential_ids)


# Update


def test_nothing_to_do_asks_nothing(world: World) -> None:
    """The same again, in another order, with another `on_delete`: no request."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(TWO, ONE, on_delete="archive"))

    assert [] == world.asked
    assert ((TWO, ONE), "archive", recorded.credential_ids) == (
        updated.credentials,
        updated.on_delete,
        updated.credential_ids,
    )


ROTATIONS = {
    "2026-07: in place": ("2026-07", {}, ["POST /vaults/V/credentials/C 200"]),
    "2026-05: new first": (
        "2026-05",
        {"unique_url": False},
        ["POST /vaults/V/credentials 201", "DELETE /vaults/V/credentials/C 204"],
    ),
    "2026-05: old first after 409": (
        "2026-05",
        {},
        ["POST /vaults/V/credentials 409", "DELETE /vaults/V/credentials/C 204", "POST /vaults/V/credentials 201"],
    ),
}


@pytest.mark.parametrize("case", ROTATIONS)
def test_a_rotation(world_of: Callable[..., World], case: str) -> None:
    """One read, and the fewest writes that the revision allows. The vault's id stays, and so do the others."""
    revision, switches, writes = ROTATIONS[case]
    world = world_of(revision, **switches)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(NEW_ONE, TWO, rotations={URL: 1, OTHER_URL: 0}))

    assert ["GET /vaults/V/credentials 200", *writes] == world.asked
    assert tokens_of(NEW_ONE, TWO) == world.active
    assert (recorded.vault_id, (NEW_ONE, TWO), {URL: 1, OTHER_URL: 0}, None) == (
        updated.vault_id,
        updated.credentials,
        updated.rotations,
        updated.unfinished,
    )
    (vault,) = world.qoder.vaults
    assert {item.mcp_server_url: item.id for item in vault.credentials} == updated.credential_ids
    assert recorded.credential_ids[OTHER_URL] == updated.credential_ids[OTHER_URL]
    assert (revision == "2026-07") is (recorded.credential_ids[URL] == updated.credential_ids[URL])


@pytest.mark.parametrize("case", ["2026-07: in place", "2026-05: new first"])
def test_a_rotation_leaves_no_gap(world_of: Callable[..., World], case: str) -> None:
    """Between any two requests every declared URL has an active credential, where the API can do that."""
    revision, switches, _ = ROTATIONS[case]
    world = world_of(revision, **switches)
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    world.update(recorded, desired_vault(NEW_ONE, NEW_TWO))

    assert [] == [
        (request.method, url)
        for request in world.qoder.requests
        for url in (URL, OTHER_URL)
        if not world.qoder.had_active(url, after=request)
    ]


def test_a_full_vault_can_be_rotated(world_of: Callable[..., World]) -> None:
    """Where there is no room for a second one, the old one goes first."""
    world = world_of("2026-05", max_credentials=2, unique_url=False)
    recorded = world.create(desired_vault(ONE, TWO))

    world.update(recorded, desired_vault(NEW_ONE, NEW_TWO))

    assert tokens_of(NEW_ONE, NEW_TWO) == world.active


def test_a_full_vault_can_change_its_urls(world: World) -> None:
    """What is removed goes first where what is added has no room."""
    recorded = world.create(desired_vault(*[bearer(f"https://example.com/{n}", Secret("t")) for n in range(20)]))
    wanted = desired_vault(*[bearer(f"https://example.com/{n}", Secret("t")) for n in range(5, 25)])

    world.update(recorded, wanted)

    assert {item.key for item in wanted.credentials} == world.active.keys()


def test_added_and_removed(world: World) -> None:
    """The vault's id stays, and the credential that stays is not touched."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(TWO, THREE))

    assert (3, tokens_of(TWO, THREE)) == (len(world.asked), world.active)
    assert recorded.vault_id == updated.vault_id
    assert recorded.credential_ids[OTHER_URL] == updated.credential_ids[OTHER_URL]
    assert {OTHER_URL, THIRD_URL} == updated.credential_ids.keys()


def test_a_protocol_changes_where_there_is_one(world_of: Callable[..., World]) -> None:
    """On 2026-05 another credential takes its place."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    world.update(recorded, desired_vault(with_protocol(ONE, "sse")))

    assert 3 == len(world.asked)
    assert ["sse"] == [item.protocol for item in world.qoder.vaults[0].credentials]


def test_a_protocol_is_only_recorded_where_there_is_none(current: World) -> None:
    """On 2026-07 a change of it is no request."""
    recorded = current.create(desired_vault(ONE))
    current.qoder.clear_requests()

    updated = current.update(recorded, desired_vault(with_protocol(ONE, "sse")))

    assert ([], "sse") == (current.asked, updated.credentials[0].properties["protocol"])


def test_an_imported_credential_whose_protocol_changes(founding: World) -> None:
    """On 2026-05 another one must take its place, and its access token is not known: the line does not say "gone"."""
    recorded = founding.create(desired_vault(ONE))
    imported = replace(recorded, credentials=(ONE.with_secret(None),))

    assert (
        f"another credential for {URL} must take the place of vcred_1 to change it, and its access token is not known: "
        "add it to the program"
    ) == line_of(founding.update, imported, desired_vault(with_protocol(ONE.with_secret(None), "sse")))
    assert tokens_of(ONE) == founding.active


def test_an_imported_credential_that_is_gone(founding: World) -> None:
    """It cannot be made again without its access token."""
    recorded = founding.create(desired_vault(ONE))
    imported = replace(recorded, credentials=(ONE.with_secret(None),))
    founding.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    assert (f"the credential for {URL} is gone, and its access token is not known: add it to the program") == line_of(
        founding.update, imported, desired_vault(with_protocol(ONE.with_secret(None), "sse"))
    )


@pytest.mark.parametrize("how", ["delete_credential", "archive_credential"])
def test_a_credential_that_somebody_removed_is_made_again(world: World, how: str) -> None:
    """Rotating what is no longer there makes it anew."""
    recorded = world.create(desired_vault(ONE, TWO))
    getattr(world.qoder, how)(recorded.vault_id, recorded.credential_ids[URL])

    updated = world.update(recorded, desired_vault(NEW_ONE, TWO))

    assert tokens_of(NEW_ONE, TWO) == world.active
    assert recorded.credential_ids[URL] != updated.credential_ids[URL]


def test_removing_what_is_gone_is_no_failure(world: World) -> None:
    """Somebody else has removed it already."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    assert {OTHER_URL} == world.update(recorded, desired_vault(TWO)).credential_ids.keys()


def test_the_service_moved_on(world_of: Callable[..., World]) -> None:
    """A vault made on 2026-05 is rotated in place once the service has become 2026-07: the response's shape counts."""
    world = world_of("2026-05")
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07"
    world.qoder.clear_requests()

    updated = world.update(recorded, desired_vault(NEW_ONE))

    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials/C 200"] == world.asked
    assert R07 is updated.api_revision


def test_the_service_moved_on_and_the_vault_is_empty(world_of: Callable[..., World]) -> None:
    """Also where no credential is left whose shape could tell."""
    world = world_of("2026-05")
    recorded = world.create(desired_vault(ONE))
    world.qoder.revision = "2026-07"
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])

    world.update(recorded, desired_vault(NEW_ONE))

    assert tokens_of(NEW_ONE) == world.active


# Foreign credentials


def test_a_foreign_credential_with_the_url_is_named_and_not_touched(world: World) -> None:
    """409 on adding: only what we recorded is ever deleted; the error names the other, and says what to do."""
    recorded = world.create(desired_vault(ONE))
    foreign = world.qoder.add_credential(recorded.vault_id, OTHER_URL, "foreign-token")
    before = world.qoder.vaults

    failure = failure_of(world.update, recorded, desired_vault(ONE, TWO))

    assert before == world.qoder.vaults
    assert not isinstance(failure, PartialState)
    assert (
        f": credential {foreign.id} for {OTHER_URL} is in the vault, and this resource did not make it. If it is of "
        "another stack or person, take it out of this program; if a run"
    ) in str(failure)


def test_a_foreign_credential_is_not_removed_to_make_room(world: World) -> None:
    """Ours was replaced by somebody's: rotating it does not delete theirs."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_credential(recorded.vault_id, recorded.credential_ids[URL])
    foreign = world.qoder.add_credential(recorded.vault_id, URL, "foreign-token")

    assert foreign.id in str(failure_of(world.update, recorded, desired_vault(NEW_ONE)))
    assert {URL: "foreign-token"} == world.active


def test_foreign_credentials_stay_beside_ours(world: World) -> None:
    """Adding, rotating and removing leave what the program did not declare."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.add_credential(recorded.vault_id, "https://example.com/foreign", "foreign-token")

    world.update(recorded, desired_vault(NEW_ONE, THREE))

    assert {**tokens_of(NEW_ONE, THREE), "https://example.com/foreign": "foreign-token"} == world.active


def test_where_two_are_allowed_a_foreign_one_stays(world_of: Callable[..., World]) -> None:
    """A foreign credential with our URL, where the API allows two, stays beside ours through a rotation."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    foreign = world.qoder.add_credential(recorded.vault_id, URL, "foreign-token")

    updated = world.update(recorded, desired_vault(NEW_ONE))

    (vault,) = world.qoder.vaults
    assert {foreign.id: "foreign-token", updated.credential_ids[URL]: "mcp-canary-one-next"} == {
        item.id: item.access_token for item in vault.credentials
    }


@pytest.mark.parametrize("unique_url", [True, False])
def test_an_archived_vault_keeps_its_credentials(world_of: Callable[..., World], unique_url: bool) -> None:
    """A 409 because the vault is archived is no want of room: nothing is deleted for it."""
    world = world_of("2026-05", unique_url=unique_url)
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    failure_of(world.update, recorded, desired_vault(NEW_ONE))

    assert tokens_of(ONE) == world.active


# An update that fails


def test_a_first_step_that_fails_changes_nothing(world: World) -> None:
    """Nothing was done, so the record stays as it is, and the error is the API's."""
    recorded = world.create(desired_vault(ONE, TWO))
    world.qoder.fail_next("POST", "/vaults/*/**", Fault.FORBIDDEN)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, errors.Forbidden)
    assert tokens_of(ONE, TWO) == world.active


def test_a_later_step_that_fails_says_what_was_done(current: World) -> None:
    """The record holds the new access token of what was rotated and the old one of what was not."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))

    assert isinstance(failure, PartialState)
    assert ((NEW_ONE, TWO), recorded.credential_ids, ()) == (
        failure.recorded.credentials,
        failure.recorded.credential_ids,
        failure.recorded.unfinished,
    )
    assert str(failure).endswith(
        f"; done before: rotated {recorded.credential_ids[URL]} for {URL}; vault {recorded.vault_id} stays, and the "
        "next pulumi up completes the change"
    )

    current.qoder.clear_requests()
    finished = current.update(failure.recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))
    assert ["GET /vaults/V/credentials 200", "POST /vaults/V/credentials/C 200"] == current.asked
    assert tokens_of(NEW_ONE, NEW_TWO) == current.active
    assert ((NEW_ONE, NEW_TWO), {URL: 1, OTHER_URL: 1}, None) == (
        finished.credentials,
        finished.rotations,
        finished.unfinished,
    )


def test_an_old_credential_that_stays_is_remembered(world_of: Callable[..., World]) -> None:
    """On 2026-05 the new one is there and the old one could not be deleted: the next `up` deletes it, and only it."""
    world = world_of("2026-05", unique_url=False)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("DELETE", "/vaults/*/credentials/*", Fault.FORBIDDEN)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    old_id = recorded.credential_ids[URL]
    assert (old_id,) == failure.recorded.unfinished
    assert (NEW_ONE,) == failure.recorded.credentials
    assert old_id != failure.recorded.credential_ids[URL]

    world.qoder.clear_requests()
    finished = world.update(failure.recorded, desired_vault(NEW_ONE))
    assert ["GET /vaults/V/credentials 200", "DELETE /vaults/V/credentials/C 204"] == world.asked
    assert (None, failure.recorded.credential_ids) == (finished.unfinished, finished.credential_ids)
    assert [finished.credential_ids[URL]] == [item.id for item in world.qoder.vaults[0].credentials]


def test_a_former_access_token_is_put_back(founding: World) -> None:
    """On 2026-05 the old one had to go first, and the new one was not taken: agents keep what they had."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert tokens_of(ONE, TWO) == founding.active
    assert (ONE, TWO) == failure.recorded.credentials
    assert f"put the former access token for {URL} back, as {failure.recorded.credential_ids[URL]}" in str(failure)

    founding.update(failure.recorded, desired_vault(NEW_ONE, TWO))
    assert tokens_of(NEW_ONE, TWO) == founding.active


@pytest.mark.parametrize("idempotency", [True, False])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.DROP_BEFORE_COMMIT], ids=repr)
def test_a_former_access_token_is_put_back_though_that_answer_is_lost(
    world_of: Callable[..., World], fault: Fault, idempotency: bool
) -> None:
    """What was put back is recorded, so that the next `up` rotates it."""
    world = world_of("2026-05", idempotency=idempotency)
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    world.qoder.fail_next("POST", "/vaults/*/credentials", fault, skip=2)

    failure = failure_of(world.update, recorded, desired_vault(NEW_ONE))

    (credential,) = world.qoder.vaults[0].credentials
    assert ({URL: credential.id}, (ONE,)) == (failure.recorded.credential_ids, failure.recorded.credentials)
    world.update(failure.recorded, desired_vault(NEW_ONE))
    assert tokens_of(NEW_ONE) == world.active


def test_what_is_found_may_be_the_successor(founding: World) -> None:
    """Both answers were lost: which of the two access tokens Qoder has is not known, and the next `up` sends it."""
    recorded = founding.create(desired_vault(ONE))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_BEFORE_COMMIT, skip=1)
    founding.qoder.fail_next("GET", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.DROP_AFTER_COMMIT, skip=2)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE))

    assert (ONE.with_secret(None),) == failure.recorded.credentials
    founding.update(failure.recorded, desired_vault(NEW_ONE))
    assert tokens_of(NEW_ONE) == founding.active


def test_a_url_that_lost_its_credential_is_said_to_have_none(founding: World) -> None:
    """The old one had to go first, and neither the new one nor the old one was taken: the record is without it."""
    recorded = founding.create(desired_vault(ONE, TWO))
    founding.qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1, times=2)

    failure = failure_of(founding.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert ((TWO,), {OTHER_URL}) == (failure.recorded.credentials, set(failure.recorded.credential_ids))
    assert (
        f"; done before: deleted {recorded.credential_ids[URL]}; the former access token for {URL} could not be put "
        f"back (POST /vaults/{recorded.vault_id}/credentials: The API token has no permission for this operation (403 "
    ) in str(failure)
    assert f"); vault {recorded.vault_id} stays, and the next pulumi up completes the change" in str(failure)

    founding.update(failure.recorded, desired_vault(NEW_ONE, TWO))
    assert tokens_of(NEW_ONE, TWO) == founding.active


def test_a_rotation_that_nobody_answered_is_sent_again(current: World) -> None:
    """Which access token Qoder has is not known, so the record has none: any program's is different, and is sent."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.DROP_AFTER_COMMIT)
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.RATE_LIMITED_ABSURD, times=2)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, TWO))

    assert isinstance(failure, PartialState)
    assert (ONE.with_secret(None), TWO) == failure.recorded.credentials
    current.update(failure.recorded, desired_vault(ONE, TWO))  # the program went back
    assert tokens_of(ONE, TWO) == current.active


def test_what_was_rotated_is_counted_where_a_later_step_fails(current: World) -> None:
    """The count of a rotated access token goes up with it, so that a refresh in between does not lose one."""
    recorded = current.create(desired_vault(ONE, TWO))
    current.qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)

    failure = failure_of(current.update, recorded, desired_vault(NEW_ONE, NEW_TWO, rotations={URL: 1, OTHER_URL: 1}))

    assert {URL: 1, OTHER_URL: 0} == failure.recorded.rotations


def test_the_record_is_the_truth_wherever_it_stops(world_of: Callable[..., World]) -> None:
    """Whichever request fails, the record holds exactly what exists, and the next `up` finishes."""
    for revision, switches, request in [
        (revision, switches, request)
        for revision, switches in (("2026-07", {}), ("2026-05", {}), ("2026-05", {"unique_url": False}))
        for request in range(8)
    ]:
        world = world_of(revision, **switches)
        recorded = world.create(desired_vault(ONE, TWO))
        wanted = desired_vault(NEW_ONE, THREE)
        world.qoder.fail_next("*", "/vaults/*/**", Fault.FORBIDDEN, skip=request)
        try:
            world.update(recorded, wanted)
            continue
        except PartialState as failure:
            left = failure.recorded
        except errors.Forbidden:
            left = recorded
        (vault,) = world.qoder.vaults
        held = {item.id: item.access_token for item in vault.credentials}
        known = {left.credential_ids[item.key]: item.secret.reveal() for item in left.credentials if item.secret}
        assert known == {id_: token for id_, token in held.items() if id_ not in (left.unfinished or ())}, revision

        world.update(left, wanted)
        assert tokens_of(*wanted.credentials) == world.active
        assert 2 == len(world.qoder.vaults[0].credentials)


def test_a_vault_that_is_gone_is_said_to_be(world: World) -> None:
    """An update of a vault that somebody deleted: the line says what to run."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.delete_vault(recorded.vault_id)

    assert (
        "GET /vaults/vault_1/credentials: Vault 'vault_1' was not found (404 not_found_error, request_id req_1, "
        f"host {host_of(world.qoder)}): vault vault_1 is gone: run pulumi refresh, then pulumi up, which creates it "
        "again"
    ) == line_of(world.update, recorded, desired_vault(NEW_ONE))


# Delete


def test_delete(world: World) -> None:
    """One read, one write, and the vault is gone; a second time is success, too: neither list nor vault is there."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.clear_requests()

    world.delete(recorded)
    world.delete(recorded)

    assert [] == world.qoder.vaults
    listed, deleted, *absent = world.asked
    assert ["GET /vaults/V/credentials 200", "GET /vaults/V/credentials 404", "GET /vaults/V 404"] == [listed, *absent]
    assert deleted.startswith("DELETE /vaults/V 20")


@pytest.mark.parametrize("archive_again", [200, 409])
def test_archive(world_of: Callable[..., World], archive_again: int) -> None:
    """With `on_delete="archive"` the vault stays, archived; a second time is success, whatever the response."""
    for revision in ("2026-05", "2026-07"):
        world = world_of(revision, archive_again=archive_again)
        recorded = world.create(desired_vault(ONE, on_delete="archive"))

        world.delete(recorded)
        world.delete(recorded)

        assert ["archived"] == [vault.status for vault in world.qoder.vaults]


def test_an_archived_vault_can_be_deleted(world: World) -> None:
    """What somebody archived is deleted where `on_delete` says so."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.archive_vault(recorded.vault_id)

    world.delete(recorded)

    assert [] == world.qoder.vaults


def test_archiving_what_is_gone_is_success(world: World) -> None:
    """Nothing is left to archive."""
    recorded = world.create(desired_vault(ONE, on_delete="archive"))
    world.qoder.delete_vault(recorded.vault_id)

    world.delete(recorded)


@pytest.mark.parametrize("on_delete", ["delete", "archive"])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, Fault.RATE_LIMITED], ids=repr)
def test_a_lost_answer_to_a_delete_is_asked_again(world: World, on_delete: str, fault: Fault) -> None:
    """The second request finds it done: 404 or 409 after a retry is success."""
    recorded = world.create(desired_vault(ONE, on_delete=on_delete))
    world.qoder.fail_next("*", "/vaults/**", fault)

    world.delete(recorded)

    assert ["archived"] * (on_delete == "archive") == [vault.status for vault in world.qoder.vaults]


def test_a_delete_that_conflicts_is_an_error(world: World) -> None:
    """409 is success for an archive only."""
    recorded = world.create(desired_vault(ONE))
    world.qoder.fail_next("DELETE", "/vaults/*", Fault.CONFLICT)

    assert isinstance(failure_of(world.delete, recorded), errors.Conflict)


def test_an_archive_that_conflicts_for_another_reason_is_an_error(world: World) -> None:
    """Only what is archived counts as archived: a 409 for anything else must not lose the vault."""
    recorded = world.create(desired_vault(ONE, on_delete="archive"))
    world.qoder.fail_next("POST", "/vaults/*/archive", Fault.CONFLICT)

    assert isinstance(failure_of(world.delete, recorded), errors.Conflict)


# Look up


def test_look_up(world: World) -> None:
    """A vault that this stack does not own: its active credentials, without access tokens."""
    vault = world.qoder.add_vault("theirs")
    made = [world.qoder.add_credential(vault.id, url, "their-token") for url in (URL, OTHER_URL, THIRD_URL)]
    world.qoder.archive_credential(vault.id, made[2].id)

    found = world.look_up(vault.id)

    assert (vault.id, "theirs", {}, "active", {URL: made[0].id, OTHER_URL: made[1].id}) == (
        found.vault_id,
        found.display_name,
        found.metadata,
        found.status,
        found.credential_ids,
    )
    assert [None, None] == [item.secret for item in found.credentials]


def test_look_up_of_an_archived_vault(world: World) -> None:
    """It stays readable, and says what it is."""
    vault = world.qoder.add_vault("theirs")
    world.qoder.archive_vault(vault.id)

    assert "archived" == world.look_up(vault.id).status


def test_look_up_of_none(world: World) -> None:
    """A blank id does not raise in Pulumi, so this must."""
    unknown = "vault_" + "0" * 32

    assert (
        "GET /vaults/vault_1: Vault 'vault_1' was not found (404 not_found_error, request_id req_1, host "
        f"{host_of(world.qoder)}): there is no vault "
        f"vault_1 at {world.qoder.base_url}"
    ) == line_of(operations.look_up, world.api, unknown)


def test_look_up_through_a_proxy_proves_nothing(world: World) -> None:
    """A 404 that is not Qoder's own is no word about the vault."""
    vault = world.qoder.add_vault("theirs")
    world.qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)

    assert "this does not prove that there is no vault vault_1 at" in line_of(operations.look_up, world.api, vault.id)


def test_a_refresh_of_a_vault_of_another_stack(world: World) -> None:
    """It is read anew, and dropped only where Qoder itself says that it is gone."""
    vault = world.qoder.add_vault("theirs")
    found = world.look_up(vault.id)
    made = world.qoder.add_credential(vault.id, URL, "their-token")

    again = operations.look_up(world.api, vault.id, found)
    assert again is not None
    assert {URL: made.id} == again.credential_ids

    world.qoder.fail_next("GET", "/vaults/*", Fault.HTML_404)
    assert "this does not prove that vault vault_1 is gone" in line_of(operations.look_up, world.api, vault.id, found)
    world.qoder.delete_vault(vault.id)
    assert operations.look_up(world.api, vault.id, found) is None


@pytest.mark.parametrize("vault_id", ["", "vault_1\nx", "../agents", "vault_1/credentials", "a?b=c", "a#b", "a b", "é"])
def test_look_up_of_what_is_no_id(founding: World, vault_id: str) -> None:
    """What cannot be an id is said to be none, in one line; no other endpoint is asked for it."""
    line = line_of(operations.look_up, founding.api, vault_id)

    assert "qoder:baseUrl" not in line, "it is not to blame"
    assert all(re.fullmatch(r"/vaults/[\w%-]+", item.path) and not item.query for item in founding.qoder.requests)


TIMES = ("2026-08-01T10:00:16Z", "2026-08-01T10:00:16.1Z", "2026-08-01T10:00:16.12Z", "2026-08-01T10:00:16.5Z")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("pair", list(itertools.pairwise(TIMES)))
def test_of_two_with_one_url_the_newest(founding: World, pair: tuple[str, str], order: int) -> None:
    """Times have as many digits as they need: a shorter one is not the later one; the list's order says nothing."""
    vault = founding.qoder.add_vault("theirs")
    data = [
        {"id": f"vcred_{number}", "mcp_server_url": URL, "type": "static_bearer", "status": "active", "created_at": at}
        for number, at in enumerate(pair)
    ]
    page = Effect("two of one URL", status=200, body={"data": data[::order], "has_more": False})
    founding.qoder.fail_next("GET", "/vaults/*/credentials", page)

    assert {URL: "vcred_1"} == founding.look_up(vault.id).credential_ids
