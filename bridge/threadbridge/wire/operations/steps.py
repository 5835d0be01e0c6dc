"""Steps of a run."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import Answer, Whole
from threadbridge.wire.request_parser import Call


async def list_all(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs/{run_id}/steps`."""
    return Whole(await backend.list_steps(call.thread_id, call.run_id, call.page, include=call.include))


async def retrieve(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}`."""
    return Whole(await backend.retrieve_step(call.thread_id, call.run_id, call.step_id, include=call.include))
