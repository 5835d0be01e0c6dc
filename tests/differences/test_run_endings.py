"""Numbered differences: cancelled, expired and failed runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import cast

import pytest

from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    StreamEvent,
    get_last_error,
    list_event_names,
    message_text,
    open_service,
    run_path,
)
from threadbridge.api_types import JsonObject
from threadbridge.errors import StoreError
from threadbridge.ports import Backend, Event, RequestContext, WarningSink, discard_warning
from threadbridge_adapters.simulator import Scenario


def make_thread_body(text: str) -> JsonObject:
    return {"messages": [{"role": "user", "content": text}]}


async def test_d4_a_cancelled_run_is_cancelling_and_cancelled_when_polled_next(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])

    answer = await service.post(f"{run_path(run)}/cancel")

    assert answer.body["status"] == "cancelling"
    assert (await service.retrieve_run(run))["status"] == "cancelled"


async def test_d4_a_run_in_progress_is_cancelled_when_its_turn_stops(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
    run = await service.start_run("Hi")
    await service.wait_for_status(run, "in_progress")

    answer = await service.post(f"{run_path(run)}/cancel")

    assert answer.body["status"] == "cancelling"
    assert (await service.retrieve_run(run))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("text", "code"), [("HTTP 500", "server_error"), ("HTTP 429", "rate_limit_exceeded"), ("HTTP 401", "server_error")]
)
async def test_d14_the_error_of_a_rejected_upstream_request_has_its_request_id(
    service: EmulatedService, text: str, code: str
) -> None:
    run = await service.run_to_rest(text)

    assert (run["status"], get_last_error(run)["code"]) == ("failed", code)
    assert get_last_error(run)["message"].endswith(")")
    assert "(request id req_" in get_last_error(run)["message"]


async def test_d14_the_error_of_a_failed_response_is_passed_on(service: EmulatedService) -> None:
    run = await service.run_to_rest("FAIL server_error The model is on fire.")

    assert get_last_error(run)["code"] == "server_error"
    assert re.fullmatch(r"The model is on fire\. \(request id req_\w+\)", get_last_error(run)["message"])


async def test_d16_active_runs_have_a_poll_hint() -> None:
    async with open_service(limits={"lease_seconds": 700}) as service:
        service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
        run = await service.start_run("Hi")
        await service.wait_for_status(run, "in_progress")

        advice: list[str] = []
        for seconds in (0, 3, 10, 60):
            service.clock.advance(seconds)
            advice.append((await service.get(run_path(run))).headers["openai-poll-after-ms"])
        await service.post(f"{run_path(run)}/cancel")

        assert advice == ["50", "250", "1000", "2000"]
        assert "openai-poll-after-ms" not in (await service.get(run_path(run))).headers


async def test_d47_a_run_cannot_be_cancelled_twice(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    await service.post(f"{run_path(run)}/cancel")

    refused = await service.post(f"{run_path(run)}/cancel")

    assert refused.error["message"] == "Cannot cancel run with status 'cancelled'."


async def test_d48_d57_a_queued_run_is_cancelled_without_asking_the_model() -> None:
    async with open_service(limits={"concurrent_turns": 1}) as service:
        service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
        busy = await service.start_run("Hi")
        await service.wait_for_status(busy, "in_progress")
        queued = await service.start_run("Hi")

        answer = await service.post(f"{run_path(queued)}/cancel")
        cancelled = await service.retrieve_run(queued)
        await service.post(f"{run_path(busy)}/cancel")

        assert (queued["status"], answer.body["status"], cancelled["status"]) == ("queued", "cancelling", "cancelled")
        assert cancelled["usage"] is None
        assert len(service.model_requests) == 1


async def test_d54_d55_a_run_that_expires_in_progress_keeps_its_streamed_text(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three four five six").with_delta_delay(0.02))
    events: list[StreamEvent] = []

    async for event in service.iterate_events(
        "/threads/runs", assistant_id=await service.create_assistant(), thread=make_thread_body("Hi")
    ):
        events.append(event)
        if [event.name for event in events].count("thread.message.delta") == 2:
            service.clock.advance(600)

    run = events[-2].data
    message, step = (await service.list_messages(run))[-1], (await service.list_steps(run))[0]
    assert list_event_names(events)[-4:] == ["message.incomplete", "run.step.expired", "run.expired", "done"]
    assert events[-4].data["incomplete_details"] == {"reason": "run_expired"}
    assert message_text(message).startswith("one two")
    assert (step["status"], step["expires_at"], step["completed_at"], step["failed_at"], step["cancelled_at"]) == (
        "expired",
        None,
        None,
        None,
        None,
    )


async def test_d89_a_cancelled_polled_run_stores_nothing_of_its_unfinished_response(
    service: EmulatedService,
) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three four five six").with_start_delay(60))
    run = await service.start_run("Hi")
    await service.wait_for_status(run, "in_progress")

    await service.post(f"{run_path(run)}/cancel")
    cancelled = await service.wait_until_rest(run)

    assert cancelled["status"] == "cancelled"
    assert (len(await service.list_messages(run)), await service.list_steps(run)) == (1, [])


async def test_d54_a_run_not_closed_by_its_worker_expires_five_seconds_later() -> None:
    async with open_service(limits={"concurrent_turns": 1, "lease_seconds": 700}) as service:
        service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
        busy = await service.start_run("Hi")
        await service.wait_for_status(busy, "in_progress")
        waiting = await service.start_run("Hi")

        service.clock.advance(604)
        retrieved = await service.retrieve_run(waiting)
        service.clock.advance(1)
        expired = await service.retrieve_run(waiting)

        assert (retrieved["status"], expired["status"]) == ("queued", "expired")


@pytest.mark.parametrize("text", ["SAY Hi", "INCOMPLETE max_output_tokens", "FAIL server_error no luck"])
async def test_d56_a_completed_run_has_no_deadline(service: EmulatedService, text: str) -> None:
    assert (await service.run_to_rest(text))["expires_at"] is None


async def test_d56_cancelled_and_expired_runs_have_no_deadline(service: EmulatedService) -> None:
    cancelled = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    await service.post(f"{run_path(cancelled)}/cancel")
    expired = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    service.clock.advance(600)

    ended = [await service.retrieve_run(cancelled), await service.retrieve_run(expired)]

    assert [(run["status"], run["expires_at"]) for run in ended] == [("cancelled", None), ("expired", None)]


async def test_d58_a_failing_stream_closes_message_step_and_run(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three").with_break(after=6))

    events = await service.collect_events(
        "/threads/runs", assistant_id=await service.create_assistant(), thread=make_thread_body("Hi")
    )

    assert list_event_names(events)[-4:] == ["message.incomplete", "run.step.failed", "run.failed", "done"]
    assert events[-4].data["incomplete_details"] == {"reason": "run_failed"}


async def test_d58_a_cancelled_stream_has_a_cancelling_event_before_the_closing_events(
    service: EmulatedService,
) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three four five six").with_delta_delay(0.02))
    events: list[StreamEvent] = []

    async for event in service.iterate_events(
        "/threads/runs", assistant_id=await service.create_assistant(), thread=make_thread_body("Hi")
    ):
        events.append(event)
        if [event.name for event in events].count("thread.message.delta") == 1 and event.name == "thread.message.delta":
            await service.post(f"{run_path(events[1].data)}/cancel")

    assert list_event_names(events)[-5:] == [
        "run.cancelling",
        "message.incomplete",
        "run.step.cancelled",
        "run.cancelled",
        "done",
    ]


async def test_d98_the_stream_of_a_deleted_thread_ends_as_cancelled_and_nothing_is_stored(
    service: EmulatedService,
) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three four five six").with_delta_delay(0.02))
    events: list[StreamEvent] = []
    deleted: list[JsonObject] = []

    async for event in service.iterate_events(
        "/threads/runs", assistant_id=await service.create_assistant(), thread=make_thread_body("Hi")
    ):
        events.append(event)
        if event.name == "thread.message.delta" and not deleted:
            deleted.append((await service.delete(f"/threads/{events[0].data['id']}")).body)

    assert deleted == [{"id": events[0].data["id"], "object": "thread.deleted", "deleted": True}]
    assert list_event_names(events)[-5:] == [
        "run.cancelling",
        "message.incomplete",
        "run.step.cancelled",
        "run.cancelled",
        "done",
    ]
    assert (await service.get(run_path(events[1].data))).status == 404


async def test_d98_a_queued_run_is_deleted_with_its_thread() -> None:
    async with open_service(limits={"concurrent_turns": 1}) as service:
        service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
        busy = await service.start_run("Hi")
        await service.wait_for_status(busy, "in_progress")
        events: list[StreamEvent] = []

        body = {"assistant_id": busy["assistant_id"], "thread": make_thread_body("Hi")}
        async for event in service.iterate_events("/threads/runs", **body):
            events.append(event)
            if event.name == "thread.run.queued":
                await service.delete(f"/threads/{events[0].data['id']}")
        await service.post(f"{run_path(busy)}/cancel")

        assert list_event_names(events)[-2:] == ["error", "done"]
        assert events[-2].data["error"]["message"] == "The run is gone: its thread was deleted."
        assert len(service.model_requests) == 1


class BreakingBackend:
    """A backend whose stream raises after its first event."""

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonObject,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        thread: JsonObject = {
            "id": "thread_1",
            "object": "thread",
            "created_at": 1,
            "metadata": {},
            "tool_resources": {},
        }
        yield Event("thread.created", thread)
        raise StoreError("The disk is full.")


async def test_d59_a_broken_stream_ends_with_an_error_event_with_the_envelope(service: EmulatedService) -> None:
    breaking = replace(service, backend=cast("Backend", BreakingBackend()))

    events = await breaking.collect_events("/threads/thread_1/runs", assistant_id="asst_1")

    envelope = {"error": {"message": "The disk is full.", "type": "server_error", "param": None, "code": None}}
    assert events[1:] == [StreamEvent("error", envelope), StreamEvent("done", "[DONE]")]
