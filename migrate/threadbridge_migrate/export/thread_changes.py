"""Which threads of an archive are fetched again, and which threads an incremental export leaves out.

An archived thread is compared with its source if one of its runs was active when it was exported, or if the export is
incremental (`since`). It is fetched again if its newest message, its newest run or that run's status has changed.
A thread that the source no longer has is not compared: the archive keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import BridgeError
from threadbridge.ports import ListQuery
from threadbridge_migrate.archive.reader import MANIFEST, Archive, Part, read_manifest
from threadbridge_migrate.errors import ArchiveError, UsageError
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.thread_reader import gather
from threadbridge_migrate.export.thread_source import ThreadSource

#: Statuses of a run that has not ended.
ACTIVE_STATUSES: Final = frozenset({"queued", "in_progress", "requires_action", "cancelling"})

#: Threads that are compared at the same time.
_BATCH: Final = 256
#: Seconds before the end of the last export that `--since last` looks back to.
LOOK_BACK_SECONDS: Final = 3600

_AGE: Final = re.compile(r"(\d+)([smhdw])")
_AGE_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NEWEST: Final = ListQuery(limit=1, order="desc")


@dataclass(slots=True)
class ThreadEnd:
    """The newest message and run of a thread; a run with its status."""

    message: str | None = None
    run: tuple[str, str] | None = None


def parse_since(text: str, out: Path, now: float) -> int:
    """The time that `--since` names, in seconds: a date or time in ISO 8601 (UTC by default), an age such as 12h or 7d,
    or `last`, an hour before the end of the archive's last export. Raises UsageError for anything else.
    """
    if text == "last":
        if not (out / MANIFEST).exists():
            raise UsageError(f"--since last: {out} is no archive yet; name a date, or leave --since out.")
        return read_manifest(out).updated_at - LOOK_BACK_SECONDS
    if age := _AGE.fullmatch(text):
        return int(now) - int(age[1]) * _AGE_SECONDS[age[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"--since {text!r} is no time: 2026-11-01, 2026-11-01T12:00, 12h, 7d or last.") from exc
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


async def find_changed_threads(
    path: Path, backend: ThreadSource, source: RateLimitedSource, *, ids: Collection[str] | None, with_all: bool
) -> frozenset[str]:
    """The threads of the archive that the source has in another state now; `with_all` compares all of `ids`, or of the
    archive if there are none, and not only those with an active run.
    """
    try:
        archived = _read_ends(path, active_only=not with_all) if (path / MANIFEST).exists() else {}
    except ArchiveError:
        return frozenset()  # damaged, or of another version: opening it for writing repairs it or says so
    wanted = None if ids is None else frozenset(ids)
    compared = [(each, end) for each, end in archived.items() if wanted is None or each in wanted]
    changed: set[str] = set()
    for start in range(0, len(compared), _BATCH):
        batch = compared[start : start + _BATCH]
        ends = await gather(*(_read_end_at_source(thread_id, backend, source) for thread_id, _ in batch))
        changed |= {thread_id for (thread_id, old), new in zip(batch, ends, strict=True) if new not in (None, old)}
    return frozenset(changed)


async def has_activity_since(thread_id: str, since: int, backend: ThreadSource, source: RateLimitedSource) -> bool:
    """Whether a thread, or its newest message, was created since then; True if the source does not say."""
    context = source.context
    messages = await source.request(lambda: backend.list_messages(context, thread_id, _NEWEST))
    newest = next(iter(messages["data"]), None)
    if newest is not None:
        return _is_later(newest, since)
    return _is_later(await source.request(lambda: backend.retrieve_thread(context, thread_id)), since)


def _is_later(newest: JsonMapping, since: int) -> bool:
    created_at = newest.get("created_at")
    return not isinstance(created_at, int) or created_at >= since


def _read_ends(path: Path, *, active_only: bool) -> dict[str, ThreadEnd]:
    """The newest message and run of each archived thread, or of those whose newest run was active."""
    archive = Archive.open(path)
    ends: dict[str, ThreadEnd] = {}
    for run in archive.read_part(Part.RUNS):
        thread_id, status = str(run.get("thread_id")), str(run.get("status"))
        if not active_only or status in ACTIVE_STATUSES:
            ends.setdefault(thread_id, ThreadEnd()).run = (str(run["id"]), status)
        else:
            ends.pop(thread_id, None)
    if not active_only:
        for thread in archive.read_part(Part.THREADS):
            ends.setdefault(str(thread["id"]), ThreadEnd())
    if ends:
        for message in archive.read_part(Part.MESSAGES):
            if (end := ends.get(str(message.get("thread_id")))) is not None:
                end.message = str(message["id"])
    return ends


async def _read_end_at_source(thread_id: str, backend: ThreadSource, source: RateLimitedSource) -> ThreadEnd | None:
    """The newest message and run at the source; None if it cannot be asked, or no longer has the thread."""
    context = source.context
    try:
        messages = await source.request(lambda: backend.list_messages(context, thread_id, _NEWEST))
        runs = await source.request(lambda: backend.list_runs(context, thread_id, _NEWEST))
    except BridgeError:
        return None
    message: JsonObject | None = next((dict(each) for each in messages["data"]), None)
    run: JsonObject | None = next((dict(each) for each in runs["data"]), None)
    return ThreadEnd(
        None if message is None else str(message["id"]),
        None if run is None else (str(run["id"]), str(run.get("status"))),
    )
