"""The executor of a single process: it advances runs on its own event loop (explanation/architecture.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from threadbridge.engine.context import EngineContext
from threadbridge.engine.local_turns import LocalTurns
from threadbridge.ports import Executor, RunReference

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
