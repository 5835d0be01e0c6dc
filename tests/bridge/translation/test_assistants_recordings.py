"""The real legacy service said it so: its streams, made again from the same words, must come out the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.recorded_streams import list_assistants_streams, make_parameters, needs_recordings
from tests.bridge.translation.upstream_events import (
    arguments_delta,
    call,
    created_events,
    final_event,
    item_done,
    message_stream,
)
from tests.bridge.translation.upstream_events import item_added as item_added
from threadbridge.api_types import RunObject, is_json_list, is_json_object
from threadbridge.ports import Event
from threadbridge.translation.stream_translator import TurnTranslator
from threadbridge.translation.wire_objects import build_streamed_run


def timeless(value: Any) -> Any:
    """The value with every time replaced by whether there is one."""
    if is_json_list(value):
        return [timeless(each) for each in value]
    if not is_json_object(value):
        return value
    return {name: inner is not None if name.endswith("_at") else timeless(inner) for name, inner in value.items()}


def ids(events: list[tuple[str, Any]]) -> dict[str, str]:
    """The id the service chose, by prefix."""
    return {data["id"].partition("_")[0]: data["id"] for name, data in events if name.endswith(".created")}


def fragments(events: list[tuple[str, Any]]) -> list[str]:
    return [data["delta"]["content"][0]["text"]["value"] for name, data in events if name == "thread.message.delta"]


def call_fragments(events: list[tuple[str, Any]]) -> list[Any]:
    return [data["delta"]["step_details"]["tool_calls"][0] for name, data in events if name == "thread.run.step.delta"]


def called_again(parts: list[Any]) -> list[Any]:
    first, *rest = parts
    arguments = [part["function"]["arguments"] for part in rest]
    item = {**call(), "call_id": first["id"], "name": first["function"]["name"], "arguments": "".join(arguments)}
    return [item_added(0, item), *(arguments_delta(0, each) for each in arguments), item_done(0, item)]


def upstream_usage(usage: Any | None) -> Any | None:
    return usage and {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": usage["prompt_token_details"],
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }


@needs_recordings
@pytest.mark.parametrize("stream", make_parameters(list_assistants_streams()))
def test_a_stream_of_the_legacy_service_is_reproduced_event_for_event(stream: list[tuple[str, Any]]) -> None:
    started = [name for name, _ in stream].index("thread.run.in_progress")
    run, expected = stream[started][1], stream[started + 1 :]
    again = message_stream(0, *fragments(expected)) if fragments(expected) else called_again(call_fragments(expected))
    # A streamed submit bears the usage of the earlier turn on the run: run = Σ steps (A46).
    usages = {name: data.get("usage") for name, data in expected}
    before = [data["usage"] for name, data in stream[:started] if name == "thread.run.step.completed"]
    given = ids(expected)
    turn = TurnTranslator(
        run | {"tool_resources": {}},
        new_id=lambda prefix: given[prefix],
        now=lambda: 1761861999.0,
        prior_usage=before[0] if before else None,
    )

    events: list[Event] = []
    for upstream in [
        *created_events(),
        *again,
        final_event([], usage=upstream_usage(usages.get("thread.run.step.completed"))),
    ]:
        events += turn.translate(upstream)

    assert [(event.name, timeless(event.data)) for event in events] == [
        (name, timeless(data)) for name, data in expected
    ]
    assert [list(event.data) for event in events] == [list(data) for _, data in expected]


@needs_recordings
@pytest.mark.parametrize("stream", make_parameters(list_assistants_streams()))
def test_a_run_is_shown_in_a_stream_as_the_legacy_service_showed_it(stream: list[tuple[str, Any]]) -> None:
    shown: list[RunObject] = [data for _, data in stream if data["object"] == "thread.run"]

    stored: list[RunObject] = [{**run, "tool_resources": {}} for run in shown]

    assert [build_streamed_run(run) for run in stored] == shown


@needs_recordings
def test_text_calls_and_their_continuation_were_recorded() -> None:
    assert len(list_assistants_streams()) == 3
