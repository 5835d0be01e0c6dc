"""What the service keeps of a thread, as one turn meets it: gone on from, done without, replaced (§2, §9)."""

from __future__ import annotations

from dataclasses import replace

from threadbridge.context_window.upstream_continuation import Anchor, Continuation, Reason
from threadbridge.engine.context import Workplace
from threadbridge.errors import UpstreamError
from threadbridge.logs import logger
from threadbridge.service import turns, upstream_state
from threadbridge.service.turns import TurnStart
from threadbridge.translation.lost_state import is_locked, lock_waits, lost_state

_log = logger("threadbridge.run")


class KeptState:
    """The state of one turn at the service. `start` is the turn as it is to be asked now.

    A turn whose service keeps nothing does nothing here.
    """

    def __init__(self, place: Workplace, start: TurnStart) -> None:
        self.start = start
        self._place = place
        self._waits = lock_waits(place.limits.conversation_lock_seconds)

    async def ready(self) -> None:
        """A turn that belongs to a conversation has one now; where none is to be had, it does without."""
        continuation = self.start.continuation
        if continuation is None or continuation.mode != "conversation" or continuation.conversation_id is not None:
            return
        metadata = {"thread_id": self.start.run["thread_id"]}
        try:
            made = await self._place.upstream.call("POST", "/conversations", {"metadata": metadata})
        except UpstreamError as error:
            await self._do_without("unavailable", error)
            return
        conversation_id = str(made["id"])
        await self._place.write(lambda session, context: upstream_state.made(session, context, conversation_id))
        self.start = replace(self.start, continuation=replace(continuation, conversation_id=conversation_id))

    async def recovers_from(self, error: UpstreamError) -> bool:
        """Whether it is worth asking again: a moment later, or without what the service was to have kept."""
        continuation = self.start.continuation
        if continuation is None or continuation.mode == "local":
            return False
        if is_locked(error) and (wait := next(self._waits, None)) is not None:
            await self._place.clock.sleep(wait)
            if continuation.anchor is not None and await self._has_grown(continuation.anchor):
                await self._do_without("changed_elsewhere", error)
            return True
        reason: Reason | None = "locked" if is_locked(error) else _lost(continuation, error)
        if reason is None:
            return False
        await self._do_without(reason, error)
        return True

    async def send_whole(self, reason: Reason) -> None:
        """From now on the turn is asked without what was kept."""
        start = self.start
        if start.continuation is not None:
            self.start = await self._place.write(
                lambda session, context: turns.sent_whole(session, context, start, reason)
            )

    async def shorten(self) -> bool:
        """Whether less of the thread is sent from now on, for it was too long."""
        start = self.start
        shorter = await self._place.write(lambda session, context: turns.shortened(session, context, start))
        self.start = shorter or start
        return shorter is not None

    async def recount(self, counted: int) -> bool | None:
        """Whether the turn fits, now that the service has counted it; None: it is shorter now, and not counted yet."""
        start = self.start
        self.start, fits = await self._place.write(
            lambda session, context: turns.recounted(session, context, start, counted)
        )
        return fits

    async def _has_grown(self, anchor: Anchor) -> bool:
        """Whether whoever held the conversation has added to it what no thread of ours holds."""
        path = f"/conversations/{anchor.upstream_id}/items?limit=1&order=desc"
        try:
            newest = (await self._place.upstream.call("GET", path)).get("data") or []
        except UpstreamError:
            return False  # the next attempt shows what is wrong with it
        return bool(newest) and anchor.last_item_id not in (None, newest[0].get("id"))

    async def _do_without(self, reason: Reason, error: UpstreamError) -> None:
        _log.warning(
            "the service does not go on from what it kept, so everything is sent",
            run_id=self.start.run["id"],
            thread_id=self.start.run["thread_id"],
            reason=reason,
            error=error.message,
        )
        await self.send_whole(reason)


def _lost(continuation: Continuation, error: UpstreamError) -> Reason | None:
    """What is lost; where even a new conversation cannot be used, there are none to be had."""
    if continuation.anchor is not None:
        return lost_state(error, continuation.anchor.upstream_id)
    new = continuation.conversation_id
    return "unavailable" if new is not None and lost_state(error, new) is not None else None
