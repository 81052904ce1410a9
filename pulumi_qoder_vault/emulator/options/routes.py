"""Which routes the service serves, and what their responses hold beside the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

__all__ = [
    "ArchiveAgain",
    "CreateCredentials",
    "CredentialCreateStatus",
    "Hollow",
    "NotServed",
    "RouteArguments",
    "RouteOptions",
    "VaultDeleteRefusal",
]

NotServed = Literal[404, 405, 501]
VaultDeleteRefusal = Literal[404, 405, 409, 501]
ArchiveAgain = Literal[200, 409]
CredentialCreateStatus = Literal[200, 201]
CreateCredentials = Literal["created", "null", "empty", "absent"]
Hollow = Literal["empty", "null"]


@dataclass(frozen=True)
class RouteOptions:
    """Which routes are served, and how.

    A 404 of a route that is not served has the words of a genuine one, though the object is there; a 501 is
    `feature_not_available`.

    Attributes:
        credential_delete_refusal: status of every DELETE of a credential, which is not served; None: it is served.
        vault_delete_refusal: the same for a vault; 409: old sessions refer to it.
        credential_update_refusal: the same for POST to a credential; None: served on 2026-07, else 405.
        credential_get_refusal: the same for GET of one credential.
        archive_again: status when an archived vault is archived again.
        archived_write_status: status when a credential is created in an archived vault, or an archived one updated.
        archive_response: body of every archive, with 200; None: the object.
        delete_response: body of every DELETE, with 200; None: what the revision does.
        archives_credentials: an archive of a vault archives its credentials.
        hides_archived_vaults: GET, DELETE and archive of an archived vault are 404.
        credential_create_status: 2026-07, status of a credential create.
        create_credentials: flat revisions, `credentials` in the response to a vault create; they are stored anyway.
        vault_get_credentials: flat revisions, vaults in get, list and archive have `credentials`.
    """

    credential_delete_refusal: NotServed | None = None
    vault_delete_refusal: VaultDeleteRefusal | None = None
    credential_update_refusal: NotServed | None = None
    credential_get_refusal: NotServed | None = None
    archive_again: ArchiveAgain = 409
    archived_write_status: Literal[400, 409] = 409
    archive_response: Hollow | None = None
    delete_response: Hollow | None = None
    archives_credentials: bool = False
    hides_archived_vaults: bool = False
    credential_create_status: CredentialCreateStatus = 200
    create_credentials: CreateCredentials = "created"
    vault_get_credentials: bool = False


class RouteArguments(TypedDict, total=False):
    """The fields of `RouteOptions` as keyword arguments."""

    credential_delete_refusal: NotServed | None
    vault_delete_refusal: VaultDeleteRefusal | None
    credential_update_refusal: NotServed | None
    credential_get_refusal: NotServed | None
    archive_again: ArchiveAgain
    archived_write_status: Literal[400, 409]
    archive_response: Hollow | None
    delete_response: Hollow | None
    archives_credentials: bool
    hides_archived_vaults: bool
    credential_create_status: CredentialCreateStatus
    create_credentials: CreateCredentials
    vault_get_credentials: bool
