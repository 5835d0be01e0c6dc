"""Lists with cursors, as the service pages them (A11, A13); the envelope's order is that of recorded lists of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _checks as checks
from threadbridge_adapters.simulator import _errors as errors

LARGEST_PAGE = 100
USUAL_PAGE = 20


def page(oldest_first: Sequence[Wire], query: Mapping[str, str]) -> Wire:
    """One page, newest first unless `order=asc`. An unknown `after` gives an empty page."""
    limit, order = _limit(query), query.get("order", "desc")
    checks.one_of("asc", "desc")("order", order)
    items = list(oldest_first) if order == "asc" else list(reversed(oldest_first))
    after = query.get("after")
    if after is not None:
        places = [index for index, item in enumerate(items) if item["id"] == after]
        items = items[places[0] + 1 :] if places else []
    data = items[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "has_more": len(items) > limit,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit")
    if given is None:
        return USUAL_PAGE
    if not given.lstrip("-").isdecimal():
        raise errors.wrong_type("limit", "an integer", given)
    checks.integer(least=1, most=LARGEST_PAGE)("limit", int(given))
    return int(given)
