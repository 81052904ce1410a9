"""In which form the service stores and returns values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from .fields import at_least

__all__ = ["AuthField", "FormArguments", "FormOptions", "MutableAuthField", "NotArchived"]

AuthField = Literal["expires_at", "injection_location", "networking", "refresh", "resource", "scope"]
MutableAuthField = Literal["injection_location", "networking"]
NotArchived = Literal["null", "zero_time", "absent"]


@dataclass(frozen=True)
class FormOptions:
    """Forms of values.

    Attributes:
        store_metadata: metadata of vaults and credentials is stored; False: accepted and dropped. None: what the
            revision does: the flat ones drop it, which no page says.
        adds_metadata: every vault and credential is returned with a pair of metadata that nobody sent.
        trims_metadata: blanks around values of metadata are not stored.
        trims_display_name: blanks around a display name are not stored.
        nfc_display_name: a display name is stored in the Unicode form NFC.
        normalizes_urls: URLs are returned with a host in lower case, without default port and trailing slash.
        utc_offset_minutes: times are returned with this offset instead of `Z`; None: `Z`.
        not_archived: `archived_at` of what is not archived; None: what the revision does: null on 2026-07, else absent.
        id_form: of the UUID in an id: 32 hex digits, or with "dashes".
        vault_id_prefix: of ids of vaults.
        credential_id_prefix: of ids of credentials.
        ignored_auth_fields: fields of `auth` that a create drops and an update leaves as they were, with a 2xx.
        mutable_auth_fields: fields of `auth` that an update changes, though no page says that it can.
        ignores_null: null in the `auth` of an update leaves the field as it was, with a 200.
        vault_echo: where each vault is returned with the API token of the request in it.
    """

    store_metadata: bool | None = None
    adds_metadata: bool = False
    trims_metadata: bool = False
    trims_display_name: bool = False
    nfc_display_name: bool = False
    normalizes_urls: bool = False
    utc_offset_minutes: int | None = at_least(-14 * 60, None)
    not_archived: NotArchived | None = None
    id_form: Literal["hex", "dashes"] = "hex"
    vault_id_prefix: str = "vault_"
    credential_id_prefix: str = "vcred_"
    ignored_auth_fields: tuple[AuthField, ...] = ()
    mutable_auth_fields: tuple[MutableAuthField, ...] = ()
    ignores_null: bool = False
    vault_echo: Literal["metadata", "display_name"] | None = None


class FormArguments(TypedDict, total=False):
    """The fields of `FormOptions` as keyword arguments."""

    store_metadata: bool | None
    adds_metadata: bool
    trims_metadata: bool
    trims_display_name: bool
    nfc_display_name: bool
    normalizes_urls: bool
    utc_offset_minutes: int | None
    not_archived: NotArchived | None
    id_form: Literal["hex", "dashes"]
    vault_id_prefix: str
    credential_id_prefix: str
    ignored_auth_fields: tuple[AuthField, ...]
    mutable_auth_fields: tuple[MutableAuthField, ...]
    ignores_null: bool
    vault_echo: Literal["metadata", "display_name"] | None
