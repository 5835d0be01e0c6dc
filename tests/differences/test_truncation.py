"""Numbered differences: truncation of long threads, and token budgets."""

from __future__ import annotations

from dataclasses import replace

from tests.emulated_service import WEATHER, EmulatedService, get_usage, list_event_names, open_service
from threadbridge.api_types import JsonObject
from threadbridge.ports import ObjectKind


def list_texts(request: JsonObject) -> list[str]:
    """The texts of a request to the model."""
    return [part["text"] for item in request["input"] if item["type"] == "message" for part in item["content"]]


def number_texts(*numbers: int) -> list[str]:
    """Messages of about seventy tokens."""
    return [f"Message {number}, " + "and so on, " * 15 for number in numbers]


async def test_d12_the_first_and_the_newest_turns_of_a_long_thread_are_sent() -> None:
    async with open_service(models={"gpt-4o": {"model": "gpt-4o", "context_tokens": 250}}) as service:
        thread_id = await service.create_thread(*number_texts(*range(1, 9)))

        run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant())
        await service.wait_until_rest(run.body)

    assert list_texts(service.model_requests[-1]) == number_texts(1, 7, 8)


async def test_d12_a_thread_within_the_window_is_sent_whole(service: EmulatedService) -> None:
    thread_id = await service.create_thread(*(["again"] * 32))

    run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant())
    await service.wait_until_rest(run.body)

    assert run.body["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert list_texts(service.model_requests[-1]) == ["again"] * 32


async def test_d50_a_too_small_prompt_budget_ends_the_run_before_the_request(service: EmulatedService) -> None:
    run = await service.run_to_rest("long " * 100, run={"max_prompt_tokens": 16})

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert (run["usage"], service.model_requests) == (None, [])


async def test_d50_a_prompt_budget_applies_to_all_turns_of_a_run(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER], run={"max_prompt_tokens": 100})

    run = await service.submit_outputs(waiting, "sunny " * 100)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert get_usage(run)["prompt_tokens"] <= 100
    assert len(service.model_requests) == 1


async def test_d50_the_stream_of_such_a_run_ends_with_incomplete(service: EmulatedService) -> None:
    thread = {"messages": [{"role": "user", "content": "long " * 100}]}

    events = await service.collect_events(
        "/threads/runs", assistant_id=await service.create_assistant(), thread=thread, max_prompt_tokens=16
    )

    assert list_event_names(events) == ["created", "run.created", "run.queued", "run.incomplete", "done"]


async def test_d50_messages_are_dropped_to_meet_the_budget(service: EmulatedService) -> None:
    thread_id = await service.create_thread(*number_texts(*range(1, 9)))

    run = await service.post(
        f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant(), max_prompt_tokens=250
    )
    rested = await service.wait_until_rest(run.body)

    assert rested["status"] == "completed"
    assert list_texts(service.model_requests[-1]) == number_texts(1, 7, 8)


async def test_d76_the_context_window_is_that_of_the_model_that_the_assistant_names(service: EmulatedService) -> None:
    long_text = "and so on, " * 3000
    thread = await service.create_thread("first", long_text, "last")

    narrow = await service.post(f"/threads/{thread}/runs", assistant_id=await service.create_assistant(model="gpt-4"))
    await service.wait_until_rest(narrow.body)
    wide = await service.post(f"/threads/{thread}/runs", assistant_id=await service.create_assistant(model="gpt-4o"))
    await service.wait_until_rest(wide.body)

    assert long_text not in list_texts(service.model_requests[0])
    assert long_text in list_texts(service.model_requests[1])


async def test_d76_settings_change_the_window_of_a_model_or_an_assistant() -> None:
    own = {"asst_mine": {"context_tokens": 150}}
    async with open_service(per_assistant=own, models={"gpt-4o": {"context_tokens": 250}}) as service:
        other = (await service.get(f"/assistants/{await service.create_assistant()}")).body
        mine = {**other, "id": "asst_mine"}
        await service.store.write(lambda session: session.add(ObjectKind.ASSISTANT, mine), tenant="default")
        for each in (mine, other):
            thread_id = await service.create_thread(*number_texts(*range(1, 9)))
            run = await service.post(f"/threads/{thread_id}/runs", assistant_id=each["id"])
            await service.wait_until_rest(run.body)

    assert [list_texts(request) for request in service.model_requests] == [number_texts(1, 8), number_texts(1, 7, 8)]


async def test_d77_tokens_are_counted_locally(service: EmulatedService) -> None:
    fits = await service.run_to_rest("one two three", run={"max_prompt_tokens": 16})
    does_not = await service.run_to_rest("one " * 20, run={"max_prompt_tokens": 16})

    assert (fits["status"], does_not["status"]) == ("completed", "incomplete")


async def test_d77_a_setting_has_the_upstream_count_tokens() -> None:
    async with open_service(truncation={"counting": "exact"}) as service:
        run = await service.run_to_rest("one two three", run={"max_prompt_tokens": 16})
        report = await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")

    assert run["status"] == "completed"
    assert report.body["turns"][0]["history"]["counted"] == get_usage(run)["prompt_tokens"]


async def test_d101_a_prompt_rejected_as_too_long_is_sent_again_with_less_history(service: EmulatedService) -> None:
    service.simulator.limits = replace(service.simulator.limits, context_tokens=100)
    thread_id = await service.create_thread(*number_texts(1, 2, 3))

    run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant())
    rested = await service.wait_until_rest(run.body)

    assert rested["status"] == "completed"
    assert [list_texts(request) for request in service.model_requests] == [number_texts(1, 2, 3), number_texts(1, 3)]


async def test_d108_a_compaction_is_kept_when_a_message_is_deleted() -> None:
    long_text = "and so on, " * 500
    async with open_service(truncation={"auto": "compact", "context_tokens": 1000}) as service:
        run = await service.run_to_rest(long_text)
        for message in await service.list_messages(run):
            await service.delete(f"/threads/{run['thread_id']}/messages/{message['id']}")
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="and now?")
        again = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await service.wait_until_rest(again.body)

    assert [item["type"] for item in service.model_requests[1]["input"]] == ["compaction", "message"]
    assert list_texts(service.model_requests[1]) == ["and now?"]
