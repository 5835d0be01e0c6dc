"""Reads one thread completely: thread, messages, runs, run steps, and the ids of its assistants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from threadbridge.ports import Backend, Wire
from threadbridge_migrate._gather import gather
from threadbridge_migrate._rate_limited_source import RateLimitedSource
from threadbridge_migrate._record_buffer import RecordBuffer
from threadbridge_migrate.archive import Part


async def read_thread(backend: Backend, source: RateLimitedSource, thread_id: str, buffer: RecordBuffer) -> set[str]:
    """Fill the buffer; return the ids of the assistants that messages and runs reference.

    Raises the source's error of the first request whose retries failed.
    """
    assistant_ids = set[str]()
    await gather(
        _read_thread_object(backend, source, thread_id, buffer),
        _read_messages(backend, source, thread_id, buffer, assistant_ids),
        _read_runs(backend, source, thread_id, buffer, assistant_ids),
    )
    return assistant_ids


async def _read_thread_object(
    backend: Backend, source: RateLimitedSource, thread_id: str, buffer: RecordBuffer
) -> None:
    buffer.add(Part.THREADS, [await source.request(lambda: backend.retrieve_thread(source.context, thread_id))])


async def _read_messages(
    backend: Backend, source: RateLimitedSource, thread_id: str, buffer: RecordBuffer, assistant_ids: set[str]
) -> None:
    async for page in source.iterate_pages(lambda query: backend.list_messages(source.context, thread_id, query)):
        buffer.add(Part.MESSAGES, page)
        assistant_ids.update(_collect_assistant_ids(page))


async def _read_runs(
    backend: Backend, source: RateLimitedSource, thread_id: str, buffer: RecordBuffer, assistant_ids: set[str]
) -> None:
    async for page in source.iterate_pages(lambda query: backend.list_runs(source.context, thread_id, query)):
        buffer.add(Part.RUNS, page)
        assistant_ids.update(_collect_assistant_ids(page))
        for steps in await gather(*(_read_steps(backend, source, thread_id, run["id"]) for run in page)):
            buffer.add(Part.STEPS, steps)


async def _read_steps(backend: Backend, source: RateLimitedSource, thread_id: str, run_id: str) -> Sequence[Wire]:
    steps: list[Wire] = []
    async for page in source.iterate_pages(lambda query: backend.list_steps(source.context, thread_id, run_id, query)):
        steps += page
    return steps


def _collect_assistant_ids(objects: Iterable[Wire]) -> set[str]:
    return {named for each in objects if (named := each.get("assistant_id"))}
