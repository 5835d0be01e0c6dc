"""The scenarios that are recorded with every backend, and the observations that each must cause with any model.

Observations contain no text of the model (see `ScenarioDriver`). A scenario that makes the service fail can
only be recorded from the simulator; while a live service is recorded it is left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.emulated_service import get_last_error
from tests.recorded.scenario_driver import ScenarioDriver
from tests.request_context import CONTEXT
from threadbridge.ports import ListQuery


@dataclass(frozen=True)
class RecordedScenario:
    """A conversation and its expected observations."""

    play: Callable[[ScenarioDriver], Awaitable[None]]
    observations: Sequence[str]
    needs_simulator: bool = False


async def _play_polled_run(driver: ScenarioDriver) -> None:
    await driver.add_message("SAY Good morning to you")
    await driver.run_polled()
    await driver.note_results()


async def _play_tool_loop(driver: ScenarioDriver) -> None:
    await driver.add_message(
        'CALL get_weather {"city": "Oslo"}',
        'CALL get_weather {"city": "Bern"}',
        'THEN CALL get_time {"city": "Lima"}',
        "SAY The sun shines everywhere",
    )
    await driver.run_polled()
    await driver.submit_polled()
    await driver.submit_polled()
    await driver.note_results()


async def _play_two_runs(driver: ScenarioDriver) -> None:
    for greeting in ("SAY Good morning", "SAY Good night"):
        await driver.add_message(greeting)
        await driver.run_polled()
        await driver.note_results()


async def _play_streamed_run(driver: ScenarioDriver) -> None:
    await driver.add_message("SAY One two three four five")
    await driver.run_streamed()


async def _play_streamed_tool_loop(driver: ScenarioDriver) -> None:
    await driver.add_message('CALL get_weather {"city": "Oslo"}', "SAY It is sunny in Oslo")
    await driver.run_streamed()
    await driver.submit_streamed()


async def _play_rejected_requests(driver: ScenarioDriver) -> None:
    await driver.add_message("SAY Nothing more to do")
    await driver.run_polled()
    await driver.note_results()
    outputs = {"tool_outputs": [{"tool_call_id": "call_x", "output": "sunny"}]}
    await driver.expect_rejection(
        driver.backend.submit_tool_outputs(CONTEXT, driver.thread_id, driver.run["id"], outputs)
    )
    await driver.expect_rejection(driver.backend.cancel_run(CONTEXT, driver.thread_id, driver.run["id"]))
    await driver.expect_rejection(driver.backend.stream_run(CONTEXT, driver.thread_id, {"assistant_id": "asst_x"}))
    await driver.expect_rejection(driver.backend.retrieve_thread(CONTEXT, "thread_x"))
    await driver.expect_rejection(driver.backend.list_messages(CONTEXT, driver.thread_id, ListQuery(limit=101)))


async def _play_failing_service(driver: ScenarioDriver) -> None:
    await driver.add_message("HTTP 503")
    await driver.run_polled()
    driver.observations.append(get_last_error(driver.run)["code"])


async def _play_stream_failure(driver: ScenarioDriver) -> None:
    await driver.add_message("SAY One two three", "FAIL server_error the model is on fire")
    await driver.run_streamed()
    error = get_last_error(driver.run)
    message, _, _ = error["message"].partition(" (request id ")  # every recording has another request id
    driver.observations.append(f"{error['code']}: {message}")


_MESSAGE_START_EVENTS = (
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
)
_MESSAGE_EVENTS = (*_MESSAGE_START_EVENTS, "thread.message.completed", "thread.run.step.completed")
_CALL_EVENTS = ("thread.run.step.created", "thread.run.step.in_progress", "thread.run.step.delta")
_RUN_START_EVENTS = ("thread.run.created", "thread.run.queued", "thread.run.in_progress")
_ANSWERED_OBSERVATIONS = ("run completed", "step message_creation completed", "message by the assistant")

SCENARIOS: Mapping[str, RecordedScenario] = {
    "a_polled_run": RecordedScenario(_play_polled_run, _ANSWERED_OBSERVATIONS),
    "two_runs_on_a_thread": RecordedScenario(_play_two_runs, _ANSWERED_OBSERVATIONS * 2),
    "a_polled_tool_loop": RecordedScenario(
        _play_tool_loop,
        [
            *("run requires_action", "called get_weather", "called get_weather"),
            *("run requires_action", "called get_time"),
            *("run completed", "step tool_calls completed", "step tool_calls completed"),
            *("step message_creation completed", "message by the assistant"),
        ],
    ),
    "a_streamed_run": RecordedScenario(
        _play_streamed_run, [*_RUN_START_EVENTS, *_MESSAGE_EVENTS, "thread.run.completed", "run completed"]
    ),
    "a_streamed_tool_loop": RecordedScenario(
        _play_streamed_tool_loop,
        [
            *(
                *_RUN_START_EVENTS,
                *_CALL_EVENTS,
                "thread.run.requires_action",
                "run requires_action",
                "called get_weather",
            ),
            *("thread.run.step.completed", "thread.run.queued", "thread.run.in_progress", *_MESSAGE_EVENTS),
            *("thread.run.completed", "run completed"),
        ],
    ),
    "refused_requests": RecordedScenario(
        _play_rejected_requests,
        [
            *_ANSWERED_OBSERVATIONS,
            '400 Runs in status "completed" do not accept tool outputs.',
            "400 Cannot cancel run with status 'completed'.",
            "404 No assistant found with id 'asst_x'.",
            "404 No thread found with id 'thread_x'.",
            "400 Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ],
    ),
    "a_failing_service": RecordedScenario(_play_failing_service, ["run failed", "server_error"], needs_simulator=True),
    "a_stream_that_fails_midway": RecordedScenario(
        _play_stream_failure,
        [
            *(*_RUN_START_EVENTS, *_MESSAGE_START_EVENTS, "thread.message.incomplete", "thread.run.step.failed"),
            *("thread.run.failed", "run failed", "server_error: the model is on fire"),
        ],
        needs_simulator=True,
    ),
}
