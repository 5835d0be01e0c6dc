"""One response being made: how long each step takes, where the connection breaks, what is kept at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass

from threadbridge.ports import Clock, Wire
from threadbridge_adapters.simulator._scenarios import Scenario
from threadbridge_adapters.simulator._state import ConversationLock

TERMINAL_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ConnectionBrokenError(Exception):
    """The script says that the connection breaks here."""


@dataclass(frozen=True, slots=True)
class ResponseTask:
    """An accepted request on its way to becoming a response. Use `events` or `whole`, once."""

    request_id: str
    scenario: Scenario
    clock: Clock
    #: Tells the events from the start. The last one carries the finished response.
    make_events: Callable[[], Iterable[Wire]]
    #: The answer to a request that is not streamed.
    make_plain_response: Callable[[], Wire]
    #: Keeps the finished response; called before the last event can be seen.
    store_response: Callable[[], None]
    #: The conversation, while the response is being made.
    lock: ConversationLock

    async def stream_events(self) -> AsyncGenerator[Wire]:
        """The events at the script's pace. Others get their turn between any two."""
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

    async def wait_for_response(self) -> Wire:
        """The finished response, after as long as its stream would have taken."""
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
