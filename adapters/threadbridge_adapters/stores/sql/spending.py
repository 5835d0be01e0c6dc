"""What was spent: sums for every day, by thread, assistant, model and tenant, grown with each turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from threadbridge.ports import Scope, Spent, Tally
from threadbridge_adapters.stores.sql.compiled_statements import Statement
from threadbridge_adapters.stores.sql.schema import spending

#: Beyond any day that will be.
_NO_LAST_DAY = 2**31
_KEYS = ("tenant", "scope", "key", "day")
_inserted = insert(spending)
_SPEND = Statement(
    _inserted.on_conflict_do_update(
        index_elements=_KEYS,
        set_={name: spending.c[name] + _inserted.excluded[name] for name in Spent._fields},
    ),
    columns=[*_KEYS, *Spent._fields],
)
_SUMS = (
    select(spending.c.key, *(func.sum(spending.c[name]) for name in Spent._fields))
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


def spend(driver: sqlite3.Connection, tenant: str, day: int, spent: Spent, keys: Mapping[Scope, str]) -> None:
    """Add to the sums of these keys."""
    row = {"tenant": tenant, "day": day, **spent._asdict()}
    _SPEND.run_for_each(driver, [{**row, "scope": scope.value, "key": key} for scope, key in keys.items()])


def tallies(
    driver: sqlite3.Connection, tenant: str, scope: Scope, *, since: int, until: int | None, key: str | None
) -> Sequence[Tally]:
    """The sums of one key or of all, by key."""
    values = {
        "tenant": tenant,
        "scope": scope.value,
        "since": since,
        "until": _NO_LAST_DAY if until is None else until,
    }
    rows = _ALL.rows(driver, values) if key is None else _ONE.rows(driver, {**values, "of_key": key})
    return [Tally(name, Spent(*sums)) for name, *sums in rows]
