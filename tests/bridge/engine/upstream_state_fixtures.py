"""What a service with a memory was asked, and what it knows."""

from __future__ import annotations

import asyncio

from tests.differences.service import Service
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.engine.context import EngineContext
from threadbridge.ports import ObjectKind, Wire
from threadbridge.settings import Limits

#: The errands of a process are looked after this often.
SWEEP_SECONDS = Limits().lease_seconds


async def run_on(service: Service, thread_id: str, assistant_id: str, *texts: str, **body: object) -> Wire:
    """A run at rest, after these messages."""
    for text in texts:
        await service.post(f"/threads/{thread_id}/messages", role="user", content=text)
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, **body)
    assert started.status == 200, started.body
    return await service.rested(started.body)


async def report(service: Service, run: Wire) -> list[Wire]:
    """What is told of the turns of the run."""
    told = await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")
    turns: list[Wire] = told.body["turns"]
    return turns


async def states(service: Service, run: Wire) -> list[Wire]:
    """How the turns of the run stood to what the service keeps."""
    return [turn["state"] for turn in await report(service, run)]


async def anchor(service: Service, thread_id: str) -> Wire | None:
    """What is remembered of what the service keeps."""
    return await service.store.read(lambda session: session.get(ObjectKind.UPSTREAM_STATE, thread_id), tenant="default")


def asked(service: Service) -> list[Wire]:
    """The requests for responses."""
    return [request.body for request in service.simulator.requests if request.path == "/responses"]


def other_requests(service: Service) -> list[str]:
    """All the others."""
    return [f"{each.method} {each.path}" for each in service.simulator.requests if each.path != "/responses"]


def sent(body: Wire) -> list[str]:
    """The items of a request in short."""
    return [words_of(item) for item in body["input"]]


def kept_responses(service: Service) -> list[str]:
    """The ids of the responses that the service keeps, oldest first."""
    return list(service.simulator._memory._responses)  # pyright: ignore[reportPrivateUsage]


def known(service: Service) -> list[str]:
    """All that the newest response knew, as the service tells it."""
    newest = kept_responses(service)[-1]
    items = service.simulator.input_items(newest, {"order": "asc", "limit": "100"})["data"]
    return [words_of(item) for item in items]


async def tidied(service: Service, *, asked_for: int) -> list[str]:
    """What the service was asked beside responses, once it was asked so often and a sweep has passed."""
    service.clock.advance(SWEEP_SECONDS)
    async with asyncio.timeout(10):
        while len(other_requests(service)) < asked_for:
            await asyncio.sleep(0.002)
    return other_requests(service)


def place_of(service: Service) -> EngineContext:
    """Where the service's workers are at home."""
    assert isinstance(service.backend, ResponsesBackend)
    return service.backend._ctx  # pyright: ignore[reportPrivateUsage]


def words_of(item: Wire) -> str:
    """An item in short."""
    if item["type"] == "message":
        return f"{item['role']}: {item['content'][0]['text']}"
    return f"{item['type']} {item['output']}" if "output" in item else str(item["type"])
