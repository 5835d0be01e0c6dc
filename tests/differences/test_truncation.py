"""Numbered differences: how much of a long thread a model is shown, and what a budget stops."""

from __future__ import annotations

from dataclasses import replace

from tests.differences.service import WEATHER, Service, emulated, names
from threadbridge.ports import ObjectKind, Wire


def texts(asked: Wire) -> list[str]:
    """What the model was told, word for word."""
    return [part["text"] for item in asked["input"] if item["type"] == "message" for part in item["content"]]


def numbered(*numbers: int) -> list[str]:
    """Messages of about seventy tokens."""
    return [f"Message {number}, " + "and so on, " * 15 for number in numbers]


async def test_d12_of_a_long_thread_the_first_turn_and_the_newest_that_fit_are_sent() -> None:
    async with emulated(models={"gpt-4o": {"model": "gpt-4o", "context_tokens": 250}}) as service:
        thread_id = await service.thread(*numbered(*range(1, 9)))

        run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.assistant())
        await service.rested(run.body)

    assert texts(service.asked[-1]) == numbered(1, 7, 8)


async def test_d12_a_thread_that_fits_is_sent_whole(service: Service) -> None:
    thread_id = await service.thread(*(["again"] * 32))

    run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.assistant())
    await service.rested(run.body)

    assert run.body["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert texts(service.asked[-1]) == ["again"] * 32


async def test_d50_a_prompt_budget_too_small_ends_the_run_before_the_model_is_asked(service: Service) -> None:
    run = await service.run("long " * 100, run={"max_prompt_tokens": 16})

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert (run["usage"], service.asked) == (None, [])


async def test_d50_a_prompt_budget_is_for_all_turns_of_a_run(service: Service) -> None:
    waiting = await service.run("CALL get_weather {}", tools=[WEATHER], run={"max_prompt_tokens": 100})

    run = await service.answered(waiting, "sunny " * 100)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert run["usage"]["prompt_tokens"] <= 100
    assert len(service.asked) == 1


async def test_d50_the_stream_of_such_a_run_says_how_it_ended(service: Service) -> None:
    thread = {"messages": [{"role": "user", "content": "long " * 100}]}

    events = await service.stream(
        "/threads/runs", assistant_id=await service.assistant(), thread=thread, max_prompt_tokens=16
    )

    assert names(events) == ["created", "run.created", "run.queued", "run.incomplete", "done"]


async def test_d50_messages_are_dropped_so_that_the_budget_holds(service: Service) -> None:
    thread_id = await service.thread(*numbered(*range(1, 9)))

    run = await service.post(
        f"/threads/{thread_id}/runs", assistant_id=await service.assistant(), max_prompt_tokens=250
    )
    rested = await service.rested(run.body)

    assert rested["status"] == "completed"
    assert texts(service.asked[-1]) == numbered(1, 7, 8)


async def test_d76_the_window_is_that_of_the_model_the_assistant_was_made_for(service: Service) -> None:
    long_text = "and so on, " * 3000
    thread = await service.thread("first", long_text, "last")

    narrow = await service.post(f"/threads/{thread}/runs", assistant_id=await service.assistant(model="gpt-4"))
    await service.rested(narrow.body)
    wide = await service.post(f"/threads/{thread}/runs", assistant_id=await service.assistant(model="gpt-4o"))
    await service.rested(wide.body)

    assert long_text not in texts(service.asked[0])
    assert long_text in texts(service.asked[1])


async def test_d76_a_model_or_an_assistant_can_be_given_another_window() -> None:
    own = {"asst_mine": {"context_tokens": 150}}
    async with emulated(per_assistant=own, models={"gpt-4o": {"context_tokens": 250}}) as service:
        other = (await service.get(f"/assistants/{await service.assistant()}")).body
        mine = {**other, "id": "asst_mine"}
        await service.store.write(lambda session: session.add(ObjectKind.ASSISTANT, mine), tenant="default")
        for each in (mine, other):
            thread_id = await service.thread(*numbered(*range(1, 9)))
            run = await service.post(f"/threads/{thread_id}/runs", assistant_id=each["id"])
            await service.rested(run.body)

    assert [texts(asked) for asked in service.asked] == [numbered(1, 8), numbered(1, 7, 8)]


async def test_d77_tokens_of_a_thread_are_counted_here(service: Service) -> None:
    fits = await service.run("one two three", run={"max_prompt_tokens": 16})
    does_not = await service.run("one " * 20, run={"max_prompt_tokens": 16})

    assert (fits["status"], does_not["status"]) == ("completed", "incomplete")


async def test_d77_the_service_is_asked_to_count_where_the_setting_says_so() -> None:
    async with emulated(truncation={"counting": "exact"}) as service:
        run = await service.run("one two three", run={"max_prompt_tokens": 16})
        told = await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")

    assert run["status"] == "completed"
    assert told.body["turns"][0]["history"]["counted"] == run["usage"]["prompt_tokens"]


async def test_d101_a_prompt_the_model_cannot_read_is_sent_with_less_of_the_thread(service: Service) -> None:
    service.simulator.limits = replace(service.simulator.limits, context_tokens=100)
    thread_id = await service.thread(*numbered(1, 2, 3))

    run = await service.post(f"/threads/{thread_id}/runs", assistant_id=await service.assistant())
    rested = await service.rested(run.body)

    assert rested["status"] == "completed"
    assert [texts(asked) for asked in service.asked] == [numbered(1, 2, 3), numbered(1, 3)]


async def test_d108_what_was_compacted_stays_so_when_a_message_is_deleted() -> None:
    long_text = "and so on, " * 500
    async with emulated(truncation={"auto": "compact", "context_tokens": 1000}) as service:
        run = await service.run(long_text)
        for message in await service.messages(run):
            await service.delete(f"/threads/{run['thread_id']}/messages/{message['id']}")
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="and now?")
        again = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await service.rested(again.body)

    assert [item["type"] for item in service.asked[1]["input"]] == ["compaction", "message"]
    assert texts(service.asked[1]) == ["and now?"]
