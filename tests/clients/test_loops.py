"""The loops around a run: polling, statuses, usage, cancelling and going on."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import asyncio
import itertools
import time

import openai
import pytest
from openai.types.beta.threads import Run

from tests.clients.client_kinds import WEATHER, make_outputs, read_text, user_message

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

ENDED = {"completed", "failed", "cancelled", "expired", "incomplete", "requires_action"}


def looks(client: openai.OpenAI, run: Run) -> list[Run]:
    """The run at every look of a client that polls by hand, up to where it rests."""
    seen = [run]
    while seen[-1].status not in ENDED or len(seen) == 1:
        time.sleep(0.005)
        seen.append(client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))
    return seen


def looks_at_a_run_with_a_call(client: openai.OpenAI) -> list[Run]:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message("SLOW 0.002\nCALL get_weather {}\nSAY sunny it is")])
    first = looks(client, client.beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    run = first[-1]
    submitted = client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=thread.id, tool_outputs=make_outputs(run)
    )
    return [*first, *looks(client, submitted)]


async def test_c7_metadata_of_the_thread_is_written_beside_a_run(async_client: openai.AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="gpt-4o")
    thread = await async_client.beta.threads.create(messages=[user_message("SLOW 0.002\nSAY one two three")])

    running = asyncio.ensure_future(
        async_client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    )
    updates = await asyncio.gather(
        *(async_client.beta.threads.update(thread.id, metadata={"seen": str(number)}) for number in range(5))
    )

    assert [update.metadata for update in updates] == [{"seen": str(number)} for number in range(5)]
    assert (await running).status == "completed"


def test_c8_a_working_run_is_cancelled_and_the_next_one_created_at_once(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SLOW 10\nSAY never")])
    client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

    active = client.beta.threads.runs.list(thread.id, limit=1).data[0]
    client.beta.threads.runs.cancel(active.id, thread_id=thread.id)
    following = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        additional_messages=[user_message("SAY here")],
        poll_interval_ms=5,
    )

    assert following.status == "completed"
    assert read_text(client.beta.threads.messages.list(thread.id, limit=1).data[0]) == "here"
    assert client.beta.threads.runs.retrieve(active.id, thread_id=thread.id).status == "cancelled"


def test_c8_a_call_that_was_never_answered_does_not_spoil_the_thread(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message("CALL get_weather {}")])
    waiting = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5
    )

    client.beta.threads.runs.cancel(waiting.id, thread_id=thread.id)
    client.beta.threads.messages.create(thread.id, role="user", content="SAY here")
    following = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5
    )

    assert (waiting.status, following.status) == ("requires_action", "completed")


def test_c10_a_poller_sees_only_the_four_usual_statuses_and_in_order(client: openai.OpenAI) -> None:
    seen = [run.status for run in looks_at_a_run_with_a_call(client)]

    distinct = [status for status, _ in itertools.groupby(seen)]
    whole_life = iter(["queued", "in_progress", "requires_action", "queued", "in_progress", "completed"])
    assert all(status in whole_life for status in distinct)
    assert (distinct[0], distinct[-1]) == ("queued", "completed")
    assert "requires_action" in distinct


def test_c11_usage_is_null_until_the_run_is_completed(client: openai.OpenAI) -> None:
    *before, completed = looks_at_a_run_with_a_call(client)

    assert [run.usage for run in before] == [None] * len(before)
    assert completed.usage is not None
    assert completed.usage.total_tokens > 0


def test_c13_the_poll_helper_sleeps_as_long_as_it_is_told(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(_: object, seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("openai._resource.SyncAPIResource._sleep", sleep)
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SLOW 0.005\nSAY one two three")])

    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert run.status == "completed"
    assert set(slept) == {0.05}


async def test_c13_the_asynchronous_poll_helper_is_told_too(
    async_client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(_: object, seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.001)

    monkeypatch.setattr("openai._resource.AsyncAPIResource._sleep", sleep)
    assistant = await async_client.beta.assistants.create(model="gpt-4o")
    thread = await async_client.beta.threads.create(messages=[user_message("SLOW 0.005\nSAY one two three")])

    run = await async_client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert run.status == "completed"
    assert set(slept) == {0.05}
