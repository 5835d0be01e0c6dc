"""What was spent: sums for every day, by thread, assistant, model and tenant, grown with each turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from threadbridge.ports import SpendByKey, SpendScope, SpendTotals
from threadbridge_adapters.stores.sql.compiled_statements import CompiledStatement
from threadbridge_adapters.stores.sql.schema import spending

#: Beyond any day that will be.
_NO_LAST_DAY = 2**31
_KEYS = ("tenant", "scope", "key", "day")
_upsert = insert(spending)
_ADD_SPENDING = CompiledStatement(
    _upsert.on_conflict_do_update(
        index_elements=_KEYS,
        set_={name: spending.c[name] + _upsert.excluded[name] for name in SpendTotals._fields},
    ),
    columns=[*_KEYS, *SpendTotals._fields],
)
_SUMS = (
    select(spending.c.key, *(func.sum(spending.c[name]) for name in SpendTotals._fields))
    .where(
        spending.c.tenant == bindparam("tenant"),
        spending.c.scope == bindparam("scope"),
        spending.c.day.between(bindparam("since"), bindparam("until")),
    )
    .group_by(spending.c.key)
    .order_by(spending.c.key)
)
_ALL = CompiledStatement(_SUMS)
_ONE = CompiledStatement(_SUMS.where(spending.c.key == bindparam("of_key")))


def add_spending(
    driver: sqlite3.Connection, tenant: str, day: int, amounts: SpendTotals, keys: Mapping[SpendScope, str]
) -> None:
    """Add to the sums of these keys."""
    row = {"tenant": tenant, "day": day, **amounts._asdict()}
    _ADD_SPENDING.execute_many(driver, [{**row, "scope": scope.value, "key": key} for scope, key in keys.items()])


def sum_spending(
    driver: sqlite3.Connection, tenant: str, scope: SpendScope, *, since: int, until: int | None, key: str | None
) -> Sequence[SpendByKey]:
    """The sums of one key or of all, by key."""
    values = {
        "tenant": tenant,
        "scope": scope.value,
        "since": since,
        "until": _NO_LAST_DAY if until is None else until,
    }
    rows = _ALL.fetch_all(driver, values) if key is None else _ONE.fetch_all(driver, {**values, "of_key": key})
    return [SpendByKey(name, SpendTotals(*sums)) for name, *sums in rows]
