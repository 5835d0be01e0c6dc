"""`threads`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.client._async.event_handler import (
    AsyncAssistantEventHandler,
    AsyncAssistantStreamManager,
    AsyncStreamHandlerT,
)
from threadbridge.client._async.messages import AsyncMessages
from threadbridge.client._async.polling import poll_run
from threadbridge.client._async.runs import AsyncRuns
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import NOT_GIVEN, CallOptions, NotGivenOr, is_given, parse_call_options
from threadbridge.client._paging import AsyncPaginator, paginate_async
from threadbridge.client._params import (
    CallParams,
    ListParams,
    PolledThreadRunParams,
    ThreadParams,
    ThreadRunParams,
    ThreadUpdateParams,
    accepts_params,
)
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.ports import Wire
from threadbridge.types import Run, Thread, ThreadDeleted


class AsyncThreads(WithoutRawResponses):
    """Conversations, kept by id."""

    def __init__(self, caller: AsyncBackendCaller) -> None:
        self._caller = caller
        self.messages = AsyncMessages(caller)
        self.runs = AsyncRuns(caller)

    @accepts_params(ThreadParams)
    async def create(self, **options: Unpack[ThreadParams]) -> Thread:
        """A new thread, with messages if wanted (A29)."""
        call = parse_call_options(ThreadParams, options)
        return Thread.model_validate(
            await self._caller.call(lambda backend, context: backend.create_thread(context, call.body), call.timeout)
        )

    @accepts_params(CallParams)
    async def retrieve(self, thread_id: str, **options: Unpack[CallParams]) -> Thread:
        """The thread of this id."""
        call = parse_call_options(CallParams, options)
        return Thread.model_validate(
            await self._caller.call(lambda backend, context: backend.retrieve_thread(context, thread_id), call.timeout)
        )

    @accepts_params(ThreadUpdateParams)
    async def update(self, thread_id: str, **options: Unpack[ThreadUpdateParams]) -> Thread:
        """The thread with other metadata or tool resources (A28)."""
        call = parse_call_options(ThreadUpdateParams, options)
        return Thread.model_validate(
            await self._caller.call(
                lambda backend, context: backend.update_thread(context, thread_id, call.body), call.timeout
            )
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> AsyncPaginator[Thread]:
        """Threads, newest first, where the backend can list them; the openai SDK has no such method (A7)."""
        call = parse_call_options(ListParams, options)
        return paginate_async(
            self._caller,
            Thread,
            lambda query: lambda backend, context: backend.list_threads(context, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    async def delete(self, thread_id: str, **options: Unpack[CallParams]) -> ThreadDeleted:
        """Forget the thread and all that is on it."""
        call = parse_call_options(CallParams, options)
        return ThreadDeleted.model_validate(
            await self._caller.call(lambda backend, context: backend.delete_thread(context, thread_id), call.timeout)
        )

    @overload
    async def create_and_run(
        self,
        *,
        assistant_id: str,
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[ThreadRunParams],
    ) -> Run: ...
    @overload
    async def create_and_run(
        self, *, assistant_id: str, stream: Literal[True], **options: Unpack[ThreadRunParams]
    ) -> AsyncStream: ...
    @overload
    async def create_and_run(
        self, *, assistant_id: str, stream: bool, **options: Unpack[ThreadRunParams]
    ) -> Run | AsyncStream: ...
    @accepts_params(ThreadRunParams)
    async def create_and_run(
        self, *, assistant_id: str, stream: NotGivenOr[bool] = NOT_GIVEN, **options: Unpack[ThreadRunParams]
    ) -> Run | AsyncStream:
        """A run on a new thread (A54); with `stream`, its events."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_thread_and_run(call)
        return Run.model_validate(await self._create_thread_and_run(call))

    @accepts_params(PolledThreadRunParams)
    async def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunParams]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = parse_call_options(PolledThreadRunParams, options, assistant_id=assistant_id)
        run = await self._create_thread_and_run(call)
        return Run.model_validate(await poll_run(self._caller, run["thread_id"], run["id"], call))

    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: None = None, **options: Unpack[ThreadRunParams]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: AsyncStreamHandlerT, **options: Unpack[ThreadRunParams]
    ) -> AsyncAssistantStreamManager[AsyncStreamHandlerT]: ...
    @accepts_params(ThreadRunParams)
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: Any = None, **options: Unpack[ThreadRunParams]
    ) -> AsyncAssistantStreamManager[Any]:
        """A run on a new thread to follow, as `runs.stream` does."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        return AsyncAssistantStreamManager(
            lambda: self._stream_thread_and_run(call), event_handler or AsyncAssistantEventHandler()
        )

    async def _create_thread_and_run(self, call: CallOptions) -> Wire:
        return await self._caller.call(
            lambda backend, context: backend.create_thread_and_run(context, call.body), call.timeout
        )

    async def _stream_thread_and_run(self, call: CallOptions) -> AsyncStream:
        return AsyncStream(
            await self._caller.open_stream(
                lambda backend, context: backend.stream_thread_and_run(context, call.body), call.timeout
            )
        )
