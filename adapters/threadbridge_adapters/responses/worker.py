"""One worker performs one turn of one run: take it up, ask the model, write down the answer, tell the reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from threadbridge.emulation import turns
from threadbridge.emulation.context import Context
from threadbridge.emulation.failures import last_error, something_went_wrong
from threadbridge.emulation.turns import TurnStart
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.lifecycle import RunStatus, is_active
from threadbridge.ports import Event, Session, Wire
from threadbridge.responses.forms import run_event
from threadbridge.responses.translator import TurnTranslator
from threadbridge.responses.turn import Ending
from threadbridge_adapters.logs import logger
from threadbridge_adapters.responses.conversation import Conversation
from threadbridge_adapters.responses.feed import Feed
from threadbridge_adapters.responses.workplace import Workplace

T = TypeVar("T")

_log = logger("threadbridge.run")

#: A claim is prolonged this often before it would lapse.
_BEATS_PER_LEASE = 3


class Worker:
    """Performs the next turn of a run. `perform` never raises: whatever goes wrong is written on the run."""

    def __init__(
        self, place: Workplace, tenant: str, run_id: str, *, start: TurnStart | None, feed: Feed | None
    ) -> None:
        self._place = place
        self._tenant = tenant
        self._run_id = run_id
        self._start = start
        self._feed = feed
        self._talk: asyncio.Task[None] | None = None
        self._ending: Ending | None = None

    async def perform(self) -> None:
        """One turn, from taking the run up to telling its end; the feed is ended in every case."""
        try:
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
        except Exception:
            _log.exception("the turn broke", run_id=self._run_id)
            await self._fail()
        finally:
            self._end_feed(None)

    def cancel(self) -> None:
        """Somebody asked the run to stop, and the store says so already (A61, A95)."""
        self._stop(Ending("cancelled"))

    def _stop(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            if self._talk is not None:
                self._talk.cancel()

    async def _turn(self, start: TurnStart) -> None:
        self._tell([run_event(start.run)])
        translator = self._place.translator(start)
        watch = asyncio.ensure_future(self._watch(start.run))
        try:
            closing = await self._closing_events(start, translator)
        finally:
            watch.cancel()
        outcome = translator.outcome
        if outcome is None:
            raise UpstreamError(f"The turn of run {self._run_id} ended without an outcome.")
        written = await self._write(lambda session, context: turns.finish(session, context, outcome))
        self._tell(self._as_written(closing, written.run, expected=outcome.run["status"]))

    async def _closing_events(self, start: TurnStart, translator: TurnTranslator) -> Sequence[Event]:
        """Talk to the model until the turn is over; the events that may be told once it is written."""
        conversation = Conversation(self._place, start, translator, self._feed)
        self._talk = asyncio.ensure_future(conversation.hold())
        if self._ending is not None:
            self._talk.cancel()
        try:
            await self._talk
        except asyncio.CancelledError:
            if self._ending is None:
                raise
            if translator.outcome is None:
                return translator.interrupt(self._ending)
        except UpstreamError as error:
            _log.warning("the upstream failed", run_id=self._run_id, status=error.status, request_id=error.request_id)
            if translator.outcome is None:
                return translator.interrupt(Ending("failed", last_error(error)))
        return conversation.closing

    async def _watch(self, run: Wire) -> None:
        """Keep the claim alive, and notice the deadline or a request to cancel from another process."""
        clock = self._place.clock
        beat = self._place.limits.lease_seconds / _BEATS_PER_LEASE
        while (left := run["expires_at"] - clock.now()) > 0:
            await clock.sleep(min(left, beat))
            if clock.now() < run["expires_at"] and not await self._still_ours():
                return
        self._stop(Ending("expired"))

    async def _still_ours(self) -> bool:
        current = await self._write(lambda session, context: turns.keep_alive(session, context, self._run_id))
        if current is None:
            self._stop(Ending("cancelled"))
        elif current["status"] == RunStatus.CANCELLING:
            self.cancel()
        return self._ending is None

    def _as_written(self, closing: Sequence[Event], run: Wire | None, *, expected: str) -> Sequence[Event]:
        """The closing events, with the run as the store has it: it may have been cancelled or expired meanwhile."""
        if run is None or run["status"] == expected:
            return closing
        return [*closing[:-1], run_event(run)]

    async def _tell_how_it_ended(self) -> None:
        """There was nothing to do: the run was cancelled, deleted or taken before this worker came to it."""
        run = await self._place.run(self._tenant, self._run_id)
        if run is not None and not is_active(run):
            self._tell([run_event(run)])

    async def _fail(self) -> None:
        failed = await self._write(
            lambda session, context: turns.fail(session, context, self._run_id, something_went_wrong())
        )
        if failed is not None:
            self._tell([run_event(failed)])

    async def _write(self, decide: Callable[[Session, Context], T]) -> T:
        return await self._place.write(self._tenant, decide)

    def _tell(self, events: Sequence[Event]) -> None:
        if self._feed is not None:
            self._feed.put(events)

    def _end_feed(self, error: BridgeError | None) -> None:
        if self._feed is not None:
            self._feed.end(error)
