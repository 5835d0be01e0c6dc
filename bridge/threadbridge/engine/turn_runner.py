"""One worker performs one turn of one run: take it up, ask the model, write down the answer, tell the reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from threadbridge.engine.context import Workplace
from threadbridge.engine.event_log import ELSEWHERE
from threadbridge.engine.model_exchange import Conversation
from threadbridge.engine.run_stream import Feed
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import logger
from threadbridge.ports import Clock, Event, Session, Wire
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service import turns
from threadbridge.service.context import Context
from threadbridge.service.run_failures import last_error, something_went_wrong
from threadbridge.service.turns import TurnStart
from threadbridge.translation.stream_translator import TurnTranslator
from threadbridge.translation.turn_result import Ending
from threadbridge.translation.wire_objects import run_event

T = TypeVar("T")

_log = logger("threadbridge.run")

#: A claim is prolonged this often before it would lapse.
_BEATS_PER_LEASE = 3

_DELETED = "The run is gone: its thread was deleted."
_CLOSING = "This process is ending. The run goes on in another, or in the next: retrieve it to see how."


class Worker:
    """Performs the next turn of a run; what goes wrong is written on the run, or left to whoever takes it up next.

    `start` is the turn where it began in the transaction that queued the run; `feed` the reader's, where there is one.
    """

    def __init__(self, place: Workplace, run_id: str, *, start: TurnStart | None, feed: Feed | None) -> None:
        self._place = place
        self._run_id = run_id
        self._start = start
        self._feed = feed
        self._talking: asyncio.Task[Any] | None = None  # this worker's own, while it talks to the model
        self._ending: Ending | None = None
        self._waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._holds_a_place = start is not None

    # From outside -----------------------------------------------------------------------------------------------

    async def perform(self) -> None:
        """One turn, from taking the run up to telling its end. Cancelled, it gives its claim back."""
        try:
            self._holds_a_place = self._holds_a_place or await self._place.places.wait(self._waiting)
            await self._place.ready_to_bound()
            start = self._start or await self._write(
                lambda session, context: turns.begin(session, context, self._run_id)
            )
            if start is None:
                await self._tell_how_it_ended()
            else:
                await self._turn(start)
        except asyncio.CancelledError:
            await asyncio.shield(self._write(lambda session, context: turns.release(session, context, self._run_id)))
            raise
        except BridgeError as error:  # our own store: the claim lapses, and the turn is taken up again
            _log.error("the run could not be written", run_id=self._run_id, error=error.message)
            self._end_feed(error)

    def cancel(self) -> None:
        """Somebody asked the run to stop, and the store says so already (A61, A95)."""
        self._stop(Ending("cancelled"))

    def leave(self, task: asyncio.Task[None]) -> None:
        """The task is over, whether it ever began or not: nobody may wait for this worker any more."""
        if self._holds_a_place:
            self._place.places.give_back()
        self._waiting.cancel()
        if task.cancelled():
            self._end_feed(BridgeError(_CLOSING))
        elif (broken := task.exception()) is not None:
            _log.error("the turn broke", run_id=self._run_id, exc_info=broken)
            self._end_feed(BridgeError(ELSEWHERE))
        self._end_feed(None)

    # The turn ---------------------------------------------------------------------------------------------------

    def _stop(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            if self._talking is not None:
                self._talking.cancel()
            if not self._waiting.done():
                self._waiting.set_result(None)

    async def _turn(self, start: TurnStart) -> None:
        self._tell([run_event(start.run)])
        prices = self._place.rules.costs.listed
        if not prices.is_ready:
            self._place.later(prices.ready())  # while the model thinks
        translator = self._place.translator(start)
        conversation = Conversation(self._place, start, translator, self._feed)
        watch = _Watch(self._place.clock, self._beat(start.run), lambda: self._watch(start.run))
        try:
            closing = await self._closing_events(conversation, translator)
        finally:
            watch.cancel()
            if conversation.is_connected:
                self._place.later(conversation.hang_up())
        outcome = translator.outcome
        if outcome is None:
            raise UpstreamError(f"The turn of run {self._run_id} ended without an outcome.")
        kept = conversation.hosted.kept()
        await prices.ready()
        continuation = conversation.state.start.continuation
        written = await self._write(
            lambda session, context: turns.finish(session, context, outcome, kept, continuation)
        )
        if written.accepted or written.is_gone:
            self._tell(turns.told(closing, written))
            self._end_feed(None)
        else:
            self._end_feed(BridgeError(ELSEWHERE))

    async def _closing_events(self, conversation: Conversation, translator: TurnTranslator) -> Sequence[Event]:
        """Talk to the model until the turn is over; the events that may be told once it is written."""
        try:
            ending = await self._interrupted(conversation)
        except UpstreamError as error:
            _log.warning("the upstream failed", run_id=self._run_id, status=error.status, request_id=error.request_id)
            ending = Ending("failed", last_error(error), refused=400 <= error.status < 500)
        except Exception:  # a bug here, or a service nobody has seen: the run must end, and its stream be closed
            _log.exception("the turn broke", run_id=self._run_id)
            ending = Ending("failed", something_went_wrong())
        if ending is None:
            return conversation.closing
        return conversation.closing if translator.outcome is not None else translator.interrupt(ending)

    async def _interrupted(self, conversation: Conversation) -> Ending | None:
        """Talk to the model; how the run is to end where `_stop` cut that short."""
        own = self._talking = asyncio.current_task()
        try:
            if self._ending is None:
                await conversation.hold()
        except asyncio.CancelledError:
            if self._ending is None or (own is not None and own.uncancel() > 0):  # the whole turn is called off
                raise
        finally:
            self._talking = None
        return self._ending

    async def _watch(self, run: Wire) -> None:
        """Keep the claim alive, and notice the deadline or a request to cancel from another process."""
        clock = self._place.clock
        while clock.now() < run["expires_at"]:
            if not await self._still_ours():
                return
            await clock.sleep(self._beat(run))
        self._stop(Ending("expired"))

    def _beat(self, run: Wire) -> float:
        """Seconds until there is something to be watched."""
        left: float = run["expires_at"] - self._place.clock.now()
        return max(0.0, min(left, self._place.limits.lease_seconds / _BEATS_PER_LEASE))

    async def _still_ours(self) -> bool:
        try:
            current = await self._write(lambda session, context: turns.keep_alive(session, context, self._run_id))
        except BridgeError as error:  # a busy or full disk; the next beat may be luckier, and the claim outlasts two
            _log.warning("the claim could not be prolonged", run_id=self._run_id, error=error.message)
            return True
        if current is None or current["status"] == RunStatus.CANCELLING:
            self.cancel()
        return self._ending is None

    async def _tell_how_it_ended(self) -> None:
        """There was nothing to do: the run was cancelled, deleted or taken before this worker came to it."""
        run = await self._place.run(self._run_id)
        if run is None:
            self._end_feed(BridgeError(_DELETED))
        elif is_active(run):
            self._end_feed(BridgeError(ELSEWHERE))
        else:
            self._tell([run_event(run)])

    async def _write(self, decide: Callable[[Session, Context], T]) -> T:
        return await self._place.write(decide)

    def _tell(self, events: Sequence[Event]) -> None:
        if self._feed is not None:
            self._feed.put(events)

    def _end_feed(self, error: BridgeError | None) -> None:
        if self._feed is not None:
            self._feed.end(error)


class _Watch:
    """A timer until the first beat, a task from then on: most turns are over before."""

    def __init__(self, clock: Clock, seconds: float, watch: Callable[[], Coroutine[None, None, None]]) -> None:
        self._watch = watch
        self._task: asyncio.Task[None] | None = None
        self._call_off = clock.later(seconds, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._watch())

    def cancel(self) -> None:
        """The turn is over."""
        self._call_off()
        if self._task is not None:
            self._task.cancel()
