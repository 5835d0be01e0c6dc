"""Numbered differences: pages, cursors and unknown objects."""

from __future__ import annotations

import pytest

from tests.emulated_service import EmulatedService, run_path
from threadbridge.api_types import JsonObject


async def test_d1_an_unknown_cursor_gives_an_empty_page(service: EmulatedService) -> None:
    await service.create_assistant()

    after = await service.get("/assistants", after="asst_nobody")
    before = await service.get("/assistants", before="asst_nobody")

    empty: JsonObject = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert (after.status, after.body) == (200, empty)
    assert (before.status, before.body) == (200, empty)


async def test_d1_a_deleted_cursor_is_unknown(service: EmulatedService) -> None:
    assistants, thread_id = (
        [await service.create_assistant() for _ in range(3)],
        await service.create_thread("One", "Two", "Three"),
    )
    messages = (await service.get(f"/threads/{thread_id}/messages", limit="1")).body
    await service.delete(f"/assistants/{assistants[2]}")
    await service.delete(f"/threads/{thread_id}/messages/{messages['last_id']}")

    rest = [
        await service.get("/assistants", after=assistants[2]),
        await service.get(f"/threads/{thread_id}/messages", after=messages["last_id"]),
        await service.get(f"/threads/{thread_id}/messages", before=messages["last_id"]),
    ]

    assert [(page.status, page.body["data"], page.body["has_more"]) for page in rest] == [(200, [], False)] * 3


async def test_d8_threads_can_be_listed_newest_first(service: EmulatedService) -> None:
    thread_ids = [await service.create_thread() for _ in range(3)]

    first = await service.get("/threads", limit="2")
    rest = await service.get("/threads", limit="2", after=first.body["last_id"])

    assert [thread["id"] for thread in first.body["data"] + rest.body["data"]] == thread_ids[::-1]
    assert (first.body["has_more"], rest.body["has_more"]) == (True, False)


async def test_d33_a_limit_that_is_not_a_number_has_an_invalid_type(service: EmulatedService) -> None:
    refused = await service.get("/assistants", limit="many")

    assert (refused.status, refused.error["param"]) == (400, "limit")
    assert refused.error["message"] == "Invalid type for 'limit': expected an integer, but got a string instead."


@pytest.mark.parametrize("listed", ["messages", "runs"])
@pytest.mark.parametrize("asked", [{}, {"limit": "0"}, {"order": "up"}, {"after": "nothing"}])
async def test_an_unknown_thread_is_reported_before_list_parameters(
    service: EmulatedService, listed: str, asked: dict[str, str]
) -> None:
    deleted_id = await service.create_thread("Hello")
    await service.delete(f"/threads/{deleted_id}")

    refused = await service.get(f"/threads/{deleted_id}/{listed}", **asked)

    assert (refused.status, refused.error["message"]) == (404, f"No thread found with id '{deleted_id}'.")


async def test_d34_before_without_after_returns_the_objects_nearest_to_the_cursor(service: EmulatedService) -> None:
    oldest, second, third, newest = [await service.create_assistant() for _ in range(4)]

    newer = await service.get("/assistants", before=oldest, limit="2")
    older = await service.get("/assistants", before=newest, limit="2", order="asc")

    assert [assistant["id"] for assistant in newer.body["data"]] == [third, second]
    assert [assistant["id"] for assistant in older.body["data"]] == [second, third]


async def test_d35_unknown_runs_and_messages_have_the_error_text_of_threads(service: EmulatedService) -> None:
    thread_id = await service.create_thread()

    run = await service.get(f"/threads/{thread_id}/runs/run_x")
    message = await service.get(f"/threads/{thread_id}/messages/msg_x")

    assert (run.status, run.error["message"]) == (404, "No run found with id 'run_x'.")
    assert (message.status, message.error["message"]) == (404, "No message found with id 'msg_x'.")


async def test_d46_runs_of_a_deleted_assistant_remain(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hello")

    await service.delete(f"/assistants/{run['assistant_id']}")

    retrieved = await service.get(run_path(run))
    refused = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
    assert retrieved.body["assistant_id"] == run["assistant_id"]
    assert refused.error["message"] == f"No assistant found with id '{run['assistant_id']}'."
