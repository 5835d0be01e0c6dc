"""Background responses: made by a task of their own, watched by whoever asks, cancelled on demand (§10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from threadbridge.ports import Wire
from threadbridge_adapters.simulator._response_task import Performance
from threadbridge_adapters.simulator._state import StoredResponse

UNFINISHED = frozenset({"queued", "in_progress"})


@dataclass(slots=True)
class _Job:
    task: asyncio.Task[None]
    news: asyncio.Event = field(default_factory=asyncio.Event)


class BackgroundJobs:
    """The tasks behind background responses."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def start(self, stored: StoredResponse, performance: Performance) -> None:
        """Let the response be made; `stored` shows how far it is."""
        response_id = stored.body["id"]
        task = asyncio.get_running_loop().create_task(self._make(stored, performance))
        self._jobs[response_id] = _Job(task)
        task.add_done_callback(lambda _: self._end(response_id))

    async def follow(self, stored: StoredResponse, *, after: int = -1) -> AsyncGenerator[Wire]:
        """The events numbered above `after`: those that were, then those that come, until the response rests."""
        seen = 0
        while True:
            while seen < len(stored.events):
                event = stored.events[seen]
                seen += 1
                if event["sequence_number"] > after:
                    yield event
            job = self._jobs.get(stored.body["id"])
            if job is None:
                return
            job.news.clear()
            await job.news.wait()

    def cancel(self, stored: StoredResponse) -> None:
        """Stop an unfinished response; a finished one stays what it is."""
        if stored.body["status"] not in UNFINISHED:
            return
        stored.body = {**stored.body, "status": "cancelled"}
        job = self._jobs.get(stored.body["id"])
        if job is not None:
            job.task.cancel()

    async def aclose(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, stored: StoredResponse, performance: Performance) -> None:
        async with aclosing(performance.events()) as events:
            async for event in events:
                if "response" in event:
                    stored.body = event["response"]
                if stored.streamed:
                    stored.events.append(event)
                self._tell(stored.body["id"])
                await asyncio.sleep(0)

    def _end(self, response_id: str) -> None:
        self._tell(response_id)
        self._jobs.pop(response_id, None)

    def _tell(self, response_id: str) -> None:
        job = self._jobs.get(response_id)
        if job is not None:
            job.news.set()
