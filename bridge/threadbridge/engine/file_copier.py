"""Copies generated files out of their container while the response is still streaming (§12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.ports import Blob, BlobNamer, BlobStore, Upstream, build_path
from threadbridge.service.generated_files import PersistedFile
from threadbridge.settings import Limits
from threadbridge.translation.produced_files import ProducedFile

_log = get_logger("threadbridge.files")


class FileCopier:
    """The copies of one turn's files. Each begins as soon as its file is known."""

    def __init__(self, upstream: Upstream, blobs: BlobStore, name_blob: BlobNamer, limits: Limits) -> None:
        self._upstream = upstream
        self._blobs = blobs
        self._name_blob = name_blob
        self._limits = limits
        self._semaphore = asyncio.Semaphore(limits.concurrent_copies)
        self._tasks: dict[asyncio.Task[Blob | None], ProducedFile] = {}

    def start_copies(self, files: Sequence[ProducedFile]) -> None:
        """Copy the files that are not being copied yet; `files` are all that are known by now."""
        for file in files[len(self._tasks) :]:
            self._tasks[asyncio.ensure_future(self._copy_or_skip(file))] = file

    async def wait(self) -> None:
        """Every copy is there, or its time is up. One that fails is left out, with a warning in the log."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.copy_out_seconds)

    def collect_copied_files(self) -> Sequence[PersistedFile]:
        """The copied files. Copies under way are abandoned."""
        copied: list[PersistedFile] = []
        for task, file in self._tasks.items():
            blob = task.result() if task.done() and not task.cancelled() else None
            if blob is not None:
                copied.append(PersistedFile(file, blob))
            elif task.cancel():
                _log.warning("the copy of a generated file took too long and was abandoned", file_id=file.file_id)
        return copied

    async def _copy_or_skip(self, file: ProducedFile) -> Blob | None:
        try:
            async with self._semaphore:
                return await self._copy_file(file)
        except BridgeError as error:
            _log.warning("could not copy a generated file", file_id=file.file_id, error=error.message)
            return None

    async def _copy_file(self, file: ProducedFile) -> Blob:
        if file.container_file is None:
            return await self._store(_iterate_once(file.content or b""))
        container_id, file_id = file.container_file
        async with self._upstream.download(
            build_path("containers", container_id, "files", file_id, "content")
        ) as content:
            return await self._store(content)

    async def _store(self, content: AsyncIterator[bytes]) -> Blob:
        return await self._blobs.put(content, max_bytes=self._limits.copied_file_bytes, name_for=self._name_blob)


async def _iterate_once(content: bytes) -> AsyncIterator[bytes]:
    yield content
