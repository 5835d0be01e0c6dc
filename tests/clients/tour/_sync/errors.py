# Generated from ../_async by .ci/unasync.py: edit there.
"""Refusals: which class an SDK raises, and what its users read."""

from __future__ import annotations

from typing import Any

from openai import OpenAI

from tests.clients.tour.output import expect_rejection, show


def tour(client: OpenAI) -> None:
    _show_unknown_ids(client)
    _show_invalid_requests(client)
    _show_failed_run(client)


def _show_unknown_ids(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    assistant = client.beta.assistants.create(model="gpt-4o")
    with expect_rejection("assistants.retrieve, unknown"):
        client.beta.assistants.retrieve("asst_none")
    with expect_rejection("threads.retrieve, unknown"):
        client.beta.threads.retrieve("thread_none")
    with expect_rejection("threads.messages.retrieve, unknown"):
        client.beta.threads.messages.retrieve("msg_none", thread_id=thread.id)
    with expect_rejection("threads.runs.retrieve, unknown"):
        client.beta.threads.runs.retrieve("run_none", thread_id=thread.id)
    with expect_rejection("threads.runs.steps.list, unknown"):
        client.beta.threads.runs.steps.list("run_none", thread_id=thread.id)
    with expect_rejection("threads.runs.create, unknown assistant"):
        client.beta.threads.runs.create(thread.id, assistant_id="asst_none")
    with expect_rejection("threads.runs.create, unknown thread"):
        client.beta.threads.runs.create("thread_none", assistant_id=assistant.id)


def _show_invalid_requests(client: OpenAI) -> None:
    anything: Any = client.beta  # also what the SDK's types forbid
    thread = client.beta.threads.create()
    with expect_rejection("assistants.create, temperature too high"):
        anything.assistants.create(model="gpt-4o", temperature=3)
    with expect_rejection("assistants.create, a number for a name"):
        anything.assistants.create(model="gpt-4o", name=7)
    with expect_rejection("assistants.create, an unknown parameter"):
        anything.assistants.create(model="gpt-4o", extra_body={"colour": "blue"})
    with expect_rejection("assistants.list, limit too high"):
        anything.assistants.list(limit=101)
    with expect_rejection("assistants.list, an unknown order"):
        anything.assistants.list(order="sideways")
    with expect_rejection("threads.messages.create, an unknown role"):
        anything.threads.messages.create(thread.id, role="pilot", content="Hi")
    with expect_rejection("threads.update, metadata too many"):
        anything.threads.update(thread.id, metadata={str(number): "x" for number in range(17)})
    with expect_rejection("threads.create, without the header"):
        client.post("/threads", cast_to=dict[str, object], body={})


def _show_failed_run(client: OpenAI) -> None:
    """A run that fails is no error of a request."""
    assistant = client.beta.assistants.create(model="gpt-4o")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "FAIL server_error The model fell over."}]},
    )
    show("threads.create_and_run_poll, failed", run.status)
    assert run.last_error is not None
    show("threads.create_and_run_poll, last_error", run.last_error.code)
