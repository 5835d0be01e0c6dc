"""`threads` and `threads.messages`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.api_types import RunObject
from threadbridge.client._async.resource import AsyncResource
from threadbridge.client._async.runs import AsyncRuns
from threadbridge.client._async.streaming import (
    AsyncAssistantEventHandler,
    AsyncAssistantStreamManager,
    AsyncStream,
    AsyncStreamHandlerT,
)
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import (
    NOT_GIVEN,
    CallOptions,
    CallParams,
    Json,
    ListParams,
    MessageListParams,
    MessageParams,
    MetadataParams,
    NotGivenOr,
    PolledThreadRunParams,
    ThreadParams,
    ThreadRunParams,
    ThreadUpdateParams,
    accepts_params,
    is_given,
    parse_call_options,
)
from threadbridge.client._paging import AsyncPaginator
from threadbridge.types import Message, MessageDeleted, Run, Thread, ThreadDeleted


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


class AsyncThreads(AsyncResource):
    """Threads: conversations, stored by id."""

    def __init__(self, caller: AsyncBackendCaller) -> None:
        super().__init__(caller)
        self.messages = AsyncMessages(caller)
        self.runs = AsyncRuns(caller)

    @accepts_params(ThreadParams)
    async def create(self, **options: Unpack[ThreadParams]) -> Thread:
        """Create a thread, with messages if given (A29)."""
        call = parse_call_options(ThreadParams, options)
        return await self._call(Thread, lambda backend, context: backend.create_thread(context, call.body), call)

    @accepts_params(CallParams)
    async def retrieve(self, thread_id: str, **options: Unpack[CallParams]) -> Thread:
        """The thread with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(Thread, lambda backend, context: backend.retrieve_thread(context, thread_id), call)

    @accepts_params(ThreadUpdateParams)
    async def update(self, thread_id: str, **options: Unpack[ThreadUpdateParams]) -> Thread:
        """Change the metadata or tool resources of the thread (A28). Raises NotFound."""
        call = parse_call_options(ThreadUpdateParams, options)
        return await self._call(
            Thread, lambda backend, context: backend.update_thread(context, thread_id, call.body), call
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> AsyncPaginator[Thread]:
        """The threads, newest first by default; the openai SDK has no such method (A7).

        Raises Unsupported if the backend cannot list them.
        """
        call = parse_call_options(ListParams, options)
        return self._paginate(Thread, lambda query: lambda backend, context: backend.list_threads(context, query), call)

    @accepts_params(CallParams)
    async def delete(self, thread_id: str, **options: Unpack[CallParams]) -> ThreadDeleted:
        """Delete the thread with its messages and runs. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return await self._call(ThreadDeleted, lambda backend, context: backend.delete_thread(context, thread_id), call)

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
        """Create a run on a new thread (A54); with `stream`, its events."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_thread_and_run(call)
        return Run.model_validate(await self._create_thread_and_run(call))

    @accepts_params(PolledThreadRunParams)
    async def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunParams]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = parse_call_options(PolledThreadRunParams, options, assistant_id=assistant_id)
        run = await self._create_thread_and_run(call)
        return Run.model_validate(await self._poll_run(run["thread_id"], run["id"], call))

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
        """`create_and_run` with its events, which are read as those of `runs.stream`."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        return AsyncAssistantStreamManager(
            lambda: self._stream_thread_and_run(call), event_handler or AsyncAssistantEventHandler()
        )

    async def _create_thread_and_run(self, call: CallOptions) -> RunObject:
        run: RunObject = await self._caller.call(
            lambda backend, context: backend.create_thread_and_run(context, call.body), call.timeout
        )
        return run

    async def _stream_thread_and_run(self, call: CallOptions) -> AsyncStream:
        return await self._open_stream(lambda backend, context: backend.stream_thread_and_run(context, call.body), call)
