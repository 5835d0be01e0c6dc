"""The conversations that are recorded with every backend, and the course each must take, whoever the model is.

Words are the model's own, so a course has none: see `Conversation`. A scenario that tells the service to fail can
only be recorded from the simulator; while a live service is recorded it is left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.recorded.conversation import Conversation
from threadbridge.ports import ListQuery


@dataclass(frozen=True)
class Scenario:
    """A conversation and its course."""

    play: Callable[[Conversation], Awaitable[None]]
    course: Sequence[str]
    needs_simulator: bool = False


async def _polled(talk: Conversation) -> None:
    await talk.ask("SAY Good morning to you")
    await talk.poll()
    await talk.read()


async def _tool_loop(talk: Conversation) -> None:
    await talk.ask(
        'CALL get_weather {"city": "Oslo"}',
        'CALL get_weather {"city": "Bern"}',
        'THEN CALL get_time {"city": "Lima"}',
        "SAY The sun shines everywhere",
    )
    await talk.poll()
    await talk.submit()
    await talk.submit()
    await talk.read()


async def _two_runs(talk: Conversation) -> None:
    for greeting in ("SAY Good morning", "SAY Good night"):
        await talk.ask(greeting)
        await talk.poll()
        await talk.read()


async def _streamed(talk: Conversation) -> None:
    await talk.ask("SAY One two three four five")
    await talk.stream()


async def _streamed_tool_loop(talk: Conversation) -> None:
    await talk.ask('CALL get_weather {"city": "Oslo"}', "SAY It is sunny in Oslo")
    await talk.stream()
    await talk.submit_streaming()


async def _refused(talk: Conversation) -> None:
    await talk.ask("SAY Nothing more to do")
    await talk.poll()
    await talk.read()
    outputs = {"tool_outputs": [{"tool_call_id": "call_x", "output": "sunny"}]}
    await talk.be_refused(talk.backend.submit_tool_outputs(talk.thread_id, talk.run["id"], outputs))
    await talk.be_refused(talk.backend.cancel_run(talk.thread_id, talk.run["id"]))
    await talk.be_refused(talk.backend.stream_run(talk.thread_id, {"assistant_id": "asst_x"}))
    await talk.be_refused(talk.backend.retrieve_thread("thread_x"))
    await talk.be_refused(talk.backend.list_messages(talk.thread_id, ListQuery(limit=101)))


async def _service_failing(talk: Conversation) -> None:
    await talk.ask("HTTP 503")
    await talk.poll()
    talk.course.append(str(talk.run["last_error"]["code"]))


async def _failing_midway(talk: Conversation) -> None:
    await talk.ask("SAY One two three", "FAIL server_error the model is on fire")
    await talk.stream()
    said, _, _ = str(talk.run["last_error"]["message"]).partition(" (request id ")  # another one in every recording
    talk.course.append(f"{talk.run['last_error']['code']}: {said}")


_MESSAGE_BEGINS = (
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
)
_MESSAGE = (*_MESSAGE_BEGINS, "thread.message.completed", "thread.run.step.completed")
_CALLS = ("thread.run.step.created", "thread.run.step.in_progress", "thread.run.step.delta")
_RUN_BEGINS = ("thread.run.created", "thread.run.queued", "thread.run.in_progress")
_ANSWERED = ("run completed", "step message_creation completed", "message by the assistant")

SCENARIOS: Mapping[str, Scenario] = {
    "a_polled_run": Scenario(_polled, _ANSWERED),
    "two_runs_on_a_thread": Scenario(_two_runs, _ANSWERED * 2),
    "a_polled_tool_loop": Scenario(
        _tool_loop,
        [
            *("run requires_action", "called get_weather", "called get_weather"),
            *("run requires_action", "called get_time"),
            *("run completed", "step tool_calls completed", "step tool_calls completed"),
            *("step message_creation completed", "message by the assistant"),
        ],
    ),
    "a_streamed_run": Scenario(_streamed, [*_RUN_BEGINS, *_MESSAGE, "thread.run.completed", "run completed"]),
    "a_streamed_tool_loop": Scenario(
        _streamed_tool_loop,
        [
            *(*_RUN_BEGINS, *_CALLS, "thread.run.requires_action", "run requires_action", "called get_weather"),
            *("thread.run.step.completed", "thread.run.queued", "thread.run.in_progress", *_MESSAGE),
            *("thread.run.completed", "run completed"),
        ],
    ),
    "refused_requests": Scenario(
        _refused,
        [
            *_ANSWERED,
            '400 Runs in status "completed" do not accept tool outputs.',
            "400 Cannot cancel run with status 'completed'.",
            "404 No assistant found with id 'asst_x'.",
            "404 No thread found with id 'thread_x'.",
            "400 Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ],
    ),
    "a_failing_service": Scenario(_service_failing, ["run failed", "server_error"], needs_simulator=True),
    "a_stream_that_fails_midway": Scenario(
        _failing_midway,
        [
            *(*_RUN_BEGINS, *_MESSAGE_BEGINS, "thread.message.incomplete", "thread.run.step.failed"),
            *("thread.run.failed", "run failed", "server_error: the model is on fire"),
        ],
        needs_simulator=True,
    ),
}
