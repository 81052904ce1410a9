"""Where secrets go: encrypted into the state, and nowhere else."""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from engine.stacks import URL, Run, Stack, credential, problem_of, vault
from pulumi_qoder_vault.emulator import Emulator, Fault, RevisionName

ACCESS_TOKEN = 'canary/access+token="7f3a"&<>\\'
OLD_ACCESS_TOKEN = "canary-old-access-token-51c0"
API_TOKEN = "pt-canary-api-token-e29b"
SERVICE_ACCOUNT_KEY = "sa-canary-service-account-key-77d0"
SERVICE_TOKEN = "sat-emulator-"  # how what it is exchanged for begins
EXCHANGE = "/api/v1/serviceToken/exchange"
SECRETS = (ACCESS_TOKEN, OLD_ACCESS_TOKEN, API_TOKEN, SERVICE_ACCOUNT_KEY, SERVICE_TOKEN)


def spellings(secret: str) -> set[bytes]:
    """How a secret could stand in a file: plain, base64 at each offset, hex, URL- and JSON-escaped."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"\0" * offset + raw)[-(-offset * 8 // 6) : -4] for offset in (0, 1, 2)}
    return {
        raw,
        raw.hex().encode(),
        urllib.parse.quote(secret, safe="").encode(),
        urllib.parse.quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        *shifted,
        *(form.replace(b"+", b"-").replace(b"/", b"_") for form in shifted),
    }


def leaks(text: bytes, secrets: Iterable[str] = SECRETS) -> list[str]:
    folded = text.lower()
    return [f"{secret}: {form!r}" for secret in secrets for form in spellings(secret) if form.lower() in folded]


@pytest.fixture
def qoder(revision: RevisionName) -> Iterator[Emulator]:
    with Emulator(revision, api_token=API_TOKEN, unique_url=True) as emulator:
        yield emulator


def test_the_search_for_leaks_finds_every_spelling() -> None:
    """A search that finds nothing proves something only if it can find."""
    for secret in SECRETS:
        for offset in (b"", b"x", b"xx"):
            assert leaks(base64.b64encode(offset + secret.encode() + b"...."))
        assert leaks(b"before" + secret.encode() + b"after")
        assert leaks(json.dumps({"k": json.dumps(secret)}).encode())


def test_no_secret_stands_anywhere(stack: Stack, qoder: Emulator, tmp_path: Path) -> None:
    """All that is printed, also at -v=8, and every file of the backend and of Pulumi's home, in a life with faults.

    The access tokens reach the program in a way that the CLI does not know, and the API token by the environment: the
    CLI blots out secret configuration, which would hide a leak of the provider's own.
    """
    verbose = ("-v=8", "--logtostderr")
    runs: list[Run] = []

    def written(token: str) -> None:
        stack.write(v=vault(credential(token=token, protocol="sse")))

    written(OLD_ACCESS_TOKEN)
    runs.append(stack.preview(*verbose))
    qoder.fail_next("POST", "/vaults", Fault.ECHO)
    runs.append(stack.up(*verbose, fails=True))
    runs.append(stack.up(*verbose))
    written(ACCESS_TOKEN)
    runs.append(stack.preview(*verbose))
    qoder.fail_next("POST", "/vaults/*/credentials**", Fault.ECHO)
    runs.append(stack.up(fails=True))
    qoder.fail_next("GET", "/vaults/*/credentials", Fault.ECHO)
    runs.append(stack.up(fails=True))
    runs.append(stack.up(*verbose))
    runs.append(stack.refresh(*verbose))
    runs.append(stack.run("stack", "output", "--json"))
    runs.append(stack.run("stack", "export"))
    qoder.fail_next("DELETE", "/vaults/*", Fault.ECHO_HTML)
    qoder.fail_next("DELETE", "/vaults/*", Fault.ECHO, times=2)
    runs.append(stack.destroy(fails=True))

    assert [] == qoder.pending_faults
    for run in runs:
        assert [] == leaks(run.text.encode())
    files = [
        path
        for folder in (stack.backend, stack.folder, tmp_path / "home")
        for path in folder.rglob("*")
        if path.is_file() and path.name != "vaults.json" and "venv" not in path.parts
    ]
    assert any("stacks" in path.parts for path in files)
    assert [] == [(path, found) for path in files if (found := leaks(path.read_bytes()))]


def test_a_service_account_leaves_nothing(stack: Stack, qoder: Emulator, tmp_path: Path) -> None:
    """Neither its key nor a token stands in what is printed, in a log or in a file; a preview exchanges nothing.

    The key is in the environment first, which the CLI does not blot out, and then in the configuration, encrypted.
    """
    log = tmp_path / "requests.log"
    stack.env |= {"QODER_SA_KEY": SERVICE_ACCOUNT_KEY, "QODER_LOG": str(log)}
    del stack.env["QODER_PAT"]
    stack.write(v=vault(credential(token=ACCESS_TOKEN)))
    runs = [stack.preview()]
    assert [] == qoder.requests
    qoder.fail_next("POST", EXCHANGE, Fault.ECHO)
    runs.append(stack.up(fails=True))
    assert "the service-account key is from QODER_SA_KEY; set QODER_SA_KEY to a valid one" in problem_of(runs[-1])
    qoder.add_service_account_key(SERVICE_ACCOUNT_KEY)
    runs.append(stack.up("-v=8", "--logtostderr"))
    del stack.env["QODER_SA_KEY"]
    stack.run("config", "set", "--secret", "qoder:serviceAccountKey", SERVICE_ACCOUNT_KEY)
    qoder.revoke_service_tokens()
    runs += [stack.up("--expect-no-changes"), stack.destroy()]

    assert [] == qoder.vaults
    assert [400, 200, 200] == [request.status for request in qoder.requests if request.path == EXCHANGE]
    assert EXCHANGE in log.read_text()
    files = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "vaults.json" and "venv" not in path.parts
    ]
    assert log in files
    assert [] == [found for run in runs for found in leaks(run.text.encode())]
    assert [] == [(path, found) for path in files if (found := leaks(path.read_bytes()))]


def test_a_token_that_the_program_forgot_to_mark_is_encrypted(stack: Stack, qoder: Emulator) -> None:
    """Plain strings in the program are secret in inputs and outputs; ids, URLs and counts are not."""
    stack.write(v=vault(credential(token=ACCESS_TOKEN)))
    stack.up()

    (recorded,) = stack.resources()

    for properties in (recorded["inputs"], recorded["outputs"]):
        if stack.front == "dynamic":  # there the engine makes a list secret as a whole
            hidden = properties["credentials"]
        else:
            assert {"mcp_server_url": URL, "protocol": "streamable_http", "type": "static_bearer"}.items() <= (
                properties["credentials"][0].items()
            )
            hidden = properties["credentials"][0]["access_token"]
        assert {"4dabf18193072939515e22adb298388d", "ciphertext"} == set(hidden)
        assert {URL: 0} == properties["rotations"]
    assert set(recorded["outputs"]["credential_ids"]) == {URL}
    shown = json.loads(stack.run("stack", "output", "--json", "--show-secrets").stdout)
    assert ACCESS_TOKEN == shown["v.credentials"][0]["access_token"]


def test_a_configured_api_token_is_recorded_encrypted(stack: Stack, qoder: Emulator) -> None:
    """`qoder:apiToken` works without any environment variable, and refresh and destroy use the recorded one."""
    stack.write(v=vault(credential(token=ACCESS_TOKEN)))
    stack.run("config", "set", "--secret", "qoder:apiToken", API_TOKEN)
    stack.run("config", "set", "qoder:baseUrl", qoder.base_url)
    del stack.env["QODER_PAT"], stack.env["QODER_BASE_URL"]
    stack.up()
    stack.run("config", "rm", "qoder:apiToken")
    stack.refresh("--expect-no-changes")
    stack.destroy()

    assert [] == qoder.vaults
    files = [path for path in stack.backend.rglob("*") if path.is_file()]
    assert [] == [(path, found) for path in files if (found := leaks(path.read_bytes()))]
