"""The little language of the last user message."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.adapters.simulator.simulator_client import (
    TIME,
    WEATHER,
    answer,
    asked,
    broken,
    calls_of,
    collapsed,
    continued,
    events,
    refusal,
    text_of,
    user,
)
from tests.clocks import StandingClock
from threadbridge_adapters.simulator import Simulator


async def test_the_last_user_message_is_echoed(simulator: Simulator) -> None:
    said = await answer(simulator, {"model": "sim-1", "input": [user("first"), user("second")]})

    assert text_of(said) == "ECHO: second"


async def test_the_streamed_pieces_join_to_the_plain_text(simulator: Simulator) -> None:
    told = await events(simulator, asked("some  words \n and a tail "))

    pieces = [event["delta"] for event in told if event["type"] == "response.output_text.delta"]
    assert "".join(pieces) == "ECHO: some  words \n and a tail "
    assert len(pieces) > 4


async def test_call_lines_in_a_row_are_parallel_calls(simulator: Simulator) -> None:
    body = asked('Hello\nCALL get_weather {"city": "Bern"}\nCALL get_time', tools=[WEATHER, TIME])

    said = await answer(simulator, body)

    assert calls_of(said) == [("get_weather", '{"city": "Bern"}'), ("get_time", "{}")]


async def test_without_parallel_calls_they_come_one_after_the_other(simulator: Simulator) -> None:
    body = asked("CALL get_time\nCALL get_weather {}", tools=[WEATHER, TIME], parallel_tool_calls=False)

    first = await answer(simulator, body)
    body = continued(body, first, "noon")
    second = await answer(simulator, body)
    third = await answer(simulator, continued(body, second, "rain"))

    assert [calls_of(first), calls_of(second)] == [[("get_time", "{}")], [("get_weather", "{}")]]
    assert text_of(third) == "RESULT: noon; rain"


async def test_then_begins_another_round_and_outputs_are_told_in_the_end(simulator: Simulator) -> None:
    body = asked("CALL get_time\nTHEN CALL get_weather {}\nCALL get_time {}", tools=[WEATHER, TIME])

    first = await answer(simulator, body)
    body = continued(body, first, "noon")
    second = await answer(simulator, body)
    third = await answer(simulator, continued(body, second, "rain", "one"))

    assert [name for name, _ in calls_of(second)] == ["get_weather", "get_time"]
    assert text_of(third) == "RESULT: noon; rain; one"


async def test_broken_arguments_are_sent_as_they_stand(simulator: Simulator) -> None:
    said = await answer(simulator, asked('CALL get_weather {"city": ', tools=[WEATHER]))

    assert calls_of(said) == [("get_weather", '{"city":')]


async def test_an_undeclared_function_is_only_called_when_insisted_on(simulator: Simulator) -> None:
    plain = await answer(simulator, asked("CALL nowhere {}", tools=[WEATHER]))
    insisted = await answer(simulator, asked("CALL! nowhere {}", tools=[WEATHER]))

    assert text_of(plain) == "ECHO: CALL nowhere {}"
    assert calls_of(insisted) == [("nowhere", "{}")]


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
    body = asked("CALL get_weather {}\nCALL get_time {}", tools=[WEATHER, TIME], tool_choice=choice)

    said = await answer(simulator, body)

    assert [name for name, _ in calls_of(said)] == called


async def test_a_forced_choice_calls_with_arguments_that_fit_the_schema(simulator: Simulator) -> None:
    body = asked("Bern", tools=[WEATHER], tool_choice="required")

    said = await answer(simulator, body)

    assert calls_of(said) == [("get_weather", '{"city":"Bern"}')]


async def test_a_forced_choice_sent_again_is_obeyed_again(simulator: Simulator) -> None:
    """§5: who repeats it on the next turn never gets an answer."""
    body = asked("Bern", tools=[WEATHER], tool_choice="required")

    first = await answer(simulator, body)
    second = await answer(simulator, continued(body, first, "rain"))

    assert calls_of(second) == calls_of(first)


async def test_say_gives_the_text_word_for_word(simulator: Simulator) -> None:
    said = await answer(simulator, asked("Ignored\nSAY one\nSAY  two"))

    assert text_of(said) == "one\n two"


async def test_think_puts_a_reasoning_item_first(simulator: Simulator) -> None:
    said = await answer(simulator, asked("THINK about it\nSAY done"))

    assert [item["type"] for item in said["output"]] == ["reasoning", "message"]
    assert said["output"][0]["summary"] == [{"type": "summary_text", "text": "about it"}]


async def test_refuse_gives_a_refusal(simulator: Simulator) -> None:
    said = await answer(simulator, asked("REFUSE I will not."))

    assert said["status"] == "completed"
    assert said["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_incomplete_cuts_the_message_off(simulator: Simulator, reason: str) -> None:
    said = await answer(simulator, asked(f"SAY half a\nINCOMPLETE {reason}"))

    assert (said["status"], said["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert (said["output"][0]["status"], said["completed_at"]) == ("incomplete", None)


async def test_fail_ends_the_stream_with_response_failed(simulator: Simulator) -> None:
    told = await events(simulator, asked("FAIL server_error It broke."))

    assert collapsed(told) == ["response.created", "response.in_progress", "response.failed"]
    assert told[-1]["response"]["error"] == {"code": "server_error", "message": "It broke."}
    assert told[-1]["response"]["usage"] is None


async def test_fail_after_say_breaks_off_in_the_middle(simulator: Simulator) -> None:
    told = await events(simulator, asked("SAY one two\nFAIL server_error It broke."))

    assert collapsed(told)[-2:] == ["response.output_text.delta", "response.failed"]


async def test_an_exhausted_quota_is_announced_as_recorded(simulator: Simulator) -> None:
    """vercel__ai openai-error.1: an `error` event, then `response.failed`."""
    told = await events(simulator, asked("FAIL insufficient_quota You exceeded your current quota."))

    assert collapsed(told)[-2:] == ["error", "response.failed"]
    assert told[-2]["error"]["code"] == "insufficient_quota"


async def test_http_answers_with_an_error_status(simulator: Simulator) -> None:
    error = await refusal(simulator, asked("HTTP 429 2.5"))

    assert (error.status, error.code) == (429, "rate_limit_exceeded")


async def test_break_ends_the_connection_after_so_many_events(simulator: Simulator) -> None:
    told, error = await broken(simulator, asked("a b c\nBREAK 5"))

    assert [event["sequence_number"] for event in told] == [0, 1, 2, 3, 4]
    assert (error.status, error.request_id) == (502, "req_1")


async def test_slow_waits_between_events(simulator: Simulator, clock: StandingClock) -> None:
    told = asyncio.ensure_future(events(simulator, asked("SLOW 2\nSAY a")))
    await asyncio.sleep(0.01)
    before = told.done()
    while not told.done():
        clock.advance(2)
        await asyncio.sleep(0)

    assert not before
    assert told.result()[-1]["response"]["completed_at"] >= 1_795_258_800 + 2 * (len(told.result()) - 1)


async def test_a_line_that_makes_no_sense_is_ordinary_text(simulator: Simulator) -> None:
    said = await answer(simulator, asked("INCOMPLETE because\nSLOW down\nCALLING you"))

    assert text_of(said) == "ECHO: INCOMPLETE because\nSLOW down\nCALLING you"


async def test_a_json_schema_format_is_filled_in(simulator: Simulator) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}},
        "required": ["name", "ages"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "person", "schema": schema, "strict": True}

    said = await answer(simulator, asked("Ann", text={"format": form}))

    assert orjson.loads(text_of(said)) == {"name": "ECHO: Ann", "ages": [0]}
