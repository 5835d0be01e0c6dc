"""Two tenants through one backend object: for each, the objects of the other do not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from tests.contract.environments import Environment, open_environment
from tests.contract.test_backend import WEATHER, a_run, an_assistant, outputs, until
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject, JsonValue
from threadbridge.errors import NotFound
from threadbridge.ports import Backend, ListQuery, RequestContext
from threadbridge.wire import OPERATIONS

OTHER = RequestContext("other")
PAGE = ListQuery()
MESSAGE: JsonObject = {"role": "user", "content": "SAY hello"}

#: Calls for the other tenant that name objects of the first, by the names of the methods.
Call = Callable[[Backend, Mapping[str, str]], Awaitable[Any]]
NAMING: dict[str, Call] = {
    "retrieve_assistant": lambda backend, its: backend.retrieve_assistant(OTHER, its["assistant"]),
    "update_assistant": lambda backend, its: backend.update_assistant(OTHER, its["assistant"], {"name": "Eve"}),
    "delete_assistant": lambda backend, its: backend.delete_assistant(OTHER, its["assistant"]),
    "retrieve_thread": lambda backend, its: backend.retrieve_thread(OTHER, its["thread"]),
    "update_thread": lambda backend, its: backend.update_thread(OTHER, its["thread"], {"metadata": {"a": "b"}}),
    "delete_thread": lambda backend, its: backend.delete_thread(OTHER, its["thread"]),
    "create_message": lambda backend, its: backend.create_message(OTHER, its["thread"], MESSAGE),
    "list_messages": lambda backend, its: backend.list_messages(OTHER, its["thread"], PAGE),
    "retrieve_message": lambda backend, its: backend.retrieve_message(OTHER, its["thread"], its["message"]),
    "update_message": lambda backend, its: backend.update_message(OTHER, its["thread"], its["message"], {}),
    "delete_message": lambda backend, its: backend.delete_message(OTHER, its["thread"], its["message"]),
    "create_run": lambda backend, its: backend.create_run(OTHER, its["thread"], {"assistant_id": its["assistant"]}),
    "stream_run": lambda backend, its: backend.stream_run(OTHER, its["thread"], {"assistant_id": its["assistant"]}),
    "create_thread_and_run": lambda backend, its: backend.create_thread_and_run(
        OTHER, {"assistant_id": its["assistant"]}
    ),
    "stream_thread_and_run": lambda backend, its: backend.stream_thread_and_run(
        OTHER, {"assistant_id": its["assistant"]}
    ),
    "follow_run": lambda backend, its: backend.follow_run(OTHER, its["thread"], its["run"]),
    "list_runs": lambda backend, its: backend.list_runs(OTHER, its["thread"], PAGE),
    "retrieve_run": lambda backend, its: backend.retrieve_run(OTHER, its["thread"], its["run"]),
    "report_run": lambda backend, its: backend.report_run(OTHER, its["thread"], its["run"]),
    "update_run": lambda backend, its: backend.update_run(OTHER, its["thread"], its["run"], {"metadata": {"a": "b"}}),
    "cancel_run": lambda backend, its: backend.cancel_run(OTHER, its["thread"], its["run"]),
    "submit_tool_outputs": lambda backend, its: backend.submit_tool_outputs(
        OTHER, its["thread"], its["run"], {"tool_outputs": [{"tool_call_id": its["call"], "output": "rain"}]}
    ),
    "stream_tool_outputs": lambda backend, its: backend.stream_tool_outputs(
        OTHER, its["thread"], its["run"], {"tool_outputs": [{"tool_call_id": its["call"], "output": "rain"}]}
    ),
    "list_steps": lambda backend, its: backend.list_steps(OTHER, its["thread"], its["run"], PAGE),
    "retrieve_step": lambda backend, its: backend.retrieve_step(OTHER, its["thread"], its["run"], its["step"]),
}
#: Calls that name no object: both tenants have answers of their own.
UNNAMED = {"create_assistant", "list_assistants", "create_thread", "list_threads"}


@pytest.fixture
async def world() -> AsyncIterator[Environment]:
    async with open_environment("responses") as opened:
        yield opened


async def waiting_run(world: Environment) -> tuple[JsonValue, dict[str, str]]:
    """A run of the first tenant that waits for a tool output, and the ids of everything it belongs to."""
    run = await a_run(world, "CALL get_weather {}", tools=[WEATHER])
    [message] = (await world.backend.list_messages(CONTEXT, run["thread_id"], PAGE))["data"]
    steps: JsonValue = await world.backend.list_steps(CONTEXT, run["thread_id"], run["id"], PAGE)
    [step] = steps["data"]
    ids = {"assistant": run["assistant_id"], "thread": run["thread_id"], "run": run["id"], "message": message["id"]}
    return run, {**ids, "step": step["id"], "call": step["step_details"]["tool_calls"][0]["id"]}


def test_every_operation_is_tried_here() -> None:
    operations = {operation.name for operation in OPERATIONS} | {each.stream_method for each in OPERATIONS} - {None}

    assert operations == set(NAMING) | UNNAMED


@pytest.mark.parametrize("name", NAMING)
async def test_an_object_of_another_tenant_is_not_found(world: Environment, name: str) -> None:
    before, ids = await waiting_run(world)

    with pytest.raises(NotFound):
        await NAMING[name](world.backend, ids)

    assert (await world.backend.retrieve_run(CONTEXT, ids["thread"], ids["run"])).run == before


async def test_lists_hold_the_objects_of_one_tenant(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    other_assistant = await world.backend.create_assistant(OTHER, {"model": "gpt-4o"})
    thread = await world.backend.create_thread(CONTEXT, {})
    other_thread = await world.backend.create_thread(OTHER, {})

    listed = [
        [row["id"] for row in page["data"]]
        for context in (CONTEXT, OTHER)
        for page in (
            await world.backend.list_assistants(context, PAGE),
            await world.backend.list_threads(context, PAGE),
        )
    ]

    assert listed == [[assistant_id], [thread["id"]], [other_assistant["id"]], [other_thread["id"]]]


async def test_runs_of_two_tenants_are_performed_each_for_its_own(world: Environment) -> None:
    run, _ = await waiting_run(world)
    assistant = await world.backend.create_assistant(OTHER, {"model": "gpt-4o"})

    stream = await world.backend.stream_thread_and_run(
        OTHER, {"assistant_id": assistant["id"], "thread": {"messages": [MESSAGE]}}
    )
    other = [event async for event in stream][-1]
    await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], outputs(run))
    ended = await until(world, run["thread_id"], run["id"], lambda now: now["status"] == "completed")

    assert (other.name, other.data["assistant_id"]) == ("thread.run.completed", assistant["id"])
    assert ended["assistant_id"] == run["assistant_id"]
    messages: JsonValue = await world.backend.list_messages(OTHER, other.data["thread_id"], PAGE)
    [answer, _] = messages["data"]
    assert answer["content"][0]["text"]["value"] == "hello"
