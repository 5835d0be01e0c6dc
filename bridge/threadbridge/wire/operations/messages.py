"""Messages of a thread."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import ObjectResult, OperationResult
from threadbridge.wire.request_parser import OperationCall


async def create(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/messages`."""
    return ObjectResult(await backend.create_message(call.thread_id, call.body))


async def list_all(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/messages`; `run_id` keeps those of one run."""
    return ObjectResult(await backend.list_messages(call.thread_id, call.list_query))


async def retrieve(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}/messages/{message_id}`."""
    return ObjectResult(await backend.retrieve_message(call.thread_id, call.message_id))


async def update(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}/messages/{message_id}`."""
    return ObjectResult(await backend.update_message(call.thread_id, call.message_id, call.body))


async def delete(backend: Backend, call: OperationCall) -> OperationResult:
    """`DELETE /threads/{thread_id}/messages/{message_id}`."""
    return ObjectResult(await backend.delete_message(call.thread_id, call.message_id))
