"""Runs on a service that rejects dead references and parameters, as real services do: the thread stays usable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bridge.engine.test_other_servers import CODE, LOOK, SEARCH, Bridge, bridge
from tests.emulated_service import get_last_error
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge.errors import RequestError
from threadbridge_adapters.simulator import ServerQuirk, SimulatedUpstream, SimulatorLimits

_LINK = "https://cdn.example/p.png?sig=1"
_IMAGE: JsonObject = {"type": "image_url", "image_url": {"url": _LINK}}


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=[False, True], ids=["polled", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    requested: bool = request.param
    return requested


async def _add(here: Bridge, thread_id: str, *content: Any) -> None:
    await here.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": [*content]})


async def _delete(here: Bridge, path: str) -> None:
    await SimulatedUpstream(here.simulator).request("DELETE", path)


# -- Dead references -------------------------------------------------------------------------------------------------


async def test_a_thread_stays_usable_after_a_link_in_it_died(*, streamed: bool) -> None:
    async with bridge() as here:
        thread_id = await here.thread("What is this?")
        await _add(here, thread_id, _IMAGE)
        first = await here.run(thread_id, streamed=streamed)
        here.simulator.unavailable_urls[_LINK] = 403
        await _add(here, thread_id, {"type": "text", "text": "And now?"})
        later = [await here.run(thread_id, streamed=streamed) for _ in range(2)]

    assert [run["status"] for run in (first, *later)] == ["completed"] * 3


async def test_a_thread_stays_usable_after_an_image_was_deleted(*, streamed: bool) -> None:
    async with bridge() as here:
        file_id = await here.file("an image")
        thread_id = await here.thread("What is this?")
        await _add(here, thread_id, {"type": "image_file", "image_file": {"file_id": file_id}})
        first = await here.run(thread_id, streamed=streamed)
        await _delete(here, f"/files/{file_id}")
        later = [await here.run(thread_id, streamed=streamed) for _ in range(2)]

    assert [run["status"] for run in (first, *later)] == ["completed"] * 3


async def test_an_assistant_stays_usable_after_a_file_for_its_code_was_deleted(*, streamed: bool) -> None:
    async with bridge() as here:
        file_id = await here.file("a,b")
        resources = {"code_interpreter": {"file_ids": [file_id]}}
        created = await here.backend.create_assistant(
            CONTEXT, {"model": "gpt-4o", "tools": [CODE], "tool_resources": resources}
        )
        await _delete(here, f"/files/{file_id}")
        runs = [
            await here.run(await here.thread("Hello"), streamed=streamed, assistant_id=created["id"]) for _ in range(2)
        ]

    assert [run["status"] for run in runs] == ["completed"] * 2


async def test_a_thread_stays_usable_after_its_vector_store_was_deleted(*, streamed: bool) -> None:
    async with bridge() as here:
        thread_id = await here.thread("SEARCH cake", attach=await here.file("cake"))
        first = await here.run(thread_id, SEARCH, streamed=streamed)
        stores = await SimulatedUpstream(here.simulator).request("GET", "/vector_stores")
        for store in stores["data"]:
            await _delete(here, f"/vector_stores/{store['id']}")
        later = [await here.run(thread_id, SEARCH, streamed=streamed) for _ in range(2)]

    assert [run["status"] for run in (first, *later)] == ["completed"] * 3


@pytest.mark.parametrize("url", ["uploads/cat.png", "not a url", ""])
async def test_a_text_that_is_no_url_is_rejected_when_the_message_is_created(url: str) -> None:
    async with bridge() as here:
        thread_id = await here.thread("Hello")
        with pytest.raises(RequestError) as caught:
            await _add(here, thread_id, {"type": "image_url", "image_url": {"url": url}})

    assert caught.value.code == "invalid_value"
    assert caught.value.message.endswith("Expected a valid URL, but got a value with an invalid format.")


async def test_json_mode_works_where_only_the_instructions_say_json(*, streamed: bool) -> None:
    async with bridge() as here:
        thread_id = await here.thread("Bern")
        run = await here.run(
            thread_id,
            streamed=streamed,
            instructions="Answer as a JSON object.",
            response_format={"type": "json_object"},
        )

    assert run["status"] == "completed"


# -- Parameters that a server rejects --------------------------------------------------------------------------------

_REJECTED = [
    pytest.param(ServerQuirk.NO_PARALLEL_CALLS, [LOOK], {"parallel_tool_calls": False}),
    pytest.param(ServerQuirk.NO_EFFORT, [], {"model": "gpt-5.1", "reasoning_effort": "low"}),
    pytest.param(ServerQuirk.NO_SAMPLING, [], {"temperature": 0.5, "top_p": 0.5}),
    pytest.param(ServerQuirk.NO_CACHE_KEY, [], {}),
    pytest.param(ServerQuirk.NO_INCLUDE, [SEARCH], {}),
    pytest.param(ServerQuirk.NO_STORE, [], {}),
]


@pytest.mark.parametrize(("quirk", "tools", "settings"), _REJECTED)
async def test_a_run_works_without_a_parameter_that_the_server_rejects(
    quirk: ServerQuirk, tools: list[JsonObject], settings: JsonObject, *, streamed: bool
) -> None:
    async with bridge(quirk) as here:
        attach = await here.file("cake") if SEARCH in tools else None
        thread_id = await here.thread("Hello", attach=attach)
        runs = [await here.run(thread_id, *tools, streamed=streamed, **settings) for _ in range(2)]

    assert [run["status"] for run in runs] == ["completed"] * 2


async def test_a_thread_that_is_too_long_in_the_words_of_another_model_is_truncated(*, streamed: bool) -> None:
    async with bridge(ServerQuirk.OVERFLOW_WORDS) as here:
        here.simulator.limits = SimulatorLimits(context_tokens=3_000)
        thread_id = await here.thread(*["word " * 1_000] * 5, "Hello")
        run = await here.run(thread_id, streamed=streamed)

    assert run["status"] == "completed"


_STREAM_ERRORS = [
    ServerQuirk.UNTYPED_STREAM_ERRORS,
    ServerQuirk.NAMED_STREAM_ERRORS,
    ServerQuirk.RESPONSE_ERROR_EVENTS,
]


@pytest.mark.parametrize("quirk", _STREAM_ERRORS)
async def test_an_error_of_another_shape_ends_a_streamed_run_with_its_words(quirk: ServerQuirk) -> None:
    async with bridge(quirk) as here:
        run = await here.run(await here.thread("SAY one two\nFAIL server_error It broke."), streamed=True)

    assert run["status"] == "failed"
    assert "It broke." in get_last_error(run)["message"]
