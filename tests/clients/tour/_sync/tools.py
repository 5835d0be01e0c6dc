# Generated from ../_async by .ci/unasync.py: edit there.
"""Function calls, polled: outputs handed back one way and the other, and refused."""

from __future__ import annotations

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show
from tests.clients.tour.request_bodies import ONE_CALL, THREE_CALLS, WEATHER, make_outputs


def tour(client: OpenAI) -> None:
    runs = client.beta.threads.runs
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": THREE_CALLS}])

    waiting = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    show("threads.runs.create_and_poll, two calls", waiting)
    _show_rejections(client, thread.id, assistant.id, waiting.id)
    backwards = list(reversed(make_outputs(waiting)))
    waiting = runs.submit_tool_outputs_and_poll(run_id=waiting.id, thread_id=thread.id, tool_outputs=backwards)
    show("threads.runs.submit_tool_outputs_and_poll, one more call", waiting.required_action)
    submitted = runs.submit_tool_outputs(waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting))
    show("threads.runs.submit_tool_outputs", submitted.status)
    show("threads.runs.poll, after the outputs", runs.poll(waiting.id, thread_id=thread.id))
    steps = runs.steps.list(waiting.id, thread_id=thread.id, order="asc")
    show("threads.runs.steps.list, calls and outputs", steps.data)
    with expect_rejection("threads.runs.submit_tool_outputs, completed"):
        runs.submit_tool_outputs(waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting))
    _show_forced_call(client, assistant.id)


def _show_rejections(client: OpenAI, thread_id: str, assistant_id: str, run_id: str) -> None:
    with expect_rejection("threads.messages.create, busy"):
        client.beta.threads.messages.create(thread_id, role="user", content="Hello?")
    with expect_rejection("threads.runs.create, busy"):
        client.beta.threads.runs.create(thread_id, assistant_id=assistant_id)
    with expect_rejection("threads.runs.submit_tool_outputs, none"):
        client.beta.threads.runs.submit_tool_outputs(run_id, thread_id=thread_id, tool_outputs=[])


def _show_forced_call(client: OpenAI, assistant_id: str) -> None:
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id,
        thread={"messages": [{"role": "user", "content": ONE_CALL}]},
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    show("threads.create_and_run_poll, forced", run.tool_choice)
    ended = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=make_outputs(run)
    )
    show("threads.runs.submit_tool_outputs_and_poll", ended)
