"""The migrations lead to the schema the code believes in."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from tests.stored_objects import call, message, run
from threadbridge import run_states
from threadbridge.api_types import UsageObject
from threadbridge.ports import Entry, SpendByKey, SpendScope, SpendTotals, ThreadSize, Turn
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.stores.sql import schema
from threadbridge_adapters.stores.sql.schema_upgrade import CURRENT_REVISION


def definitions(path: Path) -> list[tuple[str, str]]:
    """Every table and index, in SQLite's own words."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    # A table that was made anew was renamed, and a renamed one is quoted.
    return [(name, " ".join(sql.split()).replace(f'TABLE "{name}"', f"TABLE {name}")) for name, sql in rows]


async def test_a_new_store_has_exactly_the_tables_that_the_migrations_build(tmp_path: Path) -> None:
    migrated, new = tmp_path / "migrated.db", tmp_path / "new.db"
    migrate(migrated, "head")
    await (await open_store(str(new))).aclose()

    assert definitions(new) == definitions(migrated)
    assert read_revision(new) == read_revision(migrated) == CURRENT_REVISION


def migrate(path: Path, revision: str) -> None:
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "threadbridge_adapters.stores.sql:migrations")
        command.upgrade(config, revision)


async def test_an_upgrade_logs_no_line_of_the_migration_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "threads.db"
    migrate(path, "0001")
    with caplog.at_level("INFO"):
        await (await open_store(str(path))).aclose()

    assert read_revision(path) == CURRENT_REVISION
    assert [record.getMessage() for record in caplog.records if record.name.startswith("alembic")] == []


def read_revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


async def test_alembic_finds_nothing_to_migrate(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    await (await open_store(str(path))).aclose()

    with create_engine(f"sqlite:///{path}", poolclass=NullPool).connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert differences == []


def test_the_current_revision_is_the_last_and_every_earlier_one_leads_to_it() -> None:
    config = Config()
    config.set_main_option("script_location", "threadbridge_adapters.stores.sql:migrations")
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [CURRENT_REVISION]
    assert [script.revision for script in scripts.walk_revisions()] == [
        "0011",
        "0010",
        "0009",
        "0008",
        "0007",
        "0006",
        "0005",
        "0004",
        "0003",
        "0002",
        "0001",
    ]


USAGE: UsageObject = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_token_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


async def test_the_first_schema_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    written_by_the_first_version(path)

    store = await open_store(str(path))
    size = await store.read(lambda session: session.get_thread_size("thread_1"), tenant="t")
    entries = await store.read(lambda session: session.list_entries("thread_1"), tenant="t")
    places = await store.read(lambda session: session.list_positions("thread_1", limit=9), tenant="t")
    turns = await store.read(lambda session: session.list_turns("run_1"), tenant="t")
    spent = await store.read(lambda session: [session.list_spending(scope) for scope in SpendScope], tenant="t")
    await store.aclose()

    assert entries == [Entry(message=message("msg_1")), call("call_1")]
    assert (size, [place.token_count for place in places]) == (ThreadSize(1, 0), [None, None])
    assert turns == [Turn(1, "resp_1", model="m", usage=USAGE), Turn(2)]
    counted = SpendTotals(1, 1, prompt_tokens=10, cached_tokens=4, completion_tokens=5, reasoning_tokens=3)
    assert spent == [[SpendByKey(key, counted)] for key in ("thread_1", "asst_1", "m", "")]


def written_by_the_first_version(path: Path) -> None:
    """A store as revision 0001 left it: one message, one call, one run with two turns, of which one was asked."""
    migrate(path, "0001")
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        insert = "INSERT INTO timeline (tenant, thread_id, run_id, message_id, message, item) VALUES"
        connection.exec_driver_sql(
            f"{insert} ('t', 'thread_1', NULL, 'msg_1', ?, NULL)", (json.dumps(message("msg_1")),)
        )
        connection.exec_driver_sql(
            f"{insert} ('t', 'thread_1', 'run_1', NULL, NULL, ?)", (json.dumps(call("call_1").item),)
        )
        connection.exec_driver_sql(
            "INSERT INTO runs (tenant, id, created_at, thread_id, status, lease_until, body)"
            " VALUES ('t', 'run_1', 172800, 'thread_1', 'completed', 0, ?)",
            (json.dumps({**run(), "assistant_id": "asst_1"}),),
        )
        connection.exec_driver_sql(
            "INSERT INTO turns (tenant, run_id, number, response_id, model, usage)"
            " VALUES ('t', 'run_1', 1, 'resp_1', 'm', ?), ('t', 'run_1', 2, NULL, NULL, NULL)",
            (json.dumps(USAGE),),
        )


async def test_references_to_files_and_vector_stores_are_read_from_stored_objects(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    migrate(path, "0008")
    resources = {"code_interpreter": {"file_ids": ["file-1", "file-2"]}, "file_search": {"vector_store_ids": ["vs_1"]}}
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        for table, object_id, tool_resources in (
            ("assistants", "asst_1", resources),
            ("threads", "thread_1", {"code_interpreter": {"file_ids": ["file-1"]}}),
            ("threads", "thread_2", {}),
        ):
            connection.exec_driver_sql(
                f"INSERT INTO {table} (tenant, id, body) VALUES ('t', ?, ?)",  # noqa: S608  # one of two names
                (object_id, json.dumps({"id": object_id, "tool_resources": tool_resources}, separators=(",", ":"))),
            )

    store = await open_store(str(path))
    names = ("file-1", "file-2", "vs_1", "file-3")
    referencing = await store.read(
        lambda session: [session.list_referencing_objects(name, limit=9) for name in names], tenant="t"
    )
    await store.aclose()

    assert referencing == [["asst_1", "thread_1"], ["asst_1"], ["asst_1"], []]


def test_no_revision_imports_the_living_schema() -> None:
    versions = resources.files("threadbridge_adapters.stores.sql") / "migrations" / "versions"

    sources = [file.read_text() for file in versions.iterdir() if file.name.endswith(".py")]

    assert sources
    assert not [source for source in sources if "threadbridge" in source]


def test_the_index_of_active_runs_agrees_with_the_life_of_a_run() -> None:
    listed = {f"'{status}'" for status in run_states.ACTIVE_STATUSES}

    condition = str(schema.IS_ACTIVE)

    assert set(condition.removeprefix("status IN (").removesuffix(")").split(", ")) == listed
