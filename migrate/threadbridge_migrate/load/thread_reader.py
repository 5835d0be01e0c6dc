"""Reads an archive thread by thread.

In most archives all parts have the threads in one order, and reading them side by side needs the memory of one thread.
Exports that were repaired or resumed append what they fetched later; their objects are sorted on disk first.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from typing import NamedTuple

import orjson

from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive, Part

#: The parts whose objects belong to a thread.
_PARTS = (Part.MESSAGES, Part.RUNS, Part.STEPS)


class ArchiveThread(NamedTuple):
    """A thread of an archive with its objects, each list oldest first.

    `thread` is None if the archive has objects of a thread and not the thread itself.
    """

    id: str
    thread: JsonObject | None
    messages: list[JsonObject]
    runs: list[JsonObject]
    steps: list[JsonObject]


def read_threads(archive: Archive) -> Iterator[ArchiveThread]:
    """All threads, in the order of the archive. Raises ArchiveError for a part that cannot be read."""
    yield from _read_side_by_side(archive) if _has_one_order(archive) else _read_sorted(archive)


def _get_thread_id(body: JsonObject) -> str:
    thread_id = body.get("thread_id")
    return thread_id if isinstance(thread_id, str) else ""


def _get_id(body: JsonObject) -> str:
    object_id = body.get("id")
    return object_id if isinstance(object_id, str) else ""


def _has_one_order(archive: Archive) -> bool:
    """Whether every part has its threads once, adjacent, and in the order of the part `threads`."""
    seen: set[int] = set()
    for thread in archive.read_part(Part.THREADS):
        key = hash(_get_id(thread))
        if key in seen:
            return False
        seen.add(key)
    for part in _PARTS:
        threads = map(_get_id, archive.read_part(Part.THREADS))
        for thread_id, _ in groupby(archive.read_part(part), key=_get_thread_id):
            if not any(each == thread_id for each in threads):
                return False
    return True


def _read_side_by_side(archive: Archive) -> Iterator[ArchiveThread]:
    groups = [groupby(archive.read_part(part), key=_get_thread_id) for part in _PARTS]
    heads = [next(group, None) for group in groups]
    for thread in archive.read_part(Part.THREADS):
        thread_id = _get_id(thread)
        lists: list[list[JsonObject]] = []
        for number, group in enumerate(groups):
            head = heads[number]
            if head is not None and head[0] == thread_id:
                lists.append(list(head[1]))
                heads[number] = next(group, None)
            else:
                lists.append([])
        yield ArchiveThread(thread_id, thread, *lists)


def _find_thread(database: sqlite3.Connection, body: JsonObject) -> str:
    """The thread of an object: the one it names, else that of its run."""
    if thread_id := _get_thread_id(body):
        return thread_id
    run = database.execute(
        "SELECT thread FROM objects WHERE id = ? AND part = 'runs'", (body.get("run_id"),)
    ).fetchone()
    return "" if run is None else str(run[0])


def _read_sorted(archive: Archive) -> Iterator[ArchiveThread]:
    """The threads by way of a temporary database. Of two versions of an object the later one counts."""
    with (
        tempfile.NamedTemporaryFile(prefix="threadbridge-", suffix=".db") as file,
        closing(sqlite3.connect(file.name, check_same_thread=False)) as database,
    ):
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE threads (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB)")
        database.execute(
            "CREATE TABLE objects (seq INTEGER PRIMARY KEY, thread TEXT, part TEXT, id TEXT, body BLOB, "
            "UNIQUE (thread, part, id))"
        )
        database.execute("CREATE INDEX objects_by_id ON objects (id)")
        database.executemany(
            "INSERT INTO threads (id, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            ((_get_id(thread), orjson.dumps(thread)) for thread in archive.read_part(Part.THREADS)),
        )
        for part in _PARTS:
            database.executemany(
                "INSERT INTO objects (thread, part, id, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET body = excluded.body",
                (
                    (_find_thread(database, body), part.value, _get_id(body), orjson.dumps(body))
                    for body in archive.read_part(part)
                ),
            )
        database.execute(
            "INSERT INTO threads (id) SELECT DISTINCT thread FROM objects WHERE true ON CONFLICT DO NOTHING"
        )
        for thread_id, body in database.execute("SELECT id, body FROM threads ORDER BY seq"):
            lists: list[list[JsonObject]] = [
                [
                    orjson.loads(each)
                    for (each,) in database.execute(
                        "SELECT body FROM objects WHERE thread = ? AND part = ? ORDER BY seq",
                        (thread_id, part.value),
                    )
                ]
                for part in _PARTS
            ]
            yield ArchiveThread(thread_id, None if body is None else orjson.loads(body), *lists)
