"""What a preview does not know is not missing."""

from pathlib import Path

from engine.stacks import HERE, Stack, assert_no_traceback
from pulumi_qoder_vault.emulator import Emulator


def test_unknown_values_pass_a_preview_and_are_decided_later(tmp_path: Path) -> None:
    """Name, URL, access token, element, list, protocol and `on_delete` may each be unknown, on create and on update."""
    with Emulator(revision="2026-05") as qoder:
        stack = Stack(tmp_path, qoder, HERE / "program_unknown")

        preview = stack.preview()
        assert "+ 9 to create" in preview.text
        assert [] == qoder.requests

        stack.up()
        assert 8 == len(qoder.vaults)
        first = next(vault.id for vault in qoder.vaults if vault.display_name == "first")
        own = f"https://example.com/{first}"
        urls = stack.outputs()["urls"]
        assert {"name", "token"} == {name for name, found in urls.items() if found == ["https://example.com/mcp"]}
        assert {"url", "element", "list", "protocol", "on_delete"} == {n for n, found in urls.items() if found == [own]}
        stack.up("--expect-no-changes")

        program = stack.folder / "__main__.py"
        program.write_text(program.read_text().replace('display_name="first"', 'display_name="second"'))
        qoder.clear_requests()
        replaced = stack.preview()
        assert [] == qoder.requests
        assert_no_traceback(replaced.text)
        stack.up()
        assert 8 == len([vault for vault in qoder.vaults if vault.status == "active"])
        stack.up("--expect-no-changes")
