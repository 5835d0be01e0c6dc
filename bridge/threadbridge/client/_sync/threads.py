# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads` and `threads.messages`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.api_types import RunObject
from threadbridge.client._backend_caller import BackendCaller
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
from threadbridge.client._paging import CursorPage
from threadbridge.client._sync.resource import Resource
from threadbridge.client._sync.runs import Runs
from threadbridge.client._sync.streaming import (
    AssistantEventHandler,
    AssistantStreamManager,
    Stream,
    StreamHandlerT,
)
from threadbridge.types import Message, MessageDeleted, Run, Thread, ThreadDeleted


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


class Threads(Resource):
    """Threads: conversations, stored by id."""

    def __init__(self, caller: BackendCaller) -> None:
        super().__init__(caller)
        self.messages = Messages(caller)
        self.runs = Runs(caller)

    @accepts_params(ThreadParams)
    def create(self, **options: Unpack[ThreadParams]) -> Thread:
        """Create a thread, with messages if given (A29)."""
        call = parse_call_options(ThreadParams, options)
        return self._call(Thread, lambda backend, context: backend.create_thread(context, call.body), call)

    @accepts_params(CallParams)
    def retrieve(self, thread_id: str, **options: Unpack[CallParams]) -> Thread:
        """The thread with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(Thread, lambda backend, context: backend.retrieve_thread(context, thread_id), call)

    @accepts_params(ThreadUpdateParams)
    def update(self, thread_id: str, **options: Unpack[ThreadUpdateParams]) -> Thread:
        """Change the metadata or tool resources of the thread (A28). Raises NotFound."""
        call = parse_call_options(ThreadUpdateParams, options)
        return self._call(Thread, lambda backend, context: backend.update_thread(context, thread_id, call.body), call)

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> CursorPage[Thread]:
        """The threads, newest first by default; the openai SDK has no such method (A7).

        Raises Unsupported if the backend cannot list them.
        """
        call = parse_call_options(ListParams, options)
        return self._paginate(Thread, lambda query: lambda backend, context: backend.list_threads(context, query), call)

    @accepts_params(CallParams)
    def delete(self, thread_id: str, **options: Unpack[CallParams]) -> ThreadDeleted:
        """Delete the thread with its messages and runs. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        return self._call(ThreadDeleted, lambda backend, context: backend.delete_thread(context, thread_id), call)

    @overload
    def create_and_run(
        self,
        *,
        assistant_id: str,
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[ThreadRunParams],
    ) -> Run: ...
    @overload
    def create_and_run(
        self, *, assistant_id: str, stream: Literal[True], **options: Unpack[ThreadRunParams]
    ) -> Stream: ...
    @overload
    def create_and_run(
        self, *, assistant_id: str, stream: bool, **options: Unpack[ThreadRunParams]
    ) -> Run | Stream: ...
    @accepts_params(ThreadRunParams)
    def create_and_run(
        self, *, assistant_id: str, stream: NotGivenOr[bool] = NOT_GIVEN, **options: Unpack[ThreadRunParams]
    ) -> Run | Stream:
        """Create a run on a new thread (A54); with `stream`, its events."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return self._stream_thread_and_run(call)
        return Run.model_validate(self._create_thread_and_run(call))

    @accepts_params(PolledThreadRunParams)
    def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunParams]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = parse_call_options(PolledThreadRunParams, options, assistant_id=assistant_id)
        run = self._create_thread_and_run(call)
        return Run.model_validate(self._poll_run(run["thread_id"], run["id"], call))

    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: None = None, **options: Unpack[ThreadRunParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: StreamHandlerT, **options: Unpack[ThreadRunParams]
    ) -> AssistantStreamManager[StreamHandlerT]: ...
    @accepts_params(ThreadRunParams)
    def create_and_run_stream(
        self, *, assistant_id: str, event_handler: Any = None, **options: Unpack[ThreadRunParams]
    ) -> AssistantStreamManager[Any]:
        """`create_and_run` with its events, which are read as those of `runs.stream`."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        return AssistantStreamManager(
            lambda: self._stream_thread_and_run(call), event_handler or AssistantEventHandler()
        )

    def _create_thread_and_run(self, call: CallOptions) -> RunObject:
        run: RunObject = self._caller.call(
            lambda backend, context: backend.create_thread_and_run(context, call.body), call.timeout
        )
        return run

    def _stream_thread_and_run(self, call: CallOptions) -> Stream:
        return self._open_stream(lambda backend, context: backend.stream_thread_and_run(context, call.body), call)
