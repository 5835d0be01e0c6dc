from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from tests.emulated_service import EmulatedService, get_last_error, get_required_calls, open_service
from tests.request_context import CONTEXT
from threadbridge.api_types import (
    AssistantTool,
    Attachment,
    CodeInterpreterTool,
    CreateMessageBody,
    FileSearchTool,
    JsonObject,
    RunObject,
)
from threadbridge.ports import HandlesPassthrough, ObjectKind, PassthroughRequest
from threadbridge_adapters.simulator import SimulatedUpstream

SEARCH: list[FileSearchTool] = [{"type": "file_search"}]
CODE: list[CodeInterpreterTool] = [{"type": "code_interpreter"}]


def make_message(text: str, *file_ids: str) -> CreateMessageBody:
    attachments: list[Attachment] = [{"file_id": file_id, "tools": [{"type": "file_search"}]} for file_id in file_ids]
    return {"role": "user", "content": text, "attachments": attachments}


def list_requests(service: EmulatedService) -> list[JsonObject]:
    """The requests to `/responses`."""
    return [body for body in service.model_requests if body and "input" in body]


async def run_message(
    service: EmulatedService, message: CreateMessageBody, tools: Sequence[AssistantTool]
) -> tuple[RunObject, Sequence[Any]]:
    """A run at rest on a new thread, and the content of its message."""
    thread = {"messages": [message]}
    started = await service.post(
        "/threads/runs", assistant_id=await service.create_assistant(tools=tools), thread=thread
    )
    run = await service.wait_until_rest(started.body)
    newest = (await service.list_messages(run))[-1]
    return run, newest["content"] if newest["role"] == "assistant" else []


async def list_files(service: EmulatedService, **query: str) -> JsonObject:
    """The response to `GET /files`."""
    assert isinstance(service.backend, HandlesPassthrough)
    response = await service.backend.handle_passthrough(
        CONTEXT, PassthroughRequest("GET", "/files", tuple(query.items()), {}, None)
    )
    assert response is not None
    assert isinstance(response.body, bytes)
    page: JsonObject = orjson.loads(response.body)
    return page


async def test_d11_markers_have_search_and_result_numbers_and_indexes_in_code_points(service: EmulatedService) -> None:
    files = [await service.upload_file(f"Cake {n}", name=f"{n}.txt") for n in range(2)]

    _, [part] = await run_message(service, make_message("SEARCH cake\nSAY 𝄞[[1]] and[[2]]", *files), SEARCH)

    value = part["text"]["value"]
    first, second = part["text"]["annotations"]
    assert [first["text"][:5], second["text"][:5]] == ["【4:0†", "【4:1†"]
    assert first["start_index"] == len("𝄞")
    assert value[second["start_index"] : second["end_index"]] == second["text"]


async def test_d39_a_rejected_attachment_stores_nothing(service: EmulatedService) -> None:
    refused = await service.post("/threads", messages=[make_message("Hi", "file-unknown")])

    stores = await SimulatedUpstream(service.simulator).request("GET", "/vector_stores")
    assert (refused.status, refused.error["message"]) == (404, "No such File object: file-unknown")
    assert stores["data"] == []


async def test_d39_an_unknown_image_file_is_rejected(service: EmulatedService) -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-unknown"}}

    refused = await service.post("/threads", messages=[{"role": "user", "content": [image]}])

    assert (refused.status, refused.error["message"]) == (404, "No such File object: file-unknown")


async def test_d40_a_vector_store_is_created_before_its_owner_is_stored(service: EmulatedService) -> None:
    file_id = await service.upload_file("Cake", name="cake.txt")
    resources = {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}

    thread = await service.post("/threads", tool_resources=resources)
    refused = await service.post("/threads/runs", assistant_id="asst_x", thread={"tool_resources": resources})

    stores = await SimulatedUpstream(service.simulator).request("GET", "/vector_stores")
    errands = await service.store.read(
        lambda session: session.get_page(ObjectKind.CLEANUP_INTENT, limit=5, order="asc"), tenant="default"
    )
    retrieved = (await service.get(f"/threads/{thread.body['id']}")).body
    assert retrieved["tool_resources"]["file_search"]["vector_store_ids"] == [store["id"] for store in stores["data"]]
    assert (refused.status, len(stores["data"]), errands.data) == (404, 1, [])


async def test_d78_a_chart_precedes_the_text_that_follows_it(service: EmulatedService) -> None:
    _, content = await run_message(service, {"role": "user", "content": "PYTHON plot()\nDRAWS chart.png"}, CODE)

    assert [part["type"] for part in content][:2] == ["image_file", "text"]


async def test_d79_an_uncited_generated_file_is_stored(service: EmulatedService) -> None:
    text = "PYTHON save()\nWRITES sums.csv 1,2\nSAY Done"

    _, [part] = await run_message(service, {"role": "user", "content": text}, CODE)

    files = await service.store.read(
        lambda session: session.get_page(ObjectKind.FILE, limit=5, order="asc"), tenant="default"
    )
    assert part["text"] == {"value": "Done", "annotations": []}
    assert [row["file"]["filename"] for row in files.data] == ["sums.csv"]


async def test_d80_a_run_with_an_expired_vector_store_fails_with_its_id(
    service: EmulatedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await service.upload_file("Cake", name="cake.txt")
    weeks_later = service.simulator.clock.now() + 8 * 24 * 3600
    thread = await service.post("/threads", messages=[make_message("SEARCH cake", file_id)])
    monkeypatch.setattr(service.simulator.clock, "now", lambda: weeks_later)

    assistant_id = await service.create_assistant(tools=SEARCH)
    started = await service.post(f"/threads/{thread.body['id']}/runs", assistant_id=assistant_id)
    run = await service.wait_until_rest(started.body)

    [store_id] = thread.body["tool_resources"]["file_search"]["vector_store_ids"]
    assert (run["status"], get_last_error(run)["code"]) == ("failed", "server_error")
    assert store_id in get_last_error(run)["message"]


async def test_d81_an_expired_container_is_replaced(service: EmulatedService) -> None:
    run, _ = await run_message(service, {"role": "user", "content": "PYTHON 1\nPRINTS 1"}, CODE)
    first = list_requests(service)[-1]["tools"][0]["container"]
    await SimulatedUpstream(service.simulator).request("DELETE", f"/containers/{first}")

    started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
    again = await service.wait_until_rest(started.body)

    assert again["status"] == "completed"
    assert list_requests(service)[-1]["tools"][0]["container"] != first


async def test_d95_a_container_that_expires_during_a_call_causes_a_failed_step(service: EmulatedService) -> None:
    run, _ = await run_message(service, {"role": "user", "content": "PYTHON 1\nPRINTS 1"}, CODE)
    again = {"role": "user", "content": "PYTHON 2\nDIES\nPRINTS 2"}
    await service.post(f"/threads/{run['thread_id']}/messages", **again)

    started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
    rested = await service.wait_until_rest(started.body)

    assert rested["status"] == "completed"
    assert [step["status"] for step in await service.list_steps(rested)] == ["failed", "completed", "completed"]


async def test_d82_file_search_without_a_vector_store_is_omitted(service: EmulatedService) -> None:
    run, _ = await run_message(service, {"role": "user", "content": "SEARCH cake"}, SEARCH)

    assert run["status"] == "completed"
    assert "tools" not in list_requests(service)[-1]


async def test_d83_without_hosted_tools_attachments_are_stored_and_not_sent() -> None:
    async with open_service(hosted_tools=False) as bare:
        run, _ = await run_message(bare, make_message("SEARCH cake", "file-1"), SEARCH)

        assert (await bare.list_messages(run))[0]["attachments"] == make_message("", "file-1").get("attachments")
        assert "tools" not in list_requests(bare)[-1]


async def test_d83_with_a_profile_without_hosted_tools_they_are_omitted_with_a_warning_or_the_run_is_rejected() -> None:
    thread = {"messages": [{"role": "user", "content": "Hello"}]}
    async with open_service(upstream={"profile": "vllm"}) as lenient:
        lenient_run = await lenient.post(
            "/threads/runs", assistant_id=await lenient.create_assistant(tools=CODE), thread=thread
        )
    async with open_service(upstream={"profile": "vllm"}, policies={"missing_tool": "refuse"}) as strict:
        assistant_id = await strict.create_assistant(tools=CODE)
        refused = await strict.post("/threads/runs", assistant_id=assistant_id, thread=thread)
        threads = await strict.get("/threads")

    assert lenient_run.status == 200
    assert "The upstream service does not support code_interpreter" in lenient_run.headers["threadbridge-warning"]
    assert (refused.status, refused.error["param"], refused.error["code"]) == (400, "tools", "unsupported_tool")
    assert threads.body["data"] == []


async def test_d90_without_forced_tool_choice_the_forced_tool_is_the_only_one_sent() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("look", "wait")]
    forced = {"type": "function", "function": {"name": "wait"}}
    capabilities = {"forced_tool_choice": False, "required_tool_choice": True}
    async with open_service(upstream={"profile": "generic", "capabilities": capabilities}) as service:
        run = await service.run_to_rest("Hello", tools=tools, run={"tool_choice": forced})

        [call] = get_required_calls(run)
        [request] = list_requests(service)

    assert call["function"]["name"] == "wait"
    assert ([tool["name"] for tool in request["tools"]], request["tool_choice"]) == (["wait"], "required")


async def test_d96_generated_files_are_listed_before_the_others(service: EmulatedService) -> None:
    uploaded = await service.upload_file("Cake", name="cake.txt")
    await run_message(service, {"role": "user", "content": "PYTHON save()\nWRITES sums.csv 1,2\nSAY Done"}, CODE)

    first = await list_files(service, limit="1")
    second = await list_files(service, limit="1", after=first["last_id"])

    assert [file["filename"] for file in first["data"]] == ["sums.csv"]
    assert ([file["id"] for file in second["data"]], second["has_more"]) == ([uploaded], False)


async def test_d84_a_file_that_cannot_be_stored_does_not_fail_the_run() -> None:
    async with open_service(limits={"copied_file_bytes": 1}) as service:
        run, [part] = await run_message(
            service, {"role": "user", "content": "PYTHON save()\nWRITES sums.csv 1,2"}, CODE
        )

        files = await service.store.read(
            lambda session: session.get_page(ObjectKind.FILE, limit=5, order="asc"), tenant="default"
        )
        assert (run["status"], files.data) == ("completed", [])
        assert [each["type"] for each in part["text"]["annotations"]] == ["file_path"]
