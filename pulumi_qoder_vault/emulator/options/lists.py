"""How lists are ordered, cut into pages and filtered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from .fields import at_least

__all__ = ["ListArguments", "ListOptions", "NextPage", "QueryKey"]

NextPage = Literal["last_id", "opaque", "absent"]
QueryKey = Literal["honour", "ignore", "refuse"]


@dataclass(frozen=True)
class ListOptions:
    """Lists.

    Attributes:
        newest_first: order of lists. Every documented sample is newest first.
        later_pages_reversed: pages after the first are in the other order, so that following them shows not all.
        page_size_cap: objects on a page, whatever `limit` asks for; None: as many as it asks for.
        next_page: 2026-07, `next_page` is the last id, which `after_id` takes too; or "opaque", for `page` only; or
            "absent", and clients need `after_id`.
        list_position: lists have `first_id`, `last_id` and `has_more`.
        after_id_key: `after_id` (and its alias): "honour", "ignore" or "refuse" (400).
        name_key: the same for `name`.
        lost_cursor_status: status where the object at a cursor is gone; None: the list goes on where it was.
    """

    newest_first: bool = True
    later_pages_reversed: bool = False
    page_size_cap: int | None = at_least(1, None)
    next_page: NextPage = "last_id"
    list_position: bool = True
    after_id_key: QueryKey = "honour"
    name_key: QueryKey = "honour"
    lost_cursor_status: Literal[400, 404] | None = None


class ListArguments(TypedDict, total=False):
    """The fields of `ListOptions` as keyword arguments."""

    newest_first: bool
    later_pages_reversed: bool
    page_size_cap: int | None
    next_page: NextPage
    list_position: bool
    after_id_key: QueryKey
    name_key: QueryKey
    lost_cursor_status: Literal[400, 404] | None
