"""Every recorded response of the real service, streamed or whole, becomes a legal turn that says the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.bridge.translation.event_order import EventOrderChecker, check_turn
from tests.bridge.translation.recorded_streams import list_responses, list_streams, make_parameters, needs_recordings
from tests.bridge.translation.upstream_events import translator
from threadbridge.api_types import JsonObject
from threadbridge.ports import Event
from threadbridge.translation.citations import strip_markers
from threadbridge.translation.stream_translator import TurnInterruption, TurnTranslator, iterate_events

ENDS = {"response.completed", "response.incomplete", "response.failed"}


def fed(stream: Any, turn: TurnTranslator) -> list[Event]:
    return [event for upstream in stream for event in turn.translate(upstream)] + turn.finish_stream()


def words(parts: list[Any]) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


def shown_words(parts: list[Any]) -> str:
    return "".join(
        part.get("refusal") or strip_markers(part["text"]["value"]) for part in parts if "image_file" not in part
    )


def citations_of(response: Any) -> Counter[str]:
    """The citations that can be shown: of files by their ids, of a container's files by the text they lie under."""
    found: Counter[str] = Counter()
    for item in response["output"]:
        for part in item.get("content") or () if item["type"] == "message" else ():
            for annotation in part.get("annotations") or ():
                if annotation["type"] == "file_citation":
                    found[annotation["file_id"]] += 1
                elif annotation.get("end_index") and annotation["type"] == "container_file_citation":
                    found[part["text"][annotation["start_index"] : annotation["end_index"]]] += 1
    return found


def shown_citations(judge: EventOrderChecker) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in (part["text"] for parts in judge.parts_by_message.values() for part in parts if part["type"] == "text"):
        for annotation in text["annotations"]:
            assert text["value"][annotation["start_index"] : annotation["end_index"]] == annotation["text"]
            found[annotation.get("file_citation", {}).get("file_id") or annotation["text"]] += 1
    return found


def messages_of(response: Any) -> list[str]:
    return [words(item["content"]) for item in response["output"] if item["type"] == "message"]


def calls_of(response: Any) -> list[tuple[str, str, str]]:
    return [
        (item["call_id"], item["name"], item["arguments"])
        for item in response["output"]
        if item["type"] == "function_call"
    ]


def counts(usage: Any | None) -> tuple[int, int, int, int, int]:
    given: JsonObject = usage or {}
    read: JsonObject = given.get("input_tokens_details") or {}
    written: JsonObject = given.get("output_tokens_details") or {}
    return (
        given.get("input_tokens", 0),
        given.get("output_tokens", 0),
        given.get("total_tokens", 0),
        read.get("cached_tokens", 0),
        written.get("reasoning_tokens", 0),
    )


def wire_counts(usage: Any | None) -> tuple[int, int, int, int, int]:
    assert usage is not None
    return (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        usage["total_tokens"],
        usage["prompt_token_details"]["cached_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


HOSTED = {"file_search_call": "search", "code_interpreter_call": "code"}


def hosted_calls(judge: EventOrderChecker) -> list[Any]:
    return [call for calls in judge.calls_by_step.values() for call in calls if call["type"] != "function"]


#: The run's status by the response's status and whether it called functions; what is missing is not finished.
STATUSES = {
    ("completed", False): "completed",
    ("completed", True): "requires_action",
    ("complete", False): "completed",  # one recording's own word
    ("incomplete", False): "incomplete",
    ("incomplete", True): "incomplete",
}


def check(events: list[Event], turn: TurnTranslator, response: Any) -> None:
    judge = check_turn(events)
    outcome = turn.outcome
    assert outcome is not None
    assert [shown_words(parts) for parts in judge.parts_by_message.values()] == messages_of(response)
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in judge.calls] == calls_of(
        response
    )
    assert shown_citations(judge) == citations_of(response)
    hosted = [item["type"] for item in response["output"] if item["type"] in HOSTED]
    assert [HOSTED[call["type"] + "_call"] for call in hosted_calls(judge)] == [HOSTED[kind] for kind in hosted]
    assert wire_counts(outcome.turn.usage) == counts(response["usage"])
    assert outcome.turn.response_id == response["id"]
    assert outcome.run["status"] == STATUSES.get((response["status"], bool(judge.calls)), "failed")
    kept = [entry.item["type"] if entry.item else "message" for entry in outcome.entries]
    every = [item["type"] for item in response["output"]]
    cut = outcome.run["status"] in ("incomplete", "failed")
    assert kept == [kind for kind in every if kind == "message" or not cut]


#: Its maker shortened the deltas and not the finished text.
SHORTENED = "openai-shell-container.1.chunks.txt"
FAITHFUL = tuple(stream for stream in list_streams() if SHORTENED not in stream.name)


@needs_recordings
@pytest.mark.parametrize("stream", make_parameters(FAITHFUL))
def test_a_recorded_stream_becomes_a_legal_turn_that_says_the_same(stream: list[Any]) -> None:
    turn = translator()

    events = fed(stream, turn)

    [end] = [event["response"] for event in stream if event["type"] in ENDS]
    check(events, turn, end)


@needs_recordings
def test_a_recording_whose_deltas_and_final_text_differ_shows_what_was_streamed() -> None:
    [stream] = [stream.data for stream in list_streams() if SHORTENED in stream.name]
    turn = translator()

    judge = check_turn(fed(stream, turn))

    assert [shown_words(parts) for parts in judge.parts_by_message.values()] == ["The command ran successfully."]


@needs_recordings
@pytest.mark.parametrize("response", make_parameters(list_responses()))
def test_a_recorded_response_becomes_a_legal_turn_that_says_the_same(response: Any) -> None:
    turn = translator()

    events = fed(iterate_events(response), turn)

    check(events, turn, response)


@needs_recordings
@pytest.mark.parametrize("stream", make_parameters(list_streams()))
def test_a_recorded_stream_may_break_at_every_item_and_is_closed(stream: list[Any]) -> None:
    stops = [at for at, event in enumerate(stream) if event["type"].startswith("response.output_item.")]

    for stop in [at + late for at in stops for late in (0, 1, 2)]:
        turn = translator()
        events = [event for upstream in stream[:stop] for event in turn.translate(upstream)]
        assert turn.outcome is None or stop >= len(stream)
        closing = turn.finish_stream() if turn.outcome else turn.interrupt(TurnInterruption("expired"))
        check_turn([*events, *closing])


@needs_recordings
def test_the_recordings_hold_what_these_tests_are_about() -> None:
    assert len(list_streams()) > 150
    assert len(list_responses()) > 300
