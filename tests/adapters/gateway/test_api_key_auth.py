"""Who may come in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import pytest

KEY = "tb-0123456789abcdef"


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"OpenAI-Beta": "assistants=v2"}) as session:
        yield session


async def refused(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    async with http.post(f"{url}/threads", headers=headers, json={}) as response:
        assert response.status == 401
        error: dict[str, Any] = (await response.json())["error"]
        return error


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {"api-key": KEY}])
async def test_a1_the_key_opens_as_a_bearer_token_and_as_azures_header(
    http: aiohttp.ClientSession, guarded_url: str, headers: dict[str, str]
) -> None:
    async with http.post(f"{guarded_url}/threads", headers=headers, json={}) as response:
        assert response.status == 200


async def test_a_wrong_key_is_refused_in_the_legacy_words_and_masked(
    http: aiohttp.ClientSession, guarded_url: str
) -> None:
    error = await refused(http, guarded_url, {"Authorization": "Bearer sk-somebody-elses-key"})

    assert error["message"] == "Incorrect API key provided: sk-***ey."
    assert error["code"] == "invalid_api_key"


async def test_a4_a_refused_key_has_a_request_id_to_ask_about(http: aiohttp.ClientSession, guarded_url: str) -> None:
    async with http.post(f"{guarded_url}/threads", json={}) as response:
        assert (response.status, response.headers["openai-version"]) == (401, "2020-10-01")
        assert response.headers["x-request-id"].startswith("req_")


async def test_a_short_wrong_key_is_not_repeated_at_all(http: aiohttp.ClientSession, guarded_url: str) -> None:
    error = await refused(http, guarded_url, {"api-key": "hunter2"})

    assert error["message"] == "Incorrect API key provided: ***."


async def test_no_key_is_refused_with_the_way_to_give_one(http: aiohttp.ClientSession, guarded_url: str) -> None:
    error = await refused(http, guarded_url, {})

    assert error["message"].startswith("You didn't provide an API key.")


async def test_other_paths_are_guarded_too_and_the_health_check_is_not(
    http: aiohttp.ClientSession, guarded_url: str
) -> None:
    async with http.get(f"{guarded_url}/models") as models:
        assert models.status == 401
    async with http.get(guarded_url.removesuffix("/v1") + "/healthz") as health:
        assert health.status == 200
