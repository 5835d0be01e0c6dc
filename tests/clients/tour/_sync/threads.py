# Generated from ../_async by .ci/unasync.py: edit there.
"""Threads and their messages: made, looked at, changed, listed, deleted."""

from __future__ import annotations

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import BETA


def tour(client: OpenAI) -> None:
    show("threads.create", client.beta.threads.create())
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}],
        metadata={"customer": "7"},
    )
    show("threads.create with messages", thread)
    show("threads.retrieve", client.beta.threads.retrieve(thread.id))
    show("threads.update", client.beta.threads.update(thread.id, metadata={"customer": "8"}))
    # No SDK has a method for it: the operation is an extension.
    listed = client.get("/threads?limit=1", cast_to=dict[str, object], options={"headers": BETA})
    show("threads, listed", listed)
    _show_messages(client, thread.id)
    show("threads.delete", client.beta.threads.delete(thread.id))
    with expect_rejection("threads.retrieve, deleted"):
        client.beta.threads.retrieve(thread.id)
    with expect_rejection("threads.messages.list, deleted"):
        client.beta.threads.messages.list(thread.id)


def _show_messages(client: OpenAI, thread_id: str) -> None:
    messages = client.beta.threads.messages
    three = messages.create(thread_id, role="user", content="Three", metadata={"n": "3"})
    show("threads.messages.create", three)
    parts = messages.create(
        thread_id,
        role="user",
        content=[
            {"type": "text", "text": "Four"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        ],
    )
    show("threads.messages.create with parts", parts)
    show("threads.messages.retrieve", messages.retrieve(three.id, thread_id=thread_id))
    show("threads.messages.update", messages.update(three.id, thread_id=thread_id, metadata={"n": "three"}))
    page = messages.list(thread_id, limit=3)
    show("threads.messages.list", page)
    show("threads.messages.list, get_next_page", (page.get_next_page()).data)
    oldest_first = messages.list(thread_id, limit=1, order="asc")
    show("threads.messages.list, every page", [message.id for message in oldest_first])
    show("threads.messages.delete", messages.delete(parts.id, thread_id=thread_id))
    with expect_rejection("threads.messages.retrieve, deleted"):
        messages.retrieve(parts.id, thread_id=thread_id)
    show("threads.messages.list, after a deletion", [one.id for one in messages.list(thread_id)])
