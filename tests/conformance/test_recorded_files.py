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


class Replayed(NamedTuple):
    """A recorded exchange and the replayed response, with the recorded ids."""

    seen: RecordedExchange
    status: int
    body: JsonObject


def recorded() -> list[RecordedExchange]:
    """The exchanges whose answers are JSON."""
    usable = (
        seen
        for seen in read_recordings(SHARED)
        if not lacks_request(seen) and find_obstacle(seen) is None and answered(seen)
    )
    return [seen for seen in usable if (seen.path or "").startswith(_SURFACES) and is_json_object(seen.response_json)]


def answered(seen: RecordedExchange) -> bool:
    """Whether it is no error, except an unknown id: rejected forms were not recorded."""
    return seen.status == 200 or (seen.status == 404 and seen.method == "GET")


def form(answer: JsonObject) -> bytes:
    """A form that uploads such a file: its bytes were not recorded."""
    fields = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{answer["purpose"]}\r\n'
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{answer["filename"]}"\r\n\r\n'
    return f"{fields}{head}{'x' * answer['bytes']}\r\n--{_BOUNDARY}--\r\n".encode()


async def whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Replay:
    """Replays all recordings against one service."""

    def __init__(self) -> None:
        self._service = SimulatedUpstream(Simulator(clock=ManualClock()))
        self._ids = IdMap()

    def can_make(self, seen: RecordedExchange) -> bool:
        """Whether all objects that the request names exist, or the response is a 404."""
        text = orjson.dumps(seen.request_json).decode() if seen.request_json is not None else ""
        return seen.status == 404 or all(map(self._ids.knows, ID.findall(f"{seen.path} {text}")))

    async def make(self, seen: RecordedExchange) -> Replayed:
        answer, path = seen.response_json, (seen.path or "").removeprefix("/v1").partition("?")[0]
        uploads = seen.method == "POST" and path == "/files"
        content = self._ids.to_ours(orjson.dumps(seen.request_json).decode()).encode() if seen.request_json else b""
        request = PassthroughRequest(
            seen.method or "GET",
            self._ids.to_ours(path),
            query=(),
            headers={"content-type": f"multipart/form-data; boundary={_BOUNDARY}" if uploads else "application/json"},
            body=whole(form(answer) if uploads else content),
        )
        response = await self._service.handle_passthrough(CONTEXT, request)
        assert isinstance(response.body, bytes)
        body: JsonObject = orjson.loads(response.body)
        self._ids.learn(answer, body)
        return Replayed(seen, response.status, self._ids.to_recorded(body))


async def replayed(exchanges: list[RecordedExchange]) -> list[Replayed]:
    """Replay what can be replayed: objects are created before they are used, and deleted last."""
    replay, made = Replay(), list[Replayed]()
    waiting = deque(sorted(exchanges, key=lambda seen: seen.method == "DELETE"))
    refused = 0
    while waiting and refused < len(waiting):
        seen = waiting.popleft()
        if replay.can_make(seen):
            made.append(await replay.make(seen))
            refused = 0
        else:
            waiting.append(seen)
            refused += 1
    return made


def mismatches(each: Replayed) -> Iterator[Mismatch]:
    """The differences in shape from the recorded response."""
    for mismatch in compare(each.seen.response_json, each.body):
        later = mismatch.kind == "extra" and mismatch.path[-1] in _ADDED_LATER
        if mismatch.kind in _SHAPES and not later and "metadata" not in mismatch.path:
            yield mismatch


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings of the real service are not here")
async def test_recorded_requests_about_files_and_vector_stores_get_responses_of_the_recorded_shape() -> None:
    made = await replayed(recorded())

    assert len(made) > 150
    assert [(each.seen.file, each.status) for each in made if each.status != each.seen.status] == []
    assert [(each.seen.file, str(found)) for each in made for found in mismatches(each)] == []
