"""A secret by reference: its verifier never changes, and whatever its form, what is sent is what has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_qoder_vault.api.revisions import CREDENTIAL_BODY, update_body
from pulumi_qoder_vault.lifecycle.capabilities import BY_REVISION
from pulumi_qoder_vault.lifecycle.credential_types import TYPES
from pulumi_qoder_vault.lifecycle.inputs import UNKNOWN, Inputs, secrets_by_path
from pulumi_qoder_vault.lifecycle.model import (
    Credential,
    CredentialSet,
    DesiredSet,
    ObservedCredential,
    Place,
    Revision,
)
from pulumi_qoder_vault.lifecycle.plan import Op, plan, preview_times
from pulumi_qoder_vault.lifecycle.references import (
    TRIGGER,
    UNREAD,
    Reference,
    comparable,
    completed,
    counted,
    from_name,
    is_rotation,
    is_triggered,
    is_verifier,
    read_part,
    recognised,
    secret_name,
    sends_whole,
    stored_part,
    verifier,
    verifier_name,
    verifier_of,
    without_secrets,
)
from pulumi_qoder_vault.secret import Secret, secrets_in
from unit.lifecycle.drawn_references import (
    OTHERS,
    PATHS,
    REFERENCES,
    URL,
    WORDS,
    Asked,
    Program,
    at,
    by_reference,
    changes,
    programs,
    put,
    verified,
)
from unit.lifecycle.records import R05, R07

TIME = "2026-08-01T00:00:00Z"
texts = st.text(min_size=1, max_size=40)

# A verifier. These were made by `openssl dgst -mac HMAC` and `openssl kdf SCRYPT`: every state may hold one.

GOLDEN = {
    "access token": (
        ("access_token", URL, "mcp-canary-one-1111", False),
        "hmac-sha256-1:322b288f025b5ca905bb0d743ed11942d442ab7563fa71b7641f038af41c6a46",
    ),
    "more than ASCII": (
        ("refresh_token", URL, "réfresh €", False),
        "hmac-sha256-1:162038500ae72d8cebf378690397633a4f9b683990b45b53f60024a4bf5e8bb8",
    ),
    "a URL with more than ASCII": (
        ("client_secret", "https://bücher.example/mcp", "x", False),
        "hmac-sha256-1:2816e1aea5ffcb01323b21c33dfc28b67d0a16e2baf76130d252fcb4bb36a48d",
    ),
    "a word": (
        ("secret_value", "API_KEY", "word", True),
        "scrypt-1:8b0126c58ab98c1970acc41fcce5f3939c6f23243838832b5256ee8de7634bdc",
    ),
}


@pytest.mark.parametrize("what", GOLDEN)
def test_a_verifier_never_changes(what: str) -> None:
    """A later version compares it with what an earlier one wrote."""
    (name, key, value, is_short), written = GOLDEN[what]

    assert Secret(written) == verifier(name, key, Secret(value), is_short=is_short)


def test_the_verifier_of_what_is_not_known_yet_is_not_known_yet() -> None:
    """Be it the value, or the URL that its credential has."""
    row = TYPES["static_bearer"].fields["access_token"]

    assert UNKNOWN == verifier_of("access_token", row, URL, {"access_token": UNKNOWN})
    assert UNKNOWN == verifier_of("access_token", row, UNKNOWN, {"access_token": Secret("canary")})


def test_only_what_may_be_a_word_has_the_slow_verifier() -> None:
    """By the row of the field: a short value cannot be guessed fast, and a preview of many tokens is no slower."""
    slow = {
        (type_, path[-1])
        for type_, paths in PATHS.items()
        for path in paths
        if (made := verifier_of(path[-1], _row(type_, path), "key", {path[-1]: Secret("word")}))
        and isinstance(made, Secret)
        and made.reveal().startswith("scrypt-1:")
    }

    assert {("environment_variable", "secret_value")} == slow


def _row(type_: str, path: tuple[str, ...]) -> Any:
    fields = TYPES[type_].fields
    for name in path[:-1]:
        fields = fields[name].fields
    return fields[path[-1]]


def few(words: list[str]) -> st.SearchStrategy[str]:
    """Any text, and often the same one."""
    return st.sampled_from(words) | texts.map(lambda text: text.replace("\0", ""))


places = st.tuples(few(["access_token", "refresh_token"]), few([URL, f"{URL}/2"]), few(["one", "two"]))


@given(places, places)
def test_a_verifier_tells_nothing_of_another_place(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Another field, another URL or another value gives another one; it is the same each time, and not shown."""
    made = [verifier(name, key, Secret(value)) for name, key, value in (one, other, one)]

    assert (made[0] == made[2], one == other) == (True, made[0] == made[1])
    assert ["Secret(***)"] * 3 == list(map(repr, made))


# The names


@given(st.sampled_from(sorted({path[-1] for paths in PATHS.values() for path in paths})))
def test_the_names_belong_together(name: str) -> None:
    """A secret, its reference and its verifier: each is found from the other, and only one is a verifier."""
    assert name == secret_name(from_name(name))
    assert [False, False, True] == [is_verifier(it) for it in (name, from_name(name), verifier_name(name))]
    assert verifier_name(name).startswith("__"), "Pulumi shows nothing that begins so"


def test_every_secret_has_its_reference() -> None:
    """At any depth, in every type: a secret that lacks one would have to be in Pulumi."""
    assert {
        "static_bearer": {("access_token",)},
        "mcp_oauth": {
            ("access_token",),
            ("refresh", "refresh_token"),
            ("refresh", "token_endpoint_auth", "client_secret"),
        },
        "environment_variable": {("secret_value",)},
    } == {type_: set(paths) for type_, paths in PATHS.items()}
    for type_, paths in PATHS.items():
        for path in paths:
            assert "reference" == _row(type_, by_reference(path)).kind
            assert "verifier" == _row(type_, verified(path)).kind
            assert _row(type_, verified(path)).is_secret


# A reference

NO_REFERENCES: dict[str, Any] = {
    "nothing": None,
    "a text": "ONE_TOKEN",
    "an empty map": {},
    "two ways": {"env": "ONE_TOKEN", "file": "./token"},
    "another way": {"vault": "ONE_TOKEN"},
    "an unknown name": {"env": UNKNOWN},
    "unknown": UNKNOWN,
    "an empty name": {"env": ""},
    "no name": {"env": "ONE TOKEN"},
    "a list of names": {"env": ["ONE_TOKEN"]},
    "a number": {"env": 7},
    "an empty path": {"file": ""},
    "a path of two lines": {"file": "a\nb"},
    "no command": {"command": []},
    "an empty command": {"command": [""]},
    "a command for a shell": {"command": "op read op://vault/item"},
    "a command with a number": {"command": ["op", 7]},
    "an unknown argument": {"command": ["op", UNKNOWN]},
}


@pytest.mark.parametrize("what", NO_REFERENCES)
def test_what_is_no_reference_is_read_nowhere(what: str) -> None:
    """None of it: also not the part of it that could be."""
    assert Reference.of(NO_REFERENCES[what]) is None


@given(st.sampled_from(REFERENCES) | st.lists(texts, min_size=1).map(lambda it: Reference("command", tuple(it))))
def test_a_reference_is_what_the_program_gave(reference: Reference) -> None:
    """Whole, also beside the ways that a program left at None."""
    absent = dict.fromkeys(("env", "file", "command"))

    assert reference == Reference.of(reference.as_input)
    assert reference == Reference.of({**absent, **reference.as_input})


tokens = st.sampled_from(
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-ant-api03-abcdefghijk",
        "aBcDeFgHiJkLmNoPq",
    ]
)


@given(st.sampled_from(["env", "file", "command"]), tokens)
def test_a_token_in_the_place_of_a_name_is_not_shown(way: Any, token: str) -> None:
    """Nor the arguments of a command, whatever they are."""
    reference = Reference(way, (token, "argument-canary") if way == "command" else token)

    nouns = {"env": "environment variable", "file": "file", "command": "command"}
    assert f"the {nouns[way]} that it names" == str(reference)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (Reference("env", "GITHUB_ACCESS_TOKEN_2"), "environment variable 'GITHUB_ACCESS_TOKEN_2'"),
        (Reference("env", "token"), "environment variable 'token'"),
        (Reference("file", "/run/secrets/github-token-2"), "file '/run/secrets/github-token-2'"),
        (Reference("file", r"C:\secrets\GithubToken2"), r"file 'C:\secrets\GithubToken2'"),
        (Reference("command", ("op", "read", "op://x/y/canary")), "command 'op'"),
        (Reference("command", ("./bin/read-Token-of-2026", "x")), "command './bin/read-Token-of-2026'"),
    ],
)
def test_a_reference_is_named(reference: Reference, said: str) -> None:
    """A name, a path, and of a command its first word only."""
    assert said == str(reference)


# What a check makes of it


@given(programs, st.booleans())
def test_inputs_hold_the_reference_and_the_verifier(program: Program, is_read: bool) -> None:
    """And never what was read: that of a new credential which was not read says so."""
    made = program.completed(is_read=is_read)

    for path, asked in program.secrets.items():
        if asked.reference is None:
            assert (Secret(asked.word), None, None) == tuple(
                at(made, it) for it in (path, by_reference(path), verified(path))
            )
        else:
            verifier_ = verifier_of(path[-1], _row(program.type, path), program.key, {path[-1]: Secret(asked.word)})
            assert asked.reference.as_input == at(made, by_reference(path))
            assert (verifier_ if is_read else UNREAD, None) == (at(made, verified(path)), at(made, path))
    by_value = {Secret(asked.word) for asked in program.secrets.values() if asked.reference is None}
    assert secrets_in(made) & set(map(Secret, WORDS)) <= by_value


@given(programs)
def test_what_is_not_known_yet_has_no_verifier_yet(program: Program) -> None:
    """A reference, or a key, that a preview cannot know: the verifier is unknown, and neither missing nor wrong."""
    unknown = program.inputs()
    for path, asked in program.secrets.items():
        if asked.reference is not None:
            put(unknown, by_reference(path), {asked.reference.way: UNKNOWN})

    for inputs, key in ((unknown, program.key), (program.inputs(), UNKNOWN)):
        made = completed(program.fields, key, inputs)
        for path, asked in program.secrets.items():
            assert (None if asked.reference is None else UNKNOWN) is at(made, verified(path))


@given(programs)
def test_what_was_read_stands_where_it_would_by_value(program: Program) -> None:
    """For the part of a check that judges secrets, at any depth; what was not read stands nowhere."""
    read, unread = read_part(program.inputs()), read_part(program.inputs(is_read=False))

    for path, asked in program.secrets.items():
        assert Secret(asked.word) == at(read, path)
        assert (Secret(asked.word) if asked.reference is None else None) == at(unread, path)
        assert (asked.reference and asked.reference.as_input) == at(read, by_reference(path))


# A change of form


@given(changes)
def test_another_value_is_a_rotation_and_another_form_is_none(change: tuple[Program, Program]) -> None:
    """By value, by reference, by another reference, at any depth: only the value counts, and the trigger."""
    before, after = change
    recorded = before.completed()

    is_one = bool(before.rotated(after)) or before.asks_anew(after)

    assert is_one == is_rotation(after.fields, after.key, recorded, after.completed())


@given(changes)
def test_what_was_not_read_is_no_rotation(change: tuple[Program, Program]) -> None:
    """Unless the trigger asks for it, or a secret by value has another one."""
    before, after = change
    recorded = before.completed()

    by_value = {path for path, asked in after.secrets.items() if asked.reference is None}
    is_one = bool(before.rotated(after) & by_value) or before.asks_anew(after)

    assert is_one == is_rotation(after.fields, after.key, recorded, after.completed(is_read=False))


@given(programs)
def test_what_nobody_had_read_is_no_rotation_once_it_is_read(program: Program) -> None:
    """Inputs of a run that read nothing say nothing of what Qoder has: the state does, and a diff compares with it."""
    unread = program.completed(is_read=False)

    assert not is_rotation(program.fields, program.key, unread, program.completed())


@given(changes)
def test_two_sides_differ_where_a_value_does(change: tuple[Program, Program]) -> None:
    """Whatever the forms are, beside the references and the trigger themselves."""
    before, after = change
    recorded = before.completed()

    old, new = comparable(after.fields, after.key, recorded, after.completed())

    differ = {path for path in PATHS[after.type] if at(old, path) != at(new, path)}
    assert before.rotated(after) == differ
    assert not [name for side in (old, new) for name, _ in secrets_by_path(side) if is_verifier(name[-1])]


triggers = st.sampled_from([None, "", "1", "2", UNKNOWN])


@given(triggers, triggers)
def test_a_trigger_asks_by_its_change_alone(before: Any, after: Any) -> None:
    """To add it, or to take it away, is recorded; an empty one is none."""
    both = before not in (None, "") and after not in (None, "")

    assert (both and before != after) == is_triggered({TRIGGER: before}, {TRIGGER: after})
    assert not is_triggered({}, {TRIGGER: after})
    assert not is_triggered({TRIGGER: before}, {})


@given(changes, st.booleans(), st.integers(0, 9), st.integers(0, 9))
def test_a_count_never_goes_backwards(
    change: tuple[Program, Program], is_read: bool, recorded: int, checked: int
) -> None:
    """It is that of the check, or, where that is behind, one more than the state has for what has changed since."""
    before, after = change
    had, wanted = before.completed(), after.completed(is_read=is_read)

    count = counted(after.fields, after.key, had, wanted, recorded=recorded, checked=checked)

    is_one = is_rotation(after.fields, after.key, had, wanted)
    assert max(checked, recorded + is_one) == count
    assert recorded <= count


# What is sent


def _credential(program: Program, properties: Inputs) -> Credential:
    return Credential(program.type, properties)


def _recorded(credential: Credential, revision: Revision) -> CredentialSet:
    return CredentialSet(
        vault_id="vault_1",
        place=Place("https://qoder.example", None),
        status="active",
        credentials=(credential,),
        credential_ids={credential.key: "vcred_1"},
        rotations={credential.key: 0},
        api_revision=revision,
    )


def _ops(before: Credential, after: Credential, revision: Revision) -> list[Op]:
    shown = {TYPES[before.type].key_field: before.key}
    there = [ObservedCredential("vcred_1", before.type, shown, True, "", revision)]
    steps = plan(_recorded(before, revision), DesiredSet(credentials=(after,)), there, BY_REVISION[revision])
    return [step.op for step in steps]


@given(changes, st.booleans())
def test_one_rotation_is_one_request(change: tuple[Program, Program], is_current: bool) -> None:
    """Another value, or another trigger, of whatever form; the same value in another form is none."""
    before, after = change
    recorded = before.completed()
    wanted = after.revealed()

    old, new = recognised(after.fields, after.key, recorded, wanted)
    ops = _ops(_credential(before, old), _credential(after, new), R07 if is_current else R05)

    one = [Op.UPDATE] if is_current else [Op.CREATE, Op.DELETE]
    assert (one if before.rotated(after) or before.asks_anew(after) else []) == ops


@given(changes)
def test_a_merge_patch_has_what_changed(change: tuple[Program, Program]) -> None:
    """Each secret with another value, and no other; the way a client proves itself is sent as a whole."""
    before, after = change
    recorded = before.completed()

    old, new = recognised(after.fields, after.key, recorded, after.revealed())
    body = update_body(_credential(before, old), _credential(after, new))

    sent = {path for path in PATHS[after.type] if at(body["auth"], _sent_as(after.type, path)) is not None}
    assert before.rotated(after) == sent
    assert [] == _local_keys(body)


def _sent_as(type_: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return (*path[:-1], _row(type_, path).auth_name or path[-1])


@given(changes, st.booleans())
def test_no_body_holds_what_is_the_providers(change: tuple[Program, Program], is_sure: bool) -> None:
    """No reference, no verifier, no trigger: on either revision, in a creation and in both kinds of merge patch."""
    before, after = change
    recorded = before.completed()
    old, new = recognised(after.fields, after.key, recorded, after.revealed())
    had, wanted = _credential(before, old), _credential(after, new)

    bodies = [update_body(had, wanted, is_sure=is_sure), CREDENTIAL_BODY[R07](wanted)]
    if after.type == "static_bearer":
        bodies.append(CREDENTIAL_BODY[R05](wanted))

    assert [[]] * len(bodies) == list(map(_local_keys, bodies))
    words = {asked.word for asked in after.secrets.values()}
    assert words <= set(_texts(bodies[1])), "or nothing would be proven"


def _local_keys(body: Any) -> list[str]:
    if not isinstance(body, dict):
        return []
    own = [key for key in body if key.endswith("_from") or key.startswith("__") or key == TRIGGER]
    return own + [key for item in body.values() for key in _local_keys(item)]


def _texts(body: Any) -> list[Any]:
    return [text for item in body.values() for text in _texts(item)] if isinstance(body, dict) else [body]


@given(changes, st.booleans())
def test_what_was_not_read_is_not_sent(change: tuple[Program, Program], is_current: bool) -> None:
    """The verifier of what Qoder has is carried on, and a value that the state has stays known for this operation."""
    before, after = change
    secrets = {
        path: Asked("canary-never-read", asked.reference or REFERENCES[0]) for path, asked in after.secrets.items()
    }
    after = Program(after.type, secrets, before.trigger)
    recorded = before.completed()
    wanted = after.completed(is_read=False)

    old, new = recognised(after.fields, after.key, recorded, wanted)

    assert [] == _ops(_credential(before, old), _credential(after, new), R07 if is_current else R05)
    stored = stored_part(after.fields, new)
    for path, had in before.secrets.items():
        was = verifier_of(path[-1], _row(after.type, path), after.key, {path[-1]: Secret(had.word)})
        assert (UNREAD, was) == (at(wanted, verified(path)), at(stored, verified(path)))
    assert not secrets_in(stored) & set(map(Secret, WORDS))


@given(changes)
def test_each_side_tells_the_other_what_it_knows(change: tuple[Program, Program]) -> None:
    """What was read and is what Qoder has is known of the recorded one, too; what differs is known of neither."""
    before, after = change
    recorded = before.completed()

    old, new = recognised(after.fields, after.key, recorded, after.revealed())

    for path, asked in after.secrets.items():
        had = before.secrets[path]
        assert Secret(asked.word) == at(new, path)
        assert (Secret(had.word) if had.reference is None or had.word == asked.word else None) == at(old, path)


@given(programs)
def test_a_state_holds_no_secret_by_reference(program: Program) -> None:
    """But what says where it is, and what tells whether it is the same."""
    stored = stored_part(program.fields, program.revealed())

    assert program.completed() == stored


@given(changes)
def test_a_lost_update_is_sent_again(change: tuple[Program, Program]) -> None:
    """Nobody knows what Qoder has: neither the value nor its verifier is kept, so that the next run rotates."""
    before, after = change
    lost = _credential(before, before.completed()).with_secret(None)

    main = (TYPES[before.type].secret_field,)
    assert (None, None) == (at(lost.properties, main), at(lost.properties, verified(main)))
    assert is_rotation(after.fields, after.key, lost.properties, after.completed())


@pytest.mark.parametrize("revision", [R05, R07])
def test_a_preview_knows_which_times_will_be_others(revision: Revision) -> None:
    """That of what is sent is unknown, that of the rest stays; a state of an older version has none, and none comes."""
    path = ("access_token",)
    bearer = Program("static_bearer", {path: Asked("canary-one-1111", REFERENCES[0])}).completed()
    recorded = replace(_recorded(Credential("static_bearer", bearer), revision), rotated_at={URL: TIME})
    old = replace(recorded, rotated_at=None)
    same = Program("static_bearer", {path: Asked("canary-one-1111")}).completed()
    other = Program("static_bearer", {path: Asked("canary-two-2222", REFERENCES[0])}).completed()
    can = BY_REVISION[revision]

    assert {URL: TIME} == preview_times(recorded, [same], can)
    assert {URL: UNKNOWN} == preview_times(recorded, [other], can) == preview_times(old, [other], can)
    assert {URL: UNKNOWN} == preview_times(recorded, [{**other, "__access_token_verifier": UNKNOWN}], can)
    assert preview_times(old, [same], can) is None
    assert {} == preview_times(recorded, [], can)
    assert UNKNOWN is preview_times(recorded, [UNKNOWN], can)
    assert UNKNOWN is preview_times(recorded, [{**same, "mcp_server_url": UNKNOWN}], can)


# What is sent as a whole


def _oauth(form: Reference | None, **fields: Any) -> dict[str, Any]:
    secrets = {path: Asked("canary-one-1111", form) for path in PATHS["mcp_oauth"]}
    given_ = Program("mcp_oauth", secrets).completed(is_read=False)
    put(given_, ("refresh", "token_endpoint_auth"), {**given_["refresh"]["token_endpoint_auth"], **fields})
    return given_


@pytest.mark.parametrize(
    ("before", "after", "needs"),
    [
        ({}, {}, False),
        ({}, {"type": "client_secret_basic"}, True),
        ({"type": "client_secret_basic"}, {}, True),
    ],
)
def test_an_object_that_is_sent_as_a_whole_needs_its_secrets(
    before: dict[str, Any], after: dict[str, Any], needs: bool
) -> None:
    """Those that are by reference must be read then; by value they are there."""
    fields = TYPES["mcp_oauth"].fields

    auth = fields["refresh"].fields["token_endpoint_auth"].fields
    one, other = (_oauth(REFERENCES[0], **side)["refresh"]["token_endpoint_auth"] for side in (before, after))
    assert needs == sends_whole(auth, URL, one, other)


@given(programs)
def test_a_credential_without_its_secrets_has_the_rest(program: Program) -> None:
    """At any depth, neither secrets nor their verifiers; all that a trigger sends is then what differs."""
    left = without_secrets(program.fields, program.revealed())

    assert not secrets_in(left)
    assert OTHERS[program.type] | {"refresh": at(left, ("refresh",))} == {
        "refresh": None,
        **{name: value for name, value in left.items() if not name.endswith("_from") and name != TRIGGER},
    }
