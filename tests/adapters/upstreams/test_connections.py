"""Connections to the service behind are used again, after streams as well."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.asgi_server import serve_app
from tests.request_context import CONTEXT
from threadbridge.settings import EndpointSettings, Settings
from threadbridge_adapters import simulator
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.upstreams.openai_sdk import open_sdk_upstream


class Counting:
    """Notes from which ports it was asked: one for each connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.ports: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.ports.append(scope["client"][1])
        await self._app(scope, receive, send)


async def test_streams_that_were_understood_leave_their_connection_to_the_next() -> None:
    service = Counting(simulator.app(simulator.Simulator()))
    async with serve_app(service) as url:
        upstream = open_sdk_upstream(EndpointSettings.model_validate({"base_url": f"{url}/v1", "api_key": "sk-test"}))
        backend = assemble_backend(Settings(), store=await open_store(":memory:"), upstream=upstream)
        assistant = await backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
        body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "SAY one two"}]}}

        ended: list[str] = []
        for _ in range(5):
            events = [event.name async for event in await backend.stream_thread_and_run(CONTEXT, body)]
            await asyncio.sleep(0.05)  # the last bytes are read when the run is over
            ended.append(events[-1])
        await backend.aclose()

    assert ended == ["thread.run.completed"] * 5
    assert (len(service.ports), len(set(service.ports))) == (5, 1)
