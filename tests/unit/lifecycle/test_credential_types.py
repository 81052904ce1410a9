"""THE table: a field that is added to it arrives everywhere, and every row of it is whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_qoder_vault.lifecycle.credential_types import ALL_FIELDS, TYPES
from pulumi_qoder_vault.lifecycle.fields import Field, Fields


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What becomes of three new fields; see `a_new_field`."""
    program = Path(__file__).parent / "a_new_field.py"
    done = subprocess.run([sys.executable, str(program)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def test_check_judges_a_new_field(seen: dict[str, Any]) -> None:
    """By its kind, its choices, and whether it must be there."""
    fine, missing, wrong_kind, wrong_word = seen["problems"]
    assert [] == fine
    assert ["second_secret: is required"] == missing
    assert wrong_kind[0].startswith("audience: must be a string, not a number")
    assert ["tenant_id: must be 'one' or 'two'"] == wrong_word


def test_a_new_field_is_sent(seen: dict[str, Any]) -> None:
    """In a create by the API's name for it; in an update what changed, and null for what was taken away."""
    assert ("agents", "canary-two-2222", "one") == tuple(
        seen["create"].get(name) for name in ("audience", "second_secret", "tenant")
    )
    assert {"type": "mcp_oauth", "audience": None, "second_secret": "canary-three-3333"} == seen["update"]


def test_a_new_field_is_in_the_state(seen: dict[str, Any]) -> None:
    """A secret one in the form that the engine encrypts."""
    state = seen["state"]
    assert ("agents", "one") == (state["audience"], state["tenant_id"])
    assert "canary-two-2222" == state["second_secret"]["value"]
    assert "1b47061264138c4ac30d75fd1eb44270" in state["second_secret"].values()


def test_a_change_of_a_new_field_is_seen(seen: dict[str, Any]) -> None:
    """As an update, a rotation, or a replacement, as its row says."""
    assert ["audience", "rotations", "second_secret"] == seen["change"]
    assert [[], ["tenant_id"]] == seen["replaces"]
    assert 1 == seen["rotations"]


def test_a_new_field_is_read(seen: dict[str, Any]) -> None:
    """Where Qoder shows it; a secret, which it never shows, is not read."""
    assert {"audience": "others", "tenant_id": "two"} == seen["read"]


def test_a_new_field_is_in_the_schema(seen: dict[str, Any]) -> None:
    """With its name, its kind, its secret, and what a change of it does."""
    shown = seen["schema"]
    assert ["secondSecret", "tenant_id"] == seen["names"]
    assert [None, True, None] == [shown[name].get("secret") for name in ("audience", "secondSecret", "tenantId")]
    replacing = [name for name in ("audience", "secondSecret", "tenantId") if "replaces" in shown[name]["description"]]
    assert ["tenantId"] == replacing


def every_row(fields: Fields) -> Iterator[tuple[str, Field]]:
    """Yield every row, at any depth."""
    for name, row in fields.items():
        yield name, row
        yield from every_row(row.fields)


def test_a_type_has_its_key_and_its_secret() -> None:
    """Both are required; the key is plain and never changes in place."""
    for type_ in TYPES.values():
        key, secret = type_.fields[type_.key_field], type_.fields[type_.secret_field]
        assert (True, False, False) == (key.is_required, key.is_secret, key.is_mutable)
        assert (True, True, True) == (secret.is_required, secret.is_secret, secret.is_mutable)


@pytest.mark.parametrize(("name", "row"), [*every_row(ALL_FIELDS)], ids=[name for name, _ in every_row(ALL_FIELDS)])
def test_a_row_contradicts_itself_nowhere(name: str, row: Field) -> None:
    """A default is one of the choices, only what is mutable can be cleared, and an object has a name and fields."""
    assert row.default is None or row.default in row.choices
    assert row.is_mutable or not row.is_clearable
    assert (row.kind in ("object", "reference")) == bool(row.object_name) == bool(row.fields)
    assert row.is_secret or not row.is_bearer
    assert row.kind == "verifier" or row.description.endswith((".", "`"))
    assert name == name.lower()
