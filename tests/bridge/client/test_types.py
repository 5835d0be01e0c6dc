from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai.types.beta.threads
import orjson
import pytest

from tests.bridge.client.wire_objects import MESSAGE, RUN, STEP, call, call_stream, run, text_stream, waiting_run
from threadbridge import types
from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.ports import Event
from threadbridge.types import AssistantDeleted, Message, Run, RunStep, WireModel, parse_event

RECORDINGS = Path(os.environ.get("THREADBRIDGE_SHARED", Path(__file__).parents[3] / "../shared")) / "recordings"

MODELS: dict[str, type[WireModel]] = {
    "assistant": types.Assistant,
    "assistant.deleted": types.AssistantDeleted,
    "thread": types.Thread,
    "thread.deleted": types.ThreadDeleted,
    "thread.message": types.Message,
    "thread.message.deleted": types.MessageDeleted,
    "thread.message.delta": types.MessageDeltaEvent,
    "thread.run": types.Run,
    "thread.run.step": types.RunStep,
    "thread.run.step.delta": types.RunStepDeltaEvent,
}


def dumped(model: WireModel) -> JsonObject:
    return model.model_dump(mode="json", exclude_unset=True)


def test_a_run_reads_as_in_the_sdk() -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}

    read = Run.model_validate({**waiting_run(call("call_1", "add", '{"a":1}')), "usage": usage})

    assert read.required_action is not None
    assert read.required_action.submit_tool_outputs.tool_calls[0].function.arguments == '{"a":1}'
    assert read.usage is not None
    assert read.usage.total_tokens == 10


def test_a_message_reads_as_in_the_sdk() -> None:
    content: list[JsonObject] = [{"type": "text", "text": {"value": "Hi", "annotations": []}}]

    block = Message.model_validate({**MESSAGE, "content": content}).content[0]

    assert block.type == "text"
    assert block.text.value == "Hi"


@pytest.mark.parametrize(("model", "wire"), [(Run, RUN), (Message, MESSAGE), (RunStep, STEP)])
def test_dumping_gives_the_wire_back_in_its_order(model: type[WireModel], wire: JsonMapping) -> None:
    back = dumped(model.model_validate(wire))

    assert back == wire
    assert list(back) == list(wire)


def test_models_are_written_as_those_of_the_sdk_are() -> None:
    wire = {**MESSAGE, "colour": "blue"}

    mine, theirs = Message.model_validate(wire), openai.types.beta.threads.Message.model_validate(wire)

    assert mine.to_dict(exclude_none=True) == theirs.to_dict(exclude_none=True)
    assert orjson.loads(mine.to_json()) == orjson.loads(theirs.to_json()) == mine.to_dict() == wire
    assert mine.to_json(indent=None) == mine.model_dump_json(exclude_unset=True)


def test_fields_nobody_has_heard_of_are_kept_and_readable() -> None:
    wire = {**RUN, "mood": "sunny", "tools": [{"type": "web_search", "depth": {"max": 3}}]}

    read = Run.model_validate(wire)

    assert dumped(read) == wire
    assert getattr(read, "mood") == "sunny"  # noqa: B009  # not declared, on purpose
    assert getattr(read.tools[0], "type") == "web_search"  # noqa: B009  # not a known type


def test_fields_that_were_not_sent_read_as_none_and_stay_out() -> None:
    wire: JsonObject = {"id": "msg_1", "object": "thread.message", "role": "user", "content": []}

    read = Message.model_validate(wire)

    assert read.status is None
    assert dumped(read) == wire


@pytest.mark.parametrize(
    "wire",
    [
        {**RUN, "status": "paused"},
        {**RUN, "response_format": {"type": "grammar", "grammar": "x"}},
        {**RUN, "tool_choice": {"type": "mcp", "server": "x"}},
        {**RUN, "tools": [{"type": "function"}]},
        {**RUN, "last_error": {"code": "new_code", "message": "x"}},
    ],
)
def test_values_newer_than_this_version_are_no_error(wire: JsonMapping) -> None:
    assert dumped(Run.model_validate(wire)) == wire


def test_content_steps_and_annotations_of_new_types_are_no_error() -> None:
    message: JsonObject = {**MESSAGE, "content": [{"type": "audio", "audio": {"id": "a"}}]}
    calls: list[JsonObject] = [{"id": "c", "type": "mcp", "mcp": {}}]
    step: JsonObject = {**STEP, "step_details": {"type": "tool_calls", "tool_calls": calls}}

    assert dumped(Message.model_validate(message)) == message
    assert dumped(RunStep.model_validate(step)) == step


def test_a_schema_is_reachable_although_its_name_is_taken() -> None:
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}

    read = Run.model_validate({**RUN, "response_format": {"type": "json_schema", "json_schema": schema}})

    assert isinstance(read.response_format, types.ResponseFormatJSONSchema)
    assert read.response_format.json_schema.schema_ == {"type": "object"}
    assert dumped(read)["response_format"]["json_schema"] == schema


def test_a_deletion_says_what_was_deleted() -> None:
    read = AssistantDeleted.model_validate({"id": "asst_1", "object": "assistant.deleted", "deleted": True})

    assert read.deleted


@pytest.mark.parametrize("event", [*text_stream("Hi", " you"), *call_stream(["{", "}"])], ids=lambda e: e.name)
def test_every_event_has_a_class_of_its_own_and_keeps_its_data(event: Event) -> None:
    read = parse_event(event)

    assert type(read).__name__.lower() == event.name.replace("thread.", "thread").replace(".", "").replace("_", "")
    assert dumped(read)["data"] == event.data


def test_an_event_newer_than_this_version_is_given_as_it_is() -> None:
    read = parse_event(Event("thread.run.paused", {"id": "run_1"}))

    assert isinstance(read, types.UnknownEvent)
    assert dumped(read) == {"event": "thread.run.paused", "data": {"id": "run_1"}}


@pytest.mark.parametrize("data", [{"message": "Oh", "code": "server_error"}, {"error": {"message": "Oh"}}])
def test_an_error_event_shows_its_message_in_either_form(data: JsonMapping) -> None:
    read = parse_event(Event("error", data))

    assert isinstance(read, types.ErrorEvent)
    assert read.data.message == "Oh"


def objects(value: object) -> Iterator[JsonObject]:
    """The Assistants objects in a recorded answer."""
    if is_json_object(value) and value.get("object") == "list":
        for entry in value["data"]:
            yield from objects(entry)
    elif is_json_object(value) and value.get("object") in MODELS:
        yield value


def recorded() -> Iterator[tuple[JsonObject, Event | None]]:
    sys.path.insert(0, str(RECORDINGS))
    try:
        load: Any = importlib.import_module("load")  # lies beside the recordings
    finally:
        sys.path.pop(0)
    for interaction in load.interactions(RECORDINGS / "assistants"):
        for wire in objects(interaction.response_json):
            yield wire, None
        events: list[tuple[str, object]] = interaction.sse or []
        for name, data in events:
            for wire in objects(data):
                yield wire, Event(name, wire) if str(name).startswith("thread.") else None


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the shared recordings are not here")
def test_every_recorded_object_comes_back_as_it_was() -> None:
    kinds = set[str]()

    for wire, event in recorded():
        kinds.add(wire["object"])
        back = dumped(MODELS[wire["object"]].model_validate(wire))
        assert back == wire
        if "file_ids" not in wire:  # fields of v1 come back at another place
            assert list(back) == list(wire)
        if event is not None:
            assert dumped(parse_event(event))["data"] == wire

    assert kinds == set(MODELS)


def test_statuses_can_be_compared_as_text() -> None:
    assert Run.model_validate(run("completed")).status == "completed"
