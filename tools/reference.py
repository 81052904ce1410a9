"""Write the tables of docs/reference.md from the tables of the code.

What stands between `<!-- table: NAME -->` and `<!-- end -->` is written by this program; the sentences around it are
written by people. `tests/unit/test_documents.py` holds that the page is current.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi_qoder_vault.lifecycle.credential import check as credential
from pulumi_qoder_vault.lifecycle.credential_types import TYPES as CREDENTIAL_TYPES
from pulumi_qoder_vault.lifecycle.credential_types import CredentialType
from pulumi_qoder_vault.lifecycle.fields import Fields
from pulumi_qoder_vault.lifecycle.references import from_name
from pulumi_qoder_vault.lifecycle.vault import check as vault
from pulumi_qoder_vault.plugin import names
from pulumi_qoder_vault.plugin.schema import CREDENTIAL, FUNCTIONS, RESOURCES, TYPES, VAULT
from pulumi_qoder_vault.settings import SETTINGS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Properties = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text()))


def render(text: str) -> str:
    """Return the page with each of its tables as the code has it."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{''.join(TABLES[found[2]]())}\n{found[3]}", text)


def _rows(*rows: Iterable[str]) -> Iterator[str]:
    head, *body = ([*row] for row in rows)
    for row in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(row)} |\n"


def _settings() -> Iterator[str]:
    return _rows(
        ("configuration", "environment", "what"),
        *(
            (
                f"`qoder:{setting.key}`{' (secret)' if setting.is_secret else ''}",
                ", then ".join(f"`{name}`" for name in setting.environment),
                setting.description,
            )
            for setting in SETTINGS
        ),
    )


def _value(described: Mapping[str, Any]) -> str:
    """Return what kind of value a property of the schema takes."""
    if "$ref" in described:
        return f"`{described['$ref'].rpartition(':')[2]}`"
    match described["type"]:
        case "array":
            return f"list of {_value(described['items'])}"
        case "object":
            return f"map of {_value(described['additionalProperties'])}"
        case kind:
            return str(kind)


def _properties(properties: Properties, fields: Fields | None = None) -> Iterator[str]:
    """Yield a table of properties; the rows of the core, if there are any, say what is required."""
    rows = []
    for name, described in properties.items():
        row = (fields or {}).get(names.snake(name))
        notes = [described["description"]]
        if row is not None and row.is_required and "Required for" not in notes[0]:
            reference = f"`{names.camel(from_name(names.snake(name)))}`"
            secret = f"This or {reference} is required, except after an import."
            notes.insert(0, secret if row.is_secret else "Required.")
        if "default" in described:
            default = str(described["default"])
            notes.append(f"Default: `{default.lower() if described['type'] == 'boolean' else default}`.")
        value = f"{_value(described)}{', secret' if described.get('secret') else ''}"
        rows.append((f"`{names.snake(name)}`", f"`{name}`", value, " ".join(notes)))
    return _rows(("Python", "plugin", "value", "what"), *rows)


def _outputs(resource: str) -> Iterator[str]:
    """Yield a table of the outputs that are no arguments."""
    described = RESOURCES[resource]
    arguments = described["inputProperties"]
    return _properties({name: item for name, item in described["properties"].items() if name not in arguments})


def _credential_types() -> Iterator[str]:
    return _rows(
        ("`type`", "arguments", "a change of it is a rotation", "a change of it replaces the credential"),
        *((f"`{name}`", *_cells(type_)) for name, type_ in CREDENTIAL_TYPES.items()),
    )


def _cells(type_: CredentialType) -> Iterator[str]:
    yield ", ".join(f"`{name}`" for name, row in type_.fields.items() if row.kind != "verifier")
    yield ", ".join(f"`{path}`" for path, row in _paths(type_.fields) if row.is_secret and row.kind != "verifier")
    yield ", ".join(
        f"`{path}`{' as a whole' if row.has_mutable_part else ''}"
        for path, row in _paths(type_.fields)
        if not row.is_mutable
    )


def _paths(fields: Fields, path: str = "", *, is_mutable: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield all fields with their paths; those of an object that is compared as a whole are left out, unless secret."""
    for name, row in fields.items():
        if not is_mutable or row.is_secret:
            yield f"{path}{name}", row
        is_one = row.is_mutable or not row.has_mutable_part
        yield from _paths(row.fields, f"{path}{name}.", is_mutable=is_mutable or is_one)


def _object(name: str, fields: Fields | None = None) -> Callable[[], Iterator[str]]:
    return lambda: _properties(TYPES[name]["properties"], fields)


def _function(token: str) -> Iterator[str]:
    described = FUNCTIONS[token]
    required = described["inputs"].get("required", ())
    for direction, properties in (("argument", described["inputs"]), ("output", described["outputs"])):
        yield from _rows(
            (direction, "value", "what"),
            *(
                (
                    f"`{name}`",
                    _value(item),
                    f"{'Required. ' if direction == 'argument' and name in required else ''}{item['description']}",
                )
                for name, item in properties["properties"].items()
            ),
        )
        yield "\n" if direction == "argument" else ""


def _functions() -> Iterator[str]:
    for number, (token, described) in enumerate(FUNCTIONS.items()):
        name = token.rpartition(":")[2]
        yield f"{chr(10) if number else ''}### {name}\n\n{described['description']}\n\n"
        yield from _function(token)


_BEARER = CREDENTIAL_TYPES["static_bearer"].fields
_REFRESH = CREDENTIAL_TYPES["mcp_oauth"].fields["refresh"].fields
_VARIABLE = CREDENTIAL_TYPES["environment_variable"].fields

TABLES: Mapping[str, Callable[[], Iterator[str]]] = {
    "settings": _settings,
    "vault-arguments": lambda: _properties(RESOURCES[VAULT]["inputProperties"], vault.ARGUMENTS),
    "vault-credential": _object("VaultCredential", vault.CREDENTIAL_FIELDS),
    "secret-reference": _object("SecretReference", _BEARER["access_token_from"].fields),
    "vault-outputs": lambda: _outputs(VAULT),
    "credential-arguments": lambda: _properties(RESOURCES[CREDENTIAL]["inputProperties"], credential.ARGUMENTS),
    "credential-types": _credential_types,
    "oauth-refresh": _object("OAuthRefresh", _REFRESH),
    "token-endpoint-auth": _object("TokenEndpointAuth", _REFRESH["token_endpoint_auth"].fields),
    "networking": _object("Networking", _VARIABLE["networking"].fields),
    "injection-location": _object("InjectionLocation", _VARIABLE["injection_location"].fields),
    "credential-outputs": lambda: _outputs(CREDENTIAL),
    "functions": _functions,
    "vault-summary": _object("VaultSummary"),
    "credential-summary": _object("CredentialSummary"),
}


if __name__ == "__main__":
    main()
