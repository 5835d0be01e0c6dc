"""Following a run that exists: its log where there is one, what the store knows where there is none."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, Self, TypeVar

from threadbridge.engine.event_log import ELSEWHERE, EventLog, State
from threadbridge.engine.event_log_registry import EventLogs
from threadbridge.errors import BridgeError, UnknownEvent
from threadbridge.ports import Clock, Event, Session, Wire
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service import runs
from threadbridge.service.event_replay import News, Told, ended_at_rest, news
from threadbridge.service.leases import is_abandoned
from threadbridge.service.poll_hints import poll_after_ms
from threadbridge.wire.sse import decode

T = TypeVar("T")

#: Seconds between two looks at a run that waits for its client: another process may have gone on with it.
_PATIENCE = 1.0


class Read(Protocol):
    """A read of the store that settles what is overdue."""

    def __call__(self, look: Callable[[Session, float], T], /) -> Awaitable[T]: ...


class Followers:
    """Hands out the events of runs to any number of readers, none of whom holds a run up."""

    def __init__(self, logs: EventLogs, clock: Clock, read: Read, take_up: Callable[[str], None]) -> None:
        self._logs = logs
        self._clock = clock
        self._read = read
        self._take_up = take_up

    async def follow(self, thread_id: str, run_id: str, after: str | None) -> AsyncIterator[Event]:
        """`Backend.follow_run`."""
        await self._read(lambda session, now: runs.retrieve(session, now, thread_id, run_id))
        log = self._logs.find(run_id)
        at = None if log is None else _beginning(log) if after is None else log.position(after)
        if log is not None and at is not None:
            return LogFollower(log, at, self._clock, lambda waiting: self._look(thread_id, run_id, waiting))
        told = Told() if after is None else Told.of(after)
        if told is None:
            raise UnknownEvent(after or "")
        return StoreFollower(self._clock, lambda told: self._news(thread_id, run_id, told), told)

    async def _look(self, thread_id: str, run_id: str, waiting: Wire) -> tuple[Wire, Sequence[Event]]:
        """The run, and its end where it came while the run waited."""

        def look(session: Session, now: float) -> tuple[Wire, Sequence[Event]]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, () if is_active(run) else ended_at_rest(session, run, waiting)

        return await self._read(look)

    async def _news(self, thread_id: str, run_id: str, told: Told) -> News:
        """What the store has to tell; a run met without a worker is taken up."""

        def look(session: Session, now: float) -> tuple[News, bool]:
            found = news(session, now, thread_id, run_id, told)
            return found, is_abandoned(session, now, found.run)

        found, abandoned = await self._read(look)
        if abandoned:
            self._take_up(run_id)
        return found


def _beginning(log: EventLog) -> int | None:
    """Where to begin in a log; None where a part of it is missing."""
    return 0 if log.dropped == 0 and log.state is not State.BROKEN else None


class LogFollower(AsyncIterator[Event]):
    """The events of a log from a position on, until the run is over."""

    def __init__(
        self,
        log: EventLog,
        at: int,
        clock: Clock,
        look: Callable[[Wire], Awaitable[tuple[Wire, Sequence[Event]]]],
    ) -> None:
        self._log = log
        self._at = at
        self._clock = clock
        self._look = look
        self._doubts = False  # the run was met at work, and not by us
        self._left = False
        log.followers += 1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return decode(await self.next_frame())

    async def next_frame(self) -> bytes:
        """The next event's frame."""
        while not self._left and self._at == self._log.end:
            await self._more()
        if self._left:
            raise StopAsyncIteration
        frame = self._log.frame(self._at)
        self._at += 1
        return frame

    async def _more(self) -> None:
        match self._log.state:
            case State.TELLING:
                await self._log.grown()
            case State.WAITING:
                await self._watch()
            case State.OVER:
                await self.aclose()
            case State.BROKEN:
                raise self._log.error or BridgeError(ELSEWHERE)

    async def _watch(self) -> None:
        """A run at rest goes on here, and then its log grows; or in another process; or it ends where it is."""
        waiting = self._log.last.data if self._log.last is not None else {}
        run, ending = await self._look(waiting)
        if self._log.state is not State.WAITING or self._at != self._log.end:
            return
        if ending:
            self._log.append(ending)
            self._log.rest()
            return
        at_work = run["status"] != RunStatus.REQUIRES_ACTION
        if at_work and self._doubts:  # twice: the first time it may have been about to be told here
            self._log.rest(BridgeError(ELSEWHERE))
            return
        self._doubts = at_work
        await self._pause()

    async def _pause(self) -> None:
        grown = asyncio.ensure_future(self._log.grown())
        asleep = asyncio.ensure_future(self._clock.sleep(_PATIENCE))
        try:
            await asyncio.wait((grown, asleep), return_when=asyncio.FIRST_COMPLETED)
        finally:
            grown.cancel()
            asleep.cancel()

    async def aclose(self) -> None:
        """Follow no longer."""
        if not self._left:
            self._left = True
            self._log.followers -= 1


class StoreFollower(AsyncIterator[Event]):
    """What the store comes to know of a run, until it is over. Looks as often as a client is advised to."""

    def __init__(self, clock: Clock, look: Callable[[Told], Awaitable[News]], told: Told) -> None:
        self._clock = clock
        self._look = look
        self._told = told
        self._events: deque[Event] = deque()
        self._run: Wire | None = None
        self._left = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._left or (self._run is not None and not is_active(self._run)):
                raise StopAsyncIteration
            if self._run is not None:
                advice = poll_after_ms(self._run, self._clock.now())
                await self._clock.sleep(_PATIENCE if advice is None else advice / 1000)
            events, self._told, self._run = await self._look(self._told)
            self._events.extend(events)
        return self._events.popleft()

    async def aclose(self) -> None:
        """Follow no longer."""
        self._left = True
        self._events.clear()
