"""The simulator over HTTP, with the openai SDK as its client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI

from tests.adapters.simulator.simulator_client import TIME
from tests.asgi_server import serve_app
from threadbridge_adapters.simulator import Scenario, Simulator, app

_COMPLY = "from llm_comply.cli import main; main()"


@pytest.fixture
async def served() -> AsyncIterator[tuple[Simulator, str]]:
    simulator = Simulator()
    async with serve_app(app(simulator)) as url:
        yield simulator, f"{url}/v1"


@pytest.fixture
async def client(served: tuple[Simulator, str]) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=served[1], api_key="any", max_retries=0) as made:
        yield made


async def test_llm_comply_finds_nothing_to_complain_about(served: tuple[Simulator, str]) -> None:
    """Open Responses; `gpt-5.6-luna` because the reasoning check skips names it does not know."""
    arguments = ["-c", _COMPLY, "--base-url", served[1], "--api-key", "any", "--model", "gpt-5.6-luna", "--json"]

    running = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    printed, _ = await running.communicate()

    results = orjson.loads(printed)["results"]
    assert running.returncode == 0
    assert len(results) >= 12
    assert {result["status"] for result in results} == {"passed"}


async def test_the_sdk_parses_a_response(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="gpt-6-luna", input="hello", reasoning={"effort": "none"})

    assert response.output_text == "ECHO: hello"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


async def test_the_sdk_reads_a_stream_to_its_end(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="sim-1", input="hello there", stream=True)

    told = [event async for event in stream]

    assert [event.type for event in told][:3] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert "".join(event.delta for event in told if event.type == "response.output_text.delta") == "ECHO: hello there"
    assert told[-1].type == "response.completed"


async def test_a_tool_loop_runs_through_the_sdk(client: AsyncOpenAI) -> None:
    tools: Any = [TIME]
    first = await client.responses.create(model="sim-1", input="CALL get_time {}", tools=tools)
    call = first.output[0]
    assert call.type == "function_call"

    second = await client.responses.create(
        model="sim-1",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "noon"}],
        tools=tools,
    )

    assert second.output_text == "RESULT: noon"


async def test_a_refusal_reaches_the_sdk_with_code_and_request_id(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model="gpt-4", input="x")

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert (refused.value.request_id or "").startswith("req_")


async def test_a_rate_limit_carries_retry_after(client: AsyncOpenAI, served: tuple[Simulator, str]) -> None:
    served[0].enqueue(Scenario.from_http_error(429, retry_after=2))

    with pytest.raises(openai.RateLimitError) as refused:
        await client.responses.create(model="sim-1", input="x")

    assert refused.value.response.headers["retry-after"] == "2"


async def test_a_broken_connection_is_broken_for_the_client(client: AsyncOpenAI, served: tuple[Simulator, str]) -> None:
    served[0].enqueue(Scenario.from_text("a b c").with_break(after=5), Scenario.from_text("a").with_break(after=0))
    stream = await client.responses.create(model="sim-1", input="x", stream=True)

    with pytest.raises(Exception, match="(?i)incomplete|closed|connection error"):
        [event async for event in stream]
    with pytest.raises(openai.APIConnectionError):
        await client.responses.create(model="sim-1", input="x")


async def test_a_stored_response_can_be_read_listed_and_deleted(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="sim-1", input="one")
    second = await client.responses.create(model="sim-1", input="two", previous_response_id=first.id)

    again = await client.responses.retrieve(second.id)
    items = await client.responses.input_items.list(second.id, limit=2)
    await client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{second.id}' not found."):
        await client.responses.retrieve(second.id)

    assert again.to_dict() == second.to_dict()
    assert [item.to_dict()["role"] for item in items.data] == ["user", "assistant"]
    assert items.has_more


async def test_a_background_response_is_queued_and_then_done(client: AsyncOpenAI) -> None:
    queued = await client.responses.create(model="sim-1", input="x", background=True)

    done = await _settled(client, queued.id)

    assert (queued.status, queued.output) == ("queued", [])
    assert (done.status, done.output_text) == ("completed", "ECHO: x")


async def test_a_background_response_can_be_cancelled_twice(client: AsyncOpenAI) -> None:
    queued = await client.responses.create(model="sim-1", input="SLOW 60\nSAY never", background=True)

    first = await client.responses.cancel(queued.id)
    second = await client.responses.cancel(queued.id)

    assert (first.status, second.status) == ("cancelled", "cancelled")
    assert (await client.responses.retrieve(queued.id)).status == "cancelled"


async def test_a_foreground_response_cannot_be_cancelled(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="sim-1", input="x")

    with pytest.raises(openai.BadRequestError, match=r"Cannot cancel a synchronous response\."):
        await client.responses.cancel(response.id)


async def test_a_background_stream_can_be_taken_up_again(client: AsyncOpenAI) -> None:
    """Recorded (openai-dotnet CanStreamBackgroundResponses): created, queued, in_progress …"""
    stream = await client.responses.create(model="sim-1", input="a b", background=True, stream=True)
    told = [event async for event in stream]
    assert told[0].type == "response.created"
    response_id = told[0].response.id

    again = await client.responses.retrieve(response_id, stream=True, starting_after=3)
    rest = [event async for event in again]

    assert [event.type for event in told][:3] == ["response.created", "response.queued", "response.in_progress"]
    assert [event.to_dict() for event in rest] == [event.to_dict() for event in told[4:]]


async def test_a_conversation_collects_what_was_said(client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create(
        metadata={"topic": "test"}, items=[{"type": "message", "role": "user", "content": "before"}]
    )
    said = await client.responses.create(model="sim-1", input="hello", conversation=conversation.id)

    items = await client.conversations.items.list(conversation.id, order="asc")
    first = await client.conversations.items.retrieve(items.data[0].id or "", conversation_id=conversation.id)
    changed = await client.conversations.update(conversation.id, metadata={"topic": "other"})
    gone = await client.conversations.delete(conversation.id)

    assert said.to_dict()["conversation"] == {"id": conversation.id}
    assert [item.to_dict()["role"] for item in items.data] == ["user", "user", "assistant"]
    assert first.to_dict() == items.data[0].to_dict()
    assert (changed.metadata, gone.deleted) == ({"topic": "other"}, True)
    with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{conversation.id}' not found."):
        await client.conversations.retrieve(conversation.id)


async def test_a_conversation_takes_twenty_items_a_call(client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create()
    many: Any = [{"type": "message", "role": "user", "content": str(n)} for n in range(21)]

    added = await client.conversations.items.create(conversation.id, items=many[:20])
    left = await client.conversations.items.delete(added.data[0].id or "", conversation_id=conversation.id)
    with pytest.raises(openai.BadRequestError, match="array too long") as refused:
        await client.conversations.items.create(conversation.id, items=many)

    assert (len(added.data), left.id) == (20, conversation.id)
    assert refused.value.code == "array_above_max_length"


async def test_a_conversation_with_an_open_call_takes_nothing_else(client: AsyncOpenAI) -> None:
    """§2: until the call is answered every further response is refused."""
    conversation = await client.conversations.create()
    tools: Any = [TIME]
    await client.responses.create(model="sim-1", input="CALL get_time", tools=tools, conversation=conversation.id)

    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        await client.responses.create(model="sim-1", input="and now?", conversation=conversation.id)


async def test_a_conversation_is_locked_while_a_response_is_made(client: AsyncOpenAI) -> None:
    """§2."""
    conversation = await client.conversations.create()
    stream = await client.responses.create(
        model="sim-1", input="SLOW 60\nSAY never", conversation=conversation.id, stream=True
    )

    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model="sim-1", input="x", conversation=conversation.id)
    await stream.close()

    assert (refused.value.code, refused.value.param) == ("conversation_locked", "conversation")


async def test_input_tokens_are_those_a_response_is_charged(client: AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model="sim-1", input="hello", instructions="Be brief.")
    response = await client.responses.create(model="sim-1", input="hello", instructions="Be brief.")

    assert response.usage is not None
    assert counted.input_tokens == response.usage.input_tokens


async def test_models_name_their_last_day(client: AsyncOpenAI) -> None:
    """§14."""
    listed = [model.id async for model in client.models.list()]
    going = await client.get("/models/gpt-4o", cast_to=object)
    with pytest.raises(openai.NotFoundError) as gone:
        await client.models.retrieve("gpt-4")

    assert {"gpt-6-luna", "gpt-4o-2024-08-06"} < set(listed)
    assert "gpt-4" not in listed
    assert going == {
        "id": "gpt-4o",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "system",
        "shutdown_date": "2027-01-14",
    }
    assert gone.value.code == "model_not_found"


@pytest.mark.parametrize("path", ["/batches", "/responses/compact", "/assistants"])
async def test_what_is_not_simulated_is_absent(client: AsyncOpenAI, path: str) -> None:
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        await client.post(path, cast_to=object, body={})


async def test_a_body_that_is_no_json_is_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="We could not parse the JSON body of your request"):
        await client.post("/responses", cast_to=object, content=b"{")


async def test_the_sdk_uploads_indexes_and_searches(client: AsyncOpenAI) -> None:
    store = await client.vector_stores.create(name="foods")
    file = await client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("foods.txt", b"Travis likes pizza.")
    )

    page = await client.vector_stores.search(store.id, query="pizza")
    response = await client.responses.create(
        model="gpt-4o-mini",
        input="SEARCH pizza",
        tools=[{"type": "file_search", "vector_store_ids": [store.id]}],
        include=["file_search_call.results"],
    )

    assert (file.status, page.data[0].filename) == ("completed", "foods.txt")
    assert response.output_text == "FOUND: Travis likes pizza."


async def test_the_sdk_uploads_in_parts(client: AsyncOpenAI) -> None:
    content = b"x" * 100_000
    upload = await client.uploads.upload_file_chunked(
        file=content,
        filename="big.jsonl",
        bytes=len(content),
        mime_type="text/jsonl",
        purpose="batch",
        part_size=40_000,
    )
    assert upload.file is not None

    received = await client.files.content(upload.file.id)

    assert received.content == content


async def test_the_sdk_works_with_a_container(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="mine", memory_limit="1g")
    sent = await client.containers.files.create(container.id, file=("x.txt", b"abc"))
    response = await client.responses.create(
        model="gpt-4o-mini",
        input="PYTHON 1\nWRITES a.csv x",
        tools=[{"type": "code_interpreter", "container": container.id}],
    )

    content = await client.containers.files.content.retrieve(sent.id, container_id=container.id)
    listed = [file.path async for file in client.containers.files.list(container.id, order="asc")]
    await client.containers.delete(container.id)

    assert content.content == b"abc"
    assert listed == [sent.path, "/mnt/data/a.csv"]
    assert "sandbox:/mnt/data/a.csv" in response.output_text


async def _settled(client: AsyncOpenAI, response_id: str) -> Any:
    while True:
        response = await client.responses.retrieve(response_id)
        if response.status not in ("queued", "in_progress"):
            return response
        await asyncio.sleep(0.01)
