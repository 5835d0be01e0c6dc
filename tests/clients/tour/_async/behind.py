"""What is not the Assistants API goes through to the service behind."""

from __future__ import annotations

from openai import AsyncOpenAI

from tests.clients.tour.output import expect_rejection, show


async def tour(client: AsyncOpenAI) -> None:
    show("models.retrieve", (await client.models.retrieve("gpt-4o")).id)
    show("models.list", "gpt-4o" in [model.id async for model in client.models.list()])
    response = await client.responses.create(model="gpt-4o", input="Hello")
    show("responses.create", response.output_text)
    events = await client.responses.create(model="gpt-4o", input="Hello", stream=True)
    show("responses.create, streamed", [event.type async for event in events])
    with expect_rejection("responses.retrieve, unknown"):
        await client.responses.retrieve("resp_none")
