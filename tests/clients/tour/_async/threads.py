"""Threads and their messages: made, looked at, changed, listed, deleted."""

from __future__ import annotations

from openai import AsyncOpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import BETA


async def tour(client: AsyncOpenAI) -> None:
    show("threads.create", await client.beta.threads.create())
    thread = await client.beta.threads.create(
        messages=[{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}],
        metadata={"customer": "7"},
    )
    show("threads.create with messages", thread)
    show("threads.retrieve", await client.beta.threads.retrieve(thread.id))
    show("threads.update", await client.beta.threads.update(thread.id, metadata={"customer": "8"}))
    # No SDK has a method for it: the operation is an extension.
    listed = await client.get("/threads?limit=1", cast_to=dict[str, object], options={"headers": BETA})
    show("threads, listed", listed)
    await _show_messages(client, thread.id)
    show("threads.delete", await client.beta.threads.delete(thread.id))
    with expect_rejection("threads.retrieve, deleted"):
        await client.beta.threads.retrieve(thread.id)
    with expect_rejection("threads.messages.list, deleted"):
        await client.beta.threads.messages.list(thread.id)


async def _show_messages(client: AsyncOpenAI, thread_id: str) -> None:
    messages = client.beta.threads.messages
    three = await messages.create(thread_id, role="user", content="Three", metadata={"n": "3"})
    show("threads.messages.create", three)
    parts = await messages.create(
        thread_id,
        role="user",
        content=[
            {"type": "text", "text": "Four"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        ],
    )
    show("threads.messages.create with parts", parts)
    show("threads.messages.retrieve", await messages.retrieve(three.id, thread_id=thread_id))
    show("threads.messages.update", await messages.update(three.id, thread_id=thread_id, metadata={"n": "three"}))
    page = await messages.list(thread_id, limit=3)
    show("threads.messages.list", page)
    show("threads.messages.list, get_next_page", (await page.get_next_page()).data)
    oldest_first = messages.list(thread_id, limit=1, order="asc")
    show("threads.messages.list, every page", [message.id async for message in oldest_first])
    show("threads.messages.delete", await messages.delete(parts.id, thread_id=thread_id))
    with expect_rejection("threads.messages.retrieve, deleted"):
        await messages.retrieve(parts.id, thread_id=thread_id)
    show("threads.messages.list, after a deletion", [one.id async for one in messages.list(thread_id)])
