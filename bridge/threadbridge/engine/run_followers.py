"""Followers of a run: they read the event bus or, if it does not hold the events, replay what is stored."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol, Self, TypeVar, cast

from threadbridge.api_types import RunObject
from threadbridge.engine.context import EngineContext
from threadbridge.engine.thread_queue import DEADLINE_PASSED_MESSAGE, timeout_at, wait_for_events
from threadbridge.errors import BridgeError, UnknownEvent, UpstreamTimeout
from threadbridge.ports import Clock, Event, EventReader, RunReference, Session, StreamState
from threadbridge.ports.event_bus import STREAM_LOST_MESSAGE
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service import runs
from threadbridge.service.event_replay import NewEvents, ReplayCursor, build_end_events, read_new_events
from threadbridge.service.run_state import is_abandoned
from threadbridge.service.runs import compute_poll_hint_ms
from threadbridge.sse import decode_frame

T = TypeVar("T")

#: Seconds between two reads of a run that waits for its client: another process may have continued it.
#: Frames that are read together, so that one chunk stays small.
_MAX_FRAMES = 256
_RECHECK_SECONDS = 1.0

_STEP_COMPLETED = "thread.run.step.completed"
_REQUIRES_ACTION = f"thread.run.{RunStatus.REQUIRES_ACTION.value}"


class ReadTransaction(Protocol):
    """A read of the store that first ends a run which is past its deadline."""

    def __call__(self, work: Callable[[Session], T], /) -> Awaitable[T]: ...


class RunFollowers:
    """Hands out the events of runs to any number of readers, none of which delays the run."""

    def __init__(self, recover_run: Callable[[EngineContext, str], None]) -> None:
        self._recover_run = recover_run

    async def follow(
        self,
        read: ReadTransaction,
        ctx: EngineContext,
        thread_id: str,
        run_id: str,
        after: str | None,
        deadline: float | None,
    ) -> AsyncIterator[Event]:
        """`Backend.follow_run`: from the event bus, or from the store where the bus does not hold the events."""
        await read(partial(runs.retrieve, now=ctx.clock.now(), thread_id=thread_id, run_id=run_id))
        reader = await ctx.event_bus.follow(RunReference(ctx.tenant, run_id), after)
        if reader is not None:
            return BusFollower(
                reader,
                ctx.clock,
                lambda waiting: self._check_waiting_run(read, ctx, thread_id, run_id, waiting),
                deadline,
            )
        cursor = ReplayCursor() if after is None else ReplayCursor.from_event_id(after)
        if cursor is None:
            raise UnknownEvent(after or "")
        return StoreFollower(
            ctx.clock, lambda cursor: self._load_new_events(read, ctx, thread_id, run_id, cursor), cursor, deadline
        )

    async def _check_waiting_run(
        self, read: ReadTransaction, ctx: EngineContext, thread_id: str, run_id: str, waiting: RunObject
    ) -> tuple[RunObject, Sequence[Event]]:
        """The run and, if it ended while it waited, the events of its end."""

        now = ctx.clock.now()

        def read_run(session: Session) -> tuple[RunObject, Sequence[Event]]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, () if is_active(run) else build_end_events(session, run, waiting)

        return await read(read_run)

    async def _load_new_events(
        self, read: ReadTransaction, ctx: EngineContext, thread_id: str, run_id: str, cursor: ReplayCursor
    ) -> NewEvents:
        """What was stored since the cursor. A run that nothing performs is recovered."""

        now = ctx.clock.now()

        def read_events(session: Session) -> tuple[NewEvents, bool]:
            new_events = read_new_events(session, now, thread_id, run_id, cursor)
            return new_events, is_abandoned(session, now, new_events.run, lease_seconds=ctx.limits.lease_seconds)

        found, abandoned = await read(read_events)
        if abandoned:
            self._recover_run(ctx, run_id)
        return found


class BusFollower(AsyncIterator[Event]):
    """The events of a run from the event bus, until the run is over."""

    def __init__(
        self,
        reader: EventReader,
        clock: Clock,
        check_run: Callable[[RunObject], Awaitable[tuple[RunObject, Sequence[Event]]]],
        deadline: float | None = None,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._check_run = check_run
        self._deadline = deadline
        self._seen_active_elsewhere = False  # another process performs a turn of the run
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        (frame,) = await self._read_frames(1)
        return decode_frame(frame)

    async def next_frames(self) -> Sequence[bytes]:
        """The frames of the next events, of all that are there.

        Raises StopAsyncIteration after the last one, BridgeError if the stream broke.
        """
        return await self._read_frames(_MAX_FRAMES)

    async def _read_frames(self, limit: int) -> Sequence[bytes]:
        reader = self._reader
        while not self._is_closed:
            frames = reader.read_frames(limit)
            if frames:
                return frames
            match reader.state:
                case StreamState.OPEN:
                    await wait_for_events(reader, self._clock, self._deadline)
                case StreamState.WAITING:
                    await self._check_waiting_run()
                case StreamState.ENDED:
                    await self.aclose()
                case StreamState.BROKEN:
                    raise reader.error or BridgeError(STREAM_LOST_MESSAGE)
        raise StopAsyncIteration

    async def _check_waiting_run(self) -> None:
        """A waiting run continues here (its stream grows), continues in another process, or ends."""
        reader = self._reader
        run, ending = await self._check_run(
            cast("RunObject", reader.last_event.data if reader.last_event is not None else {})
        )
        if reader.state is not StreamState.WAITING or reader.position != reader.end:
            return
        if ending:
            publisher = reader.open_turn()
            publisher.publish(ending)
            publisher.end_turn(StreamState.ENDED)
            return
        is_active_elsewhere = run["status"] != RunStatus.REQUIRES_ACTION
        if is_active_elsewhere and self._seen_active_elsewhere:
            # Seen twice: the first time, the turn may have been about to start here.
            reader.open_turn().end_turn(StreamState.BROKEN, BridgeError(STREAM_LOST_MESSAGE))
            return
        self._seen_active_elsewhere = is_active_elsewhere
        recheck_at = self._clock.now() + _RECHECK_SECONDS
        if self._deadline is not None and self._deadline <= recheck_at:
            await wait_for_events(reader, self._clock, self._deadline)
            return
        with suppress(TimeoutError):
            async with timeout_at(self._clock, recheck_at):
                await reader.wait()

    async def aclose(self) -> None:
        """Stop following."""
        self._is_closed = True
        self._reader.close()


class StoreFollower(AsyncIterator[Event]):
    """The events of what is stored of a run, to its end. Polls as often as a client is advised to."""

    def __init__(
        self,
        clock: Clock,
        load_events: Callable[[ReplayCursor], Awaitable[NewEvents]],
        cursor: ReplayCursor,
        deadline: float | None = None,
    ) -> None:
        self._clock = clock
        self._load_events = load_events
        self._cursor = cursor
        self._deadline = deadline
        self._events: deque[Event] = deque()
        self._run: RunObject | None = None
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._is_closed or (self._run is not None and not is_active(self._run)):
                raise StopAsyncIteration
            if self._run is not None:
                advice = compute_poll_hint_ms(self._run, self._clock.now())
                pause = _RECHECK_SECONDS if advice is None else advice / 1000
                if self._deadline is not None and self._clock.now() + pause > self._deadline:
                    raise UpstreamTimeout(DEADLINE_PASSED_MESSAGE)
                await self._clock.sleep(pause)
            events, self._cursor, self._run = await self._load_events(self._cursor)
            self._events.extend(events)
        return self._events.popleft()

    async def aclose(self) -> None:
        """Stop following."""
        self._is_closed = True
        self._events.clear()


class TurnFollower(AsyncIterator[Event]):
    """The events of one turn, out of those of its run: until the run requires action or ends.

    The first turn begins with the run; a later one with the completion of the step `step_id`, which got its outputs.
    """

    def __init__(self, events: AsyncIterator[Event], *, step_id: str | None = None) -> None:
        self._events = events
        self._awaited_step_id = step_id  # None once the turn has begun
        self._has_ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._has_ended:
            event = await anext(self._events)
            if self._awaited_step_id is not None:
                if event.name != _STEP_COMPLETED or event.data.get("id") != self._awaited_step_id:
                    continue
                self._awaited_step_id = None
            self._has_ended = event.name == _REQUIRES_ACTION
            return event
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop following."""
        self._has_ended = True
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()
