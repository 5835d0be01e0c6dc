"""Ids in paths and the query parameters of lists (A11, A13, A16, A77)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from threadbridge.ports import ListQuery
from threadbridge.settings import Limits
from threadbridge.validation.error_messages import Refusal
from threadbridge.validation.schema_types import Choice, Id, Integer, Shape

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
#: The one thing that can be included: what a file search found, word for word.
FILE_SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"

_LIMIT = Integer(1, LARGEST_PAGE)
_ORDER = Choice("asc", "desc")
_INCLUDE = Choice(FILE_SEARCH_CONTENT)
_NO_LIMITS = Limits()


class CheckedPage(NamedTuple):
    """Which page of a list is asked for; the arguments of `ports.Session.page`."""

    limit: int
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None


def checked_page(query: ListQuery) -> CheckedPage:
    """The page with its defaults: 20, newest first (A11). Raises InvalidRequest in the words of A13."""
    limit = DEFAULT_PAGE if query.limit is None else query.limit
    order = query.order or "desc"
    _refuse_unless(_LIMIT, "limit", limit)
    _refuse_unless(_ORDER, "order", order)
    return CheckedPage(limit, cast("Literal['asc', 'desc']", order), query.after or None, query.before or None)


def check_id(param: str, prefix: str, value: str) -> None:
    """Raises InvalidRequest unless the id begins with the prefix (A16); nothing else about it is judged."""
    if not value.startswith(prefix):
        _refuse_unless(Id(prefix), param, value)


def check_include(include: Sequence[str]) -> None:
    """Raises InvalidRequest for anything but the content of file searches (A77)."""
    for index, value in enumerate(include):
        _refuse_unless(_INCLUDE, f"include[{index}]", value)


def _refuse_unless(shape: Shape, param: str, value: object) -> None:
    try:
        shape.check(value, _NO_LIMITS)
    except Refusal as refusal:
        refusal.within(param)
        raise refusal.to_error() from None
