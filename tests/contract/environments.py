"""Every way to reach a backend, each with the same surroundings: a store in memory, a simulator, a clock that stands.

A new backend or door is one more line in WORLDS.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import openai
from pydantic import SecretStr

from tests.clocks import StandingClock
from tests.loopback import serving
from threadbridge.ports import Backend
from threadbridge.settings import AssistantsSettings, HistoryMode, ModelPrice, Settings
from threadbridge_adapters.assistants import open_backend as open_assistants
from threadbridge_adapters.assistants._backend import AssistantsBackend
from threadbridge_adapters.assistants._http import Service
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.gateway import app as gateway_app
from threadbridge_adapters.sdk.dispatcher import Dispatcher
from threadbridge_adapters.sdk.transports import transports_for
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store


@dataclass(frozen=True)
class World:
    """A backend behind some door, and what stands behind the backend."""

    backend: Backend
    simulator: Simulator
    clock: StandingClock

    def asked_texts(self) -> list[list[str]]:
        """For every request the model got: the texts of the user's messages in it."""
        return [
            [part["text"] for item in request.body["input"] if item.get("role") == "user" for part in item["content"]]
            for request in self.simulator.requests
            if request.path == "/responses"
        ]


Door = Callable[[Backend], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def directly(backend: Backend) -> AsyncGenerator[Backend]:
    yield backend


@asynccontextmanager
async def over_http(backend: Backend) -> AsyncGenerator[Backend]:
    """The gateway on loopback, taken as a legacy service by the assistants backend."""
    async with serving(gateway_app(backend, Settings(simulate=True))) as url:
        settings = AssistantsSettings(
            base_url=f"{url}/v1", api_key=SecretStr("sk-test"), list_threads=True, follow_runs=True, report_runs=True
        )
        client = await open_assistants(Settings(backend="assistants", assistants=settings))
        yield client
        await client.aclose()


def over_transport(library: str) -> Door:
    """The SDK's own client on the in-process transport of one HTTP library."""

    @asynccontextmanager
    async def door(backend: Backend) -> AsyncGenerator[Backend]:
        http = importlib.import_module(library)

        async def opened() -> Backend:
            return backend

        transport = transports_for(http).asynchronous(Dispatcher(opened, max_body_bytes=1 << 20))
        client = openai.AsyncOpenAI(
            api_key="sk-test",
            default_headers={"OpenAI-Beta": "assistants=v2"},
            http_client=http.AsyncClient(transport=transport),
        )
        service = Service(client, max_retries=0)
        yield AssistantsBackend(service, lists_threads=True, follows_runs=True, reports_runs=True)

    return door


@dataclass(frozen=True)
class Way:
    """A door, and where behind it the model's memory of threads is."""

    door: Door = directly
    history: HistoryMode = "local"


WORLDS: dict[str, Way] = {
    "responses": Way(),
    "responses-chained": Way(history="chained"),
    "responses-conversation": Way(history="conversation"),
    "assistants-over-http": Way(over_http),
    "assistants-over-httpx": Way(over_transport("httpx")),
}
if openai.__version__.split(".")[0] != "2":
    WORLDS["assistants-over-httpx2"] = Way(over_transport("httpx2"))


@asynccontextmanager
async def open_world(name: str) -> AsyncGenerator[World]:
    """A fresh world of this name."""
    clock, simulator, way = StandingClock(), Simulator(), WORLDS[name]
    prices = {"gpt-4o": ModelPrice(input=2.5, output=10, cached_input=1.25)}
    settings = Settings(simulate=True, history=way.history, prices=prices)
    store = await open_store(":memory:")
    backend = assemble(settings, store=store, upstream=SimulatedUpstream(simulator), clock=clock)
    try:
        async with way.door(backend) as reached:
            yield World(reached, simulator, clock)
    finally:
        await backend.aclose()
