# Generated from ../_async by .ci/unasync.py: edit there.
"""The base of every resource: how its methods call the backend."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from threadbridge.api_types import JsonMapping, RunObject
from threadbridge.client._backend_caller import BackendCall, BackendCaller, StreamCall
from threadbridge.client._call_options import CallOptions
from threadbridge.client._paging import CursorPage, PageCall, paginate
from threadbridge.client._sync.streaming import Stream
from threadbridge.tool_loop import POLL_STOP_STATUSES, get_poll_interval
from threadbridge.types import WireModel

ModelT = TypeVar("ModelT", bound=WireModel)


class Resource:
    """One group of methods of the client, with the backend that they call."""

    def __init__(self, caller: BackendCaller) -> None:
        self._caller = caller

    def _call(self, model: type[ModelT], operation: BackendCall[JsonMapping], call: CallOptions) -> ModelT:
        """The object that the backend returns, as a model."""
        return model.model_validate(self._caller.call(operation, call.timeout))

    def _paginate(self, item: type[ModelT], page_call: PageCall, call: CallOptions) -> CursorPage[ModelT]:
        """The list that the backend returns page by page, with its items as models."""
        return paginate(self._caller, item, page_call, call.query, call.timeout)

    def _open_stream(self, operation: StreamCall, call: CallOptions) -> Stream:
        """The stream that the backend starts."""
        return Stream(self._caller.open_stream(operation, call.timeout))

    def _poll_run(self, thread_id: str, run_id: str, call: CallOptions) -> RunObject:
        """The run, as soon as it requires action or has ended (A62)."""
        while True:
            polled = self._caller.call(
                lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout
            )
            run: RunObject = polled.run
            if run["status"] in POLL_STOP_STATUSES:
                return run
            self._caller.sleep(get_poll_interval(call.poll_interval_ms, polled.poll_after_ms))

    @property
    def with_raw_response(self) -> NoReturn:
        """Absent, so that `hasattr` is false; the client of `threadbridge.openai_client()` has it."""
        raise self._build_missing_attribute_error("with_raw_response")

    @property
    def with_streaming_response(self) -> NoReturn:
        """Absent, so that `hasattr` is false; the client of `threadbridge.openai_client()` has it."""
        raise self._build_missing_attribute_error("with_streaming_response")

    def _build_missing_attribute_error(self, name: str) -> AttributeError:
        return AttributeError(
            f"{type(self).__name__} has no {name}: nothing travels by HTTP here, so there is no response to show; "
            "the client of threadbridge.openai_client() has both."
        )
