"""The executor of a single process, and the turns that it performs on its own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from threadbridge.engine.context import EngineContext
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.turn_runner import TurnRunner
from threadbridge.ports import Executor, RunReference
from threadbridge.service.turns import TurnStart


class LocalTurns:
    """Starts turns as tasks of the running loop, stops them, and ends them when the process does."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._runners: dict[RunReference, tuple[TurnRunner, asyncio.Task[None]]] = {}
        self._closing = False

    async def try_reserve_slot(self) -> bool:
        """Reserve a slot for a turn that is about to start; `perform` takes it over, `release_slot` gives it back.

        Does not wait: False if no slot is free or turns wait for one.
        """
        limit = self._ctx.concurrency_limit
        return not self._closing and not limit.locked() and await limit.acquire()

    def release_slot(self) -> None:
        """Give back a reserved slot whose turn did not start."""
        self._ctx.concurrency_limit.release()

    def perform(
        self, run: RunReference, *, start: TurnStart | None = None, run_stream: RunStream | None = None
    ) -> None:
        """Perform the run's next turn in this process.

        `start` is a turn that the transaction which queued the run has started, in a reserved slot; without it the
        turn waits for a slot. Events go to `run_stream`. A run that is performed already, or one that nobody streams
        while the process ends, is left alone.
        """
        _, task = self._runners.get(run, (None, None))
        if start is None and run_stream is None and (self._closing or (task is not None and not task.done())):
            return
        runner = TurnRunner(self._ctx.for_tenant(run.tenant), run.run_id, start=start, run_stream=run_stream)
        task = asyncio.ensure_future(runner.run_turn())
        self._runners[run] = (runner, task)
        task.add_done_callback(lambda done: self._remove(run, runner, done))

    async def cancel(self, run: RunReference) -> None:
        """Stop the run's turn, if it is performed here, and wait briefly until it is committed (C8)."""
        runner, task = self._runners.get(run, (None, None))
        if runner is None or task is None:
            return
        runner.cancel()
        await asyncio.wait([task], timeout=self._ctx.limits.cancel_wait_seconds)

    async def drain(self) -> None:
        """Give running turns `limits.drain_seconds` to end; those cut off are recovered at the next start."""
        self._closing = True
        tasks: set[asyncio.Task[Any]] = {task for _, task in self._runners.values()}
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=self._ctx.limits.drain_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remove(self, run: RunReference, runner: TurnRunner, task: asyncio.Task[None]) -> None:
        runner.finalize(task)
        if self._runners.get(run, (None, None))[1] is task:
            del self._runners[run]


#: What an entry point of the group `threadbridge.executors` names.
ExecutorOpener: TypeAlias = Callable[[EngineContext, LocalTurns], Executor]


class InlineExecutor:
    """`ports.Executor` over the turns of this process."""

    def __init__(self, local_turns: LocalTurns) -> None:
        self._local_turns = local_turns

    def submit(self, run: RunReference) -> None:
        self._local_turns.perform(run)

    async def cancel(self, run: RunReference) -> None:
        await self._local_turns.cancel(run)

    async def aclose(self) -> None:
        """The engine drains the local turns."""


def open_inline_executor(ctx: EngineContext, local_turns: LocalTurns) -> InlineExecutor:  # noqa: ARG001
    """The executor, as its entry point opens it: with the engine's context and the turns of this process."""
    return InlineExecutor(local_turns)
