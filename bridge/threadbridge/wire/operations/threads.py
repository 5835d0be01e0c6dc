"""Threads."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import Answer, Whole
from threadbridge.wire.request_parser import Call


async def create(backend: Backend, call: Call) -> Answer:
    """`POST /threads`."""
    return Whole(await backend.create_thread(call.body))


async def list_all(backend: Backend, call: Call) -> Answer:
    """`GET /threads`."""
    return Whole(await backend.list_threads(call.page))


async def retrieve(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}`."""
    return Whole(await backend.retrieve_thread(call.thread_id))


async def update(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}`."""
    return Whole(await backend.update_thread(call.thread_id, call.body))


async def delete(backend: Backend, call: Call) -> Answer:
    """`DELETE /threads/{thread_id}`."""
    return Whole(await backend.delete_thread(call.thread_id))
