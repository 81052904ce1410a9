"""The services of the tests: three that behave as the documentation says, and those that do not.

Each one differs from the first three in a way that no page excludes, that a compatible server was seen to have, or that
a gateway before it can cause. Its docstring says how. What it does wrong, it does to the first attempt of each command
only, unless it is how the service is: then a client has to live with it.
"""

from __future__ import annotations

import base64
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from hostile.service import (
    BETWEEN,
    HTML_503,
    JULY,
    MAY,
    OTHER_API_TOKEN,
    PREFIX,
    Credential,
    Dropped,
    Form,
    Item,
    Json,
    Refused,
    Request,
    Response,
    Service,
    Vault,
    changed,
    error,
    invalid,
    not_found,
)

if TYPE_CHECKING:
    from hostile.judge import Judge

VAULT_FRONTS: tuple[str, ...] = ("dynamic", "plugin")
ALL_FRONTS: tuple[str, ...] = (*VAULT_FRONTS, "credential")
ANY = frozenset({"create", "refresh", "rotate", "add", "swap", "remove", "replace", "refresh again", "mend", "destroy"})
CREATES = frozenset({"create", "replace", "mend"})  # of a vault, where two creates cannot be told apart
NOTHING_YET = "0001-01-01T00:00:00Z"


class Hostile(Service):
    """A service in a test.

    Attributes:
        fronts: which fronts run a life here.
        refuses: steps of a life that cannot succeed here.
        may_fail: steps of a life whose first attempt may fail here; all others have to succeed at once.
        name: of the vault.
        url: of a server, by its letter.
        credential_of_life: what a standalone credential is declared with, beside its key and its secret.
        change_of_life: what changes in it when it is rotated.
        metadata: of the vault.
        has_twin: True if the program has a second vault, which is made after the first.
        refuses_definitely: True if what it refuses was not done, and it says so.
        lists_lie: True if a list may lack what is there: then nothing can know of the credentials of others.
    """

    fronts: ClassVar[tuple[str, ...]] = VAULT_FRONTS
    refuses: ClassVar[frozenset[str]] = frozenset()
    may_fail: ClassVar[frozenset[str]] = frozenset()
    name = "hostile-tools"
    url = "https://{}.example/mcp"
    credential_of_life: ClassVar[dict[str, Any]] = {}
    change_of_life: ClassVar[dict[str, Any]] = {}
    metadata: ClassVar[dict[str, str]] = {}
    has_twin = False
    refuses_definitely = False
    lists_lie = False
    step = ""
    is_armed = False

    @property
    def gapless(self) -> bool:
        """Return True if a rotation needs no moment without an active credential."""
        return self.two_per_url or self.form.in_place

    def begin_command(self, step: str, attempt: int) -> None:
        """Prepare for a command of the stack; the first attempt of each may meet what later ones do not."""
        self.step = step
        self.is_armed = attempt == 0
        self._done: dict[str, int] = {}

    def meddle(self, vaults: Sequence[Vault], judge: Judge) -> None:
        """Somebody else changes our vaults before a command."""

    def nth(self, what: str) -> int:
        """Count how often something happened in this command, from 1."""
        self._done[what] = self._done.get(what, 0) + 1
        return self._done[what]

    def is_first(self, what: str) -> bool:
        """Return True once for each command, and only at its first attempt."""
        return self.is_armed and self.nth(what) == 1

    def others_vault(self) -> Vault:
        """Return the vault of another stack that has the name of ours."""
        return next(
            vault
            for vault in self.vaults
            if vault.made_by == "them" and vault.display_name == self.stored_name(self.name)
        )


class May(Hostile):
    """`2026-05`, as it is documented; a second credential for one URL is allowed."""

    fronts = ALL_FRONTS
    form = MAY


class Between(Hostile):
    """The stage between: flat, credentials optional, `archived_at`."""

    fronts = ALL_FRONTS
    form = BETWEEN


class July(Hostile):
    """`2026-07`, as it is documented: one active credential for each URL, updates in place."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False


class HidesArchived(Hostile):
    """What every service has that shows nothing of an archived vault."""

    def vault(self, request: Request, vault_id: str, *, is_read: bool = True) -> Vault:
        found = super().vault(request, vault_id, is_read=is_read)
        if found.archived_s is not None:
            raise not_found("Vault", vault_id)
        return found


class DeepDataAgent(HidesArchived):
    """LinkoraAi/DeepDataAgent: ids with dashes, 409s in Chinese, DELETE of a vault in use refused, archived hidden."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    honours_keys = False
    limit = 4

    def new_id(self, kind: str) -> str:
        return f"{'vault' if kind == 'vault' else 'vcred'}_{uuid.uuid4()}"

    def conflict(self, credential: Credential) -> Response:
        return error(409, "conflict_error", "该保险库中已存在相同地址的有效凭证。")

    def is_full(self) -> Response:
        return error(409, "conflict_error", "保险库中的有效凭证数量已达上限。")

    def refused_key(self, key: str) -> Response:
        return error(400, "invalid_request_error", f'Unrecognized field "{key}", not marked as ignorable.')

    def archived(self, item: Item) -> Response:
        return Response(200)

    def delete_vault(self, request: Request, vault_id: str) -> Response:
        self.vault(request, vault_id)
        return error(409, "conflict_error", "Sessions refer to this vault; archive it instead.")

    def position(self, items: Sequence[Item], query: Mapping[str, str]) -> int:
        try:
            return super().position(items, query)
        except Refused:
            raise not_found("Cursor", "?") from None


class OpaqueCursors(Hostile):
    """What every service has whose `next_page` says nothing, and that knows no other cursor."""

    def position(self, items: Sequence[Item], query: Mapping[str, str]) -> int:
        cursor = query.get("page")
        if cursor is None:
            return 0
        id_ = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")[2]
        ids = [item.id for item in items]
        if id_ not in ids:
            raise self.dead_cursor()
        return ids.index(id_) + 1

    def dead_cursor(self) -> Refused:
        return invalid("Invalid cursor.", "page")

    def envelope(self, part: Sequence[Item], *, more: bool) -> Json:
        data = [self.shown(item) for item in part]
        if not more:
            return {"data": data, "next_page": None}
        cursor = f"{self.time_text(part[-1].created_s)}|{part[-1].id}"
        return {"data": data, "next_page": base64.urlsafe_b64encode(cursor.encode()).decode()}


class OpenManagedAgents(OpaqueCursors):
    """superduck-ai/open-managed-agents: opaque cursors, other ids, `credentials` ignored, 400 for what is full."""

    fronts = ALL_FRONTS
    form = replace(JULY, credentials_key="ignored")
    two_per_url = False
    honours_keys = False
    limit = 4
    page_size = 2

    def new_id(self, kind: str) -> str:
        return f"{'vlt' if kind == 'vault' else 'vcrd'}_{uuid.uuid4().hex[:24]}"

    def conflict(self, credential: Credential) -> Response:
        return error(409, "conflict_error", "Credential key already exists")

    def is_full(self) -> Response:
        return error(400, "invalid_request_error", "vault has reached the maximum of 20 active credentials")

    def archived_vault_refuses(self) -> Response:
        return error(400, "invalid_request_error", "Vault is archived")

    def archived_again(self, item: Item) -> Response:
        return Response(200, self.shown(item))

    def archive_vault(self, request: Request, vault_id: str) -> Response:
        response = super().archive_vault(request, vault_id)
        for item in self.vault(request, vault_id).credentials:
            item.archived_s = item.archived_s or self.now_s()
        return response

    def list_vaults(self, request: Request) -> Response:
        query = {name: value for name, value in request.query.items() if name != "name"}
        return super().list_vaults(replace(request, query=query))

    def no_route(self, request: Request) -> Response:
        raise not_found("Route", f"{request.method} {request.path}")


class NoDeleteRoutes404(Hostile):
    """`2026-05` without any DELETE route: 404 in the API's envelope, whatever exists."""

    fronts = ALL_FRONTS
    form = MAY
    delete_credential_route = "404"
    delete_vault_route = "404"


class NoDeleteRoutes405(Hostile):
    """The stage between without any DELETE route: 405 without an envelope; one item on a page."""

    fronts = ALL_FRONTS
    form = BETWEEN
    delete_credential_route = "405"
    delete_vault_route = "405"
    page_size = 1


class NoInPlaceUpdate405(Hostile):
    """The nested form of September: POST to a credential is 405; two for each URL."""

    fronts = ALL_FRONTS
    form = replace(JULY, in_place=False)

    def no_route(self, request: Request) -> Response:
        return Response(405, b"", {"Allow": "GET, DELETE"})


class NoInPlaceUpdate404(Hostile):
    """The nested form without update: a genuine-looking 404; one for each URL, and room for four."""

    fronts = ALL_FRONTS
    form = replace(JULY, in_place=False)
    two_per_url = False
    limit = 4

    def no_route(self, request: Request) -> Response:
        raise not_found("Resource", request.path)


class LaggingJuly(Hostile):
    """`2026-07`, whose reads and DELETEs see nothing of the last 5 s."""

    may_fail = frozenset({"replace", "destroy"})
    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    lag_s = 5.0


class LaggingRefusal(LaggingJuly):
    """The same, where the first credential of each new vault is refused: the vault is not even seen by then."""

    fronts = VAULT_FRONTS
    may_fail = CREATES | {"destroy"}

    def gateway(self, request: Request) -> Response | None:
        if self.step in CREATES and request.creates("credential") and self.is_first("add"):
            return error(400, "invalid_request_error", "The access token has expired.", "auth.token")
        return None


class LaggingMay(Hostile):
    """`2026-05`, whose reads and DELETEs see nothing of the last 4 s."""

    may_fail = frozenset({"replace", "destroy"})
    fronts = ALL_FRONTS
    form = MAY
    lag_s = 4.0


class AnotherVaultInResponse(Hostile):
    """A gateway that answers the first create of a vault with a vault of another stack."""

    form = JULY
    two_per_url = False
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.creates("vault") and response.is_success and self.is_first("create"):
            return replace(response, body={**self.shown(self.others_vault()), "credentials": []})
        return response


class AnotherVaultInResponseMay(Hostile):
    """The same on `2026-05`: the other vault has the same name and the same URLs, and is two hours older."""

    may_fail = CREATES
    form = MAY
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.creates("vault") and response.is_success and self.is_first("create"):
            vault = self.others_vault()
            shown = [self.shown(item) for item in vault.credentials]
            return replace(response, body={**self.shown(vault), "credentials": shown})
        return response


class AnotherCredentialInResponse(Hostile):
    """A gateway that answers the first create of a credential with another vault's, or another of this vault."""

    fronts = ALL_FRONTS
    form = replace(JULY, in_place=False)
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.creates("credential") and response.is_success and self.is_first("create"):
            return replace(response, body=self.shown(self._another(request)))
        return response

    def _another(self, request: Request) -> Credential:
        vault_id = request.path.split("/")[2]
        here = next(vault for vault in self.vaults if vault.id == vault_id)
        return here.credentials[0] if self.step in ("add", "rotate") else self.others_vault().credentials[0]


class ListsLie(Hostile):
    """Lists that are empty once in each command, and pages of one item whose order changes; GET is right."""

    fronts = ALL_FRONTS
    form = BETWEEN
    page_size = 1
    lists_lie = True

    def order(self, items: Any) -> list[Any]:
        listed = super().order(items)
        if self.is_first("list"):
            return []
        return listed[::-1] if self.is_armed and self.nth("order") % 3 == 0 else listed


class CursorsDie(OpaqueCursors):
    """Opaque cursors that are 404 once in each command, and a list that ends too early once; one item on a page."""

    form = JULY
    two_per_url = False
    page_size = 1
    lists_lie = True

    def position(self, items: Sequence[Item], query: Mapping[str, str]) -> int:
        if "page" in query and self.is_first("cursor"):
            raise self.dead_cursor()
        return super().position(items, query)

    def dead_cursor(self) -> Refused:
        return not_found("Cursor", "?")

    def envelope(self, part: Sequence[Item], *, more: bool) -> Json:
        is_cut = more and self.is_armed and self.nth("page") == 2
        return {**super().envelope(part, more=more and not is_cut), "has_more": more and not is_cut}


class EmptyPages(Hostile):
    """Each list begins with an empty page that says "more", and an opaque cursor; then one item on a page."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    page_size = 1
    START = "eyJmcm9tIjoic3RhcnQifQ"

    def position(self, items: Sequence[Item], query: Mapping[str, str]) -> int:
        if "page" not in query:
            return -1
        return 0 if query["page"] == self.START else super().position(items, query)

    def page(self, listed: Sequence[Item], start: int, size: int) -> Json:
        if start < 0:
            return {"data": [], "first_id": None, "last_id": None, "has_more": True, "next_page": self.START}
        return super().page(listed, start, size)


class BlinksOnce(Hostile):
    """The first GET of each vault and of each credential in each command is a 404 in the API's own envelope."""

    fronts = ALL_FRONTS
    form = BETWEEN

    def gateway(self, request: Request) -> Response | None:
        is_one = request.method == "GET" and request.path.count("/") in (2, 4)
        if is_one and self.is_first(request.path):
            return error(404, "not_found_error", f"'{request.path}' was not found.")
        return None


class AnotherWorkspace(Hostile):
    """The first refresh, and the first destroy, reach another workspace: all is 404, and the list of vaults is 403."""

    fronts = ALL_FRONTS
    may_fail = frozenset({"refresh", "refresh again", "destroy"})
    form = JULY
    two_per_url = False

    def gateway(self, request: Request) -> Response | None:
        if not (self.is_armed and self.step in ("refresh", "refresh again", "destroy")):
            return None
        if request.path == "/vaults":
            return error(403, "permission_error", "No access to this workspace.")
        return error(404, "not_found_error", f"'{request.path}' was not found.")


class MixedUpResponses(Hostile):
    """The first update in place, and the first DELETE, of each command are answered with another object."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        is_update = request.method == "POST" and request.path.count("/") == 4
        if is_update and response.is_success and self.is_first("update"):
            return replace(response, body=self.shown(self.others_vault().credentials[0]))
        if request.method == "DELETE" and response.is_success and self.is_first("delete"):
            return replace(response, body={"id": self.others_vault().id, "type": "vault_deleted"})
        return response


class BusyBetween(Hostile):
    """409s about something else: the first two creates of a credential in each command; two for each URL."""

    may_fail = frozenset({"create", "add", "swap", "replace", "mend"})
    fronts = ALL_FRONTS
    form = BETWEEN

    def gateway(self, request: Request) -> Response | None:
        if request.creates("credential") and self.is_armed and self.nth("busy") <= 2:
            return error(409, "conflict_error", "The vault is being changed by another request.")
        return None


class BusyJuly(Hostile):
    """The same on `2026-07`, for updates in place: "modified concurrently", twice in each command."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False

    def gateway(self, request: Request) -> Response | None:
        is_update = request.method == "POST" and request.path.count("/") == 4
        if is_update and self.is_armed and self.nth("busy") <= 2:
            return error(409, "conflict_error", "The credential was modified concurrently.", "version")
        return None


class UniqueInChinese(Hostile):
    """`2026-05`, one for each URL and room for four, both refused in Chinese and without `param`."""

    fronts = ALL_FRONTS
    form = MAY
    two_per_url = False
    limit = 4

    def conflict(self, credential: Credential) -> Response:
        return error(409, "conflict_error", "凭证已存在。")

    def is_full(self) -> Response:
        return error(409, "conflict_error", "凭证数量已达上限。")


class Redirects(Hostile):
    """A gateway that redirects the first create of each kind, after the commit."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        for what, status in (("vault", 303), ("credential", 307)):
            if request.creates(what) and response.is_success and self.is_first(what):  # type: ignore[arg-type]
                return Response(status, b"", {"Location": f"{PREFIX}{request.path}"})
        return response


class RedirectsMay(Redirects):
    """The same on `2026-05`, where nothing carries a mark."""

    may_fail = CREATES
    form = MAY
    two_per_url = True


class FeatureNotAvailable(Hostile):
    """501 `feature_not_available`: no update in place, and one addition that is refused for good."""

    form = JULY
    refuses = frozenset({"add"})
    refuses_definitely = True

    def gateway(self, request: Request) -> Response | None:
        is_update = request.method == "POST" and request.path.count("/") == 4
        if is_update or (self.step == "add" and request.creates("credential")):
            return error(501, "feature_not_available", "This feature is not available in your region.")
        return None


def _normalised(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.hostname}{split.path.rstrip('/')}"


class RewritesMay(Hostile):
    """Names in NFC, URLs normalised, times with an offset, `Date` an hour ahead."""

    fronts = ALL_FRONTS
    form = MAY
    honours_keys = False
    name = "hostile-outils-cre\u0301e\u0301s"
    url = "https://{}.Example:443/mcp/"
    date_ahead_s = 3600.0

    def stored_name(self, name: str) -> str:
        return unicodedata.normalize("NFC", name).strip()

    def stored_url(self, url: str) -> str:
        return _normalised(url)

    def time_text(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, timezone(timedelta(hours=8))).isoformat(timespec="milliseconds")


class RewritesJuly(RewritesMay):
    """The same on `2026-07`, an hour behind; a pair is added to the metadata of each vault."""

    form = JULY
    two_per_url = False
    date_ahead_s = -3600.0

    def shown_vault(self, vault: Item) -> Json:
        shown = super().shown_vault(vault)
        return {**shown, "metadata": {**shown["metadata"], "region": "eu"}}


class ArchivedHidden(HidesArchived):
    """Vaults can only be archived, and are hidden then; archive and DELETE answer null; times before time."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    delete_vault_route = "405"

    def archived_at_none(self, item: Item) -> str | None:
        return NOTHING_YET

    def archived(self, item: Item) -> Response:
        return Response(200)

    def deleted(self, item: Item) -> Response:
        return Response(200)


class EchoesSecrets(Hostile):
    """The API token in metadata, access tokens in messages; creates and DELETEs that fail, and DELETE that is empty."""

    may_fail = ANY
    form = JULY
    two_per_url = False
    metadata: ClassVar[dict[str, str]] = {"team": "platform"}

    def gateway(self, request: Request) -> Response | None:
        if not self.is_armed:
            return None
        if request.creates("credential") and self.is_first("add"):
            return error(400, "invalid_request_error", f"Not taken: {request.body}; Bearer {self.api_token}")
        if request.method == "DELETE":
            return error(500, "api_error", f"Bearer {self.api_token} failed")
        return None

    def shown_vault(self, vault: Item) -> Json:
        shown = super().shown_vault(vault)
        team = {"team": f"Bearer {self.api_token}"} if self.is_armed and self.step == "replace" else {}
        return {**shown, "metadata": {**shown["metadata"], "debug": f"Bearer {self.api_token}", **team}}

    def deleted(self, item: Item) -> Response:
        return Response(200, b"")


class AnotherAccount(Hostile):
    """The first refresh, and the first destroy, run with the API token of another account: all is a genuine 404."""

    may_fail = frozenset({"refresh", "refresh again", "destroy"})
    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False

    def begin_command(self, step: str, attempt: int) -> None:
        super().begin_command(step, attempt)
        is_other = attempt == 0 and step in ("refresh", "refresh again", "destroy")
        self.api_token = OTHER_API_TOKEN if is_other else self._own_token

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._own_token = self.api_token


class AnotherAccountMay(AnotherAccount):
    """The same on `2026-05`."""

    form = MAY
    two_per_url = True


class Upgraded(Hostile):
    """`2026-05` that becomes `2026-07` in the middle of a rotation, goes back, and comes again: without update."""

    may_fail = frozenset({"rotate", "swap", "replace"})
    form: Form = MAY
    UPGRADES: ClassVar[Mapping[str, Form]] = {"rotate": replace(JULY, in_place=False), "swap": MAY, "replace": JULY}

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if self.step in self.UPGRADES and self.is_first("request"):
            self.form = self.UPGRADES[self.step]
        return response


class UpgradedBetweenCreates(Hostile):
    """`2026-05` that becomes `2026-07` between two creates of one run, and goes back between two others."""

    form: Form = MAY
    has_twin = True

    def gateway(self, request: Request) -> Response | None:
        if request.creates("vault") and self._done.get("made") and self.is_first("turn"):
            self.form = {"create": JULY, "replace": MAY}.get(self.step, self.form)
        return None

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.creates("vault") and response.is_success:
            self.nth("made")
        return response


class Nulls(Hostile):
    """`2026-05` whose create response has `credentials: null`, and whose DELETE answers 200 without a body."""

    fronts = ALL_FRONTS
    form = MAY
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.creates("vault") and response.is_success:
            return changed(response, credentials=None)
        return response

    def deleted(self, item: Item) -> Response:
        return Response(200, b"")


class DropsRestrictions(Hostile):
    """`networking` and `injection_location` are taken and dropped: a create must fail, and leave nothing."""

    fronts = ("credential",)
    form = JULY
    refuses = frozenset({"create"})
    credential_of_life: ClassVar[dict[str, Any]] = {
        "type": "environment_variable",
        "networking": {"type": "limited", "allowed_hosts": ["a.example"]},
        "injection_location": {"header": True, "body": False},
    }

    def stored_fields(self, fields: Json) -> Json:
        return {name: item for name, item in fields.items() if name not in ("networking", "injection_location")}


class KeepsExpiry(Hostile):
    """`expires_at: null` is answered with 200 and the old time: the change must fail, and say so."""

    fronts = ("credential",)
    form = JULY
    two_per_url = False
    refuses = frozenset({"rotate"})
    credential_of_life: ClassVar[dict[str, Any]] = {"type": "mcp_oauth", "expires_at": "2031-01-01T00:00:00Z"}
    change_of_life: ClassVar[dict[str, Any]] = {"expires_at": None}

    def patched(self, fields: Json, patch: Json) -> Json:
        return super().patched(fields, {name: item for name, item in patch.items() if item is not None})


class UrlChanged(Hostile):
    """Somebody binds a credential of ours to another URL, before it is rotated: it is not ours any more."""

    form = JULY
    two_per_url = False

    def meddle(self, vaults: Sequence[Vault], judge: Judge) -> None:
        if self.step != "rotate" or not self.is_armed:
            return
        for item in [item for vault in vaults for item in vault.active if item.asked_key == self.url.format("a")]:
            item.fields = {**item.fields, "mcp_server_url": "https://elsewhere.example/mcp"}
            item.asked_key, item.made_by = "https://elsewhere.example/mcp", "them"
            judge.include_theirs(item)


class VaultArchived(Hostile):
    """Somebody archives the vault before credentials of it are swapped."""

    may_fail = frozenset({"swap"})
    form = BETWEEN

    def meddle(self, vaults: Sequence[Vault], judge: Judge) -> None:
        if self.step == "swap" and self.is_armed:
            for vault in vaults:
                vault.archived_s = self.now_s()
                for item in vault.credentials:
                    judge.they_took_it_out(item)


class Overloaded(Hostile):
    """A gateway that answers every fourth request with 503 and HTML, before the commit or after it in turn."""

    may_fail = ANY
    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    honours_keys = False

    def gateway(self, request: Request) -> Response | None:
        self.nth("request")
        return HTML_503 if self.is_armed and self._done["request"] % 8 == 3 else None

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        return HTML_503 if self.is_armed and self._done["request"] % 8 == 7 else response


class Outage(Hostile):
    """An outage of 12 s, all 503 with HTML, that begins with the response to the first write of each command."""

    may_fail = ANY
    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    honours_keys = False
    ends_s = 0.0

    def gateway(self, request: Request) -> Response | None:
        return HTML_503 if self.now_s() < self.ends_s else None

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.is_write and response.is_success and self.is_first("write"):
            self.ends_s = self.now_s() + 12
            return HTML_503
        return response


class OutageMay(Outage):
    """The same on `2026-05`."""

    form = MAY
    two_per_url = True


class LosesWritesJuly(Hostile):
    """The response to every other write is lost after the commit; keys are not replayed."""

    fronts = ALL_FRONTS
    form = JULY
    two_per_url = False
    honours_keys = False

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        if request.is_write and self.is_armed and self.nth("write") % 2 == 1:
            raise Dropped
        return response


class LosesWritesMay(LosesWritesJuly):
    """The same on `2026-05`, where nothing carries a mark."""

    may_fail = CREATES
    form = MAY
    two_per_url = True


PLAIN: tuple[type[Hostile], ...] = (May, Between, July)
SERVICES: tuple[type[Hostile], ...] = (
    *PLAIN,
    DeepDataAgent,
    OpenManagedAgents,
    NoDeleteRoutes404,
    NoDeleteRoutes405,
    NoInPlaceUpdate405,
    NoInPlaceUpdate404,
    LaggingJuly,
    LaggingRefusal,
    LaggingMay,
    AnotherVaultInResponse,
    AnotherVaultInResponseMay,
    AnotherCredentialInResponse,
    ListsLie,
    CursorsDie,
    EmptyPages,
    BlinksOnce,
    AnotherWorkspace,
    MixedUpResponses,
    BusyBetween,
    BusyJuly,
    UniqueInChinese,
    Redirects,
    RedirectsMay,
    FeatureNotAvailable,
    RewritesMay,
    RewritesJuly,
    ArchivedHidden,
    EchoesSecrets,
    AnotherAccount,
    AnotherAccountMay,
    Upgraded,
    UpgradedBetweenCreates,
    Nulls,
    DropsRestrictions,
    KeepsExpiry,
    UrlChanged,
    VaultArchived,
    Overloaded,
    Outage,
    OutageMay,
    LosesWritesJuly,
    LosesWritesMay,
)
