"""Lists: read the query, return one page.

Pure; knows the query keys of each revision, not what is listed. Source: Qoder, List Vaults (read 2026-08).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from .errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .options import ServiceOptions
    from .revisions import Revision

__all__ = ["ListQuery", "read_list_query"]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


class Listed(Protocol):
    """An object in a list. Ids sort by creation."""

    id: str

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
        name: a lower-case substring of the display name; empty: any.
        has_next_page: the response has `next_page`.
        is_newest_first: the order.
    """

    limit: int
    cursor: str | None
    is_backwards: bool
    statuses: tuple[str, ...]
    name: str
    has_next_page: bool
    is_newest_first: bool

    def page(self, items: Iterable[T], shape: Callable[[T], dict[str, object]]) -> dict[str, object]:
        """Return the page of `items` that the query asks for, each object in its `shape`."""
        listed = [item for item in items if item.status in self.statuses]
        listed.sort(key=lambda item: item.id, reverse=self.is_newest_first)
        if self.cursor is not None:
            # Greater ids come after the cursor, or before it if the newest come first.
            wants_greater = self.is_backwards == self.is_newest_first
            listed = [item for item in listed if item.id != self.cursor and (item.id > self.cursor) == wants_greater]
        has_more = len(listed) > self.limit
        shown = listed[-self.limit :] if self.is_backwards else listed[: self.limit]
        page: dict[str, object] = {
            "data": [shape(item) for item in shown],
            "first_id": shown[0].id if shown else None,
            "last_id": shown[-1].id if shown else None,
            "has_more": has_more,
        }
        if self.has_next_page:
            edge = shown[0 if self.is_backwards else -1].id if has_more else None
            page["next_page"] = None if edge is None else _page_token(edge, is_backwards=self.is_backwards)
        return page


def read_list_query(query: Mapping[str, str], revision: Revision, options: ServiceOptions) -> ListQuery:
    """Read the query of a list. Keys that the revision does not have are ignored.

    Raises:
        ApiError: 400, an invalid value, or keys that exclude each other.
    """
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_LIMIT:
        raise bad_request(f"Parameter 'limit' must be from 1 to {MAX_LIMIT}.", "limit")
    keys = (*revision.after_keys, *(() if revision.is_status_filtered else ("page", "before_id")))
    starts = {key: query[key] for key in keys if query.get(key)}
    if len(starts) > 1:
        raise bad_request(f"Parameters {' and '.join(sorted(starts))} exclude each other.")
    cursor, is_backwards = None, False
    for key, value in starts.items():
        cursor, is_backwards = _read_page_token(value) if key == "page" else (value, key == "before_id")
    return ListQuery(
        limit=int(limit),
        cursor=cursor,
        is_backwards=is_backwards,
        statuses=_statuses(query, revision),
        name="" if revision.is_status_filtered else query.get("name", "").lower(),
        has_next_page=options.next_page and not revision.is_status_filtered,
        is_newest_first=options.newest_first,
    )


def _statuses(query: Mapping[str, str], revision: Revision) -> tuple[str, ...]:
    if revision.is_status_filtered:
        status = query.get("status", "active")
        if status not in ("active", "archived"):
            raise bad_request("Parameter 'status' must be one of: active, archived.", "status")
        return (status,)
    include_archived = query.get("include_archived", "false")
    if include_archived not in ("true", "false"):
        raise bad_request("Parameter 'include_archived' must be true or false.", "include_archived")
    return ("active", "archived") if include_archived == "true" else ("active",)


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
