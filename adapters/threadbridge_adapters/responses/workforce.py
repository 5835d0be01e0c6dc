"""The in-process executor: a worker for every run that has something to do, within bounds (design §4)."""

from __future__ import annotations

import asyncio
from typing import Any

from threadbridge.emulation.turns import TurnStart
from threadbridge.errors import BridgeError
from threadbridge_adapters.logs import logger
from threadbridge_adapters.responses.feed import Feed
from threadbridge_adapters.responses.worker import Worker
from threadbridge_adapters.responses.workplace import Workplace

_log = logger("threadbridge.run")

#: Runs taken up at once when a backend opens; more follow as these are found done.
_TAKEN_OVER_AT_ONCE = 100


class Workforce:
    """Employs workers on the running loop, one at a time for each run."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._places_left = asyncio.Semaphore(place.limits.concurrent_turns)
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Look for runs that lost their worker: now, and then once per lease."""
        self._sweeper = asyncio.ensure_future(self._sweep())

    def take_up(self, tenant: str, run_id: str) -> None:
        """Perform a run that somebody met without a worker, if taking up runs is this process's affair."""
        if self._sweeper is not None:
            self.employ(tenant, run_id)

    @property
    def has_room(self) -> bool:
        """Whether a turn that begins now would be performed now."""
        return not self._closing and not self._places_left.locked()

    def employ(self, tenant: str, run_id: str, *, start: TurnStart | None = None, feed: Feed | None = None) -> None:
        """Have the run's next turn performed: the one that began already, or the one it waits for.

        A run that is being worked on already is left alone.
        """
        if start is None and feed is None and (self._closing or self._is_worked_on(run_id)):
            return
        worker = Worker(self._place, tenant, run_id, start=start, feed=feed)
        task = asyncio.ensure_future(self._perform(worker))
        self._workers[run_id] = (worker, task)
        task.add_done_callback(lambda done: self._leave(run_id, done))

    def _is_worked_on(self, run_id: str) -> bool:
        return run_id in self._workers and not self._workers[run_id][1].done()

    async def _perform(self, worker: Worker) -> None:
        async with self._places_left:
            await worker.perform()

    def _leave(self, run_id: str, task: asyncio.Task[None]) -> None:
        if self._workers.get(run_id, (None, None))[1] is task:
            del self._workers[run_id]

    async def cancel(self, run_id: str) -> None:
        """Tell the run's worker to stop, if it is ours, and give it a moment to come to rest (C8)."""
        worker, task = self._workers.get(run_id, (None, None))
        if worker is None or task is None:
            return  # another process works on it and will notice with its next heartbeat
        worker.cancel()
        await asyncio.wait([task], timeout=self._place.limits.cancel_wait_seconds)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._take_over()
            except BridgeError as error:  # the store may be there again at the next look
                _log.error("could not look for runs without a worker", error=error.message)
            await self._place.clock.sleep(self._place.limits.lease_seconds)

    async def _take_over(self) -> None:
        now = self._place.clock.now()
        for tenant, run_id in await self._place.store.unfinished_runs(lapsed_before=now, limit=_TAKEN_OVER_AT_ONCE):
            _log.info("taking up a run that lost its worker", run_id=run_id)
            self.employ(tenant, run_id)

    async def drain(self) -> None:
        """Give running turns `drain_seconds` to end; what is cut off then is taken up at the next start."""
        self._closing = True
        tasks: set[asyncio.Task[Any]] = {task for _, task in self._workers.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=self._place.limits.drain_seconds)
        tasks |= {self._sweeper} if self._sweeper else set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
