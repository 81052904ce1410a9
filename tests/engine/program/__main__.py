"""A program made of the vaults in vaults.json; access tokens stand in it in base64, so that no file holds one."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import plugin_front
import pulumi

import pulumi_qoder_vault

FRONTS: dict[str, Any] = {"dynamic": pulumi_qoder_vault, "plugin": plugin_front}


def decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if "base64" in value:
            return base64.b64decode(value["base64"]).decode()
        return {key: decoded(item) for key, item in value.items()}
    return [decoded(item) for item in value] if isinstance(value, list) else value


vaults: dict[str, Any] = {}
for name, arguments in json.loads(Path("vaults.json").read_text()).items():
    given = arguments.pop("opts", {})
    exports = arguments.pop("exports", ())
    front = FRONTS[arguments.pop("front", os.environ["FRONT"])]
    if "custom_timeouts" in given:
        given["custom_timeouts"] = pulumi.CustomTimeouts(**given["custom_timeouts"])
    if "alias_name" in given:
        given["aliases"] = [pulumi.Alias(name=given.pop("alias_name"))]
    elif "aliases" in given:
        kind = "Credential" if {"vault_id", "in_vault"} & arguments.keys() else "Vault"
        given["aliases"] = [pulumi.Alias(type_=f"pulumi-python:dynamic/qoder:{kind}")]
    options = pulumi.ResourceOptions(**given)
    if "in_vault" in arguments:
        arguments["vault_id"] = vaults[arguments.pop("in_vault")].id
    if "vault_id" in arguments:
        made = front.Credential(name, options, **decoded(arguments))
        for output in ("id", "credential_id", "rotations", "status"):
            pulumi.export(f"{name}.{output}", getattr(made, output))
        continue
    if "get" in arguments:
        vault = front.Vault.get(name, arguments["get"], options)
    else:
        vault = front.Vault(name, options, **decoded(arguments))
    vaults[name] = vault
    for output in (
        "id",
        "credential_ids",
        "rotations",
        "status",
        "base_url",
        "metadata",
        "credentials",
        "api_revision",
        *exports,
    ):
        pulumi.export(f"{name}.{output}", getattr(vault, output))
