"""What a check reads, and what is put into its place for what is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.errors import NotRead
from pulumi_qoder_vault.lifecycle.credential_types import fields_of
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN
from pulumi_qoder_vault.lifecycle.model import Credential
from pulumi_qoder_vault.lifecycle.references import UNREAD, Reference, Referenced, verifier_of
from pulumi_qoder_vault.resources.references import as_read, refuse_exposed, revealed
from pulumi_qoder_vault.secret import Secret, secrets_in
from pulumi_qoder_vault.secret_reader import READER
from pulumi_qoder_vault.settings import Settings
from unit.lifecycle.drawn_references import PATHS, URL, WORDS, Asked, Program, at, by_reference, put, verified

ALWAYS = Settings(api_token=Secret("pt-canary-api-token"), base_url="https://qoder.example/api")
WHEN_SENT = Settings(api_token=ALWAYS.api_token, base_url=ALWAYS.base_url, read_references="when-sent")
ONE, NEXT = "mcp-canary-one-1111", "mcp-canary-next-3333"
VARIABLE = Reference("env", "ONE_TOKEN")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONE_TOKEN", ONE)
    monkeypatch.delenv("NO_TOKEN", raising=False)
    READER.forget()


def bearer(reference: Reference = VARIABLE, **fields: Any) -> dict[str, Any]:
    return {"mcp_server_url": URL, "access_token_from": reference.as_input, **fields}


def completed(reference: Reference = VARIABLE, word: str = ONE, *, is_read: bool = True, **fields: Any) -> Credential:
    """As a check leaves it."""
    program = Program("static_bearer", {("access_token",): Asked(word, reference)})
    return Credential("static_bearer", {**program.completed(is_read=is_read), **fields})


def is_known() -> bool:
    """Whether anybody has read it."""
    return READER.known(VARIABLE).secret is not None


# For a check


def test_a_check_reads_every_reference() -> None:
    """In a vault's list, at the top of a credential, and in its nested maps."""
    vault = as_read({"display_name": "v", "credentials": [bearer(), {"mcp_server_url": URL}]}, ALWAYS)
    there = {"type": "mcp_oauth"}
    nested = {**there, "refresh": {"token_endpoint_auth": {"client_secret_from": VARIABLE.as_input}}}

    read = Referenced(VARIABLE, Secret(ONE))
    given_ = {"mcp_server_url": URL, "access_token_from": read}
    assert {"display_name": "v", "credentials": [given_, {"mcp_server_url": URL}]} == vault
    assert given_ == as_read(bearer(), ALWAYS)
    assert {**there, "refresh": {"token_endpoint_auth": {"client_secret_from": read}}} == as_read(nested, ALWAYS)


def test_what_a_check_will_refuse_is_not_read() -> None:
    """What is in no table: beside another type, at the top of a vault, in a credential that no vault declares."""
    left = VARIABLE.as_input
    for given_ in (
        {"type": "environment_variable", "access_token_from": left},
        {"type": UNKNOWN, "access_token_from": left},
        {"access_token_from": left, "credentials": []},
        {"credentials": [{"type": "environment_variable", "access_token_from": left}, UNKNOWN, "text"]},
        {"credentials": [{"type": "environment_variable", "secret_value_from": left}]},
    ):
        assert given_ == as_read(given_, ALWAYS)
    assert not is_known()


@pytest.mark.parametrize("settings_", [ALWAYS, WHEN_SENT], ids=["always", "when-sent"])
@pytest.mark.parametrize("name", ["QODER_PAT", "QODER_ACCESS_TOKEN", "QODER_SA_KEY"])
def test_what_is_for_qoder_is_no_access_token(name: str, settings_: Settings) -> None:
    """Whatever stands in the variable; but for the MCP server of Qoder itself."""
    found = as_read({"mcp_server_url": URL, "access_token_from": {"env": name}}, settings_)["access_token_from"]
    assert found == Referenced(
        Reference("env", name), fault="is for Qoder, and no MCP server may receive it: name another one"
    )
    agents = {"type": "environment_variable", "secret_name": "A", "secret_value_from": {"env": name}}
    assert "is for Qoder" not in as_read(agents, settings_)["secret_value_from"].fault
    own = {"mcp_server_url": "https://qoder.example/mcp", "access_token_from": {"env": name}}
    assert "is for Qoder" not in as_read(own, settings_)["access_token_from"].fault


def test_a_check_may_read_nothing() -> None:
    """Where settings say so it is known where each is, and nothing was read."""
    assert {"mcp_server_url": URL, "access_token_from": Referenced(VARIABLE)} == as_read(bearer(), WHEN_SENT)
    assert not is_known()


LEFT_ALONE: dict[str, dict[str, Any]] = {
    "metadata with such a key": {"metadata": {"access_token_from": VARIABLE.as_input}},
    "another key": {"token_from": VARIABLE.as_input},
    "an unknown reference": {"access_token_from": UNKNOWN},
    "an unknown name": {"access_token_from": {"env": UNKNOWN}},
    "no reference": {"access_token_from": {"env": "ONE_TOKEN", "file": "x"}},
    "what the engine took from the state": {
        "access_token_from": VARIABLE.as_input,
        "__access_token_verifier": Secret("hmac-sha256-1:00"),
    },
    "what the engine took from a state that nobody had read": {
        "access_token_from": VARIABLE.as_input,
        "__access_token_verifier": UNREAD,
    },
}


@pytest.mark.parametrize("what", LEFT_ALONE)
@pytest.mark.parametrize("settings", [ALWAYS, WHEN_SENT], ids=["always", "when-sent"])
def test_what_is_not_to_be_read_is_left_alone(what: str, settings: Settings) -> None:
    """Whatever the check then says of it."""
    given_ = {**LEFT_ALONE[what], "credentials": [LEFT_ALONE[what], UNKNOWN, "x"]}

    assert given_ == as_read(given_, settings)
    assert not is_known()


# For what is sent


def test_a_new_credential_is_read_whole() -> None:
    """It, and what it then is recorded with; also where the check has read nothing."""
    for asked in (completed(), completed(is_read=False)):
        found = revealed(asked, None, "", ALWAYS).properties

        assert Secret(ONE) == found["access_token"]
        assert completed().properties["__access_token_verifier"] == found["__access_token_verifier"]


@pytest.mark.parametrize(
    ("before", "is_needed", "reads"),
    [
        (completed(), False, False),
        (completed(), True, True),
        (completed(rotation_trigger="1"), False, True),
        (completed(is_read=False), False, True),
        (completed().with_secret(None), False, True),
        (Credential("static_bearer", {"mcp_server_url": URL, "access_token": Secret(ONE)}), False, False),
    ],
    ids=["known", "needed", "triggered", "nobody had read it", "nobody knows", "by value"],
)
def test_it_is_read_where_it_is_to_be_sent(before: Credential, is_needed: bool, reads: bool) -> None:
    """And nowhere else: not what Qoder has, as the state knows."""
    asked = completed(is_read=False, rotation_trigger="2")

    found = revealed(asked, before, "", WHEN_SENT, is_needed=is_needed).properties

    assert (reads, Secret(ONE) if reads else None) == (is_known(), found.get("access_token"))
    assert reads or found == asked.properties


def test_what_a_check_has_read_is_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is there by now; and what it did not read is not taken from another one that did."""
    READER.read(VARIABLE)
    monkeypatch.setenv("ONE_TOKEN", NEXT)
    before = completed(word="mcp-canary-zero-0000")

    assert Secret(ONE) == revealed(completed(), before, "", ALWAYS).properties["access_token"]
    assert "access_token" not in revealed(completed(is_read=False), before, "", WHEN_SENT).properties


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "environment variable 'NO_TOKEN' is not set where pulumi runs"),
        ("", "environment variable 'NO_TOKEN' is empty"),
        ("two canaries", "environment variable 'NO_TOKEN': its value "),
        ("pt-canary-api-token", "environment variable 'NO_TOKEN': its value is the API token, which only Qoder may"),
    ],
)
def test_what_is_not_fit_to_be_sent_is_not(monkeypatch: pytest.MonkeyPatch, value: str | None, reason: str) -> None:
    """One line with its path; nothing of it is shown."""
    if value is not None:
        monkeypatch.setenv("NO_TOKEN", value)

    with pytest.raises(NotRead) as caught:
        revealed(completed(Reference("env", "NO_TOKEN"), is_read=False), None, "credentials[3].", WHEN_SENT)

    assert str(caught.value).startswith(f"credentials[3].access_token_from: {reason}")
    assert "canar" not in str(caught.value)


def test_the_api_token_is_qoders() -> None:
    """An MCP server of Qoder's own host takes it."""
    own = completed(is_read=False, mcp_server_url="https://qoder.example/mcp")
    settings = Settings(api_token=Secret(ONE), base_url=ALWAYS.base_url, read_references="when-sent")

    assert Secret(ONE) == revealed(own, None, "", settings).properties["access_token"]


drawn = st.sampled_from(["mcp_oauth", "environment_variable", "static_bearer"]).flatmap(
    lambda type_: st.builds(
        Program,
        st.just(type_),
        st.fixed_dictionaries(
            {path: st.builds(Asked, st.sampled_from(WORDS), st.none() | st.just(VARIABLE)) for path in PATHS[type_]}
        ),
    )
)


@given(drawn)
def test_every_secret_of_a_type_is_put_into_its_place(program: Program) -> None:
    """At any depth, with its verifier; what is by value stays."""
    READER.forget()
    asked = Credential(program.type, program.completed(is_read=False))

    found = revealed(asked, None, "", WHEN_SENT).properties

    for path, secret in program.secrets.items():
        word = secret.word if secret.reference is None else ONE
        assert Secret(word) == at(found, path)
        row = fields_of(program.type)
        for name in path[:-1]:
            row = row[name].fields
        verifier = verifier_of(path[-1], row[path[-1]], program.key, {path[-1]: Secret(ONE)})
        assert (None if secret.reference is None else verifier) == at(found, verified(path))


@given(drawn.filter(lambda program: any(secret.reference for secret in program.secrets.values())))
def test_each_one_that_is_missing_is_named_by_its_path(program: Program) -> None:
    """The first one of them: nothing is sent then."""
    given_ = program.completed(is_read=False)
    paths = [path for path, secret in program.secrets.items() if secret.reference is not None]
    for path in paths:
        put(given_, by_reference(path), {"env": "NO_TOKEN"})

    with pytest.raises(NotRead) as caught:
        revealed(Credential(program.type, given_), None, "", WHEN_SENT)

    assert str(caught.value).partition(": ")[0] in {".".join(by_reference(path)) for path in paths}


def test_what_was_read_late_stands_nowhere_else() -> None:
    """A check that reads would have said it."""
    credential = revealed(completed(is_read=False), None, "", WHEN_SENT)
    inputs = {"display_name": f"the {ONE} vault", "credentials": [completed(is_read=False).properties]}

    with pytest.raises(NotRead, match=r"^display_name: ") as caught:
        refuse_exposed(inputs, [credential], WHEN_SENT)
    assert ONE not in str(caught.value)
    refuse_exposed({**inputs, "display_name": "v"}, [credential], WHEN_SENT)
    refuse_exposed(inputs, [credential], ALWAYS)
    assert {Secret(ONE)} <= secrets_in(credential.properties), "or nothing would be proven"
