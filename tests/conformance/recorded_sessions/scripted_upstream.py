"""A Responses service that produces the recorded output when the replay allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import count
from typing import Literal, cast

from tests.conformance.recorded_sessions.recorded_answers import RecordedAnswer
from tests.conformance.recorded_sessions.run_records import RunRecord
from threadbridge.api_types import JsonMapping, JsonObject, ResponseEvent, ResponseObject
from threadbridge.ports import UpstreamCapabilities, UpstreamResponse


class RunScript:
    """The turns of one run; each starts and ends when the replay allows it."""

    def __init__(self, run_record: RunRecord) -> None:
        self._run_record = run_record
        self._turns = run_record.split_turns()
        self.turns_requested = 0
        self._start_events = [asyncio.Event() for _ in range(len(self._turns) + 1)]
        self._end_events = [asyncio.Event() for _ in range(len(self._turns) + 1)]
        #: Set when all recorded output of an interrupted response was sent.
        self.output_sent = asyncio.Event()

    def allow_start(self, turn: int) -> None:
        """Allow the turn, and every earlier one, to start."""
        for event in self._start_events[: turn + 1]:
            event.set()

    def allow_end(self, turn: int) -> None:
        """Allow the turn, and every earlier one, to end."""
        self.allow_start(turn)
        for event in self._end_events[: turn + 1]:
            event.set()

    @property
    def may_start(self) -> bool:
        return self._start_events[min(self.turns_requested, len(self._turns))].is_set()

    async def wait_for_start(self) -> None:
        await self._start_events[min(self.turns_requested, len(self._turns))].wait()

    async def next_answer(self) -> RecordedAnswer:
        """The recorded response of the next turn, once it may end."""
        turn = min(self.turns_requested, len(self._turns) - 1)
        self.turns_requested += 1
        await self._end_events[turn].wait()
        is_last = turn == len(self._turns) - 1
        return RecordedAnswer(self._run_record, self._turns[turn], self._run_record.last_run if is_last else None)


#: The script of the run of the current request. A turn inherits it from the request that starts it.
SCRIPT: ContextVar[RunScript] = ContextVar("script")


class ScriptedConcurrencyLimit(asyncio.Semaphore):
    """A slot is free as soon as the recorded service started the run."""

    def locked(self) -> bool:
        return not SCRIPT.get().may_start

    async def acquire(self) -> Literal[True]:
        await SCRIPT.get().wait_for_start()
        return True

    def release(self) -> None:
        """Nothing: slots are not counted."""


class ScriptedUpstream:
    """`ports.Upstream` for the runs of a session."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    def __init__(self) -> None:
        self._numbers = count(1)

    async def create_response(self, body: bytes) -> UpstreamResponse:
        answer = await SCRIPT.get().next_answer()
        answer.raise_failure()
        if answer.is_cut_off:
            await _wait_forever()
        return UpstreamResponse(cast("ResponseObject", answer.make_response()))

    async def stream_response(self, body: bytes) -> ScriptedStream:
        script = SCRIPT.get()
        answer = await script.next_answer()
        answer.raise_failure()
        return ScriptedStream(answer, script)

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        """Files, vector stores and containers: all exist and are ready immediately."""
        resource_path, _, _ = path.partition("?")
        kind, _, rest = resource_path.strip("/").partition("/")
        owner, _, member = rest.partition("/")
        if method == "DELETE":
            return {"id": member or owner, "deleted": True}
        if member.startswith("files"):
            file_id = member.partition("/")[2] or (body or {}).get("file_id", "")
            return {"id": file_id, "object": f"{kind[:-1]}.file", "status": "completed", "last_error": None}
        object_id = owner or f"{_PREFIXES.get(kind, kind)}{next(self._numbers):024}"
        return {"id": object_id, "object": kind[:-1], "status": "completed", "name": None, "file_counts": _COUNTS}

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        """A new file, whose content is never requested."""
        size = sum([len(chunk) async for chunk in content])
        file_id = f"{_PREFIXES['files']}{next(self._numbers):024}"
        return {"id": file_id, "object": "file", "bytes": size, "filename": filename, "path": path, **fields}

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """A placeholder for content that was not recorded."""

        async def content() -> AsyncIterator[bytes]:
            yield b"(not recorded)"

        yield content()

    async def aclose(self) -> None:
        """There is nothing to close."""


async def _wait_forever() -> None:
    """Wait until the caller cancels."""
    await asyncio.Event().wait()


_PREFIXES = {"vector_stores": "vs_", "files": "file-", "containers": "cntr_"}
_COUNTS = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


class ScriptedStream:
    """`ports.UpstreamStream` of one answer."""

    request_id: str | None = None

    def __init__(self, answer: RecordedAnswer, script: RunScript) -> None:
        self._answer = answer
        self._script = script

    async def __aiter__(self) -> AsyncIterator[ResponseEvent]:
        for event in self._answer.iterate_events():
            yield cast("ResponseEvent", event)
        if self._answer.is_cut_off:
            self._script.output_sent.set()
            await _wait_forever()

    async def aclose(self) -> None:
        """There is nothing to close."""
