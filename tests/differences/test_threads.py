"""Numbered differences: threads, messages and attachments."""

from __future__ import annotations

from tests.emulated_service import WEATHER, EmulatedService, get_usage, open_service, run_path
from tests.stored_objects import message
from threadbridge.api_types import TextPart
from threadbridge.ports import Entry


async def test_d36_fields_added_late_are_in_every_response(service: EmulatedService) -> None:
    tools = [{"type": "file_search"}, {"type": "function", "function": {"name": "look"}}]
    assistant = (await service.post("/assistants", model="gpt-4o", tools=tools)).body
    run = await service.run_to_rest("Hello")

    assert assistant["reasoning_effort"] is None
    assert assistant["tools"][0]["file_search"]["ranking_options"]["hybrid_search"] is None
    assert assistant["tools"][1]["function"]["strict"] is False
    assert (run["reasoning_effort"], run["parallel_tool_calls"]) == (None, True)
    assert get_usage(run).keys() >= {"prompt_token_details", "completion_tokens_details"}


async def test_d37_the_response_to_a_message_update_has_no_file_ids_despite_attachments() -> None:
    async with open_service(hosted_tools=False) as service:
        attachments = [{"file_id": "file-1", "tools": [{"type": "code_interpreter"}]}]
        thread = await service.create_thread()
        message = {"role": "user", "content": "Hi", "attachments": attachments}
        path = f"/threads/{thread}/messages/{(await service.post(f'/threads/{thread}/messages', **message)).body['id']}"

        updated = await service.post(path, metadata={"a": "1"})

        assert updated.body["file_ids"] == []
        assert "attachments" not in updated.body
        assert (await service.get(path)).body["attachments"] == attachments


async def test_d109_an_empty_message_is_accepted_and_sent(service: EmulatedService) -> None:
    thread = {"messages": [{"role": "user", "content": ""}]}

    started = await service.post("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)
    run = await service.wait_until_rest(started.body)

    empty: TextPart = {"type": "text", "text": {"value": "", "annotations": []}}
    assert (run["status"], (await service.list_messages(run))[0]["content"]) == ("completed", [empty])
    assert service.model_requests[-1]["input"][0]["content"] == [{"type": "input_text", "text": ""}]


async def test_d38_a_message_can_be_deleted_while_a_run_is_active(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    message = (await service.list_messages(run))[0]

    deleted = await service.delete(f"/threads/{run['thread_id']}/messages/{message['id']}")

    assert deleted.body["deleted"] is True
    assert (await service.retrieve_run(run))["status"] == "requires_action"


async def test_d41_images_of_the_assistant_are_sent_as_text(service: EmulatedService) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    messages = [{"role": "assistant", "content": [image]}, {"role": "user", "content": [image]}]

    started = await service.post(
        "/threads/runs", assistant_id=await service.create_assistant(), thread={"messages": messages}
    )
    await service.wait_until_rest(started.body)

    assistants, users = service.model_requests[-1]["input"]
    assert assistants["content"] == [{"type": "output_text", "text": "[image https://example.org/cat.png]"}]
    assert users["content"][0]["type"] == "input_image"


async def test_d45_a_rejected_run_stores_nothing(service: EmulatedService) -> None:
    thread_id = await service.create_thread("first")
    more = [{"role": "user", "content": "second"}]

    added = await service.post(f"/threads/{thread_id}/runs", assistant_id="asst_x", additional_messages=more)
    created = await service.post("/threads/runs", assistant_id="asst_x", thread={"messages": more})

    messages = await service.get(f"/threads/{thread_id}/messages")
    threads = await service.get("/threads")
    assert (added.status, created.status) == (404, 404)
    assert len(messages.body["data"]) == 1
    assert [thread["id"] for thread in threads.body["data"]] == [thread_id]


async def test_d44_a_run_adds_at_most_32_messages(service: EmulatedService) -> None:
    assistant_id, thread_id = await service.create_assistant(), await service.create_thread()
    message = {"role": "user", "content": "Hello"}

    refused = await service.post(
        f"/threads/{thread_id}/runs", assistant_id=assistant_id, additional_messages=[message] * 33
    )
    response = await service.post(
        f"/threads/{thread_id}/runs", assistant_id=assistant_id, additional_messages=[message] * 32
    )

    assert (refused.error["param"], refused.error["code"]) == ("additional_messages", "array_above_max_length")
    assert response.status == 200
    assert (await service.get(run_path(response.body))).status == 200


async def test_d70_a_thread_accepts_more_messages_than_the_service_did(service: EmulatedService) -> None:
    thread_id = await service.create_thread("first")
    many = [Entry(message=message(f"msg_{number}", thread_id)) for number in range(100_000)]
    await service.store.write(lambda session: session.append_entries(thread_id, many), tenant="default")

    added = await service.post(f"/threads/{thread_id}/messages", role="user", content="last")

    assert added.status == 200
