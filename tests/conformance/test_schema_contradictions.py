"""Rules in which recordings contradict the published schema."""

from __future__ import annotations

from tests.emulated_service import EmulatedService
from threadbridge.api_types import JsonObject

_EMPTY: JsonObject = {"code_interpreter": {"file_ids": []}}


async def test_a27_creating_a_thread_returns_its_own_resources_and_reading_it_adds_an_empty_code_interpreter(
    service: EmulatedService,
) -> None:
    created = (await service.post("/threads")).body
    path = f"/threads/{created['id']}"

    updated = (await service.post(path, metadata={"a": "1"})).body
    read = (await service.get(path)).body
    listed = (await service.get("/threads")).body["data"][0]

    assert (created["tool_resources"], updated["tool_resources"]) == ({}, {})
    assert (read["tool_resources"], listed["tool_resources"]) == (_EMPTY, _EMPTY)


async def test_a27_the_thread_in_a_stream_equals_the_retrieved_thread(service: EmulatedService) -> None:
    events = await service.collect_events(
        "/threads/runs", assistant_id=await service.create_assistant(instructions="Say hello.")
    )

    assert (events[0].name, events[0].data["tool_resources"]) == ("thread.created", _EMPTY)


async def test_a27_resources_of_a_thread_are_returned_on_creation_and_retrieval(service: EmulatedService) -> None:
    resources = {"code_interpreter": {"file_ids": [await service.upload_file()]}}
    created = (await service.post("/threads", tool_resources=resources)).body

    read = (await service.get(f"/threads/{created['id']}")).body

    assert (created["tool_resources"], read["tool_resources"]) == (resources, resources)


async def test_a32_the_response_to_a_message_update_has_file_ids_instead_of_attachments(
    service: EmulatedService,
) -> None:
    thread = await service.create_thread("Hello")
    message = (await service.get(f"/threads/{thread}/messages")).body["data"][0]
    path = f"/threads/{thread}/messages/{message['id']}"

    updated = (await service.post(path, metadata={"a": "1"})).body

    assert list(updated) == ["file_ids" if name == "attachments" else name for name in message]
    assert updated["file_ids"] == []
    assert (await service.get(path)).body == {**message, "metadata": {"a": "1"}}
