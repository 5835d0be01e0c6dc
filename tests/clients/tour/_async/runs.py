"""Runs and their steps, polled: by hand and by every helper."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import BETA, WEATHER


async def tour(client: AsyncOpenAI) -> None:
    runs = client.beta.threads.runs
    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.", tools=[WEATHER])
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "SAY Good morning"}])

    created = await runs.create(thread.id, assistant_id=assistant.id, metadata={"try": "1"})
    show("threads.runs.create", created)
    polled = await runs.poll(created.id, thread_id=thread.id)
    show("threads.runs.poll", polled)
    show("threads.runs.retrieve", await runs.retrieve(created.id, thread_id=thread.id))
    show("threads.runs.update", await runs.update(created.id, thread_id=thread.id, metadata={"try": "one"}))

    again = await runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        model="gpt-4.1",
        instructions="Be long.",
        additional_instructions="And friendly.",
        additional_messages=[{"role": "user", "content": "SAY Good evening"}],
        tools=[],
        temperature=0.3,
        max_completion_tokens=500,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        parallel_tool_calls=False,
        response_format={"type": "text"},
    )
    show("threads.runs.create_and_poll", again)
    # No SDK has a method for it: the operation is an extension.
    path = f"/threads/{thread.id}/runs/{again.id}/report"
    report = await client.get(path, cast_to=dict[str, Any], options={"headers": BETA})
    show("threads.runs, reported", {name: report["turns"][0][name] for name in ("number", "usage", "warnings")})
    page = await runs.list(thread.id, limit=1)
    show("threads.runs.list", page)
    show("threads.runs.list, every page", [run.id async for run in runs.list(thread.id, limit=1, order="asc")])
    await _show_results(client, thread.id, again.id)
    await _show_cancellation(client, assistant.id)
    await _show_thread_and_run(client, assistant.id)


async def _show_results(client: AsyncOpenAI, thread_id: str, run_id: str) -> None:
    show("threads.messages.list of a run", await client.beta.threads.messages.list(thread_id, run_id=run_id))
    steps = await client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, limit=1, order="asc")
    show("threads.runs.steps.list", steps)
    step = await client.beta.threads.runs.steps.retrieve(
        steps.data[0].id,
        thread_id=thread_id,
        run_id=run_id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    show("threads.runs.steps.retrieve", step)
    listed = client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, limit=1)
    show("threads.runs.steps.list, every page", [one.type async for one in listed])


async def _show_cancellation(client: AsyncOpenAI, assistant_id: str) -> None:
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "CALL get_weather {}"}])
    run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant_id)
    show("threads.runs.create_and_poll, a run that waits", run.status)
    show("threads.runs.cancel", (await client.beta.threads.runs.cancel(run.id, thread_id=thread.id)).status)
    ended = await client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    show("threads.runs.poll, a cancelled run", ended)
    with expect_rejection("threads.runs.cancel, cancelled"):
        await client.beta.threads.runs.cancel(run.id, thread_id=thread.id)


async def _show_thread_and_run(client: AsyncOpenAI, assistant_id: str) -> None:
    created = await client.beta.threads.create_and_run(assistant_id=assistant_id)
    show("threads.create_and_run", created)
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id,
        thread={"messages": [{"role": "user", "content": "SAY At once"}], "metadata": {"by": "the run"}},
    )
    show("threads.create_and_run_poll", run)
    show("threads.retrieve, made by a run", await client.beta.threads.retrieve(run.thread_id))
