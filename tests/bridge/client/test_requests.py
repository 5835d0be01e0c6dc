from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from tests.bridge.client.stub_backend import ClientVariant, StubBackend
from tests.bridge.client.wire_objects import MESSAGE, RUN, STEP, run, text_stream
from threadbridge import NOT_GIVEN
from threadbridge.api_types import JsonObject
from threadbridge.errors import NotFound, Unsupported, UpstreamTimeout
from threadbridge.ports import ListQuery, PolledRun, RequestContext
from threadbridge.types import FunctionTool, Run

MakeFace = Callable[[StubBackend], ClientVariant]
ASSISTANT: JsonObject = {"id": "asst_1", "object": "assistant", "created_at": 1, "model": "gpt-4o", "tools": []}
THREAD: JsonObject = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
TOOL: JsonObject = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}

TOTAL = {"usd": 0.5, "turns": 1, "unpriced_turns": 0}
REPORT = {
    "object": "thread.run.report",
    "run_id": "r",
    "thread_id": "t",
    "turns": [{"number": 1, "cost": {"usd": 0.5, "note": None}}],
    "totals": dict.fromkeys(("run", "thread", "assistant", "tenant"), TOTAL),
}
DELETED = {"id": "x", "deleted": True}
PAGE: dict[str, Any] = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
#: operation -> what it answers, how it is asked, what reaches the backend
OPERATIONS: dict[str, tuple[Any, Callable[[Any], Any], tuple[Any, ...]]] = {
    "retrieve_assistant": (ASSISTANT, lambda tb: tb.assistants.retrieve("a"), ("a",)),
    "update_assistant": (ASSISTANT, lambda tb: tb.assistants.update("a", name="n"), ("a", {"name": "n"})),
    "delete_assistant": (DELETED, lambda tb: tb.assistants.delete("a"), ("a",)),
    "list_assistants": (PAGE, lambda tb: tb.assistants.list(limit=2, before="b"), (ListQuery(2, before="b"),)),
    "retrieve_thread": (THREAD, lambda tb: tb.threads.retrieve("t"), ("t",)),
    "update_thread": (THREAD, lambda tb: tb.threads.update("t", metadata={}), ("t", {"metadata": {}})),
    "delete_thread": (DELETED, lambda tb: tb.threads.delete("t"), ("t",)),
    "list_threads": (PAGE, lambda tb: tb.threads.list(order="asc"), (ListQuery(order="asc"),)),
    "create_message": (
        MESSAGE,
        lambda tb: tb.threads.messages.create("t", role="user", content="c", attachments=None),
        ("t", {"role": "user", "content": "c", "attachments": None}),
    ),
    "retrieve_message": (MESSAGE, lambda tb: tb.threads.messages.retrieve("m", thread_id="t"), ("t", "m")),
    "update_message": (
        MESSAGE,
        lambda tb: tb.threads.messages.update("m", thread_id="t", metadata=None),
        ("t", "m", {"metadata": None}),
    ),
    "delete_message": (DELETED, lambda tb: tb.threads.messages.delete("m", thread_id="t"), ("t", "m")),
    "list_messages": (
        PAGE,
        lambda tb: tb.threads.messages.list("t", run_id="r", after="m"),
        ("t", ListQuery(after="m", run_id="r")),
    ),
    "retrieve_run": (PolledRun(RUN), lambda tb: tb.threads.runs.retrieve("r", thread_id="t"), ("t", "r")),
    "update_run": (
        RUN,
        lambda tb: tb.threads.runs.update("r", thread_id="t", metadata={"k": "v"}),
        ("t", "r", {"metadata": {"k": "v"}}),
    ),
    "cancel_run": (RUN, lambda tb: tb.threads.runs.cancel("r", thread_id="t"), ("t", "r")),
    "list_runs": (PAGE, lambda tb: tb.threads.runs.list("t", limit=1), ("t", ListQuery(1))),
    "submit_tool_outputs": (
        RUN,
        lambda tb: tb.threads.runs.submit_tool_outputs("r", thread_id="t", tool_outputs=[]),
        ("t", "r", {"tool_outputs": []}),
    ),
    "create_thread_and_run": (
        RUN,
        lambda tb: tb.threads.create_and_run(assistant_id="a", thread=None),
        ({"assistant_id": "a", "thread": None},),
    ),
    "report_run": (REPORT, lambda tb: tb.threads.runs.report("r", thread_id="t"), ("t", "r")),
    "retrieve_step": (
        STEP,
        lambda tb: tb.threads.runs.steps.retrieve("s", thread_id="t", run_id="r"),
        ("t", "r", "s"),
    ),
    "list_steps": (PAGE, lambda tb: tb.threads.runs.steps.list("r", thread_id="t"), ("t", "r", ListQuery())),
}


async def test_what_is_not_given_stays_out_and_none_is_sent_as_null(face: MakeFace) -> None:
    backend = StubBackend(create_assistant=[ASSISTANT])

    await face(backend).call(
        lambda tb: tb.assistants.create(model="gpt-4o", name=None, temperature=NOT_GIVEN, metadata={"a": "b"})
    )

    assert backend.list_bodies("create_assistant") == [{"model": "gpt-4o", "name": None, "metadata": {"a": "b"}}]


async def test_the_sdks_own_sentinels_count_as_not_given(face: MakeFace) -> None:
    backend = StubBackend(create_run=[RUN])

    await face(backend).call(
        lambda tb: tb.threads.runs.create(
            "thread_1",
            assistant_id="asst_1",
            model=openai.NOT_GIVEN,
            tools=openai.omit,
            stream=openai.NOT_GIVEN,
            timeout=openai.not_given,
            include=openai.omit,
            metadata={"kept": "yes", "dropped": openai.NOT_GIVEN},
        )
    )

    assert backend.calls[0].keywords == {"include": ()}
    assert backend.list_bodies("create_run") == [{"assistant_id": "asst_1", "metadata": {"kept": "yes"}}]


async def test_models_tuples_and_generators_are_taken_for_json(face: MakeFace) -> None:
    backend = StubBackend(create_assistant=[ASSISTANT], create_thread=[THREAD])
    at = face(backend)

    await at.call(lambda tb: tb.assistants.create(model="gpt-4o", tools=(FunctionTool.model_validate(TOOL),)))
    await at.call(lambda tb: tb.threads.create(messages=({"role": "user", "content": n} for n in "ab")))

    assert backend.list_bodies("create_assistant") == [{"model": "gpt-4o", "tools": [TOOL]}]
    assert backend.list_bodies("create_thread") == [
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
    ]


async def test_an_extra_body_is_merged_over_the_body_and_headers_do_no_harm(face: MakeFace) -> None:
    backend = StubBackend(create_run=[RUN])

    await face(backend).call(
        lambda tb: tb.threads.runs.create(
            "thread_1",
            assistant_id="asst_1",
            extra_headers={"OpenAI-Beta": "assistants=v2"},
            extra_body={"assistant_id": "asst_2", "new_field": 1},
        )
    )

    assert backend.list_bodies("create_run") == [{"assistant_id": "asst_2", "new_field": 1}]


async def test_an_extra_query_is_refused_and_not_lost(face: MakeFace) -> None:
    at = face(StubBackend())

    with pytest.raises(Unsupported, match="'extra_query' has no meaning here"):
        await at.call(lambda tb: tb.assistants.retrieve("asst_1", extra_query={"api-version": "v1"}))


async def test_every_operation_reaches_its_own_method_with_its_ids(face: MakeFace) -> None:
    backend = StubBackend(script={operation: [answer] for operation, (answer, _, _) in OPERATIONS.items()})
    at = face(backend)

    for _, ask, _ in OPERATIONS.values():
        await at.call(ask)

    assert [(call.operation, call.arguments) for call in backend.calls] == [
        (operation, arguments) for operation, (_, _, arguments) in OPERATIONS.items()
    ]


async def test_include_reaches_runs_and_steps(face: MakeFace) -> None:
    page = {"object": "list", "data": [STEP], "first_id": "step_1", "last_id": "step_1", "has_more": False}
    backend = StubBackend(create_run=[RUN], retrieve_step=[STEP], list_steps=[page], stream_run=[text_stream("x")])
    at, what = face(backend), ["step_details.tool_calls[*].file_search.results[*].content"]

    await at.call(lambda tb: tb.threads.runs.create("t", assistant_id="a", include=what))
    await at.call(lambda tb: tb.threads.runs.create("t", assistant_id="a", include=what, stream=True))
    await at.call(lambda tb: tb.threads.runs.steps.retrieve("s", thread_id="t", run_id="r", include=what))
    await at.call(lambda tb: tb.threads.runs.steps.list("r", thread_id="t", include=what))

    assert [call.keywords for call in backend.calls] == [{"include": tuple(what)}] * 4


async def test_errors_of_the_backend_come_through_as_they_are(face: MakeFace) -> None:
    at = face(StubBackend(retrieve_thread=[NotFound("No thread found with id 'thread_x'.")]))

    with pytest.raises(NotFound, match=r"No thread found with id 'thread_x'\."):
        await at.call(lambda tb: tb.threads.retrieve("thread_x"))


class SlowBackend(StubBackend):
    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> Any:
        await asyncio.sleep(30)


@pytest.mark.parametrize("timeout", [0.01, SimpleNamespace(read=0.01)])
async def test_a_timeout_ends_the_waiting(face: MakeFace, timeout: Any) -> None:
    at = face(SlowBackend())

    with pytest.raises(UpstreamTimeout, match=r"No answer within 0\.01 seconds\."):
        await at.call(lambda tb: tb.threads.retrieve("thread_1", timeout=timeout))


async def test_a62_polling_stops_at_every_status_that_needs_the_caller(face: MakeFace) -> None:
    for status in ("requires_action", "cancelled", "completed", "failed", "expired", "incomplete"):
        looks = [PolledRun(run(was)) for was in ("queued", "in_progress", "cancelling", "paused", status)]
        at = face(StubBackend(retrieve_run=looks))

        rested: Run = await at.call(lambda tb: tb.threads.runs.poll("run_1", thread_id="thread_1"))

        assert rested.status == status
        assert at.clock.sleeps == [1.0] * 4


async def test_the_pause_is_the_callers_choice_then_the_services_advice(face: MakeFace) -> None:
    def looks() -> list[PolledRun]:
        return [PolledRun(run("queued"), 250), PolledRun(run("completed"), 250)]

    advised = face(StubBackend(create_run=[RUN], retrieve_run=looks()))
    chosen = face(StubBackend(create_run=[RUN], retrieve_run=looks()))

    await advised.call(lambda tb: tb.threads.runs.create_and_poll(thread_id="t", assistant_id="a"))
    await chosen.call(lambda tb: tb.threads.runs.create_and_poll(thread_id="t", assistant_id="a", poll_interval_ms=20))

    assert (advised.clock.sleeps, chosen.clock.sleeps) == ([0.25], [0.02])
    assert chosen.backend.list_bodies("create_run") == [{"assistant_id": "a"}]


async def test_the_other_polling_helpers_start_and_wait(face: MakeFace) -> None:
    backend = StubBackend(
        create_thread_and_run=[RUN],
        submit_tool_outputs=[RUN],
        retrieve_run=[PolledRun(run("requires_action")), PolledRun(run("completed"))],
    )
    at = face(backend)

    first = await at.call(lambda tb: tb.threads.create_and_run_poll(assistant_id="asst_1", instructions="Be brief."))
    second = await at.call(
        lambda tb: tb.threads.runs.submit_tool_outputs_and_poll(
            tool_outputs=[{"tool_call_id": "call_1", "output": "3"}], run_id=first.id, thread_id=first.thread_id
        )
    )

    assert (first.status, second.status) == ("requires_action", "completed")
    assert backend.list_bodies("create_thread_and_run") == [{"instructions": "Be brief.", "assistant_id": "asst_1"}]
    assert backend.list_bodies("submit_tool_outputs") == [{"tool_outputs": [{"tool_call_id": "call_1", "output": "3"}]}]
