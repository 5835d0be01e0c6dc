"""What a test can make the simulator do from code, and what it can look at afterwards."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.adapters.simulator.simulator_client import (
    TIME,
    CountingIds,
    collapse_event_types,
    collect_events,
    collect_until_break,
    create_response,
    expect_rejection,
    list_calls,
    make_request,
    read_text,
)
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge_adapters.simulator import (
    FunctionCall,
    Reasoning,
    Scenario,
    ScriptedResponse,
    SimulatedUpstream,
    Simulator,
    SimulatorLimits,
    TextMessage,
)


async def test_scenarios_are_played_in_order_then_the_usual_returns(simulator: Simulator) -> None:
    simulator.enqueue(Scenario.from_text("first"), Scenario.from_refusal("no"))

    said = [read_text(await create_response(simulator, make_request("x"))) for _ in range(3)]

    assert said == ["first", "no", "ECHO: x"]


async def test_a_function_of_the_request_can_pick(clock: ManualClock) -> None:
    def script(body: JsonObject) -> Scenario | None:
        return Scenario.from_calls(FunctionCall("get_time", "{}")) if body.get("tools") else None

    picky = Simulator(script, clock=clock)

    with_tools = await create_response(picky, make_request("x", tools=[TIME]))
    without = await create_response(picky, make_request("x"))

    assert (list_calls(with_tools), read_text(without)) == ([("get_time", "{}")], "ECHO: x")


async def test_received_requests_are_kept_within_a_limit(clock: ManualClock) -> None:
    small = Simulator(clock=clock, limits=SimulatorLimits(requests=2))

    for text in ("a", "b", "c"):
        await create_response(small, make_request(text))

    assert [(seen.method, seen.path, seen.body["input"]) for seen in small.requests] == [
        ("POST", "/responses", "b"),
        ("POST", "/responses", "c"),
    ]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_an_http_error_comes_before_every_check(simulator: Simulator, status: int) -> None:
    simulator.enqueue(Scenario.from_http_error(status, "As told."))

    error = await expect_rejection(simulator, {"nonsense": True})

    assert (error.status, error.message, error.request_id) == (status, "As told.", "req_1")


async def test_exact_events_are_sent_as_they_are(simulator: Simulator) -> None:
    recorded = await collect_events(simulator, make_request("from elsewhere"))
    simulator.enqueue(Scenario.from_events(recorded), Scenario.from_events(recorded))

    streamed = await collect_events(simulator, make_request("x"))
    plain = await create_response(simulator, make_request("x"))

    assert streamed == recorded
    assert (plain["id"], read_text(plain)) == (recorded[-1]["response"]["id"], "ECHO: from elsewhere")


async def test_replayed_reasoning_may_be_sent_back(simulator: Simulator) -> None:
    thought: JsonObject = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAABrecorded"}
    ended: JsonObject = {"id": "resp_recorded", "background": False, "status": "completed", "output": [thought]}
    simulator.enqueue(Scenario.from_events([{"type": "response.completed", "response": ended, "sequence_number": 0}]))
    await collect_events(simulator, make_request("x", store=False))

    said = await create_response(
        simulator, make_request("x") | {"input": [{**thought, "id": None}, {"role": "user", "content": "y"}]}
    )

    assert read_text(said) == "ECHO: y"


@pytest.mark.parametrize("after", range(12))
async def test_a_connection_can_break_anywhere(simulator: Simulator, after: int) -> None:
    simulator.enqueue(Scenario.from_text("a b").with_break(after=after))

    told, error = await collect_until_break(simulator, make_request("x"))

    assert len(told) == min(after, 10)
    assert error.status == 502


async def test_a_plain_request_breaks_too(simulator: Simulator) -> None:
    simulator.enqueue(Scenario.from_text("a").with_break(after=3))

    error = await expect_rejection(simulator, make_request("x"))

    assert (error.status, error.body) == (502, None)


async def test_a_late_answer_waits_before_the_first_event(simulator: Simulator, clock: ManualClock) -> None:
    simulator.enqueue(Scenario.from_text("a").with_start_delay(30))

    waiting = asyncio.ensure_future(create_response(simulator, make_request("x")))
    await asyncio.sleep(0.01)
    before = waiting.done()
    clock.advance(30)

    assert not before
    assert read_text(await waiting) == "a"


async def test_the_token_limit_cuts_the_text_and_is_reached_exactly(simulator: Simulator) -> None:
    """Recorded (langchain test_incomplete_response): `output_tokens` equals the limit."""
    simulator.enqueue(Scenario.from_text("word " * 40))

    said = await create_response(simulator, make_request("x", max_output_tokens=16))

    assert (said["status"], said["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert said["usage"]["output_tokens"] == 16
    assert len(read_text(said).split()) == 16


async def test_reasoning_can_eat_the_whole_budget(simulator: Simulator) -> None:
    """Recorded (rig incomplete_max_output_tokens): nothing but the reasoning item comes out."""
    said = await create_response(simulator, {"model": "gpt-6-luna", "input": "x", "max_output_tokens": 16})

    assert [item["type"] for item in said["output"]] == ["reasoning"]
    assert said["usage"]["output_tokens_details"] == {"reasoning_tokens": 16}


async def test_a_call_can_be_cut_off(simulator: Simulator) -> None:
    """Recorded (rig incomplete_mid_tool_call): the call is closed with status incomplete."""
    simulator.enqueue(Scenario.from_incomplete("max_output_tokens", FunctionCall("add", '{"x":48151')))

    told = await collect_events(simulator, make_request("x"))

    done = [event for event in told if event["type"] == "response.output_item.done"]
    assert (done[0]["item"]["status"], done[0]["item"]["arguments"]) == ("incomplete", '{"x":48151')
    assert told[-1]["type"] == "response.incomplete"


async def test_streamed_and_plain_answers_are_the_same(clock: ManualClock) -> None:
    scenario = Scenario(
        response=ScriptedResponse([Reasoning("why", 3), TextMessage("because"), FunctionCall("get_time", "{}")])
    )
    plain = await create_response(Simulator([scenario], clock=clock, new_id=CountingIds()), make_request("x"))
    told = await collect_events(Simulator([scenario], clock=clock, new_id=CountingIds()), make_request("x"))

    billed = {key: value for key, value in plain.items() if key != "billing"}
    assert told[-1]["response"] == billed


async def test_events_are_numbered_and_padded_like_recordings(simulator: Simulator) -> None:
    told = await collect_events(simulator, make_request("x"))
    bare = await collect_events(simulator, make_request("x", stream_options={"include_obfuscation": False}))

    deltas = [event for event in told if event["type"] == "response.output_text.delta"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert {len(event["delta"] + event["obfuscation"]) % 16 for event in deltas} == {0}
    assert not any("obfuscation" in event for event in bare)


async def test_others_get_their_turn_between_events(simulator: Simulator) -> None:
    order: list[str] = []

    async def read() -> None:
        stream = await SimulatedUpstream(simulator).stream_response(orjson.dumps(make_request("a b c", stream=True)))
        async for _ in stream:
            order.append("event")
        await stream.aclose()

    async def live() -> None:
        for _ in range(5):
            order.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(read(), live())

    assert collapse_event_types([{"type": name} for name in order])[:6] == ["event", "other"] * 3


async def test_hanging_up_early_leaves_nothing_stored(simulator: Simulator) -> None:
    stream = await SimulatedUpstream(simulator).stream_response(orjson.dumps(make_request("a b c", stream=True)))
    first = await anext(aiter(stream))
    await stream.aclose()
    response = first.get("response") or {}

    error = await expect_rejection(simulator, make_request("y", previous_response_id=response.get("id")))

    assert error.code == "previous_response_not_found"


async def test_the_oldest_response_is_forgotten_first(clock: ManualClock) -> None:
    small = Simulator(clock=clock, limits=SimulatorLimits(responses=1))
    first = await create_response(small, make_request("a"))
    second = await create_response(small, make_request("b"))

    error = await expect_rejection(small, make_request("c", previous_response_id=first["id"]))
    kept = await create_response(small, make_request("c", previous_response_id=second["id"]))

    assert isinstance(error, UpstreamError)
    assert kept["status"] == "completed"


async def test_a_replayed_item_outlives_the_later_response_that_repeats_it(simulator: Simulator) -> None:
    first = await create_response(simulator, make_request("a"))
    repeated = {"input": [*first["output"], {"role": "user", "content": "b"}]}
    second = await create_response(simulator, make_request("b") | repeated)
    simulator.delete_response(second["id"])

    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    again = await create_response(
        simulator, make_request("c") | {"input": [reference, {"role": "user", "content": "c"}]}
    )

    assert read_text(again) == "ECHO: c"


async def test_a_stream_that_is_never_read_does_not_hold_its_conversation(simulator: Simulator) -> None:
    conversation = simulator.conversations.create({})["id"]
    body = make_request("x", conversation=conversation)
    unread = await SimulatedUpstream(simulator).stream_response(orjson.dumps({**body, "stream": True}))
    await unread.aclose()

    said = await create_response(simulator, body)

    assert said["status"] == "completed"


async def test_a_finished_stream_gives_back_only_its_own_hold(simulator: Simulator) -> None:
    conversation = simulator.conversations.create({})["id"]
    body = orjson.dumps(make_request("x", conversation=conversation, stream=True))
    first = await SimulatedUpstream(simulator).stream_response(body)
    reading = aiter(first)
    while (await anext(reading))["type"] != "response.completed":
        pass
    second = await SimulatedUpstream(simulator).stream_response(body)
    await anext(aiter(second))

    await first.aclose()
    error = await expect_rejection(simulator, make_request("y", conversation=conversation))
    await second.aclose()

    assert error.code == "conversation_locked"
