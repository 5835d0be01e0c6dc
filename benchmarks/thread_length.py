"""Appending a message, creating a run and listing a page on a thread of 100,000 messages compared with one of 100.

Measured in this process on the service layer with a file store: the cost of a request without HTTP.
A run is created without its turn and cancelled again, because a turn reads the history it sends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from threadbridge.api_types import CreateMessageBody, ListObject, MessageObject
from threadbridge.ports import Entry, ListQuery, Session, Store
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.service import assistants, messages, runs, threads
from threadbridge.service.context import ServiceContext
from threadbridge_adapters.stores import open_store

BOUND = 1.2
SHORT_THREAD = 100
#: Messages per transaction while the threads are prepared.
BATCH_SIZE = 5_000
TENANT = "default"

_MESSAGE: CreateMessageBody = {"role": "user", "content": "A message of the usual length. " * 4}

#: Performs one operation on a thread once.
Operation: TypeAlias = Callable[[Store, str], Awaitable[object]]


def _make_context() -> ServiceContext:
    return ServiceContext(time.time(), new_id, "benchmark")


def _fill_thread(message_count: int, session: Session) -> str:
    """A thread with this number of messages."""
    context = _make_context()
    thread_id = str(threads.create(session, context, {})["id"])
    written = messages.create(session, context, thread_id, _MESSAGE)
    for start in range(1, message_count, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, message_count))
        session.append_entries(thread_id, [Entry(message={**written, "id": new_id("msg")}) for _ in numbers])
    return thread_id


async def _append_message(store: Store, thread_id: str) -> None:
    await store.write(lambda session: messages.create(session, _make_context(), thread_id, _MESSAGE), tenant=TENANT)


def _create_and_cancel(assistant_id: str, thread_id: str, session: Session) -> None:
    context = _make_context()
    run = runs.create(session, context, thread_id, {"assistant_id": assistant_id}).run
    runs.cancel(session, context, thread_id, run["id"])


async def _create_run(assistant_id: str, store: Store, thread_id: str) -> None:
    await store.write(partial(_create_and_cancel, assistant_id, thread_id), tenant=TENANT)


async def _list_messages(query: ListQuery, store: Store, thread_id: str) -> ListObject[MessageObject]:
    return await store.read(
        lambda session: messages.list_page(session, thread_id, query, unknown_cursor="empty_page"), tenant=TENANT
    )


async def _list_two_pages(store: Store, thread_id: str) -> None:
    """The second page, as clients request it."""
    first = await _list_messages(ListQuery(), store, thread_id)
    await _list_messages(ListQuery(after=first["last_id"]), store, thread_id)


async def _measure_cpu(operation: Operation, store: Store, thread_id: str, times: int) -> float:
    """CPU microseconds of this process per operation."""
    before = time.process_time()
    for _ in range(times):
        await operation(store, thread_id)
    return (time.process_time() - before) / times * 1e6


async def _measure(effort: Effort, path: Path) -> list[Row]:
    store = await open_store(f"sqlite:///{path}")
    try:
        long_thread = await store.write(partial(_fill_thread, effort.longest_thread), tenant=TENANT)
        short_thread = await store.write(partial(_fill_thread, SHORT_THREAD), tenant=TENANT)
        assistant = await store.write(
            lambda session: assistants.create(session, _make_context(), {"model": "gpt-4o"}), tenant=TENANT
        )
        operations: Mapping[str, Operation] = {
            "appending a message": _append_message,
            "creating a run": partial(_create_run, assistant["id"]),
            "listing the newest page": partial(_list_messages, ListQuery()),
            "listing the oldest page": partial(_list_messages, ListQuery(order="asc")),
            "listing two pages": _list_two_pages,
        }
        rows: list[Row] = []
        for name, operation in operations.items():
            pairs = [
                (
                    await _measure_cpu(operation, store, long_thread, effort.thread_operations),
                    await _measure_cpu(operation, store, short_thread, effort.thread_operations),
                )
                for _ in range(effort.repeats + 1)
            ]
            what = f"{name} on {effort.longest_thread} messages, CPU"
            # The first pair is a warm-up.
            rows.append(make_ratio_row(what, "µs", pairs[1:], beside=f"{SHORT_THREAD} messages", bound=BOUND))
        return rows
    finally:
        await store.aclose()


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for the length of threads."""
    log(f"writing a thread of {effort.longest_thread} messages")
    return asyncio.run(_measure(effort, directory / "store.db"))
