"""What a service with a memory was asked, and what it knows."""

from __future__ import annotations

import asyncio

from tests.emulated_service import EmulatedService
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.engine.context import EngineContext
from threadbridge.ports import ObjectKind
from threadbridge.settings import Limits

#: The errands of a process are looked after this often.
SWEEP_SECONDS = Limits().lease_seconds


async def run_to_rest(
    service: EmulatedService, thread_id: str, assistant_id: str, *texts: str, **body: object
) -> RunObject:
    """A run at rest, after these messages."""
    for text in texts:
        await service.post(f"/threads/{thread_id}/messages", role="user", content=text)
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, **body)
    assert started.status == 200, started.body
    return await service.wait_until_rest(started.body)


async def list_turn_reports(service: EmulatedService, run: RunObject) -> list[JsonObject]:
    """What is told of the turns of the run."""
    answer = await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")
    turns: list[JsonObject] = answer.body["turns"]
    return turns


async def list_turn_states(service: EmulatedService, run: RunObject) -> list[JsonObject]:
    """How the turns of the run stood to what the service keeps."""
    return [turn["state"] for turn in await list_turn_reports(service, run)]


async def get_continuation(service: EmulatedService, thread_id: str) -> JsonMapping | None:
    """What is remembered of what the service keeps."""
    return await service.store.read(lambda session: session.get(ObjectKind.UPSTREAM_STATE, thread_id), tenant="default")


def list_response_requests(service: EmulatedService) -> list[JsonObject]:
    """The requests for responses."""
    return [request.body for request in service.simulator.requests if request.path == "/responses"]


def list_other_requests(service: EmulatedService) -> list[str]:
    """All the others."""
    return [f"{each.method} {each.path}" for each in service.simulator.requests if each.path != "/responses"]


def describe_input(body: JsonObject) -> list[str]:
    """The items of a request in short."""
    return [describe_item(item) for item in body["input"]]


def list_stored_response_ids(service: EmulatedService) -> list[str]:
    """The ids of the responses that the service keeps, oldest first."""
    return list(service.simulator._state._responses)  # pyright: ignore[reportPrivateUsage]


def describe_known_items(service: EmulatedService) -> list[str]:
    """All that the newest response knew, as the service tells it."""
    newest = list_stored_response_ids(service)[-1]
    items = service.simulator.list_input_items(newest, {"order": "asc", "limit": "100"})["data"]
    return [describe_item(item) for item in items]


async def wait_for_cleanup(service: EmulatedService, *, request_count: int) -> list[str]:
    """What the service was asked beside responses, once it was asked so often and a sweep has passed."""
    service.clock.advance(SWEEP_SECONDS)
    async with asyncio.timeout(10):
        while len(list_other_requests(service)) < request_count:
            await asyncio.sleep(0.002)
    return list_other_requests(service)


def engine_context_of(service: EmulatedService) -> EngineContext:
    """Where the service's workers are at home."""
    assert isinstance(service.backend, ResponsesBackend)
    return service.backend._ctx  # pyright: ignore[reportPrivateUsage]


def describe_item(item: JsonObject) -> str:
    """An item in short."""
    if item["type"] == "message":
        return f"{item['role']}: {item['content'][0]['text']}"
    return f"{item['type']} {item['output']}" if "output" in item else str(item["type"])
