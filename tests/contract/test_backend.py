"""The promises of `ports.Backend`, kept by every backend, through every door (see `worlds.py`).

Each test starts with a fresh world and speaks only through the port. The simulator obeys lines in the user's message:
`CALL name {json}` calls a function, `THEN CALL …` does so in the next round, `SAY text` answers with the text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest

from tests.contract.environments import Environment
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject, JsonValue
from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import Event, ListQuery

WEATHER: JsonObject = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


async def an_assistant(world: Environment, **settings: object) -> str:
    assistant = await world.backend.create_assistant(CONTEXT, {"model": "gpt-4o", **settings})
    return str(assistant["id"])


async def a_thread(world: Environment, *texts: str) -> str:
    messages = [{"role": "user", "content": text} for text in texts]
    thread = await world.backend.create_thread(CONTEXT, {"messages": messages})
    return str(thread["id"])


async def until(world: Environment, thread_id: str, run_id: str, reached: Callable[[JsonValue], bool]) -> JsonValue:
    """Poll as a client would, with a bound."""
    run: JsonValue = {}
    for _ in range(500):
        run = (await world.backend.retrieve_run(CONTEXT, thread_id, run_id)).run
        if reached(run):
            return run
        await asyncio.sleep(0.01)
    raise AssertionError(f"the run is still {run['status']}")


def at_rest(run: JsonValue) -> bool:
    return run["status"] not in ("queued", "in_progress", "cancelling")


async def a_run(world: Environment, text: str, **settings: object) -> JsonValue:
    """A run on a new thread, polled until it rests."""
    assistant_id = await an_assistant(world, **settings)
    thread_id = await a_thread(world, text)
    run = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    return await until(world, thread_id, run["id"], at_rest)


def outputs(run: JsonValue, text: str = "sunny") -> JsonValue:
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return {"tool_outputs": [{"tool_call_id": call["id"], "output": f"{text} {n}"} for n, call in enumerate(calls)]}


def names(events: list[Event]) -> list[str]:
    """Event names, runs of deltas collapsed."""
    seen: list[str] = []
    for event in events:
        if not (event.name.endswith(".delta") and seen[-1:] == [event.name]):
            seen.append(event.name)
    return seen


def text_of(message: JsonValue) -> str:
    return str(message["content"][0]["text"]["value"])


# -- Assistants ------------------------------------------------------------------------------------------------------


async def test_a20_an_assistant_shows_every_key_in_order_with_its_defaults(world: Environment) -> None:
    assistant = await world.backend.create_assistant(CONTEXT, {"model": "gpt-4o"})

    assert {**assistant, "id": "asst", "created_at": 0} == {
        "id": "asst",
        "object": "assistant",
        "created_at": 0,
        "name": None,
        "description": None,
        "model": "gpt-4o",
        "instructions": None,
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }
    assert list(assistant)[:4] == ["id", "object", "created_at", "name"]


async def test_a9_ids_are_a_prefix_and_24_letters_and_digits(world: Environment) -> None:
    run = await a_run(world, "Hello")

    found = [await an_assistant(world), run["thread_id"], run["id"]]

    assert [bool(re.fullmatch(r"(asst|thread|run)_[A-Za-z0-9]{24}", object_id)) for object_id in found] == [True] * 3


async def test_a22_a_function_tool_is_echoed_with_parameters_and_strict(world: Environment) -> None:
    assistant = await world.backend.create_assistant(
        CONTEXT, {"model": "gpt-4o", "tools": [{"type": "function", "function": {"name": "Plugin-now"}}]}
    )

    assert assistant["tools"] == [
        {
            "type": "function",
            "function": {"name": "Plugin-now", "parameters": {"type": "object", "properties": {}}, "strict": False},
        }
    ]


async def test_a25_an_update_changes_what_it_names_and_nothing_else(world: Environment) -> None:
    assistant_id = await an_assistant(world, name="Ada", instructions="Be brief.", metadata={"a": "1"})

    changed = await world.backend.update_assistant(CONTEXT, assistant_id, {"name": "Eve", "metadata": {"b": "2"}})

    assert (changed["name"], changed["instructions"], changed["metadata"]) == ("Eve", "Be brief.", {"b": "2"})
    assert await world.backend.retrieve_assistant(CONTEXT, assistant_id) == changed


async def test_a26_a_deleted_assistant_is_gone_and_its_runs_stay(world: Environment) -> None:
    run = await a_run(world, "Hello")

    deleted = await world.backend.delete_assistant(CONTEXT, run["assistant_id"])

    assert deleted == {"id": run["assistant_id"], "object": "assistant.deleted", "deleted": True}
    with pytest.raises(NotFound, match=f"No assistant found with id '{run['assistant_id']}'."):
        await world.backend.create_run(CONTEXT, run["thread_id"], {"assistant_id": run["assistant_id"]})
    assert (await world.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run["status"] == "completed"


async def test_c5_c9_paging_goes_newest_first_to_an_empty_page(world: Environment) -> None:
    made = [await an_assistant(world, name=str(n)) for n in range(3)]

    first = await world.backend.list_assistants(CONTEXT, ListQuery(limit=2))
    rest = await world.backend.list_assistants(CONTEXT, ListQuery(limit=2, after=first["last_id"]))
    nothing = await world.backend.list_assistants(CONTEXT, ListQuery(limit=2, after=rest["last_id"]))

    assert [row["id"] for row in first["data"] + rest["data"]] == made[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert nothing == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_c6_explicit_nulls_mean_not_given(world: Environment) -> None:
    assistant_id = await an_assistant(
        world, name=None, description=None, tool_resources=None, reasoning_effort=None, temperature=None, metadata=None
    )
    thread = await world.backend.create_thread(CONTEXT, {"messages": None, "metadata": None, "tool_resources": None})
    message = {"role": "user", "content": "Hi", "attachments": None, "metadata": None}
    await world.backend.create_message(CONTEXT, thread["id"], message)

    run = await world.backend.create_run(
        CONTEXT, thread["id"],
        {"assistant_id": assistant_id, "instructions": None, "model": None, "tools": None, "tool_choice": None,
         "temperature": None, "response_format": None, "truncation_strategy": None, "max_prompt_tokens": None},
    )  # fmt: skip

    assert thread["metadata"] == {}
    assert (run["model"], run["tool_choice"], run["truncation_strategy"]["type"]) == ("gpt-4o", "auto", "auto")


# -- Threads and messages --------------------------------------------------------------------------------------------


async def test_a12_messages_of_one_second_keep_their_order(world: Environment) -> None:
    thread_id = await a_thread(world, "one", "two", "three")

    newest = await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=2))
    oldest = await world.backend.list_messages(CONTEXT, thread_id, ListQuery(order="asc"))

    assert [text_of(message) for message in newest["data"]] == ["three", "two"]
    assert [text_of(message) for message in oldest["data"]] == ["one", "two", "three"]


async def test_a32_a35_a_message_written_by_hand_has_the_rest_form(world: Environment) -> None:
    thread_id = await a_thread(world)

    message = await world.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": "Hi"})

    assert {**message, "id": "msg", "created_at": 0} == {
        "id": "msg",
        "object": "thread.message",
        "created_at": 0,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hi", "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


async def test_a19_a_deleted_message_is_gone_for_readers_and_for_the_model(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "keep this", "forget this")
    message_id = (await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=1)))["data"][0]["id"]

    await world.backend.delete_message(CONTEXT, thread_id, message_id)
    run = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    await until(world, thread_id, run["id"], at_rest)

    with pytest.raises(NotFound, match=f"No message found with id '{message_id}'."):
        await world.backend.retrieve_message(CONTEXT, thread_id, message_id)
    assert world.list_request_texts()[-1] == ["keep this"]


async def test_a15_a16_unknown_and_malformed_ids_are_told_apart(world: Environment) -> None:
    with pytest.raises(NotFound, match="No thread found with id 'thread_x'."):
        await world.backend.retrieve_thread(CONTEXT, "thread_x")
    with pytest.raises(InvalidRequest, match="Expected an ID that begins with 'thread'."):
        await world.backend.retrieve_thread(CONTEXT, "nonsense")
    with pytest.raises(NotFound, match="No run found with id 'run_x'."):
        await world.backend.retrieve_run(CONTEXT, await a_thread(world), "run_x")


async def test_a_deleted_thread_takes_everything_along(world: Environment) -> None:
    run = await a_run(world, "Hello")

    await world.backend.delete_thread(CONTEXT, run["thread_id"])

    with pytest.raises(NotFound):
        await world.backend.list_messages(CONTEXT, run["thread_id"], ListQuery())
    with pytest.raises(NotFound):
        await world.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])


# -- Runs ------------------------------------------------------------------------------------------------------------


async def test_a43_a45_a_new_run_is_queued_with_every_key(world: Environment) -> None:
    assistant_id = await an_assistant(world, instructions="Be brief.")
    thread_id = await a_thread(world, "Hello")

    run = await world.backend.create_run(
        CONTEXT, thread_id, {"assistant_id": assistant_id, "additional_instructions": "Be kind."}
    )

    assert list(run) == (
        "id object created_at assistant_id thread_id status started_at expires_at cancelled_at failed_at completed_at "
        "required_action last_error model instructions tools tool_resources metadata temperature top_p "
        "reasoning_effort max_completion_tokens max_prompt_tokens truncation_strategy incomplete_details usage "
        "response_format tool_choice parallel_tool_calls"
    ).split(" ")
    assert (run["status"], run["expires_at"]) == ("queued", run["created_at"] + 600)
    assert run["instructions"] == "Be brief.\nBe kind."


async def test_the_creator_of_a_run_is_warned_of_what_it_will_not_be(world: Environment) -> None:
    assistant_id = await an_assistant(world, model="o3", temperature=0.5)
    thread_id = await a_thread(world, "Hello")
    told: list[str] = []

    run = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id}, warn=told.append)
    await until(world, thread_id, run["id"], at_rest)
    [
        event
        async for event in await world.backend.stream_thread_and_run(
            CONTEXT,
            {"assistant_id": assistant_id, "thread": {"messages": [{"role": "user", "content": "Hi"}]}},
            warn=told.append,
        )
    ]

    assert told == 2 * ["The model o3 does not accept temperature; 0.5 has no effect."]


async def test_c2_a_completed_run_has_its_message_its_step_and_its_usage(world: Environment) -> None:
    run = await a_run(world, "SAY Good morning")

    message = (await world.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(limit=1)))["data"][0]
    step: JsonValue = (await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery()))["data"][0]

    assert (text_of(message), message["role"], message["run_id"]) == ("Good morning", "assistant", run["id"])
    assert step["step_details"] == {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
    assert (step["status"], step["expires_at"], step["usage"]) == ("completed", None, run["usage"])
    assert run["usage"]["total_tokens"] > 0
    assert (run["expires_at"], run["required_action"]) == (None, None)


async def test_c2_whoever_hears_that_a_run_is_completed_finds_its_results(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "SAY Good morning")
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})

    told = await anext(event.data async for event in stream if event.name == "thread.run.completed")
    run = (await world.backend.retrieve_run(CONTEXT, thread_id, told["id"])).run
    message = (await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=1)))["data"][0]
    step: JsonValue = (await world.backend.list_steps(CONTEXT, thread_id, run["id"], ListQuery()))["data"][0]

    assert (run["status"], run["usage"]) == ("completed", told["usage"])
    assert text_of(message) == "Good morning"
    assert (step["status"], step["completed_at"]) == ("completed", run["completed_at"])


async def test_a52_a42_a_busy_thread_refuses_runs_and_messages_in_words_clients_parse(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])
    thread_id, run_id = run["thread_id"], run["id"]

    with pytest.raises(InvalidRequest, match=f"Thread {thread_id} already has an active run {run_id}."):
        await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": run["assistant_id"]})
    with pytest.raises(InvalidRequest, match=f"Can't add messages to {thread_id} while a run {run_id} is active."):
        await world.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": "Hi"})
    with pytest.raises(InvalidRequest, match="Cannot update run with status 'requires_action'."):
        await world.backend.update_run(CONTEXT, thread_id, run_id, {"metadata": {}})


async def test_c7_a_thread_can_be_changed_while_a_run_is_active(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])

    thread = await world.backend.update_thread(CONTEXT, run["thread_id"], {"metadata": {"seen": "yes"}})

    assert thread["metadata"] == {"seen": "yes"}


async def test_a53_a_run_with_nothing_to_say_is_refused(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world)

    with pytest.raises(InvalidRequest) as refusal:
        await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})

    assert refusal.value.code == "invalid_thread"


async def test_a50_additional_messages_are_in_the_thread_before_the_run(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "first")

    run = await world.backend.create_run(
        CONTEXT,
        thread_id,
        {"assistant_id": assistant_id, "additional_messages": [{"role": "user", "content": "second"}]},
    )
    await until(world, thread_id, run["id"], at_rest)

    texts = [
        text_of(row) for row in (await world.backend.list_messages(CONTEXT, thread_id, ListQuery(order="asc")))["data"]
    ]
    assert texts[:2] == ["first", "second"]
    assert world.list_request_texts()[-1] == ["first", "second"]


async def test_a79_last_messages_shows_the_model_exactly_the_newest(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "one", "two", "three", "four")

    run = await world.backend.create_run(
        CONTEXT,
        thread_id,
        {"assistant_id": assistant_id, "truncation_strategy": {"type": "last_messages", "last_messages": 2}},
    )
    await until(world, thread_id, run["id"], at_rest)

    assert world.list_request_texts()[-1] == ["three", "four"]


# -- Tool calls ------------------------------------------------------------------------------------------------------


async def test_a64_a70_outputs_complete_the_step_and_the_run_goes_on(world: Environment) -> None:
    waiting = await a_run(world, 'CALL get_weather {"city": "Oslo"}', tools=[WEATHER])
    call = waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]

    queued = await world.backend.submit_tool_outputs(CONTEXT, waiting["thread_id"], waiting["id"], outputs(waiting))
    run = await until(world, waiting["thread_id"], waiting["id"], at_rest)

    listed: JsonValue = await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"))
    steps = listed["data"]
    assert call == {
        "id": call["id"],
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
    }
    assert (queued["status"], queued["required_action"], queued["started_at"]) == (
        "queued",
        None,
        waiting["started_at"],
    )
    assert [step["type"] for step in steps] == ["tool_calls", "message_creation"]
    assert steps[0]["step_details"]["tool_calls"][0]["function"]["output"] == "sunny 0"
    assert run["status"] == "completed"
    assert run["usage"]["total_tokens"] == sum(step["usage"]["total_tokens"] for step in steps)


async def test_a75_a78_while_waiting_the_step_is_open_without_usage(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])

    step: JsonValue = (await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery()))["data"][0]

    assert (step["status"], step["usage"], step["completed_at"]) == ("in_progress", None, None)
    assert step["step_details"]["tool_calls"][0]["function"]["output"] is None
    assert run["usage"] is None


async def test_c16_outputs_in_any_order_land_on_their_own_calls(world: Environment) -> None:
    run = await a_run(world, 'CALL get_weather {"city": "a"}\nCALL get_weather {"city": "b"}', tools=[WEATHER])
    body = outputs(run)
    expected = {output["tool_call_id"]: output["output"] for output in body["tool_outputs"]}

    await world.backend.submit_tool_outputs(
        CONTEXT, run["thread_id"], run["id"], {"tool_outputs": body["tool_outputs"][::-1]}
    )

    listed = await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"))
    step: JsonValue = listed["data"][0]
    assert {call["id"]: call["function"]["output"] for call in step["step_details"]["tool_calls"]} == expected


async def test_several_rounds_are_one_step_each(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}\nTHEN CALL get_weather {}", tools=[WEATHER])
    for _ in range(2):
        await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], outputs(run))
        run = await until(world, run["thread_id"], run["id"], at_rest)

    steps = (await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc")))["data"]

    assert run["status"] == "completed"
    assert [step["type"] for step in steps] == ["tool_calls", "tool_calls", "message_creation"]


async def test_a66_a67_incomplete_unknown_and_duplicate_outputs_change_nothing(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}\nCALL get_weather {}", tools=[WEATHER])
    first, second = (call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"])
    refused = {
        f"Expected tool outputs for call_ids ['{first}', '{second}'], got ['{first}']": [first],
        f"Expected tool outputs for call_ids ['{first}', '{second}'], got ['{first}', 'call_x']": [first, "call_x"],
        f"Duplicate call_ids submitted: ['{first}', '{first}']": [first, first],
    }

    for text, ids in refused.items():
        body = {"tool_outputs": [{"tool_call_id": call_id, "output": "x"} for call_id in ids]}
        with pytest.raises(InvalidRequest, match=re.escape(text)):
            await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], body)

    assert (await world.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run == run


async def test_a68_a_run_that_does_not_wait_takes_no_outputs(world: Environment) -> None:
    run = await a_run(world, "Hello")
    body = {"tool_outputs": [{"tool_call_id": "call_x", "output": "x"}]}

    with pytest.raises(InvalidRequest, match='Runs in status "completed" do not accept tool outputs.'):
        await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], body)


# -- Ends ------------------------------------------------------------------------------------------------------------


async def test_a61_c8_a_waiting_run_is_cancelled_and_the_thread_is_free_at_once(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])
    thread_id = run["thread_id"]

    cancelling = await world.backend.cancel_run(CONTEXT, thread_id, run["id"])
    following = await world.backend.create_run(
        CONTEXT,
        thread_id,
        {
            "assistant_id": run["assistant_id"],
            "additional_messages": [{"role": "user", "content": "SAY on we go"}],
        },
    )

    assert (cancelling["status"], cancelling["cancelled_at"]) == ("cancelling", None)
    assert (await until(world, thread_id, following["id"], at_rest))["status"] == "completed"
    cancelled = (await world.backend.retrieve_run(CONTEXT, thread_id, run["id"])).run
    assert (cancelled["status"], cancelled["required_action"], cancelled["expires_at"]) == ("cancelled", None, None)
    step: JsonValue = (await world.backend.list_steps(CONTEXT, thread_id, run["id"], ListQuery()))["data"][0]
    assert step["status"] == "cancelled"


async def test_a61_a_finished_run_cannot_be_cancelled(world: Environment) -> None:
    run = await a_run(world, "Hello")

    with pytest.raises(InvalidRequest, match="Cannot cancel run with status 'completed'."):
        await world.backend.cancel_run(CONTEXT, run["thread_id"], run["id"])


async def test_a60_unanswered_calls_expire_after_ten_minutes_and_free_the_thread(world: Environment) -> None:
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])

    world.clock.advance(600)
    expired = (await world.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run

    assert (expired["status"], expired["required_action"], expired["expires_at"]) == ("expired", None, None)
    with pytest.raises(InvalidRequest, match='Runs in status "expired" do not accept tool outputs.'):
        await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], outputs(run))
    await world.backend.create_message(CONTEXT, run["thread_id"], {"role": "user", "content": "still here"})


async def test_a_failing_upstream_fails_the_run_with_its_own_words(world: Environment) -> None:
    run = await a_run(world, "FAIL server_error the model is on fire")

    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "server_error"
    assert "the model is on fire" in run["last_error"]["message"]
    assert run["failed_at"] is not None


async def test_a_run_at_its_token_limit_is_incomplete(world: Environment) -> None:
    run = await a_run(world, "INCOMPLETE max_output_tokens")

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})


# -- Streams ---------------------------------------------------------------------------------------------------------

TEXT_EVENTS = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
]


async def streamed(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def test_a90_a_streamed_answer_comes_in_the_recorded_order(world: Environment) -> None:
    assistant_id = await an_assistant(world)

    stream = await world.backend.stream_thread_and_run(
        CONTEXT,
        {"assistant_id": assistant_id, "thread": {"messages": [{"role": "user", "content": "SAY one two three"}]}},
    )
    events = await streamed(stream)

    assert names(events) == ["thread.created", *TEXT_EVENTS]
    deltas = [event.data["delta"]["content"][0]["text"]["value"] for event in events if event.name.endswith("ge.delta")]
    assert "".join(deltas) == "one two three"
    assert len(deltas) > 1
    run = events[-1].data
    assert (await world.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run["status"] == "completed"


async def test_a91_a_streamed_call_and_its_streamed_continuation(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[WEATHER])
    thread_id = await a_thread(world, 'CALL get_weather {"city": "Oslo"}')

    first = await streamed(await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id}))
    waiting = first[-1].data
    second = await streamed(
        await world.backend.stream_tool_outputs(CONTEXT, thread_id, waiting["id"], outputs(waiting))
    )

    assert names(first) == [
        *TEXT_EVENTS[:5],
        "thread.run.step.delta",
        "thread.run.requires_action",
    ]
    assert names(second) == ["thread.run.step.completed", *TEXT_EVENTS[1:]]


async def test_c3_c4_the_run_waits_before_it_says_so_and_takes_outputs_with_the_first_stream_open(
    world: Environment,
) -> None:
    assistant_id = await an_assistant(world, tools=[WEATHER])
    thread_id = await a_thread(world, "CALL get_weather {}")
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})

    waiting = await anext(event.data async for event in stream if event.name == "thread.run.requires_action")
    stored = (await world.backend.retrieve_run(CONTEXT, thread_id, waiting["id"])).run
    second = await streamed(
        await world.backend.stream_tool_outputs(CONTEXT, thread_id, waiting["id"], outputs(waiting))
    )

    assert stored["status"] == "requires_action"
    assert second[-1].name == "thread.run.completed"


async def test_c4_outputs_are_taken_without_a_stream_too_while_the_first_one_is_open(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[WEATHER])
    thread_id = await a_thread(world, "CALL get_weather {}")
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})

    waiting = await anext(event.data async for event in stream if event.name == "thread.run.requires_action")
    await world.backend.submit_tool_outputs(CONTEXT, thread_id, waiting["id"], outputs(waiting))
    run = await until(world, thread_id, waiting["id"], at_rest)

    assert run["status"] == "completed"
    assert [event async for event in stream] == []


async def test_a100_a_reader_who_leaves_does_not_stop_the_run(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "SAY one two three four five")
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    first = await anext(stream)

    await close(stream)
    run = await until(world, thread_id, first.data["id"], at_rest)

    assert run["status"] == "completed"
    newest = (await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=1)))["data"][0]
    assert text_of(newest) == "one two three four five"


async def test_a96_a_failure_within_a_stream_closes_it(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "FAIL server_error no luck")

    events = await streamed(await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id}))

    assert events[-1].name == "thread.run.failed"
    assert "no luck" in events[-1].data["last_error"]["message"]


async def test_a95_cancelling_a_streamed_run_keeps_what_was_said_and_closes_everything(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    thread_id = await a_thread(world, "SLOW 0.05\nSAY one two three four five six seven eight nine ten")
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    seen: list[Event] = []
    async for event in stream:
        seen.append(event)
        if event.name == "thread.message.delta":
            break

    await world.backend.cancel_run(CONTEXT, thread_id, seen[0].data["id"])
    seen += await streamed(stream)

    closing = [name for name in names(seen) if name not in TEXT_EVENTS]
    assert closing == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    run = (await world.backend.retrieve_run(CONTEXT, thread_id, seen[0].data["id"])).run
    assert run["status"] == "cancelled"
    newest = (await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=1)))["data"][0]
    assert text_of(newest).startswith("one")


async def test_a_refused_stream_is_an_exception_and_not_an_event(world: Environment) -> None:
    thread_id = await a_thread(world, "Hello")

    with pytest.raises(NotFound, match="No assistant found with id 'asst_x'."):
        await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": "asst_x"})


async def test_c20_fifty_threads_run_at_once(world: Environment) -> None:
    runs = await asyncio.gather(*(a_run(world, f"SAY answer {n}") for n in range(50)))

    messages = [
        (await world.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(limit=1)))["data"][0] for run in runs
    ]
    assert [text_of(message) for message in messages] == [f"answer {n}" for n in range(50)]


async def close(stream: AsyncIterator[Event]) -> None:
    closing = getattr(stream, "aclose", None)
    assert closing is not None, "a stream of events must be closable"
    await closing()
