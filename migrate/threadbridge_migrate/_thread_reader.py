"""Reads one thread whole: itself, its messages, its runs, the steps of every run, and which assistants it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from threadbridge.ports import Backend, Wire
from threadbridge_migrate._gather import together
from threadbridge_migrate._rate_limited_source import Requests
from threadbridge_migrate._record_buffer import Draft
from threadbridge_migrate.archive import Part


async def read_thread(backend: Backend, requests: Requests, thread_id: str, into: Draft) -> set[str]:
    """Fill the draft; the answer is the ids of the assistants that the messages and runs name.

    Raises what the source raised for the first request that failed for good.
    """
    named = set[str]()
    await together(
        _thread(backend, requests, thread_id, into),
        _messages(backend, requests, thread_id, into, named),
        _runs(backend, requests, thread_id, into, named),
    )
    return named


async def _thread(backend: Backend, requests: Requests, thread_id: str, into: Draft) -> None:
    into.add(Part.THREADS, [await requests.ask(lambda: backend.retrieve_thread(thread_id))])


async def _messages(backend: Backend, requests: Requests, thread_id: str, into: Draft, named: set[str]) -> None:
    async for page in requests.pages(lambda query: backend.list_messages(thread_id, query)):
        into.add(Part.MESSAGES, page)
        named.update(_assistants(page))


async def _runs(backend: Backend, requests: Requests, thread_id: str, into: Draft, named: set[str]) -> None:
    async for page in requests.pages(lambda query: backend.list_runs(thread_id, query)):
        into.add(Part.RUNS, page)
        named.update(_assistants(page))
        for steps in await together(*(_steps(backend, requests, thread_id, run["id"]) for run in page)):
            into.add(Part.STEPS, steps)


async def _steps(backend: Backend, requests: Requests, thread_id: str, run_id: str) -> Sequence[Wire]:
    steps: list[Wire] = []
    async for page in requests.pages(lambda query: backend.list_steps(thread_id, run_id, query)):
        steps += page
    return steps


def _assistants(objects: Iterable[Wire]) -> set[str]:
    return {named for each in objects if (named := each.get("assistant_id"))}
