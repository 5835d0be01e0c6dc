"""Replays recorded requests for files and vector stores against the simulator and compares the shapes of responses."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import orjson
import pytest

from tests.conformance.recorded_sessions.comparison import Mismatch, compare
from tests.conformance.recorded_sessions.id_map import IdMap
from tests.conformance.recorded_sessions.recordings import SHARED, RecordedExchange, lacks_request, read_recordings
from tests.conformance.recorded_sessions.sessions import ID, find_obstacle
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject, is_json_object
from threadbridge.ports import PassthroughRequest
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator

_SURFACES = ("/v1/files", "/v1/vector_stores")
#: Fields that the service added after some recordings were made.
_ADDED_LATER = frozenset({"expires_at", "description"})
#: Only these differences are compared: values depend on other objects of the account and on the bytes of files.
_SHAPES = frozenset({"missing", "extra"})
_BOUNDARY = "recorded"


class ReplayedExchange(NamedTuple):
    """A recorded exchange and the replayed response, with the recorded ids."""

    exchange: RecordedExchange
    status: int
    body: JsonObject


def list_recorded_exchanges() -> list[RecordedExchange]:
    """The replayable exchanges with JSON responses."""
    usable = (
        exchange
        for exchange in read_recordings(SHARED)
        if not lacks_request(exchange) and find_obstacle(exchange) is None and is_replayable(exchange)
    )
    return [
        exchange
        for exchange in usable
        if (exchange.path or "").startswith(_SURFACES) and is_json_object(exchange.response_json)
    ]


def is_replayable(exchange: RecordedExchange) -> bool:
    """Whether it is no error, except an unknown id: rejected forms were not recorded."""
    return exchange.status == 200 or (exchange.status == 404 and exchange.method == "GET")


def make_upload_form(answer: JsonObject) -> bytes:
    """A form that uploads such a file: its bytes were not recorded."""
    fields = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{answer["purpose"]}\r\n'
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{answer["filename"]}"\r\n\r\n'
    return f"{fields}{head}{'x' * answer['bytes']}\r\n--{_BOUNDARY}--\r\n".encode()


async def iterate_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Replay:
    """Replays all recordings against one service."""

    def __init__(self) -> None:
        self._service = SimulatedUpstream(Simulator(clock=ManualClock()))
        self._ids = IdMap()

    def can_replay(self, exchange: RecordedExchange) -> bool:
        """Whether all objects that the request names exist, or the response is a 404."""
        text = orjson.dumps(exchange.request_json).decode() if exchange.request_json is not None else ""
        return exchange.status == 404 or all(map(self._ids.knows, ID.findall(f"{exchange.path} {text}")))

    async def make(self, exchange: RecordedExchange) -> ReplayedExchange:
        answer, path = exchange.response_json, (exchange.path or "").removeprefix("/v1").partition("?")[0]
        uploads = exchange.method == "POST" and path == "/files"
        content = (
            self._ids.to_ours(orjson.dumps(exchange.request_json).decode()).encode() if exchange.request_json else b""
        )
        request = PassthroughRequest(
            exchange.method or "GET",
            self._ids.to_ours(path),
            query=(),
            headers={"content-type": f"multipart/form-data; boundary={_BOUNDARY}" if uploads else "application/json"},
            body=iterate_once(make_upload_form(answer) if uploads else content),
        )
        response = await self._service.handle_passthrough(CONTEXT, request)
        assert isinstance(response.body, bytes)
        body: JsonObject = orjson.loads(response.body)
        self._ids.learn(answer, body)
        return ReplayedExchange(exchange, response.status, self._ids.to_recorded(body))


async def replay_exchanges(exchanges: list[RecordedExchange]) -> list[ReplayedExchange]:
    """Replay what can be replayed: objects are created before they are used, and deleted last."""
    replay, results = Replay(), list[ReplayedExchange]()
    waiting = deque(sorted(exchanges, key=lambda exchange: exchange.method == "DELETE"))
    refused = 0
    while waiting and refused < len(waiting):
        exchange = waiting.popleft()
        if replay.can_replay(exchange):
            results.append(await replay.make(exchange))
            refused = 0
        else:
            waiting.append(exchange)
            refused += 1
    return results


def find_shape_mismatches(each: ReplayedExchange) -> Iterator[Mismatch]:
    """The differences in shape from the recorded response."""
    for mismatch in compare(each.exchange.response_json, each.body):
        later = mismatch.kind == "extra" and mismatch.path[-1] in _ADDED_LATER
        if mismatch.kind in _SHAPES and not later and "metadata" not in mismatch.path:
            yield mismatch


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of the real service are not here")
async def test_recorded_requests_about_files_and_vector_stores_get_responses_of_the_recorded_shape() -> None:
    results = await replay_exchanges(list_recorded_exchanges())

    assert len(results) > 150
    assert [(each.exchange.file, each.status) for each in results if each.status != each.exchange.status] == []
    assert [(each.exchange.file, str(found)) for each in results for found in find_shape_mismatches(each)] == []
