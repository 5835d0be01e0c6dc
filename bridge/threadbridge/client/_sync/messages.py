# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.messages`."""

from __future__ import annotations

from typing_extensions import Unpack

from threadbridge.client._backend_caller import Line
from threadbridge.client._call_options import asked
from threadbridge.client._paging import CursorPage, listing
from threadbridge.client._params import (
    CallKeywords,
    Json,
    MessageKeywords,
    MessageListKeywords,
    MetadataKeywords,
    takes,
)
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.types import Message, MessageDeleted


class Messages(WithoutRawResponses):
    """What was said on a thread."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @takes(MessageKeywords)
    def create(self, thread_id: str, *, content: Json, role: str, **options: Unpack[MessageKeywords]) -> Message:
        """A new message at the end of the thread. Refused while a run is active (A42)."""
        call = asked(MessageKeywords, options, role=role, content=content)
        return Message.model_validate(
            self._line.ask(lambda backend: backend.create_message(thread_id, call.body), call.timeout)
        )

    @takes(CallKeywords)
    def retrieve(self, message_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> Message:
        """The message of this id."""
        call = asked(CallKeywords, options)
        return Message.model_validate(
            self._line.ask(lambda backend: backend.retrieve_message(thread_id, message_id), call.timeout)
        )

    @takes(MetadataKeywords)
    def update(self, message_id: str, *, thread_id: str, **options: Unpack[MetadataKeywords]) -> Message:
        """The message with other metadata (A41)."""
        call = asked(MetadataKeywords, options)
        return Message.model_validate(
            self._line.ask(lambda backend: backend.update_message(thread_id, message_id, call.body), call.timeout)
        )

    @takes(MessageListKeywords)
    def list(self, thread_id: str, **options: Unpack[MessageListKeywords]) -> CursorPage[Message]:
        """Messages of the thread, newest first unless asked otherwise; with `run_id`, those of one run."""
        call = asked(MessageListKeywords, options)
        return listing(
            self._line,
            Message,
            lambda query: lambda backend: backend.list_messages(thread_id, query),
            call.query,
            call.timeout,
        )

    @takes(CallKeywords)
    def delete(self, message_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> MessageDeleted:
        """Forget the message."""
        call = asked(CallKeywords, options)
        return MessageDeleted.model_validate(
            self._line.ask(lambda backend: backend.delete_message(thread_id, message_id), call.timeout)
        )
