"""The formats of files that are read, each recognised by the beginning of a file; the first that matches reads it.

`READERS` is the table of `docs/reference/migrate.md`. A reader collects what is in the file, and says whether there was
anything.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from threadbridge.api_types import JsonMapping
from threadbridge_migrate.dumps.columns import describes_exchange, describes_message, find_columns
from threadbridge_migrate.dumps.dump_files import DumpFile, copy_to_path, detect_encoding
from threadbridge_migrate.dumps.dump_reading import Reading
from threadbridge_migrate.dumps.http_recordings import (
    find_interactions,
    is_event_stream,
    iterate_values,
)
from threadbridge_migrate.dumps.json_reader import (
    collect_document,
    is_json_lines,
    read_json,
    read_json_lines,
    starts_as_json,
)
from threadbridge_migrate.dumps.object_collection import ObjectCollection
from threadbridge_migrate.dumps.sdk_repr import is_printed, iterate_printed
from threadbridge_migrate.dumps.shapes import Context, collect
from threadbridge_migrate.dumps.sql_dump import TruncatedDumpError, is_sql_dump, iterate_rows
from threadbridge_migrate.dumps.sqlite_tables import list_sqlite_tables, load_rows
from threadbridge_migrate.dumps.tables import Table, collect_tables
from threadbridge_migrate.errors import ArchiveError

#: Bytes of a log or a saved stream.
MAX_TEXT_BYTES: Final = 64 << 20

_SQLITE: Final = b"SQLite format 3\0"
_CASSETTE: Final = re.compile(r"^(?:---\s*)?(?:interactions|http_interactions|requests|version)\s*:", re.MULTILINE)
_DELIMITERS: Final = ",;\t|"


class Format(NamedTuple):
    """A format: its name, what is in it, how it is recognised, and what reads it."""

    name: str
    description: str
    matches: Callable[[Reading], bool]
    read: Callable[[Reading], bool]


def read_file(file: DumpFile, collection: ObjectCollection, mapping: Mapping[str, str]) -> str | None:
    """Collect what a file holds; the name of its format, or None if it is of none. Raises ArchiveError."""
    start = file.read_sample()
    reading = Reading(
        file, start.decode(detect_encoding(start), "replace").lstrip("\ufeff"), start, collection, mapping
    )
    for each in FORMATS:
        if each.matches(reading) and each.read(reading):
            return each.name
    return None


# -- YAML, CSV, SQLite ------------------------------------------------------------------------------------------------


def _read_cassette(reading: Reading) -> bool:
    try:
        import yaml  # an optional library
    except ImportError:
        raise ArchiveError(
            f"{reading.file.label} is YAML; install its reader: pip install 'threadbridge[dumps]'."
        ) from None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with reading.file.open_text() as text:
            value: object = yaml.load(text, Loader=_make_tolerant(loader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{reading.file.label} is not valid YAML: {str(error).splitlines()[0]}.") from None
    return find_interactions(value) is not None and collect_document(value, reading, "YAML")


def _make_tolerant(loader: Any) -> Any:
    """A safe loader that reads values of unknown types (Python's and Ruby's) as plain ones."""

    def construct(instance: Any, suffix: str, node: Any) -> object:
        if suffix == "binary" or node.tag.endswith("binary"):
            return loader.construct_yaml_binary(instance, node)
        if node.id == "scalar":
            return instance.construct_scalar(node)
        return instance.construct_sequence(node) if node.id == "sequence" else instance.construct_mapping(node)

    tolerant: Any = type("TolerantLoader", (loader,), {})
    tolerant.add_multi_constructor("!", construct)
    tolerant.add_multi_constructor("tag:yaml.org,2002:python/", construct)
    return tolerant


def _find_dialect(reading: Reading) -> str | None:
    """The delimiter of a table whose first line names columns of messages."""
    first = reading.sample.lstrip().splitlines()[:1]
    for delimiter in _DELIMITERS:
        for header in csv.reader(first, delimiter=delimiter):
            columns = find_columns(header, reading.mapping)
            if len(header) > 1 and (
                describes_message(columns) or describes_exchange(columns) or _names_threads(columns)
            ):
                return delimiter
    return None


def _names_threads(columns: Mapping[str, str]) -> bool:
    return "thread_id" in columns and bool(columns.keys() & {"title", "created_at", "assistant_id"})


def _read_csv(reading: Reading) -> bool:
    delimiter = _find_dialect(reading)
    csv.field_size_limit(sys.maxsize)

    def read_rows() -> Iterator[JsonMapping]:
        with reading.file.open_text() as text:
            yield from cast("Iterator[JsonMapping]", csv.DictReader(text, restkey="", delimiter=delimiter or ","))

    try:
        with reading.file.open_text() as text:
            columns = next(csv.reader(text, delimiter=delimiter or ","), list[str]())
        return collect_tables(
            [Table("", columns, read_rows)], reading.collection, reading.locate("CSV"), reading.mapping
        )
    except csv.Error as error:
        raise ArchiveError(f"{reading.file.label} is not a readable CSV file: {error}.") from None


def _read_sqlite(reading: Reading) -> bool:
    with tempfile.TemporaryDirectory(prefix="threadbridge-") as folder:
        path = Path(folder) / "dump.db"  # a copy: opening a database may change it
        copy_to_path(reading.file, path)
        try:
            with closing(sqlite3.connect(path)) as database:
                return _collect_database(database, reading, "SQLite")
        except sqlite3.DatabaseError as error:
            raise ArchiveError(f"{reading.file.label} is a damaged SQLite file: {error}.") from None


def _collect_database(database: sqlite3.Connection, reading: Reading, format_name: str) -> bool:
    """Collect the tables of a database. Raises ArchiveError with the columns that it has if none has messages."""
    tables = list_sqlite_tables(database)
    if collect_tables(tables, reading.collection, reading.locate(format_name), reading.mapping):
        return True
    seen = "; ".join(f"{table.name[:40]} with {', '.join(table.columns[:12])}" for table in tables[:5]) or "no tables"
    raise ArchiveError(
        f"{reading.file.label} has no table with a thread, a role and a content by the usual names ({seen}); name the "
        "columns with --map thread_id=COLUMN,role=COLUMN,content=COLUMN."
    )


# -- Texts ------------------------------------------------------------------------------------------------------------


def _read_sql_dump(reading: Reading) -> bool:
    """The rows of a dump, by way of a temporary database: tables refer to each other in any order."""
    with (
        tempfile.NamedTemporaryFile(prefix="threadbridge-", suffix=".db") as file,
        closing(sqlite3.connect(file.name, isolation_level=None)) as database,
    ):
        try:
            with reading.file.open_text() as text:
                load_rows(database, iterate_rows(text))
        except TruncatedDumpError:
            reading.collection.add_problem(
                reading.locate("SQL dump"), "The dump ends within a statement; perhaps the file was cut off."
            )
        except sqlite3.DatabaseError as error:
            raise ArchiveError(f"{reading.file.label} has tables that cannot be read: {error}.") from None
        return _collect_database(database, reading, "SQL dump")


def _read_printed(reading: Reading) -> bool:
    """Objects that a program printed, anywhere in a log."""
    with reading.file.open_text() as text:
        content = text.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise ArchiveError(f"{reading.file.label} is larger than {MAX_TEXT_BYTES >> 20} MiB; split it into several.")
    is_known = False
    for printed in iterate_printed(content):
        origin = reading.locate("Python output", f"line {printed.line}")
        if printed.value is None:
            reading.collection.add_problem(origin, "This printed object cannot be read; perhaps it was cut off.")
        else:
            is_known = collect(printed.value, Context(reading.collection, origin)) or is_known
    return is_known


def _read_events(reading: Reading) -> bool:
    """The objects of a saved stream of a run; deltas are left out, because the finished objects follow them."""
    with reading.file.open() as file:
        content = file.read(MAX_TEXT_BYTES)
    is_known = False
    for number, value in enumerate(iterate_values(content)):
        is_known = (
            collect(value, Context(reading.collection, reading.locate("event stream", f"event {number}"))) or is_known
        )
    return is_known


def _is_list_of_ids(reading: Reading) -> bool:
    lines = [line.strip().strip("\"',") for line in reading.sample.splitlines() if line.strip()]
    return bool(lines) and all(_THREAD_ID.fullmatch(line) for line in lines[:50])


_THREAD_ID: Final = re.compile(r"thread_[A-Za-z0-9_-]+")


def _read_ids(reading: Reading) -> bool:
    """Threads of which only the ids are known."""
    with reading.file.open_text() as lines:
        for number, line in enumerate(lines, start=1):
            origin = reading.locate("thread ids", f"line {number}")
            if line.strip() and not collect(line.strip().strip("\"',"), Context(reading.collection, origin)):
                reading.collection.add_problem(origin, "This line is no id of a thread.")
    return True


def _is_event_stream(reading: Reading) -> bool:
    return is_event_stream(reading.sample)


def _is_sql_dump(reading: Reading) -> bool:
    return is_sql_dump(reading.sample)


def _is_printed(reading: Reading) -> bool:
    return is_printed(reading.sample)


def _is_sqlite(reading: Reading) -> bool:
    return reading.start.startswith(_SQLITE)


def _is_cassette(reading: Reading) -> bool:
    return _CASSETTE.search(reading.sample) is not None


def _is_table(reading: Reading) -> bool:
    return _find_dialect(reading) is not None


FORMATS: Final[Sequence[Format]] = (
    Format(
        "SQLite",
        "a database with a table of messages or exchanges; tables of threads and of roles are used",
        _is_sqlite,
        _read_sqlite,
    ),
    Format(
        "JSON Lines",
        "a line an object of the API, a thread, a training example or a row",
        is_json_lines,
        read_json_lines,
    ),
    Format(
        "JSON",
        "list pages, objects, threads with everything in them, exports of user interfaces, traces, rows, HAR",
        starts_as_json,
        read_json,
    ),
    Format(
        "HTTP recording",
        "cassettes of VCR libraries as YAML",
        _is_cassette,
        _read_cassette,
    ),
    Format(
        "event stream",
        "a saved stream of server-sent events of a run",
        _is_event_stream,
        _read_events,
    ),
    Format(
        "thread ids",
        "a line an id of a thread, which becomes a thread without messages",
        _is_list_of_ids,
        _read_ids,
    ),
    Format(
        "SQL dump",
        "INSERT statements or COPY data of SQLite, MySQL, PostgreSQL or SQL Server, read as the tables of SQLite are",
        _is_sql_dump,
        _read_sql_dump,
    ),
    Format(
        "CSV",
        "a row a message or an exchange, with the names of the columns in the first line",
        _is_table,
        _read_csv,
    ),
    Format(
        "Python output",
        "a log with printed objects of the SDK, as `Message(id='msg_…', role='user')`",
        _is_printed,
        _read_printed,
    ),
)
