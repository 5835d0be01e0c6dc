"""Reads one thread completely: thread, messages, runs, run steps, and the ids of its assistants.

A thread whose runs or steps cannot be read keeps everything else. What is missing becomes a failed subject of its own,
which a later export reads alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from threadbridge.api_types import MessageObject, RunObject, RunStepObject
from threadbridge.errors import BridgeError
from threadbridge_migrate.archive.journal import ExportProgress, Subject, build_steps_id
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.references import References
from threadbridge_migrate.export.thread_source import ThreadSource

T = TypeVar("T")

#: What services leave out of steps unless it is asked for: the texts that file_search found.
STEP_CONTENTS = ("step_details.tool_calls[*].file_search.results[*].content",)


class ThreadReader:
    """Reads one thread, or what earlier exports could not read of it.

    `separate_buffers` are those of runs and steps that are subjects of their own; `assistant_ids` are the assistants
    that messages and runs reference. `cleanup` closes all buffers.
    """

    def __init__(
        self,
        backend: ThreadSource,
        source: RateLimitedSource,
        progress: ExportProgress,
        thread_id: str,
        cleanup: ExitStack,
    ) -> None:
        self.assistant_ids: set[str] = set()
        self.references = References()
        self.separate_buffers: list[RecordBuffer] = []
        self._backend = backend
        self._source = source
        self._progress = progress
        self._thread_id = thread_id
        self._cleanup = cleanup
        self._opened: list[RecordBuffer] = []

    def take_separate_buffers(self) -> list[RecordBuffer]:
        """The separate buffers, which the caller closes; the others are closed."""
        for buffer in self._opened:
            if buffer not in self.separate_buffers:
                buffer.close()
        return self.separate_buffers

    async def read_thread(self, buffer: RecordBuffer) -> None:
        """Fill the buffer. Raises the source's error if the thread or its messages cannot be read."""
        await gather(self._read_object(buffer), self._read_messages(buffer), self.read_runs(buffer))

    async def read_runs(self, buffer: RecordBuffer | None = None) -> None:
        """Read the runs and their steps, into the thread's buffer if there is one."""
        if self._progress.is_finished("runs", self._thread_id):
            return
        runs = self._open_buffer("runs", self._thread_id)
        steps_buffers: list[RecordBuffer] = []
        try:
            context, thread_id = self._source.context, self._thread_id
            async for page in self._source.iterate_pages(
                lambda query: self._backend.list_runs(context, thread_id, query)
            ):
                runs.add(Part.RUNS, page)
                self._note_references(page)
                for steps in await gather(*(self._read_steps(run["id"]) for run in page)):
                    if isinstance(steps, RecordBuffer):
                        steps_buffers.append(steps)
                    else:
                        runs.add(Part.STEPS, steps)
                        self.references.note(steps)
        except BridgeError as error:
            runs.discard("failed", error)
            self.separate_buffers.append(runs)
            return
        self.separate_buffers += steps_buffers
        if buffer is None or self._has_failed("runs", thread_id):
            self.separate_buffers.append(runs)
        else:
            buffer.absorb(runs)

    async def read_steps(self, run_id: str) -> None:
        """Read the steps of a run that an earlier export could not read."""
        steps = await self._read_steps(run_id)
        if isinstance(steps, RecordBuffer):
            self.separate_buffers.append(steps)

    async def _read_steps(self, run_id: str) -> list[RunStepObject] | RecordBuffer:
        """The steps; their own buffer if they cannot be read, or could not be read by an earlier export."""
        steps_id = build_steps_id(self._thread_id, run_id)
        if self._progress.is_finished("steps", steps_id):
            return []
        context, thread_id = self._source.context, self._thread_id
        steps: list[RunStepObject] = []
        buffer = self._open_buffer("steps", steps_id)
        try:
            async for page in self._source.iterate_pages(
                lambda query: self._backend.list_steps(context, thread_id, run_id, query, include=STEP_CONTENTS)
            ):
                steps += page
            if not self._has_failed("steps", steps_id):
                return steps
            buffer.add(Part.STEPS, steps)
        except BridgeError as error:
            buffer.discard("failed", error)
        return buffer

    async def _read_object(self, buffer: RecordBuffer) -> None:
        context, thread_id = self._source.context, self._thread_id
        thread = await self._source.request(lambda: self._backend.retrieve_thread(context, thread_id))
        buffer.add(Part.THREADS, [thread])
        self.references.note([thread])

    async def _read_messages(self, buffer: RecordBuffer) -> None:
        context, thread_id = self._source.context, self._thread_id
        async for page in self._source.iterate_pages(
            lambda query: self._backend.list_messages(context, thread_id, query)
        ):
            buffer.add(Part.MESSAGES, page)
            self._note_references(page)

    def _note_references(self, objects: Sequence[MessageObject | RunObject]) -> None:
        self.references.note(objects)
        for each in objects:
            assistant_id: object = each.get("assistant_id")
            if isinstance(assistant_id, str) and assistant_id:
                self.assistant_ids.add(assistant_id)

    def _open_buffer(self, subject: Subject, object_id: str) -> RecordBuffer:
        buffer = self._cleanup.enter_context(RecordBuffer(subject, object_id))
        self._opened.append(buffer)
        return buffer

    def _has_failed(self, subject: Subject, object_id: str) -> bool:
        return (subject, object_id) in self._progress.failed


async def gather(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results in the order of the arguments. The first failure cancels the others and is raised after they end.

    Unlike a task group, it raises the exception itself and not an exception group.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
