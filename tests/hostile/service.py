"""A small server of the Vaults API that behaves well, and the hooks by which a hostile one does not.

Written from the API's documentation alone: it shares nothing with the emulator, so that one wrong idea cannot pass in
both. What exists is kept here, and whoever judges a client asks these objects, never the client. Nothing is ever
forgotten: what was deleted says when. Time is that of the test's clock.

Sources: Qoder, Create Vault (read 2026-05-18); Vaults and Vault Credentials (read 2026-08).
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
Maker = Literal["us", "them"]
Route = Literal["works", "404", "405", "501"]
PREFIX = "/api/v1/cloud"
API_TOKEN, OTHER_API_TOKEN = "pt-canary-ours-4c1f", "pt-canary-others-90de"
SECRET_FIELDS = {"token", "access_token", "secret_value", "refresh_token", "client_secret"}
KEY_FIELDS = ("mcp_server_url", "secret_name")
PATCHABLE = {"type", "token", "access_token", "expires_at", "refresh", "secret_value", "networking"}
T = TypeVar("T", "Vault", "Credential")


@dataclass(frozen=True)
class Form:
    """One stage of the API.

    Attributes:
        is_nested: credentials are in ``auth``, and a vault has no ``status``.
        credentials_key: what a create of a vault makes of the key ``credentials``.
    """

    is_nested: bool
    credentials_key: Literal["required", "optional", "refused", "ignored"]
    in_place: bool
    created: int
    has_archived_at: bool


MAY = Form(is_nested=False, credentials_key="required", in_place=False, created=201, has_archived_at=False)
BETWEEN = Form(is_nested=False, credentials_key="optional", in_place=False, created=201, has_archived_at=True)
JULY = Form(is_nested=True, credentials_key="refused", in_place=True, created=200, has_archived_at=True)


@dataclass
class Item:
    """What vaults and credentials have in common.

    Attributes:
        made_by: us, if it came in a request with our API token.
    """

    id: str
    made_by: Maker
    created_s: float
    metadata: dict[str, str]
    archived_s: float | None = field(default=None, kw_only=True)
    deleted_s: float | None = field(default=None, kw_only=True)

    @property
    def is_active(self) -> bool:
        return self.archived_s is None and self.deleted_s is None


@dataclass
class Credential(Item):
    """A credential, with its secret.

    Attributes:
        asked_key: the URL, or the variable's name, as it was sent; ``fields`` has it as it is stored.
    """

    vault_id: str
    type: str
    asked_key: str
    fields: Json
    token: str

    @property
    def key(self) -> str:
        return next(str(self.fields[name]) for name in KEY_FIELDS if name in self.fields)


@dataclass
class Vault(Item):
    """A vault."""

    account: str
    display_name: str
    credentials: list[Credential] = field(default_factory=list)

    @property
    def active(self) -> list[Credential]:
        return [item for item in self.credentials if item.is_active] if self.is_active else []


@dataclass(frozen=True)
class Request:
    """One request, as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    account: str
    key: str | None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    def creates(self, what: Literal["vault", "credential"]) -> bool:
        pattern = r"/vaults" if what == "vault" else r"/vaults/[^/]+/credentials"
        return self.method == "POST" and re.fullmatch(pattern, self.path) is not None


@dataclass(frozen=True)
class Response:
    """One response: a body is JSON, or bytes as they are."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return self.status < 300


class Refused(Exception):
    """A request is refused."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Dropped(Exception):
    """The connection is closed, without a response."""


HTML_503 = Response(503, b"<html><body>upstream connect error</body></html>", {"Content-Type": "text/html"})


def error(status: int, type_: str, message: str, param: str | None = None) -> Response:
    """Return the API's envelope."""
    inner = {"type": type_, "message": message} | ({"param": param} if param else {})
    return Response(status, {"type": "error", "request_id": str(uuid.uuid4()), "error": inner})


def not_found(what: str, id_: str) -> Refused:
    return Refused(error(404, "not_found_error", f"{what} '{id_}' was not found."))


def invalid(message: str, param: str | None = None) -> Refused:
    return Refused(error(400, "invalid_request_error", message, param))


class Service:
    """A server of the API. Its attributes say what it does; a hostile one changes some, or overrides a hook.

    Attributes:
        two_per_url: a vault may hold two active credentials with one URL.
        limit: so many active credentials fit into a vault.
        page_size: the most that a list gives at once, whatever was asked for.
        lag_s: so long a read does not see what was written.
        date_ahead_s: how much the header `Date` is ahead of the times in bodies.
        observers: called after each request that changes something.
        lose_write: of this write, counted from 1, the response is lost after the commit.
    """

    form = MAY
    two_per_url = True
    honours_keys = True
    limit = 20
    page_size = 100
    lag_s = 0.0
    date_ahead_s = 0.0
    delete_credential_route: Route = "works"
    delete_vault_route: Route = "works"

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.now_s = now_s
        self.api_token = API_TOKEN
        self.vaults: list[Vault] = []
        self.requests: list[tuple[Request, int]] = []
        self.observers: list[Callable[[], None]] = []
        self.lose_write = 0
        self.writes = 0
        self._replays: dict[str, tuple[Json, Response]] = {}
        self._lock = threading.RLock()

    # Hooks

    def gateway(self, request: Request) -> Response | None:
        """Respond before anything is done; None lets the request through."""
        return None

    def on_the_way_back(self, request: Request, response: Response) -> Response:
        """Change a response after the commit, or raise Dropped."""
        return response

    def new_id(self, kind: str) -> str:
        return f"{'vault' if kind == 'vault' else 'vcred'}_{uuid.uuid4().hex}"

    def time_text(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def archived_at(self, item: Item) -> str | None:
        return None if item.archived_s is None else self.time_text(item.archived_s)

    def stored_name(self, name: str) -> str:
        return name

    def stored_url(self, url: str) -> str:
        return url

    def stored_fields(self, fields: Json) -> Json:
        return fields

    def sees(self, item: Item) -> bool:
        """Return True if reads show an item. Until ``lag_s`` have passed they show what was before."""
        now_s = self.now_s()
        if now_s < item.created_s + self.lag_s and item.made_by == "us":
            return False
        return item.deleted_s is None or now_s < item.deleted_s + self.lag_s

    def looks_archived(self, item: Item) -> bool:
        return item.archived_s is not None and self.now_s() >= item.archived_s + self.lag_s

    def conflict(self, credential: Credential) -> Response:
        """Return what a second credential with one URL is answered, where it is refused."""
        name = "mcp_server_url" if "mcp_server_url" in credential.fields else "secret_name"
        param = f"auth.{name}" if self.form.is_nested else name
        return error(409, "conflict_error", f"A credential for this {name} exists already.", param)

    def is_full(self) -> Response:
        return error(409, "conflict_error", "The vault holds the maximum number of credentials.")

    def refused_key(self, key: str) -> Response:
        return error(400, "invalid_request_error", f"Unknown field '{key}'.", key)

    def deleted(self, item: Item) -> Response:
        kind = "vault_deleted" if isinstance(item, Vault) else "vault_credential_deleted"
        return Response(200, {"id": item.id, "type": kind}) if self.form.is_nested else Response(204)

    def archived(self, item: Item) -> Response:
        return Response(200, self.shown(item))

    def archived_again(self, item: Item) -> Response:
        return error(409, "conflict_error", f"'{item.id}' is archived already.")

    def archived_vault_refuses(self) -> Response:
        return error(409, "conflict_error", "The vault is archived.")

    def order(self, items: Iterable[T]) -> list[T]:
        """Return what is listed, the newest first."""
        return sorted(items, key=lambda item: (item.created_s, item.id), reverse=True)

    def position(self, items: Sequence[Item], query: Mapping[str, str]) -> int:
        """Return where a page begins."""
        cursor = query.get("page") or query.get("after_id") or query.get("after")
        if cursor is None:
            return 0
        ids = [item.id for item in items]
        if cursor not in ids:
            raise invalid("The cursor is not known.", "after_id")
        return ids.index(cursor) + 1

    def page(self, listed: Sequence[Item], start: int, size: int) -> Json:
        """Return one page of a list."""
        return self.envelope(listed[start : start + size], more=start + size < len(listed))

    def envelope(self, part: Sequence[Item], *, more: bool) -> Json:
        """Return what surrounds a page."""
        ids: list[str | None] = [item.id for item in part] or [None]
        return {
            "data": [self.shown(item) for item in part],
            "first_id": ids[0],
            "last_id": ids[-1],
            "has_more": more,
            "next_page": ids[-1] if more else None,
        }

    # What others do

    def add_vault(self, name: str, tokens: Mapping[str, str], made_by: Maker = "them", account: str = "ours") -> Vault:
        """Another stack makes a vault: two hours ago, and with a mark of its own."""
        vault = Vault(self.new_id("vault"), made_by, self.now_s() - 7200, {}, account, self.stored_name(name))
        if self.form.is_nested:
            vault.metadata["pulumi_create_id"] = str(uuid.uuid4())
        self.vaults.append(vault)
        for url, token in tokens.items():
            self.add_credential(vault, url, token)
        return vault

    def add_credential(self, vault: Vault, url: str, token: str) -> Credential:
        """Somebody else puts a credential into a vault."""
        fields = {"mcp_server_url": self.stored_url(url)} | (
            {} if self.form.is_nested else {"protocol": "streamable_http"}
        )
        id_, made_s = self.new_id("credential"), vault.created_s if vault.made_by == "them" else self.now_s()
        made = Credential(id_, "them", made_s, {}, vault.id, "static_bearer", url, fields, token)
        vault.credentials.append(made)
        return made

    def remove(self, item: Item) -> None:
        """A person deletes something."""
        item.deleted_s = self.now_s()

    @property
    def credentials(self) -> list[Credential]:
        return [item for vault in self.vaults for item in vault.credentials]

    # What is shown

    def shown(self, item: Item) -> Json:
        return self.shown_vault(item) if isinstance(item, Vault) else self.shown_credential(item)

    def shown_vault(self, vault: Item) -> Json:
        assert isinstance(vault, Vault)
        shown: Json = {"id": vault.id, "type": "vault", "display_name": vault.display_name, **self._times(vault)}
        shown["metadata"] = dict(vault.metadata)
        if self.form.is_nested:
            return shown
        return shown | {"status": "archived" if self.looks_archived(vault) else "active"}

    def shown_credential(self, item: Item) -> Json:
        assert isinstance(item, Credential)
        shown: Json = {"id": item.id, "vault_id": item.vault_id, **self._times(item)}
        if self.form.is_nested:
            auth = {"type": item.type, **{name: value for name, value in item.fields.items() if name != "protocol"}}
            extra = {"type": "vault_credential", "display_name": None, "metadata": dict(item.metadata)}
            return shown | extra | {"auth": auth}
        return shown | {
            "mcp_server_url": item.key,
            "protocol": item.fields.get("protocol", "streamable_http"),
            "type": item.type,
            "status": "archived" if self.looks_archived(item) else "active",
        }

    def _times(self, item: Item) -> Json:
        made = self.time_text(item.created_s)
        times: Json = {"created_at": made, "updated_at": made}
        if self.form.has_archived_at and (self.form.is_nested or isinstance(item, Credential)):
            times["archived_at"] = self.archived_at(item) if self.looks_archived(item) else self.archived_at_none(item)
        return times

    def archived_at_none(self, item: Item) -> str | None:
        return None

    # Requests

    def handle(self, request: Request) -> Response:
        """Respond to a request, one at a time.

        Raises:
            Dropped: there is no response.
        """
        with self._lock:
            response = self.gateway(request)
            if response is None:
                response = self._answered(request)
                if request.is_write:
                    self._committed()
                    if self.writes == self.lose_write:
                        raise Dropped
                response = self.on_the_way_back(request, response)
            self.requests.append((request, response.status))
            return response

    def _committed(self) -> None:
        self.writes += 1
        for observer in self.observers:
            observer()

    def _answered(self, request: Request) -> Response:
        if request.account == "":
            return error(401, "authentication_error", "Invalid API key or token.")
        if self.honours_keys and request.key in self._replays:
            body, response = self._replays[request.key]
            if body != request.body:
                return error(409, "conflict_error", "Idempotency key reused with a different request body.")
            return response
        try:
            response = self.route(request)
        except Refused as refused:
            return refused.response
        if self.honours_keys and request.key is not None:
            self._replays[request.key] = (request.body, response)
        return response

    def route(self, request: Request) -> Response:
        """Find what a path means."""
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["vaults"]:
                return self.create_vault(request)
            case "GET", ["vaults"]:
                return self.list_vaults(request)
            case "GET", ["vaults", vault_id]:
                return Response(200, self.shown(self.vault(request, vault_id)))
            case "DELETE", ["vaults", vault_id]:
                return self.delete_vault(request, vault_id)
            case "POST", ["vaults", vault_id, "archive"]:
                return self.archive_vault(request, vault_id)
            case "POST", ["vaults", vault_id, "credentials"]:
                vault = self.vault(request, vault_id, is_read=False)
                made = self.create_credential(vault, request.body, "us")
                return Response(self.form.created, self.shown(made))
            case "GET", ["vaults", vault_id, "credentials"]:
                return self.list_credentials(request, vault_id)
            case method, ["vaults", vault_id, "credentials", id_, *rest]:
                return self.one_credential(request, f"{method} {' '.join(rest)}".strip(), vault_id, id_)
        return self.no_route(request)

    def no_route(self, request: Request) -> Response:
        return error(405, "invalid_request_error", "Method not allowed.")

    def missing(self, route: Route, request: Request) -> Response | None:
        """Return what a route that is missing answers."""
        if route == "works":
            return None
        if route == "501":
            return error(501, "feature_not_available", "This feature is not available.")
        if route == "405":
            return Response(405, b"", {"Allow": "GET, POST"})
        return error(404, "not_found_error", f"No route for {request.method} {request.path}.")

    def vault(self, request: Request, vault_id: str, *, is_read: bool = True) -> Vault:
        """Return a vault. What was just deleted is shown for a while, and takes nothing any more."""
        for vault in self.vaults:
            if vault.id == vault_id and vault.account == request.account and self.sees(vault):
                if not is_read and vault.deleted_s is not None:
                    break
                if not is_read and vault.archived_s is not None:
                    raise Refused(self.archived_vault_refuses())
                return vault
        raise not_found("Vault", vault_id)

    def credential(self, request: Request, vault_id: str, id_: str) -> Credential:
        for item in self.vault(request, vault_id).credentials:
            if item.id == id_ and self.sees(item):
                return item
        raise not_found("Credential", id_)

    def create_vault(self, request: Request) -> Response:
        """Make a vault, with its credentials where the form takes them."""
        body = request.body
        self._check_keys(body, {"display_name", "metadata", "credentials"})
        inline = body.get("credentials")
        if inline is not None and self.form.credentials_key == "refused":
            raise Refused(self.refused_key("credentials"))
        if not inline and self.form.credentials_key == "required":
            raise invalid("At least one credential is required when creating a vault.", "credentials")
        metadata = dict(body.get("metadata") or {}) if self.form.is_nested else {}
        name = self.stored_name(str(body["display_name"]))
        vault = Vault(self.new_id("vault"), "us", self.now_s(), metadata, request.account, name)
        if inline and self.form.credentials_key in ("required", "optional"):
            for item in inline:
                self.create_credential(vault, item, "us")
        self.vaults.append(vault)
        made = [self.shown(item) for item in vault.credentials]
        return Response(self.form.created, {**self.shown(vault), "credentials": made})

    def _check_keys(self, body: Json, known: Iterable[str]) -> None:
        if self.form.is_nested:
            for key in set(body) - set(known):
                raise Refused(self.refused_key(key))

    def create_credential(self, vault: Vault, body: Json, made_by: Maker) -> Credential:
        """Add a credential to a vault."""
        given = body.get("auth") if self.form.is_nested else body
        if not isinstance(given, dict):
            raise invalid("Field 'auth' is required.", "auth")
        if self.form.is_nested:
            self._check_keys(body, {"auth", "metadata"})
        secret_name = next((name for name in ("token", "access_token", "secret_value") if given.get(name)), None)
        key_name = next((name for name in KEY_FIELDS if given.get(name)), None)
        if secret_name is None or key_name is None:
            raise invalid("Field 'access_token' is required for static_bearer type.", "access_token")
        key = str(given[key_name])
        fields = {**_without_secrets(given), key_name: self.stored_url(key)}
        fields.pop("type", None)
        made = Credential(
            self.new_id("credential"),
            made_by,
            self.now_s(),
            dict(body.get("metadata") or {}),
            vault.id,
            str(given.get("type")),
            key,
            self.stored_fields(fields),
            str(given[secret_name]),
        )
        self._check_room(vault, made)
        vault.credentials.append(made)
        return made

    def _check_room(self, vault: Vault, new: Credential) -> None:
        if not self.two_per_url and any(item.key == new.key for item in vault.active):
            raise Refused(self.conflict(new))
        if len(vault.active) >= self.limit:
            raise Refused(self.is_full())

    def list_vaults(self, request: Request) -> Response:
        vaults = [item for item in self.vaults if item.account == request.account and self.sees(item)]
        name = request.query.get("name", "").casefold()
        return self._listed(request, [item for item in vaults if name in item.display_name.casefold()])

    def list_credentials(self, request: Request, vault_id: str) -> Response:
        return self._listed(request, [item for item in self.vault(request, vault_id).credentials if self.sees(item)])

    def _listed(self, request: Request, items: Iterable[T]) -> Response:
        query = request.query
        limit = query.get("limit", "20")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            raise invalid("limit must be between 1 and 100.", "limit")
        if query.get("status") == "archived":
            items = [item for item in items if self.looks_archived(item)]
        elif query.get("include_archived") != "true":
            items = [item for item in items if not self.looks_archived(item)]
        listed = self.order(items)
        return Response(200, self.page(listed, self.position(listed, query), min(int(limit), self.page_size)))

    def delete_vault(self, request: Request, vault_id: str) -> Response:
        """Delete a vault, and all that is in it."""
        if (missing := self.missing(self.delete_vault_route, request)) is not None:
            return missing
        vault = self.vault(request, vault_id)
        if vault.deleted_s is None:
            for item in (vault, *vault.credentials):
                item.deleted_s = self.now_s()
        return self.deleted(vault)

    def archive_vault(self, request: Request, vault_id: str) -> Response:
        vault = self.vault(request, vault_id)
        if vault.archived_s is not None:
            return self.archived_again(vault)
        vault.archived_s = self.now_s()
        return self.archived(vault)

    def one_credential(self, request: Request, what: str, vault_id: str, id_: str) -> Response:
        """Read, change, archive or delete one credential."""
        if what == "DELETE" and (missing := self.missing(self.delete_credential_route, request)) is not None:
            return missing
        if what == "POST" and not self.form.in_place:
            return self.no_route(request)
        item = self.credential(request, vault_id, id_)
        if what == "GET":
            return Response(200, self.shown(item))
        if what == "DELETE":
            item.deleted_s = item.deleted_s or self.now_s()
            return self.deleted(item)
        if what == "POST archive":
            if item.archived_s is not None:
                return self.archived_again(item)
            item.archived_s = self.now_s()
            return self.archived(item)
        if what == "POST":
            return self.update_credential(item, request.body)
        return self.no_route(request)

    def update_credential(self, item: Credential, body: Json) -> Response:
        """Apply a merge patch."""
        if not item.is_active:
            return self.archived_again(item)
        auth = dict(body.get("auth") or {})
        if auth and auth.get("type") != item.type:
            raise invalid("auth.type must not change.", "auth.type")
        for name in set(auth) - PATCHABLE:
            raise invalid(f"{name} must not change.", f"auth.{name}")
        for name, value in auth.items():
            if name in ("token", "access_token", "secret_value"):
                item.token = str(value)
        item.fields = self.patched(item.fields, _without_secrets(auth))
        metadata = item.metadata | (body.get("metadata") or {})
        item.metadata = {name: value for name, value in metadata.items() if value is not None}
        return Response(200, self.shown(item))

    def patched(self, fields: Json, patch: Json) -> Json:
        """Return fields after a merge patch."""
        merged = {
            name: self.patched(fields.get(name) or {}, new) if isinstance(new, dict) else new
            for name, new in patch.items()
            if name != "type"
        }
        return {name: value for name, value in {**fields, **merged}.items() if value is not None}

    # The socket

    def __enter__(self) -> Service:
        handler = type("BoundHandler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}{PREFIX}"

    def date(self) -> str:
        return formatdate(self.now_s() + self.date_ahead_s, usegmt=True)

    def account_of(self, authorization: str) -> str:
        return {API_TOKEN: "ours", OTHER_API_TOKEN: "others"}.get(authorization.removeprefix("Bearer "), "")


def _without_secrets(value: Json) -> Json:
    kept = {name: item for name, item in value.items() if name not in SECRET_FIELDS}
    return {name: _without_secrets(item) if isinstance(item, dict) else item for name, item in kept.items()}


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    service: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_GET  # noqa: N815 the names that the library calls

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        split = urlsplit(self.path)
        request = Request(
            self.command,
            split.path.removeprefix(PREFIX),
            dict(parse_qsl(split.query, keep_blank_values=True)),
            json.loads(sent) if sent else {},
            self.service.account_of(self.headers.get("Authorization", "")),
            self.headers.get("Idempotency-Key"),
        )
        try:
            self._respond(self.service.handle(request))
        except Dropped:
            self.close_connection = True

    def _respond(self, response: Response) -> None:
        if isinstance(response.body, bytes):
            body = response.body
        else:
            body = b"" if response.status == 204 else json.dumps(response.body, ensure_ascii=False).encode()
        self.send_response_only(response.status)
        headers = {"Date": self.service.date(), "Content-Type": "application/json", **response.headers}
        if response.status != 204:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        with suppress(OSError):
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
        pass


def without_key(body: object, *names: str) -> object:
    """Return a body without some keys, at any depth."""
    if isinstance(body, dict):
        return {key: without_key(item, *names) for key, item in body.items() if key not in names}
    return [without_key(item, *names) for item in body] if isinstance(body, list) else body


def changed(response: Response, **fields: object) -> Response:
    """Return a response whose body has other fields."""
    assert isinstance(response.body, dict)
    return replace(response, body={**response.body, **fields})
