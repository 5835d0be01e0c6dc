"""`threads.messages`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import parse_call_options
from threadbridge.client._paging import AsyncPaginator, paginate_async
from threadbridge.client._params import (
    CallParams,
    Json,
    MessageListParams,
    MessageParams,
    MetadataParams,
    accepts_params,
)
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import Message, MessageDeleted


class AsyncMessages(WithoutRawResponses):
    """What was said on a thread."""

    def __init__(self, caller: AsyncBackendCaller) -> None:
        self._caller = caller

    @accepts_params(MessageParams)
    async def create(self, thread_id: str, *, content: Json, role: str, **options: Unpack[MessageParams]) -> Message:
        """A new message at the end of the thread. Refused while a run is active (A42)."""
        call = parse_call_options(MessageParams, options, role=role, content=content)
        return Message.model_validate(
            await self._caller.call(
                lambda backend, context: backend.create_message(context, thread_id, call.body), call.timeout
            )
        )

    @accepts_params(CallParams)
    async def retrieve(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Message:
        """The message of this id."""
        call = parse_call_options(CallParams, options)
        return Message.model_validate(
            await self._caller.call(
                lambda backend, context: backend.retrieve_message(context, thread_id, message_id), call.timeout
            )
        )

    @accepts_params(MetadataParams)
    async def update(self, message_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Message:
        """The message with other metadata (A41)."""
        call = parse_call_options(MetadataParams, options)
        return Message.model_validate(
            await self._caller.call(
                lambda backend, context: backend.update_message(context, thread_id, message_id, call.body), call.timeout
            )
        )

    @accepts_params(MessageListParams)
    def list(self, thread_id: str, **options: Unpack[MessageListParams]) -> AsyncPaginator[Message]:
        """Messages of the thread, newest first unless asked otherwise; with `run_id`, those of one run."""
        call = parse_call_options(MessageListParams, options)
        return paginate_async(
            self._caller,
            Message,
            lambda query: lambda backend, context: backend.list_messages(context, thread_id, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    async def delete(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> MessageDeleted:
        """Forget the message."""
        call = parse_call_options(CallParams, options)
        return MessageDeleted.model_validate(
            await self._caller.call(
                lambda backend, context: backend.delete_message(context, thread_id, message_id), call.timeout
            )
        )
