"""Writes the threads of a store to conversations of the Responses API, twenty items a call.

The service assigns the ids of items, so a call that is repeated would add its items twice. After an error that leaves
open whether a call was performed, and after an interruption, the items of the conversation are counted first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from threadbridge.api_types import InputItem, JsonMapping, JsonObject, RunObject
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import ObjectKind, Session, Store, Upstream
from threadbridge.ports.upstream import build_path
from threadbridge.translation.input_items import build_input_items
from threadbridge_migrate.mirror.conversation_ledger import ConversationLedger, MirrorRecord
from threadbridge_migrate.upstream_retries import ATTEMPTS, UpstreamRetries

#: Items of one call: the limit of the service (recorded).
ITEMS_PER_CALL = 20

#: Items of a page when they are counted.
_PAGE_SIZE = 100

#: Threads that are read from the store at once.
_THREAD_PAGE = 100

#: A run that wrote nothing: items that only their own run sends to the model are left out.
_NO_RUN = cast("RunObject", {"id": ""})


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """Which threads are written, and how fast."""

    tenant: str
    only: Sequence[str] | None = None
    #: Threads that are written at the same time.
    concurrency: int = 8
    #: Attempts of one call before its thread has failed.
    attempts: int = ATTEMPTS


@dataclass(slots=True)
class MirrorReport:
    """Threads by outcome (`written`, `extended`, `unchanged`, `deleted`, `failed`), and failures by name."""

    threads: Counter[str] = field(default_factory=Counter[str])
    items: int = 0
    repeated_calls: int = 0
    failures: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def as_json(self) -> JsonObject:
        """The report for programs."""
        return {
            "threads": dict(self.threads),
            "items": self.items,
            "repeated_calls": self.repeated_calls,
            "failures": self.failures,
            "seconds": self.seconds,
        }


class ThreadMirror:
    """Writes threads to conversations, and deletes these again. `wait` is `asyncio.sleep`."""

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        ledger: ConversationLedger,
        options: MirrorOptions,
        *,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.report = MirrorReport()
        self._store = store
        self._upstream = upstream
        self._ledger = ledger
        self._options = options
        self._retries = UpstreamRetries(attempts=options.attempts, wait=wait)

    async def write(self) -> MirrorReport:
        """Write what is not in its conversation yet. Raises the error of a rejected key, and StoreError."""
        await self._perform(self._iterate_thread_ids(), self._write_thread)
        return self.report

    async def revert(self) -> MirrorReport:
        """Delete every conversation that the ledger names."""
        wanted = None if self._options.only is None else set(self._options.only)
        records = [each for each in self._ledger.records.values() if wanted is None or each.thread in wanted]

        async def iterate() -> AsyncIterator[str]:
            for record in records:
                if record.state != "reverted":
                    yield record.thread

        await self._perform(iterate(), self._delete_conversation)
        return self.report

    async def _perform(self, thread_ids: AsyncIterator[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Do the work for all threads, several at a time; one that fails does not stop the others."""
        started = time.monotonic()
        slots = asyncio.Semaphore(self._options.concurrency)

        async def run(thread_id: str) -> None:
            try:
                await work(thread_id)
            except BridgeError as error:
                if error.status in (401, 403):
                    raise
                self.report.threads["failed"] += 1
                self.report.failures.append(f"{thread_id}: {error.message}")
            finally:
                slots.release()

        try:
            async with asyncio.TaskGroup() as group:
                async for thread_id in thread_ids:
                    await slots.acquire()
                    group.create_task(run(thread_id))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self.report.repeated_calls = self._retries.repeated_calls
        self.report.seconds = time.monotonic() - started

    async def _iterate_thread_ids(self) -> AsyncIterator[str]:
        if self._options.only is not None:
            for thread_id in self._options.only:
                yield thread_id
            return
        after: str | None = None
        while True:
            ids, after = await self._store.read(partial(_list_thread_ids, after), tenant=self._options.tenant)
            for thread_id in ids:
                yield thread_id
            if after is None:
                return

    async def _write_thread(self, thread_id: str) -> None:
        items = await self._store.read(partial(_read_items, thread_id), tenant=self._options.tenant)
        if items is None:
            raise UpstreamError("The store has no thread of this id.", status=404)
        record = self._ledger.records.get(thread_id)
        if record is not None and record.state == "done" and record.items == len(items):
            self.report.threads["unchanged"] += 1
            return
        written = 0
        if record is None or record.state == "reverted":
            created = await self._call("POST", build_path("conversations"), {"metadata": {"thread_id": thread_id}})
            record = MirrorRecord(thread_id, str(created["id"]), 0, "started")
            self._ledger.add(record)
            outcome = "written"
        else:
            outcome = "extended" if record.state == "done" else "written"
            written = await self._count_items(record.conversation)
            if written > len(items) or (record.state == "done" and written != record.items):
                raise UpstreamError(
                    f"Its conversation {record.conversation} was changed by another program; use --revert --only, "
                    "then write it again.",
                    status=409,
                )
        while written < len(items):
            written = await self._append(record.conversation, items, written)
        self._ledger.add(record._replace(items=len(items), state="done"))
        self.report.threads[outcome] += 1

    async def _append(self, conversation_id: str, items: Sequence[InputItem], written: int) -> int:
        """Append the next items; how many the conversation has then."""
        batch = items[written : written + ITEMS_PER_CALL]
        path = build_path("conversations", conversation_id, "items")
        for attempt in range(1, self._options.attempts + 1):
            try:
                await self._upstream.request("POST", path, {"items": list(batch)})
            except UpstreamError as error:
                await self._retries.wait_after(error, attempt)
                if error.status in (409, 429):
                    continue  # rejected: nothing was added
                present = await self._count_items(conversation_id)
                if present != written:
                    return present
            else:
                self.report.items += len(batch)
                return written + len(batch)
        raise AssertionError("wait_after raises the error of the last attempt")

    async def _count_items(self, conversation_id: str) -> int:
        count, after = 0, None
        while True:
            path = build_path("conversations", conversation_id, "items")
            page = await self._call("GET", f"{path}?limit={_PAGE_SIZE}&order=asc{f'&after={after}' if after else ''}")
            data: list[JsonObject] = page["data"]
            count += len(data)
            if not page.get("has_more") or not data:
                return count
            after = data[-1]["id"]

    async def _delete_conversation(self, thread_id: str) -> None:
        record = self._ledger.records[thread_id]
        try:
            await self._call("DELETE", build_path("conversations", record.conversation))
        except UpstreamError as error:
            if error.status != 404:
                raise
        self._ledger.add(record._replace(state="reverted"))
        self.report.threads["deleted"] += 1

    async def _call(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        """A call that may be repeated: at worst it leaves an empty conversation."""
        return await self._retries.call(lambda: self._upstream.request(method, path, body))


def _list_thread_ids(after: str | None, session: Session) -> tuple[list[str], str | None]:
    cursor = {"after": after} if after else {}
    page = session.get_page(ObjectKind.THREAD, limit=_THREAD_PAGE, order="asc", **cursor)
    ids = [thread["id"] for thread in page.data]
    return ids, ids[-1] if page.has_more else None


def _read_items(thread_id: str, session: Session) -> list[InputItem] | None:
    """The items of a thread as a model is sent them; None for an unknown thread."""
    if session.get(ObjectKind.THREAD, thread_id) is None:
        return None
    entries = session.list_entries(thread_id)
    return build_input_items(_NO_RUN, entries) if entries else []
