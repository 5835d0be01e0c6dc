"""The session replay finds every falsified response in sessions recorded from the product."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
import pytest

from tests.conformance.recorded_sessions.recordings import RecordedExchange
from tests.conformance.recorded_sessions.session_replay import JudgedExchange, Verdict, replay_session
from tests.conformance.recorded_sessions.sessions import group_sessions
from tests.emulated_service import BETA, WEATHER, EmulatedService, get_required_calls, open_service, run_path
from threadbridge.sse import SSEDecoder
from threadbridge_adapters.simulator import Scenario


@dataclass
class Exchange:
    """`RecordedExchange` for tests."""

    file: str
    index: int
    method: str | None
    path: str | None
    query: str = ""
    request_headers: Mapping[str, str] = field(default_factory=lambda: {**BETA, "content-type": "application/json"})
    request_json: Any = None
    request_body: str | bytes | None = None
    status: int | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    response_json: Any = None
    response_body: str | bytes | None = None
    sse: Sequence[tuple[str | None, Any]] | None = None


class Recorder:
    """Sends requests and records the exchanges as a loader would read them from one file."""

    def __init__(self, service: EmulatedService) -> None:
        self._service = service
        self.exchanges: list[Exchange] = []

    async def ask(self, method: str, path: str, **body: object) -> Any:
        path, _, query = path.partition("?")
        pairs = dict(pair.split("=") for pair in query.split("&") if pair)
        response = await self._service.send(method, path, orjson.dumps(body) if body else b"", query=pairs)
        exchange = Exchange("session", len(self.exchanges), method, f"/v1{path}", query, request_json=body or None)
        exchange.status, exchange.response_headers = response.status, response.headers
        if isinstance(response.body, bytes):
            exchange.response_body = response.body.decode()
            exchange.response_json = orjson.loads(response.body)
        else:
            exchange.sse = await _collect_events(response.body)
        self.exchanges.append(exchange)
        return exchange.response_json

    async def stream(self, path: str, *, at: str, action: Callable[[Any], Awaitable[object]], **body: object) -> None:
        """Record a stream and perform an action at the first event of that name."""
        response = await self._service.send("POST", path, orjson.dumps({**body, "stream": True}))
        assert not isinstance(response.body, bytes)
        events: list[tuple[str | None, Any]] = []
        async for name, data in _iterate_events(response.body):
            events.append((name, data))
            if name == at and [each for each, _ in events].count(at) == 1:
                await action(next(data for name, data in events if name == "thread.run.created"))
        exchange = Exchange("session", len(self.exchanges), "POST", f"/v1{path}", request_json={**body, "stream": True})
        exchange.status, exchange.response_headers, exchange.sse = response.status, response.headers, events
        self.exchanges.append(exchange)


async def _iterate_events(frames: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Any]]:
    async for frame in frames:
        for name, data, _ in SSEDecoder().receive_data(frame):
            yield name, "[DONE]" if name == "done" else orjson.loads(data)


async def _collect_events(frames: AsyncIterator[bytes]) -> list[tuple[str | None, Any]]:
    return [(name, data) async for name, data in _iterate_events(frames)]


@pytest.fixture
async def conversation(service: EmulatedService) -> list[Exchange]:
    """A polled and a streamed tool loop, with lists, retrievals and rejected requests."""
    recorder = Recorder(service)
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o", tools=[WEATHER], name="Weather")
    text = 'CALL get_weather {"day": "today"}'
    thread = await recorder.ask("POST", "/threads", messages=[{"role": "user", "content": text}])
    run = await recorder.ask("POST", f"/threads/{thread['id']}/runs", assistant_id=assistant["id"])
    path = f"/threads/{thread['id']}/runs/{run['id']}"
    waiting = await service.wait_until_rest(run)
    await recorder.ask("GET", path)
    calls = [call["id"] for call in get_required_calls(waiting)]
    outputs = [{"tool_call_id": call, "output": "sunny"} for call in calls]
    await recorder.ask("POST", f"{path}/submit_tool_outputs", tool_outputs=outputs)
    await service.wait_until_rest(run)
    await recorder.ask("GET", path)
    await recorder.ask("GET", f"{path}/steps?order=asc")
    await recorder.ask("GET", f"/threads/{thread['id']}/messages")
    await recorder.ask("POST", f"{path}/cancel")
    streamed = {"messages": [{"role": "user", "content": "Hello there"}]}
    await recorder.ask("POST", "/threads/runs", assistant_id=assistant["id"], thread=streamed, stream=True)
    await recorder.ask("GET", "/threads/thread_0123456789abcdef01234567")
    return recorder.exchanges


async def replay_exchanges(exchanges: Sequence[Exchange]) -> list[JudgedExchange]:
    recorded: list[RecordedExchange] = [*exchanges]
    return [each for session in group_sessions(recorded) for each in await replay_session(session)]


async def test_replayed_responses_of_the_product_are_equal(conversation: list[Exchange]) -> None:
    verdicts = [each.verdict for each in await replay_exchanges(conversation)]

    assert verdicts == [Verdict.EQUAL] * len(conversation)


Falsify = Callable[[Exchange], None]


def body(change: Callable[[Any], object]) -> Falsify:
    return lambda exchange: _discard(change(exchange.response_json))


def _discard(_: object) -> None: ...


def _reorder(value: Any) -> None:
    value["created_at"] = value.pop("created_at")


def _without_event(name: str) -> Falsify:
    def drop(exchange: Exchange) -> None:
        exchange.sse = [event for event in exchange.sse or () if event[0] != name]

    return drop


def _with_header(exchange: Exchange) -> None:
    exchange.response_headers = {**exchange.response_headers, "openai-version": "2030-01-01"}


def _compact(exchange: Exchange) -> None:
    exchange.response_body = orjson.dumps(exchange.response_json).decode()


def _other_status(exchange: Exchange) -> None:
    exchange.status = 403


#: What is changed in the recording of which exchange; the product then differs from it.
FALSIFIED: Mapping[str, tuple[int, Falsify]] = {
    "a key too many": (0, body(lambda assistant: assistant.pop("description"))),
    "a key missing": (0, body(lambda assistant: assistant.update(colour="red"))),
    "other order of keys": (0, body(_reorder)),
    "another constant": (1, body(lambda thread: thread.update(object="threads"))),
    "null and not null": (3, body(lambda run: run.update(started_at=None))),
    "another type": (3, body(lambda run: run.update(temperature=1))),
    "another deadline": (3, body(lambda run: run.update(expires_at=run["created_at"] + 900))),
    "a value echoed otherwise": (2, body(lambda run: run.update(tool_choice="required"))),
    "another id in a step": (6, body(lambda page: page["data"][0].update(run_id=page["data"][0]["id"]))),
    "a step too few": (6, body(lambda page: page["data"].pop())),
    "another page flag": (7, body(lambda page: page.update(has_more=True))),
    "another error text": (8, body(lambda events: events["error"].update(message="No."))),
    "another code": (8, body(lambda events: events["error"].update(code="busy"))),
    "another status": (8, _other_status),
    "an event that never came": (9, _without_event("thread.run.queued")),
    "a delta that never came": (9, _without_event("thread.run.step.in_progress")),
    "another header": (0, _with_header),
    "another layout": (0, _compact),
}


@pytest.mark.parametrize("falsified", FALSIFIED)
async def test_a_falsified_response_is_a_failure_and_the_others_stay_equal(
    falsified: str, conversation: list[Exchange]
) -> None:
    at, falsify = FALSIFIED[falsified]
    changed = deepcopy(conversation[at])
    falsify(changed)

    verdicts = [each.verdict for each in await replay_exchanges([*conversation[:at], changed, *conversation[at + 1 :]])]

    assert verdicts[at] is Verdict.FAILED
    assert verdicts[:at] == [Verdict.EQUAL] * at


async def test_an_unreadable_session_is_a_failure_and_does_not_affect_others(
    conversation: list[Exchange],
) -> None:
    strange = replace(conversation[0], file="strange", response_json={"object": "thread.run"})

    verdicts = [each.verdict for each in await replay_exchanges([*conversation, strange])]

    assert verdicts == [*[Verdict.EQUAL] * len(conversation), Verdict.FAILED]


async def test_requests_of_api_version_1_are_not_replayed(conversation: list[Exchange]) -> None:
    old = replace(conversation[0], request_headers={"openai-beta": "assistants=v1"})

    (only,) = await replay_exchanges([old])

    assert (only.verdict, only.reason) == (Verdict.NOT_REPLAYABLE, "a request of version 1 of the API")


async def test_events_after_the_client_disconnected_are_not_compared(conversation: list[Exchange]) -> None:
    left = replace(conversation[9], sse=[*(conversation[9].sse or ())][:8])

    verdicts = [each.verdict for each in await replay_exchanges([*conversation[:9], left])]

    assert verdicts == [Verdict.EQUAL] * 10


async def test_objects_older_than_the_recording_are_created_first(conversation: list[Exchange]) -> None:
    verdicts = [each.verdict for each in await replay_exchanges(conversation[2:4])]

    assert verdicts == [Verdict.EQUAL] * 2


async def test_recordings_with_common_object_ids_are_one_session(conversation: list[Exchange]) -> None:
    setup = [replace(each, file="setup") for each in conversation[:2]]
    recorded: list[RecordedExchange] = [*conversation[2:], *setup]

    (session,) = group_sessions(recorded)

    assert [seen.path for seen in session.exchanges[:2]] == ["/v1/assistants", "/v1/threads"]


HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def cancelled_stream(service: EmulatedService) -> list[Exchange]:
    """A stream whose run is cancelled after the first delta; it is recorded at its end, after the cancel request."""
    recorder = Recorder(service)
    service.simulator.enqueue(Scenario.from_text("one two three four").with_delta_delay(0.02))
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o")
    cancel = partial(_cancel, recorder)
    await recorder.stream(
        "/threads/runs", at="thread.message.delta", action=cancel, assistant_id=assistant["id"], thread=HELLO
    )
    run = recorder.exchanges[-2].response_json
    await recorder.ask("GET", run_path(run))
    await recorder.ask("GET", f"/threads/{run['thread_id']}/messages")
    return recorder.exchanges


async def _cancel(recorder: Recorder, run: Any) -> None:
    await recorder.ask("POST", f"{run_path(run)}/cancel")


async def test_a_run_cancelled_during_its_stream_is_cancelled_at_the_same_event(
    cancelled_stream: list[Exchange],
) -> None:
    verdicts = [each.verdict for each in await replay_exchanges(cancelled_stream)]

    assert verdicts == [Verdict.EQUAL] * 5


async def test_the_cancel_request_may_be_recorded_after_the_stream(cancelled_stream: list[Exchange]) -> None:
    assistant, cancel, stream, *rest = cancelled_stream

    verdicts = [each.verdict for each in await replay_exchanges([assistant, stream, cancel, *rest])]

    assert verdicts == [Verdict.EQUAL] * 5


@pytest.mark.parametrize("dropped", ["thread.run.cancelling", "thread.message.incomplete", "thread.run.step.cancelled"])
async def test_a_cancelled_stream_is_compared_up_to_its_end(cancelled_stream: list[Exchange], dropped: str) -> None:
    falsified = deepcopy(cancelled_stream)
    _without_event(dropped)(falsified[2])

    stream = (await replay_exchanges(falsified))[1]

    assert stream.verdict is Verdict.FAILED


async def test_a_disconnect_followed_by_a_cancel_request_is_replayed(cancelled_stream: list[Exchange]) -> None:
    assistant, cancel, stream, *rest = cancelled_stream
    events = [*(stream.sse or ())]
    left = replace(stream, sse=events[: [name for name, _ in events].index("thread.run.cancelling")])

    verdicts = [each.verdict for each in await replay_exchanges([assistant, left, cancel, *rest])]

    assert verdicts == [Verdict.EQUAL] * 5


async def test_a_run_expired_during_its_stream_expires_at_the_same_event(service: EmulatedService) -> None:
    recorder = Recorder(service)
    service.simulator.enqueue(Scenario.from_text("one two three four").with_delta_delay(0.02))
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o")

    async def wait(_: Any) -> None:
        service.clock.advance(600)

    await recorder.stream(
        "/threads/runs", at="thread.message.delta", action=wait, assistant_id=assistant["id"], thread=HELLO
    )
    verdicts = [each.verdict for each in await replay_exchanges(recorder.exchanges)]

    assert [name for name, _ in recorder.exchanges[1].sse or ()][-2] == "thread.run.expired"
    assert verdicts == [Verdict.EQUAL] * 2


async def test_an_incomplete_message_is_incomplete_in_later_responses(service: EmulatedService) -> None:
    recorder = Recorder(service)
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o")
    thread = await recorder.ask(
        "POST", "/threads", messages=[{"role": "user", "content": "INCOMPLETE max_output_tokens"}]
    )
    await recorder.ask("POST", f"/threads/{thread['id']}/runs", assistant_id=assistant["id"], stream=True)
    await recorder.ask("GET", f"/threads/{thread['id']}/messages")

    verdicts = [each.verdict for each in await replay_exchanges(recorder.exchanges)]

    assert verdicts == [Verdict.EQUAL] * 4


async def test_a_run_cancelled_while_queued_is_never_started() -> None:
    async with open_service(limits={"concurrent_turns": 1}) as service:
        service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
        busy = await service.start_run("Hi")
        await service.wait_for_status(busy, "in_progress")
        recorder = Recorder(service)
        assistant = await recorder.ask("POST", "/assistants", model="gpt-4o")
        run = await recorder.ask("POST", "/threads/runs", assistant_id=assistant["id"], thread=HELLO)
        await recorder.ask("POST", f"{run_path(run)}/cancel")
        await recorder.ask("GET", run_path(run))
        await service.post(f"{run_path(busy)}/cancel")

    verdicts = [each.verdict for each in await replay_exchanges(recorder.exchanges)]

    assert recorder.exchanges[-1].response_json["started_at"] is None
    assert verdicts == [Verdict.EQUAL] * 4


def _still_cancelling(exchange: Exchange) -> None:
    run = exchange.response_json
    run.update(status="cancelling", cancelled_at=None, usage=None, expires_at=run["created_at"] + 600)


def _other_usage(exchange: Exchange) -> None:
    exchange.response_json["usage"] = None


NUMBERED: Mapping[str, tuple[int, Falsify]] = {"still cancelling": (4, _still_cancelling), "usage": (57, _other_usage)}


@pytest.mark.parametrize("seen", NUMBERED)
async def test_usage_and_messages_of_a_cancelled_run_may_differ_with_a_number(
    seen: str, cancelled_stream: list[Exchange]
) -> None:
    number, change = NUMBERED[seen]
    changed = deepcopy(cancelled_stream)
    change(changed[3])

    look = (await replay_exchanges(changed))[3]

    assert (look.verdict, look.numbers) == (Verdict.NUMBERED, frozenset({number}))


async def test_a_partial_message_of_a_polled_run_is_a_numbered_difference_and_a_whole_step_is_not(
    service: EmulatedService,
) -> None:
    recorder = Recorder(service)
    service.simulator.enqueue(Scenario.from_text("one two").with_start_delay(60))
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o", tools=[WEATHER])
    polled = await recorder.ask("POST", "/threads/runs", assistant_id=assistant["id"], thread=HELLO)
    asking = {"messages": [{"role": "user", "content": "CALL get_weather {}"}]}
    waiting = await recorder.ask("POST", "/threads/runs", assistant_id=assistant["id"], thread=asking)
    await service.wait_until_rest(waiting)
    for run in (polled, waiting):
        await recorder.ask("POST", f"{run_path(run)}/cancel")
        await service.wait_until_rest(run)
        await recorder.ask("GET", run_path(run))
    await recorder.ask("GET", f"/threads/{polled['thread_id']}/messages")
    await recorder.ask("GET", f"{run_path(waiting)}/steps")
    messages, steps = recorder.exchanges[-2:]
    _show_half_a_message(messages, polled)
    _show_twice(steps)

    verdicts = [(each.verdict, each.numbers) for each in (await replay_exchanges(recorder.exchanges))[-2:]]

    assert verdicts == [(Verdict.NUMBERED, frozenset({89})), (Verdict.FAILED, frozenset())]


def _show_half_a_message(exchange: Exchange, run: Any) -> None:
    page = exchange.response_json
    events = {"id": "msg_0123456789abcdef01234567", "run_id": run["id"], "role": "assistant"}
    page["data"].insert(0, {**page["data"][0], **events, "assistant_id": run["assistant_id"]})


def _show_twice(exchange: Exchange) -> None:
    page = exchange.response_json
    page["data"].insert(0, {**page["data"][0], "id": "step_0123456789abcdef01234567"})
