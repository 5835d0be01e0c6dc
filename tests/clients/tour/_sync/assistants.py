# Generated from ../_async by .ci/unasync.py: edit there.
"""Assistants: made, looked at, changed, listed, deleted."""

from __future__ import annotations

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import WEATHER


def tour(client: OpenAI) -> None:
    assistants = client.beta.assistants
    plain = assistants.create(model="gpt-4o")
    show("assistants.create", plain)
    full = assistants.create(
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
    show("assistants.retrieve", assistants.retrieve(full.id))
    show("assistants.update", assistants.update(full.id, name="Desk", metadata={"team": "new"}, temperature=0.2))
    _show_lists(client)
    show("assistants.delete", assistants.delete(full.id))
    with expect_rejection("assistants.retrieve, deleted"):
        assistants.retrieve(full.id)
    with expect_rejection("assistants.update, deleted"):
        assistants.update(full.id, name="Ghost")
    with expect_rejection("assistants.delete, deleted"):
        assistants.delete(full.id)


def _show_lists(client: OpenAI) -> None:
    marker = client.beta.assistants.create(model="gpt-4o", name="before the others")
    for number in range(5):
        client.beta.assistants.create(model="gpt-4o", name=f"number {number}")

    newest = client.beta.assistants.list(limit=2)
    show("assistants.list", newest)
    show("assistants.list, has_next_page", newest.has_next_page())
    following = newest.get_next_page()
    show("assistants.list, get_next_page", [assistant.name for assistant in following.data])
    oldest_first = client.beta.assistants.list(limit=2, order="asc", after=marker.id)
    show("assistants.list, every page", [assistant.name for assistant in oldest_first])
    back = client.beta.assistants.list(limit=1, before=following.data[-1].id)
    show("assistants.list, before", [assistant.name for assistant in back.data])
