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

from tests.asgi_server import serve_app
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.ports import Backend
from threadbridge.settings import AssistantsSettings, HistoryMode, ModelPrice, Settings
from threadbridge_adapters.assistants import open_backend as open_assistants
from threadbridge_adapters.assistants._backend import AssistantsBackend
from threadbridge_adapters.assistants._http import LegacyServiceClient
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway import create_app as gateway_app
from threadbridge_adapters.sdk.dispatcher import Dispatcher
from threadbridge_adapters.sdk.transports import get_transports
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store


@dataclass(frozen=True)
class Environment:
    """A backend behind some door, and what stands behind the backend."""

    backend: Backend
    simulator: Simulator
    clock: ManualClock

    def list_request_texts(self) -> list[list[str]]:
        """For every request the model got: the texts of the user's messages in it."""
        return [
            [part["text"] for item in request.body["input"] if item.get("role") == "user" for part in item["content"]]
            for request in self.simulator.requests
            if request.path == "/responses"
        ]


Transport = Callable[[Backend], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def connect_directly(backend: Backend) -> AsyncGenerator[Backend]:
    yield backend


@asynccontextmanager
async def connect_over_http(backend: Backend) -> AsyncGenerator[Backend]:
    """The gateway on loopback, taken as a legacy service by the assistants backend."""
    async with serve_app(gateway_app(backend, Settings(simulate=True))) as url:
        settings = AssistantsSettings(
            base_url=f"{url}/v1", api_key=SecretStr("sk-test"), list_threads=True, follow_runs=True, report_runs=True
        )
        client = await open_assistants(Settings(backend="assistants", assistants=settings))
        yield client
        await client.aclose()


def make_sdk_transport(library: str) -> Transport:
    """The SDK's own client on the in-process transport of one HTTP library."""

    @asynccontextmanager
    async def connect(backend: Backend) -> AsyncGenerator[Backend]:
        http = importlib.import_module(library)

        async def opened() -> Backend:
            return backend

        transport = get_transports(http).asynchronous(Dispatcher(opened, CONTEXT, max_body_bytes=1 << 20))
        client = openai.AsyncOpenAI(
            api_key="sk-test",
            default_headers={"OpenAI-Beta": "assistants=v2"},
            http_client=http.AsyncClient(transport=transport),
        )
        service = LegacyServiceClient(client, max_retries=0)
        yield AssistantsBackend(service, lists_threads=True, follows_runs=True, reports_runs=True)

    return connect


@dataclass(frozen=True)
class EnvironmentSpec:
    """A door, and where behind it the model's memory of threads is."""

    transport: Transport = connect_directly
    history: HistoryMode = "local"


ENVIRONMENTS: dict[str, EnvironmentSpec] = {
    "responses": EnvironmentSpec(),
    "responses-chained": EnvironmentSpec(history="chained"),
    "responses-conversation": EnvironmentSpec(history="conversation"),
    "assistants-over-http": EnvironmentSpec(connect_over_http),
    "assistants-over-httpx": EnvironmentSpec(make_sdk_transport("httpx")),
}
if openai.__version__.split(".")[0] != "2":
    ENVIRONMENTS["assistants-over-httpx2"] = EnvironmentSpec(make_sdk_transport("httpx2"))


@asynccontextmanager
async def open_environment(name: str) -> AsyncGenerator[Environment]:
    """A fresh world of this name."""
    clock, simulator, spec = ManualClock(), Simulator(), ENVIRONMENTS[name]
    prices = {"gpt-4o": ModelPrice(input=2.5, output=10, cached_input=1.25)}
    settings = Settings(simulate=True, history=spec.history, prices=prices)
    store = await open_store(":memory:")
    backend = assemble_backend(settings, store=store, upstream=SimulatedUpstream(simulator), clock=clock)
    try:
        async with spec.transport(backend) as reached:
            yield Environment(reached, simulator, clock)
    finally:
        await backend.aclose()
