# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.client._backend_caller import Line
from threadbridge.client._call_options import NOT_GIVEN, Asked, Given, asked, is_given
from threadbridge.client._paging import CursorPage, listing
from threadbridge.client._params import (
    CallKeywords,
    ListKeywords,
    PolledThreadRunKeywords,
    ThreadKeywords,
    ThreadRunKeywords,
    ThreadUpdateKeywords,
    takes,
)
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.client._sync.event_handler import (
    AssistantEventHandler,
    AssistantStreamManager,
    HandlerT,
)
from threadbridge.client._sync.messages import Messages
from threadbridge.client._sync.polling import rested
from threadbridge.client._sync.runs import Runs
from threadbridge.client._sync.stream import Stream
from threadbridge.ports import Wire
from threadbridge.types import Run, Thread, ThreadDeleted


class Threads(WithoutRawResponses):
    """Conversations, kept by id."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.messages = Messages(line)
        self.runs = Runs(line)

    @takes(ThreadKeywords)
    def create(self, **options: Unpack[ThreadKeywords]) -> Thread:
        """A new thread, with messages if wanted (A29)."""
        call = asked(ThreadKeywords, options)
        return Thread.model_validate(self._line.ask(lambda backend: backend.create_thread(call.body), call.timeout))

    @takes(CallKeywords)
    def retrieve(self, thread_id: str, **options: Unpack[CallKeywords]) -> Thread:
        """The thread of this id."""
        call = asked(CallKeywords, options)
        return Thread.model_validate(self._line.ask(lambda backend: backend.retrieve_thread(thread_id), call.timeout))

    @takes(ThreadUpdateKeywords)
    def update(self, thread_id: str, **options: Unpack[ThreadUpdateKeywords]) -> Thread:
        """The thread with other metadata or tool resources (A28)."""
        call = asked(ThreadUpdateKeywords, options)
        return Thread.model_validate(
            self._line.ask(lambda backend: backend.update_thread(thread_id, call.body), call.timeout)
        )

    @takes(ListKeywords)
    def list(self, **options: Unpack[ListKeywords]) -> CursorPage[Thread]:
        """Threads, newest first, where the backend can list them; the openai SDK has no such method (A7)."""
        call = asked(ListKeywords, options)
        return listing(
            self._line, Thread, lambda query: lambda backend: backend.list_threads(query), call.query, call.timeout
        )

    @takes(CallKeywords)
    def delete(self, thread_id: str, **options: Unpack[CallKeywords]) -> ThreadDeleted:
        """Forget the thread and all that is on it."""
        call = asked(CallKeywords, options)
        return ThreadDeleted.model_validate(
            self._line.ask(lambda backend: backend.delete_thread(thread_id), call.timeout)
        )

    @overload
    def create_and_run(
        self,
        *,
        assistant_id: str,
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[ThreadRunKeywords],
    ) -> Run: ...
    @overload
    def create_and_run(
        self, *, assistant_id: str, stream: Literal[True], **options: Unpack[ThreadRunKeywords]
    ) -> Stream: ...
    @overload
    def create_and_run(
        self, *, assistant_id: str, stream: bool, **options: Unpack[ThreadRunKeywords]
    ) -> Run | Stream: ...
    @takes(ThreadRunKeywords)
    def create_and_run(
        self, *, assistant_id: str, stream: Given[bool] = NOT_GIVEN, **options: Unpack[ThreadRunKeywords]
    ) -> Run | Stream:
        """A run on a new thread (A54); with `stream`, its events."""
        call = asked(ThreadRunKeywords, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return self._stream_both(call)
        return Run.model_validate(self._create_both(call))

    @takes(PolledThreadRunKeywords)
    def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunKeywords]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = asked(PolledThreadRunKeywords, options, assistant_id=assistant_id)
        run = self._create_both(call)
        return Run.model_validate(rested(self._line, run["thread_id"], run["id"], call))

    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: None = None, **options: Unpack[ThreadRunKeywords]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: HandlerT, **options: Unpack[ThreadRunKeywords]
    ) -> AssistantStreamManager[HandlerT]: ...
    @takes(ThreadRunKeywords)
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: Any = None, **options: Unpack[ThreadRunKeywords]
    ) -> AssistantStreamManager[Any]:
        """A run on a new thread to follow, as `runs.stream` does."""
        call = asked(ThreadRunKeywords, options, assistant_id=assistant_id)
        return AssistantStreamManager(lambda: self._stream_both(call), event_handler or AssistantEventHandler())

    def _create_both(self, call: Asked) -> Wire:
        return self._line.ask(lambda backend: backend.create_thread_and_run(call.body), call.timeout)

    def _stream_both(self, call: Asked) -> Stream:
        return Stream(self._line.open(lambda backend: backend.stream_thread_and_run(call.body), call.timeout))
