"""The judge is judged: what it must find, in sessions recorded from the product itself and then falsified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from tests.conformance.golden.judge import Judged, Verdict, replay
from tests.conformance.golden.recordings import Recorded
from tests.conformance.golden.sessions import sessions_of
from tests.differences.service import BETA, WEATHER, Service
from threadbridge.wire.sse import SSEDecoder


@dataclass
class Exchange:
    """`Recorded`, made here."""

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
    """Makes requests and keeps what came back, as a loader would read it from one file."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.exchanges: list[Exchange] = []

    async def ask(self, method: str, path: str, **body: object) -> Any:
        path, _, query = path.partition("?")
        pairs = dict(pair.split("=") for pair in query.split("&") if pair)
        response = await self._service.send(method, path, orjson.dumps(body) if body else b"", query=pairs)
        made = Exchange("session", len(self.exchanges), method, f"/v1{path}", query, request_json=body or None)
        made.status, made.response_headers = response.status, response.headers
        if isinstance(response.body, bytes):
            made.response_body = response.body.decode()
            made.response_json = orjson.loads(response.body)
        else:
            made.sse = await _events(response.body)
        self.exchanges.append(made)
        return made.response_json


async def _events(frames: AsyncIterator[bytes]) -> list[tuple[str | None, Any]]:
    found = [each async for frame in frames for each in _FRAMES().feed(frame)]
    return [(name, "[DONE]" if name == "done" else orjson.loads(data)) for name, data, _ in found]


_FRAMES = SSEDecoder


@pytest.fixture
async def conversation(service: Service) -> list[Exchange]:
    """A tool loop that is polled, another that is streamed, and what can be read and refused afterwards."""
    recorder = Recorder(service)
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o", tools=[WEATHER], name="Weather")
    text = 'CALL get_weather {"day": "today"}'
    thread = await recorder.ask("POST", "/threads", messages=[{"role": "user", "content": text}])
    run = await recorder.ask("POST", f"/threads/{thread['id']}/runs", assistant_id=assistant["id"])
    path = f"/threads/{thread['id']}/runs/{run['id']}"
    waiting = await service.rested(run)
    await recorder.ask("GET", path)
    calls = [call["id"] for call in waiting["required_action"]["submit_tool_outputs"]["tool_calls"]]
    outputs = [{"tool_call_id": call, "output": "sunny"} for call in calls]
    await recorder.ask("POST", f"{path}/submit_tool_outputs", tool_outputs=outputs)
    await service.rested(run)
    await recorder.ask("GET", path)
    await recorder.ask("GET", f"{path}/steps?order=asc")
    await recorder.ask("GET", f"/threads/{thread['id']}/messages")
    await recorder.ask("POST", f"{path}/cancel")
    streamed = {"messages": [{"role": "user", "content": "Hello there"}]}
    await recorder.ask("POST", "/threads/runs", assistant_id=assistant["id"], thread=streamed, stream=True)
    await recorder.ask("GET", "/threads/thread_0123456789abcdef01234567")
    return recorder.exchanges


async def judged(exchanges: Sequence[Exchange]) -> list[Judged]:
    recorded: list[Recorded] = [*exchanges]
    return [each for session in sessions_of(recorded) for each in await replay(session)]


async def test_what_the_product_said_once_it_says_again(conversation: list[Exchange]) -> None:
    verdicts = [each.verdict for each in await judged(conversation)]

    assert verdicts == [Verdict.EQUAL] * len(conversation)


Falsify = Callable[[Exchange], None]


def body(change: Callable[[Any], object]) -> Falsify:
    return lambda exchange: _discard(change(exchange.response_json))


def _discard(_: object) -> None: ...


def _reordered(value: Any) -> None:
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
    "other order of keys": (0, body(_reordered)),
    "another constant": (1, body(lambda thread: thread.update(object="threads"))),
    "null and not null": (3, body(lambda run: run.update(started_at=None))),
    "another type": (3, body(lambda run: run.update(temperature=1))),
    "another deadline": (3, body(lambda run: run.update(expires_at=run["created_at"] + 900))),
    "a value echoed otherwise": (2, body(lambda run: run.update(tool_choice="required"))),
    "another id in a step": (6, body(lambda page: page["data"][0].update(run_id=page["data"][0]["id"]))),
    "a step too few": (6, body(lambda page: page["data"].pop())),
    "another page flag": (7, body(lambda page: page.update(has_more=True))),
    "another error text": (8, body(lambda told: told["error"].update(message="No."))),
    "another code": (8, body(lambda told: told["error"].update(code="busy"))),
    "another status": (8, _other_status),
    "an event that never came": (9, _without_event("thread.run.queued")),
    "a delta that never came": (9, _without_event("thread.run.step.in_progress")),
    "another header": (0, _with_header),
    "another layout": (0, _compact),
}


@pytest.mark.parametrize("falsified", FALSIFIED)
async def test_a_falsified_answer_is_a_failure_and_the_others_stay_equal(
    falsified: str, conversation: list[Exchange]
) -> None:
    at, falsify = FALSIFIED[falsified]
    changed = deepcopy(conversation[at])
    falsify(changed)

    verdicts = [each.verdict for each in await judged([*conversation[:at], changed, *conversation[at + 1 :]])]

    assert verdicts[at] is Verdict.FAILED
    assert verdicts[:at] == [Verdict.EQUAL] * at


async def test_requests_of_the_first_version_are_not_replayed(conversation: list[Exchange]) -> None:
    old = replace(conversation[0], request_headers={"openai-beta": "assistants=v1"})

    (only,) = await judged([old])

    assert (only.verdict, only.reason) == (Verdict.NOT_REPLAYABLE, "a request of version 1 of the API")


async def test_of_a_stream_whose_client_left_the_rest_is_not_compared(conversation: list[Exchange]) -> None:
    left = replace(conversation[9], sse=[*(conversation[9].sse or ())][:8])

    verdicts = [each.verdict for each in await judged([*conversation[:9], left])]

    assert verdicts == [Verdict.EQUAL] * 10


async def test_a_bare_answer_is_not_replayed(conversation: list[Exchange]) -> None:
    (only,) = await judged([replace(conversation[0], method=None, status=None)])

    assert (only.verdict, only.reason) == (
        Verdict.NOT_REPLAYABLE,
        "only the answer was recorded, not the request",
    )


async def test_what_was_there_before_the_recording_began_is_made_first(conversation: list[Exchange]) -> None:
    verdicts = [each.verdict for each in await judged(conversation[2:4])]

    assert verdicts == [Verdict.EQUAL] * 2


async def test_files_that_speak_of_the_same_objects_are_one_session(conversation: list[Exchange]) -> None:
    setup = [replace(each, file="setup") for each in conversation[:2]]
    recorded: list[Recorded] = [*conversation[2:], *setup]

    (session,) = sessions_of(recorded)

    assert [seen.path for seen in session.exchanges[:2]] == ["/v1/assistants", "/v1/threads"]
