"""Consecutive requests of a thread begin with the same bytes, so that the service finds them in its cache (§3)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import orjson
import pytest

from tests.emulated_service import WEATHER, EmulatedService, open_service
from threadbridge.api_types import RunObject

#: What may differ from one request to the next without changing how the prompt begins.
_ASIDE = frozenset({"input", "stream", "max_output_tokens", "tool_choice"})


async def run_on(service: EmulatedService, thread_id: str, assistant_id: str, text: str, **body: object) -> RunObject:
    await service.post(f"/threads/{thread_id}/messages", role="user", content=text)
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, **body)
    return await service.wait_until_rest(started.body)


def beginning(body: Mapping[str, Any]) -> bytes:
    """Everything but the history, in the order in which it is sent."""
    return orjson.dumps({name: value for name, value in body.items() if name not in _ASIDE})


def history(body: Mapping[str, Any]) -> bytes:
    """The items, open at the end."""
    return orjson.dumps(body["input"]).removesuffix(b"]")


@pytest.mark.parametrize("profile", ["openai", "generic"])
async def test_what_one_request_said_the_next_one_begins_with_byte_for_byte(profile: str) -> None:
    async with open_service(upstream={"profile": profile}) as service:
        assistant_id = await service.create_assistant(instructions="Be brief.", tools=[WEATHER], temperature=0.5)
        thread_id = await service.create_thread()
        await run_on(service, thread_id, assistant_id, "SAY Grüß Gott", metadata={"a": "b"})
        waiting = await run_on(service, thread_id, assistant_id, 'CALL get_weather {"city": "Rome"}\nSAY sunny')
        await service.submit_outputs(waiting)
        await run_on(service, thread_id, assistant_id, "SAY two\nSAY lines", max_completion_tokens=500)
        newest = (await service.get(f"/threads/{thread_id}/messages", limit="1")).body["data"][0]
        await service.post(f"/threads/{thread_id}/messages/{newest['id']}", metadata={"seen": "yes"})
        await run_on(service, thread_id, assistant_id, "SAY done", tool_choice="none")

    assert len(service.model_requests) == 5
    assert {beginning(body) for body in service.model_requests} == {beginning(service.model_requests[0])}
    for before, after in pairwise(service.model_requests):
        assert history(after).startswith(history(before))


async def test_the_requests_of_a_thread_share_a_cache_key_that_no_other_has() -> None:
    async with open_service() as service:
        assistant_id = await service.create_assistant()
        threads = [await service.create_thread(), await service.create_thread()]
        for thread_id in (*threads, *threads):
            await run_on(service, thread_id, assistant_id, "SAY hello")

    assert [body["prompt_cache_key"] for body in service.model_requests] == [*threads, *threads]
