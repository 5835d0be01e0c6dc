"""Reads JSON and JSON Lines of any size."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from functools import partial
from typing import IO, Final

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge_migrate.dumps.columns import describes_exchange, describes_message, find_columns
from threadbridge_migrate.dumps.conversations import find_turns
from threadbridge_migrate.dumps.dump_files import detect_encoding
from threadbridge_migrate.dumps.dump_reading import Reading
from threadbridge_migrate.dumps.http_recordings import find_interactions, iterate_bodies
from threadbridge_migrate.dumps.json_documents import (
    StreamedList,
    build_outline,
    iterate_concatenated,
    iterate_stream,
    parse_json,
)
from threadbridge_migrate.dumps.object_collection import Origin
from threadbridge_migrate.dumps.shapes import Context, collect, collect_field, collect_objects, find_kind, is_unrelated
from threadbridge_migrate.dumps.tables import Table, collect_tables

#: JSON files beyond this size are read piece by piece: in memory they take ten times their size.
LARGE_JSON_BYTES: Final = 8 << 20

#: Rows of a list from which its columns are recognised.
_SAMPLE: Final = 50


def starts_as_json(reading: Reading) -> bool:
    """Whether a file may be JSON."""
    return reading.sample.lstrip()[:1] in ("{", "[", '"') and reading.sample.strip() != ""


def is_json_lines(reading: Reading) -> bool:
    """Whether the first two lines of a file are JSON by themselves."""
    lines = [line for line in reading.sample.splitlines() if line.strip()]
    return starts_as_json(reading) and len(lines) > 1 and all(_parse(line) is not _NO_JSON for line in lines[:2])


_NO_JSON: Final = object()


def _parse(text: str | bytes) -> object:
    try:
        return parse_json(text)
    except ValueError:
        return _NO_JSON


def read_json_lines(reading: Reading) -> bool:
    """Collect each line of a file by itself."""
    is_known = False
    with reading.file.open_text() as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            origin = reading.locate("JSON Lines", f"line {number}")
            value = _parse(line.encode("utf-8", "replace"))
            if value is _NO_JSON:
                reading.collection.add_problem(origin, "This line is not JSON; perhaps the file was cut off.")
            elif _collect_line(value, reading, origin):
                is_known = True
            else:
                reading.collection.add_problem(origin, "This line is no object that an import knows.")
    return is_known


def _collect_line(value: object, reading: Reading, origin: Origin) -> bool:
    """A line: an object, a conversation, or a row of a table that names its thread."""
    if collect(value, Context(reading.collection, origin)):
        return True
    if not is_json_object(value):
        return False
    table = Table("", list(value), lambda: iter([value]))
    return collect_tables([table], reading.collection, origin, reading.mapping)


def read_json(reading: Reading) -> bool:
    """Collect one document, or those that follow one another; of a damaged one, what precedes the damage."""
    with reading.file.open() as file:
        content = file.read(LARGE_JSON_BYTES + 1)
    if len(content) > LARGE_JSON_BYTES:
        return _read_large(reading)
    text = content.decode(detect_encoding(content[: 1 << 16]), "replace")
    value = _parse(text.encode("utf-8", "replace"))
    if value is not _NO_JSON:
        return collect_document(value, reading, "JSON")
    values = list(iterate_concatenated(text))
    is_known = False
    for line, part in values:
        is_known = collect_document(part, reading, "JSON", f"line {line}") or is_known
    if not values:
        outline = build_outline(lambda: io.BytesIO(text.encode("utf-8", "replace")), keep_lists=True)
        is_known = collect_document(outline.value, reading, "JSON") if outline.value else False
        if is_known:
            reason = f"The file is cut off or damaged after what was imported: {outline.damage}."
            reading.collection.add_problem(reading.locate("JSON"), reason)
    return is_known


def collect_document(value: object, reading: Reading, format_name: str, position: str = "") -> bool:
    """Collect a document: a recording, tables, or anything that `shapes` knows."""
    interactions = find_interactions(value)
    if interactions is not None:
        return _collect_interactions(interactions, reading)
    tables = _find_tables(value)
    if tables and collect_tables(tables, reading.collection, reading.locate("tables"), reading.mapping):
        return True
    return collect(value, Context(reading.collection, reading.locate(format_name, position)))


def _collect_interactions(interactions: Iterable[object], reading: Reading) -> bool:
    is_known = False
    for body in iterate_bodies(interactions):
        if is_unrelated(body.value):
            continue
        place = Context(
            reading.collection,
            reading.locate("HTTP recording", body.position),
            thread_id=body.thread_id,
            run_id=body.run_id,
            newest_first=body.newest_first,
        )
        is_known = collect(body.value, place) or is_known
    return is_known


def _iterate_rows(rows: Iterable[object]) -> Iterator[JsonObject]:
    return (row for row in rows if is_json_object(row))


def _find_tables(value: object) -> list[Table]:
    """The tables of a document whose rows are messages that name their threads, with the other tables next to them."""
    candidates: JsonMapping = value if is_json_object(value) else {"": value}
    tables: list[Table] = []
    has_messages = False
    for name, rows in candidates.items():
        if not isinstance(rows, StreamedList) and not is_json_list(rows):
            continue
        sample = rows.sample if isinstance(rows, StreamedList) else rows[:_SAMPLE]
        objects: list[JsonObject] = [row for row in sample if is_json_object(row)]
        if not objects or len(objects) < len(sample):
            continue
        columns = list(dict.fromkeys(key for row in objects for key in row))
        found = find_columns(columns, {})
        if "object" in columns or any(str(row.get("id", "")).startswith("msg_") for row in objects[:5]):
            return []  # objects of the API
        tables.append(Table(name, columns, partial(_iterate_rows, rows)))
        has_messages = has_messages or (
            (describes_message(found) or describes_exchange(found)) and "thread_id" in found
        )
    return tables if has_messages else []


# -- Large documents --------------------------------------------------------------------------------------------------


def _read_large(reading: Reading) -> bool:
    """A document whose long lists are read from the file item by item."""

    def open_file() -> IO[bytes]:
        file = reading.file.open()
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        return file

    outline = build_outline(open_file)
    if outline.damage is not None and "trailing garbage" in outline.damage:
        values = [
            collect_document(value, reading, "JSON", f"value {number}")
            for number, value in enumerate(iterate_stream(open_file), start=1)
        ]
        return any(values)
    is_known = _collect_outline(outline.value, reading, Context(reading.collection, reading.locate("JSON")))
    if outline.damage is not None and is_known:
        reason = f"The file is cut off or damaged after what was imported: {outline.damage}."
        reading.collection.add_problem(reading.locate("JSON"), reason)
    return is_known


def _collect_outline(value: object, reading: Reading, context: Context) -> bool:
    """Collect a value that may have streamed lists: first what is next to them, because they refer to it."""
    fields: JsonMapping = value if is_json_object(value) else {"": value}
    if not any(map(_is_streamed, fields.values())):
        return collect_document(value, reading, "JSON") if context.depth == 0 else collect(value, context)
    tables = _find_tables(value)
    if tables and collect_tables(tables, reading.collection, reading.locate("tables"), reading.mapping):
        return True
    if any(map(_is_one_conversation, fields.values())):
        # Its turns refer to each other and to what is around them: they have to fit into memory.
        return collect(_load_lists(value), context)
    thread: object = fields.get("thread", value)
    own_id: object = thread.get("id") if is_json_object(thread) else None
    inner = context._replace(thread_id=own_id) if isinstance(own_id, str) and own_id.startswith("thread_") else context
    is_known = False
    for name, each in fields.items():
        if not _is_streamed(each):
            is_known = collect_field(name, each, inner.at(name)) or is_known
    for name, each in fields.items():
        place = inner if name == "" else inner.at(name)
        if isinstance(each, StreamedList):
            is_known = _collect_streamed(each, fields, reading, place) or is_known
        elif _is_streamed(each):
            place = place._replace(thread_id=name) if name.startswith("thread_") else place
            is_known = _collect_outline(each, reading, place) or is_known
    return is_known


def _is_streamed(value: object) -> bool:
    return isinstance(value, StreamedList) or (is_json_object(value) and any(map(_is_streamed, value.values())))


def _is_one_conversation(value: object) -> bool:
    """Whether a value is a long list of turns, or a page with one."""
    items: object = value.get("data") if is_json_object(value) else value
    if not isinstance(items, StreamedList) or find_interactions({"interactions": items.sample}) is not None:
        return False
    return find_kind(items.sample[0]) is None and find_turns({"messages": items.sample}) is not None


def _load_lists(value: object) -> object:
    if isinstance(value, StreamedList):
        return list(value)
    return {name: _load_lists(each) for name, each in value.items()} if is_json_object(value) else value


def _collect_streamed(items: StreamedList, header: JsonMapping, reading: Reading, context: Context) -> bool:
    """Collect a long list of exchanges of a recording, of objects of the API, or of values that are known each."""
    if find_interactions({"interactions": items.sample}) is not None:
        return _collect_interactions(items, reading)
    if all(find_kind(each) is not None for each in items.sample):
        return collect_objects(items, items.sample, header, context)
    is_known = False
    for number, each in enumerate(items):
        place = context.at(number)
        if collect(each, place):
            is_known = True
        else:
            reading.collection.add_problem(place.origin, "This is no object that an import knows.")
    return is_known
