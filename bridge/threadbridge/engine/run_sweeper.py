"""A periodic sweep: runs without a lease are submitted again, cleanup intents are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from threadbridge.engine.cleanup_sweeper import CleanupSweeper
from threadbridge.engine.context import EngineContext
from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.ports import Executor, RunReference

_log = get_logger("threadbridge.run")

#: Runs without a lease that one read lists.
_RUNS_PER_READ = 100
#: Tenants that one read lists.
_TENANTS_PER_READ = 100


class RunSweeper:
    """Sweeps all tenants of the store immediately, and then repeatedly after the length of a lease."""

    def __init__(self, ctx: EngineContext, executor: Executor) -> None:
        self._ctx = ctx
        self._executor = executor
        self._cleanup_sweepers: dict[str, CleanupSweeper] = {}  # by tenant
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sweeping. A process that performs no runs does not."""
        self._task = asyncio.ensure_future(self._sweep_periodically())

    @property
    def is_running(self) -> bool:
        """Whether this process recovers runs."""
        return self._task is not None

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sweep_periodically(self) -> None:
        while True:
            self._ctx.event_bus.discard_expired()
            async for tenant in self._iterate_tenants():
                ctx = self._ctx.for_tenant(tenant)
                await self._submit_abandoned_runs(ctx)
                await self._clean_up(ctx)
            await self._ctx.clock.sleep(self._ctx.limits.lease_seconds)

    async def _iterate_tenants(self) -> AsyncIterator[str]:
        """The tenant of the settings, whose sweep also removes abandoned uploads, and all tenants with open work."""
        yield self._ctx.tenant
        after: str | None = None
        while True:
            try:
                tenants = await self._ctx.list_tenants_to_sweep(after=after, limit=_TENANTS_PER_READ)
            except BridgeError as error:  # the store may answer at the next sweep
                _log.error("could not list the tenants to sweep", error=error.message)
                return
            for tenant in tenants:
                if tenant != self._ctx.tenant:
                    yield tenant
            if len(tenants) < _TENANTS_PER_READ:
                return
            after = tenants[-1]

    async def _submit_abandoned_runs(self, ctx: EngineContext) -> None:
        after: str | None = None
        while True:
            try:
                run_ids = await ctx.list_unfinished_runs(after=after, limit=_RUNS_PER_READ)
            except BridgeError as error:  # the store may answer at the next sweep
                _log.error("could not list runs without a lease", error=error.message)
                return
            for run_id in run_ids:
                _log.info("recovering a run without a lease", run_id=run_id)
                self._executor.submit(RunReference(ctx.tenant, run_id))
            if len(run_ids) < _RUNS_PER_READ:
                return
            after = run_ids[-1]

    async def _clean_up(self, ctx: EngineContext) -> None:
        sweeper = self._cleanup_sweepers.setdefault(ctx.tenant, CleanupSweeper(ctx))
        try:
            await sweeper.sweep()
        except BridgeError as error:
            _log.error("could not list cleanup intents", error=error.message)
