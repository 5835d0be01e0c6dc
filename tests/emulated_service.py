"""The emulated service as a client sees it: requests in, JSON and events out, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import orjson

from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import (
    CalledFunction,
    ErrorObject,
    FunctionTool,
    JsonMapping,
    JsonObject,
    LastError,
    MessageObject,
    RunObject,
    RunStepObject,
    RunToolCall,
    StepToolCall,
    UsageObject,
)
from threadbridge.ports import Backend, Store, WireRequest, WireResponse
from threadbridge.settings import Settings
from threadbridge.sse import SSEDecoder
from threadbridge.translation.models.resolution import ModelCatalog
from threadbridge.wire import dispatch_request
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

T = TypeVar("T")

BETA = {"openai-beta": "assistants=v2"}
MAX_BODY_BYTES = 4096 * 1024
WEATHER: FunctionTool = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


class ServiceResponse(NamedTuple):
    """A response. With an error status, `error` is the object in the envelope."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> ErrorObject:
        error: ErrorObject = self.body["error"]
        return error


class StreamEvent(NamedTuple):
    """One event of a stream."""

    name: str
    data: Any


@dataclass(frozen=True)
class EmulatedService:
    """A client's view of the service, with its backend, simulator, clock and store."""

    backend: Backend
    simulator: Simulator
    clock: ManualClock
    store: Store

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = BETA,
    ) -> WireResponse:
        request = WireRequest(method, path, tuple((query or {}).items()), headers, body)
        return await dispatch_request(self.backend, CONTEXT, request, max_body_bytes=MAX_BODY_BYTES)

    async def get(self, path: str, **query: str) -> ServiceResponse:
        return _read_response(await self.send("GET", path, query=query))

    async def post(self, path: str, **body: object) -> ServiceResponse:
        return _read_response(await self.send("POST", path, orjson.dumps(body)))

    async def delete(self, path: str) -> ServiceResponse:
        return _read_response(await self.send("DELETE", path))

    async def collect_events(self, path: str, **body: object) -> list[StreamEvent]:
        """All events of a streamed response; the last one is `done`."""
        return [event async for event in self.iterate_events(path, **body)]

    async def iterate_events(self, path: str, **body: object) -> AsyncIterator[StreamEvent]:
        """The events of a streamed response as they arrive."""
        response = await self.send("POST", path, orjson.dumps({**body, "stream": True}))
        assert not isinstance(response.body, bytes), response.body
        decoder = SSEDecoder()
        async for frame in response.body:
            for name, data, _ in decoder.receive_data(frame):
                yield StreamEvent(name, data.decode() if name == "done" else orjson.loads(data))

    # Creating objects

    async def create_assistant(self, **settings: object) -> str:
        created = await self.post("/assistants", **{"model": "gpt-4o", **settings})
        return str(created.body["id"])

    async def create_thread(self, *texts: str) -> str:
        created = await self.post("/threads", messages=[{"role": "user", "content": text} for text in texts])
        return str(created.body["id"])

    async def upload_file(self, text: str = "Filip likes cake.", *, name: str = "foods.txt") -> str:
        """Upload a file to the upstream; its id."""

        async def content() -> AsyncIterator[bytes]:
            yield text.encode()

        fields = {"purpose": "assistants"}
        uploaded = await SimulatedUpstream(self.simulator).upload(
            "/files", filename=name, content=content(), fields=fields
        )
        return str(uploaded["id"])

    async def start_run(self, text: str, *, run: JsonMapping | None = None, **settings: object) -> RunObject:
        """Create a run on a thread with one message; the run in the response."""
        thread = {"messages": [{"role": "user", "content": text}]}
        started = await self.post(
            "/threads/runs", assistant_id=await self.create_assistant(**settings), thread=thread, **(run or {})
        )
        assert started.status == 200, started.body
        created: RunObject = started.body
        return created

    async def run_to_rest(self, text: str, *, run: JsonMapping | None = None, **settings: object) -> RunObject:
        """Create a run on a thread with one message and wait until it is at rest."""
        return await self.wait_until_rest(await self.start_run(text, run=run, **settings))

    async def retrieve_run(self, run: RunObject) -> RunObject:
        """The current run."""
        retrieved: RunObject = (await self.get(run_path(run))).body
        return retrieved

    async def wait_until_rest(self, run: RunObject) -> RunObject:
        """The run once it is terminal or requires action."""
        return await wait_until(lambda: self.retrieve_run(run), lambda now: now["status"] not in _IN_FLIGHT)

    async def wait_for_status(self, run: RunObject, status: str) -> RunObject:
        """Wait until the run has this status."""
        return await wait_until(lambda: self.retrieve_run(run), lambda now: now["status"] == status)

    async def submit_outputs(self, run: RunObject, output: str = "sunny") -> RunObject:
        """Submit an output for every call and wait until the run is at rest."""
        outputs = [{"tool_call_id": call["id"], "output": output} for call in get_required_calls(run)]
        return await self.wait_until_rest(
            (await self.post(f"{run_path(run)}/submit_tool_outputs", tool_outputs=outputs)).body
        )

    async def list_steps(self, run: RunObject) -> list[RunStepObject]:
        """The run's steps, oldest first."""
        return list((await self.get(f"{run_path(run)}/steps", order="asc")).body["data"])

    async def list_messages(self, run: RunObject) -> list[MessageObject]:
        """The messages of the run's thread, oldest first."""
        return list((await self.get(f"/threads/{run['thread_id']}/messages", order="asc")).body["data"])

    @property
    def model_requests(self) -> list[JsonObject]:
        """The requests to the upstream so far."""
        return [request.body for request in self.simulator.requests]


_IN_FLIGHT = ("queued", "in_progress", "cancelling")


def run_path(run: RunObject) -> str:
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def message_text(message: MessageObject) -> str:
    """The text of a message whose first part is text."""
    part = message["content"][0]
    assert part["type"] == "text", part
    return part["text"]["value"]


def get_required_calls(run: RunObject) -> list[RunToolCall]:
    """The calls that a run waits for; fails where it waits for none."""
    assert run["required_action"] is not None, run
    return run["required_action"]["submit_tool_outputs"]["tool_calls"]


def get_last_error(owner: RunObject | RunStepObject) -> LastError:
    """The error of a failed run or step; fails where there is none."""
    assert owner["last_error"] is not None, owner
    return owner["last_error"]


def get_usage(owner: RunObject | RunStepObject) -> UsageObject:
    """The tokens of a run or a step; fails where they are null."""
    assert owner["usage"] is not None, owner
    return owner["usage"]


def list_step_calls(step: RunStepObject) -> list[StepToolCall]:
    """The calls of a step that uses tools; fails for a step that creates a message."""
    assert step["step_details"]["type"] == "tool_calls", step
    return step["step_details"]["tool_calls"]


def get_function(call: StepToolCall) -> CalledFunction:
    """The function of a function call; fails for a call of a hosted tool."""
    assert call["type"] == "function", call
    return call["function"]


def list_event_names(events: Sequence[StreamEvent]) -> list[str]:
    """The names of the events, without `thread.` and the deltas."""
    return [event.name.removeprefix("thread.") for event in events if not event.name.endswith(".delta")]


async def wait_until(retrieve: Callable[[], Awaitable[T]], condition: Callable[[T], bool]) -> T:
    """Poll until the condition holds, for a bounded time."""
    for _ in range(1000):
        if condition(current := await retrieve()):
            return current
        await asyncio.sleep(0.002)
    raise AssertionError(f"the condition never held: {await retrieve()}")


def _read_response(response: WireResponse) -> ServiceResponse:
    assert isinstance(response.body, bytes), "the response is a stream"
    return ServiceResponse(response.status, orjson.loads(response.body), response.headers)


@asynccontextmanager
async def open_service(*, catalog: ModelCatalog | None = None, **settings: Any) -> AsyncGenerator[EmulatedService]:
    """A new service with a manual clock. `catalog` is the model catalog of the upstream."""
    clock, simulator, store = ManualClock(), Simulator(), await open_store(":memory:")
    backend = assemble_backend(
        Settings.model_validate({"simulate": True, **settings}),
        store=store,
        upstream=SimulatedUpstream(simulator),
        clock=clock,
        catalog=catalog,
    )
    try:
        yield EmulatedService(backend, simulator, clock, store)
    finally:
        await backend.aclose()
