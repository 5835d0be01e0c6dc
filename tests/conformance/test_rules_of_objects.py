"""Rules A4 to A41 on the wire: headers, lists, assistants, threads and messages."""

from __future__ import annotations

import re

import pytest

from tests.emulated_service import BETA, WEATHER, EmulatedService, run_path
from threadbridge.api_types import JsonObject

TEXT = {"type": "text", "text": "Hi"}
IMAGE_URL = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}


async def test_a4_a_body_is_indented_and_has_the_headers_of_the_service(service: EmulatedService) -> None:
    response = await service.send("GET", f"/threads/{await service.create_thread()}")

    assert isinstance(response.body, bytes)
    assert response.body.startswith(b'{\n  "id": "thread_')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["openai-version"] == "2020-10-01"
    assert response.headers["openai-processing-ms"].isdigit()
    assert re.fullmatch("req_[0-9a-f]{32}", response.headers["x-request-id"])


async def test_a5_the_headers_of_the_sdks_helpers_change_nothing(service: EmulatedService) -> None:
    helpers = {
        "x-stainless-lang": "python",
        "x-stainless-retry-count": "0",
        "x-stainless-read-timeout": "600",
        "x-stainless-raw-response": "true",
        "x-stainless-poll-helper": "true",
        "x-stainless-custom-poll-interval": "500",
        "x-stainless-stream-helper": "threads.runs.create_and_stream",
        "x-stainless-custom-event-handler": "true",
        "openai-organization": "org-1",
        "openai-project": "proj_1",
    }
    path = f"/threads/{await service.create_thread()}"

    with_helpers = await service.send("GET", path, headers={**BETA, **helpers})
    without = await service.send("GET", path)

    assert with_helpers.body == without.body
    assert with_helpers.headers.keys() == without.headers.keys()


async def test_a10_a_list_has_the_keys_of_the_envelope_in_order(service: EmulatedService) -> None:
    first, second = await service.create_assistant(), await service.create_assistant()

    page = await service.get("/assistants")

    assert list(page.body) == ["object", "data", "first_id", "last_id", "has_more"]
    assert [page.body["object"], page.body["has_more"]] == ["list", False]
    assert (page.body["first_id"], page.body["last_id"]) == (second, first)


@pytest.mark.parametrize("path", ["/assistants", "/threads/{thread}/messages", "/threads/{thread}/runs"])
async def test_a10_an_empty_list_has_null_ids(service: EmulatedService, path: str) -> None:
    page = await service.get(path.format(thread=await service.create_thread()))

    assert page.body == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_a11_a_list_has_twenty_objects_newest_first_by_default(service: EmulatedService) -> None:
    created = [await service.create_assistant() for _ in range(25)]

    page = (await service.get("/assistants")).body
    oldest = (await service.get("/assistants", order="asc", limit="100")).body

    assert [one["id"] for one in page["data"]] == created[:4:-1]
    assert page["has_more"] is True
    assert [one["id"] for one in oldest["data"]] == created


async def test_a11_cursors_are_exclusive_in_both_directions(service: EmulatedService) -> None:
    created = [await service.create_assistant() for _ in range(5)]

    after = (await service.get("/assistants", order="asc", after=created[1], limit="2")).body
    before = (await service.get("/assistants", order="asc", before=created[3], limit="2")).body
    between = (await service.get("/assistants", order="asc", after=created[0], before=created[4])).body

    assert ([one["id"] for one in after["data"]], after["has_more"]) == (created[2:4], True)
    assert [one["id"] for one in before["data"]] == created[1:3]
    assert [one["id"] for one in between["data"]] == created[1:4]


async def test_a11_messages_can_be_filtered_by_run(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hello")

    of_run = (await service.get(f"/threads/{run['thread_id']}/messages", run_id=run["id"])).body
    of_another = (await service.get(f"/threads/{run['thread_id']}/messages", run_id="run_0")).body

    assert [message["run_id"] for message in of_run["data"]] == [run["id"]]
    assert of_another["data"] == []


async def test_a11_runs_and_steps_are_listed_newest_first(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    run = await service.submit_outputs(waiting)
    again = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
    await service.wait_until_rest(again.body)

    runs = (await service.get(f"/threads/{run['thread_id']}/runs")).body["data"]
    steps = (await service.get(f"{run_path(run)}/steps")).body["data"]

    assert [one["id"] for one in runs] == [again.body["id"], run["id"]]
    assert [step["type"] for step in steps] == ["message_creation", "tool_calls"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "n" * 256),
        ("description", "d" * 512),
        ("instructions", "i" * 256_000),
        ("temperature", 2.0),
        ("temperature", 0.0),
        ("top_p", 1.0),
        ("top_p", 0.0),
    ],
)
async def test_a21_an_assistant_accepts_values_up_to_their_limits(
    service: EmulatedService, name: str, value: object
) -> None:
    created = await service.post("/assistants", model="gpt-4o", **{name: value})

    assert (created.status, created.body[name]) == (200, value)


async def test_a21_an_assistant_has_up_to_128_tools_and_needs_only_a_model(service: EmulatedService) -> None:
    bare = await service.post("/assistants", model="gpt-4o")
    tools = await service.post("/assistants", model="gpt-4o", tools=[WEATHER] * 128)

    assert (bare.status, len(tools.body["tools"])) == (200, 128)


SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "form",
    [
        "auto",
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "a", "description": "b", "schema": SCHEMA, "strict": True}},
    ],
)
async def test_a23_a_response_format_is_returned_unchanged(service: EmulatedService, form: object) -> None:
    created = await service.post("/assistants", model="gpt-4o", response_format=form)

    assert (created.status, created.body["response_format"]) == (200, form)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
async def test_a24_a_reasoning_effort_is_returned_unchanged(service: EmulatedService, effort: str) -> None:
    given = await service.post("/assistants", model="o3", reasoning_effort=effort)
    silent = await service.post("/assistants", model="o3")

    assert (given.body["reasoning_effort"], silent.body["reasoning_effort"]) == (effort, None)


async def test_a28_a_thread_is_created_with_messages_metadata_and_resources(service: EmulatedService) -> None:
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    message = {"role": "user", "content": "Hi"}

    created = await service.post("/threads", messages=[message], metadata={"a": "b"}, tool_resources=resources)
    messages = await service.get(f"/threads/{created.body['id']}/messages")

    assert (created.body["metadata"], created.body["tool_resources"]["file_search"]) == (
        {"a": "b"},
        resources["file_search"],
    )
    assert [one["content"][0]["text"]["value"] for one in messages.body["data"]] == ["Hi"]


async def test_a28_only_metadata_and_resources_of_a_thread_can_be_updated(service: EmulatedService) -> None:
    thread = f"/threads/{await service.create_thread('Hi')}"

    changed = await service.post(thread, metadata={"a": "b"}, tool_resources={"code_interpreter": {"file_ids": []}})
    refused = await service.post(thread, messages=[])

    assert (changed.status, changed.body["metadata"]) == (200, {"a": "b"})
    assert (refused.error["message"], refused.error["param"]) == ("Unknown parameter: 'messages'.", "messages")


async def test_a29_a_thread_is_created_with_up_to_32_messages(service: EmulatedService) -> None:
    thread_id = await service.create_thread(*["Hi"] * 32)

    messages = await service.get(f"/threads/{thread_id}/messages", limit="100")

    assert len(messages.body["data"]) == 32


@pytest.mark.parametrize("role", ["user", "assistant"])
@pytest.mark.parametrize("content", ["Hi", [TEXT], [TEXT, IMAGE_URL, TEXT]])
async def test_a34_content_is_text_or_parts_for_both_roles(
    service: EmulatedService, role: str, content: object
) -> None:
    thread = f"/threads/{await service.create_thread()}"

    created = await service.post(f"{thread}/messages", role=role, content=content)
    read = await service.get(f"{thread}/messages/{created.body['id']}")

    assert (created.status, created.body["role"]) == (200, role)
    assert read.body == created.body


@pytest.mark.parametrize("role", ["user", "assistant"])
async def test_a35_a_stored_image_has_its_detail(service: EmulatedService, role: str) -> None:
    image_file = {"type": "image_file", "image_file": {"file_id": await service.upload_file(), "detail": "low"}}

    created = await service.post(
        f"/threads/{await service.create_thread()}/messages", role=role, content=[image_file, IMAGE_URL, TEXT]
    )

    assert created.body["content"] == [
        image_file,
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "auto"}},
        {"type": "text", "text": {"value": "Hi", "annotations": []}},
    ]


async def test_a41_only_the_metadata_of_a_message_can_be_updated(service: EmulatedService) -> None:
    thread = f"/threads/{await service.create_thread('Hi')}"
    message = (await service.get(f"{thread}/messages")).body["data"][0]

    changed = await service.post(f"{thread}/messages/{message['id']}", metadata={"a": "b"})
    refused = await service.post(f"{thread}/messages/{message['id']}", content="Ho")

    assert changed.body["metadata"] == {"a": "b"}
    assert (refused.status, refused.error["param"]) == (400, "content")
