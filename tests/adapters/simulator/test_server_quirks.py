"""The simulator in the manner of servers that are not OpenAI's: every habit that was seen (S1 to S13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from tests.adapters.simulator.simulator_client import (
    TIME,
    collapse_event_types,
    iterate_chunks,
    make_request,
    user,
)
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge.ports import PassthroughRequest
from threadbridge_adapters.simulator import ServerQuirk, SimulatedUpstream, Simulator, SimulatorLimits


class _Server:
    """A simulator asked as over HTTP: status and body come back, whatever they are."""

    def __init__(self, simulator: Simulator) -> None:
        self.upstream = SimulatedUpstream(simulator)

    async def ask(self, method: str, path: str, body: JsonObject | None = None) -> tuple[int, JsonObject]:
        response = await self._passed(method, path, body)
        assert isinstance(response.body, bytes)
        return response.status, orjson.loads(response.body)

    async def said(self, body: JsonObject) -> JsonObject:
        status, response = await self.ask("POST", "/responses", body)
        assert status == 200
        return response

    async def frames(self, body: JsonObject) -> list[str]:
        response = await self._passed("POST", "/responses", {**body, "stream": True})
        assert not isinstance(response.body, bytes)
        return b"".join([chunk async for chunk in response.body]).decode().removesuffix("\n\n").split("\n\n")

    async def told(self, body: JsonObject) -> list[JsonObject]:
        return [orjson.loads(frame.partition("data: ")[2]) for frame in await self.frames(body)]

    async def store(self) -> str:
        file = await self.upstream.upload(
            "/files", filename="a.txt", content=iterate_chunks(b"pizza"), fields={"purpose": "assistants"}
        )
        return str((await self.upstream.request("POST", "/vector_stores", {"file_ids": [file["id"]]}))["id"])

    async def _passed(self, method: str, path: str, body: JsonObject | None) -> Any:
        content: AsyncIterator[bytes] | None = None if body is None else iterate_chunks(orjson.dumps(body))
        return await self.upstream.handle_passthrough(CONTEXT, PassthroughRequest(method, path, body=content))


@asynccontextmanager
async def _opened(*manners: ServerQuirk) -> AsyncGenerator[_Server]:
    simulator = Simulator(quirks=manners)
    try:
        yield _Server(simulator)
    finally:
        await simulator.aclose()


async def test_s1_a_conversation_is_named_by_a_string() -> None:
    async with _opened(ServerQuirk.CONVERSATION_BY_STRING) as server:
        _, made = await server.ask("POST", "/conversations", {})
        as_object, _ = await server.ask("POST", "/responses", make_request("x", conversation={"id": made["id"]}))
        as_string = await server.said(make_request("x", conversation=made["id"]))

    assert as_object == 400
    assert "conversation" not in as_string


async def test_s2_first_items_of_a_conversation_are_dropped() -> None:
    async with _opened(ServerQuirk.DROPS_FIRST_ITEMS) as server:
        _, made = await server.ask("POST", "/conversations", {"items": [user("x")]})
        _, first = await server.ask("GET", f"/conversations/{made['id']}/items")
        await server.ask("POST", f"/conversations/{made['id']}/items", {"items": [user("x")]})
        _, later = await server.ask("GET", f"/conversations/{made['id']}/items")

    assert (len(first["data"]), len(later["data"])) == (0, 1)


async def test_s3_an_unanswered_call_is_accepted() -> None:
    async with _opened(ServerQuirk.TAKES_OPEN_CALLS) as server:
        first = await server.said(make_request("CALL get_time {}", tools=[TIME]))
        second = await server.said(make_request("and now?", previous_response_id=first["id"]))

    assert second["status"] == "completed"


async def test_s4_streams_have_gaps() -> None:
    async with _opened(ServerQuirk.PATCHY_STREAMS) as server:
        tool = {"type": "file_search", "vector_store_ids": [await server.store()]}
        told = await server.told(make_request("SEARCH pizza", tools=[tool]))

    kinds = collapse_event_types(told)
    added = [event["item"]["type"] for event in told if event["type"] == "response.output_item.added"]
    assert "response.output_text.done" not in kinds
    assert added == ["file_search_call"]
    assert all(event["sequence_number"] % 2 == 0 for event in told)
    assert kinds[-1] == "response.completed"


async def test_s5_objects_are_sparse() -> None:
    async with _opened(ServerQuirk.SPARSE_OBJECTS) as server:
        cut = await server.said(make_request("SAY half\nINCOMPLETE max_output_tokens"))
        _, items = await server.ask("GET", f"/responses/{cut['id']}/input_items")

    assert cut["incomplete_details"] == {"reason": "length"}
    assert (cut["usage"]["input_tokens_details"], "output_tokens_details" in cut["usage"]) == (None, False)
    assert [item["status"] for item in items["data"]] == [None]


@pytest.mark.parametrize(
    ("manner", "body"),
    [
        (ServerQuirk.DETAIL_ERRORS, {"detail": "Missing required parameter: 'model'."}),
        (ServerQuirk.TERSE_ERRORS, {"error": {"message": "Missing required parameter: 'model'."}}),
    ],
)
async def test_s6_errors_say_less(manner: ServerQuirk, body: JsonObject) -> None:
    async with _opened(manner) as server:
        refused = await server.ask("POST", "/responses", {"input": "x"})

    assert refused == (400, body)


@pytest.mark.parametrize(
    ("manner", "more", "status", "shown"),
    [
        (ServerQuirk.NO_BACKGROUND_STREAMS, {"stream": True}, 400, None),
        (ServerQuirk.NO_BACKGROUND_STREAMS, {}, 200, "queued"),
        (ServerQuirk.NO_BACKGROUND, {}, 400, None),
        (ServerQuirk.INLINE_BACKGROUND, {}, 200, "completed"),
    ],
)
async def test_s7_background_is_another_thing(
    manner: ServerQuirk, more: JsonObject, status: int, shown: str | None
) -> None:
    async with _opened(manner) as server:
        answered, response = await server.ask("POST", "/responses", make_request("x", background=True, **more))

    assert (answered, response.get("status")) == (status, shown)


async def test_s8_files_are_cited_by_inner_ids() -> None:
    async with _opened(ServerQuirk.INNER_FILE_IDS) as server:
        tool = {"type": "file_search", "vector_store_ids": [await server.store()]}
        body = make_request("SEARCH pizza", tools=[tool], include=["file_search_call.results"])
        said = await server.said(body)
        told = await server.told(body)

    result = said["output"][0]["results"][0]
    cited = said["output"][1]["content"][0]["annotations"][0]
    streamed = [event["annotation"] for event in told if event["type"].endswith("annotation.added")]
    assert result["file_id"] == f"inner-{result['attributes']['file_id']}" == cited["file_id"]
    assert result["score"] > 1
    assert streamed == [cited]
    assert told[-1]["response"]["output"][1]["content"][0]["annotations"] == [cited]


async def test_s9_some_paths_and_fields_are_missing() -> None:
    async with _opened(ServerQuirk.FEW_PATHS) as server:
        counted, _ = await server.ask("POST", "/responses/input_tokens", {"input": "x"})
        models, _ = await server.ask("GET", "/models")
        said = await server.said(make_request("x"))
        _, items = await server.ask("GET", f"/responses/{said['id']}/input_items")

    assert (counted, models) == (404, 404)
    assert list(items) == ["object", "data"]


async def test_s10_a_required_call_is_not_made() -> None:
    async with _opened(ServerQuirk.NO_REQUIRED_CHOICE) as server:
        said = await server.said(make_request("x", tools=[TIME], tool_choice="required"))

    assert [item["type"] for item in said["output"]] == ["message"]


async def test_s10_one_model_answers_for_all() -> None:
    async with _opened(ServerQuirk.ONE_MODEL) as server:
        said = await server.said(make_request("x"))
        told = await server.told(make_request("x"))

    assert said["model"] == told[0]["response"]["model"] == "the-only-model"


async def test_s11_nothing_is_kept() -> None:
    async with _opened(ServerQuirk.FORGETS) as server:
        said = await server.said(make_request("x"))
        gone, _ = await server.ask("GET", f"/responses/{said['id']}")
        _, refused = await server.ask("POST", "/responses", make_request("y", previous_response_id=said["id"]))

    assert gone == 404
    assert refused["error"]["code"] == "previous_response_not_found"


async def test_s11_any_previous_response_is_accepted() -> None:
    async with _opened(ServerQuirk.TAKES_ANY_PREVIOUS) as server:
        said = await server.said(make_request("x", previous_response_id="resp_none"))

    assert said["status"] == "completed"


async def test_s11_there_are_no_conversations() -> None:
    async with _opened(ServerQuirk.NO_CONVERSATIONS) as server:
        status, _ = await server.ask("POST", "/conversations", {})

    assert status == 404


@pytest.mark.parametrize(
    ("manner", "path", "tool"),
    [
        (ServerQuirk.NO_CONTAINERS, "/containers", {"type": "code_interpreter", "container": {"type": "auto"}}),
        (ServerQuirk.NO_FILES, "/vector_stores", {"type": "file_search", "vector_store_ids": []}),
    ],
)
async def test_s12_hosted_tools_are_missing(manner: ServerQuirk, path: str, tool: JsonObject) -> None:
    async with _opened(manner) as server:
        absent, _ = await server.ask("POST", path, {"name": "x"})
        refused, _ = await server.ask("POST", "/responses", make_request("x", tools=[tool]))

    assert (absent, refused) == (404, 400)


async def test_s13_a_conversation_is_not_locked() -> None:
    async with _opened(ServerQuirk.NO_LOCKS) as server:
        _, made = await server.ask("POST", "/conversations", {})
        stream = await server.upstream.stream_response(
            orjson.dumps(make_request("a b c", conversation=made["id"], stream=True))
        )
        await anext(aiter(stream))
        second = await server.said(make_request("x", conversation=made["id"]))
        await stream.aclose()

    assert second["status"] == "completed"


@pytest.mark.parametrize(
    ("quirk", "more", "status", "message"),
    [
        (
            ServerQuirk.NO_PARALLEL_CALLS,
            {"parallel_tool_calls": True},
            400,
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
        ),
        (
            ServerQuirk.NO_EFFORT,
            {"reasoning": {"effort": "low"}},
            400,
            "Unrecognized request argument supplied: reasoning",
        ),
        (ServerQuirk.NO_SAMPLING, {"temperature": 1}, 400, "`temperature` is deprecated for this model."),
        (ServerQuirk.NO_SAMPLING, {"top_p": 1}, 400, "`top_p` is deprecated for this model."),
        (
            ServerQuirk.NO_CACHE_KEY,
            {"prompt_cache_key": "a"},
            422,
            "[{'type': 'extra_forbidden', 'loc': ('body', 'prompt_cache_key'), "
            "'msg': 'Extra inputs are not permitted'}]",
        ),
        (ServerQuirk.NO_INCLUDE, {"include": ["file_search_call.results"]}, 400, "Unknown parameter: 'include'."),
        (ServerQuirk.NO_STORE, {}, 400, "Store must be set to false"),
    ],
)
async def test_a_parameter_can_be_rejected_in_the_words_of_other_servers(
    quirk: ServerQuirk, more: JsonObject, status: int, message: str
) -> None:
    async with _opened(quirk) as server:
        rejected, body = await server.ask("POST", "/responses", make_request("x", **more))
        accepted, _ = await server.ask("POST", "/responses", make_request("x", store=False))

    assert (rejected, body["error"]["message"], accepted) == (status, message, 200)


async def test_too_long_an_input_can_be_rejected_in_the_words_of_other_models() -> None:
    async with _opened(ServerQuirk.OVERFLOW_WORDS) as server:
        server.upstream.simulator.limits = SimulatorLimits(context_tokens=10)
        status, body = await server.ask("POST", "/responses", make_request("word " * 20))

    assert status == 400
    assert body["error"]["message"].startswith("prompt is too long: ")
    assert body["error"]["message"].endswith(" tokens > 10 maximum")


_ERROR = {"code": "server_error", "message": "It broke."}


@pytest.mark.parametrize(
    ("quirk", "name", "data"),
    [
        (ServerQuirk.UNTYPED_STREAM_ERRORS, "", {"error": _ERROR}),
        (ServerQuirk.NAMED_STREAM_ERRORS, "event: error\n", _ERROR),
        (ServerQuirk.RESPONSE_ERROR_EVENTS, "event: response.error\n", {"type": "response.error", "error": _ERROR}),
    ],
)
async def test_a_failure_in_a_stream_can_have_another_shape(quirk: ServerQuirk, name: str, data: JsonObject) -> None:
    async with _opened(quirk) as server:
        frames = await server.frames(make_request("SAY one two\nFAIL server_error It broke."))

    assert frames[-1] == f"{name}data: {orjson.dumps(data).decode()}"
    assert "response.output_text.delta" in frames[-2]
