"""Tables of an archive for queries: an SQLite file, or Parquet files of the same tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.conversion.message_texts import join_text
from threadbridge_migrate.errors import UsageError

#: Bytes of the largest row that is read back for Parquet.
MAX_ROW_BYTES: Final = 1 << 30


class ArchiveTable(NamedTuple):
    """A table: the part of its rows, and its columns with their SQL types; `body` is the whole object."""

    name: str
    part: Part
    columns: Mapping[str, str]


_TIMES: Final = {"created_at": "BIGINT"}
_RUN_TIMES: Final = dict.fromkeys(("started_at", "completed_at", "failed_at", "cancelled_at", "expires_at"), "BIGINT")
TABLES: Final = (
    ArchiveTable(
        "assistants",
        Part.ASSISTANTS,
        {"id": "TEXT", **_TIMES, "name": "TEXT", "model": "TEXT", "instructions": "TEXT", "body": "TEXT"},
    ),
    ArchiveTable("threads", Part.THREADS, {"id": "TEXT", **_TIMES, "metadata": "TEXT", "body": "TEXT"}),
    ArchiveTable(
        "messages",
        Part.MESSAGES,
        {
            "id": "TEXT",
            "thread_id": "TEXT",
            "run_id": "TEXT",
            "assistant_id": "TEXT",
            **_TIMES,
            "role": "TEXT",
            "text": "TEXT",
            "metadata": "TEXT",
            "body": "TEXT",
        },
    ),
    ArchiveTable(
        "runs",
        Part.RUNS,
        {
            "id": "TEXT",
            "thread_id": "TEXT",
            "assistant_id": "TEXT",
            "status": "TEXT",
            "model": "TEXT",
            **_TIMES,
            **_RUN_TIMES,
            "usage": "TEXT",
            "body": "TEXT",
        },
    ),
    ArchiveTable(
        "steps",
        Part.STEPS,
        {
            "id": "TEXT",
            "thread_id": "TEXT",
            "run_id": "TEXT",
            "type": "TEXT",
            "status": "TEXT",
            **_TIMES,
            "body": "TEXT",
        },
    ),
    ArchiveTable("vector_stores", Part.VECTOR_STORES, {"id": "TEXT", "name": "TEXT", "body": "TEXT"}),
    ArchiveTable(
        "files", Part.FILES, {"id": "TEXT", "filename": "TEXT", "purpose": "TEXT", "bytes": "BIGINT", "body": "TEXT"}
    ),
)


def write_sqlite(archive: Archive, out: Path) -> int:
    """`threads.db` with all tables, indexed by thread and run."""
    file = out / "threads.db"
    os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        for table in TABLES:
            columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
            database.execute(f"CREATE TABLE {table.name} ({columns})")
            insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - constants
            database.executemany(insert, (tuple(row.values()) for row in _iterate_rows(archive, table)))
            for column in ("id", "thread_id", "run_id"):
                if column in table.columns:
                    database.execute(f"CREATE INDEX {table.name}_by_{column} ON {table.name} ({column})")
        database.commit()
        return int(database.execute("SELECT count(*) FROM threads").fetchone()[0])


def write_parquet(archive: Archive, out: Path) -> int:
    """A Parquet file a table. Raises UsageError without duckdb."""
    try:
        import duckdb  # an optional library
    except ImportError:
        raise UsageError("Parquet files need duckdb: pip install 'threadbridge[parquet]'.") from None
    count = 0
    database: Any = duckdb.connect()
    try:
        for table in TABLES:
            lines = out / f"{table.name}.jsonl"
            with lines.open("wb") as file:
                for row in _iterate_rows(archive, table):
                    file.write(orjson.dumps(row) + b"\n")
                    count += table.part is Part.THREADS
            columns = {name: kind.replace("TEXT", "VARCHAR") for name, kind in table.columns.items()}
            target = out / f"{table.name}.parquet"
            database.read_json(
                str(lines), format="newline_delimited", columns=columns, maximum_object_size=MAX_ROW_BYTES
            ).write_parquet(str(target), compression="zstd")
            target.chmod(0o600)
            lines.unlink()
    finally:
        database.close()
    return count


def _iterate_rows(archive: Archive, table: ArchiveTable) -> Iterator[JsonObject]:
    derive: Mapping[str, Callable[[JsonMapping], object]] = {
        "text": join_text,
        "body": lambda body: orjson.dumps(body).decode(),
    }
    for body in archive.read_part(table.part):
        yield {
            name: _to_column(derive[name](body) if name in derive else body.get(name), kind)
            for name, kind in table.columns.items()
        }


def _to_column(value: object, kind: str) -> object:
    if value is None or (isinstance(value, str) and kind == "TEXT"):
        return value
    if kind == "BIGINT":
        return int(value) if isinstance(value, int | float) and abs(value) < 1 << 62 else None
    return orjson.dumps(value).decode()
