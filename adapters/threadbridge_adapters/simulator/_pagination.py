"""Lists with cursors as at the service (A11, A13); the order of keys is that of recorded lists of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20


def paginate(
    oldest_first: Sequence[JsonObject],
    query: Mapping[str, str],
    *,
    max_limit: int = MAX_PAGE_SIZE,
    default_limit: int = DEFAULT_PAGE_SIZE,
) -> JsonObject:
    """One page, newest first unless `order=asc`. An unknown `after` gives an empty page, an unknown `before` too."""
    raw_limit, order = query.get("limit", str(default_limit)), query.get("order", "desc")
    if not raw_limit.lstrip("-").isdecimal():
        raise errors.invalid_type("limit", "an integer", raw_limit)
    limit = int(raw_limit)
    validators.integer(minimum=1, maximum=max_limit)("limit", limit)
    validators.one_of("asc", "desc")("order", order)
    items = list(oldest_first) if order == "asc" else list(reversed(oldest_first))
    after = query.get("after")
    if after is not None:
        indexes = [index for index, item in enumerate(items) if item["id"] == after]
        items = items[indexes[0] + 1 :] if indexes else []
    before = query.get("before")
    if before is not None:
        indexes = [index for index, item in enumerate(items) if item["id"] == before]
        items = items[max(indexes[0] - limit, 0) : indexes[0]] if indexes else []
    data = items[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "has_more": len(items) > limit,
        "last_id": data[-1]["id"] if data else None,
    }
