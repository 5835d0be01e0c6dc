"""The statements of `stores/sql` in the dialects of more than one database."""

from __future__ import annotations

import gc
import itertools
from importlib import import_module
from typing import Any, cast

import pytest
from sqlalchemy.dialects import postgresql

from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores.sql import object_tables
from threadbridge_adapters.stores.sql.object_tables import OBJECT_TABLES
from threadbridge_adapters.stores.sql.statements import SqlDialect, Statement
from threadbridge_adapters.stores.sqlite.connection import SQLITE

POSTGRESQL = SqlDialect(cast(Any, postgresql.dialect)(paramstyle="format"), insert=postgresql.insert)


def every_statement() -> list[Statement]:
    """All statements of the package: those its modules hold, and a page of every kind in every shape."""
    import_module("threadbridge_adapters.stores.sql.session")  # and with it every module that has any
    for kind, shape in itertools.product(ObjectKind, itertools.product([False, True], repeat=5)):
        columns = OBJECT_TABLES[kind].table.c
        page = object_tables.PageShape(kind, *shape)
        if (not page.of_thread or "thread_id" in columns) and (not page.of_run or "run_id" in columns):
            object_tables.build_page_statement(page)
    return [one for one in gc.get_objects() if type(one) is Statement]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_every_statement_compiles_in_every_dialect(dialect: SqlDialect) -> None:
    statements = every_statement()

    compiled = [dialect.compile(statement) for statement in statements]

    assert len(compiled) > 100
    assert not [one.text for one in compiled if "RETURNING" in one.text]


def test_a_statement_is_compiled_once_for_each_dialect() -> None:
    statement = every_statement()[0]

    assert SQLITE.compile(statement) is SQLITE.compile(statement)
    assert POSTGRESQL.compile(statement) is not SQLITE.compile(statement)
