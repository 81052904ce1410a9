"""The two revisions of the Vaults API as data: the bodies that each takes, and how a response of either is read.

A response is read by its shape, never by what was sent: the service changed in place, and regions lag.
Sources: Qoder, Create Vault (read 2026-05-18); Vaults and Vault Credentials (read 2026-08); qca-sdk 0.11.0.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..lifecycle.credential_types import ALL_FIELDS, DEFAULT_TYPE, TYPES
from ..lifecycle.equivalence import ID, instant_s
from ..lifecycle.fields import Field, Fields, sent_part
from ..lifecycle.model import (
    ACTIVE,
    ARCHIVED,
    MARK_KEY,
    Credential,
    DesiredVault,
    ObservedCredential,
    ObservedVault,
    Revision,
)
from ..secret import Secret

Json = Mapping[str, Any]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


VALIDATIONS = ("valid", "invalid", "unknown")
_WORD = re.compile(r"[a-z_]{1,40}")


class Validation(NamedTuple):
    """What Qoder found when it tried an OAuth credential.

    Attributes:
        status: ``valid``, ``invalid`` or ``unknown``.
        refresh_status: what became of a refresh, in one word; None where that is not said.
        http_status: which HTTP status the token endpoint answered with, or else the MCP server; None where that is not
            said.
    """

    status: str
    refresh_status: str | None
    http_status: int | None


class Unreadable(Exception):
    """A response has neither revision's shape; says what is missing, never what it holds."""


def _flat_credential(credential: Credential) -> Json:
    """Return the founding page's form, in its order."""
    fields = TYPES[credential.type].fields
    given = sent_part(credential.properties, fields)
    plain = {name: given[name] for name, row in fields.items() if name in given and not row.is_secret}
    secrets = {name: given[name] for name, row in fields.items() if name in given and row.is_secret}
    return {**plain, "type": credential.type, **_revealed(secrets)}


def _nested_credential(credential: Credential) -> Json:
    """Return the current form: the type, the secret, and the rest in the order of the table."""
    type_ = TYPES[credential.type]
    given = sent_part(credential.properties, type_.fields)
    rows = sorted(type_.fields.items(), key=lambda item: item[0] != type_.secret_field)
    sent = {row.auth_name or name: given[name] for name, row in rows if name in given and row.is_in_auth}
    body = {"auth": {"type": credential.type, **_revealed(sent)}}
    return body if credential.metadata is None else {**body, "metadata": dict(credential.metadata)}


def update_body(before: Credential, after: Credential, *, is_sure: bool = True) -> Json:
    """Return the merge patch that changes a credential in place (``2026-07`` only): what is absent stays.

    After an update whose outcome is unknown (``is_sure`` is False), every mutable field is sent, changed or not.
    """
    fields = TYPES[after.type].fields
    had, wanted = sent_part(before.properties, fields), sent_part(after.properties, fields)
    patch = _patch(fields, had, wanted, is_sure=is_sure)
    body: dict[str, Any] = {"auth": {"type": after.type, **patch}}
    pairs, former = after.metadata or {}, before.metadata or {}
    if pairs != former:
        body["metadata"] = {**dict.fromkeys(former.keys() - pairs.keys()), **pairs}
    return body


def _patch(fields: Fields, before: Json, after: Json, *, is_sure: bool) -> dict[str, Any]:
    """Return the merge patch of some fields. An object that is not mutable itself is patched by its parts."""
    patch: dict[str, Any] = {}
    for name, row in fields.items():
        old, new, sent_as = before.get(name), after.get(name), row.auth_name or name
        if row.is_local or not row.is_in_auth or not row.has_mutable_part:
            continue
        if not row.is_mutable:
            parts = _patch(row.fields, old or {}, new, is_sure=is_sure) if new else {}
            patch |= {sent_as: parts} if parts else {}
        elif new is not None:
            patch |= {sent_as: _revealed(new)} if not is_sure or new != old else {}
        elif row.is_clearable and (old is not None or not is_sure):
            patch[sent_as] = None
    return patch


def _revealed(value: Any) -> Any:
    """Return a value for a request body: the one place where secrets are revealed to Qoder."""
    if isinstance(value, Secret):
        return value.reveal()
    return {key: _revealed(item) for key, item in value.items()} if isinstance(value, Mapping) else value


CREDENTIAL_BODY: Mapping[Revision, Callable[[Credential], Json]] = {
    Revision.R2026_05: _flat_credential,
    Revision.R2026_07: _nested_credential,
}


def _founding_vault(desired: DesiredVault, _key: str) -> Json:
    credentials = [_flat_credential(item) for item in desired.credentials]
    body: Json = {"display_name": desired.display_name, "credentials": credentials}
    return body if desired.metadata is None else {**body, "metadata": dict(desired.metadata)}


def _marked_vault(desired: DesiredVault, key: str) -> Json:
    return {"display_name": desired.display_name, "metadata": {**(desired.metadata or {}), MARK_KEY: key}}


VAULT_BODY: Mapping[Revision, Callable[[DesiredVault, str], Json]] = {
    Revision.R2026_05: _founding_vault,
    Revision.R2026_07: _marked_vault,
}


def name_query(display_name: str) -> Mapping[str, str]:
    """Ask for the longest part of a name that no server writes in another form, as it may spaces and accents."""
    plain = max(re.findall(r"[0-9A-Za-z_.-]+", display_name, re.ASCII), key=len, default="")
    return {"name": plain} if plain else {}


# Whether `include_archived` is not known, and a list of the archived vaults has to be asked for.
LISTS_ARCHIVED_APART: Mapping[Revision, bool] = {Revision.R2026_05: True, Revision.R2026_07: False}


def read_vault(response: object) -> ObservedVault:
    """Read a vault of either revision.

    Raises:
        Unreadable: it has no vault id, or is no object.
    """
    vault = _object(response, "vault")
    is_current = "status" not in vault and ("archived_at" in vault or vault.get("type") == "vault")
    credentials = vault.get("credentials") or []
    if not isinstance(credentials, list):
        raise Unreadable("the vault's credentials are not a list")
    metadata = _metadata(vault.get("metadata"))
    return ObservedVault(
        id=_id(vault),
        display_name=_unicode(str(vault.get("display_name", ""))),
        mark=metadata.pop(MARK_KEY, None),
        metadata=metadata,
        status=ARCHIVED if _is_archived(vault) else ACTIVE,
        credentials=tuple(read_credential(item) for item in credentials),
        created_at=_time(vault.get("created_at")),
        updated_at=_time(vault.get("updated_at")),
        revision=Revision.R2026_07 if is_current else Revision.R2026_05,
    )


def read_credential(response: object) -> ObservedCredential:
    """Read a credential of either revision.

    Raises:
        Unreadable: it has no credential id, or is no object.
    """
    credential = _object(response, "credential")
    auth = credential.get("auth")
    fields = auth if isinstance(auth, dict) else credential
    type_ = _word(fields.get("type"), tuple(TYPES)) or ""
    return ObservedCredential(
        id=_id(credential),
        type=type_,
        properties=_shown(ALL_FIELDS if isinstance(auth, dict) else TYPES[DEFAULT_TYPE].fields, fields),
        is_active=not _is_archived(credential),
        created_at=_time(credential.get("created_at")),
        revision=Revision.R2026_07 if isinstance(auth, dict) else Revision.R2026_05,
        metadata=_metadata(credential.get("metadata")),
        vault_id=_text(credential.get("vault_id")) or "",
    )


def _is_archived(item: Json) -> bool:
    """Return True for what is archived. A time before it was made stands for none, as servers in Go write it."""
    if item.get("status") == ARCHIVED:
        return True
    archived_s, made_s = (instant_s(str(item.get(name))) for name in ("archived_at", "created_at"))
    if archived_s is None:
        return bool(item.get("archived_at"))
    return archived_s >= (made_s if made_s is not None else 0.0)


def read_deleted(response: object, id_: str) -> None:
    """Read that something is deleted: a 2xx without a body says so, or with its id.

    Raises:
        Unreadable: it does.
    """
    if response not in (None, {}) and (not isinstance(response, dict) or response.get("id") != id_):
        raise Unreadable("it does not say what is deleted")


def read_archived(response: object, id_: str) -> bool:
    """Read if a vault or a credential is archived; a response without an object does not show it.

    Raises:
        Unreadable: it is about something else.
    """
    if response is None:
        return False
    item = _object(response, "response")
    if _id(item) != id_:
        raise Unreadable("it does not say what is archived")
    return _is_archived(item)


def read_validation(response: object, credential_id: str) -> Validation:
    """Read what became of a validation. What another server answered is left out, but for its HTTP status.

    Source: qca-sdk 0.11.0, qca/managed/types/credential_validation.py. UNVERIFIED: which words there are for a refresh.

    Raises:
        Unreadable: it is no object, about another credential, or says nothing.
    """
    validation = _object(response, "validation")
    if validation.get("credential_id") not in (None, credential_id):
        raise Unreadable("it is about another credential")
    if not isinstance(validation.get("status"), str):
        raise Unreadable("the validation has no status")
    refresh = _part(validation, "refresh")
    word = refresh.get("status")
    answers = [_part(part, "http_response").get("status_code") for part in (refresh, _part(validation, "mcp_probe"))]
    codes = [code for code in answers if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599]
    return Validation(
        _word(validation["status"], VALIDATIONS) or "unknown",
        word if isinstance(word, str) and _WORD.fullmatch(word) else None,
        next(iter(codes), None),
    )


def _part(item: Json, name: str) -> Json:
    """Return an object within another one; an empty one where there is none."""
    value = item.get(name)
    return value if isinstance(value, dict) else {}


def _shown(fields: Fields, shown: Json) -> dict[str, Any]:
    """Read the fields that are no secret, each of its own kind; any other value is as if it were not there."""
    return {
        name: value
        for name, row in fields.items()
        if not (row.is_secret or row.is_local)
        and (value := _shown_value(row, shown.get(row.auth_name or name))) is not None
    }


def _shown_value(row: Field, value: Any) -> Any:
    if row.kind == "object":
        return _shown(row.fields, value) if isinstance(value, dict) else None
    if row.kind == "hosts":
        return [_unicode(item) for item in value if isinstance(item, str)] if isinstance(value, list) else None
    if row.kind == "boolean":
        return value if isinstance(value, bool) else None
    return _word(value, row.choices) if row.choices else _text(value)


def _metadata(given: object) -> dict[str, str]:
    pairs = given.items() if isinstance(given, dict) else ()
    return {_unicode(str(key)): _unicode(str(value)) for key, value in pairs}


def read_page(response: object) -> tuple[list[object], Mapping[str, str] | None]:
    """Read one page of a list: its items, and the query for what comes after; None on the last page.

    What goes on is said by ``next_page``, as it is, else by ``has_more``. The plain last id may stand there on the last
    page, too. An empty page may be one whose items were all filtered out.

    Raises:
        Unreadable: it is not a list's envelope.
    """
    page = _object(response, "list")
    items = page.get("data")
    if not isinstance(items, list):
        raise Unreadable("the list has no data")
    next_page, last_id = page.get("next_page"), page.get("last_id")
    has_more = page.get("has_more", next_page) or (next_page and next_page != last_id)
    if not has_more:
        return items, None
    if isinstance(next_page, str) and next_page:
        return items, {"page": next_page}
    if not isinstance(last_id, str) or not ID.fullmatch(last_id):
        raise Unreadable("the list has another page, and does not say where")
    return items, {"after_id": last_id}


def _object(response: object, what: str) -> Json:
    if not isinstance(response, dict):
        raise Unreadable(f"the {what} is not an object")
    return response


def _id(item: Json) -> str:
    value = item.get("id")
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Unreadable("it has no id")
    return value


def _text(value: object) -> str | None:
    return _unicode(value) if isinstance(value, str) else None


def _word(value: object, known: Sequence[str]) -> str | None:
    """Read one of the known words. Any other one is as if it were not there: it could be an access token."""
    return value if isinstance(value, str) and value in known else None


def _unicode(text: str) -> str:
    """Replace what JSON can hold and UTF-8, which Pulumi writes, cannot: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def _time(value: object) -> str:
    return value if isinstance(value, str) and _TIME.fullmatch(value) else ""
