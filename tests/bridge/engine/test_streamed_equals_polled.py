"""Whatever happens to a thread, the model knows the same with every `history`, and the same becomes of the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.bridge.engine.upstream_state_fixtures import describe_item, list_stored_response_ids
from tests.emulated_service import WEATHER, EmulatedService, open_service, run_path
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import Scenario

TEXTS = (
    "SAY one",
    "SAY one",
    "CALL get_weather {}",
    "CALL get_weather {}\nCALL get_weather {}\nTHEN CALL get_weather {}\nSAY done",
    "INCOMPLETE max_output_tokens",
    "FAIL server_error No luck.",
    "HTTP 500",
)
OPERATIONS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(TEXTS)),
    st.tuples(st.just("run"), st.sampled_from([None, None, 2])),
    st.tuples(st.just("run"), st.sampled_from([None, None, 2])),
    st.tuples(st.just("answer"), st.none()),
    st.tuples(st.just("answer"), st.none()),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 20)),
    st.tuples(st.just("forget"), st.none()),
)
Operation: TypeAlias = tuple[str, Any]
RUN: Operation = ("run", None)
ANSWER: Operation = ("answer", None)


def said(*texts: str) -> list[Operation]:
    """A run after each of these."""
    return [operation for text in texts for operation in (("say", text), RUN)]


#: What is likely to go wrong, so that it is tried every time.
COURSES: tuple[list[Operation], ...] = (
    [*said("SAY one", "SAY two"), ("delete", 2), *said("SAY three"), ("delete", 0), RUN, RUN],
    [*said("SAY one", "CALL get_weather {}"), ("cancel", None), *said("SAY two", "CALL get_weather {}"), ANSWER, RUN],
    [
        *said("SAY one", "INCOMPLETE max_output_tokens", "SAY two", "FAIL server_error No.", "SAY three", "HTTP 500"),
        RUN,
    ],
    [*said("CALL get_weather {}"), ("forget", None), ANSWER, *said("SAY one"), ("forget", None), *said("SAY two"), RUN],
    [
        *said("SAY one"),
        ("say", "SAY two"),
        ("run", 2),
        *said("CALL get_weather {}"),
        ("run", 2),
        ANSWER,
        ("run", 2),
        RUN,
    ],
)


class Course(NamedTuple):
    """What the model knew in every request that was accepted, how every run ended, and what the thread says."""

    known: Sequence[Sequence[str]]
    statuses: Sequence[str]
    messages: Sequence[str]


class Witness:
    """Notes what the simulator knows when it is asked; as a script it leaves everything to the message."""

    def __init__(self) -> None:
        self.service: EmulatedService
        self.known: list[list[str]] = []

    def __call__(self, body: JsonObject) -> Scenario | None:
        memory = self.service.simulator._state  # pyright: ignore[reportPrivateUsage]
        before: Sequence[JsonObject] = ()
        if (previous := body.get("previous_response_id")) is not None:
            if previous not in list_stored_response_ids(self.service):
                return None  # refused
            before = memory.get_previous_response(previous).build_context()
        elif (conversation_id := body.get("conversation")) is not None:
            if conversation_id not in memory._conversations:  # pyright: ignore[reportPrivateUsage]
                return None
            before = list(memory.get_conversation(conversation_id).items.values())
        self.known.append([describe_item(item) for item in [*before, *body["input"]] if item["type"] != "reasoning"])
        return None


async def course(history: str, operations: Sequence[Operation]) -> Course:
    """The same things done to a thread, with this setting."""
    async with open_service(history=history) as service:
        witness = Witness()
        witness.service = service
        service.simulator._choose_scenario = witness  # pyright: ignore[reportPrivateUsage]
        assistant_id, thread_id = (
            await service.create_assistant(tools=[WEATHER]),
            await service.create_thread("SAY hello"),
        )
        for operation in operations:
            await do(service, thread_id, assistant_id, *operation)
        runs = (await service.get(f"/threads/{thread_id}/runs", order="asc", limit="100")).body["data"]
        messages = (await service.get(f"/threads/{thread_id}/messages", order="asc", limit="100")).body["data"]
    texts = [message["content"][0]["text"]["value"] for message in messages]
    return Course(witness.known, [run["status"] for run in runs], texts)


async def do(service: EmulatedService, thread_id: str, assistant_id: str, what: str, value: Any) -> None:
    newest = (await service.get(f"/threads/{thread_id}/runs", limit="1")).body["data"]
    waiting = next((run for run in newest if run["status"] == "requires_action"), None)
    match what:
        case "say":
            await service.post(f"/threads/{thread_id}/messages", role="user", content=value)
        case "run":
            strategy = {"type": "last_messages", "last_messages": value} if value else {"type": "auto"}
            body = {"assistant_id": assistant_id, "truncation_strategy": strategy}
            started = await service.post(f"/threads/{thread_id}/runs", **body)
            if started.status == 200:
                await service.wait_until_rest(started.body)
        case "answer" if waiting is not None:
            await service.submit_outputs(waiting)
        case "cancel" if waiting is not None:
            await service.post(f"{run_path(waiting)}/cancel")
        case "delete":
            messages = (await service.get(f"/threads/{thread_id}/messages", order="asc")).body["data"]
            if messages:
                await service.delete(f"/threads/{thread_id}/messages/{messages[value % len(messages)]['id']}")
        case "forget":
            forget(service)
        case _:
            pass


def forget(service: EmulatedService) -> None:
    """The service loses all it kept."""
    for response_id in list_stored_response_ids(service):
        service.simulator.delete_response(response_id)
    for conversation_id in list(service.simulator._state._conversations):  # pyright: ignore[reportPrivateUsage]
        service.simulator.conversations.delete(conversation_id)


@given(st.lists(OPERATIONS, min_size=10, max_size=25))
@example(COURSES[0])
@example(COURSES[1])
@example(COURSES[2])
@example(COURSES[3])
@example(COURSES[4])
@settings(max_examples=5)
def test_the_model_knows_the_same_and_the_thread_is_the_same(operations: list[Operation]) -> None:
    async def three() -> list[Course]:
        return [await course(history, operations) for history in ("local", "chained", "conversation")]

    local, chained, conversation = asyncio.run(three())

    assert chained == local
    assert conversation == local
