"""Assistants: made, looked at, changed, listed, deleted."""

from __future__ import annotations

from openai import AsyncOpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import WEATHER


async def tour(client: AsyncOpenAI) -> None:
    assistants = client.beta.assistants
    plain = await assistants.create(model="gpt-4o")
    show("assistants.create", plain)
    full = await assistants.create(
        model="gpt-4o",
        name="Weather desk",
        description="Knows the weather.",
        instructions="Be brief.",
        tools=[WEATHER],
        metadata={"team": "desk"},
        temperature=0.5,
        top_p=0.9,
        response_format={"type": "text"},
    )
    show("assistants.create with everything", full)
    show("assistants.retrieve", await assistants.retrieve(full.id))
    show("assistants.update", await assistants.update(full.id, name="Desk", metadata={"team": "new"}, temperature=0.2))
    await _show_lists(client)
    show("assistants.delete", await assistants.delete(full.id))
    with expect_rejection("assistants.retrieve, deleted"):
        await assistants.retrieve(full.id)
    with expect_rejection("assistants.update, deleted"):
        await assistants.update(full.id, name="Ghost")
    with expect_rejection("assistants.delete, deleted"):
        await assistants.delete(full.id)


async def _show_lists(client: AsyncOpenAI) -> None:
    marker = await client.beta.assistants.create(model="gpt-4o", name="before the others")
    for number in range(5):
        await client.beta.assistants.create(model="gpt-4o", name=f"number {number}")

    newest = await client.beta.assistants.list(limit=2)
    show("assistants.list", newest)
    show("assistants.list, has_next_page", newest.has_next_page())
    following = await newest.get_next_page()
    show("assistants.list, get_next_page", [assistant.name for assistant in following.data])
    oldest_first = client.beta.assistants.list(limit=2, order="asc", after=marker.id)
    show("assistants.list, every page", [assistant.name async for assistant in oldest_first])
    back = await client.beta.assistants.list(limit=1, before=following.data[-1].id)
    show("assistants.list, before", [assistant.name for assistant in back.data])
