"""The cost of citations in a stream, and the delay of a run's completion by generated files.

Measured in this process, from the parsed events of a prepared upstream to the frames of the Assistants stream, without
the constant cost of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks._request_context import CONTEXT
from benchmarks._results import Row, make_delay_row, make_ratio_row
from benchmarks._sample_sizes import Effort
from threadbridge.api_types import CodeInterpreterCallItem, JsonObject
from threadbridge.ports import Backend, UpstreamCapabilities, UpstreamResponse, WireRequest
from threadbridge.settings import Settings
from threadbridge.wire import dispatch_request
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.stores import open_store

CITED_BOUND = 1.3
#: Milliseconds in addition to the slowest download.
DELAY_BOUND = 50.0
DELTAS, CITATIONS = 1000, 50
#: Number of generated files, and seconds for the download of each.
FILES, DOWNLOAD_SECONDS = 12, 0.2

_WORD = "word "
_CONTAINER = "cntr_1"
_ITEM = {"id": "msg_1", "type": "message", "role": "assistant"}
_PART_POSITION = {"item_id": "msg_1", "output_index": 1, "content_index": 0}


def _make_completed_event(output: Sequence[JsonObject]) -> JsonObject:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    response = {"id": "resp_1", "model": "gpt-4o", "status": "completed", "output": list(output), "usage": usage}
    return {"type": "response.completed", "response": response}


def _make_message_events(annotations: Sequence[JsonObject]) -> list[JsonObject]:
    """A message of many words, with each annotation after its words."""
    part = {"type": "output_text", "text": _WORD * DELTAS, "annotations": list(annotations)}
    item = {**_ITEM, "status": "completed", "content": [part]}
    events: list[JsonObject] = [
        {"type": "response.output_item.added", "output_index": 1, "item": {**_ITEM, "content": []}}
    ]
    every = DELTAS // max(len(annotations), 1)
    for number in range(1, DELTAS + 1):
        events.append({"type": "response.output_text.delta", **_PART_POSITION, "delta": _WORD})
        if annotations and number % every == 0:
            at = number // every - 1
            annotation_fields = {"annotation_index": at, "annotation": annotations[at]}
            events.append({"type": "response.output_text.annotation.added", **_PART_POSITION, **annotation_fields})
    return [
        *events,
        {"type": "response.output_item.done", "output_index": 1, "item": item},
        _make_completed_event([item]),
    ]


def _make_citations() -> list[JsonObject]:
    every = len(_WORD) * DELTAS // CITATIONS
    cited = {"type": "file_citation", "file_id": "file-1", "filename": "notes.txt"}
    return [{**cited, "index": every * number} for number in range(1, CITATIONS + 1)]


def _make_code_events() -> list[JsonObject]:
    """A code interpreter call whose files are not cited."""
    item: CodeInterpreterCallItem = {
        "id": "ci_1",
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "1",
        "container_id": _CONTAINER,
        "outputs": [],
    }
    return [{"type": "response.output_item.done", "output_index": 0, "item": item}, *_make_message_events([])]


class _PreparedStream:
    request_id = None

    def __init__(self, upstream: _PreparedUpstream) -> None:
        self._upstream = upstream

    async def __aiter__(self) -> AsyncIterator[JsonObject]:
        for event in self._upstream.events:
            yield event

    async def aclose(self) -> None:
        pass


class _PreparedUpstream:
    """`ports.Upstream` with one prepared response and slow downloads."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    def __init__(self) -> None:
        self.events: Sequence[JsonObject] = ()
        self.files = 0
        self.last_event_at = 0.0

    async def create_response(self, body: bytes) -> UpstreamResponse:
        raise NotImplementedError

    async def stream_response(self, body: bytes) -> _PreparedStream:  # noqa: ARG002  the port's signature
        return _PreparedStream(self)

    async def request(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:  # noqa: ARG002
        if method == "POST":
            return {"id": _CONTAINER}
        self.last_event_at = time.perf_counter()  # the container is listed after the last event
        names = (f"{number}.csv" for number in range(self.files))
        data = [{"id": f"cfile_{name}", "path": f"/mnt/data/{name}", "source": "assistant"} for name in names]
        return {"data": data, "has_more": False}

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        raise NotImplementedError

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        await asyncio.sleep(DOWNLOAD_SECONDS)
        yield _iterate_content(path)

    async def aclose(self) -> None:
        pass


async def _iterate_content(path: str) -> AsyncIterator[bytes]:
    yield path.encode()


class _Client:
    """Streams runs through the wire dispatcher and measures them."""

    def __init__(self, backend: Backend, upstream: _PreparedUpstream) -> None:
        self._backend = backend
        self._upstream = upstream
        self._body = b""

    async def prepare(self, *tools: str) -> None:
        assistant = await self._backend.create_assistant(
            CONTEXT, {"model": "gpt-4o", "instructions": "Be brief.", "tools": [{"type": tool} for tool in tools]}
        )
        self._body = orjson.dumps({"assistant_id": assistant["id"], "stream": True})

    async def run(self, events: Sequence[JsonObject]) -> float:
        """CPU microseconds per upstream event of a complete stream."""
        self._upstream.events = events
        thread = await self._backend.create_thread(CONTEXT, {})
        request = WireRequest("POST", f"/threads/{thread['id']}/runs", (), {"openai-beta": "assistants=v2"}, self._body)
        before = time.process_time()
        response = await dispatch_request(self._backend, CONTEXT, request, max_body_bytes=1 << 20)
        assert not isinstance(response.body, bytes), response.body
        last = b""
        async for frame in response.body:
            last = frame if b"thread.run.completed" in frame else last
        assert last, "the run did not complete"
        return (time.process_time() - before) / len(events) * 1e6

    async def measure_delay(self, files: int) -> float:
        """Milliseconds from the last upstream event to the end of the stream."""
        self._upstream.files = files
        await self.run(_make_code_events())
        return (time.perf_counter() - self._upstream.last_event_at) * 1e3


@asynccontextmanager
async def _open_client() -> AsyncGenerator[_Client]:
    upstream = _PreparedUpstream()
    backend: Any = assemble_backend(Settings(), store=await open_store(":memory:"), upstream=upstream)
    try:
        yield _Client(backend, upstream)
    finally:
        await backend.aclose()


async def _measure(effort: Effort) -> list[Row]:
    cited, plain = _make_message_events(_make_citations()), _make_message_events([])
    async with _open_client() as client:
        await client.prepare()
        await client.run(cited)
        costs = [(await client.run(cited), await client.run(plain)) for _ in range(max(effort.repeats, 3))]
        await client.prepare("code_interpreter")
        await client.measure_delay(0)
        delays = [(await client.measure_delay(FILES), DOWNLOAD_SECONDS * 1e3) for _ in range(effort.repeats)]
    return [
        make_ratio_row(
            f"streamed answer with {CITATIONS} citations, CPU", "us/event", costs, beside="without", bound=CITED_BOUND
        ),
        make_delay_row(
            f"thread.run.completed after {FILES} files of {DOWNLOAD_SECONDS:g} s each",
            delays,
            beside="the slowest download",
            bound=DELAY_BOUND,
        ),
    ]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:  # noqa: ARG001
    """Rows for hosted tools."""
    log("streaming citations and copying files")
    return asyncio.run(_measure(effort))
