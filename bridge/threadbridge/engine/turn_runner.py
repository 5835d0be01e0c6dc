"""Performs one turn of one run: acquire the lease, call the model, commit the result, publish the events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from threadbridge.api_types import RunObject
from threadbridge.engine.context import Decision, EngineContext
from threadbridge.engine.model_exchange import ModelExchange
from threadbridge.engine.run_stream import RunStream
from threadbridge.errors import BridgeError, StoreError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import Clock, Event
from threadbridge.ports.event_bus import STREAM_LOST_MESSAGE
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service import turns
from threadbridge.service.turns import TurnStart
from threadbridge.translation.run_errors import build_generic_last_error, build_last_error_from_exception
from threadbridge.translation.stream_translator import TurnInterruption, TurnTranslator
from threadbridge.translation.wire_objects import build_run_event

T = TypeVar("T")

_log = get_logger("threadbridge.run")

#: How often a lease is renewed within its length.
_HEARTBEATS_PER_LEASE = 3

#: How often the result of a turn is written while the store rejects it (a full disk, for example), and the pauses.
COMMIT_ATTEMPTS = 8
_FIRST_COMMIT_PAUSE_SECONDS, _LONGEST_COMMIT_PAUSE_SECONDS = 1.0, 30.0

_RUN_DELETED_MESSAGE = "The run is gone: its thread was deleted."
_PROCESS_ENDING_MESSAGE = (
    "This process is stopping. Another one, or the next, continues the run; retrieve it to see its status."
)


class TurnRunner:
    """Performs the next turn of a run. A failure is written on the run, or left to the process that recovers it.

    `start` is a turn that the transaction which queued the run has started; `run_stream` receives the events.
    """

    def __init__(
        self, ctx: EngineContext, run_id: str, *, start: TurnStart | None, run_stream: RunStream | None
    ) -> None:
        self._ctx = ctx
        self._run_id = run_id
        self._start = start
        self._run_stream = run_stream
        self._interruptible_task: asyncio.Task[Any] | None = None  # this turn's own, while `_stop` may interrupt it
        self._ending: TurnInterruption | None = None
        self._upstream_error: UpstreamError | None = None  # that ended the turn
        self._has_slot = start is not None

    # From outside -----------------------------------------------------------------------------------------------

    async def run_turn(self) -> None:
        """Perform the turn from lease to last event. If cancelled, release the lease."""
        try:
            if self._run_id in self._ctx.unwritten_runs:
                # The result of its last turn could not be written. The model is not asked again.
                await self._ctx.write(partial(turns.fail_unwritten_run, run_id=self._run_id))
                self._ctx.unwritten_runs.discard(self._run_id)
                await self._publish_final_state()
                return
            if not self._has_slot:
                self._has_slot = await self._run_until_stopped(self._wait_for_slot) is True
            await self._ctx.load_prices_if_limited()
            start = self._start or await self._ctx.write(partial(turns.start_turn, run_id=self._run_id))
            if start is None:
                await self._publish_final_state()
            else:
                await self._execute_turn(start)
        except asyncio.CancelledError:
            await asyncio.shield(self._ctx.write(partial(turns.release_lease, run_id=self._run_id)))
            raise
        except BridgeError as error:  # our own store: the lease expires, and the turn is recovered
            _log.error("the run could not be written", run_id=self._run_id, error=error.message)
            self._finish_run_stream(error)

    def cancel(self) -> None:
        """Stop a turn whose cancellation the store already holds (A61, A95)."""
        self._stop(TurnInterruption("cancelled"))

    def finalize(self, task: asyncio.Task[None]) -> None:
        """Release the slot and finish the stream when the task has ended, even if it never started."""
        if self._has_slot:
            self._ctx.concurrency_limit.release()
        if task.cancelled():
            self._finish_run_stream(BridgeError(_PROCESS_ENDING_MESSAGE))
        elif (exception := task.exception()) is not None:
            _log.error("the turn broke", run_id=self._run_id, exc_info=exception)
            self._finish_run_stream(BridgeError(STREAM_LOST_MESSAGE))
        self._finish_run_stream(None)

    # The turn ---------------------------------------------------------------------------------------------------

    async def _wait_for_slot(self) -> bool:
        """Wait for a free slot with a lease, so that no other process starts a run whose stream is read here.

        False if the run has ended or another worker has its lease.
        """
        limit = self._ctx.concurrency_limit
        if not limit.locked():
            return await limit.acquire()
        run = await self._ctx.write(partial(turns.claim_waiting_run, run_id=self._run_id))
        if run is None:
            return False
        heartbeat = self._start_heartbeat(cast("int", run["expires_at"]))
        try:
            return await limit.acquire()
        finally:
            heartbeat.cancel()

    def _start_heartbeat(self, deadline: float) -> _Heartbeat:
        return _Heartbeat(
            self._ctx.clock, self._compute_heartbeat_delay(deadline), lambda: self._keep_lease_alive(deadline)
        )

    def _stop(self, ending: TurnInterruption) -> None:
        if self._ending is None:
            self._ending = ending
            if self._interruptible_task is not None:
                self._interruptible_task.cancel()

    async def _execute_turn(self, start: TurnStart) -> None:
        self._publish([build_run_event(start.run)])
        prices = self._ctx.rules.costs.price_list
        if not prices.is_ready:
            self._ctx.run_in_background(prices.load())  # while the model thinks
        translator = self._ctx.create_translator(start)
        exchange = ModelExchange(self._ctx, start, translator, self._run_stream)
        deadline = cast("int", start.run["expires_at"])  # an unfinished run has one (A60)
        heartbeat = self._start_heartbeat(deadline)
        try:
            closing_events = await self._run_exchange(exchange, translator)
        finally:
            heartbeat.cancel()
            if exchange.has_open_stream:
                self._ctx.run_in_background(exchange.close_stream())
        outcome = translator.outcome
        if outcome is None:
            raise UpstreamError(f"The turn of run {self._run_id} ended without an outcome.")
        copied_files = exchange.tool_session.collect_copied_files()
        await prices.load()
        entries, is_large = await self._ctx.token_counting.count_entries(outcome.entries)
        outcome = replace(outcome, entries=entries)
        continuation = exchange.upstream_state.start.continuation
        result = await self._write_result(
            lambda session, context: turns.commit_turn(session, context, outcome, copied_files, continuation),
            deadline=deadline,
            is_large=is_large,
        )
        if result.run is not None:
            self._log_failure(result.run)
        if result.accepted or result.is_thread_deleted:
            self._publish(turns.finalize_closing_events(closing_events, result))
            self._finish_run_stream(None)
        else:
            self._finish_run_stream(BridgeError(STREAM_LOST_MESSAGE))

    def _log_failure(self, run: RunObject) -> None:
        """One line for a run that failed, with its reason and, if the upstream caused it, the upstream's request."""
        error = run["last_error"]
        if run["status"] != RunStatus.FAILED or error is None:
            return
        cause = self._upstream_error
        upstream = {} if cause is None else {"status": cause.status, "request_id": cause.request_id}
        _log.warning(
            "the run failed",
            run_id=self._run_id,
            thread_id=run["thread_id"],
            code=error["code"],
            reason=error["message"],
            **upstream,
        )

    async def _write_result(self, decide: Decision[T], *, deadline: float, is_large: bool) -> T:
        """Write the result of the turn, again after pauses if the store fails: a recovery would ask the model again.

        After `COMMIT_ATTEMPTS` this process only ends the run. Raises StoreError.
        """
        heartbeat: _Heartbeat | None = None
        pause = _FIRST_COMMIT_PAUSE_SECONDS
        try:
            for _ in range(COMMIT_ATTEMPTS - 1):
                try:
                    return await self._ctx.write(decide, large=is_large)
                except StoreError as error:
                    _log.error("the turn could not be written yet", run_id=self._run_id, error=error.message)
                heartbeat = heartbeat or self._start_heartbeat(deadline)
                await self._ctx.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_COMMIT_PAUSE_SECONDS)
            try:
                return await self._ctx.write(decide, large=is_large)
            except StoreError:
                self._ctx.unwritten_runs.add(self._run_id)
                raise
        finally:
            if heartbeat is not None:
                heartbeat.cancel()

    async def _run_exchange(self, exchange: ModelExchange, translator: TurnTranslator) -> Sequence[Event]:
        """Exchange events with the model until the turn ends; return those to publish after the commit."""
        try:
            await self._run_until_stopped(exchange.perform)
            ending = self._ending
        except UpstreamError as error:
            self._upstream_error = error
            ending = TurnInterruption(
                "failed", build_last_error_from_exception(error), unbilled=400 <= error.status < 500
            )
        except Exception:  # a bug here, or an unknown kind of service: the run must end and its stream be closed
            _log.exception("the turn broke", run_id=self._run_id)
            ending = TurnInterruption("failed", build_generic_last_error())
        if ending is None:
            return exchange.closing_events
        return exchange.closing_events if translator.outcome is not None else translator.interrupt(ending)

    async def _run_until_stopped(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`; None if `_stop` interrupts it or was called before."""
        task = self._interruptible_task = asyncio.current_task()
        try:
            return await work() if self._ending is None else None
        except asyncio.CancelledError:
            if self._ending is None or (task is not None and task.uncancel() > 0):  # the whole turn is cancelled
                raise
            return None
        finally:
            self._interruptible_task = None

    async def _keep_lease_alive(self, deadline: float) -> None:
        """Renew the lease, and notice the deadline or a cancellation by another process."""
        clock = self._ctx.clock
        while clock.now() < deadline:
            try:
                current = await self._ctx.write(partial(turns.renew_lease, run_id=self._run_id))
            except BridgeError as error:  # a busy or full disk: the lease outlasts two failed heartbeats
                _log.warning("could not renew the lease", run_id=self._run_id, error=error.message)
            else:
                if current is None or current["status"] == RunStatus.CANCELLING:
                    self.cancel()
                if self._ending is not None:
                    return
            await clock.sleep(self._compute_heartbeat_delay(deadline))
        self._stop(TurnInterruption("expired"))

    def _compute_heartbeat_delay(self, deadline: float) -> float:
        """Seconds until the next heartbeat or the deadline."""
        remaining = deadline - self._ctx.clock.now()
        return max(0.0, min(remaining, self._ctx.limits.lease_seconds / _HEARTBEATS_PER_LEASE))

    async def _publish_final_state(self) -> None:
        """Publish the state of a run that was cancelled, deleted or leased elsewhere before this turn could start."""
        run = await self._ctx.get_run(self._run_id)
        if run is None:
            self._finish_run_stream(BridgeError(_RUN_DELETED_MESSAGE))
        elif is_active(run):
            self._finish_run_stream(BridgeError(STREAM_LOST_MESSAGE))
        else:
            self._log_failure(run)
            self._publish([build_run_event(run)])

    def _publish(self, events: Sequence[Event]) -> None:
        if self._run_stream is not None:
            self._run_stream.publish(events)

    def _finish_run_stream(self, error: BridgeError | None) -> None:
        if self._run_stream is not None:
            self._run_stream.finish(error)


class _Heartbeat:
    """A timer until the first heartbeat, then a task: most turns end before the first."""

    def __init__(self, clock: Clock, seconds: float, beat: Callable[[], Coroutine[None, None, None]]) -> None:
        self._beat = beat
        self._task: asyncio.Task[None] | None = None
        self._cancel_timer = clock.call_later(seconds, self._start_task)

    def _start_task(self) -> None:
        self._task = asyncio.ensure_future(self._beat())

    def cancel(self) -> None:
        """The turn is over."""
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()


async def advance(ctx: EngineContext, run_id: str) -> None:
    """Perform the next turn of a run of the context's tenant; return when the turn is committed.

    Safe to call twice, at once or in two processes: the first transaction acquires the run's lease, and a run that is
    leased, waits for tool outputs, has ended or was deleted is left as it is. Waits for a free slot of the concurrency
    limit. What the upstream refuses is written on the run; a failure of the store leaves the run to the next sweep.
    """
    runner = TurnRunner(ctx, run_id, start=None, run_stream=None)
    task = asyncio.ensure_future(runner.run_turn())
    task.add_done_callback(runner.finalize)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,))
        raise
