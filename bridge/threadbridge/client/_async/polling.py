"""Waiting for a run by looking at it again and again."""

from __future__ import annotations

from threadbridge.client._backend_caller import AsyncLine
from threadbridge.client._call_options import Asked
from threadbridge.ports import Wire
from threadbridge.tool_loop.poll_backoff import interval
from threadbridge.tool_loop.run_outcome import RESTING


async def rested(line: AsyncLine, thread_id: str, run_id: str, call: Asked) -> Wire:
    """The run, once it waits for the caller or has ended (A62)."""
    while True:
        polled = await line.ask(lambda backend: backend.retrieve_run(thread_id, run_id), call.timeout)
        if polled.run["status"] in RESTING:
            return polled.run
        await line.sleep(interval(call.poll_interval_ms, polled.poll_after_ms))
