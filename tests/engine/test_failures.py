"""Every failure is one clean line at its resource: no traceback, no token, whatever the server's text holds."""

import json
from pathlib import Path

import pytest

from engine.stacks import URL, Stack, assert_no_traceback, credential, problem_of, vault
from in_process.provider import FRONTS
from pulumi_qoder_vault.emulator import Emulator, Fault

OTHER = "https://other.example/mcp"


@pytest.fixture(params=["2026-05 dynamic", "2026-05 plugin"])
def world(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_bad_input_is_found_at_preview_before_any_request(stack: Stack, qoder: Emulator) -> None:
    """The documented cases use the API's own sentences, with the path."""
    for arguments, line in (
        (
            vault(),
            "credentials: At least one credential is required when creating a vault. (if your Qoder makes empty "
            "vaults, set qoder:apiRevision to 2026-07)",
        ),
        (
            vault({"mcp_server_url": URL}),
            "credentials[0].access_token: Field 'access_token' is required for static_bearer type.",
        ),
        ({"credentials": [credential()]}, "display_name: is required: a name of 1 to 255 characters"),
        (
            vault(credential(), credential(token="second-access-token")),
            f"credentials[1].mcp_server_url: {URL} is already used by credentials[0]; one vault holds one credential "
            "per URL",
        ),
        (
            vault(credential(acess_token="x")),
            "credentials[0].acess_token: is not a known key; did you mean access_token?",
        ),
    ):
        stack.write(v=arguments)
        problem = problem_of(stack.preview(fails=True, QODER_PAT="")).replace("acessToken", "acess_token")
        assert f"{FRONTS[stack.front]} resource 'v' has a problem: {stack.named(line)}" == problem
    assert [] == qoder.requests


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"QODER_TIMEOUT": "soon"}, "QODER_TIMEOUT: must be a time such as 90, 90s or 1m30s, at most 24h"),
        ({"QODER_PAT": "pt-emulator\x7f"}, "QODER_PAT: the API token contains a control character"),
        ({"QODER_BASE_URL": "http://qoder.example"}, "QODER_BASE_URL: must be an https URL"),
    ],
)
def test_a_setting_that_cannot_be_read_is_one_line_at_preview(
    stack: Stack, environment: dict[str, str], line: str
) -> None:
    """It names the key and the forms it takes."""
    stack.write(v=vault(credential()))

    preview = stack.preview(fails=True, **environment)

    where = "v" if stack.front == "dynamic" else "default"  # the plugin's provider checks its settings itself
    assert f"resource '{where}' has a problem: {line}" in preview.text
    assert_no_traceback(preview.text)
    assert "pt-emulator" not in preview.text


def test_what_a_server_refuses_is_said_in_one_line(stack: Stack, qoder: Emulator) -> None:
    """What, where, what to do, HTTP status, error type, request id; nothing is made, and a later up succeeds."""
    stack.write(v=vault(credential()))

    unset = problem_of(stack.up(fails=True, QODER_PAT=""))
    assert unset.startswith("POST /vaults: not sent: no API token is set; set qoder:apiToken")
    assert [] == qoder.requests

    wrong = problem_of(stack.up(fails=True, QODER_PAT="pt-wrong"))
    assert "(401 TOKEN_INVALID, request_id req_" in wrong
    host = qoder.base_url.split("/")[2]
    assert wrong.endswith(f", host {host}): the API token is from QODER_PAT; set QODER_PAT to a valid one")

    qoder.fail_next("POST", "/vaults", Fault.HTML_404)
    elsewhere = (
        f"POST /vaults: the response is not from the Qoder API (404, host {host}): check the proxy and qoder:baseUrl"
    )
    assert problem_of(stack.up(fails=True)).startswith(elsewhere)

    qoder.fail_next("POST", "/vaults", Fault.ECHO)
    hostile = problem_of(stack.up(fails=True))
    assert hostile.startswith("POST /vaults: REFUSED error: forged line plain ***")
    assert hostile.isprintable()

    qoder.fail_next("POST", "/vaults", Fault.ECHO_HTML)
    qoder.fail_next("GET", "/vaults", Fault.FORBIDDEN, times=None)
    lost = problem_of(stack.up(fails=True))
    qoder.clear_faults()
    assert "; the outcome is unknown (GET /vaults: " in lost
    assert "a vault named 'my-mcp-vault' may exist at http://127.0.0.1:" in lost
    assert [] == qoder.vaults

    qoder.fail_next("POST", "/vaults", Fault.REDIRECT, times=2)  # a lost response: looked for, and sent once more
    assert "redirected (302), which is refused" in problem_of(stack.up(fails=True))

    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED_ABSURD)
    assert "Qoder asks to wait 86400 s" in problem_of(stack.up(fails=True))
    assert [] == stack.resources()

    qoder.fail_next("POST", "/vaults", Fault.RATE_LIMITED)
    stack.up()
    made = stack.outputs()["v.id"]

    qoder.fail_next("GET", "/vaults/*", Fault.ECHO)
    assert "***" in problem_of(stack.refresh(fails=True))
    qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN)
    assert "(403 permission_error" in problem_of(stack.destroy(fails=True))
    assert made == stack.resources()[0]["id"]


def test_an_update_that_stops_half_way_is_finished_by_the_next_up(tmp_path: Path) -> None:
    """The state says what is true; what was rotated is not rotated again."""
    with Emulator(revision="2026-07") as qoder:
        stack = Stack(tmp_path, qoder)
        stack.write(v=vault(credential(), credential(OTHER)))
        stack.up()
        stack.write(
            v=vault(credential(token="second-access-token"), credential(OTHER, token="second-access-token")),
        )
        qoder.fail_next("POST", "/vaults/*/credentials/*", Fault.FORBIDDEN, skip=1)
        stopped = problem_of(stack.up(fails=True))
        assert f"for {URL}; vault " in stopped
        assert "the next pulumi up goes on from there" in stopped

        qoder.clear_requests()
        assert f"~ {OTHER}: 0 => 1" in stack.preview().text
        stack.up()
        assert ["GET", "POST"] == [request.method for request in qoder.requests]
        assert {"second-access-token"} == {item.access_token for item in qoder.vaults[0].credentials}
        stack.up("--expect-no-changes")


def test_a_partial_create_leaves_nothing(tmp_path: Path) -> None:
    """The second credential is refused: the vault is deleted again, and the error says so."""
    with Emulator(revision="2026-07") as qoder:
        stack = Stack(tmp_path, qoder)
        stack.write(v=vault(credential(), credential(OTHER, token="second-access-token")))
        qoder.fail_next("POST", "/vaults/*/credentials", Fault.ECHO, skip=1)

        error = problem_of(stack.up(fails=True))

        assert "was deleted again, nothing is left" in error
        assert [] == qoder.vaults
        assert [] == stack.resources()


@pytest.mark.parametrize("between", ["nothing", "a refresh", "a program that went back", "destroy"])
def test_a_partial_create_that_cannot_be_taken_back_is_recorded_and_finished(tmp_path: Path, between: str) -> None:
    """The state holds the vault; the next up finishes it, also after a refresh; destroy removes it."""
    with Emulator(revision="2026-07") as qoder:
        stack = Stack(tmp_path, qoder)
        stack.write(v=vault(credential(), credential(OTHER, token="second-access-token")))
        qoder.fail_next("POST", "/vaults/*/credentials", Fault.FORBIDDEN, skip=1)
        qoder.fail_next("DELETE", "/vaults/*", Fault.FORBIDDEN, times=None)

        error = problem_of(stack.up(fails=True))

        (left,) = qoder.vaults
        assert f"vault {left.id} could not be deleted again" in error
        assert "the next pulumi up finishes it, pulumi destroy removes it" in error
        (recorded,) = stack.resources()
        assert left.id == recorded["id"]
        assert {URL} == set(recorded["outputs"]["credential_ids"])
        qoder.clear_faults()

        if between == "destroy":
            stack.destroy()
            assert [] == qoder.vaults
            return
        if between == "a refresh":
            stack.refresh()
            assert "initErrors" not in stack.resources()[0]
        if between == "a program that went back":
            stack.write(v=vault(credential()))
        stack.up()
        wanted = {URL} if between == "a program that went back" else {URL, OTHER}
        assert [(left.id, wanted)] == [(v.id, {item.mcp_server_url for item in v.credentials}) for v in qoder.vaults]
        assert wanted == set(stack.outputs()["v.credential_ids"])
        stack.up("--expect-no-changes")
        stack.refresh("--expect-no-changes")


def test_pulumi_import_of_a_dynamic_vault_is_refused_with_one_line(tmp_path: Path) -> None:
    """`import_` cannot work for dynamic resources: the constructor says so."""
    stack = Stack(tmp_path, None)
    stack.write(v=vault(credential(), opts={"import_": "vault_00000000000000000000000000000000"}))

    preview = stack.preview(fails=True)

    assert "Vault 'v': Pulumi cannot import a dynamic resource" in preview.text
    assert_no_traceback(preview.text)
    assert json.dumps([]) == json.dumps(stack.resources())


PROVIDER = 'Traceback (most recent call last):\n  File "…/pulumi/dynamic/__main__.py", line 1\nKeyError: 1\n'
PLUGIN = (
    'Traceback (most recent call last):\n  File "…/pulumi_qoder_vault/plugin/process.py", line 1\nKeyboardInterrupt\n'
)
PROGRAM = 'Traceback (most recent call last):\n  File "…/pulumi-language-python-exec", line 1\nKeyboardInterrupt\n'


@pytest.mark.parametrize("printed", [PROVIDER, PLUGIN, PROVIDER + PROGRAM, PROGRAM + PROVIDER, PLUGIN + PROGRAM])
def test_the_search_for_tracebacks_finds_them(printed: str) -> None:
    """That of an interrupted program hides no other one."""
    assert_no_traceback(f"before\n{PROGRAM}\nafter\n")
    with pytest.raises(AssertionError):
        assert_no_traceback(printed)
