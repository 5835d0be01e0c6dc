"""`GET /readyz`: the parts of a gateway, checked in bounded time, cached, and described without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import cast

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import StoreError, UpstreamError
from threadbridge.ports import Backend
from threadbridge.settings import GatewaySettings, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway import create_app, run_gateway_in_thread
from threadbridge_adapters.gateway.readiness import ReadinessEndpoint
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store


class CheckedBackend(ScriptedBackend):
    """A backend with one part; counts its checks."""

    def __init__(self, error: Exception | None = None, *, seconds: float = 0) -> None:
        super().__init__()
        self.error = error
        self.seconds = seconds
        self.check_count = 0

    def list_readiness_checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {"store": self._check}

    async def _check(self) -> None:
        self.check_count += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error


async def get(path: str, backend: ScriptedBackend, settings: Settings | None = None) -> tuple[int, JsonObject]:
    app = create_app(cast("Backend", backend), settings or Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.get(path)
    return response.status_code, response.json()


async def test_a_backend_whose_parts_work_is_ready() -> None:
    assert await get("/readyz", CheckedBackend()) == (200, {"status": "ok", "checks": {"store": "ok"}})


async def test_a_backend_without_checks_is_ready() -> None:
    assert await get("/readyz", ScriptedBackend()) == (200, {"status": "ok", "checks": {}})


@pytest.mark.parametrize("error", [StoreError("The store /secret/path could not be read."), ValueError("secret")])
async def test_a_part_that_fails_is_named_without_its_message(error: Exception) -> None:
    backend = CheckedBackend(error)

    assert await get("/readyz", backend) == (503, {"status": "unavailable", "checks": {"store": "failed"}})
    assert await get("/healthz", backend) == (200, {"status": "ok"})


async def test_it_needs_no_key() -> None:
    settings = Settings(gateway=GatewaySettings(api_key=SecretStr("sk-long-enough-for-a-gateway")))

    assert (await get("/readyz", CheckedBackend(), settings))[0] == 200


async def test_a_check_that_does_not_end_is_a_failure() -> None:
    endpoint = ReadinessEndpoint(cast("Backend", CheckedBackend(seconds=60)), check_seconds=0.01)

    response = await endpoint.handle_request(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert response.status_code == 503
    assert b'"store":"timeout"' in response.body


async def test_requests_share_one_check() -> None:
    backend = CheckedBackend(seconds=0.01)
    endpoint = ReadinessEndpoint(cast("Backend", backend))

    for _ in range(3):
        await asyncio.gather(*(endpoint.handle_request(None) for _ in range(3)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert backend.check_count == 1


class AnsweringUpstream(SimulatedUpstream):
    """An upstream whose `/models` answers with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(Simulator())
        self.status = status

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        raise UpstreamError("No models.", status=self.status)


@pytest.mark.parametrize(("status", "works"), [(401, False), (403, False), (404, True), (429, True), (502, False)])
async def test_an_upstream_that_answers_works_unless_no_run_can_succeed(
    tmp_path: Path, status: int, works: bool
) -> None:
    store = await open_store(str(tmp_path / "threads.db"))
    backend = assemble_backend(Settings(), store=store, upstream=AnsweringUpstream(status))
    checks = backend.list_readiness_checks()

    await checks["store"]()
    (outcome,) = await asyncio.gather(checks["upstream"](), return_exceptions=True)
    await backend.aclose()

    assert (outcome is None) is works


async def test_a_closed_store_does_not_work(tmp_path: Path) -> None:
    store = await open_store(str(tmp_path / "threads.db"))
    backend = assemble_backend(Settings(), store=store, upstream=SimulatedUpstream(Simulator()))
    await backend.aclose()

    with pytest.raises(StoreError):
        await backend.list_readiness_checks()["store"]()


async def test_a_simulated_gateway_is_ready() -> None:
    with run_gateway_in_thread(Settings(simulate=True)) as url:
        async with aiohttp.ClientSession() as http, http.get(url.removesuffix("/v1") + "/readyz") as response:
            body = await response.json()

    assert (response.status, body) == (200, {"status": "ok", "checks": {"store": "ok", "upstream": "ok"}})
