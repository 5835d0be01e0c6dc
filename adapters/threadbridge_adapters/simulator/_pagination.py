"""Lists with cursors, as the service pages them (A11, A13); the envelope's order is that of recorded lists of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks

LARGEST_PAGE = 100
USUAL_PAGE = 20


def page(
    oldest_first: Sequence[Wire], query: Mapping[str, str], *, largest: int = LARGEST_PAGE, usual: int = USUAL_PAGE
) -> Wire:
    """One page, newest first unless `order=asc`. An unknown `after` gives an empty page, an unknown `before` too."""
    limit, order = _limit(query, largest, usual), query.get("order", "desc")
    checks.one_of("asc", "desc")("order", order)
    items = list(oldest_first) if order == "asc" else list(reversed(oldest_first))
    after = query.get("after")
    if after is not None:
        places = [index for index, item in enumerate(items) if item["id"] == after]
        items = items[places[0] + 1 :] if places else []
    before = query.get("before")
    if before is not None:
        places = [index for index, item in enumerate(items) if item["id"] == before]
        items = items[max(places[0] - limit, 0) : places[0]] if places else []
    data = items[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "has_more": len(items) > limit,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(query: Mapping[str, str], largest: int, usual: int) -> int:
    given = query.get("limit")
    if given is None:
        return usual
    if not given.lstrip("-").isdecimal():
        raise errors.wrong_type("limit", "an integer", given)
    checks.integer(least=1, most=largest)("limit", int(given))
    return int(given)
