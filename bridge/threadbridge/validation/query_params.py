"""Ids in paths and the query parameters of lists (A11, A13, A16, A77)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from threadbridge.ports import ListQuery
from threadbridge.schemas.error_messages import SchemaViolation
from threadbridge.schemas.schema_types import Choice, Id, Integer, Schema
from threadbridge.settings import Limits
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100

_LIMIT = Integer(1, MAX_PAGE_SIZE)
_ORDER = Choice("asc", "desc")
_DEFAULT_LIMITS = Limits()


class PageQuery(NamedTuple):
    """A validated page query; the arguments of `ports.Session.get_page`."""

    limit: int
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None


def validate_page(query: ListQuery) -> PageQuery:
    """The page with its defaults: 20, newest first (A11). Raises InvalidRequest with the texts of A13."""
    limit = DEFAULT_PAGE_SIZE if query.limit is None else query.limit
    order = query.order or "desc"
    _validate_param(_LIMIT, "limit", limit)
    _validate_param(_ORDER, "order", order)
    return PageQuery(limit, cast("Literal['asc', 'desc']", order), query.after or None, query.before or None)


def validate_id(param: str, prefix: str, value: str) -> None:
    """Raises InvalidRequest unless the id starts with the prefix (A16); the rest of the id is not checked."""
    if not value.startswith(prefix):
        _validate_param(Id(prefix), param, value)


def validate_include(include: Sequence[str]) -> None:
    """Raises InvalidRequest for anything but content that a hosted tool returns on request (A77)."""
    supported = [tool.content_include for tool in HOSTED_TOOLS.values() if tool.content_include is not None]
    for index, value in enumerate(include):
        _validate_param(Choice(*supported), f"include[{index}]", value)


def _validate_param(schema: Schema, param: str, value: object) -> None:
    try:
        schema.validate(value, _DEFAULT_LIMITS)
    except SchemaViolation as refusal:
        refusal.prepend_to_path(param)
        raise refusal.to_error() from None
