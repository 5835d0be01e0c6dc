"""Spending: sums per day, by thread, assistant, model and tenant, to which every turn is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, func, select

from threadbridge.ports import SpendByKey, SpendScope, SpendTotals
from threadbridge_adapters.stores.sql.schema import spending
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement, build_upsert

#: Later than any day with spending.
_NO_LAST_DAY = 2**31
_KEYS = ("tenant", "scope", "key", "day")
_ADD_SPENDING = build_upsert(
    spending, keys=_KEYS, update=lambda new: {name: spending.c[name] + new[name] for name in SpendTotals._fields}
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
_ALL = Statement(_SUMS)
_ONE = Statement(_SUMS.where(spending.c.key == bindparam("of_key")))


def add_spending(
    connection: SqlConnection, tenant: str, day: int, totals: SpendTotals, keys: Mapping[SpendScope, str]
) -> None:
    """Add to the sums of these keys on a day."""
    row = {"tenant": tenant, "day": day, **totals._asdict()}
    connection.execute_many(_ADD_SPENDING, [{**row, "scope": scope.value, "key": key} for scope, key in keys.items()])


def sum_spending(
    connection: SqlConnection, tenant: str, scope: SpendScope, *, since: int, until: int | None, key: str | None
) -> Sequence[SpendByKey]:
    """The sums of one key or of all, by key."""
    values = {
        "tenant": tenant,
        "scope": scope.value,
        "since": since,
        "until": _NO_LAST_DAY if until is None else until,
    }
    rows = connection.fetch_all(_ALL, values) if key is None else connection.fetch_all(_ONE, {**values, "of_key": key})
    return [SpendByKey(name, SpendTotals(*sums)) for name, *sums in rows]
