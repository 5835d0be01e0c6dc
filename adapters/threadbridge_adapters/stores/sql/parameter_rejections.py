"""What models of the services behind refused, so that the next process need not find out again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from threadbridge.ports import ParameterRejection
from threadbridge_adapters.stores.sql.compiled_statements import CompiledStatement
from threadbridge_adapters.stores.sql.schema import parameter_rejections

_KEYS = ("tenant", "service", "model", "parameter")
_OF_SERVICE = (
    parameter_rejections.c.tenant == bindparam("tenant"),
    parameter_rejections.c.service == bindparam("service"),
)
_IDENTITY = (parameter_rejections.c.model, parameter_rejections.c.parameter)
_upsert = insert(parameter_rejections)
_ADD_REJECTION = CompiledStatement(
    _upsert.on_conflict_do_update(index_elements=_KEYS, set_={"at": _upsert.excluded["at"]}),
    columns=[*_KEYS, "at"],
)
_OLDEST_FIRST = (parameter_rejections.c.at, *_IDENTITY)
_ALL = CompiledStatement(select(*_IDENTITY, parameter_rejections.c.at).where(*_OF_SERVICE).order_by(*_OLDEST_FIRST))
_NEWEST = (
    select(*_IDENTITY)
    .where(*_OF_SERVICE)
    .order_by(*(column.desc() for column in _OLDEST_FIRST))
    .limit(bindparam("most"))
)
_DELETE_OLDEST = CompiledStatement(delete(parameter_rejections).where(*_OF_SERVICE, tuple_(*_IDENTITY).not_in(_NEWEST)))


def add_rejection(
    driver: sqlite3.Connection, tenant: str, service: str, rejection: ParameterRejection, *, limit: int
) -> None:
    """Remember a refusal, and no more than the newest of its service."""
    key = {"tenant": tenant, "service": service}
    _ADD_REJECTION.execute(driver, {**key, **rejection._asdict()})
    _DELETE_OLDEST.execute(driver, {**key, "most": limit})


def list_rejections(driver: sqlite3.Connection, tenant: str, service: str) -> Sequence[ParameterRejection]:
    """Everything remembered of a service, oldest first."""
    return [ParameterRejection(*row) for row in _ALL.fetch_all(driver, {"tenant": tenant, "service": service})]
