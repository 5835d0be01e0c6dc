"""`threads`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.client._async.event_handler import (
    AsyncAssistantEventHandler,
    AsyncAssistantStreamManager,
    AsyncHandlerT,
)
from threadbridge.client._async.messages import AsyncMessages
from threadbridge.client._async.polling import rested
from threadbridge.client._async.runs import AsyncRuns
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._backend_caller import AsyncLine
from threadbridge.client._call_options import NOT_GIVEN, Asked, Given, asked, is_given
from threadbridge.client._paging import AsyncPaginator, async_listing
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
from threadbridge.ports import Wire
from threadbridge.types import Run, Thread, ThreadDeleted


class AsyncThreads(WithoutRawResponses):
    """Conversations, kept by id."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line
        self.messages = AsyncMessages(line)
        self.runs = AsyncRuns(line)

    @takes(ThreadKeywords)
    async def create(self, **options: Unpack[ThreadKeywords]) -> Thread:
        """A new thread, with messages if wanted (A29)."""
        call = asked(ThreadKeywords, options)
        return Thread.model_validate(
            await self._line.ask(lambda backend: backend.create_thread(call.body), call.timeout)
        )

    @takes(CallKeywords)
    async def retrieve(self, thread_id: str, **options: Unpack[CallKeywords]) -> Thread:
        """The thread of this id."""
        call = asked(CallKeywords, options)
        return Thread.model_validate(
            await self._line.ask(lambda backend: backend.retrieve_thread(thread_id), call.timeout)
        )

    @takes(ThreadUpdateKeywords)
    async def update(self, thread_id: str, **options: Unpack[ThreadUpdateKeywords]) -> Thread:
        """The thread with other metadata or tool resources (A28)."""
        call = asked(ThreadUpdateKeywords, options)
        return Thread.model_validate(
            await self._line.ask(lambda backend: backend.update_thread(thread_id, call.body), call.timeout)
        )

    @takes(ListKeywords)
    def list(self, **options: Unpack[ListKeywords]) -> AsyncPaginator[Thread]:
        """Threads, newest first, where the backend can list them; the openai SDK has no such method (A7)."""
        call = asked(ListKeywords, options)
        return async_listing(
            self._line, Thread, lambda query: lambda backend: backend.list_threads(query), call.query, call.timeout
        )

    @takes(CallKeywords)
    async def delete(self, thread_id: str, **options: Unpack[CallKeywords]) -> ThreadDeleted:
        """Forget the thread and all that is on it."""
        call = asked(CallKeywords, options)
        return ThreadDeleted.model_validate(
            await self._line.ask(lambda backend: backend.delete_thread(thread_id), call.timeout)
        )

    @overload
    async def create_and_run(
        self,
        *,
        assistant_id: str,
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[ThreadRunKeywords],
    ) -> Run: ...
    @overload
    async def create_and_run(
        self, *, assistant_id: str, stream: Literal[True], **options: Unpack[ThreadRunKeywords]
    ) -> AsyncStream: ...
    @overload
    async def create_and_run(
        self, *, assistant_id: str, stream: bool, **options: Unpack[ThreadRunKeywords]
    ) -> Run | AsyncStream: ...
    @takes(ThreadRunKeywords)
    async def create_and_run(
        self, *, assistant_id: str, stream: Given[bool] = NOT_GIVEN, **options: Unpack[ThreadRunKeywords]
    ) -> Run | AsyncStream:
        """A run on a new thread (A54); with `stream`, its events."""
        call = asked(ThreadRunKeywords, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_both(call)
        return Run.model_validate(await self._create_both(call))

    @takes(PolledThreadRunKeywords)
    async def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunKeywords]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = asked(PolledThreadRunKeywords, options, assistant_id=assistant_id)
        run = await self._create_both(call)
        return Run.model_validate(await rested(self._line, run["thread_id"], run["id"], call))

    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: None = None, **options: Unpack[ThreadRunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: AsyncHandlerT, **options: Unpack[ThreadRunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @takes(ThreadRunKeywords)
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: Any = None, **options: Unpack[ThreadRunKeywords]
    ) -> AsyncAssistantStreamManager[Any]:
        """A run on a new thread to follow, as `runs.stream` does."""
        call = asked(ThreadRunKeywords, options, assistant_id=assistant_id)
        return AsyncAssistantStreamManager(
            lambda: self._stream_both(call), event_handler or AsyncAssistantEventHandler()
        )

    async def _create_both(self, call: Asked) -> Wire:
        return await self._line.ask(lambda backend: backend.create_thread_and_run(call.body), call.timeout)

    async def _stream_both(self, call: Asked) -> AsyncStream:
        return AsyncStream(
            await self._line.open(lambda backend: backend.stream_thread_and_run(call.body), call.timeout)
        )
