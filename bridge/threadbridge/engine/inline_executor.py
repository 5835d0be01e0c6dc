"""The in-process executor: a worker for every run that has something to do, bounded (explanation/architecture.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from threadbridge.engine.cleanup_sweeper import CleanupSweeper
from threadbridge.engine.context import EngineContext
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.turn_runner import TurnRunner
from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.service.turns import TurnStart

_log = get_logger("threadbridge.run")

#: Runs without a worker that one look takes up; the next look is a lease later.
_RECOVERY_BATCH_SIZE = 100


class InlineExecutor:
    """Employs workers on the running loop, one at a time for each run."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._cleanup_sweepers: dict[str, CleanupSweeper] = {}  # by tenant
        self._runners: dict[str, tuple[TurnRunner, asyncio.Task[None]]] = {}
        self._sweep_task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Look for runs that lost their worker: now, and then once per lease."""
        self._sweep_task = asyncio.ensure_future(self._sweep())

    def recover_run(self, ctx: EngineContext, run_id: str) -> None:
        """Perform a run that somebody met without a worker, if taking up runs is this process's affair."""
        if self._sweep_task is not None:
            self.submit(ctx, run_id)

    def try_reserve_slot(self) -> bool:
        """Keep a place for a turn that is about to begin; it goes to `employ` with its start, or is given back."""
        return not self._closing and self._ctx.concurrency_limit.try_acquire()

    def release_slot(self) -> None:
        """The turn that a place was kept for does not begin."""
        self._ctx.concurrency_limit.release()

    def submit(
        self,
        ctx: EngineContext,
        run_id: str,
        *,
        start: TurnStart | None = None,
        run_stream: RunStream | None = None,
    ) -> None:
        """Have the run's next turn performed: the one that began already, in a place kept for it, or the one it
        waits for. A run that is being worked on already is left alone.
        """
        if start is None and run_stream is None and (self._closing or self._has_active_runner(run_id)):
            return
        runner = TurnRunner(ctx, run_id, start=start, run_stream=run_stream)
        task = asyncio.ensure_future(runner.run_turn())
        self._runners[run_id] = (runner, task)
        task.add_done_callback(lambda done: self._remove_runner(run_id, runner, done))

    def _has_active_runner(self, run_id: str) -> bool:
        return run_id in self._runners and not self._runners[run_id][1].done()

    def _remove_runner(self, run_id: str, runner: TurnRunner, task: asyncio.Task[None]) -> None:
        runner.finalize(task)
        if self._runners.get(run_id, (None, None))[1] is task:
            del self._runners[run_id]

    async def cancel(self, run_id: str) -> None:
        """Tell the run's worker to stop, if it is ours, and give it a moment to come to rest (C8)."""
        runner, task = self._runners.get(run_id, (None, None))
        if runner is None or task is None:
            return  # another process works on it and will notice with its next heartbeat
        runner.cancel()
        await asyncio.wait([task], timeout=self._ctx.limits.cancel_wait_seconds)

    async def _sweep(self) -> None:
        while True:
            self._ctx.event_logs.discard_expired()
            for ctx in self._ctx.list_tenant_contexts():
                try:
                    await self._recover_abandoned_runs(ctx)
                except BridgeError as error:  # the store may be there again at the next look
                    _log.error("could not look for runs without a worker", error=error.message)
                await self._sweep_cleanup_intents(ctx)
            await self._ctx.clock.sleep(self._ctx.limits.lease_seconds)

    async def _sweep_cleanup_intents(self, ctx: EngineContext) -> None:
        sweeper = self._cleanup_sweepers.setdefault(ctx.tenant, CleanupSweeper(ctx))
        try:
            await sweeper.sweep()
        except BridgeError as error:
            _log.error("could not look for abandoned errands", error=error.message)

    async def _recover_abandoned_runs(self, ctx: EngineContext) -> None:
        for run_id in await ctx.list_unfinished_runs(limit=_RECOVERY_BATCH_SIZE):
            _log.info("taking up a run that lost its worker", run_id=run_id)
            self.submit(ctx, run_id)

    async def drain(self) -> None:
        """Give running turns `drain_seconds` to end; what is cut off then is taken up at the next start."""
        self._closing = True
        tasks: set[asyncio.Task[Any]] = {task for _, task in self._runners.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=self._ctx.limits.drain_seconds)
        tasks |= {self._sweep_task} if self._sweep_task else set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._ctx.wait_for_background_tasks()
