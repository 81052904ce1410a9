"""The main job, end to end: previewed, deployed, rotated, refreshed, destroyed."""

from pathlib import Path

from engine.stacks import URL, Stack, credential, vault
from pulumi_qoder_vault.emulator import Emulator

OTHER = "https://other.example/mcp"


def asked(qoder: Emulator) -> list[str]:
    """What Qoder was asked since the last time, ids left out."""
    kinds = {"vault_": "{id}", "vcred_": "{cid}"}
    found = [
        f"{request.method} "
        + "/".join(
            next((kinds[kind] for kind in kinds if part.startswith(kind)), part) for part in request.path.split("/")
        )
        for request in qoder.requests
    ]
    qoder.clear_requests()
    return found


def test_a_vault_is_previewed_deployed_rotated_refreshed_and_destroyed(stack: Stack, qoder: Emulator) -> None:
    """Each command sends what it must and nothing else; the vault keeps its id; nothing is left at the end."""
    is_2026_05 = qoder.revision == "2026-05"
    stack.write(v=vault(credential(protocol="sse")))

    preview = stack.run("preview", "--diff", QODER_PAT="")
    assert [] == asked(qoder)
    assert "first-access-token" not in preview.text

    stack.up()
    sent = qoder.requests[0]
    assert (["POST /vaults"] if is_2026_05 else ["POST /vaults", "POST /vaults", "POST /vaults/{id}/credentials"]) == (
        asked(qoder)
    )
    founding_body = {
        "display_name": "my-mcp-vault",
        "credentials": [
            {"mcp_server_url": URL, "protocol": "sse", "type": "static_bearer", "access_token": "***"},
        ],
    }
    assert founding_body == sent.body
    assert (201 if is_2026_05 else 400) == sent.status
    assert "application/json" == sent.headers["content-type"]
    (made,) = qoder.vaults
    (credential_made,) = made.credentials
    assert "first-access-token" == credential_made.access_token
    outputs = stack.outputs()
    assert made.id == outputs["v.id"]
    assert {URL: credential_made.id} == outputs["v.credential_ids"]
    assert {URL: 0} == outputs["v.rotations"]
    assert qoder.revision == outputs["v.api_revision"]
    assert "[secret]" == outputs["v.credentials"]

    stack.up("--expect-no-changes")
    assert [] == asked(qoder)
    stack.refresh("--expect-no-changes")
    assert ["GET /vaults/{id}", "GET /vaults/{id}/credentials"] == asked(qoder)

    stack.write(v=vault(credential(token="second-access-token", protocol="sse")))
    preview = stack.preview()
    assert f"~ {URL}: 0 => 1" in preview.text
    assert [] == asked(qoder)
    stack.up()
    assert made.id == stack.outputs()["v.id"]
    assert ["second-access-token"] == [item.access_token for item in qoder.vaults[0].credentials]
    asked(qoder)

    stack.destroy()
    assert ["GET /vaults/{id}/credentials", "DELETE /vaults/{id}"] == asked(qoder)
    assert [] == qoder.vaults
    assert [] == stack.resources()


def test_credentials_come_and_go_and_the_vault_stays(stack: Stack, qoder: Emulator) -> None:
    """Adding, removing and reordering touch no other credential; `on_delete` is no request; a new name is a replace."""
    stack.write(v=vault(credential(), credential(OTHER)))
    stack.up()
    before = stack.outputs()
    asked(qoder)

    stack.write(v=vault(credential(OTHER), credential()))
    stack.up("--expect-no-changes")
    assert [] == asked(qoder)

    third = "https://third.example/mcp"
    stack.write(v=vault(credential(), credential(third), on_delete="archive"))
    stack.up()
    after = stack.outputs()
    assert before["v.id"] == after["v.id"]
    assert before["v.credential_ids"][URL] == after["v.credential_ids"][URL]
    assert {URL, third} == set(after["v.credential_ids"])
    assert [
        "GET /vaults/{id}/credentials",
        "POST /vaults/{id}/credentials",
        "DELETE /vaults/{id}/credentials/{cid}",
    ] == asked(qoder)

    stack.write(v=vault(credential(), credential(third), on_delete="archive", display_name="renamed"))
    preview = stack.preview()
    assert stack.named('~ display_name: "my-mcp-vault" => "renamed"') in preview.text
    assert "replace" in preview.text
    stack.up()
    assert ["archived", "active"] == [item.status for item in qoder.vaults]
    assert before["v.id"] == qoder.vaults[0].id
    assert qoder.vaults[1].id == stack.outputs()["v.id"]


def test_a_server_that_ignores_credentials_never_makes_a_second_vault(tmp_path: Path) -> None:
    """`auto`: a 2xx that stored no credential is `2026-07`; the credentials are added to that vault."""
    with Emulator(revision="2026-07", credentials_key="ignore") as qoder:
        stack = Stack(tmp_path, qoder)
        stack.write(v=vault(credential(), credential(OTHER)))
        stack.up()
        assert ["POST /vaults", "POST /vaults/{id}/credentials", "POST /vaults/{id}/credentials"] == asked(qoder)
        assert [{URL, OTHER}] == [{item.mcp_server_url for item in each.credentials} for each in qoder.vaults]
        stack.up("--expect-no-changes")


def test_metadata_is_stored_or_the_vault_is_taken_back(stack: Stack, qoder: Emulator) -> None:
    """Nothing that was asked for is dropped silently."""
    stack.write(v=vault(credential(), metadata={"team": "platform"}))
    if qoder.revision == "2026-07":
        stack.up()
        assert {"team": "platform"} == stack.outputs()["v.metadata"]
        assert {"team": "platform"}.items() <= qoder.vaults[0].metadata.items()
        stack.refresh("--expect-no-changes")
        stack.up("--expect-no-changes")
    else:
        up = stack.up(fails=True)
        assert "error: metadata: this Qoder does not store metadata with a vault" in up.text
        assert "was deleted again, nothing is left" in up.text
        assert [] == qoder.vaults
        assert [] == stack.resources()
