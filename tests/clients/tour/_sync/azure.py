# Generated from ../_async by .ci/unasync.py: edit there.
"""Azure's class of the same SDK: the key in a header of its own, a version on every call, another path."""

from __future__ import annotations

from openai import AzureOpenAI, OpenAI

from tests.clients.tour.output import expect_rejection, show

VERSION = "2024-05-01-preview"


def tour(client: OpenAI) -> None:
    endpoint = str(client.base_url).rstrip("/").removesuffix("/v1")
    with AzureOpenAI(azure_endpoint=endpoint, api_key=client.api_key, api_version=VERSION) as azure:
        assistant = azure.beta.assistants.create(model="gpt-4o")
        show("azure, assistants.create", assistant)
        run = azure.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "SAY Good morning"}]}
        )
        show("azure, threads.create_and_run_poll", run.status)
        with azure.beta.threads.runs.stream(thread_id=run.thread_id, assistant_id=assistant.id) as stream:
            show("azure, threads.runs.stream", [event.event for event in stream])
        listed = azure.beta.threads.messages.list(run.thread_id, limit=1, order="asc")
        show("azure, threads.messages.list, every page", [message.role for message in listed])
        with expect_rejection("azure, assistants.retrieve, unknown"):
            azure.beta.assistants.retrieve("asst_none")
