"""Runs: the three operations that start or continue one stream when the body says so."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import Answer, Streamed, Whole
from threadbridge.wire.request_parser import Call


async def create(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/runs`."""
    if call.streams:
        return Streamed(
            await backend.stream_run(call.thread_id, call.body, include=call.include, warn=call.warnings.append)
        )
    return Whole(await backend.create_run(call.thread_id, call.body, include=call.include, warn=call.warnings.append))


async def create_with_thread(backend: Backend, call: Call) -> Answer:
    """`POST /threads/runs`."""
    if call.streams:
        return Streamed(await backend.stream_thread_and_run(call.body, include=call.include, warn=call.warnings.append))
    return Whole(await backend.create_thread_and_run(call.body, include=call.include, warn=call.warnings.append))


async def list_all(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs`."""
    return Whole(await backend.list_runs(call.thread_id, call.page))


async def retrieve(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs/{run_id}`, with the advice when to ask again (A5, C13).

    Who accepts nothing but events gets those of the run.
    """
    if call.accepts_events:
        return await follow(backend, call)
    run, poll_after_ms = await backend.retrieve_run(call.thread_id, call.run_id)
    return Whole(run, {} if poll_after_ms is None else {"openai-poll-after-ms": str(poll_after_ms)})


async def follow(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs/{run_id}/events`; `Last-Event-ID` goes on after that event."""
    events = await backend.follow_run(call.thread_id, call.run_id, after=call.last_event_id)
    return Streamed(events, after=call.last_event_id)


async def report(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs/{run_id}/report`."""
    return Whole(await backend.report_run(call.thread_id, call.run_id))


async def update(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/runs/{run_id}`."""
    return Whole(await backend.update_run(call.thread_id, call.run_id, call.body))


async def cancel(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/runs/{run_id}/cancel`."""
    return Whole(await backend.cancel_run(call.thread_id, call.run_id))


async def submit(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs`."""
    if call.streams:
        return Streamed(await backend.stream_tool_outputs(call.thread_id, call.run_id, call.body))
    return Whole(await backend.submit_tool_outputs(call.thread_id, call.run_id, call.body))
