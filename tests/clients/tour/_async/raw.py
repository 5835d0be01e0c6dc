"""The same requests with their HTTP answers: `with_raw_response` and `with_streaming_response`."""

from __future__ import annotations

from collections.abc import Mapping

from openai import AsyncOpenAI

from tests.clients.tour.output import show


async def tour(client: AsyncOpenAI) -> None:
    assistants = client.beta.assistants
    raw = await assistants.with_raw_response.create(model="gpt-4o")
    show("assistants.with_raw_response.create", [raw.status_code, _select_headers(raw.headers)])
    show("assistants.with_raw_response.create, parsed", raw.parse())
    async with assistants.with_streaming_response.retrieve(raw.parse().id) as answer:
        show("assistants.with_streaming_response.retrieve", [answer.status_code, _select_headers(answer.headers)])
        show("assistants.with_streaming_response.retrieve, parsed", await answer.parse())
    async with assistants.with_streaming_response.delete(raw.parse().id) as answer:
        lines = [line async for line in answer.iter_lines()]
        show("assistants.with_streaming_response.delete, lines", lines)

    assistant = await assistants.create(model="gpt-4o")
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "SLOW 0.2\nSAY Slowly."}])
    run = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    retrieved = await client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=thread.id)
    waits = "openai-poll-after-ms" in retrieved.headers
    show("threads.runs.with_raw_response.retrieve", [retrieved.status_code, waits])
    await client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    ended = await client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    show("threads.runs.cancel, in the middle", ended.status)


def _select_headers(headers: Mapping[str, str]) -> dict[str, object]:
    """The headers that clients read; of those that differ each time, whether they are there."""
    return {
        "content-type": headers.get("content-type"),
        "openai-version": headers.get("openai-version"),
        "openai-processing-ms": "openai-processing-ms" in headers,
        "x-request-id": headers.get("x-request-id", "").startswith("req_"),
    }
