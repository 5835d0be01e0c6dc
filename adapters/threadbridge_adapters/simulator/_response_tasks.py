"""Production of responses: delays between events, a broken connection, storing the result, background tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock
from threadbridge_adapters.simulator._scenarios import Scenario
from threadbridge_adapters.simulator._state import ConversationLock, StoredResponse

TERMINAL_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ConnectionBrokenError(Exception):
    """The script breaks the connection here."""


@dataclass(frozen=True, slots=True)
class ResponseTask:
    """Produces the response to an accepted request. Call `stream_events` or `wait_for_response`, once."""

    request_id: str
    scenario: Scenario
    clock: Clock
    #: Creates all events. The last one contains the finished response.
    make_events: Callable[[], Iterable[JsonObject]]
    #: Creates the response to a request that is not streamed.
    make_plain_response: Callable[[], JsonObject]
    #: Stores the finished response; called before the last event is sent.
    store_response: Callable[[], None]
    #: The lock on the conversation until the response is finished.
    lock: ConversationLock

    async def stream_events(self) -> AsyncGenerator[JsonObject]:
        """The events with the script's delays. Other tasks run between any two events."""
        pause, last = self.scenario.delta_delay, self.scenario.break_after
        self.lock.acquire()
        try:
            if self.scenario.delay:
                await self.clock.sleep(self.scenario.delay)
            for count, event in enumerate(self.make_events()):
                if count == last:
                    break
                if count:
                    await (self.clock.sleep(pause) if pause else asyncio.sleep(0))
                if event["type"] in TERMINAL_EVENTS:
                    self.store_response()
                    self.lock.release()
                yield event
            if last is not None:
                raise ConnectionBrokenError
        finally:
            self.lock.release()

    async def wait_for_response(self) -> JsonObject:
        """The finished response, after the same delay as its stream."""
        self.lock.acquire()
        try:
            if self.scenario.delay:
                await self.clock.sleep(self.scenario.delay)
            if self.scenario.break_after is not None:
                raise ConnectionBrokenError
            if self.scenario.delta_delay:
                await self.clock.sleep(self.scenario.delta_delay * sum(1 for _ in self.make_events()))
            else:
                await asyncio.sleep(0)
            self.store_response()
            return self.make_plain_response()
        finally:
            self.lock.release()


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

        def finish(_: asyncio.Task[None]) -> None:
            self._notify_followers(response_id)
            self._jobs.pop(response_id, None)

        task.add_done_callback(finish)

    async def follow_events(self, stored_response: StoredResponse, *, after: int = -1) -> AsyncGenerator[JsonObject]:
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

    def _notify_followers(self, response_id: str) -> None:
        job = self._jobs.get(response_id)
        if job is not None:
            job.new_events.set()
