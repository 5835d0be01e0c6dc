"""The objects of a dump, merged by id in a temporary database, and read again thread by thread.

Pages of a list overlap, recordings show an object in several states, and a dump may have a thread in several files: an
object that appears again replaces the earlier one, or completes it if it has fewer fields.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from types import TracebackType
from typing import Literal, NamedTuple, Self, TypeAlias, TypeVar

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge_migrate.dumps.run_builder import build_missing_runs, end_run, end_step
from threadbridge_migrate.dumps.values import parse_time
from threadbridge_migrate.load.timeline import is_active

CollectedKind: TypeAlias = Literal["assistant", "thread", "message", "run", "step", "file", "vector_store"]


class Origin(NamedTuple):
    """Where an object was found: the format, the file, and the position in it."""

    format: str
    path: str
    position: str

    @property
    def key(self) -> str:
        """A key of the thread for what names none: the same wherever the file lies."""
        return f"{self.path.replace('!', '/').rpartition('/')[2]}#{self.position}"


class Problem(NamedTuple):
    """Something in a dump that is not in the archive, and why, in a sentence."""

    origin: Origin
    reason: str


class StoredMessages:
    """The messages of a thread, oldest first; a thread may have more than fit into memory."""

    def __init__(self, database: sqlite3.Connection, times: Sequence[tuple[str, int]]) -> None:
        self._database = database
        #: The id and the time of each message.
        self._times = times

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[JsonObject]:
        query = "SELECT body FROM objects WHERE kind = 'message' AND id = ?"
        for message_id, time in self._times:
            body: JsonObject = orjson.loads(self._database.execute(query, (message_id,)).fetchone()[0])
            if not isinstance(body.get("created_at"), int):
                body["created_at"] = time
            yield body


class CollectedThread(NamedTuple):
    """A thread of the dump: its objects, oldest first, with what was derived and what is missing."""

    thread: JsonObject
    messages: StoredMessages
    runs: Sequence[JsonObject]
    steps: Sequence[JsonObject]
    provenance: JsonObject


class ObjectCollection:
    """Use it as a context manager. Problems are kept until they are read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        #: Objects by the format that they were found in.
        self.formats: Counter[str] = Counter()
        self._file = tempfile.NamedTemporaryFile(prefix="threadbridge-", suffix=".db")  # noqa: SIM115 - closed on exit
        self._database = sqlite3.connect(self._file.name, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA cache_size = -16384")  # KiB: derived ids are in no order
        self._database.execute("BEGIN")
        self._database.execute(
            "CREATE TABLE objects (kind TEXT, id TEXT, thread TEXT, run TEXT, at INTEGER, position INTEGER, body BLOB, "
            "derived TEXT, format TEXT, path TEXT, place TEXT, PRIMARY KEY (kind, id))"
        )
        self._database.execute("CREATE INDEX objects_of_thread ON objects (thread, kind)")
        self._database.execute("CREATE TABLE pages (thread TEXT PRIMARY KEY, is_whole INTEGER) WITHOUT ROWID")
        self._database.execute("CREATE TABLE notes (thread TEXT, what TEXT, PRIMARY KEY (thread, what)) WITHOUT ROWID")
        self._database.execute("CREATE TABLE occurrences (id TEXT PRIMARY KEY, path TEXT, count INTEGER) WITHOUT ROWID")
        self._counter = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()
        self._file.close()

    def next_position(self) -> int:
        """A position after all earlier ones; its negative precedes all earlier negative ones (newest first)."""
        self._counter += 1
        return self._counter

    def add(
        self,
        kind: CollectedKind,
        body: JsonObject,
        origin: Origin,
        *,
        position: int | None = None,
        derived: Sequence[str] = (),
    ) -> None:
        """Add an object with an id, or merge it with an earlier one. `position` orders objects of the same second."""
        self.formats[origin.format] += 1
        thread_id = body["id"] if kind == "thread" else get_string(body, "thread_id")
        known = self._database.execute(
            "SELECT body, position, derived FROM objects WHERE kind = ? AND id = ?", (kind, body["id"])
        ).fetchone()
        place = position
        if known is not None:
            earlier: JsonObject = orjson.loads(known[0])
            body = body if len(body) >= len(earlier) else {**earlier, **body}
            place = known[1] if position is None else position
            derived = [each for each in derived if each in known[2].split()]
        self._database.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                kind,
                body["id"],
                thread_id,
                get_string(body, "run_id") if kind in ("step", "message") else None,
                parse_time(body.get("created_at")),
                self.next_position() if place is None else place,
                orjson.dumps(body),
                " ".join(derived),
                *origin,
            ),
        )

    def remove(self, kind: CollectedKind, object_id: str) -> None:
        """Remove an object that was deleted at the service."""
        self._database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, object_id))

    def add_page(self, thread_id: str, *, is_whole: bool) -> None:
        """Record a page of the messages of a thread, and whether it is the last one."""
        self._database.execute(
            "INSERT INTO pages VALUES (?, ?) ON CONFLICT DO UPDATE SET is_whole = is_whole OR excluded.is_whole",
            (thread_id, is_whole),
        )

    def add_missing(self, thread_id: str, what: str) -> None:
        """Record that something of a thread is in the dump and not in the archive."""
        self._database.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", (thread_id, what))

    def has(self, kind: CollectedKind, object_id: str) -> bool:
        """Whether the dump has an object of this id so far."""
        query = "SELECT 1 FROM objects WHERE kind = ? AND id = ?"
        return self._database.execute(query, (kind, object_id)).fetchone() is not None

    def count_occurrence(self, said: str, path: str) -> int:
        """How often a file has said this so far; a file that follows another one counts from one."""
        row = self._database.execute(
            "INSERT INTO occurrences VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET path = excluded.path, "
            "count = CASE WHEN path = excluded.path THEN count + 1 ELSE 1 END RETURNING count",
            (said, path),
        ).fetchone()
        return int(row[0])

    def find_first_time(self, thread_id: str) -> int | None:
        """The time of the oldest object of a thread so far."""
        return self._find_time("SELECT min(at) FROM objects WHERE thread = ?", thread_id)

    def find_last_time(self, thread_id: str) -> int | None:
        """The time of the newest object of a thread so far."""
        return self._find_time("SELECT max(at) FROM objects WHERE thread = ?", thread_id)

    def _find_time(self, query: str, thread_id: str) -> int | None:
        row = self._database.execute(query, (thread_id,)).fetchone()
        return None if row[0] is None else int(row[0])

    def add_problem(self, origin: Origin, reason: str) -> None:
        """Record what cannot be placed."""
        self.problems.append(Problem(origin, reason))

    def place_steps(self) -> None:
        """Give run steps that name no thread the one of their run. Those of unknown runs become problems."""
        self._database.execute(
            "UPDATE objects SET thread = (SELECT run.thread FROM objects AS run WHERE run.kind = 'run' AND "
            "run.id = objects.run) WHERE kind = 'step' AND thread IS NULL"
        )
        query = "SELECT id, format, path, place FROM objects WHERE kind = 'step' AND thread IS NULL"
        for step_id, *origin in self._database.execute(query):
            self.add_problem(
                Origin(*origin), f"The step {step_id} names no thread, and the dump does not have its run."
            )

    def iterate_objects(self, kind: CollectedKind) -> Iterator[JsonObject]:
        """The objects of a kind that belongs to no thread, in the order in which they were found."""
        rows = self._database.execute("SELECT body FROM objects WHERE kind = ? ORDER BY position", (kind,))
        for (body,) in rows:
            yield orjson.loads(body)

    def count_threads(self) -> int:
        """How many threads there are."""
        query = "SELECT count(DISTINCT thread) FROM objects WHERE thread IS NOT NULL"
        return int(self._database.execute(query).fetchone()[0])

    def iterate_threads(self) -> Iterator[CollectedThread]:
        """All threads, the oldest first."""
        rows = self._database.execute(
            "SELECT thread FROM objects WHERE thread IS NOT NULL GROUP BY thread ORDER BY min(at), min(abs(position))"
        )
        for (thread_id,) in rows.fetchall():
            yield self._read_thread(thread_id)

    def _read_thread(self, thread_id: str) -> CollectedThread:
        rows = self._database.execute(
            "SELECT kind, at, CASE kind WHEN 'message' THEN NULL ELSE body END, derived, format, path, place, id, run "
            "FROM objects WHERE thread = ? ORDER BY position",
            (thread_id,),
        ).fetchall()
        derived = {word for row in rows for word in row[3].split()}
        lists: dict[str, list[JsonObject]] = {"thread": [], "run": [], "step": []}
        for kind in lists:
            found = _sort([(row[1], orjson.loads(row[2])) for row in rows if row[0] == kind])
            lists[kind] = [body for _, body in found]
        runs = lists["run"]
        if restored := build_missing_runs(thread_id, runs, lists["step"]):
            runs = sorted([*runs, *restored], key=lambda run: parse_time(run.get("created_at")) or 0)
            derived.add("runs")
        sent = _sort([(row[1], (row[7], row[8])) for row in rows if row[0] == "message"])
        times = _fill_times([*(at for at, _ in sent), *(parse_time(run.get("created_at")) for run in runs)])
        if any(at is None for at, _ in sent) or any(parse_time(run.get("created_at")) is None for run in runs):
            derived.add("timestamps")
        messages = StoredMessages(
            self._database, [(message_id, time) for (_, (message_id, _)), time in zip(sent, times, strict=False)]
        )
        for run, time in zip(runs, times[len(sent) :], strict=True):
            if not isinstance(run.get("created_at"), int):
                run["created_at"] = time
        answers = {run_id: time for (_, (_, run_id)), time in zip(sent, times, strict=False) if run_id}
        order = {run["id"]: number for number, run in enumerate(runs)}
        steps = sorted(lists["step"], key=lambda step: order.get(get_string(step, "run_id") or "", len(order)))
        steps = [step if step.get("thread_id") else {**step, "thread_id": thread_id} for step in steps]
        if active := {run["id"] for run in runs if is_active(run)}:
            runs = [end_run(run, answers.get(run["id"])) for run in runs]
            steps = [end_step(step) if step.get("run_id") in active else step for step in steps]
            derived.add("status")
        threads, first = lists["thread"], min(times, default=0)
        if not threads:
            derived.add("thread")
            nothing: JsonObject = {}
            body: JsonObject = {"id": thread_id, "object": "thread", "created_at": first}
            threads = [{**body, "metadata": nothing, "tool_resources": nothing}]
        elif not isinstance(threads[0].get("created_at"), int):
            threads = [{**threads[0], "created_at": parse_time(threads[0].get("created_at")) or first}]
            derived.add("timestamps")
        missing = self._find_missing(thread_id, len(sent), answers.keys(), runs, steps)
        first_row = rows[0]
        provenance: JsonObject = {
            "id": thread_id,
            "origin": {"format": first_row[4], "path": first_row[5], "position": first_row[6]},
            "grade": _choose_grade(derived, missing, has_messages=bool(sent)),
            "derived": sorted(derived),
            "missing": missing,
        }
        return CollectedThread(threads[0], messages, runs, steps, provenance)

    def _find_missing(
        self,
        thread_id: str,
        count: int,
        named_runs: Set[str],
        runs: Sequence[JsonObject],
        steps: Sequence[JsonObject],
    ) -> list[str]:
        missing: list[str] = []
        page = self._database.execute("SELECT is_whole FROM pages WHERE thread = ?", (thread_id,)).fetchone()
        if not count or (page is not None and not page[0]):
            missing.append("messages")
        run_ids = {run["id"] for run in runs}
        if named_runs - run_ids:
            missing.append("runs")
        if run_ids - {get_string(step, "run_id") for step in steps}:
            missing.append("steps")
        notes = self._database.execute("SELECT what FROM notes WHERE thread = ? ORDER BY what", (thread_id,))
        return [*missing, *(what for (what,) in notes)]


_Item = TypeVar("_Item")


def _sort(items: list[tuple[int | None, _Item]]) -> list[tuple[int | None, _Item]]:
    """The items by time, those of one second in their order; all in their order if a time is unknown."""
    if all(at is not None for at, _ in items):
        items.sort(key=lambda item: item[0] or 0)
    return items


def _fill_times(times: Sequence[int | None]) -> list[int]:
    """The times, with that of the one before for each that is unknown."""
    known = next((time for time in times if time is not None), 0)
    filled: list[int] = []
    for time in times:
        known = known if time is None else time
        filled.append(known)
    return filled


def _choose_grade(derived: set[str], missing: Sequence[str], *, has_messages: bool) -> str:
    """`full`: all objects as the service sent them; `messages`: the messages are; `text`: their texts are."""
    if not has_messages and "messages" in missing:
        return "text"
    if derived & {"ids", "timestamps", "messages", "roles"}:
        return "text"
    return "messages" if derived or missing else "full"


def has_id(value: object) -> bool:
    """Whether a value is an object with a usable id."""
    return is_json_object(value) and isinstance(value.get("id"), str) and bool(value["id"])


def get_string(body: JsonMapping, *names: str) -> str | None:
    """The first of these fields that is a text and not empty."""
    return next((value for name in names if isinstance(value := body.get(name), str) and value), None)
