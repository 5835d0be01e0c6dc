"""Steps of a run."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import ObjectResult, OperationResult
from threadbridge.wire.request_parser import OperationCall


async def list_all(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs/{run_id}/steps`."""
    return ObjectResult(await backend.list_steps(call.thread_id, call.run_id, call.list_query, include=call.include))


async def retrieve(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}`."""
    return ObjectResult(await backend.retrieve_step(call.thread_id, call.run_id, call.step_id, include=call.include))
