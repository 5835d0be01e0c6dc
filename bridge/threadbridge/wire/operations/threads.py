"""Threads."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import ObjectResult, OperationResult
from threadbridge.wire.request_parser import OperationCall


async def create(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads`."""
    return ObjectResult(await backend.create_thread(call.body))


async def list_all(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads`."""
    return ObjectResult(await backend.list_threads(call.list_query))


async def retrieve(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /threads/{thread_id}`."""
    return ObjectResult(await backend.retrieve_thread(call.thread_id))


async def update(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /threads/{thread_id}`."""
    return ObjectResult(await backend.update_thread(call.thread_id, call.body))


async def delete(backend: Backend, call: OperationCall) -> OperationResult:
    """`DELETE /threads/{thread_id}`."""
    return ObjectResult(await backend.delete_thread(call.thread_id))
