"""The in-process executor: a worker for every run that has something to do, within bounds (architecture.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from threadbridge.engine.cleanup_sweeper import Errands
from threadbridge.engine.context import Workplace
from threadbridge.engine.run_stream import Feed
from threadbridge.engine.turn_runner import Worker
from threadbridge.errors import BridgeError
from threadbridge.logs import logger
from threadbridge.service.turns import TurnStart

_log = logger("threadbridge.run")

#: Runs without a worker that one look takes up; the next look is a lease later.
_TAKEN_UP_AT_ONCE = 100


class Workforce:
    """Employs workers on the running loop, one at a time for each run."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._errands = Errands(place)
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Look for runs that lost their worker: now, and then once per lease."""
        self._sweeper = asyncio.ensure_future(self._sweep())

    def take_up(self, run_id: str) -> None:
        """Perform a run that somebody met without a worker, if taking up runs is this process's affair."""
        if self._sweeper is not None:
            self.employ(run_id)

    def reserve(self) -> bool:
        """Keep a place for a turn that is about to begin; it goes to `employ` with its start, or is given back."""
        return not self._closing and self._place.places.reserve()

    def give_back(self) -> None:
        """The turn that a place was kept for does not begin."""
        self._place.places.give_back()

    def employ(self, run_id: str, *, start: TurnStart | None = None, feed: Feed | None = None) -> None:
        """Have the run's next turn performed: the one that began already, in a place kept for it, or the one it
        waits for. A run that is being worked on already is left alone.
        """
        if start is None and feed is None and (self._closing or self._is_worked_on(run_id)):
            return
        worker = Worker(self._place, run_id, start=start, feed=feed)
        task = asyncio.ensure_future(worker.perform())
        self._workers[run_id] = (worker, task)
        task.add_done_callback(lambda done: self._leave(run_id, worker, done))

    def _is_worked_on(self, run_id: str) -> bool:
        return run_id in self._workers and not self._workers[run_id][1].done()

    def _leave(self, run_id: str, worker: Worker, task: asyncio.Task[None]) -> None:
        worker.leave(task)
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
            self._place.logs.forget_old()
            try:
                await self._take_over()
            except BridgeError as error:  # the store may be there again at the next look
                _log.error("could not look for runs without a worker", error=error.message)
            await self._clean_up()
            await self._place.clock.sleep(self._place.limits.lease_seconds)

    async def _clean_up(self) -> None:
        try:
            await self._errands.clean_up()
        except BridgeError as error:
            _log.error("could not look for abandoned errands", error=error.message)

    async def _take_over(self) -> None:
        for run_id in await self._place.unfinished_runs(limit=_TAKEN_UP_AT_ONCE):
            _log.info("taking up a run that lost its worker", run_id=run_id)
            self.employ(run_id)

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
        await self._place.settled()
