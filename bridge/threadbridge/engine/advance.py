"""One function that performs the next turn of a run and is safe to call at any time."""

from __future__ import annotations

import asyncio

from threadbridge.engine.context import EngineContext
from threadbridge.engine.turn_runner import TurnRunner


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
