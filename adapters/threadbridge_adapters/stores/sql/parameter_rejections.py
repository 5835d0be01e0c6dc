"""What models of the services behind refused, so that the next process need not find out again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from threadbridge.ports import Refusal
from threadbridge_adapters.stores.sql.compiled_statements import Statement
from threadbridge_adapters.stores.sql.schema import refusals

_KEYS = ("tenant", "service", "model", "parameter")
_OF_SERVICE = (refusals.c.tenant == bindparam("tenant"), refusals.c.service == bindparam("service"))
_IDENTITY = (refusals.c.model, refusals.c.parameter)
_inserted = insert(refusals)
_ADD = Statement(
    _inserted.on_conflict_do_update(index_elements=_KEYS, set_={"at": _inserted.excluded["at"]}),
    columns=[*_KEYS, "at"],
)
_OLDEST_FIRST = (refusals.c.at, *_IDENTITY)
_ALL = Statement(select(*_IDENTITY, refusals.c.at).where(*_OF_SERVICE).order_by(*_OLDEST_FIRST))
_NEWEST = (
    select(*_IDENTITY)
    .where(*_OF_SERVICE)
    .order_by(*(column.desc() for column in _OLDEST_FIRST))
    .limit(bindparam("most"))
)
_FORGET = Statement(delete(refusals).where(*_OF_SERVICE, tuple_(*_IDENTITY).not_in(_NEWEST)))


def add(driver: sqlite3.Connection, tenant: str, service: str, refusal: Refusal, *, most: int) -> None:
    """Remember a refusal, and no more than the newest of its service."""
    of_service = {"tenant": tenant, "service": service}
    _ADD.run(driver, {**of_service, **refusal._asdict()})
    _FORGET.run(driver, {**of_service, "most": most})


def of_service(driver: sqlite3.Connection, tenant: str, service: str) -> Sequence[Refusal]:
    """Everything remembered of a service, oldest first."""
    return [Refusal(*row) for row in _ALL.rows(driver, {"tenant": tenant, "service": service})]
