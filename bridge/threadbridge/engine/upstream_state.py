"""Upstream state of one turn: continue from it, replace it, or send the full history without it (§2, §9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from threadbridge.api_types import JsonObject
from threadbridge.engine.context import EngineContext
from threadbridge.errors import UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import build_path
from threadbridge.service import turns, upstream_state
from threadbridge.service.turns import TurnStart
from threadbridge.translation.continuation import NoContinuationReason
from threadbridge.translation.error_classifier import ErrorKind

_log = get_logger("threadbridge.run")

#: Why a turn no longer continues from the stored state, by the error that the service gave.
_LOST_STATE_REASONS: Mapping[ErrorKind, NoContinuationReason] = {
    ErrorKind.CALLS_UNANSWERED: "unanswered_calls",
    ErrorKind.STATE_NOT_FOUND: "not_found",
    ErrorKind.STATE_REJECTED: "refused",
}
#: Seconds before the first retry on a locked conversation; each further wait is twice as long.
_INITIAL_LOCK_DELAY = 0.5


class UpstreamState:
    """The state that the upstream holds for one turn. `start` is the turn as the next request sends it.

    A turn whose service keeps nothing does nothing here.
    """

    def __init__(self, ctx: EngineContext, start: TurnStart) -> None:
        self.start = start
        self._ctx = ctx
        self._lock_delays = _iterate_lock_delays(ctx.limits.conversation_lock_seconds)

    async def ensure_conversation(self) -> None:
        """Create the conversation of a turn that needs one. If that fails, the turn sends its history."""
        continuation = self.start.continuation
        if continuation is None or continuation.mode != "conversation" or continuation.conversation_id is not None:
            return
        metadata = {"thread_id": self.start.run["thread_id"]}
        try:
            created = await self._ctx.upstream.request("POST", "/conversations", {"metadata": metadata})
        except UpstreamError as error:
            await self._fall_back("unavailable", error)
            return
        conversation_id = str(created["id"])
        await self._ctx.write(
            lambda session, context: upstream_state.record_new_conversation(session, context, conversation_id)
        )
        self.start = replace(self.start, continuation=replace(continuation, conversation_id=conversation_id))

    async def wait_for_lock(self, error: UpstreamError) -> bool:
        """Whether to send the request again after a locked conversation: after a wait, or without its state."""
        continuation = self.start.continuation
        if continuation is None or continuation.mode == "local":
            return False
        delay = next(self._lock_delays, None)
        if delay is None:
            await self._fall_back("locked", error)
            return True
        await self._ctx.clock.sleep(delay)
        point = continuation.point
        if point is None:
            return True
        try:
            path = build_path("conversations", point.upstream_id, "items", limit=1, order="desc")
            newest: list[JsonObject] = (await self._ctx.upstream.request("GET", path)).get("data") or []
        except UpstreamError:
            return True  # the next attempt shows what is wrong with it
        if newest and point.last_item_id not in (None, newest[0].get("id")):
            # Another writer has added items to the conversation that the thread does not contain.
            await self._fall_back("changed_elsewhere", error)
        return True

    async def drop_lost_state(self, kind: ErrorKind, error: UpstreamError) -> bool:
        """Whether to send the request again without the state that the service has lost or rejects."""
        continuation = self.start.continuation
        if continuation is None or continuation.mode == "local":
            return False
        # Where even a new conversation cannot be used, the service has none to offer.
        reason = _LOST_STATE_REASONS[kind] if continuation.point is not None else "unavailable"
        await self._fall_back(reason, error)
        return True

    async def send_full_history(self, reason: NoContinuationReason) -> None:
        """Continue the turn without state of the upstream."""
        start = self.start
        if start.continuation is not None:
            self.start = await self._ctx.write(
                lambda session, context: turns.fall_back_to_full_history(session, context, start, reason)
            )

    async def try_full_history(self) -> None:
        """Send everything once. The state of the upstream stays until that has helped."""
        start = self.start
        self.start = await self._ctx.store.read(
            lambda session: turns.try_full_history(session, start, "refused"), tenant=self._ctx.tenant
        )

    async def shorten_history(self) -> bool:
        """Whether the history could be shortened."""
        start = self.start
        shorter = await self._ctx.write(lambda session, context: turns.shorten_turn(session, context, start))
        self.start = shorter or start
        return shorter is not None

    async def recount(self, token_count: int) -> bool | None:
        """Whether the turn fits as the upstream counts it; None: it was shortened and must be counted again."""
        start = self.start
        self.start, fits = await self._ctx.write(
            lambda session, context: turns.apply_exact_count(session, context, start, token_count)
        )
        return fits

    async def _fall_back(self, reason: NoContinuationReason, error: UpstreamError) -> None:
        _log.warning(
            "the service cannot continue from its state, so everything is sent",
            run_id=self.start.run["id"],
            thread_id=self.start.run["thread_id"],
            reason=reason,
            error=error.message,
        )
        await self.send_full_history(reason)


def _iterate_lock_delays(seconds: float) -> Iterator[float]:
    """How long to wait before each further attempt, at most `seconds` in total."""
    delay = _INITIAL_LOCK_DELAY
    while seconds > 0:
        yield min(delay, seconds)
        seconds -= delay
        delay *= 2
