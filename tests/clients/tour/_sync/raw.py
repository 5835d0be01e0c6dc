# Generated from ../_async by .ci/unasync.py: edit there.
"""The same requests with their HTTP answers: `with_raw_response` and `with_streaming_response`."""

from __future__ import annotations

from collections.abc import Mapping

from openai import OpenAI

from tests.clients.tour.output import show


def tour(client: OpenAI) -> None:
    assistants = client.beta.assistants
    raw = assistants.with_raw_response.create(model="gpt-4o")
    show("assistants.with_raw_response.create", [raw.status_code, _select_headers(raw.headers)])
    show("assistants.with_raw_response.create, parsed", raw.parse())
    with assistants.with_streaming_response.retrieve(raw.parse().id) as answer:
        show("assistants.with_streaming_response.retrieve", [answer.status_code, _select_headers(answer.headers)])
        show("assistants.with_streaming_response.retrieve, parsed", answer.parse())
    with assistants.with_streaming_response.delete(raw.parse().id) as answer:
        lines = [line for line in answer.iter_lines()]
        show("assistants.with_streaming_response.delete, lines", lines)

    assistant = assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "SLOW 0.2\nSAY Slowly."}])
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    retrieved = client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=thread.id)
    waits = "openai-poll-after-ms" in retrieved.headers
    show("threads.runs.with_raw_response.retrieve", [retrieved.status_code, waits])
    client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    ended = client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    show("threads.runs.cancel, in the middle", ended.status)


def _select_headers(headers: Mapping[str, str]) -> dict[str, object]:
    """The headers that clients read; of those that differ each time, whether they are there."""
    return {
        "content-type": headers.get("content-type"),
        "openai-version": headers.get("openai-version"),
        "openai-processing-ms": "openai-processing-ms" in headers,
        "x-request-id": headers.get("x-request-id", "").startswith("req_"),
    }
