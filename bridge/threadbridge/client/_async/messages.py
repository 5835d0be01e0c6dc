"""`threads.messages`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._async.resource import AsyncResource
from threadbridge.client._call_options import parse_call_options
from threadbridge.client._paging import AsyncPaginator
from threadbridge.client._params import (
    CallParams,
    Json,
    MessageListParams,
    MessageParams,
    MetadataParams,
    accepts_params,
)
from threadbridge.types import Message, MessageDeleted


class AsyncMessages(AsyncResource):
    """The messages of a thread."""

    @accepts_params(MessageParams)
    async def create(self, thread_id: str, *, content: Json, role: str, **options: Unpack[MessageParams]) -> Message:
        """Append a message to the thread. Raises InvalidRequest while a run of the thread is active (A42)."""
        call = parse_call_options(MessageParams, options, role=role, content=content)
        return await self._call(
            Message, lambda backend, context: backend.create_message(context, thread_id, call.body), call
        )

    @accepts_params(CallParams)
    async def retrieve(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Message:
        """The message with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(
            Message, lambda backend, context: backend.retrieve_message(context, thread_id, message_id), call
        )

    @accepts_params(MetadataParams)
    async def update(self, message_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Message:
        """Change the metadata of the message (A41). Raises NotFound."""
        call = parse_call_options(MetadataParams, options)
        return await self._call(
            Message, lambda backend, context: backend.update_message(context, thread_id, message_id, call.body), call
        )

    @accepts_params(MessageListParams)
    def list(self, thread_id: str, **options: Unpack[MessageListParams]) -> AsyncPaginator[Message]:
        """The messages of the thread, newest first by default; with `run_id`, those of one run (A11)."""
        call = parse_call_options(MessageListParams, options)
        return self._paginate(
            Message, lambda query: lambda backend, context: backend.list_messages(context, thread_id, query), call
        )

    @accepts_params(CallParams)
    async def delete(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> MessageDeleted:
        """Delete the message. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(
            MessageDeleted, lambda backend, context: backend.delete_message(context, thread_id, message_id), call
        )
