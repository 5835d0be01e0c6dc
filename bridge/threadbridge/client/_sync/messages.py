# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.messages`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._call_options import parse_call_options
from threadbridge.client._paging import CursorPage
from threadbridge.client._params import (
    CallParams,
    Json,
    MessageListParams,
    MessageParams,
    MetadataParams,
    accepts_params,
)
from threadbridge.client._sync.resource import Resource
from threadbridge.types import Message, MessageDeleted


class Messages(Resource):
    """The messages of a thread."""

    @accepts_params(MessageParams)
    def create(self, thread_id: str, *, content: Json, role: str, **options: Unpack[MessageParams]) -> Message:
        """Append a message to the thread. Raises InvalidRequest while a run of the thread is active (A42)."""
        call = parse_call_options(MessageParams, options, role=role, content=content)
        return self._call(Message, lambda backend, context: backend.create_message(context, thread_id, call.body), call)

    @accepts_params(CallParams)
    def retrieve(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Message:
        """The message with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(
            Message, lambda backend, context: backend.retrieve_message(context, thread_id, message_id), call
        )

    @accepts_params(MetadataParams)
    def update(self, message_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Message:
        """Change the metadata of the message (A41). Raises NotFound."""
        call = parse_call_options(MetadataParams, options)
        return self._call(
            Message, lambda backend, context: backend.update_message(context, thread_id, message_id, call.body), call
        )

    @accepts_params(MessageListParams)
    def list(self, thread_id: str, **options: Unpack[MessageListParams]) -> CursorPage[Message]:
        """The messages of the thread, newest first by default; with `run_id`, those of one run (A11)."""
        call = parse_call_options(MessageListParams, options)
        return self._paginate(
            Message, lambda query: lambda backend, context: backend.list_messages(context, thread_id, query), call
        )

    @accepts_params(CallParams)
    def delete(self, message_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> MessageDeleted:
        """Delete the message. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(
            MessageDeleted, lambda backend, context: backend.delete_message(context, thread_id, message_id), call
        )
