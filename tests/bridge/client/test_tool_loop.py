from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.bridge.client.stub_backend import ClientVariant, StubBackend
from tests.bridge.client.wire_objects import call, call_stream, run, run_event, text_stream, waiting_run
from threadbridge.api_types import RunObject
from threadbridge.errors import (
    InvalidRequest,
    RunCancelled,
    RunExpired,
    RunFailed,
    RunIncomplete,
    UpstreamError,
)
from threadbridge.ports import PolledRun
from threadbridge.types import AssistantStreamEvent

MakeFace = Callable[[StubBackend], ClientVariant]


def add(a: int, b: int) -> int:
    return a + b


def make_recorder(names: list[str]) -> Callable[[AssistantStreamEvent], None]:
    """A listener that adds the name of every event to the list."""
    return lambda event: names.append(event.event)


def outputs(backend: StubBackend, operation: str = "submit_tool_outputs") -> list[list[str]]:
    """The outputs of each round."""
    return [[pair["output"] for pair in body["tool_outputs"]] for body in backend.list_bodies(operation)]


async def test_a_streamed_loop_answers_calls_and_gives_the_completed_run(face: MakeFace) -> None:
    backend = StubBackend(stream_run=[call_stream(['{"a": 1,', ' "b": 2}'])], stream_tool_outputs=[text_stream("3")])
    at, heard = face(backend), list[str]()

    finished = await at.call(
        lambda tb: tb.threads.runs.execute(
            "thread_1",
            "asst_1",
            tools={"add": add},
            on_event=make_recorder(heard),
            instructions="Add.",
        )
    )

    assert finished.status == "completed"
    assert backend.list_bodies("stream_run") == [{"instructions": "Add.", "assistant_id": "asst_1"}]
    assert outputs(backend, "stream_tool_outputs") == [["3"]]
    assert heard == [event.name for event in [*call_stream(["{", "}"]), *text_stream("3")]]
    assert backend.list_operations() == ["stream_run", "stream_tool_outputs"]
    assert backend.closed_streams == 2


async def test_a_run_without_functions_needs_no_tools(face: MakeFace) -> None:
    backend = StubBackend(streams=False, create_run=[run("queued")], retrieve_run=[PolledRun(run("completed"))])
    at = face(backend)

    finished = await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1"))

    assert finished.status == "completed"


async def test_without_streams_the_run_is_polled_round_after_round(face: MakeFace) -> None:
    backend = StubBackend(
        streams=False,
        create_run=[run("queued")],
        retrieve_run=[
            PolledRun(run("in_progress")),
            PolledRun(waiting_run(call("call_1", "add", '{"a":1,"b":2}'), call("call_2", "add", '{"a":3,"b":4}'))),
            PolledRun(waiting_run(call("call_3", "add", '{"a":3,"b":7}'))),
            PolledRun(run("completed")),
        ],
        submit_tool_outputs=[run("queued"), run("queued")],
    )
    at = face(backend)

    finished = await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"add": add}))

    assert finished.status == "completed"
    assert outputs(backend) == [["3", "7"], ["10"]]


BAD_CALLS = [
    call("call_1", "missing", "{}"),
    call("call_2", "add", '{"a": 1'),
    call("call_3", "add", "[1, 2]"),
    call("call_4", "add", '{"a": 1, "c": 2}'),
    call("call_5", "broken", "{}"),
    call("call_6", "lost", ""),
]


async def test_whatever_goes_wrong_with_a_call_becomes_an_output(face: MakeFace) -> None:
    def broken() -> None:
        raise ValueError("no water in the pipe")

    backend = StubBackend(
        streams=False,
        create_run=[waiting_run(*BAD_CALLS)],
        submit_tool_outputs=[run("completed")],
    )
    at = face(backend)

    await at.call(
        lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"add": add, "broken": broken, "lost": object})
    )

    [answers] = outputs(backend)
    errors = [orjson.loads(answer)["error"] for answer in answers]
    [body] = backend.list_bodies("submit_tool_outputs")
    assert [pair["tool_call_id"] for pair in body["tool_outputs"]] == [bad["id"] for bad in BAD_CALLS]
    assert errors[0] == "There is no function 'missing'. Known functions: add, broken, lost."
    assert errors[1].startswith("The arguments of 'add' are not valid JSON: ")
    assert errors[2] == "The arguments of 'add' must be a JSON object."
    assert errors[3] == "'add' does not take these arguments: missing a required argument: 'b'."
    assert errors[4] == "ValueError: no water in the pipe"
    assert errors[5].startswith("TypeError: the result cannot be written as JSON")


async def test_synchronous_functions_of_one_round_run_at_the_same_time(face: MakeFace) -> None:
    both = threading.Barrier(2, timeout=5)

    def meet() -> str:
        both.wait()  # breaks, and is answered with an error, unless the other call arrives too
        return "met"

    calls = [call("call_1", "meet", "{}"), call("call_2", "meet", "{}")]
    backend = StubBackend(streams=False, create_run=[waiting_run(*calls)], submit_tool_outputs=[run("completed")])
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"meet": meet}))

    assert outputs(backend) == [["met", "met"]]


async def test_asynchronous_functions_of_one_round_run_at_the_same_time(face: MakeFace) -> None:
    arrived = list[int]()

    async def meet(number: int) -> dict[str, int]:
        arrived.append(number)
        async with asyncio.timeout(5):
            while len(arrived) < 2:
                await asyncio.sleep(0.001)
        return {"number": number}

    calls = [call("call_1", "meet", '{"number":1}'), call("call_2", "meet", '{"number":2}')]
    backend = StubBackend(streams=False, create_run=[waiting_run(*calls)], submit_tool_outputs=[run("completed")])
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"meet": meet}))

    assert outputs(backend) == [['{"number":1}', '{"number":2}']]


async def test_no_more_calls_run_at_once_than_allowed(face: MakeFace) -> None:
    running, most = list[int](), list[int]()
    lock = threading.Lock()

    def work(number: int) -> str:
        with lock:
            running.append(number)
            most.append(len(running))
        threading.Event().wait(0.01)
        with lock:
            running.remove(number)
        return "ok"

    calls = [call(f"call_{n}", "work", f'{{"number":{n}}}') for n in range(6)]
    backend = StubBackend(streams=False, create_run=[waiting_run(*calls)], submit_tool_outputs=[run("completed")])
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"work": work}, parallel_calls=2))

    assert max(most) == 2
    assert outputs(backend) == [["ok"] * 6]


async def test_a_stream_that_breaks_is_followed_by_polling(face: MakeFace) -> None:
    broken = [*text_stream("Hi", " there")[:8], UpstreamError("connection lost")]
    backend = StubBackend(
        stream_run=[broken],
        retrieve_run=[
            PolledRun(run("in_progress")),
            PolledRun(waiting_run(call("call_1", "now", "{}"))),
            PolledRun(run("completed")),
        ],
        stream_tool_outputs=[[UpstreamError("connection lost")]],
    )
    at = face(backend)

    finished = await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"now": lambda: "noon"}))

    assert finished.status == "completed"
    assert backend.list_operations() == [
        "stream_run",
        "retrieve_run",
        "retrieve_run",
        "stream_tool_outputs",
        "retrieve_run",
    ]


async def test_a_run_that_could_not_be_started_raises_what_the_backend_said(face: MakeFace) -> None:
    backend = StubBackend(stream_run=[UpstreamError("no connection")])
    at = face(backend)

    with pytest.raises(UpstreamError, match="no connection"):
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}))


async def test_a_stream_that_breaks_before_it_names_its_run_raises(face: MakeFace) -> None:
    backend = StubBackend(stream_run=[[UpstreamError("connection lost")]])
    at = face(backend)

    with pytest.raises(UpstreamError, match="connection lost"):
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}))


@pytest.mark.parametrize(
    ("ended", "error", "message"),
    [
        (
            run("failed", last_error={"code": "rate_limit_exceeded", "message": "Slow down."}),
            RunFailed,
            "run run_1 is failed: rate_limit_exceeded: Slow down.",
        ),
        (run("expired"), RunExpired, "run run_1 is expired"),
        (run("cancelled"), RunCancelled, "run run_1 is cancelled"),
        (
            run("incomplete", incomplete_details={"reason": "max_completion_tokens"}),
            RunIncomplete,
            "run run_1 is incomplete: max_completion_tokens",
        ),
    ],
)
async def test_every_other_end_is_an_error_that_names_the_run(
    face: MakeFace, ended: RunObject, error: type[Exception], message: str
) -> None:
    backend = StubBackend(stream_run=[[run_event(ended)]])
    at = face(backend)

    with pytest.raises(error) as caught:
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}))

    assert str(caught.value) == message
    assert getattr(caught.value, "run") == ended  # noqa: B009  # the type is a parameter
    assert backend.list_operations() == ["stream_run"]


async def test_a_run_that_calls_without_end_is_cancelled(face: MakeFace) -> None:
    again = waiting_run(call("call_1", "now", "{}"))
    backend = StubBackend(
        streams=False,
        create_run=[again],
        submit_tool_outputs=[again, again],
        cancel_run=[run("cancelling")],
    )
    at = face(backend)

    with pytest.raises(RunCancelled, match=r"run run_1 was cancelled: .* more than 2 times"):
        await at.call(
            lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"now": lambda: "noon"}, max_rounds=2)
        )

    assert backend.list_operations() == ["create_run", "submit_tool_outputs", "submit_tool_outputs", "cancel_run"]


async def test_a_listener_that_raises_does_not_leave_the_thread_locked(face: MakeFace) -> None:
    backend = StubBackend(stream_run=[text_stream("Hi")], cancel_run=[run("cancelling")])
    at = face(backend)

    def stumble(event: Any) -> None:
        raise LookupError(event.event)

    with pytest.raises(LookupError, match=r"thread\.run\.created"):
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}, on_event=stumble))

    assert backend.list_operations() == ["stream_run", "cancel_run"]
    assert backend.closed_streams == 1


async def test_a_listener_may_be_asynchronous(face: MakeFace) -> None:
    backend = StubBackend(stream_run=[text_stream("Hi")])
    at, heard = face(backend), list[str]()

    async def listen(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(event.event)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}, on_event=listen))

    assert heard == [event.name for event in text_stream("Hi")]


async def test_outputs_that_come_after_the_expiry_raise_the_expiry(face: MakeFace) -> None:
    backend = StubBackend(
        streams=False,
        create_run=[waiting_run(call("call_1", "now", "{}"))],
        submit_tool_outputs=[InvalidRequest('Runs in status "expired" do not accept tool outputs.')],
        retrieve_run=[PolledRun(run("expired"))],
    )
    at = face(backend)

    with pytest.raises(RunExpired):
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"now": lambda: "noon"}))


async def test_outputs_that_are_refused_raise_the_refusal_and_give_the_run_up(face: MakeFace) -> None:
    stuck = waiting_run(call("call_1", "now", "{}"))
    backend = StubBackend(
        streams=False,
        create_run=[stuck],
        submit_tool_outputs=[InvalidRequest("Expected tool outputs for call_ids ['call_1'], got []")],
        retrieve_run=[PolledRun(stuck)],
        cancel_run=[run("cancelling")],
    )
    at = face(backend)

    with pytest.raises(InvalidRequest, match="Expected tool outputs"):
        await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"now": lambda: "noon"}))

    assert backend.list_operations()[-1] == "cancel_run"


async def test_polling_starts_quickly_and_then_looks_at_most_once_a_second(face: MakeFace) -> None:
    looks = [PolledRun(run("in_progress")) for _ in range(12)]
    backend = StubBackend(streams=False, create_run=[run("queued")], retrieve_run=[*looks, PolledRun(run("completed"))])
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}))

    slept = at.clock.sleeps
    assert all(pause < 1.01 for pause in slept[:3])
    assert all(1.0 <= pause <= 12.5 for pause in slept[3:])
    assert slept[-1] >= 10.0


async def test_the_quick_looks_are_those_of_the_whole_run_however_many_rounds_it_has(face: MakeFace) -> None:
    looks = [PolledRun(waiting_run(call(f"call_{n}", "now", "{}")), 50) for n in range(6)]
    backend = StubBackend(
        streams=False,
        create_run=[run("queued")],
        retrieve_run=[*looks, PolledRun(run("completed"))],
        submit_tool_outputs=[run("queued")] * 6,
    )
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"now": lambda: "noon"}))

    assert len(at.clock.sleeps) == 7
    assert all(1.0 <= pause <= 1.25 for pause in at.clock.sleeps[3:])


async def test_polling_follows_the_advice_of_the_service(face: MakeFace) -> None:
    looks = [PolledRun(run("in_progress"), 5000), PolledRun(run("in_progress"), 5000), PolledRun(run("completed"))]
    backend = StubBackend(streams=False, create_run=[run("queued")], retrieve_run=looks)
    at = face(backend)

    await at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={}))

    assert all(5.0 <= pause <= 6.25 for pause in at.clock.sleeps[1:])


async def test_a_caller_who_is_cancelled_takes_the_run_along() -> None:
    from tests.bridge.client.stub_backend import make_async_variant

    begun = asyncio.Event()

    async def endless() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    backend = StubBackend(
        streams=False, create_run=[waiting_run(call("call_1", "endless", "{}"))], cancel_run=[run("cancelling")]
    )
    at = make_async_variant(backend)
    execution = asyncio.create_task(
        at.call(lambda tb: tb.threads.runs.execute("thread_1", "asst_1", tools={"endless": endless}))
    )
    await begun.wait()

    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution

    assert backend.list_operations() == ["create_run", "cancel_run"]
