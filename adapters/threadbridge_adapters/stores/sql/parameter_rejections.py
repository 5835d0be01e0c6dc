"""Parameters that models of the upstreams rejected, stored so that the next process does not send them again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, tuple_

from threadbridge.ports import ParameterRejection
from threadbridge_adapters.stores.sql.schema import parameter_rejections
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement, build_upsert

_KEYS = ("tenant", "service", "model", "parameter")
_OF_UPSTREAM = (
    parameter_rejections.c.tenant == bindparam("tenant"),
    parameter_rejections.c.service == bindparam("service"),
)
_IDENTITY = (parameter_rejections.c.model, parameter_rejections.c.parameter)
_ADD_REJECTION = build_upsert(parameter_rejections, keys=_KEYS, update=lambda new: {"at": new["at"]})
_OLDEST_FIRST = (parameter_rejections.c.at, *_IDENTITY)
_ALL = Statement(select(*_IDENTITY, parameter_rejections.c.at).where(*_OF_UPSTREAM).order_by(*_OLDEST_FIRST))
_NEWEST = (
    select(*_IDENTITY)
    .where(*_OF_UPSTREAM)
    .order_by(*(column.desc() for column in _OLDEST_FIRST))
    .limit(bindparam("most"))
)
_DELETE_OLDEST = Statement(delete(parameter_rejections).where(*_OF_UPSTREAM, tuple_(*_IDENTITY).not_in(_NEWEST)))


def add_rejection(
    connection: SqlConnection, tenant: str, upstream: str, rejection: ParameterRejection, *, limit: int
) -> None:
    """Store a rejection, and remove the oldest ones of its upstream beyond the limit."""
    key = {"tenant": tenant, "service": upstream}
    connection.execute(_ADD_REJECTION, {**key, **rejection._asdict()})
    connection.execute(_DELETE_OLDEST, {**key, "most": limit})


def list_rejections(connection: SqlConnection, tenant: str, upstream: str) -> Sequence[ParameterRejection]:
    """The stored rejections of an upstream, oldest first."""
    return [ParameterRejection(*row) for row in connection.fetch_all(_ALL, {"tenant": tenant, "service": upstream})]
