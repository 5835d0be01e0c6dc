"""What clients send: nulls, odd names, large schemas, the same text twice."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, cast

import openai
import pytest
from openai.types.beta.threads import Run
from pydantic import BaseModel, SecretStr

from tests.adapters.loopback_service import LoopbackService, run_loopback_service
from tests.clients.client_kinds import read_text, simulated_gateway, user_message
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def nulls(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split())


def alike(model: BaseModel) -> dict[str, Any]:
    """An object without what makes it one of its own."""
    return model.model_dump(exclude={"id", "created_at", "thread_id", "expires_at"})


def test_c6_nulls_for_an_assistant_mean_not_given(client: openai.OpenAI) -> None:
    unset = nulls(
        "name description instructions tool_resources reasoning_effort temperature top_p metadata response_format tools"
    )

    plain = client.beta.assistants.create(model="gpt-4o")
    with_nulls = client.beta.assistants.create(model="gpt-4o", **unset)
    updated = client.beta.assistants.update(plain.id, **unset)

    assert alike(with_nulls) == alike(plain)
    assert updated == plain


def test_c6_nulls_for_a_thread_and_a_message_mean_not_given(client: openai.OpenAI) -> None:
    unset = nulls("metadata attachments")

    thread = client.beta.threads.create(**nulls("metadata tool_resources messages"))
    no_search: Any = {"file_search": None}
    updated = client.beta.threads.update(thread.id, tool_resources=no_search)
    message = client.beta.threads.messages.create(thread.id, role="user", content="Hi", **unset)
    again = client.beta.threads.messages.update(message.id, thread_id=thread.id, metadata=None)

    assert (thread.metadata, updated.metadata) == ({}, {})
    assert (message.metadata, message.attachments, again.metadata) == ({}, [], {})


def test_c6_nulls_for_a_run_mean_not_given(client: openai.OpenAI) -> None:
    unset = nulls(
        "instructions additional_instructions additional_messages model tools tool_choice temperature top_p metadata "
        "response_format truncation_strategy max_prompt_tokens max_completion_tokens reasoning_effort"
    )
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
    threads = [client.beta.threads.create(messages=[user_message("Hi")]) for _ in range(2)]

    plain = client.beta.threads.runs.create(threads[0].id, assistant_id=assistant.id)
    create = cast("Callable[..., Run]", client.beta.threads.runs.create)
    with_nulls = create(threads[1].id, assistant_id=assistant.id, **unset)

    assert alike(with_nulls) == alike(plain)


async def test_c6_nulls_are_really_what_is_sent() -> None:
    with run_loopback_service() as service:
        async with openai.AsyncOpenAI(base_url=service.url, api_key="sk-mine") as client:
            await client.beta.threads.with_raw_response.create(**nulls("metadata tool_resources messages"))

    assert b"".join(service.requests[0].body_chunks) == b'{"messages":null,"metadata":null,"tool_resources":null}'


@pytest.fixture
def behind() -> Generator[LoopbackService]:
    with run_loopback_service() as service:
        yield service


@pytest.fixture
def client_of_a_service(behind: LoopbackService) -> Generator[openai.OpenAI]:
    """A client of a gateway that passes through to the service behind."""
    upstream = UpstreamSettings(base_url=behind.url, api_key=SecretStr("sk-upstream"))
    with (
        run_gateway_in_thread(Settings(store=":memory:", upstream=upstream)) as url,
        openai.OpenAI(base_url=url, api_key="sk-mine", max_retries=0) as client,
    ):
        yield client


def test_c14_files_need_no_beta_header(client_of_a_service: openai.OpenAI, behind: LoopbackService) -> None:
    listed = client_of_a_service.files.with_raw_response.list()

    assert (listed.status_code, behind.requests[0].path) == (200, "/v1/files")
    assert "openai-beta" not in behind.requests[0].headers


def test_c14_threads_do(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="setting the header 'OpenAI-Beta: assistants=v2'"):
        client.post("/threads", body={}, cast_to=object)

    assert client.beta.threads.create().id.startswith("thread_")


LOOSE: Any = {
    "name": "Plugin-look_up",
    "description": "Looks something up.",
    "parameters": {
        "type": "object",
        "properties": {
            "what": {"$ref": "#/$defs/What"},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        },
        "required": ["what"],
        "$defs": {"What": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}
STRICT: Any = {
    "name": "Plugin-remember",
    "parameters": {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}}},
        "required": ["items"],
        "additionalProperties": False,
        "$defs": {
            "Item": {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            }
        },
    },
    "strict": True,
}


def test_c15_functions_with_hyphens_and_any_schema_are_kept_and_called(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", "function": LOOSE}, {"type": "function", "function": STRICT}]

    assistant = client.beta.assistants.create(model="gpt-4o", tools=tools)
    thread = client.beta.threads.create(messages=[user_message('CALL Plugin-look_up {"what": {"name": "tea"}}')])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5)

    echoed = [tool.to_dict()["function"] for tool in assistant.tools]
    assert echoed == [{**LOOSE, "strict": False}, STRICT]
    assert run.required_action is not None
    call = run.required_action.submit_tool_outputs.tool_calls[0].function
    assert (call.name, call.arguments) == ("Plugin-look_up", '{"what": {"name": "tea"}}')


def test_c15_the_model_is_shown_the_schemas_as_they_are() -> None:
    tools: Any = [{"type": "function", "function": LOOSE}, {"type": "function", "function": STRICT}]

    with simulated_gateway() as gateway, openai.OpenAI(base_url=gateway.url, api_key="sk-mine") as client:
        assistant = client.beta.assistants.create(model="gpt-4o", tools=tools)
        client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [user_message("Hi")]}, poll_interval_ms=5
        )

    assert gateway.simulator.requests[-1].body["tools"] == [
        {"type": "function", **LOOSE, "strict": False},
        {"type": "function", **STRICT},
    ]


def test_c17_the_same_text_may_be_in_the_thread_twice(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("Hello")])
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5)

    repeated: Any = [user_message("Hello"), {"role": "assistant", "content": "ECHO: Hello"}, user_message("And now?")]
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, additional_messages=repeated, poll_interval_ms=5
    )

    texts = [read_text(message) for message in client.beta.threads.messages.list(thread.id, order="asc")]
    assert run.status == "completed"
    assert texts == ["Hello", "ECHO: Hello", "Hello", "ECHO: Hello", "And now?", "ECHO: And now?"]
