"""The threads of an archive, a store or a service as digests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError, NotFound
from threadbridge.ports import Backend, ObjectKind, RequestContext, Session
from threadbridge.runtime.plugins import open_backend
from threadbridge.settings import Settings
from threadbridge_adapters.stores import open_store
from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.check.normalisation import build_digest
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.sources import iterate_ids, iterate_listed_ids
from threadbridge_migrate.load.id_ledger import IdMapping
from threadbridge_migrate.load.thread_reader import read_threads

#: Threads that are read from a store in one transaction, and from a service at once.
STORE_BATCH, SERVICE_BATCH = 64, 16

#: Objects of one page of a store.
_PAGE_SIZE = 1000


class FoundThread(NamedTuple):
    """A thread that was read: its encoded digest, or why it could not be read."""

    id: str
    digest: bytes | None
    messages: int = 0
    error: str | None = None


async def iterate_archive(
    archive: Archive, ids: IdMapping, wanted: frozenset[str] | None
) -> AsyncIterator[FoundThread]:
    """The threads of an archive. Raises ArchiveError for one that is damaged."""
    threads = (each for each in read_threads(archive) if wanted is None or each.id in wanted)

    def read_some() -> list[FoundThread]:
        return [
            FoundThread(
                each.id,
                build_digest(each.thread, each.messages, each.runs, each.steps, ids).encode(),
                len(each.messages),
            )
            for each in islice(threads, STORE_BATCH)
        ]

    while found := await asyncio.to_thread(read_some):
        for each in found:
            yield each


async def iterate_store(
    settings: Settings, ids: IdMapping, wanted: frozenset[str] | None
) -> AsyncIterator[FoundThread]:
    """The threads of a store, oldest first, each on one snapshot. Nothing is started or changed in it."""
    store = await open_store(settings.store)
    try:
        after: str | None = None
        while True:
            found, after = await store.read(partial(_read_stored, after, ids, wanted), tenant=settings.tenant)
            for each in found:
                yield each
            if after is None:
                return
    finally:
        await store.aclose()


def _read_stored(
    after: str | None, ids: IdMapping, wanted: frozenset[str] | None, session: Session
) -> tuple[list[FoundThread], str | None]:
    page = session.get_page(ObjectKind.THREAD, limit=STORE_BATCH, order="asc", **({"after": after} if after else {}))
    found: list[FoundThread] = []
    for thread in page.data:
        if wanted is not None and thread["id"] not in wanted:
            continue
        messages = list(_iterate_stored(session, ObjectKind.MESSAGE, thread_id=thread["id"]))
        runs = list(_iterate_stored(session, ObjectKind.RUN, thread_id=thread["id"]))
        steps = [step for run in runs for step in _iterate_stored(session, ObjectKind.STEP, run_id=run["id"])]
        digest = build_digest({**thread}, messages, runs, steps, ids)
        found.append(FoundThread(thread["id"], digest.encode(), len(messages)))
    return found, page.data[-1]["id"] if page.has_more else None


def _iterate_stored(session: Session, kind: ObjectKind, **of: str) -> Iterator[JsonObject]:
    cursor: dict[str, str] = {}
    while True:
        page = session.get_page(kind, limit=_PAGE_SIZE, order="asc", **of, **cursor)
        for each in page.data:
            yield {**each}
        if not page.has_more:
            return
        cursor = {"after": page.data[-1]["id"]}


async def iterate_service(
    settings: Settings, ids: IdMapping, wanted: Iterable[str] | None
) -> AsyncIterator[FoundThread]:
    """The wanted threads of a service, or all that it lists. A thread that it does not know is left out.

    Raises UsageError for a service that cannot list its threads, and the error of a rejected key.
    """
    backend = await open_backend(settings)
    try:
        source = RateLimitedSource(RequestContext(settings.tenant), concurrency=SERVICE_BATCH, attempts=5)
        thread_ids = iterate_listed_ids(backend, source) if wanted is None else iterate_ids(list(wanted))
        batch: list[str] = []
        async for thread_id in thread_ids:
            batch.append(thread_id)
            if len(batch) == SERVICE_BATCH:
                for found in await _read_served(backend, source, batch, ids):
                    yield found
                batch = []
        for found in await _read_served(backend, source, batch, ids):
            yield found
    finally:
        await backend.aclose()


async def _read_served(
    backend: Backend, source: RateLimitedSource, thread_ids: list[str], ids: IdMapping
) -> list[FoundThread]:
    threads = await asyncio.gather(*(_read_served_thread(backend, source, each, ids) for each in thread_ids))
    return [each for each in threads if each is not None]


async def _read_served_thread(
    backend: Backend, source: RateLimitedSource, thread_id: str, ids: IdMapping
) -> FoundThread | None:
    context = source.context
    try:
        thread = await source.request(lambda: backend.retrieve_thread(context, thread_id))
        messages: list[JsonObject] = []
        runs: list[JsonObject] = []
        steps: list[JsonObject] = []
        async for page in source.iterate_pages(lambda query: backend.list_messages(context, thread_id, query)):
            messages += [{**each} for each in page]
        async for run_page in source.iterate_pages(lambda query: backend.list_runs(context, thread_id, query)):
            runs += [{**each} for each in run_page]
        for run in runs:
            list_steps = partial(backend.list_steps, context, thread_id, run["id"])
            async for step_page in source.iterate_pages(list_steps):
                steps += [{**each} for each in step_page]
    except NotFound:
        return None
    except BridgeError as error:
        if error.status in (401, 403):
            raise
        return FoundThread(thread_id, None, error=error.message)
    return FoundThread(thread_id, build_digest({**thread}, messages, runs, steps, ids).encode(), len(messages))
