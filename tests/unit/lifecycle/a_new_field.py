"""A program: the package with three fields more in the table of `mcp_oauth`, and what then becomes of them, as JSON.

The rows are put into the text of `credential_types.py`, before anything else is imported: no other line is changed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

NAME = "pulumi_qoder_vault.lifecycle.credential_types"
BEFORE = '            "access_token": _access_token(),\n'
ROWS = """\
            "audience": Field(description="Whom it is for.", is_mutable=True, is_clearable=True),
            "second_secret": Field(description="One more.", is_required=True, is_secret=True, is_mutable=True),
            "tenant_id": Field(description="Whose it is.", choices=("one", "two"), auth_name="tenant"),
"""


def load_table() -> None:
    """Load the table with the new rows."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    assert 1 == text.count(BEFORE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    exec(compile(text.replace(BEFORE, BEFORE + ROWS), spec.origin, "exec"), module.__dict__)


SECRETS = ("access_token", "second_secret")


class Service(BaseHTTPRequestHandler):
    """A vault with one credential, which shows every field that it is sent but its secrets."""

    bodies: ClassVar[list[Any]] = []
    shown: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        listed = [self.credential()] if self.bodies else []
        is_list = self.path.partition("?")[0].endswith("/credentials")
        self.respond({"data": listed, "has_more": False} if is_list else {"id": "vault_1", "archived_at": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        self.shown.update({key: value for key, value in body["auth"].items() if key not in SECRETS})
        self.respond(self.credential())

    def credential(self) -> dict[str, Any]:
        return {"id": "vcred_1", "vault_id": "vault_1", "auth": self.shown, "archived_at": None}

    def respond(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def run() -> dict[str, Any]:
    """Live a life with the new fields, and return what was seen of it."""
    from pulumi_qoder_vault.api import revisions
    from pulumi_qoder_vault.connection import Qoder
    from pulumi_qoder_vault.plugin import names, schema
    from pulumi_qoder_vault.pulumi_values import PulumiProperties, from_pulumi, to_pulumi
    from pulumi_qoder_vault.resources.credential import CredentialResource
    from pulumi_qoder_vault.settings import load

    def inputs(**changed: Any) -> Any:
        program = {
            "vault_id": vault_id,
            "type": "mcp_oauth",
            "mcp_server_url": "https://example.com/mcp",
            "access_token": "mcp-canary-one-1111",
            "audience": "agents",
            "second_secret": "canary-two-2222",
            "tenant_id": "one",
            **changed,
        }
        return from_pulumi(PulumiProperties({name: value for name, value in program.items() if value is not None}))

    def problems(**changed: Any) -> list[str]:
        return [str(problem) for problem in resource.check(inputs(**changed), {}, settings)]

    resource = CredentialResource()
    vault_id = "vault_1"
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base_url = f"http://127.0.0.1:{server.server_port}"
        settings = load({"qoder:apiToken": "pt-canary-api-token", "qoder:baseUrl": base_url}, {})
        there = Qoder(settings)
        first = resource.complete(inputs(), {})
        made = resource.create(there, first)
        changes = resource.complete(inputs(audience=None, second_secret="canary-three-3333"), first)
        difference = resource.diff(made.id, made.outputs, changes)
        resource.update(there, made.id, made.outputs, changes)
        server.shutdown()
    created, updated = Service.bodies
    replaced = resource.diff(made.id, made.outputs, resource.complete(inputs(tenant_id="two"), first))
    shown = {"type": "mcp_oauth", "audience": "others", "tenant": "two", "second_secret": "an echo"}
    return {
        "problems": [problems(), problems(second_secret=None), problems(audience=7), problems(tenant_id="three")],
        "create": created["auth"],
        "state": to_pulumi(made.outputs),
        "change": sorted(".".join(map(str, path)) for path in difference.details),
        "replaces": [list(difference.replaces), list(replaced.replaces)],
        "update": updated["auth"],
        "rotations": changes["rotations"],
        "read": revisions.read_credential({"id": "vcred_1", "auth": shown}).properties,
        "names": [names.camel("second_secret"), names.snake("tenantId")],
        "schema": schema.schema()["resources"]["qoder:index:Credential"]["inputProperties"],
    }


if __name__ == "__main__":
    load_table()
    json.dump(run(), sys.stdout)
