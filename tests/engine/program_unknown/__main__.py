"""Vaults made of what a preview cannot know: outputs of a vault that does not exist yet."""

import os

import pulumi

if os.environ["FRONT"] == "plugin":
    from plugin_front import Vault
else:
    from pulumi_qoder_vault import Vault

URL = "https://example.com/mcp"
first = Vault(
    "first", display_name="first", credentials=[{"mcp_server_url": URL, "access_token": "first-access-token"}]
)
url = first.id.apply(lambda id_: f"https://example.com/{id_}")
token = first.created_at.apply(lambda time: f"token-of-{time}")
one = {"mcp_server_url": url, "access_token": token}
vaults = {
    "name": {"display_name": first.id, "credentials": [{"mcp_server_url": URL, "access_token": "plain-access-token"}]},
    "url": {"display_name": "url", "credentials": [{"mcp_server_url": url, "access_token": "plain-access-token"}]},
    "token": {"display_name": "token", "credentials": [{"mcp_server_url": URL, "access_token": token}]},
    "element": {"display_name": "element", "credentials": [pulumi.Output.all(**one)]},
    "list": {"display_name": "list", "credentials": pulumi.Output.all(pulumi.Output.all(**one))},
    "protocol": {
        "display_name": "protocol",
        "credentials": [
            one | {"protocol": first.id.apply(lambda _: "sse"), "type": first.id.apply(lambda _: "static_bearer")}
        ],
    },
    "on_delete": {"display_name": "on_delete", "credentials": [one], "on_delete": first.id.apply(lambda _: "archive")},
}
made = {name: Vault(name, **arguments) for name, arguments in vaults.items()}
pulumi.export("urls", {name: vault.credential_ids.apply(list) for name, vault in made.items()})
