"""Background responses: each is produced by its own task, can be followed by several clients, and cancelled (§10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from threadbridge.ports import Wire
from threadbridge_adapters.simulator._response_task import ResponseTask
from threadbridge_adapters.simulator._state import StoredResponse

UNFINISHED = frozenset({"queued", "in_progress"})


@dataclass(slots=True)
class _Job:
    task: asyncio.Task[None]
    new_events: asyncio.Event = field(default_factory=asyncio.Event)


class BackgroundJobs:
    """The tasks behind background responses."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def start(self, stored_response: StoredResponse, response_task: ResponseTask) -> None:
        """Start producing the response; the stored response shows its progress."""
        response_id = stored_response.body["id"]
        task = asyncio.get_running_loop().create_task(self._run(stored_response, response_task))
        self._jobs[response_id] = _Job(task)
        task.add_done_callback(lambda _: self._finish(response_id))

    async def follow_events(self, stored_response: StoredResponse, *, after: int = -1) -> AsyncGenerator[Wire]:
        """The events with sequence numbers above `after`, past and future, until the response is terminal."""
        seen = 0
        while True:
            while seen < len(stored_response.events):
                event = stored_response.events[seen]
                seen += 1
                if event["sequence_number"] > after:
                    yield event
            job = self._jobs.get(stored_response.body["id"])
            if job is None:
                return
            job.new_events.clear()
            await job.new_events.wait()

    def cancel(self, stored_response: StoredResponse) -> None:
        """Cancel an unfinished response; a finished one is not changed."""
        if stored_response.body["status"] not in UNFINISHED:
            return
        stored_response.body = {**stored_response.body, "status": "cancelled"}
        job = self._jobs.get(stored_response.body["id"])
        if job is not None:
            job.task.cancel()

    async def aclose(self) -> None:
        """Cancel running tasks and wait for them."""
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, stored_response: StoredResponse, response_task: ResponseTask) -> None:
        async with aclosing(response_task.stream_events()) as events:
            async for event in events:
                if "response" in event:
                    stored_response.body = event["response"]
                if stored_response.is_streamed:
                    stored_response.events.append(event)
                self._notify_followers(stored_response.body["id"])
                await asyncio.sleep(0)

    def _finish(self, response_id: str) -> None:
        self._notify_followers(response_id)
        self._jobs.pop(response_id, None)

    def _notify_followers(self, response_id: str) -> None:
        job = self._jobs.get(response_id)
        if job is not None:
            job.new_events.set()
