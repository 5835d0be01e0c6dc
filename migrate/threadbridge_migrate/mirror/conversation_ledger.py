"""Which thread was written to which conversation, in a file of JSON lines.

A line is {"thread", "conversation", "items", "state"}; the last one of a thread counts. `started`: its conversation
exists and is being filled. `done`: it holds that many items. `reverted`: it was deleted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast, get_args

import orjson

from threadbridge.api_types import is_json_object
from threadbridge_migrate.archive.reader import open_private
from threadbridge_migrate.errors import ArchiveError

MirrorState = Literal["started", "done", "reverted"]


class MirrorRecord(NamedTuple):
    """The conversation of a thread, and how many items it holds if it is done."""

    thread: str
    conversation: str
    items: int
    state: MirrorState


class ConversationLedger:
    """The records of a mirror, in memory and on disk. Created by `open_ledger`."""

    def __init__(self, file: BinaryIO, records: dict[str, MirrorRecord]) -> None:
        self.records = records
        self._file = file

    def add(self, record: MirrorRecord) -> None:
        """Add a record; it is on disk when this returns. Raises OSError."""
        self._file.write(orjson.dumps(record._asdict()) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records[record.thread] = record


@contextmanager
def open_ledger(path: Path) -> Iterator[ConversationLedger]:
    """The ledger of a file, created if it is missing, for one process at a time. A torn last line is dropped.

    Raises ArchiveError while another process uses it, and for a file that is not a ledger.
    """
    with open_private(path, "ab+") as file:
        if sys.platform != "win32":
            import fcntl

            try:  # released when the process ends for any reason
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise ArchiveError(f"Another mirror is using {path}; wait for it, or name another --ledger.") from exc
        records: dict[str, MirrorRecord] = {}
        length = 0
        file.seek(0)
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            record = _parse_line(line)
            if record is None:
                raise ArchiveError(f"{path}, line {number}, is not a line of a ledger; name another --ledger.")
            records[record.thread] = record
            length += len(line)
        file.truncate(length)
        yield ConversationLedger(file, records)


def _parse_line(line: bytes) -> MirrorRecord | None:
    try:
        record: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not is_json_object(record):
        return None
    thread, conversation = record.get("thread"), record.get("conversation")
    items, state = record.get("items"), record.get("state")
    if not (isinstance(thread, str) and isinstance(conversation, str) and isinstance(items, int)):
        return None
    if state not in get_args(MirrorState):
        return None
    return MirrorRecord(thread, conversation, items, cast("MirrorState", state))
