"""Assistants."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import Answer, Whole
from threadbridge.wire.request_parser import Call


async def create(backend: Backend, call: Call) -> Answer:
    """`POST /assistants`."""
    return Whole(await backend.create_assistant(call.body))


async def list_all(backend: Backend, call: Call) -> Answer:
    """`GET /assistants`."""
    return Whole(await backend.list_assistants(call.page))


async def retrieve(backend: Backend, call: Call) -> Answer:
    """`GET /assistants/{assistant_id}`."""
    return Whole(await backend.retrieve_assistant(call.assistant_id))


async def update(backend: Backend, call: Call) -> Answer:
    """`POST /assistants/{assistant_id}`."""
    return Whole(await backend.update_assistant(call.assistant_id, call.body))


async def delete(backend: Backend, call: Call) -> Answer:
    """`DELETE /assistants/{assistant_id}`."""
    return Whole(await backend.delete_assistant(call.assistant_id))
