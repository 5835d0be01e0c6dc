"""Invariants that hold after any sequence of requests, clock changes, upstream failures and restarts."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conformance.restartable_service import RestartableService, Snapshot
from tests.emulated_service import WEATHER, ServiceResponse, StreamEvent, get_required_calls, run_path
from threadbridge.api_types import CreateMessageBody, RunObject, RunStepObject
from threadbridge.run_states import ACTIVE_STATUSES, TRANSITIONS, RunStatus
from threadbridge.settings import HistoryMode
from threadbridge_adapters.simulator._errors import DEFAULTS_BY_STATUS

T = TypeVar("T")

#: Prompt directives: what the model does, and its failures.
_CALLS = (
    "CALL get_weather {}",
    "CALL get_weather {}\nCALL get_weather {}",
    "CALL get_weather {}\nTHEN CALL get_weather {}\nSAY done",
    "CALL get_weather {}\nTHEN CALL get_weather {}\nHTTP 500",
)
TEXTS = (
    *_CALLS * 3,  # weighted: they allow more requests than the others
    "Hello",
    "REFUSE No.",
    "INCOMPLETE max_output_tokens",
    "INCOMPLETE content_filter",
    "FAIL server_error No luck.",
    "HTTP 500",
    "HTTP 429",
    "SAY one two three four\nBREAK 5",
    "SAY one two three four\nSLOW 20",
    "CALL get_weather {}\nSLOW 400",
)
#: Few, so that requests conflict.
THREADS = 3
#: Few, so that one page lists them all.
MESSAGES = 60

#: Statuses that a response may have and the commit of its transaction may not: started or cancelled immediately.
_TRANSIENT_STATUSES = frozenset({RunStatus.QUEUED, RunStatus.CANCELLING})
_FIRST = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS})
_BROKEN = "The connection was closed before the response was complete."
_EXPECTED_ERRORS = frozenset({"No luck.", _BROKEN, DEFAULTS_BY_STATUS[500][2], DEFAULTS_BY_STATUS[429][2]})
_MESSAGE_ENDS = ("message.completed", "message.incomplete")
_STEP_ENDS = ("run.step.completed", "run.step.failed", "run.step.cancelled", "run.step.expired")


class ServiceMachine(RuleBasedStateMachine):
    """Requests, time, faults and restarts. `expected` has the marks of the user messages of each thread."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._marks = itertools.count()
        self.restartable = RestartableService(Path(self._folder.name))
        self.expected: dict[str, list[str]] = {}
        self.assistant = ""

    def _do(self, work: Awaitable[T]) -> T:
        async def await_work() -> T:
            return await work

        return self._runner.run(await_work())

    @initialize(history=st.sampled_from(get_args(HistoryMode)))
    def begin(self, history: HistoryMode) -> None:
        self._do(self.restartable.start(history))
        self._do(self.restartable.record_status_changes())
        self.assistant = self._do(self.restartable.service.create_assistant(tools=[WEATHER], instructions="Be brief."))
        self.create_thread("Hello")

    def teardown(self) -> None:
        try:
            self._end_everything()
        finally:
            self._do(self.restartable.stop())
            self._runner.close()
            self._folder.cleanup()

    def _end_everything(self) -> None:
        """After enough time every run and every stream has ended."""
        for _ in range(8):
            self._do(self.restartable.advance_clock(120))
        for _ in range(500):  # a busy machine needs real time for what is due
            if not any(map(self._find_active_run, self.expected)):
                break
            self._do(self.restartable.advance_clock(0.1))
        assert not any(map(self._find_active_run, self.expected))
        for stream in self.restartable.streams:
            assert_closed(self._do(asyncio.wait_for(stream, timeout=5)))
        self.invariants_hold()

    # Requests -------------------------------------------------------------------------------------------------------

    def _message(self, text: str) -> tuple[str, CreateMessageBody]:
        mark = str(next(self._marks))
        return mark, {"role": "user", "content": text, "metadata": {"mark": mark}}

    @precondition(lambda self: len(self.expected) < THREADS)
    @rule(text=st.sampled_from(TEXTS))
    def create_thread(self, text: str) -> None:
        mark, message = self._message(text)
        answer = self._do(self.restartable.service.post("/threads", messages=[message]))
        self.expected[answer.body["id"]] = [mark]

    @precondition(lambda self: self._has_room())
    @rule(data=st.data(), text=st.sampled_from(TEXTS))
    def add_message(self, data: st.DataObject, text: str) -> None:
        thread_id = self._choose_thread(data)
        mark, message = self._message(text)
        answer = self._do(self.restartable.service.post(f"/threads/{thread_id}/messages", **message))
        if was_accepted(answer, f"Can't add messages to {thread_id} while a run run_"):
            self.expected[thread_id].append(mark)

    @precondition(lambda self: self._has_room())
    @rule(data=st.data(), text=st.sampled_from(TEXTS))
    def create_run(self, data: st.DataObject, text: str) -> None:
        thread_id = self._choose_thread(data)
        mark, message = self._message(text)
        body = {"assistant_id": self.assistant, "additional_messages": [message]}
        answer = self._do(self.restartable.service.post(f"/threads/{thread_id}/runs", **body))
        if was_accepted(answer, f"Thread {thread_id} already has an active run run_"):
            self.expected[thread_id].append(mark)

    @rule(data=st.data())
    def stream_run(self, data: st.DataObject) -> None:
        thread_id = self._choose_thread(data)
        refused = self._do(self.restartable.start_stream(f"/threads/{thread_id}/runs", assistant_id=self.assistant))
        assert refused is None or not was_accepted(refused, f"Thread {thread_id} already has an active run run_")

    @rule(data=st.data(), streamed=st.booleans())
    def submit(self, data: st.DataObject, streamed: bool) -> None:
        waiting = [
            run for run in map(self._find_active_run, self.expected) if run and run["status"] == "requires_action"
        ]
        if not waiting:
            return
        run = data.draw(st.sampled_from(waiting))
        body = {"tool_outputs": [{"tool_call_id": call["id"], "output": "sunny"} for call in get_required_calls(run)]}
        path = f"{run_path(run)}/submit_tool_outputs"
        if streamed:
            assert self._do(self.restartable.start_stream(path, **body)) is None
        else:
            assert self._do(self.restartable.service.post(path, **body)).body["status"] == "queued"

    @rule(data=st.data())
    def submit_wrong_outputs(self, data: st.DataObject) -> None:
        run = self._find_active_run(self._choose_thread(data))
        if run is not None:
            path = f"{run_path(run)}/submit_tool_outputs"
            answer = self._do(
                self.restartable.service.post(path, tool_outputs=[{"tool_call_id": "call_x", "output": ""}])
            )
            assert answer.status == 400

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run = self._find_active_run(self._choose_thread(data))
        if run is not None:
            answer = self._do(self.restartable.service.post(f"{run_path(run)}/cancel"))
            assert was_accepted(answer, "Cannot cancel run with status '") == (
                answer.body.get("status") == "cancelling"
            )

    @rule(data=st.data())
    def delete_message(self, data: st.DataObject) -> None:
        thread_id = self._choose_thread(data)
        if self.expected[thread_id]:
            users = [
                one for one in self._do(self.restartable.take_snapshot(thread_id)).messages if one["role"] == "user"
            ]
            message = data.draw(st.sampled_from(users))
            self._do(self.restartable.service.delete(f"/threads/{thread_id}/messages/{message['id']}"))
            self.expected[thread_id].remove(message["metadata"]["mark"])

    @precondition(lambda self: len(self.expected) > 1)
    @rule(data=st.data())
    def delete_thread(self, data: st.DataObject) -> None:
        thread_id = self._choose_thread(data)
        self._do(self.restartable.service.delete(f"/threads/{thread_id}"))
        del self.expected[thread_id]
        assert self._do(self.restartable.service.get(f"/threads/{thread_id}/messages")).status == 404

    # Time and restarts ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 11.0, 31.0, 601.0]))
    def advance_time(self, seconds: float) -> None:
        self._do(self.restartable.advance_clock(seconds))

    @rule(history=st.sampled_from(get_args(HistoryMode)), new_upstream=st.booleans())
    def restart_process(self, history: HistoryMode, new_upstream: bool) -> None:
        self._do(self.restartable.stop())
        self._do(self.restartable.start(history, new_upstream=new_upstream))

    # Invariants -----------------------------------------------------------------------------------------------------

    @invariant()
    def invariants_hold(self) -> None:
        for thread_id, marks in self.expected.items():
            snapshot = self._do(self.restartable.take_snapshot(thread_id))
            assert len([run for run in snapshot.runs if run["status"] in ACTIVE_STATUSES]) <= 1
            assert [one["metadata"]["mark"] for one in snapshot.messages if one["role"] == "user"] == marks
            assert_steps_match_messages(snapshot)
            assert_expected_failures(snapshot)
        self._check_transitions()

    def _check_transitions(self) -> None:
        for before, after in self.restartable.list_status_changes():
            assert after in (_FIRST if before is None else list_next_statuses(RunStatus(before))), (
                f"{before} -> {after}"
            )

    # ----------------------------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return sum(len(marks) for marks in self.expected.values()) < MESSAGES

    def _choose_thread(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.expected, key=list(self.expected).index)))

    def _find_active_run(self, thread_id: str) -> RunObject | None:
        runs = self._do(self.restartable.list_runs(thread_id))
        return next((run for run in runs if run["status"] in ACTIVE_STATUSES), None)


def list_next_statuses(before: RunStatus) -> set[RunStatus]:
    """The statuses after one transaction: one transition, or two through a status that is not stored."""
    between = TRANSITIONS[before] & _TRANSIENT_STATUSES
    return set(TRANSITIONS[before]).union(*(TRANSITIONS[status] for status in between))


def was_accepted(answer: ServiceResponse, otherwise: str) -> bool:
    """Whether the request succeeded; otherwise its error starts with `otherwise`."""
    assert answer.status == 200 or answer.error["message"].startswith(otherwise), answer
    return answer.status == 200


def assert_steps_match_messages(snapshot: Snapshot) -> None:
    """Every assistant message has one step, and the usage of a run is the sum over its steps."""
    details = [step["step_details"] for steps in snapshot.steps.values() for step in steps]
    events = [one["message_creation"]["message_id"] for one in details if one["type"] == "message_creation"]
    assert Counter(events) == Counter(message["id"] for message in snapshot.messages if message["role"] == "assistant")
    for run in snapshot.runs:
        steps = snapshot.steps[run["id"]]
        if run["status"] not in ACTIVE_STATUSES:
            assert sum_usage([run]) == sum_usage(steps), run
            assert "in_progress" not in {step["status"] for step in steps}


def assert_expected_failures(snapshot: Snapshot) -> None:
    """Runs fail only with errors that prompt directives cause."""
    messages = [run["last_error"]["message"].partition(" (request id")[0] for run in snapshot.runs if run["last_error"]]
    assert set(messages) <= _EXPECTED_ERRORS


def sum_usage(objects: Sequence[RunObject] | Sequence[RunStepObject]) -> Sequence[int]:
    """Prompt, completion and total tokens; null usage counts zero."""
    usages = [one["usage"] for one in objects if one["usage"] is not None]
    return [
        sum(usage["prompt_tokens"] for usage in usages),
        sum(usage["completion_tokens"] for usage in usages),
        sum(usage["total_tokens"] for usage in usages),
    ]


def assert_closed(events: list[StreamEvent]) -> None:
    """A stream ends with `done`, and unless it has an error event, every message and step in it was closed."""
    names: list[Any] = [one.name.removeprefix("thread.") for one in events]
    assert names[-1] == "done"
    if "error" in names:
        return
    assert names.count("message.created") == sum(map(names.count, _MESSAGE_ENDS))
    waits = names[-2] == "run.requires_action"
    opened = {one.data["id"] for one in events if one.name == "thread.run.step.created"}
    ended = {one.data["id"] for one in events if one.name.removeprefix("thread.") in _STEP_ENDS}
    assert len(opened - ended) == (1 if waits else 0)


def test_the_invariants_hold_after_any_sequence_of_requests_and_faults() -> None:
    run_state_machine_as_test(
        ServiceMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
