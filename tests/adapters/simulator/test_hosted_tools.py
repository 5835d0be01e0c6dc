"""file_search and code_interpreter in responses: SEARCH and PYTHON lines, what they leave, what they cite."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.simulator.simulator_client import (
    WEATHER,
    collect_events,
    create_response,
    create_vector_store,
    download_file,
    expect_rejection,
    make_next_request,
    make_request,
    read_text,
    send_request,
    upload_file,
)
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import (
    PlannedCode,
    PlannedFileSearch,
    Scenario,
    ScriptedResponse,
    Simulator,
    TextMessage,
    ToolSummaryMessage,
)

_CODE: JsonObject = {"type": "code_interpreter", "container": {"type": "auto"}}
_EVERYTHING = ["file_search_call.results", "code_interpreter_call.outputs"]


def _searching(store_id: str, question: str, **more: Any) -> JsonObject:
    return make_request(question, tools=[{"type": "file_search", "vector_store_ids": [store_id]}], **more)


def _message(response: JsonObject) -> JsonObject:
    content: JsonObject = response["output"][-1]["content"][0]
    return content


async def test_a_search_answers_with_what_it_found_and_cites_it(simulator: Simulator) -> None:
    """Recorded (logfire test_file_search): the index is that of the full stop."""
    store_id = await create_vector_store(simulator, "Travis likes pizza.")

    response = await create_response(simulator, _searching(store_id, "SEARCH likes pizza"))

    assert response["output"][0] == {
        "id": "fs_1",
        "type": "file_search_call",
        "status": "completed",
        "queries": ["likes pizza"],
        "results": None,
    }
    assert _message(response) == {
        "type": "output_text",
        "annotations": [{"type": "file_citation", "file_id": "file_1", "filename": "1.txt", "index": 25}],
        "logprobs": [],
        "text": "FOUND: Travis likes pizza.",
    }


async def test_results_are_in_the_call_if_asked_for(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "Travis likes pizza.")

    response = await create_response(simulator, _searching(store_id, "SEARCH pizza | soup", include=_EVERYTHING))

    assert response["output"][0]["queries"] == ["pizza", "soup"]
    assert response["output"][0]["results"] == [
        {"attributes": {}, "file_id": "file_1", "filename": "1.txt", "score": 1.0, "text": "Travis likes pizza."}
    ]


async def test_a_search_obeys_the_options_of_its_tool(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza one", "pizza two")
    tool = {"type": "file_search", "vector_store_ids": [store_id], "max_num_results": 1}

    response = await create_response(simulator, make_request("SEARCH pizza", tools=[tool], include=_EVERYTHING))

    assert [result["filename"] for result in response["output"][0]["results"]] == ["1.txt"]
    assert response["tools"] == [
        {
            "type": "file_search",
            "filters": None,
            "max_num_results": 1,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
            "vector_store_ids": [store_id],
        }
    ]


async def test_marks_in_a_text_become_citations(simulator: Simulator) -> None:
    """The same result twice, two at one place, and characters outside the BMP before them."""
    store_id = await create_vector_store(simulator, "pizza pizza", "pizza and a word")

    response = await create_response(
        simulator, _searching(store_id, "SEARCH pizza\nSAY 🍕 good[[1]][[2]]. Again[[1]]. No [[9]].")
    )

    message = _message(response)
    assert message["text"] == "🍕 good. Again. No [[9]]."
    assert [(each["filename"], each["index"]) for each in message["annotations"]] == [
        ("1.txt", 6),
        ("2.txt", 6),
        ("1.txt", 13),
    ]


async def test_marks_mean_nothing_without_a_search(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request("SAY [[1]] word for word"))

    assert read_text(response) == "[[1]] word for word"


async def test_a_citation_is_told_as_soon_as_the_text_before_it(simulator: Simulator) -> None:
    """Recorded (vercel openai-file-search-tool.1)."""
    store_id = await create_vector_store(simulator, "pizza")

    told = await collect_events(simulator, _searching(store_id, "SEARCH pizza\nSAY All of it[[1]]. Done"))

    shown = [
        event.get("delta") or event["annotation"]["index"]
        for event in told
        if event["type"] in ("response.output_text.delta", "response.output_text.annotation.added")
    ]
    assert shown == ["All", " of", " it", 9, ".", " Done"]


async def test_code_is_shown_with_its_outputs_and_never_run(simulator: Simulator) -> None:
    question = "PYTHON import os\nPYTHON os.abort()\nPRINTS 42"

    response = await create_response(simulator, make_request(question, tools=[_CODE], include=_EVERYTHING))

    assert response["output"][0] == {
        "id": "ci_1",
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "import os\nos.abort()",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "42"}],
    }
    assert read_text(response) == "RESULT: 42"


async def test_outputs_are_null_unless_asked_for(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request("PYTHON 1\nPRINTS 1", tools=[_CODE]))

    assert response["output"][0]["outputs"] is None


async def test_a_file_that_code_wrote_is_linked_and_can_be_fetched(simulator: Simulator) -> None:
    response = await create_response(
        simulator, make_request(r"PYTHON write()" "\n" r"WRITES a.csv x,y\n1,2", tools=[_CODE])
    )

    message = _message(response)
    (cited,) = message["annotations"]
    span = message["text"][cited["start_index"] : cited["end_index"]]
    content = await download_file(simulator, f"/containers/{cited['container_id']}/files/{cited['file_id']}/content")
    assert span == "sandbox:/mnt/data/a.csv"
    assert (cited["type"], cited["filename"]) == ("container_file_citation", "a.csv")
    assert content == b"x,y\n1,2"


async def test_a_chart_is_cited_at_the_beginning_under_its_id(simulator: Simulator) -> None:
    """Recorded (pydantic-ai test_openai_responses_code_execution_return_image)."""
    question = "PYTHON plot()\nDRAWS\nSAY Here it is."

    response = await create_response(simulator, make_request(question, tools=[_CODE], include=_EVERYTHING))

    (cited,) = _message(response)["annotations"]
    image = await download_file(simulator, f"/containers/cntr_1/files/{cited['file_id']}/content")
    assert cited == {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "end_index": 0,
        "file_id": "cfile_1",
        "filename": "cfile_1.png",
        "start_index": 0,
    }
    assert image.startswith(b"\x89PNG")
    assert response["output"][0]["outputs"][0]["url"].startswith("data:image/png;base64,iVBOR")


async def test_files_that_the_text_does_not_name_stay_uncited(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request("PYTHON 1\nWRITES a.csv x\nSAY Done.", tools=[_CODE]))

    files = await send_request(simulator, "GET", "/containers/cntr_1/files")

    assert _message(response)["annotations"] == []
    assert [(file["path"], file["source"]) for file in files["data"]] == [("/mnt/data/a.csv", "assistant")]


async def test_a_container_is_used_again_while_it_runs(simulator: Simulator, clock: ManualClock) -> None:
    first = await create_response(simulator, make_request("PYTHON 1", tools=[_CODE]))
    again = make_request("PYTHON 2", tools=[_CODE], previous_response_id=first["id"])

    second = await create_response(simulator, again)
    clock.advance(20 * 60)
    expired = await expect_rejection(simulator, again)
    third = await create_response(simulator, make_request("PYTHON 3", tools=[_CODE]))

    used = [response["output"][0]["container_id"] for response in (first, second, third)]
    assert used == ["cntr_1", "cntr_1", "cntr_2"]
    assert (expired.status, expired.message, expired.code) == (400, "Container is expired.", None)


async def test_a_file_of_an_automatic_container_must_exist(simulator: Simulator) -> None:
    file = await upload_file(simulator, "a,b", name="table.csv")
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file["id"]]}}
    await create_response(simulator, make_request("PYTHON 1", tools=[tool]))
    await send_request(simulator, "DELETE", f"/files/{file['id']}")

    error = await expect_rejection(simulator, make_request("just talk", tools=[tool]))

    assert (error.status, error.message) == (404, f"No such File object: {file['id']}")


async def test_a_container_in_which_code_ran_can_die_and_a_fresh_one_lives(simulator: Simulator) -> None:
    container = await send_request(simulator, "POST", "/containers", {"name": "one"})
    named = {"type": "code_interpreter", "container": container["id"]}

    fresh = await create_response(simulator, make_request("PYTHON 1\nDIES\nPRINTS 1", tools=[named]))
    told = await collect_events(simulator, make_request("PYTHON 2\nDIES\nPRINTS 2", tools=[named]))
    gone = await expect_rejection(simulator, make_request("PYTHON 3", tools=[named]))

    assert read_text(fresh) == "RESULT: 1"
    assert told[-1]["type"] == "response.failed"
    assert told[-1]["response"]["error"] == {"code": "server_error", "message": "Container is expired."}
    assert [item["status"] for item in told[-1]["response"]["output"]] == ["incomplete"]
    assert gone.status == 404


async def test_code_that_ran_elsewhere_is_refused_where_a_container_is_named(simulator: Simulator) -> None:
    """Seen: pydantic/pydantic-ai#7461."""
    container = await send_request(simulator, "POST", "/containers", {"name": "one"})
    said = await create_response(simulator, make_request("PYTHON 1", tools=[_CODE], include=_EVERYTHING))
    named = {"type": "code_interpreter", "container": container["id"]}

    refused = await expect_rejection(simulator, {**make_next_request(make_request("PYTHON 1"), said), "tools": [named]})

    assert (refused.status, refused.message) == (400, f"Expected container_id: {container['id']}")


async def test_an_automatic_container_holds_the_files_of_its_tool(simulator: Simulator) -> None:
    file = await upload_file(simulator, "a,b", name="data.csv")
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file["id"]]}}

    await create_response(simulator, make_request("PYTHON 1", tools=[tool]))
    files = await send_request(simulator, "GET", "/containers/cntr_1/files")

    assert [(each["path"], each["source"]) for each in files["data"]] == [("/mnt/data/file_1-data.csv", "user")]


async def test_lines_for_tools_that_are_not_there_are_text(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request("SEARCH pizza\nPYTHON 1\nPRINTS 1", tools=[WEATHER]))

    assert read_text(response) == "ECHO: SEARCH pizza\nPYTHON 1\nPRINTS 1"


async def test_a_tool_that_may_not_be_used_is_not_used(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request("PYTHON 1", tools=[_CODE], tool_choice="none"))

    assert read_text(response) == "ECHO: PYTHON 1"


@pytest.mark.parametrize("choice", ["required", {"type": "file_search"}])
async def test_a_tool_that_must_be_used_is_used(simulator: Simulator, choice: object) -> None:
    store_id = await create_vector_store(simulator, "Travis likes pizza.")

    response = await create_response(simulator, _searching(store_id, "pizza", tool_choice=choice))

    assert [item["type"] for item in response["output"]] == ["file_search_call", "message"]
    assert response["output"][0]["queries"] == ["pizza"]


async def test_what_a_tool_gave_is_charged(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza " + "word " * 400)

    plain = await create_response(simulator, _searching(store_id, "hello pizza"))
    searched = await create_response(simulator, _searching(store_id, "SEARCH pizza"))

    assert searched["usage"]["input_tokens"] > plain["usage"]["input_tokens"] + 400


async def test_scripts_can_search_and_compute_too(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza")
    tools = [{"type": "file_search", "vector_store_ids": [store_id]}, _CODE]
    simulator.enqueue(
        Scenario(
            response=ScriptedResponse(
                [
                    PlannedFileSearch(["pizza"]),
                    PlannedCode("1", written_files=[("a.txt", "x")]),
                    TextMessage("[[1]] [[a.txt]]"),
                ]
            )
        ),
        Scenario(response=ScriptedResponse([PlannedCode("2", printed_texts=["two"]), ToolSummaryMessage()])),
    )

    first = await create_response(simulator, make_request("x", tools=tools))
    second = await create_response(simulator, make_request("x", tools=tools))

    assert read_text(first) == " sandbox:/mnt/data/a.txt"
    assert [each["type"] for each in _message(first)["annotations"]] == ["file_citation", "container_file_citation"]
    assert read_text(second) == "RESULT: two"


async def test_calls_and_citations_can_be_sent_back(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza")
    tools = [{"type": "file_search", "vector_store_ids": [store_id]}, _CODE]
    said = await create_response(
        simulator, make_request("SEARCH pizza\nPYTHON 1\nPRINTS 1", tools=tools, include=_EVERYTHING)
    )
    items = [{"role": "user", "content": "x"}, *said["output"], {"role": "user", "content": "and now?"}]

    again = await create_response(simulator, {"model": "sim-1", "input": items, "tools": tools})

    assert read_text(again) == "ECHO: and now?"


async def test_an_unknown_vector_store_is_refused(simulator: Simulator) -> None:
    error = await expect_rejection(simulator, _searching("vs_9", "x"))

    assert (error.status, error.message) == (404, "Vector store with id ['vs_9'] not found.")


async def test_an_expired_vector_store_is_refused(simulator: Simulator, clock: ManualClock) -> None:
    store_id = await create_vector_store(simulator, "x", expires_after={"anchor": "last_active_at", "days": 1})
    clock.advance(86_400)

    error = await expect_rejection(simulator, _searching(store_id, "x"))

    assert (error.status, error.message) == (400, "Vector store 'vs_1' is expired.")


async def test_an_expired_container_is_refused(simulator: Simulator, clock: ManualClock) -> None:
    container = await send_request(simulator, "POST", "/containers", {"name": "mine"})
    clock.advance(20 * 60)

    error = await expect_rejection(
        simulator, make_request("x", tools=[{"type": "code_interpreter", "container": container["id"]}])
    )

    assert (error.status, error.message) == (400, "Container is expired.")


async def test_an_unknown_file_for_a_container_is_refused(simulator: Simulator) -> None:
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_9"]}}

    error = await expect_rejection(simulator, make_request("x", tools=[tool]))

    assert (error.status, error.message) == (404, "No such File object: file_9")


async def test_a_container_takes_fifty_files(simulator: Simulator) -> None:
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"] * 51}}

    error = await expect_rejection(simulator, make_request("x", tools=[tool]))

    assert (error.code, error.param) == ("array_above_max_length", "tools[0].container.file_ids")
