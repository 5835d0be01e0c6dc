"""Runs: the three operations that start or continue one stream when the body says so."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import ObjectResult, OperationResult, StreamResult
from threadbridge.wire.request_parser import OperationCall


async def create(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/runs`."""
    if call.wants_stream:
        return StreamResult(
            await backend.stream_run(call.thread_id, call.body, include=call.include, warn=call.warnings.append)
        )
    return ObjectResult(
        await backend.create_run(call.thread_id, call.body, include=call.include, warn=call.warnings.append)
    )


async def create_with_thread(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/runs`."""
    if call.wants_stream:
        return StreamResult(
            await backend.stream_thread_and_run(call.body, include=call.include, warn=call.warnings.append)
        )
    return ObjectResult(await backend.create_thread_and_run(call.body, include=call.include, warn=call.warnings.append))


async def list_all(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs`."""
    return ObjectResult(await backend.list_runs(call.thread_id, call.list_query))


async def retrieve(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs/{run_id}`, with the advice when to ask again (A5, C13).

    Who accepts nothing but events gets those of the run.
    """
    if call.accepts_only_events:
        return await follow(backend, call)
    run, poll_after_ms = await backend.retrieve_run(call.thread_id, call.run_id)
    return ObjectResult(run, {} if poll_after_ms is None else {"openai-poll-after-ms": str(poll_after_ms)})


async def follow(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs/{run_id}/events`; `Last-Event-ID` goes on after that event."""
    events = await backend.follow_run(call.thread_id, call.run_id, after=call.last_event_id)
    return StreamResult(events, after=call.last_event_id)


async def report(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs/{run_id}/report`."""
    return ObjectResult(await backend.report_run(call.thread_id, call.run_id))


async def update(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/runs/{run_id}`."""
    return ObjectResult(await backend.update_run(call.thread_id, call.run_id, call.body))


async def cancel(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/runs/{run_id}/cancel`."""
    return ObjectResult(await backend.cancel_run(call.thread_id, call.run_id))


async def submit(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs`."""
    if call.wants_stream:
        return StreamResult(await backend.stream_tool_outputs(call.thread_id, call.run_id, call.body))
    return ObjectResult(await backend.submit_tool_outputs(call.thread_id, call.run_id, call.body))
