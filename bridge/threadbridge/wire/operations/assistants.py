"""Assistants."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import ObjectResult, OperationResult
from threadbridge.wire.request_parser import OperationCall


async def create(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /assistants`."""
    return ObjectResult(await backend.create_assistant(call.body))


async def list_all(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /assistants`."""
    return ObjectResult(await backend.list_assistants(call.list_query))


async def retrieve(backend: Backend, call: OperationCall) -> OperationResult:
    """`GET /assistants/{assistant_id}`."""
    return ObjectResult(await backend.retrieve_assistant(call.assistant_id))


async def update(backend: Backend, call: OperationCall) -> OperationResult:
    """`POST /assistants/{assistant_id}`."""
    return ObjectResult(await backend.update_assistant(call.assistant_id, call.body))


async def delete(backend: Backend, call: OperationCall) -> OperationResult:
    """`DELETE /assistants/{assistant_id}`."""
    return ObjectResult(await backend.delete_assistant(call.assistant_id))
