"""Reads one thread completely: thread, messages, runs, run steps, and the ids of its assistants."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from threadbridge.api_types import MessageObject, RunObject, RunStepObject
from threadbridge.ports import Backend
from threadbridge_migrate._rate_limited_source import RateLimitedSource
from threadbridge_migrate._record_buffer import RecordBuffer
from threadbridge_migrate.archive import Part

T = TypeVar("T")


async def read_thread(backend: Backend, source: RateLimitedSource, thread_id: str, buffer: RecordBuffer) -> set[str]:
    """Fill the buffer; return the ids of the assistants that messages and runs reference.

    Raises the source's error of the first request whose retries failed.
    """
    context = source.context
    assistant_ids: set[str] = set()

    def note_assistants(objects: Iterable[MessageObject | RunObject]) -> None:
        assistant_ids.update(named for each in objects if (named := each.get("assistant_id")))

    async def read_thread_object() -> None:
        thread = await source.request(lambda: backend.retrieve_thread(context, thread_id))
        buffer.add(Part.THREADS, [thread])

    async def read_messages() -> None:
        async for page in source.iterate_pages(lambda query: backend.list_messages(context, thread_id, query)):
            buffer.add(Part.MESSAGES, page)
            note_assistants(page)

    async def read_steps(run_id: str) -> Sequence[RunStepObject]:
        steps: list[RunStepObject] = []
        async for page in source.iterate_pages(lambda query: backend.list_steps(context, thread_id, run_id, query)):
            steps += page
        return steps

    async def read_runs() -> None:
        async for page in source.iterate_pages(lambda query: backend.list_runs(context, thread_id, query)):
            buffer.add(Part.RUNS, page)
            note_assistants(page)
            for steps in await gather(*(read_steps(run["id"]) for run in page)):
                buffer.add(Part.STEPS, steps)

    await gather(read_thread_object(), read_messages(), read_runs())
    return assistant_ids


async def gather(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results in the order of the arguments. The first failure cancels the others and is raised after they end.

    Unlike a task group, it raises the exception itself and not an exception group.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
