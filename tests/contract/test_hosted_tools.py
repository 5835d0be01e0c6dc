"""File search, code interpreter and attachments, kept by every backend through every door (see `worlds.py`).

The simulator obeys lines in the user's message: `SEARCH words`, and `PYTHON code` with what it `PRINTS`, `WRITES` and
`DRAWS`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.contract.environments import Environment
from tests.contract.test_backend import a_thread, an_assistant, at_rest, names, until
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject, JsonValue
from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import Backend, Event, ListQuery
from threadbridge_adapters.simulator import SimulatedUpstream

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
BOTH = [{"type": "file_search"}, {"type": "code_interpreter"}]


async def a_file(world: Environment, text: str = "Filip likes cake.", *, name: str = "foods.txt") -> str:
    async def content() -> AsyncIterator[bytes]:
        yield text.encode()

    upstream = SimulatedUpstream(world.simulator)
    file = await upstream.upload("/files", filename=name, content=content(), fields={"purpose": "assistants"})
    return str(file["id"])


def saying(text: str, *file_ids: str, tools: list[JsonValue] | None = None) -> JsonValue:
    attachments = [{"file_id": file_id, "tools": tools or [{"type": "file_search"}]} for file_id in file_ids]
    return {"role": "user", "content": text, "attachments": attachments}


async def finished(world: Environment, thread_id: str, assistant_id: str) -> tuple[JsonValue, JsonValue, JsonValue]:
    """A run at rest, its newest message, and its steps, oldest first."""
    created = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    run = await until(world, thread_id, created["id"], at_rest)
    messages = await world.backend.list_messages(CONTEXT, thread_id, ListQuery(limit=1))
    steps = await world.backend.list_steps(CONTEXT, thread_id, run["id"], ListQuery(order="asc"))
    return run, messages["data"][0], steps["data"]


def containers_asked(world: Environment) -> list[str]:
    """The containers that requests for responses named."""
    bodies = [request.body for request in world.simulator.requests]
    return [body["tools"][0]["container"] for body in bodies if body and "input" in body]


async def streamed(world: Environment, thread_id: str, assistant_id: str, *include: str) -> list[Event]:
    stream = await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id}, include=include)
    return [event async for event in stream]


async def test_a31_a38_a84_an_attached_file_is_found_in_the_threads_own_store_and_cited(world: Environment) -> None:
    file_id = await a_file(world)
    assistant_id = await an_assistant(world, tools=[{"type": "file_search"}])
    thread = await world.backend.create_thread(CONTEXT, {"messages": [saying("SEARCH cake", file_id)]})

    run, message, steps = await finished(world, thread["id"], assistant_id)

    assert run["status"] == "completed"
    assert [step["type"] for step in steps] == ["tool_calls", "message_creation"]
    [call] = steps[0]["step_details"]["tool_calls"]
    assert [result["file_id"] for result in call["file_search"]["results"]] == [file_id]
    text = message["content"][0]["text"]
    [annotation] = text["annotations"]
    assert annotation["file_citation"] == {"file_id": file_id}
    assert (
        text["value"][annotation["start_index"] : annotation["end_index"]] == annotation["text"] == "【4:0†foods.txt】"
    )
    kept: JsonValue = await world.backend.retrieve_thread(CONTEXT, thread["id"])
    [store_id] = kept["tool_resources"]["file_search"]["vector_store_ids"]
    store = await SimulatedUpstream(world.simulator).request("GET", f"/vector_stores/{store_id}")
    assert store["expires_after"] == {"anchor": "last_active_at", "days": 7}


async def test_a38_a_later_attachment_goes_to_the_store_that_is_there(world: Environment) -> None:
    first, second = await a_file(world), await a_file(world, "Ann likes tea.", name="drinks.txt")
    thread = await world.backend.create_thread(CONTEXT, {"messages": [saying("One", first)]})

    await world.backend.create_message(CONTEXT, thread["id"], saying("Two", second, tools=BOTH))

    kept: JsonValue = (await world.backend.retrieve_thread(CONTEXT, thread["id"]))["tool_resources"]
    [store_id] = kept["file_search"]["vector_store_ids"]
    files = await SimulatedUpstream(world.simulator).request("GET", f"/vector_stores/{store_id}/files")
    assert {file["id"] for file in files["data"]} == {first, second}
    assert kept["code_interpreter"] == {"file_ids": [second]}


async def test_a82_the_stores_of_the_assistant_and_of_the_thread_are_both_searched(world: Environment) -> None:
    shared, own = await a_file(world), await a_file(world, "Ann likes tea.", name="drinks.txt")
    assistant = await world.backend.create_assistant(
        CONTEXT,
        {
            "model": "gpt-4o",
            "tools": [{"type": "file_search"}],
            "tool_resources": {"file_search": {"vector_stores": [{"file_ids": [shared]}]}},
        },
    )
    thread = await world.backend.create_thread(CONTEXT, {"messages": [saying("SEARCH likes", own)]})

    _, _, steps = await finished(world, thread["id"], assistant["id"])

    assert list(assistant["tool_resources"].get("file_search", {})) == ["vector_store_ids"]
    found = steps[0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert {result["file_id"] for result in found} == {shared, own}


async def test_a92_a_search_is_streamed_in_the_order_of_the_legacy_service(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[{"type": "file_search"}])
    thread = await world.backend.create_thread(CONTEXT, {"messages": [saying("SEARCH cake", await a_file(world))]})

    events = await streamed(world, thread["id"], assistant_id)

    assert names(events)[3:] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]


async def test_a77_what_was_found_is_told_only_on_request(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[{"type": "file_search"}])
    thread = await world.backend.create_thread(CONTEXT, {"messages": [saying("SEARCH cake", await a_file(world))]})

    asked = await streamed(world, thread["id"], assistant_id, CONTENT)
    unasked = await streamed(world, thread["id"], assistant_id)

    def results(events: list[Event]) -> JsonValue:
        steps = [event.data for event in events if event.name == "thread.run.step.completed"]
        found: JsonValue = steps[0]["step_details"]["tool_calls"][0]["file_search"]["results"][0]
        return found

    run_id = asked[0].data["id"]
    order = ListQuery(order="asc")
    listed: JsonValue = await world.backend.list_steps(CONTEXT, thread["id"], run_id, order, include=[CONTENT])
    plain: JsonValue = await world.backend.list_steps(CONTEXT, thread["id"], run_id, ListQuery(order="asc"))
    content = [{"type": "text", "text": "Filip likes cake."}]
    assert results(asked)["content"] == content
    assert "content" not in results(unasked)
    assert listed["data"][0]["step_details"]["tool_calls"][0]["file_search"]["results"][0]["content"] == content
    assert "content" not in plain["data"][0]["step_details"]["tool_calls"][0]["file_search"]["results"][0]


async def test_a85_a86_code_leaves_its_outputs_its_drawing_and_its_file(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[{"type": "code_interpreter"}])
    thread_id = await a_thread(world, "PYTHON plot()\nPRINTS done\nDRAWS chart.png\nWRITES sums.csv 1,2")

    run, message, steps = await finished(world, thread_id, assistant_id)

    assert run["status"] == "completed"
    [call] = steps[0]["step_details"]["tool_calls"]
    outputs = call["code_interpreter"]["outputs"]
    assert call["code_interpreter"]["input"] == "plot()"
    assert {output["type"] for output in outputs} == {"logs", "image"}
    [image] = [output["image"] for output in outputs if output["type"] == "image"]
    assert message["content"][0] == {"type": "image_file", "image_file": image}
    [text] = [part["text"] for part in message["content"] if part["type"] == "text"]
    paths = [annotation for annotation in text["annotations"] if annotation["type"] == "file_path"]
    assert "sandbox:/mnt/data/sums.csv" in [path["text"] for path in paths]
    assert all(text["value"][path["start_index"] : path["end_index"]] == path["text"] for path in paths)


async def test_a_thread_keeps_its_container(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[{"type": "code_interpreter"}])
    thread_id = await a_thread(world, "PYTHON 1\nPRINTS 1")
    await finished(world, thread_id, assistant_id)
    await world.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": "PYTHON 2\nPRINTS 2"})

    await finished(world, thread_id, assistant_id)

    first, second = containers_asked(world)
    assert first == second


async def test_a_container_that_died_is_replaced_with_its_files(world: Environment) -> None:
    file_id = await a_file(world, "a,b\n1,2", name="data.csv")
    assistant_id = await an_assistant(
        world, tools=[{"type": "code_interpreter"}], tool_resources={"code_interpreter": {"file_ids": [file_id]}}
    )
    thread_id = await a_thread(world, "PYTHON 1\nPRINTS 1")
    await finished(world, thread_id, assistant_id)
    upstream = SimulatedUpstream(world.simulator)
    await upstream.request("DELETE", f"/containers/{containers_asked(world)[-1]}")
    await world.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": "PYTHON 2\nPRINTS 2"})

    run, _, _ = await finished(world, thread_id, assistant_id)

    files = await upstream.request("GET", f"/containers/{containers_asked(world)[-1]}/files")
    assert run["status"] == "completed"
    assert [file["path"].rpartition("-")[2] for file in files["data"]] == ["data.csv"]


async def test_a102_an_unknown_file_is_refused_in_the_services_words_and_nothing_is_written(world: Environment) -> None:
    thread_id = await a_thread(world)

    with pytest.raises(NotFound) as caught:
        await world.backend.create_message(CONTEXT, thread_id, saying("Look", "file-unknown"))

    messages = await world.backend.list_messages(CONTEXT, thread_id, ListQuery())
    assert (caught.value.message, caught.value.param) == ("No such File object: file-unknown", "id")
    assert messages["data"] == []
    assert (await world.backend.retrieve_thread(CONTEXT, thread_id))["tool_resources"].get("file_search") is None


UNKNOWN: JsonObject = {"code_interpreter": {"file_ids": ["file-unknown"]}}
SHOWN: JsonObject = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "file-unknown"}}]}
Request = Callable[[Backend, str, str], Awaitable[object]]

#: What names a file that is not there, on a thread and with an assistant that are.
NAMING: dict[str, Request] = {
    "a new assistant": lambda backend, _, __: backend.create_assistant(
        CONTEXT, {"model": "gpt-4o", "tool_resources": UNKNOWN}
    ),
    "an assistant": lambda backend, _, id_: backend.update_assistant(CONTEXT, id_, {"tool_resources": UNKNOWN}),
    "a new thread": lambda backend, _, __: backend.create_thread(CONTEXT, {"tool_resources": UNKNOWN}),
    "a thread": lambda backend, id_, _: backend.update_thread(CONTEXT, id_, {"tool_resources": UNKNOWN}),
    "a new thread and run": lambda backend, _, id_: backend.create_thread_and_run(
        CONTEXT, {"assistant_id": id_, "tool_resources": UNKNOWN}
    ),
    "an image of a new thread": lambda backend, _, __: backend.create_thread(CONTEXT, {"messages": [SHOWN]}),
    "an image": lambda backend, id_, _: backend.create_message(CONTEXT, id_, SHOWN),
    "an image of a run": lambda backend, thread_id, id_: backend.create_run(
        CONTEXT, thread_id, {"assistant_id": id_, "additional_messages": [SHOWN]}
    ),
}


@pytest.mark.parametrize("named_by", NAMING)
async def test_a102_every_file_a_request_names_has_to_be_there(world: Environment, named_by: str) -> None:
    thread_id, assistant_id = await a_thread(world), await an_assistant(world)

    with pytest.raises(NotFound, match="^No such File object: file-unknown$"):
        await NAMING[named_by](world.backend, thread_id, assistant_id)

    runs = await world.backend.list_runs(CONTEXT, thread_id, ListQuery())
    messages = await world.backend.list_messages(CONTEXT, thread_id, ListQuery())
    assert (messages["data"], runs["data"]) == ([], [])


async def test_a21_code_can_have_twenty_files_and_no_more(world: Environment) -> None:
    held = [await a_file(world, f"{n}", name=f"{n}.csv") for n in range(20)]
    thread = await world.backend.create_thread(CONTEXT, {"tool_resources": {"code_interpreter": {"file_ids": held}}})

    with pytest.raises(InvalidRequest) as caught:
        await world.backend.create_message(
            CONTEXT, thread["id"], saying("One more", await a_file(world, "x"), tools=[{"type": "code_interpreter"}])
        )

    assert caught.value.code == "array_above_max_length"
    assert caught.value.param == "tool_resources.code_interpreter.file_ids"


async def test_a_file_of_a_kind_nobody_can_search_is_refused_and_leaves_no_store(world: Environment) -> None:
    file_id = await a_file(world, "MZ", name="program.exe")
    before = await SimulatedUpstream(world.simulator).request("GET", "/vector_stores")

    with pytest.raises(InvalidRequest):
        await world.backend.create_thread(CONTEXT, {"messages": [saying("Look", file_id)]})

    after = await SimulatedUpstream(world.simulator).request("GET", "/vector_stores")
    assert len(after["data"]) == len(before["data"])
