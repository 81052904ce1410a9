"""Read a list's query and cut one page out of a list.

Pure; knows the query keys of each revision, not what is listed. Source: Qoder, List Vaults (read 2026-08).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .refusals import Refusal, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .revisions import Revision
    from .switches import Switches

__all__ = ["Listing", "read_listing"]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


class Listed(Protocol):
    """What lists hold: ids sort by the order of making."""

    id: str

    @property
    def status(self) -> str:
        """`active` or `archived`."""


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True)
class Listing:
    """A list's query.

    Attributes:
        limit: objects on a page.
        cursor: an id, which need no longer exist; None: from the start.
        is_backwards: the page before the cursor, not after it.
        statuses: which objects are listed.
        name: a lower-case substring of the display name; empty: any.
        is_paged_by_token: answers carry `next_page`.
        is_newest_first: the order.
    """

    limit: int
    cursor: str | None
    is_backwards: bool
    statuses: tuple[str, ...]
    name: str
    is_paged_by_token: bool
    is_newest_first: bool

    def page(self, items: Sequence[T], answer: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
        """Return the envelope of one page of `items`."""
        listed = [item for item in items if item.status in self.statuses]
        listed.sort(key=lambda item: item.id, reverse=self.is_newest_first)
        if self.cursor is not None:
            # in the order of the list: greater ids lie after the cursor, or before it if the newest come first
            wants_greater = self.is_backwards == self.is_newest_first
            listed = [item for item in listed if item.id != self.cursor and (item.id > self.cursor) == wants_greater]
        has_more = len(listed) > self.limit
        shown = listed[-self.limit :] if self.is_backwards else listed[: self.limit]
        envelope: dict[str, Any] = {
            "data": [answer(item) for item in shown],
            "first_id": shown[0].id if shown else None,
            "last_id": shown[-1].id if shown else None,
            "has_more": has_more,
        }
        if self.is_paged_by_token:
            edge = shown[0 if self.is_backwards else -1].id if has_more else None
            envelope["next_page"] = None if edge is None else _token(edge, is_backwards=self.is_backwards)
        return envelope


def read_listing(query: Mapping[str, str], revision: Revision, switches: Switches) -> Listing:
    """Read a list's query. Keys that the revision does not know are ignored.

    Raises:
        Refusal: 400, a wrong value, or keys that exclude each other.
    """
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_LIMIT:
        raise invalid(f"Parameter 'limit' must be from 1 to {MAX_LIMIT}.", "limit")
    starts = {key: query[key] for key in revision.after_keys if query.get(key)}
    if not revision.is_status_filtered:
        starts.update({key: query[key] for key in ("page", "before_id") if query.get(key)})
    if len(starts) > 1:
        raise invalid(f"Parameters {' and '.join(sorted(starts))} exclude each other.")
    cursor, is_backwards = None, False
    for key, value in starts.items():
        cursor, is_backwards = _cursor(value) if key == "page" else (value, key == "before_id")
    return Listing(
        limit=int(limit),
        cursor=cursor,
        is_backwards=is_backwards,
        statuses=_statuses(query, revision),
        name="" if revision.is_status_filtered else query.get("name", "").lower(),
        is_paged_by_token=switches.next_page and not revision.is_status_filtered,
        is_newest_first=switches.newest_first,
    )


def _statuses(query: Mapping[str, str], revision: Revision) -> tuple[str, ...]:
    if revision.is_status_filtered:
        status = query.get("status", "active")
        if status not in ("active", "archived"):
            raise invalid("Parameter 'status' must be one of: active, archived.", "status")
        return (status,)
    wanted = query.get("include_archived", "false")
    if wanted not in ("true", "false"):
        raise invalid("Parameter 'include_archived' must be true or false.", "include_archived")
    return ("active", "archived") if wanted == "true" else ("active",)


def _token(edge: str, *, is_backwards: bool) -> str:
    return base64.urlsafe_b64encode(f"{'before' if is_backwards else 'after'}:{edge}".encode()).decode()


def _cursor(token: str) -> tuple[str, bool]:
    refusal: Refusal = invalid("Parameter 'page' is not a cursor of this list.", "page")
    try:
        direction, _, edge = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise refusal from None
    if direction not in ("before", "after") or not edge:
        raise refusal
    return edge, direction == "before"
