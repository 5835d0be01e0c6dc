# Generated from ../_async by .ci/unasync.py: edit there.
"""Runs and their steps, polled: by hand and by every helper."""

from __future__ import annotations

from typing import Any

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import BETA, WEATHER


def tour(client: OpenAI) -> None:
    runs = client.beta.threads.runs
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "SAY Good morning"}])

    created = runs.create(thread.id, assistant_id=assistant.id, metadata={"try": "1"})
    show("threads.runs.create", created)
    polled = runs.poll(created.id, thread_id=thread.id)
    show("threads.runs.poll", polled)
    show("threads.runs.retrieve", runs.retrieve(created.id, thread_id=thread.id))
    show("threads.runs.update", runs.update(created.id, thread_id=thread.id, metadata={"try": "one"}))

    again = runs.create_and_poll(
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
    report = client.get(path, cast_to=dict[str, Any], options={"headers": BETA})
    show("threads.runs, reported", {name: report["turns"][0][name] for name in ("number", "usage", "warnings")})
    page = runs.list(thread.id, limit=1)
    show("threads.runs.list", page)
    show("threads.runs.list, every page", [run.id for run in runs.list(thread.id, limit=1, order="asc")])
    _show_results(client, thread.id, again.id)
    _show_cancellation(client, assistant.id)
    _show_thread_and_run(client, assistant.id)


def _show_results(client: OpenAI, thread_id: str, run_id: str) -> None:
    show("threads.messages.list of a run", client.beta.threads.messages.list(thread_id, run_id=run_id))
    steps = client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, limit=1, order="asc")
    show("threads.runs.steps.list", steps)
    step = client.beta.threads.runs.steps.retrieve(
        steps.data[0].id,
        thread_id=thread_id,
        run_id=run_id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    show("threads.runs.steps.retrieve", step)
    listed = client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, limit=1)
    show("threads.runs.steps.list, every page", [one.type for one in listed])


def _show_cancellation(client: OpenAI, assistant_id: str) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "CALL get_weather {}"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant_id)
    show("threads.runs.create_and_poll, a run that waits", run.status)
    show("threads.runs.cancel", (client.beta.threads.runs.cancel(run.id, thread_id=thread.id)).status)
    ended = client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    show("threads.runs.poll, a cancelled run", ended)
    with expect_rejection("threads.runs.cancel, cancelled"):
        client.beta.threads.runs.cancel(run.id, thread_id=thread.id)


def _show_thread_and_run(client: OpenAI, assistant_id: str) -> None:
    created = client.beta.threads.create_and_run(assistant_id=assistant_id)
    show("threads.create_and_run", created)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id,
        thread={"messages": [{"role": "user", "content": "SAY At once"}], "metadata": {"by": "the run"}},
    )
    show("threads.create_and_run_poll", run)
    show("threads.retrieve, made by a run", client.beta.threads.retrieve(run.thread_id))
