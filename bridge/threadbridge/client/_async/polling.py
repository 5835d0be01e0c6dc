"""Waiting for a run by looking at it again and again."""

from __future__ import annotations

from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import CallOptions
from threadbridge.ports import Wire
from threadbridge.tool_loop.poll_backoff import get_poll_interval
from threadbridge.tool_loop.run_outcome import POLL_STOP_STATUSES


async def poll_run(caller: AsyncBackendCaller, thread_id: str, run_id: str, call: CallOptions) -> Wire:
    """The run, once it waits for the caller or has ended (A62)."""
    while True:
        polled = await caller.call(
            lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout
        )
        if polled.run["status"] in POLL_STOP_STATUSES:
            return polled.run
        await caller.sleep(get_poll_interval(call.poll_interval_ms, polled.poll_after_ms))
