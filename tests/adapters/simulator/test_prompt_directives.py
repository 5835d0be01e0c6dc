"""The little language of the last user message."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.adapters.simulator.simulator_client import (
    TIME,
    WEATHER,
    collapse_event_types,
    collect_events,
    collect_until_break,
    create_response,
    expect_rejection,
    list_calls,
    make_next_request,
    make_request,
    read_text,
    user,
)
from tests.manual_clock import ManualClock
from threadbridge_adapters.simulator import Simulator


async def test_the_last_user_message_is_echoed(simulator: Simulator) -> None:
    said = await create_response(simulator, {"model": "sim-1", "input": [user("first"), user("second")]})

    assert read_text(said) == "ECHO: second"


async def test_the_streamed_pieces_join_to_the_plain_text(simulator: Simulator) -> None:
    told = await collect_events(simulator, make_request("some  words \n and a tail "))

    pieces = [event["delta"] for event in told if event["type"] == "response.output_text.delta"]
    assert "".join(pieces) == "ECHO: some  words \n and a tail "
    assert len(pieces) > 4


async def test_call_lines_in_a_row_are_parallel_calls(simulator: Simulator) -> None:
    body = make_request('Hello\nCALL get_weather {"city": "Bern"}\nCALL get_time', tools=[WEATHER, TIME])

    said = await create_response(simulator, body)

    assert list_calls(said) == [("get_weather", '{"city": "Bern"}'), ("get_time", "{}")]


async def test_without_parallel_calls_they_come_one_after_the_other(simulator: Simulator) -> None:
    body = make_request("CALL get_time\nCALL get_weather {}", tools=[WEATHER, TIME], parallel_tool_calls=False)

    first = await create_response(simulator, body)
    body = make_next_request(body, first, "noon")
    second = await create_response(simulator, body)
    third = await create_response(simulator, make_next_request(body, second, "rain"))

    assert [list_calls(first), list_calls(second)] == [[("get_time", "{}")], [("get_weather", "{}")]]
    assert read_text(third) == "RESULT: noon; rain"


async def test_then_begins_another_round_and_outputs_are_told_in_the_end(simulator: Simulator) -> None:
    body = make_request("CALL get_time\nTHEN CALL get_weather {}\nCALL get_time {}", tools=[WEATHER, TIME])

    first = await create_response(simulator, body)
    body = make_next_request(body, first, "noon")
    second = await create_response(simulator, body)
    third = await create_response(simulator, make_next_request(body, second, "rain", "one"))

    assert [name for name, _ in list_calls(second)] == ["get_weather", "get_time"]
    assert read_text(third) == "RESULT: noon; rain; one"


async def test_broken_arguments_are_sent_as_they_stand(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request('CALL get_weather {"city": ', tools=[WEATHER]))

    assert list_calls(said) == [("get_weather", '{"city":')]


async def test_an_undeclared_function_is_only_called_when_insisted_on(simulator: Simulator) -> None:
    plain = await create_response(simulator, make_request("CALL nowhere {}", tools=[WEATHER]))
    insisted = await create_response(simulator, make_request("CALL! nowhere {}", tools=[WEATHER]))

    assert read_text(plain) == "ECHO: CALL nowhere {}"
    assert list_calls(insisted) == [("nowhere", "{}")]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", ["get_weather", "get_time"]),
        ("none", []),
        ("required", ["get_weather", "get_time"]),
        ({"type": "function", "name": "get_time"}, ["get_time"]),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
            ["get_weather"],
        ),
    ],
)
async def test_tool_choice_decides_what_may_be_called(simulator: Simulator, choice: Any, called: list[str]) -> None:
    body = make_request("CALL get_weather {}\nCALL get_time {}", tools=[WEATHER, TIME], tool_choice=choice)

    said = await create_response(simulator, body)

    assert [name for name, _ in list_calls(said)] == called


async def test_a_forced_choice_calls_with_arguments_that_fit_the_schema(simulator: Simulator) -> None:
    body = make_request("Bern", tools=[WEATHER], tool_choice="required")

    said = await create_response(simulator, body)

    assert list_calls(said) == [("get_weather", '{"city":"Bern"}')]


async def test_a_forced_choice_sent_again_is_obeyed_again(simulator: Simulator) -> None:
    """§5: who repeats it on the next turn never gets an answer."""
    body = make_request("Bern", tools=[WEATHER], tool_choice="required")

    first = await create_response(simulator, body)
    second = await create_response(simulator, make_next_request(body, first, "rain"))

    assert list_calls(second) == list_calls(first)


async def test_say_gives_the_text_word_for_word(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("Ignored\nSAY one\nSAY  two"))

    assert read_text(said) == "one\n two"


async def test_think_puts_a_reasoning_item_first(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("THINK about it\nSAY done"))

    assert [item["type"] for item in said["output"]] == ["reasoning", "message"]
    assert said["output"][0]["summary"] == [{"type": "summary_text", "text": "about it"}]


async def test_refuse_gives_a_refusal(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("REFUSE I will not."))

    assert said["status"] == "completed"
    assert said["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_incomplete_cuts_the_message_off(simulator: Simulator, reason: str) -> None:
    said = await create_response(simulator, make_request(f"SAY half a\nINCOMPLETE {reason}"))

    assert (said["status"], said["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert (said["output"][0]["status"], said["completed_at"]) == ("incomplete", None)


async def test_fail_ends_the_stream_with_response_failed(simulator: Simulator) -> None:
    told = await collect_events(simulator, make_request("FAIL server_error It broke."))

    assert collapse_event_types(told) == ["response.created", "response.in_progress", "response.failed"]
    assert told[-1]["response"]["error"] == {"code": "server_error", "message": "It broke."}
    assert told[-1]["response"]["usage"] is None


async def test_fail_after_say_breaks_off_in_the_middle(simulator: Simulator) -> None:
    told = await collect_events(simulator, make_request("SAY one two\nFAIL server_error It broke."))

    assert collapse_event_types(told)[-2:] == ["response.output_text.delta", "response.failed"]


async def test_an_exhausted_quota_is_announced_as_recorded(simulator: Simulator) -> None:
    """vercel__ai openai-error.1: an `error` event, then `response.failed`."""
    told = await collect_events(simulator, make_request("FAIL insufficient_quota You exceeded your current quota."))

    assert collapse_event_types(told)[-2:] == ["error", "response.failed"]
    assert told[-2]["error"]["code"] == "insufficient_quota"


async def test_http_answers_with_an_error_status(simulator: Simulator) -> None:
    error = await expect_rejection(simulator, make_request("HTTP 429 2.5"))

    assert (error.status, error.code) == (429, "rate_limit_exceeded")


async def test_break_ends_the_connection_after_so_many_events(simulator: Simulator) -> None:
    told, error = await collect_until_break(simulator, make_request("a b c\nBREAK 5"))

    assert [event["sequence_number"] for event in told] == [0, 1, 2, 3, 4]
    assert (error.status, error.request_id) == (502, "req_1")


async def test_slow_waits_between_events(simulator: Simulator, clock: ManualClock) -> None:
    told = asyncio.ensure_future(collect_events(simulator, make_request("SLOW 2\nSAY a")))
    await asyncio.sleep(0.01)
    before = told.done()
    while not told.done():
        clock.advance(2)
        await asyncio.sleep(0)

    assert not before
    assert told.result()[-1]["response"]["completed_at"] >= 1_795_258_800 + 2 * (len(told.result()) - 1)


async def test_a_line_that_makes_no_sense_is_ordinary_text(simulator: Simulator) -> None:
    said = await create_response(simulator, make_request("INCOMPLETE because\nSLOW down\nCALLING you"))

    assert read_text(said) == "ECHO: INCOMPLETE because\nSLOW down\nCALLING you"


async def test_a_json_schema_format_is_filled_in(simulator: Simulator) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}},
        "required": ["name", "ages"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "person", "schema": schema, "strict": True}

    said = await create_response(simulator, make_request("Ann", text={"format": form}))

    assert orjson.loads(read_text(said)) == {"name": "ECHO: Ann", "ages": [0]}
