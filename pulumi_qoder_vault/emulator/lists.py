"""Lists: read the query, return one page.

Pure; knows the query keys of each revision, not what is listed. Source: Qoder, List Vaults (read 2026-08).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from .errors import bad_request, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .options import ServiceOptions
    from .options.lists import QueryKey
    from .revisions import Revision

__all__ = ["ListQuery", "read_list_query"]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
CURSOR_KEYS = ("after", "after_id", "before_id", "page")


class Listed(Protocol):
    """An object in a list. Ids sort by creation."""

    id: str
    created_at: datetime

    @property
    def status(self) -> str:
        """`active` or `archived`."""


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True)
class ListQuery:
    """The query of a list.

    Attributes:
        limit: objects on a page.
        cursor: an id, which may be deleted by now; None: from the start.
        is_backwards: the page before the cursor, not the one after it.
        statuses: of the objects that are listed.
        name: a lower-case substring of what is searched; empty: any.
        since: the earliest creation.
        until: the latest creation.
        has_next_page: the response has `next_page`.
    """

    limit: int
    cursor: str | None
    is_backwards: bool
    statuses: tuple[str, ...]
    name: str
    since: datetime | None
    until: datetime | None
    has_next_page: bool
    options: ServiceOptions

    def page(
        self, items: Iterable[T], shape: Callable[[T], dict[str, object]], searched: Callable[[T], str | None]
    ) -> dict[str, object]:
        """Return the page of `items` that the query asks for, each object in its `shape`.

        Raises:
            ApiError: 400 or 404, the object at the cursor is gone, and the service minds.
        """
        everything = list(items)
        self._reject_lost_cursor({item.id for item in everything})
        listed = self._from_cursor([item for item in everything if self._admits(item, searched(item) or "")])
        has_more = len(listed) > self.limit
        shown = listed[-self.limit :] if self.is_backwards else listed[: self.limit]
        page: dict[str, object] = {"data": [shape(item) for item in shown]}
        if self.options.list_position:
            page["first_id"] = shown[0].id if shown else None
            page["last_id"] = shown[-1].id if shown else None
            page["has_more"] = has_more
        if self.has_next_page:
            page["next_page"] = self._next_page(shown) if has_more else None
        return page

    def _reject_lost_cursor(self, ids: set[str]) -> None:
        status = self.options.lost_cursor_status
        if status is not None and self.cursor is not None and self.cursor not in ids:
            raise (
                not_found("Cursor", self.cursor)
                if status == 404
                else bad_request("The object at the cursor does not exist.")
            )

    def _admits(self, item: Listed, searched: str) -> bool:
        return (
            item.status in self.statuses
            and self.name in searched.lower()
            and (self.since is None or item.created_at >= self.since)
            and (self.until is None or item.created_at <= self.until)
        )

    def _from_cursor(self, listed: list[T]) -> list[T]:
        """Return what is on this page and on those that follow, in order."""
        is_later = self.cursor is not None
        is_newest_first = self.options.newest_first != (is_later and self.options.later_pages_reversed)
        listed.sort(key=lambda item: item.id, reverse=is_newest_first)
        if self.cursor is None:
            return listed
        # Greater ids come after the cursor, or before it if the newest come first.
        wants_greater = self.is_backwards == is_newest_first
        return [item for item in listed if item.id != self.cursor and (item.id > self.cursor) == wants_greater]

    def _next_page(self, shown: list[T]) -> str | None:
        edge = shown[0 if self.is_backwards else -1].id
        if self.options.next_page == "opaque":
            return _page_token(edge, is_backwards=self.is_backwards)
        # UNVERIFIED: a plain id means what comes after it, so there is none on the way back; `before_id` goes on.
        return None if self.is_backwards else edge


def read_list_query(query: Mapping[str, str], revision: Revision, options: ServiceOptions) -> ListQuery:
    """Read the query of a list. Keys that the revision does not have are ignored.

    Raises:
        ApiError: 400, an invalid value, or keys that exclude each other.
    """
    modes: dict[str, QueryKey] = {"after": options.after_id_key, "after_id": options.after_id_key}
    modes["name"] = options.name_key
    for key in query:
        if modes.get(key) == "refuse":
            raise bad_request(f"Unknown query parameter '{key}'.", key)
    known = {key: value for key, value in query.items() if key in revision.list_keys and modes.get(key) != "ignore"}
    cursor, is_backwards = _read_cursor(known, options)
    return ListQuery(
        limit=_read_limit(known, options),
        cursor=cursor,
        is_backwards=is_backwards,
        statuses=_read_statuses(known, revision),
        name=known.get("name", "").lower(),
        since=_read_time(known, "created_at[gte]"),
        until=_read_time(known, "created_at[lte]"),
        has_next_page="page" in revision.list_keys and options.next_page != "absent",
        options=options,
    )


def _read_limit(query: Mapping[str, str], options: ServiceOptions) -> int:
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_LIMIT:
        raise bad_request(f"Parameter 'limit' must be from 1 to {MAX_LIMIT}.", "limit")
    return min(int(limit), options.page_size_cap or MAX_LIMIT)


def _read_cursor(query: Mapping[str, str], options: ServiceOptions) -> tuple[str | None, bool]:
    starts = {key: query[key] for key in CURSOR_KEYS if query.get(key)}
    if len(starts) > 1:
        raise bad_request(f"Parameters {' and '.join(sorted(starts))} exclude each other.")
    for key, value in starts.items():
        if key == "page" and options.next_page == "opaque":
            return _read_page_token(value)
        return value, key == "before_id"
    return None, False


def _read_statuses(query: Mapping[str, str], revision: Revision) -> tuple[str, ...]:
    if "status" in revision.list_keys:
        status = query.get("status", "active")
        if status not in ("active", "archived"):
            raise bad_request("Parameter 'status' must be one of: active, archived.", "status")
        return (status,)
    include_archived = query.get("include_archived", "false")
    if include_archived not in ("true", "false"):
        raise bad_request("Parameter 'include_archived' must be true or false.", "include_archived")
    return ("active", "archived") if include_archived == "true" else ("active",)


def _read_time(query: Mapping[str, str], key: str) -> datetime | None:
    if key not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[key])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise bad_request(f"Parameter '{key}' must be an RFC 3339 time.", key)
    return moment


def _page_token(edge: str, *, is_backwards: bool) -> str:
    return base64.urlsafe_b64encode(f"{'before' if is_backwards else 'after'}:{edge}".encode()).decode()


def _read_page_token(token: str) -> tuple[str, bool]:
    error = bad_request("Parameter 'page' is not a cursor of this list.", "page")
    try:
        direction, _, edge = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise error from None
    if direction not in ("before", "after") or not edge:
        raise error
    return edge, direction == "before"
