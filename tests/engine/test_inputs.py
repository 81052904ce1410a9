"""What a program can say, with the real CLI: one line with a path, no secret, and no access token at another server."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.stacks import Stack, assert_no_traceback, credential, vault
from pulumi_qoder_vault.emulator import Emulator

CANARY = "canary-91c7-access-token"
A, B, Z = (f"https://{letter}.example/mcp" for letter in "abz")


@pytest.fixture
def qoder() -> Iterator[Emulator]:
    """The founding page's revision: inputs are judged before anything is sent."""
    with Emulator(revision="2026-05", unique_url=True) as emulator:
        yield emulator


PROGRAM = f"""
import base64, dataclasses, os, types
import pulumi
if os.environ["FRONT"] == "plugin":
    from plugin_front import Credential, Vault
else:
    from pulumi_qoder_vault import Credential, Vault

TOKEN = base64.b64decode("{base64.b64encode(CANARY.encode()).decode()}").decode()
URL = "{A}"
GOOD = {{"mcp_server_url": URL, "access_token": TOKEN}}
later = pulumi.Output.from_input(0)

@dataclasses.dataclass
class Server:
    mcp_server_url: str = URL
    access_token: str = TOKEN

def one(**fields):
    return Vault("v", display_name="v", credentials=[{{**GOOD, **fields}}])

"""

A_MAP = "must be a map with mcp_server_url, access_token, access_token_from, protocol, rotation_trigger, type, not"
TOKEN_PATH = "credentials[0].access_token:"
DYNAMIC = {
    "a view of dataclasses": (
        "Vault('v', display_name='v', credentials={'a': Server()}.values())",
        f"{A_MAP} a dataclass",
    ),
    "an object with a token": (
        "Vault('v', display_name='v', credentials=types.SimpleNamespace(**GOOD))",
        "not an object",
    ),
    "an Output of dataclasses": (
        "Vault('v', display_name='v', credentials=later.apply(lambda _: [Server()]))",
        f"credentials[0]: {A_MAP} a dataclass",
    ),
    "an object in an Output": (
        "one(access_token=later.apply(lambda _: Server()))",
        f"{TOKEN_PATH} must be a string, not a dataclass",
    ),
    "options in the wrong place": ("Vault('v', GOOD)", "Vault 'v': opts must be pulumi.ResourceOptions"),
    "inputs in the place of the name": ("Vault(GOOD, GOOD)", "Vault: the first argument is the resource's name"),
    "a standalone credential of bytes": (
        "Credential('v', vault_id='vault_1', mcp_server_url=URL, access_token=TOKEN.encode())",
        "access_token: must be a string, not bytes (decode them)",
    ),
}
BOTH = {
    "an asset": ("one(access_token=pulumi.StringAsset(TOKEN))", f"{TOKEN_PATH} must be a string, not an"),
    "a header": ("one(access_token='Bearer ' + TOKEN)", f"{TOKEN_PATH} is a whole header"),
    "a byte order mark": ("one(access_token='\\ufeff' + TOKEN)", f"{TOKEN_PATH} contains an invisible character"),
    "quotes": ("one(access_token=repr(TOKEN))", f"{TOKEN_PATH} is in quotation marks"),
    "a number": ("one(access_token=12345678)", f"{TOKEN_PATH} must be a string, not a number"),
    "a map": ("one(access_token={'value': TOKEN})", f"{TOKEN_PATH} must be a string, not a map"),
    "a token as a key": ("one(**{TOKEN: 'x'})", "credentials[0]: has an unknown key"),
    "a token as a protocol": ("one(protocol=TOKEN)", "credentials[0].protocol: must be 'sse' or 'streamable_http'"),
    "a secret URL": (
        "one(mcp_server_url=pulumi.Output.secret(URL))",
        "credentials[0].mcp_server_url: is marked as a secret",
    ),
    "an Output in a URL": (
        "one(mcp_server_url=f'https://{later}/mcp')",
        "credentials[0].mcp_server_url: holds an Output that was put into a string",
    ),
    "an Output in a name": (
        "Vault('v', display_name=f'{later}', credentials=[GOOD])",
        "display_name: holds an Output that was put into a string",
    ),
    "a line break in a name": (
        "Vault('v', display_name='tools\\n', credentials=[GOOD])",
        "display_name: contains a control character",
    ),
    "the token of a standalone credential": (
        "Credential('v', vault_id='vault_1', mcp_server_url=URL, access_token='${TOKEN}')",
        "access_token: is the name of a variable",
    ),
}
ROWS = [pytest.param(*row, "dynamic", id=f"dynamic {name}") for name, row in (DYNAMIC | BOTH).items()]
ROWS += [pytest.param(*row, "plugin", id=f"plugin {name}") for name, row in BOTH.items()]


@pytest.mark.parametrize(("code", "line", "front"), ROWS)
def test_a_mistake_is_one_line_without_the_secret(
    tmp_path: Path, qoder: Emulator, code: str, line: str, front: str
) -> None:
    """At the preview, without a traceback, on both fronts in the same words; nothing is sent."""
    stack = Stack(tmp_path, qoder, front=front)
    (stack.folder / "__main__.py").write_text(PROGRAM + code)
    preview = stack.preview(fails=True)
    assert stack.named(line) in preview.text
    assert CANARY not in preview.text
    assert_no_traceback(preview.text)
    assert [] == qoder.requests


@pytest.mark.parametrize("front", ["dynamic", "plugin"])
def test_the_api_token_is_no_access_token(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """A preview that knows the API token says so; one that does not need it goes on."""
    stack = Stack(tmp_path, qoder, front=front)
    stack.write(v=vault(credential(A, token=qoder.api_token)))
    said = stack.preview(fails=True)
    assert stack.named(f"{TOKEN_PATH} is the API token") in said.text
    assert qoder.api_token not in said.text
    stack.preview(QODER_PAT="")


@pytest.mark.parametrize("front", ["dynamic", "plugin"])
def test_what_a_state_holds_already_is_a_warning(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """A stack of an older version, with a name and a token that are refused today, goes on: warned, and not changed."""
    stack = Stack(tmp_path, qoder, front=front)
    name, token = "made by hand", "0123456789"
    stack.write(v=vault(credential(A, token=token), display_name=name))
    stack.up()
    state = stack.run("stack", "export", "--show-secrets").stdout
    stack.write(v=vault(credential(A, token=f"{token} "), display_name=f"{name} "))
    (stack.folder / "state.json").write_text(state.replace(token, f"{token} ").replace(f'"{name}"', f'"{name} "'))
    stack.run("stack", "import", "--file", "state.json")
    qoder.clear_requests()

    preview = stack.preview("--expect-no-changes")
    assert "warning: display_name: begins or ends with a blank" in stack_text(stack, preview.text)
    assert f"warning: {TOKEN_PATH} begins or ends with a blank" in stack_text(stack, preview.text)
    assert 2 == preview.text.count("begins or ends with a blank")
    assert [] == qoder.requests

    qoder.archive_vault(qoder.vaults[0].id)
    stack.refresh()
    assert "begins or ends with a blank" in stack.up().text, "a replacement takes over what the old vault has"
    assert [("active", f"{name} ")] == [(one.status, one.display_name) for one in qoder.vaults]
    stack.write(v=vault(credential(A, token=f" {token}"), display_name=f"{name} "))
    assert stack.named(f"{TOKEN_PATH} begins or ends") in stack.preview(fails=True).text


def stack_text(stack: Stack, text: str) -> str:
    """With the names of the Python resource."""
    return text.replace("displayName", "display_name").replace("accessToken", "access_token")


@pytest.mark.parametrize("front", ["dynamic", "plugin"])
def test_an_id_of_another_stack_may_be_marked_as_a_secret(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """As a StackReference marks all outputs where one is. The API token in its place is refused, and not shown."""
    there = qoder.add_vault("shared")
    stack = Stack(tmp_path, qoder, front=front)
    program = PROGRAM + "vault = Vault.get('v', <id>)\npulumi.export('name', vault.display_name)\n"
    secret = f"pulumi.Output.secret('{there.id}')" if front == "dynamic" else repr(there.id)  # an SDK's own affair
    (stack.folder / "__main__.py").write_text(program.replace("<id>", secret))
    stack.up()
    assert {"name": "shared"} == stack.outputs()
    qoder.clear_requests()
    (stack.folder / "__main__.py").write_text(program.replace("<id>", "os.environ['QODER_PAT']"))
    said = stack.up(fails=True)
    assert "the id holds a secret, and was not sent" in said.text
    assert qoder.api_token not in said.text
    assert [] == qoder.requests


# ignore_changes


def ignoring(*paths: str, urls: tuple[str, ...] = (A, B)) -> dict[str, object]:
    tokens = [credential(url, token=f"access-token-of-{url[8]}") for url in urls]
    return {**vault(*tokens), "opts": {"ignore_changes": list(paths)}}


def at_qoder(qoder: Emulator) -> dict[str | None, str | None]:
    (there,) = qoder.vaults
    return {item.mcp_server_url: item.access_token for item in there.credentials if item.status == "active"}


TOKENS = {A: "access-token-of-a", B: "access-token-of-b"}


@pytest.mark.parametrize("front", ["dynamic", "plugin"])
def test_a_position_in_ignore_changes_gives_no_token_to_another_server(
    tmp_path: Path, qoder: Emulator, front: str
) -> None:
    """Pulumi copies by position before a provider sees anything: refused, on any path, and no token is sent."""
    stack = Stack(tmp_path, qoder, front=front)
    stack.write(v=ignoring())
    stack.up()
    tokens = [f"credentials[{position}].access_token" for position in ("*", "0", "1")]
    for path in [*tokens, "credentials[*]", 'credentials[1]["access_token"]', '["credentials"][0].access_token']:
        stack.write(v=ignoring(path, urls=(Z, A, B)))
        said = stack.preview(fails=True)
        # Of elements that were copied whole, the plugin's Check sees one URL twice before its Diff is asked.
        twice = front == "plugin" and path not in tokens and "is already used by credentials" in said.text
        assert twice or "a position in credentials would give one server's access token to another" in said.text
        assert_no_traceback(said.text)
        if path == tokens[0]:
            stack.up(fails=True)
    assert TOKENS == at_qoder(qoder)

    stack.write(v=ignoring("credentials", urls=(Z, A, B)))
    stack.up()
    assert TOKENS == at_qoder(qoder), "the list as a whole may be ignored"
    stack.write(v=ignoring(urls=(Z, A, B)))
    stack.up()
    assert TOKENS | {Z: "access-token-of-z"} == at_qoder(qoder)


def test_a_refresh_goes_on_with_a_position_that_is_recorded(tmp_path: Path, qoder: Emulator) -> None:
    """The plugin refuses it to a program only: a refresh has it from the state, and what was mended goes on."""
    stack = Stack(tmp_path, qoder, front="plugin")
    stack.write(v=ignoring("credentials[*].accessToken"))
    stack.up()  # there was nothing yet to copy from
    (there,) = qoder.vaults
    qoder.delete_credential(there.id, there.credentials[0].id)

    stack.refresh()
    assert "a position in credentials" in stack.up(fails=True).text
    assert {B: TOKENS[B]} == at_qoder(qoder), "b's access token is at no other server"
    stack.write(v=ignoring())
    stack.refresh()
    stack.up()
    assert TOKENS == at_qoder(qoder)
    stack.destroy()


# What is unknown


@pytest.mark.parametrize("front", ["dynamic", "plugin"])
def test_rotations_are_complete_or_unknown(tmp_path: Path, qoder: Emulator, front: str) -> None:
    """A program may ask them for any of its URLs, also for one that is not known before the up."""
    stack = Stack(tmp_path, qoder, front=front)
    (stack.folder / "__main__.py").write_text(
        PROGRAM
        + f"""
first = one()
second = Vault("w", display_name="w", credentials=[
    GOOD, {{"mcp_server_url": first.id.apply(lambda _: "{B}"), "access_token": "another-access-token"}}])
pulumi.export("count", second.rotations["{B}"])
pulumi.export("known", second.rotations[URL])
pulumi.export("id", second.credential_ids["{B}"])
"""
    )
    preview = stack.preview()
    assert {"count", "known", "id"} <= set(re.findall(r"^ +(\w+) *: \[unknown\]", preview.text, re.MULTILINE))
    assert [] == qoder.requests
    stack.up()
    outputs = stack.outputs()
    assert (0, 0) == (outputs["count"], outputs["known"])
    assert outputs["id"] in json.dumps(stack.resources())
