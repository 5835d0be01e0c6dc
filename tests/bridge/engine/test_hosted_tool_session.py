"""What is done at the service behind for hosted tools, and what becomes of it when something breaks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, cast

import pytest

from tests.bridge.engine.hosted_tool_fixtures import ControllableUpstream, HostedToolEnvironment, open_environment
from tests.bridge.translation.event_order import check_turn
from tests.emulated_service import get_last_error, get_required_calls, list_step_calls, message_text
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.engine.attachment_provisioner import map_provisioning_error
from threadbridge.engine.containers import ContainerProvisioner
from threadbridge.engine.hosted_tool_session import wait_for_indexing
from threadbridge.errors import BridgeError, InvalidRequest, NotFound, UpstreamError
from threadbridge.ports import ListQuery, ObjectKind
from threadbridge.settings import Limits, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import (
    FunctionCall,
    PlannedCode,
    Scenario,
    ScriptedResponse,
    Simulator,
    TextMessage,
)
from threadbridge_adapters.stores import open_store

WEEK = 7 * 24 * 3600


# -- Attachments -----------------------------------------------------------------------------------------------------


async def test_a_request_that_is_refused_later_leaves_nothing_behind() -> None:
    async with open_environment() as here:
        file_id = await here.upload_file()
        attachment = {"file_id": file_id, "tools": [{"type": "file_search"}]}
        message = {"role": "user", "content": "Hi", "attachments": [attachment]}

        with pytest.raises(NotFound):
            await here.backend.create_thread_and_run(
                CONTEXT, {"assistant_id": "asst_x", "thread": {"messages": [message]}}
            )

        assert await here.list_vector_stores() == []
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []
        assert await here.list_rows(ObjectKind.THREAD) == []


async def test_a_service_that_fails_half_way_leaves_no_store() -> None:
    async with open_environment() as here:
        file_id = await here.upload_file()
        here.upstream.failures["/files"] = UpstreamError("Ouch.", status=500)
        attachment = {"file_id": file_id, "tools": [{"type": "file_search"}]}

        with pytest.raises(UpstreamError, match="Ouch"):
            await here.backend.create_thread(
                CONTEXT, {"messages": [{"role": "user", "content": "Hi", "attachments": [attachment]}]}
            )

        assert await here.list_vector_stores() == []
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []


async def test_an_attached_file_that_is_there_already_is_not_added_again() -> None:
    async with open_environment() as here:
        file_id = await here.upload_file()
        attachment = {"file_id": file_id, "tools": [{"type": "file_search"}]}
        message = {"role": "user", "content": "Hi", "attachments": [attachment]}
        thread = await here.backend.create_thread(CONTEXT, {"messages": [message]})
        here.upstream.calls.clear()

        await here.backend.create_message(CONTEXT, thread["id"], message)

        assert not [asked for asked in here.upstream.calls if asked.startswith("POST")]


async def test_a_file_goes_into_a_new_vector_store_if_that_of_the_thread_was_deleted_upstream() -> None:
    async with open_environment() as here:
        attachment = {"file_id": await here.upload_file(), "tools": [{"type": "file_search"}]}
        message = {"role": "user", "content": "Hi", "attachments": [attachment]}
        thread: Any = await here.backend.create_thread(CONTEXT, {"messages": [message]})
        [deleted] = thread["tool_resources"]["file_search"]["vector_store_ids"]
        await here.upstream.request("DELETE", f"/vector_stores/{deleted}")

        await here.backend.create_message(CONTEXT, thread["id"], message)

        changed: Any = await here.backend.retrieve_thread(CONTEXT, thread["id"])
        [created] = changed["tool_resources"]["file_search"]["vector_store_ids"]
        files = await here.upstream.request("GET", f"/vector_stores/{created}/files")
        assert created != deleted
        assert [file["id"] for file in files["data"]] == [attachment["file_id"]]
        assert await here.list_rows(ObjectKind.CLEANUP_INTENT) == []


async def test_a_thread_without_attachments_asks_the_service_nothing() -> None:
    async with open_environment() as here:
        thread = await here.backend.create_thread(CONTEXT, {"messages": [{"role": "user", "content": "Hi"}]})

        await here.backend.create_message(CONTEXT, thread["id"], {"role": "user", "content": "Hi", "attachments": []})

        assert here.upstream.calls == []


async def test_without_hosted_tools_attachments_are_kept_and_shown() -> None:
    clock = ManualClock()
    service = ControllableUpstream(Simulator(clock=clock))
    backend = assemble_backend(
        Settings(simulate=True, hosted_tools=False), store=await open_store(":memory:"), upstream=service, clock=clock
    )
    attachment = {"file_id": "file-1", "tools": [{"type": "file_search"}]}

    thread = await backend.create_thread(
        CONTEXT, {"messages": [{"role": "user", "content": "Hi", "attachments": [attachment]}]}
    )
    messages = await backend.list_messages(CONTEXT, thread["id"], ListQuery())
    await backend.aclose()

    assert (thread["tool_resources"], messages["data"][0]["attachments"]) == ({}, [attachment])
    assert service.calls == []


# -- Stores ----------------------------------------------------------------------------------------------------------


async def test_a31_a_run_on_an_expired_store_fails_and_says_so() -> None:
    async with open_environment() as here:
        first = await here.run_to_end("SEARCH cake", await here.upload_file(), tools=("file_search",))
        here.clock.advance(WEEK + 1)

        run = await here.run_again(first["thread_id"], first["assistant_id"])

        assert (first["status"], run["status"]) == ("completed", "failed")
        assert get_last_error(run)["code"] == "server_error"
        assert "of this thread has expired" in get_last_error(run)["message"]


class Indexing(ControllableUpstream):
    """A service whose store is indexed at the third look."""

    looks = 0

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        self.looks += 1
        return {"status": "in_progress", "file_counts": {"in_progress": int(self.looks < 3)}}


class Passing(ManualClock):
    """A clock on which whoever sleeps wakes at once, later."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


@pytest.mark.parametrize(("seconds", "looks"), [(60.0, 3), (0.05, 2), (0.0, 1)])
async def test_a56_indexing_is_waited_for_as_long_as_the_limit_says(seconds: float, looks: int) -> None:
    service = Indexing(Simulator())

    await wait_for_indexing(service, Passing(), ["vs_1"], seconds=seconds)

    assert service.looks == looks


# -- Code ------------------------------------------------------------------------------------------------------------


async def test_files_of_code_are_kept_under_the_ids_that_messages_name() -> None:
    async with open_environment() as here:
        run = await here.run_to_end("PYTHON 1\nWRITES sums.csv 1,2\nDRAWS chart.png")

        rows = {row["file"]["filename"]: row for row in await here.list_rows(ObjectKind.FILE)}
        [message] = (await here.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(run_id=run["id"])))["data"]
        texts = [part["text"] for part in message["content"] if part["type"] == "text"]
        cited = {path["file_path"]["file_id"] for path in texts[0]["annotations"] if path["type"] == "file_path"}
        assert rows["sums.csv"]["id"] in cited
        assert rows["sums.csv"]["file"]["purpose"] == "assistants_output"
        assert await here.read_blob(rows["sums.csv"]["blob"]) == b"1,2"


async def test_a_file_is_kept_once_however_many_turns_its_container_sees() -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON 1\nWRITES sums.csv 1,2")
        await here.backend.create_message(
            CONTEXT, first["thread_id"], {"role": "user", "content": "PYTHON 2\nPRINTS 2"}
        )

        await here.run_again(first["thread_id"], first["assistant_id"])

        assert [row["file"]["filename"] for row in await here.list_rows(ObjectKind.FILE)] == ["sums.csv"]


async def test_a_file_that_cannot_be_fetched_does_not_fail_the_run() -> None:
    async with open_environment() as here:
        here.upstream.failures["/content"] = UpstreamError("Gone.", status=404)

        run = await here.run_to_end("PYTHON 1\nWRITES sums.csv 1,2")

        assert run["status"] == "completed"
        assert await here.list_rows(ObjectKind.FILE) == []


async def test_a_file_that_is_too_large_is_not_kept() -> None:
    async with open_environment(limits=Limits(copied_file_bytes=2)) as here:
        run = await here.run_to_end("PYTHON 1\nWRITES sums.csv 1,2")

        assert run["status"] == "completed"
        assert await here.list_rows(ObjectKind.FILE) == []


async def test_a_service_without_containers_is_given_the_files_with_each_response() -> None:
    async with open_environment() as here:
        here.upstream.failures["POST /containers"] = UpstreamError("Not found.", status=404)

        run = await here.run_to_end("PYTHON 1\nPRINTS 1")

        bodies = [request.body for request in here.upstream.simulator.requests]
        [tools] = [body["tools"] for body in bodies if body and "input" in body]
        assert run["status"] == "completed"
        assert tools[0]["container"] == {"type": "auto", "file_ids": []}


async def test_a_container_gets_the_files_that_code_made_elsewhere() -> None:
    async with open_environment() as here:
        await here.run_to_end("PYTHON 1\nWRITES sums.csv 1,2")
        [row] = await here.list_rows(ObjectKind.FILE)
        containers = ContainerProvisioner("default", here.store, here.upstream, here.blobs, here.clock)

        container_id = await containers.replace_container("thread_x", [row["id"]], warn=print)

        assert container_id is not None
        [file] = await containers.list_files(container_id)
        assert file["path"].endswith("sums.csv")


async def watched(here: HostedToolEnvironment, thread_id: str, assistant_id: str, *, streamed: bool) -> RunObject:
    """A finished run, whether somebody followed it or not."""
    if not streamed:
        return await here.run_again(thread_id, assistant_id)
    events = [
        event async for event in await here.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    ]
    check_turn([event for event in events if "run.step" in event.name or "message" in event.name] + events[-1:])
    return cast("RunObject", events[-1].data)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_container_that_dies_while_code_runs_is_replaced_and_the_run_goes_on(streamed: bool) -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON 1\nPRINTS 1")
        message = {"role": "user", "content": "PYTHON 2\nDIES\nPRINTS 2"}
        await here.backend.create_message(CONTEXT, first["thread_id"], message)

        run = await watched(here, first["thread_id"], first["assistant_id"], streamed=streamed)

        steps = await here.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc"))
        newest = (await here.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(limit=1)))["data"][0]
        assert (run["status"], message_text(newest)) == ("completed", "RESULT: 2")
        assert [step["status"] for step in steps["data"]] == ["failed", "completed", "completed"]
        assert get_last_error(steps["data"][0])["message"].startswith("Container is expired.")
        assert len(await here.list_containers()) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_whose_second_container_dies_too_fails_and_says_why(streamed: bool) -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON 1\nPRINTS 1")
        died = Scenario.from_failure("server_error", "Container is expired.", PlannedCode("2"))
        here.upstream.simulator.enqueue(died, died)

        run = await watched(here, first["thread_id"], first["assistant_id"], streamed=streamed)

        assert (run["status"], get_last_error(run)["code"]) == ("failed", "server_error")
        assert get_last_error(run)["message"].startswith("Container is expired.")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_container_that_dies_after_words_were_told_fails_the_run(streamed: bool) -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON 1\nPRINTS 1")
        scenario = Scenario.from_failure(
            "server_error", "Container is expired.", TextMessage("Let me see."), PlannedCode("2")
        )
        here.upstream.simulator.enqueue(scenario)

        run = await watched(here, first["thread_id"], first["assistant_id"], streamed=streamed)

        newest = (await here.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(limit=1)))["data"][0]
        assert (run["status"], message_text(newest)) == ("failed", "Let me see.")
        assert get_last_error(run)["message"].startswith("Container is expired.")


async def test_after_a_container_was_replaced_between_two_turns_code_of_the_old_one_is_not_told_of() -> None:
    async with open_environment() as here:
        tools = [{"type": "code_interpreter"}, {"type": "function", "function": {"name": "look"}}]
        assistant = await here.backend.create_assistant(CONTEXT, {"model": "gpt-4o", "tools": tools})
        thread = await here.backend.create_thread(CONTEXT, {"messages": [{"role": "user", "content": "Hi"}]})
        here.upstream.simulator.enqueue(
            Scenario(response=ScriptedResponse([PlannedCode("1"), FunctionCall("look", "{}")]))
        )
        waiting = await here.run_again(thread["id"], assistant["id"])
        [container] = await here.list_containers()
        await here.upstream.request("DELETE", f"/containers/{container['id']}")
        [call] = get_required_calls(waiting)

        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "sunny"}]}
        events = [
            event
            async for event in await here.backend.stream_tool_outputs(CONTEXT, thread["id"], waiting["id"], {**outputs})
        ]

        assert events[-1].name == "thread.run.completed"


async def test_a_file_that_code_made_is_cited_under_its_own_id_when_it_is_searched() -> None:
    async with open_environment() as here:
        await here.run_to_end("PYTHON 1\nWRITES notes.txt Filip likes cake.")
        [made] = await here.list_rows(ObjectKind.FILE)

        run = await here.run_to_end("SEARCH cake", made["id"], tools=("file_search",))

        [message] = (await here.backend.list_messages(CONTEXT, run["thread_id"], ListQuery(run_id=run["id"])))["data"]
        steps = (await here.backend.list_steps(CONTEXT, run["thread_id"], run["id"], ListQuery(order="asc")))["data"]
        part = message["content"][0]
        assert part["type"] == "text"
        [citation] = part["text"]["annotations"]
        assert citation["type"] == "file_citation"
        search = list_step_calls(steps[0])[0]
        assert search["type"] == "file_search"
        [result] = search["file_search"]["results"]
        assert citation["file_citation"]["file_id"] == result["file_id"] == made["id"]


async def test_an_image_that_code_made_is_shown_to_the_model_when_a_user_sends_it_back() -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON plot()\nDRAWS chart.png")
        uploaded = await here.upload_file(name="photo.png")
        [drawn] = [
            row for row in await here.list_rows(ObjectKind.FILE) if row["file"]["filename"].startswith(row["id"])
        ]
        shown = [
            {"type": "image_file", "image_file": {"file_id": file_id, "detail": "low"}}
            for file_id in (drawn["id"], uploaded)
        ]
        await here.backend.create_message(CONTEXT, first["thread_id"], {"role": "user", "content": shown})

        run = await here.run_again(first["thread_id"], first["assistant_id"])

        asked: JsonObject = here.upstream.simulator.requests[-1].body or {}
        own, theirs = asked["input"][-1]["content"]
        content = await here.read_blob(drawn["blob"])
        assert run["status"] == "completed"
        assert own == {
            "type": "input_image",
            "image_url": f"data:image/png;base64,{b64encode(content).decode()}",
            "detail": "low",
        }
        assert theirs == {"type": "input_image", "file_id": uploaded, "detail": "low"}


async def test_a_file_deleted_upstream_is_left_out_of_the_container_with_one_warning() -> None:
    async with open_environment() as here:
        first = await here.run_to_end("PYTHON 1\nPRINTS 1")
        thread_id, assistant_id = first["thread_id"], first["assistant_id"]
        [container] = await here.list_rows(ObjectKind.CONTAINER)
        dead, alive = await here.upload_file(), await here.upload_file()
        attachments = [{"file_id": each, "tools": [{"type": "code_interpreter"}]} for each in (dead, alive)]
        message = {"role": "user", "content": "PYTHON 2\nPRINTS 2", "attachments": attachments}
        await here.backend.create_message(CONTEXT, thread_id, message)
        await here.upstream.request("DELETE", f"/files/{dead}")

        runs = [await here.run_again(thread_id, assistant_id) for _ in range(2)]

        reports = [await here.backend.report_run(CONTEXT, thread_id, run["id"]) for run in runs]
        [kept] = await here.list_rows(ObjectKind.CONTAINER)
        path = f"/containers/{kept['container_id']}/files"
        added = [file["path"] for file in (await here.upstream.request("GET", path))["data"]]
        assert [run["status"] for run in runs] == ["completed", "completed"]
        assert kept["container_id"] == container["container_id"]
        assert len(added) == 1
        assert [[dead in warning for warning in report["turns"][0]["warnings"]] for report in reports] == [[True], []]


async def test_a_container_of_a_deleted_thread_is_forgotten() -> None:
    async with open_environment() as here:
        run = await here.run_to_end("PYTHON 1\nPRINTS 1")
        before = await here.list_rows(ObjectKind.CONTAINER)

        await here.backend.delete_thread(CONTEXT, run["thread_id"])

        assert [row["id"] for row in before] == [run["thread_id"]]
        assert await here.list_rows(ObjectKind.CONTAINER) == []


def test_a_refusal_is_the_callers_and_a_failure_is_not() -> None:
    kinds: Mapping[int, type[BridgeError]] = {
        400: InvalidRequest,
        404: NotFound,
        429: UpstreamError,
        500: UpstreamError,
    }

    assert {status: type(map_provisioning_error(UpstreamError("x", status=status))) for status in kinds} == kinds
