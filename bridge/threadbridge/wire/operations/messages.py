"""Messages of a thread."""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.wire.operations.answers import Answer, Whole
from threadbridge.wire.request_parser import Call


async def create(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/messages`."""
    return Whole(await backend.create_message(call.thread_id, call.body))


async def list_all(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/messages`; `run_id` keeps those of one run."""
    return Whole(await backend.list_messages(call.thread_id, call.page))


async def retrieve(backend: Backend, call: Call) -> Answer:
    """`GET /threads/{thread_id}/messages/{message_id}`."""
    return Whole(await backend.retrieve_message(call.thread_id, call.message_id))


async def update(backend: Backend, call: Call) -> Answer:
    """`POST /threads/{thread_id}/messages/{message_id}`."""
    return Whole(await backend.update_message(call.thread_id, call.message_id, call.body))


async def delete(backend: Backend, call: Call) -> Answer:
    """`DELETE /threads/{thread_id}/messages/{message_id}`."""
    return Whole(await backend.delete_message(call.thread_id, call.message_id))
