"""One module and one row make a hosted tool known everywhere: `weather_tool` is all there is of this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import orjson
import pytest

from tests.bridge.engine.weather_tool import WEATHER
from tests.bridge.translation.upstream_events import USAGE
from tests.contract.test_backend import at_rest
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import AssistantObject, JsonMapping, JsonObject, ResponseObject, RunObject
from threadbridge.doctor.probes import get_probes
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery, UpstreamCapabilities, UpstreamResponse
from threadbridge.settings import ModelPrice, Settings
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.simulator._upstream import SimulatedStream
from threadbridge_adapters.stores import open_store

FORECAST = "step_details.tool_calls[*].weather.forecast"
FUNCTION: JsonObject = {"type": "function", "function": {"name": "pack"}}
CALL: JsonObject = {
    "type": "weather_call",
    "id": "wc_1",
    "status": "completed",
    "place": "Paris",
    "forecast": "rain",
    "map": "data:image/png;base64,",
}
PACK: JsonObject = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "pack", "arguments": "{}"}
ANSWER: JsonObject = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Take an umbrella.", "annotations": []}],
}


class ScriptedUpstream(SimulatedUpstream):
    """Answers each request with the next output; the simulator would reject the tool."""

    def __init__(self, *outputs: list[JsonObject], has_weather: bool = True) -> None:
        super().__init__(Simulator())
        self.capabilities = UpstreamCapabilities(other_tools=frozenset({"weather"} if has_weather else ()))
        self._outputs = list(outputs)
        self.bodies: list[JsonObject] = []

    async def create_response(self, body: bytes) -> UpstreamResponse:
        self.bodies.append(orjson.loads(body))
        return UpstreamResponse(cast("ResponseObject", self._respond()))

    async def stream_response(self, body: bytes) -> SimulatedStream:
        self.bodies.append(orjson.loads(body))
        response = self._respond()
        events: list[JsonObject] = [{"type": "response.created", "response": {**response, "output": []}}]
        for index, item in enumerate(response["output"]):
            events.append({"type": "response.output_item.added", "output_index": index, "item": item})
            if item["type"] == "weather_call":
                delta = {"output_index": index, "item_id": item["id"], "delta": item["place"][:2]}
                events.append({"type": "response.weather_call.place.delta", **delta})
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        events.append({"type": "response.completed", "response": response})

        async def replay() -> AsyncGenerator[JsonObject]:
            for event in events:
                yield event

        return SimulatedStream(replay(), f"req_{len(self.bodies)}")

    def _respond(self) -> JsonObject:
        number = len(self.bodies)
        return {
            "id": f"resp_{number}",
            "object": "response",
            "status": "completed",
            "model": "gpt-4o",
            "output": self._outputs[number - 1],
            "usage": USAGE,
        }


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HOSTED_TOOLS, WEATHER.type, WEATHER)


@asynccontextmanager
async def opened(upstream: ScriptedUpstream) -> AsyncGenerator[ResponsesBackend]:
    backend = assemble_backend(
        Settings(prices={"gpt-4o": ModelPrice(input=0, output=0)}),
        store=await open_store(":memory:"),
        upstream=upstream,
        clock=ManualClock(),
    )
    try:
        yield backend
    finally:
        await backend.aclose()


async def an_assistant(backend: ResponsesBackend, **fields: object) -> AssistantObject:
    tools = [{"type": "weather"}, FUNCTION]
    return await backend.create_assistant(CONTEXT, {"model": "gpt-4o", "tools": tools, **fields})


async def streamed_run(
    backend: ResponsesBackend, assistant: AssistantObject, *include: str
) -> tuple[RunObject, list[JsonObject]]:
    """The run as its stream ends, and the deltas of its hosted call."""
    thread = await backend.create_thread(
        CONTEXT, {"messages": [{"role": "user", "content": "What do I need in Paris?"}]}
    )
    stream = await backend.stream_run(CONTEXT, thread["id"], {"assistant_id": assistant["id"]}, include=include)
    events = [event async for event in stream]
    deltas = [event.data["delta"] for event in events if event.name == "thread.run.step.delta"]
    calls = [call for delta in deltas for call in delta["step_details"]["tool_calls"] if call["type"] == "weather"]
    [run] = [event.data for event in events if event.name == "thread.run.requires_action"]
    return cast("RunObject", run), calls


async def rested(backend: ResponsesBackend, run: RunObject) -> RunObject:
    """The run once its turn is over."""
    for _ in range(500):
        found = (await backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run
        if at_rest(found):
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("the run is not at rest")


async def steps_of(backend: ResponsesBackend, run: RunObject, *include: str) -> list[JsonObject]:
    page = await backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"), include=include)
    details: list[JsonMapping] = [step["step_details"] for step in page["data"]]
    return [call for each in details for call in each.get("tool_calls", ())]


async def test_its_definition_is_validated_and_completed() -> None:
    async with opened(ScriptedUpstream()) as backend:
        assistant = await an_assistant(backend, tool_resources={"weather": {"stations": ["st_1"]}})

        with pytest.raises(InvalidRequest) as unit:
            await an_assistant(backend, tools=[{"type": "weather", "weather": {"unit": "kelvin"}}])
        with pytest.raises(InvalidRequest) as resources:
            await an_assistant(backend, tool_resources={"weather": {"towers": []}})
        with pytest.raises(InvalidRequest) as unknown:
            await an_assistant(backend, tools=[{"type": "retrieval"}])

    assert assistant["tools"][0] == {"type": "weather", "weather": {"unit": "celsius"}}
    assert assistant["tool_resources"] == {"weather": {"stations": ["st_1"]}}
    assert unit.value.param == "tools[0].weather.unit"
    assert resources.value.param == "tool_resources.weather.towers"
    assert unknown.value.message == (
        "Invalid value: 'retrieval'. "
        "Supported values are: 'code_interpreter', 'function', 'file_search', and 'weather'."
    )


async def test_a_run_uses_it_from_request_to_replay_and_fee() -> None:
    upstream = ScriptedUpstream([CALL, PACK], [ANSWER])
    async with opened(upstream) as backend:
        assistant = await an_assistant(backend, tool_resources={"weather": {"stations": ["st_1"]}})
        run, deltas = await streamed_run(backend, assistant, FORECAST)
        output = {"tool_outputs": [{"tool_call_id": "call_1", "output": "packed"}]}
        await backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], output)
        ended = await rested(backend, run)
        [with_forecast, _] = await steps_of(backend, run, FORECAST)
        [without, _] = await steps_of(backend, run)
        report = await backend.report_run(CONTEXT, run["thread_id"], run["id"])

    first, second = upstream.bodies
    assert ended["status"] == "completed"
    assert first["tools"][0] == {"type": "weather", "unit": "celsius", "stations": ["st_1"]}
    assert first["include"] == ["weather_call.forecast"]
    assert [call["weather"] for call in deltas] == [
        {"place": "", "forecast": None},
        {"place": "Pa"},
        {"place": "ris"},
        {"forecast": "rain"},
    ]
    assert with_forecast["weather"] == {"place": "Paris", "forecast": "rain"}
    assert without["weather"] == {"place": "Paris"}
    assert {name: value for name, value in CALL.items() if name != "map"} in second["input"]
    assert report["turns"][0]["hosted_calls"] == {"weather": 1}
    assert report["turns"][0]["cost"] == {"usd": 0.25, "note": None, "not_included": []}


async def test_its_module_decides_what_is_replayed() -> None:
    upstream = ScriptedUpstream([{**CALL, "place": "nowhere"}, PACK], [ANSWER])
    async with opened(upstream) as backend:
        run, _ = await streamed_run(backend, await an_assistant(backend))
        output = {"tool_outputs": [{"tool_call_id": "call_1", "output": "packed"}]}
        await backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], output)
        await rested(backend, run)

    assert "weather_call" not in [item["type"] for item in upstream.bodies[1]["input"]]


async def test_a_service_without_its_capability_is_not_sent_it() -> None:
    upstream = ScriptedUpstream([PACK], has_weather=False)
    async with opened(upstream) as backend:
        await streamed_run(backend, await an_assistant(backend))

    [body] = upstream.bodies
    assert [tool["type"] for tool in body["tools"]] == ["function"]


def test_the_doctor_probes_it() -> None:
    assert get_probes()["weather"] is WEATHER.probe
