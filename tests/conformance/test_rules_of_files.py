"""Rules A31 to A56 for files: vector stores, expiry, attachments."""

from __future__ import annotations

import pytest

from tests.emulated_service import EmulatedService
from threadbridge.api_types import AssistantTool, JsonObject, RunObject
from threadbridge_adapters.simulator import SimulatedUpstream

SEARCH: list[AssistantTool] = [{"type": "file_search"}]
CODE: list[AssistantTool] = [{"type": "code_interpreter"}]
WEEK: JsonObject = {"anchor": "last_active_at", "days": 7}


async def create_vector_store(service: EmulatedService, *file_ids: str) -> JsonObject:
    return await request_upstream(service, "POST", "/vector_stores", {"file_ids": list(file_ids)})


async def request_upstream(
    service: EmulatedService, method: str, path: str, body: JsonObject | None = None
) -> JsonObject:
    """The response of the upstream."""
    answer: JsonObject = await SimulatedUpstream(service.simulator).request(method, path, body)
    return answer


async def run_again(service: EmulatedService, thread_id: str, assistant_id: str) -> RunObject:
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id)
    return await service.wait_until_rest(started.body)


async def test_a31_a_vector_store_created_with_a_thread_expires_a_week_after_its_last_use(
    service: EmulatedService,
) -> None:
    described = {"file_search": {"vector_stores": [{"file_ids": [await service.upload_file()]}]}}

    thread = (await service.post("/threads", tool_resources=described)).body

    retrieved = (await service.get(f"/threads/{thread['id']}")).body
    [store_id] = retrieved["tool_resources"]["file_search"]["vector_store_ids"]
    store = await request_upstream(service, "GET", f"/vector_stores/{store_id}")
    assert store["expires_after"] == WEEK


async def test_a31_runs_succeed_again_after_another_vector_store_is_attached(
    service: EmulatedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id, assistant_id = await service.upload_file(), await service.create_assistant(tools=SEARCH)
    attachment = {"file_id": file_id, "tools": SEARCH}
    message = {"role": "user", "content": "SEARCH cake", "attachments": [attachment]}
    thread_id = (await service.post("/threads", messages=[message])).body["id"]
    later = service.simulator.clock.now() + 8 * 24 * 3600
    monkeypatch.setattr(service.simulator.clock, "now", lambda: later)
    expired = await run_again(service, thread_id, assistant_id)
    fresh = await create_vector_store(service, file_id)

    await service.post(f"/threads/{thread_id}", tool_resources={"file_search": {"vector_store_ids": [fresh["id"]]}})
    again = await run_again(service, thread_id, assistant_id)

    assert [expired["status"], again["status"]] == ["failed", "completed"]


async def test_a37_an_image_is_sent_to_the_model_and_to_a_tool_only_if_attached(
    service: EmulatedService,
) -> None:
    image_id, attached_id = await service.upload_file(name="cat.png"), await service.upload_file(name="dog.png")
    content = [
        {"type": "text", "text": "PYTHON 1\nPRINTS 1"},
        {"type": "image_file", "image_file": {"file_id": image_id}},
        {"type": "image_file", "image_file": {"file_id": attached_id}},
    ]
    message = {"role": "user", "content": content, "attachments": [{"file_id": attached_id, "tools": CODE}]}

    started = await service.post(
        "/threads/runs", assistant_id=await service.create_assistant(tools=CODE), thread={"messages": [message]}
    )
    run = await service.wait_until_rest(started.body)

    request = next(body for body in reversed(service.model_requests) if body and "input" in body)
    images = [part["file_id"] for part in request["input"][0]["content"] if part["type"] == "input_image"]
    files = await request_upstream(service, "GET", f"/containers/{request['tools'][0]['container']}/files")
    assert (run["status"], images) == ("completed", [image_id, attached_id])
    assert [file["path"].rpartition("-")[2] for file in files["data"]] == ["dog.png"]


async def test_a38_a_file_may_be_attached_for_two_tools_in_two_entries(service: EmulatedService) -> None:
    file_id = await service.upload_file()
    entries = [{"file_id": file_id, "tools": SEARCH}, {"file_id": file_id, "tools": CODE}]
    thread_id = await service.create_thread()

    message = await service.post(f"/threads/{thread_id}/messages", role="user", content="Look", attachments=entries)

    resources = (await service.get(f"/threads/{thread_id}")).body["tool_resources"]
    [store_id] = resources["file_search"]["vector_store_ids"]
    searched = await request_upstream(service, "GET", f"/vector_stores/{store_id}/files")
    assert message.body["attachments"] == entries
    assert resources["code_interpreter"] == {"file_ids": [file_id]}
    assert [file["id"] for file in searched["data"]] == [file_id]


async def test_a56_a_run_waits_only_for_vector_stores_of_its_thread(service: EmulatedService) -> None:
    of_assistant, of_thread = await create_vector_store(service), await create_vector_store(service)
    assistant_id = await service.create_assistant(
        tools=SEARCH, tool_resources={"file_search": {"vector_store_ids": [of_assistant["id"]]}}
    )
    thread = await service.post(
        "/threads",
        messages=[{"role": "user", "content": "Hello"}],
        tool_resources={"file_search": {"vector_store_ids": [of_thread["id"]]}},
    )

    service.simulator.requests.clear()
    run = await run_again(service, thread.body["id"], assistant_id)

    looks = [request.path for request in service.simulator.requests if request.method == "GET"]
    assert run["status"] == "completed"
    assert looks == [f"/vector_stores/{of_thread['id']}"]
