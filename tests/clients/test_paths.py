"""Ids with characters that mean something in a URL: they are ids all the same, and lead nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai
import pytest
from yarl import URL

from tests.clients.client_kinds import Gateway, user_message

BETA = {"OpenAI-Beta": "assistants=v2"}


@dataclass(frozen=True)
class Client:
    """Sends paths as they are."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        address = URL(f"{self.url}{path}", encoded=True)
        async with self.session.request(method, address, json=body) as response:
            return response.status, await response.json()

    async def refused(self, method: str, path: str) -> tuple[int, str, str | None]:
        """Status, text and code of a refusal."""
        status, body = await self.ask(method, path)
        return status, body["error"]["message"], body["error"]["code"]


@pytest.fixture
async def raw(gateway: Gateway) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(headers=BETA) as session:
        yield Client(session, gateway.url)


@pytest.mark.parametrize(
    ("escaped", "shown"),
    [
        ("thread_%2F", "thread_%2F"),
        ("thread_%2fx", "thread_%2Fx"),
        ("thread_%252F", "thread_%2F"),
        ("thread_%00", "thread_\0"),
        ("thread_%0D%0Ax:%20y", "thread_\r\nx: y"),
        ("thread_%3Fa%23b", "thread_?a#b"),
        ("thread_%FF", "thread_�"),
        ("thread_" + "x" * 5000, "thread_" + "x" * 193 + "..."),
    ],
)
async def test_a15_an_escaped_id_is_an_unknown_one(raw: Client, escaped: str, shown: str) -> None:
    assert await raw.refused("GET", f"/threads/{escaped}") == (404, f"No thread found with id '{shown}'.", None)


async def test_an_escaped_slash_leads_to_no_other_operation(raw: Client) -> None:
    _, thread = await raw.ask("POST", "/threads", {"messages": [user_message("Hi")]})
    _, listed = await raw.ask("GET", f"/threads/{thread['id']}/messages")

    refused = await raw.refused("DELETE", f"/threads/{thread['id']}%2Fmessages%2F{listed['first_id']}")

    assert refused == (404, f"No thread found with id '{thread['id']}%2Fmessages%2F{listed['first_id']}'.", None)
    assert await raw.ask("GET", f"/threads/{thread['id']}/messages") == (200, listed)


async def test_an_escaped_slash_ends_no_root(raw: Client) -> None:
    status, message, _ = await raw.refused("GET", "/threads%2Fthread_1")

    assert (status, message) == (404, "Invalid URL (GET /v1/threads%2Fthread_1)")


def test_an_id_with_a_slash_is_an_unknown_one_for_the_sdk_too(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_a%2Fmessages'"):
        client.get("/threads/thread_a%2Fmessages", cast_to=object, options={"headers": BETA})
