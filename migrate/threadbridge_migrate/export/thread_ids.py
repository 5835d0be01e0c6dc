"""Thread ids from arguments, files, standard input, a column of a table, or an SQL query."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import orjson

from threadbridge.api_types import is_json_list, is_json_object
from threadbridge.settings import split_credentials
from threadbridge_migrate.errors import UsageError

#: Accepted ids; services other than OpenAI's have their own prefixes.
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")

#: Before an id or a file: the ids that are not exported.
_EXCLUSION = "^"

#: Before the name of an environment variable with the URL of a database, which may contain a password.
_VARIABLE = "env:"

#: Files of JSON Lines; other files with a `column` are CSV.
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")

#: Columns that are tried, in this order, if none is named.
_COLUMNS = ("thread_id", "threadId", "openai_thread_id", "openaiThreadId", "thread", "id")


@dataclass(frozen=True, slots=True)
class IdTable:
    """Where a program keeps its thread ids: a CSV or JSON Lines file with a column, or a database with a query."""

    source: str
    column: str | None = None
    query: str | None = None


def read_ids(words: Sequence[str], stdin: TextIO, tables: Sequence[IdTable] = ()) -> list[str]:
    """The distinct ids that arguments and tables name, in order.

    An argument is `-` (standard input), a file, `@file` or an id. Files have one id per line. Blank lines, comments
    after `#`, and quotes and commas around an id are ignored. A `^` before an argument or a line excludes its ids.
    Raises UsageError for a missing file, for a line without an id, and for a table that cannot be read.
    """
    ids: dict[str, None] = {}
    excluded: set[str] = set()
    for word in words:
        is_excluded = word.startswith(_EXCLUSION)
        for found in _read_word(word.removeprefix(_EXCLUSION), stdin):
            if is_excluded or found.startswith(_EXCLUSION):
                excluded.add(found.removeprefix(_EXCLUSION))
            else:
                ids[found] = None
    for table in tables:
        ids.update(dict.fromkeys(_read_table(table)))
    return [thread_id for thread_id in ids if thread_id not in excluded] if excluded else list(ids)


def _read_word(word: str, stdin: TextIO) -> Iterator[str]:
    path = Path(word.removeprefix("@"))
    if word == "-":
        yield from _parse_lines("standard input", stdin)
    elif path.is_file():
        try:
            with path.open(encoding="utf-8-sig") as file:
                yield from _parse_lines(str(path), file)
        except UnicodeDecodeError as exc:
            raise UsageError(f"{path} is not a text file with one thread id per line.") from exc
    elif word.startswith("@"):
        raise UsageError(f"{str(path)!r} is not a file of thread ids.")
    elif _ID.fullmatch(word):
        yield word
    else:
        raise UsageError(f"{word!r} is neither a file nor a thread id.")


def _parse_lines(name: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip().strip("\"',").strip()
        if not text:
            continue
        if not _ID.fullmatch(text.removeprefix(_EXCLUSION)):
            raise UsageError(f"{name}, line {number}: {text[:80]!r} is not a thread id.")
        yield text


def _read_table(table: IdTable) -> Iterator[str]:
    """The ids of a table; rows without one are skipped."""
    if "://" in table.source or table.source.startswith(_VARIABLE):
        values = _query_database(table)
    elif not Path(table.source).is_file():
        raise UsageError(f"--ids-from {table.source!r} is neither a file nor the URL of a database.")
    elif table.query is not None:
        raise UsageError(f"--query needs the URL of a database (sqlite:///PATH, postgresql://…), not {table.source!r}.")
    elif table.source.lower().endswith(_JSON_SUFFIXES):
        values = _read_json_lines(table)
    else:
        values = _read_csv(table)
    for number, value in values:
        text = "" if value is None else str(value).strip()
        if not text:
            continue
        if not _ID.fullmatch(text):
            raise UsageError(f"{table.source}, row {number}: {text[:80]!r} is not a thread id.")
        yield text


def _read_csv(table: IdTable) -> Iterator[tuple[int, object]]:
    try:
        with Path(table.source).open(encoding="utf-8-sig", newline="") as file:
            sample = file.read(8192)
            file.seek(0)
            delimiter = max(",;\t|", key=sample.partition("\n")[0].count)
            rows = csv.DictReader(file, delimiter=delimiter)
            column = _select_column(table, list(rows.fieldnames or ()))
            for number, row in enumerate(rows, start=1):
                yield number, row[column]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise UsageError(f"{table.source} is not a CSV file of UTF-8 text.") from exc


def _read_json_lines(table: IdTable) -> Iterator[tuple[int, object]]:
    """The values of a column in JSON Lines, or in one array of objects."""
    content = Path(table.source).read_bytes()
    is_array = content.lstrip()[:1] == b"["
    try:
        rows: object = (
            orjson.loads(content) if is_array else [orjson.loads(each) for each in content.splitlines() if each]
        )
    except orjson.JSONDecodeError as exc:
        raise UsageError(f"{table.source} is not JSON Lines: {exc.msg} (line {exc.lineno}).") from exc
    column = None
    for number, row in enumerate(rows if is_json_list(rows) else [], start=1):
        if not is_json_object(row):
            raise UsageError(f"{table.source}, row {number}: this is not an object with columns.")
        column = column or _select_column(table, list(row))
        yield number, row.get(column)


def _query_database(table: IdTable) -> Iterator[tuple[int, object]]:
    """The first column of a query, or the named one, read in batches."""
    if table.source.startswith(_VARIABLE) and "://" not in os.environ.get(table.source.removeprefix(_VARIABLE), ""):
        raise UsageError(f"--ids-from {table.source}: this variable is not set to the URL of a database.")
    import sqlalchemy  # takes 200 ms to import
    from sqlalchemy.exc import SQLAlchemyError

    if table.query is None:
        raise UsageError("--ids-from with a database needs --query, for instance 'select thread_id from chats'.")
    if split_credentials(table.source)[1] is not None:
        raise UsageError(
            "--ids-from: other users of this machine can read a password on the command line; put the URL into a "
            "variable and name it (--ids-from env:DATABASE_URL)."
        )
    try:
        engine = sqlalchemy.create_engine(os.environ.get(table.source.removeprefix(_VARIABLE), table.source))
        with engine.connect().execution_options(yield_per=1000) as connection:
            result = connection.execute(sqlalchemy.text(table.query))
            columns = list(result.keys())
            position = columns.index(_select_column(table, columns)) if table.column else 0
            yield from enumerate((row[position] for row in result), start=1)
        engine.dispose()
    except (SQLAlchemyError, ImportError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).splitlines()[0]
        raise UsageError(f"The query of --ids-from failed ({reason}); check --query, the URL and its driver.") from exc


def _select_column(table: IdTable, columns: Sequence[str]) -> str:
    """The named column, or the first that has a usual name, or the only one."""
    if table.column is not None:
        if table.column not in columns:
            raise UsageError(f"{table.source} has no column {table.column!r}, but {', '.join(columns) or 'none'}.")
        return table.column
    for column in _COLUMNS:
        if column in columns:
            return column
    if len(columns) == 1:
        return columns[0]
    raise UsageError(f"{table.source}: name the column with --column; it has {', '.join(columns) or 'none'}.")
