# Generated from ../_async by .ci/unasync.py: edit there.
"""What is not the Assistants API goes through to the service behind."""

from __future__ import annotations

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show


def tour(client: OpenAI) -> None:
    show("models.retrieve", (client.models.retrieve("gpt-4o")).id)
    show("models.list", "gpt-4o" in [model.id for model in client.models.list()])
    response = client.responses.create(model="gpt-4o", input="Hello")
    show("responses.create", response.output_text)
    events = client.responses.create(model="gpt-4o", input="Hello", stream=True)
    show("responses.create, streamed", [event.type for event in events])
    with expect_rejection("responses.retrieve, unknown"):
        client.responses.retrieve("resp_none")
