"""Production of one response: delays between events, a broken connection, storing the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass

from threadbridge.ports import Clock, Wire
from threadbridge_adapters.simulator._scenarios import Scenario
from threadbridge_adapters.simulator._state import ConversationLock

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
    make_events: Callable[[], Iterable[Wire]]
    #: Creates the response to a request that is not streamed.
    make_plain_response: Callable[[], Wire]
    #: Stores the finished response; called before the last event is sent.
    store_response: Callable[[], None]
    #: The lock on the conversation until the response is finished.
    lock: ConversationLock

    async def stream_events(self) -> AsyncGenerator[Wire]:
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

    async def wait_for_response(self) -> Wire:
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
