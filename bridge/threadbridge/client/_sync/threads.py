# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads`."""

from __future__ import annotations

from typing import Any, Literal, overload

from typing_extensions import Unpack

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._call_options import NOT_GIVEN, CallOptions, NotGivenOr, is_given, parse_call_options
from threadbridge.client._paging import CursorPage, paginate
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
from threadbridge.client._sync.event_handler import (
    AssistantEventHandler,
    AssistantStreamManager,
    StreamHandlerT,
)
from threadbridge.client._sync.messages import Messages
from threadbridge.client._sync.polling import poll_run
from threadbridge.client._sync.runs import Runs
from threadbridge.client._sync.stream import Stream
from threadbridge.ports import Wire
from threadbridge.types import Run, Thread, ThreadDeleted


class Threads(WithoutRawResponses):
    """Conversations, kept by id."""

    def __init__(self, caller: BackendCaller) -> None:
        self._caller = caller
        self.messages = Messages(caller)
        self.runs = Runs(caller)

    @accepts_params(ThreadParams)
    def create(self, **options: Unpack[ThreadParams]) -> Thread:
        """A new thread, with messages if wanted (A29)."""
        call = parse_call_options(ThreadParams, options)
        return Thread.model_validate(
            self._caller.call(lambda backend, context: backend.create_thread(context, call.body), call.timeout)
        )

    @accepts_params(CallParams)
    def retrieve(self, thread_id: str, **options: Unpack[CallParams]) -> Thread:
        """The thread of this id."""
        call = parse_call_options(CallParams, options)
        return Thread.model_validate(
            self._caller.call(lambda backend, context: backend.retrieve_thread(context, thread_id), call.timeout)
        )

    @accepts_params(ThreadUpdateParams)
    def update(self, thread_id: str, **options: Unpack[ThreadUpdateParams]) -> Thread:
        """The thread with other metadata or tool resources (A28)."""
        call = parse_call_options(ThreadUpdateParams, options)
        return Thread.model_validate(
            self._caller.call(
                lambda backend, context: backend.update_thread(context, thread_id, call.body), call.timeout
            )
        )

    @accepts_params(ListParams)
    def list(self, **options: Unpack[ListParams]) -> CursorPage[Thread]:
        """Threads, newest first, where the backend can list them; the openai SDK has no such method (A7)."""
        call = parse_call_options(ListParams, options)
        return paginate(
            self._caller,
            Thread,
            lambda query: lambda backend, context: backend.list_threads(context, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    def delete(self, thread_id: str, **options: Unpack[CallParams]) -> ThreadDeleted:
        """Forget the thread and all that is on it."""
        call = parse_call_options(CallParams, options)
        return ThreadDeleted.model_validate(
            self._caller.call(lambda backend, context: backend.delete_thread(context, thread_id), call.timeout)
        )

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
        """A run on a new thread (A54); with `stream`, its events."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return self._stream_thread_and_run(call)
        return Run.model_validate(self._create_thread_and_run(call))

    @accepts_params(PolledThreadRunParams)
    def create_and_run_poll(self, *, assistant_id: str, **options: Unpack[PolledThreadRunParams]) -> Run:
        """`create_and_run`, then `runs.poll`."""
        call = parse_call_options(PolledThreadRunParams, options, assistant_id=assistant_id)
        run = self._create_thread_and_run(call)
        return Run.model_validate(poll_run(self._caller, run["thread_id"], run["id"], call))

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
        """A run on a new thread to follow, as `runs.stream` does."""
        call = parse_call_options(ThreadRunParams, options, assistant_id=assistant_id)
        return AssistantStreamManager(
            lambda: self._stream_thread_and_run(call), event_handler or AssistantEventHandler()
        )

    def _create_thread_and_run(self, call: CallOptions) -> Wire:
        return self._caller.call(
            lambda backend, context: backend.create_thread_and_run(context, call.body), call.timeout
        )

    def _stream_thread_and_run(self, call: CallOptions) -> Stream:
        return Stream(
            self._caller.open_stream(
                lambda backend, context: backend.stream_thread_and_run(context, call.body), call.timeout
            )
        )
