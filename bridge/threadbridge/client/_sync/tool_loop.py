# Generated from ../_async by .ci/unasync.py: edit there.
"""The tool loop: follow a run and submit the outputs of its tool calls until it ends."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import NoReturn, cast

from threadbridge.api_types import JsonObject, RunObject
from threadbridge.client._backend_caller import BackendCall, BackendCaller, EventStream
from threadbridge.client._call_options import CallOptions
from threadbridge.errors import BridgeError, InvalidRequest, UpstreamError
from threadbridge.run_states import RunStatus, can_transition
from threadbridge.tool_loop import (
    POLL_STOP_STATUSES,
    PollBackoff,
    ToolFunctions,
    build_round_limit_error,
    get_run_error,
    list_pending_calls,
    prepare_call,
)
from threadbridge.types import AssistantStreamEvent, parse_event


class ToolLoop:
    """One run in the tool loop. The decisions are those of `threadbridge.tool_loop`."""

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
        self._run: RunObject | None = None  # in the last response or event that had it

    def run_to_completion(self, call: CallOptions) -> RunObject:
        """The completed run. Raises the RunError of a run that ended otherwise."""
        try:
            run = self._poll_until_stopped(self._start_run(call))
            round_count = 0
            while run["status"] == RunStatus.REQUIRES_ACTION:
                if round_count == self._max_rounds:
                    self._raise_round_limit(run)
                run = self._poll_until_stopped(self._answer_tool_calls(run))
                round_count += 1
        except UpstreamError:
            raise  # the upstream is unreachable, so that a cancellation would fail, too
        except BaseException:
            if self._run is not None and can_transition(self._run, RunStatus.CANCELLING):
                with contextlib.suppress(BridgeError):
                    self._cancel_run(self._run)
            raise
        failure = get_run_error(run)
        if failure is not None:
            raise failure
        return run

    def _start_run(self, call: CallOptions) -> RunObject:
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

    def _answer_tool_calls(self, run: RunObject) -> RunObject:
        calls = [prepare_call(call, self._tools) for call in list_pending_calls(run)]
        outputs = self._caller.run_tool_calls(calls, max_parallel=self._max_parallel)
        pairs = zip(calls, outputs, strict=True)
        tool_outputs = [{"tool_call_id": call.call_id, "output": output} for call, output in pairs]
        body: JsonObject = {"tool_outputs": tool_outputs}
        thread_id, run_id = self._thread_id, run["id"]
        try:
            if not self._can_stream:
                return self._call_backend(
                    lambda backend, context: backend.submit_tool_outputs(context, thread_id, run_id, body)
                )
            events = self._caller.open_stream(
                lambda backend, context: backend.stream_tool_outputs(context, thread_id, run_id, body), self._timeout
            )
        except (InvalidRequest, UpstreamError):
            # The run may have expired, or only the response to the outputs was lost.
            current, _ = self._retrieve_run(run_id)
            if current["status"] == RunStatus.REQUIRES_ACTION:
                raise
            return current
        # The status until an event has a newer one (A59).
        self._run = {**self._require_run(), "status": RunStatus.QUEUED.value, "required_action": None}
        return self._follow_stream(events)

    def _follow_stream(self, events: EventStream) -> RunObject:
        """The run at the end of its stream, or where the stream broke: polling continues from there."""
        try:
            while True:
                try:
                    event = events.__next__()
                except StopIteration:
                    break
                except UpstreamError:
                    if self._run is None:
                        raise
                    break
                if event.data.get("object") == "thread.run":
                    self._run = cast("RunObject", event.data)
                if self._on_event is not None:
                    self._caller.notify(self._on_event, parse_event(event))
        finally:
            events.close()
        return self._require_run()

    def _poll_until_stopped(self, run: RunObject) -> RunObject:
        self._backoff.reset()
        hint_ms = None
        while run["status"] not in POLL_STOP_STATUSES:
            self._caller.sleep(self._backoff.get_next_delay(hint_ms))
            run, hint_ms = self._retrieve_run(run["id"])
        return run

    def _retrieve_run(self, run_id: str) -> tuple[RunObject, int | None]:
        """The run, and the milliseconds after which the service advises to poll again."""
        polled = self._caller.call(
            lambda backend, context: backend.retrieve_run(context, self._thread_id, run_id), self._timeout
        )
        run: RunObject = polled.run
        self._run = run
        return run, polled.poll_after_ms

    def _call_backend(self, operation: BackendCall[RunObject]) -> RunObject:
        run = self._caller.call(operation, self._timeout)
        self._run = run
        return run

    def _cancel_run(self, run: RunObject) -> RunObject:
        return self._call_backend(lambda backend, context: backend.cancel_run(context, self._thread_id, run["id"]))

    def _raise_round_limit(self, run: RunObject) -> NoReturn:
        raise build_round_limit_error(self._cancel_run(run), self._max_rounds)

    def _require_run(self) -> RunObject:
        if self._run is None:
            raise UpstreamError("The stream ended before an event had the run.")
        return self._run
