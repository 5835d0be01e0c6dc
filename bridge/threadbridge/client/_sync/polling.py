# Generated from ../_async by .ci/unasync.py: edit there.
"""Waiting for a run by looking at it again and again."""

from __future__ import annotations

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._call_options import CallOptions
from threadbridge.ports import Wire
from threadbridge.tool_loop.poll_backoff import get_poll_interval
from threadbridge.tool_loop.run_outcome import POLL_STOP_STATUSES


def poll_run(caller: BackendCaller, thread_id: str, run_id: str, call: CallOptions) -> Wire:
    """The run, once it waits for the caller or has ended (A62)."""
    while True:
        polled = caller.call(lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout)
        if polled.run["status"] in POLL_STOP_STATUSES:
            return polled.run
        caller.sleep(get_poll_interval(call.poll_interval_ms, polled.poll_after_ms))
