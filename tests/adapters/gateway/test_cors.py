"""Programs in a browser: which pages may use the gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import aiohttp
import pytest
from pydantic import SecretStr

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.settings import GatewaySettings, Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread

PAGE = "https://page.example"
KEY = "tb-0123456789abcdef"
#: What browsers ask before they send what an SDK wants to send.
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,openai-beta,x-stainless-lang",
    "Access-Control-Request-Private-Network": "true",
}


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"OpenAI-Beta": "assistants=v2"}) as session:
        yield session


@pytest.fixture(scope="module")
def open_url(running_service: LoopbackService) -> Generator[str]:
    """A gateway with a key, which pages of one origin may use."""
    settings = Settings(
        upstream=UpstreamSettings(base_url=running_service.url),
        gateway=GatewaySettings(allowed_origins=(PAGE,), api_key=SecretStr(KEY)),
    )
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as running:
        yield running


async def test_a_page_that_is_named_may_send_what_an_sdk_sends(http: aiohttp.ClientSession, open_url: str) -> None:
    async with http.options(f"{open_url}/threads", headers={**PREFLIGHT, "Origin": PAGE}) as response:
        allowed = response.headers["Access-Control-Allow-Headers"]
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
        assert set(allowed.split(",")) == set(PREFLIGHT["Access-Control-Request-Headers"].split(","))
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
        assert response.headers["Access-Control-Allow-Private-Network"] == "true"


async def test_a_page_that_is_not_named_may_not(http: aiohttp.ClientSession, open_url: str) -> None:
    async with http.options(f"{open_url}/threads", headers={**PREFLIGHT, "Origin": "https://other.example"}) as refused:
        assert (refused.status, "Access-Control-Allow-Origin" in refused.headers) == (400, False)


async def test_answers_and_refusals_can_be_read_with_the_headers_of_ours(
    http: aiohttp.ClientSession, open_url: str
) -> None:
    with_key = {"Origin": PAGE, "Authorization": f"Bearer {KEY}"}
    async with (
        http.post(f"{open_url}/threads", json={}, headers=with_key) as answer,
        http.post(f"{open_url}/threads", json={}, headers={"Origin": PAGE}) as refusal,
    ):
        statuses = [answer.status, refusal.status]
        origins = [each.headers["Access-Control-Allow-Origin"] for each in (answer, refusal)]
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")

    assert (statuses, origins) == ([200, 401], [PAGE, PAGE])
    assert {"x-request-id", "threadbridge-warning", "openai-poll-after-ms"} <= set(exposed)


async def test_what_is_passed_through_says_nothing_of_pages_but_what_the_gateway_says(
    http: aiohttp.ClientSession, url: str, service: LoopbackService
) -> None:
    async with http.get(f"{url}/files", headers={"Origin": "http://localhost:3000"}) as answer:
        leave = [name for name in answer.headers if name.lower().startswith("access-control-")]

    assert (answer.status, [asked.path for asked in service.requests], leave) == (200, ["/v1/files"], [])


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"])
async def test_pages_of_this_machine_may_ask_a_gateway_without_a_key(
    http: aiohttp.ClientSession, url: str, origin: str
) -> None:
    async with http.post(f"{url}/threads", json={}, headers={"Origin": origin}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("origin", ["https://page.example", "null", "http://[", "http://localhost.example"])
async def test_no_other_page_may(http: aiohttp.ClientSession, url: str, origin: str) -> None:
    async with http.post(f"{url}/threads", json={}, headers={"Origin": origin}) as refused:
        error = (await refused.json())["error"]

    assert (refused.status, error["type"]) == (403, "invalid_request_error")
    assert error["message"] == (
        f"Pages of '{origin}' may not use this gateway: add their origin to gateway.allowed_origins."
    )
