"""A Responses service that produces what the recorded model produced, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import count

from tests.conformance.golden.answers import Answer
from tests.conformance.golden.stories import Story
from threadbridge.engine.concurrency_limit import ConcurrencyLimit
from threadbridge.ports import UpstreamCapabilities, UpstreamResponse, Wire


class Script:
    """The turns of one run, and how far it may go: each turn begins and ends when the replay says so."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._rounds = story.rounds()
        self.asked = 0
        self._begun = [asyncio.Event() for _ in range(len(self._rounds) + 1)]
        self._over = [asyncio.Event() for _ in range(len(self._rounds) + 1)]
        #: Set when the model has said all that was recorded of an answer that was cut off.
        self.has_spoken = asyncio.Event()

    def let_begin(self, turn: int) -> None:
        """The turn may be taken up, and every one before it."""
        for event in self._begun[: turn + 1]:
            event.set()

    def let_end(self, turn: int) -> None:
        """The model has answered in this turn, and in every one before it."""
        self.let_begin(turn)
        for event in self._over[: turn + 1]:
            event.set()

    @property
    def may_begin(self) -> bool:
        return self._begun[min(self.asked, len(self._rounds))].is_set()

    async def beginning(self) -> None:
        await self._begun[min(self.asked, len(self._rounds))].wait()

    async def answer(self) -> Answer:
        """What the model produced in the next turn, once it may."""
        turn = min(self.asked, len(self._rounds) - 1)
        self.asked += 1
        await self._over[turn].wait()
        is_last = turn == len(self._rounds) - 1
        return Answer(self._story, self._rounds[turn], self._story.last if is_last else None)


#: The script of the run that the present request is about. A worker inherits it from the request that employs it.
SCRIPT: ContextVar[Script] = ContextVar("script")


class ScriptedConcurrencyLimit(ConcurrencyLimit):
    """Places that are free as soon as the recorded service took the run up."""

    def try_acquire(self) -> bool:
        return SCRIPT.get().may_begin

    async def acquire(self, stop_requested: asyncio.Future[None]) -> bool:
        beginning = asyncio.ensure_future(SCRIPT.get().beginning())
        await asyncio.wait((beginning, stop_requested), return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        return not stop_requested.done()

    def release(self) -> None:
        """Nobody is kept waiting by those who have a place."""


class ScriptedUpstream:
    """`ports.Upstream` for the runs of a session."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    def __init__(self) -> None:
        self._numbers = count(1)

    async def create_response(self, body: bytes) -> UpstreamResponse:
        answer = await SCRIPT.get().answer()
        answer.refuse()
        if answer.is_cut_off:
            await _for_ever()
        return UpstreamResponse(answer.response())

    async def stream_response(self, body: bytes) -> Streaming:
        script = SCRIPT.get()
        answer = await script.answer()
        answer.refuse()
        return Streaming(answer, script)

    async def request(self, method: str, path: str, body: Wire | None = None) -> Wire:
        """Files, vector stores and containers: everything is there and ready at once."""
        place, _, _ = path.partition("?")
        kind, _, rest = place.strip("/").partition("/")
        owner, _, member = rest.partition("/")
        if method == "DELETE":
            return {"id": member or owner, "deleted": True}
        if member.startswith("files"):
            file_id = member.partition("/")[2] or (body or {}).get("file_id", "")
            return {"id": file_id, "object": f"{kind[:-1]}.file", "status": "completed", "last_error": None}
        made = owner or f"{_PREFIXES.get(kind, kind)}{next(self._numbers):024}"
        return {"id": made, "object": kind[:-1], "status": "completed", "name": None, "file_counts": _COUNTS}

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> Wire:
        """A new file, whose content nobody will ask for."""
        size = sum([len(chunk) async for chunk in content])
        made = f"{_PREFIXES['files']}{next(self._numbers):024}"
        return {"id": made, "object": "file", "bytes": size, "filename": filename, "path": path, **fields}

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """A content that was not recorded."""

        async def content() -> AsyncIterator[bytes]:
            yield b"(not recorded)"

        yield content()

    async def aclose(self) -> None:
        """There is nothing to close."""


async def _for_ever() -> None:
    """Wait until whoever asked has had enough."""
    await asyncio.Event().wait()


_PREFIXES = {"vector_stores": "vs_", "files": "file-", "containers": "cntr_"}
_COUNTS = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


class Streaming:
    """`ports.UpstreamStream` of one answer."""

    request_id: str | None = None

    def __init__(self, answer: Answer, script: Script) -> None:
        self._answer = answer
        self._script = script

    async def __aiter__(self) -> AsyncIterator[Wire]:
        for event in self._answer.events():
            yield event
        if self._answer.is_cut_off:
            self._script.has_spoken.set()
            await _for_ever()

    async def aclose(self) -> None:
        """There is nothing to close."""
