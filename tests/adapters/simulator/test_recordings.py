"""What the simulator sends, held against recorded streams: the same orders, the same keys in the same places."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.simulator.simulator_client import (
    TIME,
    WEATHER,
    collapse_event_types,
    collect_events,
    create_response,
    create_vector_store,
    make_request,
    send_request,
    upload_file,
)
from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_adapters.simulator import FunctionCall, Scenario, Simulator

_SHARED = Path(__file__).parents[3] / ".." / "shared" / "recordings"
#: Recorded by clients that keep bodies as they were, 2025-10 to 2026-09, and rig's, whose keys were sorted afterwards.
_SOURCES = (
    "0xPlaygrounds__rig",
    "DataDog__dd-trace-js",
    "Mirascope__mirascope",
    "charmbracelet__fantasy",
    "crmne__ruby_llm",
    "langchain-ai__langchain",
    "vercel__ai",
)
#: Streams of these show each thing a stream can hold; the bodies are what the simulator is asked.
_LUNA: JsonObject = {"model": "gpt-5.6-luna", "include": ["reasoning.encrypted_content"]}
_NANO: JsonObject = {"model": "gpt-5-nano", "include": ["reasoning.encrypted_content"], "store": False}
STREAMS: Mapping[str, JsonObject] = {
    "text": {"model": "gpt-4o-mini", "input": "hello there"},
    "function call": {"model": "gpt-4o-mini", "input": 'CALL get_weather {"city": "Bern"}', "tools": [WEATHER]},
    "parallel calls": {
        "model": "gpt-4o-mini",
        "input": 'CALL get_weather {"city": "Bern"}\nCALL get_time {"zone": 1}',
        "tools": [WEATHER, TIME],
    },
    "refusal": {"model": "gpt-4o-mini", "input": "REFUSE I cannot help with that."},
    "incomplete": {"model": "gpt-4o-mini", "input": "SAY half of\nINCOMPLETE max_output_tokens"},
    "reasoning and text": {**_NANO, "input": "hello"},
    "reasoning and a call": {**_NANO, "input": 'CALL get_weather {"city": "Bern"}', "tools": [WEATHER]},
    "a summary of reasoning": {**_NANO, "input": "hello", "reasoning": {"effort": "low", "summary": "auto"}},
    "a compaction": {
        "model": "gpt-5.2",
        "input": "hello " * 1000,
        "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    },
    "nothing but reasoning": {**_LUNA, "input": "hello", "max_output_tokens": 16},
}


#: Questions about hosted tools, and the sources that recorded such streams.
HOSTED: Mapping[str, str] = {
    "file search": "SEARCH pizza\nSAY It is pizza[[1]]. Really[[1]].",
    "code": "PYTHON print(1)\nPRINTS 1\nSAY One.",
    "a chart and a file": "PYTHON plot()\nDRAWS chart.png",
}
_INCLUDES = ["file_search_call.results", "code_interpreter_call.outputs"]


@cache
def _recorded_everywhere() -> Sequence[Any]:
    return list(_loaded().interactions(str(_SHARED)))


@cache
def _recorded() -> Sequence[Any]:
    module = _loaded()
    return [seen for name in _SOURCES for seen in module.interactions(str(_SHARED / "responses" / name))]


@cache
def _loaded() -> Any:
    path = _SHARED / "load.py"
    if not path.exists():
        pytest.skip("the shared recordings are not here")
    spec = importlib.util.spec_from_file_location("recordings_load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recordings_load"] = module
    spec.loader.exec_module(module)
    return module


def _recorded_streams() -> Iterator[list[JsonObject]]:
    for seen in _recorded():
        events = [data for _, data in seen.sse or () if is_json_object(data) and "type" in data]
        if events:
            yield events


def _recorded_plain() -> Iterator[JsonObject]:
    for seen in _recorded():
        if is_json_object(seen.response_json) and seen.response_json.get("object") == "response":
            yield seen.response_json


def _keys(events: Sequence[JsonObject]) -> set[tuple[str, ...]]:
    """The type and the keys, in order, of every event, response, item and part in a stream."""
    found: set[tuple[str, ...]] = set()
    for event in events:
        kind = str(event["type"])
        found.add((kind, *event))
        for name in ("item", "part"):
            inner = event.get(name)
            if is_json_object(inner):
                found.add((f"{kind} {name} {inner['type']}", *inner))
    return found


def _response_keys(response: JsonObject) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    usage, reasoning = response.get("usage") or JsonObject(), response.get("reasoning") or JsonObject()
    return tuple(response), tuple(usage), tuple(reasoning)


@pytest.mark.parametrize("kind", STREAMS)
async def test_the_order_of_events_is_one_that_was_recorded(simulator: Simulator, kind: str) -> None:
    orders = [collapse_event_types(events) for events in _recorded_streams()]

    events = await collect_events(simulator, STREAMS[kind])

    assert collapse_event_types(events) in orders


@pytest.mark.parametrize("kind", STREAMS)
async def test_every_event_has_recorded_keys_in_recorded_order(simulator: Simulator, kind: str) -> None:
    seen = {keys for events in _recorded_streams() for keys in _keys(events)}
    sorted_seen = {(keys[0], *sorted(keys[1:])) for keys in seen}

    events = _keys(await collect_events(simulator, STREAMS[kind]))

    # Refusals and cut-off calls were only recorded where keys were sorted (rig) or in an older order (Mirascope).
    assert {(keys[0], *sorted(keys[1:])) for keys in events} <= sorted_seen
    assert {keys for keys in events if not _rare(keys[0])} <= seen


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_streamed_response_has_recorded_keys_in_recorded_order(simulator: Simulator, kind: str) -> None:
    seen = {
        _response_keys(event["response"])
        for events in _recorded_streams()
        for event in events
        if event["type"] == "response.completed" and "response" in event
    }

    events = await collect_events(simulator, STREAMS[kind])

    keys = _response_keys(events[-1]["response"])
    assert [part in {other[index] for other in seen} for index, part in enumerate(keys)] == [True, True, True]


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5-nano", "gpt-5.6-sol", "gpt-6-astra"])
async def test_a_plain_response_has_recorded_keys_in_recorded_order(simulator: Simulator, model: str) -> None:
    seen = {_response_keys(response)[:2] for response in _recorded_plain()}

    said = await create_response(simulator, {"model": model, "input": "hello"})

    assert _response_keys(said)[:2] in seen


async def test_recorded_streams_are_replayed_event_for_event(simulator: Simulator) -> None:
    whole = [events for events in _recorded_streams() if events[-1]["type"] == "response.completed"]
    simulator.enqueue(*(Scenario.from_events(events) for events in whole))

    replayed = [await collect_events(simulator, make_request("x", store=False)) for _ in whole]

    assert len(whole) > 50
    assert replayed == whole


async def test_a_truncated_call_has_events_as_recorded(simulator: Simulator) -> None:
    """rig incomplete_mid_tool_call."""
    simulator.enqueue(Scenario.from_incomplete("max_output_tokens", FunctionCall("add", '{"x":48151')))
    orders = [collapse_event_types(events) for events in _recorded_streams()]

    events = await collect_events(simulator, make_request("x"))

    assert collapse_event_types(events) in orders


def _rare(kind: str) -> bool:
    return "refusal" in kind or kind == "response.incomplete"


def _stretches(events: Sequence[JsonObject]) -> set[tuple[str, ...]]:
    """For each output item, the types of its events, from the first to the last."""
    found: set[tuple[str, ...]] = set()
    for index in {event["output_index"] for event in events if "output_index" in event}:
        found.add(tuple(collapse_event_types([event for event in events if event.get("output_index") == index])))
    return found


def _shapes(value: Any) -> Iterator[tuple[str, ...]]:
    """What kind of object it is, and its keys sorted, for every object inside."""
    if is_json_object(value):
        kind = value.get("object") or value.get("type")
        if isinstance(kind, str):
            yield kind, *sorted(value)
        for inner in value.values():
            yield from _shapes(inner)
    elif is_json_list(value):
        for inner in value:
            yield from _shapes(inner)


@cache
def _recorded_shapes() -> set[tuple[str, ...]]:
    bodies = [[seen.response_json, *(data for _, data in seen.sse or ())] for seen in _recorded_everywhere()]
    return {shape for body in bodies for shape in _shapes(body)}


async def _hosted(simulator: Simulator, question: str) -> JsonObject:
    store_id = await create_vector_store(simulator, "pizza")
    tools = [
        {"type": "file_search", "vector_store_ids": [store_id]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]
    return {"model": "gpt-4o-mini", "input": question, "tools": tools, "include": _INCLUDES}


@pytest.mark.parametrize("kind", HOSTED)
async def test_events_of_hosted_tools_come_in_a_recorded_order(simulator: Simulator, kind: str) -> None:
    streams = [[data for _, data in seen.sse or () if is_json_object(data)] for seen in _recorded_everywhere()]
    recorded = {stretch for events in streams for stretch in _stretches([each for each in events if "type" in each])}

    events = await collect_events(simulator, await _hosted(simulator, HOSTED[kind]))

    assert _stretches(events) <= recorded


@pytest.mark.parametrize("kind", HOSTED)
async def test_events_items_and_annotations_of_hosted_tools_have_recorded_keys(simulator: Simulator, kind: str) -> None:
    events = await collect_events(simulator, await _hosted(simulator, HOSTED[kind]))

    shapes = {shape for event in events if "response" not in event for shape in _shapes(event)}
    assert shapes <= _recorded_shapes()


async def test_files_stores_and_containers_have_recorded_keys(simulator: Simulator) -> None:
    file = await upload_file(simulator, "pizza")
    store = await send_request(simulator, "POST", "/vector_stores", {})
    within = f"/vector_stores/{store['id']}"
    batch = await send_request(simulator, "POST", f"{within}/file_batches", {"file_ids": [file["id"]]})
    container = await send_request(simulator, "POST", "/containers", {"name": "x", "file_ids": [file["id"]]})
    in_container = await send_request(simulator, "GET", f"/containers/{container['id']}/files")
    objects = [
        file,
        store,
        batch,
        container,
        in_container,
        await send_request(simulator, "GET", "/files"),
        await send_request(simulator, "GET", f"{within}/files"),
        await send_request(simulator, "GET", f"{within}/file_batches/{batch['id']}/files"),
        await send_request(simulator, "GET", "/vector_stores"),
        await send_request(simulator, "GET", "/containers"),
        await send_request(simulator, "DELETE", f"{within}/files/{file['id']}"),
        await send_request(simulator, "DELETE", within),
        await send_request(simulator, "DELETE", f"/containers/{container['id']}/files/{in_container['data'][0]['id']}"),
        await send_request(simulator, "DELETE", f"/containers/{container['id']}"),
        await send_request(simulator, "DELETE", f"/files/{file['id']}"),
    ]

    assert {shape for each in objects for shape in _shapes(each)} <= _recorded_shapes()
