"""What clients read out of error texts and lists."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import re

import openai
import pytest

from tests.clients.client_kinds import WEATHER, read_text, user_message

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def test_c1_a_busy_thread_is_told_in_words_that_agency_swarm_takes_apart(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message("CALL get_weather {}")])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    with pytest.raises(openai.BadRequestError) as message:
        client.beta.threads.messages.create(thread.id, role="user", content="Hello?")
    with pytest.raises(openai.BadRequestError) as second:
        client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

    busy = re.search(
        r"Can't add messages to thread_([a-zA-Z0-9]+) while a run run_([a-zA-Z0-9]+) is active\.",
        message.value.message,
    )
    running = re.search(r"Thread (\w+) already has an active run (\w+)", second.value.message)
    assert busy is not None
    assert ("thread_" + busy[1], "run_" + busy[2]) == (thread.id, run.id)
    assert running is not None
    assert running.groups() == (thread.id, run.id)


def test_c1_a_late_cancel_is_told_in_words_that_agency_swarm_looks_for(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("Hello")])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status"):
        client.beta.threads.runs.cancel(run.id, thread_id=thread.id)


def test_c5_a_client_that_pages_until_a_page_is_empty_comes_to_an_end(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create(messages=[user_message(str(number)) for number in range(5)])

    pages = [client.beta.threads.messages.list(thread.id, limit=2)]
    while pages[-1].data:
        pages.append(client.beta.threads.messages.list(thread.id, limit=2, after=pages[-1].data[-1].id))

    assert [read_text(message) for page in pages for message in page.data] == ["4", "3", "2", "1", "0"]
    assert [len(page.data) for page in pages] == [2, 2, 1, 0]


def test_c9_an_assistant_is_found_by_name_among_the_newest(client: openai.OpenAI) -> None:
    for number in range(25):
        client.beta.assistants.create(model="gpt-4o", name=f"helper {number}")

    newest = [assistant.name for assistant in client.beta.assistants.list(limit=20).data]
    found = [assistant for assistant in client.beta.assistants.list(limit=100).data if assistant.name == "helper 3"]

    assert newest == [f"helper {number}" for number in range(24, 4, -1)]
    assert found[0].name == "helper 3"


def test_c12_the_newest_run_and_message_come_first_also_within_a_second(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SAY first")])
    runs = [
        client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5)
        for _ in range(3)
    ]

    client.beta.threads.messages.create(thread.id, role="user", content="last")

    assert client.beta.threads.runs.list(thread.id, limit=1).data[0].id == runs[-1].id
    assert read_text(client.beta.threads.messages.list(thread.id, limit=1).data[0]) == "last"
