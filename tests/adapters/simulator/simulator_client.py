"""Short ways to ask a simulator and to read what it says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, cast

import orjson

from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import Upstream
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator

WEATHER: JsonObject = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
TIME: JsonObject = {"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}


class CountingIds:
    """Ids that count: `msg_1`, `msg_2`, `resp_1` …"""

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)

    def __call__(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]}"


def user(text: str) -> JsonObject:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def output(call_id: str, text: str) -> JsonObject:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def make_request(question: str, /, **more: Any) -> JsonObject:
    return {"model": "sim-1", "input": question, **more}


async def create_response(simulator: Simulator, body: JsonObject) -> JsonObject:
    upstream: Upstream = SimulatedUpstream(simulator)
    return cast("JsonObject", (await upstream.create_response(orjson.dumps(body))).body)


async def collect_events(simulator: Simulator, body: JsonObject) -> list[JsonObject]:
    stream = await SimulatedUpstream(simulator).stream_response(orjson.dumps({**body, "stream": True}))
    received = [cast("JsonObject", event) async for event in stream]
    await stream.aclose()
    return received


async def collect_until_break(simulator: Simulator, body: JsonObject) -> tuple[list[JsonObject], UpstreamError]:
    """The events of a stream whose connection breaks, and the error it breaks with."""
    stream = await SimulatedUpstream(simulator).stream_response(orjson.dumps({**body, "stream": True}))
    received: list[JsonObject] = []
    try:
        async for event in stream:
            received.append(cast("JsonObject", event))
    except UpstreamError as error:
        return received, error
    raise AssertionError("the connection held")


async def expect_rejection(simulator: Simulator, body: Any) -> UpstreamError:
    """The error a request is refused with."""
    try:
        await SimulatedUpstream(simulator).create_response(orjson.dumps(body))
    except UpstreamError as error:
        return error
    raise AssertionError("the request was accepted")


def read_text(response: JsonObject) -> str:
    parts: Iterable[JsonObject] = (
        part for item in response["output"] if item["type"] == "message" for part in item["content"]
    )
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


def list_calls(response: JsonObject) -> list[tuple[str, str]]:
    return [(item["name"], item["arguments"]) for item in response["output"] if item["type"] == "function_call"]


def collapse_event_types(events: Sequence[JsonObject]) -> list[str]:
    """The types of the events, runs of the same type counted once."""
    types = [str(event["type"]) for event in events]
    return [kind for kind, before in zip(types, ["", *types], strict=False) if kind != before]


def make_next_request(body: JsonObject, response: JsonObject, *outputs: str) -> JsonObject:
    """The next request of a stateless client: everything so far, what was said, and the outputs."""
    before = [user(body["input"])] if isinstance(body["input"], str) else body["input"]
    ids = [item["call_id"] for item in response["output"] if item["type"] == "function_call"]
    answers = [output(call_id, text) for call_id, text in zip(ids, outputs, strict=True)]
    return {**body, "input": [*before, *response["output"], *answers]}


async def iterate_chunks(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def send_request(simulator: Simulator, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
    return await SimulatedUpstream(simulator).request(method, path, body)


async def expect_request_rejection(
    simulator: Simulator, method: str, path: str, body: JsonObject | None = None
) -> UpstreamError:
    try:
        await send_request(simulator, method, path, body)
    except UpstreamError as error:
        return error
    raise AssertionError("the request was accepted")


async def upload_file(
    simulator: Simulator, text: str | bytes, *, name: str = "foods.txt", purpose: str = "assistants", **fields: str
) -> JsonObject:
    """A file object."""
    content = text.encode() if isinstance(text, str) else text
    return await SimulatedUpstream(simulator).upload(
        "/files", filename=name, content=iterate_chunks(content), fields={"purpose": purpose, **fields}
    )


async def download_file(simulator: Simulator, path: str) -> bytes:
    async with SimulatedUpstream(simulator).download(path) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def create_vector_store(simulator: Simulator, *texts: str, **more: Any) -> str:
    """The id of a vector store with these texts, each a file of its own, `1.txt` and so on."""
    files = [await upload_file(simulator, text, name=f"{number}.txt") for number, text in enumerate(texts, 1)]
    store = await send_request(
        simulator, "POST", "/vector_stores", {"file_ids": [file["id"] for file in files], **more}
    )
    return str(store["id"])
