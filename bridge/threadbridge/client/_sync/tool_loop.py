# Generated from ../_async by .ci/unasync.py: edit there.
"""The loop of an agent: follow the run, answer its calls, until it ends."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import NoReturn

from threadbridge.client._backend_caller import BackendCall, BackendCaller, EventStream
from threadbridge.client._call_options import CallOptions
from threadbridge.errors import BridgeError, InvalidRequest, UpstreamError
from threadbridge.ports import Event, PolledRun, Wire
from threadbridge.run_states import RunStatus, can_transition
from threadbridge.tool_loop.function_calls import ToolFunctions, list_pending_calls, prepare_call
from threadbridge.tool_loop.poll_backoff import PollBackoff
from threadbridge.tool_loop.run_outcome import POLL_STOP_STATUSES, build_round_limit_error, get_run_error
from threadbridge.types import AssistantStreamEvent, parse_event

#: What a run is after its calls were answered, until it tells more itself (A59).
_QUEUED_AGAIN = {"status": RunStatus.QUEUED.value, "required_action": None}


class ToolLoop:
    """One run on its way through the loop. What is decided is decided in `threadbridge.tool_loop`."""

    def __init__(
        self,
        caller: BackendCaller,
        thread_id: str,
        tools: ToolFunctions,
        on_event: Callable[[AssistantStreamEvent], object] | None,
        *,
        max_rounds: int,
        max_parallel: int,
        timeout: float | None,
    ) -> None:
        self._caller = caller
        self._thread_id = thread_id
        self._tools = tools
        self._on_event = on_event
        self._max_rounds = max_rounds
        self._max_parallel = max_parallel
        self._timeout = timeout
        self._backoff = PollBackoff(random.random)
        self._can_stream = caller.backend.capabilities.streams
        self._run: Wire | None = None  # as it was last heard of

    def run_to_completion(self, call: CallOptions) -> Wire:
        """The run at its good end. Raises the RunError of any other."""
        try:
            run = self._poll_until_stopped(self._start_run(call))
            round_count = 0
            while run["status"] == RunStatus.REQUIRES_ACTION:
                if round_count == self._max_rounds:
                    self._raise_round_limit(run)
                run = self._poll_until_stopped(self._answer_tool_calls(run))
                round_count += 1
        except UpstreamError:
            raise  # the service is not there, and neither would it hear of a cancel
        except BaseException:
            self._cancel_if_active()
            raise
        failure = get_run_error(run)
        if failure is not None:
            raise failure
        return run

    def _start_run(self, call: CallOptions) -> Wire:
        thread_id = self._thread_id
        if self._can_stream:
            return self._follow_stream(
                self._caller.open_stream(
                    lambda backend, context: backend.stream_run(context, thread_id, call.body, include=call.include),
                    self._timeout,
                )
            )
        return self._call_backend(
            lambda backend, context: backend.create_run(context, thread_id, call.body, include=call.include)
        )

    def _answer_tool_calls(self, run: Wire) -> Wire:
        calls = [prepare_call(call, self._tools) for call in list_pending_calls(run)]
        outputs = self._caller.run_tool_calls(calls, max_parallel=self._max_parallel)
        pairs = zip(calls, outputs, strict=True)
        body = {"tool_outputs": [{"tool_call_id": call.call_id, "output": output} for call, output in pairs]}
        try:
            events = self._submit_tool_outputs(run["id"], body)
        except (InvalidRequest, UpstreamError):
            # The run may have expired meanwhile, or the answer got lost after the outputs had arrived.
            polled = self._retrieve_run(run["id"])
            if polled.run["status"] == RunStatus.REQUIRES_ACTION:
                raise
            return polled.run
        return self._follow_stream(events) if events is not None else self._require_run()

    def _submit_tool_outputs(self, run_id: str, body: Wire) -> EventStream | None:
        thread_id = self._thread_id
        if self._can_stream:
            events = self._caller.open_stream(
                lambda backend, context: backend.stream_tool_outputs(context, thread_id, run_id, body), self._timeout
            )
            self._run = {**self._require_run(), **_QUEUED_AGAIN}
            return events
        self._call_backend(lambda backend, context: backend.submit_tool_outputs(context, thread_id, run_id, body))
        return None

    def _follow_stream(self, events: EventStream) -> Wire:
        try:
            for event in self._iterate_events(events):
                if event.data.get("object") == "thread.run":
                    self._run = event.data
                if self._on_event is not None:
                    self._caller.notify(self._on_event, parse_event(event))
        finally:
            events.close()
        return self._require_run()

    def _iterate_events(self, events: EventStream) -> Iterator[Event]:
        """The events until the stream ends or breaks; a run that is known goes on without it."""
        while True:
            try:
                event = events.__next__()
            except StopIteration:
                return
            except UpstreamError:
                if self._run is None:
                    raise
                return
            yield event

    def _poll_until_stopped(self, run: Wire) -> Wire:
        self._backoff.reset()
        hint_ms = None
        while run["status"] not in POLL_STOP_STATUSES:
            self._caller.sleep(self._backoff.get_next_delay(hint_ms))
            run, hint_ms = self._retrieve_run(run["id"])
        return run

    def _retrieve_run(self, run_id: str) -> PolledRun:
        polled = self._caller.call(
            lambda backend, context: backend.retrieve_run(context, self._thread_id, run_id), self._timeout
        )
        self._run = polled.run
        return polled

    def _call_backend(self, operation: BackendCall[Wire]) -> Wire:
        self._run = self._caller.call(operation, self._timeout)
        return self._run

    def _cancel_run(self, run: Wire) -> Wire:
        return self._call_backend(lambda backend, context: backend.cancel_run(context, self._thread_id, run["id"]))

    def _raise_round_limit(self, run: Wire) -> NoReturn:
        raise build_round_limit_error(self._cancel_run(run), self._max_rounds)

    def _cancel_if_active(self) -> None:
        if self._run is not None and can_transition(self._run, RunStatus.CANCELLING):
            with contextlib.suppress(BridgeError):
                self._cancel_run(self._run)

    def _require_run(self) -> Wire:
        if self._run is None:
            raise UpstreamError("The stream ended before it told of a run.")
        return self._run
